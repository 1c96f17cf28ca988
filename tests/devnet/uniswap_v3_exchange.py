"""Uniswap V3 (deployed by `uniswap_v3`) on a world: pools with many ranges, swapped across ticks.

All figures are chosen. One pool is created and never given a price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

from web3.contract import Contract

from tests.devnet.assets import fund
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import RESERVES, closing_price_usd, raw_amount
from tests.devnet.transactions import Ledger, address_of
from tests.devnet.uniswap_v3 import deploy_contracts, published
from tests.devnet.world import World

SPACINGS = {500: 10, 3_000: 60, 10_000: 200}
POOLS = (("WETH", "USDC", 500), ("WBTC", "WETH", 3_000), ("LINK", "WETH", 10_000), ("USDC", "DAI", 500))
FIRST_RANGES = 12
MINT_GAS = 3_000_000


@dataclass(frozen=True)
class Exchange:
    """The factory, the position manager, the router, Uniswap's own tick lens, and the pools by name (``WETH/USDC 500``)."""

    factory: Contract
    manager: Contract
    router: Contract
    lens: Contract
    pools: Mapping[str, Contract]
    empty: Contract
    deployments: Path


def deploy_exchange(
    world: World, ranges: int = FIRST_RANGES, wanted: Sequence[tuple[str, str, int]] = POOLS
) -> Exchange:
    """Deploy on a world, give every pool of `wanted` `ranges` positions, swap through them both ways; the address book adds the factory."""
    ledger, tokens = world.ledger, world.tokens
    contracts = deploy_contracts(ledger, tokens["WETH"])
    factory, manager, router, lens = contracts.factory, contracts.positions, contracts.router, contracts.lens
    weth = tokens["WETH"].address
    ledger.call("a fourth fee level", factory, "enableFeeAmount", 100, 1)
    for symbol in RESERVES:
        fund(ledger, tokens, symbol, raw_amount(symbol, 40_000_000.0))
        for spender in (manager, router):
            ledger.call(f"approve {symbol}", tokens[symbol], "approve", spender.address, 2**256 - 1)
    ledger.mine()
    pools = {}
    for first, second, fee in wanted:
        pair = sorted((first, second), key=lambda symbol: int(tokens[symbol].address, 16))
        addresses = [str(tokens[symbol].address) for symbol in pair]
        units = [round(10 ** RESERVES[symbol].decimals / closing_price_usd(symbol) * 10**9) for symbol in pair]
        price = isqrt((units[1] << 192) // units[0])
        order = (*addresses, fee, price)
        ledger.call(f"create {first}/{second}", manager, "createAndInitializePoolIfNecessary", *order, gas=8_000_000)
        ledger.mine()
        pool = ledger.at(published("UniswapV3Pool"), factory.functions.getPool(*addresses, fee).call())
        pools[f"{first}/{second} {fee}"] = pool
        if fee == 3_000:
            ledger.call("protocol fee", pool, "setFeeProtocol", 4, 5)
        _fill(ledger, manager, pool, pair, addresses, fee, ranges)
        _swap(ledger, router, pair, addresses, fee)
    ledger.call("a pool without a price", factory, "createPool", tokens["DAI"].address, weth, 100, gas=8_000_000)
    ledger.mine()
    empty = ledger.at(published("UniswapV3Pool"), factory.functions.getPool(tokens["DAI"].address, weth, 100).call())
    file = world.deployments.with_name("with_v3.toml")
    lines = [
        *entry_lines(world.seed, "uniswap-v3", "v3", "uniswap_v3"),
        *address_lines({"factory": str(factory.address), "position_manager": str(manager.address)}),
    ]
    file.write_text(world.deployments.read_text() + "\n" + "\n".join(lines))
    return Exchange(factory, manager, router, lens, pools, empty, file)


def _fill(
    ledger: Ledger, manager: Contract, pool: Contract, pair: list[str], addresses: list[str], fee: int, ranges: int
) -> None:
    """Positions around the price, to one side of it, and over all ticks; owned by three providers."""
    spacing, tick = SPACINGS[fee], pool.functions.slot0().call()[1]
    centre = tick // spacing
    for number in range(ranges):
        width = 2 + 7 * number
        shift = (0, 3 * width, -3 * width)[number % 3]
        lower, upper = (centre + shift - width) * spacing, (centre + shift + width) * spacing
        if number == ranges - 1:
            lower, upper = -(887272 // spacing) * spacing, 887272 // spacing * spacing
        amounts = [raw_amount(symbol, 20_000.0 + 4_321.7 * number) for symbol in pair]
        owner = address_of(f"provider {number % 3}")
        order = (*addresses, fee, lower, upper, *amounts, 0, 0, owner, 2**40)
        ledger.call(f"provide {number}", manager, "mint", order, gas=MINT_GAS)
    ledger.mine()


def _swap(ledger: Ledger, router: Contract, pair: list[str], addresses: list[str], fee: int) -> None:
    """Sell into the pool, once each way, far enough to cross ticks."""
    for place, dollars in ((0, 60_000.0), (1, 25_000.0), (0, 11_111.0)):
        order = (
            addresses[place],
            addresses[1 - place],
            fee,
            ledger.deployer,
            2**40,
            raw_amount(pair[place], dollars),
            0,
            0,
        )
        ledger.call("swap", router, "exactInputSingle", order, gas=MINT_GAS)
        ledger.mine()
