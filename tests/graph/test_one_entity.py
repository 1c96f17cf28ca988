"""One address in several protocols is one entity and one node: a vault that lends on Aave, Compound and Morpho and provides liquidity on Uniswap.

The vault (OpenZeppelin's ERC-4626 in the world) is given its places by others: aTokens, cTokens, Morpho's shares, liquidity shares.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from web3.contract import Contract

from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import UINT256_MAX, WAD
from graph.build import build
from graph.exposures.answer import exposure
from graph.protocol_graph import ProtocolGraph
from tests.devnet import compound_v2, morpho_blue
from tests.devnet.assets import fund
from tests.devnet.compound_v2 import CompoundMarket
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
DOLLARS = {"aave-v3": 11_000, "compound-v2": 7_000, "morpho-blue": 5_000}
PROTOCOLS = {*DOLLARS, "uniswap-v2", "chainlink"}


@dataclass(frozen=True)
class Place:
    """The contracts in which the vault has something, its address, and the address book."""

    vault: str
    receipt: Contract
    compound: CompoundMarket
    morpho: Contract
    market: bytes
    pair: Contract
    book: Path

    @property
    def key(self) -> str:
        return f"eip155:31337:{self.vault.lower()}"


@pytest.fixture(scope="module")
def place(devnet_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    world, raw = devnet_world, {name: usd * 10**6 for name, usd in DOLLARS.items()}
    with world.undone():
        ledger, usdc, vault = world.ledger, world.tokens["USDC"], str(world.tokens["lstETH"].address)
        me, compound = ledger.deployer, compound_v2.deploy(ledger)
        made = morpho_blue.deploy(ledger, 860 * WAD // 1000, (18, 6))
        params = (usdc.address, world.tokens["WETH"].address, *made.params[2:])
        fund(ledger, world.tokens, "USDC", raw["aave-v3"] + raw["morpho-blue"])
        ledger.call("funds", compound.tokens["USDC"], "mint(address,uint256)", me, raw["compound-v2"])
        for token, spender in (
            (usdc, world.pool),
            (usdc, made.morpho),
            (compound.tokens["USDC"], compound.markets["USDC"]),
        ):
            ledger.call("approve", token, "approve", spender.address, UINT256_MAX)
        ledger.call("Aave", world.pool, "supply", usdc.address, raw["aave-v3"], vault, 0)
        ledger.call("Compound", compound.markets["USDC"], "mint", raw["compound-v2"])
        ledger.call("create", made.morpho, "createMarket", params)
        ledger.call("price", made.oracle, "setPrice", 2_000 * 10**24)
        ledger.call("Morpho", made.morpho, "supply", params, raw["morpho-blue"], 0, vault, b"")
        ledger.mine()
        ctokens = compound.markets["USDC"].functions.balanceOf(me).call()
        ledger.call("cTokens", compound.markets["USDC"], "transfer", vault, ctokens)
        pair = world.pairs["WETH/USDC"]
        holder = next(one for one in _holders(world, pair) if pair.functions.balanceOf(one).call())
        ledger.call("liquidity", pair, "transfer", vault, pair.functions.balanceOf(holder).call() // 10, sender=holder)
        ledger.mine()
        kinds = ["address", "address", "address", "address", "uint256"]
        book = tmp_path_factory.mktemp("five") / "deployments.toml"
        lines = [*entry_lines(world.seed, "compound-v2", "core", "compound_v2")]
        lines += address_lines({"comptroller": str(compound.comptroller.address)})
        lines += entry_lines(world.seed, "morpho-blue", "core", "morpho_blue")
        lines += address_lines({"morpho": str(made.morpho.address)})
        book.write_text(world.deployments.read_text() + "\n" + "\n".join(lines))
        yield Place(
            vault, world.market.receipt_tokens["USDC"], compound, made.morpho,
            bytes(world.w3.keccak(world.w3.codec.encode(kinds, params))), pair, book,
        )  # fmt: skip


def _holders(world: World, pair: Contract) -> list[str]:
    topic = "0x" + world.w3.keccak(text="Transfer(address,address,uint256)").hex()
    logs = world.w3.eth.get_logs({"address": pair.address, "topics": [topic], "fromBlock": 0})
    return [world.w3.to_checksum_address("0x" + log["topics"][2].hex()[-40:]) for log in logs]


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, place: Place) -> Snapshot:
    taken = take(devnet_world.url, place.book, "latest")
    assert {check.name: check.failures for check in taken.checks if not check.passed} == {}
    return taken


@pytest.fixture(scope="module")
def graph(snapshot: Snapshot) -> ProtocolGraph:
    return build(snapshot)


def test_five_protocols_and_one_entity(snapshot: Snapshot, place: Place) -> None:
    assert set(snapshot["protocols"]["protocol"]) >= PROTOCOLS
    entities = snapshot["entities"]
    assert entities["entity"].is_unique and entities.loc[entities["entity"] == place.key, "kind"].tolist() == ["vault"]
    held = snapshot["positions"][snapshot["positions"]["owner"] == place.key]
    assert {market.rpartition(":")[2].partition("/")[0] for market in held["market"]} == set(DOLLARS)


def test_one_node_with_every_tie(graph: ProtocolGraph, place: Place) -> None:
    kinds = [kind for kind, table in graph.nodes.items() if place.key in set(table["node"])]
    assert kinds == ["vault"] and graph.nodes["vault"]["node"].tolist().count(place.key) == 1
    supplied = graph.relations["supplies"]
    assert len(set(supplied[supplied["source"] == place.key]["target"])) == 3
    held = set(graph.relations["holds"].query("source == @place.key")["target"])
    assert f"eip155:31337/erc20:{place.pair.address.lower()}" in held


def test_its_exposure_is_the_sum_by_the_contracts(devnet_world: World, graph: ProtocolGraph, place: Place) -> None:
    """aTokens by balanceOf, cTokens by the stored exchange rate (nobody borrows), Morpho's shares by its totals."""
    usd = devnet_world.oracle.functions.getAssetPrice(devnet_world.tokens["USDC"].address).call() / 1e8
    aave = place.receipt.functions.balanceOf(place.vault).call() / 1e6 * usd
    ctoken = place.compound.markets["USDC"].functions
    compound = ctoken.balanceOf(place.vault).call() * ctoken.exchangeRateStored().call() // WAD / 1e6
    shares = place.morpho.functions.position(place.market, place.vault).call()[0]
    assets, all_shares = place.morpho.functions.market(place.market).call()[:2]
    morpho = shares * (assets + 1) // (all_shares + 10**6) / 1e6 * usd
    found = exposure(graph, place.key)
    assert found.figures["supplied_usd"] == pytest.approx(aave + compound + morpho, rel=1e-9)
    by_market = found.outbound["supplied"].set_index("market")["amount_usd"]
    assert len(by_market) == 3 and min(by_market) > 0.9 * min(DOLLARS.values())
    share = place.pair.functions.balanceOf(place.vault).call()
    held = found.outbound["held"].set_index("asset")["amount_raw"]
    assert held[f"eip155:31337/erc20:{place.pair.address.lower()}"] == share > 0
