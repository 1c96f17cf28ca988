"""Aave accounts, V3 and V2: everyone who ever held a receipt or debt token of a market, contracts and the treasury included.

Holders come from the tokens' Transfer events since the deployment; what they hold comes from calls at the block. The tokens' own
balanceOf and the pool's getUserAccountData are kept as witnesses, for the checks to compare with the rows. A debt at a fixed rate (V2, 3.0.2)
grows from its own last change at its own rate: the stored amount is the principal, the index the growth since.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chain.accounting.aave_v3 import compounded, debt_balance, supply_balance
from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.together import Inquiry
from chain.readers.holders import BALANCE, ever_held
from chain.units import RAY

SCALED_BALANCE = "scaledBalanceOf(address)->(uint256)"
CONFIGURATION = "getUserConfiguration(address)->(uint256)"
CATEGORY = "getUserEMode(address)->(uint256)"
FIXED_DEBT = {
    "principal": "principalBalanceOf(address)->(uint256)",
    "rate": "getUserStableRate(address)->(uint256)",
    "since": "getUserLastUpdated(address)->(uint40)",
}  # StableDebtToken of @aave/core-v3
ACCOUNT_DATA = "getUserAccountData(address)->(uint256,uint256,uint256,uint256,uint256,uint256)"


@dataclass(frozen=True)
class Market:
    """Where a market's accounts are: tokens (`fixed_tokens`: debts at a fixed rate, 3.0.2), indices (supply, debt; 1e-27) and reserve
    index by underlying address. `revision` is the one whose roundings hold; `growth` is how a debt grows at a fixed rate over some
    seconds, 1e-27; V2 has no categories."""

    key: str
    pool: str
    revision: int
    first_block: int
    supply_tokens: dict[str, str]
    debt_tokens: dict[str, str]
    fixed_tokens: dict[str, str]
    indices: dict[str, tuple[int, int]]
    reserve_index: dict[str, int]
    growth: Callable[[int, int], int] = compounded
    has_categories: bool = True


def read(client: Client, market: Market, found: Findings) -> Inquiry[None]:
    """Read every position of a market; ContractError if a contract refuses."""
    # Where
    places = {token: (asset, "supply") for asset, token in market.supply_tokens.items()}
    places |= {token: (asset, "debt") for asset, token in market.debt_tokens.items()}
    places |= {token: (asset, "fixed_debt") for asset, token in market.fixed_tokens.items()}
    held_by = ever_held(client, list(places), market.first_block)

    # Ask
    ever = [
        (token, who) for token, (_, side) in places.items() if side != "fixed_debt" for who in sorted(held_by[token])
    ]
    fixed_debts = _fixed_debts({token: held_by[token] for token in market.fixed_tokens.values()})
    scaled: dict[Any, Call] = {(token, who): Call(token, SCALED_BALANCE, (who,)) for token, who in ever}
    answers = yield scaled | fixed_debts
    stored = {place: answers[place] for place in ever}
    fixed = _grown(answers, fixed_debts, market, found.anchor.timestamp)
    indices = {
        token: market.indices[asset][0 if side == "supply" else 1]
        for token, (asset, side) in places.items()
        if side != "fixed_debt"
    }
    held = {place: (amount, indices[place[0]]) for place, amount in stored.items() if amount} | fixed
    accounts = sorted({who for _, who in held})
    of_account = {"category": CATEGORY} if market.has_categories else {}
    of_account |= {"flags": CONFIGURATION, "totals": ACCOUNT_DATA}  # what takes the most gas comes last
    balances: dict[tuple[str, str], Call] = {(token, who): Call(token, BALANCE, (who,)) for token, who in held}
    answers = yield balances | {
        (name, who): Call(market.pool, text, (who,), optional=name == "totals")
        for name, text in of_account.items()
        for who in accounts
    }

    # Decode and rows: a user's bitmap has two bits a reserve, the upper one says that the supply is collateral
    for (token, who), (amount, index) in held.items():
        asset, side = places[token]
        rounded = supply_balance if side == "supply" else debt_balance
        key = found.token(asset)
        found.add(
            "positions",
            found.asked("principalBalanceOf" if side == "fixed_debt" else "scaledBalanceOf", token),
            market=market.key,
            position_id=who,
            asset=key,
            side=side,
            owner=found.entity(who, "account"),
            stored_raw=amount,
            index_raw=index,
            index_unit_raw=RAY,
            amount_raw=rounded(amount, index, market.revision),
            collateral_enabled=side == "supply"
            and bool(answers["flags", who] >> 2 * market.reserve_index[asset] + 1 & 1),
            category=answers.get(("category", who), 0),
        )
        found.witness("balance", (market.key, who, key, side), answers[token, who])
    for who in accounts:
        if answers["totals", who] is None:
            found.gaps.append(
                f"{market.key}: the pool refuses getUserAccountData of {who}, so its health factor was not checked"
            )
        else:
            found.witness("account", (market.key, who), answers["totals", who])


def _fixed_debts(held_by: dict[str, set[str]]) -> dict[tuple[str, str, str], Call]:
    """What is asked about debts at a fixed rate, by (token, account, name)."""
    places = [(token, who) for token in held_by for who in sorted(held_by[token])]
    return {(token, who, name): Call(token, text, (who,)) for token, who in places for name, text in FIXED_DEBT.items()}


def _grown(
    answers: Mapping[Any, Any], asked: Iterable[tuple[str, str, str]], market: Market, timestamp: int
) -> dict[tuple[str, str], tuple[int, int]]:
    """(token, account) -> principal and its growth since the account's last change, 1e-27 (StableDebtToken.balanceOf)."""
    debts = {}
    for token, who in dict.fromkeys((token, who) for token, who, _ in asked):
        principal, rate, since = (answers[token, who, name] for name in FIXED_DEBT)
        if principal:
            debts[token, who] = (principal, market.growth(rate, timestamp - since))
    return debts
