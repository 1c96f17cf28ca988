"""Problems planted into logs of liquidations, depth quotes and forecasts are found at their rows, and the readers refuse what is an error."""

from pathlib import Path

import pytest

from chain.errors import InputError
from chain.files.depth_file import read_quotes
from chain.files.event_files import read_depth
from chain.files.file_checks import CheckedFile
from chain.files.forecast_file import read_forecasts
from simulations.venues.depth import of_quotes
from tests.chain.checked_files import START, checked_text

LOG = "timestamp,pool,user,collateral_symbol,collateral_amount,debt_symbol,debt_amount,transaction\n"


def log(folder: Path, rows: list[str]) -> CheckedFile:
    return checked_text(folder, LOG + "\n".join(rows) + "\n")


def test_a_log_of_liquidations_in_two_units_is_found_out(tmp_path: Path) -> None:
    rows = [f"{START + 100 * n:.0f},p,u{n},WETH,{1.25 + n},USDC,{2000.5 + n},t{n}" for n in range(20)]
    assert not log(tmp_path, rows).findings
    raw = [f"{START + 5000 + n:.0f},p,u{n},WETH,{(125 + n) * 10**16},USDC,{2000500000 + n},r{n}" for n in range(10)]
    found = log(tmp_path, rows + raw)
    assert {(one.kind, one.row, one.column, one.symbol, one.rows) for one in found.findings} == {
        ("mixed_units", 22, "collateral_amount", "WETH", 10),
        ("mixed_units", 22, "debt_amount", "USDC", 10),
    }
    assert {one.kind for one in log(tmp_path, raw).findings} == {"raw_units"}
    twice = log(tmp_path, [*rows, rows[3], rows[4].replace(",t4", ",t9"), rows[5].replace(",p,", ",q,")])
    assert {(one.kind, one.row) for one in twice.findings} == {
        ("repeated", 22),
        ("repeated", 23),
        ("several_pools", 24),
    }


def test_depth_quotes_must_rise_and_bend_down(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"

    def quotes(rows: str) -> CheckedFile:
        return checked_text(tmp_path, "sold_asset,bought_asset,amount_in,amount_out\n" + rows)

    good = "ETH,USDC,1,2000\nETH,USDC,10,19500.5\nETH,USDC,100,150000\nUSDC,ETH,1000,0.4\n"
    assert not quotes(good).findings
    assert read_quotes(path, {"USDC": 6})["ETH", "USDC"] == (
        (10**18, 2_000_000_000), (10**19, 19_500_500_000), (10**20, 150_000_000_000),
    )  # fmt: skip
    assert read_depth(path)["amount_out"].tolist() == [2000, 19500.5, 150000, 0.4]
    table = of_quotes(read_quotes(path)["ETH", "USDC"])
    assert table.quote(0, 1, 55 * 10**18) == 19500_500000000000000000 + 65249_750000000000000000
    for rows, severity, kind, row, said in (
        ("ETH,USDC,1,2000\nETH,USDC,10,1900\n", "error", "not_rising", 3, "less than for the smaller sale of row 2"),
        ("ETH,USDC,1,2000\nETH,USDC,10,20500\n", "warning", "not_concave", 3, "a unit brings more"),
        ("ETH,USDC,1,2000\nETH,USDC,1,2001\n", "error", "contradicting", 3, "quoted in row 2 already"),
        ("ETH,ETH,1,2000\n", "error", "contradicting", 2, "name two assets"),
        ("ETH,USDC,1,0\n", "error", "not_above_zero", 2, "above zero"),
    ):
        found = quotes(rows)
        assert [(one.severity, one.kind, one.row) for one in found.findings] == [(severity, kind, row)]
        with pytest.raises(InputError, match=said):
            read_quotes(path)
    assert {
        one.kind
        for one in quotes("ETH,USDC,1000000000000000000,2000000000\nETH,USDC,2000000000000000000,3990000000\n").findings
    } == {"raw_units"}


FORECAST = "as_of,asset,horizon_hours,variance,q05,q25,q50,q75,q95,model\n"


def test_forecasts_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"

    def written(rows: str) -> CheckedFile:
        return checked_text(tmp_path, FORECAST + rows)

    good = "2022-01-02T00:00:00Z,ETH,24,0.0016,-0.066,-0.027,0,0.027,0.066,har\n2022-01-01T00:00:00Z,ETH,24,0.0016,-0.066,-0.027,0,0.027,0.066,har\n"
    assert not written(good).findings
    assert read_forecasts(path)["as_of_s"].tolist() == [START, START + 86_400]
    line = good.splitlines()[0]
    for rows, kind, said in (
        (line.replace("-0.027,0,", "0.03,0,"), "quantiles", "rise from left to right"),
        (line.replace("0.0016", "-1"), "not_above_zero", "finite number"),
        (line + "\n" + line.replace("0.0016", "0.002"), "contradicting", "two forecasts"),
        (line.replace(",24,", ",0,"), "not_above_zero", "hours above zero"),
    ):
        assert [one.kind for one in written(rows).findings] == [kind]
        with pytest.raises(InputError, match=said):
            read_forecasts(path)
    assert [one.kind for one in written(line.replace("0.0016", "14")).findings] == ["quantiles"]  # a year's variance
