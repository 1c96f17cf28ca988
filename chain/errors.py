"""Everything that can go wrong, by name. One root; each error is a sentence that says what to do, and knows its exit code.

Errors of libraries (web3, pyarrow, tomllib) are wrapped where they happen, so that nobody above `chain` has to know them.
"""

from collections.abc import Iterable
from difflib import get_close_matches

USAGE = 2
DATA_INCOMPLETE = 3


class AftershockError(Exception):
    """Root of all errors that aftershock raises on purpose."""

    exit_code = DATA_INCOMPLETE


class InputError(AftershockError):
    """Something the user gave (an option, a file, a field) cannot be used as it is."""

    exit_code = USAGE


class UnknownNameError(InputError):
    """A name that nothing here answers to; carries the nearest known names."""


class NodeError(AftershockError):
    """The node could not be reached, or answered something that cannot be used."""


class WrongChainError(NodeError):
    """The node serves another chain than the deployments name."""


class BlockError(NodeError):
    """The block cannot be pinned: it lies ahead of the head, or its hash changed during the read."""


class ContractError(NodeError):
    """A contract refused a call that its protocol must answer."""


class SchemaError(AftershockError):
    """A table does not have the columns, types or keys that its schema states."""


class SnapshotError(AftershockError):
    """A stored snapshot is incomplete, damaged, or not what its manifest says."""


class ConservationError(AftershockError):
    """An accounting identity of the cascade is violated: a fault of this program, never of the input."""


class ConvergenceError(AftershockError):
    """An iteration did not come to rest within its limit."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not known, with the nearest known ones.

    Parameters
    ----------
    kind : what was looked for, in words ("scenario", "protocol").
    name : what the user wrote.
    known : every name that would have been understood.
    """
    names = sorted(set(known))
    lower = {candidate.lower(): candidate for candidate in reversed(names)}
    near = [lower[match] for match in get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(names) or 'none'}."
    return UnknownNameError(f"There is no {kind} named {name!r}; {hint}")
