"""`aftershock simulate`: one shock or scenario, run to calm on a snapshot or on a user's own book."""

import math

import typer

import aftershock
from aftershock.cli.cascade import show
from aftershock.cli.file_warnings import in_json, warnings_of
from aftershock.cli.options import (
    AsJson,
    At,
    Bar,
    BarStamp,
    Book,
    Draws,
    FailAbove,
    Gas,
    History,
    Horizon,
    Law,
    Model,
    PassThrough,
    Prices,
    ScenarioName,
    Seed,
    Shocks,
    Source,
    exit_if_incomplete,
    refuse_unread_law,
)
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json
from chain.errors import InputError
from reports.amounts import count, money
from simulations.result import CascadeResult, Round

EXAMPLE = "Example: aftershock simulate --shock ETH=-30%    or, on your own book: aftershock simulate --book book.csv --shock ETH=-20% --json"


def run(
    ctx: typer.Context,
    shock: Shocks = [],  # noqa: B006  typer reads the default, nobody writes to it
    scenario: ScenarioName = None,
    source: Source = "sample",
    book: Book = None,
    pass_through: PassThrough = None,
    gas: Gas = None,
    law: Law = None,
    prices: Prices = None,
    stamp: BarStamp = None,
    bar: Bar = "1h",
    history: History = None,
    model: Model = None,
    at: At = None,
    horizon: Horizon = 24,
    draws: Draws = 200,
    seed: Seed = 0,
    fail_above: FailAbove = None,
    as_json: AsJson = False,
) -> None:
    """Shock prices, let oracles, keepers and pools act in rounds until nothing moves, and say who loses what."""
    if fail_above is not None and not math.isfinite(fail_above):
        raise InputError(f"--fail-above is {fail_above}; give an amount in USD")
    assumptions = {
        name: value for name, value in (("pass_through", pass_through), ("gas_usd", gas)) if value is not None
    }
    refuse_unread_law(ctx, law)
    if law is not None and (shock or scenario is not None):
        raise InputError("give --shocks forecast, or shocks, or a scenario; not two of them")
    chosen = aftershock.chosen_scenario(scenario, shock, assumptions) if law is None else None
    if law is not None:
        from aftershock.cli.joint_shocks import Asked, check

        asked = Asked(prices, stamp, bar, history, model, at, horizon, draws, seed)
        check(asked)
    with step("load") as loading:
        snapshot = aftershock.load(book if book is not None else source)
        graph = aftershock.graph(snapshot)
        loading.note(
            f"{count(len(snapshot['positions'].drop_duplicates(['market', 'position_id'])), 'position')}, {count(len(snapshot['pools']), 'pool')}"
        )
        warned = warnings_of(book if book is not None else source)
    if chosen is None:
        from aftershock.cli.joint_shocks import run_law

        tails = run_law(snapshot, graph, asked, assumptions, as_json, warned)
        exit_if_incomplete(snapshot)
        if fail_above is not None:
            _exit_above(float(tails[0].to_dict()["var_usd_95"]), fail_above, "VaR 95 % of bad debt")
        return
    result = with_progress(graph, chosen)
    if as_json:
        print_json({**result.to_dict(), **in_json(warned), "tool": f"aftershock {aftershock.__version__}"})
    else:
        show(Page(), result, graph, warned)
    exit_if_incomplete(snapshot)
    _exit_above(result.bad_debt_usd, fail_above)


def _exit_above(bad_debt_usd: float, fail_above: float | None, what: str = "bad debt") -> None:
    if fail_above is not None and bad_debt_usd > fail_above:
        typer.echo(f"exit 1: {what} {money(bad_debt_usd)} is above your threshold of ${fail_above:,.0f}", err=True)
        raise typer.Exit(1)


def with_progress(graph: aftershock.ProtocolGraph, chosen: aftershock.Scenario) -> CascadeResult:
    """Run a scenario and show each round while it runs."""
    with step("cascade") as running:
        lost = 0.0

        def tell(done: Round) -> None:
            nonlocal lost
            lost += math.fsum(done.bad_debt_usd.values())
            running.note(
                f"round {done.number}, {count(len(done.liquidations))} liquidated, bad debt so far {money(lost)}"
            )

        result = aftershock.simulate(graph, chosen, progress=tell)
        running.note(f"{chosen.title}: calm after {count(result.calm_after, 'round')}")
    return result
