"""Options that several verbs share, each written once."""

import math
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chain.errors import DATA_INCOMPLETE, InputError
from reports.amounts import listing

if TYPE_CHECKING:
    from chain.snapshot import Snapshot

FOR_JOINT_SHOCKS = ("prices", "stamp", "bar", "history", "model", "at", "horizon", "draws", "seed")
"""Options that only --shocks forecast reads."""


def typed(ctx: typer.Context, names: Sequence[str]) -> list[str]:
    """Those of the parameters that stand on the command line, with whatever value."""
    sources = {name: ctx.get_parameter_source(name) for name in names}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _alone(ctx: typer.Context, value: Any) -> Any:
    """The value; InputError where a second source of the data is named too, which would be left unread."""
    names = [{"source": "snapshot"}.get(name, name) for name in typed(ctx, ("source", "exposures", "book"))]
    if len(names) > 1:
        raise InputError(f"give either --{names[0]} or --{names[1]}, not both: only one of them would be read")
    return value


def _finite(value: float) -> float:
    """The value; InputError where it is no number, or infinite."""
    if not math.isfinite(value):
        raise InputError(f"--least is {value}; give a finite number of per cent, 0 or more")
    return value


Source = Annotated[
    str,
    typer.Option(
        "--snapshot", help="Snapshot folder; the embedded sample by default.", metavar="FOLDER", callback=_alone
    ),
]
Exposures = Annotated[
    Path | None,
    typer.Option(
        "--exposures",
        help="Own exposures instead of a snapshot: holder, claim_on, amount_usd.",
        metavar="FILE",
        callback=_alone,
    ),
]
Book = Annotated[
    Path | None,
    typer.Option(help="Your own book, CSV or Parquet, instead of a snapshot.", metavar="FILE", callback=_alone),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Shocks = Annotated[
    list[str],
    typer.Option(
        "--shock",
        help="Change of a price; may be given several times, changes of one asset multiply.",
        metavar="ASSET=CHANGE%",
    ),
]
ScenarioName = Annotated[
    str | None, typer.Option("--scenario", help="Shipped scenario, or a TOML file.", metavar="NAME|FILE")
]
PassThrough = Annotated[
    float | None,
    typer.Option(
        help="Share of on-chain price impact that outside markets do not absorb: 0 price taker, 1 closed world.",
        metavar="0..1",
    ),
]
Gas = Annotated[float | None, typer.Option("--gas-usd", help="Cost of one liquidation.", metavar="USD")]
Prices = Annotated[
    Path | None,
    typer.Option(
        help="Hourly prices: timestamp, symbol, close [, open, high, low, volume]; the embedded, invented ones by default.",
        metavar="FILE",
    ),
]
BarStamp = Annotated[str | None, typer.Option("--stamp", help="What the timestamp of a bar is.", metavar="open|close")]
Bar = Annotated[str, typer.Option(help="How long a bar is.", metavar="1h")]
History = Annotated[
    Path | None,
    typer.Option(help="Earlier prices of the same form and with the same --stamp, to look back on.", metavar="FILE"),
]
Model = Annotated[
    Path | None,
    typer.Option(help="Folder that train volatility wrote; what ships by default.", metavar="FOLDER"),
]
Tables = Annotated[
    list[Path],
    typer.Option(
        help="Snapshot or history of a chain to read beside the prices; may be given several times.", metavar="FOLDER"
    ),
]
Horizon = Annotated[int, typer.Option(help="Hours ahead: 1, 24 or 168.", metavar="HOURS")]
Law = Annotated[
    str | None,
    typer.Option("--shocks", help="Joint shocks from volatility forecasts, many draws.", metavar="forecast"),
]
At = Annotated[str | None, typer.Option(help="Instant of the forecast; the last by default.", metavar="DATE")]
Draws = Annotated[int, typer.Option(help="Joint draws for --shocks forecast.")]
Seed = Annotated[int, typer.Option(help="Of the draws.", min=0)]
Least = Annotated[
    float,
    typer.Option(
        "--least",
        help="Smallest move of an amount or a price that is told, of what it was before.",
        metavar="PERCENT",
        min=0,
        callback=_finite,
    ),
]
FailAbove = Annotated[
    float | None,
    typer.Option(help="Exit with 1 if bad debt (of joint shocks: its VaR 95 %) is above this.", metavar="USD"),
]
Folder = Annotated[Path, typer.Option("--out", help="Folder to write to; made if it does not exist.", metavar="FOLDER")]


def refuse_unread_law(ctx: typer.Context, law: str | None) -> None:
    """InputError unless `--shocks` is absent or `forecast`, and where it is absent and an option that is for it alone was typed."""
    if law not in (None, "forecast"):
        raise InputError(f"--shocks is {law!r}; write --shocks forecast, or --shock ASSET=CHANGE% for one shock")
    unread = typed(ctx, FOR_JOINT_SHOCKS) if law is None else []
    if unread:
        named = listing([f"--{name}" for name in unread])
        raise InputError(
            f"{named} would do nothing without --shocks forecast; add that, or leave {'it' if len(unread) == 1 else 'them'} out"
        )


def refuse_to_replace(option: str, out: Path | None, *inputs: tuple[str, str | Path | None]) -> None:
    """InputError if what is written would take the place of something that is read: before anything is, so that nothing is lost.

    `inputs`: an option and what it names, None where it was not given. A file in a folder that is read counts, and so does a folder around a file that is read.
    """
    for name, given in inputs:
        path = None if given is None else Path(given)
        if (
            out is None or path is None or not all(map(os.path.exists, (out, path)))
        ):  # False too for a name that cannot be
            continue
        mine, theirs = out.resolve(), path.resolve()
        if out.samefile(path) or mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
            raise InputError(
                f"{option} {out} would take the place of {name} {path}, which is read; give another name, so that it is not lost"
            )


def exit_if_incomplete(snapshot: "Snapshot") -> None:
    """Exit with 3, after the answer was given, where comparisons with the chain failed when the snapshot was taken."""
    failed = sum(len(check.failures) for check in snapshot.checks)
    if failed:
        typer.echo(f"exit 3: {failed:,} comparisons with the chain failed when {snapshot.name} was taken", err=True)
        raise typer.Exit(DATA_INCOMPLETE)


def report_of(snapshot: "Snapshot") -> str:
    """The command for a report; where there are several markets one has to be named."""
    return "aftershock report" if len(snapshot["markets"]) == 1 else "aftershock report MARKET"


def with_source(command: str, source: str, exposures: Path | None = None) -> str:
    """A command to run next, on the same data."""
    if exposures is not None:
        return f"{command} --exposures {shlex.quote(str(exposures))}"
    return command if source == "sample" else f"{command} --snapshot {shlex.quote(source)}"


def quoted(name: str) -> str:
    """A name as it is typed behind a verb, so that no shell takes a part of it for something else."""
    if shlex.quote(name) == name and not name.startswith("="):
        return name
    is_plain = all(letter.isalnum() or letter in " ._:,/@%+-" for letter in name)
    return f'"{name}"' if is_plain else "'" + name.replace("'", "'\"'\"'") + "'"


def opened(source: str, exposures: Path | None) -> str:
    """What to load: the file of exposures where one is given; InputError if it is none."""
    if exposures is None:
        return source
    if not exposures.is_file():
        raise InputError(
            f"--exposures {exposures} is no file; give a CSV or Parquet file with holder, claim_on, amount_usd"
        )
    from chain.files.cells import column_names
    from chain.files.exposure_file import is_exposures, read_exposures

    if "position_id" in column_names(exposures):
        raise InputError(
            f"--exposures {exposures} has no columns holder and claim_on; it is a book of positions: ask it with --snapshot {exposures}"
        )
    if not is_exposures(exposures):
        read_exposures(exposures)  # says what is wrong with it
    return str(exposures)
