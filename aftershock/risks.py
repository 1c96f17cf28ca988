"""Risk of liquidation itself: for a protocol's markets, what a fall of one asset makes liquidatable and what of it liquidation cannot mend."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from simulations.book import Book
from simulations.frontier import MarketFrontier, against_falls, by_position
from simulations.gas import Gas
from simulations.health import health_factors
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
    gas : what one liquidation costs.   notes : what must be told about the rules and the book.
    """

    label: str
    markets: tuple[tuple[str, str], ...]
    asset: str
    falls: tuple[tuple[float, tuple[MarketFrontier, ...]], ...]
    positions: pd.DataFrame
    edges: pd.DataFrame
    gas: Gas
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; a frontier that does not exist is None."""
        positions = self.positions.astype(object).where(self.positions.notna(), None)
        return {
            "name": self.label,
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


def risk_of(book: Book, label: str, keys: Sequence[str], asset: str, falls: Sequence[float], gas: Gas) -> Risk:
    """Ask a book about some of its markets; `asset` falls by each of `falls` (0.2 is 20 %)."""
    markets = [market for market in book.markets if market.key in keys]
    found = [
        (fall, tuple(one for one in sums if one.market in keys))
        for fall, sums in against_falls(book, asset, falls, gas.usd)
    ]
    positions, edges = by_position(start(book), gas.usd), _edges(book)
    return Risk(
        label,
        tuple((market.key, market.name) for market in markets),
        book.assets[find(book, asset)[0]].symbol,
        tuple(found),
        positions[positions["market"].isin(keys)].reset_index(drop=True),
        edges[edges["market"].isin(keys)].reset_index(drop=True),
        gas,
        (*notes(markets), *book.notes),
    )


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
