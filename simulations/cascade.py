"""The loop: a shock, then rounds in which oracles publish, keepers liquidate and sell, and prices answer, until nothing happens.

Every round is kept: round 1 is what the shock alone does (direct), all later rounds are what forced sales do (indirect). Bad debt is
counted at market prices: losses that a market records, plus what open positions owe beyond their collateral.
"""

from collections.abc import Callable

import numpy as np

from chain.errors import ConvergenceError
from chain.snapshot import content_id
from simulations import frontier, health, identities, result
from simulations.book import Book
from simulations.channels import arbitrage, liquidation, oracle
from simulations.identities import Identities
from simulations.result import CascadeResult, Round
from simulations.rules import notes
from simulations.scenarios import Scenario
from simulations.shocks import reference_prices
from simulations.state import start

MODEL_VERSION = 5


def run(book: Book, scenario: Scenario, progress: Callable[[Round], None] = lambda _: None) -> CascadeResult:
    """Run a scenario on a book until a round without liquidations.

    Parameters
    ----------
    progress : called with each round when it is over.

    Returns
    -------
    CascadeResult
        `positions` columns: market, position_id, owner, collateral_assets, debt_assets, health_factor_before, health_factor_after,
        collateral_before_usd, collateral_after_usd, debt_before_usd, debt_after_usd, liquidated_usd, loss_usd. `markets` columns:
        market, name, supplied_usd, borrowed_usd, liquidated_usd, bad_debt_usd, direct_usd, indirect_usd, waiting_debt_usd, before_usd
        (debt that was under water before the shock; not part of the others), frozen_usd (the part of bad_debt_usd that is owed against
        collateral none of whose prices moves: nobody can be liquidated for it).

    Raises
    ------
    InputError
        If a shock cannot be applied or a market's rule is not written.
    ConvergenceError
        If the book is not calm after `max_rounds`.
    ConservationError
        If an accounting identity fails.
    """
    state = start(book)
    terms = liquidation.keepers(book, scenario.assumptions.gas_usd)
    before = result.Standing.of(state)
    standing = frontier.by_market(state, scenario.assumptions.gas_usd)
    under_water = np.maximum(before.debt_usd - before.collateral_usd, 0)

    order, held = identities.layout(book), identities.moment(state)
    state.market_usd = reference_prices(book, scenario.shocks)
    arbitrage.bring_pools_to_market(state)
    worst = identities.check(order, held, identities.moment(state), state.ledger)

    rounds: list[Round] = []
    recorded, level = np.zeros(book.size), under_water
    while not rounds or len(rounds[-1].liquidations):
        if len(rounds) >= scenario.assumptions.max_rounds:
            raise ConvergenceError(
                f"not calm after {len(rounds)} rounds; raise max_rounds or look at scenario {scenario.name!r}"
            )
        state.ledger.round += 1
        opening, held = state.market_usd.copy(), identities.moment(state)
        oracle.publish(state)
        oracles = result.oracle_usd(state)
        candidates = liquidation.liquidatable(state, terms, health.health_factors(state))
        done, waiting = liquidation.act(state, terms, candidates)
        recorded = recorded + result.written_off(book, done, opening)
        collateral, debt = health.values_usd(state)
        new_level = recorded + np.maximum(debt - collateral, 0)
        if done:
            arbitrage.pass_impact_through(state, scenario.assumptions.pass_through)
            arbitrage.bring_pools_to_market(state)
        worst = max(worst, identities.check(order, held, identities.moment(state), state.ledger))
        stuck = [number for number in waiting if collateral[number] > 0]
        rounds.append(
            Round(
                number=state.ledger.round,
                oracle_price_usd=oracles,
                market_price_usd=result.by_key(book, state.market_usd),
                liquidations=result.liquidation_rows(book, done, opening),
                sales=result.sale_rows(state, opening),
                bad_debt_usd=result.by_market(book, new_level - level),
                waiting=len(stuck),
                waiting_debt_usd=result.by_market(book, np.where(np.isin(np.arange(book.size), stuck), debt, 0.0)),
            )
        )
        level = new_level
        progress(rounds[-1])

    return CascadeResult(
        scenario=scenario,
        rounds=tuple(rounds),
        positions=result.position_rows(state, rounds, before, level - under_water),
        markets=result.market_rows(
            book,
            rounds,
            result.by_market(book, under_water),
            result.by_market(book, np.where(oracle.frozen(book), level - under_water, 0.0)),
        ),
        identities=Identities(True, worst, len(rounds)),
        content_id=content_id({"book": book.content_id, "scenario": scenario.to_dict(), "model": MODEL_VERSION}),
        caption=book.caption,
        frontier={"before": standing, "after": frontier.by_market(state, scenario.assumptions.gas_usd)},
        notes=(*notes(book.markets), *book.notes),
    )
