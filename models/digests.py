"""A hash of numbers that their last bits do not change: what forecasts and checkpoints are kept under.

Sums of products come out differently in their last bits with another number of threads, or another BLAS. So floats are rounded to 20 binary digits (one part in a
million), and to multiples of 2**-40 (1e-12), before they are hashed; a number that lies within those last bits of half a step can still fall either way.
"""

from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS, LEAST_STEP = 20, 2.0**-40
CHUNK = 1 << 20
"""Numbers rounded at once."""


def digest(said: object, *arrays: NDArray[Any]) -> str:
    """sha256 of what is said (its repr) and of shapes and rounded numbers of some arrays; every NaN is the same, and so are the two zeros."""
    found = sha256(repr(said).encode())
    for array in arrays:
        found.update(repr(array.shape).encode())
        flat = np.ascontiguousarray(array).reshape(-1)
        for start in range(0, len(flat), CHUNK):
            part = flat[start : start + CHUNK]
            found.update(rounded(part).tobytes() if part.dtype.kind == "f" else part.tobytes())
    return found.hexdigest()


def rounded(values: NDArray[Any]) -> NDArray[np.float64]:
    """Floats to 20 binary digits and to multiples of 2**-40."""
    share, power = np.frexp(values.astype("<f8"))
    with np.errstate(over="ignore"):
        short = np.ldexp(np.round(np.ldexp(share, BITS)), power - BITS)
        stepped = np.round(short / LEAST_STEP) * LEAST_STEP
    return np.asarray(np.where(np.isnan(stepped), np.nan, stepped) + 0.0)
