"""Which columns a network reads as features of now, and which as a look-back sequence; and how they are put on one scale.

A feature called `name@k` is `name` as it stood k steps earlier (`models.features.past`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chain.errors import InputError
from models.features.past import MARK

LIMIT = 6.0
"""Scaled features are held within so many standard deviations: one broken bar shall not move a forecast by more."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Places of columns.

    Attributes
    ----------
    present : columns of now, in the order of the samples.
    sequence : for each step of the past, oldest first and now last, the places of the same features; empty if there is none.
    """

    present: tuple[int, ...]
    sequence: tuple[tuple[int, ...], ...]

    @property
    def steps(self) -> int:
        """How many instants the sequence has, now included."""
        return len(self.sequence)

    @property
    def width(self) -> int:
        """How many features each instant of the sequence has."""
        return len(self.sequence[0]) if self.sequence else 0


def lay_out(names: Sequence[str]) -> Layout:
    """Find the sequence among the names.

    Raises
    ------
    InputError : a feature of the past has no present one, or a step of its past is missing.
    """
    place = {name: number for number, name in enumerate(names)}
    past: dict[str, set[int]] = {}
    for name in names:
        stem, mark, step = name.rpartition(MARK)
        if mark:
            if not step.isdecimal() or int(step) < 1:
                raise InputError(
                    f"The feature {name!r} should end in {MARK} and a count of steps back, such as {MARK}3."
                )
            past.setdefault(stem, set()).add(int(step))
    present = tuple(place[name] for name in names if MARK not in name)
    if not past:
        return Layout(present, ())
    longest = max(max(steps) for steps in past.values())
    for stem, steps in past.items():
        missing = sorted(set(range(1, longest + 1)) - steps)
        if missing or stem not in place:
            lost = f"{stem}{MARK}{missing[0]}" if missing else stem
            raise InputError(
                f"The look-back sequence lacks the feature {lost!r}; give every step from 1 to {longest} and the present one."
            )
    stems = [name for name in names if name in past]
    oldest_first = [tuple(place[f"{stem}{MARK}{step}"] for stem in stems) for step in range(longest, 0, -1)]
    return Layout(present, (*oldest_first, tuple(place[stem] for stem in stems)))


@dataclass(frozen=True)
class Scale:
    """Centre and spread of each feature over the training rows; both (F,)."""

    centre: Floats
    spread: Floats

    def __call__(self, x: Floats) -> NDArray[np.float32]:
        """Standard deviations from the training mean, within +-6; what is not known stands at the mean."""
        return np.nan_to_num(np.clip((x - self.centre) / self.spread, -LIMIT, LIMIT), nan=0.0).astype(np.float32)


def scale_of(x: Floats, names: Sequence[str]) -> Scale:
    """The scale of features, shape (..., F). A feature and its past share the scale of the present one; one that never varies is only centred.

    A feature of which no row is known is put at zero everywhere.
    """
    rows = x.reshape(-1, x.shape[-1])
    known = np.isfinite(rows)
    count = np.maximum(known.sum(axis=0), 1)
    clean = np.where(known, rows, 0.0)
    centre = clean.sum(axis=0) / count
    spread = np.sqrt((np.where(known, clean - centre, 0.0) ** 2).sum(axis=0) / count)
    spread = np.where(spread > 1e-12 * (1.0 + np.abs(centre)), spread, 1.0)
    stem = {name: number for number, name in enumerate(names)}
    owner = [stem[name.rpartition(MARK)[0] or name] for name in names]
    return Scale(centre[owner], spread[owner])
