"""How likely: what volatility is forecast for the assets behind the market, by which model, and the tail of bad debt that follows."""

from collections.abc import Callable

from reports.amounts import change, count, fixed, listing, money, money_for, percent, unbroken
from reports.outlook import Answer, Outlook
from reports.page import Block, Cell, Column, Table
from reports.record import Assessment
from reports.sections.parts import source

YARDSTICK = (
    "**How good is it?** QLIKE is the usual loss of a volatility forecast, log-HAR the usual yardstick, fitted an asset at a time. The figure is that of the "
    "model’s own card, measured by those who trained it, on their prices: it does not say how good this forecast is."
)
TAIL = (
    "**VaR 95\u202f%** is what bad debt stays below in nineteen of twenty draws; **ES 95\u202f%** is the mean of the worst twentieth. Below each its "
    "range, which holds with 95\u202f% confidence over the draws: sampling error only."
)
LAWS = "**Constant volatility** takes each asset’s mean over all known prices, so that a calm week and a stressed one look alike; correlations and tails are the same."


def moves(assessment: Assessment, part: Outlook, number: int) -> Block:
    first = part.moves[0]
    table = Table(
        "moves",
        (
            Column("asset", "name"),
            Column("deviation|%", "number"),
            Column("low|%", "number"),
            Column("high|%", "number"),
            Column("model"),
        ),
        tuple(
            (
                Cell(one.asset),
                Cell(fixed(100 * one.deviation_ratio, 1)),
                Cell(_signed(one.low_ratio)),
                Cell(_signed(one.high_ratio)),
                Cell(one.model),
            )
            for one in part.moves
        ),
    )
    return Block(
        label=f"Table {number}",
        title=unbroken(
            f"{first.asset} is expected to move most: nine in ten between {change(first.low_ratio)} and {change(first.high_ratio)} in {_span(part)}"
        ),
        subtitle=f"Forecasts for {_span(part)} from {_instant(part)}, from {part.prices}, by {f'the models in {part.models}' if part.models else 'the models that ship'}; of the {count(len(part.moves), 'asset')} whose price moves something here. One in twenty falls further than low, one in twenty rises beyond high",
        source=source(
            assessment,
            *(skill(one) for one in part.answers),
            *map(_stated, part.notes_on_forecasts),
        ),
        tables=(table,),
        aside=(*([f"**Two dates.** {part.apart}."] if part.apart else []), YARDSTICK),
    )


def skill(one: Answer) -> str:
    """Who answered and by how much it beat the yardstick, or lost to it, in one sentence."""
    who = f"{count(one.forecasts, 'forecast is', 'forecasts are')} by {one.model}"
    if one.qlike_to_log_har is None:
        return f"{who}; its card has no score."
    by = f"{abs(100 * (1 - one.qlike_to_log_har)):.1f}\u202f% {'less' if one.qlike_to_log_har < 1 else 'more'}"
    return f"{who}; its loss (QLIKE) was {one.qlike_to_log_har:.3f} of log-HAR’s, {by}, on {one.measured_on}, by its own card."


def finding(part: Outlook) -> str:
    """What bad debt stays below in nineteen of twenty draws, under the forecast and under constant volatility."""
    ours, flat = (one.var_95_usd for one in part.tails)
    if ours is None or flat is None:
        return unbroken(f"{count(part.draws, 'draw')}: too few to say what bad debt stays below in nineteen of twenty")
    said = (
        f"bad debt within {_span(part)} stays below {money(ours)}"
        if ours
        else f"there is no bad debt within {_span(part)}"
    )
    other = f"below {money(flat)}" if flat else "none" if ours else "none either"
    return unbroken(f"In nineteen of twenty draws {said}; under constant volatility {other}")


def tails(assessment: Assessment, part: Outlook, number: int) -> Block:
    told = [usd for one in part.tails for usd in (one.mean_usd, one.es_95_usd, one.es_99_usd) if usd is not None]
    write = money_for(max(told))
    has_99 = all(one.var_99_usd is not None for one in part.tails)
    deep = ("VaR 99\u202f%", "ES 99\u202f%") if has_99 else ()
    table = Table(
        "tails",
        (
            Column("law of shocks", "name"),
            Column(f"mean|{write.heading}", "number", optional=True),
            *(Column(f"{name}|{write.heading}", "number") for name in ("VaR 95\u202f%", "ES 95\u202f%")),
            *(Column(f"{name}|{write.heading}", "number", optional=True) for name in deep),
            Column("draws with|bad debt, %", "number"),
        ),
        tuple(
            (
                Cell(one.law),
                Cell(_amount(one.mean_usd, write.column)),
                Cell(
                    _amount(one.var_95_usd, write.column),
                    note=_between(one.var_95_low_usd, one.var_95_high_usd, write.column),
                ),
                Cell(
                    _amount(one.es_95_usd, write.column),
                    note=_between(one.es_95_low_usd, one.es_95_high_usd, write.column),
                ),
                *(Cell(_amount(usd, write.column)) for usd in (one.var_99_usd, one.es_99_usd) if has_99),
                Cell(fixed(100 * one.hit_ratio, 1)),
            )
            for one in part.tails
        ),
    )
    return Block(
        label=f"Table {number}",
        title=finding(part),
        subtitle=f"This market’s bad debt over {part.draws:,} joint draws of {listing(part.shocked)}, one cascade each, run to calm; shocks from {part.prices}; seed {part.seed}",
        source=source(
            assessment,
            f"Correlations of the ninety days before, Student t with {part.freedom:.1f} degrees of freedom.",
            *map(_stated, part.notes),
        ),
        tables=(table,),
        aside=(TAIL, LAWS),
    )


def what_has_a_range(assessment: Assessment) -> str:
    """What to say of ranges beside figures of scenarios, none of which has one."""
    return (
        "figures carry no range"
        if assessment.outlook is None
        else "these figures carry no range; the outlook has one for bad debt under drawn shocks"
    )


def left_open(part: Outlook) -> str:
    """What a forecast leaves open, for the list of limits."""
    hit = percent(part.tails[0].hit_ratio)
    return f"How likely each scenario is: the draws have shocks of their own, {hit} of them leave bad debt, and they rate no scenario."


def _stated(note: str) -> str:
    """A note as the terminal writes it: it may begin with a name."""
    return f"Note: {note.rstrip('.')}."


def _signed(ratio: float) -> str:
    text = fixed(100 * ratio, 1)
    return text if ratio < 0 else f"+{text}"


def _amount(usd: float | None, column: Callable[[float], str]) -> str:
    if usd is None:
        return "not told"
    return column(usd) if usd else "0"


def _between(low_usd: float | None, high_usd: float | None, column: Callable[[float], str]) -> str:
    if low_usd is None or high_usd is None:
        return ""
    return f"{_amount(low_usd, column)}\u2013{_amount(high_usd, column)}"


def _span(part: Outlook) -> str:
    days, hours = divmod(part.horizon_hours, 24)
    return count(days, "day") if days and not hours else count(part.horizon_hours, "hour")


def _instant(part: Outlook) -> str:
    return part.as_of.replace("T", " ").removesuffix("Z").removesuffix(":00") + " UTC"
