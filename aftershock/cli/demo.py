"""`aftershock demo`: the main job on the embedded sample, offline: who is exposed to what, a cascade, a report."""

from pathlib import Path

import aftershock
from aftershock.cli import query, report, simulate
from aftershock.cli.options import Folder
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page

EXAMPLE = "Example: aftershock demo --out demo-report"
PROTOCOL = "aave-v3"
SCENARIO = "eth-30"


def run(out: Folder = Path("aftershock-report")) -> None:
    """Show the whole main job on the embedded sample: exposure, one cascade, the report."""
    page = Page()
    with step("load") as loading:
        sample = aftershock.load()
        graph = aftershock.graph(sample)
        loading.note(f"the embedded sample: {sample.caption}")
    page.blank()
    query.show(page, aftershock.exposure(graph, PROTOCOL), sample)
    page.blank()
    result = simulate.with_progress(graph, aftershock.chosen_scenario(SCENARIO, [], {}))
    page.blank()
    simulate.show(page, result, sample)
    page.blank()
    assessment, files = report.write(graph, out, PROTOCOL, [], "ETH", f"aftershock report {PROTOCOL}")
    page.blank()
    report.show(page, assessment, sample, files)
