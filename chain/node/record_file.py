"""A file that only grows: one record a line, each with a checksum, so that whatever kills the writer costs at most the last line.

A line is written with one call to the system. When the file is opened again, a line that is torn or damaged ends it: that line and
everything after it are cut off, and what they held is asked again.
"""

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chain.errors import SnapshotError


class RecordFile:
    """Records of JSON values in the order in which they were appended."""

    def __init__(self, path: Path, take: Callable[[Any], None]) -> None:
        """Open or make the file; `take` is given every whole record that it holds.

        Raises
        ------
        SnapshotError
            If the file cannot be opened.
        """
        self._path = path
        self._ends = [0]
        try:
            with path.open("a+b") as handle:
                handle.seek(0)
                for line in handle:
                    record = _read(line)
                    if record is None:
                        break
                    take(record["is"])
                    self._ends.append(self._ends[-1] + len(line))
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(self._file, self._ends[-1])
        except OSError as error:
            raise SnapshotError(f"{path} cannot be opened ({error.strerror}); give another folder") from error

    def append(self, record: Any) -> None:
        """Add a record; SnapshotError if the disk does not take it, and then the file is as it was."""
        text = json.dumps({"is": record}, separators=(",", ":"), ensure_ascii=True).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(0, "the disk is full")
        except OSError as error:
            os.ftruncate(self._file, self._ends[-1])
            raise SnapshotError(
                f"{self._path} cannot be written ({error.strerror}); make room and run the same command again"
            ) from error
        self._ends.append(self._ends[-1] + len(line))

    def cut(self, count: int) -> None:
        """Keep the first `count` records only."""
        del self._ends[count + 1 :]
        os.ftruncate(self._file, self._ends[-1])

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _read(line: bytes) -> Any:
    """The envelope of one line; None if it is not whole."""
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    return json.loads(text)
