"""Stableswap pools (Curve): what a sale returns, by the contracts' own Newton iterations in integers.

Source: `exchange` and `get_dy` of the contracts that `chain/accounting/stableswap.py` names, where the iterations are;
formula H12: A n**n Σx + D = A D n**n + D**(n+1) / (n**n Πx), with the contracts' A standing for A n**(n-1).
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import exp, fsum, log, sqrt

from chain.accounting.stableswap import balance_for
from chain.accounting.stableswap import invariant as invariant_of
from chain.errors import ConvergenceError
from chain.units import WAD
from simulations.venues.crossing import Point, crossing
from simulations.venues.venue import WORD_MAX, require_slots

FEE_UNIT = 10**10
MOST_GROWTH = 64.0  # of the logarithm of the balance sold, when a price is searched


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

    def most_in(self, sold: int, bought: int) -> int:
        """No limit but that of a word on chain; 0 where the pool refuses every sale."""
        require_slots(sold, bought, len(self.balances))
        if not all(self.balances):
            return 0
        try:
            return WORD_MAX - self.balances[sold] if self.invariant else 0
        except ConvergenceError:
            return 0

    def spot(self, sold: int, bought: int) -> float:
        """Marginal price, fee paid: the ratio of the invariant's derivatives; 0 where the invariant does not settle."""
        if not self.most_in(sold, bought):
            return 0.0
        curve = self._curve(sold, bought)
        return curve.price(curve.held)

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
        """Where the derivative of the invariant meets the price; to float precision."""
        return min(self.most_in(sold, bought), int(self.down_to(sold, bought, float(price))[0]))

    def down_to(self, sold: int, bought: int, price: float) -> tuple[float, float]:
        """By searching the balance of the asset sold; the balance of the other is the root of a quadratic, here in floats."""
        here = self.spot(sold, bought)
        if here <= price:
            return 0.0, 0.0
        curve = self._curve(sold, bought)
        start = log(curve.held)

        def ask(place: float) -> Point[None]:
            return Point(place, log(price / curve.price(exp(place))), None)

        low, high = Point(start, log(price / here), None), ask(start + 1)
        while high.value < 0 and high.place < start + MOST_GROWTH:
            low, high = high, ask(start + 2 * (high.place - start))
        found, _ = crossing(ask, low, high, width=1e-13, enough=1e-13)
        after = max(curve.held, exp(found.place))
        sold_scaled, received_scaled = after - curve.held, curve.other(curve.held) - curve.other(after)
        return sold_scaled * WAD / self.rates[sold], received_scaled * curve.kept * WAD / self.rates[bought]

    def _curve(self, sold: int, bought: int) -> "_Curve":
        scaled, count = self.scaled, len(self.balances)
        d, ann = float(self.invariant), self.amplification * count / self.a_precision
        rest = [float(one) for slot, one in enumerate(scaled) if slot not in (sold, bought)]
        product = d
        for one in rest:
            product *= d / (count * one)
        product *= d / count * d / count
        price = self.rates[sold] / self.rates[bought]
        return _Curve(float(scaled[sold]), fsum(rest) + d / ann - d, product, ann, 1 - self.fee / FEE_UNIT, price)

    def _sale(self, sold: int, bought: int, amount_raw: int) -> tuple[int, int]:
        gross = max(0, self._gross(sold, bought, amount_raw))
        fee = gross * self.fee // FEE_UNIT
        rate = self.rates[bought]
        return (gross - fee) * WAD // rate, fee * self.admin_fee // FEE_UNIT * WAD // rate

    def _gross(self, sold: int, bought: int, amount_raw: int) -> int:
        """What comes out before the fee, in 18 decimals, less one for rounding; negative where the pool refuses."""
        require_slots(sold, bought, len(self.balances))
        if amount_raw <= 0 or not all(self.balances):
            return -1
        scaled = list(self.scaled)
        held = scaled[bought]
        scaled[sold] += amount_raw * self.rates[sold] // WAD
        try:
            return held - balance_for(scaled, bought, self.invariant, self.amplification, self.a_precision) - 1
        except ConvergenceError:
            return -1

    @cached_property
    def scaled(self) -> tuple[int, ...]:
        return tuple(balance * rate // WAD for balance, rate in zip(self.balances, self.rates, strict=True))

    @cached_property
    def invariant(self) -> int:
        return invariant_of(self.scaled, self.amplification, self.a_precision)


@dataclass(frozen=True)
class _Curve:
    """The invariant as a relation of two balances, the others fixed: y**2 + (x + offset) y = product / (x ann), in 18 decimals."""

    held: float
    offset: float
    product: float
    ann: float
    kept: float
    rate: float

    def other(self, x: float) -> float:
        """The balance of the asset bought beside `x` of the asset sold."""
        b, c = x + self.offset, self.product / (x * self.ann)
        root = sqrt(b * b + 4 * c)
        return 2 * c / (b + root) if b > 0 else (root - b) / 2

    def price(self, x: float) -> float:
        """Marginal price, fee paid."""
        y = self.other(x)
        share = self.product / (x * y)
        return (self.ann + share / x) / (self.ann + share / y) * self.kept * self.rate
