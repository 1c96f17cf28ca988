"""The comparison of a liquidation log with prices, on logs made by hand: the answer is the bonus, age or envelope they were made with."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aftershock.cli import app
from aftershock.replays import replay_files, terms_table
from chain.errors import InputError
from chain.files.event_files import read_depth, read_liquidations, read_terms
from chain.files.price_files import HOUR, Series, joined, nearest, read_prices
from simulations.bonuses import DAY, recover
from simulations.replay import replay

START = 1_620_000_000


def prices(path: Path, seed: int = 0, hours: int = 24 * 60) -> Path:
    """A random walk of ETH at hourly closes, and a constant dollar."""
    walk = 2_000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, hours)))
    stamps = START + 3_600 * np.arange(hours)
    table = pd.concat(
        pd.DataFrame({"timestamp": stamps, "symbol": symbol, "close": close})
        for symbol, close in (("ETH", walk), ("USDC", np.ones(hours)))
    )
    table.to_csv(path, index=False)
    return path


def log(
    path: Path, price_file: Path, bonuses: tuple[float, float], change_day: int = 30, age_s: int = 0, noise: float = 0.0
) -> Path:
    """Two liquidations on every day, exactly at the close of an hour (older by `age_s`), the bonus changing on a day."""
    table = read_prices(price_file)["ETH"]
    rng, rows = np.random.default_rng(1), []
    for day in range(2, 58):
        for hour in (3, 15):
            at = day * 24 + hour
            bonus = bonuses[0] if day < change_day else bonuses[1]
            paid = 100.0 * (1 + bonus) * np.exp(rng.normal(0, noise)) / table.close[at]
            rows.append((int(table.end_s[at]) + age_s, "pool", "somebody", "WETH", paid, "USDC", 100.0))
    pd.DataFrame(
        rows,
        columns=["timestamp", "pool", "user", "collateral_symbol", "collateral_amount", "debt_symbol", "debt_amount"],
    ).to_csv(path, index=False)
    return path


def names(path: Path) -> Path:
    path.write_text("symbol,price_symbol\nWETH,ETH\n", encoding="utf-8")
    return path


def test_bonuses_and_the_day_of_their_change_come_back(tmp_path: Path) -> None:
    history = prices(tmp_path / "prices.csv")
    events = log(tmp_path / "log.csv", history, (0.10, 0.075), noise=0.01)
    found = replay_files(events, [history], names(tmp_path / "names.csv")).result
    assert [period.bonus_ratio for period in found.periods] == pytest.approx([0.10, 0.075])
    changed = found.periods[1]
    assert changed.last_before_s == START + 3_600 * (29 * 24 + 15)
    assert changed.since_s == (START + 3_600 * (30 * 24 + 3)) // DAY * DAY
    assert found.figures()["within_2_percent"] > 0.9 and found.controls["within_2_percent_without_bonus"] < 0.1


def test_no_change_is_found_where_there_is_none(tmp_path: Path) -> None:
    history = prices(tmp_path / "prices.csv")
    events = log(tmp_path / "log.csv", history, (0.05, 0.05), noise=0.02)
    assert [one.bonus_ratio for one in replay_files(events, [history], names(tmp_path / "n.csv")).result.periods] == [
        0.05
    ]


def test_one_bad_day_makes_no_period_of_its_own() -> None:
    times = (np.repeat(np.arange(40), 50) * DAY).astype(np.float64)
    stated = np.where(times == 20 * DAY, 1.0, 1.05).astype(np.float64)
    assert [one.bonus_ratio for one in recover("X", times, stated)] == pytest.approx([0.05])


@pytest.mark.parametrize("age", [0, 1_800, 3_600])
def test_the_age_of_the_oracle_is_found(tmp_path: Path, age: int) -> None:
    history = prices(tmp_path / "prices.csv")
    events = log(tmp_path / "log.csv", history, (0.05, 0.05), age_s=age)
    found = replay_files(events, [history], names(tmp_path / "names.csv")).result
    assert abs(found.age_s - age) <= 1_800  # the nearest hour is the same within half an hour
    assert found.figures()["within_1_percent"] == 1.0
    assert found.figures()["inside_envelope"] == 1.0


def test_given_bonuses_are_not_fitted_and_a_wrong_one_shows(tmp_path: Path) -> None:
    history = prices(tmp_path / "prices.csv")
    events = log(tmp_path / "log.csv", history, (0.10, 0.10))
    terms = tmp_path / "terms.csv"
    terms.write_text("symbol,price_symbol,bonus_bps\nWETH,ETH,500\n", encoding="utf-8")
    figures = replay_files(events, [history], terms, age_s=0).result.figures()
    assert figures["within_2_percent"] == 0.0 and "within_2_percent_on_days_not_fitted" not in figures


def test_what_is_written_reads_back_to_the_same_errors(tmp_path: Path) -> None:
    history = prices(tmp_path / "prices.csv")
    events = log(tmp_path / "log.csv", history, (0.15, 0.08), noise=0.005)
    first = replay_files(events, [history], names(tmp_path / "names.csv"))
    terms_table(first).to_csv(tmp_path / "again.csv", index=False)
    again = replay_files(events, [history], tmp_path / "again.csv", age_s=first.result.age_s)
    assert again.result.events["error"].tolist() == first.result.events["error"].tolist()


def test_events_without_a_price_are_counted_and_never_hits(tmp_path: Path) -> None:
    history = prices(tmp_path / "prices.csv")
    events = read_liquidations(log(tmp_path / "log.csv", history, (0.05, 0.05)))
    events.loc[:9, "debt_symbol"] = "UNKNOWN"
    found = replay(events, [read_prices(history)], {"WETH": ("ETH",)})
    figures = found.figures()
    assert figures["priced"] == len(events) - 10 and found.left()["no price in the files"] == 10
    assert figures["within_5_percent"] == pytest.approx(1 - 10 / len(events))
    assert sum(found.left().values()) == round(len(events) * (1 - figures["within_2_percent"]))


def test_a_symbol_without_prices_is_named(tmp_path: Path) -> None:
    history = prices(tmp_path / "prices.csv")
    events = read_liquidations(log(tmp_path / "log.csv", history, (0.05, 0.05)))
    events.loc[:9, "debt_symbol"] = "NOSUCH"
    found = replay(events, [read_prices(history)], {"WETH": ("ETH",)})
    assert found.unknown == ("NOSUCH",)


def test_prices_that_cover_no_event_are_refused(tmp_path: Path) -> None:
    """Other days, other symbols, or a name in the terms that no file has: each is one sentence that names both sides."""
    history = prices(tmp_path / "prices.csv", hours=24 * 60)
    events = log(tmp_path / "log.csv", history, (0.05, 0.05))
    later = tmp_path / "later.csv"
    table = pd.read_csv(history)
    table.assign(timestamp=table["timestamp"] + 365 * 86_400).to_csv(later, index=False)
    with pytest.raises(InputError, match=r"no event of the log has a price: .* from 2021-05-0\d to .* from 2022-05-03"):
        replay_files(events, [later], names(tmp_path / "names.csv"))
    with pytest.raises(InputError, match="without WETH; give prices"):
        replay_files(events, [history])
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("symbol,price_symbol\nWETH,ETHER\n", encoding="utf-8")
    with pytest.raises(InputError, match="without WETH"):
        replay_files(events, [history], wrong)


def test_the_second_half_is_judged_by_an_age_that_it_did_not_choose(tmp_path: Path) -> None:
    """The oracle is fresh in the first half and three hours old in the second: the age chosen is 0, and the second half shows it."""
    history = prices(tmp_path / "prices.csv")
    events = read_liquidations(log(tmp_path / "log.csv", history, (0.05, 0.05)))
    late = events["time_s"] >= events["time_s"].median()
    fresh = replay(events, [read_prices(history)], {"WETH": ("ETH",)})
    assert fresh.controls["within_2_percent_second_half"] == fresh.controls["inside_envelope_second_half"] == 1.0
    events.loc[late, "time_s"] += HOUR
    assert replay(events, [read_prices(history)], {"WETH": ("ETH",)}).controls["age_s_chosen_on_first_half"] == 0.0
    events.loc[late, "time_s"] += 2 * HOUR
    found = replay(events, [read_prices(history)], {"WETH": ("ETH",)}).controls
    assert found["age_s_chosen_on_first_half"] <= 1_800
    assert found["within_2_percent_second_half"] < 0.85 and found["inside_envelope_second_half"] < 0.85


def test_what_is_left_is_told_apart(tmp_path: Path) -> None:
    """Prices stand at 2,000; single events are moved by known shares, so each falls into the class that its distance makes."""
    history = tmp_path / "flat.csv"
    stamps = START + 3_600 * np.arange(24 * 60)
    close = np.where(np.arange(24 * 60) == 20 * 24 + 8, 2_100.0, 2_000.0)  # one hour stands 5 % higher
    pd.concat(
        [
            pd.DataFrame({"timestamp": stamps, "symbol": name, "close": price})
            for name, price in (("ETH", close), ("USDC", 1.0))
        ]
    ).to_csv(history, index=False)
    events = read_liquidations(log(tmp_path / "log.csv", history, (0.05, 0.05)))
    for row, factor in ((4, 1.025), (5, 0.5), (36, 1.03)):  # of the debt repaid; row 36 is five hours before the high
        events.loc[row, "debt_amount"] *= factor
    left = replay(events, [read_prices(history)], {"WETH": ("ETH",)}, age_s=0).left()
    counted = {name: number for name, number in left.items() if number}
    assert counted == {
        "outside by more, but inside six hours before and after: an older price fits": 1,
        "outside, otherwise": 2,
    }


def test_bars_need_their_stamp_and_are_known_at_their_end(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(
        "timestamp,symbol,open,high,low,close\n2021-05-19T12:00:00Z,ETH,1,4,0.5,2\n2021-05-19T13:00:00Z,ETH,2,3,2,3\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="--stamp open"):
        read_prices(path)
    noon = pd.Timestamp("2021-05-19T12:00:00Z").timestamp()
    opened, closed = read_prices(path, "open", HOUR)["ETH"], read_prices(path, "close", HOUR)["ETH"]
    assert (
        opened.end_s[0] == noon + HOUR
        and opened.start_s[0] == noon
        and closed.end_s[0] == noon
        and closed.start_s[0] == noon - HOUR
    )
    assert (opened.low[0], opened.high[0]) == (0.5, 4.0)


def test_closes_span_what_lies_between_them(tmp_path: Path) -> None:
    path = tmp_path / "closes.csv"
    path.write_text("timestamp,symbol,close\n1620000000,A,1\n1620003600,A,3\n", encoding="utf-8")
    one = read_prices(path)["A"]
    assert (one.start_s[1], one.low[1], one.high[1]) == (1620000000.0, 1.0, 3.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1620000000,A,0", "above zero"),
        ("1620000000,A,-1", "above zero"),
        ("1620000000,A,", "close is empty"),
        ("1620000000000,A,1", "no time between"),
        ("yesterday,A,1", "no instant"),
        ("1620000000,A,1\n1620000000,A,2", "two prices"),
    ],
)
def test_prices_that_cannot_be_used_are_refused(tmp_path: Path, rows: str, said: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"timestamp,symbol,close\n{rows}\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_prices(path)


def test_a_repeated_price_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("timestamp,symbol,close\n1620000000,A,1\n1620000000,A,1\n1620003600,A,2\n", encoding="utf-8")
    assert read_prices(path)["A"].close.tolist() == [1.0, 2.0]


def test_logs_and_terms_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    header = "timestamp,pool,user,collateral_symbol,collateral_amount,debt_symbol,debt_amount\n"
    row = "1620000000,p,u,A,1,B,1\n"
    for text, said in (
        ("timestamp,pool\n1,2\n", "no column"),
        (header + row + row, "repeats"),
        (header + row.replace(",1,", ",0,"), "above zero"),
        (header, "no rows"),
    ):
        (tmp_path / "log.csv").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=said):
            read_liquidations(tmp_path / "log.csv")
    for text, said in (
        ("symbol,bonus_bps\nA,10750\n", "basis points"),
        ("symbol,price_symbol\nA,X\nA,Y\n", "make them agree"),
        ("symbol,bonus_bps\nA,5\nA,6\n", "two bonuses"),
    ):
        (tmp_path / "terms.csv").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=said):
            read_terms(tmp_path / "terms.csv")
    (tmp_path / "depth.csv").write_text("sold_asset,bought_asset,amount_in,amount_out\nA,B,1,-1\n", encoding="utf-8")
    with pytest.raises(InputError, match="above zero"):
        read_depth(tmp_path / "depth.csv")


def test_the_better_file_wins_and_the_other_fills() -> None:
    def flat(times: list[float], close: float) -> Series:
        end = np.array(times)
        return Series(end, end, np.full(len(times), close), np.full(len(times), close), np.full(len(times), close))

    both = joined([flat([0.0, 3_600.0], 1.0), flat([1_800.0, 7_200.0, 7_201.0], 2.0)])
    assert both is not None
    assert both.end_s.tolist() == [0.0, 3_600.0, 7_201.0] and both.close.tolist() == [1.0, 1.0, 2.0]
    assert nearest(np.array([0.0, 10.0]), np.array([-1.0, 5.0, 5.1, 99.0])).tolist() == [0, 0, 1, 1]


def test_the_verb_prints_figures_and_refuses_bars_without_a_stamp(tmp_path: Path) -> None:
    history = prices(tmp_path / "prices.csv")
    events = log(tmp_path / "log.csv", history, (0.10, 0.05))
    arguments = [
        "replay",
        "--liquidations",
        str(events),
        "--prices",
        str(history),
        "--params",
        str(names(tmp_path / "n.csv")),
    ]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0 and "changed between" in shown.output and "days not fitted" in shown.output
    refused = CliRunner().invoke(app, [*arguments, "--bar", "one hour"])
    assert isinstance(refused.exception, InputError)
