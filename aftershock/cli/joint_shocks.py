"""`aftershock simulate --shocks forecast`: joint shocks drawn from volatility forecasts, one cascade a draw, the tail of bad debt."""

from pathlib import Path
from typing import Any, cast

import aftershock
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json
from aftershock.forecast_shocks import BadDebt, bad_debt_under, constant_law, law_of_forecasts
from aftershock.forecasts import Span, duration_s, forecast_file, require_hourly
from chain.errors import InputError
from chain.price_files import Stamp
from models.panel import read_panel
from reports.amounts import count, money
from simulations.book_of_graph import from_graph
from simulations.scenarios import Assumptions


def check(prices: Path | None, stamp: str | None, bar: str, at: str | None, horizon: int, draws: int) -> Path:
    """The file of prices; InputError if an option cannot be used, before anything is read."""
    if prices is None:
        raise InputError("--shocks forecast needs --prices FILE, the hourly prices that the forecast looks back on")
    if not prices.is_file():
        raise InputError(
            f"--prices {prices} {'is a folder' if prices.is_dir() else 'does not exist'}; give a CSV or Parquet file"
        )
    if stamp not in (None, "open", "close"):
        raise InputError(f"--stamp is {stamp!r}; write open or close")
    if draws < 20:
        raise InputError(f"--draws is {draws}; a tail needs at least 20")
    require_hourly(bar, horizon)
    Span("1h", None, None, at)
    return prices


def run_law(
    graph: Any,
    prices: Path,
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
        known = cast("Stamp | None", stamp)
        every = f"{horizon}h" if horizon < 24 else "24h"
        table = forecast_file(prices, known, bar, None, every, None, None, horizon, at=at).table
        panel = read_panel(prices, known, duration_s(bar, "--bar")).select(table["asset"].tolist())
        law = law_of_forecasts(table, panel)
        flat = constant_law(panel, int(table["as_of"].iloc[0].timestamp()), horizon, law.freedom)
        running.note(f"{count(len(law.assets), 'asset')}, {law.text}")
    book = from_graph(graph)
    found = []
    for one in (law, flat):
        with step("cascades") as running:

            def tell(done: int, text: str = one.text) -> None:
                running.note(f"{done} of {draws}, {text}")

            found.append(bad_debt_under(book, one, draws, seed, Assumptions(**assumptions), tell))  # type: ignore[arg-type]
    if as_json:
        print_json({"laws": [one.to_dict() for one in found], "tool": f"aftershock {aftershock.__version__}"})
    else:
        show(Page(), found, horizon)
    return found


def show(page: Page, found: list[BadDebt], horizon: int) -> None:
    """Print the tails of both laws, side by side."""
    forecast, flat = (one.to_dict() for one in found)
    page.header(
        f"Bad debt within {horizon} h, {found[0].law.text}", f"{forecast['draws']} joint draws, seed {found[0].seed}"
    )
    stays = f"stays below **{money(forecast['var_usd_95'])}**" if forecast["var_usd_95"] else "is **none**"
    other = money(flat["var_usd_95"]) if flat["var_usd_95"] else "none as well"
    page.sentence(f"In nineteen of twenty draws bad debt {stays}; under constant volatility it would be {other}.")
    page.blank()
    rows = [
        [
            str(one["law"]),
            *(money(float(one[name])) for name in ("mean_usd", "var_usd_95", "es_usd_95", "var_usd_99")),
            f"{100 * one['share_with_bad_debt']:.0f} %",
        ]
        for one in (forecast, flat)
    ]
    page.table(["law", "mean", "VaR 95 %", "ES 95 %", "VaR 99 %", "hit"], rows, right=[1, 2, 3, 4, 5])
    page.say(
        (
            f"Shocked: {', '.join(found[0].used)}; Student t with {found[0].law.freedom:.1f} degrees of freedom. Hit: share of draws with bad debt.",
            "dim",
        )
    )
