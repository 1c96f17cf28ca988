"""Writes the address book of a world, in the form that `chain/deployments.py` reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from web3.contract import Contract

from tests.devnet.aave_v3 import AaveMarket
from tests.devnet.market import FEEDS
from tests.devnet.node import CHAIN_ID

TOKEN_ROLES: Mapping[str, str] = {
    "WETH": "wrapped_native",
    "lstETH": "erc4626",
    "USDC": "stablecoin",
    "DAI": "stablecoin",
}


def write_deployments(
    file: Path,
    seed: int,
    market: AaveMarket,
    factory: Contract,
    feeds: Mapping[str, Contract],
    tokens: Mapping[str, Contract],
) -> None:
    """Write the TOML file with the market, the exchange, the feeds and the tokens of a world."""
    aave = {
        "pool_addresses_provider": market.addresses_provider,
        "pool": market.pool,
        "pool_data_provider": market.data_provider,
        "oracle": market.oracle,
    }
    lines = [
        *entry_lines(seed, "aave-v3", "core", "aave_v3"),
        *address_lines({role: str(contract.address) for role, contract in aave.items()}),
        *entry_lines(seed, "uniswap-v2", "v2", "uniswap_v2"),
        *address_lines({"factory": str(factory.address)}),
        *entry_lines(seed, "chainlink", "feeds", "chainlink"),
    ]
    for symbol, contract in feeds.items():
        feed = FEEDS[symbol]
        lines += [
            "[[deployments.feeds]]",
            f'address = "{contract.address}"',
            f'pair = "{feed.pair}"',
            f"heartbeat_seconds = {feed.heartbeat_seconds}",
            f"deviation_bps = {feed.deviation_bps}",
            "",
        ]
    lines += entry_lines(seed, "erc20", "tokens", "erc20")
    for symbol, contract in tokens.items():
        role = TOKEN_ROLES.get(symbol, "token")
        lines += [
            "[[deployments.tokens]]",
            f'address = "{contract.address}"',
            f'symbol = "{symbol}"',
            f'role = "{role}"',
            "",
        ]
    file.write_text("\n".join(lines))


def entry_lines(seed: int, protocol: str, instance: str, reader: str) -> Sequence[str]:
    return [
        "[[deployments]]",
        f'chain = "eip155:{CHAIN_ID}"',
        f'protocol = "{protocol}"',
        f'instance = "{instance}"',
        f'reader = "{reader}"',
        "first_block = 1",
        f'source = "tests/devnet world, seed {seed}"',
        "",
    ]


def address_lines(addresses: Mapping[str, str]) -> Sequence[str]:
    return ["[deployments.addresses]", *(f'{role} = "{address}"' for role, address in addresses.items()), ""]
