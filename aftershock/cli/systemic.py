"""`aftershock query systemic`: on what most is lost if it fails, in order, with the range that the order has."""

from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson, Exposures, Source, opened, quoted, with_source
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.cli.units import fitting
from chain.errors import InputError
from graph.dependences import dependences
from graph.exposures.answer import records
from graph.systemic import Uncertainty
from reports.amounts import count, money_for, percent

EXAMPLE = "Example: aftershock query systemic --top 10"


def run(
    source: Source = "sample",
    exposures: Exposures = None,
    top: Annotated[int, typer.Option(help="How many to show.", min=1)] = 15,
    sigma: Annotated[
        float,
        typer.Option(help="Uncertainty of each amount at stake (price, depth), as a share of it.", metavar="SHARE"),
    ] = Uncertainty.amount_sigma,
    kept: Annotated[
        float, typer.Option(help="Probability that a row which nothing vouches for is right.", metavar="0..1")
    ] = Uncertainty.unverified_kept,
    draws: Annotated[int, typer.Option(help="Networks drawn for the range of ranks.", min=2)] = Uncertainty.draws,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", min=0)] = Uncertainty.seed,
    as_json: AsJson = False,
) -> None:
    """What holders lose in all if a thing fails: tokens, markets, pools, feeds and who keeps them, ranked, each rank with its range."""
    if not 0 <= sigma <= 2 or not 0 <= kept <= 1:
        raise InputError(
            f"--sigma is {sigma} and --kept {kept}; give a sigma from 0 to 2 and a probability from 0 to 1"
        )
    given = opened(source, exposures)
    snapshot = aftershock.load(given)
    with step("draws") as running:
        graph = aftershock.graph(snapshot)
        found = aftershock.systemic(
            graph, Uncertainty(sigma, kept, draws, seed), lambda done, of: running.note(f"{done} of {of}")
        )
    shown, unverified = found.head(top), int((dependences(graph)["status"] == "unverified").sum())
    if as_json:
        print_json(
            {
                "systemic": records(shown),
                "of": len(found),
                "uncertainty": {"amount_sigma": sigma, "unverified_kept": kept, "draws": draws, "seed": seed}
                | {"unverified_steps": unverified},
                "gaps": list(snapshot.gaps),
                **stands_on(snapshot),
            }
        )
        return
    page, first = Page(), shown.iloc[0]
    write = fitting(
        money_for(float(shown["loss_usd"].max())),
        shown[["loss_usd", "loss_low_usd", "loss_high_usd"]].to_numpy().ravel(),
    )
    page.header("What holders depend on most", when(snapshot))
    page.sentence(
        f"**{first.label}**: if it fails, holders lose {write.words(float(first.loss_usd))}, {percent(float(first.loss_ratio))} of what they "
        f"have; it came first in {percent(float(first.first_share))} of the draws."
    )
    page.blank()
    page.table(
        ["rank", "range", "what fails", f"{write.unit} lost", "range", "of all", "first in"],
        [
            [
                str(row.rank),
                f"{row.rank_low}–{row.rank_high}",
                row.label,
                write.column(row.loss_usd),
                f"{write.column(row.loss_low_usd)}–{write.column(row.loss_high_usd)}",
                percent(row.loss_ratio),
                percent(row.first_share),
            ]
            for row in shown.itertuples(index=False)
        ],
        right=[0, 1, 3, 4, 5, 6],
    )
    left_out = (
        f" and each of {count(unverified, 'step')} that nothing vouches for left out with probability {percent(1 - kept)}: both assumed, not measured"
        if unverified
        else ": assumed, not measured. No step is unverified, so none is left out (--kept changes nothing)"
    )
    page.blank()
    page.say(
        f"Ranges: 5 % and 95 % of {draws} networks drawn with seed {seed}, every amount at stake off by {percent(sigma)}{left_out}. A loss passes on in "
        "proportion to what is held; no prices fall, nobody reacts (a cascade does that). A loss cannot be more than all, so draws lie below a value near "
        "that rather than above; nodes that tie for the first place each count as first."
    )
    page.next(with_source(f"aftershock query exposure {quoted(_name_for(graph, first.node))}", source, exposures))
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)


def _name_for(graph: aftershock.ProtocolGraph, node: str) -> str:
    """The name by which something can be asked for: of a reserve its asset, of who keeps or prices something that itself."""
    key = node.removeprefix("@")
    market, mark, asset = key.partition("#")
    return graph.name_for(asset if mark and market in graph.kinds else key)
