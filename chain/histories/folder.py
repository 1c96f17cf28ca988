"""The folder of a history: Parquet files named by the blocks that they hold, and a list of the ranges that are whole.

    history.json                            what is read, the ranges with the hash of their last block, each file with its rows and SHA-256
    liquidations/21000000-21049999.parquet  rows of one table in one range

A range counts once it stands in the list, which is replaced in one step after its files are there; whatever kills the writer costs at most one
range. Ranges follow each other without a gap. A file that the list does not name is nothing and is written over.
"""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

from chain.errors import InputError, SnapshotError
from chain.tables import Row, TableSchema, check, content_hash, make, read, read_schema, schemas, write

FORMAT = 1
LIST = "history.json"
RANGED = ("liquidations", "rates", "transfers", "parameter_changes", "deficits", "proposals", "observations", "blocks")
OWN = Path(__file__).parent / "schema"


@cache
def history_schemas() -> dict[str, TableSchema]:
    """The tables of a history: the ranged ones of a snapshot, and those that only a history has."""
    return {name: schemas()[name] for name in RANGED} | {
        path.stem: read_schema(path) for path in sorted(OWN.glob("*.csv"))
    }


@dataclass(frozen=True)
class Purpose:
    """What a history holds; all its ranges hold the same.

    Attributes
    ----------
    chain : CAIP-2 id.
    deployments : SHA-256 of the address book.
    tables : names, sorted.
    least : symbol -> least whole tokens of a transfer that is kept, as text.
    """

    chain: str
    deployments: str
    tables: tuple[str, ...]
    least: Mapping[str, str]


@dataclass(frozen=True)
class File:
    """One table in one range: how many rows, and the hash of their content."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class WholeRange:
    """Blocks `first` to `last`, both included; `joined` are contracts of which nothing was read before this range was, `last_time` is that of the last block (not in lists of before)."""

    first: int
    last: int
    last_hash: str
    files: Mapping[str, File]
    joined: tuple[str, ...] = ()
    last_time: int | None = None

    def path(self, folder: Path, table: str) -> Path:
        """Where the rows of a table are."""
        return folder / table / f"{self.first:08d}-{self.last:08d}.parquet"


@dataclass
class HistoryFolder:
    """A history on disk; `open` makes or takes up one."""

    folder: Path
    purpose: Purpose
    ranges: list[WholeRange] = field(default_factory=list)
    _lock: int = -1

    @classmethod
    def open(cls, folder: Path, purpose: Purpose) -> "HistoryFolder":
        """Take up the history, or begin one, and hold it against others.

        Raises
        ------
        InputError
            If it holds something else.
        SnapshotError
            If the folder is somebody else's or damaged, or another run works in it.
        """
        earlier = stored(folder)
        if earlier is None and folder.exists() and any(path.name != "lock" for path in folder.iterdir()):
            raise SnapshotError(f"{folder} exists and is no history; give another --out")
        if earlier is not None and earlier.purpose != purpose:
            raise InputError(
                f"{folder} {_difference(earlier.purpose, purpose)}; give another --out, or ask for the same"
            )
        mine = earlier or cls(folder, purpose)
        folder.mkdir(parents=True, exist_ok=True)
        mine._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(mine._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            mine.close()
            raise SnapshotError(f"Another run is working in {folder}; wait for it or give another --out") from error
        return mine

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def first(self) -> int | None:
        """First block; None without any."""
        return self.ranges[0].first if self.ranges else None

    @property
    def last(self) -> int | None:
        """Last block; None without any."""
        return self.ranges[-1].last if self.ranges else None

    @property
    def until_s(self) -> int | None:
        """Time of the last block; None without any, or where a list of before does not have it."""
        return self.ranges[-1].last_time if self.ranges else None

    @property
    def joined(self) -> set[str]:
        """All contracts whose events are in it."""
        return {address for one in self.ranges for address in one.joined}

    def add(
        self,
        first: int,
        last: int,
        last_hash: str,
        rows: Mapping[str, Sequence[Row]],
        joined: Sequence[str] = (),
        last_time: int | None = None,
    ) -> None:
        """Keep one more range, which must touch those that are there.

        Raises
        ------
        SchemaError
            If a row breaks its table's schema.
        ValueError
            If it leaves a gap or overlaps.
        """
        if self.ranges and first != self.ranges[-1].last + 1 and last != self.ranges[0].first - 1:
            raise ValueError(f"blocks {first} to {last} do not touch {self.first} to {self.last}")
        frames = {table: make(history_schemas()[table], rows[table]) for table in sorted(rows) if rows[table]}
        files = {
            table: File(len(frame), content_hash(history_schemas()[table], frame)) for table, frame in frames.items()
        }
        one = WholeRange(first, last, last_hash, files, tuple(sorted(joined)), last_time)
        for table, frame in frames.items():
            path = one.path(self.folder, table)
            path.parent.mkdir(exist_ok=True)
            new = path.with_suffix(".new")
            write(history_schemas()[table], frame, new)
            new.replace(path)
        self._list([*self.ranges, one] if not self.ranges or first > self.ranges[-1].last else [one, *self.ranges])

    def take_back(self) -> WholeRange:
        """Forget the last range and its files; returns it."""
        gone = self.ranges[-1]
        self._list(self.ranges[:-1])
        for table in gone.files:
            gone.path(self.folder, table).unlink(missing_ok=True)
        return gone

    def table(self, name: str) -> pd.DataFrame:
        """All rows of one table in the order of its key.

        Raises
        ------
        SnapshotError
            If a file is missing or is not what the list says; SchemaError if a row is there twice.
        """
        schema, frames = history_schemas()[name], []
        for one in self.ranges:
            if name not in one.files:
                continue
            path = one.path(self.folder, name)
            if not path.is_file():
                raise SnapshotError(f"{path} is missing; restore it, or delete {self.folder} and read again")
            frame, _ = read(schema, path)
            if content_hash(schema, frame) != one.files[name].sha256:
                raise SnapshotError(
                    f"{path} is not the table that {LIST} describes; restore it, or delete {self.folder} and read again"
                )
            frames.append(frame)
        return check(schema, pd.concat(frames, ignore_index=True)) if frames else make(schema, ())

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        found = dict.fromkeys(self.purpose.tables, 0)
        for one in self.ranges:
            for table, file in one.files.items():
                found[table] = found.get(table, 0) + file.rows
        return found

    def _list(self, ranges: list[WholeRange]) -> None:
        """Replace the list in one step."""
        content = {"format": FORMAT, "purpose": asdict(self.purpose), "ranges": [asdict(one) for one in ranges]}
        new = self.folder / f"{LIST}.new"
        new.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        new.replace(self.folder / LIST)
        self.ranges = ranges


def stored(folder: Path) -> HistoryFolder | None:
    """The history of a folder, to be read; None if there is none, SnapshotError if its list is damaged."""
    path = folder / LIST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, this program reads {FORMAT}")
        said = content["purpose"]
        purpose = Purpose(said["chain"], said["deployments"], tuple(said["tables"]), dict(said["least"]))
        ranges = [
            WholeRange(
                one["first"],
                one["last"],
                one["last_hash"],
                {table: File(**file) for table, file in one["files"].items()},
                tuple(one["joined"]),
                None if one.get("last_time") is None else int(one["last_time"]),
            )
            for one in content["ranges"]
        ]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(
            f"{path} cannot be read ({error}); restore it, or delete {folder} and read again"
        ) from error
    return HistoryFolder(folder, purpose, ranges)


def _difference(earlier: Purpose, now: Purpose) -> str:
    if earlier.chain != now.chain:
        return f"holds a history of {earlier.chain}, the deployments name {now.chain}"
    if earlier.deployments != now.deployments:
        return "was read with another deployments file"
    if earlier.tables != now.tables:
        return f"holds {', '.join(earlier.tables)}, asked for are {', '.join(now.tables)}"
    return f"holds transfers of at least {dict(earlier.least)}, asked for are {dict(now.least)}"
