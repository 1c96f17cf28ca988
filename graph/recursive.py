"""What claims that stand behind each other are worth: the fixed point of "a claim is what its backing is".

Let S be the shares of claims in claims and B those of claims in roots (what nothing further stands behind), each row adding up to one.
What one unit of each claim is finally made of is the fixed point X = S X + B, that is X = (I - S)^-1 B. It exists for every claim from
which some way leads outside. A circle of claims with nothing outside has no value of its own: its members are called circular.

The equation is that of the total of an absorbing Markov chain (J. G. Kemeny and J. L. Snell, "Finite Markov Chains", 1960, theorem
3.3.7: B = N R with N = (I - Q)^-1). It is solved one circle at a time, largest claims first, so a chain without circles costs one pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

Shares = Mapping[str, Mapping[str, float]]
MOST = 1e12  # times what enters a circle of rates: more passes it only where floats cannot tell it from endlessly much


@dataclass(frozen=True)
class Backing:
    """What stands behind what: claim -> {backing: share of the claim}; `rest` is the part of a claim, if any, that stands for the claim itself.

    A claim's shares and its rest add up to one.
    """

    shares: Shares
    rest: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def groups(self) -> list[tuple[str, ...]]:
        """Assets that stand behind each other, alone where there is no circle; each group before those that stand behind it."""
        return components(self.shares)[::-1]

    @cached_property
    def recursive(self) -> dict[str, tuple[str, ...]]:
        """Claim that stands behind itself -> all members of its circle, sorted."""
        return {
            claim: group
            for group in self.groups
            if len(group) > 1 or group[0] in self.shares.get(group[0], {})
            for claim in group
        }

    @cached_property
    def circular(self) -> frozenset[str]:
        """Members of circles from which no way leads outside and of which nothing stands for itself: nothing gives them value."""
        return frozenset(
            claim
            for claim, group in self.recursive.items()
            if not any(self.rest.get(member) for member in group)
            and all(below in group for member in group for below, share in self.shares[member].items() if share > 0)
        )

    def finally_of(self, amounts: Mapping[str, float]) -> dict[str, float]:
        """What amounts of assets are finally made of: root -> amount; what is circular stands for itself. Sums are kept."""
        here = dict(amounts)
        found: dict[str, float] = {}
        for group in self.groups:
            entered = [here.get(member, 0.0) for member in group]
            if not any(entered):
                continue
            if group[0] not in self.shares or group[0] in self.circular:
                found |= {member: amount for member, amount in zip(group, entered, strict=True) if amount}
                continue
            passing = self._passing(group, entered) if group[0] in self.recursive else entered
            for member, amount in zip(group, passing, strict=True):
                if self.rest.get(member) and amount:
                    found[member] = amount * self.rest[member]
                for below, share in self.shares[member].items():
                    if below not in group:
                        here[below] = here.get(below, 0.0) + amount * share
        return found | {asset: amount for asset, amount in amounts.items() if asset not in self._known and amount}

    def reaching(self, asset: str) -> dict[str, float]:
        """Asset -> the share of it that is this asset, directly or through others; 1 for the asset itself."""
        cut = (
            self.shares if asset not in self.shares else {key: row for key, row in self.shares.items() if key != asset}
        )
        below = self if cut is self.shares else Backing(cut, self.rest)
        found = {asset: 1.0}
        for group in reversed(below.groups):
            if group[0] not in cut or group[0] in below.circular:
                continue
            direct = [sum(share * found.get(key, 0.0) for key, share in cut[member].items()) for member in group]
            if any(direct):
                solved = below._solved(group, direct) if group[0] in below.recursive else direct
                found |= {member: share for member, share in zip(group, solved, strict=True) if share}
        return found

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(member for group in self.groups for member in group)

    def _passing(self, group: tuple[str, ...], entered: Iterable[float]) -> list[float]:
        """What passes each member in all when these amounts enter the circle: y = (I - S')^-1 entered."""
        return _solve(self._inside(group), np.array(list(entered)), turned=True)

    def _solved(self, group: tuple[str, ...], direct: Iterable[float]) -> list[float]:
        """Shares by the fixed point x = S x + direct."""
        return _solve(self._inside(group), np.array(list(direct)), turned=False)

    def _inside(self, group: tuple[str, ...]) -> list[tuple[int, int, float]]:
        place = {member: number for number, member in enumerate(group)}
        return [
            (place[member], place[below], share)
            for member in group
            for below, share in self.shares[member].items()
            if below in place
        ]


@dataclass(frozen=True)
class Rates(Backing):
    """The same of units: claim -> {backing: whole units behind one whole claim}, which add up to anything.

    What passes through a circle is missing (NaN) where the circle gives back all of itself, or more: nobody outside has any of it, so there is no
    one claim for which anything could stand.
    """

    def _passing(self, group: tuple[str, ...], entered: Iterable[float]) -> list[float]:
        found = super()._passing(group, entered := list(entered))
        return found if all(0 <= one < MOST * max(entered) for one in found) else [nan] * len(found)


def _solve(inside: list[tuple[int, int, float]], right: NDArray[np.float64], *, turned: bool) -> list[float]:
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import MatrixRankWarning, spsolve

    size = len(right)
    rows, columns = np.array([row for row, _, _ in inside]), np.array([column for _, column, _ in inside])
    values = np.array([share for _, _, share in inside])
    matrix = csc_array((values, (columns, rows) if turned else (rows, columns)), shape=(size, size))
    with catch_warnings():
        simplefilter("ignore", MatrixRankWarning)  # then all of it is NaN
        solved = spsolve((eye_array(size, format="csc") - matrix).tocsc(), right)
    found: list[float] = np.atleast_1d(solved).tolist()
    return found


def components(below: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Groups of names from each of which all others of the group can be reached, each group after all that it leads to.

    R. Tarjan, "Depth-first search and linear graph algorithms", SIAM Journal on Computing 1 (1972) 146-160, without recursion.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_names: list[str] = []
    is_open: set[str] = set()
    found: list[tuple[str, ...]] = []
    for root in sorted(below):
        if root in index:
            continue
        index[root] = low[root] = len(index)
        open_names.append(root)
        is_open.add(root)
        work = [(root, iter(sorted(below.get(root, ()))))]
        while work:
            name, rest = work[-1]
            for step in rest:
                if step not in index:
                    index[step] = low[step] = len(index)
                    open_names.append(step)
                    is_open.add(step)
                    work.append((step, iter(sorted(below.get(step, ())))))
                    break
                if step in is_open:
                    low[name] = min(low[name], index[step])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    group = [open_names.pop()]
                    while group[-1] != name:
                        group.append(open_names.pop())
                    is_open.difference_update(group)
                    found.append(tuple(sorted(group)))
    return found
