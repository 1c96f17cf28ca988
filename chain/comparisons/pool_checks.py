"""Comparisons of pools with the chain: balances against reserves, and ticks against the liquidity that is active."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from chain.comparisons.comparison import Comparison, Rows, Subject, compare
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


def whole_positions(rows: Rows, pools: Mapping[Subject, bool]) -> Comparison:
    """The liquidity of all positions that begin or end at a tick is the tick's gross liquidity: a lost position shows at two ticks.

    Parameters
    ----------
    pools : by (pool,), those whose positions were read.
    """
    found: dict[Subject, int] = defaultdict(int)
    places: dict[Subject, list[Subject]] = defaultdict(list)
    for row in rows.get("pool_positions", ()):
        for end in ("tick_lower", "tick_upper") if row["liquidity_raw"] else ():
            found[row["pool"], row[end]] += row["liquidity_raw"]
            places[row["pool"], row[end]].append((row["pool"], row["position_id"]))
    gross = {(row["pool"], row["tick"]): row["liquidity_gross_raw"] for row in rows.get("pool_ticks", ())}
    ticks = [tick for tick in {**gross, **found} if (tick[0],) in pools]
    wrong = [tick for tick in ticks if found.get(tick, 0) != gross.get(tick, 0)]
    failures = tuple(
        f"{tick[0]} tick {tick[1]}: positions add up to {found.get(tick, 0)}, its gross liquidity is {gross.get(tick, 0)}"
        for tick in wrong
    )
    differed = {place for tick in wrong for place in places[tick]}
    every = {place for tick in ticks for place in places[tick]}
    check = Check("pool_positions", "positions add up to the liquidity of every tick", len(ticks), failures)
    return Comparison(check, frozenset(every - differed), frozenset(differed))


def pays_out(rows: Rows, owed: Mapping[Subject, int]) -> Comparison:
    """A pool holds what all its positions stand for and can collect, and what it owes to its protocol."""
    needed: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows.get("pool_positions", ()):
        for slot in (0, 1):
            needed[row["pool"], slot] += row[f"amount{slot}_raw"] + row[f"owed{slot}_raw"]
    pairs = {
        (row["pool"], row["asset"]): (min(row["balance_raw"], whole), whole)
        for row in rows.get("pool_assets", ())
        if (row["pool"], row["slot"]) in needed and row.get("balance_raw") is not None
        for whole in [needed[row["pool"], row["slot"]] + owed.get((row["pool"], row["asset"]), 0)]
    }
    return compare("pool_assets", "the pool holds what its positions can take out", pairs)


def _with_ticks(rows: Rows) -> Iterator[tuple[Row, Sequence[Row]]]:
    by_pool: dict[str, list[Row]] = defaultdict(list)
    for tick in rows.get("pool_ticks", ()):
        by_pool[tick["pool"]].append(tick)
    for row in rows.get("pools", ()):
        if row["kind"] == "concentrated":
            yield row, by_pool[row["pool"]]
