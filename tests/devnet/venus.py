"""Venus's core pool on a local node, with the bytecode of its npm package: comptroller, lens, four vTokens, VAI, a liquidator; and a history.

VAIController asks for the token at the address that VAI has on BNB Chain: the package's own VAI is put there.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from web3.contract import Contract

from chain.units import UINT256_MAX, WAD
from tests.devnet.contracts import Artifact, artifact, published
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

FOLDER = "@venusprotocol/venus-protocol/artifacts/contracts"
TOKENS = {"WBNB": (18, 300, 8_000), "USDT": (18, 1, 8_250), "BTCB": (8, 60_000, 7_500), "XVS": (18, 8, 5_500)}
"""Decimals, opening price in USD, collateral factor in bps."""
CLOSE_FACTOR, INCENTIVE, RESERVE_FACTOR = WAD // 2, 11 * WAD // 10, WAD // 10
RATES = (2 * WAD // 100, 18 * WAD // 100, WAD // 2, 8 * WAD // 10)
CAPS = {"WBNB": UINT256_MAX, "USDT": 10**12 * WAD, "BTCB": 0, "XVS": 10**9 * WAD}
LIQUIDATORS_SHARE, REDEEM_FEE = 5 * WAD // 100, WAD // 1_000
MINT_RATE = 5_000
"""Share of the supplied value that may be minted as VAI, in bps."""
PEOPLE = 14
TREASURY, GUARDIAN = address_of("venus treasury"), address_of("venus treasury guardian")


@cache
def venus(path: str) -> Artifact:
    """A contract as the package publishes it, by file (`Lens/ComptrollerLens`)."""
    return published(f"{FOLDER}/{path}.sol/{path.rpartition('/')[2]}.json")


@dataclass(frozen=True)
class VenusPool:
    """The pool after its history: contracts, vTokens and tokens by symbol, accounts by number, the address book."""

    node: Node
    ledger: Ledger
    comptroller: Contract
    oracle: Contract
    liquidator: Contract
    controller: Contract
    vai: Contract
    tokens: dict[str, Contract]
    markets: dict[str, Contract]
    people: tuple[str, ...]
    book: Path


def deploy(node: Node, folder: Path) -> VenusPool:
    """Everything, before anybody has an account."""
    ledger = Ledger(node, node.w3.eth.accounts[0])
    unitroller, logic = ledger.deploy(venus("Unitroller")), ledger.deploy(venus("Comptroller"))
    ledger.call("pending logic", unitroller, "_setPendingImplementation", logic.address)
    ledger.call("become", logic, "_become", unitroller.address)
    comptroller = ledger.at(venus("Comptroller"), str(unitroller.address))
    oracle = ledger.deploy(venus("SimplePriceOracle"))
    ledger.call("lens", comptroller, "_setComptrollerLens", ledger.deploy(venus("Lens/ComptrollerLens")).address)
    ledger.call("oracle", comptroller, "_setPriceOracle", oracle.address)
    ledger.call("close factor", comptroller, "_setCloseFactor", CLOSE_FACTOR)
    ledger.call("incentive", comptroller, "_setLiquidationIncentive", INCENTIVE)
    rates, delegate = ledger.deploy(venus("JumpRateModel"), *RATES), ledger.deploy(venus("VBep20Delegate"))
    tokens, markets = {}, {}
    for symbol, (decimals, price, factor) in TOKENS.items():
        tokens[symbol] = ledger.deploy(artifact("TestnetERC20"), symbol, symbol, decimals, ledger.deployer)
        proxy = ledger.deploy(
            venus("VBep20Delegator"), tokens[symbol].address, comptroller.address, rates.address,
            2 * 10 ** (decimals + 8), f"Venus {symbol}", f"v{symbol}", 8, ledger.deployer, delegate.address, b"",
        )  # fmt: skip
        markets[symbol] = ledger.at(venus("VBep20Delegate"), str(proxy.address))
        ledger.call("list", comptroller, "_supportMarket", proxy.address)
        ledger.call("price", oracle, "setUnderlyingPrice", proxy.address, price * 10 ** (36 - decimals))
        ledger.call("factor", comptroller, "_setCollateralFactor", proxy.address, factor * WAD // 10_000)
        ledger.call("reserve factor", markets[symbol], "_setReserveFactor", RESERVE_FACTOR)
    open_caps = [UINT256_MAX] * len(markets)
    ledger.call("caps", comptroller, "_setMarketSupplyCaps", [one.address for one in markets.values()], open_caps)
    controller, vai = _vai(ledger, comptroller)
    liquidator = ledger.deploy(
        venus("Liquidator"), ledger.deployer, markets["WBNB"].address, comptroller.address, controller.address, TREASURY,
        LIQUIDATORS_SHARE,
    )  # fmt: skip
    ledger.call("treasury", comptroller, "_setTreasuryData", GUARDIAN, TREASURY, REDEEM_FEE)
    ledger.mine()
    book = folder / "deployments.toml"
    roles = {"comptroller": str(comptroller.address)}
    book.write_text("\n".join([*entry_lines(0, "venus", "core", "venus"), *address_lines(roles)]))
    people = tuple(address_of(f"venus account {number}") for number in range(PEOPLE))
    return VenusPool(node, ledger, comptroller, oracle, liquidator, controller, vai, tokens, markets, people, book)


def _vai(ledger: Ledger, comptroller: Contract) -> tuple[Contract, Contract]:
    """The controller behind its proxy, and VAI at the address that it asks for, which lets it mint."""
    proxy, logic = ledger.deploy(venus("VAIUnitroller")), ledger.deploy(venus("VAIController"))
    ledger.call("pending logic", proxy, "_setPendingImplementation", logic.address)
    ledger.call("become", logic, "_become", proxy.address)
    controller = ledger.at(venus("VAIController"), str(proxy.address))
    ledger.call("comptroller", controller, "_setComptroller", comptroller.address)
    ledger.call("initialise", controller, "initialize")
    ledger.call("controller", comptroller, "_setVAIController", controller.address)
    ledger.call("mint rate", comptroller, "_setVAIMintRate", MINT_RATE)
    ledger.mine()
    node = ledger.node
    model = ledger.deploy(venus("VAI/VAI"), node.w3.eth.chain_id)
    ledger.mine()
    place = controller.functions.getVAIAddress().call()
    node.request("anvil_setCode", place, node.w3.to_hex(node.w3.eth.get_code(model.address)))
    ward = node.w3.keccak(bytes(12) + bytes.fromhex(str(controller.address)[2:]) + bytes(32))  # wards, slot 0
    node.request("anvil_setStorageAt", place, node.w3.to_hex(ward), "0x" + (1).to_bytes(32, "big").hex())
    return controller, ledger.at(venus("VAI/VAI"), place)


def live_through(pool: VenusPool) -> None:
    """What each account does follows from its number: supply, enter, borrow, mint VAI, repay some, be liquidated."""
    ledger, symbols = pool.ledger, tuple(TOKENS)
    for number, who in enumerate(pool.people):
        symbol = symbols[number % len(symbols)]
        for one in symbols:
            decimals, price, _ = TOKENS[one]
            amount = (10_000 + 17 * number) * 10**decimals // price + 7
            ledger.call("funds", pool.tokens[one], "mint(address,uint256)", who, 10 * amount)
            ledger.call("approve", pool.tokens[one], "approve", pool.markets[one].address, UINT256_MAX, sender=who)
            if one == symbol:
                ledger.call("supply", pool.markets[one], "mint", amount, sender=who)
        if number % 5 != 4:
            ledger.call("enter", pool.comptroller, "enterMarkets", [pool.markets[symbol].address], sender=who)
    ledger.mine()
    pool.node.request("anvil_mine", hex(50))
    for number, who in enumerate(pool.people):
        symbol, other = symbols[number % 4], symbols[(number + 1) % 4]
        decimals, price, _ = TOKENS[other]
        if number % 5 in (1, 2):
            owed = (2_000 + 11 * number) * 10**decimals // price
            ledger.call(f"borrow {other}", pool.markets[other], "borrow", owed, sender=who)
        if number % 5 in (2, 3):
            ledger.call("mint VAI", pool.controller, "mintVAI", (1_000 + number) * WAD, sender=who)
    ledger.mine()
    pool.node.request("anvil_mine", hex(200))
    for number, who in enumerate(pool.people):
        if number % 5 == 3:
            ledger.call("approve VAI", pool.vai, "approve", pool.controller.address, UINT256_MAX, sender=who)
            part = (1_000 + number) * WAD if number == 8 else 400 * WAD
            ledger.call("repay VAI", pool.controller, "repayVAI", part, sender=who)
    ledger.mine()
    for symbol, cap in CAPS.items():
        ledger.call("cap", pool.comptroller, "_setMarketSupplyCaps", [pool.markets[symbol].address], [cap])
    ledger.call("liquidator", pool.comptroller, "_setLiquidatorContract", pool.liquidator.address)
    ledger.mine()
    pool.node.request("anvil_mine", hex(10))


@contextmanager
def lived_in() -> Iterator[VenusPool]:
    """The pool with its history on a node of its own."""
    with Node() as node, tempfile.TemporaryDirectory(prefix="aftershock-venus-") as folder:
        pool = deploy(node, Path(folder))
        live_through(pool)
        yield pool
