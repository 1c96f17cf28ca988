"""What stands behind a Compound V2 oracle, for each cToken, where the oracle tells: a feed, a price that is set for good, or its own answer.

- PriceOracle (compound-finance/open-oracle@43bf3165, contracts/PriceOracle/PriceOracle.sol): getConfig names the feed, whose answer is scaled
  to 36 decimals less those of the token and never else changed.
- UniswapAnchoredView (same repository @067de177, contracts/Uniswap/UniswapConfig.sol): getTokenConfigByUnderlying says FIXED_USD (a price in
  1e-6 USD that never moves), FIXED_ETH (a multiple of its ether price) or REPORTER (posted, held within bounds of a Uniswap price).

Any other oracle is a source of kind `unknown` for each cToken; `price_behaviour` says what it does.
"""

from collections.abc import Mapping

from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client

CONFIG = "getConfig(address)->((uint256,address,address))"
ANCHORED = "getTokenConfigByUnderlying(address)->((address,bytes32,uint256,uint8,uint256,address,address,uint256,bool))"
PRICE = "getUnderlyingPrice(address)->(uint256)"
FIXED_USD = 1
SOURCES = ("a multiple of its ether price", "a price that never moves", "a reporter, within bounds of a Uniswap price")
"""UniswapConfig.PriceSource by number, in words."""
FIXED_DECIMALS = 6
"""Of fixedPrice in US dollars (UniswapAnchoredView, ethBaseUnit and the comments of TokenConfig: prices have 6 decimals)."""


def read(client: Client, found: Findings, oracle: str, underlying: Mapping[str, str | None]) -> dict[str, str]:
    """cToken -> its price source. `underlying` is by cToken, None for the one of the native coin."""
    # Ask
    configs = client.ask({at: Call(oracle, CONFIG, (at,), optional=True) for at in underlying})
    anchored = client.ask(
        {at: Call(oracle, ANCHORED, (token,), optional=True) for at, token in underlying.items() if token is not None}
    )

    # Rows
    sources = {}
    for at in underlying:
        config, token = configs[at], anchored.get(at)
        if config is not None and config[1] == at:
            sources[at] = found.source(config[2])
            continue
        sources[at] = found.source_about(Call(oracle, PRICE, (at,), optional=True), at)
        if token is None or token[0] != underlying[at] or token[3] >= len(SOURCES) or sources[at] in found.explained:
            continue
        is_fixed = token[3] == FIXED_USD
        found.explained.add(sources[at])
        found.add(
            "feeds", found.asked("getTokenConfigByUnderlying", oracle), source=sources[at], step=0,
            kind="fixed" if is_fixed else "unknown", address=found.entity(oracle, "feed"), description=SOURCES[token[3]],
            value_raw=token[4] if is_fixed else None, decimals=FIXED_DECIMALS if is_fixed else None,
            state="hard_coded" if is_fixed else "unknown",
        )  # fmt: skip
    return sources
