"""Rows of two chains can be told apart wherever a snapshot holds both: by the chain's name in labels; and where there is one chain nothing is added."""

import re
from pathlib import Path

import pandas as pd
import pytest

import aftershock
from aftershock.cli.terminal import when
from chain.errors import InputError
from chain.networks import placed
from chain.snapshot import Snapshot, save
from graph.exposures.answer import exposure
from graph.paths import PathIndex
from graph.protocol_graph import ProtocolGraph
from reports.cascades import leading
from tests.aftershock.command import Ask
from tests.two_chains import CHAINS, two_chains


@pytest.fixture(scope="module")
def both() -> Snapshot:
    return two_chains()


@pytest.fixture(scope="module")
def graph(both: Snapshot) -> ProtocolGraph:
    return aftershock.graph(both)


def alike(graph: ProtocolGraph) -> set[str]:
    """Labels that nodes of different chains share."""
    keys = pd.Series(graph.labels).rename("label").rename_axis("key").reset_index()
    keys = keys.assign(chain=keys["key"].str.extract(r"^(eip155:\d+)[:/]"))
    counted = keys.dropna().groupby("label")["chain"].nunique()
    return set(counted[counted > 1].index)


def test_no_two_chains_share_a_label(graph: ProtocolGraph) -> None:
    assert alike(graph) == set()
    named = {name: sum(label.endswith(f" on {name}") for label in graph.labels.values()) for name in CHAINS.values()}
    assert named["Ethereum"] == named["Base"] > 1_000
    assert not [label for label in aftershock.graph(aftershock.load()).labels.values() if " on " in label]


def test_what_has_no_chain_keeps_its_name() -> None:
    assert placed("USD", "iso4217:USD", CHAINS) == "USD"
    assert placed("eip155:1", "eip155:1", CHAINS) == "eip155:1"
    assert placed("X", "eip155:10:0x1", ["eip155:1", "eip155:10"]) == "X on OP Mainnet"
    assert placed("X", "eip155:1/erc20:0x1", ["eip155:1"]) == "X"
    assert placed("X", "eip155:424242/erc20:0x1", ["eip155:1", "eip155:424242"]) == "X on eip155:424242"


def test_a_name_alone_means_both_and_a_name_with_its_chain_one(graph: ProtocolGraph) -> None:
    for chain, name in CHAINS.items():
        for asked in (f"USDC on {name}", f"usdc on {name.lower()}"):
            assert graph.find(asked).startswith(f"{chain}/erc20:")
        assert graph.find(f"core on {name}").startswith(f"{chain}:aave-v3/")
    with pytest.raises(InputError, match=r"2 things: .*asset USDC on Ethereum.*asset USDC on Base"):
        graph.find("USDC")


def test_tables_name_the_chain_of_every_row(graph: ProtocolGraph) -> None:
    answer = exposure(graph, "aave-v3")
    for table, column in (("collateral", "symbol"), ("feeds", "label"), ("borrowers", "label")):
        rows = answer.outbound[table]
        assert len(rows) > 1 and rows[column].str.contains(" on (?:Ethereum|Base)$").all(), table
    assert not answer.inbound["suppliers"]["assets"].str.contains(" on ").any()  # the supplier's row says where
    ways = PathIndex(graph).paths("core on Base", "WETH on Base", 1)
    assert [hop.target_label for hop in ways.paths[0].hops] == ["WETH on Base"]


@pytest.mark.verify
def test_a_cascade_says_on_which_chain_it_lands(both: Snapshot, tmp_path: Path, ask: Ask) -> None:
    save(both, tmp_path / "both")
    found = ask("simulate", "--shock", "ETH=-10%", "--snapshot", str(tmp_path / "both"))
    assert found.code == 0, found.err
    for name in CHAINS.values():
        assert re.search(rf"^Aave V3, core on {name} ", found.out, re.MULTILINE)
        assert re.search(rf"^0x[0-9a-f]{{4}}…[0-9a-f]{{4}} on {name} ", found.out, re.MULTILINE)
    assert when(both).startswith("block 277 of Ethereum, block 277 of Base ")
    refused = ask("report", "--snapshot", str(tmp_path / "both"), "--out", str(tmp_path / "report"))
    assert "core on Ethereum, " in refused.err and "core on Base" in refused.err


@pytest.mark.verify
def test_the_price_beside_the_rounds_is_that_of_the_market_s_own_chain(both: Snapshot, graph: ProtocolGraph) -> None:
    result = aftershock.simulate(graph, shocks=["ETH=-10%"])
    for chain, name in CHAINS.items():
        key, symbol = leading(result, both, graph.find(f"core on {name}"))
        assert key.startswith(f"{chain}/erc20:") and graph.own_labels[key] == symbol
