"""Stableswap pools (Curve): what a sale returns, by the contracts' own Newton iterations in integers.

Source: curvefi/curve-contract, commit 15e303aa9b1e3e4bffc0475c8e814dea9b6a50ac, contracts/pools/3pool/StableSwap3Pool.vy (get_D, get_y, exchange),
and commit 186d11e2b42570152f1f58fe90e6b3ef74cd159e, contracts/pool-templates/base/SwapTemplateBase.vy (the same with A_PRECISION = 100);
formula H12: A n**n Σx + D = A D n**n + D**(n+1) / (n**n Πx), with the contracts' A standing for A n**(n-1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from chain.errors import ConvergenceError, InputError
from chain.units import WAD

FEE_UNIT = 10**10
MOST_ITERATIONS = 255
PRICE_STEPS = 80


@dataclass(frozen=True)
class StableSwap:
    """A pool: balances in smallest units, rates that scale each to 18 decimals (1e18 · 10**(18 - decimals) for a plain token).

    `amplification` as the contract stores it, `a_precision` its unit (1 in the first pools, 100 later); fees in 1e-10 of the amount out,
    `admin_fee` the share of the fee that leaves the pool.
    """

    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amplification: int
    fee: int
    admin_fee: int = 0
    a_precision: int = 1

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """What `exchange` pays, rounded down after the fee; 0 where it refuses: an empty side, or balances whose invariant does not settle."""
        return self._sale(sold, bought, amount_raw)[0]

    def view(self, sold: int, bought: int, amount_raw: int) -> int:
        """What the first pools' `get_dy` says: it rounds to the token's units before the fee, `exchange` after it."""
        gross = max(0, self._gross(sold, bought, amount_raw)) * WAD // self.rates[bought]
        return gross - gross * self.fee // FEE_UNIT

    def spot(self, sold: int, bought: int) -> float:
        """Marginal price, fee paid: the ratio of the invariant's derivatives."""
        self._check(sold, bought)
        if not all(self.balances):
            return 0.0
        return self._slope(sold, bought, self._scaled())

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple["StableSwap", int]:
        """The pool after the sale, and what was received; the administrator's part of the fee has left the pool."""
        if self._gross(sold, bought, amount_raw) < 0:
            return self, 0
        received, taken = self._sale(sold, bought, amount_raw)
        balances = list(self.balances)
        balances[sold] += amount_raw
        balances[bought] -= received + taken
        return replace(self, balances=tuple(balances)), received

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """By bisection on the amount; to float precision."""
        if self.spot(sold, bought) <= price:
            return 0

        def slope(amount: int) -> float:
            scaled = list(self._scaled())
            scaled[sold] += amount * self.rates[sold] // WAD
            try:
                scaled[bought] = balance_for(scaled, bought, self._invariant(), self.amplification, self.a_precision)
            except ConvergenceError:
                return 0.0
            return self._slope(sold, bought, scaled)

        low, high = 0, max(1, self.balances[sold])
        for _ in range(PRICE_STEPS):
            if slope(high) <= price:
                break
            low, high = high, high * 4
        for _ in range(PRICE_STEPS):
            middle = (low + high) // 2
            if high - low <= max(1, high >> 50):
                break
            low, high = (middle, high) if slope(middle) > price else (low, middle)
        return low

    def _sale(self, sold: int, bought: int, amount_raw: int) -> tuple[int, int]:
        gross = max(0, self._gross(sold, bought, amount_raw))
        fee = gross * self.fee // FEE_UNIT
        rate = self.rates[bought]
        return (gross - fee) * WAD // rate, fee * self.admin_fee // FEE_UNIT * WAD // rate

    def _gross(self, sold: int, bought: int, amount_raw: int) -> int:
        """What comes out before the fee, in 18 decimals, less one for rounding; negative where the pool refuses."""
        self._check(sold, bought)
        if amount_raw <= 0 or not all(self.balances):
            return -1
        scaled = list(self._scaled())
        held = scaled[bought]
        scaled[sold] += amount_raw * self.rates[sold] // WAD
        try:
            return held - balance_for(scaled, bought, self._invariant(), self.amplification, self.a_precision) - 1
        except ConvergenceError:
            return -1

    def _scaled(self) -> tuple[int, ...]:
        return tuple(balance * rate // WAD for balance, rate in zip(self.balances, self.rates, strict=True))

    def _invariant(self) -> int:
        return invariant(self._scaled(), self.amplification, self.a_precision)

    def _slope(self, sold: int, bought: int, scaled: Sequence[int]) -> float:
        count, total = len(scaled), float(self._invariant())
        ann = self.amplification * count / self.a_precision
        product = total
        for balance in scaled:
            product *= total / (count * balance)
        slope = (ann + product / scaled[sold]) / (ann + product / scaled[bought])
        return slope * (1 - self.fee / FEE_UNIT) * self.rates[sold] / self.rates[bought]

    def _check(self, sold: int, bought: int) -> None:
        if sold == bought or not {sold, bought} <= set(range(len(self.balances))):
            raise InputError(f"a pool of {len(self.balances)} assets has no sale of slot {sold} for slot {bought}")


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
