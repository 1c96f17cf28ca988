"""One snapshot of several chains: each is read by a thread of its own, at the last block at or before one instant.

A chain that fails does not stop the others: what they read stays in the unfinished read, and the next run asks only for the rest.
"""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from chain.as_of import words_of
from chain.bridges import with_bridges
from chain.deployments import Deployment
from chain.errors import AftershockError, ContractError, NodeError, goes_on
from chain.findings import Progress
from chain.merging import merged
from chain.networks import network
from chain.node.client import Client
from chain.node.unfinished import asked_before
from chain.reading import take, unfinished_read
from chain.snapshot import Snapshot, save

Books = Mapping[str, Sequence[Deployment]]


class _StoppedError(Exception):
    """The reading of another chain failed for good, or the user stopped it."""


def take_several(
    urls: Mapping[str, str],
    books: Books,
    as_of: str | None,
    out: Path,
    progress: Progress = lambda *_: None,
) -> Snapshot:
    """Read every chain of `books`, merge and save them to `out`.

    Parameters
    ----------
    urls : addresses of nodes by chain.
    as_of : a time in UTC; without it that of the unfinished read if there is one, else the newest that is final on every chain.
    out : folder of the snapshot; unfinished reads are in `incomplete_<out>`, a folder a chain.
    progress : as `reading.take`, with the chain's name before each label; never called by two threads at a time.

    Raises
    ------
    NodeError
        If chains could not be read: each is named with its reason. One chain's error alone is raised as it is.
    """
    folders = {chain: out.with_name(f"incomplete_{out.name}") / chain.replace(":", "_") for chain in books}
    as_of = as_of or next(filter(None, map(asked_before, folders.values())), "") or _newest_final(urls)
    said = _Report(progress)
    with ExitStack() as stack:
        unfinished = {
            chain: stack.enter_context(unfinished_read(out, entries, as_of, within=folders[chain].name))
            for chain, entries in books.items()
        }

        def read(chain: str) -> Snapshot:
            note = said.of(network(chain).name)
            return take(urls[chain], books[chain], as_of, out.name, note, unfinished=unfinished[chain])

        try:
            parts = _side_by_side(read, list(books))
        except KeyboardInterrupt:
            said.stop()
            raise
        whole = with_bridges(merged(out.name, parts), [entry for entries in books.values() for entry in entries])
        save(whole, out)
        for one in unfinished.values():
            one.remove()
    folders[next(iter(books))].parent.rmdir()
    return whole


def _newest_final(urls: Mapping[str, str]) -> str:
    """The newest instant at which every chain has a final block."""
    times = []
    for chain, url in urls.items():
        with Client.connect(url, chain) as client:
            times.append(client.pin().timestamp)
    return words_of(min(times))


def _side_by_side(read: Callable[[str], Snapshot], chains: Sequence[str]) -> list[Snapshot]:
    """What `read` gives for each chain. Daemon threads: one that waits for a node must not keep a stopped program alive."""
    outcomes: queue.SimpleQueue[tuple[str, Snapshot | BaseException]] = queue.SimpleQueue()

    def run(chain: str) -> None:
        try:
            outcomes.put((chain, read(chain)))
        except BaseException as error:
            outcomes.put((chain, error))

    for chain in chains:
        threading.Thread(target=run, args=(chain,), daemon=True).start()
    found = dict(outcomes.get() for _ in chains)
    parts = {chain: part for chain, part in found.items() if isinstance(part, Snapshot)}
    errors = {chain: error for chain, error in found.items() if isinstance(error, BaseException)}
    for error in errors.values():
        if len(errors) == 1 or not isinstance(error, AftershockError):
            raise error
    if errors:
        kind = NodeError if any(map(goes_on, errors.values())) else ContractError
        raise kind(" ".join(f"{network(chain).name}: {error}." for chain, error in errors.items()))
    return [parts[chain] for chain in chains]


class _Report:
    """Passes on what threads say, one at a time."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock, self._is_stopped = progress, threading.Lock(), False

    def stop(self) -> None:
        """Whoever says something from now on is stopped."""
        self._is_stopped = True

    def of(self, chain: str) -> Callable[[str, int, int, str], None]:
        """How the thread of this chain reports."""

        def note(label: str, done: int, total: int, text: str) -> None:
            with self._lock:
                if self._is_stopped:
                    raise _StoppedError
                self._progress(f"{chain}: {label}", done, total, text)

        return note
