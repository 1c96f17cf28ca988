"""What the local node needs from outside Python, and what a test does when it is not there.

On a laptop without Node.js the tests that need the node are skipped with the reason. In continuous integration (the
environment variable ``CI`` is set to something other than ``0`` or ``false``) the same gap is a failure: a green run
must have run them.
"""

import importlib.util
import json
import os
import shutil
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NODE_MODULES = FOLDER / "node_modules"
SOLC_PACKAGE = "solc-0.8.27"
OLD_SOLC_PACKAGE = "solc-0.6.6"
NEEDED_PACKAGES = tuple(json.loads((FOLDER / "package.json").read_text())["devDependencies"])
"""Every package that the lock file pins, so that no test has a check of its own for the ones it uses."""
INSTALL_HINT = "run `npm ci` in tests/devnet"


class DevnetUnavailableError(RuntimeError):
    """Something that the local node needs is missing; the message says what and how to get it."""


def anvil_binary() -> Path | None:
    """Find the anvil binary: the ``ANVIL`` variable, then the npm package, then the search path.

    Returns
    -------
    Path or None
        The file, or None when there is none. A set but wrong ``ANVIL`` is None too: no silent second choice.
    """
    override = os.environ.get("ANVIL")
    if override:
        return Path(override) if Path(override).is_file() else None
    packaged = NODE_MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
    if packaged.is_file():
        return packaged
    found = shutil.which("anvil")
    return Path(found) if found else None


def missing_parts() -> list[str]:
    """List what is missing, one sentence each.

    Returns
    -------
    list of str
        Empty when a world can be built.
    """
    missing = []
    if shutil.which("node") is None:
        missing.append("Node.js is not installed (the command `node`): it compiles the contracts")
    absent = [name for name in NEEDED_PACKAGES if not (NODE_MODULES / name / "package.json").is_file()]
    if absent:
        missing.append(f"npm packages are not installed ({', '.join(absent)}): {INSTALL_HINT}")
    if anvil_binary() is None:
        wrong = os.environ.get("ANVIL")
        where = f"ANVIL={wrong} is not a file" if wrong else f"{INSTALL_HINT}, or set ANVIL to the binary"
        missing.append(f"the anvil binary was not found: {where}")
    if importlib.util.find_spec("multicall") is None:
        missing.append("the Python package `multicall` (test extra) is not installed: it carries Multicall3's bytecode")
    return missing


def check_devnet() -> None:
    """Raise when a world cannot be built.

    Raises
    ------
    DevnetUnavailableError
        With everything that is missing in one message.
    """
    missing = missing_parts()
    if missing:
        raise DevnetUnavailableError("no local node: " + "; ".join(missing))


def require_devnet() -> None:
    """Skip the calling test or fixture when the node is not available; fail it in continuous integration."""
    import pytest

    missing = missing_parts()
    if not missing:
        return
    reason = "no local node: " + "; ".join(missing)
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
