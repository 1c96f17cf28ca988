"""Comparisons of pools that price by an invariant with the chain: what the vault keeps, and the pools' own word on their invariant."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from chain.accounting.balancer_v2 import weighted_invariant
from chain.accounting.stableswap import CURVE_FEE_UNIT, get_dy, invariant
from chain.comparisons.comparison import Comparison, Rows, Subject, compare
from chain.errors import ConvergenceError
from chain.snapshot import Check
from chain.tables import Row
from chain.units import WAD

POWER_ERROR = Decimal("1e-12")
"""Share by which a weighted pool's own invariant may differ: its powers are good to 1e-14 each, a pool has up to 50."""


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison of this page.

    Parameters
    ----------
    witnesses : `held by vault` by (vault, asset): the token's balanceOf; `pool invariant` and `pool rate` by (pool,): getInvariant of weighted, getRate or get_virtual_price of stable pools; `get_dy` by (pool, slot sold,
        slot bought, amount): what a pool of Curve says that the sale brings.
    """
    return [
        vault_holds(rows, witnesses.get("held by vault", {})),
        weighted_invariants(rows, witnesses.get("pool invariant", {})),
        stable_rates(rows, witnesses.get("pool rate", {})),
        sales(rows, witnesses.get("get_dy", {})),
    ]


def vault_holds(rows: Rows, balances: Mapping[Subject, int]) -> Comparison:
    """A vault holds at least what its pools count as lying there; it may hold more (pools not read, users' own balances)."""
    keeper = {row["claim"]: row["holder"] for row in rows.get("backings", ())}
    share = {row["pool"]: row.get("lp_asset") for row in rows.get("pools", ())}
    places: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("pool_assets", ()):
        if row.get("managed_raw") is not None:
            places[keeper[share[row["pool"]]], row["asset"]].append(row)
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures = []
    for place, kept in places.items():
        if (held := balances.get(place)) is None:
            continue
        needed = sum(row["reserve_raw"] - row["managed_raw"] for row in kept)
        (agreed if held >= needed else differed).update((row["pool"], row["asset"]) for row in kept)
        if held < needed:
            failures.append(f"{' '.join(place)}: the pools count {needed}, the vault holds {held}")
    check = Check("pool_assets", "the vault holds what its pools count", len(agreed) + len(differed), tuple(failures))
    return Comparison(check, frozenset(agreed), frozenset(differed))


def weighted_invariants(rows: Rows, said: Mapping[Subject, int]) -> Comparison:
    """The product of a weighted pool's balances to their weights is its getInvariant, within the error of the contract's powers."""
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures, worst = [], Decimal(0)
    for row, sides in _with_sides(rows, "weighted"):
        key = (row["pool"],)
        if key not in said or not said[key] or any(side.get("rate_raw") is None for side in sides):
            continue
        columns = ([side[name] for side in sides] for name in ("reserve_raw", "rate_raw", "weight_wad"))
        error = abs(weighted_invariant(*columns) / said[key] - 1)
        worst = max(worst, error)
        (agreed if error <= POWER_ERROR else differed).add(key)
        if error > POWER_ERROR:
            failures.append(
                f"{row['pool']}: the rows give another invariant than the pool's {said[key]}, by {error:.1e}"
            )
    compared = len(agreed) + len(differed)
    note = f"at most {worst:.1e} apart" if compared else ""
    check = Check("pools", "balances to their weights give the pool's invariant", compared, tuple(failures), note)
    return Comparison(check, frozenset(agreed), frozenset(differed))


def stable_rates(rows: Rows, said: Mapping[Subject, int]) -> Comparison:
    """The invariant of a stable pool's balances, for each share that somebody has, is its getRate (get_virtual_price), to the last digit."""
    pairs = {}
    for row, sides in _with_sides(rows, "stableswap"):
        key = (row["pool"],)
        if key in said and row["lp_supply_raw"] and all(side.get("rate_raw") is not None for side in sides):
            pairs[key] = (_rate(row, sides), said[key])
    return compare("pools", "the invariant a share is the pool's rate", pairs)


def sales(rows: Rows, said: Mapping[Subject, int]) -> Comparison:
    """What a sale brings by the rows of a pool of Curve is its get_dy, to the last unit."""
    pools = {row["pool"]: (row, sides) for row, sides in _with_sides(rows, "stableswap")}
    pairs: dict[Subject, tuple[int, int]] = {}
    for (pool, sold, bought, amount), answer in said.items():
        if pool not in pools:
            continue
        row, sides = pools[pool]
        slots = {str(side["slot"]): place for place, side in enumerate(sides)}
        if sold in slots and bought in slots and all(side.get("rate_raw") is not None for side in sides):
            balances, rates = ([side[name] for side in sides] for name in ("reserve_raw", "rate_raw"))
            terms = (row["amplification_raw"], row["amplification_unit_raw"], row["fee_wad"] * CURVE_FEE_UNIT // WAD)
            try:
                ours = get_dy(balances, rates, terms, slots[sold], slots[bought], int(amount))
            except (ConvergenceError, ZeroDivisionError):
                ours = 0
            pairs[pool, sold, bought, amount] = (ours, answer)
    found = compare("pools", "sales bring what get_dy says", pairs)
    return replace(
        found,
        agreed=frozenset((key[0],) for key in found.agreed),
        differed=frozenset((key[0],) for key in found.differed),
    )


def _rate(row: Row, sides: Sequence[Row]) -> int:
    scaled = [side["reserve_raw"] * side["rate_raw"] // WAD for side in sides]
    try:
        found = invariant(scaled, row["amplification_raw"], row["amplification_unit_raw"])
    except (ConvergenceError, ZeroDivisionError):
        return 0
    return found * WAD // int(row["lp_supply_raw"])


def _with_sides(rows: Rows, kind: str) -> Iterator[tuple[Row, Sequence[Row]]]:
    by_pool: dict[str, list[Row]] = defaultdict(list)
    for side in rows.get("pool_assets", ()):
        by_pool[side["pool"]].append(side)
    for row in rows.get("pools", ()):
        if row["kind"] == kind:
            yield row, sorted(by_pool[row["pool"]], key=lambda side: int(side["slot"]))
