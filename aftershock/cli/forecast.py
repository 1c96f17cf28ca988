"""`aftershock forecast`: volatility of the next hour, day or week for every symbol of a price file, or of the embedded sample."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

import aftershock
from aftershock.cli.options import (
    AsJson,
    Bar,
    BarStamp,
    History,
    Horizon,
    Model,
    Prices,
    Source,
    Tables,
    exit_if_incomplete,
    refuse_to_replace,
)
from aftershock.cli.progress import step
from aftershock.cli.terminal import HARM, Page, print_json, stands_on, when
from aftershock.forecasting.chain_columns import with_tables
from aftershock.forecasting.forecasts import SHIPPED, Forecasts, forecast, refuse_unwritable, why, write
from aftershock.forecasting.hourly_prices import Span, read_prices, refuse_unreadable
from aftershock.forecasting.value_forecasts import ValueForecast, law_at_last, value_forecasts
from aftershock.outlooks import apart
from chain.errors import InputError
from chain.files.price_files import Stamp
from chain.snapshot import Snapshot, content_id
from models.reasons import Reasons
from reports.amounts import change, count, fixed, money_for, percent

EXAMPLE = "Example: aftershock forecast --prices bars.parquet --stamp open --bar 1h --horizon 24 --from 2023-06-01 --to 2023-06-30 --out forecasts.parquet"
SHOWN = 12
SEED = 0
"""Of the draws from which quantiles of a value are taken."""
OF_FORECASTS = (
    *("unanswered", "notes", "missing_bars", "not_in_training"),
    *("replaced_by_the_market", "answered_by", "trained_until_s"),
)
"""What JSON says of forecasts beside the values made from them."""
FROM_NOTHING = "Where nine in ten begins at 0, nineteen in twenty lie in it: one hour in twenty or more repeats the price before, so there is nothing below."
ASSUMED = (
    "nobody pays in or takes out, nothing is liquidated and no pool rebalances; correlations of ninety days, large moves together as in one Student t; "
    "what no prices were given for stands still"
)


def run(
    prices: Prices = None,
    stamp: BarStamp = None,
    bar: Bar = "1h",
    history: History = None,
    tables: Tables = [],  # noqa: B006  typer reads the default, nobody writes to it
    every: Annotated[str, typer.Option(help="Time between two forecasts, whole hours or days.", metavar="24h")] = "24h",
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="First instant, a whole hour, from which --every counts; by default only the last one, counted from midnight.",
            metavar="DATE",
        ),
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="No forecast after this instant.", metavar="DATE")] = None,
    horizon: Horizon = 24,
    model: Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write all forecasts here.", metavar="FILE.parquet|csv")
    ] = None,
    of: Annotated[
        list[str],
        typer.Option(
            help="Protocol, market or pool: the last instant's forecast of the value that it holds.", metavar="NAME"
        ),
    ] = [],  # noqa: B006  typer reads the default, nobody writes to it
    source: Source = "sample",
    reason: Annotated[
        str | None, typer.Option("--why", help="What makes the last forecast of this asset.", metavar="ASSET")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast realised variance and its distribution from bars known at each instant, and say which model answers."""
    refuse_unreadable(prices, stamp, bar, history)
    asked = Span(every, first, last)
    if of and reason is not None:
        raise InputError(
            "--why explains the forecast of an asset, --of forecasts what something holds; ask one at a time"
        )
    if of and out is not None:
        raise InputError("--out writes forecasts of assets; give it without --of, or take --json")
    if out is not None:
        read = (("--prices", prices), ("--history", history), *(("--tables", folder) for folder in tables))
        refuse_to_replace("--out", out, *read)
        refuse_unwritable(out)
    with step("forecast") as running:
        priced = with_tables(read_prices(prices, cast("Stamp | None", stamp), bar, history), tables, running.note)
        found = forecast(priced, asked, horizon, model or SHIPPED)
        running.note("; ".join((count(len(found.table), "forecast"), *missing(found))))
    reasons = None if reason is None else why(priced, found, reason, model or SHIPPED)
    if of:
        snapshot = aftershock.load(source)
        with step("values") as running:
            law = law_at_last(found, priced)
            values = value_forecasts(aftershock.graph(snapshot), law, of, SEED)
            running.note(f"{', '.join(one.label for one in values)}, {law.text}")
        if as_json:
            print_json(values_to_dict(values, found, snapshot))
        else:
            show_values(Page(), values, found, snapshot)
        exit_if_incomplete(snapshot)
        return
    if out is not None:
        write(found, out)
    if as_json:
        print_json(to_dict(found) | origin(found, reasons))
    else:
        page = Page()
        show(page, found, out, reasons)


def missing(found: Forecasts) -> tuple[str, ...]:
    """Whose bars are missing, short enough for a line of progress."""
    if not found.holes:
        return ()
    first, others = found.holes[0], len(found.holes) - 1
    also = f", and of {count(others, 'other asset')}" if others else ""
    return (f"bars missing: {first.bars:,} of {first.asset}{also}",)


def to_dict(found: Forecasts) -> dict[str, object]:
    """The forecasts as they go into JSON."""
    table = found.table.assign(as_of=found.table["as_of"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return {
        "forecasts": table.to_dict("records"),
        "unanswered": dict(found.unanswered),
        "notes": list(found.notes),
        "missing_bars": [one.to_dict() for one in found.holes],
        "not_in_training": list(found.unseen),
        "replaced_by_the_market": list(found.leaders_missing),
        "caption": found.caption,
        "answered_by": found.answered_by(),
        "trained_until_s": found.card.cutoff_s,
        "scores": dict(found.card.scores),
    }


def origin(found: Forecasts, reasons: Reasons | None) -> dict[str, object]:
    """Where forecasts of prices come from: they stand at an instant and at no block; with the reasons for one of them, where they were asked for."""
    why_of = {} if reasons is None else {"why": asdict(reasons)}
    return {
        "as_of": f"{found.table['as_of'].max():%Y-%m-%dT%H:%M:%SZ}",
        "anchors": [],
        "content_id": content_id({**found.decided_by, "why": None if reasons is None else reasons.asset}),
        "tool": f"aftershock {aftershock.__version__}",
        **why_of,
    }


def values_id(values: list[ValueForecast], found: Forecasts, snapshot: Snapshot) -> str:
    """Content id of forecasts of values: what decides the forecasts, what is held, by whom, and the seed."""
    of = {"snapshot": snapshot.content_id, "of": [one.node for one in values], "seed": SEED}
    return content_id({**found.decided_by, **of})


def values_to_dict(values: list[ValueForecast], found: Forecasts, snapshot: Snapshot) -> dict[str, object]:
    """Forecasts of values as they go into JSON, with both instants that they stand on."""
    record = to_dict(found)
    return {
        "values": [one.to_dict() for one in values],
        "as_of": f"{found.table['as_of'].max():%Y-%m-%dT%H:%M:%SZ}",
        "horizon_hours": int(found.table["horizon_hours"].iloc[0]),
        "assumed": ASSUMED,
        "apart": _apart(found, snapshot) or None,
        "prices_caption": found.caption,
        **{name: record[name] for name in OF_FORECASTS},
        "gaps": list(snapshot.gaps),
        **stands_on(snapshot),
        "snapshot_id": snapshot.content_id,
        "content_id": values_id(values, found, snapshot),
    }


def _apart(found: Forecasts, snapshot: Snapshot) -> str:
    """How far the last instant of the prices lies from the one at which holdings were read; empty within a day and for a file."""
    at_s = int(found.table["as_of"].max().timestamp())
    return apart(at_s, snapshot.anchors, "The forecast is of prices to", "what is held was read as of")


def show_values(page: Page, values: list[ValueForecast], found: Forecasts, snapshot: Snapshot) -> None:
    """Print how far each value moves, what brings it, and what is taken to stand still."""
    hours = int(found.table["horizon_hours"].iloc[0])
    page.header(
        f"Value held, {count(hours, 'hour')} ahead",
        f"prices to {found.table['as_of'].max():%Y-%m-%d %H:%M} UTC, holdings {'at ' if snapshot.anchors else ''}{when(snapshot).split('   ')[0]}",
    )
    for one in values:
        write = money_for(one.value_usd)
        low, high = (one.value_usd * math.expm1(one.quantiles[k]) for k in (0, -1))
        page.sentence(
            f"{one.label} holds {write.words(one.value_usd)}; a deviation of **{100 * one.variance**0.5:.2f} %**, {write.words(one.value_usd * one.variance**0.5)}. "
            f"With nine chances in ten it changes by {write.words(low)} to {'+' if high > 0 else ''}{write.words(high)}."
        )
        parts = sorted(one.shares.items(), key=lambda item: -item[1])
        page.say(
            ("variance from  ", "dim"),
            ", ".join(f"{asset} {percent(part)} (holds {write.words(one.moved_usd[asset])})" for asset, part in parts),
        )
        if one.still:
            rest = sum(one.still.values())
            page.say(
                ("stands still  ", "dim"),
                f"{write.words(rest)}, {percent(rest / one.value_usd)}: no forecast of {', '.join(list(one.still)[:6])}",
            )
        page.blank()
    page.say(("assumed  ", "dim"), ASSUMED)
    gap = _apart(found, snapshot)
    if gap:
        page.say((f"Note: {gap}.", HARM))
    show_trust(page, found)
    page.footer(
        f"content id {values_id(values, found, snapshot)}",
        f"aftershock {aftershock.__version__}",
        ", ".join(part for part in (snapshot.caption, found.caption) if part),
    )


def show(page: Page, found: Forecasts, out: Path | None, reasons: Reasons | None = None) -> None:
    """Print the last instant's forecasts, most volatile first, and what is to be known about them."""
    table, hours = found.table, int(found.table["horizon_hours"].iloc[0])
    last = table[table["as_of"] == table["as_of"].max()].sort_values("variance", ascending=False)
    page.header(
        f"Volatility, {count(hours, 'hour')} ahead",
        f"{count(len(table), 'forecast')}, the last at {last['as_of'].iloc[0]:%Y-%m-%d %H:%M} UTC",
    )
    top = last.iloc[0]
    page.sentence(
        f"**{top['asset']}** is expected to move{' most' if len(last) > 1 else ''}: a deviation of **{100 * top['variance'] ** 0.5:.2f} %** in {count(hours, 'hour')}; "
        f"with nine chances in ten its return lies between {change(_exp(top['q05']))} and {change(_exp(top['q95']))}."
    )
    page.blank()
    rows = [
        [
            str(row["asset"]),
            f"{100 * row['variance'] ** 0.5:.2f}",
            f"{100 * row['vq05'] ** 0.5:.2f} – {100 * row['vq95'] ** 0.5:.2f}",
            _percent(row["q05"]),
            _percent(row["q95"]),
            str(row["model"]),
        ]
        for row in last.head(SHOWN).to_dict("records")
    ]
    page.table(
        ["asset", "deviation %", "nine in ten %", "return 5 %", "return 95 %", "answers"], rows, right=[1, 2, 3, 4]
    )
    if len(last) > SHOWN:
        page.say((f"{len(last) - SHOWN} more.", "dim"))
    if (last["vq05"] == 0).any():
        page.say((FROM_NOTHING, "dim"))
    if reasons is not None:
        page.blank()
        show_reasons(page, reasons)
        page.blank()
    show_trust(page, found)
    if out is not None:
        page.say((f"Written: {out}", "dim"))
    page.footer(f"aftershock {aftershock.__version__}", found.caption)


def show_trust(page: Page, found: Forecasts) -> None:
    """What stands beside every forecast: what was not answered, notes, who answers and how well, until when models were trained."""
    for name, number in found.unanswered:
        page.say((f"{name}: {count(number, 'instant')} without an answer, because too few prices are known.", "dim"))
    for note in found.notes:
        page.say((f"Note: {note}.", "dim"))
    for one in found.answered_by():
        page.say(_worth(one))
    trained = f"trained on prices until {_date(found.card.cutoff_s)}"
    page.say((f"Models {trained}; variance is the expected sum of squared hourly log returns, not annualised.", "dim"))


def show_reasons(page: Page, reasons: Reasons) -> None:
    """A bar a group: how much of the forecast's distance from the usual level it makes, up or down."""
    usual, now = (100 * value**0.5 for value in (reasons.usual_variance, reasons.forecast_variance))
    page.sentence(
        f"Why {reasons.asset}: a usual asset at a usual time has a deviation of {usual:.2f} %. What is known now makes it **{now:.2f} %**."
    )
    running, rows = usual, []
    for words, factor in sorted(reasons.variance_factors.items(), key=lambda item: -abs(math.log(item[1]))):
        step = math.sqrt(factor)
        running *= step
        rows.append(([words, f"× {step:.2f}", "up" if step >= 1 else "down", f"{running:.2f}"], abs(math.log(step))))
    page.bars(["", "deviation", "", "so far %"], rows, right=[3])


def _worth(one: dict[str, str | int | float | None]) -> str:
    """Who answered, and by how much it beat the yardstick, or lost to it, where that was measured."""
    who = f"{one['model']} answers {count(int(one['forecasts'] or 0), 'time')}"
    if one["qlike_to_log_har"] is None:
        return f"{who}; its card has no score."
    ratio = float(one["qlike_to_log_har"])
    by = f"{abs(100 * (1 - ratio)):.1f}"
    word = "as much" if by == "0.0" else f"{by} % {'less' if ratio < 1 else 'more'}"
    return f"{who}; its loss (QLIKE) was {ratio:.3f} of log-HAR's, {word}, on {one['measured_on']}."


def _exp(log_return: float) -> float:
    """A log return as a change of the price."""
    return math.expm1(log_return)


def _percent(log_return: float) -> str:
    """A log return as a change in percent, with its sign."""
    text = fixed(100 * _exp(log_return), 1)
    return text if log_return < 0 else f"+{text}"


def _date(at_s: int) -> str:
    import pandas as pd

    return f"{pd.Timestamp(at_s, unit='s'):%Y-%m-%d}"
