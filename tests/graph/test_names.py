"""What people write, and the node they mean."""

from dataclasses import replace

import pytest

from chain.errors import InputError, UnknownNameError
from chain.tables import MANY_ROWS
from graph.build import build
from graph.identity import told_apart
from graph.protocol_graph import ProtocolGraph
from tests.graph.random_world import crowd
from tests.graph.small_world import ADDRESSES, CHAIN, ETHER, LSTETH, MARKET, WETH, E, small_rows, small_world


@pytest.fixture(scope="module")
def graph() -> ProtocolGraph:
    return build(small_world())


@pytest.fixture(scope="module")
def many() -> ProtocolGraph:
    """Ten thousand accounts 0x…1, 0x…2 and so on: a long table, whose columns are searched."""
    return build(crowd(10_000))


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
def test_names_that_are_understood(graph: ProtocolGraph, monkeypatch: pytest.MonkeyPatch, name: str, key: str) -> None:
    assert graph.find(name) == key
    monkeypatch.setattr("graph.names.MANY_ROWS", 1)  # every table as if it were long
    assert replace(graph).find(name) == key


LAST = f"0x{10_000:040x}"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (f"{CHAIN}:{LAST}", f"{CHAIN}:{LAST}"),
        (LAST, f"{CHAIN}:{LAST}"),
        (LAST.upper().replace("X", "x"), f"{CHAIN}:{LAST}"),
        (LAST[:-1], f"{CHAIN}:{LAST}"),
        ("0x0000…2710", f"{CHAIN}:{LAST}"),
        (" 0X0000…2710", f"{CHAIN}:{LAST}"),
        ("core", MARKET),
        ("aave v3CORE", MARKET),
        ("weth", WETH),
    ],
)
def test_names_in_a_long_table_are_understood(many: ProtocolGraph, name: str, key: str) -> None:
    assert len(many.nodes["account"]) >= MANY_ROWS and many.find(name) == key


def test_a_long_table_hides_nobody_who_answers(many: ProtocolGraph) -> None:
    with pytest.raises(InputError, match="can mean 15 things"):  # 0x…1 to 0x…f
        many.find(f"0x{0:039x}")
    with pytest.raises(UnknownNameError):
        many.find(f"0x{10_001:040x}")
    with pytest.raises(UnknownNameError):
        many.find(LAST, "asset")
    table = many.nodes["account"]
    odd = replace(
        many, nodes={**many.nodes, "account": table.assign(label=["İSTANBUL ΣΑΣ", "whale", *table["label"][2:]])}
    )
    assert (
        odd.find("i̇stanbulσας") == table["node"][0]
    )  # as Python lowers it: other programs lower İ and the last Σ otherwise
    whale = table["node"][1]
    assert odd.find("Whale") == odd.find(f"{whale[-42:-36]}…{whale[-4:]}") == whale


def test_texts_of_a_long_table_are_those_of_its_rows(many: ProtocolGraph) -> None:
    """One at a time by search, then from a list of all: what the tables say, and nothing for a key that is none."""
    asked, rows = replace(many), many.nodes["account"]
    for place in range(0, 10_000, 80):
        assert asked.own_labels[rows["node"][place]] == rows["label"][place]
        assert asked.kinds.get(rows["node"][place] + "0") is None
    assert dict(asked.kinds) == {key: kind for kind, table in many.nodes.items() for key in table["node"]}
    assert len(asked.labels) == sum(map(len, many.nodes.values())) and asked.label("nothing") == "nothing"


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
