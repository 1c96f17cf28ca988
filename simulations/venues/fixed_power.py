"""x to the power of y in 18 decimals, digit for digit as Balancer computes it: its logarithm and exponential are series with their own errors.

Source: balancer/balancer-v2-monorepo, commit 06f3ee7c12e0b01b11a462497ad3529d2fc64dfe, pkg/solidity-utils/contracts/math/LogExpMath.sol
(pow, exp, _ln, _ln_36), and commit 003ded0c99359cd9c76798fe2131918393e3dedf, .../math/FixedPoint.sol (powUp). Divisions of signed
numbers are cut towards zero, as the EVM does.
"""

from chain.errors import InputError
from chain.units import WAD

E20, E36 = 10**20, 10**36
MOST_EXPONENT, LEAST_EXPONENT = 130 * WAD, -41 * WAD
NEAR_ONE = WAD // 10
RELATIVE_ERROR = 10_000

# e**128 and e**64 as whole numbers with the contract's digits; then e**32, e**16, ... e**(1/16) with 20 decimals.
_WHOLE = (
    (128 * WAD, 38877084059945950922200000000000000000000000000000000000),
    (64 * WAD, 6235149080811616882910000000),
)
_POWERS = (
    (32 * E20, 7896296018268069516100000000000000),
    (16 * E20, 888611052050787263676000000),
    (8 * E20, 298095798704172827474000),
    (4 * E20, 5459815003314423907810),
    (2 * E20, 738905609893065022723),
    (E20, 271828182845904523536),
    (E20 // 2, 164872127070012814685),
    (E20 // 4, 128402541668774148407),
    (E20 // 8, 113314845306682631683),
    (E20 // 16, 106449445891785942956),
)
_EXPONENTIAL_POWERS = _POWERS[:8]
_EXPONENTIAL_TERMS = 12


def power_up(base: int, exponent: int, shortcuts: bool) -> int:
    """FixedPoint.powUp: never below the true value.

    Parameters
    ----------
    base, exponent : 1e-18.
    shortcuts : whether exponents 1, 2 and 4 are multiplied out, as in pools from 2021-12 on; the first pools always take logarithms.

    Raises
    ------
    InputError
        If the result cannot be represented; the contract refuses then too.
    """
    if shortcuts and exponent == WAD:
        return base
    if shortcuts and exponent in (2 * WAD, 4 * WAD):
        square = multiply_up(base, base)
        return square if exponent == 2 * WAD else multiply_up(square, square)
    raw = power(base, exponent)
    return raw + multiply_up(raw, RELATIVE_ERROR) + 1


def power(base: int, exponent: int) -> int:
    """LogExpMath.pow: exp(exponent · ln(base)), cut where the contract cuts."""
    if exponent == 0:
        return WAD
    if base == 0:
        return 0
    if WAD - NEAR_ONE < base < WAD + NEAR_ONE:
        fine = _ln_near_one(base)
        whole = _cut(fine, WAD)
        product = whole * exponent + _cut((fine - whole * WAD) * exponent, WAD)
    else:
        product = _ln(base) * exponent
    product = _cut(product, WAD)
    if not LEAST_EXPONENT <= product <= MOST_EXPONENT:
        raise InputError(f"{base}e-18 to the power of {exponent}e-18 is out of the range of the pool's arithmetic")
    return exponential(product)


def exponential(x: int) -> int:
    """LogExpMath.exp, argument and result in 1e-18."""
    if x < 0:
        return WAD * WAD // exponential(-x)
    first = 1
    for exponent, value in _WHOLE:
        if x >= exponent:
            x, first = x - exponent, value
            break
    x *= 100
    product = E20
    for exponent, value in _EXPONENTIAL_POWERS:
        if x >= exponent:
            x, product = x - exponent, product * value // E20
    term = x
    total = E20 + term
    for n in range(2, _EXPONENTIAL_TERMS + 1):
        term = term * x // E20 // n
        total += term
    return product * total // E20 * first // 100


def multiply_up(a: int, b: int) -> int:
    """Product of two 1e-18 numbers, rounded up (FixedPoint.mulUp)."""
    return -(-a * b // WAD)


def divide_up(a: int, b: int) -> int:
    """Quotient of two 1e-18 numbers, rounded up (FixedPoint.divUp)."""
    return -(-a * WAD // b)


def _ln(a: int) -> int:
    """Natural logarithm, 1e-18, by taking powers of e out and a series for the rest."""
    if a < WAD:
        return -_ln(WAD * WAD // a)
    total = 0
    for exponent, value in _WHOLE:
        if a >= value * WAD:
            a, total = a // value, total + exponent
    total, a = total * 100, a * 100
    for exponent, value in _POWERS:
        if a >= value:
            a, total = a * E20 // value, total + exponent
    return _cut(total + 2 * _series(a, E20, 11), 100)


def _ln_near_one(x: int) -> int:
    """Natural logarithm with 36 decimals for arguments between 0.9 and 1.1."""
    return 2 * _series(x * WAD, E36, 15)


def _series(a: int, one: int, last: int) -> int:
    """z + z³/3 + ... + z**last/last with z = (a - 1)/(a + 1): half the logarithm of `a`."""
    z = _cut((a - one) * one, a + one)
    square = z * z // one
    total = term = z
    for n in range(3, last + 1, 2):
        term = _cut(term * square, one)
        total += _cut(term, n)
    return total


def _cut(numerator: int, denominator: int) -> int:
    """Quotient cut towards zero, for a positive denominator."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)
