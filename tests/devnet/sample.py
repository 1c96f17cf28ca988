"""Takes the embedded sample again: generated accounts on real contracts of five protocols, read by our own readers. `make sample` runs this.

The same arguments give the same blocks, so the sample changes only when the readers, the schema or the world do.
"""

import sys
import time
from pathlib import Path

from chain.reading import take
from chain.snapshot import save
from tests.devnet.wide_world import widen
from tests.devnet.world import build_world

ACCOUNTS = 1_500
SEED = 7
CAPTION = "generated accounts, real contracts"
FOLDER = Path(__file__).resolve().parents[2] / "aftershock" / "sample" / "snapshot"


def main() -> None:
    """Build, read, compare, save; exit status 1 and nothing saved when a comparison with the chain fails."""
    started = time.monotonic()
    with build_world(accounts=ACCOUNTS, seed=SEED, progress=_progress) as world:
        _progress("wider", 0, 1)
        book = widen(world, SEED).deployments
        snapshot = take(world.url, book, "latest", "sample", _read, CAPTION)
    failures = [failure for check in snapshot.checks for failure in check.failures]
    if failures:
        sys.exit("not saved, the chain disagrees:\n" + "\n".join(failures[:20]))
    save(snapshot, FOLDER)
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    _say(
        f"\n{snapshot.content_id}: {len(snapshot['positions']):,} positions, {size / 1e6:.2f} MB, {time.monotonic() - started:.0f} s"
    )


def _progress(stage: str, done: int, total: int) -> None:
    _say(f"\r{stage}: {done} of {total}    ")


def _read(reader: str, done: int, total: int, note: str) -> None:
    _say(f"\rread {reader}: {done} of {total} {note}    ")


def _say(text: str) -> None:
    sys.stderr.write(text + ("\n" if text.startswith("\n") else ""))
    sys.stderr.flush()


if __name__ == "__main__":
    main()
