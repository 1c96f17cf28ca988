"""Comparisons for Liquity V1: troves, pools, deposits and the total ratio. Same form as `checks`.

Three sums are exact: what is written in the troves is what the active pool counts, stakes are totalStakes, surpluses are the surplus pool's.
Two are not, since redistributions and the stability pool divide among many: their residuals are bounded and said.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chain.comparisons.comparison import Comparison, Rows, Subject, compare, position_key, spread, within
from chain.tables import Row
from chain.units import WAD

NOMINAL = 10**20
"""getNominalICR is collateral x 1e20 over debt (LiquityMath.NICR_PRECISION)."""
GAIN_BOUND = 10**9
"""Gains of ether may miss the stability pool's own sum by this part of it, and one unit a deposit: a chosen bound, not a proven one."""
SCALE = 10**9
"""A deposit that fell below this part of itself counts as nothing (StabilityPool.SCALE_FACTOR)."""


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison of this file.

    Parameters
    ----------
    witnesses : by market: `liquity system`, what the contracts answered by name (`readers.liquity_questions`); `liquity stakes`, sum of
        stakes, totalStakes, number of TroveUpdated; `liquity pool`, sum of initial deposits, largest total, number of its changes, P after
        each offset. `liquity trove` by (market, owner): entire debt and collateral, nominal ratio.
    """
    systems = witnesses.get("liquity system", {})
    if not systems:
        return []
    held: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        if (row["market"],) in systems:
            held[row["market"], _part(row), row["side"]].append(row)
    stakes, pools = witnesses.get("liquity stakes", {}), witnesses.get("liquity pool", {})
    return [
        troves(held, witnesses.get("liquity trove", {})),
        written(held, systems, stakes),
        redistributed(held, systems, stakes),
        deposits(held, systems, pools),
        gains(held, systems),
        surpluses(held, systems),
        system(rows, systems),
    ]


def troves(held: Mapping[Subject, list[Row]], answers: Mapping[Subject, Any]) -> Comparison:
    """Each trove's debt and collateral, redistributions included, are getEntireDebtAndColl, their quotient getNominalICR."""
    legs: dict[Subject, dict[str, Row]] = defaultdict(dict)
    for (market, part, side), some in held.items():
        for row in some if part == "trove" else ():
            legs[market, row["position_id"]][side] = row
    pairs = {}
    for key, answer in answers.items():
        debt, collateral = (legs[key].get(side, {"amount_raw": 0})["amount_raw"] for side in ("debt", "collateral"))
        pairs[key] = ((debt, collateral, collateral * NOMINAL // debt if debt else 2**256 - 1), answer)
    found = compare("positions", "troves are getEntireDebtAndColl and getNominalICR", pairs)
    return spread(found, {key: map(position_key, legs[key].values()) for key in pairs})


def written(
    held: Mapping[Subject, list[Row]], systems: Mapping[Subject, Any], stakes: Mapping[Subject, Any]
) -> Comparison:
    """What is written in the troves adds up to the active pool's ether and debt, stakes to totalStakes; as many troves are sorted."""
    pairs, troves_of = {}, {}
    for (market,), told in systems.items():
        debts, posted = held.get((market, "trove", "debt"), []), held.get((market, "trove", "collateral"), [])
        ours = {"ether": _stored(posted), "debt": _stored(debts), "stakes": stakes[market,][0], "troves": len(debts)}
        theirs = (told["active_eth"], told["active_debt"], stakes[market,][1], told["sorted_size"])
        pairs[market,] = (ours, dict(zip(ours, theirs, strict=True)))
        troves_of[market,] = map(position_key, [*debts, *posted])
    return spread(compare("positions", "troves add up to the active pool", pairs), troves_of)


def redistributed(
    held: Mapping[Subject, list[Row]], systems: Mapping[Subject, Any], stakes: Mapping[Subject, Any]
) -> Comparison:
    """What redistributions owe the troves is what the default pool holds, less rounding.

    Ether and debt per stake are rounded down; what that leaves is carried over and known (lastETHError_Redistribution and its sibling, 1e-18
    of a unit). A trove's part is rounded down each time it is written (each emits TroveUpdated) and once more now. Hence, beyond what is
    carried over, 0 <= residual <= 1 + writings + troves.
    """
    pairs = []
    for (market,), told in systems.items():
        for side, name in (("collateral", "eth"), ("debt", "debt")):
            some = held.get((market, "trove", side), [])
            due = sum(row["amount_raw"] - row["stored_raw"] for row in some) + told[f"{name}_error"] // WAD
            pairs.append((market, side, told[f"default_{name}"] - due, 1 + stakes[market,][2] + len(some), some))
    return _bounded("redistributions add up to the default pool within rounding", pairs)


def deposits(
    held: Mapping[Subject, list[Row]], systems: Mapping[Subject, Any], pools: Mapping[Subject, Any]
) -> Comparison:
    """What is left of the deposits is the stability pool's total, less rounding.

    An offset rounds its loss up and the product P down: of at most the largest total there was, 2e-18 and 1 / P are lost. Each change of a
    deposit loses less than a unit, and where P has changed its scale a deposit below 1e-9 of itself counts as nothing.
    """
    pairs = []
    for (market,), told in systems.items():
        some = held.get((market, "stability-pool", "supply"), [])
        initial, most, changes, products = pools[market,]
        bound = 1 + changes + len(some) + (initial // SCALE if told["scale"] else 0)
        bound += sum(most // max(product, 1) + 2 * most // WAD + 2 for product in products)
        pairs.append((market, "deposits", told["deposits"] - sum(row["amount_raw"] for row in some), bound, some))
    return _bounded("deposits add up to the stability pool within rounding", pairs)


def gains(held: Mapping[Subject, list[Row]], systems: Mapping[Subject, Any]) -> Comparison:
    """Gains of all depositors are the stability pool's ether, less rounding within a chosen bound."""
    pairs = []
    for (market,), told in systems.items():
        some = held.get((market, "stability-pool", "collateral"), [])
        bound = told["stability_eth"] // GAIN_BOUND + len(some) + 1
        pairs.append((market, "gains", told["stability_eth"] - sum(row["amount_raw"] for row in some), bound, some))
    return _bounded("gains add up to the stability pool's ether within a chosen bound", pairs)


def surpluses(held: Mapping[Subject, list[Row]], systems: Mapping[Subject, Any]) -> Comparison:
    """Surpluses that wait add up to what the surplus pool counts."""
    some = {key: held.get((*key, "surplus", "collateral"), []) for key in systems}
    pairs = {key: (sum(row["amount_raw"] for row in some[key]), told["surplus_eth"]) for key, told in systems.items()}
    found = compare("positions", "surpluses add up to the surplus pool", pairs)
    return spread(found, {key: map(position_key, rows) for key, rows in some.items()})


def system(rows: Rows, systems: Mapping[Subject, Any]) -> Comparison:
    """Debts are LUSD's totalSupply, the ratio of the whole is getTCR, the gas pool has a reserve for each trove, the pools hold their ether."""
    price = {(row["market"], row["source"]): row["price_raw"] for row in rows.get("prices", ()) if row.get("source")}
    pairs: dict[Subject, tuple[Any, Any]] = {}
    for row in rows.get("reserves", ()):
        told = systems.get((row["market"],))
        if told is None:
            continue
        pools = ("active", "default", "stability", "surplus")
        if row.get("collateral_raw") is None:
            reserve = told["gas_reserve"] * told["troves"]
            pairs[row["market"], row["asset"]] = (
                (row["borrowed_stored_raw"], reserve), (told["supply"], min(told["in_gas_pool"], reserve)),
            )  # fmt: skip
            continue
        backing = row["collateral_raw"] - told["stability_eth"] - told["surplus_eth"]
        debt = told["active_debt"] + told["default_debt"]
        mine = price.get((row["market"], row["price_source"]))
        ratio = None if mine is None else backing * mine // debt if debt else 2**256 - 1
        counted = tuple(told[f"{pool}_eth"] for pool in pools)
        kept = tuple(min(told["held"][pool], told[f"{pool}_eth"]) for pool in pools)
        pairs[row["market"], row["asset"]] = ((ratio, counted), (told.get("ratio"), kept))
    return compare("reserves", "pools hold what they count, debts are LUSD, the ratio is getTCR", pairs)


def _bounded(name: str, pairs: list[tuple[str, str, int, int, list[Row]]]) -> Comparison:
    """Each residual, the chain's sum less ours, lies from 0 to its bound."""
    residuals = {(market, what): residual for market, what, residual, _, _ in pairs}
    bounds = {(market, what): (0, bound) for market, what, _, bound, _ in pairs}
    some = {(market, what): map(position_key, rows) for market, what, _, _, rows in pairs}
    return spread(within("positions", name, residuals, bounds), some)


def _stored(some: list[Row]) -> int:
    return sum(row["stored_raw"] for row in some)


def _part(row: Row) -> str:
    """What a row is of: a trove, the stability pool or the surplus pool."""
    return str(row["position_id"]).partition("/")[2] or "trove"
