"""What a holder finally has, what two holders have in common, and who has an asset: positions and balances looked through, in USD."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from graph.dependences import idle
from graph.exposures.direct_holders import receipt_holders
from graph.exposures.kept_for_others import own_part
from graph.exposures.rows import largest_of, share_of
from graph.lookthrough import LookThrough, finally_had, look_through
from graph.merged_rows import joined
from graph.protocol_graph import ProtocolGraph
from graph.worth import valued_holds, worth_of_all

HELD_COLUMNS = ["asset", "amount_usd", "evidence"]


@dataclass(frozen=True)
class Subject:
    """Somebody's assets: key of the holder, and rows of asset, amount_usd, evidence."""

    key: str
    held: pd.DataFrame


def subject(graph: ProtocolGraph, name: str) -> Subject:
    """What a holder has.

    An account or vault: what it supplies and holds, a vault's idle money too, debts not taken off; a vault whose positions are not known, its share. An asset:
    all units of it. A pool: its reserves. A market: what its holders supplied.

    Raises
    ------
    UnknownNameError, InputError
        If no node, or more than one, answers to the name, or a node of this kind has no assets.
    """
    key = graph.find(name)
    kind = graph.node_kind(key)
    relations = graph.relations
    if kind in ("account", "vault"):
        supplies, holds = relations["supplies"], valued_holds(graph)
        supplies, holds = supplies[supplies["source"] == key], holds[holds["source"] == key].drop(columns="source")
        rest = idle(graph)
        holds = pd.concat([holds, rest[rest["source"] == key]]) if kind == "vault" and len(rest) else holds
        rows = pd.concat([supplies[HELD_COLUMNS], holds.rename(columns={"target": "asset"})[HELD_COLUMNS]])
        share = graph.nodes["vault"].set_index("node")["asset"].get(key) if kind == "vault" else None
        if not len(rows) and isinstance(share, str):
            rows = _all_of(graph, share)
    elif kind == "asset":
        rows = _all_of(graph, key)
    elif kind == "pool":
        rows = relations["trades_in"][relations["trades_in"]["target"] == key]
        rows = rows.rename(columns={"source": "asset", "reserve_usd": "amount_usd"})[HELD_COLUMNS]
    elif kind == "market":
        rows = relations["lists"][relations["lists"]["source"] == key]
        rows = rows.drop(columns="source").rename(columns={"target": "asset", "supplied_usd": "amount_usd"})[
            HELD_COLUMNS
        ]
    else:
        raise InputError(f"{name} is a {kind}; name an account, vault, asset, pool or market, which have assets")
    rows = rows.groupby("asset", as_index=False).agg({"amount_usd": "sum", "evidence": joined})
    return Subject(key, rows)


def _all_of(graph: ProtocolGraph, asset: str) -> pd.DataFrame:
    evidence = graph.nodes["asset"].set_index("node").at[asset, "evidence"]
    return pd.DataFrame([(asset, worth_of_all(graph)[asset], evidence)], columns=HELD_COLUMNS)


def final_roots(graph: ProtocolGraph, held: pd.DataFrame, known: LookThrough | None = None) -> pd.DataFrame:
    """What somebody finally has who has these assets, all ways together, largest first.

    Circles of claims are solved (`graph.recursive`). An asset with a share that is not known stands for itself, and so does what of a claim
    nothing is known to stand for (`graph.lookthrough.finally_had`).

    Returns
    -------
    root, label, ends (root, recursive: some of it came through claims that stand behind each other, circular: worth nothing by its
    backing, rest: a claim for which nothing else is known to stand), amount_usd, share_ratio, held (symbols through which it is had), evidence.
    """
    known = known or look_through(graph)
    had = finally_had(graph).backing
    rows = []
    for row in each_row(held):
        amount = 0.0 if pd.isna(row.amount_usd) else float(row.amount_usd)
        through = set(_below(known, row.asset))
        evidence = (row.evidence, *(step.evidence for key in sorted(through) for step in known.steps.get(key, [])))
        came_round = any(key in known.backing.recursive for key in through)
        for root, usd in had.finally_of({row.asset: amount}).items():
            rows.append((root, came_round, usd, graph.label(row.asset), tuple(dict.fromkeys(evidence))))
    frame = pd.DataFrame(rows, columns=["root", "came_round", "amount_usd", "held", "evidence"])
    found = [
        (
            root,
            graph.label(str(root)),
            "circular"
            if root in known.backing.circular
            else "rest"
            if root in had.shares
            else "recursive"
            if part["came_round"].any()
            else "root",
            float(part["amount_usd"].sum()),
            ", ".join(dict.fromkeys(part["held"])),
            "; ".join(dict.fromkeys(text for texts in part["evidence"] for text in texts)),
        )
        for root, part in frame.groupby("root")
    ]
    table = pd.DataFrame(found, columns=["root", "label", "ends", "amount_usd", "held", "evidence"])
    table.insert(4, "share_ratio", share_of(table["amount_usd"]))
    return table.sort_values(["amount_usd", "root"], ascending=[False, True], ignore_index=True)


def shared_roots(graph: ProtocolGraph, left: str, right: str) -> pd.DataFrame:
    """What two holders finally have in common, largest overlap first.

    Returns
    -------
    root, label, left_usd, left_ratio (of all that the left one has), right_usd, right_ratio, overlap_usd (the smaller of the two),
    overlap_ratio (the smaller of the two shares: added up, 1 means that both are made of the same in the same proportions), evidence.

    Raises
    ------
    UnknownNameError, InputError
        As `subject`; InputError if both names mean one holder.
    """
    one, other = subject(graph, left), subject(graph, right)
    if one.key == other.key:
        raise InputError(f"{left} and {right} are the same; name two different holders")
    known = look_through(graph)
    tables = [final_roots(graph, each.held, known).set_index("root") for each in (one, other)]
    both = [root for root in tables[0].index if root in tables[1].index]
    sides = [table.loc[both] for table in tables]
    frame = pd.DataFrame({"root": both, "label": sides[0]["label"].tolist()})
    for name, side in zip(("left", "right"), sides, strict=True):
        frame[f"{name}_usd"], frame[f"{name}_ratio"] = side["amount_usd"].tolist(), side["share_ratio"].tolist()
    frame["overlap_usd"] = frame[["left_usd", "right_usd"]].min(axis=1)
    frame["overlap_ratio"] = frame[["left_ratio", "right_ratio"]].min(axis=1)
    frame["evidence"] = [
        "; ".join(dict.fromkeys([*first.split("; "), *second.split("; ")]))
        for first, second in zip(*(side["evidence"] for side in sides), strict=True)
    ]
    frame = frame[frame["overlap_usd"] > 0]
    return frame.sort_values(["overlap_usd", "root"], ascending=[False, True], ignore_index=True)


def dependents(graph: ProtocolGraph, asset: str, top: int | None = None) -> tuple[pd.DataFrame, "pd.Series[float]"]:
    """Everybody who finally has some of an asset (`graph.lookthrough.finally_had`), directly or through claims on it: a table of the `top` largest, of all if that is not given, and what everybody has.

    What a market's contract or its receipt's keeps is its suppliers', and what a vault or a pool has is theirs who have its shares; who supplied has the market's
    receipts. They are in the table, so whoever keeps it for them is left out: nobody has more than there is.

    Returns
    -------
    holder, kind, label, direct_usd, looked_through_usd (direct included), share_ratio (of all holders'), held (symbols), evidence; and by holder
    what he has, looked through. Largest first, both.
    """
    reaching = finally_had(graph).backing.reaching(asset)
    columns = ["source", "asset", "amount_usd", "evidence"]
    supplies, holds = graph.relations["supplies"], valued_holds(graph)
    parts = [supplies[columns], holds.assign(asset=holds["target"])[columns]]
    for receipt in set(reaching) & set(graph.snapshot["reserves"]["receipt_asset"]):
        rows = receipt_holders(graph, receipt)
        parts[1] = parts[1][(parts[1]["asset"] != receipt) | ~parts[1]["source"].isin(rows["source"])]
        if len(rows) and rows["asset"].iat[0] not in reaching:
            parts.append(rows.assign(asset=receipt)[columns])
    parts = [part[part["asset"].isin(list(reaching)) & (part["amount_usd"] > 0)] for part in parts]
    rows = pd.concat(parts, ignore_index=True)
    shares = np.array([reaching[key] for key in rows["asset"].tolist()], dtype=float)
    own = own_part(graph, rows, reaching)
    rows = rows.assign(amount_usd=rows["amount_usd"] * own, looked_through_usd=rows["amount_usd"] * own * shares)
    rows = rows[rows["looked_through_usd"] > 0]
    sums = rows.groupby("source")["looked_through_usd"].sum()
    holders = [name for name, _ in largest_of(sums, len(sums) if top is None else top)]
    rows = rows[rows["source"].isin(holders)]
    rows = rows.assign(
        direct_usd=rows["amount_usd"].where(rows["asset"] == asset, 0.0),
        held=[graph.label(key) for key in rows["asset"].tolist()],
    )
    how = {"direct_usd": "sum", "looked_through_usd": "sum", "held": _listed, "evidence": joined}
    table = rows.groupby("source").agg(how).loc[holders].rename_axis("holder").reset_index()
    table = table.assign(
        kind=[graph.node_kind(key) for key in holders],
        label=[graph.label(key) for key in holders],
        share_ratio=table["looked_through_usd"] / (sums.sum() or float("nan")),
    )
    names = ["holder", "kind", "label", "direct_usd", "looked_through_usd", "share_ratio", "held", "evidence"]
    return table[names], sums.sort_values(ascending=False)


def _listed(symbols: "pd.Series[str]") -> str:
    return ", ".join(dict.fromkeys(symbols.tolist()))


def _below(known: LookThrough, asset: str) -> list[str]:
    """The asset and everything on the way down from it."""
    seen = {asset: None}
    for key in (stack := [asset]):
        for step in known.steps.get(key, []) if key in known.backing.shares else []:
            if step.backing not in seen:
                seen[step.backing] = None
                stack.append(step.backing)
    return list(seen)
