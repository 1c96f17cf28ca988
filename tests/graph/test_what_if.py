"""What-ifs: by hand on the small world, and the totals of the sample added up again from its rows. The stored snapshot never changes."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import aftershock
from chain.errors import InputError, SnapshotError
from chain.snapshot import Snapshot
from chain.tables import schemas
from graph.build import build
from graph.changes.table import changes
from graph.changes.words import in_words
from graph.edits.what_if import Back, Edit, Freeze, NewClaim, NewMarket, NewVault, Remove, what_if
from graph.edits.what_if_file import read_what_if
from simulations.book_of_graph import from_graph
from simulations.health import health_factors
from simulations.state import start
from tests.core_sample import core
from tests.graph.edited_world import after, reserve, reserves, world
from tests.graph.small_world import (
    CENT,
    LSTETH,
    USDC,
    WAD,
    WETH,
    E,
)


def test_the_backing_of_a_claim_goes_or_changes() -> None:
    graph = after(Remove(relation="backs", source="lstETH", target="WETH"))
    assert LSTETH not in set(graph.relations["backs"]["target"])
    for edit, rate, amount in (
        (Back("lstETH", "WETH", factor=Decimal("0.5")), 117 * WAD // 200, 585 * WAD),
        (Back("lstETH", "WETH", rate=Decimal("1.2")), 12 * WAD // 10, 1200 * WAD),
    ):
        (row,) = after(edit).snapshot["backings"].to_dict("records")
        assert (row["rate_wad"], row["amount_raw"], row["capacity_raw"]) == (rate, amount, amount)


def test_a_row_that_an_entry_changed_is_no_more_verified(tmp_path: Path) -> None:
    """Which rows differ is counted here cell by cell: they name their entry, every other row is as it was read."""
    path = tmp_path / "edits.toml"
    path.write_text(
        '[[freeze]]\nmarket = "core"\nasset = "lstETH"\n[[back]]\nclaim = "lstETH"\nbacking = "WETH"\nfactor = 0.5\n'
        '[[remove]]\nnode = "Carol\'s fund"\n[[position]]\nmarket = "core"\nasset = "WETH"\nside = "supply"\namount = 3\nnew_owner = "eve"\n'
    )
    base = world()
    left = what_if(base, read_what_if(path))
    said: dict[str, list[str]] = {}
    for table, frame in left.tables.items():
        if "status" not in frame:
            continue
        keys = schemas()[table].keys
        before = {tuple(map(str, (row[key] for key in keys))): row for row in base[table].to_dict("records")}
        for row in frame.to_dict("records"):
            was = before.get(tuple(map(str, (row[key] for key in keys))), {})
            same = {name for name in row if str(row[name]) == str(was.get(name))}
            if same >= set(row) - {"evidence", "status"}:
                assert same == set(row), (table, row)
            else:
                assert row["status"] == "file" and "edits.toml, " in row["evidence"], (table, row)
                assert not was or row["evidence"].startswith(f"{was['evidence']}; edits.toml, ")
                said.setdefault(table, []).append(row["evidence"].partition("edits.toml, ")[2])
    assert {name: sorted(texts) for name, texts in said.items()} == {
        # lstETH is frozen, carol's USDC leaves, WETH comes, with its receipt
        "reserves": ["freeze 1", "position 1", "remove 1"],
        "backings": ["back 1"],
        "positions": ["position 1"],
        "entities": ["position 1"],
        "assets": ["position 1"],
    }


def test_a_freeze_turns_a_switch_that_was_not_read() -> None:
    base = world()
    unread = base["reserves"].assign(frozen=pd.array([None] * 3, dtype="boolean"))
    left = what_if(replace(base, tables={**base.tables, "reserves": unread}), [Freeze("core")])
    assert left["reserves"]["frozen"].tolist() == [True] * 3


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


def test_a_new_market_is_open_whatever_is_switched_off_in_its_model() -> None:
    graph = after(Freeze("core"), Freeze("core", state="paused"), NewMarket("second", "core", ("WETH", "USDC")))
    table = graph.snapshot["reserves"]
    for market, is_off in (("core", True), ("second", False)):
        rows = table[table["market"] == graph.find(market)]
        assert set(rows["frozen"]) == set(rows["paused"]) == {is_off} and set(rows["active"]) == {True}


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
