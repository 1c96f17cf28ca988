"""The verdict on one seed: read through a spoilt connection, retry once it is whole, compare with what a fault-free reading gives.

A reading passes if its tables are those of a fault-free one at the same block hash, or if it ends in a named error and the next reading
gives these tables. A reading whose own checks against the chain fail (`flagged`: exit code 3 on the command line) does not pass: the
contracts are sound, so it is the reader that was led astray.
"""

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chain.errors import AftershockError
from chain.node.pacing import Manners
from chain.reading import take, unfinished_read
from chain.snapshot import Snapshot
from tests.chain.faults.kinds import KINDS, drawn
from tests.chain.faults.nodes import Twins, node_faults, second_endpoint, twins
from tests.chain.faults.proxy import SECRET, Proxy, serve

MANNERS = Manners(requests_per_second=0, timeout_seconds=0.75)
"""As by default, without limit for the local node; shorter patience, so that a silent node costs no minutes. No cache."""
NODE_KINDS = (
    *("reorganisation", "there and back", "lagging node", "another chain", "another chain for a while"),
    *("lagging second endpoint", "forked second endpoint"),
)
FORKING = ("reorganisation", "there and back", "forked second endpoint")
EVERY_KIND = (*KINDS, *NODE_KINDS)


@dataclass(frozen=True)
class Verdict:
    """What became of one seed.

    Attributes
    ----------
    main : the fault that this seed is about; others may accompany it.
    fired : how often each fault acted.
    outcome : `identical`, `error`, or what must never be: `flagged` (the reading's own checks fail), `silent`, `crash`.
    words : the error, or which tables differ.
    resumed : whether the reading after it passed; None where the first was identical.
    requests : HTTP requests of the first reading.
    """

    seed: int
    main: str
    fired: dict[str, int]
    outcome: str
    words: str = ""
    resumed: bool | None = None
    requests: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing differed without a word, and the retry gave the fault-free tables."""
        return self.outcome in ("identical", "error") and self.resumed is not False


def judge(seed: int, nodes: Twins) -> Verdict:
    """Read the world with the faults of this seed."""
    draw = random.Random(seed)
    main = EVERY_KIND[seed % len(EVERY_KIND)]
    depth = draw.randint(1, 12)
    if main in FORKING:
        nodes.fork_at(depth)
    proxy = Proxy(nodes.urls)
    chosen = [main, *draw.sample(tuple(KINDS), draw.choice((0, 0, 1, 2)))]
    others = node_faults(proxy, draw)
    faults: dict[str, Any] = {
        name: others[name] if name in others else drawn(name, KINDS[name], draw) for name in dict.fromkeys(chosen)
    }
    proxy.spoils = list(faults.values())
    head = nodes.head
    block: int | str | None = draw.choice(
        (None, "latest", head, f"latest-{draw.randint(1, 13)}", head - draw.randint(1, 13))
    )
    resumes = draw.random() < 0.5
    second = second_endpoint(main, nodes, draw)
    with serve(proxy), serve(second or Proxy(nodes.urls)) as other, tempfile.TemporaryDirectory() as place:
        urls = proxy.url if second is None else f"{proxy.url},{other.url}"
        folder = Path(place, "read") if resumes else None
        outcome, words = _reading(urls, nodes, block, folder)
        requests, fired = proxy.requests, {name: fault.fired for name, fault in faults.items()}
        resumed: bool | None = None
        if outcome != "identical":
            for fault in faults.values():
                fault.heal()
            again, why = _reading(urls, nodes, block, folder)
            resumed = again == "identical"
            words = words if resumed else f"{words} | then {again}: {why}"
    for accident in (*proxy.accidents, *other.accidents):
        raise AssertionError(accident)
    return Verdict(seed, main, fired, outcome, words, resumed, requests)


def judge_all(seeds: Sequence[int]) -> list[Verdict]:
    """All of these seeds on nodes of their own: 25 accounts."""
    with twins() as nodes:
        return [judge(seed, nodes) for seed in seeds]


def _reading(urls: str, nodes: Twins, block: int | str | None, folder: Path | None) -> tuple[str, str]:
    """One reading; with a folder as `aftershock.snapshot` does it: what it got is kept there, and an earlier one's is gone on from."""
    book = nodes.main.deployments
    try:
        with (
            patch("chain.node.client.manners_from", lambda _: MANNERS),
            patch("chain.node.pacing.FIRST_WAIT_SECONDS", 0.02),
        ):
            if folder is None:
                found = take(urls, book, block)
            else:
                with unfinished_read(folder, book, block) as unfinished:
                    found = take(urls, book, block, unfinished=unfinished)
                    unfinished.remove()
    except AftershockError as error:
        return ("crash" if SECRET in str(error) else "error"), f"{type(error).__name__}: {error}"
    except Exception as error:  # whatever else comes out is a fault of ours
        return "crash", f"{type(error).__name__}: {error}"
    wanted = nodes.fault_free(found)
    if found.content_id == wanted.content_id:
        return "identical", ""
    failed = [check.name for check in found.checks if not check.passed]
    return ("flagged" if failed else "silent"), f"{_differing(found, wanted)} differ; failed checks: {failed}"


def _differing(found: Snapshot, wanted: Snapshot) -> list[str]:
    return [name for name, digest in found.table_hashes.items() if wanted.table_hashes[name] != digest]
