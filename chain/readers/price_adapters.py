"""Price adapters of Aave markets: contracts between the oracle and a feed that multiply, cap or replace an answer.

Three forms are known, by their public getters (bgd-labs/aave-capo, commit 2c280ef9; `src/contracts/`). Anything else stays `unknown`.

- *rate* (PriceCapAdapterBase): a feed times an exchange rate, whose growth is capped. The step holds the rate and the most it may be at
  the block: the snapshot's ratio plus the growth allowed each second since. Newer ones count that growth in 1/SCALING_FACTOR; those from
  before September 2025 (commit 056c2253) in whole units, which is then the only answer they have.
- *capped* (PriceCapAdapterStable): a feed's answer, at most a price that does not move by itself.
- *fixed* (FixedPriceAdapter): one price, changed by the market's admins only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.units import INT256_MAX

ASKS = {
    "base": "BASE_TO_USD_AGGREGATOR()->(address)",
    "ratio": "getRatio()->(int256)",
    "ratio_provider": "RATIO_PROVIDER()->(address)",
    "ratio_decimals": "RATIO_DECIMALS()->(uint8)",
    "snapshot_ratio": "getSnapshotRatio()->(uint256)",
    "snapshot_time": "getSnapshotTimestamp()->(uint256)",
    "growth": "getMaxRatioGrowthPerSecond()->(uint256)",
    "growth_scaled": "getMaxRatioGrowthPerSecondScaled()->(uint256)",
    "scale": "SCALING_FACTOR()->(uint256)",
    "asset_feed": "ASSET_TO_USD_AGGREGATOR()->(address)",
    "price_cap": "getPriceCap()->(int256)",
    "moving_cap": "getPriceCapRatio()->(int256)",
    "price": "price()->(int256)",
    "is_capped": "isCapped()->(bool)",
}


@dataclass(frozen=True)
class Adapter:
    """One adapter at the block: `value` and `cap` have `decimals` decimals; `reads` is the next step's contract."""

    kind: str
    function: str
    value: int | None
    decimals: int | None
    cap: int | None
    reads: str | None
    provider: str | None = None


def adapter(answers: Mapping[str, Any], timestamp: int) -> Adapter | None:
    """The adapter that these answers are of, None if they are of none.

    Parameters
    ----------
    answers : by the names of ASKS, and `answer` and `decimals`, which every source is asked; None where a contract refused.
    timestamp : of the block, s.
    """
    if answers["base"] and answers["ratio"] is not None and answers["ratio_decimals"] is not None:
        cap = _most_ratio(answers, timestamp)
        provider = answers["ratio_provider"]
        return Adapter("rate", "getRatio", answers["ratio"], answers["ratio_decimals"], cap, answers["base"], provider)
    value, decimals = answers["answer"], answers["decimals"]
    if answers["asset_feed"] and (answers["price_cap"] is not None or answers["moving_cap"] is not None):
        return Adapter("capped", "latestAnswer", value, decimals, answers["price_cap"], answers["asset_feed"])
    if answers["price"] is not None and answers["price"] == value and answers["round"] is None:
        return Adapter("fixed", "price", value, decimals, None, None)
    return None


def _most_ratio(answers: Mapping[str, Any], timestamp: int) -> int | None:
    """The most that the rate may be at the block, None without a cap or with one that no int256 can be (PriceCapAdapterBase._getMaxRatio)."""
    ratio, since, growth, scale = (
        answers[name] for name in ("snapshot_ratio", "snapshot_time", "growth_scaled", "scale")
    )
    if growth is None or not scale:
        growth, scale = answers["growth"], 1
    if ratio is None or since is None or growth is None or since > timestamp:
        return None
    most: int = ratio + growth * (timestamp - since) // scale
    return most if most <= INT256_MAX else None
