"""773 real crvUSD loans of 30 January 2024 (block 19122585): what the file states of each, computed again from its bands.

The file states each market's base price without the rate multiplier that has grown on it since. That is one number a market; it is taken from the
largest loan that was never traded, and every other loan is a test of it.
"""

import numpy as np
import pandas as pd
import pytest

from chain.accounting.crvusd import fall_value, health
from chain.units import WAD
from tests.real.files import real_file

pytestmark = pytest.mark.real

FOLDER = "crvusd-positions-2024-01"
MARKETS = ("WETH", "wstETH", "WBTC", "tBTC", "sfrxETH")


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    """Loans with their market's figures beside them, and `state`: never traded, changed, soft (crvUSD among the bands)."""
    terms = pd.read_csv(real_file(f"{FOLDER}/markets.csv")).drop(columns=["block", "ts"])
    table = pd.read_csv(real_file(f"{FOLDER}/positions.csv")).merge(terms, on="market")
    whole = table["collateral"] == table["deposited_collateral"]
    soft = table["stablecoin_in_band"] > 0
    return table.assign(state=np.where(soft, "soft", np.where(whole, "never traded", "changed")))


def found_health(loan: pd.Series, multiplier: float) -> float:
    """Health by our arithmetic, the collateral spread evenly over the loan's bands."""
    edges = loan["base_price"] * multiplier * (1 - 1 / loan["A"]) ** np.arange(loan["n1"], loan["n2"] + 1)
    part, price = int(loan["collateral"] / loan["n_bands"] * 1e24), int(loan["oracle_price"] * WAD)
    value = sum(fall_value(0, part, price, int(edge * WAD), int(loan["A"])) for edge in edges)
    discount = round(loan["liq_discount"] * WAD)
    return health(value, int(loan["debt"] * 1e24), discount) / WAD


def multiplier_of(market: pd.DataFrame) -> float:
    """The one number that makes the largest never traded loan as healthy as stated (health + 1 is in proportion to it)."""
    largest = market[market["state"] == "never traded"].sort_values("debt").iloc[-1]
    return float((largest["health"] + 1) / (found_health(largest, 1.0) + 1))


@pytest.fixture(scope="module")
def compared(loans: pd.DataFrame) -> pd.DataFrame:
    """Every loan without crvUSD in its bands: stated health less ours, and the market's multiplier."""
    parts = []
    for market, table in loans[loans["state"] != "soft"].groupby("market"):
        assert market in MARKETS
        multiplier = multiplier_of(table)
        mine = [found_health(loan, multiplier) for _, loan in table.iterrows()]
        parts.append(table.assign(multiplier=multiplier, error=table["health"] - mine))
    return pd.concat(parts)


def test_health_of_loans_that_were_never_traded_is_the_one_stated(compared: pd.DataFrame) -> None:
    never = compared[compared["state"] == "never traded"]
    assert len(never) == 527 and never["error"].abs().max() < 1e-9
    assert ((never["health"] < 0) == (never["health"] - never["error"] < 0)).all()
    multipliers = never.groupby("market")["multiplier"].first()
    assert multipliers.between(1.02, 1.06).all() and (multipliers.max() - multipliers.min()) > 0.02, (
        "a year of interest, each its own"
    )


def test_loans_whose_collateral_is_not_what_was_deposited_may_lie_unevenly(compared: pd.DataFrame) -> None:
    """Half of them still lie evenly; the others were traded and back, and the file does not say what share of a band is whose."""
    changed = compared[(compared["state"] == "changed") & (compared["collateral"] > 1e-6)]
    error = (changed["error"] / (1 + changed["health"])).abs()
    assert len(changed) == 211
    assert 0.50 < (error < 1e-9).mean() < 0.55 and error.quantile(0.75) < 2e-4 and error.max() < 3.1e-3


def test_the_file_does_not_hold_what_the_loans_in_soft_liquidation_need(loans: pd.DataFrame) -> None:
    """Bands and loans of the file do not add up where crvUSD lies in them: they were not read at one block, or not of one kind."""
    bands = pd.read_csv(real_file(f"{FOLDER}/bands.csv"))
    soft = loans[loans["state"] == "soft"]
    assert len(soft) == 31
    stated = loans.groupby("market")["stablecoin_in_band"].sum()
    beyond = bands.groupby("market")["bands_x_crvusd"].sum() / stated - 1
    assert beyond.min() > 0.05 and beyond.max() > 0.9, "our reader finds them within the rounding of the contract"
