"""Histories against the receipts of the transactions and the contracts' own words, read by plain web3 with the published interfaces.

However a range is split, in whatever order and with whatever overlaps its parts are asked for, the tables are those of one read.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from web3 import Web3
from web3.contract import Contract

from chain import client, networks
from chain.calls import event_topic
from chain.errors import InputError, NodeError, SnapshotError
from chain.histories import reading
from chain.histories.events import event
from chain.histories.folder import HistoryFolder, history_schemas, stored
from chain.histories.governor import title
from chain.histories.reading import BY_DEFAULT, Grown, grow
from chain.tables import content_hash
from tests.devnet import flux, governance
from tests.devnet.assets import fund
from tests.devnet.availability import require_devnet
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import FEEDS
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger
from tests.devnet.world import World

pytestmark = pytest.mark.devnet

EVERYTHING = (*BY_DEFAULT, "blocks")
CHAIN = "eip155:31337"
FALL = 0.4


@dataclass(frozen=True)
class Told:
    """One event as web3 decodes it from a receipt."""

    name: str
    address: str
    block: int
    index: int
    transaction: str
    args: dict[str, Any]


def told(node: Node, contracts: Sequence[Contract]) -> list[Told]:
    """Every event of these contracts in the receipts of all blocks; several interfaces of one address may be given."""
    by_topic: dict[tuple[str, str], Any] = {}
    for contract in contracts:
        for one in cast("Any", contract.events):
            topic = Web3.keccak(text=one.signature).hex()
            by_topic.setdefault((str(contract.address).lower(), topic), one())
    found = []
    for number in range(int(node.request("eth_blockNumber"), 16) + 1):
        for receipt in node.request("eth_getBlockReceipts", hex(number)):
            for log in receipt["logs"]:
                key = (log["address"].lower(), log["topics"][0][2:])
                if key in by_topic:
                    entry = by_topic[key].process_log(_log(log))
                    found.append(
                        Told(
                            entry["event"],
                            key[0],
                            number,
                            int(log["logIndex"], 16),
                            log["transactionHash"],
                            dict(entry["args"]),
                        )
                    )
    return found


def _log(log: dict[str, Any]) -> Any:
    from web3._utils.method_formatters import log_entry_formatter
    from web3.datastructures import AttributeDict

    return AttributeDict(log_entry_formatter(log))


def read(folder: Path, table: str) -> pd.DataFrame:
    history = stored(folder)
    assert history is not None
    return history.table(table)


def rows(folder: Path, table: str) -> dict[tuple[int, int], dict[str, Any]]:
    """Rows by place; one a place."""
    frame = read(folder, table).astype(object)
    found = {
        (row["block_number"], row["log_index"]): row for row in frame.where(frame.notna(), None).to_dict("records")
    }
    assert len(found) == len(frame)
    return found


def token(address: str) -> str:
    return f"{CHAIN}/erc20:{address.lower()}"


def at(who: str) -> str:
    return f"{CHAIN}:{who.lower()}"


def same_places(found: dict[tuple[int, int], Any], events: Sequence[Told]) -> None:
    assert sorted(found) == sorted((one.block, one.index) for one in events) and events


# Aave V3.6, feeds


@dataclass(frozen=True)
class Lived:
    """A node with what happened on it, its address book, and the whole history of all tables."""

    node: Node
    book: Path
    folder: Path
    grown: Grown
    events: tuple[Told, ...]
    head: int

    def of(self, *names: str) -> list[Told]:
        return [one for one in self.events if one.name in names]


@pytest.fixture(scope="module")
def aave(devnet_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """The shared world after ten liquidations, one of which leaves a deficit that is covered, and after changes of parameters."""
    world, folder = devnet_world, tmp_path_factory.mktemp("aave") / "past"
    with world.undone():
        _liquidate(world)
        _change_parameters(world)
        head = int(world.node.request("eth_blockNumber"), 16)
        configurator = world.w3.eth.contract(
            address=world.market.addresses_provider.functions.getPoolConfigurator().call(),
            abi=_interface("PoolConfiguratorInstance"),
        )
        grown = grow(
            world.url, world.deployments, folder, 1, head, (*EVERYTHING, "transfers"), {"USDC": Decimal(100_000)}
        )
        contracts = [world.pool, configurator, world.tokens["USDC"]]
        yield Lived(world.node, world.deployments, folder, grown, tuple(told(world.node, contracts)), head)


def _interface(name: str) -> Any:
    from tests.devnet.contracts import artifact

    return artifact(name).abi


def _liquidate(world: World) -> None:
    keeper, pool = world.ledger.deployer, world.pool
    world.set_price("ETH", FEEDS["ETH"].closing_usd * FALL)
    for contract in world.tokens.values():
        world.ledger.call("approve", contract, "approve", pool.address, 2**256 - 1, sender=keeper)
    world.ledger.mine()
    done = 0
    for account in world.accounts:
        if not account.debt or not account.collateral or done >= 10:
            continue
        if pool.functions.getUserAccountData(account.address).call()[5] >= 10**18:
            continue
        debt, collateral = next(iter(account.debt)), next(iter(account.collateral))
        arguments = (world.tokens[collateral].address, world.tokens[debt].address, account.address, 2**256 - 1, False)
        fund(world.ledger, world.tokens, debt, 2 * account.debt[debt])
        world.ledger.mine()
        world.send("liquidate", pool, "liquidationCall", *arguments, sender=keeper)
        done += 1
    assert done >= 5


def _change_parameters(world: World) -> None:
    provider = world.market.addresses_provider
    configurator = world.w3.eth.contract(
        address=provider.functions.getPoolConfigurator().call(), abi=_interface("PoolConfiguratorInstance")
    )
    usdc, weth = world.tokens["USDC"].address, world.tokens["WETH"].address
    for function, arguments in (
        ("setSupplyCap", (usdc, 123_456_789)),
        ("setBorrowCap", (usdc, 0)),
        ("setReserveFactor", (weth, 1_750)),
        ("configureReserveAsCollateral", (weth, 7_900, 8_200, 10_600)),
        ("setReserveFreeze", (usdc, True)),
        ("setLiquidationProtocolFee", (weth, 1_234)),
    ):
        world.send(function, configurator, function, *arguments)


def test_every_table_has_rows_and_nothing_is_left_out(aave: Lived) -> None:
    assert (aave.grown.first, aave.grown.last, aave.grown.blocks_read) == (1, aave.head, aave.head)
    assert {name for name, count in aave.grown.rows.items() if count} >= {
        "blocks",
        "flows",
        "liquidations",
        "parameter_changes",
        "rates",
        "transfers",
    }
    assert any("uniswap-v2 v2: no events are read" in note for note in aave.grown.notes)


def test_liquidations_are_those_of_the_receipts(aave: Lived) -> None:
    found, events = rows(aave.folder, "liquidations"), aave.of("LiquidationCall")
    same_places(found, events)
    for one in events:
        row, args = found[one.block, one.index], one.args
        assert row["position_id"] == args["user"].lower() and row["liquidator"] == at(args["liquidator"])
        assert (row["collateral_asset"], row["debt_asset"]) == (
            token(args["collateralAsset"]),
            token(args["debtAsset"]),
        )
        assert (row["collateral_raw"], row["debt_raw"]) == (args["liquidatedCollateralAmount"], args["debtToCover"])
        assert row["transaction"] == one.transaction and row["market"].startswith(f"{CHAIN}:aave-v3/")
        assert row["timestamp"] == int(
            aave.node.request("eth_getBlockByNumber", hex(one.block), False)["timestamp"], 16
        )


def test_flows_and_rates_are_those_of_the_receipts(aave: Lived) -> None:
    kinds = {
        "Supply": ("supply", "onBehalfOf"),
        "Withdraw": ("withdraw", "user"),
        "Borrow": ("borrow", "onBehalfOf"),
        "Repay": ("repay", "user"),
    }
    found, events = rows(aave.folder, "flows"), aave.of(*kinds)
    same_places(found, events)
    for one in events:
        row, (kind, who) = found[one.block, one.index], kinds[one.name]
        assert (row["kind"], row["position_id"]) == (kind, one.args[who].lower())
        assert (row["asset"], row["amount_raw"]) == (token(one.args["reserve"]), one.args["amount"])
    found, events = rows(aave.folder, "rates"), aave.of("ReserveDataUpdated")
    same_places(found, events)
    names = {
        "supply_rate_ray": "liquidityRate",
        "borrow_rate_ray": "variableBorrowRate",
        "supply_index_raw": "liquidityIndex",
    }
    names |= {"borrow_index_raw": "variableBorrowIndex"}
    for one in events:
        assert {column: found[one.block, one.index][column] for column in names} == {
            column: one.args[name] for column, name in names.items()
        }


def test_the_last_rates_are_what_the_pool_stores(aave: Lived, devnet_world: World) -> None:
    frame = read(aave.folder, "rates").groupby("asset").last()
    for address in devnet_world.pool.functions.getReservesList().call():
        data = devnet_world.pool.functions.getReserveData(address).call()
        row = frame.loc[token(address)]
        assert (
            row["supply_index_raw"],
            row["supply_rate_ray"],
            row["borrow_index_raw"],
            row["borrow_rate_ray"],
        ) == tuple(data[1:5])


def test_deficits_are_those_of_the_receipts(aave: Lived) -> None:
    events = aave.of("DeficitCreated", "DeficitCovered")
    found = rows(aave.folder, "deficits")
    assert sorted(found) == sorted((one.block, one.index) for one in events)
    for one in events:
        row = found[one.block, one.index]
        amount = one.args["amountCreated" if one.name == "DeficitCreated" else "amountCovered"]
        assert (row["amount_raw"], row["kind"]) == (amount, "created" if one.name == "DeficitCreated" else "covered")


def test_parameters_say_what_the_pool_says_after_them(aave: Lived, devnet_world: World) -> None:
    frame = read(aave.folder, "parameter_changes")
    last = frame.drop_duplicates(["asset", "parameter"], keep="last").set_index(["asset", "parameter"])["new_raw"]
    usdc, weth = (token(devnet_world.tokens[symbol].address) for symbol in ("USDC", "WETH"))
    assert (
        last[usdc, "reserves.supply_cap_raw"] == 123_456_789 * 10**6 and last[usdc, "reserves.borrow_cap_raw"] is None
    )
    assert last[weth, "reserves.reserve_factor_wad"] == 1_750 * 10**14 and last[usdc, "reserves.frozen"] == 1
    data = devnet_world.market.data_provider.functions.getReserveConfigurationData(
        devnet_world.tokens["WETH"].address
    ).call()
    for column, bps in zip(("ltv_wad", "liquidation_threshold_wad", "liquidation_bonus_wad"), data[1:4], strict=True):
        assert last[weth, f"reserves.{column}"] == bps * 10**14
    assert last[weth, "reserves.liquidation_fee_wad"] == 1_234 * 10**14
    before = frame[(frame["asset"] == weth) & (frame["parameter"] == "reserves.reserve_factor_wad")]
    assert before["old_raw"].tolist()[-1] == before["new_raw"].tolist()[-2]
    assert set(frame[frame["parameter"] == "reserves.asset"]["new_text"]) == {
        token(one) for one in devnet_world.pool.functions.getReservesList().call()
    }


def test_large_transfers_are_all_of_them_and_no_others(aave: Lived, devnet_world: World) -> None:
    usdc = str(devnet_world.tokens["USDC"].address).lower()
    all_of_them = [one for one in aave.of("Transfer") if one.address == usdc]
    large = [one for one in all_of_them if one.args["value"] >= 100_000 * 10**6]
    found = rows(aave.folder, "transfers")
    same_places(found, large)
    assert len(large) < len(all_of_them)
    for one in large:
        row = found[one.block, one.index]
        assert (row["sender"], row["receiver"], row["amount_raw"]) == (
            at(one.args["from"]),
            at(one.args["to"]),
            one.args["value"],
        )


def test_blocks_are_those_of_the_chain(aave: Lived) -> None:
    frame = read(aave.folder, "blocks")
    assert frame["block_number"].tolist() == list(range(1, aave.head + 1))
    for number in range(1, aave.head + 1, 7):
        header = aave.node.request("eth_getBlockByNumber", hex(number), False)
        row = frame.iloc[number - 1]
        assert (row["block_hash"], row["timestamp"]) == (header["hash"], int(header["timestamp"], 16))
        assert (row["gas_used"], row["base_fee_raw"]) == (
            int(header["gasUsed"], 16),
            int(header["baseFeePerGas"], 16),
        )


def hashes(folder: Path) -> dict[str, str]:
    history = stored(folder)
    assert history is not None
    return {name: content_hash(history_schemas()[name], history.table(name)) for name in history_schemas()}


def lag_blocks(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """Let the newest so many blocks of the local chain not be final."""
    facts = replace(networks.network(CHAIN), finality_lag_blocks=blocks)
    monkeypatch.setattr(client, "network", lambda _: facts)


def split_at_random(lived: Lived, folder: Path, seed: int, tables: Sequence[str] = BY_DEFAULT) -> None:
    """Ask for parts of 1 to the head in a random order, with overlaps, until all of it is there."""
    rng = random.Random(seed)
    for _ in range(rng.randint(2, 4)):
        first, last = sorted((rng.randint(1, lived.head), rng.randint(1, lived.head)))
        grow(lived.node.url, lived.book, folder, first, last, tables, piece_blocks=rng.choice((7, 20, lived.head)))
        history = stored(folder)
        assert history is not None
        ends = [(one.first, one.last) for one in history.ranges]
        assert all(before[1] + 1 == after[0] for before, after in pairwise(ends)), "no gap and no overlap"
    grow(lived.node.url, lived.book, folder, 1, lived.head, tables, piece_blocks=rng.choice((13, lived.head)))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.verify) for seed in range(2, 8))])
def test_however_a_range_is_split_the_tables_are_the_same(aave: Lived, tmp_path: Path, seed: int) -> None:
    split_at_random(aave, tmp_path / "split", seed)
    whole = hashes(aave.folder)
    for name, digest in hashes(tmp_path / "split").items():
        assert name in ("blocks", "transfers") or digest == whole[name], name


def test_a_second_run_reads_nothing_and_changes_nothing(aave: Lived) -> None:
    before = {path: path.read_bytes() for path in sorted(aave.folder.rglob("*")) if path.is_file()}
    again = grow(
        aave.node.url, aave.book, aave.folder, 5, aave.head, (*EVERYTHING, "transfers"), {"USDC": Decimal(100_000)}
    )
    assert again.blocks_read == 0 and again.rows == aave.grown.rows
    assert {path: path.read_bytes() for path in sorted(aave.folder.rglob("*")) if path.is_file()} == before


def test_a_run_that_is_stopped_leaves_whole_ranges(
    aave: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole = tmp_path / "past", reading._read
    stops = iter([False, False, True])

    def stopped(*arguments: Any) -> None:
        if next(stops):
            raise KeyboardInterrupt
        whole(*arguments)

    monkeypatch.setattr(reading, "_read", stopped)
    with pytest.raises(KeyboardInterrupt):
        grow(aave.node.url, aave.book, folder, 1, aave.head, piece_blocks=20)
    monkeypatch.undo()
    history = stored(folder)
    assert history is not None and history.last == 40
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "flows" / "00000041-00000060.parquet").write_bytes(b"half a file of a run that was killed")
    rest = grow(aave.node.url, aave.book, folder, 1, aave.head, piece_blocks=20)
    assert rest.blocks_read == aave.head - 40
    assert {name: digest for name, digest in hashes(folder).items() if name in BY_DEFAULT} == {
        name: digest for name, digest in hashes(aave.folder).items() if name in BY_DEFAULT
    }


def test_what_is_not_final_is_not_kept_and_what_was_reorganised_is_read_again(
    aave: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lag_blocks(monkeypatch, 5)
    grown = grow(aave.node.url, aave.book, tmp_path / "past", 1)
    assert grown.last == aave.head - 5
    grown = grow(aave.node.url, aave.book, tmp_path / "past", 1, aave.head)
    assert grown.last == aave.head - 5 and any("not final yet" in note for note in grown.notes)
    monkeypatch.undo()
    before = aave.node.request("evm_snapshot")
    try:
        for _ in range(3):
            aave.node.mine()
        grow(aave.node.url, aave.book, tmp_path / "past", 1, aave.head + 3)
    finally:
        aave.node.request("evm_revert", before)
    marked = aave.node.request("evm_snapshot")
    try:
        for _ in range(4):
            aave.node.mine(17)
        grown = grow(aave.node.url, aave.book, tmp_path / "past", 1, aave.head + 4)
        assert any("were reorganised and are read again" in note for note in grown.notes)
        history = stored(tmp_path / "past")
        assert history is not None
        last = aave.node.request("eth_getBlockByNumber", hex(aave.head + 4), False)["hash"]
        assert (history.ranges[-1].last, history.ranges[-1].last_hash) == (aave.head + 4, last)
    finally:
        aave.node.request("evm_revert", marked)


MISTAKES: dict[str, tuple[Callable[[Lived, Path], object], type[Exception], str]] = {
    "another table": (lambda a, f: grow(a.node.url, a.book, f, 1, 9, ("flows",)), InputError, "asked for are flows"),
    "no such table": (lambda a, f: grow(a.node.url, a.book, f, 1, 9, ("flow",)), InputError, "did you mean flows"),
    "no amounts": (lambda a, f: grow(a.node.url, a.book, f, 1, 9, ("transfers",)), InputError, "least amount"),
    "no such token": (
        lambda a, f: grow(a.node.url, a.book, f / "x", 1, 9, (), {"USDD": Decimal(1)}),
        InputError,
        "did you mean USDC",
    ),
    "backwards": (lambda a, f: grow(a.node.url, a.book, f, 9, 1), InputError, "lies before the first"),
    "the future": (lambda a, f: grow(a.node.url, a.book, f, 10**6), NodeError, "is not final yet"),
    "somebody's folder": (lambda a, f: grow(a.node.url, a.book, f.parent, 1, 9), SnapshotError, "is no history"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_question_is_one_sentence(aave: Lived, tmp_path: Path, mistake: str) -> None:
    run, kind, said = MISTAKES[mistake]
    grow(aave.node.url, aave.book, tmp_path / "past", 1, 5)
    with pytest.raises(kind, match=said):
        run(aave, tmp_path / "past")


def test_damage_is_found(aave: Lived, tmp_path: Path) -> None:
    folder = tmp_path / "past"
    grow(aave.node.url, aave.book, folder, 1, aave.head)
    history = stored(folder)
    assert history is not None
    [path] = (folder / "flows").glob("*.parquet")
    path.write_bytes(next((folder / "rates").glob("*.parquet")).read_bytes())
    with pytest.raises(Exception, match=r"unexpected columns|not the table"):
        history.table("flows")
    path.unlink()
    with pytest.raises(SnapshotError, match="is missing"):
        history.table("flows")
    held = HistoryFolder.open(folder, history.purpose)
    with pytest.raises(SnapshotError, match="Another run is working"):
        HistoryFolder.open(folder, history.purpose)
    with pytest.raises(ValueError, match="do not touch"):
        held.add(aave.head + 2, aave.head + 3, "0x", {})
    held.close()
    (folder / "history.json").write_text(json.dumps({"format": 9}))
    with pytest.raises(SnapshotError, match="format 9"):
        stored(folder)


# Feeds and governors


@pytest.fixture(scope="module")
def ruled(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Lived, flux.Flux, tuple[governance.Governor, ...], dict[str, Any]]]:
    """A feed that went through two aggregators, and two governors that each executed a proposal and cancelled one."""
    require_devnet()
    folder = tmp_path_factory.mktemp("ruled")
    with Node() as node:
        ledger = Ledger(node, node.w3.eth.accounts[0])
        feed = flux.deploy(ledger)
        for answer in (2_000 * 10**8, 2_010 * 10**8):
            feed.submit(answer)
        feed.next_aggregator([1_999 * 10**8, 1_998 * 10**8])
        feed.submit(1_990 * 10**8)
        feed.submit(2_500 * 10**8, phase=1)  # the old one goes on
        done: dict[str, Any] = {}
        governors = (governance.deploy_openzeppelin(ledger), governance.deploy_bravo(ledger))
        for number, one in enumerate(governors):
            call: governance.Call = (one.timelock, "setDelay" if one.is_bravo else "updateDelay", [5 * 86_400])
            words = "\n## Longer wait\n\nThree days more."
            passed = one.propose(words, call)
            done[f"passed {number}"] = (passed, one.pass_through(passed, words, call))
            done[f"dropped {number}"] = one.propose("Not this", call)
            one.cancel(done[f"dropped {number}"], "Not this", call)
        feed.submit(2_001 * 10**8)
        lines = [
            *entry_lines(0, "chainlink", "feeds", "chainlink"),
            "[[deployments.feeds]]",
            f'address = "{feed.proxy.address}"',
        ]
        lines += ['pair = "ETH / USD"', "heartbeat_seconds = 3600", "deviation_bps = 50", ""]
        for one, name in zip(governors, ("openzeppelin", "bravo"), strict=True):
            lines += [
                *entry_lines(0, f"{name}-dao", "governor", "governor"),
                *address_lines({"governor": str(one.contract.address)}),
            ]
        (folder / "book.toml").write_text("\n".join(lines))
        head = int(node.request("eth_blockNumber"), 16)
        grown = grow(node.url, folder / "book.toml", folder / "past", 1, head)
        events = tuple(told(node, [*feed.aggregators, *(one.contract for one in governors)]))
        yield Lived(node, folder / "book.toml", folder / "past", grown, events, head), feed, governors, done


Ruled = tuple[Lived, flux.Flux, tuple[governance.Governor, ...], dict[str, Any]]


def test_rounds_of_a_feed_are_what_its_proxy_answers(ruled: Ruled) -> None:
    lived, feed, _, _ = ruled
    found = rows(lived.folder, "observations")
    same_places(found, lived.of("AnswerUpdated"))
    assert len(found) == 7 and {row["source"] for row in found.values()} == {at(str(feed.proxy.address))}
    for row in found.values():
        number, answer, _, updated_at, _ = feed.proxy.functions.getRoundData(int(row["round"])).call()
        assert (row["round"], row["value_raw"], row["updated_at"], row["decimals"]) == (
            str(number),
            answer,
            updated_at,
            8,
        )
    assert {int(row["round"]) >> 64 for row in found.values()} == {1, 2}


def test_an_aggregator_that_comes_later_is_read_from_the_beginning(
    ruled: Ruled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first rounds are older than its phase: while the proxy does not know it they are not there, afterwards they are."""
    lived, feed, _, _ = ruled
    second = [one for one in lived.of("AnswerUpdated") if one.address == str(feed.aggregators[1].address).lower()]
    folder = tmp_path / "past"
    lag_blocks(monkeypatch, lived.head - second[0].block)
    assert grow(lived.node.url, lived.book, folder, 1).rows["observations"] == 2
    monkeypatch.undo()
    grow(lived.node.url, lived.book, folder, 1, lived.head)
    assert hashes(folder) == hashes(lived.folder)


def test_proposals_are_what_the_governors_say(ruled: Ruled) -> None:
    lived, _, governors, done = ruled
    frame = read(lived.folder, "proposals")
    same_places(
        rows(lived.folder, "proposals"),
        lived.of("ProposalCreated", "ProposalQueued", "ProposalExecuted", "ProposalCanceled"),
    )
    for number, one in enumerate(governors):
        passed, transaction = done[f"passed {number}"]
        mine = frame[(frame["governor"] == at(str(one.contract.address))) & (frame["proposal_id"] == str(passed))]
        assert (
            mine["state"].tolist() == ["created", "queued", "executed"]
            and one.contract.functions.state(passed).call() == 7
        )
        assert mine["title"].tolist()[0] == "Longer wait" and mine["transaction"].tolist()[-1] == transaction
        due = (
            one.contract.functions.proposals(passed).call()[2]
            if one.is_bravo
            else one.contract.functions.proposalEta(passed).call()
        )
        queued = [event for event in lived.of("ProposalQueued") if event.address == str(one.contract.address).lower()]
        assert mine["executable_at"].tolist()[1] in {
            event.args.get("eta", event.args.get("etaSeconds")) for event in queued
        }
        assert mine["executable_at"].tolist()[1] == due or not one.is_bravo
        dropped = frame[frame["proposal_id"] == str(done[f"dropped {number}"])]
        assert dropped["state"].tolist() == ["created", "cancelled"]


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.verify)])
def test_feeds_and_proposals_are_the_same_however_split(ruled: Ruled, tmp_path: Path, seed: int) -> None:
    lived = ruled[0]
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(2, lived.head), 3))
    for first, last in ((cuts[0], cuts[1]), (1, cuts[0]), (cuts[0] - 1, cuts[2]), (1, lived.head)):
        grow(lived.node.url, lived.book, tmp_path / "split", first, last)
    assert hashes(tmp_path / "split") == hashes(lived.folder)


def test_declarations_give_the_topics_of_the_contracts() -> None:
    shape = event("Liquidate(bytes32 indexed id, address indexed caller, uint256 repaidAssets)")
    assert shape.topic == event_topic("Liquidate(bytes32,address,uint256)")
    assert shape.indexed == (("bytes32", "id"), ("address", "caller")) and shape.plain == (("uint256", "repaidAssets"),)
    for wrong in ("Liquidate", "Liquidate(", "1(uint256 a)"):
        with pytest.raises(ValueError, match="is no event"):
            event(wrong)


def test_titles() -> None:
    assert (
        title("\n\n# [ARFC] Raise a cap \nmore") == "[ARFC] Raise a cap"
        and title("") == ""
        and len(title("x" * 999)) == 200
    )
