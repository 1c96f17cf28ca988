"""`aftershock timeline FOLDER FOLDER ...`: every market and asset over several snapshots, and what changed between neighbours."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

import aftershock
from aftershock.cli.diff import SHOWN, show_changes, side, told_apart_by_folder
from aftershock.cli.options import AsJson, Least
from aftershock.cli.progress import step
from aftershock.cli.terminal import LONG_TEXT, Page, print_json, when
from aftershock.cli.units import fitting
from aftershock.timelines import OF_CLAIMS, Timeline, in_order, timeline
from chain.errors import InputError
from graph.changes.smallest_move import exact
from reports.amounts import count, listing, money_for, percent

EXAMPLE = "Example: aftershock timeline monday tuesday wednesday --figure utilisation"


class Figure(StrEnum):
    """What the table shows; `--json` has all of it."""

    supplied = "supplied"
    borrowed = "borrowed"
    utilisation = "utilisation"
    status = "status"
    price = "price"
    claimed = "claimed"
    covered = "covered"

    @property
    def column(self) -> str:
        """Its name in `aftershock.timelines.FIGURES` or `OF_CLAIMS`."""
        units = {
            "supplied": "supplied_usd",
            "borrowed": "borrowed_usd",
            "utilisation": "utilisation_ratio",
            "price": "price_usd",
            "claimed": "claimed_usd",
            "covered": "covered_ratio",
        }
        return units.get(self.value, self.value)


def run(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Snapshot folders, two or more, in any order; or books, or files of claims, in the order that you want.",
            metavar="FOLDER",
        ),
    ],
    figure: Annotated[
        Figure | None,
        typer.Option(
            "--figure",
            help="What the table shows of markets, reserves or assets: supplied if left out; of files of claims claimed, or covered.",
        ),
    ] = None,
    least: Least = 1.0,
    as_json: AsJson = False,
) -> None:
    """Several snapshots of the same chains, or several files: a row for each market and asset, and what changed in between."""
    with step("load") as loading:
        graphs = []
        for folder in folders:
            loading.note(f"graph of {folder.name}")
            graphs.append(aftershock.graph(aftershock.load(str(folder))))
        loading.note(count(len(graphs), "snapshot"))
    named = told_apart_by_folder(folders, [graph.snapshot for graph in graphs])
    with step("compare") as comparing:
        answer = timeline(graphs, exact(least) / 100, named, comparing.note)
        comparing.note(count(sum(len(found.changes) for found in answer.between), "change"))
    figure = _figure(figure, graphs[0].is_of_claims)
    ordered = [(folders[place], graphs[place]) for place in in_order(graphs, named)]
    snapshots, names = [graph.snapshot for _, graph in ordered], answer.names
    if as_json:
        sides = [side(folder, graph.snapshot) for folder, graph in ordered]
        print_json({"snapshots": sides, **answer.to_dict(), "tool": f"aftershock {aftershock.__version__}"})
        return
    page = Page()
    page.header(f"From {names[0]} to {names[-1]}, {count(len(names), 'snapshot')}", when(snapshots[-1]))
    for number, (name, one) in enumerate(zip(names, snapshots, strict=True), start=1):
        page.say((f"{number}  ", "dim"), f"{name}, {when(one)}")
    _table(page, answer, figure)
    for number, found in enumerate(answer.between, start=1):
        page.blank()
        page.say((f"from {number} to {number + 1}", "bold"))
        show_changes(page, found, f"Nothing changed by {least:g} % or more")
    page.blank()
    page.next("aftershock timeline FOLDER FOLDER --json", "aftershock diff BEFORE AFTER")
    for one in snapshots:
        page.footer(f"content id {one.content_id}", f"aftershock {aftershock.__version__}", one.caption)


def _figure(asked: Figure | None, is_of_claims: bool) -> Figure:
    """What is shown; InputError for a figure that files of this kind do not have."""
    known = [one for one in Figure if (one.column in OF_CLAIMS) == is_of_claims]
    if asked is not None and asked not in known:
        kind = "files of claims have" if is_of_claims else "snapshots and books have"
        raise InputError(f"--figure is {asked.value}; {kind} {', '.join(one.value for one in known)}")
    return asked or known[0]


def _table(page: Page, answer: Timeline, figure: Figure) -> None:
    """Rows of one figure; a dash where a snapshot does not have the market or asset."""
    table = answer.rows[answer.rows["figure"] == figure.column]
    amounts = [value for values in table["values"] for value in values if isinstance(value, int | float)]
    write = fitting(money_for(max(amounts, default=0.0)), amounts)

    writes: dict[Figure, Callable[[Any], str]] = {
        Figure.utilisation: percent,
        Figure.covered: percent,
        Figure.status: str,
        Figure.price: "{:,.6g}".format,
    }
    written = writes.get(figure, write.column)

    def cell(value: Any) -> str:
        return "–" if value is None else written(value)

    unit = {Figure.utilisation: "", Figure.covered: "", Figure.status: "", Figure.price: " $"}.get(
        figure, f" {write.unit}"
    )
    rows = [[row["label"], *map(cell, row["values"])] for row in table.head(SHOWN).to_dict("records")]
    head = f"{figure.value}{unit}"
    numbers = _fitting_columns([[head], *rows], len(answer.names), page.width)
    page.blank()
    page.table(
        [head, *map(str, numbers)],
        [[row[0], *(row[number] for number in numbers)] for row in rows],
        right=[] if figure is Figure.status else list(range(1, len(numbers) + 1)),
    )
    left_out = [] if len(table) <= SHOWN else [count(len(table) - SHOWN, "more row")]
    away = [number for number in range(1, len(answer.names) + 1) if number not in numbers]
    if away:
        left_out.append(f"snapshots {away[0]} to {away[-1]}" if len(away) > 1 else f"snapshot {away[0]}")
    if left_out:
        page.say((f"not shown: {listing(left_out)}; --json has all", "dim"))


def _fitting_columns(rows: list[list[str]], snapshots: int, width: int) -> list[int]:
    """Numbers of the snapshots whose columns fit the page beside that of the labels: the first, and the latest. The head is the first of the rows."""
    room = width - min(LONG_TEXT, max((len(row[0]) for row in rows), default=0))
    wide = [2 + max([len(str(number)), *(len(row[number]) for row in rows[1:])]) for number in range(1, snapshots + 1)]
    shown = list(range(1, snapshots + 1))
    while len(shown) > 2 and sum(wide[number - 1] for number in shown) > room:
        del shown[1]
    return shown
