"""What an asset is made of, and who depends on it: markets and pools that hold it, claims on it, holders of any of these."""

import pandas as pd

from chain.tables import each_row
from graph.exposures.direct_holders import tables_of_holders
from graph.exposures.holder import of_holder
from graph.exposures.portfolio import dependents
from graph.exposures.rows import Figures, Tables, concentrations, largest_first, named, total
from graph.lookthrough import finally_had, look_through, roots
from graph.merged_rows import merged
from graph.merged_rows import total as exact_sum
from graph.protocol_graph import ProtocolGraph
from graph.worth import vault_of


def of_asset(graph: ProtocolGraph, asset: str, top: int) -> tuple[Figures, Tables, Tables]:
    """Figures, outbound and inbound tables of an asset; columns as `graph.exposures.answer.exposure` has them."""
    relations = graph.relations
    node = graph.nodes["asset"].set_index("node").loc[asset]
    feeds = relations["prices"][relations["prices"]["target"] == asset]
    feeds = named(graph, feeds, "source", "feed").assign(asked_by=[graph.label(market) for market in feeds["market"]])
    feeds = feeds[["feed", "label", "asked_by", "market", "step", "evidence", "status"]]
    markets = _markets_made_of(graph, asset)
    traded = named(graph, relations["trades_in"][relations["trades_in"]["source"] == asset], "target", "pool")
    value = graph.nodes["pool"].set_index("node")["value_usd"]
    traded = traded.assign(pool_usd=traded["pool"].map(value))
    behind = named(graph, relations["backs"][relations["backs"]["source"] == asset], "target", "claim")
    forms = named(graph, relations["wraps"][relations["wraps"]["target"] == asset], "source", "claim")
    claims = pd.concat([behind.assign(relation="backs"), forms.assign(relation="wraps")], ignore_index=True)
    claims = claims.assign(rate=[_rate(graph, claim, asset) for claim in claims["claim"]])
    holders, concentrated, told = tables_of_holders(graph, {asset: "direct holders"}, top)
    inbound = {
        "markets": markets,
        "pools": largest_first(traded, "reserve_usd", "pool")[
            ["pool", "label", "reserve_raw", "reserve_usd", "pool_usd", "evidence", "status"]
        ],
        "claims": largest_first(
            claims.reindex(
                columns=["claim", "label", "relation", "amount_raw", "amount_usd", "rate", "evidence", "status"]
            ),
            "amount_usd",
            "claim",
        ),
        "holders": holders,
    }
    everybody, amounts = dependents(graph, asset, top)
    made_of = roots(graph, asset)
    spread = concentrations(
        ("markets, looked through", markets.groupby("market")["collateral_usd"].sum(), "table markets"),
        ("final holders, directly or through claims", amounts, "table dependents"),
    ).query("count > 0")
    inbound |= {
        "dependents": everybody,
        "concentration": pd.concat([concentrated, spread]),
    }
    finally_of = made_of.groupby("root")["share"].sum() if made_of["share"].notna().all() else pd.Series(dtype=float)
    direct = markets[markets["depth"] == 0]
    figures: Figures = {
        "price_usd": None if pd.isna(node["price_usd"]) else float(node["price_usd"]),
        "supplied_usd": total(direct["supplied_usd"]),
        "borrowed_usd": total(direct["borrowed_usd"]),
        "collateral_usd": total(direct["collateral_usd"]),
        "collateral_looked_through_usd": total(markets["collateral_usd"]),
        "pool_reserves_usd": total(inbound["pools"]["reserve_usd"]),
        "direct_holders_ratio": told[asset],
    }
    outbound = {
        "backed_by": _backed_by(graph, asset),
        "made_of": made_of,
        **_lent(graph, asset),
        "feeds": feeds.reset_index(drop=True),
        "concentration": concentrations(("final roots", finally_of, "table made_of")).query("count > 0"),
    }
    return figures, outbound, inbound


def _backed_by(graph: ProtocolGraph, claim: str) -> pd.DataFrame:
    """What a claim has itself, before anything is looked through; what several keep for it is one row."""
    rows = graph.relations["backs"][graph.relations["backs"]["target"] == claim]
    rows = merged(rows, ["source"], amount_raw=exact_sum, amount_usd=exact_sum)
    rows = named(graph, rows, "source", "backing")
    steps = {step.backing: step for step in look_through(graph).steps.get(claim, ())}
    rows = rows.assign(
        share_ratio=pd.Series([steps[key].share for key in rows["backing"]], index=rows.index, dtype=float),
        rate=pd.Series([steps[key].rate for key in rows["backing"]], index=rows.index, dtype=float),
    )
    columns = ["backing", "label", "amount_raw", "amount_usd", "share_ratio", "rate", "evidence", "status"]
    return largest_first(rows, "amount_usd", "backing")[columns]


def _rate(graph: ProtocolGraph, claim: str, asset: str) -> float | None:
    """Whole units of an asset behind one whole claim, all its holders together: the rate of that step in what the claim is made of; None where it is not known."""
    found = [step.rate for step in look_through(graph).steps.get(claim, ()) if step.backing == asset]
    return found[0] if found else None


def _lent(graph: ProtocolGraph, asset: str) -> Tables:
    """What the vault has whose share this is: the tables that asking for the vault gives; nothing for any other asset."""
    vault = vault_of(graph, asset)
    if vault is None:
        return {}
    outbound = of_holder(graph, vault, "vault", 1)[1]
    return {name: outbound[name] for name in ("supplied", "held", "markets")}


def _markets_made_of(graph: ProtocolGraph, asset: str) -> pd.DataFrame:
    """Every listing of the asset (depth 0) and of claims on it: amounts in USD times the share that is finally the asset."""
    known, listed = finally_had(graph).until(asset), graph.relations["lists"]
    rows = []
    for posted in sorted(set(listed["target"])):
        for path in known.paths(posted):
            if path.assets[-1] == asset and path.share is not None:
                for row in each_row(listed[listed["target"] == posted]):
                    rows.append(
                        {
                            "market": row.source,
                            "label": graph.label(row.source),
                            "posted": posted,
                            "path": " → ".join(graph.label(key) for key in path.assets),
                            "depth": len(path.assets) - 1,
                            "share_ratio": path.share,
                            "supplied_usd": row.supplied_usd * path.share,
                            "collateral_usd": row.collateral_usd * path.share,
                            "borrowed_usd": row.borrowed_usd * path.share,
                            "evidence": "; ".join(dict.fromkeys((row.evidence, *path.evidence))),
                            "status": row.status if not path.evidence else "derived",
                        }
                    )
    columns = [
        "market",
        "label",
        "posted",
        "path",
        "depth",
        "share_ratio",
        "supplied_usd",
        "collateral_usd",
        "borrowed_usd",
    ]
    frame = pd.DataFrame(rows, columns=[*columns, "evidence", "status"])
    return frame.sort_values(["collateral_usd", "market", "path"], ascending=[False, True, True], ignore_index=True)
