"""Aave V2 liquidations to the smallest unit: half of one debt at most, and bad debt stays with the borrower. The float twin is `aave_v2_float`.

Source: LendingPoolCollateralManager.liquidationCall and _calculateAvailableCollateralToLiquidate, ValidationLogic.validateLiquidationCall,
LendingPool.liquidationCall; the tokens' burn (@aave/protocol-v2 1.0.1, npm). Accounts are computed as in Aave V3's revision 1.

A debt is the sum of a part at a variable rate (stored units x index) and a part at a fixed one (`fixed_debt_raw`, as it stands now); the
variable part is repaid first. Prices are in ether, 18 decimals. The whole pool is paused, never one reserve. The manager's refusals come
back as codes of Errors.sol, and `reason` is the name of the code there; what fails inside a token reads LP_LIQUIDATION_CALL_FAILED.
"""

from dataclasses import replace

from chain.accounting.aave_v2 import ACCOUNTS_LIKE_V3_REVISION
from chain.accounting.aave_v3 import AccountData, Holding, account_data, debt_balance, supply_balance
from chain.errors import InputError
from chain.units import BPS, RAY, WAD, Rounding, mul_div
from simulations.rules.rule import Leg, Liquidation, Position, Refusal

CLOSE_FACTOR_BPS = 5_000
REVISIONS = (None, 2)
ROUNDINGS: dict[str, Rounding] = {
    "most": "half_up",
    "with_bonus": "half_up",
    "max_collateral": "floor",
    "value_of_collateral": "floor",
    "debt_needed": "half_up",
    "supply_burnt": "half_up",
    "debt_burnt": "half_up",
}
"""most: debt x close factor. with_bonus: value of the repayment x bonus, which is a multiple of 10**(decimals of the collateral), so that from
four decimals on its rounding changes nothing. max_collateral: that in collateral. value_of_collateral: all the collateral in units of the
debt; debt_needed: that / bonus. supply_burnt, debt_burnt: amount x 10**27 / index when tokens are burnt."""


def require_revision(revision: int | None) -> None:
    """InputError unless it is the one revision (LENDINGPOOL_REVISION) that was compared, or none is stated."""
    if revision not in REVISIONS:
        raise InputError(f"the rules of Aave V2 LENDINGPOOL_REVISION {revision} are not written; written is 2")


def averages_thresholds(revision: int | None) -> bool:
    """Always: the average threshold is cut to whole basis points before the health factor is taken."""
    require_revision(revision)
    return True


def debt_raw(position: Position, number: int) -> int:
    """What is owed on a leg in smallest units, at both kinds of rate."""
    leg = position.legs[number]
    return _variable_raw(leg) + leg.fixed_debt_raw


def health_factor_wad(position: Position) -> int:
    """Health factor x 1e18 as getUserAccountData answers it; 2**256 - 1 without debt."""
    return account(position).health_factor_wad


def liquidate(
    position: Position, collateral: int, debt: int, debt_to_cover: int, for_receipts: bool = False
) -> Liquidation | Refusal:
    """liquidationCall(collateral, debt, user, debt_to_cover, for_receipts); borrowers may liquidate themselves.

    Parameters
    ----------
    position : the borrower, every leg.
    collateral, debt : leg numbers; may be the same leg.
    debt_to_cover : smallest units of the debt asset; more than allowed is cut to what is allowed.
    for_receipts : whether the liquidator takes receipt tokens: the borrower loses the same, and nothing has to be paid out.
    """
    taken, owed = position.legs[collateral], position.legs[debt]
    owed_raw = debt_raw(position, debt)
    refusal = _refusal(taken, owed, health_factor_wad(position), owed_raw)
    if refusal is not None:
        return refusal

    balance = supply_balance(taken.supply_stored, taken.reserve.supply_index, ACCOUNTS_LIKE_V3_REVISION)
    repaid = min(debt_to_cover, mul_div(owed_raw, CLOSE_FACTOR_BPS, BPS, ROUNDINGS["most"]))
    unit_c, unit_d = 10**taken.decimals, 10**owed.decimals
    with_bonus = mul_div(owed.price_raw * repaid * unit_c, taken.bonus_bps, BPS, ROUNDINGS["with_bonus"])
    seized = mul_div(with_bonus, 1, taken.price_raw * unit_d, ROUNDINGS["max_collateral"])
    if seized > balance:
        seized = balance
        value_in_debt = mul_div(
            taken.price_raw * balance, unit_d, owed.price_raw * unit_c, ROUNDINGS["value_of_collateral"]
        )
        repaid = mul_div(value_in_debt, BPS, taken.bonus_bps, ROUNDINGS["debt_needed"])  # never more than before
    if seized > taken.held_raw and not for_receipts:
        return Refusal("LPCM_NOT_ENOUGH_LIQUIDITY_TO_LIQUIDATE")

    variable = min(repaid, _variable_raw(owed))
    burnt = mul_div(variable, RAY, owed.reserve.debt_index, ROUNDINGS["debt_burnt"])
    supply_burnt = mul_div(seized, RAY, taken.reserve.supply_index, ROUNDINGS["supply_burnt"])
    if not repaid or (variable and not burnt) or not (supply_burnt or for_receipts):
        return Refusal("LP_LIQUIDATION_CALL_FAILED")  # the tokens burn no amount that rounds to nothing
    nothing = [0] * len(position.legs)
    nothing[debt] = burnt
    return Liquidation(
        repaid_raw=repaid,
        seized_raw=seized,
        fee_raw=0,
        supply_burnt=supply_burnt,
        fee_stored=0,
        debt_burnt=tuple(nothing),
        deficit_raw=(0,) * len(position.legs),
        fixed_repaid_raw=repaid - variable,
    )


def after(position: Position, collateral: int, debt: int, done: Liquidation) -> Position:
    """The account after a liquidation; collateral that was taken whole no longer counts, even if a stored unit is left of it."""
    taken = position.legs[collateral]
    balance = supply_balance(taken.supply_stored, taken.reserve.supply_index, ACCOUNTS_LIKE_V3_REVISION)
    legs = list(position.legs)
    legs[collateral] = replace(
        taken,
        supply_stored=taken.supply_stored - done.supply_burnt,
        enabled=taken.enabled and done.seized_raw < balance,
    )
    legs[debt] = replace(
        legs[debt],
        debt_stored=legs[debt].debt_stored - done.debt_burnt[debt],
        fixed_debt_raw=legs[debt].fixed_debt_raw - done.fixed_repaid_raw,
    )
    return replace(position, legs=tuple(legs))


def account(position: Position) -> AccountData:
    """Collateral and debt in wei, average threshold and health factor (getUserAccountData; its LTV is not asked here)."""
    require_revision(position.revision)
    holdings = [
        Holding(
            price_raw=leg.price_raw,
            decimals=leg.decimals,
            supply_stored=leg.supply_stored,
            supply_index=leg.reserve.supply_index,
            debt_stored=leg.debt_stored,
            debt_index=leg.reserve.debt_index,
            fixed_debt=leg.fixed_debt_raw,
            threshold_bps=leg.threshold_bps,
            enabled=leg.enabled,
        )
        for leg in position.legs
    ]
    return account_data(holdings, ACCOUNTS_LIKE_V3_REVISION)


def _refusal(taken: Leg, owed: Leg, health_factor: int, owed_raw: int) -> Refusal | None:
    """whenNotPaused and validateLiquidationCall, in its order."""
    if taken.reserve.paused or owed.reserve.paused:
        return Refusal("LP_IS_PAUSED")
    if not (taken.reserve.active and owed.reserve.active):
        return Refusal("VL_NO_ACTIVE_RESERVE")
    if health_factor >= WAD:
        return Refusal("LPCM_HEALTH_FACTOR_NOT_BELOW_THRESHOLD")
    if taken.threshold_bps == 0 or not taken.enabled:
        return Refusal("LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED")
    if owed_raw == 0:
        return Refusal("LPCM_SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER")
    return None


def _variable_raw(leg: Leg) -> int:
    return debt_balance(leg.debt_stored, leg.reserve.debt_index, ACCOUNTS_LIKE_V3_REVISION)
