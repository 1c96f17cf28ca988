"""What the commands say of a market that is paused: the pause, not keepers; the amount that waits; what cannot leave."""

import json
from pathlib import Path

import pytest

from chain.snapshot import save
from tests.aftershock.command import Ask
from tests.graph.small_world import small_rows, small_world
from tests.simulations.test_pauses import OWED, PRICES, paused


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(paused(*PRICES), tmp_path_factory.mktemp("whole") / "snapshot"))


@pytest.fixture(scope="module")
def of_ether(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(paused("ETH"), tmp_path_factory.mktemp("ether") / "snapshot"))


def shown(ask: Ask, *words: str) -> str:
    return " ".join(ask(*words).out.split())


def test_simulate_names_the_pause_and_what_waits(ask: Ask, whole: str, of_ether: str) -> None:
    words = ("simulate", "--shock", "ETH=-1%", "--snapshot")
    assert "Nobody is liquidated: 4 positions could be, but liquidation is paused." in shown(ask, *words, whole)
    said = shown(ask, *words, of_ether)
    assert (
        "4 positions with $22,700 of debt could be liquidated and wait: liquidation is paused (3, $22,590 of debt), "
        in said
    )
    assert "no keeper would profit (1, $110 of debt)." in said
    assert "Note: Hand is paused: whoever falls below a health factor of 1 there waits." in shown(ask, *words, whole)


def test_risk_says_that_toxic_debt_cannot_be_liquidated_now_and_explains_refused(ask: Ask, whole: str) -> None:
    words = ("query", "risk", "hand", "--asset", "ETH", "--fall", "1", "--snapshot")
    said = shown(ask, *words, whole)
    assert f"${OWED:,} of it cannot be liquidated now: a pause holds it back." in said
    assert "would be toxic: each liquidation would leave" in said
    assert "refused: paused, or too little cash." in said
    assert "can leave now $0" in said
    assert "4 positions with $26,510 of debt could be liquidated then and wait: liquidation is paused." in said
    record = json.loads(ask(*words, whole, "--json").out)
    assert record["falls"][0]["markets"][0]["paused_debt_usd"] == pytest.approx(OWED)
    assert record["cascade"]["paused_debt_usd"] == pytest.approx(OWED)
    assert record["cascade"]["waiting"] == [{"why": "paused", "positions": 4, "debt_usd": pytest.approx(OWED)}]


def test_exposure_says_why_nothing_can_leave(ask: Ask, tmp_path: Path) -> None:
    for is_paused in (True, False):
        rows = small_rows()
        rows["reserves"] = [{**row, "paused": is_paused} for row in rows["reserves"]]
        folder = str(save(small_world(rows), tmp_path / str(is_paused)))
        said = shown(ask, "query", "exposure", "core", "--snapshot", folder)
        assert ("in the reserves: withdrawals are switched off" in said) is is_paused


def test_without_a_pause_nothing_is_said_of_one(ask: Ask, tmp_path: Path) -> None:
    source = str(save(paused(), tmp_path / "snapshot"))
    said = shown(ask, "query", "risk", "hand", "--asset", "ETH", "--fall", "1", "--snapshot", source)
    assert "is toxic: each liquidation leaves" in said and "pause holds" not in said
    waits = "1 position with $110 of debt could be liquidated and waits: no keeper would profit."
    assert waits in shown(ask, "simulate", "--shock", "ETH=-1%", "--snapshot", source)


def test_the_report_claims_nothing_that_a_pause_forbids(ask: Ask, whole: str, tmp_path: Path) -> None:
    said = ask(
        "report",
        "--snapshot",
        whole,
        "--scenario",
        "eth-10",
        "--asset",
        "ETH",
        "--out",
        str(tmp_path / "out"),
        "--json",
    )
    first, second, *_ = json.loads(said.out)["verdict"]["sentences"]
    assert first.startswith("Now **this market is paused**: at ETH")
    assert "**nothing** is liquidated: **$26,510** of debt could be liquidated and waits" in second.replace(
        "\u00a0", " "
    )
