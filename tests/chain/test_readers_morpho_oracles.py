"""What stands behind a Morpho oracle: vaults and feeds by their getters, and the price that they give, against the oracle's own answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from chain.readers import morpho_blue_oracles
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import ZERO_ADDRESS
from tests.devnet import morpho_blue
from tests.devnet.contracts import compiled
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.morpho_blue import WAD, MorphoMarket
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
NAME = "the oracle's price is what its parts give"
SAMPLE = 10**18


@pytest.fixture(scope="module")
def market(devnet_world: World) -> Iterator[tuple[MorphoMarket, Contract]]:
    """lstETH against USDC: a vault and the feeds of ether and USDC, of 8 decimals each; and one whose feed does not answer."""
    world = devnet_world
    with world.undone():
        made = morpho_blue.deploy(world.ledger, 860 * WAD // 1000, (18, 6))
        feeds = {symbol: str(feed.address) for symbol, feed in world.feeds.items()}
        vault, usdc = str(world.tokens["lstETH"].address), str(world.tokens["USDC"].address)
        code = compiled("MorphoFeedOracle.sol")["MorphoFeedOracle"]
        scale = (
            10 ** (36 + 6 + 8 - 18 - 8) // SAMPLE * 10**18
        )  # the feeds' decimals cancel; one asset unit per share unit
        parts = [vault, feeds["ETH"], ZERO_ADDRESS, ZERO_ADDRESS, feeds["USDC"], ZERO_ADDRESS]
        oracle = world.ledger.deploy(code, parts, [SAMPLE, 1], scale // SAMPLE)
        silent = world.ledger.deploy(code, [ZERO_ADDRESS, usdc, *[ZERO_ADDRESS] * 4], [1, 1], 1)
        for at in (oracle, silent):
            params = (usdc, vault, at.address, made.params[3], made.params[4])
            world.ledger.call("create", made.morpho, "createMarket", params)
        world.ledger.mine()
        yield made, oracle


@pytest.fixture(scope="module")
def book(devnet_world: World, market: tuple[MorphoMarket, Contract], tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [*entry_lines(devnet_world.seed, "morpho-blue", "core", "morpho_blue")]
    lines += address_lines({"morpho": str(market[0].morpho.address)})
    file = tmp_path_factory.mktemp("oracles") / "deployments.toml"
    file.write_text(devnet_world.deployments.read_text() + "\n" + "\n".join(lines))
    return file


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, book: Path) -> Snapshot:
    return take(devnet_world.url, book, "latest")


def steps(snapshot: Snapshot, oracle: Contract) -> list[dict[str, Any]]:
    table = snapshot["feeds"].sort_values("step").to_dict("records")
    return [
        {str(key): value for key, value in row.items()}
        for row in table
        if row["source"].endswith(oracle.address.lower())
    ]


def test_the_parts_give_the_price(
    devnet_world: World, market: tuple[MorphoMarket, Contract], snapshot: Snapshot
) -> None:
    checks = {check.name: check for check in snapshot.checks}
    assert all(check.passed for check in checks.values()) and checks[NAME].compared == 1
    [own, vault, quote, base] = steps(snapshot, market[1])
    assert [own["kind"], vault["kind"], quote["kind"], base["kind"]] == ["unknown", "rate", "ratio", "feed"]
    world = devnet_world
    assert vault["value_raw"] == world.tokens["lstETH"].functions.convertToAssets(SAMPLE).call()
    assert base["address"].endswith(world.feeds["ETH"].address.lower())
    assert (quote["value_raw"], base["value_raw"]) == tuple(
        world.feeds[symbol].functions.latestAnswer().call() for symbol in ("USDC", "ETH")
    )


def test_the_price_in_usd_goes_through_the_loan(
    devnet_world: World, market: tuple[MorphoMarket, Contract], snapshot: Snapshot
) -> None:
    """Within a thousandth of what Aave's own oracle says of the same token in the same world: another path to the same rate and feeds."""
    source = market[1].address.lower()
    [row] = [row for row in snapshot["prices"].to_dict("records") if str(row["source"]).endswith(source)]
    assert row["price_raw"] == market[1].functions.price().call()
    asked = devnet_world.oracle.functions.getAssetPrice(devnet_world.tokens["lstETH"].address).call() / 1e8
    assert row["price_usd"] == pytest.approx(asked, rel=1e-3)


def test_a_part_left_out_fails_the_comparison(devnet_world: World, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(morpho_blue_oracles, "VAULTS", ("QUOTE_VAULT",))
    [check] = [check for check in take(devnet_world.url, book, "latest").checks if check.name == NAME]
    assert len(check.failures) == 1
