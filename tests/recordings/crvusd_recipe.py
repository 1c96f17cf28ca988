"""How the crvUSD recording was made: compile the public sources, deploy them on a local node, let people borrow, read, keep the answers.

    python -m tests.recordings.crvusd_recipe SOURCES VYPER

SOURCES is a checkout of the repository in `SOURCE`, VYPER the compiler's command. Nothing of either is kept. Collateral and the other
stablecoins are Aave's test token, which the development node has anyway; the price oracle is the repository's own test oracle.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode

from chain.node.calls import function
from chain.node.resumable import ResumableClient
from chain.snapshot import Snapshot
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of
from tests.recordings.maker_crvusd_tape import FOLDER, record, view
from tests.recordings.maker_recipe import DAY, WAD, Place

FILE = FOLDER / "crvusd.jsonl.gz"
SOURCE = "curvefi/curve-stablecoin@d132ca74fb0697e6ec0c736feb1aacb8a2d4be1a"
COMPILER = "vyper 0.3.10 (PyPI), default settings"
CONTRACTS = {
    "Stablecoin": "Stablecoin.vy",
    "Factory": "ControllerFactory.vy",
    "Controller": "Controller.vy",
    "AMM": "AMM.vy",
    "Oracle": "testing/DummyPriceOracle.vy",
    "Policy": "mpolicies/AggMonetaryPolicy2.vy",
    "Aggregator": "price_oracles/AggregateStablePrice2.vy",
    "Swap": "Stableswap.vy",
    "SwapFactory": "testing/SwapFactory.vy",
    "PegKeeper": "stabilizer/PegKeeper.vy",
}
BLUEPRINT = "fe7100"  # ERC-5202: what comes before the creation code of a blueprint
MARKETS = {"ETH": (18, 2000), "WBTC": (8, 40000)}
BORROWERS = 20
NOBODY = "0x" + "0" * 40


def compiled(sources: Path, vyper: str) -> dict[str, Artifact]:
    """Contracts by our names."""
    found = {}
    for name, path in CONTRACTS.items():
        command = [vyper, "-f", "abi,bytecode", str(sources / "contracts" / path)]
        abi, code = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[:2]
        found[name] = Artifact(name, json.loads(abi), code.removeprefix("0x"))
    return found


def blueprint(code: Artifact) -> Artifact:
    """A contract whose deployment leaves the creation code of another one behind (ERC-5202)."""
    body = BLUEPRINT + code.bytecode
    return Artifact(f"blueprint of {code.name}", [], f"61{len(body) // 2:04x}3d81600a3d39f3{body}")


def deploy(ledger: Ledger, artifacts: dict[str, Artifact]) -> Place:
    """The factory with two markets, two pools with an aggregator above them, a policy, and one peg keeper."""
    place, me = Place(ledger, artifacts), ledger.deployer
    coin = place.deploy("coin", "Stablecoin", "Curve.Fi USD Stablecoin", "crvUSD")
    weth = ledger.deploy(artifact("TestnetERC20"), "Wrapped Ether", "WETH", 18, me)
    factory = place.deploy("factory", "Factory", coin.address, me, address_of("fee receiver"), weth.address)
    amm, controller = (ledger.deploy(blueprint(artifacts[name])) for name in ("AMM", "Controller"))
    place.tell("factory", "set_implementations", controller.address, amm.address)
    place.tell("coin", "set_minter", factory.address)
    place.tell("factory", "set_debt_ceiling", me, 3 * 10**6 * WAD)
    swap = place.deploy("swap", "Swap")
    place.deploy("swaps", "SwapFactory", swap.address)
    aggregator = place.deploy("aggregator", "Aggregator", coin.address, 10**15, me)
    for number, (name, decimals) in enumerate((("USDa", 6), ("USDb", 18))):
        other = place.at[name] = ledger.deploy(artifact("TestnetERC20"), name, name, decimals, me)
        place.tell("swaps", "deploy", other.address, coin.address)
        ledger.mine()
        pool = place.at[f"pool {name}"] = ledger.at(artifacts["Swap"], place.at["swaps"].functions.pools(number).call())
        place.tell(name, "mint(address,uint256)", me, 2 * 10**6 * 10**decimals)
        for spent in (name, "coin"):
            place.tell(spent, "approve", pool.address, 2**255)
        place.tell(f"pool {name}", "add_liquidity(uint256[2],uint256)", [500_000 * 10**decimals, 500_000 * WAD], 0)
        place.tell("aggregator", "add_price_pair", pool.address)
        ledger.mine()
    keeper = place.deploy(
        "keeper", "PegKeeper", place.at["pool USDa"].address, 1, address_of("profit"), 20_000, factory.address, aggregator.address, me
    )  # fmt: skip
    place.tell("factory", "set_debt_ceiling", keeper.address, 10**6 * WAD)
    policy = place.deploy(
        "policy", "Policy", me, aggregator.address, factory.address, [keeper.address] + [NOBODY] * 4, 3022265993, 2 * 10**16, 10**17
    )  # fmt: skip
    for name, (decimals, price) in MARKETS.items():
        token = place.at[name] = ledger.deploy(artifact("TestnetERC20"), name, name, decimals, me)
        oracle = place.deploy(f"oracle {name}", "Oracle", me, price * WAD)
        terms = (100, 6 * 10**15, WAD // 10, oracle.address, policy.address, 9 * 10**16, 6 * 10**16, 2 * 10**6 * WAD)
        ledger.call("add_market", factory, "add_market", token.address, *terms, gas=30_000_000)
        ledger.mine()
        for kind, getter in (("Controller", "get_controller"), ("AMM", "get_amm")):
            at = factory.get_function_by_signature(f"{getter}(address)")(token.address).call()
            place.at[f"{kind} {name}"] = ledger.at(artifacts[kind], at)
    return place


def live(node: Node, place: Place) -> None:
    """Loans over many bands, a fall in steps with traders that follow it, changes of loans, liquidations, fees, and a peg keeper at work."""
    ledger, people = place.ledger, [address_of(f"borrower {number}") for number in range(BORROWERS)]
    owner = ledger.deployer
    for number, who in enumerate(people):
        name = "ETH" if number % 4 else "WBTC"
        decimals, _ = MARKETS[name]
        amount = (3 + number) * 10**decimals + number * 7919 + 13
        for token in (name, "coin"):
            place.tell(token, "approve", place.at[f"Controller {name}"].address, 2**255, sender=who)
        place.tell(name, "mint(address,uint256)", who, 2 * amount)
        ledger.mine()
        bands = 4 + number % 17
        most = _most(place, name, amount, bands)
        place.tell(f"Controller {name}", "create_loan", amount, most * (96 - 2 * number) // 100, bands, sender=who)
        ledger.mine()
        if number == 9:
            place.tell(f"Controller {name}", "set_borrowing_discounts", 10**17, 7 * 10**16)
    ledger.mine()
    node.mine(20 * DAY)
    for name in MARKETS:
        place.tell(name, "mint(address,uint256)", owner, 10**6 * 10 ** MARKETS[name][0])
        for token in (name, "coin"):
            place.tell(token, "approve", place.at[f"AMM {name}"].address, 2**255)
        place.tell(f"Controller {name}", "collect_fees", sender=people[0])
    ledger.mine()
    _change(place, people)
    for share in (95, 90, 86, 82, 79, 81):
        _price(node, place, "ETH", share)
        _price(node, place, "WBTC", 100 - (100 - share) // 2)
    _liquidate(place)
    place.tell("USDa", "mint(address,uint256)", owner, 10**6 * 10**6)
    place.tell("pool USDa", "exchange(int128,int128,uint256,uint256)", 0, 1, 150_000 * 10**6, 0)
    ledger.mine()
    node.mine(DAY)
    place.tell("keeper", "update()", sender=people[0])
    ledger.mine()
    node.mine(3600)


def _most(place: Place, name: str, amount: int, bands: int) -> int:
    ask = place.at[f"Controller {name}"].get_function_by_signature("max_borrowable(uint256,uint256)")
    return int(ask(amount, bands).call())


def _change(place: Place, people: list[str]) -> None:
    """Repay some, borrow more, add and take collateral, leave for good."""
    name = "ETH"
    who = {number: people[number] for number in (10, 11, 13, 14, 15)}
    place.tell(f"Controller {name}", "repay(uint256)", 500 * WAD + 1, sender=who[10])
    place.tell(f"Controller {name}", "borrow_more", 10**18, 300 * WAD, sender=who[11])
    place.tell(f"Controller {name}", "add_collateral(uint256)", 10**17 + 3, sender=who[13])
    place.tell(f"Controller {name}", "remove_collateral(uint256)", 10**17, sender=who[14])
    place.tell("coin", "transfer", who[15], 10_000 * WAD)
    place.tell(f"Controller {name}", "repay(uint256)", 2**255, sender=who[15])
    place.ledger.mine()


def _price(node: Node, place: Place, name: str, share: int) -> None:
    """The oracle moves, and somebody trades the AMM to it."""
    place.tell(f"oracle {name}", "set_price", MARKETS[name][1] * WAD * share // 100)
    place.ledger.mine()
    node.mine(600)
    amm = place.at[f"AMM {name}"]
    amount, is_pump = amm.functions.get_amount_for_price(amm.functions.price_oracle().call()).call()
    if amount:
        i, j = (0, 1) if is_pump else (1, 0)
        place.tell(f"AMM {name}", "exchange(uint256,uint256,uint256,uint256)", i, j, amount, 0)
        place.ledger.mine()


def _liquidate(place: Place) -> None:
    """Whoever is below zero goes: the first whole, the second by a third; the others stay as they are."""
    controller = place.at["Controller ETH"]
    below = controller.get_function_by_signature("users_to_liquidate()")().call()
    assert len(below) > 2, f"{len(below)} loans can be liquidated"
    place.tell("coin", "approve", controller.address, 2**255)
    place.tell("Controller ETH", "liquidate(address,uint256)", below[0][0], 0)
    place.ledger.mine()
    place.tell("Controller ETH", "liquidate_extended", below[1][0], 0, WAD // 3, False, NOBODY, [])
    place.ledger.mine()


def book(place: Place) -> str:
    """The address book of this place."""
    head = [
        "[[deployments]]",
        'chain = "eip155:31337"',
        'protocol = "crvusd"',
        'instance = "local"',
        'reader = "crvusd"',
    ]
    last = [
        "first_block = 0",
        'source = "the recipe"',
        "[deployments.addresses]",
        f'factory = "{place.address("factory")}"',
    ]
    return "\n".join([*head, *last]) + "\n"


def views(client: ResumableClient, snapshot: Snapshot, books: Mapping[str, str]) -> dict[Any, Any]:
    """What the contracts themselves say at the block, asked one by one: what the test compares the rows with."""
    found: dict[Any, Any] = {}

    def ask(to: str, text: str, *arguments: Any) -> Any:
        shape = function(text)
        answer = decode(shape.outputs, view(client, to, shape.selector + encode(shape.inputs, arguments)))
        return answer[0] if len(answer) == 1 else answer

    factory = books["factory"]
    coin = ask(factory, "stablecoin()->(address)")
    found["coin"], found["total"] = coin, ask(factory, "total_debt()->(uint256)")
    found["supply"] = ask(coin, "totalSupply()->(uint256)")
    for number in range(ask(factory, "n_collaterals()->(uint256)")):
        controller, amm = (ask(factory, f"{name}(uint256)->(address)", number) for name in ("controllers", "amms"))
        found["market", number] = (controller, amm, ask(factory, "collaterals(uint256)->(address)", number))
        for name in ("loan_discount", "liquidation_discount", "total_debt", "n_loans", "minted", "redeemed"):
            found[name, controller] = ask(controller, f"{name}()->(uint256)")
        found["amm_price", controller] = ask(controller, "amm_price()->(uint256)")
        found["below", controller] = ask(
            controller, "users_to_liquidate()->((address,uint256,uint256,uint256,int256)[])"
        )
        found["ceiling", controller] = ask(factory, "debt_ceiling(address)->(uint256)", controller)
        for name in ("A", "fee", "rate", "get_rate_mul", "price_oracle", "get_p", "get_base_price"):
            found[name, amm] = ask(amm, f"{name}()->(uint256)")
        found["active", amm] = ask(amm, "active_band()->(int256)")
        for band in range(ask(amm, "min_band()->(int256)"), ask(amm, "max_band()->(int256)") + 1):
            for name in ("bands_x", "bands_y", "p_oracle_up"):
                found[name, amm, band] = ask(amm, f"{name}(int256)->(uint256)", band)
        for place in range(found["n_loans", controller]):
            user = ask(controller, "loans(uint256)->(address)", place)
            found["state", controller, user] = ask(controller, "user_state(address)->(uint256[4])", user)
            for full in (False, True):
                found["health", controller, user, full] = ask(controller, "health(address,bool)->(int256)", user, full)
            found["ticks", amm, user] = ask(amm, "read_user_tick_numbers(address)->(int256[2])", user)
            found["x_down", amm, user] = ask(amm, "get_x_down(address)->(uint256)", user)
    for row in snapshot["backings"].to_dict("records"):
        keeper = row["holder"].rsplit(":", 1)[1]
        found["keeper", keeper] = (
            ask(keeper, "debt()->(uint256)"),
            ask(factory, "debt_ceiling(address)->(uint256)", keeper),
            ask(ask(keeper, "pool()->(address)"), "balanceOf(address)->(uint256)", keeper),
        )
    return found


def make(sources: Path, vyper: str) -> None:
    """Build, live, read, keep."""
    about = {
        "sources": {"curve-stablecoin": SOURCE},
        "compilers": {COMPILER: sorted(CONTRACTS.values())},
        "tokens": "TestnetERC20 of @aave-dao/aave-v3-origin 3.6.0",
        "code": "whether there is code at an address is kept as 0x01; the code is not",
    }
    artifacts = compiled(sources, vyper)
    with Node() as node:
        ledger = Ledger(node, address_of("deployer"))
        place = deploy(ledger, artifacts)
        live(node, place)
        snapshot = record(node.url, book(place), FILE, about, views)
    for check in snapshot.checks:
        sys.stdout.write(
            f"{'ok' if check.passed else 'FAIL'} {check.name} {check.compared} {check.failures[:3]} {check.note}\n"
        )
    sys.stdout.write("\n".join(snapshot.gaps) + f"\n{FILE.stat().st_size} bytes\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2])
