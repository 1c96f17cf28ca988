"""The cascade as a waterfall: what each round adds, direct dark and indirect light, and the total. Bad debt is orange, sales are blue."""

import math
from collections.abc import Sequence

from reports.amounts import THIN, adding_up, decimals_for, fixed, sentence, ticks
from reports.cascades import Cascade, Step
from reports.charts.svg import Plane, bar, frame, line, text, width_of
from reports.record import Assessment

_MOST_ROWS = 8
_LINE, _BAR = 29.0, 20.0  # px from row to row, height of a bar


def rows_of(cascade: Cascade) -> list[tuple[str, float, float, str]]:
    """(label, part in units of `cascade.money` as printed, liquidated in USD, price change) of each row; late rounds are taken together.

    Printed parts add up to the printed total: they are rounded together.
    """
    steps = cascade.steps
    cut = len(steps) if len(steps) <= _MOST_ROWS else _MOST_ROWS - 1
    groups = [[step] for step in steps[:cut]] + ([list(steps[cut:])] if cut < len(steps) else [])
    printed = adding_up(
        [math.fsum(map(cascade.of_step, group)) / cascade.money.usd for group in groups], decimals_of(cascade)
    )
    return [
        (
            _named(cascade, group),
            part,
            math.fsum(step.liquidated_usd for step in group),
            f"{fixed(100 * group[-1].price_change_ratio, 1)}{THIN}%"
            if math.isfinite(group[-1].price_change_ratio)
            else "",
        )
        for group, part in zip(groups, printed, strict=True)
    ]


def _named(cascade: Cascade, group: Sequence[Step]) -> str:
    """Which rounds these are. The round that finds nobody to liquidate is none of those that a run counts; where what it revalues has a row of its own, that is the aftermath."""
    if group[0].number > max(cascade.scenario.rounds, 1):
        return "Aftermath"
    return f"Round {group[0].number}" if len(group) == 1 else f"Rounds {group[0].number}–{group[-1].number}"


def decimals_of(cascade: Cascade) -> int:
    """One fixed number of decimals for the whole chart, by its total: at least one, so that late rounds do not vanish; none of a hundred single dollars or more."""
    total = cascade.total_usd / cascade.money.usd
    if cascade.money.usd == 1 and total >= 100:
        return 0
    return 3 if total < 0.1 else max(1, decimals_for(total))


def measure_of(cascade: Cascade) -> str:
    """What the bars are."""
    return "bad debt" if cascade.by_bad_debt else "collateral liquidated"


def cascade(assessment: Assessment, narrow: bool = False) -> str:
    """Bad debt by round, or collateral liquidated where no bad debt is left."""
    record = assessment.cascade
    rounds, decimals, what = rows_of(record), decimals_of(record), measure_of(record)
    levels = [0.0]
    for _, part, _, _ in rounds:
        levels.append(round(levels[-1] + part, decimals))
    total, largest = levels[-1], max(levels) or 1.0
    size = 12 if narrow else 13
    width, top = (340.0, 8.0) if narrow else (700.0, 40.0)
    left, right = (96.0, 66.0) if narrow else (124.0, 268.0)
    height = _LINE * (len(rounds) + 1)
    plane = Plane(left, top, width - left - right, height, 1.04 * largest, 1)
    first, later = ("h900", "h500") if record.by_bad_debt else ("s900", "s400")
    body = _axis(plane, f"{what}, {record.money.heading}", largest, narrow)
    for number, (label, part, _, _) in enumerate(rounds):
        y = top + _LINE * number + (_LINE - _BAR) / 2
        low, high = sorted((levels[number], levels[number + 1]))
        role = first if number == 0 else later if part >= 0 else "ink3"
        body.append(line([(plane.x(levels[number + 1]), y + _BAR), (plane.x(levels[number + 1]), y + _LINE)], "ink3"))
        body.append(bar(plane.x(low), y, max(plane.x(high) - plane.x(low), 0.8), _BAR, role))
        body += _row_text(plane, y, label, fixed(part, decimals), high, size)
        body += _kind(plane, y, number, fixed(part, decimals), high, first[0], narrow)
    y = top + _LINE * len(rounds) + (_LINE - _BAR) / 2
    body.append(bar(left, y, plane.x(total) - left, _BAR, "ink2"))
    body += _row_text(plane, y, "Bad debt" if record.by_bad_debt else "Liquidated", fixed(total, decimals), total, size)
    if not narrow:
        body += _columns(record, rounds, top, width)
    label = (
        f"{sentence(what)} by round, {record.money.heading}: {', '.join(fixed(part, decimals) for _, part, _, _ in rounds)}; "
        f"total {fixed(total, decimals)}; scenario {record.scenario.title}"
    )
    return frame(body, "cascade", label, (width, top + height + 42), narrow)


def _axis(plane: Plane, what: str, largest: float, narrow: bool) -> list[str]:
    size, foot = 11.5 if narrow else 12, plane.top + plane.height
    values = [tick for tick in ticks(largest, 4 if narrow else 5) if tick <= 1.04 * largest]
    drawn = [line([(plane.x(tick), plane.top), (plane.x(tick), foot)], "rule") for tick in values]
    drawn += [text(plane.x(tick), foot + 16, f"{tick:,g}", anchor="middle", role="ink2", size=size) for tick in values]
    drawn.append(text(plane.left + plane.width / 2, foot + 35, what, anchor="middle", role="ink2", size=size))
    return drawn


def _row_text(plane: Plane, y: float, label: str, amount: str, end: float, size: float) -> list[str]:
    return [
        text(plane.left - 8, y + 14.5, label, anchor="end", size=size),
        text(plane.x(end) + 6, y + 14.5, amount, bold=True, size=size - 0.5),
    ]


def _kind(plane: Plane, y: float, number: int, amount: str, end: float, hue: str, narrow: bool) -> list[str]:
    """Direct and indirect, written beside the first bar of each kind where there is room."""
    words = {0: ("direct: the shock itself", "direct", "900"), 1: ("indirect: forced sales", "indirect", "700")}
    if number not in words:
        return []
    wide, short, shade = words[number]
    size = 11.5 if narrow else 12
    x = plane.x(end) + 12 + width_of(amount, 12.5)
    room = plane.left + plane.width + (62 if narrow else 60) - x
    said = next((one for one in (wide, short) if width_of(one, size) < room), "")
    return [text(x, y + 14.5, said, role=hue + shade, size=size)] if said else []


def _columns(record: Cascade, rounds: list[tuple[str, float, float, str]], top: float, width: float) -> list[str]:
    """Two columns of numbers beside the bars: what was liquidated, and the leading price after the round."""
    decimals = decimals_for(max(liquidated for _, _, liquidated, _ in rounds) / record.money.usd)
    ends = (width - 134, width - 4)
    heads = (("liquidated,", record.money.heading), (f"{record.leading_symbol} market price", "after the round"))
    drawn = [
        text(end, top - 22 + 14 * number, word, anchor="end", role="ink2", size=12)
        for end, words in zip(ends, heads, strict=True)
        for number, word in enumerate(words)
    ]
    for number, (_, _, liquidated, price) in enumerate(rounds):
        y = top + _LINE * number + (_LINE - _BAR) / 2 + 14.5
        drawn.append(text(ends[0], y, fixed(liquidated / record.money.usd, decimals), anchor="end", role="ink2"))
        drawn.append(text(ends[1], y, price, anchor="end", role="ink2"))
    return drawn
