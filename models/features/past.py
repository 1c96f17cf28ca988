"""Samples that carry their own past: `name@k` is the feature `name` as it stood k steps earlier.

So whoever holds only samples can look no further back, and no further ahead, than they do.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chain.errors import InputError
from models.samples import Samples

MARK = "@"


def with_past(
    samples: Samples, stems: Sequence[str], steps: int, step_s: int, earlier: Samples | None = None
) -> Samples:
    """The samples with `name@k` for each of `stems` and k = 1 ... steps: the feature as of `as_of - k * step_s`.

    Parameters
    ----------
    samples : features that look back only, so their past does too.
    step_s : seconds between two instants of the sequence.
    earlier : where the past is looked up, of the same assets; the samples themselves if None. Instants that it does not have are unknown (NaN).

    Raises
    ------
    InputError : no step, or `earlier` is about other assets.
    """
    source = earlier or samples
    if steps < 1 or step_s < 1:
        raise InputError(f"A past of {steps} steps of {step_s} s cannot be taken; both must be at least 1.")
    if source.assets != samples.assets:
        raise InputError("The earlier samples are about other assets, or in another order; make both from one panel.")
    values = source.x[:, :, source.columns(stems)]
    blocks, names = [samples.x], list(samples.names)
    for step in range(1, steps + 1):
        wanted = samples.as_of_s - step * step_s
        place = np.minimum(np.searchsorted(source.as_of_s, wanted), len(source.as_of_s) - 1)
        there = source.as_of_s[place] == wanted
        blocks.append(np.where(there[:, None, None], values[place], np.nan))
        names += [f"{stem}{MARK}{step}" for stem in stems]
    return replace(samples, names=tuple(names), x=np.concatenate(blocks, axis=2))
