"""Uniswap V2 with its published bytecode: six pairs at the closing prices, each owned by several providers.

How deep the pairs are is a choice, made relative to what the market holds: `DEPTHS` says which share of a token's
collateral, in accounts with debt and outside e-mode, one side of a pair is worth. The shares are far above those of a
real exchange, because here the pairs are the only place to sell. They are set so that a fall of 20 to 30 % sets off
several rounds of forced sales and leaves some bad debt, neither none nor everything. Bitcoin and LINK are thin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from web3.contract import Contract

from tests.devnet.assets import fund
from tests.devnet.contracts import artifact
from tests.devnet.market import RESERVES, closing_price_usd, raw_amount, value_usd
from tests.devnet.population import Account
from tests.devnet.transactions import Ledger, address_of

SMALLEST_SIDE_USD = 50_000.0
PROVIDER_SHARES = (0.55, 0.30, 0.15)


@dataclass(frozen=True)
class Depth:
    """One side of the pair holds `ratio` of the collateral in the token `against`."""

    tokens: tuple[str, str]
    against: str
    ratio: float


DEPTHS = (
    Depth(("WETH", "USDC"), "WETH", 0.60),
    Depth(("WETH", "DAI"), "WETH", 0.30),
    Depth(("WBTC", "WETH"), "WBTC", 0.50),
    Depth(("LINK", "WETH"), "LINK", 0.40),
    Depth(("lstETH", "WETH"), "lstETH", 0.60),
    Depth(("USDC", "DAI"), "WETH", 0.25),
)


@dataclass(frozen=True)
class Exchange:
    """The factory, the pairs by name (``WETH/USDC``) and who provided them."""

    factory: Contract
    pairs: Mapping[str, Contract]
    providers: tuple[str, ...]


def collateral_usd(accounts: Sequence[Account], symbol: str) -> float:
    """Return the USD value of a token that secures debt outside e-mode: what a fall can force onto the exchange."""
    return sum(
        value_usd(symbol, account.collateral.get(symbol, 0))
        for account in accounts
        if account.debt and account.category == 0 and symbol not in account.disabled
    )


def deploy_exchange(
    ledger: Ledger, tokens: Mapping[str, Contract], accounts: Sequence[Account], staking_rate: int
) -> Exchange:
    """Deploy the factory and fill the pairs at closing prices.

    Parameters
    ----------
    tokens : mapping
        Symbol -> token contract.
    accounts : sequence of Account
        Depths are relative to their collateral.
    staking_rate : int
        Assets of one share of the staking vault as it is on chain, 18 decimals.
    """
    factory = ledger.deploy(artifact("UniswapV2Factory"), ledger.deployer)
    for depth in DEPTHS:
        first, second = (tokens[symbol].address for symbol in depth.tokens)
        ledger.call(f"create {'/'.join(depth.tokens)}", factory, "createPair", first, second)
    ledger.mine()
    providers = tuple(address_of(f"liquidity provider {number}") for number in range(len(PROVIDER_SHARES)))
    pairs = {}
    for depth in DEPTHS:
        first, second = (tokens[symbol].address for symbol in depth.tokens)
        pair = ledger.at(artifact("UniswapV2Pair"), factory.functions.getPair(first, second).call())
        pairs["/".join(depth.tokens)] = pair
        _fill(ledger, tokens, pair, depth, _side_usd(depth, accounts), staking_rate, providers)
    return Exchange(factory, pairs, providers)


def _side_usd(depth: Depth, accounts: Sequence[Account]) -> float:
    return max(SMALLEST_SIDE_USD, depth.ratio * collateral_usd(accounts, depth.against))


def _fill(
    ledger: Ledger,
    tokens: Mapping[str, Contract],
    pair: Contract,
    depth: Depth,
    side_usd: float,
    staking_rate: int,
    providers: Sequence[str],
) -> None:
    base, quote = depth.tokens
    amounts = {base: raw_amount(base, side_usd)}
    if base == "lstETH":  # the vault's own rate, to the wei, so that pool and oracle agree
        amounts[quote] = amounts[base] * staking_rate // 10**18
    else:
        price = closing_price_usd(base) / closing_price_usd(quote)
        amounts[quote] = round(amounts[base] * price * 10.0 ** (RESERVES[quote].decimals - RESERVES[base].decimals))
    for symbol, amount in amounts.items():
        fund(ledger, tokens, symbol, amount)
    left = dict(amounts)
    for provider, share in zip(providers, PROVIDER_SHARES, strict=True):
        for symbol, amount in amounts.items():
            part = left[symbol] if provider == providers[-1] else int(amount * share)
            left[symbol] -= part
            ledger.call(f"fund {base}/{quote}", tokens[symbol], "transfer", pair.address, part)
        ledger.call(f"provide {base}/{quote}", pair, "mint", provider)
    ledger.mine()
