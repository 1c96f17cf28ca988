"""A move of exactly the smallest one is told, measured against what was there before: by hand, in files of claims, a small world and books."""

from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from chain.errors import InputError
from chain.files.exposure_file import read_exposures
from graph.build import build
from graph.changes.smallest_move import exact, is_told, is_told_of_floats
from graph.changes.table import changes
from graph.changes.words import in_words
from graph.protocol_graph import ProtocolGraph
from tests.graph.small_world import WAD, small_rows, small_world


def claims(folder: Path, name: str, amount: object) -> ProtocolGraph:
    path = folder / f"{name}.csv"
    path.write_text(f"holder,claim_on,amount_usd\nalice,Fund,{amount}\nbob,Fund,7\n")
    return build(read_exposures(path))


# before, after, smallest move in parts of what it was, whether it is told
MOVES = [
    *((100, 99, 0.01, True), (100, 101, 0.01, True), (100, "99.000001", 0.01, False), (100, "100.999999", 0.01, False)),
    *((100, 150, 0.5, True), (100, 150, 0.4, True), (100, 150, 0.51, False), (150, 100, 0.4, False), (150, 100, 0.33, True)),
    *((100, 1000, 9, True), (100, "999.999999", 9, False), (100, 100, 0, False), (100, "100.000001", 0, True)),
    *((100, 107, 0.07, True), (100, 93, 0.07, True), (100, 129, 0.29, True)),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "least", "told"), MOVES)
def test_claims(tmp_path: Path, was: object, now: object, least: float, told: bool) -> None:
    found = changes(claims(tmp_path, "one", was), claims(tmp_path, "other", now), least)
    assert found["label"].tolist() == (["alice"] if told else [])


@cache
def priced(price: object) -> ProtocolGraph:
    """The small world with WETH at this price."""
    rows = small_rows()
    rows["prices"][0] = {**rows["prices"][0], "price_raw": round(Fraction(str(price)) * 10**8)}
    return build(small_world(rows))


@pytest.mark.parametrize(("was", "now", "least", "told"), MOVES)
def test_prices(was: object, now: object, least: float, told: bool) -> None:
    """The same moves of a price, in hundreds of millionths of a dollar as the market states it: what is supplied moves along."""
    found = changes(priced(was), priced(now), least)
    assert (found["topic"] == "price").any() == told
    assert ((found["topic"] == "amount") & found["label"].str.startswith("WETH")).any() == told


def test_rates_and_what_is_behind() -> None:
    rows = small_rows()
    was = rows["backings"][0]["amount_raw"], rows["backings"][0]["rate_wad"]
    assert was == (1170 * WAD, 117 * WAD // 100)
    # 10 % of 1,170 is 117
    rows["backings"][0] = {**rows["backings"][0], "amount_raw": 1287 * WAD, "rate_wad": 1287 * WAD // 1000}
    one, other = build(small_world()), build(small_world(rows))
    assert in_words(changes(one, other, 0.1)) == [
        "Behind lstETH: WETH from 1,170 to 1,287, rate of WETH from 1.17 to 1.287."
    ]
    assert not len(changes(one, other, 0.1000001))


@pytest.mark.parametrize("least", [0.01, 1, 5, 1e6, 1e306])
def test_from_nothing_is_always_told(least: float) -> None:
    assert is_told(Fraction(0), Fraction(1, 10**18), exact(least)) and not is_told(Fraction(0), Fraction(0), exact(0))
    assert is_told_of_floats(0.0, 1e-18, exact(least)) and not is_told_of_floats(0.0, 0.0, exact(0))


def test_a_smallest_move_beyond_every_amount_tells_only_what_is_new(tmp_path: Path) -> None:
    one, other = claims(tmp_path, "one", 100), claims(tmp_path, "other", 10**12)
    for least in (1e11, 1e306, Fraction(10) ** 306):
        assert not len(changes(one, other, least))
    assert len(changes(one, other, 9_999_999_999)) == 1  # 10^12 / 100 - 1
    (tmp_path / "more.csv").write_text("holder,claim_on,amount_usd\nalice,Fund,100\nbob,Fund,7\ncarol,Fund,1\n")
    more = changes(one, build(read_exposures(tmp_path / "more.csv")), 1e306)
    assert more["label"].tolist() == ["carol"]


@pytest.mark.parametrize("least", [float("inf"), float("nan"), -0.01, Fraction(-1)])
def test_what_is_no_size_is_refused(tmp_path: Path, least: float | Fraction) -> None:
    one = claims(tmp_path, "one", 100)
    with pytest.raises(InputError, match=r"smallest move: .*give 0 or more"):
        changes(one, one, least)
