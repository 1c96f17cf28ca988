"""Documents that must agree with the code: the schema page, the lists of packages, the links, every command, option, path and name."""

import importlib
import re
import runpy
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from aftershock import shadowing
from aftershock.cli import app
from aftershock.version import __version__

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    page for place in ("*.md", "docs/**/*.md", "benchmarks/*.md", "tests/*/*.md") for page in ROOT.glob(place)
)
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


def test_a_link_leads_to_every_page() -> None:
    """From another document, to the page or to its folder."""
    led_to = {
        (one.parent / link.partition("#")[0]).resolve() for one in DOCUMENTS for link in links(one) if link[0] != "#"
    }
    pages = [page for page in DOCUMENTS if page.is_relative_to(ROOT / "docs")]
    assert len(pages) > 20 and [page.name for page in pages if not led_to & {page, page.parent}] == []


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


COMMANDS = typer.main.get_command(app)
FOLDERS = "|".join(sorted(PACKAGES | OURS_ALONE | {"docs"}))
SCRIPTS = [path for folder in OURS_ALONE for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    """Verbs and options of `aftershock`, options of scripts, targets of make, files in backticks, and dotted names of the code."""
    text = document.read_text(encoding="utf-8")
    commands = re.findall(r"(?:^\$ |^|`)aftershock ([a-z][^`\n]*)", text, flags=re.MULTILINE)
    absent = [name for command in commands for name in misnamed(COMMANDS, command)]
    absent += sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - options())
    absent += [
        name for name in re.findall(r"`make ([a-z-]+)", text) if f"\n{name}:" not in (ROOT / "Makefile").read_text()
    ]
    paths = re.findall(rf"`((?:{FOLDERS})/[^`\s<{{:]*)", text)
    absent += [name for name in paths if not any(ROOT.glob(name))]
    absent += [name for name in re.findall(rf"`((?:{FOLDERS})(?:\.\w+)+)(?:\(\))?`", text) if not is_named(name)]
    absent += sorted(set(re.findall(r"\btest_\w+\.py", text)) - {path.name for path in SCRIPTS})
    assert absent == []


def misnamed(command: Any, words: str) -> list[str]:
    """The verb that is none, or the options that the verb does not have; `exposure|paths` is each of the two."""
    if not isinstance(command, TyperGroup):
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        return sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", words)) - known - {"--help"})
    verbs, _, rest = words.partition(" ")
    found = {verb: command.get_command(typer.Context(command), verb) for verb in re.findall(r"[a-z-]+", verbs)}
    return [name for verb, one in found.items() for name in (misnamed(one, rest) if one else [verb])]


@cache
def options() -> set[str]:
    """Options of all verbs, and of our own scripts."""
    found: set[str] = {"--help"}
    left: list[Any] = [COMMANDS]
    while left:
        command = left.pop()
        found |= {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        if isinstance(command, TyperGroup):
            context = typer.Context(command)
            left += [command.get_command(context, name) for name in command.list_commands(context)]
    texts = (path.read_text(encoding="utf-8") for path in SCRIPTS)
    return found | {option for text in texts for option in re.findall(r'add_argument\(\s*"(--[a-z-]+)"', text)}


def is_named(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one (or of a class in one); a file such as `models.py` is a user's."""
    parts = name.split(".")
    if parts[-1] in ("py", "csv", "toml"):
        return True
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None) or getattr(found, "__annotations__", {}).get(part)
        return found is not None
    return False


def test_no_file_is_longer_than_contributing_says() -> None:
    words = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [most] = map(int, re.findall(r"never over (\d+)", words))
    files = [*SCRIPTS, *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))]
    long = {str(path.relative_to(ROOT)) for path in files if len(path.read_text(encoding="utf-8").splitlines()) > most}
    assert len(files) > 500 and long == set()
