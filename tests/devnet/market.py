"""The assets of the world: prices before and after, risk parameters, rates. All figures here are chosen.

They are of the size that one meets on the large Aave markets, none is copied from one. What matters is that the six
reserves differ: 18, 8 and 6 decimals, an asset that is worth another one times a rate, thin collateral with a low
threshold, stablecoins slightly off one dollar.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PRICE_DECIMALS = 8


@dataclass(frozen=True)
class Feed:
    """A Chainlink feed: symbol of the priced asset, prices in USD and how often it promises to publish."""

    symbol: str
    opening_usd: float
    closing_usd: float
    heartbeat_seconds: int
    deviation_bps: int

    @property
    def pair(self) -> str:
        """The pair as Chainlink writes it, e.g. ``ETH / USD``."""
        return f"{self.symbol} / USD"


@dataclass(frozen=True)
class Reserve:
    """One asset of the lending market. `bonus_bps` is over 10,000, as Aave stores it; rates are in bps a year."""

    symbol: str
    name: str
    decimals: int
    feed: str
    ltv_bps: int
    threshold_bps: int
    bonus_bps: int
    reserve_factor_bps: int
    borrowable: bool
    optimal_bps: int
    base_rate_bps: int
    slope1_bps: int
    slope2_bps: int


@dataclass(frozen=True)
class Category:
    """An e-mode: assets that move together may be borrowed against each other at higher loan to value."""

    number: int
    label: str
    ltv_bps: int
    threshold_bps: int
    bonus_bps: int
    collateral: tuple[str, ...]
    borrowable: tuple[str, ...]


LIQUIDATION_PROTOCOL_FEE_BPS = 1_000

# Positions are opened at the opening prices and read at the closing ones: the fall between is what brings health
# factors below what the loan-to-value limit lets anybody open with.
FEEDS: Mapping[str, Feed] = {
    feed.symbol: feed
    for feed in (
        Feed("ETH", 2_350.00, 2_000.00, 3_600, 50),
        Feed("BTC", 70_500.00, 60_000.00, 3_600, 50),
        Feed("LINK", 17.00, 14.00, 3_600, 100),
        Feed("USDC", 1.0000, 0.9999, 86_400, 25),
        Feed("DAI", 1.0000, 1.0003, 3_600, 25),
    )
}

RESERVES: Mapping[str, Reserve] = {
    reserve.symbol: reserve
    for reserve in (
        Reserve("WETH", "Wrapped Ether", 18, "ETH", 8_050, 8_300, 10_500, 1_500, True, 9_000, 0, 270, 4_000),
        Reserve("lstETH", "Devnet Staked Ether", 18, "ETH", 7_800, 8_100, 10_600, 3_500, False, 4_500, 0, 300, 30_000),
        Reserve("WBTC", "Wrapped Bitcoin", 8, "BTC", 7_300, 7_800, 10_500, 5_000, True, 8_000, 0, 400, 30_000),
        Reserve("LINK", "Chainlink Token", 18, "LINK", 6_800, 7_300, 10_700, 2_000, True, 4_500, 0, 700, 30_000),
        Reserve("USDC", "USD Coin", 6, "USDC", 7_500, 7_800, 10_450, 1_000, True, 9_200, 0, 550, 3_500),
        Reserve("DAI", "Dai Stablecoin", 18, "DAI", 7_500, 7_800, 10_500, 2_500, True, 9_200, 0, 550, 3_500),
    )
}

CATEGORIES: Mapping[int, Category] = {
    1: Category(1, "ETH correlated", 9_300, 9_500, 10_100, ("WETH", "lstETH"), ("WETH",)),
    2: Category(2, "Stablecoins", 9_000, 9_300, 10_100, ("USDC", "DAI"), ("USDC", "DAI")),
}

# Assets of one share of the staking vault when positions are opened, after the first donation, and at the end.
STAKING_RATES = (1.1990, 1.2012, 1.2034)


def opening_price_usd(symbol: str) -> float:
    """Return the price of one token in USD when positions are opened."""
    return FEEDS[RESERVES[symbol].feed].opening_usd * (STAKING_RATES[0] if symbol == "lstETH" else 1.0)


def closing_price_usd(symbol: str) -> float:
    """Return the price of one token in USD at the final block."""
    return FEEDS[RESERVES[symbol].feed].closing_usd * (STAKING_RATES[-1] if symbol == "lstETH" else 1.0)


def raw_amount(symbol: str, value_usd: float) -> int:
    """Return how many of a token's smallest units are worth `value_usd` at the closing price; at least one."""
    return max(1, int(value_usd / closing_price_usd(symbol) * 10.0 ** RESERVES[symbol].decimals))


def value_usd(symbol: str, amount: int) -> float:
    """Return what `amount` smallest units of a token are worth in USD at the closing price."""
    return amount / 10.0 ** RESERVES[symbol].decimals * closing_price_usd(symbol)


def raw_price(price_usd: float) -> int:
    """Return a price in USD as a feed publishes it, with 8 decimals."""
    return round(price_usd * 10.0**PRICE_DECIMALS)
