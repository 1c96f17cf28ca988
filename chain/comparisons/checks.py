"""Comparisons of the rows with the chain: totals, balances, health factors, reserves, shares, prices, and references between tables.

Each function is pure: rows (and answers of the chain that served no other purpose) go in, a `Comparison` comes out. What is
recomputed is recomputed from the rows, so a row that was lost or changed on the way shows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chain.accounting.aave_v2 import ACCOUNTS_LIKE_V3_REVISION
from chain.accounting.aave_v3 import AccountData, Category, Holding, Terms, account_data, debt_balance, terms_for
from chain.comparisons import (
    comet_checks,
    crvusd_checks,
    lending_checks,
    liquity_checks,
    maker_checks,
    vault_checks,
    venue_checks,
)
from chain.comparisons.comparison import (
    FIXED_DEBT_BOUND,
    NO_EXACT_SUM,
    Comparison,
    Rows,
    Subject,
    compare,
    position_key,
    spread,
)
from chain.comparisons.pool_checks import active_liquidity, pays_out, pool_balances, whole_positions, whole_ticks
from chain.comparisons.price_checks import caps, prices
from chain.snapshot import Check
from chain.tables import Row, schemas
from chain.units import BPS_TO_WAD, RAY

OTHERS = (lending_checks, comet_checks, liquity_checks, maker_checks, crvusd_checks, vault_checks, venue_checks)
"""Modules with the comparisons of families of protocols, each with a `run` like the one here."""


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison for which there is something to compare.

    Parameters
    ----------
    rows : rows by table.
    witnesses : `balance` by (market, position, asset, side): the token's balanceOf; `account` by (market, position): the six numbers
        of the pool's getUserAccountData; `positions read` by (pool,): that all positions of a pool were; `owed` by (pool, asset): what a
        pool counts as its protocol's; `capped` by (source, step): whether a price adapter says that its cap binds; those of `OTHERS`.
    """
    comparisons = [
        stored_sums(rows, "supply", "supplied_stored_raw"),
        stored_sums(rows, "debt", "borrowed_stored_raw"),
        token_balances(rows, witnesses.get("balance", {})),
        accounts(rows, witnesses.get("account", {})),
        fixed_debt_sums(rows),
        cash(rows),
        pool_balances(rows, witnesses.get("owed", {})),
        active_liquidity(rows),
        whole_ticks(rows),
        whole_positions(rows, witnesses.get("positions read", {})),
        pays_out(rows, witnesses.get("owed", {})),
        share_sums(rows),
        wrapped_native(rows),
        prices(rows),
        caps(rows, witnesses.get("capped", {})),
        *(comparison for checks in OTHERS for comparison in checks.run(rows, witnesses)),
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
    """The stored supplies (debts) of all positions in a reserve add up to the token's scaledTotalSupply, or the market's own total."""
    family = {row["market"]: row["family"] for row in rows.get("markets", ())}
    sums: dict[Subject, int] = defaultdict(int)
    for row in rows.get("positions", ()):
        if row["side"] == side:
            sums[row["market"], row["asset"]] += row["stored_raw"]
    pairs = {
        (row["market"], row["asset"]): (sums[row["market"], row["asset"]], row[column])
        for row in rows.get("reserves", ())
        if (family.get(row["market"]), side) not in NO_EXACT_SUM
    }
    return compare("reserves", f"stored {side} adds up to scaledTotalSupply", pairs)


def fixed_debt_sums(rows: Rows) -> Comparison:
    """The fixed-rate debts of a reserve are about the token's totalSupply; how far apart they are is said.

    The protocol keeps no exact sum: StableDebtToken (@aave/core-v3) grows the total at one average rate and each position at its own, by a
    series of three terms, and rounds at every change. The bound is chosen: 1 bp of the total and one unit a position.
    """
    debts: dict[Subject, list[int]] = defaultdict(list)
    for row in rows.get("positions", ()):
        if row["side"] == "fixed_debt":
            debts[row["market"], row["asset"]].append(row["amount_raw"])
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures, residuals = [], []
    for row in rows.get("reserves", ()):
        key, total = (row["market"], row["asset"]), row.get("fixed_debt_raw")
        if not total and not debts[key]:
            continue
        residual, bound = sum(debts[key]) - (total or 0), (total or 0) // FIXED_DEBT_BOUND + len(debts[key])
        (agreed if abs(residual) <= bound else differed).add(key)
        if abs(residual) > bound:
            failures.append(f"{' '.join(key)}: positions less totalSupply is {residual}, the bound is {bound}")
        residuals.append(f"{row['asset']} {residual:+d} of {total} (bound {bound})")
    check = Check(
        "reserves",
        "fixed-rate debt adds up to totalSupply within its bound",
        *(len(residuals), tuple(failures), "residuals: " + ", ".join(residuals) if residuals else ""),
    )
    return Comparison(check, frozenset(agreed), frozenset(differed))


def cash(rows: Rows) -> Comparison:
    """A market's token contract holds at least the cash that the market counts (more where tokens were sent to it)."""
    pairs = {
        (row["market"], row["asset"]): (min(row["balance_raw"], row["cash_raw"]), row["cash_raw"])
        for row in rows.get("reserves", ())
        if row.get("balance_raw") is not None
    }
    return compare("reserves", "the market holds its cash", pairs)


def token_balances(rows: Rows, balances: Mapping[Subject, int]) -> Comparison:
    """Each position's rounded amount is the token's own balanceOf."""
    pairs = {
        key: (row["amount_raw"], balances[key])
        for row in rows.get("positions", ())
        if (key := position_key(row)) in balances
    }
    return compare("positions", "amount is balanceOf", pairs)


def accounts(rows: Rows, answers: Mapping[Subject, Sequence[int]]) -> Comparison:
    """Collateral, debt, averages and health factor of each Aave account, recomputed from the rows, are the pool's getUserAccountData."""
    by_account: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        by_account[row["market"], row["position_id"]].append(row)
    priced = {(row["market"], row["asset"]) for row in rows.get("prices", ())}
    pairs = {}
    for account, (collateral, debt, _, threshold, ltv, health_factor) in answers.items():
        if all((row["market"], row["asset"]) in priced for row in by_account[account]):
            wanted = AccountData(collateral, debt, ltv, threshold, health_factor)
            pairs[account] = (aave_account(rows, by_account[account]), wanted)
    found = compare("positions", "accounts agree with getUserAccountData", pairs)
    return spread(found, {account: map(position_key, by_account[account]) for account in pairs})


def aave_account(rows: Rows, held: Sequence[Row]) -> AccountData:
    """The account data that the rows of one account imply. `held` must not be empty."""
    market = held[0]["market"]
    [revision] = [_revision(row) for row in rows["markets"] if row["market"] == market]
    reserves = {row["asset"]: row for row in rows["reserves"] if row["market"] == market}
    price = {row["asset"]: row["price_raw"] for row in rows["prices"] if row["market"] == market}
    decimals = {row["asset"]: row["decimals"] for row in rows["assets"]}
    overridden = {
        row["category"]: (row["collateral_bitmap"], row["price_raw"])
        for row in rows.get("categories", ())
        if row["market"] == market and row.get("price_raw")
    }
    categories = {
        row["category"]: Category(_terms(row), row["collateral_bitmap"], row["ltvzero_bitmap"] or 0)
        for row in rows.get("categories", ())
        if row["market"] == market
    }
    holdings, debts = [], defaultdict[str, dict[str, Row]](dict)
    for row in held:
        reserve = reserves[row["asset"]]
        if row["side"] != "supply":
            debts[row["asset"]][row["side"]] = row
            continue
        terms = terms_for(reserve["reserve_index"], _terms(reserve), categories.get(row["category"]), revision)
        holdings.append(
            Holding(
                _price_inside(row, reserve, price, overridden),
                decimals[row["asset"]],
                supply_stored=row["stored_raw"],
                supply_index=row["index_raw"],
                ltv_bps=terms.ltv_bps,
                threshold_bps=terms.threshold_bps,
                enabled=row["collateral_enabled"],
            )
        )
    for asset, owed in debts.items():
        debt, fixed = owed.get("debt"), owed.get("fixed_debt")
        holdings.append(
            Holding(
                _price_inside(next(iter(owed.values())), reserves[asset], price, overridden),
                decimals[asset],
                debt_stored=debt["stored_raw"] if debt else 0,
                debt_index=debt["index_raw"] if debt else RAY,
                fixed_debt=debt_balance(fixed["stored_raw"], fixed["index_raw"], revision) if fixed else 0,
            )
        )
    return account_data(holdings, revision)


def _revision(market: Row) -> int:
    """The POOL_REVISION of Aave V3 that computes accounts as this market does."""
    return ACCOUNTS_LIKE_V3_REVISION if market["family"] == "aave_v2" else market["revision"]


def _price_inside(row: Row, reserve: Row, prices: Mapping[str, int], overridden: Mapping[int, tuple[int, int]]) -> int:
    """The price of a position's asset: the category's, where it has one and the asset belongs to it (to 3.1), else the reserve's."""
    members, price = overridden.get(row["category"], (0, 0))
    return price if members >> reserve["reserve_index"] & 1 else prices[row["asset"]]


def _terms(row: Row) -> Terms:
    return Terms(row["ltv_wad"] // BPS_TO_WAD, row["liquidation_threshold_wad"] // BPS_TO_WAD)


def share_sums(rows: Rows) -> Comparison:
    """The balances of all holders of a share add up to its totalSupply, also of a share that nobody seems to hold.

    A bridge's escrow alone is one holder of many: what it has is compared with nothing here.
    """
    bridges = {row["entity"] for row in rows.get("entities", ()) if row["kind"] == "bridge"}
    supply = {row["asset"]: row.get("total_supply_raw") for row in rows.get("assets", ())}
    shares = (row for row in rows.get("assets", ()) if row["kind"] in ("lp_share", "vault_share"))
    holders: dict[str, list[Row]] = {row["asset"]: [] for row in shares if row.get("total_supply_raw")}
    for row in rows.get("balances", ()):
        if row["asset"] not in holders and row["holder"] in bridges:
            continue
        holders.setdefault(row["asset"], []).append(row)
    pairs = {(asset,): (sum(row["amount_raw"] for row in held), supply.get(asset)) for asset, held in holders.items()}
    found = compare("balances", "balances of a share add up to totalSupply", pairs)
    keys = {(asset,): [(row["asset"], row["holder"]) for row in held] for asset, held in holders.items()}
    return spread(found, keys)


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
    return compare("backings", "wrapped native coin is held in full", pairs)


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
