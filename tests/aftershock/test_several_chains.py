"""`aftershock snapshot` over two chains: two local nodes that say they are Ethereum and Base, read side by side at one instant."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import aftershock
from chain.address_books import chosen
from chain.as_of import words_of
from chain.errors import InputError, NodeError
from chain.reading import take
from tests.aftershock.command import Ask
from tests.chain.counting_proxy import counting
from tests.devnet.availability import require_devnet
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.world import World, build_world

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, World], dict[str, Path]]]:
    """Worlds by chain, Base's some minutes ahead, and their address books."""
    require_devnet()
    folder = tmp_path_factory.mktemp("books")
    with build_world(accounts=20, seed=1) as ethereum, build_world(accounts=12, seed=2) as base:
        worlds = {"eip155:1": ethereum, "eip155:8453": base}
        books = {}
        for chain, world in worlds.items():
            world.node.request("anvil_setChainId", int(chain.removeprefix("eip155:")))
            books[chain] = folder / f"{chain.replace(':', '-')}.toml"
            books[chain].write_text(world.deployments.read_text().replace("eip155:31337", chain))
        ethereum.node.request("anvil_mine", hex(200), hex(12))  # beyond either chain's finality lag
        base.node.request("anvil_mine", hex(1_250), hex(2))
        yield worlds, books


def nodes(worlds: dict[str, World]) -> dict[str, str]:
    return {chain: world.url for chain, world in worlds.items()}


def test_each_chain_is_read_at_the_last_block_before_the_instant(
    two: tuple[dict[str, World], dict[str, Path]], tmp_path: Path, ask: Ask
) -> None:
    """One command; the tables are those of two snapshots of one chain each, taken by block number, laid together."""
    worlds, books = two
    instant = max(world.timestamp for world in worlds.values()) + 31
    answer = ask(
        *("snapshot", "--chain", "1", "--chain", "8453", "--protocols", "all", "--as-of", words_of(instant)),
        *(part for chain, url in nodes(worlds).items() for part in ("--rpc", f"{chain.removeprefix('eip155:')}={url}")),
        *(part for book in books.values() for part in ("--deployments", str(book))),
        *("--out", str(tmp_path / "both"), "--json"),
    )
    assert answer.code == 0, answer.err
    both = aftershock.load(tmp_path / "both")
    for anchor in both.anchors:
        header = worlds[anchor.chain].w3.eth.get_block(anchor.number)
        after = worlds[anchor.chain].w3.eth.get_block(anchor.number + 1)
        assert header["timestamp"] == anchor.timestamp <= instant < after["timestamp"]
    alone = {
        anchor.chain: take(worlds[anchor.chain].url, books[anchor.chain], anchor.number) for anchor in both.anchors
    }
    for table in ("positions", "reserves", "pools", "balances", "entities", "feeds"):
        assert len(both[table]) == sum(len(part[table]) for part in alone.values()) > 0
    told = json.loads(answer.out)
    times = [anchor.timestamp for anchor in both.anchors]
    assert told["skew_seconds"] == max(times) - min(times)
    assert {part["chain"] for part in told["coverage"]} == set(worlds)
    assert all(check.passed for check in both.checks)
    assert not list(tmp_path.glob("incomplete_*"))
    graph = aftershock.graph(both)
    assert len(graph.nodes["market"]) == 2 and len(graph.nodes["chain"]) == 2
    fallen = aftershock.simulate(graph, shocks=["ETH=-30%"])
    assert all(fallen.positions.groupby("market")["liquidated_usd"].sum() > 0)  # ether falls on both chains
    one = ask(*("snapshot", "--chain", "1", "--deployments", str(books["eip155:1"]), "--rpc", worlds["eip155:1"].url), "--out", str(tmp_path / "both"))  # fmt: skip
    assert one.code == 2 and "holds a snapshot of eip155:1, eip155:8453" in " ".join(one.err.split())
    assert aftershock.load(tmp_path / "both").content_id == both.content_id


def test_without_a_time_it_is_the_newest_that_is_final_on_both(
    two: tuple[dict[str, World], dict[str, Path]], tmp_path: Path
) -> None:
    worlds, books = two
    taken = aftershock.snapshot(list(books.values()), nodes(worlds), out=tmp_path / "both")
    heads = {chain: world.w3.eth.block_number for chain, world in worlds.items()}
    final = {"eip155:1": heads["eip155:1"] - 96, "eip155:8453": heads["eip155:8453"] - 1_152}
    newest = min(worlds[chain].w3.eth.get_block(number)["timestamp"] for chain, number in final.items())
    assert {anchor.chain for anchor in taken.anchors} == set(worlds)
    for anchor in taken.anchors:
        assert anchor.timestamp <= newest < worlds[anchor.chain].w3.eth.get_block(anchor.number + 1)["timestamp"]


def test_what_is_locked_on_one_chain_backs_what_the_other_minted(
    two: tuple[dict[str, World], dict[str, Path]], tmp_path: Path
) -> None:
    """DAI of Ethereum in a pool that plays the escrow, DAI of Base as the bridged token: amounts and verdict by the two contracts."""
    worlds, books = two
    ethereum, base = worlds["eip155:1"], worlds["eip155:8453"]
    escrow, token = ethereum.pairs["WETH/DAI"], base.tokens["DAI"]
    roles = {
        "eip155:1": ("bridge_escrow", {"escrow": escrow.address, "token": ethereum.tokens["DAI"].address}),
        "eip155:8453": ("bridged_token", {"token": token.address, "bridge": base.pool.address}),
    }
    written = []
    for chain, (reader, addresses) in roles.items():
        lines = "\n".join([*entry_lines(1, "canonical-bridge", "dai", reader), *address_lines(addresses)])
        written.append(tmp_path / f"{chain[7:]}.toml")
        written[-1].write_text(books[chain].read_text() + lines.replace("eip155:31337", chain))
    taken = aftershock.snapshot(written, nodes(worlds), out=tmp_path / "both")
    at = {anchor.chain: anchor.number for anchor in taken.anchors}
    locked = ethereum.tokens["DAI"].functions.balanceOf(escrow.address).call(block_identifier=at["eip155:1"])
    minted = token.functions.totalSupply().call(block_identifier=at["eip155:8453"])
    backing = taken["backings"].set_index("claim").loc[f"eip155:8453/erc20:{token.address.lower()}"]
    assert backing["amount_raw"] == locked
    [check] = [check for check in taken.checks if "locked covers" in check.name]
    assert check.compared == 1 and check.passed == (locked >= minted)


def test_a_chain_that_fails_does_not_stop_the_other_and_the_next_run_goes_on(
    two: tuple[dict[str, World], dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base's node goes away after some requests. Ethereum is read to the end all the same, and asked for next to nothing afterwards."""
    worlds, books = two
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("AFTERSHOCK_CACHE", "off")
    whole = aftershock.snapshot(list(books.values()), nodes(worlds), out=tmp_path / "whole")
    with counting(worlds["eip155:8453"].url) as base, counting(worlds["eip155:1"].url) as ethereum:
        base.at = {number: lambda: None for number in range(40, 10_000)}
        urls = {"eip155:1": ethereum.url, "eip155:8453": base.url}
        with pytest.raises(NodeError, match="cannot be used"):
            aftershock.snapshot(list(books.values()), urls, out=tmp_path / "both")
        first = ethereum.requests
        assert (tmp_path / "incomplete_both").is_dir() and not (tmp_path / "both").exists()
        base.at = {}
        again = aftershock.snapshot(list(books.values()), urls, out=tmp_path / "both")
        assert ethereum.requests - first < first / 2
    assert again.content_id == whole.content_id
    assert not (tmp_path / "incomplete_both").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--chain", "1", "--chain", "8453", "--block", "12"], "a time"),
        (["--chain", "77"], "eip155:77"),
        (["--chain", "1", "--protocols", "aave-v9"], "aave-v9"),
        (["--chain", "1", "--as-of", "noon"], "noon"),
        (["--chain", "1", "--as-of", "2026-01-01", "--block", "3"], "not both"),
        ([], "--chain"),
    ],
)
def test_what_cannot_be_meant_is_said(words: list[str], says: str, tmp_path: Path, ask: Ask) -> None:
    answer = ask("snapshot", *words, "--rpc", "http://127.0.0.1:1", "--out", str(tmp_path / "x"))
    assert answer.code == 2 and says in answer.err
    assert not list(tmp_path.iterdir())


def test_the_shipped_books_are_found_by_chain_and_protocol() -> None:
    both = chosen([], ["1", "eip155:8453"], ["aave-v3"])
    assert list(both) == ["eip155:1", "eip155:8453"]
    assert {entry.protocol for entries in both.values() for entry in entries} == {"aave-v3"}
    with pytest.raises(InputError, match="31337"):
        chosen([], ["31337"])
