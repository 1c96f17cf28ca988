"""How politely a node is asked: requests a second, how much at once, how long to wait after a refusal."""

import random
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chain.errors import InputError

LONGEST_WAIT_SECONDS = 120.0
FIRST_WAIT_SECONDS = 0.2


@dataclass(frozen=True)
class Manners:
    """How nodes are treated, and where answers are kept.

    Attributes
    ----------
    requests_per_second : HTTP requests to one node, at most; 0 for no limit.
    tries : how often a request is made before a node is given up.
    timeout_seconds : how long a node may be silent.
    batch, body : JSON-RPC requests in one HTTP request, and bytes of them, at most.
    bundle : contract calls in one JSON-RPC request, at most; how many fit is found out.
    seed : decides the jitter of waiting times.
    cache : folder for immutable answers; None to keep none.
    keeps_recent : whether answers of the local node and of blocks inside the finality lag are kept too.
    """

    requests_per_second: float = 25.0
    tries: int = 4
    timeout_seconds: float = 30.0
    batch: int = 100
    body: int = 2_000_000
    bundle: int = 2_000
    seed: int = 0
    cache: Path | None = None
    keeps_recent: bool = False


def manners_from(environment: Mapping[str, str]) -> Manners:
    """Manners as the environment says: AFTERSHOCK_REQUESTS_PER_SECOND, AFTERSHOCK_CACHE (a folder, or `off`), XDG_CACHE_HOME.

    Raises
    ------
    InputError
        If the number of requests cannot be read or is negative.
    """
    text = environment.get("AFTERSHOCK_REQUESTS_PER_SECOND", "").strip()
    try:
        rate = float(text) if text else Manners.requests_per_second
    except ValueError:
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise InputError(f"AFTERSHOCK_REQUESTS_PER_SECOND is {text!r}; give a number, 0 for no limit")
    place = environment.get("AFTERSHOCK_CACHE", "").strip()
    if place.lower() in ("off", "0", "no", "none"):
        return Manners(rate)
    home = environment.get("XDG_CACHE_HOME", "").strip()
    folder = Path(place) if place else (Path(home) if home else Path.home() / ".cache") / "aftershock" / "answers"
    return Manners(rate, cache=folder)


class Pace:
    """Holds requests apart so that no second sees more than the limit, from however many threads."""

    def __init__(self, requests_per_second: float) -> None:
        self._apart = 1 / requests_per_second if requests_per_second else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may go out."""
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._apart
        if turn > now:
            time.sleep(turn - now)


_PACES: "weakref.WeakValueDictionary[tuple[str, float], Pace]" = weakref.WeakValueDictionary()


def pace_of(host: str, requests_per_second: float) -> Pace:
    """The pace of a host, one for all who ask it: chains whose nodes are one provider's share its limit."""
    return _PACES.setdefault((host, requests_per_second), Pace(requests_per_second))


class Size:
    """How much to ask at once: halved when the node finds it too much, doubled again after a row of successes.

    Each time a larger size was too much again the row has to be longer, so that a fixed limit costs fewer and fewer failures.

    Attributes
    ----------
    now : the size to use, from 1 to the most.
    """

    def __init__(self, most: int) -> None:
        self.now = self.most = most
        self._row, self._needed = 0, 4
        self._was_larger = False

    def down(self, tried: int) -> None:
        """So much was too much."""
        self.now = max(1, min(self.now, tried // 2))
        if self._was_larger:
            self._needed = min(self._needed * 2, 256)
        self._row, self._was_larger = 0, False

    def up(self) -> None:
        """The size was taken once."""
        self._row += 1
        if self._row >= self._needed and self.now < self.most:
            self.now, self._row, self._was_larger = min(self.now * 2, self.most), 0, True


def pause_seconds(attempt: int, asked_seconds: float, rng: random.Random) -> float:
    """How long to wait after failure number `attempt` (from 1): twice as long each time, half of it by chance; at least what was asked."""
    own: float = FIRST_WAIT_SECONDS * 2 ** (attempt - 1) * rng.uniform(0.5, 1.5)
    return max(own, asked_seconds + own / 10 if asked_seconds else 0.0)
