"""Observations of Uniswap V3 pools, worked out from events, against what the contract stored after every block, with slots that are written over."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from web3.contract import Contract

from chain.errors import NodeError
from chain.histories.reading import grow
from chain.histories.uniswap_v3 import INT56, Oracle
from chain.node.calls import Log
from chain.node.client import Client
from chain.node.rpc import Refusal
from tests.chain.history_receipts import Lived, at, hashes, read, split_at_random
from tests.devnet.availability import require_devnet
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.node import Node
from tests.devnet.uniswap_v3 import FAR_AHEAD, GAS, UNLIMITED, deploy_uniswap_v3, mintable

pytestmark = pytest.mark.devnet
BLOCKS = 60
Q96 = 2**96


@dataclass(frozen=True)
class Traded:
    """A history of two pools, one of which kept three slots from some time on, and the pools."""

    past: Lived
    pools: tuple[Contract, Contract]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traded]:
    require_devnet()
    folder, rng = tmp_path_factory.mktemp("pools"), np.random.default_rng(17)
    with Node() as node:
        exchange = deploy_uniswap_v3(node)
        ledger = exchange.ledger
        tokens = mintable(ledger, [("AAA", 18), ("BBB", 18)])
        most = 10**24
        pools = (
            exchange.pool(tokens, 3_000, Q96, [(-6_000, 6_000, most), (600, 1_200, most)]),
            exchange.pool(tokens, 500, Q96 * 11 // 10, [(-6_000, 6_000, most)]),
        )
        ledger.call("approve", tokens[0], "approve", exchange.router.address, UNLIMITED)
        for number in range(BLOCKS):
            if number == 20:
                ledger.call("pay for slots", pools[0], "increaseObservationCardinalityNext", 3)
            for _ in range(int(rng.integers(0, 4))):
                place, fee = int(rng.integers(2)), (3_000, 500)[int(rng.integers(2))]
                sold = int(rng.choice([10**3, 10**21, 5 * 10**22]))  # the smallest moves no tick
                order = (tokens[place].address, tokens[1 - place].address, fee, ledger.deployer, FAR_AHEAD, sold, 0, 0)
                ledger.call("swap", exchange.router, "exactInputSingle", order, gas=GAS)
            if number % 7 == 3:
                lower = (-600, 6_000)[number % 2]  # around the price or beside it
                terms = (
                    tokens[0].address,
                    tokens[1].address,
                    3_000,
                    lower,
                    lower + 1_200,
                    10**20,
                    10**20,
                    0,
                    0,
                    ledger.deployer,
                    FAR_AHEAD,
                )
                ledger.call("provide", exchange.positions, "mint", terms, gas=GAS)
            if number % 11 == 5:
                ledger.call(
                    "take out", exchange.positions, "decreaseLiquidity", (1, 10**18 + number, 0, 0, FAR_AHEAD), gas=GAS
                )
            ledger.mine()
            if number % 5 == 0:
                node.mine(int(rng.integers(1, 4_000)))
        head = int(node.request("eth_blockNumber"), 16)
        lines = [
            *entry_lines(0, "uniswap-v3", "v3", "uniswap_v3"),
            *address_lines({"factory": str(exchange.factory.address)}),
        ]
        lines += entry_lines(0, "erc20", "tokens", "erc20")
        for symbol, token in zip("AB", tokens, strict=True):
            lines += [
                "[[deployments.tokens]]",
                f'address = "{token.address}"',
                f'symbol = "{symbol}"',
                'role = "token"',
                "",
            ]
        (folder / "book.toml").write_text("\n".join(lines))
        grown = grow(node.url, folder / "book.toml", folder / "past", 1, head)
        yield Traded(Lived(node, folder / "book.toml", folder / "past", grown, (), head), pools)


def stored_by(pool: Contract, head: int) -> list[tuple[int, int, int, int]]:
    """(block, slot, time, cumulative tick) of every observation, asked of the pool after every block."""
    found: list[tuple[int, int, int, int]] = []
    for block in range(1, head + 1):
        if not pool.w3.eth.get_code(pool.address, block_identifier=block):
            continue  # not deployed yet
        slot0 = pool.functions.slot0().call(block_identifier=block)
        if not slot0[0]:
            continue
        time, cumulative, _, _ = pool.functions.observations(slot0[2]).call(block_identifier=block)
        if not found or found[-1][2] != time:
            found.append((block, slot0[2], time, cumulative))
    return found


def test_every_observation_is_what_the_pool_stored(traded: Traded) -> None:
    frame = read(traded.past.folder, "observations")
    for pool, least in zip(traded.pools, (20, 15), strict=True):
        mine = frame[frame["source"] == at(str(pool.address))]
        rows = list(
            zip(mine["block_number"], mine["round"].astype(int), mine["updated_at"], mine["value_raw"], strict=True)
        )
        assert rows == stored_by(pool, traded.past.head) and len(rows) >= least
    assert set(frame["status"]) == {"verified"}
    slots = frame[frame["source"] == at(str(traded.pools[0].address))]["round"]
    assert set(slots) == {"0", "1", "2"} and slots.value_counts().min() > 3, "slots were written over"


def test_the_contract_interpolates_between_our_rows(traded: Traded) -> None:
    """observe(), the contract's own reading of its past, from two neighbouring rows."""
    pool = traded.pools[0]
    frame = read(traded.past.folder, "observations")
    mine = frame[frame["source"] == at(str(pool.address))]
    before, last = mine.iloc[-2], mine.iloc[-1]
    now = int(traded.past.node.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    middle = (int(before["updated_at"]) + int(last["updated_at"])) // 2
    [cumulative], _ = pool.functions.observe([now - middle]).call()
    tick = (last["value_raw"] - before["value_raw"]) // (last["updated_at"] - before["updated_at"])
    assert cumulative == before["value_raw"] + tick * (middle - before["updated_at"])


@pytest.mark.verify
@pytest.mark.parametrize("seed", [5, 6])
def test_however_the_range_is_split(traded: Traded, tmp_path: Path, seed: int) -> None:
    split_at_random(traded.past, tmp_path / "split", seed)
    assert hashes(tmp_path / "split") == hashes(traded.past.folder)


def test_an_event_that_is_left_out_is_found_out(
    traded: Traded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that leaves out the same swaps each time passes three equal readings, and not the pool's own state."""
    whole = Client.get_logs

    def leaves_out(self: Client, *question: object, **options: object) -> list[Log] | Refusal:
        answer = whole(self, *question, **options)  # type: ignore[arg-type]
        return answer if isinstance(answer, Refusal) or len(answer) < 9 else answer[: len(answer) // 2]

    monkeypatch.setattr(Client, "get_logs", leaves_out)
    with pytest.raises(NodeError, match="do not lead to what it stores"):
        grow(traded.past.node.url, traded.past.book, tmp_path / "past", 1, traded.past.head)
    assert not list(tmp_path.glob("past/*/*.parquet"))


def test_times_and_ticks_wrap_as_in_the_contract() -> None:
    late = Oracle(tick=-887_272, slot=0, slots=1, paid=1, time=2**32 - 5, cumulative=-(INT56 // 2) + 10)
    after = late.write(2**32 + 3)
    assert (after.time, after.cumulative) == (3, (-(INT56 // 2) + 10 - 887_272 * 8) + INT56)
    assert after.write(3) is after
