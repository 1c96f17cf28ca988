"""`aftershock diff BEFORE AFTER`: what changed between two snapshots, in words and as a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import aftershock
from aftershock.cli.options import AsJson, Least
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.cli.units import fitting
from aftershock.comparisons import Comparison, compared
from aftershock.differences import Differences
from chain.errors import InputError
from graph.changes.smallest_move import exact
from reports.amounts import Money, count, money_for, percent

EXAMPLE = "Example: aftershock diff monday tuesday --json"
SHOWN = 20
NAMES = {
    "supplied_usd": "supplied",
    "collateral_usd": "counts as collateral",
    "borrowed_usd": "borrowed",
    "cash_usd": "can leave now",
    "utilisation_ratio": "utilisation",
    "suppliers": "suppliers",
    "borrowers": "borrowers",
}


def run(
    before: Annotated[
        Path, typer.Argument(help="Snapshot folder, the earlier one; or the word sample.", metavar="BEFORE")
    ],
    after: Annotated[Path, typer.Argument(help="Snapshot folder, the later one.", metavar="AFTER")],
    least: Least = 1.0,
    as_json: AsJson = False,
) -> None:
    """What changed between two snapshots of the same chains: switches, terms, upgrades, markets, amounts, prices."""
    with step("load") as loading:
        snapshots = [aftershock.load(str(path)) for path in (before, after)]
        _require_order(snapshots, told_apart_by_folder((before, after), snapshots))
        graphs = []
        for snapshot in snapshots:
            loading.note(f"graph of {snapshot.name}")
            graphs.append(aftershock.graph(snapshot))
        loading.note("two snapshots")
    with step("compare") as comparing:
        answer = compared(graphs[0], graphs[1], smallest_move=exact(least) / 100, progress=comparing.note)
        comparing.note(count(len(answer.differences.changes), "change"))
    if as_json:
        record = answer.to_dict()
        del record["cascade"]
        sides = {"before": side(before, snapshots[0]), "after": side(after, snapshots[1])}
        print_json({**record, **sides, "tool": f"aftershock {aftershock.__version__}"})
        return
    page = Page()
    names = told_apart_by_folder((before, after), snapshots)
    page.header(f"From {names[0]} to {names[1]}", when(snapshots[1]))
    page.say(("before  ", "dim"), when(snapshots[0]))
    page.blank()
    show_changes(page, answer.differences, f"Nothing changed by {least:g} % or more")
    show_figures(page, answer)
    page.blank()
    page.next("aftershock diff BEFORE AFTER --json", f"aftershock query risk NAME --snapshot {after}")
    for one in snapshots:
        page.footer(f"content id {one.content_id}", f"aftershock {aftershock.__version__}", one.caption)


def side(folder: Path, snapshot: aftershock.Snapshot) -> dict[str, Any]:
    """One of the snapshots of an answer in JSON: its name, its folder as it was given, and what it stands on."""
    return {"name": snapshot.name, "folder": str(folder), **stands_on(snapshot)}


def told_apart_by_folder(folders: Sequence[Path], snapshots: Sequence[aftershock.Snapshot]) -> list[str]:
    """The names of snapshots; those that share one have their folder beside it, as it was given."""
    names = [one.name for one in snapshots]
    return [
        name if names.count(name) == 1 else f"{name} ({folder})" for folder, name in zip(folders, names, strict=True)
    ]


def _require_order(snapshots: Sequence[aftershock.Snapshot], names: Sequence[str]) -> None:
    """InputError if BEFORE is the later one: every rise would be told as a fall."""
    times = [max(anchor.timestamp for anchor in one.anchors) for one in snapshots if one.anchors]
    if times != sorted(times):
        was, now = map(when, snapshots)
        raise InputError(f"BEFORE, {names[0]}, is the later one: {was} against {now} of {names[1]}; turn them round")


def show_changes(page: Page, found: Differences, nothing: str) -> None:
    """The sentences, at most `SHOWN` of them; where there are none, `nothing` and what was compared."""
    for sentence in found.first(SHOWN) or (f"{nothing}; compared: {found.compared}.",):
        page.say(sentence)
    if len(found.told) > SHOWN:
        page.say((f"and {count(len(found.told) - SHOWN, 'more change')}; --json has all", "dim"))
    for left_out in found.not_compared:
        page.say(("not compared  ", "dim"), left_out)


def show_figures(page: Page, answer: Comparison) -> None:
    """Markets before and after, where something differs."""
    table = answer.figures
    if not len(table):
        return
    money = table[table["figure"].str.endswith("_usd")]
    amounts = money[["before", "after"]].fillna(0.0).to_numpy().ravel().tolist()
    write = fitting(money_for(max(amounts, default=0.0)), amounts)
    rows = []
    for row in table.head(SHOWN).to_dict("records"):
        name = str(row["figure"])
        is_money, is_share = name.endswith("_usd"), name.endswith("_ratio")
        cells = [
            "–"
            if value != value
            else write.column(value)
            if is_money
            else percent(value)
            if is_share
            else f"{value:,.0f}"
            for value in (row["before"], row["after"])
        ]
        difference = 100 * row["difference"] if is_share else row["difference"]
        change = signed(difference, write if is_money else None, is_share)
        rows.append([row["label"], NAMES[name], write.unit if is_money else "", *cells, change])
    page.blank()
    page.table(["market", "", "", "before", "after", "difference"], rows, right=[3, 4, 5], strong=[4])
    if len(table) > SHOWN:
        page.say((f"and {count(len(table) - SHOWN, 'more figure')}; --json has all", "dim"))


def signed(value: float, write: Money | None, is_share: bool = False) -> str:
    """A difference with its sign; shares in percentage points, a dash where one side is missing."""
    if value != value:
        return "–"
    size = abs(value)
    text = write.column(size) if write is not None else f"{size:.1f} pp" if is_share else f"{size:,.0f}"
    return text if value == 0 else ("+" if value > 0 else "−") + text
