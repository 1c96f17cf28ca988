"""`aftershock timeline`: three days of a small world, edited by hand, lined up as people type it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from aftershock.cli import app
from aftershock.cli.diff import SHOWN
from aftershock.cli.terminal import WIDTH, Page
from aftershock.cli.timeline import Figure, _table
from aftershock.timelines import Timeline, timeline
from chain.snapshot import load, save
from graph.build import build
from tests.graph.small_world import ADDRESSES, ANCHOR, RAY, USDC, WAD, Rows, small_rows, small_world

RUNNER = CliRunner()
NEW_POOL = "0x" + "99" * 20


def asked(*words: str) -> tuple[int, str]:
    """Exit code and what is printed, every run of spaces as one."""
    result = RUNNER.invoke(app, ["timeline", *words])
    return result.exit_code, re.sub(r"\s+", " ", result.stdout)


def put(rows: Rows, table: str, number: int, **values: Any) -> None:
    rows[table][number] = {**rows[table][number], **values}


def tuesday(rows: Rows) -> None:
    """WETH is paused; dave's 2 WETH are gone, 10 are left."""
    put(rows, "reserves", 0, paused=True, supplied_stored_raw=10 * WAD, supply_index_raw=RAY)
    rows["positions"] = rows["positions"][:-1]


def wednesday(rows: Rows) -> None:
    """Besides, WETH costs 1,900, USDC is not listed any more, and the market stands at another address."""
    tuesday(rows)
    put(rows, "prices", 0, price_raw=1900 * 10**8)
    rows["positions"] = [row for row in rows["positions"] if row["asset"] != USDC]
    rows["reserves"] = rows["reserves"][:2]
    for table, some in rows.items():
        rows[table] = [{name: _moved(value) for name, value in row.items()} for row in some]


def _moved(value: Any) -> Any:
    return value.replace(ADDRESSES["pool"], NEW_POOL) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The folders of three days, in order."""
    days: dict[str, Callable[[Rows], None]] = {"monday": lambda _: None, "tuesday": tuesday, "wednesday": wednesday}
    folder, folders = tmp_path_factory.mktemp("week"), []
    for day, (name, change) in enumerate(days.items()):
        rows = small_rows()
        change(rows)
        anchor = replace(ANCHOR, number=ANCHOR.number + day, timestamp=ANCHOR.timestamp + 86_400 * day)
        folders.append(str(save(replace(small_world(rows, anchors=(anchor,)), name=name), folder / name)))
    return folders


def values(record: dict[str, Any], label: str, figure: str) -> list[Any]:
    [row] = [row for row in record["rows"] if (row["label"], row["figure"]) == (label, figure)]
    found: list[Any] = row["values"]
    return found


def test_markets_and_assets_stand_in_one_row_over_all_snapshots(week: list[str]) -> None:
    code, printed = asked(week[2], week[0], week[1], "--json")  # in any order
    record = json.loads(printed)
    assert code == 0 and [one["name"] for one in record["snapshots"]] == ["monday", "tuesday", "wednesday"]
    assert values(record, "WETH", "price_usd") == [2000, 2000, 1900]
    assert values(record, "WETH in Aave V3 core", "status") == ["open", "paused", "paused"]
    assert values(record, "WETH in Aave V3 core", "supplied_usd") == pytest.approx([24_000, 20_000, 19_000])
    assert values(record, "USDC in Aave V3 core", "status") == ["open", "open", None]
    assert values(record, "Aave V3 core", "status") == ["open", "1 of 3 paused", "1 of 2 paused"]
    [market] = [row for row in record["rows"] if row["kind"] == "market" and row["figure"] == "supplied_usd"]
    assert NEW_POOL in market["node"] and None not in market["values"]


def test_what_changed_is_told_between_neighbours(week: list[str]) -> None:
    code, printed = asked(*week, "--figure", "status")
    assert code == 0 and "WETH in Aave V3 core open paused paused" in printed
    first, second = printed.split("from 1 to 2")[1].split("from 2 to 3")
    assert "WETH in Aave V3 core was paused." in first and "upgraded" not in first and "removed" not in first
    for sentence in ("USDC in Aave V3 core was removed.", f"to {NEW_POOL}.", "WETH fell by 5.0% to $1,900."):
        assert sentence in second and sentence not in first
    assert "paused." not in second
    # dave's 2 WETH: who has what is told between neighbours too
    assert "WETH supplied to Aave V3 core: 0x3500…0000 2 (gone)." in first


def test_the_table_shows_what_is_asked_for(week: list[str]) -> None:
    assert "WETH in Aave V3 core 24.0 20.0 19.0" in asked(*week)[1]
    assert "WETH 2,000 2,000 1,900" in asked(*week, "--figure", "price")[1]
    assert re.search(r"USDC in Aave V3 core [\d.]+ % [\d.]+ % –", asked(*week, "--figure", "utilisation")[1])


def test_files_of_claims_stand_in_the_order_in_which_they_are_given(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.csv" for name in ("late", "early")]
    for path, fund, fonds in zip(paths, ("50", "100"), ("Fonds", "Fund"), strict=True):
        path.write_text(f"holder,claim_on,amount_usd\nalice,Fund,{fund}\nFund,Bank,40\nbob,{fonds},20\n")
    edits = tmp_path / "edits.toml"
    edits.write_text('[[back]]\nclaim = "Fund"\nbacking = "Bank"\nfactor = 0.5\n')
    folder = str(tmp_path / "changed")
    assert RUNNER.invoke(app, ["what-if", str(edits), "--snapshot", str(paths[1]), "--out", folder]).exit_code == 0
    words = [*map(str, paths), folder]
    code, printed = asked(*words, "--json")
    record = json.loads(printed)
    assert code == 0 and [one["name"] for one in record["snapshots"]] == ["late", "early", "early, what if"]
    # 50, then 100 and bob's 20; of which Bank covers 40, 40 and 20
    assert values(record, "Fund", "claimed_usd") == [50, 120, 120]
    assert values(record, "Fund", "covered_ratio") == pytest.approx([40 / 50, 40 / 120, 20 / 120])
    assert values(record, "Fonds", "claimed_usd") == [20, None, None]
    assert values(record, "Bank", "claimed_usd") == [40, 40, 20]
    assert values(record, "Bank", "covered_ratio") == [None] * 3
    shown = asked(*words)[1]
    assert "claimed $ 1 2 3" in shown and "Fund 50.00 120 120" in shown
    assert "Claims on Fund: alice from $50 to $100, bob $20 (new)." in shown
    assert "Fund 80 % 33 % 17 %" in asked(*words, "--figure", "covered")[1]
    refused = RUNNER.invoke(app, ["timeline", *words, "--figure", "price"])
    assert "files of claims have claimed, covered" in str(refused.exception)


def test_books_are_lined_up_as_given_and_files_not_with_snapshots(week: list[str], tmp_path: Path) -> None:
    books = [tmp_path / f"{name}.csv" for name in ("b", "a")]
    for path, amount in zip(books, (10, 4), strict=True):
        path.write_text(
            "market,position_id,asset,side,amount,price,threshold_bps\n"
            f"mine,alice,ETH,collateral,{amount},2000,8250\nmine,alice,USDC,debt,14000,1,\n"
        )
    assert re.search(r"ETH in Book mine 20[,.]0+ 8[,.]0+ ", asked(*map(str, books))[1])
    refused = RUNNER.invoke(app, ["timeline", week[0], str(books[0])])
    assert "b is a file and stands at no block, monday is a snapshot" in str(refused.exception)


def test_a_long_comparison_says_where_it_is(week: list[str]) -> None:
    said: list[str] = []
    timeline([build(load(Path(folder))) for folder in week], progress=said.append)
    assert [text for text in said if "who has what" in text] == [
        "monday to tuesday, 1 of 2: what is stated, and who has what",
        "tuesday to wednesday, 2 of 2: what is stated, and who has what",
    ]
    assert sum("health factors" in text for text in said) == 4


def test_one_snapshot_or_one_time_twice_is_refused(week: list[str]) -> None:
    for words, said in ((week[:1], "at least two"), ([week[0], week[0]], "each time once")):
        result = RUNNER.invoke(app, ["timeline", *words])
        assert result.exit_code != 0 and said in str(result.exception)


def test_snapshots_of_one_name_are_told_apart_by_their_folders(week: list[str], tmp_path: Path) -> None:
    folders = [str(tmp_path / name) for name in ("first", "second")]
    for folder, source in zip(folders, week, strict=False):
        save(replace(load(Path(source)), name="mine"), Path(folder))
    for verb in ("diff", "timeline"):
        shown = " ".join(RUNNER.invoke(app, [verb, *folders], env={"COLUMNS": "400"}).stdout.split())
        assert f"From mine ({folders[0]}) to mine ({folders[1]})".replace(" ", "") in shown.replace(" ", "")
        assert "From monday to tuesday" in " ".join(RUNNER.invoke(app, [verb, *week[:2]]).stdout.split())
    told = json.loads(RUNNER.invoke(app, ["timeline", *folders, "--json"]).stdout)
    assert [one["folder"] for one in told["snapshots"]] == folders
    assert [told["changes"][0][end] for end in ("from", "to")] == [f"mine ({folder})" for folder in folders]
    sides = json.loads(RUNNER.invoke(app, ["diff", *folders, "--json"]).stdout)
    assert [sides[end]["folder"] for end in ("before", "after")] == folders
    twice = RUNNER.invoke(app, ["timeline", folders[0], str(tmp_path / "first" / ".." / "first")])
    assert f"mine ({folders[0]}) and mine ({tmp_path}/first/../first) both stand at" in str(twice.exception)
    turned = RUNNER.invoke(app, ["diff", *folders[::-1]])
    assert f"BEFORE, mine ({folders[1]}), is the later one" in str(turned.exception)


def lined_up(snapshots: int, rows: int) -> Timeline:
    """A timeline of a figure that grows."""
    table = [
        ("asset", f"a{row}", None, f"asset {row}", "supplied_usd", tuple(1e6 * (row + n) for n in range(snapshots)))
        for row in range(rows)
    ]
    columns = ["kind", "node", "asset", "label", "figure", "values"]
    return Timeline(tuple(map(str, range(snapshots))), pd.DataFrame(table, columns=columns), ())


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        (40, SHOWN + 3, "not shown: 3 more rows and snapshots 2 to "),
        (3, SHOWN + 1, "not shown: 1 more row; --json has all"),
        (3, SHOWN, ""),
    ],
)
def test_a_long_timeline_fits_the_page_and_says_what_it_leaves_out(
    capsys: pytest.CaptureFixture[str], columns: int, rows: int, said: str
) -> None:
    _table(Page(), lined_up(columns, rows), Figure.supplied)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].split()[2] == "1"
    assert lines[1].split()[-1] == str(columns)
    assert (said in lines[-1]) if said else ("not shown" not in lines[-1])
