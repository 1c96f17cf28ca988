"""Tokens with a rate: rows against what the contracts answer and pay out, and the way down to ether in the graph."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import WAD, native_id
from graph.build import build
from graph.lookthrough import roots
from tests.devnet.contracts import compiled
from tests.devnet.deployments_file import entry_lines
from tests.devnet.transactions import address_of
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
RICH = address_of("rate token holder")


@pytest.fixture(scope="module")
def tokens(devnet_world: World) -> Iterator[dict[str, Contract]]:
    """Staked, rewarded, slashed; three quarters of what was deposited is staked elsewhere."""
    world, made = devnet_world, compiled("RateTokens.sol")
    with world.undone():
        staked = world.ledger.deploy(made["Staked"])
        found = {"inner": staked, "wsteth": world.ledger.deploy(made["WrappedStaked"], staked.address)}
        found["reth"] = world.ledger.deploy(made["Deposited"])
        world.node.request("anvil_setBalance", RICH, hex(10**24))
        world.send("stake", staked, "submit", RICH, sender=RICH, value=1_000 * WAD + 7)
        world.send("reward", staked, "reward", sender=RICH, value=171 * WAD + 1)
        for name in ("wsteth", "reth"):
            transaction = {"from": RICH, "to": found[name].address, "value": hex(300 * WAD + 11), "gas": hex(500_000)}
            world.node.request("eth_sendTransaction", transaction)
            world.node.request("evm_mine")
        world.send("slash", staked, "slash", 3 * WAD, sender=RICH)
        world.send("elsewhere", found["reth"], "stake", RICH, 225 * WAD, 40 * WAD + 3, sender=RICH)
        yield found


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, tokens: dict[str, Contract], tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    lines = [*entry_lines(0, "erc20", "tokens", "erc20")]
    for role in ("wsteth", "reth"):
        symbol = tokens[role].functions.symbol().call()
        lines += [
            "[[deployments.tokens]]",
            f'address = "{tokens[role].address}"',
            f'symbol = "{symbol}"',
            f'role = "{role}"',
        ]
    book: Path = tmp_path_factory.mktemp("rates") / "book.toml"
    book.write_text("\n".join(lines))
    return take(devnet_world.url, book, "latest")


def backing(snapshot: Snapshot, claim: Contract) -> dict[str, Any]:
    [row] = [row for row in snapshot["backings"].to_dict("records") if row["claim"].endswith(claim.address.lower())]
    return {str(name): value for name, value in row.items()}


def test_rates_amounts_and_what_can_be_had_now(
    snapshot: Snapshot, tokens: dict[str, Contract], devnet_world: World
) -> None:
    assert all(check.passed for check in snapshot.checks)
    inner, wrapped, deposited = (tokens[name].functions for name in ("inner", "wsteth", "reth"))
    row = backing(snapshot, tokens["wsteth"])
    assert row["backing"].endswith(tokens["inner"].address.lower())
    assert row["rate_wad"] == wrapped.stEthPerToken().call() != WAD
    assert row["amount_raw"] == row["capacity_raw"] == inner.balanceOf(tokens["wsteth"].address).call()
    assert row["amount_raw"] == wrapped.getStETHByWstETH(wrapped.totalSupply().call()).call()
    assert (row["redemption"], row["status"]) == ("instant", "verified")
    row = backing(snapshot, tokens["inner"])
    assert row["backing"] == native_id(snapshot.anchors[0].chain)
    assert (row["rate_wad"], row["redemption"]) == (WAD, "queue")
    assert (
        row["amount_raw"]
        == inner.totalSupply().call()
        == devnet_world.w3.eth.get_balance(tokens["inner"].address) - 3 * WAD
    )
    row = backing(snapshot, tokens["reth"])
    assert row["rate_wad"] == deposited.getExchangeRate().call() > WAD
    assert row["amount_raw"] == deposited.getEthValue(deposited.totalSupply().call()).call()
    assert row["capacity_raw"] == devnet_world.w3.eth.get_balance(tokens["reth"].address) == 75 * WAD + 11


def test_as_much_is_paid_as_the_row_says_and_no_more(snapshot: Snapshot, tokens: dict[str, Contract]) -> None:
    """Tokens worth the capacity can be burnt; a token more cannot."""
    row = backing(snapshot, tokens["reth"])
    most = row["capacity_raw"] * WAD // row["rate_wad"] - 100  # the rate is rounded down, by less than a unit a token
    tokens["reth"].functions.burn(most).call({"from": RICH})
    with pytest.raises(Exception, match="Insufficient ETH balance"):
        tokens["reth"].functions.burn(most + WAD).call({"from": RICH})


def test_the_way_down_ends_at_ether(snapshot: Snapshot, tokens: dict[str, Contract]) -> None:
    graph, ether = build(snapshot), native_id(snapshot.anchors[0].chain)
    for role in ("wsteth", "reth"):
        row = backing(snapshot, tokens[role])
        [root] = roots(graph, row["claim"]).to_dict("records")
        assert root["root"] == ether and root["rate"] == pytest.approx(row["rate_wad"] / WAD, rel=1e-15)
    kinds = snapshot["assets"].set_index("symbol")["kind"].to_dict()
    assert {kinds[symbol] for symbol in ("wstTEST", "stTEST", "rTEST")} == {"staked"}
