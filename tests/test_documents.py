"""Documents that must agree with the code: the schema page, the lists of packages, the links."""

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from aftershock import shadowing
from aftershock.version import __version__

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OURS_ALONE = {"tests", "benchmarks"}  # folders of code that are not installed
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")} - OURS_ALONE


def package_lists() -> dict[str, set[str]]:
    """Every list of our packages that some tool reads, without what is not installed and without the patterns for sub-packages."""
    tool = PYPROJECT["tool"]
    layers = next(layer for layer in tool["importlinter"]["contracts"] if layer["type"] == "layers")["layers"]
    found = tool["setuptools"]["packages"]["find"]["include"]
    lists = {
        "find.include": [name for name in found if "*" not in name],
        "find.include, sub-packages": [name.removesuffix(".*") for name in found if "*" in name],
        "coverage": tool["coverage"]["run"]["source"],
        "mypy": tool["mypy"]["packages"],
        "pyright": tool["pyright"]["include"],
        "isort": tool["ruff"]["lint"]["isort"]["known-first-party"],
        "import-linter": tool["importlinter"]["root_packages"],
        "import-linter, layers": [name for layer in layers for name in layer.split(" | ")],
        "shadow guard": [*shadowing.PACKAGES, "aftershock"],
    }
    return {name: set(entries) - OURS_ALONE for name, entries in lists.items()}


@pytest.mark.parametrize("name", package_lists())
def test_every_list_of_packages_agrees_with_the_folders(name: str) -> None:
    assert package_lists()[name] == PACKAGES


def test_the_version_is_the_same_everywhere() -> None:
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert cited is not None
    assert __version__ == PYPROJECT["project"]["version"] == cited.group(1)


def test_the_schema_page_is_current() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "build_schema_page.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), "run `make docs-schema`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(document: Path) -> None:
    broken = [link for link in links(document) if not resolves(document, link)]
    assert not broken


def links(document: Path) -> list[str]:
    """Targets of Markdown links that stay inside the project."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]


def resolves(document: Path, link: str) -> bool:
    """Whether the file exists and, where the link has an anchor, a heading that gives it."""
    name, _, anchor = link.partition("#")
    target = (document.parent / name).resolve() if name else document
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
