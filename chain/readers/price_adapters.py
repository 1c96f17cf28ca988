"""Price adapters: contracts between a market's oracle and a feed that multiply, cap or replace an answer, known by their public getters.

Anything that is none of these stays `unknown`; what it does may still tell (`price_behaviour`).

- *rate*, capped (PriceCapAdapterBase; bgd-labs/aave-capo, commit 2c280ef9, `src/contracts/`): a feed times an exchange rate, whose growth
  is capped. The step holds the rate and the most it may be at the block: the snapshot's ratio plus the growth allowed each second since.
  Newer ones count that growth in 1/SCALING_FACTOR; those from before September 2025 (commit 056c2253) in whole units.
- *rate*, plain: wstETH by Lido's own rate (WstETHSynchronicityPriceAdapter: seamless-protocol/cl-synchronicity-price-adapter@16cc1f3f, a
  copy of BGD's), and wstETH, rETH and weETH in Spark (marsfoundation/sparklend-advanced, `src/*ExchangeRateOracle.sol`: 40afa34e, ddce4862,
  8cae76ea). They see no depeg.
- two feeds multiplied (CLSynchronicityPriceAdapterPegToBase, same repository @8039a4eb): the adapter is `unknown`, both feeds are its steps.
- *capped* (PriceCapAdapterStable of aave-capo; CappedOracle of Spark @0ab7a26b): a feed's answer, at most a price that does not move.
- *fixed* (FixedPriceAdapter of aave-capo; FixedPriceOracle of Spark @729136cd): one price; that of aave-capo is changed by admins only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.node.calls import Call
from chain.units import INT256_MAX, WAD

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
    "lido_base": "ETH_TO_BASE()->(address)",
    "lido": "STETH()->(address)",
    "spark_base": "ethSource()->(address)",
    "spark_steth": "steth()->(address)",
    "spark_reth": "reth()->(address)",
    "spark_weeth": "weeth()->(address)",
    "spark_source": "source()->(address)",
    "spark_cap": "maxPrice()->(int256)",
    "peg_base": "PEG_TO_BASE()->(address)",
    "peg_asset": "ASSET_TO_PEG()->(address)",
}
_LIDO: tuple[str, tuple[int, ...]] = ("getPooledEthByShares(uint256)->(uint256)", (WAD,))
RATES: Mapping[tuple[str, str], tuple[str, tuple[int, ...]]] = {
    ("lido_base", "lido"): _LIDO,
    ("spark_base", "spark_steth"): _LIDO,
    ("spark_base", "spark_reth"): ("getExchangeRate()->(uint256)", ()),
    ("spark_base", "spark_weeth"): ("getRate()->(uint256)", ()),
}
"""Getters of the feed and of who keeps the exchange rate -> how that contract is asked for it; it has 18 decimals."""
RATE_DECIMALS = 18


@dataclass(frozen=True)
class Adapter:
    """One adapter at the block: `value` and `cap` have `decimals` decimals; `reads` is the next step's contract, `times` a feed between."""

    kind: str
    function: str
    value: int | None
    decimals: int | None
    cap: int | None
    reads: str | None
    provider: str | None = None
    times: str | None = None


def rate_call(answers: Mapping[str, Any]) -> Call | None:
    """The call that tells a plain exchange rate, if these answers are of an adapter with one; its answer goes under `rate`."""
    for (base, provider), (text, arguments) in RATES.items():
        if answers[base] and answers[provider]:
            return Call(answers[provider], text, arguments, optional=True)
    return None


def adapter(answers: Mapping[str, Any], timestamp: int) -> Adapter | None:
    """The adapter that these answers are of, None if they are of none.

    Parameters
    ----------
    answers : by the names of ASKS, `rate` (of `rate_call`), and `answer`, `round` and `decimals`, which every source is asked; None where a
        contract refused.
    timestamp : of the block, s.
    """
    value, decimals = answers["answer"], answers["decimals"]
    if answers["base"] and answers["ratio"] is not None and answers["ratio_decimals"] is not None:
        cap = _most_ratio(answers, timestamp)
        provider = answers["ratio_provider"]
        return Adapter("rate", "getRatio", answers["ratio"], answers["ratio_decimals"], cap, answers["base"], provider)
    if answers["rate"] is not None and (rate := rate_call(answers)) is not None:
        base = answers["lido_base"] or answers["spark_base"]
        return Adapter("rate", rate.name, answers["rate"], RATE_DECIMALS, None, base, rate.address)
    if answers["peg_base"] and answers["peg_asset"] and value is not None:
        return Adapter(
            "unknown", "latestAnswer", value, decimals, None, answers["peg_base"], times=answers["peg_asset"]
        )
    if answers["asset_feed"] and (answers["price_cap"] is not None or answers["moving_cap"] is not None):
        return Adapter("capped", "latestAnswer", value, decimals, answers["price_cap"], answers["asset_feed"])
    if answers["spark_source"] and answers["spark_cap"] is not None and value is not None:
        return Adapter("capped", "latestAnswer", value, decimals, answers["spark_cap"], answers["spark_source"])
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
