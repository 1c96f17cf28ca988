"""Deploys or opens the two Aave V3 markets on which liquidations are compared: 3.0.2 and 3.6, large, in use and a good year old."""

from collections.abc import Mapping

from web3.contract import Contract

from tests.devnet.aave_v302 import deploy_aave_v302, published
from tests.devnet.assets import fund
from tests.devnet.transactions import Ledger
from tests.devnet.world import World
from tests.simulations.contract_state import BORROWER, LIQUIDATOR, Bench
from tests.simulations.liquidation_draws import BORROWABLE, SYMBOLS, USUAL_USD

HELD_USD = 3e9
BORROWED_SHARE = {"WETH": 0.55, "WBTC": 0.25, "LINK": 0.4, "USDC": 0.93, "DAI": 0.71}
AGE_SECONDS = 400 * 86_400 + 12_345
FUNDS_USD = 1e12
VARIABLE = 2


def bench_302(world: World) -> Bench:
    """A market of version 3.0.2 on the tokens of the world."""
    feeds, category_feed = _feeds(world)
    sources = {symbol: str(feed.address) for symbol, feed in feeds.items()}
    market = deploy_aave_v302(world.ledger, world.tokens, sources, world.market.treasury, str(category_feed.address))
    _grow_old(world, market.pool)
    return Bench(world, market.pool, market.receipt_tokens, market.debt_tokens, market.treasury, feeds, category_feed)


def bench_36(world: World) -> Bench:
    """The world's own market of version 3.6, with price sources that can be written to."""
    feeds, category_feed = _feeds(world)
    market, ledger = world.market, world.ledger
    assets = [world.tokens[symbol].address for symbol in SYMBOLS]
    ledger.call("price sources", market.oracle, "setAssetSources", assets, [feeds[s].address for s in SYMBOLS])
    for asset in assets:
        for cap in ("setSupplyCap", "setBorrowCap"):
            ledger.call(cap, market.configurator, cap, asset, 0)
    ledger.mine()
    _grow_old(world, market.pool)
    return Bench(world, market.pool, market.receipt_tokens, market.debt_tokens, market.treasury, feeds, category_feed)


def _feeds(world: World) -> tuple[Mapping[str, Contract], Contract]:
    feeds = {s: world.ledger.deploy(published("MockAggregator"), round(USUAL_USD[s] * 1e8)) for s in SYMBOLS}
    return feeds, world.ledger.deploy(published("MockAggregator"), 10**8)


def _grow_old(world: World, pool: Contract) -> None:
    """The deployer supplies and borrows large amounts, the borrower enters a category once, and time passes."""
    ledger = world.ledger
    ledger.node.request("anvil_setBalance", ledger.deployer, hex(10**32))
    for symbol, token in world.tokens.items():
        amount = _raw(world, symbol, HELD_USD)
        fund(ledger, world.tokens, symbol, amount)
        ledger.call("approve", token, "approve", pool.address, 2**256 - 1)
        ledger.call(f"supply {symbol}", pool, "supply", token.address, amount, ledger.deployer, 0)
    for symbol, share in BORROWED_SHARE.items():
        amount = _raw(world, symbol, HELD_USD * share)
        ledger.call(
            f"borrow {symbol}", pool, "borrow", world.tokens[symbol].address, amount, VARIABLE, 0, ledger.deployer
        )
    ledger.call("enter a category", pool, "setUserEMode", 1, sender=BORROWER)
    ledger.mine()
    _give_funds(ledger, world, pool)
    world.advance(AGE_SECONDS)
    for symbol in SYMBOLS:  # one more touch, so that stored indices are not round either
        ledger.call(
            "touch",
            pool,
            "withdraw",
            world.tokens[symbol].address,
            10 ** (world.tokens[symbol].functions.decimals().call()),
            ledger.deployer,
        )
    ledger.mine()
    world.advance(4_321)


def _give_funds(ledger: Ledger, world: World, pool: Contract) -> None:
    """Liquidator and borrower can repay any debt."""
    for symbol in BORROWABLE:
        amount = _raw(world, symbol, FUNDS_USD)
        fund(ledger, world.tokens, symbol, 2 * amount)
        for who in (LIQUIDATOR, BORROWER):
            ledger.call("fund", world.tokens[symbol], "transfer", who, amount)
            ledger.call("approve", world.tokens[symbol], "approve", pool.address, 2**256 - 1, sender=who)
    ledger.mine()


def _raw(world: World, symbol: str, usd: float) -> int:
    return int(usd / USUAL_USD[symbol] * 10.0 ** int(world.tokens[symbol].functions.decimals().call()))
