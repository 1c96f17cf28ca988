"""`aftershock query risk X --exposures FILE`: what a failure of X costs those who have claims on it, where no collateral was read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aftershock
from aftershock.cli.options import quoted, with_source
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.cli.units import fitting
from aftershock.failures import ASSUMED, LOSSES, Failure, failure
from chain.errors import InputError
from reports.amounts import count, fixed, money_for, percent

ROWS = 10


def run(
    snapshot: aftershock.Snapshot,
    name: str,
    percents: Sequence[float],
    source: str,
    exposures: Path | None,
    as_json: bool,
) -> None:
    """Answer, as JSON or as a page; `percents` are parts of its worth that it loses.

    Raises
    ------
    InputError
        If one is not above 0 and at most 100, or the name is unknown.
    """
    require_parts(percents)
    with step("risk") as running:
        answer = failure(
            aftershock.graph(snapshot),
            name,
            [one / 100 for one in percents] or LOSSES,
            progress=lambda done, of: running.note(f"{done} of {of} networks drawn"),
        )
    if as_json:
        print_json({**answer.to_dict(), "gaps": list(snapshot.gaps), **stands_on(snapshot)})
    else:
        show(Page(), answer, snapshot, source, exposures)


def require_parts(percents: Sequence[float]) -> None:
    """InputError unless each is a part of what a thing is worth, in percent."""
    for percent_lost in percents:
        if not 0 < percent_lost <= 100:
            raise InputError(f"--fall is {percent_lost:g}; give a part of its worth above 0 and at most 100 percent")


def show(page: Page, answer: Failure, snapshot: aftershock.Snapshot, source: str, exposures: Path | None) -> None:
    """Print it: the loss of a failure and its rank, losses by size, who has it."""
    page.header(f"Risk, {answer.label}", when(snapshot))
    if not answer.place:
        page.sentence(
            f"Nobody in this file depends on **{answer.label}**, so its failure costs no other holder anything."
        )
    else:
        _place(page, answer.label, answer.place)
        write = fitting(money_for(float(answer.losses["lost_usd"].max())), answer.losses["lost_usd"])
        page.blank()
        page.table(
            [f"{answer.label} loses %", f"holders lose {write.unit}", "of all they have"],
            [
                [fixed(100 * row["loss_ratio"], 0), write.column(row["lost_usd"]), percent(row["lost_ratio"])]
                for row in answer.losses.to_dict("records")
            ],
            right=[0, 1, 2],
        )
        _dependents(page, answer)
    page.blank()
    page.say(("assumed  ", "dim"), f"{ASSUMED}; ranges as `query systemic` draws them")
    for gap in snapshot.gaps:
        page.say(("not looked at  ", "dim"), gap)
    page.next(with_source(f"aftershock query exposure {quoted(answer.label)}", source, exposures))
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)


def _place(page: Page, label: str, place: dict[str, Any]) -> None:
    lost, low, high = (float(place[name]) for name in ("loss_usd", "loss_low_usd", "loss_high_usd"))
    write = money_for(max(lost, high))
    page.sentence(
        f"If **{label}** fails, holders lose **{write.words(lost)}** ({write.words(low)} to {write.words(high)}), {percent(float(place['loss_ratio']))} of what they have: "
        f"number {place['rank']} (between {place['rank_low']} and {place['rank_high']}) of {count(int(place['of']), 'node')} on which somebody depends."
    )
    page.say((f"PageRank {place['pagerank']:.3f}, Katz {place['katz']:.3f}, core {place['core']}", "dim"))


def _dependents(page: Page, answer: Failure) -> None:
    rows = answer.dependents.head(ROWS).to_dict("records")
    if not rows:
        return
    amounts = [float(row[name]) for row in rows for name in ("direct_usd", "looked_through_usd")]
    write = fitting(money_for(max(amounts)), amounts)
    page.blank()
    page.table(
        ["who finally has it", f"directly {write.unit}", "looked through", "share"],
        [
            [
                row["label"],
                write.column(row["direct_usd"]),
                write.column(row["looked_through_usd"]),
                percent(row["share_ratio"]),
            ]
            for row in rows
        ],
        right=[1, 2, 3],
    )
    for row in answer.concentration.to_dict("records"):
        page.say(
            (
                f"{row['of']}: {row['count']:,}, as {row['effective_number']:.1f} equal ones (HHI {row['hhi']:.3f})",
                "dim",
            )
        )
