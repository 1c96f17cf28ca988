"""Replay a log of liquidations from files: the readers, the comparison, and what is written about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from aftershock.durations import duration_s
from chain.errors import InputError
from chain.files.event_files import Terms, read_liquidations, read_terms
from chain.files.frames import file_hash
from chain.files.price_files import Stamp, read_prices
from simulations.bonuses import Period
from simulations.replay import Replay, replay


@dataclass(frozen=True)
class ReplayedFiles:
    """A replay and the files behind it: (name, sha256) of each."""

    result: Replay
    terms: Terms
    files: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single events, as it goes into JSON."""
        return {
            "figures": self.result.figures(),
            "beyond_2_percent": self.result.left(),
            "ages": [{"age_s": age, "within_2_percent": share} for age, share in self.result.ages],
            "periods": [_period(one) for one in self.result.periods],
            "unknown_symbols": list(self.result.unknown),
            "price_gaps": dict(self.result.price_gaps),
            "files": [{"file": name, "sha256": digest} for name, digest in self.files],
        }


def replay_files(
    liquidations: Path,
    prices: Sequence[Path],
    params: Path | None = None,
    stamp: Stamp | None = None,
    bar: str | None = None,
    age_s: float | None = None,
    hours: float = 1.0,
) -> ReplayedFiles:
    """Compare a liquidation log with price files.

    Parameters
    ----------
    prices : best first; a later file fills what the earlier ones lack.
    params : terms file: names of prices by symbol, and bonuses where they are known; others are recovered.
    stamp, bar : for files of bars: open or close, and the length of a bar (1h).
    """
    if stamp not in (None, "open", "close"):
        raise InputError(f"--stamp is {stamp!r}; write open or close")
    if age_s is not None and not 0 <= age_s <= 86_400:
        raise InputError(f"--age is {age_s:g}; give 0 to 86400 seconds")
    if not 0 <= hours <= 48:
        raise InputError(f"--hours is {hours:g}; give 0 to 48")
    bar_s = duration_s(bar, "--bar") if bar is not None else None
    terms = read_terms(params) if params is not None else Terms({}, ())
    events = read_liquidations(liquidations)
    result = replay(
        events, [read_prices(path, stamp, bar_s) for path in prices], terms.price_symbols, terms.bonuses, age_s, hours
    )
    read = [liquidations, *prices, *([params] if params is not None else [])]
    return ReplayedFiles(
        result, terms, tuple((f"{path.resolve().parent.name}/{path.name}", file_hash(path)) for path in read)
    )


def terms_table(found: ReplayedFiles) -> pd.DataFrame:
    """The recovered bonuses as a terms file, which `--params` reads again."""
    rows = [
        {
            "symbol": one.symbol,
            "price_symbol": "|".join(found.terms.price_symbols.get(one.symbol, ())),
            "valid_from": "" if one.last_before_s is None else _day(one.since_s),
            "bonus_bps": round(10_000 * one.bonus_ratio),
            "events": one.events,
        }
        for one in found.result.periods
    ]
    other = sorted(set(found.terms.price_symbols) - {row["symbol"] for row in rows})
    rows += [
        {
            "symbol": name,
            "price_symbol": "|".join(found.terms.price_symbols[name]),
            "valid_from": "",
            "bonus_bps": "",
            "events": "",
        }
        for name in other
    ]
    return pd.DataFrame(rows)


def _period(one: Period) -> dict[str, Any]:
    return {
        "symbol": one.symbol,
        "bonus_bps": round(10_000 * one.bonus_ratio),
        "changed_after": None if one.last_before_s is None else _day(one.last_before_s),
        "changed_by": None if one.last_before_s is None else _day(one.since_s),
        "events": one.events,
    }


def _day(time_s: float) -> str:
    return str(pd.Timestamp(time_s, unit="s").strftime("%Y-%m-%d"))
