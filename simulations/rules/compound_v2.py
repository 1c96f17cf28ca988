"""Compound V2 liquidations to the smallest unit; the float twin is `compound_v2_float`. The contract fails softly: an event tells, not the status.

Source: Comptroller.liquidateBorrowAllowed, liquidateCalculateSeizeTokens, getHypotheticalAccountLiquidityInternal; CToken.liquidateBorrowFresh,
seizeInternal (compound-protocol as in npm @thenextblock/hardhat-compound 0.0.14, dist/contracts). Bad debt stays with the borrower (zombie).

In our terms: `supply_stored` are cTokens and `supply_index / supply_unit` the exchange rate (what all cTokens are worth over all cTokens);
`debt_stored x debt_index / debt_unit` is the borrow balance (principal, market's index, index of the account's snapshot); `price_raw` is the
oracle's mantissa, so `price_decimals` is 36 - decimals; `threshold_bps` the collateral factor, `bonus_bps` the incentive (10800), `fee_bps` the
protocol's seize share (280); `active` whether the comptroller lists the market, `paused` whether seizing is paused. The call accrues its two
markets first, and only them: give these as `chain.accounting.compound_v2.accrue` leaves them and the others as stored.
Not modelled: deprecated markets, tokens that take a fee on transfer, a liquidator without funds.
"""

from dataclasses import replace

from chain.accounting import compound_v2 as accounting
from chain.errors import InputError
from chain.units import BPS_TO_WAD, WAD
from simulations.rules.rule import NO_DEBT, Leg, Liquidation, Position, Refusal

REVISIONS = (None, 1)
DEFAULT_CLOSE_FACTOR_BPS = 5_000


def require_revision(revision: int | None) -> None:
    """InputError unless it is the one revision that is written."""
    if revision not in REVISIONS:
        raise InputError(f"Compound V2 revision {revision} is not written; leave it empty or write 1")


def pauses_seizing_alone(revision: int | None) -> bool:
    """Comptroller.seizeAllowed asks its guardian about what is seized; nothing stops a repayment."""
    del revision
    return True


def debt_raw(position: Position, number: int) -> int:
    """Borrow balance of a leg, smallest units."""
    return _borrowed(position.legs[number])


def liquidity(position: Position) -> tuple[int, int]:
    """(collateral x factor, debt) in the oracle's currency x 1e18, with the contract's truncations in its order."""
    collateral = debt = 0
    for leg in position.legs:
        if leg.enabled:
            factor = leg.threshold_bps * BPS_TO_WAD
            collateral += accounting.weighted_value(leg.supply_stored, factor, _exchange_rate(leg), leg.price_raw)
        debt += leg.price_raw * _borrowed(leg) // WAD
    return collateral, debt


def health_factor_wad(position: Position) -> int:
    """Collateral x factor over debt, x 1e18, rounded down: below 1e18 exactly when the contract finds a shortfall."""
    collateral, debt = liquidity(position)
    return collateral * WAD // debt if debt else NO_DEBT


def liquidate_exactly(
    position: Position, collateral: int, debt: int, repay: int, by_borrower: bool = False
) -> Liquidation | Refusal:
    """liquidateBorrow(borrower, repay, cTokenCollateral): nothing is cut to what is allowed; cTokens need not be entered to be seized.

    A refusal has the name that the contract gives it: of the comptroller's error, of the failure's place, or the text it reverts with.
    """
    taken, owed = position.legs[collateral], position.legs[debt]
    refusal = _refusal(position, taken, owed, repay, by_borrower)
    if refusal is not None:
        return refusal
    tokens = _ratio(taken, owed) * repay // WAD
    if tokens > taken.supply_stored:
        return Refusal("LIQUIDATE_SEIZE_TOO_MUCH")
    if taken.reserve.paused:
        return Refusal("seize is paused")
    protocol = tokens * (taken.reserve.fee_bps * BPS_TO_WAD) // WAD
    burnt = [0] * len(position.legs)
    burnt[debt] = repay
    rate = _exchange_rate(taken)
    return Liquidation(
        repaid_raw=repay,
        seized_raw=rate * (tokens - protocol) // WAD,
        fee_raw=rate * protocol // WAD,
        supply_burnt=tokens - protocol,
        fee_stored=protocol,
        debt_burnt=tuple(burnt),
        deficit_raw=(0,) * len(position.legs),
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


def after(position: Position, collateral: int, debt: int, done: Liquidation) -> Position:
    """The account after a liquidation. The protocol's cTokens are burnt, what they are worth is no longer the suppliers'; the debt is written anew."""
    legs = list(position.legs)
    owed = legs[debt]
    anew = replace(owed.reserve, debt_index=1, debt_unit=1)
    legs[debt] = replace(owed, reserve=anew, debt_stored=_borrowed(owed) - done.debt_burnt[debt])
    taken = legs[collateral]
    market = replace(
        taken.reserve,
        supply_index=taken.reserve.supply_index - done.fee_raw,
        supply_unit=taken.reserve.supply_unit - done.fee_stored,
    )
    left = taken.supply_stored - done.supply_burnt - done.fee_stored
    legs[collateral] = replace(taken, reserve=market, supply_stored=left)
    return replace(position, legs=tuple(legs))


def _refusal(position: Position, taken: Leg, owed: Leg, repay: int, by_borrower: bool) -> Refusal | None:
    """liquidateBorrowAllowed and liquidateBorrowFresh up to the repayment, and the prices of the seizure, in their order."""
    if not (owed.reserve.active and taken.reserve.active):
        return Refusal("MARKET_NOT_LISTED")
    if any(not leg.price_raw for leg in position.legs if leg.enabled or leg.debt_stored):
        return Refusal("PRICE_ERROR")
    weighted, borrowed = liquidity(position)
    if weighted >= borrowed:
        return Refusal("INSUFFICIENT_SHORTFALL")
    if repay > _most(owed):
        return Refusal("TOO_MUCH_REPAY")
    if by_borrower:
        return Refusal("LIQUIDATE_LIQUIDATOR_IS_BORROWER")
    if repay == 0:
        return Refusal("LIQUIDATE_CLOSE_AMOUNT_IS_ZERO")
    if not taken.price_raw:
        return Refusal("LIQUIDATE_COMPTROLLER_CALCULATE_AMOUNT_SEIZE_FAILED")
    return None


def _ratio(taken: Leg, owed: Leg) -> int:
    """cTokens per unit repaid, x 1e18: numerator, denominator and their quotient are each truncated."""
    numerator = taken.bonus_bps * BPS_TO_WAD * owed.price_raw // WAD
    denominator = taken.price_raw * _exchange_rate(taken) // WAD
    return numerator * WAD // denominator if denominator else 0


def _most(owed: Leg) -> int:
    close_factor = DEFAULT_CLOSE_FACTOR_BPS if owed.reserve.close_factor_bps is None else owed.reserve.close_factor_bps
    return close_factor * BPS_TO_WAD * _borrowed(owed) // WAD


def _borrowed(leg: Leg) -> int:
    return accounting.borrow_balance(leg.debt_stored, leg.reserve.debt_unit, leg.reserve.debt_index)


def _exchange_rate(leg: Leg) -> int:
    return accounting.exchange_rate(leg.reserve.supply_index, leg.reserve.supply_unit)
