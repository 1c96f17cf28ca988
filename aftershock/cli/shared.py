"""`aftershock query shared X Y`: what two holders finally have in common, looked through vaults, pools, staking tokens and circles."""

from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson, Exposures, Source, opened
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.cli.units import fitting
from graph.exposures.answer import records
from reports.amounts import money_for, percent, shortened

EXAMPLE = "Example: aftershock query shared WETH lstETH"


def run(
    left: Annotated[str, typer.Argument(help="Account, vault, asset, pool or market: a name, symbol or key.")],
    right: Annotated[str, typer.Argument(help="Another one.")],
    source: Source = "sample",
    exposures: Exposures = None,
    as_json: AsJson = False,
) -> None:
    """What two holders finally have in common: the roots of both, in USD and as shares."""
    snapshot = aftershock.load(opened(source, exposures))
    graph = aftershock.graph(snapshot)
    shared = aftershock.shared_roots(graph, left, right)
    names = [graph.label(graph.find(name)) for name in (left, right)]
    overlap_usd, overlap = float(shared["overlap_usd"].sum()), float(shared["overlap_ratio"].sum())
    if as_json:
        print_json(
            {
                "left": graph.find(left),
                "right": graph.find(right),
                "overlap_usd": overlap_usd,
                "overlap_ratio": overlap,
                "shared": records(shared),
                "gaps": [*snapshot.gaps, *graph.gaps],
                **stands_on(snapshot),
            }
        )
        return
    page = Page()
    page.header(f"What {names[0]} and {names[1]} have in common", when(snapshot))
    if not len(shared):
        page.sentence("**Nothing** that is known here.")
    else:
        amounts = shared[["left_usd", "right_usd"]].to_numpy().ravel()
        write = fitting(money_for(float(amounts.max())), amounts)
        page.sentence(
            f"**{write.words(overlap_usd)}** of the same on both sides; {percent(overlap)} of their proportions agree."
        )
        page.blank()
        page.table(
            ["finally", f"{names[0]} {write.unit}", "share", f"{names[1]} {write.unit}", "share", "evidence"],
            [
                [
                    row.label,
                    write.column(row.left_usd),
                    percent(row.left_ratio),
                    write.column(row.right_usd),
                    percent(row.right_ratio),
                    shortened(row.evidence),
                ]
                for row in shared.itertuples(index=False)
            ],
            right=[1, 2, 3, 4],
        )
    page.blank()
    for gap in (*snapshot.gaps, *graph.gaps):
        page.say(("not looked at  ", "dim"), gap)
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)
