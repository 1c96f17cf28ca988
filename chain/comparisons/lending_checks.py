"""Comparisons for lending protocols that keep shares or principals: Compound V2 and Morpho Blue. Same form as `checks`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chain.accounting.compound_v2 import borrow_balance, exchange_rate, weighted_value
from chain.comparisons.comparison import Comparison, Rows, Subject, compare, position_key, spread
from chain.snapshot import Check
from chain.tables import Row
from chain.units import WAD


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison of this file.

    Parameters
    ----------
    witnesses : `stored debt` by position: borrowBalanceStored; `stored market` by (market, asset): what a cToken stores, its exchangeRateStored,
        and (accruals, writings, largest debt) of its events; `liquidity` by (market, account): getAccountLiquidity; `posted` by position: what
        its events leave of the collateral; `held by all markets` by (contract, asset): balanceOf; `oracle parts` by (market, asset): the price
        that they give.
    """
    stored = witnesses.get("stored market", {})
    return [
        share_sums(rows),
        exchange_rates(stored),
        stored_debts(rows, stored, witnesses.get("stored debt", {})),
        debt_sums(rows, stored),
        liquidities(rows, stored, witnesses.get("liquidity", {})),
        posted(rows, witnesses.get("posted", {})),
        held_by_all(rows, witnesses.get("held by all markets", {})),
        oracle_parts(rows, witnesses.get("oracle parts", {})),
    ]


def share_sums(rows: Rows) -> Comparison:
    """cTokens and Morpho's shares of all positions add up to the market's own totals; the positions that took part agree with it."""
    family = {row["market"]: row["family"] for row in rows.get("markets", ())}
    columns = {
        ("compound_v2", "supply"): "supplied_stored_raw",
        ("morpho_blue", "supply"): "supplied_stored_raw",
        ("morpho_blue", "debt"): "borrowed_stored_raw",
        ("maker", "debt"): "borrowed_stored_raw",
    }
    held: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        held[row["market"], row["asset"], row["side"]].append(row)
    pairs = {
        (row["market"], row["asset"], side): (
            sum(one["stored_raw"] for one in held[row["market"], row["asset"], side]),
            row[column],
        )
        for row in rows.get("reserves", ())
        for (of, side), column in columns.items()
        if family[row["market"]] == of
    }
    found = compare("positions", "shares add up to the market's total", pairs)
    return spread(found, {key: map(position_key, held[key]) for key in pairs})


def exchange_rates(stored: Mapping[Subject, Any]) -> Comparison:
    """The exchange rate of a cToken follows from its totals."""
    pairs = {
        key: (exchange_rate(market.supplied_raw, market.ctokens), rate)
        for key, (market, rate, _) in stored.items()
        if market.ctokens
    }
    return compare("reserves", "totals give exchangeRateStored", pairs)


def stored_debts(rows: Rows, stored: Mapping[Subject, Any], answers: Mapping[Subject, int]) -> Comparison:
    """Principal and index from the events give borrowBalanceStored, also where it is 0 and there is no row."""
    debts = {position_key(row): row for row in rows.get("positions", ()) if row["side"] == "debt"}
    pairs = {}
    for key, answer in answers.items():
        row, (market, _, _) = debts.get(key), stored[key[0], key[2]]
        if row is not None or answer:
            ours = borrow_balance(row["stored_raw"], row["index_unit_raw"], market.borrow_index) if row else 0
            pairs[key] = (ours, answer)
    return compare("positions", "principals from events give borrowBalanceStored", pairs)


def debt_sums(rows: Rows, stored: Mapping[Subject, Any]) -> Comparison:
    """Debts to a cToken are about its totalBorrows, both at the block; how far apart they are is said.

    No exact sum exists: accrueInterest rounds the sum down (less than 1 each time) and the index (less than 1e-18 of it, so of a debt),
    borrowFresh and repayBorrowFresh round the account's balance down (less than 1 each time). Every such error grows at most as the index
    did since, over its first value 1e18. So the sum lacks less than accruals x growth and has less than
    (writings + debts + accruals x the largest total / 1e18) x growth too much.
    """
    debts: dict[Subject, list[int]] = defaultdict(list)
    for row in rows.get("positions", ()):
        if row["side"] == "debt":
            debts[row["market"], row["asset"]].append(row["amount_raw"])
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures, residuals = [], []
    for row in rows.get("reserves", ()):
        key = (row["market"], row["asset"])
        if key not in stored:
            continue
        accruals, writings, most = stored[key][2]
        growth = -(-row["borrow_index_raw"] // WAD)
        residual = row["borrowed_stored_raw"] - sum(debts[key])
        too_much = growth * (
            writings + len(debts[key]) + -(-(accruals + 1) * max(most, row["borrowed_stored_raw"]) // WAD)
        )
        is_within = -growth * (accruals + 1) <= residual <= too_much
        (agreed if is_within else differed).add(key)
        text = f"{row['asset']} {residual:+d} of {row['borrowed_stored_raw']} (from {-growth * (accruals + 1)} to {too_much})"
        residuals.append(text)
        if not is_within:
            failures.append(f"{row['market']}: totalBorrows less the positions is {text}")
    note = "residuals: " + ", ".join(residuals) if residuals else ""
    name = "debts add up to totalBorrows within what rounding allows"
    return Comparison(
        Check("reserves", name, len(residuals), tuple(failures), note), frozenset(agreed), frozenset(differed)
    )


def liquidities(rows: Rows, stored: Mapping[Subject, Any], answers: Mapping[Subject, tuple[int, int]]) -> Comparison:
    """Liquidity and shortfall of each account, recomputed from its rows in the markets as they are stored, are getAccountLiquidity."""
    reserves = {(row["market"], row["asset"]): row for row in rows.get("reserves", ())}
    prices = {(row["market"], row["asset"]): row["price_raw"] for row in rows.get("prices", ())}
    held: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        held[row["market"], row["position_id"]].append(row)
    pairs: dict[Subject, tuple[Any, Any]] = {}
    taken: dict[Subject, list[Subject]] = {}
    for account, answer in answers.items():
        counted = [row for row in held[account] if row["side"] == "debt" or row["collateral_enabled"]]
        if any((row["market"], row["asset"]) not in prices for row in counted):
            continue
        collateral = owed = 0
        for row in counted:
            key = (row["market"], row["asset"])
            market, rate, _ = stored[key]
            if row["side"] == "debt":
                owed += (
                    prices[key] * borrow_balance(row["stored_raw"], row["index_unit_raw"], market.borrow_index) // WAD
                )
            else:
                factor = reserves[key]["liquidation_threshold_wad"]
                collateral += weighted_value(row["stored_raw"], factor, rate, prices[key])
        pairs[account] = ((max(collateral - owed, 0), max(owed - collateral, 0)), answer)
        taken[account] = [position_key(row) for row in counted]
    return spread(compare("positions", "accounts agree with getAccountLiquidity", pairs), taken)


def posted(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """What each account has posted is what its events left of it: supplied less withdrawn and seized."""
    amounts = {position_key(row): row["amount_raw"] for row in rows.get("positions", ()) if row["side"] == "collateral"}
    pairs = {key: (amounts.get(key, 0), answer) for key, answer in answers.items()}
    return compare("positions", "collateral is what events left of it", pairs)


def held_by_all(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """The contract that keeps all markets holds the collateral and the cash that they count; what it has beyond that is said."""
    contract = {row["market"]: row["address"] for row in rows.get("markets", ())}
    counted: dict[Subject, int] = defaultdict(int)
    for row in rows.get("reserves", ()):
        key = (contract[row["market"]], row["asset"])
        counted[key] += row["cash_raw"] + (row.get("collateral_raw") or 0)
    failures = tuple(
        f"{' '.join(key)}: its markets count {counted[key]}, it holds {held}"
        for key, held in answers.items()
        if held < counted[key]
    )
    beyond = ", ".join(f"{key[1]} {held - counted[key]:+d}" for key, held in answers.items() if held > counted[key])
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    for row in rows.get("reserves", ()):
        key = (contract[row["market"]], row["asset"])
        if key in answers:
            (agreed if answers[key] >= counted[key] else differed).add((row["market"], row["asset"]))
    name = "the contract holds what its markets count"
    check = Check("reserves", name, len(answers), failures, f"beyond that: {beyond}" if beyond else "")
    return Comparison(check, frozenset(agreed), frozenset(differed))


def oracle_parts(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """The oracle's price is what the vaults and feeds give that it names."""
    prices = {(row["market"], row["asset"]): row["price_raw"] for row in rows.get("prices", ())}
    pairs = {key: (answer, prices[key]) for key, answer in answers.items() if key in prices}
    return compare("prices", "the oracle's price is what its parts give", pairs)
