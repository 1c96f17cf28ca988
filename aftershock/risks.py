"""Risk of a protocol's markets in one record: what they hold and who holds them, their place in the graph, what a fall makes liquidatable
and what of it liquidation cannot mend, and what a cascade costs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from graph.exposures.answer import exposure, records
from graph.exposures.counted import value_counted
from graph.protocol_graph import ProtocolGraph
from simulations.book import Book
from simulations.channels.liquidation import keepers
from simulations.frontier import MarketFrontier, against_falls, by_position
from simulations.gas import Gas
from simulations.health import health_factors
from simulations.result import CascadeResult
from simulations.rules import notes
from simulations.shocks import find
from simulations.state import start

FALLS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
ASSUMED = (
    "first round only: prices, pools and feeds have followed the fall and nobody has acted; every position is asked alone, "
    "so earlier sales can only make later liquidations pay less"
)


@dataclass(frozen=True)
class Risk:
    """The answer.

    Attributes
    ----------
    markets : key and name of each.
    falls : (fall as a ratio, sums of each market after it).
    positions : at the block, one row a position that owes something; columns as `simulations.frontier.by_position`.
    edges : the frontier of each collateral that secures a debt: market, symbol, category, threshold_bps, bonus_bps, frontier, collateral_usd.
    gas : what one liquidation costs.
    as_of : chain, block number, hash and time (UTC) of each block; empty for a user's file.
    figures : as `graph.exposures.answer` has them, in USD, ratios and counts.
    concentration : of suppliers, borrowers and collateral; columns as `graph.exposures.rows.concentrations`.
    unmoved_prices : collateral whose price follows no market; columns as `graph.exposures.price_findings.unmoved_prices`.
    place : what its protocol weighs among all protocols of the graph; see `place_of`.
    cascade : what a scenario does to these markets; see `losses_of`. None if none was asked.
    notes : what must be told about the rules and the book.
    """

    label: str
    markets: tuple[tuple[str, str], ...]
    asset: str
    falls: tuple[tuple[float, tuple[MarketFrontier, ...]], ...]
    positions: pd.DataFrame
    edges: pd.DataFrame
    gas: Gas
    notes: tuple[str, ...]
    as_of: tuple[dict[str, Any], ...] = ()
    figures: Mapping[str, float | int | None] = field(default_factory=dict)
    concentration: pd.DataFrame = field(default_factory=pd.DataFrame)
    unmoved_prices: pd.DataFrame = field(default_factory=pd.DataFrame)
    place: Mapping[str, float | int | str | None] = field(default_factory=dict)
    cascade: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; a frontier that does not exist is None."""
        positions = self.positions.astype(object).where(self.positions.notna(), None)
        return {
            "name": self.label,
            "as_of": list(self.as_of),
            "figures": dict(self.figures),
            "concentration": records(self.concentration),
            "unmoved_prices": records(self.unmoved_prices),
            "place": dict(self.place),
            "cascade": self.cascade,
            "asset": self.asset,
            "gas": asdict(self.gas),
            "assumed": ASSUMED,
            "falls": [
                {"fall_percent": 100 * fall, "markets": [market.to_dict() for market in markets]}
                for fall, markets in self.falls
            ],
            "frontiers": self.edges.to_dict("records"),
            "positions": positions.to_dict("records"),
            "notes": list(self.notes),
        }


def risk_of(
    book: Book,
    label: str,
    keys: Sequence[str],
    asset: str,
    falls: Sequence[float],
    gas: Gas,
    tell: Callable[[str], None] = lambda _: None,
) -> Risk:
    """Ask a book about some of its markets; `asset` falls by each of `falls` (0.2 is 20 %), and `tell` hears of each that is worked out."""
    markets = [market for market in book.markets if market.key in keys]
    found = []
    for fall, sums in against_falls(book, asset, falls, gas.usd, keys):
        found.append((fall, sums))
        tell(f"fall {len(found)} of {len(falls)}")
    positions, edges = by_position(start(book), keepers(book, gas.usd), keys), _edges(book)
    return Risk(
        label,
        tuple((market.key, market.name) for market in markets),
        book.assets[find(book, asset)[0]].symbol,
        tuple(found),
        positions,
        edges[edges["market"].isin(keys)].reset_index(drop=True),
        gas,
        (*notes(markets), *book.notes),
    )


def joined(risk: Risk, graph: ProtocolGraph, name: str, result: CascadeResult | None) -> Risk:
    """The risk with what the graph knows of it, and with what a run did to its markets."""
    known = exposure(graph, name)
    return replace(
        risk,
        as_of=tuple(
            {**one, "time": f"{datetime.fromtimestamp(one['timestamp'], UTC):%Y-%m-%dT%H:%M:%SZ}"}
            for one in known.anchors
        ),
        figures=known.figures,
        concentration=known.outbound["concentration"],
        unmoved_prices=known.outbound["unmoved_prices"],
        place=place_of(graph, known.subject),
        cascade=None if result is None else losses_of(result, [key for key, _ in risk.markets]),
    )


def place_of(graph: ProtocolGraph, key: str) -> dict[str, float | int | str | None]:
    """What a protocol, or the protocol of a market with all its markets, weighs among all that the graph values.

    Returns
    -------
    protocol (its name), markets (how many it has), gross_usd and net_usd (`graph.exposures.counted`), net_ratio (of all net value), rank (by net value, 1 is
    the largest) of protocols; the amounts and the rank are None where the graph values nothing of it.
    """
    markets = graph.nodes["market"].set_index("node")["protocol"].to_dict()
    table, protocol = value_counted(graph), markets.get(key, key)
    mine = table[table["protocol"] == protocol]
    named: dict[str, float | int | str | None] = {
        "protocol": graph.label(protocol),
        "markets": list(markets.values()).count(protocol),
    }
    if not len(mine) or not table["net_usd"].sum() > 0:
        return {**named, **dict.fromkeys(("gross_usd", "net_usd", "net_ratio", "rank", "protocols"))}
    net = float(mine["net_usd"].iloc[0])
    return {
        **named,
        "gross_usd": float(mine["gross_usd"].iloc[0]),
        "net_usd": net,
        "net_ratio": net / float(table["net_usd"].sum()),
        "rank": int((table["net_usd"] > net).sum()) + 1,
        "protocols": len(table),
    }


def losses_of(result: CascadeResult, keys: Sequence[str]) -> dict[str, Any]:
    """What a run did to some markets: scenario, liquidated positions and USD, bad debt (direct and indirect, in all), who waits and why, rounds, by market too.

    Other markets take part in the run, so their forced sales are in it; rounds are those of the whole run.
    """
    table = result.markets[result.markets["market"].isin(list(keys))]
    hit = result.positions[result.positions["market"].isin(list(keys)) & (result.positions["liquidated_usd"] > 0)]
    names = (
        "liquidated_usd",
        "bad_debt_usd",
        "direct_usd",
        "indirect_usd",
        "waiting_debt_usd",
        "paused_debt_usd",
        "before_usd",
        "relief_usd",
        "frozen_usd",
    )
    return {
        "scenario": result.scenario.to_dict(),
        "content_id": result.content_id,
        **{name: float(table[name].sum()) for name in names},
        "waiting": [asdict(part) for part in result.waiting(keys)],
        "liquidated_positions": len(hit),
        "rounds": result.calm_after,
        "markets": records(table),
    }


def _edges(book: Book) -> pd.DataFrame:
    state = start(book)
    owes = np.repeat(np.isfinite(health_factors(state)), np.diff(book.offsets))
    price = np.array([book.assets[reserve.asset].price_usd for reserve in book.reserves])[book.leg_reserve]
    value = np.nan_to_num(state.supply_tokens * price * book.leg_enabled * owes)
    position = np.repeat(np.arange(book.size), np.diff(book.offsets))
    rows = pd.DataFrame(
        {
            "market": [book.markets[int(number)].key for number in book.position_market[position]],
            "symbol": [book.assets[book.reserves[int(slot)].asset].symbol for slot in book.leg_reserve],
            "category": book.position_category[position],
            "threshold_bps": book.leg_threshold_bps,
            "bonus_bps": book.leg_bonus_bps - 10_000,
            "frontier": book.leg_threshold_bps * book.leg_bonus_bps / 1e8,
            "collateral_usd": value,
        }
    )
    keys = ["market", "symbol", "category", "threshold_bps", "bonus_bps", "frontier"]
    sums = rows[rows["collateral_usd"] > 0].groupby(keys, as_index=False)["collateral_usd"].sum()
    return sums.sort_values(["collateral_usd", "symbol"], ascending=[False, True], ignore_index=True)
