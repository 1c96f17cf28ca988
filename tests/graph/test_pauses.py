"""What a market refuses while something is switched off, row by row, as the contracts that `graph.pauses` names have it."""

from typing import Any

import pytest
from web3.exceptions import ContractLogicError

from chain.reading import take
from chain.snapshot import Snapshot
from graph.build import build
from graph.edits.tables import with_values
from graph.exposures.market_figures import figures_of
from graph.pauses import pauses, without_withdrawals
from tests.devnet.world import World
from tests.graph.small_world import small_world


def changed(market: str, asset: str | None = None, family: str | None = None, **values: Any) -> Snapshot:
    """The small world with other values in some reserves; markets and assets by the end of their keys."""
    world = small_world()
    rows = world["reserves"]
    hit = rows["market"].str.endswith(market) & (True if asset is None else rows["asset"].str.endswith(asset))
    assert hit.any()
    after = with_values(world, "reserves", hit.tolist(), **values)
    if family is not None:
        after = with_values(
            after, "markets", [key.endswith(market) for key in world["markets"]["market"]], family=family
        )
    return after


@pytest.fixture(scope="module")
def places() -> list[tuple[str, str]]:
    rows = small_world()["reserves"]
    cash = rows[rows["cash_raw"].map(int) > 0]
    return list(zip(cash["market"], cash["asset"], strict=True))


def test_nothing_is_paused_and_all_cash_can_leave() -> None:
    assert pauses(small_world()) == () and without_withdrawals(small_world()) == set()


def test_a_paused_market_lets_nothing_leave(places: list[tuple[str, str]]) -> None:
    market = places[0][0]
    whole = changed(market, paused=True)
    (found,) = pauses(whole)
    assert (found.market, found.is_all, found.alone) == (market, True, False)
    assert found.said("Aave V3, core", {}) == "Aave V3, core is paused"
    before, after = (figures_of(build(one), [market]) for one in (small_world(), whole))
    assert before["cash_usd"] and after["cash_usd"] == 0
    assert {name: before[name] for name in before if name != "cash_usd"} == {
        name: after[name] for name in after if name != "cash_usd"
    }


def test_a_paused_asset_keeps_its_own_cash_alone(places: list[tuple[str, str]]) -> None:
    market, asset = places[0]
    one = changed(market, asset, paused=True)
    (found,) = pauses(one)
    assert (found.assets, found.is_all) == ((asset,), False)
    assert found.said("core", {asset: "WETH"}) == "WETH is paused in core"
    rows = build(one).relations["lists"]
    others = rows[(rows["source"] == market) & (rows["target"] != asset)]
    assert figures_of(build(one), [market])["cash_usd"] == pytest.approx(float(others["cash_usd"].sum()))


@pytest.mark.parametrize(
    ("family", "values", "leaves", "said"),
    [
        ("compound_v2", {"liquidatable": False}, True, ["liquidation is switched off in M"]),
        ("comet", {"liquidatable": False}, True, ["liquidation is switched off in M"]),
        ("comet", {"borrowable": False}, False, []),
        ("aave_v3", {"borrowable": False}, True, []),
        ("aave_v3", {"frozen": True}, True, []),
        ("aave_v3", {"active": False}, False, []),
        ("aave_v3", {"grace_until": 2**33}, True, ["liquidation is switched off in M"]),
        ("aave_v3", {"grace_until": 1}, True, []),
        ("aave_v3", {"paused": True, "liquidatable": False}, False, ["M is paused"]),
    ],
)
def test_each_switch_stops_what_its_contract_stops(
    places: list[tuple[str, str]], family: str, values: dict[str, Any], leaves: bool, said: list[str]
) -> None:
    after = changed(places[0][0], family=family, **values)
    assert (places[0] not in without_withdrawals(after)) == leaves
    assert [one.said("M", {}) for one in pauses(after)] == said


@pytest.mark.devnet
def test_what_cannot_leave_is_what_the_pool_refuses_to_pay_out(devnet_world: World) -> None:
    """A lender of a paused reserve asks for one smallest unit; whoever lends another asset gets it."""
    world = devnet_world
    pool, before = world.market.pool, take(world.url, world.deployments, "latest")
    rows, owing = before["positions"], set(before["positions"].loc[before["positions"]["side"] == "debt", "owner"])
    market = next(key for key in before["markets"]["market"] if key.endswith(pool.address.lower()))

    def can_leave(symbol: str) -> bool:
        asset = world.tokens[symbol].address
        mine = (rows["market"] == market) & rows["asset"].str.endswith(asset.lower()) & ~rows["owner"].isin(owing)
        who = world.w3.to_checksum_address(
            rows.loc[mine & (rows["stored_raw"] > 10), "owner"].iloc[0].rpartition(":")[2]
        )
        try:
            return bool(pool.functions.withdraw(asset, 1, who).call({"from": who}) == 1)
        except ContractLogicError:
            return False

    assert can_leave("USDC") and can_leave("WETH") and without_withdrawals(before) == set()
    with world.undone():
        world.send(
            "pause",
            world.market.configurator,
            "setReservePause",
            world.tokens["USDC"].address,
            True,
            sender=world.ledger.deployer,
        )
        after = take(world.url, world.deployments, "latest")
        assert (can_leave("USDC"), can_leave("WETH")) == (False, True)
    ((found, asset),) = without_withdrawals(after)
    assert found == market and asset.endswith(world.tokens["USDC"].address.lower())
    lists = build(after).relations["lists"]
    kept = lists[(lists["source"] == market) & (lists["target"] != asset)]
    assert figures_of(build(after), [market])["cash_usd"] == pytest.approx(float(kept["cash_usd"].sum()))
