"""The Liquity V1 reader on recorded answers of the real contracts, against their own views recorded at the same block.

What was deployed and what happened to it stands in tests/recordings/liquity.py; the rows are made from the recording alone.
"""

import copy
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest

import aftershock
from chain.comparisons import checks
from chain.deployments import read_deployments
from chain.errors import InputError
from chain.findings import Findings
from chain.inspection import addresses
from chain.snapshot import Snapshot
from chain.units import WAD
from graph.build import build
from tests.chain.snapshot_rows import rows
from tests.recordings import liquity
from tests.recordings.keeping import about_code, findings_of, header_of, replayed, snapshot_of

Answers = dict[tuple[str, ...], Any]
Change = Callable[[dict[str, list[dict[str, Any]]]], None]
ETHER = "eip155:31337/slip44:60"


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Snapshot, Findings, Answers]]:
    """The snapshot, what it was made from, and the recorded views."""
    with replayed(liquity.RECORDING) as client:
        snapshot = snapshot_of(client, liquity.BOOK, "liquity")
        found = findings_of(client, liquity.BOOK)
        at = json.loads(header_of(liquity.RECORDING)["contracts"])
        answers = client.ask(liquity.questions(at, liquity.everybody()))
        seen = [one for one in addresses(client, read_deployments(liquity.BOOK)) if one.subject != "Multicall3"]
        assert {finding.state for finding in seen} == {"ok"}
    yield snapshot, found, answers


@pytest.fixture(scope="module")
def snapshot(place: tuple[Snapshot, Any, Any]) -> Snapshot:
    return place[0]


@pytest.fixture(scope="module")
def answers(place: tuple[Any, Any, Answers]) -> Answers:
    return place[2]


def rows_of(snapshot: Snapshot, side: str, part: str = "") -> dict[str, dict[str, Any]]:
    """By owner: rows of one side, of troves or of what `part` names."""
    return {
        row["owner"][-42:]: row
        for row in rows(snapshot, "positions")
        if row["side"] == side and row["position_id"].partition("/")[2] == part
    }


def test_the_recording_says_what_it_is_of_and_holds_no_code() -> None:
    header = header_of(liquity.RECORDING)
    assert "liquity/dev@5174ecd0da4842157aba989499200d690b7e374f" in header["source"]
    assert "solc-js 0.6.11" in header["compiler"] and header["block"]["number"] > 0
    assert about_code(liquity.RECORDING) == {"0x", "0x01"}


def test_everything_that_was_compared_agrees(snapshot: Snapshot) -> None:
    assert [check for check in snapshot.checks if not check.passed] == []
    assert {status for name in ("positions", "reserves") for status in snapshot[name]["status"]} == {"verified"}
    notes = {check.name: check.note for check in snapshot.checks}
    for name in (
        "redistributions add up to the default pool within rounding",
        "deposits add up to the stability pool within rounding",
        "gains add up to the stability pool's ether within a chosen bound",
    ):
        assert "residuals: " in notes[name] and "(from 0 to " in notes[name]


def test_every_trove_is_what_the_contract_says(snapshot: Snapshot, answers: Answers) -> None:
    """Of all who ever had one, with what redistributions owe it; some have that written down, most have it pending."""
    debts, posted = rows_of(snapshot, "debt"), rows_of(snapshot, "collateral")
    pending = 0
    for who in liquity.everybody():
        debt, collateral, due_debt, due_ether = answers["trove", who]
        assert (who in debts) == (debt > 0) == (who in posted)
        if not debt:
            continue
        assert (debts[who]["amount_raw"], posted[who]["amount_raw"]) == (debt, collateral)
        assert debts[who]["amount_raw"] - debts[who]["stored_raw"] == due_debt
        assert posted[who]["amount_raw"] - posted[who]["stored_raw"] == due_ether
        assert posted[who]["amount_raw"] * 10**20 // debts[who]["amount_raw"] == answers["nominal", who]
        price = liquity.LOW_PRICE * WAD
        assert posted[who]["amount_raw"] * price // debts[who]["amount_raw"] == answers["ratio", who]
        for row in (debts[who], posted[who]):
            assert row["stored_raw"] * Fraction(row["index_raw"], row["index_unit_raw"]) == row["amount_raw"]
        pending += due_debt > 0 < due_ether
    assert len(debts) == answers["getTroveOwnersCount",] > 15 and 10 < pending < len(debts)


def test_deposits_gains_and_surpluses_are_what_the_contracts_say(snapshot: Snapshot, answers: Answers) -> None:
    deposits, gains = rows_of(snapshot, "supply", "stability-pool"), rows_of(snapshot, "collateral", "stability-pool")
    surpluses = rows_of(snapshot, "collateral", "surplus")
    for view, found in (("deposit", deposits), ("gain", gains), ("surplus", surpluses)):
        for who in liquity.everybody():
            assert found[who]["amount_raw"] == answers[view, who] > 0 if who in found else answers[view, who] == 0
    assert set(gains) - set(deposits), "whose deposit an offset took whole has a gain left"
    assert len(deposits) >= 5 and len(surpluses) == 2
    assert not any(row["collateral_enabled"] for row in [*gains.values(), *surpluses.values(), *deposits.values()])
    assert sum(row["amount_raw"] for row in deposits.values()) <= answers["getTotalLUSDDeposits",]
    assert sum(row["amount_raw"] for row in gains.values()) <= answers["pool ether",]


def test_totals_ratio_and_backstop(snapshot: Snapshot, answers: Answers) -> None:
    by_asset = {row["asset"]: row for row in rows(snapshot, "reserves")}
    ether = by_asset.pop(ETHER)
    [lusd] = by_asset.values()
    assert lusd["borrowed_stored_raw"] == answers["getEntireSystemDebt",] == answers["supply",]
    surplus = sum(answers["surplus", who] for who in liquity.everybody())
    whole = answers["getEntireSystemColl",]
    assert ether["collateral_raw"] == whole + answers["pool ether",] + surplus
    price = {row["asset"]: row["price_raw"] for row in rows(snapshot, "prices")}
    assert price == {ETHER: liquity.LOW_PRICE * WAD, lusd["asset"]: WAD}
    ratio = whole * price[ETHER] // lusd["borrowed_stored_raw"]
    assert ratio == answers["getTCR",]
    assert ether["isolated_debt_raw"] == lusd["borrowed_stored_raw"]
    assert (ether["isolated_debt_raw"] > ether["debt_ceiling_raw"]) == answers["checkRecoveryMode",] is True
    assert (
        Fraction(whole * price[ETHER], 15 * 10**17) - 1
        < ether["debt_ceiling_raw"]
        <= Fraction(whole * price[ETHER], 15 * 10**17)
    )
    assert ether["liquidation_ratio_ray"] == 11 * 10**26
    assert (lusd["debt_floor_raw"], lusd["close_factor_wad"]) == (2_000 * WAD, WAD)
    [backstop] = rows(snapshot, "backstops")
    assert (backstop["kind"], backstop["amount_raw"]) == ("stability_pool", answers["getTotalLUSDDeposits",])
    assert {row["loss_rule"] for row in rows(snapshot, "markets")} == {"stability_pool_then_redistribute"}
    debts, posted = rows_of(snapshot, "debt").values(), rows_of(snapshot, "collateral").values()
    for owed, sum_of in ((answers["getEntireSystemDebt",], debts), (whole, posted)):
        assert 0 <= owed - sum(row["amount_raw"] for row in sum_of) < 1_000, "rounding alone"


def test_what_lusd_is_redeemed_for_and_the_fee(snapshot: Snapshot, answers: Answers) -> None:
    """A dollar's worth of ether from the active and default pools; the fee decays, so it is below that of the rate as it is written."""
    behind = rows(snapshot, "backings")
    assert sum(row["amount_raw"] for row in behind) == answers["getEntireSystemColl",]
    assert {row["redemption"] for row in behind} == {"instant"} and all(pd.isna(row["rate_wad"]) for row in behind)
    assert {row["fee_wad"] for row in behind} == {answers["fee of one",]}
    assert WAD // 200 < behind[0]["fee_wad"] < answers["getRedemptionRate",] == WAD // 200 + answers["baseRate",]


def test_the_price_feed_and_its_state(snapshot: Snapshot) -> None:
    """Tellor is broken, so only Chainlink's step is there, last; Chainlink has 8 decimals, the market 18."""
    source = next(row["source"] for row in rows(snapshot, "prices") if isinstance(row["source"], str))
    steps = [row for row in rows(snapshot, "feeds") if row["source"] == source]
    assert [row["kind"] for row in steps] == ["unknown", "feed"]
    assert steps[0]["description"] == "Chainlink is used, Tellor is not trusted"
    assert steps[1]["value_raw"] * 10**10 == steps[0]["value_raw"] == liquity.LOW_PRICE * WAD


def test_nobody_may_change_it(snapshot: Snapshot) -> None:
    """Ownership was given up when the addresses were set."""
    assert rows(snapshot, "authorities") == []


def _lose(side: str, part: str) -> Change:
    def change(rows: dict[str, list[dict[str, Any]]]) -> None:
        lost = next(
            row for row in rows["positions"] if row["side"] == side and row["position_id"].partition("/")[2] == part
        )
        rows["positions"].remove(lost)

    return change


def _forget_redistributions(rows: dict[str, list[dict[str, Any]]]) -> None:
    for row in rows["positions"]:
        if row["side"] == "debt":
            row["amount_raw"] = row["stored_raw"]


def _more(table: str, column: str, by: int = 1) -> Change:
    def change(rows: dict[str, list[dict[str, Any]]]) -> None:
        for row in rows[table]:
            if row.get(column) is not None:
                row[column] += by

    return change


WHOLE = "pools hold what they count, debts are LUSD, the ratio is getTCR"


@pytest.mark.parametrize(
    ("change", "caught_by"),
    [
        (_lose("debt", ""), "troves add up to the active pool"),
        (_lose("collateral", ""), "troves are getEntireDebtAndColl and getNominalICR"),
        (_forget_redistributions, "redistributions add up to the default pool within rounding"),
        (_forget_redistributions, "troves are getEntireDebtAndColl and getNominalICR"),
        (_lose("supply", "stability-pool"), "deposits add up to the stability pool within rounding"),
        (_lose("collateral", "stability-pool"), "gains add up to the stability pool's ether within a chosen bound"),
        (_lose("collateral", "surplus"), "surpluses add up to the surplus pool"),
        (_more("reserves", "borrowed_stored_raw"), WHOLE),
        (_more("prices", "price_raw", 10**6), WHOLE),
    ],
)
def test_a_wrong_row_fails_its_comparison(
    place: tuple[Snapshot, Findings, Answers], change: Change, caught_by: str
) -> None:
    found = place[1]
    rows = copy.deepcopy(found.rows)
    assert all(comparison.check.passed for comparison in checks.run(rows, found.witnesses))
    change(rows)
    failed = {one.check.name for one in checks.run(rows, found.witnesses) if not one.check.passed}
    assert caught_by in failed


def test_a_lost_trove_leaves_no_trove_verified(place: tuple[Snapshot, Findings, Answers]) -> None:
    """Every other trove agrees with its own answer, but not with the active pool's sum, so it is not verified; deposits still are."""
    found = place[1]
    rows = copy.deepcopy(found.rows)
    _lose("debt", "")(rows)
    checks.settle(rows, checks.run(rows, found.witnesses))
    parts = {
        part: {row["status"] for row in rows["positions"] if row["position_id"].partition("/")[2] == part}
        for part in ("", "stability-pool")
    }
    assert parts == {"": {"unverified"}, "stability-pool": {"verified"}}


def test_the_graph_holds_it_and_a_simulation_says_that_it_cannot(snapshot: Snapshot) -> None:
    """Exposure to ether goes through troves, through LUSD and its deposits; no liquidation rule is written for the family."""
    graph = build(snapshot)
    exposure = aftershock.exposure(graph, "ETH")
    assert set(exposure.inbound["markets"]["label"]) == {"Liquity V1 troves"}
    assert set(exposure.inbound["claims"]["label"]) == {"LUSD"}
    depositor = next(iter(rows_of(snapshot, "supply", "stability-pool")))
    assert aftershock.exposure(graph, f"eip155:31337:{depositor}").figures
    with pytest.raises(InputError, match="no liquidation rule is written for liquity_v1"):
        aftershock.simulate(graph, shocks=["ETH=-20%"])
    with pytest.raises(InputError, match="no liquidation rule is written for liquity_v1"):
        aftershock.risk(graph, "liquity-v1")
