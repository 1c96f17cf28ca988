"""The relations of the graph, one function each: from tables of the snapshot to rows of the relation.

Every row keeps the evidence and status of the table row that it comes from; where several rows become one, the evidence is joined and
the status is the weakest. Amounts stay exact integers; USD values are worked out from the summed integers.
"""

from typing import Any

import pandas as pd

from chain.snapshot import Snapshot
from chain.tables import each_row
from chain.units import RAY, WAD, native_id
from graph.identity import Identities
from graph.merged_rows import merged, total
from graph.reserve_amounts import borrowed_raw, supplied_raw
from graph.valuation import Prices

DEBT_SIDES = ("debt", "fixed_debt")
"""Values of positions.side that are owed, at whatever rate."""
_FASTEST_FIRST = {"instant": 0, "psm": 1, "queue": 2, "none": 3}


def supplies_of_claims(snapshot: Snapshot) -> dict[str, int]:
    """Asset -> smallest units that somebody has: its supply, of a liquidity share without what was minted in advance."""
    minted = _pairs_of(snapshot["assets"], "asset", "total_supply_raw")
    return minted | _pairs_of(snapshot["pools"], "lp_asset", "lp_supply_raw")


def _pairs_of(table: pd.DataFrame, key: str, value: str) -> dict[str, int]:
    pairs = zip(table[key].tolist(), table[value].tolist(), strict=True)
    return {name: amount for name, amount in pairs if isinstance(name, str) and amount is not None}


def wraps(snapshot: Snapshot) -> pd.DataFrame:
    """Wrapped coins to their native coin, receipts to what was supplied.

    The rate of a receipt is supplied total over token supply, so a rebasing receipt (Aave's aToken) has 1 and a share (Compound's
    cToken) its exchange rate; 1 where the token's supply was not read. A difference of one smallest unit is rounding.
    """
    assets = {row.asset: row for row in each_row(snapshot["assets"])}
    native = {row.chain: row.asset for row in assets.values() if row.kind == "native"}
    rows = [
        (row.asset, native.get(row.chain) or native_id(row.chain), None, 1.0, row.evidence, row.status)
        for row in assets.values()
        if row.kind == "wrapped_native"
    ]
    for row in each_row(snapshot["reserves"]):
        if not isinstance(row.receipt_asset, str):
            continue
        rate, receipt = 1.0, assets.get(row.receipt_asset)
        supplied = row.supplied_stored_raw * row.supply_index_raw // row.supply_index_unit_raw
        if receipt is not None and receipt.total_supply_raw and abs(supplied - receipt.total_supply_raw) > 1:
            scale = 10 ** (receipt.decimals - assets[row.asset].decimals)
            rate = supplied / receipt.total_supply_raw * scale
        rows.append((row.receipt_asset, row.asset, row.market, rate, row.evidence, row.status))
    columns = ["source", "target", "market", "rate", "evidence", "status"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(["source", "target"])


def lists(snapshot: Snapshot, prices: Prices) -> pd.DataFrame:
    """What each market accepts. Supplied is the protocol's own total, collateral that is not lent out included."""
    reserves, positions = snapshot["reserves"], snapshot["positions"]
    rows = list(each_row(reserves))
    is_enabled = ~positions["side"].isin(DEBT_SIDES) & positions["collateral_enabled"].astype(bool)
    enabled = positions.loc[is_enabled, ["market", "asset", "amount_raw"]]
    collateral = enabled.groupby(["market", "asset"])["amount_raw"].agg(total).to_dict() if len(enabled) else {}
    frame = pd.DataFrame({"source": reserves["market"], "target": reserves["asset"]}, dtype=object)
    amounts = {
        "collateral_usd": [collateral.get(key, 0) for key in zip(frame["source"], frame["target"], strict=True)],
        "supplied_usd": [supplied_raw(row) for row in rows],
        "borrowed_usd": [borrowed_raw(row) for row in rows],
        "cash_usd": reserves["cash_raw"].tolist(),
    }
    for name, raw in amounts.items():
        held = frame.assign(raw=pd.Series(raw, index=frame.index, dtype=object))
        frame[name] = prices.values(held, "raw", "target", "source")
    frame["liquidation_threshold"] = [_threshold(row) for row in rows]
    return frame.assign(evidence=reserves["evidence"], status=reserves["status"])


def _threshold(reserve: Any) -> float | None:
    if not pd.isna(reserve.liquidation_threshold_wad):
        return float(reserve.liquidation_threshold_wad / WAD)
    return float(RAY / reserve.liquidation_ratio_ray) if not pd.isna(reserve.liquidation_ratio_ray) else None


def supplies(snapshot: Snapshot, identities: Identities, prices: Prices) -> pd.DataFrame:
    """Holders' claims on markets, all positions of a holder in one asset together; enabled when any of them is."""
    return _claims(snapshot, identities, prices, debt=False)


def borrows(snapshot: Snapshot, identities: Identities, prices: Prices) -> pd.DataFrame:
    """Holders' debts to markets, all positions of a holder in one asset together."""
    return _claims(snapshot, identities, prices, debt=True).drop(columns="collateral_enabled")


def _claims(snapshot: Snapshot, identities: Identities, prices: Prices, *, debt: bool) -> pd.DataFrame:
    positions = snapshot["positions"]
    columns = ["owner", "market", "asset", "amount_raw", "collateral_enabled", "evidence", "status"]
    frame = positions.loc[positions["side"].isin(DEBT_SIDES) == debt, columns].rename(
        columns={"owner": "source", "market": "target"}
    )
    frame = frame.assign(
        source=identities.nodes(frame["source"]), collateral_enabled=frame["collateral_enabled"].astype(object)
    )
    frame = merged(frame, ["source", "target", "asset"], amount_raw=total, collateral_enabled="any")
    return frame.assign(amount_usd=prices.values(frame, "amount_raw", "asset", "target"))


def backs(snapshot: Snapshot, prices: Prices) -> pd.DataFrame:
    """What stands behind each claim: the backings table, and the reserves of a pool behind its liquidity share.

    A pool's rows have no rate: one share is a part of all its reserves at once.
    """
    table = snapshot["backings"]
    stated = pd.DataFrame(
        {
            "source": table["backing"],
            "target": table["claim"],
            "holder": table["holder"],
            "amount_raw": table["amount_raw"],
            "rate": [None if pd.isna(rate) else rate / WAD for rate in table["rate_wad"].tolist()],
            "evidence": table["evidence"],
            "status": table["status"],
        }
    ).astype(object)
    shares = snapshot["pools"].set_index("pool")["lp_asset"].dropna()
    shares = shares[~shares.isin(stated["target"])]
    pooled = snapshot["pool_assets"][snapshot["pool_assets"]["pool"].isin(shares.index)]
    derived = pd.DataFrame(
        {
            "source": pooled["asset"],
            "target": pooled["pool"].map(shares),
            "holder": pooled["pool"],
            "amount_raw": pooled["reserve_raw"],
            "evidence": pooled["evidence"],
            "status": pooled["status"],
        }
    ).astype(object)
    frame = pd.concat([part for part in (stated, derived) if len(part)] or [stated], ignore_index=True)
    return frame.assign(amount_usd=prices.values(frame, "amount_raw", "source"))


def redeems_for(snapshot: Snapshot, prices: Prices) -> pd.DataFrame:
    """How claims turn into their backing; with several holders the fastest way, and the capacity of all holders together."""
    table = snapshot["backings"]
    order = table["redemption"].map(_FASTEST_FIRST)
    table = table.assign(order=order).sort_values(["order", "claim", "backing", "holder"], ignore_index=True)
    frame = pd.DataFrame(
        {
            "source": table["claim"],
            "target": table["backing"],
            "redemption": table["redemption"],
            "delay_seconds": table["delay_seconds"],
            "capacity_raw": table["capacity_raw"],
            "rate": [None if pd.isna(rate) else rate / WAD for rate in table["rate_wad"].tolist()],
            "evidence": table["evidence"],
            "status": table["status"],
        }
    ).astype(object)
    frame = merged(
        frame, ["source", "target"], redemption="first", delay_seconds="first", capacity_raw=total, rate="first"
    )
    return frame.assign(capacity_usd=prices.values(frame, "capacity_raw", "target"))


def kept_for_pools(snapshot: Snapshot) -> set[tuple[str, str]]:
    """(holder, asset) of balances that are what a pool trades, in the pool or in a vault that keeps it for many pools.

    A liquidity share that lies in such a vault is another pool's reserve, or was minted in advance and nobody has it.
    """
    pooled, behind = snapshot["pool_assets"], snapshot["backings"]
    shares = set(snapshot["pools"]["lp_asset"].dropna())
    vaults = set(behind[behind["claim"].isin(shares)]["holder"])
    return {
        *zip(pooled["pool"], pooled["asset"], strict=True),
        *((vault, share) for vault in vaults for share in shares),
    }


def provided(snapshot: Snapshot) -> pd.DataFrame:
    """Rows like those of `balances`: what each position in a pool can take out, of both assets; a pool itself is not counted as an owner."""
    table, pools = snapshot["pool_positions"], set(snapshot["pools"]["pool"])
    asset = snapshot["pool_assets"].set_index(["pool", "slot"])["asset"].to_dict()
    rows = [
        (asset[row.pool, slot], row.owner, amount + owed, row.evidence, row.status)
        for row in each_row(table)
        for slot, amount, owed in ((0, row.amount0_raw, row.owed0_raw), (1, row.amount1_raw, row.owed1_raw))
        if amount + owed and row.owner not in pools
    ]
    return pd.DataFrame(rows, columns=["asset", "holder", "amount_raw", "evidence", "status"], dtype=object)


def holds(snapshot: Snapshot, identities: Identities, prices: Prices) -> pd.DataFrame:
    """Who has which asset; what a pool trades is left out (that is `trades_in`).

    A position in a pool without shares counts as what it can take out: its liquidity at the price, and what it can collect.
    """
    table, pooled = snapshot["balances"], kept_for_pools(snapshot)
    kept = [pair not in pooled for pair in zip(table["holder"], table["asset"], strict=True)]
    parts = [table[pd.Series(kept, index=table.index, dtype=bool)], provided(snapshot)]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    frame = table.assign(source=pd.Series(identities.nodes(table["holder"]), index=table.index, dtype=object))
    frame = frame.rename(columns={"asset": "target"})[["source", "target", "amount_raw", "evidence", "status"]]
    frame = merged(frame, ["source", "target"], amount_raw=total)
    return frame.assign(amount_usd=prices.values(frame, "amount_raw", "target"))


def feed_prices(snapshot: Snapshot, identities: Identities) -> pd.DataFrame:
    """Every step of the price source that a market asks, to the asset it prices there (the relation `prices`)."""
    asked = pd.concat(
        [
            snapshot["prices"][["market", "asset", "source"]],
            snapshot["reserves"].rename(columns={"price_source": "source"})[["market", "asset", "source"]],
        ]
    )
    asked = asked.dropna(subset="source").drop_duplicates()
    steps = snapshot["feeds"][["source", "step", "address", "evidence", "status"]]
    frame = asked.merge(steps, on="source").drop(columns="source")
    frame["source"] = identities.nodes(frame["address"])
    return frame.rename(columns={"asset": "target"}).drop_duplicates(["source", "target", "market", "step"])


def trades_in(snapshot: Snapshot, prices: Prices) -> pd.DataFrame:
    """Where each asset can be sold: the reserves that the pool's pricing rule uses."""
    table = snapshot["pool_assets"]
    frame = table.rename(columns={"asset": "source", "pool": "target"})
    return frame.assign(reserve_usd=prices.values(frame, "reserve_raw", "source"))


def allocates_to(snapshot: Snapshot, identities: Identities, prices: Prices) -> pd.DataFrame:
    """Where vaults lend, valued in the asset that the vault supplies there; else what backs its share; else what the market lends."""
    table, vault = snapshot["queues"].dropna(subset="market"), {asset: key for key, asset in identities.share.items()}
    positions, reserves = snapshot["positions"], snapshot["reserves"]
    supplies = positions.loc[positions["side"] == "supply", ["owner", "market", "asset"]]
    supplied = _only_asset(supplies, ["owner", "market"], "asset")
    backing = _only_asset(snapshot["backings"], ["claim"], "backing")
    loan = _only_asset(reserves[reserves["borrowable"].astype(bool)], ["market"], "asset")
    frame = pd.DataFrame(
        {
            "source": table["vault"].map(vault),
            "target": table["market"],
            "asset": [
                supplied.get((vault.get(row.vault, ""), row.market))
                or backing.get((row.vault,))
                or loan.get((row.market,))
                for row in each_row(table)
            ],
            "allocated_raw": table["allocated_raw"],
            "cap_raw": table["cap_raw"],
            "evidence": table["evidence"],
            "status": table["status"],
        }
    ).astype(object)
    frame = merged(frame, ["source", "target"], asset="first", allocated_raw=_most, cap_raw=_most)
    return frame.assign(
        amount_usd=prices.values(frame, "allocated_raw", "asset", "target"),
        cap_usd=prices.values(frame, "cap_raw", "asset", "target"),
    )


def bridges(snapshot: Snapshot, identities: Identities) -> pd.DataFrame:
    """Assets that a bridge issues: locked is the sum of their backings, minted their supply."""
    assets = snapshot["assets"]
    table = assets[assets["issuer"].map(identities.kinds) == "bridge"] if len(assets) else assets
    locked = snapshot["backings"].groupby("claim")["amount_raw"].agg(total).to_dict()
    return pd.DataFrame(
        {
            "source": table["issuer"],
            "target": table["asset"],
            "locked_raw": [locked.get(asset) for asset in table["asset"]],
            "minted_raw": table["total_supply_raw"],
            "evidence": table["evidence"],
            "status": table["status"],
        }
    ).astype(object)


def _only_asset(table: pd.DataFrame, by: list[str], column: str) -> dict[tuple[str, ...], str]:
    """Key -> the value of `column`, for keys where it is one and the same."""
    found, values = dict[tuple[str, ...], str](), table[column].tolist()
    keys = list(zip(*(table[name].tolist() for name in by), strict=True))
    several = {key for key, value in zip(keys, values, strict=True) if found.setdefault(key, value) != value}
    return {key: value for key, value in found.items() if key not in several}


def _most(values: "pd.Series[Any]") -> Any:
    return max((value for value in values.tolist() if not pd.isna(value)), default=None)
