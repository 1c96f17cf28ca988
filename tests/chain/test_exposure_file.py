"""Exposures as a file: what becomes of the rows, and one clear sentence for everything that cannot be used."""

from pathlib import Path

import pandas as pd
import pytest

from chain.errors import InputError
from chain.files.exposure_file import is_exposures, read_exposures

HEAD = "holder,claim_on,amount_usd,kind,seniority\n"
GOOD = HEAD + "alice,Fund,60,share,\nbob,Fund,40.000000000000000000001,,\nFund,Bank,70,deposit,0\nBank,Fund,20,,\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "claims.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_exact_amounts_with_their_row_as_evidence(tmp_path: Path) -> None:
    snapshot = read_exposures(written(tmp_path, GOOD))
    assets = snapshot["assets"].set_index("symbol")
    assert assets.at["Fund", "decimals"] == 21
    assert assets.at["Fund", "total_supply_raw"] == 120 * 10**21 + 1
    balances = snapshot["balances"]
    assert balances[["asset", "amount_raw", "evidence"]].to_numpy().tolist() == [
        ["file:Fund", 60 * 10**21, "claims.csv row 2 (kind share)"],
        ["file:Fund", 40 * 10**21 + 1, "claims.csv row 3"],
    ]
    backings = snapshot["backings"].set_index("claim")
    assert backings.at["file:Fund", "evidence"] == "claims.csv row 4 (kind deposit, seniority 0)"
    assert backings["rate_wad"].to_dict() == {
        "file:Fund": 10**18 * 70 * 10**21 // (120 * 10**21 + 1),  # 70 behind 120 and a little
        "file:Bank": 20 * 10**18 // 70,
    }
    assert {status for table in snapshot.tables.values() if "status" in table for status in table["status"]} == {"file"}
    assert snapshot.anchors == ()


def test_what_is_left_over_belongs_to_the_name_itself(tmp_path: Path) -> None:
    snapshot = read_exposures(written(tmp_path, HEAD + "a,B,10,,\nB,C,30,,\n"))
    assert snapshot["backings"]["rate_wad"].tolist() == [10**18]


def test_one_pair_may_have_claims_of_several_kinds(tmp_path: Path) -> None:
    snapshot = read_exposures(written(tmp_path, HEAD + "a,B,10,loan,0\na,B,5,loan,1\na,B,1,,\n"))
    assert snapshot["balances"]["amount_raw"].tolist() == [16 * 10**18]
    evidence = "claims.csv row 2 (kind loan, seniority 0); claims.csv row 3 (kind loan, seniority 1); claims.csv row 4"
    assert snapshot["balances"]["evidence"].tolist() == [evidence]


def test_parquet_is_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame({"holder": ["a", "B"], "claim_on": ["B", "C"], "amount_usd": [10.5, 3.0]})
    frame["seniority"] = [0, None]  # pandas makes decimals of whole numbers beside an empty cell
    frame.to_parquet(tmp_path / "claims.parquet")
    text = written(tmp_path, "holder,claim_on,amount_usd,seniority\na,B,10.5,0\nB,C,3,\n")
    one, other = read_exposures(tmp_path / "claims.parquet"), read_exposures(text)
    assert one["balances"]["amount_raw"].tolist() == other["balances"]["amount_raw"].tolist() == [10_500 * 10**15]
    assert is_exposures(tmp_path / "claims.parquet") and is_exposures(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"is empty; it needs the columns holder, claim_on, amount_usd"),
        (HEAD, r"has a header and no rows"),
        ("holder,amount_usd\na,1\n", r"column claim_on is missing"),
        ("holder;claim_on;amount_usd\na;B;1\n", r"save the file with commas"),
        ("holder,claim_on,amount_usd,weight\na,B,1,2\n", r"no column named 'weight'"),
        (HEAD + "a,B,-1,,\n", r"row 2: amount_usd is '-1'; give a finite number above zero"),
        (HEAD + "a,B,nan,,\n", r"row 2: amount_usd is 'nan'"),
        (HEAD + "a,B,inf,,\n", r"row 2: amount_usd is 'inf'"),
        (HEAD + "a,B,0,,\n", r"row 2: amount_usd is '0'; give a finite number above zero"),
        (HEAD + "a,B,1 000,,\n", r"row 2: amount_usd is '1 000'; write a plain number"),
        (HEAD + "a,B,,,\n", r"row 2: amount_usd is empty"),
        (HEAD + ",B,1,,\n", r"row 2: holder is empty"),
        (HEAD + "a,B,1e80,,\n", r"row 2: amount_usd is '1e80'; that is beyond 40 digits"),
        (
            HEAD + "a,B,1,,\na,C,9e39,,\na,C,0.0000000000000000000000000000000000000001,x,\n",
            r"row 3: amount_usd is 9E\+39",
        ),
        (HEAD + "a,B,1,,\nB,B,1,,\n", r"row 3: 'B' has a claim on itself"),
        (HEAD + "a,B,1,,\na,B,2,,\n", r"row 3: the claim of 'a' on 'B' is already in row 2"),
        (HEAD + "a,B,1,,first\n", r"row 2: seniority is 'first'"),
        (HEAD + "a,B,1,,-1\n", r"row 2: seniority is '-1'"),
        (HEAD + "a,B,1,,1.5\n", r"row 2: seniority is '1.5'"),
        ("Holder,claim_on,amount_usd\na,B,1\n", r"column holder is missing; it needs .* and has Holder, claim_on"),
        (HEAD + "a,B,1\n", r"row 2: 3 cells under 5 columns"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_exposures(written(tmp_path, text))


def test_sums_that_do_not_fit_are_said(tmp_path: Path) -> None:
    rows = "".join(f"h{number},B,1e39,,\n" for number in range(120)) + f"x,B,{'0.' + 38 * '0' + '1'},,\n"
    with pytest.raises(InputError, match=r"the claims on 'B' add up to more than fits|amount_usd is"):
        read_exposures(written(tmp_path, HEAD + rows))
