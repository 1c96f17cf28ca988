"""`aftershock demo`: the main job on the embedded sample, offline: who is exposed to what, through which way, a cascade, a report."""

from pathlib import Path

import aftershock
from aftershock.cli import cascade, exposure, paths, report, simulate
from aftershock.cli.options import AsJson, Folder
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json

EXAMPLE = "Example: aftershock demo --out demo-report"
MARKET = "core"
SCENARIO = "eth-30"
SCENARIOS = ["eth-10", "eth-20", "eth-30", "wbtc-20", "lsteth-depeg-10"]
"""Those of one price; `aftershock report core` adds the fall of several at once, which takes as long as all of these together."""
WAY = ("svUSDC", "WETH")
"""A way of a loss over three protocols: from who saves in a vault through Morpho Blue to a market of Compound V2."""


def run(out: Folder = Path("aftershock-report"), as_json: AsJson = False) -> None:
    """Show the whole main job on the embedded sample: exposure, the ways of a loss, one cascade, the report."""
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
    ways = aftershock.paths(graph, *WAY, 3)
    if page:
        paths.show(page, ways, sample, with_steps=False)
        page.blank()
    result = simulate.with_progress(graph, aftershock.chosen_scenario(SCENARIO, [], {}))
    if page:
        page.blank()
        cascade.show(page, result, graph)
        page.blank()
    assessment, files = report.write(graph, out, MARKET, SCENARIOS, None, [result])
    if page:
        page.blank()
        report.show(page, assessment, sample, files)
        for gap in [gap for gap in assessment.coverage.gaps if gap not in sample.gaps]:
            page.say(("not looked at  ", "dim"), f"{gap}; aftershock report {MARKET} runs all")
    else:
        print_json(
            {
                "exposure": answer.to_dict(),
                "paths": ways.to_dict(),
                "cascade": result.to_dict(),
                "assessment": assessment.to_dict(),
                "files": [str(file) for file in files],
            }
        )
