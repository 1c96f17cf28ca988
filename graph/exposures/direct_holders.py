"""Who has an asset itself, each unit once: accounts, pools and markets, with what is theirs of all of it.

A pool has its reserves, a market what lies in it (lent out it lies elsewhere), an account its balance and its positions in pools without
shares. A market's receipt is had by who supplied: positions say who, whether or not balances of the receipt were read.
"""

from collections.abc import Mapping

import pandas as pd

from chain.tables import each_row
from chain.units import whole_tokens
from graph.exposures.kept_for_others import contracts_of_markets
from graph.exposures.rows import concentrations, largest_first, named
from graph.protocol_graph import ProtocolGraph
from graph.relations import supplies_of_claims
from graph.worth import valued_holds

WHOLE = 0.99  # part of all units from which on those who have them are told as all holders
COLUMNS = ["source", "target", "had_as", "amount_raw", "amount_usd", "evidence", "status"]


def direct_holders(graph: ProtocolGraph, asset: str) -> pd.DataFrame:
    """Everybody who has an asset itself: source (holder), target (the asset), had_as, amount_raw, amount_usd, evidence, status.

    In a file of claims everybody whose row names it, also a name that owes others in its turn (which the graph shows as `backs`).
    """
    held = graph.relations["holds"]
    held = held[held["target"] == asset]
    if graph.is_of_claims:
        backs = graph.relations["backs"]
        behind = backs[backs["source"] == asset].rename(columns={"source": "target", "target": "source"})
        rows = pd.concat([held, behind[held.columns]], ignore_index=True).assign(had_as="claim")
        return valued_holds(graph, rows)[COLUMNS]
    supplied = receipt_holders(graph, asset)
    held = held[~held["source"].isin(supplied["source"])]
    providers = set(graph.snapshot["pool_positions"]["owner"])
    held = held.assign(
        had_as=["position in a pool" if key in providers else "balance" for key in held["source"].tolist()]
    )
    parts = [held, supplied, _in_pools(graph, asset), _in_markets(graph, asset, held, supplied)]
    known = [part[COLUMNS].astype(object) for part in parts if len(part)]
    rows = pd.concat(known or [parts[0][COLUMNS]], ignore_index=True)
    return valued_holds(graph, rows.assign(amount_usd=rows["amount_usd"].astype(float)))


def receipt_holders(graph: ProtocolGraph, receipt: str) -> pd.DataFrame:
    """Who supplied what a market's receipt stands for: rows of `supplies` in units of the receipt, rounded down, at its price; none for any other asset.

    A receipt that grows with its rate has as many units of what was supplied as its supply has of the reserve's total.
    """
    supplies, reserves = graph.relations["supplies"], graph.snapshot["reserves"]
    found = list(each_row(reserves[reserves["receipt_asset"] == receipt]))[:1]
    rows = supplies[:0]
    for of in found:
        rows = supplies[(supplies["target"] == of.market) & (supplies["asset"] == of.asset)]
        node, supply = (
            graph.nodes["asset"].set_index("node").loc[receipt],
            supplies_of_claims(graph.snapshot).get(receipt),
        )
        total = of.supplied_stored_raw * of.supply_index_raw // of.supply_index_unit_raw
        if supply and abs(total - supply) > 1:
            rows = rows.assign(amount_raw=rows["amount_raw"] * supply // total)
        if not pd.isna(node["price_usd"]):
            units = rows["amount_raw"].astype(float) / 10.0 ** int(node["decimals"])
            rows = rows.assign(amount_usd=units * float(node["price_usd"]))
    return rows.assign(target=receipt, had_as="supply")


def _in_pools(graph: ProtocolGraph, asset: str) -> pd.DataFrame:
    """What pools have of it; where their owners are told with their positions, these have it."""
    rows, pools = graph.relations["trades_in"], graph.snapshot["pools"]
    own = [*graph.snapshot["pool_positions"]["pool"], *pools[pools["lp_asset"] == asset]["pool"]]
    rows = rows[(rows["source"] == asset) & ~rows["target"].isin(own)]
    return rows.assign(source=rows["target"], target=asset, amount_raw=rows["reserve_raw"]).assign(
        had_as="pool reserve", amount_usd=rows["reserve_usd"]
    )


def _in_markets(graph: ProtocolGraph, asset: str, *told: pd.DataFrame) -> pd.DataFrame:
    """What lies in markets, cash and posted collateral; not of contracts that are told as holders."""
    node, reserves = graph.nodes["asset"].set_index("node").loc[asset], graph.snapshot["reserves"]
    contracts, found = contracts_of_markets(graph), []
    for row in each_row(reserves[reserves["asset"] == asset]):
        contract = contracts.get(row.receipt_asset) or contracts.get(row.market, row.market)
        raw = sum(int(part) for part in (row.cash_raw, row.collateral_raw) if not pd.isna(part))
        if raw and not any((rows["source"] == contract).any() for rows in told):
            usd = whole_tokens(raw, int(node["decimals"])) * float(node["price_usd"])
            found.append((row.market, asset, "in the market", raw, usd, row.evidence, row.status))
    return pd.DataFrame(found, columns=COLUMNS)


def tables_of_holders(
    graph: ProtocolGraph, called: Mapping[str, str], top: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float | None]]:
    """The largest that have some assets themselves, how concentrated those of each asset (-> what to call them) are, and how much of it they have.

    Returns
    -------
    holder, label, had_as, asset, amount_raw, amount_usd, share_ratio (of all units, missing where the supply was not read), evidence, status.
    Columns as `graph.exposures.rows.concentrations`; only of assets whose holders are told whole, as of a part it would say nothing about all.
    Asset -> which part of all units all those have who are told, 0 to 1; None where the supply was not read or nobody is told.
    """
    columns = ["holder", "label", "had_as", "asset", "amount_raw", "amount_usd", "share_ratio", "evidence", "status"]
    parts, spread, told = [], [], dict[str, float | None]()
    supply = supplies_of_claims(graph.snapshot)
    for asset, of in called.items():
        rows = direct_holders(graph, asset)
        units = rows["amount_raw"].astype(float)
        share = units / float(supply.get(asset) or "nan")
        part = share.sum(min_count=1)
        told[asset] = None if pd.isna(part) else min(1.0, float(part))
        if part >= WHOLE:
            spread.append((of, units.groupby(rows["source"]).sum(), "table holders"))
        rows = rows.assign(share_ratio=share, units=units)[units >= units.nlargest(top).min()]
        parts.append(named(graph, rows, "source", "holder").assign(asset=asset))
    concentrated = concentrations(*spread).query("count > 0")
    if not parts:
        return pd.DataFrame(columns=columns), concentrated, told
    table = largest_first(pd.concat(parts, ignore_index=True), "share_ratio", "units", "holder")
    return table.head(top)[columns], concentrated, told
