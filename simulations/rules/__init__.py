"""Liquidation rules, one protocol family a file. `rule_of` finds the one that a market was deployed with."""

from collections.abc import Sequence
from typing import cast

from chain.errors import unknown_name
from simulations.book import Market
from simulations.rules import aave_v2, aave_v3, compound_v2, generic, morpho_blue
from simulations.rules.rule import Rule

FAMILIES: dict[str, Rule] = {
    "aave_v2": cast(Rule, aave_v2),
    "aave_v3": cast(Rule, aave_v3),
    "compound_v2": cast(Rule, compound_v2),
    "generic": cast(Rule, generic),
    "morpho_blue": cast(Rule, morpho_blue),
}


def rule_of(market: Market) -> Rule:
    """The rule of a market's family; UnknownNameError if there is none, InputError if its revision is not written."""
    if market.family not in FAMILIES:
        raise unknown_name("liquidation rule for family", market.family, FAMILIES)
    rule = FAMILIES[market.family]
    rule.require_revision(market.revision)
    return rule


def averages_thresholds(market: Market) -> bool:
    """Whether the rule cuts a position's average threshold to whole basis points before it takes the health factor."""
    return _says(market, "averages_thresholds")


def needs_own_threshold(market: Market) -> bool:
    """Whether an asset whose own threshold is 0 counts for nothing in a category either."""
    return _says(market, "needs_own_threshold")


def works_out_bonus(market: Market) -> bool:
    """Whether the rule works the liquidation bonus out by itself, so that the one in a book only screens which positions could pay."""
    return _says(market, "works_out_bonus")


def pauses_seizing_alone(market: Market) -> bool:
    """Whether a pause stops what is seized and not what is repaid, so that debts in a paused asset can be liquidated."""
    return _says(market, "pauses_seizing_alone")


def is_isolated(market: Market) -> bool:
    """Whether anybody can make markets like this one, so that a book leaves out those that cannot be priced instead of being refused."""
    return _says(market, "is_isolated")


def _says(market: Market, question: str) -> bool:
    """A yes or no that only some families have an answer to; no for the others."""
    answer = getattr(FAMILIES.get(market.family), question, None)
    return bool(answer is not None and answer(market.revision))


def notes(markets: Sequence[Market]) -> tuple[str, ...]:
    """What a user of these markets' rules must be told, one sentence a market; a family without a `note` has nothing to say."""
    told = []
    for market in markets:
        note = getattr(FAMILIES.get(market.family), "note", None)
        if note is not None and (sentence := note(market.revision)):
            told.append(f"{market.name}: {sentence}")
    return tuple(told)
