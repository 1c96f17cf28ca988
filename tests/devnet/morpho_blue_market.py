"""Morpho Blue with a history: four markets (one idle, one whose oracle is silent), 45 accounts, fees, transfers of nothing, bad debt."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3.contract import Contract

from chain.units import UINT256_MAX, ZERO_ADDRESS
from tests.devnet import morpho_blue
from tests.devnet.contracts import artifact
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.morpho_blue import WAD, MorphoMarket
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

PEOPLE = 45
GUEST = address_of("morpho guest")
"""Who never calls anything: others supply and post for it."""
LLTVS = {"main": 860 * WAD // 1000, "second": 945 * WAD // 1000, "silent": 770 * WAD // 1000}
PRICE = 2_000 * 10**24
"""2,000 loan tokens of 6 decimals per collateral token of 18, as the oracle answers it: 36 + 6 - 18 decimals."""


@dataclass(frozen=True)
class LivedIn:
    """The contract after its history; `params` and `ids` of the markets by name; `former` and `recipient` have been given fees."""

    node: Node
    ledger: Ledger
    first: MorphoMarket
    oracles: dict[str, Contract]
    params: dict[str, tuple[Any, ...]]
    ids: dict[str, bytes]
    people: tuple[str, ...]
    former: str
    recipient: str

    @property
    def morpho(self) -> Contract:
        """The contract."""
        return self.first.morpho


def live(node: Node) -> LivedIn:
    """Deploy and live through it: what each account does follows from its number."""
    ledger = Ledger(node, node.w3.eth.accounts[0])
    first = morpho_blue.deploy(ledger, LLTVS["main"], (18, 6))
    morpho = first.morpho
    oracles = {"main": first.oracle}
    oracles |= {name: ledger.deploy(morpho_blue.artifacts()["OracleMock"]) for name in ("second", "silent")}
    other = ledger.deploy(artifact("TestnetERC20"), "OTHER", "OTHER", 8, ledger.deployer)
    loan, collateral, _, irm, _ = first.params
    params = {
        "main": first.params,
        "second": (collateral, other.address, oracles["second"].address, irm, LLTVS["second"]),
        "silent": (loan, other.address, collateral, irm, LLTVS["silent"]),  # a token is no oracle
        "idle": (loan, ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS, 0),
    }
    for lltv in (LLTVS["second"], LLTVS["silent"], 0):
        ledger.call("threshold", morpho, "enableLltv", lltv)
    ledger.call("no rate model", morpho, "enableIrm", ZERO_ADDRESS)
    for name in ("second", "silent", "idle"):
        ledger.call("create", morpho, "createMarket", params[name])
    former, recipient = ledger.deployer, address_of("morpho fee recipient")
    ledger.call("price", oracles["main"], "setPrice", PRICE)
    ledger.call("price", oracles["second"], "setPrice", 30 * 10**46)  # 36 + 18 - 8
    people = tuple(address_of(f"morpho account {number}") for number in range(PEOPLE))
    for who in people:
        for token, places in ((first.collateral, 18), (first.loan, 6), (other, 8)):
            ledger.call("funds", token, "mint(address,uint256)", who, 10 ** (7 + places))
            ledger.call("approve", token, "approve", morpho.address, UINT256_MAX, sender=who)
    ledger.mine()
    _supply(ledger, morpho, params, people)
    node.request("anvil_mine", hex(50))
    for number, who in enumerate(people):
        if number % 3:
            ledger.call(
                "borrow", morpho, "borrow", params["main"], (6_000 + number) * 10**6 + 1, 0, who, who, sender=who
            )
        if number % 5 == 1:
            ledger.call("borrow", morpho, "borrow", params["second"], 7 * WAD + number, 0, who, who, sender=who)
    ledger.mine()
    node.request("evm_increaseTime", 40 * 86_400)
    ledger.call("touch", morpho, "accrueInterest", params["main"])
    ledger.call("new recipient", morpho, "setFeeRecipient", recipient)
    ledger.mine()
    _later(ledger, morpho, params, people)
    ledger.call("fall", oracles["main"], "setPrice", PRICE // 4)
    ledger.call("liquidate", morpho, "liquidate", params["main"], people[1], 10 * WAD, 0, b"", sender=people[0])
    ledger.call("back", oracles["main"], "setPrice", PRICE)
    ledger.mine()
    node.request("evm_increaseTime", 9 * 86_400)
    node.request("anvil_mine", hex(3))
    keys = {name: _id(node, one) for name, one in params.items()}
    return LivedIn(node, ledger, first, oracles, params, keys, people, former, recipient)


def _supply(ledger: Ledger, morpho: Contract, params: dict[str, tuple[Any, ...]], people: tuple[str, ...]) -> None:
    for number, who in enumerate(people):
        if number % 3 == 0:
            ledger.call("supply", morpho, "supply", params["main"], 40_000 * 10**6 + number, 0, who, b"", sender=who)
            ledger.call("supply", morpho, "supply", params["second"], (60 + number) * WAD, 0, who, b"", sender=who)
        else:
            ledger.call("post", morpho, "supplyCollateral", params["main"], 10 * WAD, who, b"", sender=who)
        if number % 5 == 1:
            ledger.call("post", morpho, "supplyCollateral", params["second"], 10**8 + number, who, b"", sender=who)
        if number % 10 == 2:
            ledger.call("post", morpho, "supplyCollateral", params["silent"], 5 + number, GUEST, b"", sender=who)
    ledger.call("idle", morpho, "supply", params["idle"], 10**6 + 1, 0, GUEST, b"", sender=people[6])
    ledger.mine()


def _later(ledger: Ledger, morpho: Contract, params: dict[str, tuple[Any, ...]], people: tuple[str, ...]) -> None:
    """Some repay, some leave, some take collateral out for somebody else."""
    key = _id(ledger.node, params["main"])
    for number, who in enumerate(people):
        supplied, owed, _ = morpho.functions.position(key, who).call()
        if number % 7 == 2 and owed:
            ledger.call("repay", morpho, "repay", params["main"], 0, owed, who, b"", sender=who)
            ledger.call("leave", morpho, "withdrawCollateral", params["main"], 10 * WAD, who, who, sender=who)
        elif number % 7 == 3 and owed:
            ledger.call("take some", morpho, "withdrawCollateral", params["main"], WAD + 1, who, people[0], sender=who)
        elif number % 15 == 12 and supplied:
            ledger.call("leave", morpho, "withdraw", params["main"], 0, supplied, who, who, sender=who)
    ledger.mine()


def _id(node: Node, params: tuple[Any, ...]) -> bytes:
    kinds = ["address", "address", "address", "address", "uint256"]
    return bytes(node.w3.keccak(node.w3.codec.encode(kinds, params)))


@contextmanager
def lived_in() -> Iterator[tuple[LivedIn, Path]]:
    """The contract on a node of its own, with its address book."""
    with Node() as node, tempfile.TemporaryDirectory(prefix="aftershock-morpho-") as folder:
        lived = live(node)
        book = Path(folder, "deployments.toml")
        roles = {"morpho": str(lived.morpho.address)}
        book.write_text("\n".join([*entry_lines(0, "morpho-blue", "core", "morpho_blue"), *address_lines(roles)]))
        yield lived, book
