"""What an account or a vault has and owes, where its money finally is, and who holds the shares of a vault or a pool."""

from collections.abc import Mapping, Sequence

import pandas as pd

from graph.exposure_rows import Figures, Tables, concentrations, largest_first, named, share_of, total
from graph.lent_through import lent_through
from graph.lookthrough import LookThrough, look_through
from graph.portfolio import final_roots, subject
from graph.protocol_graph import ProtocolGraph
from graph.worth import valued_holds


def of_holder(graph: ProtocolGraph, key: str, kind: str, top: int) -> tuple[Figures, Tables, Tables]:
    """Figures, outbound and inbound tables of an account or a vault; columns as `graph.exposure.exposure` has them."""
    tables = {}
    for name, relation in (("supplied", "supplies"), ("borrowed", "borrows")):
        rows = graph.relations[relation][graph.relations[relation]["source"] == key]
        rows = named(graph, rows, "target", "market").assign(symbol=[graph.label(asset) for asset in rows["asset"]])
        rows = rows.assign(share_ratio=share_of(rows["amount_usd"]))
        columns = [
            "market",
            "label",
            "asset",
            "symbol",
            "amount_raw",
            "amount_usd",
            "share_ratio",
            "collateral_enabled",
        ]
        kept = [column for column in columns if column in rows]
        tables[name] = largest_first(rows, "amount_usd", "asset")[[*kept, "evidence", "status"]]
    held = valued_holds(graph, graph.relations["holds"][graph.relations["holds"]["source"] == key])
    held = named(graph, held, "target", "asset")
    held = largest_first(held, "amount_usd", "asset")[
        ["asset", "label", "amount_raw", "amount_usd", "evidence", "status"]
    ]
    inbound = {"borrowed": tables["borrowed"]}
    supplied, borrowed = total(tables["supplied"]["amount_usd"]), total(tables["borrowed"]["amount_usd"])
    figures: Figures = {"supplied_usd": supplied, "borrowed_usd": borrowed, "held_usd": total(held["amount_usd"])}
    if kind == "vault":
        share = graph.nodes["vault"].set_index("node").at[key, "asset"]
        inbound["holders"] = largest_holders(graph, [str(share)], top)
        inbound["concentration"] = spread_of_holders(graph, {str(share): graph.label(str(share))})
    known = look_through(graph)
    markets = lent_through(graph, key, known)
    outbound = {"supplied": tables["supplied"], "held": held, "markets": markets, **_finally(graph, key, known)}
    return figures, outbound, inbound


def _finally(graph: ProtocolGraph, key: str, known: LookThrough) -> Tables:
    """What a holder finally has, and how concentrated that is before and after looking through."""
    assets = subject(graph, key).held
    final = final_roots(graph, assets, known)
    spread = concentrations(
        ("assets", assets["amount_usd"], "relations supplies, holds, trades_in"),
        ("final roots", final["amount_usd"], "table roots"),
    )
    return {"roots": final, "concentration": spread.query("count > 0")}


def direct_holds(graph: ProtocolGraph, assets: Sequence[str]) -> pd.DataFrame:
    """Who has these assets itself: rows of `holds`; of a file of claims also the names that have claims and owe some, which the graph shows as `backs`."""
    rows, backs = (graph.relations[name] for name in ("holds", "backs"))
    rows = rows[rows["target"].isin(list(assets))]
    if not graph.is_of_claims:
        return rows
    behind = backs[backs["source"].isin(list(assets))].rename(columns={"source": "target", "target": "source"})
    return pd.concat([rows, behind[rows.columns]], ignore_index=True)


def spread_of_holders(graph: ProtocolGraph, shares: Mapping[str, str]) -> pd.DataFrame:
    """Concentration of the holders of liquidity or vault shares, of each (asset -> name) by itself: their units do not add up."""
    rows = graph.relations["holds"]
    found = [(name, rows[rows["target"] == asset]["amount_raw"].astype(float)) for asset, name in shares.items()]
    return concentrations(*[(f"holders of {name}", held, "relation holds") for name, held in found]).query("count > 0")


def largest_holders(graph: ProtocolGraph, assets: list[str], top: int) -> pd.DataFrame:
    """The largest holders of some assets by amount; share is of what the table of balances holds."""
    rows = valued_holds(graph, direct_holds(graph, assets))
    rows = named(graph, rows, "source", "holder").assign(asset=rows["target"])
    everything = {asset: sum(part["amount_raw"].tolist()) for asset, part in rows.groupby("asset")}
    share = [
        amount / everything[asset] if everything[asset] else None
        for amount, asset in zip(rows["amount_raw"], rows["asset"], strict=True)
    ]
    rows = largest_first(
        rows.assign(share_ratio=pd.Series(share, index=rows.index, dtype=float)), "share_ratio", "holder"
    )
    return rows.head(top)[["holder", "label", "asset", "amount_raw", "amount_usd", "share_ratio", "evidence", "status"]]
