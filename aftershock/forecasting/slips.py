"""Moves of prices that markets hardly make: those that come back alone, those that stay, and those that all assets make where two files meet.

None of them is changed: what a price was nobody knows but who brought it. What is changed, a change of unit, has a note of its own (`models.panel.joined_forward`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.files import price_panel
from chain.files.file_findings import Noted
from chain.files.price_moves import moves
from chain.files.price_panel import when
from models.panel import JUMP_OF_BARS, JUMP_OF_CLOSES, FloatArray, IntArray, Panel

BACK, STAYS = ("spike", "unit_slip"), ("redenomination", "splice", "jump")
TWOFOLD = np.log(2.0)
"""A move that stays is told from this factor on, either way: a lesser one is what tokens do in a bad hour."""
BEYOND, LEAST = 10.0, np.log(1.02)
"""At a seam: so many times the usual move of the hours between, and at least so much; as far as exchanges lie apart, see `aftershock.forecasting.hourly_prices.APART`."""
ALIKE = 0.2
"""How far the move of one asset at a seam may be from the middle one, as a share of that: a crash does not take all assets alike, a currency does."""


@dataclass(frozen=True)
class Slip:
    """One of them: the end of the bar (Unix seconds), whether the move came back, stayed, or stands at a seam, and the sentence without what to do."""

    end_s: int
    kind: str
    sentence: str


def slips_of(name: str, panel: Panel, joined: Panel) -> tuple[Slip, ...]:
    """What `aftershock check` finds in the moves of closes: those that come back as the file has them, those that stay as they are looked back on, where changes of unit are taken out."""
    as_written = _moved(panel)
    looked_back_on = as_written if np.array_equal(panel.close, joined.close, equal_nan=True) else _moved(joined)
    back = [Slip(end_s, "back", f"{name}: {text}") for end_s, kind, text in as_written if kind in BACK]
    stays = [Slip(end_s, "stays", f"{name}: {text}") for end_s, kind, text in looked_back_on if kind in STAYS]
    return (*back, *stays)


def _moved(panel: Panel) -> list[tuple[int, str, str]]:
    """End of bar, kind and sentence of each finding; of moves that stay only those that double or halve a price at least."""
    code, rows = np.nonzero(np.isfinite(panel.close.T))
    time_s, closes = panel.end_s[rows].astype(np.float64), panel.close[rows, code]
    series = price_panel.in_order(list(panel.assets), code, time_s, closes, rows, rows)
    noted = Noted("")
    moves(noted, series)
    move = np.full(panel.close.shape, np.nan)
    move[rows, code] = series.move
    found = []
    for one in noted.found:
        assert one.row is not None and one.symbol is not None  # `moves` names both
        by, end_s = float(move[one.row, panel.assets.index(one.symbol)]), int(panel.end_s[one.row])
        text = f"{one.symbol} {one.sentence}"
        if one.kind in STAYS:
            way = "up" if by > 0 else "down"
            text = f"{one.symbol} goes {way} {np.exp(abs(by)):,.4g}-fold at {when(end_s)} UTC, alone, and stays there"
        if one.kind not in STAYS or abs(by) > TWOFOLD:
            found.append((end_s, one.kind, text))
    return found


def slip_at_seam(late: tuple[str, Panel], early: tuple[str, Panel]) -> tuple[Slip, ...]:
    """Whether all assets that stop in one file before they begin in the other move alike in between, and far: another currency or unit. Each panel has its file's name."""
    (name, panel), (other, earlier) = late, early
    both = [asset for asset in panel.assets if asset in earlier.assets]
    each = {asset: _at_seam(panel.select([asset]), earlier.select([asset])) for asset in both}
    moved = {asset: found for asset, found in each.items() if found is not None}
    if not moved:
        return ()
    end_s, jumps, usual = (np.array(column) for column in zip(*moved.values(), strict=True))
    middle = float(np.median(jumps))
    is_alike = (np.abs(jumps - middle) < ALIKE * abs(middle)).all()
    if not is_alike or not (np.abs(jumps) > np.maximum(LEAST, BEYOND * usual)).all():
        return ()
    whose = f"{next(iter(moved))} moves" if len(moved) == 1 else f"all {len(moved)} assets that both have move alike"
    sentence = (
        f"where {other} ends and {name} begins, {when(int(end_s.min()))} UTC, {whose}, by a factor of {np.exp(middle):.4g}, "
        f"{float(np.median(np.abs(jumps) / usual)):,.0f} times what is usual in such a time"
    )
    return (Slip(int(end_s.min()), "seam", sentence),)


def _at_seam(panel: Panel, earlier: Panel) -> tuple[int, float, float] | None:
    """Of one asset: end of the first bar after the seam, log move across it, and what is usual in as many hours; None if the files overlap or the move is taken for a change of unit."""
    now, before = (np.flatnonzero(np.isfinite(one.close[:, 0])) for one in (panel, earlier))
    if len(now) < 2 or len(before) < 2 or earlier.end_s[before[-1]] >= panel.end_s[now[0]]:
        return None
    opened, closed = panel.open[now[0], 0], panel.close[now[0], 0]
    last = earlier.close[before[-1], 0]
    jump = float(np.log((opened if np.isfinite(opened) else closed) / last))
    if abs(jump) > (JUMP_OF_BARS if np.isfinite(opened) else JUMP_OF_CLOSES):
        return None
    hours = (panel.end_s[now[0]] - earlier.end_s[before[-1]]) / panel.bar_s
    return int(panel.end_s[now[0]]), jump, max(_usual(panel, earlier) * float(np.sqrt(hours)), 1e-12)


def _usual(*panels: Panel) -> float:
    """The deviation of a bar of one asset as its middle move has it."""
    each: list[FloatArray] = [one.log_returns()[:, 0] for one in panels]
    return 1.4826 * float(np.nanmedian(np.abs(np.concatenate(each))))


WHAT_TO_DO = {
    "back": "if it is no price that was paid, take the bar out: it changes the forecasts of all assets",
    "stays": "it is taken for a move and not for a change of unit, and changes the forecasts of all assets: if prices are in another unit from there on, or of another coin, put them into one unit or cut the series there",
    "seam": "it is taken for a move: if the files are in two currencies or units, put them into one, or leave --history out",
}


def told_of_slips(slips: Sequence[Slip], from_s: int, instants: IntArray) -> tuple[str, ...]:
    """A sentence for each kind, on the first of those that lie after `from_s` and are known by the last instant."""
    told = []
    for kind, do in WHAT_TO_DO.items():
        found = [one for one in slips if one.kind == kind and from_s < one.end_s <= int(instants[-1])]
        more = f" (and {len(found) - 1:,} more such place{'s' if len(found) > 2 else ''}; aftershock check lists them)"
        told += [f"{one.sentence}{more if len(found) > 1 else ''}; {do}" for one in found[:1]]
    return tuple(told)
