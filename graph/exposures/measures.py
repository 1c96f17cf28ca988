"""Measures of how much rests on few: concentration of a set of amounts."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Concentration:
    """How concentrated amounts are.

    Attributes
    ----------
    count : number of amounts above zero.
    hhi : sum of squared shares, 1/count (all equal) to 1 (one holds all); None where there is nothing.
    effective_number : 1 / hhi: as many equal holders would be as concentrated; None where there is nothing.
    top10_share : part of the total that the ten largest hold; None where there is nothing.
    """

    count: int
    hhi: float | None
    effective_number: float | None
    top10_share: float | None


def concentration(amounts: Iterable[float]) -> Concentration:
    """Concentration of non-negative amounts; what is missing (NaN) or zero does not count.

    Notes
    -----
    Herfindahl-Hirschman index H = sum_i s_i^2 with s_i = x_i / sum x (A. O. Hirschman, "The Paternity of an Index", American
    Economic Review 54 (1964) 761-762). On the scale 0 to 1; merger guidelines state it times 10,000. Numbers equivalent 1/H: M. A.
    Adelman, "Comment on the 'H' Concentration Measure as a Numbers-Equivalent", Review of Economics and Statistics 51 (1969) 99-101.
    Amounts are summed from the largest down, so that their order changes nothing.

    Raises
    ------
    ValueError
        If an amount is negative.
    """
    values = np.sort(np.asarray([amount for amount in amounts if amount == amount and amount != 0], dtype=float))[::-1]
    if (values < 0).any():
        raise ValueError(f"concentration of negative amounts is not defined (found {values.min()})")
    if not len(values):
        return Concentration(0, None, None, None)
    shares = values / values.sum()
    hhi = float((shares**2).sum())
    return Concentration(len(values), hhi, 1 / hhi, float(shares[:10].sum()))
