"""`aftershock demo`: the main job on the embedded sample, offline: who is exposed to what, a cascade, a report."""

from pathlib import Path

import aftershock
from aftershock.cli import exposure, report, simulate
from aftershock.cli.options import AsJson, Folder
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json

EXAMPLE = "Example: aftershock demo --out demo-report"
MARKET = "core"
SCENARIO = "eth-30"


def run(out: Folder = Path("aftershock-report"), as_json: AsJson = False) -> None:
    """Show the whole main job on the embedded sample: exposure, one cascade, the report."""
    report.refuse_foreign_folder(out)
    with step("load") as loading:
        sample = aftershock.load()
        graph = aftershock.graph(sample)
        loading.note(f"the embedded sample: {sample.caption}")
    page = None if as_json else Page()
    answer = aftershock.exposure(graph, MARKET)
    if page:
        page.blank()
        exposure.show(page, answer, sample)
        page.blank()
    result = simulate.with_progress(graph, aftershock.chosen_scenario(SCENARIO, [], {}))
    if page:
        page.blank()
        simulate.show(page, result, sample)
        page.blank()
    assessment, files = report.write(graph, out, MARKET, [], None, [result])
    if page:
        page.blank()
        report.show(page, assessment, sample, files)
    else:
        print_json(
            {
                "exposure": answer.to_dict(),
                "cascade": result.to_dict(),
                "assessment": assessment.to_dict(),
                "files": [str(file) for file in files],
            }
        )
