"""Rows that did not move are left out of a comparison: the oracle looks at every pair with exact fractions."""

import random
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest

from graph.changes.moved_rows import moved_rows

KEYS, AMOUNTS = ("source", "target"), ("amount_raw", "cap_raw")
LIMIT = Fraction(1, 100)


def drawn(draw: random.Random) -> tuple[int | None, int | None]:
    """An amount before and after: equal, off by interest, exactly at the limit or a unit beyond it, or not read."""
    was = draw.randrange(100, 10**27) * 100
    at_limit = was - was // 100, was + was // 100
    near = [was, was + was // 10**6, *at_limit, at_limit[0] - 1, at_limit[0] + 1, at_limit[1] - 1, at_limit[1] + 1, was // 2, 0, None]  # fmt: skip
    return draw.choice(
        [*((was, now) for now in near), (0, was), (0, 0), (0, None), (None, was), (None, 0), (None, None)]
    )


@pytest.mark.parametrize("limit", [LIMIT, Fraction(0)])
def test_what_moved_stays_and_what_clearly_did_not_goes(limit: Fraction) -> None:
    draw = random.Random(7)
    old: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    for number in range(600):
        key, amounts = {"source": f"a{number}", "target": f"m{number % 3}"}, [drawn(draw) for _ in AMOUNTS]
        old += [key | dict(zip(AMOUNTS, (one for one, _ in amounts), strict=True))] if number % 10 else []
        moved = key | {"target": "elsewhere" if key["target"] == "m1" else key["target"]}
        new += [moved | dict(zip(AMOUNTS, (other for _, other in amounts), strict=True))] if number % 7 else []
    draw.shuffle(new)
    tables = [pd.DataFrame(rows, columns=[*KEYS, *AMOUNTS], dtype=object) for rows in (old, new)]
    left = moved_rows(tables[0], tables[1], KEYS, AMOUNTS, {"elsewhere": "m1"}, limit)
    kept = [{row["source"] for row in table.to_dict("records")} for table in left]
    before, after = ({row["source"]: row for row in rows} for rows in (old, new))
    for one in before.keys() | after.keys():
        if one not in before or one not in after:
            assert one in kept[0] | kept[1]
            continue
        pairs = [(before[one][name], after[one][name]) for name in AMOUNTS]
        sure, close = [], []
        for was, now in pairs:
            if was is None or now is None:
                sure.append(was is now)
                close.append(False)
                continue
            off = abs(was - now) - limit * was
            sure.append(was == now or off < 0)
            close.append(was != now and abs(off) < Fraction(1, 10**9) * max(was, now))
        assert (one in kept[0]) == (one in kept[1])
        assert all(sure) or one in kept[0], pairs  # nothing that moved is left out
        assert not all(sure) or any(close) or one not in kept[0], (
            pairs
        )  # and only what is close to the limit stays besides
    assert 0 < len(left[0]) < len(old)
