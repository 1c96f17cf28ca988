"""The stableswap invariant as the contracts iterate it, in integers: Curve's get_D and get_y, and Balancer's version of the second.

Source: curvefi/curve-contract, commit 15e303aa9b1e3e4bffc0475c8e814dea9b6a50ac, contracts/pools/3pool/StableSwap3Pool.vy (get_D, get_y), and
commit 186d11e2b42570152f1f58fe90e6b3ef74cd159e, contracts/pool-templates/base/SwapTemplateBase.vy (the same with A_PRECISION = 100);
balancer/balancer-v2-monorepo, commit 316ded078ddc2f1b28da5804d25752af67453435, pkg/pool-stable/contracts/StableMath.sol (`_calculateInvariant` is get_D with
a precision of 1000; `_getTokenBalanceGivenInvariantAndAllOtherBalances` solves get_y's equation with other roundings).
"""

from collections.abc import Sequence

from chain.errors import ConvergenceError
from chain.units import WAD

MOST_ITERATIONS = 255
CURVE_FEE_UNIT = 10**10


def invariant(scaled: Sequence[int], amplification: int, a_precision: int = 1) -> int:
    """D of balances in 18 decimals: the contracts' get_D, iterated until it changes by at most one unit.

    Raises
    ------
    ConvergenceError
        If 255 iterations do not settle it. Later pools refuse then too; the first ones would go on with what they have.
    """
    count, total = len(scaled), sum(scaled)
    if not total:
        return 0
    d, ann = total, amplification * count
    for _ in range(MOST_ITERATIONS):
        product = d
        for balance in scaled:
            product = product * d // (balance * count)
        before = d
        d = ((ann * total // a_precision + product * count) * d) // (
            (ann - a_precision) * d // a_precision + (count + 1) * product
        )
        if abs(d - before) <= 1:
            return d
    raise ConvergenceError(f"the invariant of {tuple(scaled)} does not settle")


def balance_for(scaled: Sequence[int], slot: int, d: int, amplification: int, a_precision: int = 1) -> int:
    """The balance of one slot that gives the others the invariant `d`: the contracts' get_y (what `scaled` says of the slot is not read)."""
    count, ann = len(scaled), amplification * len(scaled)
    c, others = d, 0
    for number, balance in enumerate(scaled):
        if number != slot:
            others += balance
            c = c * d // (balance * count)
    c = c * d * a_precision // (ann * count)
    b = others + d * a_precision // ann
    y = d
    for _ in range(MOST_ITERATIONS):
        before = y
        y = (y * y + c) // (2 * y + b - d)
        if abs(y - before) <= 1:
            return y
    raise ConvergenceError(f"the balance of slot {slot} beside {tuple(scaled)} does not settle")


def balance_for_rounded_up(scaled: Sequence[int], slot: int, d: int, amplification: int, a_precision: int) -> int:
    """The same as Balancer has it: rounded up, and the balance of the slot enters the rounding (so it is read).

    Raises
    ------
    ConvergenceError
        If 255 iterations do not settle it; the contract refuses then.
    """
    count, ann = len(scaled), amplification * len(scaled)
    product = scaled[0] * count
    for balance in scaled[1:]:
        product = product * balance * count // d
    c = _up(d * d, ann * product) * a_precision * scaled[slot]
    b = sum(scaled) - scaled[slot] + d // ann * a_precision
    y = _up(d * d + c, d + b)
    for _ in range(MOST_ITERATIONS):
        before = y
        y = _up(y * y + c, 2 * y + b - d)
        if abs(y - before) <= 1:
            return y
    raise ConvergenceError(f"the balance of slot {slot} beside {tuple(scaled)} does not settle")


def _up(above: int, below: int) -> int:
    return -(-above // below)


def get_dy(
    balances: Sequence[int],
    rates: Sequence[int],
    terms: tuple[int, int, int],
    sold: int,
    bought: int,
    amount_raw: int,
) -> int:
    """What a pool of Curve says that a sale brings, by its view `get_dy`.

    Parameters
    ----------
    balances, rates : smallest units, and what scales each to 18 decimals (1e-18).
    terms : amplification as the contract stores it, its unit, fee (1e-10 of the amount out). The first pools, whose unit is 1, round to
        the token's units before the fee; those whose unit is 100, after it.

    Raises
    ------
    ConvergenceError
        If the iterations do not settle.
    """
    amplification, a_precision, fee = terms
    scaled = [balance * rate // WAD for balance, rate in zip(balances, rates, strict=True)]
    d = invariant(scaled, amplification, a_precision)
    held = scaled[bought]
    scaled[sold] += amount_raw * rates[sold] // WAD
    gross = held - balance_for(scaled, bought, d, amplification, a_precision) - 1
    if a_precision == 1:
        gross = gross * WAD // rates[bought]
        return gross - fee * gross // CURVE_FEE_UNIT
    return (gross - fee * gross // CURVE_FEE_UNIT) * WAD // rates[bought]
