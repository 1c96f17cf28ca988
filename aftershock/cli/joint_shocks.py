"""`aftershock simulate --shocks forecast`: joint shocks drawn from volatility forecasts, one cascade a draw, the tail of bad debt."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

import aftershock
from aftershock.bad_debt import LEAST_BEYOND, LEVELS, BadDebt, bad_debt_under, shocked_in
from aftershock.cli.file_warnings import in_json, show_warnings
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json, when
from aftershock.forecast_shocks import constant_law, law_of_forecasts
from aftershock.forecasting.forecasts import SHIPPED, Forecasts, forecast, models_for
from aftershock.forecasting.hourly_prices import Priced, Span, instant_s, read_prices, refuse_unreadable
from aftershock.outlooks import apart, outlook_of
from aftershock.runs import market_key
from chain.errors import InputError
from chain.files.price_files import EXTRAS, Stamp
from chain.snapshot import Snapshot, content_id
from graph.protocol_graph import ProtocolGraph
from models.features.columns import COLUMN_FEATURES, features_of_column
from reports.amounts import count, money, percent
from reports.file_warnings import FileWarnings
from reports.outlook import Outlook
from simulations.book import Book
from simulations.book_of_graph import from_graph, refuse_claims
from simulations.cascade import MODEL_VERSION
from simulations.scenarios import Assumptions

LEAST_DRAWS = round(LEAST_BEYOND / (1 - LEVELS[0]))


@dataclass(frozen=True)
class Asked:
    """The options of joint shocks, as typed; `model` is None for what ships."""

    prices: Path | None
    stamp: str | None
    bar: str
    history: Path | None
    model: Path | None
    at: str | None
    horizon: int
    draws: int
    seed: int

    @property
    def words(self) -> tuple[str, ...]:
        """How the command line asks for it, in the one form of every way to type it."""
        given = (
            ("--prices", self.prices),
            ("--stamp", self.stamp),
            ("--bar", "1h" if self.prices else None),  # nothing else can be used, however it was typed
            ("--history", self.history),
            ("--model", self.model),
            (
                "--at",
                None if self.at is None else f"{pd.Timestamp(instant_s(self.at, '--at'), unit='s'):%Y-%m-%dT%H:%MZ}",
            ),
            ("--horizon", self.horizon),
            ("--draws", self.draws),
            ("--seed", self.seed),
        )
        return (
            "--shocks",
            "forecast",
            *(word for name, value in given if value is not None for word in (name, str(value))),
        )


def check(asked: Asked) -> None:
    """InputError if an option cannot be used, before anything is read."""
    refuse_unreadable(asked.prices, asked.stamp, asked.bar, asked.history)
    if asked.draws < LEAST_DRAWS:
        raise InputError(
            f"--draws is {asked.draws}; VaR {100 * LEVELS[0]:g} % needs {LEAST_BEYOND} draws beyond it, so give at least {LEAST_DRAWS}"
        )
    Span(at=asked.at)
    _, card = models_for(asked.model or SHIPPED, asked.horizon)
    of_files = {feature for name in EXTRAS for feature in features_of_column(name)}
    of_chains = [name for name in card.features if name in COLUMN_FEATURES - of_files]
    if of_chains:
        raise InputError(
            f"the models in {asked.model} read {', '.join(of_chains)} of snapshots and histories, which --shocks forecast does not take; give a --model that was trained without --tables"
        )


def tails_under(
    book: Book, asked: Asked, assumed: Assumptions, market: str | None = None
) -> tuple[Priced, Forecasts, list[BadDebt]]:
    """Bad debt under the forecast law, and under a law of constant volatility with the same correlations and tails; options as `check` let them pass.

    Returns the prices and forecasts too; of one market only its own bad debt counts.
    """
    with step("forecast") as running:
        priced = read_prices(asked.prices, cast("Stamp | None", asked.stamp), asked.bar, asked.history)
        every = f"{asked.horizon}h" if asked.horizon < 24 else "24h"
        found = forecast(priced, Span(every, at=asked.at), asked.horizon, asked.model or SHIPPED)
        known = shocked_in(book, found.table["asset"].tolist()).known
        law = law_of_forecasts(found.table[found.table["asset"].isin(known)], priced.panel)
        flat = constant_law(law, priced.panel, int(found.table["as_of"].iloc[0].timestamp()), asked.horizon)
        running.note(f"{count(len(law.assets), 'asset')}, {law.text}")
    tails = []
    for one in (law, flat):
        with step("cascades") as running:

            def tell(done: int, text: str = one.text) -> None:
                running.note(f"{done} of {asked.draws}, {text}")

            tails.append(bad_debt_under(book, one, asked.draws, asked.seed, assumed, tell, market))
    return priced, found, tails


def run_law(
    snapshot: Snapshot,
    graph: ProtocolGraph,
    asked: Asked,
    assumptions: dict[str, float],
    as_json: bool,
    warned: FileWarnings | None = None,
) -> list[BadDebt]:
    """Draw and tell."""
    book, assumed = from_graph(graph), Assumptions(**assumptions)  # type: ignore[arg-type]
    _, found, tails = tails_under(book, asked, assumed)
    content = content_id(
        {
            "book": book.content_id,
            "forecasts": dict(found.decided_by),
            "laws": [*(one.law.text for one in tails), asked.draws, asked.seed],
            "assumptions": asdict(assumed),
            "model": MODEL_VERSION,
        }
    )
    if as_json:
        print_json({**to_dict(tails, snapshot, found, content, asked), **in_json(warned)})
    else:
        page = Page()
        show_warnings(page, warned)
        show(page, tails, asked.horizon, snapshot, found, content, asked)
    return tails


def outlook_for(graph: ProtocolGraph, asked: Asked, market: str | None) -> Outlook:
    """The outlook of a report on one market, under a scenario's usual assumptions."""
    refuse_claims(graph)
    key = market_key(graph, market)
    priced, found, tails = tails_under(from_graph(graph), asked, Assumptions(), key)
    stood = replace(
        asked, at=str(found.table["as_of"].iloc[0])
    )  # said outright: prices that grow have a later last instant
    return outlook_of(priced, found, tails, stood.words, graph.snapshot.anchors, asked.model)


def to_dict(tails: list[BadDebt], snapshot: Snapshot, found: Forecasts, content: str, asked: Asked) -> dict[str, Any]:
    """The answer as it goes into JSON: both laws with their tails, and what they stand on; files and folder of models as typed, None for what is embedded."""
    return {
        "content_id": content,
        "anchors": [asdict(anchor) for anchor in snapshot.anchors],
        "caption": snapshot.caption,
        "prices": None if asked.prices is None else str(asked.prices),
        "history": None if asked.history is None else str(asked.history),
        "prices_caption": found.caption,
        "as_of": f"{found.table['as_of'].iloc[0]:%Y-%m-%dT%H:%M:%SZ}",
        "apart": _apart(snapshot, found) or None,
        "models": None if asked.model is None else str(asked.model),
        "models_id": found.decided_by["model"],
        "answered_by": found.answered_by(),
        "laws": [one.to_dict() for one in tails],
        "notes": list(found.notes),
        "gaps": list(snapshot.gaps),
        "tool": f"aftershock {aftershock.__version__}",
    }


def show(
    page: Page,
    found: list[BadDebt],
    horizon: int,
    snapshot: Snapshot,
    forecasts: Forecasts,
    content: str,
    asked: Asked,
) -> None:
    """Print the tails of both laws, side by side, and what they stand on."""
    ours, flat = (one.to_dict() for one in found)
    page.header(
        f"Bad debt within {horizon} h, {found[0].law.text}", f"{ours['draws']} joint draws, seed {found[0].seed}"
    )
    if ours["var_usd_95"] is None:
        page.sentence(
            f"{count(ours['draws'], 'draw')}: too few to say what bad debt stays below in nineteen of twenty."
        )
    else:
        stays = f"stays below **{money(ours['var_usd_95'])}**" if ours["var_usd_95"] else "is **none**"
        none = "none as well" if not ours["var_usd_95"] else "none"
        other = f"it would stay below {money(flat['var_usd_95'])}" if flat["var_usd_95"] else f"there would be {none}"
        page.sentence(f"In nineteen of twenty draws bad debt {stays}; under constant volatility {other}.")
    page.blank()
    names = (
        "mean_usd",
        *(name for level in LEVELS for name in (f"var_usd_{100 * level:g}", f"es_usd_{100 * level:g}")),
    )
    shown = [name for name in names if ours[name] is not None]
    rows = []
    for one in (ours, flat):
        hit = percent(one["share_with_bad_debt"])
        rows.append([str(one["law"]), *(money(float(one[name])) for name in shown), hit])
        if len(shown) > 1:
            low, high = map(percent, one["share_with_bad_debt_interval"])
            rows.append(["  95 % confidence", *(_interval(one, name) for name in shown), f"{low}–{high}"])
    words = [name.replace("_usd", "").replace("_", " ").replace("var", "VaR").replace("es", "ES") for name in shown]
    heads = [word if word == "mean" else f"{word} %" for word in words]
    page.table(["law", *heads, "hit"], rows, right=list(range(1, len(shown) + 2)))
    page.say(
        (
            f"Confidence: sampling error of the draws alone. Shocked: {', '.join(found[0].shocked.names)}; Student t with {found[0].law.freedom:.1f} degrees of freedom. Hit: share of draws with bad debt.",
            "dim",
        )
    )
    answers = ", ".join(f"{one['model']} ({one['forecasts']})" for one in forecasts.answered_by())
    models = "that ship" if asked.model is None else f"in {asked.model}"
    files = " with earlier ones of ".join(str(file) for file in (asked.prices, asked.history) if file is not None)
    page.say((f"Forecasts: {answers}, of the models {models}, from prices of {files or 'the embedded sample'}.", "dim"))
    for note in (_apart(snapshot, forecasts), *found[0].notes, *forecasts.notes):
        if note:
            page.say((f"Note: {note}.", "dim"))
    page.footer(
        f"content id {content}",
        when(snapshot).split("   ")[0],
        f"aftershock {aftershock.__version__}",
        ", ".join(part for part in (snapshot.caption, forecasts.caption) if part),
    )


def _interval(one: dict[str, Any], name: str) -> str:
    """Lowest and highest of a level; empty for what has no interval."""
    interval: list[float] | None = one.get(f"{name}_interval")
    if interval is None:
        return ""
    low, high = interval
    return money(low) if money(low) == money(high) else f"{money(low)}–{money(high)}"


def _apart(snapshot: Snapshot, found: Forecasts) -> str:
    """How far the instant of the shocks lies from the snapshot's; empty within a day."""
    return apart(int(found.table["as_of"].iloc[0].timestamp()), snapshot.anchors)
