"""What comes when something is put into a snapshot: an empty market with the terms of another, a vault, a supply or debt.

Every added row has the status `file` and says which entry it comes from. Added vaults and accounts get an address that no key leads to: the
first 20 bytes of the SHA-256 of what they are called.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pandas as pd

from chain.errors import InputError
from chain.snapshot import Snapshot
from chain.tables import each_row
from chain.units import BPS, BPS_TO_WAD, RAY, WAD, mul_div
from graph.edits.tables import moved, moves_of, with_rows, without

TERMS = {
    "threshold_bps": ("liquidation_threshold_wad", 0, BPS),
    "ltv_bps": ("ltv_wad", 0, BPS),
    "bonus_bps": ("liquidation_bonus_wad", 0, BPS - 1),
    "close_factor_bps": ("close_factor_wad", 1, BPS),
    "reserve_factor_bps": ("reserve_factor_wad", 0, BPS),
}
"""Terms that a new market may state for all its assets: the column, the least and the most."""
OF_COLLATERAL = ("threshold_bps", "ltv_bps", "bonus_bps")
"""Those that say what collateral counts; they are not for an asset that a market only lends."""
SIDES = ("supply", "collateral", "debt")


def market_key(snapshot: Snapshot, like: str, name: str) -> str:
    """The key of a new market beside another; InputError if there is one."""
    (other,) = each_row(snapshot["markets"][snapshot["markets"]["market"] == like])
    key = f"{other.chain}:{other.protocol}/what-if/{'-'.join(name.lower().split())}"
    same = (snapshot["markets"]["protocol"] == other.protocol) & (snapshot["markets"]["instance"] == name)
    if same.any() or key in set(snapshot["markets"]["market"]):
        raise InputError(f"{other.protocol} has a market {name!r} already; give the new one another name")
    return key


def with_market(
    snapshot: Snapshot, key: str, name: str, like: str, assets: Sequence[str], terms: Mapping[str, int], evidence: str
) -> Snapshot:
    """An empty market with the reserves, prices and categories that another has for these assets, nothing in it switched off; `terms` (see TERMS) replace its own.

    Terms of collateral stay away from an asset that the other market only lends (`is_only_lent`).
    """
    mark = {"market": key, "evidence": evidence, "status": "file"}
    (other,) = _records(snapshot, "markets", like)
    left = with_rows(snapshot, "markets", [{**other, **mark, "instance": name, "address": ""}])
    empty = {
        "supplied_stored_raw": 0,
        "borrowed_stored_raw": 0,
        "cash_raw": 0,
        "supply_index_raw": RAY,
        "supply_index_unit_raw": RAY,
        "borrow_index_raw": RAY,
        "borrow_index_unit_raw": RAY,
        "active": True,
        "frozen": False,
        "paused": False,
        "grace_until": None,
        **dict.fromkeys(
            ("receipt_asset", "debt_asset", "fixed_debt_asset", "fixed_debt_raw", "balance_raw", "last_accrual")
        ),
    }
    listed = [row for row in _records(left, "reserves", like) if row["asset"] in assets]
    for row in listed:
        kept = ("collateral_raw", "treasury_stored_raw", "isolated_debt_raw", "deficit_raw")
        none = {column: 0 for column in kept if not pd.isna(row[column])}
        none |= {} if pd.isna(row["liquidatable"]) else {"liquidatable": True}
        own = _columns(terms, OF_COLLATERAL if is_only_lent(snapshot, like, row["asset"]) else ())
        left = with_rows(left, "reserves", [{**row, **empty, **none, **own, **mark}])
    prices = [{**row, **mark} for row in _records(left, "prices", like) if row["asset"] in assets]
    left = with_rows(left, "prices", prices)
    return with_rows(left, "categories", [{**row, **mark} for row in _records(left, "categories", like)])


def is_only_lent(snapshot: Snapshot, market: str, asset: str) -> bool:
    """Whether what is supplied of an asset never counts as collateral: its market keeps collateral apart from what it lends, and none of this asset."""
    reserves = snapshot["reserves"][snapshot["reserves"]["market"] == market]
    apart = reserves.loc[reserves["collateral_raw"].notna(), "asset"].tolist()
    return bool(apart) and asset not in apart


def _columns(terms: Mapping[str, int], left_out: Sequence[str]) -> dict[str, int | None]:
    """Columns of a reserve that state these terms."""
    own: dict[str, int | None] = {
        TERMS[term][0]: (BPS if term == "bonus_bps" else 0) * BPS_TO_WAD + value * BPS_TO_WAD
        for term, value in terms.items()
        if term not in left_out
    }
    return own | {"liquidation_ratio_ray": None} if "liquidation_threshold_wad" in own else own


def with_address(
    snapshot: Snapshot, name: str, kind: str, chain: str, evidence: str, else_do: str = ""
) -> tuple[Snapshot, str]:
    """A new address and its entity; InputError if an entity has the name, with what else can be done then."""
    if name in set(snapshot["entities"]["name"].dropna()):
        raise InputError(f"there is an address named {name!r} already; {else_do}give the new one another name")
    address = "0x" + sha256(f"what-if {chain} {name}".encode()).hexdigest()[:40]
    row = {"entity": f"{chain}:{address}", "chain": chain, "address": address, "kind": kind, "name": name}
    return with_rows(snapshot, "entities", [{**row, "evidence": evidence, "status": "file"}]), f"{chain}:{address}"


def with_vault(
    snapshot: Snapshot, name: str, market: str, asset: str, amount: Decimal, evidence: str, labels: Mapping[str, str]
) -> tuple[Snapshot, str, str]:
    """A vault that supplies so much: its address, its share backed one to one, its allocation. Gives the keys of vault and share."""
    chain = str(snapshot["markets"].set_index("market").at[market, "chain"])
    left, vault = with_address(snapshot, name, "vault", chain, evidence)
    left = with_claim(left, market, vault, asset, "supply", amount, False, evidence, labels)
    supplied = left["positions"][(left["positions"]["owner"] == vault)]["amount_raw"].tolist()[0]
    token, mark = f"{chain}/erc20:{vault.removeprefix(f'{chain}:')}", {"evidence": evidence, "status": "file"}
    left = with_rows(
        left,
        "assets",
        [
            {
                "asset": token,
                "chain": chain,
                "address": vault.removeprefix(f"{chain}:"),
                "symbol": f"{name} share",
                "decimals": _decimals(left, asset),
                "kind": "vault_share",
                "issuer": vault,
                "total_supply_raw": supplied,
                **mark,
            }
        ],
    )
    behind = {"claim": token, "backing": asset, "holder": vault, "amount_raw": supplied, "rate_wad": WAD}
    left = with_rows(left, "backings", [{**behind, "redemption": "instant", **mark}])
    queue = {"vault": token, "slot": 0, "market": market, **mark}
    both = [{**queue, "side": "supply"}, {**queue, "side": "withdraw", "allocated_raw": supplied}]
    return with_rows(left, "queues", both), vault, token


def with_claim(
    snapshot: Snapshot,
    market: str,
    owner: str,
    asset: str,
    side: str,
    amount: Decimal,
    enabled: bool,
    evidence: str,
    labels: Mapping[str, str],
) -> Snapshot:
    """So many whole tokens supplied, posted or owed by an address, on top of what it has there; the market's totals follow.

    What a market only lends (`is_only_lent`) never counts as collateral, whatever `enabled` says.
    What a market stores is rounded down for supplies and up for debts, so the amount can differ by what one stored unit is worth.

    Raises
    ------
    InputError
        If the market does not list the asset, keeps no collateral apart from supplies or lends none of it, or the address has several
        accounts there.
    """
    reserve = next((row for row in each_row(snapshot["reserves"]) if (row.market, row.asset) == (market, asset)), None)
    if reserve is None:
        listed = snapshot["reserves"].loc[snapshot["reserves"]["market"] == market, "asset"]
        known = ", ".join(sorted(labels.get(key, key) for key in listed))
        raise InputError(
            f"asset: {labels.get(market, market)} does not list {labels.get(asset, asset)}; it lists {known or 'nothing'}"
        )
    if side == "collateral" and pd.isna(reserve.collateral_raw):
        raise InputError(
            f"side: {labels.get(market, market)} lends out all {labels.get(asset, asset)} that is posted; write supply"
        )
    if side == "supply" and not pd.isna(reserve.collateral_raw) and not reserve.borrowable:
        raise InputError(
            f"side: {labels.get(market, market)} does not lend {labels.get(asset, asset)}, it is posted there; write collateral"
        )
    enabled = enabled and not (side == "supply" and is_only_lent(snapshot, market, asset))
    raw = int(amount * 10 ** _decimals(snapshot, asset))
    index, unit = {
        "supply": (reserve.supply_index_raw, reserve.supply_index_unit_raw),
        "debt": (reserve.borrow_index_raw, reserve.borrow_index_unit_raw),
    }.get(side, (1, 1))
    if not raw or not index:
        raise InputError(
            f"amount: {amount} {labels.get(asset, asset)} is less than the smallest unit, or nothing can be held there"
        )
    stored = mul_div(raw, unit, index, "ceil" if side == "debt" else "floor")
    table = snapshot["positions"]
    mine = table[(table["owner"] == owner) & (table["market"] == market)]
    accounts = sorted(set(mine["position_id"]))
    if len(accounts) > 1:
        raise InputError(
            f"owner: {labels.get(owner, owner)} has {len(accounts)} accounts in this market ({', '.join(accounts[:3])}); name another owner"
        )
    row = {
        "market": market,
        "position_id": accounts[0] if accounts else owner.rsplit(":", 1)[-1],
        "asset": asset,
        "side": side,
        "owner": owner,
        "stored_raw": stored,
        "index_raw": index,
        "index_unit_raw": unit,
        "amount_raw": stored * index // unit,
        "collateral_enabled": enabled,
        "category": int(mine["category"].iloc[0]) if len(mine) else 0,
        "evidence": evidence,
        "status": "file",
    }
    change = moves_of(pd.DataFrame([row]).astype(object), 1)
    has = (
        (table["owner"] == owner) & (table["market"] == market) & (table["asset"] == asset) & (table["side"] == side)
    ).tolist()
    if any(has):
        (old,) = each_row(table[pd.Series(has, index=table.index)])
        row["stored_raw"] += old.stored_raw
        row["amount_raw"] = row["stored_raw"] * index // unit
        row["collateral_enabled"] = bool(old.collateral_enabled or enabled)
        row["evidence"] = f"{old.evidence}; {evidence}"
        snapshot = without(snapshot, "positions", has)
    return moved(with_rows(snapshot, "positions", [row]), change, labels)


def _decimals(snapshot: Snapshot, asset: str) -> int:
    return int(dict(zip(snapshot["assets"]["asset"], snapshot["assets"]["decimals"], strict=True))[asset])


def _records(snapshot: Snapshot, table: str, market: str) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}
        for row in snapshot[table][snapshot[table]["market"] == market].to_dict("records")
    ]
