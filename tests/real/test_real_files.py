"""Real events and a real book: what docs/results says, computed again from the files beside the checkout."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aftershock
from aftershock.replays import ReplayedFiles, replay_files
from simulations import book_of_graph
from simulations.health import health_factors
from simulations.state import start
from tests.real.files import real_file
from tests.real.steth_book import FILES, FOLDER, Rebuilt, accounts, book_table, rebuild
from tests.real.steth_stress import QUOTES, arrays, depths, points, stress, write

pytestmark = pytest.mark.real

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
LOG = "aavev2-liquidations-idea/aave_v2_liquidations_normalised.csv.gz"
PRICES = (
    "prices-hourly-binance-2021-2023/ohlcv_1h.parquet",
    "prices-hourly-binance-2017-2022-majors/ohlcv_1h.parquet",
    "prices-hourly-coingecko-2021-2023/close_hourly_raw.parquet",
)


@pytest.fixture(scope="module")
def replayed() -> ReplayedFiles:
    files = [real_file(name) for name in (LOG, *PRICES)]
    return replay_files(files[0], files[1:], RESULTS / "aave-v2-price-names.csv", "open", "1h")


@pytest.fixture(scope="module")
def rebuilt() -> Rebuilt:
    for name in FILES:
        real_file(f"{FOLDER}/{name}")
    return rebuild(accounts())


def test_real_liquidations_lie_at_market_prices_times_one_bonus(replayed: ReplayedFiles) -> None:
    figures = replayed.result.figures()
    assert figures["events"] == 11_489
    assert figures["inside_envelope"] >= 0.95 and figures["within_2_percent"] >= 0.70
    assert 0 <= figures["oracle_age_s"] <= 3_600
    assert figures["within_2_percent_on_days_not_fitted"] >= 0.70
    assert figures["within_2_percent_without_bonus"] < 0.05 and figures["inside_envelope_a_day_earlier"] < 0.15
    assert sum(replayed.result.left().values()) == round((1 - figures["within_2_percent"]) * figures["events"])


def test_bonuses_agree_with_the_parameters_of_the_source_where_it_can_know_them(replayed: ReplayedFiles) -> None:
    """The source states one bonus per asset, taken once. Ours of some period is within a percent point of it for 19 of 24."""
    stated = pd.read_csv(real_file("aavev2-liquidations-idea/tokens_reserve_params.csv")).drop_duplicates("symbol")
    known = dict(zip(stated["symbol"], stated["reserveLiquidationBonus"] / 1e4 - 1, strict=True))
    mine: dict[str, list[float]] = {}
    for one in replayed.result.periods:
        mine.setdefault(one.symbol, []).append(one.bonus_ratio)
    near = [min(abs(bonus - known[symbol]) for bonus in found) <= 0.0101 for symbol, found in mine.items()]
    assert sum(near) >= 0.75 * len(near), [name for name, hit in zip(mine, near, strict=True) if not hit]


def test_the_shipped_bonuses_are_what_the_replay_finds(replayed: ReplayedFiles) -> None:
    shipped = pd.read_csv(RESULTS / "aave-v2-bonuses.csv").dropna(subset=["bonus_bps"])
    found = [(one.symbol, round(10_000 * one.bonus_ratio), one.events) for one in replayed.result.periods]
    assert (
        list(zip(shipped["symbol"], shipped["bonus_bps"].astype(int), shipped["events"].astype(int), strict=True))
        == found
    )


def test_the_page_states_the_figures_of_the_replay(replayed: ReplayedFiles) -> None:
    page, figures = (RESULTS / "aave-v2-liquidations.md").read_text(encoding="utf-8"), replayed.result.figures()
    for name in ("inside_envelope", "within_2_percent", "within_2_percent_on_days_not_fitted"):
        assert f"{100 * figures[name]:.1f} %" in page, name


def test_real_accounts_have_the_health_factor_that_the_contract_stated(rebuilt: Rebuilt, tmp_path: Path) -> None:
    """Through our own reader, graph and book; the stated threshold is a whole basis point, so 1.5e-4 is what can be asked."""
    book_table(rebuilt.completed).to_csv(tmp_path / "book.csv", index=False)
    held = book_of_graph.from_graph(aftershock.graph(aftershock.load(tmp_path / "book.csv")))
    stated = {one.user: one.health_factor for one in rebuilt.completed}
    error = health_factors(start(held)) / np.array([stated[name] for name in held.position_ids]) - 1
    assert len(error) == 699 and np.abs(error).max() < 1.5e-4 and np.median(np.abs(error)) < 1e-6


def test_totals_of_complete_accounts_and_what_is_not_listed(rebuilt: Rebuilt) -> None:
    table = rebuilt.table
    whole = table[table["complete"]]
    assert len(table) == 701 and len(whole) >= 400 and int(table["left_out"].sum()) == 2
    assert (whole["threshold_bps"] == whole["threshold_found_bps"]).mean() > 0.98
    assert abs(whole["collateral_found"].sum() / whole["collateral"].sum() - 1) < 1e-6


def test_what_is_not_listed_is_stated_and_not_made_up(rebuilt: Rebuilt) -> None:
    """By the listed assets alone the others lack a third of their collateral in the median; the page must say so."""
    rows = rebuilt.table[~rebuilt.table["complete"] & ~rebuilt.table["left_out"]]
    short = 1 - rows["collateral_found"] / rows["collateral"]
    assert 0.3 < short.median() < 0.4 and (rows["collateral_found"] <= rows["collateral"] * (1 + 1e-6)).all()
    page = (RESULTS / "steth-june-2023.md").read_text(encoding="utf-8")
    assert f"{len(rows)} not complete | {short.median():.0%} |" in page
    stated = rebuilt.table["collateral"] * rebuilt.table["threshold_bps"] / 1e4 / rebuilt.table["debt"]
    assert (stated / rebuilt.table["health_factor"] - 1).abs().max() < 1e-12


def test_a_larger_shock_never_helps_and_sales_never_help(rebuilt: Rebuilt, tmp_path: Path) -> None:
    real_file(QUOTES)
    held, curves = arrays(rebuilt.completed), depths(tmp_path)
    found = points(held, *curves)
    at = {(one.impact, one.depeg, one.fall): one for one in found}
    for (impact, depeg, fall), one in at.items():
        for other in found:
            if other.impact == impact and other.depeg <= depeg and other.fall <= fall:
                assert other.accounts <= one.accounts and other.bad_debt_usd <= one.bad_debt_usd + 1
        assert one.debt_at_risk_usd >= at["none", depeg, fall].debt_at_risk_usd - 1 or impact != "stETH"
        assert one.accounts >= at["none", depeg, fall].accounts


def test_one_account_falls_where_its_own_arithmetic_says(rebuilt: Rebuilt) -> None:
    """Closed form: with stable debt only, an account falls below 1 when ether has lost 1 - 1/HF."""
    alone = next(
        one
        for one in rebuilt.completed
        if {leg[0] for leg in one.legs} == {"stETH", "usdc"} and 1.1 < one.health_factor < 2
    )
    edge = 1 - 1 / (alone.total("collateral", weighted=True) / alone.total("debt"))
    held = arrays([alone])
    assert stress(held, edge - 1e-6, 0.0).accounts == 0 and stress(held, edge + 1e-6, 0.0).accounts == 1


def test_the_stress_page_is_what_the_command_writes(tmp_path: Path) -> None:
    for name in (QUOTES, *(f"{FOLDER}/{one}" for one in FILES)):
        real_file(name)
    write(tmp_path, tmp_path)
    for name in ("steth-june-2023.md", "steth-june-2023.csv", "steth-june-2023.svg"):
        mine, shipped = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path, RESULTS))
        assert re.sub(r"\s+", " ", mine) == re.sub(r"\s+", " ", shipped), (
            f"run python -m tests.real.steth_stress: {name}"
        )
