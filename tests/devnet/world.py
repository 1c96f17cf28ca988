"""Builds the world: one Aave V3.6 market, Uniswap V2 pairs, Chainlink feeds, and accounts with positions at one block.

    with build_world(accounts=120, seed=7) as world:
        world.pool.functions.getUserAccountData(world.accounts[0].address).call(block_identifier=world.block_number)
        world.set_price("ETH", 1_500)

The same arguments give the same blocks, hash for hash.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from web3 import Web3
from web3.contract import Contract

from tests.devnet.aave_v3 import AaveMarket, deploy_aave, set_caps
from tests.devnet.assets import deploy_feeds, deploy_tokens, open_vault, price_sources, publish
from tests.devnet.contracts import MULTICALL3_ADDRESS, artifact, multicall3_code
from tests.devnet.deployments_file import write_deployments
from tests.devnet.history import Progress, Setting, live_through
from tests.devnet.market import RESERVES, STAKING_RATES
from tests.devnet.node import BLOCK_SECONDS, CHAIN_ID, Node
from tests.devnet.population import Account, draw_accounts, total
from tests.devnet.transactions import Ledger, address_of
from tests.devnet.uniswap_v2 import Exchange, deploy_exchange


@dataclass(frozen=True)
class World:
    """A running chain with everything on it, and handles to what tests need.

    Attributes
    ----------
    url, chain_id : str, int
        Where the node listens and which chain it says it is.
    block_number, block_hash : int, str
        The final block of the build: the one to read.
    deployments : Path
        Address book in TOML; it is gone when the world is closed.
    accounts : tuple of Account
        Who was meant to have what.
    heirs : tuple of str
        Addresses that hold receipt tokens but appear in no event of the pool.
    tokens, feeds, pairs : mapping
        Contracts by symbol (``WETH``), by priced asset (``ETH``), by name (``WETH/USDC``).
    price_adapter : Contract
        The price source of lstETH.
    market, exchange : AaveMarket, Exchange
        The rest of the contracts.
    """

    url: str
    chain_id: int
    seed: int
    block_number: int
    block_hash: str
    timestamp: int
    deployments: Path
    w3: Web3
    node: Node
    ledger: Ledger
    accounts: tuple[Account, ...]
    heirs: tuple[str, ...]
    market: AaveMarket
    exchange: Exchange
    tokens: Mapping[str, Contract]
    feeds: Mapping[str, Contract]
    price_adapter: Contract
    folder: "tempfile.TemporaryDirectory[str]"

    @property
    def pool(self) -> Contract:
        """The lending pool."""
        return self.market.pool

    @property
    def oracle(self) -> Contract:
        """The lending market's oracle."""
        return self.market.oracle

    @property
    def pairs(self) -> Mapping[str, Contract]:
        """Uniswap pairs by name."""
        return self.exchange.pairs

    def set_price(self, feed: str, price_usd: float) -> None:
        """Publish a new round on a feed (``ETH``, ``BTC``, ``LINK``, ``USDC``, ``DAI``) in a block of its own."""
        publish(self.ledger, self.feeds, {feed: price_usd})

    def advance(self, seconds: int = BLOCK_SECONDS) -> int:
        """Mine an empty block `seconds` later and return its number."""
        return self.node.mine(seconds)

    def send(
        self, label: str, contract: Contract, function: str, *args: object, sender: str | None = None, value: int = 0
    ) -> dict[str, Any]:
        """Send one transaction from any address, mine it and return its receipt; raises when it reverts."""
        self.ledger.call(label, contract, function, *args, sender=sender, value=value)
        return self.ledger.mine()[0]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back, at the end of the block of code, everything that happened on the chain inside it."""
        snapshot = self.node.request("evm_snapshot")
        try:
            yield
        finally:
            self.node.request("evm_revert", snapshot)

    def close(self) -> None:
        """Stop the node and remove the address book."""
        self.node.stop()
        self.folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build_world(accounts: int = 120, seed: int = 7, progress: Progress | None = None) -> World:
    """Build a world.

    Parameters
    ----------
    accounts : int
        How many accounts have positions.
    seed : int
        Decides the accounts: addresses, sizes, health factors, what they hold.
    progress : callable, optional
        Called with a stage, how much of it is done and how much there is.

    Returns
    -------
    World
        Close it, or use it in a ``with`` statement.

    Raises
    ------
    ValueError
        Fewer than eight accounts.
    DevnetUnavailableError
        Node.js, an npm package or the node's binary is missing.
    RevertedError
        A contract refused a step; the message says which.
    """
    people = draw_accounts(accounts, np.random.default_rng(seed), seed)
    report = progress or _silent
    report("compile", 0, 1)
    artifact("PoolInstance")
    report("compile", 1, 1)
    node = Node()
    folder = tempfile.TemporaryDirectory(prefix="aftershock-devnet-")
    try:
        return _build(node, folder, people, seed, report)
    except BaseException:
        node.stop()
        folder.cleanup()
        raise


def _silent(_stage: str, _done: int, _whole: int) -> None:
    """Report to nobody."""


def _build(
    node: Node, folder: "tempfile.TemporaryDirectory[str]", people: Sequence[Account], seed: int, progress: Progress
) -> World:
    ledger = Ledger(node, address_of("deployer"))
    node.request("anvil_setCode", MULTICALL3_ADDRESS, multicall3_code())
    progress("deploy", 0, 1)
    tokens, feeds = deploy_tokens(ledger), deploy_feeds(ledger)
    open_vault(ledger, tokens, STAKING_RATES[0])
    sources, adapter = price_sources(ledger, tokens, feeds)
    market = deploy_aave(ledger, tokens, sources, treasury=address_of("treasury"))
    supplied = {symbol: total(people, symbol, "collateral") for symbol in RESERVES}
    borrowed = {symbol: total(people, symbol, "debt") for symbol in RESERVES}
    set_caps(ledger, market, tokens, supplied, borrowed)
    progress("deploy", 1, 1)
    heirs = live_through(Setting(ledger, market, tokens, feeds, progress), people)
    progress("pools", 0, 1)
    exchange = deploy_exchange(ledger, tokens, people, int(adapter.functions.getRatio().call()))
    progress("pools", 1, 1)
    deployments = Path(folder.name, "deployments.toml")
    write_deployments(deployments, seed, market, exchange.factory, feeds, tokens)
    final = node.request("eth_getBlockByNumber", "latest", False)
    return World(
        url=node.url,
        chain_id=CHAIN_ID,
        seed=seed,
        block_number=int(final["number"], 16),
        block_hash=final["hash"],
        timestamp=int(final["timestamp"], 16),
        deployments=deployments,
        w3=node.w3,
        node=node,
        ledger=ledger,
        accounts=tuple(people),
        heirs=heirs,
        market=market,
        exchange=exchange,
        tokens=tokens,
        feeds=feeds,
        price_adapter=adapter,
        folder=folder,
    )
