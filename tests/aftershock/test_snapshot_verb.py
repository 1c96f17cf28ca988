"""`aftershock snapshot` against the local node: what it writes, and what it says when it cannot. Keys never appear."""

import json
from pathlib import Path

import pytest

import aftershock
from chain.errors import AftershockError
from tests.aftershock.command import Ask
from tests.devnet.world import World

pytestmark = pytest.mark.devnet

KEY = "s3cret-key"


def test_a_snapshot_is_saved_verified_and_usable(devnet_world: World, tmp_path: Path) -> None:
    taken = aftershock.snapshot(
        devnet_world.deployments, devnet_world.url, devnet_world.block_number, tmp_path / "core"
    )
    assert all(check.passed and check.compared for check in taken.checks)
    assert taken.anchors[0].hash == devnet_world.block_hash
    again = aftershock.load(tmp_path / "core")
    assert again.content_id == taken.content_id
    assert aftershock.simulate(again, shocks=["ETH=-35%"]).liquidated_usd > 0


def test_at_risk_counts_whom_the_contracts_count(devnet_world: World) -> None:
    """After a fall of ether, the accounts below 1 and what they owe: asked from the pool, one by one, against the curve."""
    from simulations.book_of_graph import from_graph
    from simulations.health import at_risk

    taken = aftershock.snapshot(devnet_world.deployments, devnet_world.url, devnet_world.block_number)
    with devnet_world.undone():
        price = devnet_world.feeds["ETH"].functions.latestRoundData().call()[1] / 1e8
        devnet_world.set_price("ETH", price * 0.8)
        answers = [
            devnet_world.pool.functions.getUserAccountData(account.address).call() for account in devnet_world.accounts
        ]
    below = [answer for answer in answers if answer[5] < 10**18]
    point = at_risk(from_graph(aftershock.graph(taken)), "ETH", [0.2]).iloc[0]
    assert len(below) > 3
    assert point["positions"] == len(below)
    assert point["liquidatable_debt_usd"] == pytest.approx(sum(answer[1] for answer in below) / 1e8, rel=1e-4)


def test_oracles_follow_a_feed_as_the_contracts_do(devnet_world: World) -> None:
    """Ether falls by 12.34 %: the oracle's answer for every reserve, the ratio adapter's among them, is what our channel publishes."""
    from simulations.book_of_graph import from_graph
    from simulations.channels.oracle import publish
    from simulations.shocks import parse, reference_prices
    from simulations.state import start

    held = from_graph(
        aftershock.graph(aftershock.snapshot(devnet_world.deployments, devnet_world.url, devnet_world.block_number))
    )
    state = start(held)
    state.market_usd = reference_prices(held, [parse("ETH=-12.34%")])
    assert publish(state) == 2
    with devnet_world.undone():
        price = devnet_world.feeds["ETH"].functions.latestRoundData().call()[1] / 1e8
        devnet_world.set_price("ETH", price * (1 - 0.1234))
        for reserve, said in zip(held.reserves, state.oracle_raw, strict=True):
            address = devnet_world.tokens[held.assets[reserve.asset].symbol].address
            assert abs(devnet_world.oracle.functions.getAssetPrice(address).call() - said) <= 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rpc": f"http://127.0.0.1:1/{KEY}"}, "127.0.0.1:1"),
        ({"rpc": f"ftp://127.0.0.1/{KEY}"}, "http:// or https://"),
        ({"block": 10_000_000}, "10000000"),
        ({"block": "yesterday"}, "yesterday"),
        ({"chain": "eip155:1"}, "eip155:1"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_left(
    devnet_world: World, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    deployments = tmp_path / "deployments.toml"
    deployments.write_text(
        devnet_world.deployments.read_text().replace("eip155:31337", str(change.pop("chain", "eip155:31337")))
    )
    arguments = {"rpc": devnet_world.url, "block": devnet_world.block_number, **change}
    with pytest.raises(AftershockError) as caught:
        aftershock.snapshot(deployments, out=tmp_path / "core", **arguments)  # type: ignore[arg-type]
    assert says in str(caught.value) and KEY not in str(caught.value)
    assert {file.name for file in tmp_path.iterdir()} == {"deployments.toml"}


def test_a_block_before_the_contracts_is_said_to_be_that(devnet_world: World, tmp_path: Path, ask: Ask) -> None:
    """At block 2 the node has no contract yet, which the book's first_block of 1 does not say; running it again would not help."""
    asked = ("--deployments", str(devnet_world.deployments), "--rpc", devnet_world.url, "--out", str(tmp_path / "core"))
    early = ask("snapshot", *asked, "--block", "2")
    said = " ".join(early.err.split())
    assert (
        early.code == 3
        and "there is no contract at 0x" in said
        and "at block 2; it came later or the address is wrong" in said
    )
    assert "ask for a later block" in said and "the same command goes on" not in said
    assert devnet_world.w3.eth.get_code(devnet_world.pool.address, block_identifier=2) == b""


def test_a_folder_that_is_not_ours_is_not_touched(devnet_world: World, tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "thesis.txt").write_text("mine")
    with pytest.raises(AftershockError, match="not a snapshot"):
        aftershock.snapshot(devnet_world.deployments, devnet_world.url, devnet_world.block_number, tmp_path / "core")
    assert (tmp_path / "core" / "thesis.txt").read_text() == "mine"


def test_the_manifest_holds_no_address_of_a_node(devnet_world: World, tmp_path: Path) -> None:
    aftershock.snapshot(devnet_world.deployments, devnet_world.url, devnet_world.block_number, tmp_path / "core")
    text = (tmp_path / "core" / "manifest.json").read_text()
    assert "127.0.0.1" not in text and json.loads(text)["anchors"][0]["number"] == devnet_world.block_number
