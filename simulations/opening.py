"""Opening: a book as every run on it begins. What no shock changes is found once here, however many scenarios are run on the book."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from simulations import frontier, identities
from simulations.book import Book, BoolArray, FloatArray
from simulations.channels import liquidation, oracle
from simulations.channels.offers import Keepers
from simulations.frontier import MarketFrontier
from simulations.health import Standing
from simulations.identities import Layout, Moment
from simulations.state import State, start


@dataclass(frozen=True)
class Opening:
    """What stands before any shock; no run changes it.

    Attributes
    ----------
    at_block : the state before anything happens; a run works on a copy.
    keepers : rules and routes, with no gas; `keepers_at` puts its cost in.
    layout : who can hold what.   moment : what they hold at the block.
    """

    book: Book
    at_block: State
    keepers: Keepers
    layout: Layout
    moment: Moment
    _frontiers: dict[float, tuple[MarketFrontier, ...]] = field(default_factory=dict)

    def keepers_at(self, gas_usd: float) -> Keepers:
        """How keepers act where one liquidation costs so much gas."""
        return replace(self.keepers, gas_usd=gas_usd)

    @cached_property
    def standing(self) -> Standing:
        """Every position at the block."""
        return Standing.of(self.at_block)

    @cached_property
    def under_water(self) -> FloatArray:
        """Debt beyond the collateral of each position at the block, USD, float64[positions]."""
        return np.maximum(self.standing.debt_usd - self.standing.collateral_usd, 0)

    @cached_property
    def frozen(self) -> BoolArray:
        """bool[positions], as `oracle.frozen` finds them."""
        return oracle.frozen(self.book)

    def frontier(self, gas_usd: float) -> tuple[MarketFrontier, ...]:
        """What liquidation could not mend at the block, by market."""
        if gas_usd not in self._frontiers:
            self._frontiers[gas_usd] = frontier.by_market(self.at_block, self.keepers_at(gas_usd))
        return self._frontiers[gas_usd]


def opening(book: Book) -> Opening:
    """Prepare a book for runs; InputError names a market whose rule is not written."""
    keepers, state, layout = liquidation.keepers(book, 0.0), start(book), identities.layout(book)
    return Opening(book, state, keepers, layout, identities.moment(layout, state))
