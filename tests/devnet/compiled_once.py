"""Contracts compiled with settings of their own, kept in the user's cache folder under a hash of what went in."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.devnet import contracts
from tests.devnet.availability import FOLDER, NODE_MODULES, check_devnet
from tests.devnet.contracts import Artifact


@cache
def compiled_once(entries: Sequence[str], compiler: str, evm: str, packages: Sequence[str]) -> Mapping[str, Artifact]:
    """Contracts by name; `entries` are paths below `solidity` or `node_modules`, `packages` those whose versions decide the outcome."""
    check_devnet()
    settings = {**contracts.SETTINGS, "evmVersion": evm}
    digest = hashlib.sha256(json.dumps([settings, list(entries), compiler], sort_keys=True).encode())
    for package in (compiler, *packages):
        digest.update((NODE_MODULES / package / "package.json").read_bytes())
    for own in (FOLDER / "solidity" / entry for entry in entries):
        digest.update(own.read_bytes() if own.is_file() else b"")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    kept = Path(base, "aftershock", "devnet", f"once-{digest.hexdigest()}.json")
    if not kept.is_file():
        contracts._write_whole(kept, json.dumps(contracts._compile(entries, compiler, settings), sort_keys=True))
    found = {}
    for name, one in json.loads(kept.read_text()).items():
        found[name.rsplit(":", 1)[1]] = Artifact(name.rsplit(":", 1)[1], one["abi"], one["bytecode"])
    return found
