"""Two price files side by side: are the prices of a symbol the same, and at the same instant?

Both are read on the coarser of their grids, each price being the last one known. If their moves agree best when one file is set off by a bar or
more, one of them is stamped at the other end of its bars, or in another time zone.
"""

import numpy as np

from chain.errors import many
from chain.files.file_findings import Noted
from chain.files.price_panel import MISSING, FloatArray, Panel, span, when

MOST_LAG, LEAST_POINTS = 3, 50
LEAST_AGREEMENT, LEAST_GAIN = 0.6, 0.2
MOST_DIFFERENCE = 0.02
SAME_SHARE = 0.99


def compare(noted: Noted, rows: Panel, other_file: str, other: Panel) -> None:
    """Note, for symbols that both files have, prices that are set off or differ."""
    theirs = {name: code for code, name in enumerate(other.symbols)}
    same: list[tuple[str, int, int]] = []
    off: dict[int, list[tuple[str, int, FloatArray]]] = {}
    for code, name in enumerate(rows.symbols):
        if name not in theirs:
            continue
        mine, their = rows.of(code), other.of(theirs[name])
        step = float(max(rows.usual_s[code], other.usual_s[theirs[name]]))
        first, last = (f(rows.time_s[mine][end], other.time_s[their][end]) for f, end in ((max, 0), (min, -1)))
        if not np.isfinite(step) or (last - first) / step < LEAST_POINTS:
            continue
        grid = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
        a = _known(rows.time_s[mine], rows.close[mine], grid, step)
        b = _known(other.time_s[their], other.close[their], grid, step)
        lag, agreement = _best_lag(np.diff(a), np.diff(b))
        if lag:
            off.setdefault(lag, []).append((name, mine.start, np.array([agreement, step])))
            continue
        differs = np.abs(a - b)
        known = differs[np.isfinite(differs)]
        if len(known) >= LEAST_POINTS and np.mean(known == 0) > SAME_SHARE:
            same.append((name, mine.start, len(known)))
        elif len(known) >= LEAST_POINTS and np.median(known) > MOST_DIFFERENCE:
            at = grid[np.nanargmax(differs)]
            sentence = f"differs from {other_file} by {np.median(known):.1%} in the middle; most at {when(at)}"
            noted.warn(
                "disagrees", sentence, row=int(rows.row[mine.start]), column="close", symbol=name, rows=len(known)
            )
    if same:
        name, start, _ = same[0]
        names = ", ".join(one[0] for one in same[:5])
        sentence = (
            f"{many(len(same), 'symbol')} ({names}) with the very prices of {other_file}: a copy, no second source"
        )
        points = sum(one[2] for one in same)
        noted.warn("copied", sentence, row=int(rows.row[start]), column="close", symbol=name, rows=points)
    for lag, found in off.items():
        name, start, (agreement, step) = found[0]
        way = "later" if lag > 0 else "earlier"
        sentence = (
            f"{len(found)} symbols ({', '.join(one[0] for one in found[:5])}) have the moves of {other_file} {span(abs(lag) * step)} {way} "
            f"(correlation {agreement:.2f}): one of the files is stamped at the other end of its bars, or in another zone"
        )
        noted.error(
            "shifted",
            sentence,
            row=int(rows.row[start]),
            column="timestamp",
            symbol=name,
            value=span(abs(lag) * step),
            rows=len(found),
        )


def _known(time_s: FloatArray, close: FloatArray, grid: FloatArray, step: float) -> FloatArray:
    """Log of the last close known at each instant of the grid, NaN where it is older than a step and a half."""
    place = np.searchsorted(time_s, grid, side="right") - 1
    fresh = (place >= 0) & (grid - time_s[np.maximum(place, 0)] < MISSING * step)
    return np.where(fresh, np.log(close[np.maximum(place, 0)]), np.nan)


def _best_lag(mine: FloatArray, their: FloatArray) -> tuple[int, float]:
    """By how many steps the first lies behind the second, and how well they then agree; 0 unless that is clearly better."""
    found = {
        lag: _correlation(mine[max(lag, 0) : len(mine) + min(lag, 0)], their[max(-lag, 0) : len(their) - max(lag, 0)])
        for lag in range(-MOST_LAG, MOST_LAG + 1)
    }
    best = max(found, key=lambda lag: found[lag])
    is_clear = found[best] > LEAST_AGREEMENT and found[best] > found[0] + LEAST_GAIN
    return (best, found[best]) if is_clear else (0, found[0])


def _correlation(one: FloatArray, other: FloatArray) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < LEAST_POINTS or one[both].std() == 0 or other[both].std() == 0:
        return 0.0
    return float(np.corrcoef(one[both], other[both])[0, 1])
