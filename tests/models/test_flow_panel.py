"""The network panel's loader on planted files in the real files' format: what is known when, and what the sums come to by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.volatility.calibration import calibration
from benchmarks.volatility.flow_world import (
    CHOSEN_BY,
    FlowWorld,
    closes_panel,
    flow_features,
    flow_history,
    hours_panel,
    nodes_of,
    read_flows,
)
from benchmarks.volatility.regimes import market
from models.baselines.simple import ewma
from models.evaluation import Fold
from models.networks.relations import identity, shuffled
from models.panel import FloatArray
from tests.real.files import real_file

DAY_S = 86_400
DAYS = pd.date_range("2021-03-01", "2021-10-20", freq="D")
TOKENS = ("WETH", "AAA", "BBB", "CCC")
PEG, YOUNG, DRY = "USDC", "NEW", "DRY"
"""A pegged token, one that was listed in September, one that nobody swapped."""
MOMENT = pd.Timestamp("2021-09-10")


def stamp(day: pd.Timestamp) -> int:
    return int(day.timestamp())


def planted(folder: Path, until: pd.Timestamp | None = None, louder: float = 1.0) -> Path:
    """The four files; from day `until` on every flow, depth, gas price and, from the day after it, every close is another one."""
    rng = np.random.default_rng(5)
    folder.mkdir()
    late = np.array([until is not None and day >= until for day in DAYS])
    later = np.array([until is not None and day > until for day in DAYS])
    names = (*TOKENS, PEG, YOUNG)
    rows = []
    for day, is_late in zip(DAYS, late, strict=True):
        for source in names:
            for target in names:
                usd = rng.lognormal(10.0, 1.0) * (louder if is_late else 1.0)
                if source != target and rng.random() < 0.6:
                    rows += [(f"{day:%Y-%m-%d}", dex, source, target, usd) for dex in ("uniswap_v2", "uniswap_v3")]
    rows.append((f"{DAYS[3]:%Y-%m-%d}", "uniswap_v2", "", "AAA", 1e12))
    swaps = pd.DataFrame(rows, columns=["date", "dex", "Source", "Target", "Volume"])
    swaps.to_csv(folder / "token_flow_edges.csv.gz", index=False)
    tvl = [
        (f"{day:%Y-%m-%d}", "uniswap_v2", token, rng.lognormal(15.0, 1.0) * (louder if is_late else 1.0))
        for day, is_late in zip(DAYS, late, strict=True)
        for token in names
    ]
    table = pd.DataFrame(tvl, columns=["date", "dex", "token", "total_tvl"])
    table.to_csv(folder / "token_pool_tvl_nodes.csv.gz", index=False)
    gas = rng.lognormal(4.0, 0.3, len(DAYS)) * np.where(late, louder, 1.0)
    pd.DataFrame({"Date(UTC)": DAYS.strftime("%-m/%-d/%Y"), "Value (GWei)": gas}).to_csv(
        folder / "avg_gas_fee.csv.gz", index=False
    )
    moves = rng.normal(0.0, 0.04, (len(DAYS), len(TOKENS) + 3))
    moves[:, len(TOKENS)] /= 100
    moves = np.where(later[:, None], moves * louder, moves)
    closes = pd.DataFrame(np.exp(np.cumsum(moves, axis=0)), columns=[*TOKENS, PEG, YOUNG, DRY])
    closes.loc[: len(DAYS) - 60, YOUNG] = np.nan
    closes.insert(0, "Date", DAYS.strftime("%Y-%m-%d"))
    closes.insert(0, "Unnamed: 0", 0)
    closes.to_csv(folder / "token_price_daily.csv.gz", index=False)
    return folder


def made(folder: Path) -> FlowWorld:
    panel, flows = closes_panel(folder), read_flows(folder, {})
    return FlowWorld(panel.select(nodes_of(panel, flows)), 24, folder, flows=flows, first="2021-04-15")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> FlowWorld:
    return made(planted(tmp_path_factory.mktemp("flows") / "true"))


def features_by(world: FlowWorld, moment: pd.Timestamp) -> FloatArray:
    samples = world.samples
    return samples.x[samples.as_of_s <= stamp(moment)]


def test_a_row_of_a_day_changes_nothing_before_the_next_one(world: FlowWorld, tmp_path: Path) -> None:
    other = made(planted(tmp_path / "other", MOMENT, louder=3.0))
    np.testing.assert_array_equal(features_by(world, MOMENT), features_by(other, MOMENT))
    next_day = world.samples.as_of_s == stamp(MOMENT) + DAY_S
    for name in ("flow_7_28", "depth_7_28", "turnover_7", "gas_7_28", "flow_rv_24", "rv_24"):
        ours, theirs = (each.samples.feature(name)[next_day] for each in (world, other))
        assert (ours != theirs).all(), name


def test_closes_have_a_market_level_and_quantiles_that_hold(world: FlowWorld) -> None:
    at, level = market(world)
    last = world.panel.log_returns()[world.panel.end_s <= at[-1]][-7:]
    assert level[-1] == pytest.approx(np.log(np.mean(last**2, axis=0)).mean())
    before, folds = (
        [Fold(stamp(pd.Timestamp(start)), stamp(pd.Timestamp(stop)))]
        for start, stop in (("2021-06-01", "2021-08-15"), ("2021-08-15", "2021-10-15"))
    )
    regime = np.repeat(["calm"], len(world.asked(folds).as_of_s))
    found = calibration(world, ewma(), before, folds, regime, 0)
    for name in (
        "variance",
        "return",
    ):  # the planted moves are normal with one deviation: the law before is the law after
        assert 0.84 < found[f"{name}, rolling"]["coverage_90"] < 0.96


def test_a_graph_of_a_day_is_known_from_the_next_one(world: FlowWorld, tmp_path: Path) -> None:
    other = made(planted(tmp_path / "other", MOMENT, louder=3.0))
    first, last = stamp(DAYS[40]), stamp(DAYS[-1]) + DAY_S
    ours, theirs = (flow_history(each.flows, each.panel.assets, first, last, 7) for each in (world, other))
    same = [
        a[0].ends.shape == b[0].ends.shape and np.array_equal(a[0].values, b[0].values)
        for a, b in zip(ours.graphs, theirs.graphs, strict=True)
    ]
    known = ours.known_s
    assert all(is_same for is_same, at in zip(same, known, strict=True) if at <= stamp(MOMENT))
    assert not same[int(np.flatnonzero(known == stamp(MOMENT) + DAY_S)[0])]
    assert known[int(ours.at(np.array([stamp(MOMENT) + 7_200]))[0])] == stamp(MOMENT)


def test_sums_by_hand(world: FlowWorld) -> None:
    raw = pd.read_csv(world.kept_in / "token_flow_edges.csv.gz", keep_default_na=False)
    day = pd.to_datetime(raw["date"])
    week = raw[(day >= MOMENT - pd.Timedelta(days=7)) & (day < MOMENT) & (raw["Source"] != "")]
    out, into = (week[week[end] == "AAA"]["Volume"].sum() for end in ("Source", "Target"))
    features = flow_features(world.flows, ("AAA", "BBB"), np.array([stamp(MOMENT) - 1, stamp(MOMENT)]))
    assert features["net_flow_7"][1, 0] == pytest.approx((into - out) / (into + out))
    assert features["net_flow_7"][0, 0] != pytest.approx((into - out) / (into + out))
    to, back = (
        week[(week[one] == "AAA") & (week[two] == PEG)]["Volume"].sum()
        for one, two in (("Source", "Target"), ("Target", "Source"))
    )
    assert features["dollar_flow_7"][1, 0] == pytest.approx((to - back) / (to + back))
    place = int(flow_history(world.flows, ("AAA", "BBB"), stamp(MOMENT), stamp(MOMENT) + DAY_S, 7).known_s[0])
    assert place == stamp(MOMENT)
    at = world.samples.as_of_s == stamp(MOMENT)
    nodes = week[(week["Source"] == "AAA") & week["Target"].isin(world.panel.assets)]
    share = nodes.groupby("Target")["Volume"].sum() / nodes["Volume"].sum()
    own = dict(zip(world.panel.assets, world.samples.feature("rv_24")[at][0], strict=True))
    expected = sum(share[name] * own[name] for name in share.index)
    assert world.samples.feature("flow_rv_24")[at][0, world.panel.assets.index("AAA")] == pytest.approx(expected)


def test_nodes_are_chosen_by_what_was_known(world: FlowWorld) -> None:
    assert world.panel.assets == TOKENS
    later = pd.date_range(CHOSEN_BY, periods=60, freq="D").strftime("%Y-%m-%d")
    late = pd.DataFrame({"day": later, "source": DRY, "target": "AAA", "weight": 1.0})
    swaps = pd.concat([world.flows.swaps, late])
    panel = closes_panel(world.kept_in)
    assert nodes_of(panel, type(world.flows)(swaps, world.flows.depth, world.flows.gas)) == TOKENS


def test_twins_have_as_many_edges_into_every_node(world: FlowWorld) -> None:
    history = flow_history(world.flows, world.panel.assets, stamp(DAYS[40]), stamp(DAYS[60]), 7)
    for twin in (identity(history), shuffled(history, np.random.default_rng(2))):
        assert not np.array_equal(history.graphs[0][0].ends[0], twin.graphs[0][0].ends[0])
        for (ours,), (theirs,) in zip(history.graphs, twin.graphs, strict=True):
            np.testing.assert_array_equal(ours.ends[1], theirs.ends[1])
            np.testing.assert_array_equal(ours.values, theirs.values)


def test_a_symbol_that_was_given_to_another_token_ends(tmp_path: Path) -> None:
    hours = pd.date_range("2022-05-10", "2022-05-16", freq="h")
    rows = [
        pd.DataFrame({"timestamp": hours, "symbol": name, "close": 1.0 + 0.01 * np.arange(len(hours))})
        for name in ("LUNA", "LINK")
    ]
    bars = pd.concat(rows).assign(volume=1.0)
    bars = bars.assign(open=bars["close"], high=bars["close"], low=bars["close"])
    bars.to_parquet(tmp_path / "bars.parquet", index=False)
    panel = hours_panel(tmp_path / "bars.parquet")
    luna, link = panel.assets.index("LUNA"), panel.assets.index("LINK")
    last = panel.end_s[np.isfinite(panel.close[:, luna])].max()
    assert last == stamp(pd.Timestamp("2022-05-13"))
    assert np.isnan(panel.volume[panel.end_s > last, luna]).all()
    assert np.isfinite(panel.close[:, link]).all()


@pytest.mark.real
def test_the_crash_of_march_2020_is_known_at_the_midnight_that_ends_it() -> None:
    folder = real_file("defi-econ-uniswap-aave-compound/token_price_daily.csv.gz").parent
    panel = closes_panel(folder)
    moves = panel.log_returns()[:, panel.assets.index("WETH")]
    worst = int(panel.end_s[int(np.nanargmin(moves))])
    assert pd.Timestamp(worst, unit="s") == pd.Timestamp("2020-03-13")
