"""Book: the protocol graph as arrays that rules, channels and kernels read. `book_of_graph` builds it once; no run changes it.

A *leg* is one reserve in one position; it can hold a supply and a debt at once. Legs of a position lie together (CSR: position `p`
owns legs `offsets[p]` to `offsets[p + 1]`). Stored amounts are the contract's own integers; the float arrays beside them are whole
tokens, for everything that may be rounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulations.venues.venue import Venue

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Asset:
    """A token: key, symbol, decimals, kind, and its reference price at the block in USD per whole token (NaN if unknown)."""

    key: str
    symbol: str
    decimals: int
    kind: str
    price_usd: float


@dataclass(frozen=True)
class Market:
    """Where one health factor is computed: key, label, rule family and revision, loss rule."""

    key: str
    name: str
    family: str
    revision: int | None
    loss_rule: str


@dataclass(frozen=True)
class Reserve:
    """One asset's side in a market; amounts are raw integers, thresholds and bonuses basis points.

    `supply_index / supply_unit` turns stored supply into smallest units, `debt_index / debt_unit` stored debt. `held_raw` is what can
    be paid out. The oracle follows the market price of `driver`, counted in the asset `quote` (None for USD), or never moves (`fixed_price`).
    """

    market: int
    asset: int
    slot: int
    supply_index: int
    supply_unit: int
    debt_index: int
    debt_unit: int
    held_raw: int
    treasury_stored: int
    threshold_bps: int
    bonus_bps: int
    fee_bps: int
    close_factor_bps: int | None
    active: bool
    paused: bool
    grace_until: int
    price_raw: int
    price_decimals: int
    driver: int
    fixed_price: bool
    deviation_bps: int
    quote: int | None = None


@dataclass(frozen=True)
class CategoryPrice:
    """A price that a category of a market puts in place of its members' own (Aave 3.0 and 3.1); the fields are those of `Reserve`."""

    market: int
    category: int
    price_raw: int
    price_decimals: int
    driver: int
    fixed_price: bool
    deviation_bps: int
    quote: int | None = None


@dataclass(frozen=True)
class Pool:
    """A pool of two assets: their indices, what it holds of each (raw), fee (1e-18 of the amount sold), and `venue`: what it pays.

    Slots 0 and 1 of the venue are the two assets.
    """

    key: str
    asset0: int
    asset1: int
    reserve0: int
    reserve1: int
    fee_wad: int
    venue: Venue


@dataclass(frozen=True)
class Book:
    """Positions with their rule set, venues and claims.

    Attributes
    ----------
    offsets : int64[n + 1], legs of position p are offsets[p] to offsets[p + 1].
    leg_reserve : int64[m], index into reserves.
    leg_supply_stored, leg_debt_stored : m Python ints, the contract's stored units.
    leg_enabled : bool[m], whether the supply counts in the health factor.
    leg_threshold_bps, leg_bonus_bps : int64[m], after the position's category.
    leg_quote : int64[m], index into `quotes`: the reserve's price, or that of the position's category.
    backings : (claim, backing, rate) index pairs with whole tokens of backing per whole claim.
    timestamp : seconds; positions are liquidated as of this time.
    notes : what was assumed while the book was built, one sentence each.
    """

    assets: tuple[Asset, ...]
    markets: tuple[Market, ...]
    reserves: tuple[Reserve, ...]
    pools: tuple[Pool, ...]
    backings: tuple[tuple[int, int, float], ...]
    position_ids: tuple[str, ...]
    owners: tuple[str, ...]
    position_market: IntArray
    position_category: IntArray
    offsets: IntArray
    leg_reserve: IntArray
    leg_supply_stored: tuple[int, ...]
    leg_debt_stored: tuple[int, ...]
    leg_enabled: BoolArray
    leg_threshold_bps: IntArray
    leg_bonus_bps: IntArray
    leg_quote: IntArray
    timestamp: int
    content_id: str
    caption: str = ""
    symbols: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    category_prices: tuple[CategoryPrice, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def quotes(self) -> tuple[Reserve | CategoryPrice, ...]:
        """Every price that a market asks an oracle for: of each reserve, then of each category that has its own."""
        return (*self.reserves, *self.category_prices)

    def worth(self, market_usd: FloatArray) -> FloatArray:
        """What the driver of each quote is worth in what the quote counts in (one of USD, or of what has no price), float64[quotes]."""
        found = np.array([market_usd[quote.driver] for quote in self.quotes], dtype=np.float64)
        units = [1.0 if quote.quote is None else float(market_usd[quote.quote]) for quote in self.quotes]
        return np.asarray(found / np.where(np.isfinite(units), units, 1.0))

    @property
    def size(self) -> int:
        """Number of positions."""
        return len(self.position_ids)

    def legs(self, position: int) -> range:
        """Leg indices of one position."""
        return range(int(self.offsets[position]), int(self.offsets[position + 1]))
