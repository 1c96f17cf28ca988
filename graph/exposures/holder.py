"""What an account or a vault has and owes, where its money finally is, and who has the shares of a vault."""

from graph.exposures.direct_holders import tables_of_holders
from graph.exposures.lent_through import lent_through
from graph.exposures.portfolio import final_roots, subject
from graph.exposures.rows import Figures, Tables, concentrations, largest_first, named, share_of, total
from graph.lookthrough import LookThrough, look_through
from graph.protocol_graph import ProtocolGraph
from graph.worth import valued_holds


def of_holder(graph: ProtocolGraph, key: str, kind: str, top: int) -> tuple[Figures, Tables, Tables]:
    """Figures, outbound and inbound tables of an account or a vault; columns as `graph.exposures.answer.exposure` has them."""
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
        named_so = {str(share): f"holders of {graph.label(str(share))}"} if isinstance(share, str) else {}
        inbound["holders"], inbound["concentration"], told = tables_of_holders(graph, named_so, top)
        figures["direct_holders_ratio"] = told.get(str(share))
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
