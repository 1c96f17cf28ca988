"""Who waits because of a pause, on a market made by hand: threshold 80 %, bonus 5 %, close factor 50 %, ether at 1,000 before a fall of 1 %."""

from dataclasses import replace

import pytest

import aftershock
from chain.snapshot import Snapshot
from chain.units import RAY
from graph.build import build
from graph.edits.tables import with_values
from graph.edits.what_if import Freeze
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.channels.liquidation import keepers
from simulations.frontier import after_fall, by_market
from simulations.health import at_risk
from simulations.result import CascadeResult
from simulations.scenarios import of_shocks
from simulations.shocks import PriceShock
from simulations.state import start
from tests.simulations.hand_made import snapshot

PRICES = {"ETH": 1_000.0, "STETH": 1.0, "USDC": 1.0}
POSITIONS = [
    ("ether", "ETH", "collateral", 10.0),
    ("ether", "USDC", "debt", 8_800.0),
    ("both", "ETH", "collateral", 6.0),
    ("both", "STETH", "collateral", 4_000.0),
    ("both", "USDC", "debt", 8_800.0),
    ("crumb", "ETH", "collateral", 10.0),
    ("crumb", "STETH", "collateral", 1.0),
    ("crumb", "USDC", "debt", 8_800.0),
    ("tiny", "ETH", "collateral", 0.125),
    ("tiny", "STETH", "collateral", 1.0),
    ("tiny", "USDC", "debt", 110.0),
]
OWED = 3 * 8_800 + 110
DUE = 8_800 * 0.5 * 1.05
HELD_BACK = DUE + (DUE - 4_000) + (DUE - 1) + (110 * 0.5 * 1.05 - 1)
"""Of what falls due if ether is paused: all of `ether`, and of the others what is not covered by their STETH."""


def paused(*symbols: str, column: str = "paused", value: bool | int = True) -> Snapshot:
    made = snapshot(POSITIONS, PRICES, pool=(100_000.0, 100_000_000.0))
    return with_values(made, "reserves", made["reserves"]["asset"].isin(symbols).tolist(), **{column: value})


def fallen(source: Snapshot) -> CascadeResult:
    return run(from_graph(build(source)), of_shocks([PriceShock("ETH", -0.01)]))


def waits(result: CascadeResult) -> dict[str, str]:
    return dict(zip(result.positions["position_id"], result.positions["waits"], strict=True))


def told(result: CascadeResult) -> tuple[list[tuple[str, int]], list[float]]:
    """Reasons with how many wait for each, and what these owe."""
    parts = result.waiting()
    return [(part.why, part.positions) for part in parts], [part.debt_usd for part in parts]


@pytest.fixture(scope="module")
def of_ether() -> CascadeResult:
    return fallen(paused("ETH"))


def test_without_a_pause_only_what_does_not_pay_waits() -> None:
    """The gas of $5 is more than the bonus on 55 is worth."""
    result = fallen(paused())
    assert waits(result) == {"both": "", "crumb": "", "ether": "", "tiny": "unprofitable"}
    reasons, owed = told(result)
    assert reasons == [("unprofitable", 1)] and owed == pytest.approx([110])
    assert result.markets["paused_debt_usd"].tolist() == [0.0] and not any("pause" in note for note in result.notes)


def test_in_a_paused_market_everybody_waits_for_the_pause() -> None:
    result = fallen(paused(*PRICES))
    assert result.liquidated_usd == 0 and set(waits(result).values()) == {"paused"}
    reasons, owed = told(result)
    assert reasons == [("paused", 4)] and owed == pytest.approx([OWED])
    assert result.markets["paused_debt_usd"].tolist() == result.markets["waiting_debt_usd"].tolist()
    assert result.waiting(["another market"]) == ()
    assert "Hand is paused: whoever falls below a health factor of 1 there waits" in result.notes


def test_a_pause_of_one_asset_holds_back_whom_nothing_else_pays_for(of_ether: CascadeResult) -> None:
    """`both` loses its 4,000 STETH (sold outside at 1), which repay 4,000 / 1.05, and then waits with the rest: 5,940 x 0.8 is below it.
    The crumb of `crumb` may be taken and is not worth the gas; its ether would be. Nothing of `tiny` would pay, paused or not."""
    assert waits(of_ether) == {"both": "paused", "crumb": "paused", "ether": "paused", "tiny": "unprofitable"}
    left = 8_800 - 4_000 / 1.05
    assert left > 5_940 * 0.8
    reasons, owed = told(of_ether)
    assert reasons == [("paused", 3), ("unprofitable", 1)]
    assert owed == pytest.approx([2 * 8_800 + left, 110], rel=1e-6)
    assert of_ether.markets["paused_debt_usd"].iloc[0] == pytest.approx(2 * 8_800 + left, rel=1e-6)
    (note,) = [note for note in of_ether.notes if "paused" in note]
    assert note.startswith("ETH is paused in Hand: ") and note.endswith("no other asset can be taken and repaid")


def test_who_has_nothing_to_take_does_not_wait() -> None:
    """No pause and no keeper is why nobody liquidates a bare debt; it is bad debt from before."""
    made = snapshot([*POSITIONS[:2], ("bare", "USDC", "debt", 5.0)], PRICES)
    result = fallen(with_values(made, "reserves", [True] * len(made["reserves"]), paused=True))
    assert waits(result) == {"ether": "paused", "bare": ""} and told(result)[1] == pytest.approx([8_800])
    assert result.rounds[-1].waiting == 1


def test_json_says_why_and_how_much(of_ether: CascadeResult) -> None:
    record = of_ether.to_dict()
    assert [(part["why"], part["positions"]) for part in record["waiting"]] == [("paused", 3), ("unprofitable", 1)]
    assert record["markets"][0]["paused_debt_usd"] == pytest.approx(record["waiting"][0]["debt_usd"])
    assert {row["position_id"]: row["waits"] for row in record["positions"]} == waits(of_ether)
    after = record["frontier"]["after"][0]
    assert after["paused_debt_usd"] == after["refused_debt_usd"] == pytest.approx(record["waiting"][0]["debt_usd"])


def test_a_switch_of_liquidation_alone_is_a_pause_of_it() -> None:
    result = fallen(paused(*PRICES, column="liquidatable", value=False))
    assert set(waits(result).values()) == {"paused"}
    assert any(note.startswith("liquidation is switched off in Hand: ") for note in result.notes)


def test_the_frontier_counts_a_pause_as_a_refusal() -> None:
    """Before anybody acts `both` can still be liquidated for its STETH."""
    book = from_graph(build(paused("ETH")))
    (found,) = by_market(after_fall(start(book), "ETH", 0.01), keepers(book, 5.0))
    assert found.liquidatable_debt_usd == pytest.approx(OWED)
    assert found.paused_debt_usd == found.refused_debt_usd == pytest.approx(2 * 8_800)
    assert found.unprofitable_debt_usd == pytest.approx(110)


def held_back(book: Book) -> tuple[float, float]:
    """What falls due at ETH -1 %, and the part that a pause holds back."""
    row = at_risk(book, "ETH", (0.01,)).iloc[0]
    return float(row["liquidatable_collateral_usd"]), float(row["paused_collateral_usd"])


def test_the_curve_says_what_a_pause_holds_back() -> None:
    due = 3 * DUE + 110 * 0.5 * 1.05
    assert held_back(from_graph(build(paused()))) == pytest.approx((due, 0.0))
    assert held_back(from_graph(build(paused("ETH")))) == pytest.approx((due, HELD_BACK))
    assert held_back(from_graph(build(paused("USDC")))) == pytest.approx((due, due))


def test_compound_pauses_what_is_seized_and_no_repayment() -> None:
    """seizeAllowed asks the guardian; repayBorrowAllowed does not (Comptroller.sol). In the sample's market ETH -60 % puts one account under, which posts WETH and owes dollars."""
    snapshot = aftershock.load()
    table = snapshot["reserves"]
    [market] = [key for key in snapshot["markets"]["market"] if "compound-v2" in key]
    symbol = table["asset"].map(snapshot["assets"].set_index("asset")["symbol"])
    due = []
    for names, part in (((), 0.0), (("USDC", "DAI"), 0.0), (("WETH",), 1.0)):
        halted = (table["market"] == market) & symbol.isin(names)
        tables = {**snapshot.tables, "reserves": table.assign(paused=table["paused"].mask(halted, True))}
        row = at_risk(from_graph(build(replace(snapshot, tables=tables))), "ETH", (0.6,), market).iloc[0]
        assert row["positions"] == 1 and row["paused_collateral_usd"] == pytest.approx(part * row["liquidatable_collateral_usd"])  # fmt: skip
        due.append(row["liquidatable_collateral_usd"])
    assert due == [due[0]] * 3 and due[0] > 0


def test_a_grace_period_holds_back_as_a_pause_does() -> None:
    """By the rule that knows one, Aave's: health is below 0.95, so all of a debt can be repaid, 5 % more taken, and of `both` no more than its 6 ether."""
    book = from_graph(build(paused()))
    assert book.assets[0].symbol == "ETH"
    in_ray = [replace(one, supply_index=RAY, supply_unit=RAY, debt_index=RAY, debt_unit=RAY) for one in book.reserves]
    reserves = tuple(replace(one, grace_until=1_000 if one.asset == 0 else 0) for one in in_ray)
    book = replace(book, markets=(replace(book.markets[0], family="aave_v3", revision=10),))
    whole = 8_800 * 1.05
    of_ether = whole + (6 * 990 - 4_000) + (whole - 1) + (110 * 1.05 - 1)
    for now, part in ((1_000, of_ether), (1_001, 0.0)):
        assert held_back(replace(book, reserves=reserves, timestamp=now))[1] == pytest.approx(part)


def test_a_what_if_pauses_morpho_too_though_its_contract_has_no_switch() -> None:
    """Aave is paused as well, so that the run is short: of its liquidations none is left in either case."""
    graph = aftershock.graph(aftershock.load())
    aave, morpho = (
        [key for key in graph.nodes["market"]["node"] if f":{protocol}/" in key]
        for protocol in ("aave-v3", "morpho-blue")
    )
    taken = {}
    for markets in (aave, aave + morpho):
        changed = aftershock.what_if(graph, [Freeze(key, state="paused") for key in markets])
        result = aftershock.simulate(changed, shocks=["ETH=-30%"])
        rows = result.markets.set_index("market").loc[morpho]
        taken[len(markets)] = (rows["liquidated_usd"].sum() > 0, rows["paused_debt_usd"].sum() > 0)
    assert list(taken.values()) == [(True, False), (False, True)]
