"""How a Comet (Compound III) earns interest, values an account and prices what its storefront sells. Exact integers.

Source: CometCore.sol (presentValueSupply, presentValueBorrow), CometWithExtendedAssetList.sol (accruedInterestIndices, getUtilization,
getReserves, isLiquidatable, quoteCollateral) in compound-finance/comet@d5a30b0a, contracts; Comet.sol beside it computes the same.
"""

from collections.abc import Iterable

from chain.units import WAD

INDEX_SCALE = 10**15
"""One in an index (CometCore.BASE_INDEX_SCALE)."""
PRICE_DECIMALS = 8
"""Every price feed of a Comet has these (CometCore.PRICE_FEED_DECIMALS)."""
YEAR = 31_536_000


def accrued_index(index: int, rate_wad: int, seconds: int) -> int:
    """An index after so many seconds at a rate a second (1e-18)."""
    return index + index * (rate_wad * seconds) // WAD


def present_value(principal: int, index: int) -> int:
    """What a principal is worth, smallest units, rounded down; for supplies and, as the contract does, for debts."""
    return principal * index // INDEX_SCALE


def storefront_discount(price_factor_wad: int, liquidation_factor_wad: int) -> int:
    """Discount to the oracle's price, 1e-18: the storefront's share of what absorbing takes from the account."""
    return price_factor_wad * (WAD - liquidation_factor_wad) // WAD


def quote_collateral(base_raw: int, base_price: int, base_scale: int, price: int, scale: int, discount_wad: int) -> int:
    """Smallest units of collateral that an amount of base buys; prices with one number of decimals, scales 10**decimals."""
    return base_price * base_raw * scale // (price * (WAD - discount_wad) // WAD) // base_scale


def is_liquidatable(
    debt_raw: int, base_price: int, base_scale: int, collateral: Iterable[tuple[int, int, int, int]]
) -> bool:
    """Whether a debt exceeds what its collateral counts for.

    Parameters
    ----------
    debt_raw : smallest units at the index that is stored; the contract does not accrue before it asks.
    collateral : (amount in smallest units, price, scale, liquidateCollateralFactor 1e-18) of each.
    """
    counted = sum(amount * price // scale * factor // WAD for amount, price, scale, factor in collateral)
    return counted < debt_raw * base_price // base_scale
