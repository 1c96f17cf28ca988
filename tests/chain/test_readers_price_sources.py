"""From a market's price down to feeds: plain exchange rates, two feeds, caps, Aave's fallback, Compound's oracles; against what they answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from web3.contract import Contract

from chain.reading import take
from chain.snapshot import Snapshot
from tests.devnet import compound_v2
from tests.devnet.compound_v2 import CompoundMarket
from tests.devnet.contracts import artifact, compiled
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
RATE, CAP = 1_123_456_789_012_345_678, 99_000_000
STEPS = {
    "lstETH": [("rate", "unknown"), ("feed", "live")],
    "WBTC": [("rate", "unknown"), ("feed", "live")],
    "DAI": [("capped", "unknown"), ("feed", "live")],
    "LINK": [("unknown", "unknown"), ("feed", "unknown"), ("feed", "live")],
}


@pytest.fixture(scope="module")
def made(devnet_world: World) -> Iterator[tuple[dict[str, Contract], CompoundMarket, Contract]]:
    """Adapters as the sources of four reserves, a fifth that answers 0 with a fallback behind it, and a Compound market with its oracle."""
    world, code = devnet_world, compiled("QuietOracles.sol")
    with world.undone():
        ledger, feeds = world.ledger, {symbol: feed.address for symbol, feed in world.feeds.items()}
        deploy = ledger.deploy
        rates = deploy(code["Rates"], RATE)
        link = deploy(artifact("MockV3Aggregator"), 8, 712_345)
        found = {
            "lstETH": deploy(code["LidoRate"], feeds["ETH"], rates.address),
            "WBTC": deploy(code["SparkRate"], feeds["BTC"], rates.address),
            "DAI": deploy(code["SparkCap"], feeds["DAI"], CAP),
            "LINK": deploy(code["TwoFeeds"], feeds["ETH"], link.address),
            "USDC": deploy(code["StoppedFeed"], 0),
        }
        fallback = deploy(code["Fallback"])
        assets = [world.tokens[symbol].address for symbol in found]
        ledger.call("fallback price", fallback, "set", world.tokens["USDC"].address, 100_123_456)
        ledger.call("sources", world.oracle, "setAssetSources", assets, [one.address for one in found.values()])
        ledger.call("fallback", world.oracle, "setFallbackOracle", fallback.address)
        market, book = compound_v2.deploy(ledger), deploy(code["CompoundBook"])
        for symbol, feed in (("WETH", "ETH"), ("WBTC", "BTC")):
            unit = 10 ** compound_v2.TOKENS[symbol][0]
            ledger.call("feed", book, "addFeed", (unit, market.markets[symbol].address, feeds[feed]))
        for symbol, kind in (("USDC", 1), ("DAI", 2)):
            decimals, zero = compound_v2.TOKENS[symbol][0], "0x" + "0" * 40
            config = (market.tokens[symbol].address, bytes(32), 10**decimals, kind, 1_002_000, zero, zero, 0, False)
            ledger.call(
                "fixed", book, "addToken", market.markets[symbol].address, config, 1_002_000 * 10 ** (30 - decimals)
            )
        ledger.call("oracle", market.comptroller, "_setPriceOracle", book.address)
        ledger.mine()
        yield {**found, "fallback": fallback}, market, book


@pytest.fixture(scope="module")
def snapshot(
    devnet_world: World,
    made: tuple[dict[str, Contract], CompoundMarket, Contract],
    tmp_path_factory: pytest.TempPathFactory,
) -> Snapshot:
    file = tmp_path_factory.mktemp("sources") / "deployments.toml"
    lines = [*entry_lines(devnet_world.seed, "compound-v2", "core", "compound_v2")]
    lines += address_lines({"comptroller": str(made[1].comptroller.address)})
    file.write_text(devnet_world.deployments.read_text() + "\n" + "\n".join(lines))
    taken = take(devnet_world.url, file, "latest")
    assert {check.name: check.failures for check in taken.checks if not check.passed} == {}
    return taken


def price(snapshot: Snapshot, protocol: str, token: str) -> dict[str, Any]:
    rows = snapshot["prices"].to_dict("records")
    [row] = [row for row in rows if protocol in row["market"] and row["asset"].endswith(token.lower())]
    return {str(key): value for key, value in row.items()}


def steps(snapshot: Snapshot, source: str) -> list[dict[str, Any]]:
    rows = snapshot["feeds"][snapshot["feeds"]["source"] == source].sort_values("step").to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


@pytest.mark.parametrize("symbol", STEPS)
def test_adapters_down_to_the_feed(devnet_world: World, snapshot: Snapshot, symbol: str) -> None:
    token = devnet_world.tokens[symbol].address
    row = price(snapshot, "aave-v3", token)
    assert row["price_raw"] == devnet_world.oracle.functions.getAssetPrice(token).call()
    assert row["status"] == "verified", "the steps give the price"
    assert [(step["kind"], step["state"]) for step in steps(snapshot, row["source"])] == STEPS[symbol]


def test_a_rate_and_a_cap_are_those_of_the_contracts(
    devnet_world: World, snapshot: Snapshot, made: tuple[dict[str, Contract], CompoundMarket, Contract]
) -> None:
    for symbol in ("lstETH", "WBTC"):
        first = steps(snapshot, price(snapshot, "aave-v3", devnet_world.tokens[symbol].address)["source"])[0]
        assert (first["value_raw"], first["decimals"]) == (RATE, 18)
    first = steps(snapshot, price(snapshot, "aave-v3", devnet_world.tokens["DAI"].address)["source"])[0]
    assert (first["cap_raw"], first["value_raw"]) == (CAP, made[0]["DAI"].functions.latestAnswer().call())


def test_the_fallback_is_the_source_where_the_source_answers_nothing(
    devnet_world: World, snapshot: Snapshot, made: tuple[dict[str, Contract], CompoundMarket, Contract]
) -> None:
    token, fallback = devnet_world.tokens["USDC"].address, made[0]["fallback"].address.lower()
    row = price(snapshot, "aave-v3", token)
    assert row["source"] == f"eip155:31337:{fallback}/{token.lower()}"
    [step] = steps(snapshot, row["source"])
    assert (
        step["value_raw"]
        == row["price_raw"]
        == made[0]["fallback"].functions.getAssetPrice(token).call()
        == 100_123_456
    )
    [gap] = [gap for gap in snapshot.gaps if "fallback" in gap]
    assert token.lower() in gap and "answers 0" in gap
    reserves = snapshot["reserves"].query("market.str.contains('aave')").set_index("asset")["price_source"]
    assert reserves[row["asset"]].endswith(made[0]["USDC"].address.lower()), "what the market names stays what it names"


def test_compound_oracles_tell_feeds_and_fixed_prices(
    devnet_world: World, snapshot: Snapshot, made: tuple[dict[str, Contract], CompoundMarket, Contract]
) -> None:
    _, market, book = made
    for symbol, contract in market.markets.items():
        if symbol == "LINK":
            continue
        row = price(snapshot, "compound-v2", market.tokens[symbol].address)
        assert row["price_raw"] == book.functions.getUnderlyingPrice(contract.address).call()
        last, own = (
            steps(snapshot, row["source"])[-1],
            f"eip155:31337:{book.address.lower()}/{contract.address.lower()}",
        )
        if symbol in ("WETH", "WBTC"):
            feed = devnet_world.feeds["ETH" if symbol == "WETH" else "BTC"].address.lower()
            assert row["source"].endswith(feed) and (last["kind"], row["status"]) == ("feed", "verified")
        elif symbol == "USDC":
            assert (row["source"], last["kind"], last["state"], row["status"]) == (
                own,
                "fixed",
                "hard_coded",
                "verified",
            )
        else:
            assert (row["source"], last["kind"], last["state"]) == (own, "unknown", "unknown")
            assert "reporter" in last["description"]
