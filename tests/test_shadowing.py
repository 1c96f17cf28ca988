"""A user's models.py, or an empty folder of that name, must not hide our package and fail later with a riddle."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def imported_from(folder: Path, code: str = "import aftershock") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["chain", "graph", "models", "simulations", "reports"])
def test_a_file_that_hides_a_package_is_named(tmp_path: Path, name: str) -> None:
    hiding = tmp_path / f"{name}.py"
    hiding.write_text("")
    done = imported_from(tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith(f"ImportError: aftershock's package {name!r} is hidden by {hiding}")
    )


def test_a_package_that_hides_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text("")
    assert f"is hidden by {tmp_path / 'reports'};" in imported_from(tmp_path).stderr


def test_a_module_that_was_imported_before_is_named(tmp_path: Path) -> None:
    """The hiding file can be gone from the path by the time we are asked: what counts is what `import` will give."""
    (tmp_path / "models.py").write_text("")
    done = imported_from(tmp_path, "import models, sys; sys.path.pop(0); import aftershock")
    assert f"is hidden by {tmp_path / 'models.py'};" in done.stderr


def test_other_files_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "chains.py").write_text("")
    (tmp_path / "reports").mkdir()  # a folder with output: no package, so Python passes it over
    done = imported_from(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
