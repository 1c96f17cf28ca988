"""What falls due and what the pools take after a fall, against sums by hand: plain floats from the tables, and a search for the largest sale that still pays."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import aftershock
from reports.amounts import money
from reports.record import Assessment
from reports.render import render
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.health import at_risk, capacity_usd
from tests.simulations.hand_made import MARKET, book, snapshot

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
PRICES = {"ETH": 1_000.0, "STETH": 1_000.0, "USDC": 1.0}
FEE = 0.003


def two_markets() -> Book:
    """A market with a bonus of 5 %, one with 8 %, and a pool of 1,000 ether and a million dollars with a fee of 0.3 %."""
    rows = [("one", "ETH", "collateral", 10.0), ("one", "USDC", "debt", 5_000.0)]
    made = book(rows, PRICES, pool=(1_000.0, 1_000_000.0))
    (market,) = made.markets
    dearer = tuple(replace(one, market=1, bonus_bps=10_800) for one in made.reserves)
    return replace(made, markets=(market, replace(market, key="dearer")), reserves=(*made.reserves, *dearer))


def largest_that_pays(fall: float, bonus: float) -> float:
    """USD of ether that such a pool takes at no less than the price over 1 + bonus, after it was traded to the price. Reserves in tokens."""
    ether, dollars, price = 1_000.0, 1_000_000.0, 1_000.0 * (1 - fall)

    def brings(sold: float) -> float:
        return dollars * sold * (1 - FEE) / (ether + sold * (1 - FEE))

    if fall:
        best = minimize_scalar(
            lambda sold: price * sold - brings(sold), bounds=(0, 1_000), method="bounded", options={"xatol": 1e-9}
        )
        ether, dollars = ether + best.x, dollars - brings(best.x)
    return float(price * brentq(lambda sold: brings(sold) - sold * price / (1 + bonus), 1e-6, 1_000))


@pytest.mark.parametrize(("market", "bonus"), [(MARKET, 0.05), ("dearer", 0.08), (None, 0.08)])
def test_pools_take_what_still_pays_after_they_followed_the_fall_at_the_markets_own_bonus(
    market: str | None, bonus: float
) -> None:
    held, falls = two_markets(), (0.0, 0.2, 0.5)
    curve = at_risk(held, "ETH", falls, market)
    if market == "dearer":  # nobody has anything there: no collateral of that market is traded
        assert np.isinf(curve["capacity_usd"]).all()
    else:
        by_hand = [largest_that_pays(fall, bonus) for fall in falls]
        assert curve["capacity_usd"].tolist() == pytest.approx(by_hand, rel=1e-5)
        # but for fees a side of a constant-product pool is worth the root of the price
        assert by_hand[2] / by_hand[1] == pytest.approx((0.5 / 0.8) ** 0.5, rel=0.02)
    assert capacity_usd(held, "ETH", market) == pytest.approx(largest_that_pays(0.0, bonus), rel=1e-9)


def test_one_call_takes_one_collateral_for_one_debt() -> None:
    """Close factor 100 %, bonus 5 %: 8,400 would fall due of `one`, who has 3,600 in ether and 5,000 in STETH; of `two` 6,300 for the dollars, not 8,190 for both debts."""
    rows = [
        ("one", "ETH", "collateral", 4.0),
        ("one", "STETH", "collateral", 5.0),
        ("one", "USDC", "debt", 8_000.0),
        ("two", "STETH", "collateral", 9.0),
        ("two", "USDC", "debt", 6_000.0),
        ("two", "ETH", "debt", 2.0),
    ]
    row = at_risk(book(rows, PRICES, close_factor_bps=10_000), "ETH", (0.1,)).iloc[0]
    assert (row["positions"], row["liquidatable_debt_usd"]) == (2, pytest.approx(8_000 + 6_000 + 1_800))
    assert row["liquidatable_collateral_usd"] == pytest.approx(5_000 + 6_000 * 1.05)
    assert row["posted_collateral_usd"] == pytest.approx(3_600 + 5_000 + 9_000)


@pytest.fixture(scope="module")
def sample() -> aftershock.Snapshot:
    return aftershock.load()


def by_tables(sample: aftershock.Snapshot, market: str, falls: Sequence[float]) -> list[float]:
    """Aave 3.6 from the tables alone: above a health of 0.95, and where neither side of a pair is below $2,000, half of all debt at most; otherwise all."""
    rows = {name: [row for row in sample[name].to_dict("records") if row["market"] == market] for name in ("positions", "reserves", "prices", "categories")}  # fmt: skip
    assets = {row["asset"]: (row["symbol"], row["decimals"]) for row in sample["assets"].to_dict("records")}
    price = {row["asset"]: row["price_usd"] for row in rows["prices"]}
    of_asset = {row["asset"]: row for row in rows["reserves"]}
    of_category = {row["category"]: row for row in rows["categories"]}
    held: dict[str, list[Any]] = {}
    for row in rows["positions"]:
        asset, is_debt = row["asset"], row["side"] == "debt"
        if is_debt or row["collateral_enabled"]:
            category = of_category.get(row["category"], {"collateral_bitmap": 0})
            inside = int(category["collateral_bitmap"]) >> int(of_asset[asset]["reserve_index"]) & 1
            stated = category if inside else of_asset[asset]
            terms = (int(stated[f"liquidation_{name}_wad"]) / 1e18 for name in ("threshold", "bonus"))
            usd = int(row["amount_raw"]) / 10 ** assets[asset][1] * price[asset]
            held.setdefault(row["position_id"], []).append((is_debt, assets[asset][0] in ("WETH", "lstETH"), usd, *terms))  # fmt: skip
    found = []
    for fall in falls:
        total = 0.0
        for legs in held.values():
            now = [(is_debt, usd * (1 - fall * falls_too), *terms) for is_debt, falls_too, usd, *terms in legs]
            owed, posted = [leg[1] for leg in now if leg[0]], [leg[1:] for leg in now if not leg[0]]
            if not sum(owed) or not posted:
                continue
            health = sum(usd * threshold for usd, threshold, _ in posted) / sum(owed)
            if health < 1:
                total += max(
                    min(usd, (debt if health <= 0.95 or min(usd, debt) < 2_000 else min(debt, sum(owed) / 2)) * bonus)
                    for usd, _, bonus in posted
                    for debt in owed
                )
        found.append(total)
    return found


def test_what_falls_due_in_the_sample_is_what_the_tables_say(sample: aftershock.Snapshot) -> None:
    market = next(key for key, name in zip(sample["markets"]["market"], sample["markets"]["instance"], strict=True) if name == "core")  # fmt: skip
    curve = at_risk(from_graph(aftershock.graph(sample)), "ETH", (0.1, 0.2, 0.3), market)
    by_hand = by_tables(sample, market, (0.1, 0.2, 0.3))
    assert curve["liquidatable_collateral_usd"].tolist() == pytest.approx(by_hand, rel=1e-4)
    assert [round(usd / 1e6, 1) for usd in by_hand] == [5.3, 28.2, 50.9]


def reported(folder: Path, rows: str, *scenarios: str) -> Assessment:
    (folder / "book.csv").write_text(HEADER + rows, encoding="utf-8")
    return aftershock.report(aftershock.load(folder / "book.csv"), "m", scenarios)


def plain(assessment: Assessment) -> str:
    return " ".join(assessment.verdict.plain).replace("\u202f", " ").replace("\u00a0", " ")


def reading(assessment: Assessment, name: str) -> Any:
    return next(one for one in assessment.verdict.readings if one.name == name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    """10 ether at 2,000 and 17,500 owed, all of which may be repaid: at 1,800 what it pays with its bonus, 18,375, is more than the 18,000 that are there."""
    rows = "m,p,ETH,collateral,10,2000,9000,500,10000\nm,p,USDC,debt,17500,1,,,10000\n"
    return reported(tmp_path_factory.mktemp("whole"), rows)


def test_all_that_is_taken_is_all_of_the_collateral_at_the_prices_at_which_it_is_taken(whole: Assessment) -> None:
    assert "$18,000 of collateral is liquidated, 100 % of it" in plain(whole)
    assert whole.at_risk.share_at(10) == whole.at_risk.share_at(20) == reading(whole, "at_risk").value == 1


def test_without_a_pool_what_pools_take_is_not_known_and_no_alarm(whole: Assessment) -> None:
    """Seizures are then sold outside at the market price (docs/files.md)."""
    said = reading(whole, "capacity")
    assert (said.shown, said.crossed, whole.at_risk.full_at_percent) == ("not known", False, None)
    assert plain(whole).count("no pool was read") == 1 and "the $16,000 that falls due at ETH −20 % counts as sold outside" in plain(whole)  # fmt: skip
    texts = render(whole, ["md", "html", "json"])
    for text in (texts["md"], texts["html"]):
        assert "no pool takes" not in text and "pools are full at −" not in text and "they take $" not in text
    assert json.loads(texts["json"])["at_risk"]["points"][20]["capacity_usd"] is None


NOBODY_OWES = "m,p,ETH,collateral,10,2000,8000,500,10000\n"
NOBODY_FALLS = NOBODY_OWES + "m,p,USDC,debt,100,1,,,10000\n"


@pytest.mark.parametrize("rows", [NOBODY_OWES, NOBODY_FALLS])
def test_where_no_scenario_does_anything_none_is_the_worst(tmp_path: Path, rows: str) -> None:
    found = reported(tmp_path, rows)
    assert "none of three scenarios liquidates anything, ETH −30 % included" in plain(found)
    texts = render(found, ["md"])["md"].replace("\u202f", " ").replace("\u00a0", " ")
    assert "**No scenario leaves bad debt or liquidates anything.**" in texts
    assert "liquidates the most" not in texts and "the $0" not in texts
    assert "Nothing falls due at ETH −20 %." in plain(found)


@pytest.fixture(scope="module")
def at_thirty(thin: Assessment) -> Callable[[float], Assessment]:
    """The thin market with ether −30 % as its one scenario and pools that are full at a given fall."""
    from reports.verdict import judge

    line = next(one for one in thin.scenarios if one.title.startswith("ETH −30"))

    def full_at(fall: float) -> Assessment:
        points = tuple(
            replace(point, collateral_usd=point.fall_percent, capacity_usd=fall) for point in thin.at_risk.points
        )
        found = replace(thin, scenarios=(line,), at_risk=replace(thin.at_risk, points=points))
        return replace(found, verdict=judge(found))

    return full_at


def test_pools_that_are_full_beyond_the_scenario_are_no_cause_of_its_loss(
    at_thirty: Callable[[float], Assessment],
) -> None:
    before, after = plain(at_thirty(25.0)), plain(at_thirty(34.5))
    assert "past ETH −25 % forced sales outrun the pools and the loss feeds on itself" in before
    assert "the loss feeds on itself" in after and "outrun" not in after


def test_the_worst_scenario_is_told_at_both_ends_of_what_nobody_can_observe() -> None:
    """The same runs asked for one by one, with the option of `simulate`; a pool so thin that sales move the price."""
    one, two = ([(name, "ETH", "collateral", ether), (name, "USDC", "debt", owed)] for name, ether, owed in (("one", 100.0, 78_000.0), ("two", 20.0, 13_000.0)))  # fmt: skip
    made = snapshot([*one, *two], PRICES, pool=(300.0, 300_000.0))
    found = aftershock.report(made, MARKET, ["eth-10"])
    alone = {share: aftershock.simulate(made, "eth-10", pass_through=share).bad_debt_usd for share in (0.0, 0.5, 1.0)}
    assert len(set(alone.values())) == 3
    assert {part.pass_through: part.bad_debt_usd for part in found.cascade.range} == pytest.approx(alone)
    low, middle, high = (money(alone[share]) for share in (0.0, 0.5, 1.0))
    assert f"leaves {low} where outside markets absorb all that sales do to prices (λ 0) and {high} where" in plain(
        found
    )
    told = render(found, ["md"])["md"].replace("\u00a0", " ").replace("\u202f", " ")
    assert f"at 0, 0.5 and 1 ETH −10 % leaves {low}, {middle} and {high} of bad debt" in told
