"""Aave V3 liquidations, revisions 3.5 and 3.6 (POOL_REVISION 9 and 10), to the smallest unit; `float_twin` beside it.

Source: LiquidationLogic.executeLiquidationCall and _calculateAvailableCollateralToLiquidate, ValidationLogic.validateLiquidationCall,
TokenMath (aave-v3-origin 3.6.0). Only 10 is compared with the contract here. Not modelled: isolation-mode debt ceilings (they do not
change amounts), the price oracle sentinel (absent where the contract has none set), the liquidator being the borrower.
"""

from chain.accounting.aave_v3 import AccountData, Holding, account_data, debt_balance, supply_balance
from chain.errors import InputError
from chain.units import BPS, RAY, WAD, mul_div
from simulations.rules.rule import Leg, Liquidation, Position, Refusal

REVISIONS = (9, 10)
CLOSE_FACTOR_BPS = 5_000
CLOSE_FACTOR_HEALTH_FACTOR = 95 * WAD // 100
SMALL_POSITION_BASE = 2_000 * 10**8
LEFTOVER_BASE = SMALL_POSITION_BASE // 2


def require_revision(revision: int | None) -> None:
    """InputError unless the rules of this revision are written."""
    if revision not in REVISIONS:
        raise InputError(
            f"the liquidation rules of Aave V3 POOL_REVISION {revision} are not written; written are {', '.join(map(str, REVISIONS))}"
        )


def debt_raw(position: Position, number: int) -> int:
    """Variable debt token balance of a leg, smallest units."""
    leg = position.legs[number]
    return debt_balance(leg.debt_stored, leg.reserve.debt_index, _revision(position))


def health_factor_wad(position: Position) -> int:
    """Health factor x 1e18 as getUserAccountData answers it; 2**256 - 1 without debt."""
    return _account(position).health_factor_wad


def most_share(health: float, collateral_usd: float, debt_usd: float, close_factor_bps: int | None) -> float:
    """Half of a debt while health is above 0.95 and neither side is small; all of it otherwise. The file's close factor is not asked."""
    del close_factor_bps
    is_small = min(collateral_usd, debt_usd) < SMALL_POSITION_BASE / 10**8
    return 1.0 if is_small or health <= CLOSE_FACTOR_HEALTH_FACTOR / WAD else CLOSE_FACTOR_BPS / BPS


def liquidate(position: Position, collateral: int, debt: int, debt_to_cover: int) -> Liquidation | Refusal:
    """liquidationCall(collateral, debt, user, debt_to_cover, receiveAToken=false).

    Parameters
    ----------
    position : the borrower, every leg.
    collateral, debt : leg numbers; may be the same leg.
    debt_to_cover : smallest units of the debt asset; more than allowed is cut to what is allowed.
    """
    taken, owed = position.legs[collateral], position.legs[debt]
    account, debt_balance_raw = _account(position), debt_raw(position, debt)
    collateral_balance = supply_balance(taken.supply_stored, taken.reserve.supply_index, _revision(position))
    refusal = _refusal(position, taken, owed, account.health_factor_wad, debt_balance_raw)
    if refusal is not None:
        return refusal
    unit_c, unit_d = 10**taken.decimals, 10**owed.decimals
    debt_base = mul_div(debt_balance_raw, owed.price_raw, unit_d, "ceil")
    collateral_base = collateral_balance * taken.price_raw // unit_c

    most = debt_balance_raw
    if (
        min(collateral_base, debt_base) >= SMALL_POSITION_BASE
        and account.health_factor_wad > CLOSE_FACTOR_HEALTH_FACTOR
    ):
        half_base = mul_div(account.debt_base, CLOSE_FACTOR_BPS, BPS, "half_up")
        if debt_base > half_base:
            most = half_base * unit_d // owed.price_raw
    repaid = min(debt_to_cover, most)

    value_in_collateral = owed.price_raw * repaid * unit_c // (taken.price_raw * unit_d)
    seized = mul_div(value_in_collateral, taken.bonus_bps, BPS, "half_up")
    if seized > collateral_balance:
        seized = collateral_balance
        repaid = mul_div(taken.price_raw * seized * unit_d // (owed.price_raw * unit_c), BPS, taken.bonus_bps, "ceil")
    seized_base = seized * taken.price_raw // unit_c
    fee = 0
    if taken.reserve.fee_bps:
        bonus_part = seized - mul_div(seized, BPS, taken.bonus_bps, "half_up")
        fee = mul_div(bonus_part, taken.reserve.fee_bps, BPS, "half_up")
        seized -= fee

    if repaid < debt_balance_raw and seized + fee < collateral_balance:
        debt_left = mul_div(debt_balance_raw - repaid, owed.price_raw, unit_d, "ceil")
        collateral_left = (collateral_balance - seized - fee) * taken.price_raw // unit_c
        if min(debt_left, collateral_left) < LEFTOVER_BASE:
            return Refusal("MustNotLeaveDust")
    if seized > taken.held_raw:
        return Refusal("NotEnoughCash")

    nothing_left = account.collateral_base == seized_base
    burnt, deficit = [0] * len(position.legs), [0] * len(position.legs)
    burnt[debt] = mul_div(debt_balance_raw if nothing_left else repaid, RAY, owed.reserve.debt_index, "floor")
    if nothing_left:
        deficit[debt] = debt_balance_raw - repaid
        for number, leg in enumerate(position.legs):
            if number != debt and leg.debt_stored and leg.reserve.active:
                deficit[number] = debt_raw(position, number)
                burnt[number] = mul_div(deficit[number], RAY, leg.reserve.debt_index, "floor")
    supply_burnt = mul_div(seized, RAY, taken.reserve.supply_index, "ceil")
    fee_stored = min(mul_div(fee, RAY, taken.reserve.supply_index, "ceil"), taken.supply_stored - supply_burnt)
    return Liquidation(repaid, seized, fee, supply_burnt, fee_stored, tuple(burnt), tuple(deficit))


def _refusal(position: Position, taken: Leg, owed: Leg, health_factor: int, debt_balance_raw: int) -> Refusal | None:
    """validateLiquidationCall, in its order."""
    if not (taken.reserve.active and owed.reserve.active):
        return Refusal("ReserveInactive")
    if taken.reserve.paused or owed.reserve.paused:
        return Refusal("ReservePaused")
    if max(taken.reserve.grace_until, owed.reserve.grace_until) >= position.now:
        return Refusal("LiquidationGraceSentinelCheckFailed")
    if health_factor >= WAD:
        return Refusal("HealthFactorNotBelowThreshold")
    if not taken.enabled:
        return Refusal("CollateralCannotBeLiquidated")
    if debt_balance_raw == 0:
        return Refusal("SpecifiedCurrencyNotBorrowedByUser")
    return None


def _revision(position: Position) -> int:
    require_revision(position.revision)
    return int(position.revision or 0)


def _account(position: Position) -> AccountData:
    return account_data([_holding(leg) for leg in position.legs], _revision(position))


def _holding(leg: Leg) -> Holding:
    return Holding(
        price_raw=leg.price_raw,
        decimals=leg.decimals,
        supply_stored=leg.supply_stored,
        supply_index=leg.reserve.supply_index,
        debt_stored=leg.debt_stored,
        debt_index=leg.reserve.debt_index,
        threshold_bps=leg.threshold_bps,
        enabled=leg.enabled,
    )
