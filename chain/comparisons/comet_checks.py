"""Comparisons for Compound III: totals, reserves, who is liquidatable, what the storefront asks. Same form as `checks`.

That principals add up to totalSupplyBase and totalBorrowBase is `checks.stored_sums`, that amounts are balanceOf and borrowBalanceOf is
`checks.token_balances`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chain.accounting.comet import is_liquidatable, present_value, quote_collateral
from chain.comparisons.comparison import Comparison, Rows, Subject, compare, position_key, spread
from chain.snapshot import Check
from chain.tables import Row


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison of this file.

    Parameters
    ----------
    witnesses : `comet totals` by (market, base): totalSupply, totalBorrow, getReserves; `comet stored` by market: both indices as stored,
        baseScale, and scales of the collaterals; `comet liquidatable` by (market, account); `comet quote` by auction: base given, scale of the
        collateral, quoteCollateral.
    """
    stored, totals = witnesses.get("comet stored", {}), witnesses.get("comet totals", {})
    return [
        *collateral_sums(rows),
        base_totals(rows, totals),
        reserves(rows, totals),
        liquidatable(rows, stored, witnesses.get("comet liquidatable", {})),
        quotes(rows, stored, totals, witnesses.get("comet quote", {})),
    ]


def collateral_sums(rows: Rows) -> list[Comparison]:
    """The collateral of all accounts adds up to totalsCollateral: once for the positions, once for the reserves."""
    comets = {row["market"] for row in rows.get("markets", ()) if row["family"] == "comet"}
    held: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        if row["side"] == "collateral" and row["market"] in comets:
            held[row["market"], row["asset"]].append(row)
    pairs = {
        (row["market"], row["asset"]): (
            sum(one["stored_raw"] for one in held[row["market"], row["asset"]]),
            row["collateral_raw"],
        )
        for row in rows.get("reserves", ())
        if row["market"] in comets and row.get("collateral_raw") is not None
    }
    sums = compare("reserves", "collateral adds up to totalsCollateral", pairs)
    compared = spread(sums, {key: map(position_key, some) for key, some in held.items()})
    check = Check(
        "positions",
        "collateral of all accounts is totalsCollateral",
        len(compared.agreed | compared.differed),
        sums.check.failures,
    )
    return [sums, replace(compared, check=check)]


def base_totals(rows: Rows, answers: Mapping[Subject, Any]) -> Comparison:
    """Principals at the indices of the block are totalSupply and totalBorrow."""
    pairs: dict[Subject, tuple[Any, Any]] = {}
    for row in rows.get("reserves", ()):
        key = (row["market"], row["asset"])
        if key in answers:
            ours = _totals(row)
            pairs[key] = (ours, tuple(answers[key][:2]))
    return compare("reserves", "principals at the block's indices are totalSupply and totalBorrow", pairs)


def reserves(rows: Rows, answers: Mapping[Subject, Any]) -> Comparison:
    """What is held, less what is supplied, plus what is borrowed, is getReserves: the backstop's amount, or the reserve's deficit."""
    kept = {(row["market"], row["asset"]): row for row in rows.get("reserves", ())}
    pairs: dict[Subject, tuple[Any, Any]] = {}
    for row in rows.get("backstops", ()):
        key = (row["market"], row["asset"])
        if key in answers:
            base = kept[key]
            supplied, borrowed = _totals(base)
            ours = (base["balance_raw"] - supplied + borrowed, row["amount_raw"] - base["deficit_raw"])
            pairs[row["backstop"], *key] = (ours, (answers[key][2],) * 2)
    return compare("backstops", "reserves are getReserves", pairs)


def liquidatable(rows: Rows, stored: Mapping[Subject, Any], answers: Mapping[Subject, bool]) -> Comparison:
    """Each debtor is liquidatable by the rows, at the index that is stored, where isLiquidatable says so."""
    terms = {(row["market"], row["asset"]): row["liquidation_threshold_wad"] for row in rows.get("reserves", ())
             if row.get("liquidation_threshold_wad") is not None}  # fmt: skip
    price = {(row["market"], row["asset"]): row["price_raw"] for row in rows.get("prices", ())}
    held: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        held[row["market"], row["position_id"]].append(row)
    pairs: dict[Subject, tuple[bool, bool]] = {}
    for account, answer in answers.items():
        (_, index), scale, scales = stored[account[:1]]
        mine = held[account]
        if any((row["market"], row["asset"]) not in price for row in mine):
            continue
        posted = [
            (row["amount_raw"], price[row["market"], row["asset"]], scales[row["asset"]],
             terms[row["market"], row["asset"]])
            for row in mine if row["side"] == "collateral"
        ]  # fmt: skip
        debts = [row for row in mine if row["side"] == "debt"]
        owed = sum(present_value(row["stored_raw"], index) for row in debts)
        ours = bool(debts) and is_liquidatable(owed, price[account[0], debts[0]["asset"]], scale, posted)
        pairs[account] = (ours, answer)
    found = compare("positions", "accounts agree with isLiquidatable", pairs)
    return spread(found, {account: map(position_key, held[account]) for account in pairs})


def quotes(
    rows: Rows, stored: Mapping[Subject, Any], totals: Mapping[Subject, Any], answers: Mapping[Subject, Any]
) -> Comparison:
    """Prices and discount give quoteCollateral for one whole unit of base."""
    price = {(row["market"], row["asset"]): row["price_raw"] for row in rows.get("prices", ())}
    pairs = {}
    for row in rows.get("auctions", ()):
        key = (row["auction"],)
        if key not in answers or (row["market"], row["debt_asset"]) not in totals:
            continue
        given, scale, answer = answers[key]
        base_price = price[row["market"], row["debt_asset"]]
        base_scale = stored[row["market"],][1]
        mine = price[row["market"], row["collateral_asset"]]
        pairs[key] = (quote_collateral(given, base_price, base_scale, mine, scale, row["discount_wad"]), answer)
    return compare("auctions", "prices and discount give quoteCollateral", pairs)


def _totals(row: Row) -> tuple[int, int]:
    supplied = present_value(row["supplied_stored_raw"], row["supply_index_raw"])
    return supplied, present_value(row["borrowed_stored_raw"], row["borrow_index_raw"])
