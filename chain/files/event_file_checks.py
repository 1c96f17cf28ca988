"""Checks of what else users bring: logs of liquidations, exposures, depth quotes, forecasts, and tables that are none of these."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.files.event_files import DEPTH, LIQUIDATIONS
from chain.files.exposure_file import OPTIONAL as EXPOSURES_OPTIONAL
from chain.files.exposure_file import REQUIRED as EXPOSURES
from chain.files.file_findings import Noted, above_zero, alike, contradicting, empties, needed, numbers, repeated
from chain.files.forecast_file import FORECASTS, QUANTILES
from chain.files.stamp_checks import instants
from chain.files.unit_checks import ALL, RAW_AMOUNT, check_units

TRANSACTION = ("transaction", "transaction_hash", "tx_hash", "log_index", "event_id")
NAMES_OF_ASSETS = ("asset", "symbol", "token")
AMOUNT = re.compile(r"(?!.*usd)(.*_)?amount(_.*)?", re.IGNORECASE)
"""Columns of a table of no contract that are taken for an asset's name and for an amount of it."""
SPREAD = 2 * 1.6449
"""Standard deviations from the 5th to the 95th percentile of a normal law."""
MOST_SPREAD_RATIO = 100.0
EXACT = 2.0**53

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def check_liquidations(noted: Noted, frame: pd.DataFrame, now_s: float) -> FloatArray | None:
    """Note all problems of a log of liquidations; its instants, None where a column is missing."""
    if not needed(noted, frame, LIQUIDATIONS):
        return None
    time_s = instants(noted, frame, "timestamp", now_s)
    for symbol, amount in (("collateral_symbol", "collateral_amount"), ("debt_symbol", "debt_amount")):
        values = above_zero(noted, frame, amount)
        check_units(noted, frame, symbol, amount, values)
    repeated(noted, frame)
    key = [name for name in LIQUIDATIONS if name != "pool"]
    near = frame.duplicated(key).to_numpy() & ~frame.duplicated().to_numpy()
    noted.rows(
        "warning",
        "repeated",
        frame,
        "timestamp",
        near,
        "equals an earlier event in all but its pool, liquidator or further columns",
    )
    if not set(TRANSACTION) & set(frame.columns):
        noted.warn(
            "no_identity",
            "no column names the transaction: two equal events cannot be told from one written twice",
            rows=len(frame),
        )
    pools = frame["pool"].value_counts()
    if len(pools) > 1:
        other = (frame["pool"] != pools.index[0]).to_numpy()
        sentence = f"events of {len(pools)} pools in one log; {len(frame) - int(other.sum()):,} of the largest, {pools.index[0]}"
        noted.rows("warning", "several_pools", frame, "pool", other, sentence)
    return time_s


def check_exposures(noted: Noted, frame: pd.DataFrame) -> None:
    """Note problems of a file of exposures."""
    if not needed(noted, frame, EXPOSURES, EXPOSURES_OPTIONAL):
        return
    above_zero(noted, frame, "amount_usd")
    itself = (frame["holder"] == frame["claim_on"]).to_numpy()
    noted.rows(
        "error",
        "contradicting",
        frame,
        "claim_on",
        itself,
        "has a claim on itself; take the row out, it nets to nothing",
    )
    key = ["holder", "claim_on", *(name for name in ("kind", "seniority") if name in frame.columns)]
    contradicting(noted, frame, key, "amount_usd")
    alike(noted, frame, ("holder", "claim_on"), "two names of their own; write both alike if they are one")


def check_depth(noted: Noted, frame: pd.DataFrame) -> None:
    """Note problems of depth quotes: by pair, more in must bring more out, and each unit less than the one before."""
    if not needed(noted, frame, DEPTH):
        return
    values = {name: above_zero(noted, frame, name) for name in ("amount_in", "amount_out")}
    whole = np.concatenate(list(values.values()))
    whole = whole[np.isfinite(whole)]
    if len(whole) and np.mean(whole == np.floor(whole)) > ALL and np.median(whole) > RAW_AMOUNT:
        sentence = (
            "amounts are whole numbers of billions and more: smallest units? divide them by 10^decimals of each token"
        )
        noted.rows("error", "raw_units", frame, "amount_in", np.ones(len(frame), dtype=np.bool_), sentence)
    itself = (frame["sold_asset"] == frame["bought_asset"]).to_numpy()
    noted.rows("error", "contradicting", frame, "bought_asset", itself, "an asset is sold for itself")
    pair = frame["sold_asset"].astype(str) + " for " + frame["bought_asset"].astype(str)
    codes, names = pd.factorize(pair)
    order = np.lexsort((values["amount_out"], values["amount_in"], codes))
    order = order[np.isfinite(values["amount_in"][order]) & np.isfinite(values["amount_out"][order])]
    code, x, y = codes[order], values["amount_in"][order], values["amount_out"][order]
    if not len(order):
        return
    same = code[1:] == code[:-1]
    again = np.append(False, same & (x[1:] == x[:-1]))
    falls = np.append(False, same & (x[1:] > x[:-1]) & (y[1:] < y[:-1]))
    start = np.append(True, ~same)
    x0, y0 = np.where(start, 0.0, np.roll(x, 1)), np.where(start, 0.0, np.roll(y, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (y - y0) / (x - x0)
        bends = np.append(False, same & (slope[1:] > slope[:-1] * (1 + 1e-9)) & np.isfinite(slope[:-1]))
    dearer = "each unit brings more than of the sale before it: quotes of several instants?"
    for kind, mask, sentence in (
        ("contradicting", again, "this size is quoted twice"),
        ("not_rising", falls, "a larger sale brings less than a smaller one"),
        ("not_concave", bends & ~falls & ~again, dearer),
    ):
        for number in np.unique(code[mask]):
            mine = order[mask & (code == number)]
            first = int(mine.min())
            where = {"row": int(frame.index[first]), "symbol": str(names[number]), "rows": len(mine)}
            tell = noted.warn if kind == "not_concave" else noted.error
            tell(kind, sentence, column="amount_out", value=f"{values['amount_out'][first]:.10g}", **where)


def check_forecasts(noted: Noted, frame: pd.DataFrame, now_s: float) -> FloatArray | None:
    """Note problems of a file of forecasts; its instants, None where a column is missing."""
    if not needed(noted, frame, FORECASTS):
        return None
    time_s = instants(noted, frame, "as_of", now_s)
    above_zero(noted, frame, "horizon_hours")
    variance = numbers(noted, frame, "variance")
    noted.rows("error", "not_above_zero", frame, "variance", variance < 0, "is negative")
    for names in (QUANTILES, tuple(f"v{name}" for name in QUANTILES)):
        if not set(names) <= set(frame.columns):
            continue
        found = np.stack([numbers(noted, frame, name) for name in names], axis=1)
        crossed: BoolArray = np.asarray((np.diff(found, axis=1) < 0).any(axis=1))
        noted.rows("error", "quantiles", frame, names[0], crossed, f"{', '.join(names)} do not rise from left to right")
        if names == QUANTILES:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = ((found[:, -1] - found[:, 0]) / SPREAD) ** 2 / variance
            off: BoolArray = (variance > 0) & ((ratio > MOST_SPREAD_RATIO) | (ratio < 1 / MOST_SPREAD_RATIO))
            noted.rows(
                "warning",
                "quantiles",
                frame,
                "variance",
                np.asarray(off & ~crossed),
                "the variance and the width of the quantiles differ more than a hundredfold; is one of them annualised?",
            )
    contradicting(noted, frame, ["as_of", "asset", "horizon_hours", "model"], "variance")
    return time_s


def check_table(noted: Noted, frame: pd.DataFrame) -> None:
    """Note what can be seen in any table."""
    empties(noted, frame)
    repeated(noted, frame)
    texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    if texts and len(texts) < len(frame.columns):
        again = frame.duplicated(texts).to_numpy() & ~frame.duplicated().to_numpy()
        if again.mean() < 0.5:
            sentence = f"{', '.join(map(str, texts))} are those of an earlier row and the numbers are not: add them up, or tell them apart"
            noted.rows("warning", "same_key", frame, str(texts[0]), again, sentence)
    asset = next((name for name in NAMES_OF_ASSETS if name in frame.columns), None)
    for name in frame.columns:
        if asset and AMOUNT.fullmatch(str(name)) and pd.api.types.is_numeric_dtype(frame[name]):
            check_units(noted, frame, asset, str(name), frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        if frame[name].dtype == np.float64:
            values = frame[name].to_numpy()
            with np.errstate(invalid="ignore"):
                lost = (np.abs(values) > EXACT) & (values == np.floor(values))
            sentence = "whole numbers beyond 2^53 held as decimals lose their last digits: read them as text, or are they smallest units?"
            noted.rows("warning", "digits", frame, str(name), lost, sentence)
        if pd.api.types.is_float_dtype(frame[name]) or pd.api.types.is_integer_dtype(frame[name]):
            values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
            low = values <= 0
            if 0 < low.mean() < 0.05:
                noted.rows(
                    "warning",
                    "not_above_zero",
                    frame,
                    str(name),
                    low,
                    "is not above zero, almost all other rows are",
                )
        elif not pd.api.types.is_bool_dtype(frame[name]):
            _half_numbers(noted, frame, str(name))


def not_readable(noted: Noted, error: Exception, path: Path, columns: Sequence[str] = ()) -> None:
    """Note the sentence with which a reader refused a file, and the row and the one of its columns that it names, if any; not where an error of that row is noted already."""
    known = {one.row for one in noted.found if one.severity == "error"}
    words = str(error).removeprefix(str(path)).removeprefix(f"{path.name} ").lstrip(": ")
    row, _, rest = words.removeprefix("row ").partition(":")
    if words.startswith("row ") and row.isdigit():
        if int(row) not in known:
            first = next(iter(rest.split()), "")
            noted.error("refused", rest.strip(), row=int(row), column=first if first in columns else "")
    elif not known:
        noted.error("refused" if columns else "unreadable", words)


def _half_numbers(noted: Noted, frame: pd.DataFrame, name: str) -> None:
    """Note the texts of a column that holds numbers otherwise."""
    texts = frame[name].astype("str").where(frame[name].notna())
    values = pd.to_numeric(texts, errors="coerce")
    other = (values.isna() & frame[name].notna()).to_numpy()
    if 0 < other.sum() < 0.5 * frame[name].notna().sum():
        noted.rows("error", "number", frame, name, other, "is no number, most other rows are")
    elif not other.any() and frame[name].notna().any():
        large = (values.abs() > EXACT).to_numpy()
        noted.rows(
            "warning",
            "raw_units",
            frame,
            name,
            large,
            "whole numbers beyond 2^53: smallest units; divide by 10^decimals",
        )
