"""Compound V2 liquidations to the smallest unit, and the float twin beside them. The contract fails softly: an event tells, not the status.

Source: Comptroller.liquidateBorrowAllowed, liquidateCalculateSeizeTokens, getHypotheticalAccountLiquidityInternal; CToken.liquidateBorrowFresh,
seizeInternal (compound-protocol as in npm @thenextblock/hardhat-compound 0.0.14, dist/contracts). Bad debt stays with the borrower (zombie).

In our terms: `supply_stored` are cTokens and `supply_index / 1e18` the exchange rate; `debt_stored` is the borrow balance at this moment
(principal x index / index of the snapshot, rounded down), since the contract keeps an index per account; `price_raw` is the oracle's mantissa, so
`price_decimals` is 36 - decimals; `threshold_bps` the collateral factor, `bonus_bps` the incentive (10800), `fee_bps` the protocol's seize share
(280). Only the two markets in a call accrue first: other legs count with their stored index and rate. Not modelled: deprecated markets.
"""

from chain.errors import InputError
from chain.units import BPS, WAD, mul_div
from simulations.rules.rule import NO_DEBT, Leg, Liquidation, Position, Refusal

BPS_TO_WAD = WAD // BPS
REVISIONS = (None, 1)
DEFAULT_CLOSE_FACTOR_BPS = 5_000


def require_revision(revision: int | None) -> None:
    """InputError unless it is the one revision that is written."""
    if revision not in REVISIONS:
        raise InputError(f"Compound V2 revision {revision} is not written; leave it empty or write 1")


def debt_raw(position: Position, number: int) -> int:
    """Borrow balance of a leg, smallest units."""
    return _borrowed(position.legs[number])


def liquidity(position: Position) -> tuple[int, int]:
    """(collateral x factor, debt) in the oracle's currency x 1e18, with the contract's truncations in its order."""
    collateral = debt = 0
    for leg in position.legs:
        if leg.enabled:
            factor = leg.threshold_bps * BPS_TO_WAD * _exchange_rate(leg) // WAD * leg.price_raw // WAD
            collateral += factor * leg.supply_stored // WAD
        debt += leg.price_raw * _borrowed(leg) // WAD
    return collateral, debt


def health_factor_wad(position: Position) -> int:
    """Collateral x factor over debt, x 1e18, rounded down: below 1e18 exactly when the contract finds a shortfall."""
    collateral, debt = liquidity(position)
    return collateral * WAD // debt if debt else NO_DEBT


def most_share(
    revision: int | None, health: float, collateral_usd: float, debt_usd: float, close_factor_bps: int | None
) -> float:
    """The comptroller's close factor."""
    del revision, health, collateral_usd, debt_usd
    return (DEFAULT_CLOSE_FACTOR_BPS if close_factor_bps is None else close_factor_bps) / BPS


def liquidate_exactly(position: Position, collateral: int, debt: int, repay: int) -> Liquidation | Refusal:
    """liquidateBorrow(borrower, repay, cTokenCollateral): nothing is cut to what is allowed; cTokens need not be entered to be seized."""
    taken, owed = position.legs[collateral], position.legs[debt]
    weighted, borrowed = liquidity(position)
    if weighted >= borrowed:
        return Refusal("INSUFFICIENT_SHORTFALL")
    if repay > _most(owed):
        return Refusal("TOO_MUCH_REPAY")
    if repay == 0:
        return Refusal("LIQUIDATE_CLOSE_AMOUNT_IS_ZERO")
    tokens = _ratio(taken, owed) * repay // WAD
    if tokens > taken.supply_stored:
        return Refusal("LIQUIDATE_SEIZE_TOO_MUCH")
    protocol = tokens * (taken.reserve.fee_bps * BPS_TO_WAD) // WAD
    burnt = [0] * len(position.legs)
    burnt[debt] = repay
    rate = _exchange_rate(taken)
    return Liquidation(
        repay,
        rate * (tokens - protocol) // WAD,
        rate * protocol // WAD,
        tokens - protocol,
        protocol,
        tuple(burnt),
        (0,) * len(position.legs),
    )


def liquidate(position: Position, collateral: int, debt: int, debt_to_cover: int) -> Liquidation | Refusal:
    """As a keeper would who redeems at once: `debt_to_cover` cut to the close factor and to what the collateral pays for."""
    taken, owed = position.legs[collateral], position.legs[debt]
    repay = min(debt_to_cover, _most(owed))
    ratio = _ratio(taken, owed)
    if ratio and ratio * repay // WAD > taken.supply_stored:
        repay = ((taken.supply_stored + 1) * WAD - 1) // ratio
    outcome = liquidate_exactly(position, collateral, debt, repay)
    if isinstance(outcome, Liquidation) and outcome.seized_raw > taken.held_raw:
        return Refusal("NotEnoughCash")
    return outcome


def float_twin(
    weighted: float,
    borrowed: float,
    debt: float,
    collateral: float,
    prices: tuple[float, float],
    terms: tuple[float, float, float],
    repay: float,
) -> tuple[float, float] | None:
    """(seized by the liquidator, protocol's share) in whole tokens of the collateral, or None where the contract refuses.

    Parameters
    ----------
    weighted, borrowed : the account's collateral x factor and debt, one currency.   debt, collateral : whole tokens of the two legs.
    prices : of (collateral, debt).   terms : (incentive, close factor, seize share) as ratios, 1.08 for an incentive of 8 %.
    """
    incentive, close_factor, share = terms
    if weighted >= borrowed or repay > close_factor * debt or repay <= 0:
        return None
    seized = repay * incentive * prices[1] / prices[0]
    return (seized * (1 - share), seized * share) if seized <= collateral else None


def _ratio(taken: Leg, owed: Leg) -> int:
    """cTokens per unit repaid, x 1e18: numerator, denominator and their quotient are each truncated."""
    numerator = taken.bonus_bps * BPS_TO_WAD * owed.price_raw // WAD
    return numerator * WAD // (taken.price_raw * _exchange_rate(taken) // WAD)


def _most(owed: Leg) -> int:
    close_factor = DEFAULT_CLOSE_FACTOR_BPS if owed.reserve.close_factor_bps is None else owed.reserve.close_factor_bps
    return close_factor * BPS_TO_WAD * _borrowed(owed) // WAD


def _borrowed(leg: Leg) -> int:
    return mul_div(leg.debt_stored, leg.reserve.debt_index, leg.reserve.debt_unit)


def _exchange_rate(leg: Leg) -> int:
    return leg.reserve.supply_index * WAD // leg.reserve.supply_unit
