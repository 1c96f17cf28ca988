"""Two real data sets as networks, one a day: what tokens were swapped for, and which tokens pools hold.

Neither states who has a claim on whom. What an edge means here:

Token flow (Uniswap V2 and V3, the month's 50 largest pools of each): holder = token sold, claim_on = token bought, USD of the day. Who holds
the first got out of it through the second, so the second is what the first depends on for an exit.
Pools: holder = pool, claim_on = token (of one chain, by symbol), half of the pool's USD each, because the file states only the sum.

Losses need equity, which neither file has. `standing` assumes it: equity of a token is its USD in the pools, and PASSED of what stands against
another token (in proportion to the day's flow both ways) is lost with that token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, diags_array

from graph.balance_sheets import Floats, Network
from tests.real.files import DATA

FLOWS = "defi-econ-uniswap-aave-compound/token_flow_edges.csv.gz"
TVL = "defi-econ-uniswap-aave-compound/token_pool_tvl_nodes.csv.gz"
POOLS = "defillama-pools-tvl/historical_facts_2025-10-06.parquet"
PASSED = 0.5
TOO_MUCH, AROUND = 100.0, 15
UNNAMED = "(no name)"
DAYS_BEFORE, LEAST_DAYS = 7, 4


@dataclass(frozen=True)
class Flows:
    """Token flow day by day.

    Attributes
    ----------
    usd : by (date, source, target), above zero, both exchanges and all pools of a pair together.
    tvl : by (date, token), USD in the pools.
    found : what the files had in them that would have misled, and how often.
    """

    usd: "pd.Series[float]"
    tvl: "pd.Series[float]"
    found: Mapping[str, int]

    @property
    def days(self) -> list[str]:
        """All dates, in order."""
        return sorted(set(self.usd.index.get_level_values("date")))

    def network(self, day: str) -> Network:
        """Claims are USD sold for; what a token has outside is its USD in the pools."""
        flow = self.usd.loc[day]
        rows = [(str(pair[0]), str(pair[1]), float(usd)) for pair, usd in flow.items()]
        return Network.from_claims(rows, {str(token): float(usd) for token, usd in self.tvl.loc[day].items()})

    def sigma(self, day: str) -> Floats:
        """How much each claim of the day's network moves from day to day: deviation of the daily change of its logarithm over the week before.

        In the order of `network(day).claims.data`; the median of the others for a pair of fewer than LEAST_DAYS days.
        """
        dates = self.days[: self.days.index(day) + 1][-DAYS_BEFORE - 1 :]
        week = np.log(self.usd.loc[dates].unstack("date"))
        moved = week.diff(axis=1)
        deviation = moved.std(axis=1).where(moved.count(axis=1) >= LEAST_DAYS)
        deviation = deviation.fillna(deviation.median())
        network = self.network(day)
        claims = network.claims.tocoo()
        pairs = zip(*(np.array(network.names)[ends].tolist() for ends in claims.coords), strict=True)
        return np.array([deviation.loc[pair] for pair in pairs], dtype=float)


def flows(folder: Path = DATA, exchange: str | None = None) -> Flows:
    """Both files, checked. An exchange (uniswap_v2, uniswap_v3) takes that one alone.

    Raises
    ------
    ValueError
        If a token sells for itself, a day is missing, or a token that is sold is in no pool.
    """
    # keep_default_na: a token may be called NA or NULL
    edges = pd.read_csv(folder / FLOWS, keep_default_na=False, dtype={"Volume": float})
    nodes = pd.read_csv(folder / TVL, keep_default_na=False, dtype={"total_tvl": float})
    if exchange is not None:
        edges, nodes = edges[edges["dex"] == exchange], nodes[nodes["dex"] == exchange]
    nameless = int((edges["Source"] == "").sum() + (edges["Target"] == "").sum())
    edges, nodes = (
        edges.replace({"Source": {"": UNNAMED}, "Target": {"": UNNAMED}}),
        nodes.replace({"token": {"": UNNAMED}}),
    )
    if (edges["Source"] == edges["Target"]).any():
        raise ValueError("a token is swapped for itself; take the row out, it nets to nothing")
    days = pd.date_range(edges["date"].min(), edges["date"].max()).strftime("%Y-%m-%d")
    missing = set(days) - set(edges["date"])
    if missing:
        raise ValueError(f"{len(missing)} days have no flow, the first {min(missing)}")
    positive = edges[edges["Volume"] > 0]
    usd = positive.groupby(["date", "Source", "Target"])["Volume"].sum()
    stated = nodes.groupby(["date", "token"])["total_tvl"].sum()
    sold = usd.groupby(["date", "Source"]).sum().rename_axis(["date", "token"])
    if not sold.index.isin(stated.index).all():
        raise ValueError("a token that is sold is in no pool of that day")
    # what a token has in the pools on one day, and a hundredth of it on the days around, is an error of the source's price
    usual = stated.unstack("token").rolling(AROUND, center=True, min_periods=3).median().stack().reindex(stated.index)
    wrong = (stated > TOO_MUCH * usual) & (stated > 1e9)
    return Flows(
        usd,
        stated.where(~wrong, usual),
        {
            "rows": len(edges),
            "rows of a pair that has several pools that day (added up)": int(
                edges.duplicated(["date", "dex", "Source", "Target"]).sum()
            ),
            "rows without any flow (left out)": len(edges) - len(positive),
            "ends of rows without a name": nameless,
            "tokens and days with more than 100 times the USD of the days around (the median put in)": int(wrong.sum()),
            "tokens and days with a flow and nothing in the pools": int((stated.reindex(sold.index) <= 0).sum()),
        },
    )


def standing(network: Network, passed: float = PASSED) -> Network:
    """The balance sheets that losses travel on, from a day's flow: see the head of this file. Equity at face value is the USD in the pools."""
    both = csr_array(network.claims + network.claims.T)
    total = np.asarray(both.sum(axis=1), dtype=float)
    part = np.divide(passed * network.external_assets, total, out=np.zeros(len(total)), where=total > 0)
    claims = csr_array(diags_array(part) @ both)
    outside = network.external_assets - claims.sum(axis=1) + claims.sum(axis=0)
    return Network(network.names, claims, np.maximum(outside, 0.0), np.maximum(-outside, 0.0))


@dataclass(frozen=True)
class Pools:
    """USD by (date, pool, protocol, token); a pool is one identity of the source, since one address names several pools on several chains."""

    usd: "pd.Series[float]"
    found: Mapping[str, int]

    @property
    def days(self) -> list[str]:
        """All dates that the source has, in order."""
        return sorted(set(self.usd.index.get_level_values("date")))

    def network(self, day: str) -> Network:
        """Pools' claims on tokens."""
        held = self.usd.loc[day].groupby(["pool", "token"]).sum()
        rows = [(f"pool {pair[0]}", str(pair[1]), float(usd)) for pair, usd in held.items()]
        return Network.from_claims(rows, {})


def pools(folder: Path = DATA) -> Pools:
    """The history of DEX pools, checked; two tokens of one symbol on one chain (native and bridged USDC) cannot be told apart."""
    table = pd.read_parquet(folder / POOLS)
    table = table.assign(date=pd.to_datetime(table["timestamp"]).dt.strftime("%Y-%m-%d"))
    if table.duplicated(["date", "pool_id_defillama"]).any() or not (table["tvl_usd"] > 0).all():
        raise ValueError("a pool has two rows of one day, or nothing in it")
    parts = table["symbol"].str.split("-", n=1, expand=True)
    both = pd.concat(
        [
            pd.DataFrame(
                {
                    "date": table["date"],
                    "pool": table["pool_id_defillama"],
                    "protocol": table["protocol_slug"],
                    "token": table["chain"] + " " + parts[side],
                    "usd": table["tvl_usd"] / 2,
                }
            )
            for side in (0, 1)
        ]
    )
    dates = pd.to_datetime(pd.Series(sorted(set(table["date"]))))
    return Pools(
        both.groupby(["date", "pool", "protocol", "token"])["usd"].sum(),
        {
            "rows": len(table),
            "pools": table["pool_id_defillama"].nunique(),
            "distinct addresses (one address names pools on several chains)": table["pool_id"].nunique(),
            "rows that an address and a day would have made one": int(table.duplicated(["date", "pool_id"]).sum()),
            "rows of a pool of two tokens of one symbol": int((parts[0] == parts[1]).sum()),
            "days missing": int((dates.diff().dt.days.dropna() - 1).sum()),
        },
    )
