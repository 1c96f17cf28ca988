"""What the claims of a file of exposures add up to: how much is claimed on each name, and how much of it the name's own claims cover.

The reader of such a file asks it, and so does a what-if that took claims out of one: both give the same of the same claims.
"""

from collections.abc import Iterable, Mapping

from chain.units import WAD


def claim_totals(
    claims: Iterable[tuple[str, str, int]], decimals: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Sums and rates of claims that are stated in USD.

    Parameters
    ----------
    claims : holder, on whom, smallest units.
    decimals : of each name on which there are claims; one whole claim is one USD.

    Returns
    -------
    Name -> smallest units claimed on it, in the order of the claims. Name that has claims itself -> whole USD of them behind each whole USD
    claimed on it, times 10**18 rounded down; at most one, as what is left over belongs to the name itself.
    """
    finest = max(decimals.values(), default=0)
    scale = {name: 10 ** (finest - places) for name, places in decimals.items()}
    claimed: dict[str, int] = {}
    has: dict[str, int] = {}
    for holder, name, raw in claims:
        claimed[name] = claimed.get(name, 0) + raw
        has[holder] = has.get(holder, 0) + raw * scale[name]
    rates = {name: min(WAD, WAD * has[name] // (raw * scale[name])) for name, raw in claimed.items() if name in has}
    return claimed, rates
