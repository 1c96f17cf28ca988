"""`aftershock replay`: a log of real liquidations against prices: the bonuses behind it, and how far each event lies from the market."""

from pathlib import Path
from typing import Annotated, cast

import typer

from aftershock.cli.options import AsJson, BarStamp, refuse_to_replace
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json
from aftershock.replays import ReplayedFiles, replay_files, terms_table
from chain.files.price_files import Stamp
from reports.amounts import count

EXAMPLE = (
    "Example: aftershock replay --liquidations log.csv --prices bars.parquet --stamp open --bar 1h --params terms.csv"
)


def run(
    liquidations: Annotated[
        Path, typer.Option(help="Log: timestamp, pool, user, collateral and debt with amounts.", metavar="FILE")
    ],
    prices: Annotated[
        list[Path], typer.Option(help="Prices, best first; give it again for files that fill gaps.", metavar="FILE")
    ],
    params: Annotated[
        Path | None,
        typer.Option(
            help="Terms: symbol, price_symbol, valid_from, bonus_bps. Bonuses that it leaves out are recovered.",
            metavar="FILE",
        ),
    ] = None,
    stamp: BarStamp = None,
    bar: Annotated[str | None, typer.Option(help="How long a bar is.", metavar="1h")] = None,
    age: Annotated[
        float | None,
        typer.Option(
            help="Age of the oracle's prices; by default the one that fits best, 0 to 3600.", metavar="SECONDS"
        ),
    ] = None,
    hours: Annotated[float, typer.Option(help="The price envelope spans so many hours before and after.")] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the recovered bonuses here, as a terms file.", metavar="FILE.csv"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare every liquidation of a log with market prices, recover the bonuses, and explain what is left."""
    read = (("--liquidations", liquidations), ("--params", params), *(("--prices", path) for path in prices))
    refuse_to_replace("--out", out, *read)
    with step("replay") as running:
        found = replay_files(liquidations, prices, params, cast("Stamp | None", stamp), bar, age, hours)
        running.note(count(len(found.result.events), "event"))
    if out is not None:
        terms_table(found).to_csv(out, index=False, lineterminator="\n")
    if as_json:
        print_json(found.to_dict())
    else:
        show(Page(), found)


def show(page: Page, found: ReplayedFiles) -> None:
    """Print the figures, the bonuses and what is left."""
    figures, record = found.result.figures(), found.to_dict()
    page.header(
        "Replay",
        f"{count(figures['events'], 'event')}, {figures['priced']:,} with prices, oracle age {figures['oracle_age_s']:g} s",
    )
    page.sentence(
        f"**{_percent(figures['inside_envelope'])}** of all events lie inside the price envelope of {found.result.hours:g} h before and after, "
        f"and **{_percent(figures['within_2_percent'])}** within 2 % of the nearest price."
    )
    widths = figures["envelope_width_percent"]
    if widths:
        page.say((f"The envelope is wide: median {widths['50']:.1f} %, 90 of 100 below {widths['90']:.1f} %.", "dim"))
    page.blank()
    controls = {
        name.replace("_", " ").replace(" percent", " %"): share
        for name, share in found.result.controls.items()
        if not name.startswith("age_s")
    }
    page.table(
        ["how much that means", "share"], [[name, _percent(share)] for name, share in controls.items()], right=[1]
    )
    page.blank()
    page.table(
        ["collateral", "bonus %", "changed between", "events"],
        [
            [
                one["symbol"],
                f"{one['bonus_bps'] / 100:.1f}",
                f"{one['changed_after']} and {one['changed_by']}" if one["changed_by"] else "–",
                str(one["events"]),
            ]
            for one in record["periods"]
        ],
        right=[1, 3],
        strong=[1],
    )
    page.blank()
    page.table(
        ["further than 2 % from the nearest price", "events"],
        [[name, f"{number:,}"] for name, number in record["beyond_2_percent"].items()],
        right=[1],
    )
    if found.result.unknown:
        page.say(("no price in any file  ", "dim"), ", ".join(found.result.unknown))
    page.footer(*(f"{name} {digest[:12]}" for name, digest in found.files))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
