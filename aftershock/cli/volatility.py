"""`aftershock train volatility`: a model of one's own, from a file of prices, with a card that says what it is worth."""

import shlex
from pathlib import Path
from typing import Annotated, cast

import typer

import aftershock
from aftershock.cli.options import AsJson, Bar, BarStamp, History, Horizon, Prices, Tables
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json
from aftershock.forecasting.chain_columns import with_tables
from aftershock.forecasting.forecasts import against_har
from aftershock.forecasting.hourly_prices import read_prices
from aftershock.forecasting.learners import LEARNERS
from aftershock.forecasting.training import CHECKPOINTS, Trained, Wish, train_volatility
from chain.files.price_files import Stamp

EXAMPLE = "Example: aftershock train volatility --prices bars.parquet --stamp open --out my-models --model gru --epochs 20    then: aftershock forecast --model my-models --prices bars.parquet --stamp open"
STOPPED = 130


def run(
    out: Annotated[Path, typer.Option("--out", help="Folder for the models, one folder a horizon.", metavar="FOLDER")],
    prices: Prices = None,
    stamp: BarStamp = None,
    bar: Bar = "1h",
    history: History = None,
    tables: Tables = [],  # noqa: B006  typer reads the default, nobody writes to it
    model: Annotated[str, typer.Option(help=f"One of {', '.join(LEARNERS)}.", metavar="NAME")] = "boosting",
    horizon: Horizon = 24,
    epochs: Annotated[int, typer.Option(help="Most passes of a network over the training window.")] = 40,
    members: Annotated[int, typer.Option(help="Networks with different seeds that are averaged.")] = 3,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    tune: Annotated[int, typer.Option(help="Candidates to try inside the training window first.", metavar="N")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit, score on an end that was held out, fit again on everything, write. Stopped, the same command goes on where it was."""
    wish = Wish(model, horizon, epochs, members, seed, tune)
    with step("train") as running:
        try:
            priced = read_prices(prices, cast("Stamp | None", stamp), bar, history)
            done = train_volatility(with_tables(priced, tables, running.note), out, wish, running.note)
        except KeyboardInterrupt:
            kept = out / CHECKPOINTS
            said = f"; what was learnt is in {kept}, the same command goes on from there" if kept.is_dir() else ""
            typer.echo(f"\naftershock: stopped, no model was written{said}", err=True)
            raise typer.Exit(STOPPED) from None
        running.note(f"{done.names[0]}, {done.folder}")
    if as_json:
        print_json(to_dict(done))
    else:
        read = f" --prices {shlex.quote(str(prices))}" + (f" --stamp {stamp}" if stamp else "") if prices else ""
        read += f" --history {shlex.quote(str(history))}" if history else ""
        read += "".join(f" --tables {shlex.quote(str(folder))}" for folder in tables)
        show(Page(), done, read)


def to_dict(done: Trained) -> dict[str, object]:
    """What was trained, as it goes into JSON."""
    return {
        "folder": str(done.folder),
        "name": done.card.name,
        "answers": list(done.names),
        "scores": dict(done.card.scores),
        "data_hash": done.card.data_hash,
        "trained_until_s": done.card.cutoff_s,
        "seed": done.card.seed,
        "caption": done.card.caption,
        "notes": list(done.card.notes),
        "tool": f"aftershock {aftershock.__version__}",
    }


def show(page: Page, done: Trained, read: str) -> None:
    """Print who answers, what each was worth on the held-out end, and the card's sentences; `read`: the options that name what was read."""
    page.header(f"Trained: {done.card.name}", str(done.folder))
    first = against_har(done.card.scores, done.names[0])
    ratio = first["qlike_to_log_har"]
    worth = f", with a loss (QLIKE) of **{float(ratio):.3f}** of log-HAR's on {first['measured_on']}" if ratio else ""
    page.sentence(f"**{done.names[0]}** answers first{worth}.")
    page.blank()
    rows = [(name, against_har(done.card.scores, name)["qlike_to_log_har"]) for name in done.names]
    page.table(
        ["answers in this order", "QLIKE to log-HAR, held out"],
        [[name, "–" if ratio is None else f"{float(ratio):.3f}"] for name, ratio in rows],
        right=[1],
    )
    page.blank()
    for note in done.card.notes:
        page.say((note, "dim"))
    models = shlex.quote(str(done.folder.parent))
    page.next(f"aftershock forecast --model {models} --horizon {done.card.task.horizon_hours}{read}")
    page.footer(
        f"sha256 of what was read {done.card.data_hash[:16]}", f"aftershock {aftershock.__version__}", done.card.caption
    )
