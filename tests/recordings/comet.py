"""Two real Comets on a local node: deploys them, lets them live, records what our reader asks and what the test compares.

By hand, since no package carries Comet's bytecode and none of it is kept here: compile the contracts of HEADER's source with HEADER's
settings into one file (`tests/devnet/compile.js` writes it: {"file:contract": {abi, bytecode}}), then

    python -m tests.recordings.comet BUILT.json

writes comet.jsonl.gz and its address book comet.toml. `dollar` is the form with an asset list, behind Compound's proxy; `ether` is the
form before it, without a proxy, and counts in its base coin.
"""

import json
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from web3.contract import Contract

from chain.deployments import read_deployments
from chain.inspection import addresses
from chain.node.calls import Call
from chain.units import UINT256_MAX
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of
from tests.recordings.keeping import FOLDER, recorded, snapshot_of, tell

RECORDING, BOOK = FOLDER / "comet.jsonl.gz", FOLDER / "comet.toml"
CHAIN = "eip155:31337"
HEADER = {
    "source": "anvil with compound-finance/comet@d5a30b0aaeff7755f1431e87f818990902237b03, contracts: CometWithExtendedAssetList, "
    "CometExtAssetList, AssetListFactory, Comet, CometExt, CometProxyAdmin, vendor/proxy/transparent/TransparentUpgradeableProxy, "
    "pricefeeds/ConstantPriceFeed, pricefeeds/ScalingPriceFeedWithCustomDescription; tokens and feeds below them as on the development node",
    "compiler": "solc-js 0.8.15; Comet, its extensions and its asset list as hardhat.config.ts of the source says (via IR, optimizer 1 run with "
    "its yulDetails), the others with 1 run and without IR",
}
WAD = 10**18
DAY = 86_400
USES = (0, WAD // 2, WAD * 8 // 10, WAD * 83 // 100, WAD * 85 // 100, WAD * 97 // 100)
"""Utilisations below, at and beyond both kinks."""
GIVEN = 987_654_321_012
"""Smallest units of base that the storefront is asked a price for."""
PEOPLE = 36
LENDERS, BORROWERS = range(12), range(12, 34)
ABSORBED = {14: 58, 20: 58, 25: 66}
"""Account -> how much of its collateral it owes, %. The first has every kind, the second loses more than it has, the third is left with a supply."""
EVERY_KIND = 14
NAMES = ("governor", "guardian", "guest", "heir", "receiver", "buyer", "absorber")
WHO = {name: address_of(f"comet {name}") for name in NAMES}
PLACES = {"USDC": 6, "WETH": 18, "WBTC": 8, "GOLD": 2, "lstETH": 18}
PRICES = {"USDC": 10**8, "WETH": 2_000 * 10**8, "WBTC": 60_000 * 10**8, "GOLD": 80 * 10**8, "lstETH": 115 * 10**6}
FACTORS = {
    "WETH": (825, 895, 950),
    "WBTC": (700, 770, 930),
    "GOLD": (600, 650, 900),
    "lstETH": (900, 930, 975),
}
"""Borrow, liquidate and liquidation factor in thousandths."""


@dataclass(frozen=True)
class Place:
    """What was deployed: tokens and what is below their feeds by symbol, the two Comets by name."""

    ledger: Ledger
    tokens: dict[str, Contract]
    feeds: dict[str, Contract]
    comets: dict[str, Contract]
    people: tuple[str, ...]


def build(node: Node, built: dict[str, dict[str, Any]]) -> Place:
    """Deploy tokens, feeds, proxy and both Comets; give everybody tokens."""
    made = {path.rpartition(":")[2]: Artifact(path, one["abi"], one["bytecode"]) for path, one in built.items()}
    ledger = Ledger(node, node.w3.eth.accounts[0])
    tokens = {
        name: ledger.deploy(artifact("TestnetERC20"), name, name, places, ledger.deployer)
        for name, places in PLACES.items()
    }
    feeds = {name: ledger.deploy(artifact("MockV3Aggregator"), 8, price) for name, price in PRICES.items()}
    base = ledger.deploy(
        made["ScalingPriceFeedWithCustomDescription"], feeds["USDC"].address, 8, "USDC / USD price feed"
    )
    one = ledger.deploy(made["ConstantPriceFeed"], 8, 10**8)

    factory = ledger.deploy(made["AssetListFactory"])
    ext = ledger.deploy(made["CometExtAssetList"], (_word("Compound USDC"), _word("cUSDCv3")), factory.address)
    listed = [_asset(tokens, feeds, name) for name in ("WETH", "WBTC", "GOLD")]
    terms = _terms(tokens["USDC"], base, ext, 6, listed)
    admin = ledger.deploy(made["CometProxyAdmin"], WHO["governor"])
    code = ledger.deploy(made["CometWithExtendedAssetList"], terms)
    proxy = ledger.deploy(made["TransparentUpgradeableProxy"], code.address, admin.address, b"")
    dollar = ledger.at(made["CometWithExtendedAssetList"], str(proxy.address))
    ext = ledger.deploy(made["CometExt"], (_word("Compound WETH"), _word("cWETHv3")))
    terms = _terms(tokens["WETH"], one, ext, 18, [_asset(tokens, feeds, name) for name in ("lstETH",)])
    ether = ledger.deploy(made["Comet"], terms)
    people = tuple(address_of(f"comet account {number}") for number in range(PEOPLE))
    for comet in (dollar, ether):
        ledger.call("begin", comet, "initializeStorage")
    for who in (*people, *WHO.values()):
        for name, token in tokens.items():
            ledger.call("funds", token, "mint(address,uint256)", who, 10 ** (7 + PLACES[name]))
            for comet in (dollar, ether):
                ledger.call("approve", token, "approve", comet.address, UINT256_MAX, sender=who)
    ledger.mine()
    return Place(ledger, tokens, feeds, {"dollar": dollar, "ether": ether}, people)


def live(place: Place) -> None:
    """Supplies, debts, gifts, transfers that borrow and repay, a fall, three absorbed, some of it sold, switches, and days untouched."""
    ledger, tokens = place.ledger, place.tokens
    dollar, ether = place.comets["dollar"], place.comets["ether"]
    usdc, weth = tokens["USDC"].address, tokens["WETH"].address
    for number in LENDERS:
        _do(place, number, dollar, "supply", usdc, 50_000 * 10**6 + 7_919 * number)
        _do(place, number, ether, "supply", weth, 100 * WAD + 104_729 * number)
    ledger.mine()
    ledger.node.mine(3 * DAY)
    for number in BORROWERS:
        for part, name in enumerate(("WETH", "WBTC", "GOLD")):
            if (number >> part) & 1 or number == EVERY_KIND:
                worth = 1_000 * (number - 8) * 10**8
                _do(
                    place,
                    number,
                    dollar,
                    "supply",
                    tokens[name].address,
                    worth * 10 ** PLACES[name] // PRICES[name] + part,
                )
        _do(place, number, ether, "supply", tokens["lstETH"].address, 10 * WAD + number)
        if number % 8:
            _do(place, number, dollar, "withdraw", usdc, _debt(number))
        _do(place, number, ether, "withdraw", weth, 9 * WAD + number)
    ledger.mine()
    ledger.node.mine(30 * DAY)
    _move(place)
    _fall(place)
    ledger.node.mine(5 * DAY + 3)
    ledger.call("switch", dollar, "pause", True, True, False, True, False, sender=WHO["guardian"])
    ledger.call("switch", ether, "pause", True, False, True, False, True, sender=WHO["governor"])
    ledger.mine()
    ledger.node.mine(9 * DAY)
    ledger.node.request("anvil_mine", hex(2))


def _move(place: Place) -> None:
    """Gifts to people whom nobody else names, transfers of base that only repay or only borrow, somebody leaves."""
    ledger, people, tokens = place.ledger, place.people, place.tokens
    dollar, usdc = place.comets["dollar"], tokens["USDC"].address
    _do(place, 0, dollar, "supplyTo", WHO["guest"], usdc, 123_456_789)
    _do(place, 0, dollar, "supplyTo", WHO["guest"], tokens["GOLD"].address, 55)
    _do(place, 1, dollar, "transfer", WHO["heir"], 20_000 * 10**6 + 1)
    _do(place, 2, dollar, "transfer", people[13], 500 * 10**6)  # repays only
    _do(place, 13, dollar, "transfer", people[17], 300 * 10**6)  # borrows there, repays here
    _do(place, 18, dollar, "transferAsset", WHO["receiver"], tokens["WBTC"].address, 1_000_001)
    _do(place, 3, dollar, "withdraw", usdc, UINT256_MAX)
    _do(place, 19, dollar, "supply", usdc, UINT256_MAX)
    _do(place, 22, dollar, "supply", usdc, 900 * 10**6)
    _do(place, 21, dollar, "supply", usdc, _debt(21) + 4_000 * 10**6)  # from a debt to a supply
    ledger.call("gift", tokens["USDC"], "transfer", dollar.address, 1_000 * 10**6, sender=WHO["buyer"])
    ledger.call("gift", tokens["WETH"], "transfer", place.comets["ether"].address, 3 * WAD, sender=WHO["buyer"])
    ledger.mine()


def _fall(place: Place) -> None:
    """Prices fall, three accounts are absorbed and part of what they had is bought; others stay liquidatable."""
    ledger, people, tokens = place.ledger, place.people, place.tokens
    dollar = place.comets["dollar"]
    ledger.call("price", place.feeds["GOLD"], "updateAnswer", 45 * 10**8)
    ledger.call("price", place.feeds["WBTC"], "updateAnswer", 43_210 * 10**8)
    ledger.call("price", place.feeds["WETH"], "updateAnswer", 1_444 * 10**8)
    ledger.mine()
    chosen = [people[number] for number in ABSORBED if dollar.functions.isLiquidatable(people[number]).call()]
    ledger.call("absorb", dollar, "absorb", WHO["absorber"], chosen, sender=WHO["absorber"])
    ledger.mine()
    for name, amount in (("WETH", 1_000), ("GOLD", 700)):
        ledger.call(
            "buy", dollar, "buyCollateral", tokens[name].address, 0, amount * 10**6, WHO["buyer"], sender=WHO["buyer"]
        )
    ledger.mine()


def questions(comets: dict[str, str], listed: dict[str, list[str]], people: list[str]) -> dict[tuple[str, ...], Call]:
    """What the test compares, by Comet, view and subject."""
    asked: dict[tuple[str, ...], Call] = {}
    number = "()->(uint256)"
    for name, comet in comets.items():
        for view in ("totalSupply", "totalBorrow", "targetReserves"):
            asked[name, view] = Call(comet, view + number)
        asked[name, "getReserves"] = Call(comet, "getReserves()->(int256)")
        for switch in ("Supply", "Transfer", "Withdraw", "Absorb", "Buy"):
            asked[name, switch] = Call(comet, f"is{switch}Paused()->(bool)")
        for side, use in product(("Supply", "Borrow"), USES):
            asked[name, side, str(use)] = Call(comet, f"get{side}Rate(uint256)->(uint64)", (use,))
        for token in listed[name]:
            asked[name, "quote", token] = Call(comet, "quoteCollateral(address,uint256)->(uint256)", (token, GIVEN))
            asked[name, "for sale", token] = Call(comet, "getCollateralReserves(address)->(uint256)", (token,))
            asked[name, "posted", token] = Call(comet, "totalsCollateral(address)->(uint128,uint128)", (token,))
        for who in people:
            asked[name, "supply", who] = Call(comet, "balanceOf(address)->(uint256)", (who,))
            asked[name, "debt", who] = Call(comet, "borrowBalanceOf(address)->(uint256)", (who,))
            asked[name, "unsafe", who] = Call(comet, "isLiquidatable(address)->(bool)", (who,))
            for token in listed[name]:
                text = "collateralBalanceOf(address,address)->(uint128)"
                asked[name, "collateral", who, token] = Call(comet, text, (who, token))
    return asked


def everybody() -> list[str]:
    """Lower-case addresses of all who could have anything."""
    named = [address_of(f"comet account {number}") for number in range(PEOPLE)]
    return [who.lower() for who in (*named, *WHO.values())]


def main(built: Path) -> None:
    """Build, live, read, ask, and write the recording with its address book."""
    with Node() as node:
        place = build(node, json.loads(built.read_text()))
        live(place)
        comets = {name: str(comet.address).lower() for name, comet in place.comets.items()}
        lines = [
            line
            for name, comet in comets.items()
            for line in (*entry_lines(0, "compound-v3", name, "comet"), *address_lines({"comet": comet}))
        ]
        BOOK.write_text("\n".join(lines).replace("tests/devnet world, seed 0", "tests/recordings/comet.py"))
        with recorded(node.url, CHAIN, RECORDING, HEADER) as client:
            taken = snapshot_of(client, BOOK, "comet")
            listed = {
                name: [str(place.tokens[token].address).lower() for token in some]
                for name, some in (("dollar", ("WETH", "WBTC", "GOLD")), ("ether", ("lstETH",)))
            }
            client.ask(questions(comets, listed, everybody()))
            addresses(client, read_deployments(BOOK))
        tell(taken, RECORDING)


def _terms(
    base: Contract, feed: Contract, ext: Contract, places: int, listed: list[tuple[Any, ...]]
) -> tuple[Any, ...]:
    """The Configuration of a Comet, its rates those of the deployments of dollars and ether, rounded."""
    one = 10**places
    rates = (
        WAD * 8 // 10,
        WAD * 325 // 10_000,
        WAD * 4 // 10,
        0,
        WAD * 85 // 100,
        WAD * 35 // 1_000,
        WAD // 4,
        WAD * 15 // 1_000,
    )
    tracking = (WAD // 2, 10**15, 10**12, 10**12, one, one, 5_000 * one)
    return (WHO["governor"], WHO["guardian"], base.address, feed.address, ext.address, *rates, *tracking, listed)


def _asset(tokens: dict[str, Contract], feeds: dict[str, Contract], name: str) -> tuple[Any, ...]:
    factors = (factor * WAD // 1_000 for factor in FACTORS[name])
    return (tokens[name].address, feeds[name].address, PLACES[name], *factors, 10 ** (6 + PLACES[name]))


def _debt(number: int) -> int:
    """What a borrower takes: about half of what was posted, per kind of collateral; those who will be absorbed take more."""
    kinds = 3 if number == EVERY_KIND else (number & 7).bit_count()
    share = ABSORBED.get(number, min(35 + number, 55))
    return 1_000 * (number - 8) * kinds * share // 100 * 10**6 + number


def _do(place: Place, number: int, comet: Contract, function: str, *arguments: object) -> None:
    place.ledger.call(f"{function} {number}", comet, function, *arguments, sender=place.people[number])


def _word(text: str) -> bytes:
    return text.encode().ljust(32, b"\0")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
