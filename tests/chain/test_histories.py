"""Histories of Aave V3.6 against the receipts of the transactions and the contracts' own words, read by plain web3 with the published interfaces.

However a range is split, in whatever order and with whatever overlaps its parts are asked for, the tables are those of one read.
"""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chain.errors import InputError, NodeError, SnapshotError
from chain.histories import reading
from chain.histories.folder import HistoryFolder, stored
from chain.histories.reading import BY_DEFAULT, grow
from tests.chain.history_receipts import (
    CHAIN,
    Lived,
    at,
    hashes,
    lag_blocks,
    read,
    rows,
    same_places,
    split_at_random,
    token,
    told,
)
from tests.devnet.assets import fund
from tests.devnet.market import FEEDS
from tests.devnet.world import World

pytestmark = pytest.mark.devnet

EVERYTHING = (*BY_DEFAULT, "blocks")
FALL = 0.4


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
    assert history.until_s == int(aave.node.request("eth_getBlockByNumber", hex(40), False)["timestamp"], 16)
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "flows" / "00000041-00000060.parquet").write_bytes(b"half a file of a run that was killed")
    rest = grow(aave.node.url, aave.book, folder, 1, aave.head, piece_blocks=20)
    assert rest.blocks_read == aave.head - 40
    ended, head = stored(folder), aave.node.request("eth_getBlockByNumber", hex(aave.head), False)
    assert ended is not None and ended.until_s == int(head["timestamp"], 16)
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
