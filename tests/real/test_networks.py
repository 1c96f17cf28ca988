"""The two real networks, against the source's own centralities, NetworkX and loops that share no code with ours."""

import re
from itertools import pairwise
from pathlib import Path

import networkx
import numpy as np
import pandas as pd
import pytest

from chain.errors import InputError
from chain.files.exposure_file import read_exposures
from graph.debtrank import debtrank
from tests.real.files import DATA, real_file
from tests.real.network_days import FLOWS, PASSED, POOLS, TVL, Flows, Pools, flows, pools
from tests.real.network_ranks import SCORES, changes, lasting, tokens_of_pools
from tests.real.networks import RESULTS, write

pytestmark = pytest.mark.real

CENTRALITIES = "defi-econ-uniswap-aave-compound/token_centrality_nodes.csv.gz"
DAYS = ("2021-05-19", "2022-05-11", "2022-06-13")


@pytest.fixture(scope="module")
def flow() -> Flows:
    for name in (FLOWS, TVL):
        real_file(name)
    return flows()


@pytest.fixture(scope="module")
def pool() -> Pools:
    real_file(POOLS)
    return pools()


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """The rows of the file as they stand."""
    return pd.read_csv(real_file(FLOWS), keep_default_na=False, dtype={"Volume": float})


@pytest.mark.parametrize("exchange", ["uniswap_v2", "uniswap_v3"])
def test_what_is_bought_and_sold_is_what_the_source_itself_worked_out(exchange: str) -> None:
    """The source states each token's weighted degrees; without several pools of a pair added up, 3,016 of V3's would be less."""
    stated = pd.read_csv(real_file(CENTRALITIES), keep_default_na=False)
    stated = stated[(stated["dex"] == exchange) & (stated["token"] != "")].set_index(["date", "token"])
    mine = flows(exchange=exchange)
    for day in mine.days[::20]:
        network = mine.network(day)
        sold = np.asarray(network.claims.sum(axis=1), dtype=float)
        for column, usd in (("weighted_in_degree", network.obligations), ("weighted_out_degree", sold)):
            given = stated.loc[day][column].astype(float)
            found = pd.Series(usd, index=network.names).reindex(given.index).fillna(0.0)
            assert np.allclose(found, given, rtol=1e-9, atol=1e-6), (day, column)


@pytest.mark.parametrize("day", DAYS)
def test_pagerank_of_a_day_is_that_of_networkx_on_the_rows(flow: Flows, raw: pd.DataFrame, day: str) -> None:
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for row in raw[(raw["date"] == day) & (raw["Volume"] > 0)].itertuples():
        source, target = row.Source or "(no name)", row.Target or "(no name)"
        before = graph.get_edge_data(source, target, {"weight": 0.0})["weight"]
        graph.add_edge(source, target, weight=before + row.Volume)
    network = flow.network(day)
    graph.add_nodes_from(network.names)
    found = networkx.pagerank(graph, alpha=0.85, tol=1e-14, max_iter=10_000)
    assert SCORES["pagerank"](network) == pytest.approx([found[name] for name in network.names], abs=1e-9)


@pytest.mark.parametrize("day", DAYS)
def test_losses_of_a_day_are_those_of_a_loop_over_the_rows(flow: Flows, raw: pd.DataFrame, day: str) -> None:
    """WETH is worth nothing; round by round, a token loses PASSED of its part against each token that newly lost."""
    both: dict[tuple[str, str], float] = {}
    for row in raw[raw["date"] == day].itertuples():
        for pair in ((row.Source, row.Target), (row.Target, row.Source)):
            both[pair] = both.get(pair, 0.0) + row.Volume
    total: dict[str, float] = {}
    for (holder, _), usd in both.items():
        total[holder] = total.get(holder, 0.0) + usd
    tvl = pd.read_csv(real_file(TVL), keep_default_na=False, dtype={"total_tvl": float})
    owned = tvl[tvl["date"] == day].groupby("token")["total_tvl"].sum().to_dict()
    lost, new = dict.fromkeys(owned, 0.0) | {"WETH": 1.0}, {"WETH": 1.0}
    while max(new.values()) > 1e-10:
        came: dict[str, float] = {}
        for (holder, other), usd in both.items():
            if new.get(other) and total[holder] and owned[holder]:
                came[holder] = came.get(holder, 0.0) + PASSED * usd / total[holder] * new[other]
        new = {token: min(1.0, lost[token] + loss) - lost[token] for token, loss in came.items()}
        lost |= {token: lost[token] + loss for token, loss in new.items()}
    expected = sum(owned[token] * loss for token, loss in lost.items() if token != "WETH") / sum(owned.values())
    network = flow.network(day)
    assert SCORES["debtrank"](network)[network.names.index("WETH")] == pytest.approx(expected, rel=1e-6)


def test_our_reader_of_exposures_refuses_the_raw_day_and_takes_it_added_up(
    flow: Flows, raw: pd.DataFrame, tmp_path: Path
) -> None:
    day = raw[raw["date"] == DAYS[0]]
    table = day.rename(columns={"Source": "holder", "Target": "claim_on", "Volume": "amount_usd"})
    file = tmp_path / "day.csv"
    table[["holder", "claim_on", "amount_usd"]].to_csv(file, index=False)
    with pytest.raises(InputError, match=r"amount_usd is '0\.0'"):
        read_exposures(file)
    table[table["amount_usd"] > 0][["holder", "claim_on", "amount_usd"]].to_csv(file, index=False)
    with pytest.raises(InputError, match="is already in row"):
        read_exposures(file)
    network = flow.network(DAYS[0])
    claims = network.claims.tocoo()
    names = np.array(network.names)
    rows = {"holder": names[claims.coords[0]], "claim_on": names[claims.coords[1]], "amount_usd": claims.data}
    pd.DataFrame(rows).to_csv(file, index=False)
    snapshot = read_exposures(file)
    usd = {
        row.symbol: row.total_supply_raw / 10**row.decimals
        for row in snapshot["assets"].itertuples()
        if row.kind == "token"
    }
    bought = day.groupby("Target")["Volume"].sum()
    assert usd == pytest.approx(bought[bought > 0].to_dict(), rel=1e-9)


def test_a_price_error_of_the_source_is_not_anybody_s_wealth(flow: Flows) -> None:
    tvl = pd.read_csv(real_file(TVL), keep_default_na=False, dtype={"total_tvl": float})
    wrong = tvl[tvl["total_tvl"] > 1e10]
    assert set(zip(wrong["date"], wrong["token"], strict=True)) == {("2020-06-21", "sXAU"), ("2020-06-21", "USDC")}
    assert flow.tvl.loc["2020-06-21"].max() < 1e8
    assert flow.found["tokens and days with more than 100 times the USD of the days around (the median put in)"] == 2


@pytest.mark.parametrize("day", ["2023-06-01", "2025-07-10", "2025-10-01"])
def test_without_claims_of_tokens_a_token_s_debtrank_is_its_part_of_the_usd(pool: Pools, day: str) -> None:
    network = pool.network(day)
    tokens = [name for name in network.names if not name.startswith("pool ")]
    table = pd.read_parquet(DATA / POOLS)
    table = table[pd.to_datetime(table["timestamp"]) == pd.Timestamp(day)]
    assert len(network.names) - len(tokens) == len(table)  # a pool each, whatever its address
    part = dict.fromkeys(tokens, 0.0)
    for row in table.itertuples():
        for symbol in row.symbol.split("-", 1):
            part[f"{row.chain} {symbol}"] += row.tvl_usd / 2 / table["tvl_usd"].sum()
    assert debtrank(network, tokens) == pytest.approx([part[token] for token in tokens], rel=1e-9)


def test_a_pool_that_comes_into_the_source_moves_every_share_but_not_those_of_the_same_pools(pool: Pools) -> None:
    day_before, day = "2025-06-15", "2025-06-16"
    same = lasting(pool, "2024-06-01")
    every, kept = (changes(tokens_of_pools(one, (day_before, day))["held"])[day] for one in (pool, same))
    assert every > 0.5 and kept < 0.02
    sets = [set(pool.usd.loc[date].index.get_level_values("protocol")) for date in (day_before, day)]
    assert sets[1] - sets[0] == {"fluid-dex"}


def test_deviations_stand_in_the_order_of_the_claims(flow: Flows) -> None:
    day = DAYS[1]
    network, sigma = flow.network(day), flow.sigma(day)
    claims = network.claims.tocoo()
    place = next(
        number
        for number, ends in enumerate(zip(*claims.coords, strict=True))
        if (network.names[ends[0]], network.names[ends[1]]) == ("WETH", "USDC")
    )
    week = [flow.usd.loc[(f"2022-05-{date:02d}", "WETH", "USDC")] for date in range(4, 12)]
    moves = [np.log(now / before) for before, now in pairwise(week)]
    assert sigma[place] == pytest.approx(np.std(moves, ddof=1))


@pytest.mark.verify
def test_the_page_of_networks_is_what_the_command_writes(tmp_path: Path) -> None:
    for name in (FLOWS, TVL, POOLS):
        real_file(name)
    write(tmp_path)
    for name in ("networks.md", "networks.csv", "networks-flow.svg", "networks-pools.svg"):
        mine, shipped = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path, RESULTS))
        assert re.sub(r"\s+", " ", mine) == re.sub(r"\s+", " ", shipped), f"run python -m tests.real.networks: {name}"
