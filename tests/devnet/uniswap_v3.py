"""Uniswap V3 with its published bytecode: factory, position manager, router, quoter, tick lens, and pools with any liquidity.

Packages: @uniswap/v3-core 1.0.1, @uniswap/v3-periphery 1.4.4 (`artifacts/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from web3.contract import Contract

from simulations.venues.v3 import Concentrated
from tests.devnet import contracts
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

CORE, PERIPHERY = "@uniswap/v3-core/artifacts/contracts", "@uniswap/v3-periphery/artifacts/contracts"
FILES = {
    "UniswapV3Factory": f"{CORE}/UniswapV3Factory.sol/UniswapV3Factory.json",
    "UniswapV3Pool": f"{CORE}/UniswapV3Pool.sol/UniswapV3Pool.json",
    "NonfungiblePositionManager": f"{PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
    "SwapRouter": f"{PERIPHERY}/SwapRouter.sol/SwapRouter.json",
    "QuoterV2": f"{PERIPHERY}/lens/QuoterV2.sol/QuoterV2.json",
    "TickLens": f"{PERIPHERY}/lens/TickLens.sol/TickLens.json",
}
ZERO_ADDRESS = "0x" + "0" * 40
UNLIMITED = 2**256 - 1
FAR_AHEAD = 2**40
MINTED = 2**200
GAS = 800_000_000  # a small tick spacing has thousands of words to walk over


def published(name: str) -> Artifact:
    """A contract of Uniswap V3 by its name."""
    return contracts.published(FILES[name])


@contextmanager
def undone(node: Node) -> Iterator[None]:
    """Take back, at the end of the block of code, everything that happened on the chain inside it."""
    snapshot = node.request("evm_snapshot")
    try:
        yield
    finally:
        node.request("evm_revert", snapshot)


def mintable(ledger: Ledger, symbols: Sequence[tuple[str, int]]) -> list[Contract]:
    """Tokens (symbol, decimals), in the order of their addresses, of which the deployer has more than it can ever use."""
    tokens = [
        ledger.deploy(artifact("TestnetERC20"), symbol, symbol, decimals, ledger.deployer)
        for symbol, decimals in symbols
    ]
    for token in tokens:
        ledger.call("mint", token, "mint(address,uint256)", ledger.deployer, MINTED)
    ledger.mine()
    return sorted(tokens, key=lambda token: int(str(token.address), 16))


@dataclass(frozen=True)
class UniswapV3:
    """The contracts of one exchange; the deployer provides and trades."""

    ledger: Ledger
    factory: Contract
    positions: Contract
    router: Contract
    quoter: Contract
    lens: Contract

    def pool(
        self, tokens: Sequence[Contract], fee_pips: int, sqrt_price_x96: int, ranges: Sequence[tuple[int, int, int]]
    ) -> Contract:
        """A pool of two tokens at a price, with positions (lower tick, upper tick, amount of each token at most)."""
        first, second = (token.address for token in tokens)
        manager, ledger = self.positions, self.ledger
        for token in tokens:
            for spender in (manager, self.router):
                ledger.call("approve", token, "approve", spender.address, UNLIMITED)
        ledger.call(
            "create", manager, "createAndInitializePoolIfNecessary", first, second, fee_pips, sqrt_price_x96, gas=GAS
        )
        ledger.mine()
        for lower, upper, most in ranges:
            terms = (first, second, fee_pips, lower, upper, most, most, 0, 0, ledger.deployer, FAR_AHEAD)
            ledger.call("provide", manager, "mint", terms, gas=GAS)
        ledger.mine()
        address = self.factory.functions.getPool(first, second, fee_pips).call()
        return ledger.at(published("UniswapV3Pool"), address)


def deploy_uniswap_v3(node: Node, deployer: str = address_of("uniswap v3")) -> UniswapV3:
    """All contracts on a node of their own, with a wrapped coin of their own."""
    ledger = Ledger(node, deployer)
    return deploy_contracts(ledger, ledger.deploy(artifact("WETH9")))


def deploy_contracts(ledger: Ledger, wrapped: Contract) -> UniswapV3:
    """Factory, position manager, router, quoter and tick lens."""
    factory = ledger.deploy(published("UniswapV3Factory"))
    addresses = (factory.address, wrapped.address)
    return UniswapV3(
        ledger,
        factory,
        ledger.deploy(published("NonfungiblePositionManager"), *addresses, ZERO_ADDRESS),
        ledger.deploy(published("SwapRouter"), *addresses),
        ledger.deploy(published("QuoterV2"), *addresses),
        ledger.deploy(published("TickLens")),
    )


def read(pool: Contract, bounds: Sequence[int]) -> Concentrated:
    """The pool's storage as our record; `bounds` are the ticks that positions begin or end at."""
    slot0 = pool.functions.slot0().call()
    ticks = []
    for tick in sorted(set(bounds)):
        gross, net, *rest = pool.functions.ticks(tick).call()
        if rest[-1]:
            assert gross
            ticks.append((tick, net))
    return Concentrated(
        sqrt_price_x96=slot0[0],
        tick=slot0[1],
        liquidity=pool.functions.liquidity().call(),
        fee_pips=pool.functions.fee().call(),
        tick_spacing=pool.functions.tickSpacing().call(),
        ticks=tuple(tick for tick, _ in ticks),
        nets=tuple(net for _, net in ticks),
    )
