"""A fall at prices that stand still: the same position in the same kind of market, live and hard-coded; and the words about it.

The outside market takes all sales (pass-through 0), so what is not covered follows by hand: debt less collateral at the fallen price.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import aftershock
from aftershock.cli import app
from chain.reading import take
from chain.snapshot import Snapshot, save
from graph.build import build
from graph.exposures.answer import exposure
from graph.protocol_graph import ProtocolGraph
from reports.market_rows import of_market
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.result import CascadeResult
from simulations.scenarios import Assumptions, of_shocks
from simulations.shocks import parse
from tests.devnet.quiet_prices import CLOSING, QuietPrices, quiet_prices
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
STILL = ("constant", "stored", "bare", "made_up")


@pytest.fixture(scope="module")
def quiet(devnet_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuietPrices]:
    with quiet_prices(devnet_world, tmp_path_factory.mktemp("quiet")) as made:
        yield made


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, quiet: QuietPrices) -> Snapshot:
    return take(devnet_world.url, quiet.book, "latest")


@pytest.fixture(scope="module")
def graph(snapshot: Snapshot) -> ProtocolGraph:
    return build(snapshot)


def market(quiet: QuietPrices, name: str) -> str:
    return f"eip155:31337:morpho-blue/{quiet.morpho.address.lower()}/{quiet.ids[name]}"


def shocked(graph: ProtocolGraph, *shocks: str) -> CascadeResult:
    return run(
        from_graph(graph), of_shocks([parse(shock) for shock in shocks], Assumptions(pass_through=0.0, gas_usd=0.0))
    )


def lines(result: CascadeResult, quiet: QuietPrices) -> dict[str, dict[str, Any]]:
    rows = result.markets.set_index("market").to_dict("index")
    return {name: rows[market(quiet, name)] for name in quiet.ids}


def uncovered(world: World, quiet: QuietPrices, name: str, fall: float) -> float:
    """Debt by the contract less 10 WETH at the fallen price, USD; interest since the loan was drawn is below 1e-4 of it."""
    owed = quiet.morpho.functions.market(quiet.ids[name]).call()[2] / 10**6
    return float(owed * world.feeds["USDC"].functions.latestAnswer().call() / 1e8 - 10 * CLOSING * (1 - fall))


@pytest.mark.parametrize("fall", [0.3, 0.4])
def test_a_hard_coded_price_liquidates_nobody_and_leaves_debt_uncovered(
    devnet_world: World, graph: ProtocolGraph, quiet: QuietPrices, fall: float
) -> None:
    found = lines(shocked(graph, f"WETH=-{100 * fall:.0f}%"), quiet)
    assert found["live"]["liquidated_usd"] > 0 and found["live"]["frozen_usd"] == 0
    for name in STILL:
        by_hand = uncovered(devnet_world, quiet, name, fall)
        assert by_hand > 2_000
        assert found[name]["liquidated_usd"] == 0
        assert found[name]["bad_debt_usd"] == pytest.approx(by_hand, rel=1e-3)
        assert found[name]["frozen_usd"] == pytest.approx(found[name]["bad_debt_usd"], rel=1e-12)


def test_an_exchange_rate_alone_sees_no_depeg_and_moves_with_what_it_counts_in(
    graph: ProtocolGraph, quiet: QuietPrices
) -> None:
    """8 WETH are owed against 10 lstETH. Where ether falls both fall, and the price of one in the other stays."""
    run_of = {shock: shocked(graph, shock) for shock in ("lstETH=-40%", "WETH=-40%")}
    depeg, fall = (lines(result, quiet)["rate"] for result in run_of.values())
    after = run_of["WETH=-40%"].positions.set_index("market").loc[market(quiet, "rate")]
    [owing] = after[after["debt_before_usd"] > 0].to_dict("records")
    assert owing["health_factor_after"] == pytest.approx(owing["health_factor_before"], rel=1e-12)
    rate = quiet.oracles["rate"].functions.price().call() / 10**36
    assert depeg["liquidated_usd"] == fall["liquidated_usd"] == fall["bad_debt_usd"] == 0
    assert depeg["frozen_usd"] == depeg["bad_debt_usd"] == pytest.approx(CLOSING * (8 - 6 * rate), rel=1e-3)


def test_what_stands_still_is_counted_once_and_said(graph: ProtocolGraph, quiet: QuietPrices) -> None:
    """Debts by hand: 16,000 USDC at each of four hard-coded prices, 8 WETH at the rate."""
    found = exposure(graph, "morpho-blue")
    table = found.outbound["unmoved_prices"].set_index("market")
    findings = {name: table["finding"].get(market(quiet, name)) for name in quiet.ids}
    assert findings == {
        **dict.fromkeys(STILL, "hard-coded"), "live": None, "time": None, "passing": None,
        "stopped": "stale", "rate": "exchange rate alone",
    }  # fmt: skip
    usdc = table.loc[market(quiet, "bare"), "debt_usd"] / 16_000
    assert usdc == pytest.approx(1, abs=0.02)
    assert found.figures["unmoved_debt_usd"] == pytest.approx(4 * 16_000 * usdc + 8 * CLOSING, rel=1e-3)
    notes = " ".join(from_graph(graph).notes)
    assert market(quiet, "bare") in notes and market(quiet, "live") not in notes


@pytest.mark.parametrize("words", ["exposure", "risk --fall 30 --scenario none"])
def test_the_command_line_says_it(snapshot: Snapshot, words: str, tmp_path: Path) -> None:
    save(snapshot, tmp_path / "quiet")
    said = re.sub(
        r"\s+",
        " ",
        CliRunner().invoke(app, ["query", *words.split(), "morpho-blue", "--snapshot", str(tmp_path / "quiet")]).stdout,
    )
    assert "of debt stands behind prices that no fall moves" in said and "frozen withdrawals" in said
    assert "Priced by a feed beyond its heartbeat: WETH in" in said


def test_the_report_says_it(graph: ProtocolGraph, quiet: QuietPrices) -> None:
    assessment = aftershock.report(graph, market(quiet, "bare"), ["eth-30"])
    [frozen] = [text for text in assessment.verdict.sentences if "no fall moves" in text]
    assert "hard-coded" in frozen and "frozen withdrawals" in frozen
    live = of_market(graph, market(quiet, "live"))
    assert live.unmoved.empty and live.unmoved_debt_usd == 0
