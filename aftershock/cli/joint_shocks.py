"""`aftershock simulate --shocks forecast`: joint shocks drawn from volatility forecasts, one cascade a draw, the tail of bad debt."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import aftershock
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json, when
from aftershock.forecast_shocks import LEAST_BEYOND, LEVELS, BadDebt, bad_debt_under, constant_law, law_of_forecasts
from aftershock.forecasts import SHIPPED, Forecasts, forecast, models_for
from aftershock.hourly_prices import Span, read_prices, refuse_unreadable
from chain.errors import InputError
from chain.files.price_files import Stamp
from chain.snapshot import Snapshot, content_id
from graph.protocol_graph import ProtocolGraph
from models.store import hash_of
from reports.amounts import count, money
from simulations.book_of_graph import from_graph
from simulations.cascade import MODEL_VERSION
from simulations.scenarios import Assumptions

LEAST_DRAWS = round(LEAST_BEYOND / (1 - LEVELS[0]))


def check(prices: Path | None, stamp: str | None, bar: str, at: str | None, horizon: int, draws: int) -> None:
    """InputError if an option cannot be used, before anything is read."""
    refuse_unreadable(prices, stamp, bar)
    if draws < LEAST_DRAWS:
        raise InputError(
            f"--draws is {draws}; VaR {100 * LEVELS[0]:g} % needs {LEAST_BEYOND} draws beyond it, so give at least {LEAST_DRAWS}"
        )
    Span(at=at)
    models_for(SHIPPED, horizon)


def run_law(
    snapshot: Snapshot,
    graph: ProtocolGraph,
    prices: Path | None,
    stamp: str | None,
    bar: str,
    at: str | None,
    horizon: int,
    draws: int,
    seed: int,
    assumptions: dict[str, float],
    as_json: bool,
) -> list[BadDebt]:
    """Bad debt under the forecast law, and under a law of constant volatility with the same correlations and tails; options as `check` let them pass."""
    with step("forecast") as running:
        priced = read_prices(prices, cast("Stamp | None", stamp), bar)
        every = f"{horizon}h" if horizon < 24 else "24h"
        found = forecast(priced, Span(every, at=at), horizon)
        panel = priced.panel.select(found.table["asset"].tolist())
        law = law_of_forecasts(found.table, panel)
        flat = constant_law(panel, int(found.table["as_of"].iloc[0].timestamp()), horizon, law.freedom)
        running.note(f"{count(len(law.assets), 'asset')}, {law.text}")
    book = from_graph(graph)
    assumed = Assumptions(**assumptions)  # type: ignore[arg-type]
    tails = []
    for one in (law, flat):
        with step("cascades") as running:

            def tell(done: int, text: str = one.text) -> None:
                running.note(f"{done} of {draws}, {text}")

            tails.append(bad_debt_under(book, one, draws, seed, assumed, tell))
    content = content_id(
        {
            "book": book.content_id,
            "prices": hash_of(priced.panel),
            "models": [found.card.data_hash, found.card.cutoff_s, found.card.seed, dict(found.card.scores)],
            "laws": [law.text, flat.text, horizon, draws, seed],
            "assumptions": asdict(assumed),
            "model": MODEL_VERSION,
        }
    )
    if as_json:
        print_json(to_dict(tails, snapshot, found, content))
    else:
        show(Page(), tails, horizon, snapshot, found, content)
    return tails


def to_dict(tails: list[BadDebt], snapshot: Snapshot, found: Forecasts, content: str) -> dict[str, Any]:
    """The answer as it goes into JSON: both laws with their tails, and what they stand on."""
    return {
        "content_id": content,
        "anchors": [asdict(anchor) for anchor in snapshot.anchors],
        "caption": snapshot.caption,
        "prices_caption": found.caption,
        "as_of": f"{found.table['as_of'].iloc[0]:%Y-%m-%dT%H:%M:%SZ}",
        "answered_by": found.answered_by(),
        "laws": [one.to_dict() for one in tails],
        "notes": list(found.notes),
        "gaps": list(snapshot.gaps),
        "tool": f"aftershock {aftershock.__version__}",
    }


def show(
    page: Page, found: list[BadDebt], horizon: int, snapshot: Snapshot, forecasts: Forecasts, content: str
) -> None:
    """Print the tails of both laws, side by side."""
    ours, flat = (one.to_dict() for one in found)
    page.header(
        f"Bad debt within {horizon} h, {found[0].law.text}", f"{ours['draws']} joint draws, seed {found[0].seed}"
    )
    stays = f"stays below **{money(ours['var_usd_95'])}**" if ours["var_usd_95"] else "is **none**"
    other = money(flat["var_usd_95"]) if flat["var_usd_95"] else "none as well"
    page.sentence(f"In nineteen of twenty draws bad debt {stays}; under constant volatility it would be {other}.")
    page.blank()
    names = (
        "mean_usd",
        *(name for level in LEVELS for name in (f"var_usd_{100 * level:g}", f"es_usd_{100 * level:g}")),
    )
    shown = [name for name in names if ours[name] is not None]
    rows = [
        [
            str(one["law"]),
            *(money(float(one[name])) for name in shown),
            f"{100 * one['share_with_bad_debt']:.0f} %",
        ]
        for one in (ours, flat)
    ]
    words = [name.replace("_usd", "").replace("_", " ").replace("var", "VaR").replace("es", "ES") for name in shown]
    heads = [word if word == "mean" else f"{word} %" for word in words]
    page.table(["law", *heads, "hit"], rows, right=list(range(1, len(shown) + 2)))
    page.say(
        (
            f"Shocked: {', '.join(found[0].used)}; Student t with {found[0].law.freedom:.1f} degrees of freedom. Hit: share of draws with bad debt.",
            "dim",
        )
    )
    for note in (*found[0].notes, *forecasts.notes):
        page.say((f"Note: {note}.", "dim"))
    page.footer(
        f"content id {content}",
        when(snapshot).split("   ")[0],
        f"aftershock {aftershock.__version__}",
        ", ".join(part for part in (snapshot.caption, forecasts.caption) if part),
    )
