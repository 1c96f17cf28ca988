"""What goes with what is removed: by hand on the small world, and receipts of the sample."""

import re
from dataclasses import replace

import pytest

import aftershock
from chain.errors import InputError
from chain.snapshot import Snapshot
from graph.build import build
from graph.edits.what_if import Remove, what_if
from graph.protocol_graph import ProtocolGraph
from tests.graph.edited_world import after, reserve, reserves, world
from tests.graph.small_world import ADDRESSES, AWETH, CENT, RAY, SHARE, USDC, WAD, WETH, E, small_rows, small_world


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


@pytest.fixture(scope="module")
def of_sample() -> ProtocolGraph:
    return build(aftershock.load())


# svUSDC has 4,001,792.27 USDC in one market and 1,226,556.25 in another, for 5,225,522.552234 shares, of which the largest holder has 14 %
FIRST, SECOND, SHARES = 4_001_792_266_930, 1_226_556_246_719, 5_225_522_552_234 * 10**12


@pytest.mark.parametrize(
    "edit",
    [
        Remove("0x73e5f1fe"),
        Remove(relation="lists", source="0x73e5f1fe", target="USDC"),
        Remove(relation="supplies", source="svUSDC", target="0x73e5f1fe"),
        Remove(relation="supplies", source="0xc01dd5ec2c9257bdacb847a2321e2bbfb057b07a", target="0x73e5f1fe"),
        Remove(relation="supplies", source="eip155:31337:0xc01dd5ec2c9257bdacb847a2321e2bbfb057b07a", target="0x73e5f1fe"),
    ],
    ids=["market", "reserve", "supply by name", "by address", "by key"],
)  # fmt: skip
def test_what_a_vault_had_there_is_behind_its_share_no_more(edit: Remove, of_sample: ProtocolGraph) -> None:
    sample = of_sample.snapshot
    share = sample["assets"].set_index("symbol").at["svUSDC", "asset"]
    supply = sample["assets"].set_index("asset").at[share, "total_supply_raw"]
    behind = sample["backings"].set_index("claim").loc[share]
    assert (supply, behind["amount_raw"]) == (SHARES, FIRST + SECOND)
    left = what_if(of_sample, [edit])
    row = left["backings"].set_index("claim").loc[share]
    assert row["amount_raw"] == FIRST
    # what the vault says of one share has fees in it that were not taken yet, less than a part in ten thousand here
    assert row["rate_wad"] / WAD == pytest.approx(FIRST / 10**6 / (SHARES / WAD), rel=1e-4)
    assert row["rate_wad"] / WAD == pytest.approx(0.7658, abs=5e-5)
    allocated = left["queues"][left["queues"]["vault"] == share]["allocated_raw"].dropna().tolist()
    assert set(allocated) in ({FIRST}, {0, FIRST})


def test_holders_of_a_share_lose_with_the_vault(of_sample: ProtocolGraph) -> None:
    left = what_if(of_sample, [Remove("0x73e5f1fe")])
    said = aftershock.exposure(left, "svUSDC")
    usdc = FIRST / 10**6 * 0.9999  # USD
    assert said.outbound["backed_by"]["amount_usd"].tolist() == pytest.approx([usdc], rel=1e-4)
    share = of_sample.find("svUSDC", "asset")
    held = max(left["balances"][left["balances"]["asset"] == share]["amount_raw"])
    assert said.inbound["holders"]["amount_usd"].iloc[0] == pytest.approx(held / SHARES * usdc, rel=1e-4)
    assert held / SHARES * usdc == pytest.approx(565_000, abs=1000)


def in_two_places() -> Snapshot:
    """The vault keeps 10,000 USDC itself beside the 30,000 that it lends in the market: 40,000 behind as many shares."""
    rows = small_rows()
    contract = {"claim": SHARE, "backing": USDC, "rate_wad": WAD, "redemption": "instant", "capacity_raw": None}
    lent = {
        **rows["backings"][0],
        **contract,
        "holder": f"eip155:31337:{ADDRESSES['pool']}",
        "amount_raw": 30_000 * CENT,
    }
    rows["backings"] += [
        lent,
        {**lent, "holder": E["share"], "amount_raw": 10_000 * CENT, "capacity_raw": 8_000 * CENT},
    ]
    rows["balances"].append({**rows["balances"][0], "asset": USDC, "holder": E["share"], "amount_raw": 10_000 * CENT})
    return small_world(rows)


@pytest.mark.parametrize(
    ("edit", "lent", "idle", "rate"),
    [
        (Remove("core"), 0, 10_000, WAD // 4),
        (Remove(relation="supplies", source="vUSDC", target="core"), 0, 10_000, WAD // 4),
        (Remove(relation="holds", source="vUSDC", target="USDC"), 30_000, 0, WAD * 3 // 4),
        (Remove(relation="supplies", source="Carol's fund", target="core"), 30_000, 10_000, WAD),
    ],
    ids=["market", "supply", "balance", "another's"],
)
def test_the_rate_follows_all_that_is_behind_and_the_amount_where_it_lay(
    edit: Remove, lent: int, idle: int, rate: int
) -> None:
    left = what_if(in_two_places(), [edit])["backings"]
    rows = {row["holder"]: row for row in left[left["claim"] == SHARE].to_dict("records")}
    mine = rows.pop(E["share"])
    (there,) = rows.values()
    assert (there["amount_raw"], mine["amount_raw"]) == (lent * CENT, idle * CENT)
    assert there["rate_wad"] == mine["rate_wad"] == rate
    assert mine["capacity_raw"] == (8_000 * CENT if idle else 0)  # what lies elsewhere says nothing about it
