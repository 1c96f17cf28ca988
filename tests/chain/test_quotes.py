"""Dollars of a price that is quoted in a coin, worked out by hand."""

import pytest

from chain.findings import Findings
from chain.readers.quotes import in_usd
from chain.snapshot import Anchor

COIN, OTHER, THIRD = ("0x" + digit * 40 for digit in "123")
FEED = "0x" + "f" * 40


def found() -> Findings:
    """Another market that prices two assets in USD, the coin second, and one price of half a coin."""
    here = Findings(Anchor("eip155:1", 1, "0x00", 0))
    for asset, usd in ((OTHER, 1.5), (COIN, 2_000.0)):
        here.add("prices", "call a", market="dollars", asset=here.token(asset), price_raw=1, decimals=0,
                 quote_asset="iso4217:USD", price_usd=usd, usd_path="its oracle")  # fmt: skip
    here.add("prices", "call b", market="coins", asset=here.token(THIRD), price_raw=5 * 10**17, decimals=18,
             quote_asset=here.token(COIN), price_usd=None, usd_path=None)  # fmt: skip
    return here


def test_by_the_market_that_prices_the_coin() -> None:
    here = found()
    in_usd(here, "ETH")
    row = here.rows["prices"][-1]
    assert (row["price_usd"], row["usd_path"]) == (1_000.0, "b, in a coin at dollars: its oracle") and not here.gaps


@pytest.mark.parametrize(("pair", "usd"), [("ETH / USD", 900.0), ("BTC / USD", 1_000.0)])
def test_the_listed_feed_of_the_native_coin_comes_first(pair: str, usd: float) -> None:
    here = found()
    here.token(COIN, "wrapped_native")
    here.sources[FEED] = (pair, 3_600, 50)
    here.add(
        "feeds", "call c", source=here.entity(FEED, "feed"), step=0, kind="feed", value_raw=1_800 * 10**8, decimals=8
    )
    in_usd(here, "ETH")
    assert here.rows["prices"][-1]["price_usd"] == usd
    assert [row["price_usd"] for row in here.rows["prices"][:2]] == [1.5, 2_000.0], "what is in USD stays"
