"""Capped rates, capped prices and fixed prices under a real oracle: the rows against what the adapters and the oracle answer."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from web3.contract import Contract

from chain.readers import price_adapters
from chain.reading import take
from chain.snapshot import Snapshot
from tests.devnet.contracts import compiled
from tests.devnet.market import raw_price
from tests.devnet.world import World

SOURCE = "CappedPriceAdapters.sol"
SYMBOLS = {"new": "lstETH", "old": "WBTC", "price": "DAI", "fixed": "USDC", "moving": "LINK"}
RATIO, SNAPSHOT, AGE = 12 * 10**17, 119 * 10**16, 40 * 86_400
GROWTH = 3_170_979_198  # 10 % a year of a ratio of 1, in 1e-18 a second
devnet = pytest.mark.devnet


@pytest.fixture
def adapters(devnet_world: World) -> Iterator[dict[str, Contract]]:
    """Five adapters as the sources of five reserves; the last of `new`'s chain is itself capped. Taken back after each test."""
    world, made = devnet_world, compiled(SOURCE)
    with world.undone():
        since = world.timestamp - AGE
        deploy, feeds = world.ledger.deploy, {symbol: feed.address for symbol, feed in world.feeds.items()}
        inner = deploy(made["CappedPrice"], feeds["ETH"], raw_price(1_500.0))
        found = {
            "inner": inner,
            "new": deploy(made["CappedRate"], inner.address, RATIO, SNAPSHOT, since, GROWTH * 10**6 + 123_457),
            "old": deploy(made["OldCappedRate"], feeds["BTC"], RATIO, SNAPSHOT, since, GROWTH),
            "price": deploy(made["CappedPrice"], feeds["DAI"], raw_price(1.04)),
            "fixed": deploy(made["FixedPrice"], 99_912_345),
            "moving": deploy(made["MovingCap"], feeds["LINK"], feeds["DAI"], 20 * 10**18),
        }
        assets = [world.tokens[symbol].address for symbol in SYMBOLS.values()]
        sources = [found[name].address for name in SYMBOLS]
        world.send("sources", world.oracle, "setAssetSources", assets, sources, sender=world.ledger.deployer)
        yield found


def steps(snapshot: Snapshot, adapter: Contract) -> list[dict[str, Any]]:
    feeds = snapshot["feeds"].sort_values("step").to_dict("records")
    return [{str(k): v for k, v in row.items()} for row in feeds if row["source"].endswith(adapter.address.lower())]


def taken(world: World) -> Snapshot:
    snapshot = take(world.url, world.deployments, "latest")
    assert {check.name: check.failures for check in snapshot.checks if not check.passed} == {}
    return snapshot


def compared(snapshot: Snapshot, name: str) -> int:
    return next(check.compared for check in snapshot.checks if check.name == name)


@devnet
@pytest.mark.parametrize("is_capped", [False, True])
def test_a_rate_and_the_most_it_may_be(devnet_world: World, adapters: dict[str, Contract], is_capped: bool) -> None:
    if is_capped:
        for name in ("new", "old"):
            devnet_world.send("a jump", adapters[name], "setRatio", 13 * 10**17, sender=devnet_world.ledger.deployer)
    snapshot = taken(devnet_world)
    for name in ("new", "old"):
        adapter = adapters[name]
        first, second, *rest = steps(snapshot, adapter)
        assert (first["kind"], first["value_raw"], first["decimals"]) == (
            "rate",
            adapter.functions.getRatio().call(),
            18,
        )
        assert first["cap_raw"] == adapter.functions.most().call() > SNAPSHOT
        assert adapter.functions.isCapped().call() == is_capped == (first["value_raw"] > first["cap_raw"])
        assert first["status"] == "verified"
        if name == "new":
            inner = adapters["inner"].functions
            assert (second["kind"], second["cap_raw"]) == ("capped", inner.getPriceCap().call())
            assert second["value_raw"] == inner.latestAnswer().call()
            assert [row["kind"] for row in rest] == ["feed"]
        else:
            assert (second["kind"], rest) == ("feed", [])
    assert compared(snapshot, "a cap binds where the adapter says so") == 4
    prices = {row.asset.rpartition(":")[2]: row for row in snapshot["prices"].itertuples()}
    for symbol in ("lstETH", "WBTC"):
        token = devnet_world.tokens[symbol].address
        assert prices[token.lower()].price_raw == devnet_world.oracle.functions.getAssetPrice(token).call()
        assert prices[token.lower()].status == "verified"


@devnet
@pytest.mark.parametrize("dollars", [1.03, 1.04, 1.05])
def test_a_capped_price_on_both_sides_of_its_cap(
    devnet_world: World, adapters: dict[str, Contract], dollars: float
) -> None:
    devnet_world.set_price("DAI", dollars)
    snapshot = taken(devnet_world)
    first, second = steps(snapshot, adapters["price"])
    assert (first["kind"], first["cap_raw"], second["value_raw"]) == ("capped", raw_price(1.04), raw_price(dollars))
    assert (
        first["value_raw"]
        == min(raw_price(dollars), raw_price(1.04))
        == adapters["price"].functions.latestAnswer().call()
    )
    assert (first["state"], second["state"], second["kind"]) == ("unknown", "live", "feed")


@devnet
def test_a_fixed_price_and_a_cap_that_moves(devnet_world: World, adapters: dict[str, Contract]) -> None:
    snapshot = taken(devnet_world)
    [fixed] = steps(snapshot, adapters["fixed"])
    assert (fixed["kind"], fixed["state"], fixed["value_raw"], fixed["decimals"]) == (
        "fixed",
        "hard_coded",
        99_912_345,
        8,
    )
    moving, feed = steps(snapshot, adapters["moving"])
    assert (moving["kind"], feed["kind"], bool(pd.isna(moving["cap_raw"]))) == ("capped", "feed", True)
    assert moving["value_raw"] == adapters["moving"].functions.latestAnswer().call()
    assert [gap for gap in snapshot.gaps if "getPriceCapRatio" in gap] == [
        f"{adapters['moving'].address.lower()}: its cap follows another feed (getPriceCapRatio) and is not read"
    ]
    assert compared(snapshot, "the oracle's price is what its source's steps give") == len(SYMBOLS), (
        "WETH, and not LINK"
    )


NOTHING = dict.fromkeys([*price_adapters.ASKS, "answer", "decimals", "round", "rate"])
RATE = {**NOTHING, "base": "0xaa", "ratio": 7, "ratio_decimals": 18, "snapshot_ratio": 5, "snapshot_time": 100}


def test_growth_by_hand() -> None:
    def cap(**more: int) -> int | None:
        found = price_adapters.adapter({**RATE, **more}, 160)
        assert found is not None and (found.kind, found.reads, found.value) == ("rate", "0xaa", 7)
        return found.cap

    assert cap() is None, "no growth, no cap"
    assert cap(growth=2) == 5 + 2 * 60
    assert cap(growth=2, growth_scaled=2_999_999, scale=10**6) == 5 + 179, "the exact one, rounded down"
    assert cap(growth=2, growth_scaled=2_999_999, scale=0) == 125
    assert cap(growth=2, snapshot_time=161) is None, "a snapshot from after the block is none"
    assert cap(growth=2**256 - 1) is None, "no int256"
    assert price_adapters.adapter(NOTHING, 160) is None
    feed = {**NOTHING, "answer": 5, "price": 5, "round": (1, 5, 0, 0, 1)}
    assert price_adapters.adapter(feed, 160) is None, "what publishes rounds is a feed"
    assert price_adapters.adapter({**NOTHING, "answer": 5, "price": 6}, 160) is None
