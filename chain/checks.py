"""Comparisons of the rows with the chain: totals, balances, health factors, reserves, shares, prices, and references between tables.

Each function is pure: rows (and answers of the chain that served no other purpose) go in, a `Comparison` comes out. What is
recomputed is recomputed from the rows, so a row that was lost or changed on the way shows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.accounting.aave_v3 import AccountData, Category, Holding, Terms, account_data, terms_for
from chain.snapshot import Check
from chain.tables import Row, schemas
from chain.units import BPS_TO_WAD

Rows = Mapping[str, Sequence[Row]]
Subject = tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """A check, with the keys of the rows (of the check's table) that agreed and those that did not."""

    check: Check
    agreed: frozenset[Subject]
    differed: frozenset[Subject]


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison for which there is something to compare.

    Parameters
    ----------
    rows : rows by table.
    witnesses : `balance` by (market, position, asset, side): the token's balanceOf; `account` by (market, position): the six numbers
        of the pool's getUserAccountData.
    """
    comparisons = [
        stored_sums(rows, "supply", "supplied_stored_raw"),
        stored_sums(rows, "debt", "borrowed_stored_raw"),
        token_balances(rows, witnesses.get("balance", {})),
        accounts(rows, witnesses.get("account", {})),
        pool_balances(rows),
        share_sums(rows),
        wrapped_native(rows),
        prices(rows),
    ]
    return [comparison for comparison in comparisons if comparison.check.compared]


def settle(rows: Mapping[str, list[dict[str, Any]]], comparisons: Iterable[Comparison]) -> None:
    """Set the status of every row: `verified` if it agreed in each comparison it was part of and in at least one."""
    agreed: dict[str, set[Subject]] = defaultdict(set)
    differed: dict[str, set[Subject]] = defaultdict(set)
    for comparison in comparisons:
        agreed[comparison.check.table] |= comparison.agreed
        differed[comparison.check.table] |= comparison.differed
    for table, keys in ((name, schemas()[name].keys) for name in agreed):
        good = agreed[table] - differed[table]
        for row in rows.get(table, ()):
            row["status"] = "verified" if tuple(row[key] for key in keys) in good else "unverified"


def stored_sums(rows: Rows, side: str, column: str) -> Comparison:
    """The stored supplies (debts) of all positions in a reserve add up to the token's scaledTotalSupply."""
    sums: dict[Subject, int] = defaultdict(int)
    for row in rows.get("positions", ()):
        if row["side"] == side:
            sums[row["market"], row["asset"]] += row["stored_raw"]
    pairs = {
        (row["market"], row["asset"]): (sums[row["market"], row["asset"]], row[column])
        for row in rows.get("reserves", ())
    }
    return _compare("reserves", f"stored {side} adds up to scaledTotalSupply", pairs)


def token_balances(rows: Rows, balances: Mapping[Subject, int]) -> Comparison:
    """Each position's rounded amount is the token's own balanceOf."""
    pairs = {
        key: (row["amount_raw"], balances[key]) for row in rows.get("positions", ()) if (key := _key(row)) in balances
    }
    return _compare("positions", "amount is balanceOf", pairs)


def accounts(rows: Rows, answers: Mapping[Subject, Sequence[int]]) -> Comparison:
    """Collateral, debt, averages and health factor of each Aave account, recomputed from the rows, are the pool's getUserAccountData."""
    by_account: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        by_account[row["market"], row["position_id"]].append(row)
    priced = {(row["market"], row["asset"]) for row in rows.get("prices", ())}
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures, compared = [], 0
    for account, answer in answers.items():
        held = by_account[account]
        if any((row["market"], row["asset"]) not in priced for row in held):
            continue
        compared += 1
        collateral, debt, _, threshold, ltv, health_factor = answer
        wanted = AccountData(collateral, debt, ltv, threshold, health_factor)
        found = aave_account(rows, held)
        (agreed if found == wanted else differed).update(_key(row) for row in held)
        if found != wanted:
            failures.append(f"{' '.join(account)}: the rows give {found}, the chain {wanted}")
    check = Check("positions", "accounts agree with getUserAccountData", compared, tuple(failures))
    return Comparison(check, frozenset(agreed), frozenset(differed))


def aave_account(rows: Rows, held: Sequence[Row]) -> AccountData:
    """The account data that the rows of one account imply. `held` must not be empty."""
    market = held[0]["market"]
    [revision] = [row["revision"] for row in rows["markets"] if row["market"] == market]
    reserves = {row["asset"]: row for row in rows["reserves"] if row["market"] == market}
    price = {row["asset"]: row["price_raw"] for row in rows["prices"] if row["market"] == market}
    decimals = {row["asset"]: row["decimals"] for row in rows["assets"]}
    categories = {
        row["category"]: Category(_terms(row), row["collateral_bitmap"], row["ltvzero_bitmap"] or 0)
        for row in rows.get("categories", ())
        if row["market"] == market
    }
    holdings = []
    for row in held:
        reserve = reserves[row["asset"]]
        terms = terms_for(reserve["reserve_index"], _terms(reserve), categories.get(row["category"]), revision)
        asset = (price[row["asset"]], decimals[row["asset"]])
        if row["side"] == "debt":
            holdings.append(Holding(*asset, debt_stored=row["stored_raw"], debt_index=row["index_raw"]))
        else:
            holdings.append(
                Holding(
                    *asset,
                    supply_stored=row["stored_raw"],
                    supply_index=row["index_raw"],
                    ltv_bps=terms.ltv_bps,
                    threshold_bps=terms.threshold_bps,
                    enabled=row["collateral_enabled"],
                )
            )
    return account_data(holdings, revision)


def _terms(row: Row) -> Terms:
    return Terms(row["ltv_wad"] // BPS_TO_WAD, row["liquidation_threshold_wad"] // BPS_TO_WAD)


def pool_balances(rows: Rows) -> Comparison:
    """A pool holds at least its reserves by the token's balanceOf (more where tokens were sent to it and not yet counted)."""
    pairs = {
        (row["pool"], row["asset"]): (min(row["balance_raw"], row["reserve_raw"]), row["reserve_raw"])
        for row in rows.get("pool_assets", ())
        if row.get("balance_raw") is not None
    }
    return _compare("pool_assets", "the pool holds its reserves", pairs)


def share_sums(rows: Rows) -> Comparison:
    """The balances of all holders of a share add up to its totalSupply."""
    supply = {row["asset"]: row.get("total_supply_raw") for row in rows.get("assets", ())}
    holders: dict[str, list[Row]] = defaultdict(list)
    for row in rows.get("balances", ()):
        holders[row["asset"]].append(row)
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures = []
    for asset, held in holders.items():
        total = sum(row["amount_raw"] for row in held)
        keys = {(row["asset"], row["holder"]) for row in held}
        (agreed if total == supply.get(asset) else differed).update(keys)
        if total != supply.get(asset):
            failures.append(f"{asset}: balances add up to {total}, totalSupply is {supply.get(asset)}")
    check = Check("balances", "balances of a share add up to totalSupply", len(holders), tuple(failures))
    return Comparison(check, frozenset(agreed), frozenset(differed))


def wrapped_native(rows: Rows) -> Comparison:
    """A wrapped native token holds at least as much native coin as it issued."""
    wrapped = {
        row["asset"]: row["total_supply_raw"] for row in rows.get("assets", ()) if row["kind"] == "wrapped_native"
    }
    pairs = {
        (row["claim"], row["backing"], row["holder"]): (min(row["amount_raw"], supply), supply)
        for row in rows.get("backings", ())
        if (supply := wrapped.get(row["claim"])) is not None
    }
    return _compare("backings", "wrapped native coin is held in full", pairs)


def prices(rows: Rows) -> Comparison:
    """The oracle's price is what its source's steps give: the feed's answer, times each rate above it, rounded down."""
    steps: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows.get("feeds", ()), key=lambda row: (row["source"], row["step"])):
        steps[row["source"]].append(row)
    pairs = {}
    for row in rows.get("prices", ()):
        chain_of_steps = steps.get(row.get("source") or "", [])
        if [step["kind"] for step in chain_of_steps] != ["rate"] * (len(chain_of_steps) - 1) + ["feed"]:
            continue
        *rates, feed = chain_of_steps
        value = feed["value_raw"]
        for rate in reversed(rates):
            value = value * rate["value_raw"] // 10 ** rate["decimals"]
        if feed["decimals"] == row["decimals"]:
            pairs[row["market"], row["asset"]] = (value, row["price_raw"])
    return _compare("prices", "the oracle's price is what its source's steps give", pairs)


def references(rows: Rows) -> Check:
    """Every value that refers to another table is there (category 0 is none and refers to nothing)."""
    known = {
        (name, column.name): {row.get(column.name) for row in rows.get(name, ())}
        for name, schema in schemas().items()
        for column in schema.columns
    }
    failures, compared = [], 0
    for name, schema in schemas().items():
        for column in (column for column in schema.columns if column.refers_to):
            table, _, referred = column.refers_to.partition(".")
            values = known[name, column.name] - {None} - ({0} if column.name == "category" else set())
            compared += len(values)
            failures += [
                f"{name}.{column.name}: {value} is not in {column.refers_to}"
                for value in sorted(values - known[table, referred], key=str)
            ]
    return Check("all", "references between tables", compared, tuple(failures))


def _key(row: Row) -> Subject:
    return row["market"], row["position_id"], row["asset"], row["side"]


def _compare(table: str, name: str, pairs: Mapping[Subject, tuple[int, int]]) -> Comparison:
    """Compare (ours, the chain's) by subject."""
    differed = {subject for subject, (ours, theirs) in pairs.items() if ours != theirs}
    failures = tuple(
        f"{' '.join(map(str, subject))}: the rows give {pairs[subject][0]}, the chain {pairs[subject][1]}"
        for subject in pairs
        if subject in differed
    )
    return Comparison(Check(table, name, len(pairs), failures), frozenset(pairs.keys() - differed), frozenset(differed))
