"""A real Liquity V1 on a local node: deploys it, lets it live, records what our reader asks and what the test compares.

By hand, since no package carries Liquity's bytecode and none of it is kept here: compile the contracts of HEADER's source with HEADER's
settings into one file (`tests/devnet/compile.js` writes it: {"file:contract": {abi, bytecode}}), then

    python -m tests.recordings.liquity BUILT.json

writes liquity.jsonl.gz and its address book liquity.toml.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3.contract import Contract

from chain.deployments import read_deployments
from chain.inspection import addresses
from chain.node.calls import Call
from chain.units import ZERO_ADDRESS
from tests.devnet.contracts import Artifact
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of
from tests.recordings.keeping import FOLDER, recorded, snapshot_of, tell

RECORDING, BOOK = FOLDER / "liquity.jsonl.gz", FOLDER / "liquity.toml"
CHAIN = "eip155:31337"
HEADER = {
    "source": "anvil with liquity/dev@5174ecd0da4842157aba989499200d690b7e374f, packages/contracts/contracts, the commit that "
    "packages/lib-ethers/deployments/default/mainnet.json names; MockAggregator and MockTellor of its TestContracts below its PriceFeed",
    "compiler": "solc-js 0.6.11, optimizer 100 runs, as hardhat.config.js of the source says",
}
WAD = 10**18
DAY = 86_400
MOST_FEE = 5 * 10**16
PEOPLE = 30
TROVES = range(26)
START_PRICE, LOW_PRICE = 2_000, 1_180
RATIOS = {0: 130, 1: 132, 2: 145, 3: 148, 4: 178, 5: 181}
"""Troves by number with their ratio in hundredths when opened; the others follow from their number."""
BIG, GONE, RICH, MOVED, LEAVER = 1, 0, 12, 7, 9
PLAIN = (
    "ActivePool", "BorrowerOperations", "CollSurplusPool", "DefaultPool", "GasPool", "HintHelpers", "PriceFeed", "SortedTroves", "StabilityPool",
    "TroveManager", "CommunityIssuance", "LQTYStaking", "LockupContractFactory", "Unipool", "MockAggregator", "MockTellor",
)  # fmt: skip
"""Contracts that are deployed without arguments."""


@dataclass(frozen=True)
class Place:
    """The contracts by name, and the people."""

    ledger: Ledger
    at: dict[str, Contract]
    people: tuple[str, ...]

    def do(self, number: int, contract: str, function: str, *arguments: object, value: int = 0) -> None:
        """Queue what a person does."""
        sender = self.people[number]
        self.ledger.call(f"{function} {number}", self.at[contract], function, *arguments, sender=sender, value=value)


def build(node: Node, built: dict[str, dict[str, Any]]) -> Place:
    """Deploy everything, make the feed work, introduce the contracts to each other as the protocol's deployment does."""
    made = {path.rpartition(":")[2]: Artifact(path, one["abi"], one["bytecode"]) for path, one in built.items()}
    ledger = Ledger(node, node.w3.eth.accounts[0])
    at = {name: ledger.deploy(made[name]) for name in PLAIN}
    address = {name: str(contract.address) for name, contract in at.items()}
    at["TellorCaller"] = ledger.deploy(made["TellorCaller"], address["MockTellor"])
    at["LUSDToken"] = ledger.deploy(
        made["LUSDToken"], *(address[name] for name in ("TroveManager", "StabilityPool", "BorrowerOperations"))
    )
    places = (address[name] for name in ("CommunityIssuance", "LQTYStaking", "LockupContractFactory"))
    at["LQTYToken"] = ledger.deploy(
        made["LQTYToken"], *places, address_of("bounty"), address["Unipool"], address_of("multisig")
    )
    address |= {name: str(at[name].address) for name in ("TellorCaller", "LUSDToken", "LQTYToken")}
    people = tuple(address_of(f"liquity account {number}") for number in range(PEOPLE))
    place = Place(ledger, at, people)
    ledger.call("rounds", at["MockAggregator"], "setLatestRoundId", 3)
    ledger.call("rounds", at["MockAggregator"], "setPrevRoundId", 2)
    ledger.call("before", at["MockAggregator"], "setPrice", START_PRICE * 10**8)
    price(place, START_PRICE)
    knows = {
        "PriceFeed": ("MockAggregator", "TellorCaller"),
        "ActivePool": ("BorrowerOperations", "TroveManager", "StabilityPool", "DefaultPool"),
        "DefaultPool": ("TroveManager", "ActivePool"),
        "CollSurplusPool": ("BorrowerOperations", "TroveManager", "ActivePool"),
        "StabilityPool": ("BorrowerOperations", "TroveManager", "ActivePool", "LUSDToken", "SortedTroves", "PriceFeed", "CommunityIssuance"),
        "BorrowerOperations": (
            "TroveManager", "ActivePool", "DefaultPool", "StabilityPool", "GasPool", "CollSurplusPool", "PriceFeed", "SortedTroves", "LUSDToken",
            "LQTYStaking",
        ),
        "TroveManager": (
            "BorrowerOperations", "ActivePool", "DefaultPool", "StabilityPool", "GasPool", "CollSurplusPool", "PriceFeed", "LUSDToken",
            "SortedTroves", "LQTYToken", "LQTYStaking",
        ),
        "HintHelpers": ("SortedTroves", "TroveManager"),
        "LQTYStaking": ("LQTYToken", "LUSDToken", "TroveManager", "BorrowerOperations", "ActivePool"),
        "CommunityIssuance": ("LQTYToken", "StabilityPool"),
    }  # fmt: skip
    ledger.call(
        "size", at["SortedTroves"], "setParams", 2**256 - 1, address["TroveManager"], address["BorrowerOperations"]
    )
    for name, others in knows.items():
        ledger.call(name, at[name], "setAddresses", *(address[other] for other in others))
    ledger.mine()
    for who in people:
        node.request("anvil_setBalance", who, hex(10**6 * WAD))
    return place


def price(place: Place, whole: int) -> None:
    """Both oracles tell this price of ether, now; the round before told the one before."""
    ledger, aggregator, tellor = place.ledger, place.at["MockAggregator"], place.at["MockTellor"]
    ledger.mine()
    now = ledger.node.w3.eth.get_block("latest")["timestamp"]
    ledger.call("before", aggregator, "setPrevPrice", aggregator.functions.latestRoundData().call()[1])
    ledger.call("price", aggregator, "setPrice", whole * 10**8)
    ledger.call("time", aggregator, "setUpdateTime", now)
    ledger.call("price", tellor, "setPrice", whole * 10**6)
    ledger.call("time", tellor, "setUpdateTime", now)
    ledger.mine()


def live(place: Place) -> None:
    """Troves and deposits; an offset, a redistribution that empties the pool, redemptions, recovery with a surplus."""
    ledger, people = place.ledger, place.people
    for number in reversed(TROVES):
        lusd = 60_000 if number == BIG else 4_000 + 700 * number
        debt = lusd * 1_005 // 1_000 + 200
        ratio = RATIOS.get(number, 190 + 9 * (number % 13))
        value = debt * WAD * ratio // 100 // START_PRICE + number
        place.do(
            number,
            "BorrowerOperations",
            "openTrove",
            MOST_FEE,
            lusd * WAD + number,
            ZERO_ADDRESS,
            ZERO_ADDRESS,
            value=value,
        )
    for number, whole in ((10, 5_000), (11, 9_000), (RICH, 12_000), (26, 1_500)):
        if number not in TROVES:
            place.do(11, "LUSDToken", "transfer", people[number], whole * WAD + number)
        place.do(number, "StabilityPool", "provideToSP", whole * WAD + number, ZERO_ADDRESS)
    ledger.mine()
    price(place, 1_650)
    place.do(29, "TroveManager", "liquidate", people[GONE])  # offset against the pool
    ledger.mine()
    place.do(27, "TroveManager", "liquidate", people[BIG])  # empties the pool, the rest is redistributed
    ledger.mine()
    assert place.at["StabilityPool"].functions.getTotalLUSDDeposits().call() == 0
    for number in (13, 14, 15, 16, RICH):
        whole = 300 if number == RICH else 7_000 + 1_111 * number % 1_500
        place.do(number, "StabilityPool", "provideToSP", whole * WAD + 3 * number, ZERO_ADDRESS)
    place.do(MOVED, "BorrowerOperations", "withdrawLUSD", MOST_FEE, 100 * WAD + 1, ZERO_ADDRESS, ZERO_ADDRESS)
    place.do(8, "BorrowerOperations", "addColl", ZERO_ADDRESS, ZERO_ADDRESS, value=WAD + 1)
    ledger.mine()
    debt = place.at["TroveManager"].functions.getEntireDebtAndColl(people[LEAVER]).call()[0]
    lacking = debt - 200 * WAD - place.at["LUSDToken"].functions.balanceOf(people[LEAVER]).call()
    place.do(BIG, "LUSDToken", "transfer", people[LEAVER], lacking)
    place.do(LEAVER, "BorrowerOperations", "closeTrove")
    ledger.mine()
    _redeem(place)
    _recover(place)


def _redeem(place: Place) -> None:
    """After the first fortnight: the two troves with the lowest ratios are redeemed in whole, the next in part; one owner claims what is left."""
    ledger, people, manager = place.ledger, place.people, place.at["TroveManager"]
    ledger.node.mine(15 * DAY)
    price(place, START_PRICE)
    lowest = [place.at["SortedTroves"].functions.getLast().call()]
    lowest.append(place.at["SortedTroves"].functions.getPrev(lowest[0]).call())
    amount = sum(manager.functions.getEntireDebtAndColl(who).call()[0] - 200 * WAD for who in lowest) + 1_234 * WAD
    hints = place.at["HintHelpers"].functions.getRedemptionHints(amount, START_PRICE * WAD, 0).call()
    place.do(BIG, "TroveManager", "redeemCollateral", hints[2], hints[0], ZERO_ADDRESS, ZERO_ADDRESS, hints[1], 0, WAD)
    ledger.mine()
    assert all(place.at["CollSurplusPool"].functions.getCollateral(who).call() for who in lowest)
    place.do(people.index(lowest[0]), "BorrowerOperations", "claimCollateral")
    ledger.mine()


def _recover(place: Place) -> None:
    """The whole falls below 150 %: a trove above 110 % is liquidated with a surplus, then one below it."""
    ledger, people, manager = place.ledger, place.people, place.at["TroveManager"]
    ledger.node.mine(2 * DAY)
    price(place, LOW_PRICE)
    ratios = {number: manager.functions.getCurrentICR(people[number], LOW_PRICE * WAD).call() for number in TROVES}
    there = [number for number in TROVES if manager.functions.getTroveStatus(people[number]).call() == 1]
    assert manager.functions.checkRecoveryMode(LOW_PRICE * WAD).call()
    inside = next(number for number in there if 112 * WAD < 100 * ratios[number] < 140 * WAD)
    place.do(29, "TroveManager", "liquidate", people[inside])
    ledger.mine()
    assert place.at["CollSurplusPool"].functions.getCollateral(people[inside]).call()
    below = [number for number in there if ratios[number] < 110 * WAD // 100]
    place.do(29, "TroveManager", "liquidate", people[below[0]])
    ledger.mine()
    place.do(14, "LUSDToken", "transfer", people[28], 300 * WAD)
    place.do(28, "StabilityPool", "provideToSP", 250 * WAD + 7, ZERO_ADDRESS)
    ledger.call("tellor", place.at["MockTellor"], "setRevertRequest")
    ledger.mine()
    place.do(
        16, "BorrowerOperations", "addColl", ZERO_ADDRESS, ZERO_ADDRESS, value=WAD // 3
    )  # the feed sees that Tellor is broken
    ledger.mine()
    ledger.node.request("anvil_mine", hex(40))


def questions(at: dict[str, str], people: list[str]) -> dict[tuple[str, ...], Call]:
    """What the test compares, by view and subject; `at` are the contracts' lower-case addresses by name."""
    manager, pool, number = at["TroveManager"], at["StabilityPool"], "()->(uint256)"
    asked: dict[tuple[str, ...], Call] = {}
    for view in ("getEntireSystemDebt", "getEntireSystemColl", "getTroveOwnersCount", "getRedemptionRate", "baseRate"):
        asked[view,] = Call(manager, view + number)
    asked["getTotalLUSDDeposits",] = Call(pool, "getTotalLUSDDeposits" + number)
    asked["pool ether",] = Call(pool, "getETH" + number)
    asked["supply",] = Call(at["LUSDToken"], "totalSupply" + number)
    asked["fee of one",] = Call(manager, "getRedemptionFeeWithDecay(uint256)->(uint256)", (WAD,))
    for view in ("getTCR(uint256)->(uint256)", "checkRecoveryMode(uint256)->(bool)"):
        asked[view.partition("(")[0],] = Call(manager, view, (LOW_PRICE * WAD,))
    for who in people:
        asked["trove", who] = Call(manager, "getEntireDebtAndColl(address)->(uint256,uint256,uint256,uint256)", (who,))
        asked["nominal", who] = Call(manager, "getNominalICR(address)->(uint256)", (who,))
        asked["ratio", who] = Call(manager, "getCurrentICR(address,uint256)->(uint256)", (who, LOW_PRICE * WAD))
        asked["deposit", who] = Call(pool, "getCompoundedLUSDDeposit(address)->(uint256)", (who,))
        asked["gain", who] = Call(pool, "getDepositorETHGain(address)->(uint256)", (who,))
        asked["surplus", who] = Call(at["CollSurplusPool"], "getCollateral(address)->(uint256)", (who,))
    return asked


def everybody() -> list[str]:
    """Lower-case addresses of all who could have anything."""
    return [address_of(f"liquity account {number}").lower() for number in range(PEOPLE)]


def main(built: Path) -> None:
    """Build, live, read, ask, and write the recording with its address book."""
    with Node() as node:
        place = build(node, json.loads(built.read_text()))
        live(place)
        at = {name: str(contract.address).lower() for name, contract in place.at.items()}
        roles = {"trove_manager": "TroveManager", "coll_surplus_pool": "CollSurplusPool", "gas_pool": "GasPool"}
        lines = [
            *entry_lines(0, "liquity-v1", "troves", "liquity_v1"),
            *address_lines({role: at[name] for role, name in roles.items()}),
        ]
        BOOK.write_text("\n".join(lines).replace("tests/devnet world, seed 0", "tests/recordings/liquity.py"))
        with recorded(node.url, CHAIN, RECORDING, {**HEADER, "contracts": json.dumps(at)}) as client:
            taken = snapshot_of(client, BOOK, "liquity")
            client.ask(questions(at, everybody()))
            addresses(client, read_deployments(BOOK))
        tell(taken, RECORDING)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
