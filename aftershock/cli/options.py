"""Options that several verbs share, each written once."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chain.errors import DATA_INCOMPLETE, InputError

if TYPE_CHECKING:
    from chain.snapshot import Snapshot

Source = Annotated[
    str, typer.Option("--snapshot", help="Snapshot folder; the embedded sample by default.", metavar="FOLDER")
]
Exposures = Annotated[
    Path | None,
    typer.Option(
        "--exposures", help="Own exposures instead of a snapshot: holder, claim_on, amount_usd.", metavar="FILE"
    ),
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
History = Annotated[Path | None, typer.Option(help="Earlier prices of the same form, to look back on.", metavar="FILE")]
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
    typer.Option("--least", help="Smallest move of an amount or a price that is told.", metavar="PERCENT", min=0),
]
FailAbove = Annotated[
    float | None,
    typer.Option(help="Exit with 1 if bad debt (of joint shocks: its VaR 95 %) is above this.", metavar="USD"),
]
Folder = Annotated[Path, typer.Option("--out", help="Folder to write to; made if it does not exist.", metavar="FOLDER")]


def refuse_unknown_law(law: str | None, prices: Path | None) -> None:
    """InputError unless `--shocks` is absent or `forecast`; prices are for that alone."""
    if law not in (None, "forecast"):
        raise InputError(f"--shocks is {law!r}; write --shocks forecast, or --shock ASSET=CHANGE% for one shock")
    if law is None and prices is not None:
        raise InputError("--prices is for --shocks forecast; add that, or leave the prices out")


def exit_if_incomplete(snapshot: "Snapshot") -> None:
    """Exit with 3, after the answer was given, where comparisons with the chain failed when the snapshot was taken."""
    failed = sum(len(check.failures) for check in snapshot.checks)
    if failed:
        typer.echo(f"exit 3: {failed:,} comparisons with the chain failed when {snapshot.name} was taken", err=True)
        raise typer.Exit(DATA_INCOMPLETE)


def with_source(command: str, source: str, exposures: Path | None = None) -> str:
    """A command to run next, on the same data."""
    if exposures is not None:
        return f"{command} --exposures {shlex.quote(str(exposures))}"
    return command if source == "sample" else f"{command} --snapshot {shlex.quote(source)}"


def quoted(name: str) -> str:
    """A name as it is typed behind a verb."""
    return f'"{name}"' if " " in name else name


def opened(source: str, exposures: Path | None) -> str:
    """What to load: the file of exposures where one is given; InputError if a snapshot is named too."""
    if exposures is None:
        return source
    if source != "sample":
        raise InputError(f"give either --snapshot {source} or --exposures {exposures}, not both")
    if not exposures.is_file():
        raise InputError(
            f"--exposures {exposures} is no file; give a CSV or Parquet file with holder, claim_on, amount_usd"
        )
    return str(exposures)
