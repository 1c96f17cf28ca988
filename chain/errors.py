"""Everything that can go wrong, by name. One root; each error is a sentence that says what to do, and knows its exit code.

Errors of libraries (web3, pyarrow, tomllib) are wrapped where they happen, so that nobody above `chain` has to know them.
"""

from collections.abc import Iterable
from difflib import get_close_matches

USAGE = 2
MOST_NAMES = 8
"""That a sentence lists of what would have been understood."""
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


def goes_on(error: BaseException) -> bool:
    """Whether the same command can end otherwise next time: it was stopped, or a node failed; not where chain, block or contracts are not those asked for."""
    return not isinstance(error, InputError | WrongChainError | BlockError | ContractError)


def many(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def unknown_name(kind: str, name: str, known: Iterable[str], listed_by: str = "") -> UnknownNameError:
    """The error for a name that is not known, with the nearest known ones.

    Parameters
    ----------
    kind : what was looked for, in words ("scenario", "protocol").
    name : what the user wrote.
    known : every name that would have been understood.
    listed_by : the command or place that lists them all, where they are too many for a sentence.
    """
    names = sorted(set(known))
    lower = {candidate.lower(): candidate for candidate in reversed(names)}
    near = [lower[match] for match in get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    hint = f"known are: {', '.join(names) or 'none'}."
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif len(names) > MOST_NAMES:
        nearest = [lower[match] for match in get_close_matches(name.lower(), lower, n=MOST_NAMES, cutoff=0.0)]
        hint = f"the nearest of {len(names)} known are: {', '.join(nearest)}."
    every = f" {listed_by[0].upper()}{listed_by[1:]} lists all." if listed_by and len(names) > MOST_NAMES else ""
    return UnknownNameError(f"There is no {kind} named {name!r}; {hint}{every}")
