"""`aftershock what-if FILE`: what would be different, and with a shock what would be lost instead."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

import aftershock
from aftershock.cli.diff import show_changes, show_figures, signed
from aftershock.cli.options import AsJson, ScenarioName, Shocks, Source, refuse_to_replace, report_of, with_source
from aftershock.cli.progress import step
from aftershock.cli.simulate import with_progress
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.comparisons import Comparison, compared
from graph.edits.what_if_file import read_what_if
from reports.amounts import count, money_for

EXAMPLE = "Example: aftershock what-if edits.toml --scenario eth-30 --json"


def run(
    file: Annotated[
        Path, typer.Argument(help="TOML file: remove, freeze, back, market, vault, position.", metavar="FILE")
    ],
    source: Source = "sample",
    scenario: ScenarioName = None,
    shock: Shocks = [],  # noqa: B006  typer reads the default, nobody writes to it
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write the changed snapshot to this folder, so that every verb can be asked of it with --snapshot.",
            metavar="FOLDER",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a snapshot without touching it: what would be different, and what a shock would do then."""
    refuse_to_replace("--out", out, ("--snapshot", None if source == "sample" else source), ("FILE", file))
    chosen = aftershock.chosen_scenario(scenario, shock, {}) if scenario or shock else None
    edits = read_what_if(file)
    with step("load") as loading:
        snapshot = aftershock.load(source)
        before = aftershock.graph(snapshot)
        changed = aftershock.what_if(before, edits, out)
        after = aftershock.graph(changed)
        added = len(changed.gaps) - len(snapshot.gaps)
        loading.note(f"{count(added, 'sentence')} {'says' if added == 1 else 'say'} what was changed")
    results = [] if chosen is None else [with_progress(before, chosen), with_progress(after, chosen)]
    with step("compare") as comparing:
        answer = compared(before, after, results, progress=comparing.note)
        comparing.note(count(len(answer.differences.changes), "change"))
    if as_json:
        print_json(
            {
                **answer.to_dict(),
                "scenario": None if chosen is None else chosen.to_dict(),
                "gaps": [*changed.gaps, *after.gaps],
                "content_id_before": snapshot.content_id,
                "folder": None if out is None else str(out),
                **stands_on(changed),
            }
        )
    else:
        page = Page()
        _show(page, answer, changed, snapshot, chosen)
        if out is not None:
            page.say("written to ", (str(out), "bold"))
        page.next(*_next(file, source, out, changed, chosen))
        page.footer(f"content id {changed.content_id}", f"aftershock {aftershock.__version__}", changed.caption)


def _show(
    page: Page,
    answer: Comparison,
    changed: aftershock.Snapshot,
    snapshot: aftershock.Snapshot,
    chosen: aftershock.Scenario | None,
) -> None:
    page.header("What if", when(snapshot))
    for gap in changed.gaps[len(snapshot.gaps) :]:
        page.say(gap.removeprefix("What-if: "))
    page.blank()
    show_changes(page, answer.differences, "Nothing else moves by 1 % or more")
    show_figures(page, answer)
    if chosen is not None:
        page.blank()
        _losses(page, answer, chosen)
    page.blank()
    for gap in snapshot.gaps:
        page.say(("not looked at  ", "dim"), gap)
    page.say(("assumed  ", "dim"), "prices stay what the markets say, and nobody reacts to the change")


def _next(
    file: Path, source: str, out: Path | None, changed: aftershock.Snapshot, chosen: aftershock.Scenario | None
) -> list[str]:
    """What can be asked now: of the folder where there is one, else of the same file."""
    shock = _shock(changed)
    if out is None:
        again = with_source(f"aftershock what-if {shlex.quote(str(file))}", source)
        return [f"{again} --out FOLDER", *([f"{again} {shock}"] if shock and chosen is None else [])]
    asked = ["aftershock query exposure NAME"]
    asked += [f"aftershock simulate {shock}", report_of(changed)] if shock else ["aftershock query systemic"]
    return [with_source(command, str(out)) for command in asked]


def _shock(changed: aftershock.Snapshot) -> str:
    """A shock that the snapshot knows: of ether, else of what is posted most often; empty where nothing is posted."""
    posted = changed["positions"].loc[changed["positions"]["collateral_enabled"].astype(bool), "asset"]
    if not len(posted):
        return ""
    symbols = changed["assets"].set_index("asset")["symbol"]
    symbol = "ETH" if "ETH" in set(symbols) else symbols[posted.value_counts().index[0]]
    return f"--shock {shlex.quote(f'{symbol}=-30%')}"


def _losses(page: Page, answer: Comparison, chosen: aftershock.Scenario) -> None:
    table = answer.cascade
    amounts = table[table["figure"] != "rounds"]
    write = money_for(float(amounts[["before", "after"]].fillna(0.0).to_numpy().max()))
    was, now = (write.words(answer.bad_debt_usd(side)) for side in ("before", "after"))
    page.sentence(f"{chosen.title}: in the end no collateral covers **{now}** of debt, instead of {was}.")
    page.blank()
    names = {
        "before_usd": "bad debt before the shock",
        "bad_debt_usd": "bad debt added",
        "relief_usd": "less of it by prices",
        "liquidated_usd": "liquidated",
        "waiting_debt_usd": "waiting debt",
        "rounds": "rounds",
    }
    rows = []
    for row in table.to_dict("records"):
        if row["figure"] == "relief_usd" and not (row["before"] > 0 or row["after"] > 0):
            continue
        is_money = row["figure"] != "rounds"
        unit = write.unit if is_money else ""
        cells = [
            "–" if value != value else write.column(value) if is_money else f"{value:.0f}"
            for value in (row["before"], row["after"])
        ]
        rows.append(
            [row["label"], names[row["figure"]], unit, *cells, signed(row["difference"], write if is_money else None)]
        )
    page.table(["market", "", "", "before", "after", "difference"], rows, right=[3, 4, 5], strong=[4])
