"""Snapshots and histories of chains beside prices: what they say of each asset as columns of the panel, and their protocol graphs for graph networks.

A snapshot is known from the time of its (latest) block on, an event from the end of the bar in which it fell, so a row is never used before it could be known.
An asset takes part by its symbol, or wrapped (WETH for ETH).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aftershock.forecasting.history_columns import of_history
from aftershock.forecasting.hourly_prices import Priced, price_names, written
from chain.errors import AftershockError, InputError, many
from chain.files.price_files import folded
from chain.histories import folder as histories
from chain.snapshot import MANIFEST
from chain.snapshot import load as load_snapshot
from graph.build import build
from graph.protocol_graph import ProtocolGraph
from models.features.columns import EVENTS, states
from models.panel import FloatArray, Panel
from simulations.book_of_graph import from_graph
from simulations.health import at_risk, capacity_usd

FALLS = (0.05, 0.10, 0.20)
STATES = ("utilisation", *(f"at_risk_{round(100 * fall)}_usd" for fall in FALLS), "pools_take_usd", "depth_ratio")
"""What a snapshot says of an asset: borrowed over supplied; USD of collateral that may be liquidated if it falls by 5, 10, 20 %; what pools can take of it before a sale costs
more than the liquidation bonus; ln of that over what a fall of 10 % makes liquidatable."""
LACKING = ", without what liquidations and pools would say"
NAMED = 6
"""Up to so many snapshots are named one by one."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class _Dated:
    """A snapshot's graph and the instant from which it is known."""

    known_s: int
    graph: ProtocolGraph
    place: Path

    @property
    def name(self) -> str:
        return f"{self.place.name} ({self.graph.snapshot.content_id}, {written(self.known_s)} UTC)"


def with_tables(priced: Priced, folders: Sequence[Path], tell: Tell = lambda _: None) -> Priced:
    """The prices with what snapshots and histories say beside them, and the snapshots' graphs.

    Raises
    ------
    InputError
        If a folder is neither, two snapshots stand at one instant, none stands within the prices or knows an asset of theirs, or a history has tokens that no snapshot describes.
    SnapshotError
        If a folder is damaged.
    """
    if not folders:
        return priced
    dated, past = [], []
    for place in folders:
        tell(str(place))
        if (place / MANIFEST).is_file():
            dated.append(_dated(place))
        elif place.is_dir() and (history := histories.stored(place)) is not None:
            past.append(history)
        else:
            raise InputError(f"--tables {place} is neither a snapshot nor a history of a chain; name such a folder")
    dated.sort(key=lambda one: one.known_s)
    for one, other in itertools.pairwise(dated):
        if one.known_s == other.known_s:
            raise InputError(
                f"--tables has two snapshots of one instant, {one.place} and {other.place}, {written(one.known_s)} UTC; give one, or read both chains into one snapshot"
            )
    panel = priced.panel
    within = [one for one in dated if panel.end_s[0] - panel.bar_s < one.known_s <= panel.end_s[-1]]
    if dated and not within:
        raise InputError(
            f"--tables: no snapshot stands between {written(int(panel.end_s[0]))} and {written(int(panel.end_s[-1]))} UTC, where {priced.name} has prices ({dated[0].name}); give prices of that time"
        )
    columns, told = _of_snapshots(panel, within, tell)
    outside = [one for one in dated if one not in within]
    if len(told) > NAMED:
        told = [
            f"{len(told)} snapshots, the first {within[0].name}, the last {within[-1].name}",
            *(one for one in told if LACKING in one),
        ]
    if outside:
        told.append(
            f"{many(len(outside), 'snapshot')} outside the time of the prices left out, {outside[0].name} first"
        )
    tokens = {key: value for one in dated for key, value in _tokens(one.graph, panel).items()}
    for history in past:
        tell(str(history.folder))
        found, said = of_history(panel, history, tokens)
        told.append(said)
        for name, column in found.items():
            columns[name] = _together(name, columns[name], column) if name in columns else column
    captions = (priced.caption, *(one.graph.snapshot.caption for one in dated))
    return replace(
        priced,
        caption=", ".join(dict.fromkeys(caption for caption in captions if caption)),
        panel=replace(panel, extras={**panel.extras, **columns}),
        graphs=tuple((one.known_s, one.graph) for one in within),
        tables=tuple(told),
    )


def _together(name: str, one: FloatArray, other: FloatArray) -> FloatArray:
    """A column that two histories tell: what happened on both chains is added, of the rest the first counts; where only one knows, that one."""
    both = one + other if name in EVENTS else one
    return np.where(np.isfinite(both), both, np.where(np.isfinite(one), one, other))


def symbols_of(graph: ProtocolGraph, assets: Sequence[str]) -> dict[str, str]:
    """Node of an asset -> the symbol whose prices it moves with, by its own symbol or wrapped."""
    names, nodes = price_names(assets), graph.nodes["asset"]
    return {
        node: names[folded(label)]
        for node, label in zip(nodes["node"].tolist(), nodes["label"].tolist(), strict=True)
        if folded(label) in names
    }


def _dated(place: Path) -> _Dated:
    try:
        snapshot = load_snapshot(place)
        graph = build(snapshot)
    except AftershockError as error:
        raise type(error)(f"--tables {place}: {error}") from error
    if not snapshot.anchors:
        raise InputError(
            f"--tables {place} has no block, so nobody can say since when it is known; take a snapshot of a chain"
        )
    return _Dated(max(anchor.timestamp for anchor in snapshot.anchors), graph, place)


def _of_snapshots(panel: Panel, dated: Sequence[_Dated], tell: Tell) -> tuple[dict[str, FloatArray], list[str]]:
    """Columns of `STATES`, and a sentence about each snapshot."""
    told = []
    values = {name: np.full((len(dated), len(panel.assets)), np.nan) for name in STATES}
    for row, one in enumerate(dated):
        tell(one.name)
        known = symbols_of(one.graph, panel.assets)
        if not known:
            raise InputError(
                f"--tables: {one.place} knows none of {', '.join(panel.assets[:8])}; it knows {', '.join(sorted(one.graph.nodes['asset']['label'])[:8])}, write symbols as there"
            )
        values["utilisation"][row] = _utilisation(one.graph, known, panel.assets)
        told.append(f"snapshot {one.name}")
        try:
            for name, found in _of_book(one.graph, panel.assets).items():
                values[name][row] = found
        except InputError as error:
            told[-1] += f"{LACKING}: {error}"
    at = np.array([one.known_s for one in dated], dtype=np.int64)
    return {name: states(panel.end_s, at, found) for name, found in values.items()} if dated else {}, told


def _utilisation(graph: ProtocolGraph, known: dict[str, str], assets: Sequence[str]) -> FloatArray:
    """Borrowed over supplied, all markets together, shape (N,); NaN where nothing is supplied.

    As trained models read it: what is posted and not lent out counts as supplied. `graph.exposures.market_figures` has borrowed over what lenders have in a reserve.
    """
    lists = graph.relations["lists"]
    symbol = lists["target"].map(known)
    usd = lists[["supplied_usd", "borrowed_usd"]].astype(float).groupby(symbol).sum().reindex(list(assets))
    supplied = usd["supplied_usd"].to_numpy()
    borrowed = usd["borrowed_usd"].to_numpy()
    return np.asarray(np.divide(borrowed, supplied, out=np.full(len(assets), np.nan), where=supplied > 0))


def _of_book(graph: ProtocolGraph, assets: Sequence[str]) -> dict[str, FloatArray]:
    """The columns of `STATES` that positions and pools give, each of shape (N,); NaN for an asset that nobody holds or owes.

    Raises
    ------
    InputError
        If no asset has an answer; the first reason is given.
    """
    book = from_graph(graph)
    found = {name: np.full(len(assets), np.nan) for name in STATES[1:]}
    reasons = []
    for n, asset in enumerate(assets):
        symbol = next((name for name in (asset, f"W{asset}") if name.lower() in book.symbols), None)
        if symbol is None:
            continue
        try:
            curve = at_risk(book, symbol, FALLS)["liquidatable_collateral_usd"].tolist()
        except InputError as error:
            reasons.append(error)
            continue
        taken = capacity_usd(book, symbol)
        ratio = math.log(taken / curve[1]) if taken > 0 and curve[1] > 0 else math.nan
        for name, value in zip(STATES[1:], (*curve, taken, ratio), strict=True):
            found[name][n] = value
    if reasons and all(np.isnan(column).all() for column in found.values()):
        raise reasons[0]
    return found


def _tokens(graph: ProtocolGraph, panel: Panel) -> dict[str, tuple[str, int]]:
    """Key of a token -> symbol of its prices and decimals."""
    decimals = dict(zip(graph.nodes["asset"]["node"], graph.nodes["asset"]["decimals"], strict=True))
    return {key: (symbol, int(decimals[key])) for key, symbol in symbols_of(graph, panel.assets).items()}
