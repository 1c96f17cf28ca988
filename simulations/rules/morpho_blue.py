"""Morpho Blue liquidations to the smallest unit; the float twin is `morpho_blue_float`. No close factor; bad debt is socialised at once.

Source: Morpho.liquidate, _isHealthy; SharesMathLib, MathLib, UtilsLib, ConstantsLib (@morpho-org/morpho-blue 1.0.0, npm).

A market in our terms: the collateral leg has stored units equal to smallest units, `threshold_bps` the LLTV, `price_raw` what the oracle
answers (1e36 x loan units per collateral unit), so `price_decimals` is 36 + loan decimals - collateral decimals; `bonus_bps` screens keepers only
(the incentive follows from the LLTV and is seldom a whole number of basis points: state it rounded up). The loan leg has borrow shares as
stored units, `debt_index` total borrow assets + 1 and `debt_unit` total borrow shares + 1e6, the virtual ones included, a price of 1 at the
block (a later price of the loan divides the collateral's); `active` whether the market was created. The call accrues interest first: give
the totals as `chain.accounting.morpho_blue.accrue` leaves them. A borrower may liquidate himself. The contract has no pause: only a what-if sets `paused`. Not modelled: a liquidator without funds, tokens that refuse a transfer, callbacks.
"""

from dataclasses import replace

from chain.accounting import morpho_blue as accounting
from chain.accounting.morpho_blue import VIRTUAL_ASSETS, VIRTUAL_SHARES, to_assets, to_shares
from chain.errors import InputError
from chain.units import BPS_TO_WAD, WAD, mul_div
from simulations.rules.rule import NO_DEBT, Leg, Liquidation, Position, Refusal

ORACLE_SCALE = 10**36
MOST_UINT128 = 2**128 - 1
REVISIONS = (None, 1)
UNDERFLOW, DIVISION_BY_ZERO = Refusal("Panic(0x11)"), Refusal("Panic(0x12)")


def require_revision(revision: int | None) -> None:
    """InputError unless it is the one deployed revision."""
    if revision not in REVISIONS:
        raise InputError(f"Morpho Blue has no revision {revision}; leave it empty or write 1")


def works_out_bonus(revision: int | None) -> bool:
    """The incentive follows from the LLTV; a book rounds it up to whole basis points."""
    del revision
    return True


def is_isolated(revision: int | None) -> bool:
    """Anybody creates markets, with any token and oracle."""
    del revision
    return True


def debt_raw(position: Position, number: int) -> int:
    """Assets owed on a leg, rounded up."""
    leg = position.legs[number]
    return to_assets(leg.debt_stored, leg.reserve.debt_index, leg.reserve.debt_unit, "ceil")


def incentive_wad(threshold_bps: int) -> int:
    """What a liquidator gets per unit repaid, x 1e18: 1 / (1 - 0.3 (1 - LLTV)), at most 1.15."""
    return accounting.incentive_wad(threshold_bps * BPS_TO_WAD)


def health_factor_wad(position: Position) -> int:
    """Most that may be borrowed over what is owed, x 1e18, rounded down; at least 1e18 exactly when the contract calls it healthy."""
    if len(position.legs) == 1:  # of a what-if that took the market's other asset away
        return 0 if position.legs[0].debt_stored else NO_DEBT
    taken, owed = _sides(position)
    debt = debt_raw(position, position.legs.index(owed))
    if not debt:
        return NO_DEBT
    value = mul_div(taken.supply_stored, _price(taken, owed), ORACLE_SCALE)
    return value * (taken.threshold_bps * BPS_TO_WAD) // WAD * WAD // debt


def liquidate_exactly(position: Position, seized: int, shares: int) -> Liquidation | Refusal:
    """liquidate(market, borrower, seizedAssets=seized, repaidShares=shares): one of the two is 0 and follows from the other.

    A refusal has the text that the contract reverts with, or the code of its panic.
    """
    taken, owed = _sides(position)
    if not owed.reserve.active:
        return Refusal("market not created")
    if taken.reserve.paused or owed.reserve.paused:
        return Refusal("paused")
    if (seized == 0) == (shares == 0):
        return Refusal("inconsistent input")
    if health_factor_wad(position) >= WAD:
        return Refusal("position is healthy")
    totals, incentive = (owed.reserve.debt_index, owed.reserve.debt_unit), incentive_wad(taken.threshold_bps)
    price = _price(taken, owed)
    if seized:
        quoted = mul_div(seized, price, ORACLE_SCALE, "ceil")
        shares = to_shares(mul_div(quoted, WAD, incentive, "ceil"), *totals, "ceil")
    elif not price:
        return DIVISION_BY_ZERO
    else:
        worth = to_assets(shares, *totals, "floor") * incentive // WAD
        seized = mul_div(worth, ORACLE_SCALE, price)
    if shares > MOST_UINT128 or (shares <= owed.debt_stored and seized > MOST_UINT128):
        return Refusal("max uint128 exceeded")
    if shares > owed.debt_stored or seized > taken.supply_stored:
        return UNDERFLOW
    return _carried_out(position, taken, owed, seized, shares)


def liquidate(position: Position, collateral: int, debt: int, debt_to_cover: int) -> Liquidation | Refusal:
    """As a keeper would: repay up to `debt_to_cover` smallest units, all the debt or what all the collateral pays for, whatever is least."""
    taken, owed = _sides(position)
    if position.legs[collateral] is not taken or position.legs[debt] is not owed:
        return Refusal("inconsistent input")
    shares = min(owed.debt_stored, to_shares(debt_to_cover, owed.reserve.debt_index, owed.reserve.debt_unit, "floor"))
    outcome = liquidate_exactly(position, 0, shares)
    return liquidate_exactly(position, taken.supply_stored, 0) if outcome == UNDERFLOW else outcome


def after(position: Position, done: Liquidation) -> Position:
    """The account after a liquidation, in the market's totals after it."""
    taken, owed = _sides(position)
    number, burnt = position.legs.index(owed), sum(done.debt_burnt)
    borrowed = max(0, owed.reserve.debt_index - VIRTUAL_ASSETS - done.repaid_raw) - sum(done.deficit_raw)
    market = replace(owed.reserve, debt_index=borrowed + VIRTUAL_ASSETS, debt_unit=owed.reserve.debt_unit - burnt)
    legs = list(position.legs)
    legs[number] = replace(owed, reserve=market, debt_stored=owed.debt_stored - burnt)
    legs[1 - number] = replace(taken, supply_stored=taken.supply_stored - done.supply_burnt)
    return replace(position, legs=tuple(legs))


def _carried_out(position: Position, taken: Leg, owed: Leg, seized: int, shares: int) -> Liquidation:
    repaid = to_assets(shares, owed.reserve.debt_index, owed.reserve.debt_unit, "ceil")
    bad_shares = bad_assets = 0
    if seized == taken.supply_stored:
        bad_shares = owed.debt_stored - shares
        left, left_shares = max(0, owed.reserve.debt_index - VIRTUAL_ASSETS - repaid), owed.reserve.debt_unit - shares
        bad_assets = min(left, to_assets(bad_shares, left + VIRTUAL_ASSETS, left_shares, "ceil"))
    number = position.legs.index(owed)
    burnt, deficit = [0, 0], [0, 0]
    burnt[number], deficit[number] = shares + bad_shares, bad_assets
    return Liquidation(repaid, seized, 0, seized, 0, tuple(burnt), tuple(deficit))


def _price(taken: Leg, owed: Leg) -> int:
    """What the oracle answers, 1e36 x loan units per collateral unit: the collateral's price in that of the loan, which is 1 at the block."""
    return mul_div(taken.price_raw, int(10**owed.reserve.price_decimals), owed.price_raw)


def _sides(position: Position) -> tuple[Leg, Leg]:
    """(collateral leg, loan leg); a market has exactly these two."""
    if len(position.legs) != 2:
        raise InputError(
            f"a Morpho Blue position has one collateral and one loan leg; this one has {len(position.legs)}"
        )
    first, second = position.legs
    return (first, second) if second.reserve.debt_unit >= VIRTUAL_SHARES else (second, first)
