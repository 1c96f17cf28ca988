"""What the checks say of any file: one that is no table, columns by other names, a table of no known kind; and that the documents list all kinds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chain.errors import InputError
from chain.files.file_checks import CONTRACTS, check_files
from chain.files.file_findings import KINDS
from chain.files.frames import open_frame
from tests.chain.checked_files import NOW, only


def test_a_file_that_is_no_table_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3,4,5\n", encoding="utf-8")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name, words in (("broken.csv", "line 3"), ("broken.parquet", "Parquet")):
        [found] = check_files([tmp_path / name], NOW)
        assert only(found, "unreadable").severity == "error" and words in found.findings[0].sentence
    with pytest.raises(InputError, match="did you mean prices"):
        check_files([tmp_path / "broken.csv"], NOW, kind="price")


def test_columns_by_other_names_blank_lines_and_tokens_called_na(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "Date,close,Last,ticker\n\n2022-01-01T00:00:00Z,9,1,NA\n\n2022-01-01T01:00:00Z,9,0,NULL\n", encoding="utf-8"
    )
    mapping = {"timestamp": "Date", "close": "Last", "symbol": "ticker"}
    frame = open_frame(path, mapping)
    assert (
        frame["symbol"].tolist() == ["NA", "NULL"]
        and frame["close"].tolist() == [1, 0]
        and frame.index.tolist() == [3, 5]
    )
    [found] = check_files([path], NOW, columns=mapping)
    assert (found.kind, only(found, "not_above_zero").row, only(found, "not_above_zero").symbol) == (
        "prices",
        5,
        "NULL",
    )
    [found] = check_files([path], NOW, columns={"close": "Price"})
    assert "no column Price" in only(found, "unreadable").sentence


def test_columns_in_capitals_are_told(tmp_path: Path) -> None:
    (tmp_path / "head.csv").write_text("Holder,claim_on,Amount_USD\na,B,1\n", encoding="utf-8")
    [found] = check_files([tmp_path / "head.csv"], NOW)
    told = only(found, "column")
    assert told.severity == "error" and "exposures has Holder, Amount_USD in small letters" in told.sentence


def test_any_table_is_looked_at_for_what_can_be_seen(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"name": [f"n{n}" for n in range(40)], "x": np.arange(40) + 0.5, "raw": [str(10**20 + n) for n in range(40)]}
    )
    frame.loc[7, "name"], frame.loc[9, "x"], frame.loc[11, "name"] = "n6", -1.0, None
    [found] = [check_files([path], NOW)[0] for path in [tmp_path / "t.csv"] if frame.to_csv(path, index=False) is None]
    assert found.kind == "table"
    assert {(one.kind, one.row, one.column, one.rows) for one in found.findings} == {
        ("empty", 13, "name", 1), ("not_above_zero", 11, "x", 1), ("raw_units", 2, "raw", 40),
    }  # fmt: skip


def test_every_kind_of_problem_is_in_the_documents() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    assert [kind for kind, meaning in KINDS.items() if f"| {kind} | {meaning} |" not in page] == []
    assert all(f"`{kind}`" in page for kind in CONTRACTS)
