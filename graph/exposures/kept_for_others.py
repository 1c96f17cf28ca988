"""Who keeps what for whom: what lies with a market's contract, a pool, a vault or a custodian and is known to be somebody else's, as one relation.

Whoever is told as a holder of a claim must not be counted once more with what lies behind it.
"""

from collections.abc import Collection, Iterator

import pandas as pd

from graph.protocol_graph import ProtocolGraph
from graph.relations import supplies_of_claims
from graph.worth import valued_holds

COLUMNS = ["holder", "asset", "claim", "part"]
ALL = ""  # of an asset: whatever the holder has; of a claim: whatever is asked about


def keeps_for(graph: ProtocolGraph) -> pd.DataFrame:
    """Who keeps an asset for the holders of a claim, a row for each reason to. Worked out once a graph.

    Returns
    -------
    holder, asset (`ALL`: whatever it has), claim (`ALL`: a market keeps it for its suppliers, who are told beside it whatever is asked), part (0 to 1) of it that is known to be others'. All
    that a market's or a receipt's contract has is its suppliers', all that a pool has theirs who have its shares. Of what a vault has, or
    somebody has who keeps it behind a claim, the part of the claim whose holders are known; no row for those who have nothing.
    """
    if "keeps for" not in graph.kept:
        graph.kept["keeps for"] = _keeps_for(graph)
    found: pd.DataFrame = graph.kept["keeps for"]
    return found


def own_part(graph: ProtocolGraph, rows: pd.DataFrame, claims: Collection[str]) -> "pd.Series[float]":
    """Which part of what they have is the holders' own, 0 to 1, by row (source, asset; each its own index), where holders of some claims are told beside them."""
    keeps = keeps_for(graph)
    keeps = keeps[keeps["claim"].isin([ALL, *claims])]
    left = (1.0 - keeps["part"]).groupby([keeps["holder"], keeps["asset"]]).prod().to_dict()
    kept = rows.loc[rows["source"].isin(keeps["holder"]), ["source", "asset"]]
    own = pd.Series(1.0, index=rows.index)
    # who keeps all that it has keeps no asset of it once more
    own[kept.index] = [left.get((source, ALL), left.get((source, asset), 1.0)) for source, asset in kept.to_numpy()]
    return own


def contracts_of_markets(graph: ProtocolGraph) -> dict[str, str]:
    """Market -> the node of its contract, which is the market itself where it has no other part; receipt of a market -> the node that its contract is."""
    if "contracts of markets" not in graph.kept:
        markets, assets = graph.snapshot["markets"], graph.snapshot["assets"]
        receipts = assets[assets["asset"].isin(graph.snapshot["reserves"]["receipt_asset"].dropna())]
        found = {
            market: contract if contract in graph.kinds else market
            for market, contract in _addresses(markets[markets["address"] != ""], "market")
        }
        graph.kept["contracts of markets"] = found | dict(_addresses(receipts.dropna(subset="address"), "asset"))
    kept: dict[str, str] = graph.kept["contracts of markets"]
    return kept


def _addresses(table: pd.DataFrame, key: str) -> Iterator[tuple[str, str]]:
    return zip(table[key].tolist(), (table["chain"] + ":" + table["address"]).tolist(), strict=True)


def _keeps_for(graph: ProtocolGraph) -> pd.DataFrame:
    pools, vaults, backs = graph.snapshot["pools"], graph.nodes["vault"], graph.relations["backs"]
    contracts = sorted(set(contracts_of_markets(graph).values()))
    whole = [
        pd.DataFrame({"holder": contracts, "asset": ALL, "claim": ALL, "part": 1.0}),
        pools.assign(holder=pools["pool"], asset=ALL, claim=pools["lp_asset"], part=1.0)[COLUMNS],
    ]
    parts = [
        vaults.assign(holder=vaults["node"], claim=vaults["asset"], asset=ALL)[COLUMNS[:3]],
        backs.assign(asset=backs["source"], claim=backs["target"])[COLUMNS[:3]],
    ]
    partly = pd.concat(parts, ignore_index=True).dropna()
    having = [
        holder[holder.isin(partly["holder"])]
        for holder in (graph.relations["supplies"]["source"], graph.relations["holds"]["source"])
    ]
    partly = partly[partly["holder"].isin(pd.concat(having))]
    known = _known_parts(graph, set(partly["claim"]), contracts)
    partly = partly.assign(part=[known[claim] for claim in partly["claim"].tolist()])
    return pd.concat([*whole, partly], ignore_index=True).dropna(subset="claim")


def _known_parts(graph: ProtocolGraph, claims: set[str], contracts: list[str]) -> dict[str, float]:
    """Which part of each claim somebody is known to have, with a value: balances, supplies and reserves of pools over its supply."""
    supplies, holds, pooled = graph.relations["supplies"], valued_holds(graph), graph.relations["trades_in"]
    columns, names = ["source", "asset", "amount_raw", "amount_usd"], list(claims)
    had = [
        supplies.loc[supplies["asset"].isin(names), columns],
        holds[holds["target"].isin(names)].rename(columns={"target": "asset"})[columns],
    ]
    had = [rows[(rows["amount_usd"] > 0) & ~rows["source"].isin(contracts)] for rows in had]
    had.append(pooled[pooled["source"].isin(names)].rename(columns={"source": "asset", "reserve_raw": "amount_raw"}))
    units: dict[str, int] = dict.fromkeys(claims, 0)
    for rows in had:
        for claim, raw in zip(rows["asset"].tolist(), rows["amount_raw"].tolist(), strict=True):
            units[claim] += raw
    supply = supplies_of_claims(graph.snapshot)
    return {
        claim: min(1.0, raw / supply[claim]) if supply.get(claim) else float(raw > 0) for claim, raw in units.items()
    }
