"""A clean price file, and files as the checks see them: what the tests of the checks plant their problems into."""

from pathlib import Path

import numpy as np
import pandas as pd

from chain.files.file_checks import CheckedFile, check_files
from chain.files.file_findings import FileFinding

NOW = pd.Timestamp("2024-01-01", tz="UTC").timestamp()
START = pd.Timestamp("2022-01-01", tz="UTC").timestamp()
HOURS = 400
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


def clean(hours: int = HOURS, start: float = START) -> pd.DataFrame:
    """Hourly closes of four series that walk on their own, stamped in UTC."""
    rng = np.random.default_rng(3)
    parts = []
    for number, symbol in enumerate(SYMBOLS):
        close = 100.0 * 3**number * np.exp(np.cumsum(rng.normal(0, 0.01, hours)))
        stamps = pd.to_datetime(start + 3_600 * np.arange(hours), unit="s").strftime("%Y-%m-%dT%H:%M:%SZ")
        parts.append(pd.DataFrame({"timestamp": stamps, "symbol": symbol, "close": close}))
    return pd.concat(parts, ignore_index=True)


def checked(folder: Path, frame: pd.DataFrame, **said: object) -> CheckedFile:
    path = folder / "file.csv"
    frame.to_csv(path, index=False)
    [found] = check_files([path], NOW, **said)  # type: ignore[arg-type]
    return found


def only(found: CheckedFile, kind: str) -> FileFinding:
    mine = [one for one in found.findings if one.kind == kind]
    assert len(mine) == 1, [one.kind for one in found.findings]
    return mine[0]


def checked_text(folder: Path, text: str) -> CheckedFile:
    path = folder / "file.csv"
    path.write_text(text, encoding="utf-8")
    return check_files([path], NOW)[0]
