"""Questions answered from Parquet against sums over Python integers, with amounts up to the largest that a contract can hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chain.errors import InputError, SnapshotError
from chain.snapshot import Snapshot, save
from chain.units import UINT256_MAX
from graph.large import DIGITS, largest_owners, positions_of, totals
from tests.graph.random_world import MARKET, Draw, world_of
from tests.graph.small_world import small_world

EDGES = [0, 1, 10**DIGITS - 1, 10**DIGITS, 10 ** (2 * DIGITS) - 1, 10 ** (2 * DIGITS), 10**77, UINT256_MAX]


def crowd_of(amounts: list[int]) -> Snapshot:
    draws: list[Draw] = [
        (number, asset, side, amount, True)
        for number, amount in enumerate(amounts)
        for asset, side in (("weth", "supply"), ("usdc", "debt"))
    ]
    return small_world(world_of(draws))


@pytest.fixture(scope="module")
def amounts() -> list[int]:
    rng = np.random.default_rng(3)
    return [int(rng.integers(1, 10**9)) * 10 ** int(rng.integers(0, 60)) + number for number in range(300)]


@pytest.fixture(scope="module")
def snapshot(amounts: list[int]) -> Snapshot:
    return crowd_of(amounts)


@pytest.fixture(scope="module")
def folder(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(snapshot, tmp_path_factory.mktemp("large") / "world")


def test_totals_are_sums_of_python_integers(folder: Path, snapshot: Snapshot) -> None:
    wanted: dict[tuple[str, ...], list[int]] = {}
    for row in snapshot["positions"].itertuples():
        wanted.setdefault((row.market, row.asset, row.side), []).append(row.amount_raw)
    found = {(row.market, row.asset, row.side): (row.positions, row.amount_raw) for row in totals(folder).itertuples()}
    assert found == {key: (len(values), sum(values)) for key, values in wanted.items()} and len(found) >= 2


@pytest.mark.parametrize("amount", EDGES)
def test_every_length_of_amount_is_exact(amount: int, tmp_path: Path) -> None:
    text = pd.DataFrame(
        {"market": ["m"] * 3, "asset": ["a"] * 3, "side": ["supply"] * 3, "amount_raw": [str(amount)] * 3}
    )
    text.to_parquet(tmp_path / "positions.parquet")
    assert totals(tmp_path)["amount_raw"].tolist() == [3 * amount]


def test_largest_owners_and_their_rows(folder: Path, snapshot: Snapshot, amounts: list[int]) -> None:
    positions = snapshot["positions"]
    asset = positions["asset"].iloc[0]
    found = largest_owners(folder, MARKET, asset, "supply", top=7)
    assert found["amount_raw"].tolist() == sorted(amounts, reverse=True)[:7]
    best = found["owner"].iloc[0]
    mine, kept = positions_of(folder, best), positions[positions["owner"] == best]
    assert sorted(mine["amount_raw"]) == sorted(kept["amount_raw"]) and len(mine) == 2
    assert set(mine["side"]) == {"supply", "debt"} and mine["amount_raw"].iloc[0] == max(amounts)
    assert positions_of(folder, "nobody").empty


def test_what_cannot_be_asked_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"has no positions\.parquet"):
        totals(tmp_path)
    (tmp_path / "positions.parquet").write_text("no table", encoding="utf-8")
    with pytest.raises(SnapshotError, match="cannot be asked"):
        totals(tmp_path)
    for top, side in ((0, "supply"), (1, "borrow")):
        with pytest.raises(InputError, match="ask for at least 1 owner"):
            largest_owners(folder, MARKET, "weth", side, top)
