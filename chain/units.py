"""Exact integers and the names of things: fixed-point arithmetic with stated rounding, uint256 as text, CAIP identifiers.

uint256 fits no Parquet number (decimal256 holds 76 digits, it needs 78), so it is stored as canonical decimal text and is a
Python int in memory. Rounding names follow the contracts: `floor`, `ceil`, and `half_up` (Aave's rayMul, rayDiv, percentMul,
percentDiv add half the divisor before they divide: aave-v3-origin 3.6.0, WadRayMath.sol and PercentageMath.sol).
"""

import re
from typing import Literal

WAD = 10**18
RAY = 10**27
BPS = 10**4
BPS_TO_WAD = WAD // BPS
UINT256_MAX = 2**256 - 1
INT256_MIN, INT256_MAX = -(2**255), 2**255 - 1
ZERO_ADDRESS = "0x" + "0" * 40

Rounding = Literal["floor", "ceil", "half_up"]
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def mul_div(a: int, b: int, denominator: int, rounding: Rounding = "floor") -> int:
    """a x b / denominator for non-negative integers, rounded as stated; ZeroDivisionError on a zero denominator."""
    if rounding == "ceil":
        return -(-a * b // denominator)
    if rounding == "half_up":
        return (a * b + denominator // 2) // denominator
    return a * b // denominator


def to_decimal_text(value: int) -> str:
    """Canonical decimal text of a uint256 or int256; ValueError outside the range of both."""
    if not INT256_MIN <= value <= UINT256_MAX:
        raise ValueError(f"{value} fits neither uint256 nor int256")
    return str(value)


def whole_tokens(amount_raw: int, decimals: int) -> float:
    """Smallest units to whole tokens, correctly rounded to the nearest float."""
    return float(amount_raw / 10**decimals)


def to_address(value: str) -> str:
    """An address in the form used in keys (lower case); ValueError if it is none."""
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"{value!r} is no address (0x and 40 hexadecimal digits)")
    return value.lower()


def entity_id(chain: str, address: str) -> str:
    """CAIP-10 identity of an address: `eip155:1:0x...`."""
    return f"{chain}:{to_address(address)}"


def token_id(chain: str, address: str) -> str:
    """CAIP-19 identity of a token: `eip155:1/erc20:0x...`."""
    return f"{chain}/erc20:{to_address(address)}"


def native_id(chain: str) -> str:
    """CAIP-19 identity of ether on an EVM chain: SLIP-44 coin type 60."""
    return f"{chain}/slip44:60"


def market_id(chain: str, protocol: str, address: str, sub_id: str = "") -> str:
    """Identity of a market: `eip155:1:aave-v3/0x...[/sub-id]`."""
    return f"{chain}:{protocol}/{to_address(address)}" + (f"/{sub_id}" if sub_id else "")


def address_of(key: str) -> str:
    """The address inside a CAIP-10, CAIP-19 or market key; ValueError if it holds none."""
    found = _ADDRESS.search(key)
    if found is None:
        raise ValueError(f"{key!r} holds no address")
    return found.group(0).lower()
