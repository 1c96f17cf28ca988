"""Comparisons for Maker, all of them sums that its contracts keep exactly; that all internal Dai is Vat.debt, `checks.share_sums` says. Same form as `checks`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chain.accounting.maker import needs_reset, sale_price
from chain.comparisons.comparison import Comparison, Rows, Subject, compare, position_key, spread
from chain.snapshot import Check
from chain.tables import Row
from chain.units import RAY, WAD


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison of this file.

    Parameters
    ----------
    witnesses : `vat` by internal Dai: (debt, vice); `written rate` by (market, internal Dai): the ilk's rate as it is stored; `sins` by
        internal Dai: the sin of everybody; `joined` by (market, collateral): (what its joins hold, lots on sale), in wads; `dirt` by market:
        the Dog's; `sale status` by auction: getStatus.
    """
    return [
        debts_of_the_vat(rows, witnesses.get("vat", {}), witnesses.get("written rate", {})),
        sins(rows, witnesses.get("vat", {}), witnesses.get("sins", {})),
        joined(rows, witnesses.get("joined", {})),
        dirt(rows, witnesses.get("dirt", {})),
        *sales(rows, witnesses.get("sale status", {})),
        dai_backed(rows, witnesses.get("vat", {})),
    ]


def debts_of_the_vat(rows: Rows, vat: Mapping[Subject, tuple[int, int]], rates: Mapping[Subject, int]) -> Comparison:
    """Vat.debt is what all ilks owe at their written rates and the debt that nobody backs (vice)."""
    owed: dict[str, int] = defaultdict(int)
    keys: dict[Subject, set[Subject]] = defaultdict(set)
    for row in rows.get("reserves", ()):
        key = (row["market"], row["asset"])
        if key in rates:
            owed[row["asset"]] += row["borrowed_stored_raw"] * rates[key]
            keys[row["asset"],].add(key)
    pairs = {(dai,): (owed[dai] + vice, debt) for (dai,), (debt, vice) in vat.items()}
    return spread(compare("reserves", "Art x rate of all ilks and vice are Vat.debt", pairs), keys)


def sins(rows: Rows, vat: Mapping[Subject, tuple[int, int]], answers: Mapping[Subject, int]) -> Comparison:
    """The sin of everybody is the Vat's vice."""
    keys: dict[Subject, set[Subject]] = defaultdict(set)
    for row in rows.get("backstops", ()):
        if (row["asset"],) in answers and row.get("owed_raw") is not None:
            keys[row["asset"],].add((row["backstop"], row["market"], row["asset"]))
    pairs = {key: (answer, vat[key][1]) for key, answer in answers.items()}
    return spread(compare("backstops", "sin adds up to Vat.vice", pairs), keys)


def joined(rows: Rows, answers: Mapping[Subject, tuple[int, int]]) -> Comparison:
    """The joins of an ilk hold what its urns have, what is free, and what is on sale; what they hold beyond that is said (anybody may send it)."""
    held: dict[Subject, list[Row]] = defaultdict(list)
    for row in rows.get("positions", ()):
        if row["side"] == "collateral":
            held[row["market"], row["asset"]].append(row)
    agreed: set[Subject] = set()
    differed: set[Subject] = set()
    failures, beyond = [], []
    for key, (holds, on_sale) in answers.items():
        counted = sum(row["stored_raw"] for row in held[key]) + on_sale
        (agreed if holds >= counted else differed).update(map(position_key, held[key]))
        if holds < counted:
            failures.append(f"{key[0]}: urns, free collateral and sales count {counted} wads, the joins hold {holds}")
        if holds > counted:
            beyond.append(f"{key[0]} {holds - counted:+d} wads")
    note = "beyond that: " + ", ".join(beyond) if beyond else ""
    name = "joins hold what urns have, what is free and what is on sale"
    return Comparison(
        Check("positions", name, len(answers), tuple(failures), note), frozenset(agreed), frozenset(differed)
    )


def dirt(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """What an ilk's running sales are to raise is what the Dog counts against its limit."""
    tabs: dict[Subject, int] = defaultdict(int)
    keys: dict[Subject, set[Subject]] = defaultdict(set)
    for row in rows.get("auctions", ()):
        if row["state"] == "running" and (row["market"],) in answers:
            tabs[row["market"],] += row["tab_raw"]
            keys[row["market"],].add((row["auction"],))
    pairs = {key: (tabs[key], answer) for key, answer in answers.items()}
    return spread(compare("auctions", "tabs of an ilk add up to the Dog's dirt", pairs), keys)


def sales(rows: Rows, answers: Mapping[Subject, tuple[bool, int, int, int]]) -> list[Comparison]:
    """Price of each running sale at the block, and whether it must be started again first, by its row; both are the clipper's getStatus."""
    time = {row["chain"]: row["timestamp"] for row in rows.get("blocks", ())}
    chain = {row["market"]: row["chain"] for row in rows.get("markets", ())}
    prices, resets = {}, {}
    for row in rows.get("auctions", ()):
        if (answer := answers.get((row["auction"],))) is None:
            continue
        seconds, top = time[chain[row["market"]]] - row["started_at"], row["start_price_raw"]
        terms = (row["duration_seconds"] or 0, row["step_seconds"] or 0, row["cut_ray"] or 0)
        price = sale_price(row["curve"], top, seconds, *terms)
        prices[row["auction"],] = (price, answer[1])
        is_due = needs_reset(price, top, seconds, row["reset_seconds"], row["reset_price_ray"])
        resets[row["auction"],] = (int(is_due), int(answer[0]))
    return [
        compare("auctions", "the price of a sale is getStatus", prices),
        compare("auctions", "whether a sale is to be started again is getStatus", resets),
    ]


def dai_backed(rows: Rows, vat: Mapping[Subject, Any]) -> Comparison:
    """The join holds a unit of internal Dai for each DAI there is; it can hold more."""
    supply = {row["asset"]: row.get("total_supply_raw") for row in rows.get("assets", ())}
    pairs = {}
    for row in rows.get("backings", ()):
        if (row["backing"],) in vat:
            wanted = (supply[row["claim"]] or 0) * RAY * row["rate_wad"] // WAD
            pairs[row["claim"], row["backing"], row["holder"]] = (min(row["amount_raw"], wanted), wanted)
    return compare("backings", "DAI is backed by internal Dai", pairs)
