"""Where the real files are, and what a test does when they are not there."""

import os
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_file(name: str) -> Path:
    """A file of ../shared/data; the test is skipped with the reason where it is not, and fails in continuous integration with it."""
    path = DATA / name
    if not path.is_file():
        if DATA.is_dir() and os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"{path} is missing although the data folder is there", pytrace=False)
        pytest.skip(f"real data are not beside the checkout: {path}")
    return path
