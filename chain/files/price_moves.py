"""Checks of what prices do: jumps, spikes, redenominations, splices, rows in other units, and closes that stand still.

A move counts when it is beyond LEAST and BEYOND times what its own series usually does (longer steps are allowed more, by the square root of
time), and when the other series of the file do not move with it: a crash of the whole market is no fault of a file. What it is then depends on
whether it comes back, how near its factor is to a power of ten, and whether it follows a gap. A jump alone may be true: FTT fell so.
"""

import numpy as np

from chain.files.file_findings import Noted, Severity
from chain.files.price_panel import BoolArray, FloatArray, IntArray, Panel, span, when

LEAST, BEYOND = 0.25, 25.0
MOST_PATIENCE = 10.0
"""A gap allows at most so many times the move of one step."""
TOGETHER_SIGMAS, TOGETHER_SHARE, TOGETHER_LEAST = 5.0, 0.2, 3
BACK_SHARE, BACK_S = 0.25, 2 * 86_400.0
"""A spike is back when less than this share of it is left, within two days (or two rows, where rows are rarer)."""
NEAR_TEN = np.log(1.15)
TWENTYFOLD, AFTER_GAP = np.log(20), np.log(3)
SLIP_TENS = 2
RARE, LEAST_RUN = 1e-6, 6


def moves(noted: Noted, panel: Panel) -> None:
    """Note what moved too far."""
    usual, step = panel.usual_move[panel.code], panel.usual_s[panel.code]
    with np.errstate(invalid="ignore", divide="ignore"):
        patience = np.clip(np.sqrt(panel.step_s / step), 1.0, MOST_PATIENCE)
        far = np.abs(panel.move) > np.maximum(LEAST, BEYOND * usual) * patience
        far |= np.abs(panel.move) > TWENTYFOLD
    places = np.flatnonzero(far & ~(_together(panel) & (np.abs(panel.move) < TWENTYFOLD)))
    slips = _slips(panel, places)
    for start, end in slips.items():
        _slip(noted, panel, start, end)
    inside = {place for start, end in slips.items() for place in range(start, end + 2)}  # with the move back
    jumps: dict[int, list[int]] = {}
    skip_until = -1
    for place in places:
        if place in inside or place < skip_until:
            continue
        back = _back(panel, int(place))
        if back is not None:
            skip_until = back + 1
            _spike(noted, panel, int(place), back)
        elif not _level(noted, panel, int(place)):
            jumps.setdefault(int(panel.code[place]), []).append(int(place))
    for found in jumps.values():
        first = max(found, key=lambda place: abs(panel.move[place]))
        sentence = f"moves {_percent(panel.move[first])} in {span(panel.step_s[first])} at {when(panel.time_s[first])}, alone and without coming back"
        many = f"; {len(found)} such moves, this is the largest" if len(found) > 1 else ""
        _at(noted, "warning", "jump", panel, first, sentence + many, rows=len(found))


def frozen(noted: Noted, panel: Panel) -> None:
    """Note closes that stand still: runs so long that fewer than RARE of them were expected if every close repeated the last one as often as
    closes of this series do outside its longest run."""
    changed = np.ones(len(panel.close), dtype=np.bool_)
    changed[1:] = (panel.code[1:] != panel.code[:-1]) | (panel.close[1:] != panel.close[:-1])
    starts = np.flatnonzero(changed)
    lengths = np.diff(np.append(starts, len(panel.close)))
    for code in range(len(panel.symbols)):
        mine = slice(*np.searchsorted(panel.code[starts], [code, code + 1]).tolist())
        found, count = lengths[mine], int(lengths[mine].sum())
        longest = int(found.max())
        others = count - longest
        share = max(1 - (len(found) - 1) / others, 1 / count) if others > 0 else 1 / count
        expected = count * share ** (found - 1.0)
        rare = np.flatnonzero((expected < RARE) & (found >= LEAST_RUN))
        if len(rare):
            most = rare[np.argmax(found[rare])]
            place, end = int(starts[mine][most]), int(starts[mine][most] + found[most] - 1)
            sentence = (
                f"stands still from {when(panel.time_s[place])} to {when(panel.time_s[end])}, {longest} equal closes"
            )
            many = f"; {len(rare)} such runs, this is the longest" if len(rare) > 1 else ""
            rows = int(found[rare].sum())
            _at(
                noted,
                "warning",
                "frozen",
                panel,
                place,
                f"{sentence}{many}; elsewhere {share:.1%} of its closes repeat the last",
                rows=rows,
            )


def _together(panel: Panel) -> BoolArray:
    """Whether a row's move is one of many of the same direction at about the same time."""
    usual = float(np.nanmedian(panel.usual_s)) if np.isfinite(panel.usual_s).any() else 1.0
    bucket = np.floor(panel.time_s / max(usual, 1.0)).astype(np.int64)
    with np.errstate(invalid="ignore"):
        large = np.abs(panel.move) > TOGETHER_SIGMAS * panel.usual_move[panel.code]
    signs = np.nan_to_num(np.sign(panel.move)).astype(np.int64)
    bucket -= bucket.min() if len(bucket) else 0
    there = np.bincount(bucket)
    result = np.zeros(len(bucket), dtype=np.bool_)
    for sign in (-1, 1):
        mine = large & (signs == sign)
        many = np.bincount(bucket[mine], minlength=len(there))
        enough = (many >= TOGETHER_LEAST) & (many >= TOGETHER_SHARE * there)
        result |= mine & enough[bucket]
    return result


def _back(panel: Panel, place: int) -> int | None:
    """The row at which the price is back where it was before, None if it is not soon."""
    end = panel.of(int(panel.code[place])).stop
    last = np.searchsorted(panel.time_s[place:end], panel.time_s[place] + BACK_S, side="right") + place
    ahead = slice(place + 1, min(max(int(last), place + 3), end))
    left = np.abs(np.log(panel.close[ahead]) - np.log(panel.close[place - 1]))
    near = np.flatnonzero(left < BACK_SHARE * abs(panel.move[place]))
    return place + 1 + int(near[0]) if len(near) else None


def _slips(panel: Panel, places: IntArray) -> dict[int, int]:
    """First and last row of blocks that begin and end with opposite moves near the same power of ten, a hundred or more."""
    tens = np.rint(panel.move[places] / np.log(10)).astype(int)
    near = np.abs(panel.move[places] - tens * np.log(10)) < NEAR_TEN
    open_at: dict[tuple[int, int], int] = {}
    found = {}
    for place, ten, is_near in zip(places.tolist(), tens.tolist(), near.tolist(), strict=True):
        if not is_near or abs(ten) < SLIP_TENS:
            continue
        code = int(panel.code[place])
        if (code, -ten) in open_at:
            found[open_at.pop((code, -ten))] = place - 1
        else:
            open_at[code, ten] = place
    return found


def _slip(noted: Noted, panel: Panel, start: int, end: int) -> None:
    tens = round(panel.move[start] / np.log(10))
    sentence = f"is 10^{tens} of the rows before and after, until {when(panel.time_s[end])}: other units"
    _at(noted, "error", "unit_slip", panel, start, sentence, rows=end - start + 1)


def _spike(noted: Noted, panel: Panel, place: int, back: int) -> None:
    sentence = f"moves {_percent(panel.move[place])} at {when(panel.time_s[place])} and is back {span(panel.time_s[back] - panel.time_s[place])} later"
    _at(noted, "warning", "spike", panel, place, f"{sentence}, alone", rows=back - place)


def _level(noted: Noted, panel: Panel, place: int) -> bool:
    """Note a new level; whether it was one."""
    move, tens = panel.move[place], round(panel.move[place] / np.log(10))
    factor = f"{np.exp(abs(move)):,.4g}"
    before = f"cut the series before {when(panel.time_s[place])}"
    is_gap = bool(panel.is_gap[place])
    way = "up" if move > 0 else "down"
    if tens and abs(move - tens * np.log(10)) < NEAR_TEN and not is_gap:
        sentence = f"goes {way} {factor}-fold at {when(panel.time_s[place])} and stays: redenominated, or another coin; {before}"
        _at(noted, "error", "redenomination", panel, place, sentence)
    elif abs(move) > TWENTYFOLD or (is_gap and abs(move) > AFTER_GAP):
        since = f" after {span(panel.step_s[place])} without rows" if is_gap else ""
        start = when(panel.time_s[place - 1])
        sentence = f"goes {way} {factor}-fold at {when(panel.time_s[place])}{since} and stays: two series under one name; cut it after {start}"
        _at(noted, "error", "splice", panel, place, sentence)
    else:
        return False
    return True


def _percent(move: FloatArray | float) -> str:
    change = float(np.expm1(move))
    return f"{change:+.0%}" if change < 10 else f"{1 + change:,.4g}-fold"


def _at(noted: Noted, severity: Severity, kind: str, panel: Panel, place: int, sentence: str, rows: int = 1) -> None:
    value = f"{panel.close[place]:.10g}"
    noted.note(severity, kind, sentence, column="close", value=value, rows=rows, **panel.at(place))
