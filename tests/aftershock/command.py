"""What a run of the command line leaves, as a value."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Ask = Callable[..., Answer]

LIBRARY = (
    "np.float64",
    "Errno",
    "codec",
    "No columns to parse",
    "tokenizing",
    "passing `format`",
    "non-existent",
    "Traceback",
)
"""Words of libraries that no sentence to a person carries."""
