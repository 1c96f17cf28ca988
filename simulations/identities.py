"""The two identities that every run must satisfy, checked from the state itself after each round.

(a) Tokens: for each asset, what markets, pools, keepers and the outside world hold together never changes; stored claims and debts
change only by what was burnt. Exact, in raw integers.
(b) Value: each holder's change in USD = revaluation (old quantity x price change) + what it received - what it gave - gas. What is
received and given comes from the recorded movements; quantities come from the state. The movements sum to zero over all holders.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from chain.errors import ConservationError
from simulations.book import Book, FloatArray, IntArray
from simulations.ledger import Holder, InstrumentKind, Ledger
from simulations.state import State

TOLERANCE = 1e-9

Instrument = tuple[InstrumentKind, int]
Holding = tuple[Holder, Instrument]


@dataclass(frozen=True)
class Identities:
    """Outcome of the checks of one run, which raises where one fails: `worst_residual_ratio` is the largest unexplained USD change of one
    holder over the book's value. Tokens are counted exactly, so that of them there is nothing to tell."""

    worst_residual_ratio: float


@dataclass(frozen=True)
class Layout:
    """Who can hold what in a book, in one fixed order: `holdings[i]` is (holder, instrument), with their numbers in two arrays.

    `legs_of` are the legs of each reserve, over all positions.
    """

    book: Book
    legs_of: tuple[tuple[int, ...], ...]
    holdings: tuple[Holding, ...]
    index: dict[Holding, int]
    holders: tuple[Holder, ...]
    instruments: tuple[Instrument, ...]
    holder_of: IntArray
    instrument_of: IntArray


@dataclass(frozen=True)
class Moment:
    """Quantities in the order of a layout (raw integers, debts and liabilities negative; the same in floats), prices and gas spent, at one moment."""

    quantities: list[int]
    amounts: FloatArray
    market_usd: FloatArray
    gas_usd: float


def layout(book: Book) -> Layout:
    """The order in which `moment` lists a state's quantities; both walk the state in the same way."""
    found: list[Holding] = []
    for number in range(book.size):
        for leg in book.legs(number):
            slot = int(book.leg_reserve[leg])
            found += [(("position", number), ("supply", slot)), (("position", number), ("debt", slot))]
    for slot, reserve in enumerate(book.reserves):
        market: Holder = ("market", reserve.market)
        found += [
            (market, ("token", reserve.asset)),
            (market, ("supply", slot)),
            (market, ("debt", slot)),
            (("treasury", reserve.market), ("supply", slot)),
        ]
    for number, pool in enumerate(book.pools):
        found += [(("pool", number), ("token", pool.asset0)), (("pool", number), ("token", pool.asset1))]
    for asset in range(len(book.assets)):
        found += [(("keeper", 0), ("token", asset)), (("world", 0), ("token", asset))]
    holders, instruments = sorted({holder for holder, _ in found}), sorted({instrument for _, instrument in found})
    holder_number, instrument_number = (
        {item: number for number, item in enumerate(items)} for items in (holders, instruments)
    )
    slots = book.leg_reserve.tolist()
    return Layout(
        book,
        tuple(tuple(leg for leg, one in enumerate(slots) if one == slot) for slot in range(len(book.reserves))),
        tuple(found),
        {holding: number for number, holding in enumerate(found)},
        tuple(holders),
        tuple(instruments),
        np.array([holder_number[holder] for holder, _ in found], dtype=np.int64),
        np.array([instrument_number[instrument] for _, instrument in found], dtype=np.int64),
    )


def moment(order: Layout, state: State, last: Moment | None = None) -> Moment:
    """Read every quantity from the state, in the order of the layout; floats of what is as it was at an earlier moment are taken from there."""
    quantities = [0] * (2 * len(state.supply))
    quantities[::2] = state.supply
    quantities[1::2] = [-debt for debt in state.debt]
    for slot, legs in enumerate(order.legs_of):
        supplied, owed = sum(state.supply[leg] for leg in legs), sum(state.debt[leg] for leg in legs)
        quantities += (state.held[slot], -supplied - state.treasury[slot], owed, state.treasury[slot])
    for pair in zip(state.pool0, state.pool1, strict=True):
        quantities += pair
    for pair in zip(state.keeper, state.world, strict=True):
        quantities += pair
    if last is None:
        amounts = np.array(quantities, dtype=np.float64)
    else:
        amounts = last.amounts.copy()
        for place in _changed(last.quantities, quantities):
            amounts[place] = quantities[place]
    return Moment(quantities, amounts, state.market_usd.copy(), state.gas_usd)


def _changed(was: list[int], now: list[int]) -> list[int]:
    """Places at which two lists of quantities differ."""
    return [place for place, (old, new) in enumerate(zip(was, now, strict=True)) if old != new]


def check(order: Layout, before: Moment, after: Moment, ledger: Ledger) -> float:
    """Check both identities over the ledger's present round; returns the largest residual of (b) over the value of the book.

    Raises
    ------
    ConservationError
        If a token or claim appeared or vanished, movements do not sum to zero, or a holder's change in value is not explained.
    """
    moved: dict[Holding, int] = defaultdict(int)
    for movement in ledger.this_round():
        instrument: Instrument = (movement.kind, movement.number)
        moved[movement.source, instrument] -= movement.amount
        moved[movement.target, instrument] += movement.amount
    _check_quantities(order, before, after, moved)
    return _check_values(order, before, after, moved, ledger.gas_usd.get(ledger.round, 0.0))


def _check_quantities(order: Layout, before: Moment, after: Moment, moved: dict[Holding, int]) -> None:
    appeared: dict[Instrument, int] = defaultdict(int)
    for place in _changed(before.quantities, after.quantities):
        holder, instrument = order.holdings[place]
        if instrument[0] == "token" or holder[0] != "market":
            appeared[instrument] += after.quantities[place] - before.quantities[place]
    for (holder, instrument), amount in moved.items():
        if instrument[0] != "token" and holder[0] == "market":
            appeared[instrument] += amount
    for (kind, number), amount in appeared.items():
        if amount:
            asset = order.book.assets[number if kind == "token" else order.book.reserves[number].asset]
            raise ConservationError(
                f"{kind} {asset.symbol}: {amount} units appeared from nowhere; this is a fault of aftershock, please report it"
            )


def _check_values(order: Layout, before: Moment, after: Moment, moved: dict[Holding, int], gas_usd: float) -> float:
    old, new = (_worth(order, moment.market_usd)[order.instrument_of] for moment in (before, after))
    was, now = before.amounts, after.amounts
    received = np.zeros(len(was))
    for holding, amount in moved.items():
        received[order.index[holding]] = amount
    received *= new
    residual = np.bincount(
        order.holder_of, weights=now * new - was * old - was * (new - old) - received, minlength=len(order.holders)
    )
    residual[order.holders.index(("keeper", 0))] += gas_usd - (after.gas_usd - before.gas_usd)
    value = max(float(np.abs(was * old).sum()), 1.0)
    worst = int(np.abs(residual).argmax())
    if not abs(residual[worst]) <= TOLERANCE * value or not abs(received.sum()) <= TOLERANCE * value:
        kind, number = order.holders[worst]
        raise ConservationError(
            f"the change in value of {kind} {number} leaves {residual[worst]:.6g} USD unexplained; this is a fault of aftershock, please report it"
        )
    return float(abs(residual[worst]) / value)


def _worth(order: Layout, prices: FloatArray) -> FloatArray:
    """USD per raw unit of every instrument; claims and debts at face value, unknown prices count as zero."""
    book = order.book
    per_unit = [
        float(price) / 10**asset.decimals for price, asset in zip(np.nan_to_num(prices), book.assets, strict=True)
    ]
    worths = []
    for kind, number in order.instruments:
        if kind == "token":
            worths.append(per_unit[number])
            continue
        reserve = book.reserves[number]
        index = (
            reserve.supply_index / reserve.supply_unit if kind == "supply" else reserve.debt_index / reserve.debt_unit
        )
        worths.append(index * per_unit[reserve.asset])
    return np.array(worths)
