"""Comparisons for vaults: what they have in markets against what they count, and what their shares are worth. Same form as `checks`."""

from collections.abc import Mapping
from typing import Any

from chain.accounting.metamorpho import lost, worth
from chain.comparisons.comparison import Comparison, Rows, Subject, compare, spread
from chain.snapshot import Check
from chain.tables import Row
from chain.units import WAD


def run(rows: Rows, witnesses: Mapping[str, Mapping[Subject, Any]]) -> list[Comparison]:
    """Every comparison of this file.

    Parameters
    ----------
    witnesses : `vault` by (share,): totalAssets, lostAssets (None before v1.1), virtual shares and convertToAssets (`erc4626.Rate` or None)
        of a MetaMorpho vault; `vault assets` by (share, asset): totalAssets of any other vault and how much of it was found nowhere;
        `worth of many` by (claim, backing, holder): what 10**36 units of a claim with a rate of its own are worth.
    """
    vaults = witnesses.get("vault", {})
    return [
        allocations(rows, vaults),
        share_worth(rows, vaults),
        found_assets(rows, witnesses.get("vault assets", {})),
        rates(rows, witnesses.get("worth of many", {})),
    ]


def allocations(rows: Rows, vaults: Mapping[Subject, Any]) -> Comparison:
    """What a vault has in the markets of its withdraw queue, and what it lost and still counts, add up to its totalAssets."""
    queued: dict[str, list[Row]] = {share: [] for (share,) in vaults}
    for row in rows.get("queues", ()):
        queued.setdefault(row["vault"], []).append(row)
    backing = {row["claim"]: row for row in rows.get("backings", ())}
    pairs = {}
    for (share,), (total, lost_before, _, _) in vaults.items():
        held = sum(row["allocated_raw"] for row in queued[share] if row["side"] == "withdraw")
        pairs[share,] = (held + lost(held, backing[share]["gain_base_raw"], lost_before), total)
    keys = {(share,): [(share, row["side"], row["slot"]) for row in queue] for share, queue in queued.items()}
    return spread(compare("queues", "allocations add up to totalAssets", pairs), keys)


def share_worth(rows: Rows, vaults: Mapping[Subject, Any]) -> Comparison:
    """What is behind all shares, the supply, the fee and the gains last counted give convertToAssets."""
    supply = {row["asset"]: row.get("total_supply_raw") for row in rows.get("assets", ())}
    pairs = {}
    for row in rows.get("backings", ()):
        _, lost_before, unit, rate = vaults.get((row["claim"],), (0, None, 0, None))
        issued = supply.get(row["claim"])
        if rate is not None and issued is not None:
            base, fee = row["gain_base_raw"], row["gain_fee_wad"]
            total = row["amount_raw"] + lost(row["amount_raw"], base, lost_before)
            ours = worth(rate.shares, total, issued, unit, base, fee)
            pairs[row["claim"], row["backing"], row["holder"]] = (ours, rate.assets)
    return compare("backings", "backing, supply and fee give convertToAssets", pairs)


def found_assets(rows: Rows, vaults: Mapping[Subject, Any]) -> Comparison:
    """What a vault counts lies in it or in a market that was read; where not, its rows stay unverified and how much is said."""
    agreed: set[Subject] = set()
    for row in rows.get("backings", ()):
        _, unseen = vaults.get((row["claim"], row["backing"]), (0, 1))
        if unseen == 0:
            agreed.add((row["claim"], row["backing"], row["holder"]))
    elsewhere = ", ".join(f"{share} {unseen} of {total}" for (share, _), (total, unseen) in vaults.items() if unseen)
    note = f"found nowhere: {elsewhere}" if elsewhere else ""
    check = Check("backings", "a vault's own balance and positions give totalAssets", len(vaults), (), note)
    return Comparison(check, frozenset(agreed), frozenset())


def rates(rows: Rows, answers: Mapping[Subject, int]) -> Comparison:
    """The rate of a claim is what very many of them are worth, each."""
    keys = {(row["claim"], row["backing"], row["holder"]): row.get("rate_wad") for row in rows.get("backings", ())}
    pairs: dict[Subject, tuple[Any, Any]] = {
        key: (keys[key], answer // WAD) for key, answer in answers.items() if key in keys
    }
    return compare("backings", "the rate is what many are worth", pairs)
