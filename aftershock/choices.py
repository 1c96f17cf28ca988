"""What a question about some markets is asked with where the user said nothing: which asset falls, under which scenarios.

All of it follows from what these markets hold: what else lies in the same book moves nobody's collateral here, so a fall of it would say nothing.
"""

from collections.abc import Collection

import numpy as np

from chain.errors import InputError
from simulations import scenarios as scenario_files
from simulations.book import Book, BoolArray
from simulations.scenarios import Scenario
from simulations.shocks import PriceShock, factors, find, name_of
from simulations.state import start

USUAL_ASSET = "ETH"
USUAL_FALLS = (0.1, 0.2, 0.3)


def scenarios() -> list[Scenario]:
    """The shipped scenarios, by name."""
    return [scenario_files.get(name) for name in scenario_files.names()]


def main_asset(book: Book, markets: Collection[str]) -> str:
    """ETH where a fall of it moves collateral of these markets (keys), otherwise the largest collateral that they hold, by symbol or, where that is not enough, by key.

    Where they hold none, what the whole book would be asked about. InputError if nobody in it has collateral.
    """
    for posted in (_posted(book, markets), _posted(book, [market.key for market in book.markets])):
        if (_moved(book, USUAL_ASSET) & posted).any():
            return USUAL_ASSET
        if posted.any():
            return name_of(book, _largest(book, posted))
    raise InputError("nobody in this book has collateral; there is nothing that could fall")


def applicable(book: Book, markets: Collection[str], asset: str) -> list[Scenario]:
    """Shipped scenarios that move collateral of these markets and can be run on this book; where there is none, falls of 10, 20 and 30 % of `asset`."""
    posted = _posted(book, markets)
    found = []
    for scenario in scenarios():
        moved = [_moved(book, shock.asset) for shock in scenario.shocks]
        if all(legs.any() for legs in moved) and any((legs & posted).any() for legs in moved):
            found.append(scenario_files.in_book(book, scenario))
    return found or [scenario_files.of_shocks([PriceShock(asset, -fall)]) for fall in USUAL_FALLS]


def largest_fall(book: Book, asset: str) -> Scenario:
    """Of the shipped scenarios that shock one asset alone: the largest fall of this one; a fall of 30 % where none is shipped."""
    meant = find(book, asset)
    alone = [one for one in scenarios() if len(one.shocks) == 1 and meant == _known(book, one.shocks[0].asset)]
    usual = scenario_files.of_shocks([PriceShock(asset, -USUAL_FALLS[-1])])
    return min(alone, key=lambda one: one.shocks[0].change, default=usual)


def _posted(book: Book, markets: Collection[str]) -> BoolArray:
    """bool[legs]: whether it is collateral in one of these markets."""
    asked = np.array([market.key in markets for market in book.markets], dtype=np.bool_)
    has = np.array([stored > 0 for stored in book.leg_supply_stored], dtype=np.bool_)
    return np.asarray(has & book.leg_enabled & np.repeat(asked[book.position_market], np.diff(book.offsets)))


def _moved(book: Book, asset: str) -> BoolArray:
    """bool[legs]: whether the price of what is held or owed there falls when `asset` does; nowhere if nobody can say what that is."""
    halved = np.ones(len(book.assets))
    halved[list(_known(book, asset))] = 0.5
    of_leg = np.array([reserve.asset for reserve in book.reserves], dtype=np.int64)[book.leg_reserve]
    return np.asarray(factors(book, halved)[of_leg] < 1)


def _largest(book: Book, posted: BoolArray) -> str:
    """Key of the asset with the largest value on these legs; the first by key of several."""
    tokens, value = start(book).supply_tokens, dict[str, float]()
    for leg in np.flatnonzero(posted).tolist():
        asset = book.assets[book.reserves[int(book.leg_reserve[leg])].asset]
        value[asset.key] = value.get(asset.key, 0.0) + float(np.nan_to_num(tokens[leg] * asset.price_usd))
    return min(value, key=lambda key: (-value[key], key))


def _known(book: Book, asset: str) -> tuple[int, ...]:
    """What a name means in this book; nothing where it means nothing or several things."""
    try:
        return find(book, asset)
    except InputError:
        return ()
