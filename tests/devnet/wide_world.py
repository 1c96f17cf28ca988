"""More protocols beside a world's Aave market, over its tokens and feeds: what the embedded sample is taken from.

    a second Aave market   3.0.2, the same staked ether as collateral
    Compound V2            five markets; its cWETH is collateral on Morpho
    Morpho Blue            two markets that lend USDC: against staked ether, and against cWETH at a price written into the oracle
    a vault                lends to both, for forty savers: what happens to a Compound borrower reaches them
    Uniswap V3             one pool with many ranges
    Balancer V2            a weighted pool of LINK and DAI

All figures are chosen: sizes are drawn from a lognormal law, what each account does follows from its number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from web3.contract import Contract

from chain.units import UINT256_MAX, ZERO_ADDRESS
from tests.devnet import compound_v2, morpho_blue
from tests.devnet.aave_v302 import Aave302, deploy_aave_v302
from tests.devnet.assets import fund, price_sources, publish
from tests.devnet.balancer_v2 import THIRD, BalancerV2, deploy_contracts
from tests.devnet.compound_v2 import CompoundMarket
from tests.devnet.contracts import compiled
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import FEEDS, RESERVES, closing_price_usd, raw_amount
from tests.devnet.transactions import address_of
from tests.devnet.uniswap_v3_exchange import POOLS, deploy_exchange
from tests.devnet.vault_world import deploy_vault, open_market
from tests.devnet.world import World

WAD = 10**18
VARIABLE_RATE = 2
LLTVS = {"lstETH": 860 * WAD // 1_000, "cWETH": 770 * WAD // 1_000}
LENT = {"lstETH": 4_000_000.0, "cWETH": 1_500_000.0}
PRIME_ACCOUNTS, COMPOUND_ACCOUNTS, MORPHO_ACCOUNTS, SAVERS = 120, 60, 40, 40
DAY = 86_400


@dataclass(frozen=True)
class WideWorld:
    """The world with all of it, and the address book that names everything."""

    world: World
    prime: Aave302
    compound: CompoundMarket
    morpho: Contract
    params: Mapping[str, tuple[object, ...]]
    vault: Contract
    balancer: BalancerV2
    deployments: Path


def widen(world: World, seed: int) -> WideWorld:
    """Deploy it all on the world's chain and live through some weeks."""
    rng, ledger = np.random.default_rng(seed), world.ledger
    prime = _prime(world, rng)
    compound = _compound(world, rng)
    exchange = deploy_exchange(world, wanted=POOLS[2:3])
    balancer = _balancer(world)
    morpho, params, vault = _morpho(world, compound, rng)
    world.advance(DAY)
    publish(ledger, world.feeds, {symbol: feed.closing_usd for symbol, feed in FEEDS.items()})
    for symbol in ("WETH", "DAI"):
        ledger.call("accrue", compound.markets[symbol], "accrueInterest")
    ledger.mine()
    entries = {
        ("aave-v3", "prime", "aave_v3"): {
            "pool_addresses_provider": prime.provider,
            "pool": prime.pool,
            "pool_data_provider": prime.data_provider,
            "oracle": prime.oracle,
        },
        ("compound-v2", "v2", "compound_v2"): {"comptroller": compound.comptroller},
        ("morpho-blue", "blue", "morpho_blue"): {"morpho": morpho},
        ("metamorpho", "savers", "metamorpho_vault"): {"vault": vault},
        ("uniswap-v3", "v3", "uniswap_v3"): {"factory": exchange.factory, "position_manager": exchange.manager},
        ("balancer-v2", "pools", "balancer_v2"): {"vault": balancer.vault},
    }
    lines = [world.deployments.read_text()]
    for (protocol, instance, reader), roles in entries.items():
        lines += entry_lines(world.seed, protocol, instance, reader)
        lines += address_lines({role: str(contract.address) for role, contract in roles.items()})
    book = world.deployments.with_name("wide.toml")
    book.write_text("\n".join(lines))
    return WideWorld(world, prime, compound, morpho, params, vault, balancer, book)


def _usd(rng: np.random.Generator, count: int, median: float) -> Sequence[float]:
    """Sizes of positions."""
    return [float(size) for size in median * np.exp(1.2 * rng.standard_normal(count))]


def _give(world: World, symbol: str, who: str, amount: int) -> None:
    """Put tokens into somebody's hands."""
    fund(world.ledger, world.tokens, symbol, amount)
    world.ledger.call("give", world.tokens[symbol], "transfer", who, amount)


def _prime(world: World, rng: np.random.Generator) -> Aave302:
    """Lenders of stablecoins, and borrowers against ether and staked ether."""
    ledger, tokens = world.ledger, world.tokens
    sources, adapter = price_sources(ledger, tokens, world.feeds)
    prime = deploy_aave_v302(ledger, tokens, sources, address_of("prime treasury"), str(adapter.address))
    sizes = _usd(rng, PRIME_ACCOUNTS, 150_000.0)
    lent = sum(sizes)
    for symbol, share in (("USDC", 0.8), ("DAI", 0.5), ("WETH", 0.4)):
        amount = raw_amount(symbol, lent * share)
        lender = address_of(f"prime lender of {symbol}")
        _give(world, symbol, lender, amount)
        ledger.call("approve", tokens[symbol], "approve", prime.pool.address, amount, sender=lender)
        ledger.call("lend", prime.pool, "supply", tokens[symbol].address, amount, lender, 0, sender=lender)
    ledger.mine()
    for number, size in enumerate(sizes):
        who, symbol = address_of(f"prime account {number}"), ("lstETH", "lstETH", "WETH", "WBTC")[number % 4]
        amount = raw_amount(symbol, size)
        _give(world, symbol, who, amount)
        ledger.call("approve", tokens[symbol], "approve", prime.pool.address, amount, sender=who)
        ledger.call("supply", prime.pool, "supply", tokens[symbol].address, amount, who, 0, sender=who)
    ledger.mine()
    for number, size in enumerate(sizes):
        who, owed = address_of(f"prime account {number}"), ("USDC", "DAI", "USDC")[number % 3]
        ratio = 0.25 + 0.45 * float(rng.beta(4, 2))
        order = (tokens[owed].address, raw_amount(owed, size * ratio), VARIABLE_RATE, 0, who)
        if number % 5:
            ledger.call("borrow", prime.pool, "borrow", *order, sender=who)
    ledger.mine()
    return prime


def _compound(world: World, rng: np.random.Generator) -> CompoundMarket:
    """Everybody supplies one asset and most borrow another."""
    ledger = world.ledger
    market = compound_v2.deploy(ledger, world.tokens)
    for symbol, ctoken in market.markets.items():
        price = round(closing_price_usd(symbol) * 10**8) * 10 ** (36 - RESERVES[symbol].decimals - 8)
        ledger.call("price", market.oracle, "setUnderlyingPrice", ctoken.address, price)
    symbols, sizes = tuple(market.markets), _usd(rng, COMPOUND_ACCOUNTS, 120_000.0)
    for number, size in enumerate(sizes):
        who, symbol = address_of(f"compound account {number}"), symbols[number % len(symbols)]
        amount, ctoken = raw_amount(symbol, size), market.markets[symbol]
        _give(world, symbol, who, amount)
        ledger.call("approve", world.tokens[symbol], "approve", ctoken.address, UINT256_MAX, sender=who)
        ledger.call("supply", ctoken, "mint", amount, sender=who)
        ledger.call("enter", market.comptroller, "enterMarkets", [ctoken.address], sender=who)
    ledger.mine()
    for number, size in enumerate(sizes):
        owed = symbols[(number + 1 + number // 5 % 3) % len(symbols)]
        if number % 4:
            amount = raw_amount(owed, min(size, 60_000.0) * (0.2 + 0.35 * float(rng.random())))
            ledger.call(
                "borrow", market.markets[owed], "borrow", amount, sender=address_of(f"compound account {number}")
            )
    ledger.mine()
    return market


def _balancer(world: World) -> BalancerV2:
    """Half LINK, half DAI, its shares in three hands."""
    ledger, tokens = world.ledger, world.tokens
    exchange = deploy_contracts(ledger, tokens["WETH"], (THIRD,))
    for symbol in ("LINK", "DAI"):
        fund(ledger, tokens, symbol, raw_amount(symbol, 6_000_000.0))
    ledger.mine()
    members = sorted((tokens["LINK"], tokens["DAI"]), key=lambda token: int(str(token.address), 16))
    symbols = {str(tokens[symbol].address): symbol for symbol in ("LINK", "DAI")}
    amounts = [raw_amount(symbols[str(one.address)], 5_000_000.0) for one in members]
    pool = exchange.at(exchange.pool(THIRD, members, [WAD // 2, WAD // 2], amounts, WAD // 1_000))
    whole = int(pool.functions.balanceOf(ledger.deployer).call())
    for number in range(3):
        ledger.call("give shares", pool, "transfer", address_of(f"saver {number}"), whole // (3 + number))
    ledger.mine()
    return exchange


def _morpho(
    world: World, compound: CompoundMarket, rng: np.random.Generator
) -> tuple[Contract, Mapping[str, tuple[object, ...]], Contract]:
    """USDC against staked ether, by the feeds, and against cWETH, by a price that never moves."""
    ledger, contracts = world.ledger, morpho_blue.artifacts()
    morpho, irm = ledger.deploy(contracts["Morpho"], ledger.deployer), ledger.deploy(contracts["IrmMock"])
    usdc, staked, ceth = world.tokens["USDC"], world.tokens["lstETH"], compound.markets["WETH"]
    parts = [
        staked.address,
        world.feeds["ETH"].address,
        ZERO_ADDRESS,
        ZERO_ADDRESS,
        world.feeds["USDC"].address,
        ZERO_ADDRESS,
    ]
    wired = ledger.deploy(compiled("MorphoFeedOracle.sol")["MorphoFeedOracle"], parts, [WAD, 1], 10**6)
    written = ledger.deploy(contracts["OracleMock"])
    per_share = compound.markets["WETH"].functions.exchangeRateStored().call() / 10**28 * closing_price_usd("WETH")
    ledger.call("written price", written, "setPrice", round(per_share * 10**9) * 10 ** (36 + 6 - 8 - 9))
    params: dict[str, tuple[object, ...]] = {
        "lstETH": (usdc.address, staked.address, wired.address, irm.address, LLTVS["lstETH"]),
        "cWETH": (usdc.address, ceth.address, written.address, irm.address, LLTVS["cWETH"]),
    }
    ledger.call("rate model", morpho, "enableIrm", irm.address)
    ids = {}
    for name, one in params.items():
        ledger.call("threshold", morpho, "enableLltv", one[4])
        ids[name] = open_market(ledger, morpho, one)
    vault = deploy_vault(ledger, morpho, usdc, "svUSDC")
    ledger.call("roles", vault, "setRoles", address_of("vault curator"), address_of("vault guardian"), 3 * DAY)
    ledger.call("fee", vault, "setFee", WAD // 10, address_of("vault fees"))
    for name, usd in LENT.items():
        ledger.call("cap", vault, "setCap", ids[name], raw_amount("USDC", usd), 0, 0)
    ledger.call("queue", vault, "setSupplyQueue", list(ids.values()))
    ledger.mine()
    sizes = _usd(rng, SAVERS, 100_000.0)
    for number, size in enumerate(sizes):
        who, amount = address_of(f"saver {number}"), raw_amount("USDC", 0.95 * size * sum(LENT.values()) / sum(sizes))
        _give(world, "USDC", who, amount)
        ledger.call("approve", usdc, "approve", vault.address, amount, sender=who)
        ledger.call("save", vault, "deposit", amount, who, sender=who)
    ledger.mine()
    for number, size in enumerate(_usd(rng, MORPHO_ACCOUNTS, 60_000.0)):
        who = address_of(f"morpho account {number}")
        ratio = 0.35 + 0.3 * float(rng.beta(4, 2))
        if number % 3:
            _post(world, morpho, params["lstETH"], who, raw_amount("lstETH", size))
        else:
            _post_cweth(world, compound, morpho, params["cWETH"], who, raw_amount("WETH", size))
        name = "lstETH" if number % 3 else "cWETH"
        owed = raw_amount("USDC", size * ratio)
        ledger.call("borrow", morpho, "borrow", params[name], owed, 0, who, who, sender=who)
    ledger.mine()
    return morpho, params, vault


def _post(world: World, morpho: Contract, params: tuple[object, ...], who: str, amount: int) -> None:
    """Staked ether into Morpho."""
    _give(world, "lstETH", who, amount)
    world.ledger.call("approve", world.tokens["lstETH"], "approve", morpho.address, UINT256_MAX, sender=who)
    world.ledger.call("post", morpho, "supplyCollateral", params, amount, who, b"", sender=who)


def _post_cweth(
    world: World, compound: CompoundMarket, morpho: Contract, params: tuple[object, ...], who: str, amount: int
) -> None:
    """Wrapped ether into Compound, its receipt into Morpho."""
    ledger, ceth = world.ledger, compound.markets["WETH"]
    _give(world, "WETH", who, amount)
    ledger.call("approve", world.tokens["WETH"], "approve", ceth.address, amount, sender=who)
    ledger.call("supply", ceth, "mint", amount, sender=who)
    ledger.mine()
    shares = int(ceth.functions.balanceOf(who).call())
    ledger.call("approve", ceth, "approve", morpho.address, shares, sender=who)
    ledger.call("post", morpho, "supplyCollateral", params, shares, who, b"", sender=who)
