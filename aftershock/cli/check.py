"""`aftershock check`: what is wrong with a file before a number is computed from it, each problem with its row and column."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from aftershock.cli.options import AsJson, BarStamp
from aftershock.cli.progress import step
from aftershock.cli.terminal import HARM, Page, print_json
from aftershock.durations import duration_s
from chain.errors import DATA_INCOMPLETE, InputError, unknown_name
from chain.files.file_checks import CONTRACTS, CheckedFile, check_files
from chain.files.file_findings import FileFinding
from chain.files.price_files import Stamp
from reports.amounts import count

EXAMPLE = "Example: aftershock check bars.parquet closes.csv --stamp open --bar 1h"
MOST_OF_A_KIND = 5
USUAL_BAR = "1h"


def run(
    files: Annotated[
        list[Path],
        typer.Argument(help="Prices, log of liquidations, book, exposures, depth or forecasts.", metavar="FILE..."),
    ],
    stamp: BarStamp = None,
    bar: Annotated[str | None, typer.Option(help="How long a bar is.", metavar="1h")] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Names in the file for names that are asked for.", metavar="close=Last,timestamp=Date"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--as", help="What the file is; seen from its columns by default.", metavar="KIND")
    ] = None,
    all_rows: Annotated[bool, typer.Option("--all", help="Print every finding, not five of a kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is wrong with files: stamps, gaps, doubled rows, units, jumps, splices, frozen prices. Exit 3 if there are errors.

    Price files that are given together are compared with the first of them.
    """
    if stamp not in (None, "open", "close"):
        raise InputError(f"--stamp is {stamp!r}; write open or close")
    for path in files:
        if not path.is_file():
            raise InputError(
                f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; give a CSV or Parquet file"
            )
    told = []
    if stamp is not None and bar is None:
        bar = USUAL_BAR
        told.append(f"a bar is taken to be {bar} long, as forecast and train take it; --bar says otherwise")
    bar_s = duration_s(bar, "--bar") if bar is not None else None
    if kind is not None and kind not in CONTRACTS:
        raise unknown_name("kind of file", kind, CONTRACTS)
    mapping = _mapping(columns)
    with step("check") as running:
        checked = check_files(files, time.time(), kind, cast("Stamp | None", stamp), bar_s, mapping, running.note)
        running.note(f"{count(sum(one.rows for one in checked), 'row')} in {count(len(checked), 'file')}")
    errors = sum(one.errors for one in checked)
    if as_json:
        print_json({"files": [one.to_dict() for one in checked], "errors": errors, "notes": told})
    else:
        page = Page()
        for sentence in told:
            page.say((f"Note: {sentence}.", "dim"))
        for one in checked:
            _show(page, one, all_rows)
    if errors:
        raise typer.Exit(DATA_INCOMPLETE)


def _mapping(text: str | None) -> dict[str, str]:
    """`close=Last,timestamp=Date` as a mapping; InputError if it is none."""
    pairs = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    for name, _, theirs in pairs:
        if not name.strip() or not theirs.strip():
            raise InputError(f"--columns is {text!r}; write names as close=Last,timestamp=Date")
    return {name.strip(): theirs.strip() for name, _, theirs in pairs}


def _show(page: Page, one: CheckedFile, all_rows: bool) -> None:
    record = one.to_dict()
    about = [count(one.rows, "row"), f"{one.series:,} series" if one.series else ""]
    about += [f"{record['first'][:10]} to {record['last'][:10]}" if record["first"] else ""]
    what = one.kind if one.is_readable or one.kind != "table" else "no table that can be read"
    page.header(f"{one.file}: {what}", "   ".join(part for part in about if part))
    if not one.findings:
        page.sentence("**Nothing** was found to be wrong.")
    if one.kind == "table" and one.is_readable:
        page.say(
            ("not looked at  ", "dim"),
            "it has the columns of no file that is known here; --columns names them, --as says what it is",
        )
    for severity, title in (("error", "errors"), ("warning", "warnings")):
        found = [finding for finding in one.findings if finding.severity == severity]
        if not found:
            continue
        shown, left = _shown(found, all_rows)
        page.say((count(len(found), title.removesuffix("s")), HARM if severity == "error" else "bold"))
        page.table(
            ["problem", "row", "column", "symbol", "rows", "what"],
            [
                [
                    each.kind,
                    "" if each.row is None else str(each.row),
                    each.column,
                    each.symbol,
                    f"{each.rows:,}",
                    f"{each.value}: {each.sentence}" if each.value and len(each.value) <= 20 else each.sentence,
                ]
                for each in shown
            ],
            right=[1, 4],
            strong=[0],
        )
        if left:
            page.say(
                (
                    f"and {', '.join(f'{number} more of {kind}' for kind, number in left.items())}; --all shows them",
                    "dim",
                )
            )
    page.blank()


def _shown(found: Sequence[FileFinding], all_rows: bool) -> tuple[list[FileFinding], dict[str, int]]:
    """At most five of a kind, those of the most rows, and how many of each kind are left."""
    shown, left = [], {}
    for kind in dict.fromkeys(one.kind for one in found):
        mine = sorted((one for one in found if one.kind == kind), key=lambda one: -one.rows)
        shown += mine if all_rows else mine[:MOST_OF_A_KIND]
        if len(mine) > MOST_OF_A_KIND and not all_rows:
            left[kind] = len(mine) - MOST_OF_A_KIND
    return shown, left
