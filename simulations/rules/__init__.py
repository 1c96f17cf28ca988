"""Liquidation rules, one protocol family a file. `rule_of` finds the one that a market was deployed with."""

from typing import cast

from chain.errors import unknown_name
from simulations.book import Market
from simulations.rules import aave_v3, generic
from simulations.rules.rule import Rule

FAMILIES: dict[str, Rule] = {"aave_v3": cast(Rule, aave_v3), "generic": cast(Rule, generic)}


def rule_of(market: Market) -> Rule:
    """The rule of a market's family; UnknownNameError if there is none, InputError if its revision is not written."""
    if market.family not in FAMILIES:
        raise unknown_name("liquidation rule for family", market.family, FAMILIES)
    rule = FAMILIES[market.family]
    rule.require_revision(market.revision)
    return rule
