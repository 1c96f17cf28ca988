"""Comparisons of pools with the chain: balances against reserves, and ticks against the liquidity that is active."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from chain.comparison import Comparison, Rows, Subject, compare
from chain.snapshot import Check
from chain.tables import Row


def pool_balances(rows: Rows, owed: Mapping[Subject, int]) -> Comparison:
    """A pool holds at least its reserves by the token's balanceOf, and what it owes to its protocol besides.

    It may hold more: tokens that were sent to it, and in Uniswap V3 the fees that positions have not collected; how much is said.

    Parameters
    ----------
    owed : by (pool, asset), what the pool counts as its protocol's (UniswapV3Pool.protocolFees); 0 where a pool counts none.
    """
    needed = {
        (row["pool"], row["asset"]): (row["balance_raw"], row["reserve_raw"] + owed.get((row["pool"], row["asset"]), 0))
        for row in rows.get("pool_assets", ())
        if row.get("balance_raw") is not None
    }
    found = compare(
        "pool_assets",
        "the pool holds its reserves",
        {key: (min(balance, needs), needs) for key, (balance, needs) in needed.items()},
    )
    shares = {key: (balance - needs) / balance for key, (balance, needs) in needed.items() if balance > needs}
    largest = max(shares, key=lambda key: shares[key], default=("", ""))
    note = (
        f"{len(shares)} hold more than they need, at most {shares[largest]:.3%} ({' '.join(largest)})" if shares else ""
    )
    return replace(found, check=replace(found.check, note=note))


def active_liquidity(rows: Rows) -> Comparison:
    """The net liquidity of a pool's ticks up to the current one adds up to its active liquidity (UniswapV3Pool.liquidity)."""
    pairs = {
        (row["pool"],): (
            sum(tick["liquidity_net_raw"] for tick in ticks if tick["tick"] <= row["tick"]),
            row["liquidity_raw"],
        )
        for row, ticks in _with_ticks(rows)
    }
    return compare("pools", "net liquidity up to the current tick is the active liquidity", pairs)


def whole_ticks(rows: Rows) -> Comparison:
    """The ticks of a pool are whole: net liquidity adds up to zero, and what every tick adds or takes it also counts as gross.

    Liquidity that a position adds at its lower tick it takes at its upper one, so a single lost tick shows.
    """
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures = []
    for row, ticks in _with_ticks(rows):
        keys = {(row["pool"], tick["tick"]) for tick in ticks}
        total = sum(tick["liquidity_net_raw"] for tick in ticks)
        odd = [
            tick["tick"]
            for tick in ticks
            if not abs(tick["liquidity_net_raw"]) <= tick["liquidity_gross_raw"]
            or (tick["liquidity_gross_raw"] - tick["liquidity_net_raw"]) % 2
            or tick["tick"] % row["tick_spacing"]
        ]
        (differed if total or odd else agreed).update(keys)
        if total or odd:
            failures.append(f"{row['pool']}: net liquidity adds up to {total}, ticks that cannot be: {odd}")
    compared = len(agreed) + len(differed)
    check = Check("pool_ticks", "net liquidity of all ticks adds up to zero", compared, tuple(failures))
    return Comparison(check, frozenset(agreed), frozenset(differed))


def _with_ticks(rows: Rows) -> Iterator[tuple[Row, Sequence[Row]]]:
    by_pool: dict[str, list[Row]] = defaultdict(list)
    for tick in rows.get("pool_ticks", ()):
        by_pool[tick["pool"]].append(tick)
    for row in rows.get("pools", ()):
        if row["kind"] == "concentrated":
            yield row, by_pool[row["pool"]]
