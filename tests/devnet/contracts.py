"""Contract artifacts: compiled from the protocols' published sources, or taken ready-made from their npm packages.

Aave 3.6, Chainlink's mock feed and the two contracts in `solidity/` are compiled with a pinned solc-js and the settings
of Aave's own `foundry.toml` (optimizer on, 200 runs, shanghai, no metadata hash). Uniswap V2 and WETH9 come with the
bytecode that was published. Multicall3's runtime code is read out of the Python package `multicall`.
"""

import ast
import hashlib
import importlib.util
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from eth_typing import HexStr
from web3 import Web3

from tests.devnet.availability import FOLDER, NODE_MODULES, OLD_SOLC_PACKAGE, SOLC_PACKAGE, check_devnet

CODE_SIZE_LIMIT_BYTES = 24_576
MULTICALL3_ADDRESS = "0xcA11bde05977b3631167028862bE2a173976CA11"
MULTICALL3_CODE_HASH = "d5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891"

SETTINGS: Mapping[str, object] = {
    "optimizer": {"enabled": True, "runs": 200},
    "evmVersion": "shanghai",
    "metadata": {"bytecodeHash": "none"},
    "remappings": ["openzeppelin-contracts/contracts/=@openzeppelin/contracts/"],
}
_AAVE = "@aave-dao/aave-v3-origin/src/contracts"
OWN_SOURCES = ("StakedEther.sol", "RatioPriceAdapter.sol")
ENTRIES = (
    f"{_AAVE}/protocol/configuration/PoolAddressesProvider.sol",
    f"{_AAVE}/protocol/configuration/ACLManager.sol",
    f"{_AAVE}/protocol/libraries/logic/BorrowLogic.sol",
    f"{_AAVE}/protocol/libraries/logic/ConfiguratorLogic.sol",
    f"{_AAVE}/protocol/libraries/logic/FlashLoanLogic.sol",
    f"{_AAVE}/protocol/libraries/logic/LiquidationLogic.sol",
    f"{_AAVE}/protocol/libraries/logic/PoolLogic.sol",
    f"{_AAVE}/protocol/libraries/logic/SupplyLogic.sol",
    f"{_AAVE}/instances/PoolInstance.sol",
    f"{_AAVE}/instances/PoolConfiguratorInstance.sol",
    f"{_AAVE}/instances/ATokenInstance.sol",
    f"{_AAVE}/instances/VariableDebtTokenInstance.sol",
    f"{_AAVE}/misc/AaveOracle.sol",
    f"{_AAVE}/misc/DefaultReserveInterestRateStrategyV2.sol",
    f"{_AAVE}/helpers/AaveProtocolDataProvider.sol",
    f"{_AAVE}/mocks/testnet-helpers/TestnetERC20.sol",
    "@chainlink/contracts/src/v0.8/tests/MockV3Aggregator.sol",
    *OWN_SOURCES,
)
PREBUILT = {
    "UniswapV2Factory": "@uniswap/v2-core/build/UniswapV2Factory.json",
    "UniswapV2Pair": "@uniswap/v2-core/build/UniswapV2Pair.json",
    "WETH9": "@uniswap/v2-periphery/build/WETH9.json",
}


class CompilationError(RuntimeError):
    """solc-js refused the sources, or the output is not what can be deployed."""


@dataclass(frozen=True)
class Artifact:
    """A contract's interface and its creation code.

    Attributes
    ----------
    abi : list
        The interface, as JSON.
    bytecode : str
        Creation code in hexadecimal without prefix; where libraries go it has placeholders.
    links : mapping
        Library name -> byte offsets in the creation code where its address goes.
    """

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    links: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def linked(self, libraries: Mapping[str, str]) -> str:
        """Return the creation code with the libraries' addresses in place, ``0x`` in front.

        Parameters
        ----------
        libraries : mapping
            Library name -> address.

        Raises
        ------
        KeyError
            A library that the contract needs is not among them.
        """
        code = self.bytecode
        for library, offsets in self.links.items():
            address = libraries[library].removeprefix("0x").lower()
            for offset in offsets:
                code = code[: 2 * offset] + address + code[2 * offset + len(address) :]
        return "0x" + code


@cache
def artifact(name: str) -> Artifact:
    """Return a contract by its name.

    Raises
    ------
    KeyError
        The world does not use a contract of this name.
    """
    if name in PREBUILT:
        published = json.loads((NODE_MODULES / PREBUILT[name]).read_text())
        return Artifact(name, published["abi"], published["bytecode"].removeprefix("0x"))
    return _compiled()[name]


@cache
def published(file: str) -> Artifact:
    """Return a contract that came with its bytecode as a Hardhat artifact, by the artifact's path in `node_modules`.

    For packages whose contracts share their names with those compiled here (Aave 3.0.2), and for Uniswap V3.
    """
    content = json.loads((NODE_MODULES / file).read_text())
    links = {
        library: tuple(place["start"] for place in places)
        for libraries in content["linkReferences"].values()
        for library, places in libraries.items()
    }
    return Artifact(content["contractName"], content["abi"], content["bytecode"].removeprefix("0x"), links)


def multicall3_code() -> str:
    """Return the runtime bytecode of Multicall3, read from the source of the Python package `multicall`.

    The package is read, not imported: importing it sets up a web3 client of its own.

    Raises
    ------
    CompilationError
        The package has no such constant, or its hash is not that of the deployed contract.
    """
    package = importlib.util.find_spec("multicall")
    folders = list(package.submodule_search_locations or ()) if package else []
    source = Path(folders[0], "constants.py").read_text() if folders else ""
    constants = [statement for statement in ast.parse(source).body if isinstance(statement, ast.AnnAssign)]
    for constant in constants:
        if ast.unparse(constant.target) == "MULTICALL3_BYTECODE" and isinstance(constant.value, ast.Call):
            code = str(ast.literal_eval(constant.value.args[0]))
            if Web3.keccak(hexstr=HexStr(code)).hex() == MULTICALL3_CODE_HASH:
                return code
    raise CompilationError("the Python package `multicall` does not carry the runtime code of Multicall3")


def compiled(*entries: str) -> dict[str, Artifact]:
    """Compile contracts that no world has by itself, by paths below `solidity` or `node_modules`; return them by name."""
    return _compiled(entries)


@cache
def _compiled(entries: Sequence[str] = ENTRIES) -> dict[str, Artifact]:
    check_devnet()
    kept = _cache_file(entries)
    if kept.is_file():
        output = json.loads(kept.read_text())
    else:
        output = _compile(entries)
        _write_whole(kept, json.dumps(output, sort_keys=True))
    artifacts = {}
    for qualified, one in output.items():
        name = qualified.rsplit(":", 1)[1]
        if one["runtimeBytes"] > CODE_SIZE_LIMIT_BYTES:
            raise CompilationError(f"{name} is {one['runtimeBytes']} bytes, over {CODE_SIZE_LIMIT_BYTES}")
        links = {
            library: tuple(place["start"] for place in places)
            for libraries in one["linkReferences"].values()
            for library, places in libraries.items()
        }
        if one["bytecode"]:
            artifacts[name] = Artifact(name, one["abi"], one["bytecode"], links)
    return artifacts


@cache
def chainlink_proxy() -> Artifact:
    """Return Chainlink's own proxy, from @chainlink/contracts with the compiler that its source asks for."""
    check_devnet()
    entry = "@chainlink/contracts/src/v0.6/EACAggregatorProxy.sol"
    one = _compile([entry], OLD_SOLC_PACKAGE, {**SETTINGS, "evmVersion": "istanbul"})[f"{entry}:EACAggregatorProxy"]
    return Artifact("EACAggregatorProxy", one["abi"], one["bytecode"])


def _compile(entries: Sequence[str], compiler: str = SOLC_PACKAGE, settings: Mapping[str, object] = SETTINGS) -> Any:
    request = {
        "compiler": str(NODE_MODULES / compiler),
        "roots": [str(FOLDER / "solidity"), str(NODE_MODULES)],
        "entries": list(entries),
        "settings": settings,
    }
    done = subprocess.run(
        ["node", str(FOLDER / "compile.js")], input=json.dumps(request), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CompilationError(f"solc-js failed:\n{done.stderr.strip()[-4000:]}")
    return json.loads(done.stdout)


def _cache_file(entries: Sequence[str]) -> Path:
    """Where the output for exactly these sources, settings and compiler is kept."""
    digest = hashlib.sha256()
    # The lock file pins the content of every package, compiler included, by its integrity hash.
    own = (file for entry in entries if (file := FOLDER / "solidity" / entry).is_file())
    for file in (FOLDER / "package-lock.json", FOLDER / "compile.js", *own):
        digest.update(file.read_bytes())
    for package in (SOLC_PACKAGE, "@aave-dao/aave-v3-origin", "@chainlink/contracts", "@openzeppelin/contracts"):
        digest.update((NODE_MODULES / package / "package.json").read_bytes())
    digest.update(json.dumps([SETTINGS, entries], sort_keys=True).encode())
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base, "aftershock", "devnet", f"{digest.hexdigest()}.json")


def _write_whole(file: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as partial:
        partial.write(text)
    Path(partial.name).replace(file)
