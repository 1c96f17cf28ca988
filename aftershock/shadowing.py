"""A guard for our generic package names: is the `models` that Python finds here ours, or a models.py of the user's?

A notebook or `python -c` searches its working folder first, so a file of that name there would hide our package and fail much
later with "'models' is not a package". Asked once, when `aftershock` is imported.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("chain", "graph", "models", "simulations", "reports")


def refuse_shadowed_packages() -> None:
    """Raise one ImportError that names the file which hides one of our packages, and what to do about it."""
    home = Path(__file__).resolve().parents[1]
    for name in PACKAGES:
        found = _location(name)
        if found != home / name:
            where = f"is hidden by {found}" if found else f"is missing from {home}"
            raise ImportError(
                f"aftershock's package {name!r} {where}; rename that file or folder, start Python in another folder, "
                "or install aftershock into an environment of its own"
            )


def _location(name: str) -> Path | None:
    """Folder of the package, or the file of a plain module, that `import name` would give; None if there is none."""
    spec: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None) or find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin).resolve() if spec.origin else None
