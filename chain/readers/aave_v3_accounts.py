"""Aave V3 accounts: everyone who ever held a receipt or debt token of a market, contracts and the treasury included.

Holders come from the tokens' Transfer events since the deployment; what they hold comes from calls at the block. The tokens' own
balanceOf and the pool's getUserAccountData are kept as witnesses, for the checks to compare with the rows.
"""

from dataclasses import dataclass

from chain.accounting.aave_v3 import debt_balance, supply_balance
from chain.calls import Call
from chain.client import Client
from chain.findings import Findings
from chain.readers.holders import BALANCE, ever_held
from chain.units import RAY

SCALED_BALANCE = "scaledBalanceOf(address)->(uint256)"
CONFIGURATION = "getUserConfiguration(address)->(uint256)"
CATEGORY = "getUserEMode(address)->(uint256)"
ACCOUNT_DATA = "getUserAccountData(address)->(uint256,uint256,uint256,uint256,uint256,uint256)"


@dataclass(frozen=True)
class Market:
    """Where a market's accounts are: tokens, indices (supply, debt; 1e-27) and reserve index by underlying address."""

    key: str
    pool: str
    revision: int
    first_block: int
    supply_tokens: dict[str, str]
    debt_tokens: dict[str, str]
    indices: dict[str, tuple[int, int]]
    reserve_index: dict[str, int]


def read(client: Client, market: Market, found: Findings) -> None:
    """Read every position of a market; ContractError if a contract refuses."""
    # Where
    places = {token: (asset, "supply") for asset, token in market.supply_tokens.items()}
    places |= {token: (asset, "debt") for asset, token in market.debt_tokens.items()}
    held_by = ever_held(client, list(places), market.first_block)

    # Ask
    stored = client.ask(
        {(token, who): Call(token, SCALED_BALANCE, (who,)) for token in places for who in sorted(held_by[token])}
    )
    stored = {place: amount for place, amount in stored.items() if amount}
    balances = client.ask({(token, who): Call(token, BALANCE, (who,)) for token, who in stored})
    accounts = sorted({who for _, who in stored})
    flags = client.ask({who: Call(market.pool, CONFIGURATION, (who,)) for who in accounts})
    categories = client.ask({who: Call(market.pool, CATEGORY, (who,)) for who in accounts})
    totals = client.ask({who: Call(market.pool, ACCOUNT_DATA, (who,), optional=True) for who in accounts})

    # Decode and rows: a user's bitmap has two bits a reserve, the upper one says that the supply is collateral
    for (token, who), amount in stored.items():
        asset, side = places[token]
        supply_index, debt_index = market.indices[asset]
        rounded = supply_balance if side == "supply" else debt_balance
        index = supply_index if side == "supply" else debt_index
        key = found.token(asset)
        found.add(
            "positions",
            found.asked("scaledBalanceOf", token),
            market=market.key,
            position_id=who,
            asset=key,
            side=side,
            owner=found.entity(who, "account"),
            stored_raw=amount,
            index_raw=index,
            index_unit_raw=RAY,
            amount_raw=rounded(amount, index, market.revision),
            collateral_enabled=side == "supply" and bool(flags[who] >> 2 * market.reserve_index[asset] + 1 & 1),
            category=categories[who],
        )
        found.witness("balance", (market.key, who, key, side), balances[token, who])
    for who in accounts:
        if totals[who] is None:
            found.gaps.append(
                f"{market.key}: the pool refuses getUserAccountData of {who}, so its health factor was not checked"
            )
        else:
            found.witness("account", (market.key, who), totals[who])
