"""Aave V3 liquidations to the smallest unit, every revision of `aave_v3_revisions`; the float twin is `aave_v3_float`.

Source: LiquidationLogic.executeLiquidationCall and _calculateAvailableCollateralToLiquidate, ValidationLogic.validateLiquidationCall (both
revisions that are checked), TokenMath (from 3.5). Not modelled: isolation-mode debt ceilings (they do not change amounts), stable debt (to
3.2), the price oracle sentinel (absent where the contract has none set). A category that overrides the price (to 3.1) is in the leg's price.
"""

from dataclasses import replace
from functools import lru_cache

from chain.accounting.aave_v3 import (
    AccountData,
    Holding,
    account_data,
    debt_balance,
    debt_value,
    roundings,
    supply_balance,
)
from chain.units import BPS, RAY, WAD, mul_div
from simulations.rules.aave_v3_revisions import Revision, revision_row
from simulations.rules.rule import Leg, Liquidation, Position, Refusal

CLOSE_FACTOR_BPS = 5_000
CLOSE_FACTOR_HEALTH_FACTOR = 95 * WAD // 100
SMALL_POSITION_BASE = 2_000 * 10**8
LEFTOVER_BASE = SMALL_POSITION_BASE // 2


def require_revision(revision: int | None) -> None:
    """InputError unless the rules of this revision are written."""
    revision_row(revision)


def note(revision: int | None) -> str | None:
    """What a user of this revision must be told: that nobody compared it with a running contract. None where somebody did."""
    row = revision_row(revision)
    if row.checked and roundings(int(revision or 0)).checked:
        return None
    return f"the rules of Aave V{row.version} (POOL_REVISION {revision}) follow its source and were not compared with a running contract"


def averages_thresholds(revision: int | None) -> bool:
    """Whether the average threshold is cut to whole basis points before the health factor is taken (to 3.4)."""
    require_revision(revision)
    return roundings(int(revision or 0)).average_threshold_first


def needs_own_threshold(revision: int | None) -> bool:
    """Whether an asset whose own threshold is 0 counts for nothing in a category either (to 3.5)."""
    require_revision(revision)
    return roundings(int(revision or 0)).needs_own_threshold


def debt_raw(position: Position, number: int) -> int:
    """Variable debt token balance of a leg, smallest units."""
    leg = position.legs[number]
    return debt_balance(leg.debt_stored, leg.reserve.debt_index, _revision(position))


def health_factor_wad(position: Position) -> int:
    """Health factor x 1e18 as getUserAccountData answers it; 2**256 - 1 without debt."""
    return _account(position).health_factor_wad


def liquidate(
    position: Position, collateral: int, debt: int, debt_to_cover: int, by_borrower: bool = False
) -> Liquidation | Refusal:
    """liquidationCall(collateral, debt, user, debt_to_cover, receiveAToken=false).

    Parameters
    ----------
    position : the borrower, every leg.
    collateral, debt : leg numbers; may be the same leg.
    debt_to_cover : smallest units of the debt asset; more than allowed is cut to what is allowed.
    by_borrower : whether the borrower is the liquidator.
    """
    revision = _revision(position)
    row = revision_row(revision)
    taken, owed = position.legs[collateral], position.legs[debt]
    account, owed_raw = _account(position), debt_raw(position, debt)
    balance = supply_balance(taken.supply_stored, taken.reserve.supply_index, revision)
    refusal = _refusal(position, taken, owed, account.health_factor_wad, owed_raw, by_borrower and row.refuses_self)
    if refusal is not None:
        return refusal

    repaid = min(debt_to_cover, _most(row, revision, account, taken, owed, balance, owed_raw))
    unit_c, unit_d = 10**taken.decimals, 10**owed.decimals
    value_in_collateral = owed.price_raw * repaid * unit_c // (taken.price_raw * unit_d)
    gross = mul_div(value_in_collateral, taken.bonus_bps, BPS, row.max_collateral)
    if gross > balance:
        gross = balance
        value_in_debt = taken.price_raw * gross * unit_d // (owed.price_raw * unit_c)
        repaid = mul_div(value_in_debt, BPS, taken.bonus_bps, row.debt_needed)
    fee = 0
    if taken.reserve.fee_bps:
        bonus_part = gross - mul_div(gross, BPS, taken.bonus_bps, row.without_bonus)
        fee = mul_div(bonus_part, taken.reserve.fee_bps, BPS, row.fee)
    seized = gross - fee

    if row.whole_position and repaid < owed_raw and gross < balance:
        debt_left = debt_value(owed_raw - repaid, owed.price_raw, owed.decimals, revision)
        collateral_left = (balance - gross) * taken.price_raw // unit_c
        if min(debt_left, collateral_left) < LEFTOVER_BASE:
            return Refusal("MustNotLeaveDust")
    if seized > taken.held_raw:
        return Refusal("NotEnoughCash")

    supply_burnt = mul_div(seized, RAY, taken.reserve.supply_index, row.supply_burnt)
    fee_stored = mul_div(fee, RAY, taken.reserve.supply_index, row.supply_burnt)
    fee_stored = min(fee_stored, max(taken.supply_stored - supply_burnt, 0))
    if row.writes_off == "never":
        nothing_left = False
    elif row.writes_off == "no value left":
        nothing_left = account.collateral_base == gross * taken.price_raw // unit_c
    else:
        others = any(
            leg.enabled and leg.supply_stored for number, leg in enumerate(position.legs) if number != collateral
        )
        nothing_left = supply_burnt + fee_stored == taken.supply_stored and not others
    burnt, deficit = _written_off(position, debt, owed_raw, repaid) if nothing_left else _repaid(position, debt, repaid)
    if not (burnt[debt] and supply_burnt):
        return Refusal("InvalidBurnAmount")
    return Liquidation(repaid, seized, fee, supply_burnt, fee_stored, burnt, deficit)


def after(position: Position, collateral: int, done: Liquidation) -> Position:
    """The account after a liquidation; collateral that was taken whole no longer counts, even if a stored unit is left of it."""
    taken = position.legs[collateral]
    balance = supply_balance(taken.supply_stored, taken.reserve.supply_index, _revision(position))
    legs = [
        replace(leg, debt_stored=leg.debt_stored - burnt)
        for leg, burnt in zip(position.legs, done.debt_burnt, strict=True)
    ]
    legs[collateral] = replace(
        legs[collateral],
        supply_stored=taken.supply_stored - done.supply_burnt - done.fee_stored,
        enabled=taken.enabled and done.seized_raw + done.fee_raw < balance,
    )
    return replace(position, legs=tuple(legs))


def _refusal(
    position: Position, taken: Leg, owed: Leg, health_factor: int, owed_raw: int, self_refused: bool
) -> Refusal | None:
    """validateLiquidationCall, in its order."""
    if self_refused:
        return Refusal("SelfLiquidation")
    if not (taken.reserve.active and owed.reserve.active):
        return Refusal("ReserveInactive")
    if taken.reserve.paused or owed.reserve.paused:
        return Refusal("ReservePaused")
    if max(taken.reserve.grace_until, owed.reserve.grace_until) >= position.now:
        return Refusal("LiquidationGraceSentinelCheckFailed")
    if health_factor >= WAD:
        return Refusal("HealthFactorNotBelowThreshold")
    needs_own = roundings(_revision(position)).needs_own_threshold
    if not taken.enabled or (needs_own and taken.reserve.threshold_bps == 0):
        return Refusal("CollateralCannotBeLiquidated")
    if owed_raw == 0:
        return Refusal("SpecifiedCurrencyNotBorrowedByUser")
    return None


def _most(
    row: Revision, revision: int, account: AccountData, taken: Leg, owed: Leg, balance: int, owed_raw: int
) -> int:
    """The most that may be repaid: all of it, or half of the reserve's debt (to 3.2), or half of the position's (from 3.3)."""
    if account.health_factor_wad <= CLOSE_FACTOR_HEALTH_FACTOR:
        return owed_raw
    if not row.whole_position:
        return mul_div(owed_raw, CLOSE_FACTOR_BPS, BPS, "half_up")
    debt_base = debt_value(owed_raw, owed.price_raw, owed.decimals, revision)
    collateral_base = balance * taken.price_raw // 10**taken.decimals
    half_base = mul_div(account.debt_base, CLOSE_FACTOR_BPS, BPS, "half_up")
    if min(collateral_base, debt_base) >= SMALL_POSITION_BASE and debt_base > half_base:
        return int(half_base * 10**owed.decimals // owed.price_raw)
    return owed_raw


def _repaid(position: Position, debt: int, repaid: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(stored debt burnt, loss of the market) by leg when only what was repaid goes."""
    row, index = revision_row(position.revision), position.legs[debt].reserve.debt_index
    burnt = mul_div(repaid, RAY, index, row.debt_burnt)
    legs = range(len(position.legs))
    return tuple(burnt if number == debt else 0 for number in legs), tuple(0 for _ in legs)


def _written_off(position: Position, debt: int, owed_raw: int, repaid: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(stored debt burnt, loss of the market) by leg when no collateral is left: every debt in an active reserve goes."""
    row = revision_row(position.revision)
    burnt, deficit = [0] * len(position.legs), [0] * len(position.legs)
    for number, leg in enumerate(position.legs):
        if number == debt or (leg.debt_stored and leg.reserve.active):
            whole = owed_raw if number == debt else debt_raw(position, number)
            burnt[number] = mul_div(whole, RAY, leg.reserve.debt_index, row.debt_burnt)
            deficit[number] = whole - repaid if number == debt else whole
    return tuple(burnt), tuple(deficit)


def _revision(position: Position) -> int:
    require_revision(position.revision)
    return int(position.revision or 0)


@lru_cache(maxsize=4)  # a keeper asks about one position many times in a row
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
