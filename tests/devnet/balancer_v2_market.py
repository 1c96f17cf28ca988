"""Balancer V2 (deployed by `balancer_v2`) on a world: pools of every kind that the reader knows, their shares in several hands, swapped through.

All figures are chosen. The share of one composable pool is an asset of another, whose rate provider it is; one pool is never filled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from web3.contract import Contract

from tests.devnet import morpho_blue
from tests.devnet.assets import fund
from tests.devnet.balancer_v2 import COMPOSABLE, FIRST, PLAIN_STABLE, THIRD, UNLIMITED, BalancerV2, deploy_contracts
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import RESERVES, raw_amount
from tests.devnet.transactions import address_of
from tests.devnet.world import World

WAD = 10**18
HOLDERS = tuple(address_of(f"balancer provider {number}") for number in range(3))
ONE_HOUR = 3_600


@dataclass(frozen=True)
class Market:
    """The exchange and its pools by name: id, contract, the tokens of each in the order of the vault, own shares left out, and the weights of those that have some."""

    exchange: BalancerV2
    pools: Mapping[str, bytes]
    contracts: Mapping[str, Contract]
    tokens: Mapping[str, list[Contract]]
    weights: Mapping[str, list[int]]
    morpho: Contract
    deployments: Path


def deploy_market(world: World) -> Market:
    """Deploy on a world, fill the pools, swap, give shares away; the address book adds the vault."""
    ledger, tokens = world.ledger, world.tokens
    exchange = deploy_contracts(ledger, tokens["WETH"], (FIRST, THIRD, PLAIN_STABLE, *COMPOSABLE))
    for symbol in RESERVES:
        fund(ledger, tokens, symbol, raw_amount(symbol, 40_000_000.0))
    ledger.mine()
    pools: dict[str, bytes] = {}
    members: dict[str, list[Contract]] = {}
    shares: dict[str, list[int]] = {}

    def ordered(symbols: tuple[str, ...]) -> list[Contract]:
        return sorted((tokens[symbol] for symbol in symbols), key=lambda token: int(str(token.address), 16))

    def usd(contracts: list[Contract], *amounts: float) -> list[int]:
        symbols = {tokens[symbol].address: symbol for symbol in tokens}
        return [raw_amount(symbols[one.address], amount) for one, amount in zip(contracts, amounts, strict=True)]

    for name, task, symbols, weights, fee in (
        ("old 60/40", FIRST, ("WETH", "USDC"), (60, 40), 3 * 10**15),
        ("old 80/20", FIRST, ("WBTC", "LINK"), (80, 20), 10**16),
        ("new 80/20", THIRD, ("WETH", "DAI"), (80, 20), 2 * 10**15),
        ("three", THIRD, ("WETH", "USDC", "WBTC"), (20, 30, 50), 10**15),
    ):
        members[name] = ordered(symbols)
        amounts = usd(members[name], *(10_000.0 * weight for weight in weights))
        shares[name] = [share * WAD // 100 for share in weights]
        pools[name] = exchange.pool(task, members[name], shares[name], amounts, fee)
    for name, task, symbols, amplification, fee in (
        ("plain", PLAIN_STABLE, ("USDC", "DAI"), 200, 4 * 10**14),
        ("first composable", COMPOSABLE[0], ("USDC", "DAI"), 500, 10**14),
        ("second composable", COMPOSABLE[1], ("USDC", "DAI"), 50, 10**15),
        ("third composable", COMPOSABLE[2], ("USDC", "DAI"), 1_000, 10**14),
    ):
        members[name] = ordered(symbols)
        amounts = usd(members[name], 1_400_000.0, 700_123.4)
        pools[name] = exchange.stable_pool(task, members[name], amplification, amounts, fee)
    base = exchange.at(pools["third composable"])
    zero = "0x" + "0" * 40
    for name, cached in (("nested", ONE_HOUR), ("nested, expired", 1)):
        members[name] = sorted([base, tokens["DAI"]], key=lambda token: int(str(token.address), 16))
        providers = [str(base.address) if token is base else zero for token in members[name]]
        amounts = [10_000 * WAD if token is base else 12_345 * WAD for token in members[name]]
        pools[name] = exchange.stable_pool(
            COMPOSABLE[2], members[name], 300, amounts, 5 * 10**14, providers, rate_seconds=cached
        )
    for name, pool_id in pools.items():
        first, second = members[name][:2]
        for sold, bought in ((first, second), (second, first), (first, second)):
            balances = dict(zip(*exchange.vault.functions.getPoolTokens(pool_id).call()[:2], strict=True))
            exchange.swap(pool_id, sold.address, bought.address, balances[sold.address] // 23)
    first, second = members["third composable"]  # so that what its share is worth has moved since others cached it
    exchange.swap(pools["third composable"], first.address, second.address, raw_amount("USDC", 300_000.0))
    contracts = {name: exchange.at(pool_id) for name, pool_id in pools.items()}
    for name, share in contracts.items():
        whole = int(share.functions.balanceOf(ledger.deployer).call())
        for number, holder in enumerate(HOLDERS):
            ledger.call(f"give shares of {name}", share, "transfer", holder, whole // (3 + number))
    ledger.call(
        "a pool that is never filled",
        exchange.factories[THIRD],
        "create",
        *("empty", "E", [token.address for token in ordered(("LINK", "DAI"))], [WAD // 2, WAD // 2], [zero, zero]),
        *(10**15, ledger.deployer),
        gas=30_000_000,
    )
    ledger.mine()
    morpho = _lend_against_shares(world, base)
    file = world.deployments.with_name("with_balancer.toml")
    lines = [
        *entry_lines(world.seed, "balancer-v2", "core", "balancer_v2"),
        *address_lines({"vault": str(exchange.vault.address)}),
        *entry_lines(world.seed, "morpho-blue", "core", "morpho_blue"),
        *address_lines({"morpho": str(morpho.address)}),
    ]
    file.write_text(world.deployments.read_text() + "\n" + "\n".join(lines))
    return Market(exchange, pools, contracts, members, shares, morpho, file)


def _lend_against_shares(world: World, share: Contract) -> Contract:
    """A market of Morpho Blue in which the first holder owes 100,000 USDC against half of his shares of a pool."""
    ledger, usdc, contracts = world.ledger, world.tokens["USDC"], morpho_blue.artifacts()
    morpho = ledger.deploy(contracts["Morpho"], ledger.deployer)
    irm, oracle = ledger.deploy(contracts["IrmMock"]), ledger.deploy(contracts["OracleMock"])
    threshold, posted = 8 * WAD // 10, int(share.functions.balanceOf(HOLDERS[0]).call()) // 2
    params = (usdc.address, share.address, oracle.address, irm.address, threshold)
    ledger.call("enable rate model", morpho, "enableIrm", irm.address)
    ledger.call("enable threshold", morpho, "enableLltv", threshold)
    ledger.call("create market", morpho, "createMarket", params)
    ledger.call("price", oracle, "setPrice", 10 ** (36 + 6 - 18))
    ledger.call("approve", usdc, "approve", morpho.address, UNLIMITED)
    ledger.call("lend", morpho, "supply", params, 150_000 * 10**6, 0, ledger.deployer, b"")
    ledger.call("approve", share, "approve", morpho.address, UNLIMITED, sender=HOLDERS[0])
    ledger.call("post", morpho, "supplyCollateral", params, posted, HOLDERS[0], b"", sender=HOLDERS[0])
    ledger.call("borrow", morpho, "borrow", params, 10**11, 0, HOLDERS[0], HOLDERS[0], sender=HOLDERS[0])
    ledger.mine()
    return morpho
