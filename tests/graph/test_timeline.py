"""What changed between two snapshots: by hand, and on the local node after its parameters were changed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from chain.errors import InputError
from chain.reading import take
from chain.snapshot import Anchor, Snapshot
from graph.build import build
from graph.changes.table import changes
from graph.changes.words import in_words
from graph.exposures.counted import value_counted
from graph.protocol_graph import ProtocolGraph
from graph.timeline import aligned, over_time
from tests.devnet.world import World
from tests.graph.small_world import ADDRESSES, ANCHOR, CHAIN, MARKET, RAY, USDC, WAD, Rows, small_rows, small_world

LATER = replace(ANCHOR, number=200, timestamp=ANCHOR.timestamp + 86_400)
NEW_POOL = "0x" + "99" * 20
NEW_MARKET = f"{CHAIN}:aave-v3/{NEW_POOL}"


def later(change: Callable[[Rows], None] = lambda _: None, anchor: Anchor = LATER) -> Snapshot:
    """The small world a day later, after a change of its rows."""
    rows = small_rows()
    change(rows)
    return replace(small_world(rows, anchors=(anchor,)), name="later")


def put(rows: Rows, table: str, number: int, **values: Any) -> None:
    rows[table][number] = {**rows[table][number], **values}


def found(change: Callable[[Rows], None]) -> pd.DataFrame:
    return changes(build(small_world()), build(later(change)))


def test_nothing_changes_in_a_day() -> None:
    assert len(found(lambda _: None)) == 0


def test_switches_terms_and_upgrades_by_hand() -> None:
    def change(rows: Rows) -> None:
        put(rows, "reserves", 0, paused=True, liquidation_threshold_wad=75 * WAD // 100)
        put(rows, "reserves", 2, frozen=True, supply_cap_raw=5 * 10**12 + 10, rate_slope1_ray=RAY // 25)
        put(rows, "markets", 0, revision=11)
        put(rows, "feeds", 1, state="stale")

    table = found(change)
    assert table[["topic", "label", "what", "before", "after"]].to_numpy().tolist() == [
        ["market", "Aave V3 core", "upgraded", "10", "11"],
        ["reserve", "WETH in Aave V3 core", "paused", "no", "yes"],
        ["reserve", "WETH in Aave V3 core", "liquidation_threshold_wad", "80 %", "75 %"],
        ["reserve", "USDC in Aave V3 core", "frozen", "no", "yes"],
        ["reserve", "USDC in Aave V3 core", "supply_cap_raw", "none", "5,000,000.00001 USDC"],
        ["reserve", "USDC in Aave V3 core", "rate_slope1_ray", "none", "4 % a year"],
        ["feed", "USDC / USD", "state", "live", "stale"],
    ]
    assert table["evidence"].str.len().min() > 0
    assert in_words(table)[:6] == [
        "Aave V3 core was upgraded from 10 to 11.",
        "WETH in Aave V3 core was paused.",
        "WETH in Aave V3 core: liquidation threshold went from 80 % to 75 %.",
        "USDC in Aave V3 core was frozen.",
        "USDC in Aave V3 core: supply cap went from none to 5,000,000.00001 USDC.",
        "USDC in Aave V3 core: rate slope1 went from none to 4 % a year.",
    ]


def test_a_ceiling_is_in_the_base_currency_and_a_feeds_cap_in_its_own_unit() -> None:
    def change(rows: Rows) -> None:
        put(rows, "reserves", 1, debt_ceiling_raw=25 * 10**13)  # base unit 10**8
        put(rows, "feeds", 2, cap_raw=234 * 10**7, decimals=8)

    assert in_words(found(change)) == [
        "lstETH in Aave V3 core: debt ceiling went from none to 2,500,000 USD.",
        "lstETH / USD: cap went from none to 23.4.",
    ]


def test_a_price_that_comes_or_goes_has_no_percentage() -> None:
    """A price of 0 is none."""

    def change(rows: Rows) -> None:
        put(rows, "prices", 1, price_raw=0)

    one, other = build(later(change)), build(later(anchor=replace(LATER, timestamp=LATER.timestamp + 1)))
    assert "lstETH has a price now: $2,340." in in_words(changes(one, other))
    assert "lstETH has no price any more; it was $2,340." in in_words(changes(other, one))


def test_amounts_and_prices_by_hand() -> None:
    # dave's 2 WETH are gone and WETH costs 1,900: 10 x 1,900 instead of 24,000 supplied; bob's debt is worth 1,900
    def change(rows: Rows) -> None:
        rows["positions"] = rows["positions"][:-1]
        put(rows, "reserves", 0, supplied_stored_raw=10 * WAD, supply_index_raw=RAY)
        put(rows, "prices", 0, price_raw=1900 * 10**8)

    table = found(change).set_index(["topic", "what", "label"])
    moved = table["change_usd"].dropna().to_dict()
    assert moved[("amount", "supplied_usd", "WETH in Aave V3 core")] == pytest.approx(10 * 1900 - 24_000)
    assert moved[("amount", "borrowed_usd", "WETH in Aave V3 core")] == pytest.approx(-100)
    words = in_words(table.reset_index())
    assert "WETH in Aave V3 core: supplied fell by $5,000 to $19,000." in words
    assert "WETH fell by 5.0% to $1,900." in words


def test_what_is_new_and_what_is_gone() -> None:
    def change(rows: Rows) -> None:
        rows["positions"] = [row for row in rows["positions"] if row["asset"] != USDC]
        rows["reserves"] = rows["reserves"][:2]

    gone = found(change)
    assert in_words(gone)[0] == "USDC in Aave V3 core was removed."
    back = changes(build(later(change)), build(later(anchor=replace(LATER, timestamp=LATER.timestamp + 1))))
    assert in_words(back)[0] == "USDC in Aave V3 core was added."


def moved_pool(rows: Rows) -> None:
    for table, some in rows.items():
        rows[table] = [
            {
                name: value.replace(ADDRESSES["pool"], NEW_POOL) if isinstance(value, str) else value
                for name, value in row.items()
            }
            for row in some
        ]


def test_a_market_at_another_address_is_the_same_market() -> None:
    snapshot = later(moved_pool)
    assert aligned(small_world(), snapshot) == {NEW_MARKET: MARKET}
    table = changes(build(small_world()), build(snapshot))
    assert table[["topic", "what"]].drop_duplicates().to_numpy().tolist() == [["market", "upgraded"]]
    assert table["after"].tolist() == [NEW_POOL]


def test_another_instance_is_another_market() -> None:
    def change(rows: Rows) -> None:
        moved_pool(rows)
        put(rows, "markets", 0, instance="prime")

    assert aligned(small_world(), later(change)) == {}
    assert {"Aave V3 core was removed.", "Aave V3 prime was added."} <= set(in_words(found(change)))


def supplied(graph: ProtocolGraph) -> dict[str, float]:
    table = graph.nodes["market"]
    return dict(zip(table["node"].tolist(), table["supplied_usd"].tolist(), strict=True))


def test_a_series_follows_a_market_that_moved() -> None:
    graphs = [build(small_world()), build(later(moved_pool))]
    series = over_time(graphs, supplied)
    assert series["node"].tolist() == [NEW_MARKET, NEW_MARKET]
    assert series["value"].tolist() == pytest.approx([115_700, 115_700])
    assert series["is_new"].tolist() == [True, False]
    assert (series["timestamp"].diff().dropna() == pd.Timedelta(days=1)).all()


def test_any_measure_is_a_series_and_says_what_is_new() -> None:
    def net_usd(graph: ProtocolGraph) -> dict[str, float]:
        return dict(value_counted(graph).set_index("protocol")["net_usd"].to_dict())

    graphs = [build(small_world()), build(later(moved_pool))]
    series = over_time(graphs, net_usd)
    assert series["label"].iloc[0] == "Aave V3" and series["is_new"].sum() == series["node"].nunique()
    [value] = series.loc[series["node"] == "aave-v3", "value"].unique()
    assert value == pytest.approx(net_usd(graphs[0])["aave-v3"])
    one, other = ({"a": 1.0}, {"a": 2.0, "b": 3.0})
    found = over_time(graphs, lambda graph: one if graph is graphs[0] else other)
    assert found[["node", "value", "is_new"]].to_numpy().tolist() == [
        ["a", 1.0, True],
        ["a", 2.0, False],
        ["b", 3.0, True],
    ]


def test_wrong_order_and_wrong_chains_are_refused() -> None:
    one, two = build(small_world()), build(later())
    with pytest.raises(InputError, match="in order of time"):
        over_time([two, one], supplied)
    other = replace(one, snapshot=replace(one.snapshot, anchors=()))
    with pytest.raises(InputError, match=r"is of eip155:31337, .* of no chain"):
        changes(one, other)


@pytest.mark.devnet
def test_changes_on_the_node_are_found_and_nothing_else(devnet_world: World) -> None:
    world = devnet_world
    before = take(world.url, world.deployments, "latest")

    def configure(function: str, *arguments: object) -> None:
        world.send(function, world.market.configurator, function, *arguments, sender=world.ledger.deployer)

    with world.undone():
        configure("setReservePause", world.tokens["USDC"].address, True)
        configure("setBorrowCap", world.tokens["WETH"].address, 12_345)
        configure("setReserveFactor", world.tokens["WETH"].address, 2_222)
        after = take(world.url, world.deployments, "latest")
    table = changes(build(before), build(after), smallest_move=0.05)
    assert {(row.label.split(" in ")[0], row.what, row.after) for row in table.itertuples()} == {
        ("USDC", "paused", "yes"),
        ("WETH", "borrow_cap_raw", "12,345 WETH"),
        ("WETH", "reserve_factor_wad", "22.22 %"),
    }
