"""The crvUSD reader against recorded answers of the protocol's own contracts: every row with their views at the same block.

The recording was made by `tests/recordings/crvusd_recipe.py` against the contracts built from their public sources; it holds answers, no code.
"""

import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chain.accounting.crvusd import fall_value, health
from chain.deployments import read_deployments
from chain.errors import InputError
from chain.node.calls import event_topic
from chain.snapshot import Snapshot
from chain.units import WAD
from graph.build import build
from graph.exposures.answer import exposure
from simulations.book_of_graph import from_graph
from tests.chain.snapshot_rows import failed, rows
from tests.recordings.crvusd_recipe import FILE, views
from tests.recordings.maker_crvusd_tape import header_of, replayed, snapshot_of, without

Said = dict[Any, Any]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Said]:
    client, book = replayed(FILE, tmp_path_factory.mktemp("crvusd"))
    snapshot = snapshot_of(client, book)
    return snapshot, views(client, snapshot, read_deployments(book)[0].addresses)


@pytest.fixture(scope="module")
def snapshot(taken: tuple[Snapshot, Said]) -> Snapshot:
    return taken[0]


@pytest.fixture(scope="module")
def said(taken: tuple[Snapshot, Said]) -> Said:
    return taken[1]


def markets(said: Said) -> list[tuple[str, str, str, int]]:
    """Controller, AMM, collateral, and units of 18 decimals in one of the collateral's."""
    return [(*said["market", number], 1 if number == 0 else 10**10) for number in range(2)]


def key(controller: str) -> str:
    return f"eip155:31337:crvusd/{controller}"


def token(address: str) -> str:
    return f"eip155:31337/erc20:{address}"


def test_the_recording_says_what_it_is_of_and_holds_no_code() -> None:
    about = header_of(FILE)["about"]
    assert about["sources"]["curve-stablecoin"].startswith(
        "curvefi/curve-stablecoin@d132ca74"
    ) and "vyper 0.3.10" in str(about)
    lines = [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).decode().splitlines()[1:]]
    codes = {one["answer"] for one in lines if one["ask"][1] in ("code_start", "eth_getCode")}
    assert codes == {"0x", "0x01"}
    assert max(len(one["answer"]) for one in lines if one["ask"][1] == "eth_call" and "answer" in one) < 4_000


def test_everything_that_was_compared_agrees(snapshot: Snapshot) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: (check.compared, check.note) for check in snapshot.checks}
    assert compared["debts written by events give debt()"][0] == 18
    count, note = compared["debts add up to total_debt within what rounding allows"]
    residuals = [int(text) for text in re.findall(r" ([+-]\d+) \(from", note)]
    assert count == len(residuals) == 2 and max(map(abs, residuals)) <= 1, (
        "no exact sum exists, here one unit is missing"
    )
    assert compared["bands hold what positions have in them, but for dead shares and rounding"][0] == 4
    for table in ("positions", "bands"):
        assert set(snapshot[table]["status"]) == {"verified"}, table
    [gap] = snapshot.gaps
    assert "neither a controller nor a peg keeper" in gap


def test_terms_are_what_the_contracts_say(snapshot: Snapshot, said: Said) -> None:
    found = {row["market"]: row for row in rows(snapshot, "markets")}
    reserves = {(row["market"], row["asset"]): row for row in rows(snapshot, "reserves")}
    prices = {(row["market"], row["asset"]): row for row in rows(snapshot, "prices")}
    coin = token(said["coin"])
    for controller, amm, collateral, precision in markets(said):
        market, posted = key(controller), reserves[key(controller), token(collateral)]
        assert (found[market]["band_amplification"], found[market]["band_fee_wad"]) == (
            said["A", amm],
            said["fee", amm],
        )
        assert posted["liquidation_threshold_wad"] == WAD - said["liquidation_discount", controller]
        assert posted["ltv_wad"] == WAD - said["loan_discount", controller]
        assert posted["debt_ceiling_raw"] == said["ceiling", controller]
        owed = reserves[market, coin]
        assert owed["borrowed_stored_raw"] == said["total_debt", controller]
        assert owed["borrow_index_raw"] == owed["borrow_index_unit_raw"] == said["get_rate_mul", amm] > WAD
        assert owed["borrow_rate_ray"] == said["rate", amm] * 365 * 24 * 3600 * 10**9 > 0
        assert prices[market, token(collateral)]["price_raw"] == said["price_oracle", amm]
        assert prices[market, coin]["price_raw"] == WAD
        inside: dict[str, dict[int, int]] = {name: {} for name in ("bands_x", "bands_y", "p_oracle_up")}
        for name in inside:
            inside[name] = {
                place[2]: value for place, value in said.items() if place[:2] == (name, amm) and len(place) == 3
            }
        full = {band for band in inside["bands_x"] if inside["bands_x"][band] or inside["bands_y"][band]}
        mine = {row["band"]: row for row in rows(snapshot, "bands") if row["market"] == market}
        assert mine.keys() == full and len(full) > 20
        for band, row in mine.items():
            assert (row["debt_token_raw"], row["collateral_raw"]) == (
                inside["bands_x"][band],
                inside["bands_y"][band] // precision,
            )
            assert row["price_high_raw"] == inside["p_oracle_up"][band] > row["price_low_raw"]
            assert row["price_low_raw"] / row["price_high_raw"] == pytest.approx(1 - 1 / said["A", amm], rel=1e-15)
            if band > said["active", amm]:
                assert row["debt_token_raw"] == 0
            if band < said["active", amm]:
                assert row["collateral_raw"] == 0, "above the active band everything is traded"
    assert said["total"] == sum(said["total_debt", controller] for controller, *_ in markets(said))


def test_every_loan_is_what_user_state_says(snapshot: Snapshot, said: Said) -> None:
    coin, held = token(said["coin"]), {}
    for row in rows(snapshot, "positions"):
        held[row["market"], row["position_id"], row["asset"], row["side"]] = row
    soft = grown = 0
    for controller, amm, collateral, _ in markets(said):
        users = [place[2] for place in said if place[:2] == ("state", controller)]
        assert len(users) == said["n_loans", controller] > 3
        for user in users:
            y, x, debt, count = said["state", controller, user]
            posted = held.pop((key(controller), user, token(collateral), "collateral"), None)
            traded = held.pop((key(controller), user, coin, "collateral"), None)
            owed = held.pop((key(controller), user, coin, "debt"))
            assert ((posted or {}).get("amount_raw", 0), (traded or {}).get("amount_raw", 0)) == (y, x)
            assert owed["amount_raw"] == debt > owed["stored_raw"]
            assert [owed["first_band"], owed["last_band"]] == list(said["ticks", amm, user])
            assert owed["last_band"] - owed["first_band"] + 1 == count
            soft += bool(x) and bool(y)
            grown += owed["index_raw"] > owed["index_unit_raw"]
    assert not held and soft >= 3 and grown == 18, "some are half traded, all debts have grown"


def test_health_is_the_contracts(snapshot: Snapshot, said: Said) -> None:
    """From the bands' part of each loan, which the check compares; here from what the contract says it gets on the way down."""
    debts = {
        (row["market"], row["position_id"]): row["amount_raw"]
        for row in rows(snapshot, "positions")
        if row["side"] == "debt"
    }
    below: set[str] = set()
    for controller, amm, _, _ in markets(said):
        for _, _, user in [place for place in said if place[:2] == ("state", controller)]:
            contract = said["health", controller, user, False]
            mine = [
                health(said["x_down", amm, user], debts[key(controller), user], 10**16 * percent) for percent in (6, 7)
            ]
            assert contract in mine, "a loan keeps the discount of its day"
            below |= {user} if said["health", controller, user, True] < 0 else set()
        assert {one[0] for one in said["below", controller]} <= below
    assert below, "somebody can be liquidated"


def test_a_peg_keeper_backs_what_it_issued(snapshot: Snapshot, said: Said) -> None:
    [row] = rows(snapshot, "backings")
    debt, ceiling, shares = said["keeper", row["holder"].rsplit(":", 1)[1]]
    assert (row["issued_raw"], row["issue_ceiling_raw"], row["amount_raw"]) == (debt, ceiling, shares)
    assert 0 < debt < ceiling == 10**6 * WAD and row["claim"] == token(said["coin"]) and row["redemption"] == "none"


def test_the_graph_shows_it_and_the_simulator_says_that_it_has_no_rule(snapshot: Snapshot, said: Said) -> None:
    graph = build(snapshot)
    controller, amm, collateral, _ = markets(said)[0]
    answer = exposure(graph, key(controller))
    posted = {
        row["asset"]: row["collateral_raw"] for row in rows(snapshot, "reserves") if row["market"] == key(controller)
    }
    worth = posted[token(collateral)] / WAD * said["price_oracle", amm] / WAD + posted[token(said["coin"])] / WAD
    assert answer.figures["supplied_usd"] == pytest.approx(worth)
    assert answer.figures["borrowed_usd"] == pytest.approx(said["total_debt", controller] / WAD)
    with pytest.raises(InputError, match="no liquidation rule is written for crvusd"):
        from_graph(graph)


@pytest.mark.parametrize(
    ("event", "caught"),
    [
        ("UserState(address,uint256,uint256,int256,int256,uint256)", "debts written by events give debt()"),
        ("Liquidate(address,address,uint256,uint256,uint256)", "debts written by events give debt()"),
        ("SetDebtCeiling(address,uint256)", "crvUSD was issued by its factory"),
    ],
)
def test_events_that_are_left_out_are_found_out(event: str, caught: str, tmp_path: Path) -> None:
    client, book = replayed(FILE, tmp_path, without(event_topic(event)))
    assert caught in failed(snapshot_of(client, book))


@pytest.mark.parametrize("place", [0, 1])
def test_an_amm_that_lacks_a_little_is_named(said: Said, place: int, tmp_path: Path) -> None:
    """A millionth of a token less than the contract said, in crvUSD or in collateral: far less than the fees that it keeps."""
    _, amm, collateral, _ = markets(said)[0]
    at, data = (said["coin"], collateral)[place], "0x70a08231" + amm[2:].rjust(64, "0")

    def change(lines: Sequence[str]) -> list[str]:
        changed = []
        for line in lines:
            one = json.loads(line)
            if (
                "ask" in one
                and one["ask"][1] == "eth_call"
                and (one["ask"][2]["to"], one["ask"][2]["data"]) == (at, data)
            ):
                one["answer"] = f"0x{int(one['answer'], 16) - 10**12:064x}"
            changed.append(json.dumps(one))
        return changed

    client, book = replayed(FILE, tmp_path, change)
    assert "the AMM holds its bands and fees" in failed(snapshot_of(client, book))


@pytest.mark.parametrize("amplification", [20, 100, 400])
def test_a_band_of_both_is_worth_the_same_on_either_side_of_its_edges(amplification: int) -> None:
    high = 2000 * WAD
    low = high * (amplification - 1) // amplification
    for edge in (high, low):
        above, below = (fall_value(3000 * WAD, 2 * WAD, edge + step, high, amplification) for step in (1, -1))
        assert above == pytest.approx(below, rel=1e-12) and above > 3000 * WAD


@pytest.mark.parametrize("ratio", [0.90, 0.999, 1.01, 1.10])
def test_a_band_of_both_is_traded_along_its_curve(ratio: float) -> None:
    """The curve of AMM.vy's head, (f + x)(g + y) = p A^2 y0^2, solved for y0 by halving: what is left when all is traded to one side at that price."""
    a, x, y, high = 100, 3000.0, 2.0, 2000.0
    price = high * ratio
    few, many = 0.0, 1e6
    for _ in range(200):
        start = (few + many) / 2
        f, g = a * start * price**2 / high, (a - 1) * start * high / price
        few, many = (few, start) if price * a**2 * start**2 > (f + x) * (g + y) else (start, many)
    curve = (f + x) * (g + y)
    wanted = curve / g - f if ratio < 1 - 1 / a else (curve / f - g) * high * (1 - 1 / a) ** 0.5
    if 1 - 1 / a < ratio < 1:
        left = a * start * (1 - high * (1 - 1 / a) / price)
        wanted = curve / (g + left) - f + left * (high * (1 - 1 / a) * price) ** 0.5
    found = fall_value(int(x * WAD), int(y * WAD), int(price * WAD), int(high * WAD), a)
    assert found / WAD == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("amplification", [20, 100, 400])
def test_a_band_is_worth_its_geometric_mean_when_the_price_falls_through(amplification: int) -> None:
    """Closed forms (whitepaper of LLAMMA): untouched collateral sells at the geometric mean of its band's edges, what is sold stays what it is;
    and a band that the price stands in is worth the same whichever way it is split on its curve at that price."""
    high = 2000 * WAD
    low = high * (amplification - 1) // amplification
    mean = (high * low) ** 0.5
    assert fall_value(0, 5 * WAD, 2 * high, high, amplification) == pytest.approx(5 * mean, rel=1e-15)
    assert fall_value(777, 0, low // 2, high, amplification) == 777
    assert fall_value(0, 0, high, high, amplification) == 0
    whole = fall_value(0, 5 * WAD, high + 1, high, amplification)
    assert fall_value(0, 5 * WAD, high - 1, high, amplification) == pytest.approx(whole, rel=1e-12), (
        "no step at the upper edge"
    )
    x = fall_value(0, 5 * WAD, low - 1, high, amplification)
    assert fall_value(x, 0, low + 1, high, amplification) == pytest.approx(x, rel=1e-9), "nor at the lower one"
    assert pd.notna(whole) and health(2 * WAD, WAD, 0) == WAD and health(WAD, 2 * WAD, WAD // 2) == -3 * WAD // 4
