"""Bridged tokens over two local nodes, one for each chain: what the escrow has on the one stands behind what the other minted."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from web3.contract import Contract

from chain.bridges import with_bridges
from chain.deployments import Deployment, read_deployments
from chain.reading import take
from chain.snapshot import Snapshot, from_rows
from chain.tables import schemas
from graph.build import build
from graph.lookthrough import roots
from tests.devnet.availability import require_devnet
from tests.devnet.contracts import MULTICALL3_ADDRESS, artifact, multicall3_code
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

pytestmark = pytest.mark.devnet
CHAINS = ("eip155:1", "eip155:8453")
ESCROW, BRIDGE = address_of("escrow"), address_of("bridge")
LOCKED, MINTED = 5_000 * 10**6 + 7, 4_000 * 10**18 + 1


@dataclass(frozen=True)
class Sides:
    """Both snapshots laid together, the entries of both books, and the tokens."""

    whole: Snapshot
    entries: tuple[Deployment, ...]
    locked: Contract
    minted: Contract


def book(chain: str, reader: str, **roles: str) -> str:
    lines = "\n".join(f'{role} = "{address}"' for role, address in roles.items())
    return (
        f'[[deployments]]\nchain = "{chain}"\nprotocol = "base-bridge"\ninstance = "usd"\nreader = "{reader}"\n'
        f'first_block = 0\nsource = "a test"\n[deployments.addresses]\n{lines}\n'
    )


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    require_devnet()
    folder, parts, entries, tokens = tmp_path_factory.mktemp("bridges"), [], list[Deployment](), []
    for chain, decimals, holder, amount in (
        (CHAINS[0], 6, ESCROW, LOCKED),
        (CHAINS[1], 18, address_of("user"), MINTED),
    ):
        with Node() as node:
            node.request("anvil_setChainId", int(chain.removeprefix("eip155:")))
            node.request("anvil_setCode", MULTICALL3_ADDRESS, multicall3_code())
            ledger = Ledger(node, address_of("issuer"))
            token = ledger.deploy(artifact("TestnetERC20"), "USD", "USD", decimals, ledger.deployer)
            ledger.call("mint", token, "mint(address,uint256)", holder, amount)
            ledger.call("elsewhere", token, "mint(address,uint256)", address_of("other"), 0 if decimals == 18 else 99)
            ledger.mine()
            text = (
                book(chain, "bridge_escrow", escrow=ESCROW, token=str(token.address))
                if chain == CHAINS[0]
                else book(chain, "bridged_token", token=str(token.address), bridge=BRIDGE)
            )
            file = folder / f"{decimals}.toml"
            Path(file).write_text(text)
            parts.append(take(node.url, file, "latest"))
            entries += read_deployments(file)
            tokens.append(token)
    assert all(check.passed for part in parts for check in part.checks)
    yield Sides(together(parts), tuple(entries), *tokens)


def together(parts: list[Snapshot]) -> Snapshot:
    rows = {
        table: [row for part in parts for row in part[table].to_dict("records")]
        for table in schemas()
        if table != "protocols"
    }
    anchors = tuple(anchor for part in parts for anchor in part.anchors)
    return from_rows("both", anchors, {**rows, "protocols": parts[0]["protocols"].to_dict("records")})


def keys(sides: Sides) -> tuple[str, str]:
    locked, minted = str(sides.locked.address).lower(), str(sides.minted.address).lower()
    return f"{CHAINS[0]}/erc20:{locked}", f"{CHAINS[1]}/erc20:{minted}"


def test_the_escrow_stands_behind_the_token(sides: Sides) -> None:
    locked, minted = keys(sides)
    found = with_bridges(sides.whole, sides.entries)
    [row] = found["backings"].to_dict("records")
    assert (row["claim"], row["backing"], row["amount_raw"]) == (minted, locked, LOCKED)
    assert row["holder"] == f"{CHAINS[0]}:{ESCROW.lower()}"
    [check] = [one for one in found.checks if one.name == "what is locked covers what was minted for it"]
    assert check.passed and check.compared == 1


def test_the_graph_shows_the_bridge(sides: Sides) -> None:
    locked, minted = keys(sides)
    graph = build(with_bridges(sides.whole, sides.entries))
    [row] = graph.relations["bridges"].to_dict("records")
    assert (row["source"], row["target"]) == (f"{CHAINS[1]}:{BRIDGE.lower()}", minted)
    assert (row["locked_raw"], row["minted_raw"]) == (LOCKED, MINTED)
    assert list(roots(graph, minted)["root"]) == [locked]


@pytest.mark.parametrize(("less", "is_short"), [(1_000 * 10**6 + 6, False), (1_000 * 10**6 + 7, True)])
def test_less_locked_than_minted_fails(sides: Sides, less: int, is_short: bool) -> None:
    """4,000 tokens and one unit of 18 decimals need 4,000,000,001 units of 6 decimals: rounded up."""
    balances = sides.whole["balances"].to_dict("records")
    for row in balances:
        row["amount_raw"] -= less
    tables = {name: sides.whole[name].to_dict("records") for name in schemas()}
    short = from_rows("short", sides.whole.anchors, {**tables, "balances": balances})
    found = with_bridges(short, sides.entries)
    assert any(not one.passed for one in found.checks) == is_short


def test_a_token_without_its_escrow_is_a_gap(sides: Sides) -> None:
    token = next(entry for entry in sides.entries if entry.reader == "bridged_token")
    for entries in ([token], [*sides.entries[:1], replace(token, instance="eur")]):
        found = with_bridges(sides.whole, entries)
        assert found["backings"].empty and "was not read" in found.gaps[-1]
