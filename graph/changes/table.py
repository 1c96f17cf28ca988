"""What changed between two graphs of the same chains, as a table: markets and their terms, prices, totals, and who has what (`graph.changes.holdings`)."""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from chain.units import BPS, RAY, WAD
from graph.changes.holdings import changed_holdings
from graph.changes.smallest_move import exact, is_told_of_floats
from graph.identity import told_apart
from graph.protocol_graph import ProtocolGraph
from graph.timeline import aligned

CHANGE_COLUMNS = ["topic", "node", "about", "label", "what", "before", "after", "change", "change_usd", "evidence"]
SMALLEST_MOVE = 0.01
"""A relative change of an amount below this is not listed; one of exactly this is."""
COMPARED = "markets and their terms, prices, totals, what is behind claims, supplies and debts, balances, reserves of pools, what vaults lend"
COMPARED_CLAIMS = "the claims of each holder on each name, in USD; not their kind and seniority"

SWITCHES = {"paused": ("paused", "unpaused"), "frozen": ("frozen", "unfrozen"), "active": ("activated", "deactivated")}
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "markets": ("revision", "address", "oracle", "family", "loss_rule"),
    "reserves": (
        "ltv_wad", "liquidation_threshold_wad", "liquidation_ratio_ray", "liquidation_bonus_wad", "liquidation_fee_wad", "close_factor_wad",
        "supply_cap_raw", "borrow_cap_raw", "debt_ceiling_raw", "reserve_factor_wad", "borrowable", "siloed", "liquidatable",
        "rate_model", "rate_optimal_ray", "rate_base_ray", "rate_slope1_ray", "rate_slope2_ray", "price_source",
    ),
    "categories": (
        "ltv_wad", "liquidation_threshold_wad", "liquidation_bonus_wad", "collateral_bitmap", "borrowable_bitmap", "price_source",
    ),
    "feeds": ("kind", "address", "cap_raw", "heartbeat_seconds", "deviation_bps", "state"),
    "entities": ("implementation",),
    "authorities": ("delay_seconds", "threshold", "members"),
}  # fmt: skip
_TOPICS = {
    "markets": "market",
    "reserves": "reserve",
    "categories": "category",
    "feeds": "feed",
    "entities": "contract",
    "authorities": "authority",
}
_KEYS = {
    "markets": ("market",),
    "reserves": ("market", "asset"),
    "categories": ("market", "category"),
    "feeds": ("source", "step"),
    "entities": ("entity",),
    "authorities": ("authority", "target", "power"),
}
_YEARLY = ("rate_base_ray", "rate_slope1_ray", "rate_slope2_ray")
_UPGRADES = {("markets", "revision"), ("markets", "address"), ("entities", "implementation")}


def changes(
    before: ProtocolGraph, after: ProtocolGraph, smallest_move: float | Fraction = SMALLEST_MOVE
) -> pd.DataFrame:
    """What differs between two graphs of the same chains, or between two files of exposures.

    Parameters
    ----------
    smallest_move : change from which an amount or price is listed, in parts of what it was before; 0.01 is one hundredth exactly (`graph.changes.smallest_move`).

    Returns
    -------
    topic (market, reserve, category, feed, contract, authority, price, amount; of `graph.changes.holdings` claim, backing, supply, debt,
    balance, pool, vault), node (key in the later graph, in the earlier one for what is gone), about (what rows of one sentence are about;
    missing where a row has its own), label, what (added, removed, upgraded, paused, unpaused, frozen, unfrozen, activated, deactivated,
    amount, rate, cap, or the column), before, after (as text that people read), change (whole tokens; of a holding alone), change_usd
    (missing where it is no amount; of a holding what moved, at the later price), evidence (of the later row; of the earlier one for what
    is gone); in the order of the topics, amounts from the largest change down.

    Raises
    ------
    InputError
        If the graphs do not stand on the same chains, one alone is of exposures, or the smallest move is below 0 or not finite.
    """
    least = exact(smallest_move)
    if before.is_of_claims != after.is_of_claims:
        one, other = (graph.snapshot.name for graph in (before, after)[:: 1 if before.is_of_claims else -1])
        raise InputError(f"{one!r} is a file of exposures, {other!r} is none; compare two of a kind")
    chains = [sorted(anchor.chain for anchor in graph.snapshot.anchors) for graph in (before, after)]
    if chains[0] != chains[1]:
        raise InputError(
            f"snapshot {before.snapshot.name!r} is of {', '.join(chains[0]) or 'no chain'}, {after.snapshot.name!r} of "
            f"{', '.join(chains[1]) or 'no chain'}; compare two of the same chains"
        )
    moved = aligned(before.snapshot, after.snapshot)
    rows: list[dict[str, Any]] = []
    for table in _PARAMETERS:
        rows += _table_changes(table, before, after, moved)
    rows += _price_moves(before, after, least) + _amounts(before, after, moved, least)
    rows += changed_holdings(before, after, moved, least)
    return pd.DataFrame(rows, columns=CHANGE_COLUMNS).astype({"change": float, "change_usd": float})


def _table_changes(
    table: str, before: ProtocolGraph, after: ProtocolGraph, moved: Mapping[str, str]
) -> list[dict[str, Any]]:
    old = {_key(table, row): row for row in before.snapshot[table].to_dict("records")}
    new = {_key(table, row, moved): row for row in after.snapshot[table].to_dict("records")}
    rows = []
    for key in sorted(old.keys() | new.keys(), key=str):
        row, graph = (new[key], after) if key in new else (old[key], before)
        base = {"topic": _TOPICS[table], "node": str(row[_KEYS[table][0]]), "label": _label(table, row, graph)}
        if table == "entities" and not (key in old and key in new):
            continue  # addresses come and go with every transfer
        if key not in old or key not in new:
            gone = key not in new
            rows.append(base | {"what": "removed" if gone else "added", "evidence": row["evidence"]})
            continue
        for column in (*SWITCHES, *_PARAMETERS[table]) if table == "reserves" else _PARAMETERS[table]:
            was, now = old[key][column], row[column]
            if _same(was, now):
                continue
            what = column
            if column in SWITCHES:
                what = SWITCHES[column][0 if now else 1]
            elif (table, column) in _UPGRADES:
                what = "upgraded"
            rows.append(
                base
                | {
                    "what": what,
                    "before": _text(before, column, was, old[key]),
                    "after": _text(after, column, now, row),
                    "evidence": row["evidence"],
                }
            )
    return rows


def _amounts(
    before: ProtocolGraph, after: ProtocolGraph, moved: Mapping[str, str], least: Fraction
) -> list[dict[str, Any]]:
    old = {(row.source, row.target): row for row in each_row(before.relations["lists"])}
    new = {(moved.get(row.source, row.source), row.target): row for row in each_row(after.relations["lists"])}
    rows = []
    for key in old.keys() & new.keys():
        for column in ("supplied_usd", "borrowed_usd", "cash_usd"):
            was, now = getattr(old[key], column), getattr(new[key], column)
            if not pd.isna(was) and not pd.isna(now) and is_told_of_floats(was, now, least):
                label = f"{after.label(key[1])} in {after.label(new[key].source)}"
                rows.append(
                    {"topic": "amount", "node": new[key].source, "label": label, "what": column, "before": f"{was:.2f}",
                     "after": f"{now:.2f}", "change_usd": now - was, "evidence": new[key].evidence}
                )  # fmt: skip
    return sorted(rows, key=lambda row: (-abs(row["change_usd"]), row["label"], row["what"]))


def _price_moves(before: ProtocolGraph, after: ProtocolGraph, least: Fraction) -> list[dict[str, Any]]:
    old, new = (graph.nodes["asset"].set_index("node") for graph in (before, after))
    rows, names = [], _names_of_assets(after)
    for asset in sorted(set(old.index) & set(new.index)):
        was, now = old.at[asset, "price_usd"], new.at[asset, "price_usd"]
        is_unknown = [pd.isna(was), pd.isna(now)]
        if all(is_unknown) or not (any(is_unknown) or is_told_of_floats(was, now, least)):
            continue
        texts = ["none" if pd.isna(usd) else f"{usd:.6g}" for usd in (was, now)]
        if texts[0] == texts[1]:
            texts = [repr(float(was)), repr(float(now))]
        rows.append(
            {"topic": "price", "node": asset, "label": names[asset], "what": "price_usd", "before": texts[0],
             "after": texts[1], "evidence": new.at[asset, "evidence"]}
        )  # fmt: skip
    return rows


def _names_of_assets(graph: ProtocolGraph) -> dict[str, str]:
    """Names by key; of several assets of one name each receipt with the market that gives it out, the others with the end of their key."""
    names = {asset: graph.label(asset) for asset in graph.nodes["asset"]["node"]}
    counts = Counter(names.values())
    reserves = graph.snapshot["reserves"]
    issued = zip(reserves["receipt_asset"], reserves["market"], strict=True)
    market = {asset: graph.label(key) for asset, key in issued if isinstance(asset, str)}
    return told_apart(
        {
            asset: f"{name} of {market[asset]}" if counts[name] > 1 and asset in market else name
            for asset, name in names.items()
        }
    )


def _key(table: str, row: Mapping[Any, Any], moved: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    return tuple((moved or {}).get(row[name], row[name]) for name in _KEYS[table])


def _label(table: str, row: Mapping[Any, Any], graph: ProtocolGraph) -> str:
    def name(key: Any) -> str:
        return graph.labels.get(str(key), str(key))

    if table == "reserves":
        return f"{name(row['asset'])} in {name(row['market'])}"
    if table == "categories":
        return f"category {row['category']} of {name(row['market'])}"
    if table == "feeds":
        return row["description"] if isinstance(row["description"], str) else f"Price source {name(row['address'])}"
    if table == "authorities":
        return f"{name(row['authority'])} ({row['power']} of {name(row['target'])})"
    return name(row[_KEYS[table][0]])


def _same(one: Any, other: Any) -> bool:
    return bool((pd.isna(one) and pd.isna(other)) or (not pd.isna(one) and not pd.isna(other) and one == other))


def _text(graph: ProtocolGraph, column: str, value: Any, row: Mapping[Any, Any]) -> str:
    """A value as people read it: shares and rates as per cent, caps in whole tokens, switches as words, the rest as it is."""
    if pd.isna(value):
        return "none"
    if column.endswith("_wad"):
        return f"{int(value) * BPS / WAD / 100:g} %"
    if column.endswith("_ray"):
        return f"{int(value) * BPS / RAY / 100:g} %" + (" a year" if column in _YEARLY else "")
    if column in ("supply_cap_raw", "borrow_cap_raw"):
        tokens = graph.snapshot["assets"].set_index("asset")
        return f"{_whole(int(value), 10 ** int(tokens.at[row['asset'], 'decimals']))} {graph.own_labels[row['asset']]}"
    if column == "debt_ceiling_raw":
        market = graph.snapshot["markets"].set_index("market").loc[row["market"]]
        base = str(market["base_asset"])
        return (
            f"{_whole(int(value), int(market['base_unit_raw']))} {graph.own_labels.get(base, base.rpartition(':')[2])}"
        )
    if column == "cap_raw" and not pd.isna(row["decimals"]):
        return _whole(int(value), 10 ** int(row["decimals"]))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _whole(raw: int, unit: int) -> str:
    """Smallest units in whole ones, every digit; `unit` is a power of ten or 1."""
    number, rest = divmod(raw, unit)
    return f"{number:,}" + (f".{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else "")
