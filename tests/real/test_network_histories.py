"""The graphs of the network trials against sums by hand over the file: a flow counts from the day after, thirty days back."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.volatility.networks import correlation_history
from models.panel import Panel
from tests.real.files import real_file
from tests.real.network_histories import CATEGORY, FLOWS, category_history, flow_history, joined

pytestmark = pytest.mark.real
ASSETS = ("BTC", "ETH", "LINK", "UNI", "PAXG")


@pytest.fixture(scope="module")
def prices() -> Panel:
    """Drawn prices: the graphs of flows and categories need the names only."""
    real_file("defi-econ-uniswap-aave-compound/token_flow_edges.csv.gz")
    end = np.arange(int(pd.Timestamp("2021-03-01").timestamp()), int(pd.Timestamp("2022-12-02").timestamp()), 3600)
    close = np.exp(np.cumsum(0.01 * np.random.default_rng(1).standard_normal((len(end), 5)), axis=0))
    return Panel(ASSETS, end, close, close, close, close, close, 3600)


def test_flows_of_a_day_count_from_the_next_day_on(prices: Panel) -> None:
    history = flow_history(prices)
    table = pd.read_csv(FLOWS, keep_default_na=False).replace(
        {"Source": {"WETH": "ETH", "WBTC": "BTC"}, "Target": {"WETH": "ETH", "WBTC": "BTC"}}
    )
    last_day = pd.Timestamp("2022-05-07")  # a Saturday, one of the weekly days
    known_s = int((last_day + pd.Timedelta(days=1)).timestamp())
    place = int(history.at(np.array([known_s]))[0])
    assert history.known_s[place] == known_s
    assert int(history.at(np.array([known_s - 1]))[0]) == place - 1
    day = pd.to_datetime(table["date"])
    rows = table[(day > last_day - pd.Timedelta(days=30)) & (day <= last_day) & table["Source"].isin(ASSETS)]
    into = rows[(rows["Target"] == "ETH") & (rows["Source"] != "ETH")].groupby("Source")["Volume"].sum()
    edges = history.graphs[place][0]
    mine = edges.ends[1] == ASSETS.index("ETH")
    found = dict(zip((ASSETS[source] for source in edges.ends[0][mine]), edges.values[mine, 0], strict=True))
    assert set(found) == set(into.index) >= {"BTC", "LINK", "UNI"}
    assert all(found[source] == pytest.approx(amount / into.sum()) for source, amount in into.items())


def test_joined_relations_change_when_one_of_them_does(prices: Panel) -> None:
    parts = correlation_history(prices), flow_history(prices), category_history(prices)
    history = joined(*parts)
    assert [kinds[1] for kinds in history.types] == ["correlates", "flows_to", "resembles"]
    for at in (history.known_s[0], 1_640_000_000, 1_671_000_000):
        instant = np.array([at])
        for place, part in enumerate(parts):
            there = history.graphs[int(history.at(instant)[0])][place]
            assert there is part.graphs[int(part.at(instant)[0])][0]


def test_every_token_has_one_category() -> None:
    names = " ".join(CATEGORY.values()).split()
    assert len(names) == len(set(names)) == 32
