"""Comparisons for crvUSD: debts, bands, what its contracts hold, and health worked out from the bands. Same form as `checks`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chain.accounting.crvusd import fall_value, health
from chain.comparisons.comparison import Comparison, Rows, Subject, compare, position_key, spread, within
from chain.snapshot import Check
from chain.units import WAD

A_FEW_UNITS = 10
"""Roundings of one band on the way to its value."""


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison of this file.

    Parameters
    ----------
    witnesses : `loan debt` by position: debt(); `loan writings` by (market, crvUSD): how often a debt and the total were written; `bands` by
        market: what lies in each, of 18 decimals; `held by the amm` by market: (crvUSD, collateral, what the AMM holds of each, its fees
        in each); `left to borrow` by (market, crvUSD): issued to the controller, less minted, plus redeemed; `loan health` by debt:
        (health, discount, units of 18 decimals a unit, parts by band); `issued` by crvUSD: what the factory issued and did not take back.
    """
    return [
        loan_debts(rows, witnesses.get("loan debt", {})),
        debt_sums(rows, witnesses.get("loan writings", {})),
        band_sums(rows, witnesses.get("bands", {})),
        amm_holds(rows, witnesses.get("held by the amm", {})),
        left_to_borrow(rows, witnesses.get("left to borrow", {})),
        healths(rows, witnesses.get("loan health", {})),
        issued(rows, witnesses.get("issued", {})),
    ]


def loan_debts(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """Principal and multipliers from the events give debt()."""
    debts = {position_key(row): row["amount_raw"] for row in rows.get("positions", ()) if row["side"] == "debt"}
    pairs = {key: (debts.get(key, 0), answer) for key, answer in answers.items()}
    return compare("positions", "debts written by events give debt()", pairs)


def debt_sums(rows: Rows, writings: Mapping[Subject, tuple[int, int]]) -> Comparison:
    """The debts of a controller are about its total_debt, both at the block; how far apart they are is said.

    No exact sum exists. Each time it is written the total is rounded down (less than 1), and so is a debt (less than 1); an error grows as the
    multiplier does, over its first value 1e18. So the total less the debts lies between -(writings of the total + 1) x growth and
    (writings of debts + debts) x growth.
    """
    debts: dict[Subject, list[int]] = defaultdict(list)
    for row in rows.get("positions", ()):
        if row["side"] == "debt":
            debts[row["market"], row["asset"]].append(row["amount_raw"])
    bounds, residuals = {}, {}
    for row in rows.get("reserves", ()):
        key = (row["market"], row["asset"])
        if key in writings:
            growth = -(-row["borrow_index_raw"] // WAD)
            changes, totals = writings[key]
            bounds[key] = (-growth * (totals + 1), growth * (changes + len(debts[key])))
            residuals[key] = row["borrowed_stored_raw"] - sum(debts[key])
    return within("reserves", "debts add up to total_debt within what rounding allows", residuals, bounds)


def band_sums(rows: Rows, answers: Mapping[Subject, Mapping[int, tuple[int, int]]]) -> Comparison:
    """What lies in the bands is what the positions have in them, but for what belongs to the dead shares and to rounding.

    A thousand shares of a band are nobody's (DEAD_SHARES in AMM.vy), and the first deposit makes a thousand a unit. So a band keeps one unit of collateral, or what that was traded for (at most the band's upper edge in crvUSD, doubled
    for the fees it gathered). Each part of a position is rounded down, the whole once more to the token's units.
    """
    sums: dict[Subject, int] = defaultdict(int)
    posted: dict[Subject, list[Subject]] = defaultdict(list)
    parts: dict[str, int] = defaultdict(int)
    loans: dict[str, int] = defaultdict(int)
    for row in rows.get("positions", ()):
        if (row["market"],) in answers:
            if row["side"] == "collateral":
                sums[row["market"], row["asset"]] += row["amount_raw"]
                posted[row["market"], row["asset"]].append(position_key(row))
            if row["side"] == "debt":
                parts[row["market"]] += row["last_band"] - row["first_band"] + 1
                loans[row["market"]] += 1
    edges: dict[str, int] = defaultdict(int)
    count: dict[str, int] = defaultdict(int)
    for row in rows.get("bands", ()):
        edges[row["market"]] += row["price_high_raw"] // WAD + 1
        count[row["market"]] += 1
    bounds, residuals = {}, {}
    for row in rows.get("reserves", ()):
        key = (row["market"], row["asset"])
        if key[:1] in answers:
            kept = 2 * edges[key[0]] if row["borrowable"] else 2 * count[key[0]]
            bounds[key] = (-count[key[0]], kept + parts[key[0]] + loans[key[0]])
            residuals[key] = row["collateral_raw"] - sums[key]
    name = "bands hold what positions have in them, but for dead shares and rounding"
    return spread(within("positions", name, residuals, bounds), posted)


def amm_holds(rows: Rows, answers: Mapping[Subject, tuple[str, str, int, int, int, int]]) -> Comparison:
    """An AMM holds what lies in its bands and the fees it keeps for the admin; more only by rounding or because somebody sent it some."""
    posted = {(row["market"], row["asset"]): row.get("collateral_raw") or 0 for row in rows.get("reserves", ())}
    places = {(row["market"], row["band"]) for row in rows.get("bands", ())}
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures, beyond = [], []
    for (market,), (stable, asset, held_x, held_y, fees_x, fees_y) in answers.items():
        surplus = {stable: held_x - fees_x - posted[market, stable], asset: held_y - fees_y - posted[market, asset]}
        (agreed if min(surplus.values()) >= 0 else differed).update(place for place in places if place[0] == market)
        failures += [f"{market}: of {at} the AMM lacks {-more}" for at, more in surplus.items() if more < 0]
        beyond += [f"{at} {more:+d}" for at, more in surplus.items() if more > 0]
    note = "beyond that: " + ", ".join(beyond) if beyond else ""
    check = Check("bands", "the AMM holds its bands and fees", len(answers), tuple(failures), note)
    return Comparison(check, frozenset(agreed), frozenset(differed))


def left_to_borrow(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """A controller has at least what was issued to it, less what it lent, plus what came back."""
    cash = {(row["market"], row["asset"]): row.get("cash_raw") or 0 for row in rows.get("reserves", ())}
    pairs = {key: (min(cash[key], answer), answer) for key, answer in answers.items()}
    return compare("reserves", "the controller has what was issued, less minted, plus redeemed", pairs)


def healths(
    rows: Rows, answers: Mapping[Subject, tuple[int, int, int, tuple[tuple[int, ...], tuple[int, ...]]]]
) -> Comparison:
    """Health worked out from a position's part of each band, the first band's edge, the AMM's price and the debt's row is about the contract's.

    The contract trades a whole band and then takes the position's share; here the position's part is traded, which was rounded down to a unit of
    either token: one unit of collateral at the band's upper edge, one of crvUSD. On the way the band's start is rounded to a unit of 18 decimals on
    either side, and A times the price of that goes into the curve.
    """
    edge = {(row["market"], row["band"]): row["price_high_raw"] for row in rows.get("bands", ())}
    price = {(row["market"], row["asset"]): row["price_raw"] for row in rows.get("prices", ())}
    a: dict[str, int] = {row["market"]: row.get("band_amplification") or 0 for row in rows.get("markets", ())}
    collateral = {row["market"]: row["asset"] for row in rows.get("reserves", ()) if not row.get("borrowable", True)}
    bounds, residuals = {}, {}
    for row in rows.get("positions", ()):
        if (key := position_key(row)) not in answers or not row["amount_raw"]:
            continue
        market = row["market"]
        theirs, discount, precision, (xs, ys) = answers[key]
        value = slack = 0
        high = edge.get((market, row["first_band"]), 0)  # the contract, too, counts down from the first band's edge
        for x, y in zip(xs, ys, strict=True):
            value += fall_value(x, y * precision, price[market, collateral[market]], high, a[market])
            slack += (precision + 2 * a[market]) * high // WAD + A_FEW_UNITS
            high = high * (a[market] - 1) // a[market]
        most = slack * WAD // row["amount_raw"] + A_FEW_UNITS
        bounds[key] = (-most, most)
        residuals[key] = theirs - health(value, row["amount_raw"], discount)
    name = "health from the bands is the contract's within what rounding allows"
    return within("positions", name, residuals, bounds, is_short=True)


def issued(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """All crvUSD was issued by the factory; what is missing was burnt by its holders."""
    supply = {row["asset"]: row.get("total_supply_raw") for row in rows.get("assets", ())}
    pairs = {key: (max(answer, supply[key[0]] or 0), answer) for key, answer in answers.items()}
    return compare("assets", "crvUSD was issued by its factory", pairs)
