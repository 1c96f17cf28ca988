"""What-ifs: by hand on the small world, and the totals of the sample added up again from its rows. The stored snapshot never changes."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import aftershock
from chain.errors import InputError, SnapshotError
from chain.files.exposure_file import read_exposures
from chain.snapshot import Snapshot
from graph.build import build
from graph.change_words import in_words
from graph.changes import changes
from graph.protocol_graph import ProtocolGraph
from graph.what_if import Back, Edit, Freeze, NewClaim, NewMarket, NewVault, Remove, what_if
from graph.what_if_file import read_what_if
from simulations.book_of_graph import from_graph
from simulations.health import health_factors
from simulations.state import start
from tests.core_sample import core
from tests.graph.small_world import (
    ADDRESSES,
    AWETH,
    CENT,
    LSTETH,
    MARKET,
    RAY,
    USDC,
    WAD,
    WETH,
    E,
    small_rows,
    small_world,
)


def world() -> Snapshot:
    """The small world with positions stored in the units of their reserve: 12 WETH are 12 stored ones."""
    rows = small_rows()
    rows["reserves"][0] = {**rows["reserves"][0], "supply_index_raw": RAY, "supplied_stored_raw": 12 * WAD}
    rows["prices"] = [{**row, "price_usd": row["price_raw"] / 10**8} for row in rows["prices"]]
    return small_world(rows)


def exposures(folder: Path, *left_out: str) -> Snapshot:
    """Claims in a circle, without the rows that are named."""
    rows = ["alice,Fund,60", "bob,Fund,40", "Fund,Bank,70", "Fund,Issuer,30", "Bank,Issuer,50", "Bank,Fund,20", "carol,Bank,10"]  # fmt: skip
    path = folder / "claims.csv"
    path.write_text("\n".join(("holder,claim_on,amount_usd", *(row for row in rows if row not in left_out))))
    return read_exposures(path)


def after(*edits: Edit) -> ProtocolGraph:
    """The graph of a what-if; building it is the check that positions, totals and ends fit."""
    return build(what_if(world(), edits))


def reserve(graph: ProtocolGraph, asset: str, market: str = MARKET) -> dict[str, int]:
    table = graph.snapshot["reserves"].set_index(["market", "asset"])
    names = ("supplied_stored_raw", "borrowed_stored_raw", "cash_raw")
    return {name.removesuffix("_raw"): int(table.at[(market, asset), name]) for name in names}


def reserves(supplied: int, borrowed: int, cash: int) -> dict[str, int]:
    return {"supplied_stored": supplied, "borrowed_stored": borrowed, "cash": cash}


def test_an_account_goes_with_what_it_supplied_and_owed() -> None:
    # alice supplied 10 of 12 WETH and owes all 8,000 USDC: bob still owes 1 WETH, so 1 of dave's 2 is cash
    graph = after(Remove(E["alice"]))
    assert reserve(graph, WETH) == reserves(2 * WAD, 1 * WAD, 1 * WAD)
    assert reserve(graph, USDC) == reserves(80_000 * CENT, 0, 80_000 * CENT)
    assert E["alice"] not in graph.kinds
    assert graph.snapshot["assets"].set_index("asset").at[AWETH, "total_supply_raw"] == 2 * WAD
    assert graph.relations["wraps"].set_index("source").at[AWETH, "rate"] == 1.0


def test_a_receipt_that_is_a_share_keeps_its_rate() -> None:
    # 3 tokens stand for 12 WETH, 4 each; without dave's 2 WETH there are 2.5
    base = world()
    assets = base["assets"].assign(total_supply_raw=[3 * WAD if key == AWETH else raw for key, raw in zip(base["assets"]["asset"], base["assets"]["total_supply_raw"], strict=True)])  # fmt: skip
    left = what_if(replace(base, tables={**base.tables, "assets": assets}), [Remove(E["dave"])])
    assert left["assets"].set_index("asset").at[AWETH, "total_supply_raw"] == 25 * WAD // 10
    assert build(left).relations["wraps"].set_index("source").at[AWETH, "rate"] == 4.0


def test_more_than_the_cash_cannot_leave_and_a_gap_says_how_much_is_missing() -> None:
    # carol's 50,000 and the vault's 30,000 USDC; 72,000 are there, alice owes 8,000
    graph = after(Remove("Carol's fund"), Remove("Prime USDC vault"))
    assert reserve(graph, USDC) == reserves(0, 8_000 * CENT, 0)
    assert any("8,000 USDC more would have to leave Aave V3 core" in gap for gap in graph.snapshot.gaps)
    assert not graph.snapshot["queues"].shape[0] and "vUSDC" not in set(graph.nodes["asset"]["label"])


def test_an_asset_goes_with_its_pool_the_liquidity_share_and_every_debt_in_it() -> None:
    graph = after(Remove("USDC"))
    assert not len(graph.nodes["pool"]) and set(graph.nodes["asset"]["label"]) >= {"WETH", "lstETH"}
    assert not {"USDC", "UNI-V2"} & set(graph.nodes["asset"]["label"])
    assert graph.relations["borrows"]["asset"].tolist() == [WETH]
    assert reserve(graph, WETH) == reserves(12 * WAD, 1 * WAD, 11 * WAD)


def test_a_market_goes_with_its_receipts_and_all_that_names_it() -> None:
    snapshot = after(Remove("core")).snapshot
    for table in ("markets", "reserves", "positions", "prices", "queues", "authorities"):
        assert not len(snapshot[table]), table
    assert AWETH not in set(snapshot["assets"]["asset"]) and len(snapshot["pools"]) == 1


@pytest.mark.parametrize(
    ("edit", "relation", "left"),
    [
        (Remove(relation="supplies", source=E["alice"], target="core"), "supplies", 4),
        (Remove(relation="borrows", source=E["bob"], target="core", asset="WETH"), "borrows", 1),
        (Remove(relation="holds", source=E["dave"], target="UNI-V2"), "holds", 0),
        (Remove(relation="lists", source="core", target="lstETH"), "lists", 2),
        (Remove(relation="governs", source="Council", target="core"), "governs", 0),
    ],
    ids=lambda value: value.relation if isinstance(value, Remove) else None,
)
def test_one_relation_goes(edit: Remove, relation: str, left: int) -> None:
    graph = after(edit)
    assert len(build(world()).relations[relation]) > left == len(graph.relations[relation])


def test_the_backing_of_a_claim_goes_or_changes() -> None:
    graph = after(Remove(relation="backs", source="lstETH", target="WETH"))
    assert LSTETH not in set(graph.relations["backs"]["target"])
    for edit, rate, amount in (
        (Back("lstETH", "WETH", factor=Decimal("0.5")), 117 * WAD // 200, 585 * WAD),
        (Back("lstETH", "WETH", rate=Decimal("1.2")), 12 * WAD // 10, 1200 * WAD),
    ):
        (row,) = after(edit).snapshot["backings"].to_dict("records")
        assert (row["rate_wad"], row["amount_raw"], row["capacity_raw"]) == (rate, amount, amount)


def with_fixed_debt() -> Snapshot:
    """Alice owes 5,000 USDC at a fixed rate beside her 8,000."""
    rows = small_rows()
    rows["reserves"][0] = {**rows["reserves"][0], "supply_index_raw": RAY, "supplied_stored_raw": 12 * WAD}
    rows["reserves"][2] = {**rows["reserves"][2], "fixed_debt_raw": 5_000 * CENT, "cash_raw": 67_000 * CENT}
    rows["positions"].append({**rows["positions"][1], "side": "fixed_debt", "amount_raw": 5_000 * CENT, "stored_raw": 5_000 * CENT})  # fmt: skip
    return small_world(rows)


def test_debts_at_a_fixed_rate_go_with_the_debts_and_stay_with_the_supplies() -> None:
    base = with_fixed_debt()
    assert build(base).relations["borrows"].set_index("asset").at[USDC, "amount_raw"] == 13_000 * CENT
    without_debt = what_if(base, [Remove(relation="borrows", source=E["alice"], target="core")])
    owed = without_debt["positions"]
    assert set(owed.loc[owed["owner"] == E["alice"], "side"]) == {"supply"}
    row = without_debt["reserves"].set_index("asset").loc[USDC]
    assert (row["borrowed_stored_raw"], row["fixed_debt_raw"], row["cash_raw"]) == (0, 0, 80_000 * CENT)
    without_supply = what_if(base, [Remove(relation="supplies", source=E["alice"], target="core")])["positions"]
    mine = without_supply[without_supply["owner"] == E["alice"]].set_index("side")["amount_raw"].to_dict()
    assert mine == {"debt": 8_000 * CENT, "fixed_debt": 5_000 * CENT}


@pytest.mark.parametrize("name", ["vUSDC", ADDRESSES["share"], E["share"]], ids=["share", "address", "key"])
def test_a_vault_is_removed_by_whatever_name_it_or_its_share_has(name: str) -> None:
    # its 30,000 of 80,000 USDC leave the market
    graph = after(Remove(name))
    assert reserve(graph, USDC) == reserves(50_000 * CENT, 8_000 * CENT, 42_000 * CENT)
    assert E["share"] not in graph.kinds and "vUSDC" not in set(graph.nodes["asset"]["label"])
    assert re.match(r"What-if: (Prime USDC vault \(vault|vUSDC \(asset, with its vault)\) is removed", graph.snapshot.gaps[-1])  # fmt: skip


def test_a_receipt_that_is_collateral_elsewhere_cannot_be_taken_from_its_own_market() -> None:
    graph = build(aftershock.load())
    receipts = aftershock.load()["reserves"]["receipt_asset"].dropna().tolist()
    for name in ("cUSDC", "cWETH", *receipts[:2]):
        with pytest.raises(InputError, match="it stands for what is supplied to"):
            what_if(graph, [Remove(name)])
    assert build(what_if(graph, [Remove(relation="lists", source="v2", target="WETH")]))  # takes cWETH along


def test_in_a_circle_the_row_that_is_named_goes(tmp_path: Path) -> None:
    graph = build(exposures(tmp_path))
    left = what_if(graph, [Remove(relation="backs", source="Fund", target="Bank")])
    behind = {(row["claim"], row["backing"]) for row in left["backings"].to_dict("records")}
    assert behind == {("file:Fund", "file:Issuer"), ("file:Bank", "file:Issuer"), ("file:Bank", "file:Fund")}
    assert left.gaps[-1].startswith("What-if: Bank behind Fund is removed")


def test_a_freeze_turns_a_switch_that_was_not_read() -> None:
    base = world()
    unread = base["reserves"].assign(frozen=pd.array([None] * 3, dtype="boolean"))
    left = what_if(replace(base, tables={**base.tables, "reserves": unread}), [Freeze("core")])
    assert left["reserves"]["frozen"].tolist() == [True] * 3


@pytest.mark.parametrize(
    ("edits", "rows"),
    [
        ([Remove(relation="holds", source="bob", target="Fund")], ("bob,Fund,40",)),
        ([Remove("alice")], ("alice,Fund,60",)),
        ([Remove("alice"), Remove("bob"), Remove(relation="backs", source="Bank", target="Fund")], ("alice,Fund,60", "bob,Fund,40", "Bank,Fund,20")),
        ([Remove(relation="backs", source="Fund", target="Bank")], ("Fund,Bank,70",)),
        ([Remove("Issuer")], ("Fund,Issuer,30", "Bank,Issuer,50")),
    ],
    ids=["one claim", "a holder", "all claims on a name", "a claim in the circle", "a name"],
)  # fmt: skip
def test_exposures_without_claims_are_the_file_without_their_rows(
    tmp_path: Path, edits: Sequence[Edit], rows: Sequence[str]
) -> None:
    left, by_hand = what_if(exposures(tmp_path), edits), exposures(tmp_path, *rows)
    for table, columns in (
        ("assets", ["asset", "decimals", "total_supply_raw"]),
        ("balances", ["holder", "asset", "amount_raw"]),
        ("backings", ["claim", "backing", "holder", "amount_raw", "rate_wad"]),
        ("prices", ["asset", "price_usd"]),
    ):
        found, wanted = ({tuple(row) for row in one[table][columns].to_numpy().tolist()} for one in (left, by_hand))
        if table == "assets":
            found, wanted = ({row for row in some if row[0] != "iso4217:USD"} for some in (found, wanted))
        assert found == wanted, table
    ranked = [aftershock.systemic(one).set_index("label")["loss_usd"].to_dict() for one in (left, by_hand)]
    assert ranked[0] == pytest.approx(ranked[1])


def test_half_of_what_is_behind_a_claim_is_owed_by_the_debtor_no_more(tmp_path: Path) -> None:
    left = what_if(exposures(tmp_path), [Back("Fund", "Bank", factor=Decimal("0.5"))])
    # carol 10 and Fund 35 are left of 80 on Bank, which has 70; Fund has 35 and 30 of 120
    supply = left["assets"].set_index("asset")
    assert supply.at["file:Bank", "total_supply_raw"] == 45 * 10 ** int(supply.at["file:Bank", "decimals"])
    assert left["backings"].set_index(["claim", "backing"])["rate_wad"].to_dict() == {
        ("file:Fund", "file:Bank"): 65 * WAD // 120,
        ("file:Fund", "file:Issuer"): 65 * WAD // 120,
        ("file:Bank", "file:Issuer"): WAD,
        ("file:Bank", "file:Fund"): WAD,
    }
    with pytest.raises(InputError, match="states amounts and no rates; give a factor"):
        what_if(exposures(tmp_path), [Back("Fund", "Bank", rate=Decimal(1))])


def test_a_book_states_no_cash_so_none_comes_or_goes(tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_text(
        "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
        "mine,alice,ETH,collateral,10,2000,8250,500,5000\nmine,alice,USDC,debt,14000,1,,,5000\n"
        "mine,bob,ETH,collateral,5,2000,8250,500,\nmine,bob,USDC,debt,8000,1,,,5000\n"
    )
    book = aftershock.load(path)
    for edit in (Remove("bob"), NewClaim("mine", "USDC", "debt", Decimal(100), owner="bob")):
        left = what_if(book, [edit])
        assert left["reserves"]["cash_raw"].tolist() == [0, 0] and len(left.gaps) == len(book.gaps) + 1


def test_a_freeze_turns_the_switch_and_nothing_else() -> None:
    found = changes(build(world()), after(Freeze("core"), Freeze("core", "WETH", "paused")))
    assert in_words(found) == [
        "WETH in Aave V3 core was paused.",
        *[f"{symbol} in Aave V3 core was frozen." for symbol in ("WETH", "lstETH", "USDC")],
    ]


def test_a_new_market_a_vault_in_it_and_who_borrows_from_it() -> None:
    graph = after(
        NewMarket("second", "core", ("WETH", "USDC"), {"threshold_bps": 9000, "bonus_bps": 300}),
        NewVault("Second vault", "second", "USDC", Decimal("1000.5")),
        NewClaim("second", "WETH", "supply", Decimal(2), new_owner="Fund"),
        NewClaim("second", "USDC", "debt", Decimal(600), owner="Fund"),
        NewClaim("second", "USDC", "supply", Decimal(100), owner="Second vault"),
    )
    second = graph.find("second")
    assert reserve(graph, USDC, second) == reserves(1_100_500_000, 600 * CENT, 500_500_000)
    assert reserve(graph, WETH, second) == reserves(2 * WAD, 0, 2 * WAD)
    row = graph.snapshot["reserves"].set_index(["market", "asset"]).loc[(second, WETH)]
    assert (row["liquidation_threshold_wad"], row["liquidation_bonus_wad"]) == (9 * WAD // 10, 103 * WAD // 100)
    vault = graph.find("Second vault", "vault")
    backs = graph.relations["backs"]
    assert backs[backs["holder"] == vault]["amount_raw"].tolist() == [1_000_500_000]
    assert graph.relations["allocates_to"].set_index("source").at[vault, "amount_usd"] == pytest.approx(1000.5)
    # 2 WETH x 2,000 x 0.9 over 600
    position = aftershock.simulate(graph, shocks=["WETH=-1%"]).positions.set_index("market").loc[second]
    fund = position[position["debt_before_usd"] > 0].iloc[0]
    assert fund["health_factor_before"] == pytest.approx(6.0)


def test_what_an_isolated_lender_lends_never_counts_as_collateral() -> None:
    """100 lstETH at 86 % against 206,000 USDC, and 100,000 USDC lent out by the borrower, in a market like Morpho Blue's: 0.86 alone decides."""
    sample = aftershock.load()
    graph = build(sample)
    table = sample["reserves"]
    like = next(key for key in table.loc[table["liquidation_threshold_wad"] == 86 * WAD // 100, "market"])
    loan, posted = Decimal(206_000), Decimal(100)
    edits = (
        NewClaim("mm", "USDC", "supply", Decimal(1_000_000), new_owner="L"),
        NewClaim("mm", "lstETH", "collateral", posted, new_owner="F"),
        NewClaim("mm", "USDC", "debt", loan, owner="F"),
        NewClaim("mm", "USDC", "supply", Decimal(100_000), owner="F"),
    )
    quote = sample["prices"].set_index(["market", "asset"])["price_usd"]
    [lsteth] = [asset for asset in table.loc[table["market"] == like, "asset"] if graph.label(asset) == "lstETH"]
    [usdc] = [asset for asset in table.loc[table["market"] == like, "asset"] if graph.label(asset) == "USDC"]
    by_hand = 0.86 * 100 * quote[like, lsteth] / (206_000 * quote[like, usdc])
    for terms in ({}, {"threshold_bps": 8600}):
        left = build(what_if(graph, (NewMarket("mm", like, ("lstETH", "USDC"), terms), *edits)))
        mine = left.snapshot["positions"].set_index(["owner", "side"]).loc[left.find("F")]
        assert mine["collateral_enabled"].to_dict() == {"collateral": True, "debt": False, "supply": False}
        book = from_graph(left)
        health = health_factors(start(book))[book.owners.index(left.find("F"))]
        assert health == pytest.approx(by_hand, rel=1e-4) and 1 < health < 1.02
        assert pd.isna(left.snapshot["reserves"].set_index(["market", "asset"]).at[(left.find("mm"), usdc), "liquidation_threshold_wad"])  # fmt: skip
        assert aftershock.exposure(left, "mm").figures["collateral_usd"] == pytest.approx(100 * quote[like, lsteth], rel=1e-4)  # fmt: skip
    with pytest.raises(InputError, match="does not lend lstETH, it is posted there; write collateral"):
        what_if(graph, [NewClaim(like, "lstETH", "supply", posted, new_owner="G")])


def test_what_is_supplied_on_top_is_added_to_the_row_and_to_the_cash() -> None:
    graph = after(NewClaim("core", "WETH", "supply", Decimal(3), owner=E["dave"]), NewClaim("core", "USDC", "debt", Decimal(5), owner=E["dave"]))  # fmt: skip
    assert reserve(graph, WETH) == reserves(15 * WAD, 1 * WAD, 14 * WAD)
    assert reserve(graph, USDC) == reserves(80_000 * CENT, 8_005 * CENT, 71_995 * CENT)
    mine = graph.relations["supplies"].set_index("source").loc[E["dave"]]
    assert mine["amount_raw"] == 5 * WAD and len(graph.snapshot["positions"]) == 8


EVERYTHING: tuple[Edit, ...] = (
    Remove(E["bob"]),
    Remove(relation="holds", source=E["dave"], target="UNI-V2"),
    Freeze("core", "USDC", "paused"),
    Back("lstETH", "WETH", factor=Decimal("0.9")),
    NewMarket("second", "core", ("WETH",)),
    NewVault("V", "core", "WETH", Decimal(1)),
    NewClaim("core", "WETH", "debt", Decimal(1), new_owner="new"),
)


def test_the_stored_snapshot_is_never_touched() -> None:
    stored, untouched = world(), world()
    identity, frames = stored.content_id, dict(stored.tables)
    left = what_if(stored, EVERYTHING)
    assert stored.content_id == identity and left.content_id != identity
    for name, frame in stored.tables.items():
        assert frame is frames[name]
        pd.testing.assert_frame_equal(frame, untouched[name])
    assert stored.gaps == untouched.gaps and "what-if" in left.caption and len(left.gaps) == len(EVERYTHING)


def test_totals_that_do_not_follow_are_still_found() -> None:
    """The sentences of a what-if must not read like an admission that positions are missing."""
    left = what_if(world(), EVERYTHING)
    with pytest.raises(SnapshotError, match="supplied"):
        build(replace(left, tables={**left.tables, "positions": left["positions"].iloc[:-3]}))


def added_up(snapshot: Snapshot, side: str) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}
    for row in snapshot["positions"].to_dict("records"):
        if row["side"] == side:
            key = (row["market"], row["asset"])
            sums[key] = sums.get(key, 0) + row["stored_raw"]
    return sums


def test_the_totals_of_the_sample_follow_to_the_last_unit() -> None:
    sample = aftershock.load()
    graph = build(sample)
    debts = graph.relations["borrows"].groupby("source")["amount_usd"].sum().sort_values()
    left = build(what_if(graph, [Remove(name) for name in debts.index[-3:]])).snapshot
    for side, column in (("supply", "supplied_stored_raw"), ("debt", "borrowed_stored_raw")):
        was, now = (
            snapshot["reserves"].set_index(["market", "asset"])[column].to_dict() for snapshot in (sample, left)
        )
        before, behind = added_up(sample, side), added_up(left, side)
        assert {key: was[key] - now[key] for key in was} == {
            key: before.get(key, 0) - behind.get(key, 0) for key in was
        }
        assert was != now


@pytest.mark.parametrize(
    ("fall", "by"),
    [("ETH=-30%", "loss_usd"), pytest.param("ETH=-40%", "debt_before_usd", marks=pytest.mark.verify)],
    ids=["largest loss", "largest debt"],
)
def test_without_one_borrower_the_sample_loses_what_the_rest_loses(fall: str, by: str) -> None:
    """The oracle: positions taken out by hand, and reserves reduced by what they stored and by the cash that they had brought."""
    sample = core()
    graph = build(sample)
    before = aftershock.simulate(graph, shocks=[fall])
    borrower = str(before.positions.set_index("owner")[by].idxmax())
    rows, gone = sample["positions"], sample["positions"]["owner"] == borrower
    columns: dict[str, list[int]] = {"supplied_stored_raw": [], "borrowed_stored_raw": [], "cash_raw": []}
    for row in sample["reserves"].to_dict("records"):
        mine = rows[gone & (rows["asset"] == row["asset"])]
        lent, owed = mine[mine["side"] == "supply"], mine[mine["side"] == "debt"]
        columns["supplied_stored_raw"].append(row["supplied_stored_raw"] - sum(lent["stored_raw"]))
        columns["borrowed_stored_raw"].append(row["borrowed_stored_raw"] - sum(owed["stored_raw"]))
        columns["cash_raw"].append(row["cash_raw"] - sum(lent["amount_raw"]) + sum(owed["amount_raw"]))
    reserves_left = sample["reserves"].assign(
        **{name: pd.Series(values, dtype=object) for name, values in columns.items()}
    )
    by_hand = replace(sample, tables={**sample.tables, "positions": rows[~gone].reset_index(drop=True), "reserves": reserves_left})  # fmt: skip
    found = aftershock.simulate(aftershock.what_if(graph, [Remove(borrower)]), shocks=[fall])
    expected = aftershock.simulate(by_hand, shocks=[fall])
    assert found.bad_debt_usd == expected.bad_debt_usd < before.bad_debt_usd
    assert found.liquidated_usd == expected.liquidated_usd


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([], "nothing to change"),
        ([Remove("Aave V3")], "is a protocol; what can be removed is an account, vault, market, asset, pool"),
        ([Remove("lstEHT")], "node: There is no .* named 'lstEHT'; did you mean lstETH"),
        ([Remove(E["bob"]), Remove(E["bob"])], "an earlier entry took it out"),
        ([Remove(relation="suplies", source="a", target="b")], "did you mean supplies"),
        ([Remove(relation="borrows", source=E["dave"], target="core")], "there is no such row"),
        ([Remove(relation="backs", source="UNI-V2", target="USDC")], "there is no such row"),
        ([Remove(relation="backs", source="WETH", target="lstETH")], 'WETH is behind lstETH, not the other way round: .* write source = "lstETH", target = "WETH"'),
        ([Remove(relation="holds", source=E["dave"], target="UNI-V2", asset="USDC")], "asset: holds has none beside source and target"),
        ([Remove("aWETH")], "stands for what is supplied to .*; remove that market, or the reserve"),
        ([Freeze("core", "UNI-V2")], "does not list UNI-V2"),
        ([Freeze("core", state="melted")], "no state named 'melted'"),
        ([Freeze("core"), Freeze("core", "WETH")], "WETH in Aave V3 core is frozen already"),
        ([Back("lstETH", "USDC", factor=Decimal(1))], "USDC is not behind lstETH; WETH is"),
        ([Back("lstETH", "WETH")], "either factor or rate"),
        ([Back("lstETH", "WETH", factor=Decimal(-1))], "factor: -1 is no finite number from 0"),
        ([NewMarket("core", "core", ("WETH",))], "has a market 'core' already"),
        ([NewMarket("second", "core", ("UNI-V2",))], "does not list UNI-V2"),
        ([NewMarket("second", "core", ("WETH",), {"threshold_bps": 10_001})], "no whole number from 0 to 10000"),
        ([NewVault("V", "core", "USDC", Decimal(0))], "amount: 0 is not above 0"),
        ([NewVault("Council", "core", "USDC", Decimal(1))], "an address named 'Council' already"),
        ([NewClaim("core", "WETH", "supply", Decimal(1), new_owner="F")] * 2, "named 'F' already; write owner = \"F\" for that one, or give the new one another name"),
        ([NewClaim("core", "WETH", "supply", Decimal(1))], "either owner"),
        ([NewClaim("core", "WETH", "collateral", Decimal(1), owner=E["bob"])], "lends out all WETH that is posted; write supply"),
        ([NewClaim("core", "WETH", "lend", Decimal(1), owner=E["bob"])], "no side named 'lend'"),
        ([NewClaim("core", "WETH", "supply", Decimal(1), owner="core")], "owner: core is a market"),
        ([NewClaim("core", "UNI-V2", "supply", Decimal(1), owner=E["bob"])], "it lists USDC, WETH, lstETH"),
        ([NewClaim("core", "USDC", "supply", Decimal("1e-9"), owner=E["bob"])], "less than the smallest unit"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_so(edits: Sequence[Edit], message: str) -> None:
    with pytest.raises(InputError, match=message):
        what_if(world(), edits)


FILE = """
[[position]]
market = "second"
new_owner = "Fund"
asset = "WETH"
side = "supply"
amount = 2.5
[[market]]
name = "second"
like = "core"
assets = ["WETH"]
threshold_bps = 9000
[[freeze]]
market = "core"
[[back]]
claim = "lstETH"
backing = "WETH"
factor = 0.1
"""


def test_a_file_is_read_in_the_order_in_which_it_acts(tmp_path: Path) -> None:
    path = tmp_path / "edits.toml"
    path.write_text(FILE)
    assert read_what_if(path) == (
        Freeze("core", where="edits.toml, freeze 1"),
        Back("lstETH", "WETH", Decimal("0.1"), where="edits.toml, back 1"),
        NewMarket("second", "core", ("WETH",), {"threshold_bps": 9000}, "edits.toml, market 1"),
        NewClaim("second", "WETH", "supply", Decimal("2.5"), new_owner="Fund", where="edits.toml, position 1"),
    )
    left = aftershock.what_if(world(), path)
    # exactly a tenth, though 0.1 is no binary fraction
    assert left["backings"]["amount_raw"].tolist() == [117 * WAD]
    assert reserve(build(left), WETH, build(left).find("second")) == reserves(25 * WAD // 10, 0, 25 * WAD // 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no entry"),
        ("a = ", "is no valid TOML"),
        ("[freeze]\nmarket = 'core'", "two brackets"),
        ("[[freese]]\nmarket = 'core'", "did you mean freeze"),
        ("[[freeze]]\nasset = 'WETH'", "edits.toml, freeze 1: market is missing"),
        ("[[freeze]]\nmarkt = 'core'", "did you mean market"),
        ("[[freeze]]\nmarket = 3", "market is 3; give a name in quotes"),
        ("[[freeze]]\nmarket = 'core'\n[[freeze]]\nmarket = 'cores'", "edits.toml, freeze 2: market: There is no market named 'cores'"),
        ("[[remove]]\nnode = 'a'\nrelation = 'holds'", "either node, or relation"),
        ("[[vault]]\nname = 'V'\nmarket = 'core'\nasset = 'WETH'\namount = '3'", "amount is '3'; give a number"),
        ("[[market]]\nname = 'm'\nlike = 'core'\nassets = 'WETH'", "assets is 'WETH'; give a list"),
        ("[[market]]\nname = 'm'\nlike = 'core'\nassets = ['WETH']\nbonus_bps = 1.5", "whole number of basis points"),
        ("[[back]]\nclaim = 'lstETH'\nbacking = 'WETH'\nfactor = nan", "factor"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "edits.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        aftershock.what_if(world(), path)
