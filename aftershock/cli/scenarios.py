"""`aftershock scenarios`: what ships, and what each shocks."""

import aftershock
from aftershock.cli.options import AsJson
from aftershock.cli.terminal import Page, print_json

EXAMPLE = "Example: aftershock scenarios --json"


def run(as_json: AsJson = False) -> None:
    """List the shipped scenarios."""
    known = aftershock.scenarios()
    if as_json:
        print_json([scenario.to_dict() for scenario in known])
        return
    page = Page()
    page.header("Scenarios", f"{len(known)} shipped, all instant")
    page.table(
        ["name", "title", "what it means"],
        [[scenario.name, scenario.title, scenario.description.split(";")[0].rstrip(".")] for scenario in known],
        strong=[0],
    )
    page.blank()
    page.next(f"aftershock simulate --scenario {known[0].name}", "or a TOML file of your own: --scenario FILE.toml")
