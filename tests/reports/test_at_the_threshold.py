"""At the threshold the report's curve, its table of what cannot be mended, the risk of a market and a cascade say the same; sums by hand, in decimals."""

from decimal import Decimal
from pathlib import Path

import pytest

import aftershock

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps\n"
THREE = """m,just,ETH,collateral,10,2000,8000,500
m,just,USDC,debt,12800,1,,
m,over,ETH,collateral,10,2000,8000,500
m,over,USDC,debt,12800.000000000000000001,1,,
m,deep,ETH,collateral,10,2000,8000,500
m,deep,USDC,debt,30000,1,,
"""
"""At 1,600 a threshold of 80 % covers 12,800: just that is healthy, a 1e-18th more is not, 30,000 is under water at any price here."""


def snapshot(folder: Path, rows: str) -> aftershock.Snapshot:
    (folder / "book.csv").write_text(HEADER + rows)
    return aftershock.load(folder / "book.csv")


def test_what_is_owed_to_the_last_digit_is_healthy_and_a_digit_more_is_not(tmp_path: Path) -> None:
    held = snapshot(tmp_path, THREE)
    found, (now, later) = aftershock.report(held, "m"), aftershock.risk(held, "m", falls=(0.0, 0.2)).falls
    curve = {point.fall_percent: (point.collateral_usd, point.debt_usd) for point in found.at_risk.points}
    assert curve[0] == (20_000, 30_000), "all that secures the one under water"
    # over: 12,800 repaid for 5 % more, 13,440; deep: all its 16,000
    assert curve[20] == pytest.approx((13_440 + 16_000, 12_800 + 30_000))
    for fall, sums in (now, later):
        assert sums[0].liquidatable_debt_usd == pytest.approx(curve[100 * fall][1])
        point = next(one for one in found.frontier.points if one.fall_percent == 100 * fall)
        assert point.liquidatable_debt_usd == sums[0].liquidatable_debt_usd
    taken = aftershock.simulate(held, shocks=["ETH=-20%"]).rounds[0].liquidations
    assert sorted(taken["position_id"].str[-4:]) == ["deep", "over"]
    assert taken["seized_usd"].sum() == pytest.approx(curve[20][0])


def test_nobody_exactly_at_the_threshold_is_liquidatable(tmp_path: Path) -> None:
    price, rows = Decimal("1999.99"), ""
    for number in range(200):
        amount = Decimal(2202 + 37 * number) / 100
        rows += f"m,p{number},ETH,collateral,{amount},{price},8250,500\n"
        rows += f"m,p{number},USDC,debt,{amount * price * Decimal('0.825')},1,,\n"
    found = aftershock.report(snapshot(tmp_path, rows), "m", ["eth-10"])
    assert (found.at_risk.points[0].collateral_usd, found.at_risk.points[0].debt_usd) == (0, 0)
    assert found.at_risk.points[1].debt_usd == pytest.approx(found.exposure.borrowed_usd), "one per cent less takes all"
