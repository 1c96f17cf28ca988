"""What people write, and the node they mean."""

import pytest

from chain.errors import InputError, UnknownNameError
from graph.build import build
from graph.identity import told_apart
from graph.protocol_graph import ProtocolGraph
from tests.graph.small_world import ADDRESSES, CHAIN, ETHER, LSTETH, MARKET, WETH, E, small_rows, small_world


@pytest.fixture(scope="module")
def graph() -> ProtocolGraph:
    return build(small_world())


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (MARKET, MARKET),
        ("core", MARKET),
        ("Aave V3 core", MARKET),
        ("aave-v3", "aave-v3"),
        ("AAVE-V3", "aave-v3"),
        ("WETH", WETH),
        ("weth", WETH),
        (" ETH ", ETHER),
        ("carol's fund", E["carol"]),
        (ADDRESSES["alice"], E["alice"]),
        (ADDRESSES["alice"].upper().replace("X", "x"), E["alice"]),
        (ADDRESSES["alice"][:6], E["alice"]),
        ("0x3440…0000", E["alice"]),
        ("Uniswap V2 WETH/USDC", E["swap"]),
        (ADDRESSES["lsteth"], LSTETH),  # the token is also a step of a feed
    ],
)
def test_names_that_are_understood(graph: ProtocolGraph, name: str, key: str) -> None:
    assert graph.find(name) == key


def test_an_ambiguous_name_lists_its_candidates() -> None:
    rows = small_rows()
    rows["assets"].append(
        {**rows["assets"][2], "asset": "eip155:31337/erc20:0x" + "7" * 40, "address": "0x" + "7" * 40}
    )
    with pytest.raises(
        InputError, match=r"'USDC' can mean 2 things: .*0x28c0.*asset USDC.*0x7777.*write the whole key"
    ):
        build(small_world(rows)).find("USDC")
    near = f"{CHAIN}:0x3440{'1' * 36}"
    rows["positions"].append(
        {**rows["positions"][4], "position_id": near, "owner": near, "stored_raw": 0, "amount_raw": 0}
    )
    with pytest.raises(InputError, match="'0x3440' can mean 2 things"):
        build(small_world(rows)).find("0x3440")


def test_an_unknown_name_suggests_near_ones(graph: ProtocolGraph) -> None:
    with pytest.raises(UnknownNameError, match="did you mean lstETH"):
        graph.find("lsETH")
    with pytest.raises(UnknownNameError, match="no asset named 'core'"):
        graph.find("core", "asset")
    with pytest.raises(UnknownNameError):
        graph.node_kind("nothing")


def test_neighbours_by_relation_and_direction(graph: ProtocolGraph) -> None:
    near = graph.neighbours(MARKET, "supplies", "in")
    assert near["amount_usd"].tolist() == pytest.approx([50_000, 30_000, 20_000, 11_700, 4_000])
    assert near["neighbour_kind"].tolist() == ["account", "vault", "account", "account", "account"]
    assert graph.neighbours(MARKET, "supplies", "out").empty
    assert set(graph.neighbours(MARKET)["relation"]) == {"supplies", "borrows", "lists", "allocates_to", "governs"}
    with pytest.raises(UnknownNameError, match="did you mean supplies"):
        graph.neighbours(MARKET, "suplies")


def test_one_name_for_several_things_carries_the_end_of_its_key() -> None:
    keys = [f"eip155:1/erc20:0x{digit * 40}" for digit in "ab"]
    assert told_apart({keys[0]: "UNI-V2", keys[1]: "UNI-V2", "x": "DAI"}) == {
        keys[0]: "UNI-V2 0xaaaa…aaaa",
        keys[1]: "UNI-V2 0xbbbb…bbbb",
        "x": "DAI",
    }
