"""How much two holders own of the same, weighted by how hard it is to sell: losses travel between them without any claim of one on the other.

R. Cont, E. Schaanning, "Monitoring indirect contagion", Journal of Banking and Finance 104 (2019) 85-102, eq. 6: the liquidity-weighted
overlap of i and j is sum over assets of P_im P_jm / D_m with P the holdings and D the market depth. It is what i loses, to first order, if j sells
everything and prices fall in proportion to what is sold over the depth.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from chain.errors import InputError


def overlaps(holdings: Sequence[tuple[str, str, float]], depth_usd: Mapping[str, float]) -> pd.DataFrame:
    """Pairs of holders with what they own in common.

    Parameters
    ----------
    holdings : rows (holder, asset, USD); several of one pair add up.
    depth_usd : USD whose sale moves the price of an asset by all of it, in the linear model; an asset without depth is not in the overlap
        and is named in `unsold`.

    Returns
    -------
    holder, other, overlap_usd (loss of either if the other sells all), shared_usd (sum of the smaller holding of each asset), cosine (of
    the two portfolios, 0 to 1), unsold (assets held by both that have no depth, joined), largest overlap first.
    """
    for holder, asset, usd in holdings:
        if not (np.isfinite(usd) and usd >= 0):
            raise InputError(f"{holder} holds {usd} USD of {asset}; give a finite amount that is not negative")
    frame = pd.DataFrame(holdings, columns=["holder", "asset", "usd"]).groupby(["asset", "holder"])["usd"].sum()
    size = frame.pow(2).groupby("holder").sum().pow(0.5)
    rows: dict[tuple[str, str], list[float]] = {}
    unsold: dict[tuple[str, str], list[str]] = {}
    for asset, part in frame.groupby("asset"):
        held = [(str(holder), float(usd)) for (_, holder), usd in part.items() if usd > 0]
        depth = float(depth_usd.get(str(asset), 0.0))
        for number, (holder, usd) in enumerate(held):
            for other, theirs in held[number + 1 :]:
                row = rows.setdefault((holder, other), [0.0, 0.0, 0.0])
                row[0] += usd * theirs / depth if depth > 0 else 0.0
                row[1] += min(usd, theirs)
                row[2] += usd * theirs
                if depth <= 0:
                    unsold.setdefault((holder, other), []).append(str(asset))
    found = pd.DataFrame(
        [
            (
                holder,
                other,
                overlap,
                shared,
                product / (size[holder] * size[other]),
                ", ".join(unsold.get((holder, other), [])),
            )
            for (holder, other), (overlap, shared, product) in rows.items()
        ],
        columns=["holder", "other", "overlap_usd", "shared_usd", "cosine", "unsold"],
    )
    return found.sort_values(["overlap_usd", "holder", "other"], ascending=[False, True, True], ignore_index=True)
