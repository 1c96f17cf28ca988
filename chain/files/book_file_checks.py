"""Checks of a user's book: sides, prices, names, units and shares, column by column. What rows say against each other besides: `book_file.read_book`."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.files.book_file import OPTIONAL, RANGES, REQUIRED, wanted_of
from chain.files.file_findings import Noted, above_zero, alike, contradicting, needed, numbers
from chain.files.unit_checks import check_units

APART = 0.02
"""How far prices of one asset may lie apart in two markets: two feeds, each of which waits for a move of a hundredth."""
LEAST_PER_CENT, MOST_PER_CENT = 20, 99
"""A threshold of so many basis points is meant in per cent. Lower ones are used: Aave lists assets that count in a category alone with 10."""

MOST_USD = 1e15
"""A position worth more is a slip of units, not one of anybody's."""
ADDRESS = r"0x[0-9a-fA-F]{40}"

FloatArray = npt.NDArray[np.float64]


def check_book(noted: Noted, frame: pd.DataFrame) -> None:
    """Note problems of a book."""
    if not needed(noted, frame, REQUIRED, OPTIONAL):
        return
    prices = above_zero(noted, frame, "price")
    amounts = numbers(noted, frame, "amount")
    noted.rows("error", "not_above_zero", frame, "amount", amounts < 0, "is negative")
    sides = ~frame["side"].isin(["collateral", "debt"]).to_numpy()
    noted.rows("error", "column", frame, "side", sides, "is no side; write collateral or debt")
    contradicting(noted, frame, ["market", "position_id", "asset", "side"], "amount")
    check_units(noted, frame, "asset", "amount", amounts)
    _worth(noted, frame, amounts * prices)
    _prices(noted, frame, prices)
    _names(noted, frame)
    for field, (least, most, _) in RANGES.items():
        if field in frame.columns:
            values = numbers(noted, frame, field)
            outside, parted = (values < least) | (values > most), np.isfinite(values) & (values != np.floor(values))
            if field == "threshold_bps":
                parted &= values > 1
            wanted = wanted_of(field)
            noted.rows("error", "range", frame, field, outside, f"is out of its range; {wanted}")
            noted.rows("error", "range", frame, field, parted & ~outside, f"is no whole number; {wanted}")
    if "threshold_bps" in frame.columns:
        limits = pd.to_numeric(frame["threshold_bps"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        meant = "write hundredths of a per cent: 8200 is 82 %"
        noted.rows("error", "per_cent", frame, "threshold_bps", (limits > 0) & (limits < 1), f"is below 1; {meant}")
        small = (limits >= LEAST_PER_CENT) & (limits <= MOST_PER_CENT)
        noted.rows("warning", "per_cent", frame, "threshold_bps", small, f"is less than 1 % of the value; {meant}")


def _worth(noted: Noted, frame: pd.DataFrame, values: FloatArray) -> None:
    """Note positions that are worth more than anything is; where amounts are already known to be in smallest units, that is why."""
    if any(finding.kind in ("raw_units", "mixed_units") for finding in noted.found):
        return
    in_usd = np.array([quote == "USD" for quote in _quotes(frame)], dtype=np.bool_)
    places = np.flatnonzero(in_usd & (values > MOST_USD))
    if len(places):
        row = frame.iloc[places[0]]
        where = {
            "row": int(frame.index[places[0]]),
            "column": "amount",
            "symbol": str(row["asset"]),
            "rows": len(places),
        }
        sentence = f"at its price worth ${values[places[0]]:.3g}, more than anything is: smallest units, or a price with its decimals?"
        noted.warn("raw_units", sentence.replace("e+", "e"), value=str(row["amount"]), **where)


def _quotes(frame: pd.DataFrame) -> list[str]:
    """The currency of each row: US dollars where none is stated."""
    stated = frame["quote"].tolist() if "quote" in frame else [None] * len(frame)
    return ["USD" if pd.isna(quote) else str(quote) for quote in stated]


def _prices(noted: Noted, frame: pd.DataFrame, prices: FloatArray) -> None:
    """Note assets with two prices: in one market an error, in two markets that count in one currency a warning where they are far apart."""
    rows = frame.assign(price=prices, row=frame.index, quote=_quotes(frame))
    rows = rows[["market", "asset", "quote", "price", "row"]].dropna()
    for keys, most in ((["market", "asset"], 0.0), (["asset", "quote"], APART)):
        first = rows.groupby(keys)[["market", "price", "row"]].transform("first")
        rows = rows.assign(to=first["market"], at=first["price"], of=first["row"])
        for asset, other in rows[np.abs(rows["price"] / rows["at"] - 1) > most].groupby("asset"):
            one = other.iloc[0]
            where = {"row": int(one["row"]), "column": "price", "symbol": str(asset), "rows": len(other)}
            where["value"] = f"{one['price']:.10g}"
            there = f"is {one['at']:.10g} in row {one['of']}"
            if keys[0] == "market":
                noted.error("contradicting", f"{there}, in the same market; make them agree", **where)
            else:
                sentence = f"{there}, market {one['to']}: equal names are one asset; name them apart if they are two"
                noted.warn("disagrees", sentence, **where)
        rows = rows.assign(price=rows["at"])


def _names(noted: Noted, frame: pd.DataFrame) -> None:
    """Note assets whose names differ by case only, which may be two, and addresses that do, which are one."""
    assets = (
        "two assets with prices of their own, and a shock on either name moves both; write both alike if they are one"
    )
    alike(noted, frame, ("asset",), assets)
    holders = frame["position_id"].astype("str")
    is_other = holders.str.fullmatch(ADDRESS) & (holders != holders.groupby(holders.str.lower()).transform("first"))
    sentence = "is the address of an earlier row in another case, so it is read as another position; write both alike"
    noted.rows("error", "look_alike", frame, "position_id", is_other.to_numpy(dtype=np.bool_), sentence)
