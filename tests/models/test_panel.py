"""A price file becomes a regular clock of bars: stamps, holes, changes of unit, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chain.errors import InputError, UnknownNameError
from models.panel import Panel, read_panel

HOUR = 3_600
START = pd.Timestamp("2022-01-01").timestamp()


def write(path: Path, rows: dict[str, list[object]]) -> Path:
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def bars(
    symbol: str, closes: list[float], opens: list[float] | None = None, first_hour: int = 0
) -> dict[str, list[object]]:
    opens = opens if opens is not None else [closes[0], *closes[:-1]]
    return {
        "timestamp": [START + (first_hour + hour) * HOUR for hour in range(len(closes))],
        "symbol": [symbol] * len(closes),
        "open": list(opens),
        "high": [max(a, b) for a, b in zip(opens, closes, strict=True)],
        "low": [min(a, b) for a, b in zip(opens, closes, strict=True)],
        "close": list(closes),
        "volume": [8.0] * len(closes),
    }


def test_open_stamps_are_moved_to_the_instant_at_which_a_bar_is_known(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", bars("A", [1.0, 2.0]))
    assert read_panel(path, "open", HOUR).end_s.tolist() == [START + HOUR, START + 2 * HOUR]
    assert read_panel(path, "close", HOUR).end_s.tolist() == [START, START + HOUR]
    with pytest.raises(InputError, match="--stamp open"):
        read_panel(path, None, HOUR)


def test_a_hole_stays_a_hole_and_gives_no_return(tmp_path: Path) -> None:
    rows = bars("A", [1.0, 1.1, 1.2, 1.3, 1.4])
    path = write(tmp_path / "p.csv", {name: column[:2] + column[3:] for name, column in rows.items()})
    panel = read_panel(path, "close", HOUR)
    assert np.isnan(panel.close[:, 0]).tolist() == [False, False, True, False, False]
    assert np.isnan(panel.log_returns()[:, 0]).tolist() == [True, False, True, True, False]


def test_a_file_of_closes_has_no_high_and_low(tmp_path: Path) -> None:
    rows = bars("A", [1.0, 1.1])
    path = write(tmp_path / "p.csv", {name: rows[name] for name in ("timestamp", "symbol", "close")})
    panel = read_panel(path, None, HOUR)
    assert np.isnan(panel.high).all() and np.isnan(panel.low).all() and panel.close[:, 0].tolist() == [1.0, 1.1]


def test_until_and_select(tmp_path: Path) -> None:
    a, b = bars("A", [1.0, 2.0, 3.0]), bars("B", [5.0, 6.0, 7.0])
    panel = read_panel(write(tmp_path / "p.csv", {name: a[name] + b[name] for name in a}), "close", HOUR)
    early = panel.until(int(START) + HOUR)
    assert early.close.tolist() == [[1.0, 5.0], [2.0, 6.0]]
    assert panel.until(int(START) + 2 * HOUR - 1).end_s.tolist() == early.end_s.tolist()
    assert panel.select(["B"]).close[:, 0].tolist() == [5.0, 6.0, 7.0]
    with pytest.raises(UnknownNameError, match="no asset named 'C'"):
        panel.select(["C"])


def test_a_change_of_unit_is_taken_out_and_the_past_stays_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", bars("A", [1.0, 1.1, 120.0, 126.0], [1.0, 1.0, 110.0, 120.0]))
    panel = read_panel(path, "close", HOUR)
    assert panel.close[:2, 0].tolist() == [1.0, 1.1]
    # opened at 110 where 1.1 was the last price: a factor of 100; the bar itself gained 120 / 110
    np.testing.assert_allclose(panel.close[:, 0], [1.0, 1.1, 1.2, 1.26], rtol=1e-12)
    np.testing.assert_allclose(panel.volume[:, 0], [8.0, 8.0, 800.0, 800.0], rtol=1e-12)
    assert len(panel.notes) == 1 and "factor of 100" in panel.notes[0]


def test_a_column_in_another_unit_is_told_once_an_asset(tmp_path: Path) -> None:
    """Ten opens in hundredths: each stands a hundred times above the close before it, nine jumps."""
    path = write(tmp_path / "p.csv", bars("A", [1.0] * 10, [100.0] * 10))
    [note] = [note for note in read_panel(path, "close", HOUR).notes if "jumps" in note]
    assert "by a factor of 100 between two bars at 2022-01-01 01:00:00" in note and note.endswith(
        "; so are 8 more such jumps of A"
    )


def test_a_crash_in_which_trading_went_on_is_no_change_of_unit(tmp_path: Path) -> None:
    panel = read_panel(write(tmp_path / "p.csv", bars("A", [1.0, 0.05, 0.001])), "close", HOUR)
    assert panel.notes == () and panel.close[:, 0].tolist() == [1.0, 0.05, 0.001]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"close": [1.0, 0.0]}, "close is .*0.0.*above zero"),
        ({"close": [1.0, -2.0]}, "above zero"),
        ({"timestamp": [START, START]}, "two prices"),
        ({"timestamp": [START, START + 1800]}, "no multiple of 3600 s"),
        ({"timestamp": [START, START + 0.5]}, "two bars that end at"),
        ({"timestamp": [START * 1000, START * 1000 + HOUR]}, "no time between"),
        ({"volume": [1.0, -1.0]}, "volume is"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, change: dict[str, list[object]], message: str) -> None:
    path = write(tmp_path / "p.csv", bars("A", [1.0, 2.0]) | change)
    with pytest.raises(InputError, match=message):
        read_panel(path, "close", HOUR)


def test_spellings_of_one_symbol_are_one_asset_and_what_contradicts_is_refused(tmp_path: Path) -> None:
    def read(*rows: tuple[int, str, float]) -> Panel:
        hours, symbols, closes = zip(*rows, strict=True)
        table: dict[str, list[object]] = {
            "timestamp": [START + HOUR * hour for hour in hours],
            "symbol": list(symbols),
            "close": list(closes),
        }
        return read_panel(write(tmp_path / "p.csv", table), None, HOUR)

    both = read((0, "ETH", 10.0), (1, "eth", 11.0), (2, " Eth ", 12.0), (0, "stETH", 9.0), (1, "steth", 8.0))
    assert both.assets == ("ETH", "stETH") and both.close[:, 0].tolist() == [10.0, 11.0, 12.0]
    assert both.close[:2, 1].tolist() == [9.0, 8.0] and np.isnan(both.close[2, 1])
    assert len(both.notes) == 1 and "are one asset: Eth is read as ETH and 2 more" in both.notes[0]
    # one instant with one price in two spellings counts once; with two prices it is refused, by row
    again = read((0, "ETH", 10.0), (1, "ETH", 11.0), (1, "eth", 11.0))
    assert again.close[:, 0].tolist() == [10.0, 11.0] and "1 row repeats" in again.notes[1]
    with pytest.raises(InputError, match=r"p\.csv row 4: ETH has two prices at .*, the other in row 3; keep"):
        read((0, "ETH", 10.0), (1, "ETH", 11.0), (1, "eth", 11.5))
    assert read((0, "ETH", 10.0), (0, "stETH", 9.0)).notes == ()
