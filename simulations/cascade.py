"""The loop: a shock, then rounds in which oracles publish, keepers liquidate and sell, and prices answer, until nothing happens.

Every round is kept: round 1 is what the shock alone does (direct), all later rounds are what forced sales do (indirect). Bad debt is
counted at market prices: losses that a market records, plus what open positions owe beyond their collateral.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chain.errors import ConvergenceError
from chain.snapshot import content_id
from simulations import frontier, health, identities, result_rows
from simulations.book import Book, FloatArray
from simulations.channels import arbitrage, liquidation, oracle
from simulations.identities import Identities
from simulations.opening import Opening, opening
from simulations.result import CascadeResult, Round
from simulations.rules import notes
from simulations.scenarios import Scenario, in_book
from simulations.shocks import reference_prices
from simulations.state import State

MODEL_VERSION = 7

Progress = Callable[[Round], None]


@dataclass(frozen=True)
class Calm:
    """Where a run ends: the state, every round, bad debt of each position with what was under water before (USD), what of that is no longer uncovered, who waits, the largest residual of the identities."""

    state: State
    rounds: tuple[Round, ...]
    level_usd: FloatArray
    relief_usd: FloatArray
    waiting: tuple[int, ...]
    worst_residual_ratio: float


def run(source: Book | Opening, scenario: Scenario, progress: Progress = lambda _: None) -> CascadeResult:
    """Run a scenario until a round without liquidations, and tell everything about it.

    Parameters
    ----------
    source : a book; where several scenarios are run on it, its `opening`, so that what they share is found once.
    scenario : however its shocks are written, the result has them in one form (`scenarios.in_book`), so that one question has one content id.
    progress : called with each round when it is over.

    Returns
    -------
    CascadeResult
        `positions` columns: market, position_id, owner, collateral_assets, debt_assets, health_factor_before, health_factor_after,
        collateral_before_usd, collateral_after_usd, debt_before_usd, debt_after_usd, liquidated_usd, loss_usd, waits (why it could be
        liquidated at the end and is not, one of `simulations.result.WAITS`; else empty). `markets` columns: market, name, supplied_usd, borrowed_usd,
        liquidated_usd, bad_debt_usd, direct_usd, indirect_usd, waiting_debt_usd, paused_debt_usd (the part of it that waits for the end of
        a pause), before_usd (debt that was under water before the shock; not part of the others), relief_usd (the part of that which is no
        longer uncovered at the end, by prices; not taken off bad debt, since it is other debt), frozen_usd (the part of bad_debt_usd
        that is owed against collateral none of whose prices moves: nobody can be liquidated for it).

    Raises
    ------
    InputError
        If a shock cannot be applied or a market's rule is not written.
    ConvergenceError
        If the book is not calm after `max_rounds`.
    ConservationError
        If an accounting identity fails.
    """
    begin = source if isinstance(source, Opening) else opening(source)
    book, scenario = begin.book, in_book(begin.book, scenario)
    gas_usd = scenario.assumptions.gas_usd
    end = to_calm(begin, scenario, progress)
    added = end.level_usd - begin.under_water
    left = frontier.by_position(end.state, begin.keepers_at(gas_usd))
    waits = result_rows.why_waiting(left, book, set(end.waiting))
    owed = health.values_usd(end.state)[1]
    return CascadeResult(
        scenario=scenario,
        rounds=end.rounds,
        positions=result_rows.position_rows(end.state, end.rounds, begin.standing, added, waits),
        markets=result_rows.market_rows(
            begin.at_block,
            end.rounds,
            result_rows.by_market(book, begin.under_water),
            result_rows.by_market(book, np.where(begin.frozen, added, 0.0)),
            result_rows.by_market(book, end.relief_usd),
            result_rows.by_market(book, np.where([why == "paused" for why in waits], owed, 0.0)),
        ),
        identities=Identities(end.worst_residual_ratio),
        content_id=content_id({"book": book.content_id, **scenario.decided_by(), "model": MODEL_VERSION}),
        market_price_before_usd=result_rows.by_key(book, begin.at_block.market_usd),
        caption=book.caption,
        frontier={
            "before": begin.frontier(gas_usd),
            "after": frontier.summed(book, left),
        },
        notes=(*notes(book.markets), *book.notes),
    )


def to_calm(begin: Opening, scenario: Scenario, progress: Progress = lambda _: None) -> Calm:
    """The loop by itself: a run without the tables that `run` makes of it. Raises as `run` does."""
    book, state, terms = begin.book, begin.at_block.copy(), begin.keepers_at(scenario.assumptions.gas_usd)
    state.market_usd = reference_prices(book, scenario.shocks)
    arbitrage.bring_pools_to_market(state)
    held = identities.moment(begin.layout, state, begin.moment)
    worst = identities.check(begin.layout, begin.moment, held, state.ledger)

    rounds: list[Round] = []
    recorded, level = np.zeros(book.size), begin.under_water
    while not rounds or len(rounds[-1].liquidations):
        if len(rounds) >= scenario.assumptions.max_rounds:
            raise ConvergenceError(
                f"{scenario.title}: not calm after {len(rounds)} rounds; write its shocks into a scenario file with a higher max_rounds "
                "under [assumptions] (docs/files.md, A scenario) and give that with --scenario"
            )
        state.ledger.round += 1
        before, before_usd = held, state.market_usd.copy()
        oracle.publish(state)
        candidates = liquidation.liquidatable(state, terms, health.health_factors(state))
        done, waiting = liquidation.act(state, terms, candidates)
        recorded = recorded + result_rows.written_off(book, done, before_usd)
        collateral, debt = health.values_usd(state)
        uncovered = recorded + np.maximum(debt - collateral, 0)
        new_level = np.maximum(uncovered, begin.under_water)
        if done:
            arbitrage.pass_impact_through(state, scenario.assumptions.pass_through)
            arbitrage.bring_pools_to_market(state)
        held = identities.moment(begin.layout, state, before)
        worst = max(worst, identities.check(begin.layout, before, held, state.ledger))
        stuck = [number for number in waiting if collateral[number] > 0]
        rounds.append(
            Round(
                number=state.ledger.round,
                market_price_usd=result_rows.by_key(book, state.market_usd),
                liquidations=result_rows.liquidation_rows(book, done, before_usd),
                sales=result_rows.sale_rows(state, before_usd),
                bad_debt_usd=result_rows.by_market(book, new_level - level),
                waiting=len(stuck),
                waiting_debt_usd=result_rows.by_market(book, np.where(np.isin(np.arange(book.size), stuck), debt, 0.0)),
            )
        )
        level = new_level
        progress(rounds[-1])
    return Calm(state, tuple(rounds), level, level - uncovered, tuple(stuck), worst)
