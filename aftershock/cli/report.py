"""`aftershock report`: one market under several scenarios, as HTML, Markdown and JSON, with the command that reproduces it."""

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

import aftershock
from aftershock.cli.file_warnings import show_warnings, warnings_of
from aftershock.cli.options import (
    AsJson,
    At,
    Bar,
    BarStamp,
    Draws,
    Folder,
    History,
    Horizon,
    Law,
    Model,
    Prices,
    Seed,
    Source,
    exit_if_incomplete,
    refuse_unread_law,
)
from aftershock.cli.progress import step
from aftershock.cli.terminal import HARM, Page, print_json, when
from chain.errors import InputError
from reports.amounts import count

if TYPE_CHECKING:
    from reports.file_warnings import FileWarnings
    from reports.outlook import Outlook

EXAMPLE = "Example: aftershock report core --scenario eth-30 --scenario broad-30 --out my-report"
FORMATS = ("html", "md", "json")
RUN_RECORD = "run.json"


def run(
    ctx: typer.Context,
    market: Annotated[
        str | None, typer.Argument(help="Market or protocol; may be left out where there is one.")
    ] = None,
    scenario: Annotated[
        list[str],
        typer.Option(
            "--scenario", help="Shipped scenario or TOML file; all that apply by default.", metavar="NAME|FILE"
        ),
    ] = [],  # noqa: B006
    source: Source = "sample",
    asset: Annotated[
        str | None,
        typer.Option(
            help="Asset that falls in the at-risk curve; by default ETH if that moves collateral here, or the largest collateral."
        ),
    ] = None,
    law: Law = None,
    prices: Prices = None,
    stamp: BarStamp = None,
    bar: Bar = "1h",
    history: History = None,
    model: Model = None,
    at: At = None,
    horizon: Horizon = 24,
    draws: Draws = 200,
    seed: Seed = 0,
    out: Folder = Path("aftershock-report"),
    as_json: AsJson = False,
) -> None:
    """Assess a market and write the report for its governance; with --shocks forecast also how likely a loss is. Exits with 1 when a printed threshold is crossed."""
    refuse_unread_law(ctx, law)
    refuse_foreign_folder(out)
    for name in scenario:
        aftershock.chosen_scenario(name, [], {})
    if law is not None:
        from aftershock.cli.joint_shocks import Asked, check

        asked = Asked(prices, stamp, bar, history, model, at, horizon, draws, seed)
        check(asked)
    with step("load") as loading:
        snapshot = aftershock.load(source)
        graph = aftershock.graph(snapshot)
        loading.note(snapshot.name)
        warned = warnings_of(source)
    outlook = None
    if law is not None:
        from aftershock.cli.joint_shocks import outlook_for

        outlook = outlook_for(graph, asked, market)
    assessment, files = write(graph, out, market, scenario, asset, outlook=outlook, given=source, warned=warned)
    if as_json:
        print_json(assessment.to_dict())
    else:
        page = Page()
        show_warnings(page, warned)
        show(page, assessment, snapshot, files)
    exit_if_incomplete(snapshot)
    if assessment.verdict.crossed:
        typer.echo(
            f"exit 1: {count(len(assessment.verdict.crossed), 'threshold is', 'thresholds are')} crossed", err=True
        )
        raise typer.Exit(1)


def refuse_foreign_folder(out: Path) -> None:
    """InputError unless `out` can take a report: a new or empty folder, or one that holds an earlier report of ours."""
    is_ours = (out / RUN_RECORD).is_file()
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not is_ours:
        raise InputError(
            f"--out {out} is a folder with other files in it; name a new one, so that nothing of yours is overwritten"
        )
    parent = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    try:
        with TemporaryDirectory(
            dir=parent
        ):  # the one sure way to know: a root user may write where the system takes nothing
            pass
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be written below {parent}; name a folder that you may write to"
        ) from error


def write(
    graph: aftershock.ProtocolGraph,
    out: Path,
    market: str | None,
    scenario: list[str],
    asset: str | None,
    known: Sequence[aftershock.CascadeResult] = (),
    outlook: "Outlook | None" = None,
    given: str | None = None,
    warned: "FileWarnings | None" = None,
) -> tuple[aftershock.Assessment, list[Path]]:
    """Assess and write every format and run.json; returns the record and the files."""
    from reports.provenance import run_record
    from reports.render import write as write_files
    from reports.render import write_pictures

    started = datetime.now(UTC)
    with step("scenarios") as running:
        assessment = aftershock.report(
            graph,
            market,
            scenario,
            asset,
            lambda title, found: running.note(f"{title}: {found}"),
            known,
            outlook,
            given,
            warned,
        )
        running.note(f"{len(assessment.scenarios)} run to calm")
    with step("write report") as running:
        files = [*write_files(assessment, out, FORMATS), *write_pictures(assessment, out)]
        machine = (
            f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
        )
        record = run_record(
            assessment.content_id,
            command=assessment.command,
            started=started,
            finished=datetime.now(UTC),
            machine=machine,
            files=[file.name for file in files],
        )
        (out / RUN_RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        running.note(f"{out}/")
    return assessment, files


def show(page: Page, assessment: aftershock.Assessment, snapshot: aftershock.Snapshot, files: list[Path]) -> None:
    """Print the verdict and where the report is."""
    from reports.sections.outlook import finding

    page.header(assessment.subject.name, when(snapshot))
    for sentence in assessment.verdict.sentences:
        page.sentence(sentence)
    page.say("Confidence ", (assessment.verdict.grade, "bold"), (f" (A to D): {assessment.verdict.reason}", "dim"))
    if assessment.outlook is not None:
        page.sentence(f"{finding(assessment.outlook)}.")
        if assessment.outlook.apart:
            page.say((f"Note: {assessment.outlook.apart}.", HARM))
    page.blank()
    texts, pictures = (
        [file for file in files if file.suffix != ".png"],
        [file for file in files if file.suffix == ".png"],
    )
    for file in texts:
        page.say(("written  ", "dim"), (str(file), "bold"))
    page.say(("written  ", "dim"), f"{count(len(pictures), 'picture')} for the forum beside them")
    for reading in assessment.verdict.crossed:
        page.say(("crossed  ", HARM), f"{reading.title}: {reading.shown} ({reading.limits})")
    page.footer(
        f"content id {assessment.content_id}", f"aftershock {aftershock.__version__}", assessment.subject.caption
    )
