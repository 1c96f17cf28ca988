"""Who loses when what fails: the relations of the graph as one table of steps, each from what loses to what it depends on.

A step carries the USD that its source has at stake there, and which share of the source's worth that is. A market is one node a reserve
(`<market>#<asset>`): who lends USDC loses when the collateral of USDC's borrowers fails, not when WETH does that others supplied. Who
keeps, issues or prices something is a node of its own (`@<key>`) where ways end: a custodian that fails takes what it keeps, it does not
pass on what it has for others. docs/graph.md has the table of relations and a worked example.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from chain.tables import each_row
from chain.units import whole_tokens
from graph.lookthrough import look_through
from graph.merged_rows import joined, weakest
from graph.protocol_graph import ProtocolGraph
from graph.relations import DEBT_SIDES
from graph.valuation import prices
from graph.worth import shares_of_vaults, valued_holds, worth_of_all

COLUMNS = ["source", "target", "relation", "amount_usd", "share", "evidence", "status"]


def reserve(market: str, asset: str) -> str:
    """The node of one asset in one market."""
    return f"{market}#{asset}"


def keeper(key: str) -> str:
    """The node of somebody who keeps, issues or prices what others hold."""
    return f"@{key}"


def node_label(graph: ProtocolGraph, node: str) -> str:
    """The name of a node of the steps for people; a vault is told apart from its share where both have one name."""
    if node.startswith("@"):
        return graph.label(node[1:])
    market, mark, asset = node.partition("#")
    if mark and market in graph.kinds:
        return f"{graph.label(market)}: {graph.own_labels.get(asset, graph.label(asset))}"
    return graph.label(node) + (" (vault)" if node in _named_like_their_share(graph) else "")


def _named_like_their_share(graph: ProtocolGraph) -> set[str]:
    if "vaults named like their share" not in graph.kept:
        vaults = graph.nodes["vault"]
        pairs = zip(vaults["node"].tolist(), vaults["asset"].tolist(), strict=True)
        graph.kept["vaults named like their share"] = {
            vault for vault, share in pairs if graph.labels.get(share) == graph.labels[vault]
        }
    found: set[str] = graph.kept["vaults named like their share"]
    return found


def dependences(graph: ProtocolGraph) -> pd.DataFrame:
    """Every step, one row for each source and target; of several between the same two, that with the largest share. Worked out once a graph.

    Returns
    -------
    source, target (node keys as above), relation, amount_usd (at stake; missing where unknown, which limits nothing), share (of the
    source's worth, above 0, at most 1), evidence, status.
    """
    if "dependences" not in graph.kept:
        graph.kept["dependences"] = _dependences(graph)
    found: pd.DataFrame = graph.kept["dependences"]
    return found.copy(deep=False)


def _dependences(graph: ProtocolGraph) -> pd.DataFrame:
    worth = worth_of_all(graph)
    parts = [_holdings(graph), _pooled(graph), _behind(graph, worth), _kept(graph, worth), _issued(graph, worth)]
    parts += [_lent(graph), _secured(graph)]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    table = table.assign(
        amount_usd=table["amount_usd"].astype(float), share=table["share"].astype(float).clip(upper=1.0)
    )
    table = table[(table["source"] != table["target"]) & (table["share"] > 0)]
    order = ["source", "target", "share", "amount_usd", "relation"]
    table = table.sort_values(order, ascending=[True, True, False, False, True])
    return table.drop_duplicates(["source", "target"])[COLUMNS].reset_index(drop=True)


def _frame(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS)


def _holdings(graph: ProtocolGraph) -> pd.DataFrame:
    """What holders supplied, allocated and hold, a vault's idle money too; the share is of all that together. A vault's share is what the vault has."""
    supplies, holds = graph.relations["supplies"], valued_holds(graph)
    supplied = supplies.assign(
        target=[reserve(*pair) for pair in zip(supplies["target"], supplies["asset"], strict=True)], relation="supplies"
    )
    parts = [supplied, _allocated(graph), holds.assign(relation="holds"), idle(graph).assign(relation="holds")]
    rows = pd.concat([part for part in parts if len(part)] or [supplied], ignore_index=True)
    amounts = rows["amount_usd"].astype(float)
    rows = rows.assign(share=amounts / amounts.groupby(rows["source"]).transform("sum"))[COLUMNS]
    vaults = graph.nodes["vault"][graph.nodes["vault"]["node"].isin(rows["source"])]
    shares = [
        (row.asset, row.node, "backs", row.value_usd, 1.0, row.evidence, "derived")
        for row in each_row(vaults.dropna(subset="asset"))
    ]
    return pd.concat([rows, _frame(shares)], ignore_index=True) if shares else rows


def idle(graph: ProtocolGraph) -> pd.DataFrame:
    """What vaults that lend have besides: what is behind their share, less what they supply and hold of the same asset.

    Returns
    -------
    source (vault), target (asset), amount_raw, amount_usd, evidence, status; nothing for a vault that neither supplies nor holds anything.
    """
    relations, price = graph.relations, graph.nodes["asset"].set_index("node")[["price_usd", "decimals"]]
    placed: dict[tuple[str, str], int] = {}
    for name, asset in (("supplies", "asset"), ("holds", "target")):
        table = relations[name][relations[name]["source"].isin(graph.nodes["vault"]["node"])]
        for row in zip(table["source"].tolist(), table[asset].tolist(), table["amount_raw"].tolist(), strict=True):
            placed[row[:2]] = placed.get(row[:2], 0) + row[2]
    having = {holder for holder, _ in placed}
    vaults = {row.asset: row.node for row in each_row(graph.nodes["vault"]) if row.node in having}
    behind = relations["backs"][relations["backs"]["target"].isin(list(vaults))]
    parts: dict[tuple[str, str], list[Any]] = {}
    for row in each_row(behind):
        parts.setdefault((row.target, row.source), []).append(row)
    rows = []
    for (share, asset), part in sorted(parts.items()):
        rest = sum(row.amount_raw for row in part) - placed.get((vaults[share], asset), 0)
        if rest > 0:
            usd = whole_tokens(rest, price.at[asset, "decimals"]) * price.at[asset, "price_usd"]
            evidence = "; ".join(dict.fromkeys(row.evidence for row in part))
            rows.append((vaults[share], asset, rest, usd, evidence, "derived"))
    return pd.DataFrame(rows, columns=["source", "target", "amount_raw", "amount_usd", "evidence", "status"])


def _allocated(graph: ProtocolGraph) -> pd.DataFrame:
    """Allocations of vaults whose positions there are not known."""
    relations = graph.relations
    known = set(zip(relations["supplies"]["source"], relations["supplies"]["target"], strict=True))
    listed = set(zip(relations["lists"]["source"], relations["lists"]["target"], strict=True))
    return _frame(
        (row.source, reserve(row.target, row.asset), "allocates_to", row.amount_usd, None, row.evidence, row.status)
        for row in each_row(relations["allocates_to"])
        if (row.source, row.target) not in known and (row.target, row.asset) in listed
    )


def _pooled(graph: ProtocolGraph) -> pd.DataFrame:
    """A pool on what it trades."""
    rows = graph.relations["trades_in"]
    value = graph.nodes["pool"].set_index("node")["value_usd"]
    amounts = rows["reserve_usd"].astype(float)
    rows = rows.assign(
        amount_usd=amounts, share=amounts / rows["target"].map(value).astype(float), relation="trades_in"
    )
    return rows.assign(source=rows["target"], target=rows["source"])[COLUMNS]


def _behind(graph: ProtocolGraph, worth: dict[str, float]) -> pd.DataFrame:
    """A claim on what backs it, a receipt on the reserve that it is a receipt for.

    The share is of the claim's worth, so a claim of which only a part is known to be backed passes on only that part.
    """
    relations = graph.relations
    through_vault = set(shares_of_vaults(graph))
    amounts = relations["backs"].groupby(["target", "source"])["amount_usd"].sum(min_count=1).to_dict()
    status = {pair: weakest(rows) for pair, rows in relations["backs"].groupby(["target", "source"])["status"]}
    receipts = relations["wraps"].dropna(subset="market")
    supplied = relations["lists"].set_index(["source", "target"])["supplied_usd"].to_dict()
    rows: list[tuple[Any, ...]] = [
        (row.source, reserve(row.market, row.target), "wraps", amount, 1.0, row.evidence, row.status)
        for row in each_row(receipts)
        for amount in [supplied.get((row.market, row.target))]
    ]
    done = {row[0] for row in rows} | through_vault
    for claim, below in look_through(graph).steps.items():
        for step in below if claim not in done else []:
            pair = (claim, step.backing)
            amount = amounts.get(pair)
            is_known = amount is not None and not pd.isna(amount) and worth.get(claim, 0.0) > 0
            share = amount / worth[claim] if is_known else step.share
            relation = "backs" if pair in amounts else "wraps"
            rows.append((*pair, relation, amount, share, step.evidence, status.get(pair, "derived")))
    return _frame(rows)


def _kept(graph: ProtocolGraph, worth: dict[str, float]) -> pd.DataFrame:
    """A claim on who keeps its backing, for keepers that are nodes of the graph."""
    rows = graph.relations["backs"]
    rows = rows[rows["holder"].isin(list(graph.kinds))]
    return _frame(
        (
            claim,
            keeper(holder),
            "kept_by",
            amount,
            amount / worth[claim],
            joined(part["evidence"]),
            weakest(part["status"]),
        )
        for (claim, holder), part in rows.groupby(["target", "holder"])
        if (amount := float(part["amount_usd"].sum())) > 0
    )


def _issued(graph: ProtocolGraph, worth: dict[str, float]) -> pd.DataFrame:
    """An asset on its issuer or bridge: all of it."""
    table = graph.snapshot["assets"]
    table = table[table["issuer"].isin(list(graph.kinds))]
    return _frame(
        (row.asset, keeper(row.issuer), relation, worth.get(row.asset) or None, 1.0, row.evidence, row.status)
        for row in each_row(table)
        for relation in ["bridges" if graph.kinds[row.issuer] == "bridge" else "issued_by"]
    )


def _stakes(graph: ProtocolGraph) -> dict[tuple[str, str], tuple[float, Any]]:
    """(market, asset) -> what its lenders have there in USD, and the row of `lists`. Debt where a file states no lenders."""
    return {
        (row.source, row.target): (max(row.supplied_usd, row.borrowed_usd), row)
        for row in each_row(graph.relations["lists"])
        if max(row.supplied_usd, row.borrowed_usd) > 0
    }


def _lent(graph: ProtocolGraph) -> pd.DataFrame:
    """A reserve on its own asset: all of it."""
    return _frame(
        (reserve(market, asset), asset, "lists", stake, 1.0, row.evidence, row.status)
        for (market, asset), (stake, row) in _stakes(graph).items()
    )


def _secured(graph: ProtocolGraph) -> pd.DataFrame:
    """A reserve on the collateral of its borrowers, and on the feeds that decide what collateral and debt are worth.

    If a collateral becomes worthless, a position leaves at most what it owes, and at most what the collateral was to cover: the smaller
    of the two, summed over positions (each debt asset by itself, so that this bounds what its lenders lose). A feed has at stake the
    debts whose collateral it prices, and those it prices themselves, at most all debt of the reserve.
    """
    stakes, priced = _stakes(graph), graph.relations["prices"]
    feeds: dict[tuple[str, str], list[Any]] = {}
    for row in each_row(priced):
        feeds.setdefault((row.market, row.target), []).append(row)
    at_feed: dict[tuple[str, str, str], float] = {}
    told: dict[tuple[str, str, str], list[Any]] = {}
    rows: list[tuple[Any, ...]] = []

    def count(market: str, debt: str, asset: str, usd: float) -> None:
        for row in {row.source: row for row in feeds.get((market, asset), [])}.values():
            at_feed[market, debt, row.source] = at_feed.get((market, debt, row.source), 0.0) + usd
            told.setdefault((market, debt, row.source), []).append(row)

    for (market, asset), (_, row) in stakes.items():
        if row.borrowed_usd > 0:
            count(market, asset, asset, row.borrowed_usd)
    for market, debt, collateral, usd, positions in _secured_debts(graph):
        if (market, debt) not in stakes or usd <= 0 or debt == collateral:
            continue
        stake, row = stakes[market, debt]
        other = stakes[market, collateral][1] if (market, collateral) in stakes else row
        who = "1 position that owes and has it" if positions == 1 else f"{positions:,} positions that owe and have it"
        said = f"sum over {who}; {row.evidence}; {other.evidence}"
        rows.append((reserve(market, debt), collateral, "secured_by", usd, usd / stake, said, "derived"))
        count(market, debt, collateral, usd)
    for (market, debt, feed), total in at_feed.items():
        stake, row = stakes[market, debt]
        usd = min(total, row.borrowed_usd)
        evidence = "; ".join(dict.fromkeys(line.evidence for line in told[market, debt, feed]))
        rows.append((reserve(market, debt), keeper(feed), "prices", usd, usd / stake, evidence, "derived"))
    return _frame(rows)


def _secured_debts(graph: ProtocolGraph) -> list[tuple[str, str, str, float, int]]:
    """(market, debt asset, collateral asset, USD of the smaller of both summed over positions, number of positions)."""
    positions = graph.snapshot["positions"]
    usd = prices(graph.snapshot, graph.relations["wraps"]).values(positions, "amount_raw", "asset", "market")
    positions = positions.assign(usd=pd.Series(usd, index=positions.index, dtype=float))[
        ["market", "position_id", "asset", "side", "collateral_enabled", "usd"]
    ]
    is_debt = positions["side"].isin(DEBT_SIDES)
    keys = ["market", "position_id"]
    debts, posted = (
        rows.groupby([*keys, "asset"], as_index=False)["usd"].sum()
        for rows in (
            positions[is_debt & (positions["usd"] > 0)],
            positions[~is_debt & positions["collateral_enabled"].astype(bool)],
        )
    )
    both = debts.merge(posted, on=keys, suffixes=("", "_posted"))
    both = both.assign(least=both[["usd", "usd_posted"]].min(axis=1))
    sums = both.groupby(["market", "asset", "asset_posted"])["least"].agg(["sum", "count"]).reset_index()
    return list(sums.itertuples(index=False, name=None))
