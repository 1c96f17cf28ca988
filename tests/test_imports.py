"""What an import may bring along: never torch, except where a network answers; and no module of ours is named like Python's own.

A tripwire stands in front of torch: a package of that name, first on the path, that notes who imported it. So the test sees an
import even if it is caught, and whether or not torch is installed.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("chain", "graph", "models", "simulations", "reports", "aftershock")

# Every verb that answers without a network, with arguments that make it do its work. `{out}` is an empty folder.
OFFLINE_VERBS: tuple[tuple[str, ...], ...] = (
    ("demo", "--out", "{out}"),
    ("doctor",),
    ("forecast",),
    ("train", "volatility", "--model", "glm", "--out", "{out}"),
    ("query", "exposure", "aave-v3", "--json"),
    ("report", "core", "--scenario", "eth-10", "--out", "{out}"),
    ("scenarios",),
    ("simulate", "--scenario", "eth-20"),
)

# What takes longer to import than a question to answer, or is of no use for one.
NOT_FOR_A_QUESTION = (
    "web3",
    "networkx",
    "scipy",
    "rich",
    "jinja2",
    "vl_convert",
    "safetensors",
    "graph.systemic",
    "pydantic",
    "importlib.metadata",
)
# What takes longer to import than forecasts to make, or than a regression to fit.
NOT_FOR_A_FORECAST = ("scipy.stats", "scipy.signal", "sklearn", "statsmodels", "arch", "optuna")
QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("exposure", "aave-v3"),
    ("paths", "--from", "aave-v3", "--to", "ETH"),
    ("shared", "WETH", "lstETH"),
    ("names",),
)


@pytest.fixture
def tripwire(tmp_path: Path) -> Path:
    """A folder whose `torch` writes down its importer; `tripped` beside it exists once that happened."""
    for name in ("torch", "torch_geometric"):
        package = tmp_path / "wire" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(
            f"import pathlib, traceback\npathlib.Path({str(tmp_path / 'tripped')!r}).write_text(''.join(traceback.format_stack()))\n"
        )
    return tmp_path


def run(tripwire: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, outside the checkout, with the tripwire first on its path."""
    path = os.pathsep.join([str(tripwire / "wire"), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tripwire,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_untouched(tripwire: Path) -> None:
    tripped = tripwire / "tripped"
    assert not tripped.exists(), f"torch was imported by\n{tripped.read_text()}"


def test_the_tripwire_notes_even_an_import_that_is_caught(tripwire: Path) -> None:
    assert run(tripwire, "try:\n    import torch\nexcept Exception: pass").returncode == 0
    assert (tripwire / "tripped").exists()


def test_importing_aftershock_does_not_import_torch(tripwire: Path) -> None:
    done = run(tripwire, "import aftershock")
    assert done.returncode == 0, done.stderr
    assert_untouched(tripwire)


def test_no_module_but_those_of_models_imports_torch(tripwire: Path) -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for path in modules() if path.parts[len(ROOT.parts)] != "models"]
    names = sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)
    done = run(tripwire, "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)", *names)
    assert done.returncode == 0, done.stderr
    assert_untouched(tripwire)


@pytest.mark.parametrize("verb", OFFLINE_VERBS, ids=" ".join)
def test_verbs_that_need_no_network_do_not_import_torch(tripwire: Path, verb: tuple[str, ...]) -> None:
    out = tripwire / "out"
    out.mkdir()
    arguments = [argument.format(out=out) for argument in verb]
    code = "import sys; from aftershock.cli import main\ntry: main()\nfinally: sys.stderr.write('\\n' + ' '.join(sys.modules))"
    done = run(tripwire, code, *arguments)
    assert done.returncode in (0, 1), done.stderr
    assert_untouched(tripwire)
    if verb[0] in ("forecast", "train"):
        imported = set(done.stderr.splitlines()[-1].split())
        assert "models.answering" in imported
        assert not imported.intersection(NOT_FOR_A_FORECAST)


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_question_imports_nothing_that_it_does_not_need(tripwire: Path, question: tuple[str, ...]) -> None:
    """The command has to answer within a second; seconds on a shared machine are no test, what is imported is."""
    code = (
        "import os, sys; os.environ.pop('OPENBLAS_NUM_THREADS', None); from aftershock.cli import main\ntry: main()\n"
        "finally: sys.stderr.write(' '.join(sys.modules) + ' threads=' + os.environ['OPENBLAS_NUM_THREADS'])"
    )
    done = run(tripwire, code, "query", *question, "--json")
    assert done.returncode == 0, done.stderr
    imported = set(done.stderr.split())
    assert "pandas" in imported
    assert "threads=1" in imported
    assert not imported.intersection(NOT_FOR_A_QUESTION)


def test_no_module_is_named_like_one_of_python() -> None:
    names = {path.stem if path.stem != "__init__" else path.parent.name: path for path in modules()}
    assert not {name: path for name, path in names.items() if name in sys.stdlib_module_names}


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty_words = {"utils", "helpers", "common", "manager", "core"}
    assert not [path for path in modules() if empty_words.intersection(path.relative_to(ROOT).with_suffix("").parts)]


def modules() -> list[Path]:
    """Every module of our packages."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path.stem != "__main__"]
    assert found
    return found
