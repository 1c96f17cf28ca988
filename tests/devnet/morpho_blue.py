"""Morpho Blue on a local node, from its own package: compiled with the settings of its deployment (solc 0.8.19, via IR, 999,999 runs, paris)."""

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from web3.contract import Contract

from tests.devnet.availability import FOLDER, NODE_MODULES, check_devnet
from tests.devnet.contracts import Artifact, CompilationError, _write_whole, artifact
from tests.devnet.transactions import Ledger

PACKAGE, SOLC = "@morpho-org/morpho-blue", "solc-0.8.19"
ENTRIES = tuple(
    f"{PACKAGE}/src/{name}.sol" for name in ("Morpho", "libraries/EventsLib", "mocks/IrmMock", "mocks/OracleMock")
)
SETTINGS = {
    "optimizer": {"enabled": True, "runs": 999_999},
    "viaIR": True,
    "evmVersion": "paris",
    "metadata": {"bytecodeHash": "none"},
}
WAD = 10**18


@cache
def artifacts() -> dict[str, Artifact]:
    """The contracts by name; compiled once for these sources and kept in the user's cache folder."""
    check_devnet()
    digest = hashlib.sha256(json.dumps([SETTINGS, ENTRIES], sort_keys=True).encode())
    for package in (PACKAGE, SOLC):
        digest.update((NODE_MODULES / package / "package.json").read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    kept = Path(base, "aftershock", "devnet", f"morpho-{digest.hexdigest()}.json")
    if not kept.is_file():
        request = {
            "compiler": str(NODE_MODULES / SOLC),
            "roots": [str(NODE_MODULES)],
            "entries": list(ENTRIES),
            "settings": SETTINGS,
        }
        done = subprocess.run(
            ["node", str(FOLDER / "compile.js")], input=json.dumps(request), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise CompilationError(f"solc-js failed:\n{done.stderr.strip()[-4000:]}")
        _write_whole(kept, done.stdout)
    output = json.loads(kept.read_text())
    return {
        name.rsplit(":", 1)[1]: Artifact(name.rsplit(":", 1)[1], one["abi"], one["bytecode"])
        for name, one in output.items()
    }


@dataclass(frozen=True)
class MorphoMarket:
    """One market of a freshly deployed Morpho: its contract, oracle, tokens, parameters and id; `events` decodes what it emits."""

    morpho: Contract
    events: Contract
    oracle: Contract
    collateral: Contract
    loan: Contract
    params: tuple[Any, ...]
    id: bytes
    decimals: tuple[int, int]

    def totals(self, block: int) -> tuple[int, int, int, int, int, int]:
        """market(id): supply assets and shares, borrow assets and shares, last update, fee."""
        found: Any = self.morpho.functions.market(self.id).call(block_identifier=block)
        return tuple(found)

    def position(self, user: str, block: int) -> tuple[int, int, int]:
        """position(id, user): supply shares, borrow shares, collateral."""
        found: Any = self.morpho.functions.position(self.id, user).call(block_identifier=block)
        return tuple(found)


def deploy(ledger: Ledger, lltv_wad: int, decimals: tuple[int, int], fee_wad: int = WAD // 10) -> MorphoMarket:
    """A market of two new tokens (collateral, loan decimals) whose oracle is set by hand and whose rate is its utilisation a year."""
    contracts = artifacts()
    tokens = [
        ledger.deploy(artifact("TestnetERC20"), name, name, places, ledger.deployer)
        for name, places in zip(("COLL", "LOAN"), decimals, strict=True)
    ]
    morpho = ledger.deploy(contracts["Morpho"], ledger.deployer)
    irm, oracle = ledger.deploy(contracts["IrmMock"]), ledger.deploy(contracts["OracleMock"])
    params = (tokens[1].address, tokens[0].address, oracle.address, irm.address, lltv_wad)
    ledger.call("enable rate model", morpho, "enableIrm", irm.address)
    ledger.call("enable threshold", morpho, "enableLltv", lltv_wad)
    ledger.call("create market", morpho, "createMarket", params)
    ledger.call("fee recipient", morpho, "setFeeRecipient", ledger.deployer)
    ledger.call("fee", morpho, "setFee", params, fee_wad)
    ledger.mine()
    key = ledger.node.w3.keccak(
        ledger.node.w3.codec.encode(["address", "address", "address", "address", "uint256"], params)
    )
    events = ledger.at(contracts["EventsLib"], str(morpho.address))
    return MorphoMarket(morpho, events, oracle, tokens[0], tokens[1], params, bytes(key), decimals)
