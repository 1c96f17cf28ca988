"""Balancer V2 with its deployed bytecode: the vault, weighted pools of the first and of the third factory, and stable pools of four.

Package: @balancer-labs/v2-deployments 3.2.0 (`dist/tasks/<task>/{abi,bytecode}` or `artifact`). The first factory's weighted pools (20210418)
take every power by logarithms; those of 20230206 multiply exponents 1, 2 and 4 out. Composable pools hold their own share.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from web3.contract import Contract
from web3.logs import DISCARD

from simulations.venues.weighted import Weighted
from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

TASKS = NODE_MODULES / "@balancer-labs/v2-deployments/dist/tasks"
FIRST, THIRD = "20210418-weighted-pool", "20230206-weighted-pool-v3"
PLAIN_STABLE = "20220609-stable-pool-v2"
COMPOSABLE = (
    "20220906-composable-stable-pool",
    "20221122-composable-stable-pool-v2",
    "20230206-composable-stable-pool-v3",
)
GIVEN_IN = 0
ZERO_ADDRESS = "0x" + "0" * 40
UNLIMITED = 2**256 - 1
FAR_AHEAD = 2**40
GAS = 30_000_000
WAD = 10**18


@cache
def published(task: str, name: str) -> Artifact:
    """A contract of a deployment task."""
    whole = TASKS / task / "artifact" / f"{name}.json"
    if whole.is_file():
        found = json.loads(whole.read_text())
        return Artifact(name, found["abi"], found["bytecode"].removeprefix("0x"))
    interface = json.loads((TASKS / task / "abi" / f"{name}.json").read_text())
    code = json.loads((TASKS / task / "bytecode" / f"{name}.json").read_text())["creationCode"]
    return Artifact(name, interface, code.removeprefix("0x"))


@dataclass(frozen=True)
class BalancerV2:
    """The vault and the factories by task; the deployer provides and trades."""

    ledger: Ledger
    vault: Contract
    factories: dict[str, Contract]

    def pool(
        self,
        task: str,
        tokens: Sequence[Contract],
        weights_wad: Sequence[int],
        balances: Sequence[int],
        fee_wad: int,
    ) -> bytes:
        """Create a weighted pool of tokens in the order of their addresses, fill it, and return its id."""
        ledger, factory = self.ledger, self.factories[task]
        assets = [token.address for token in tokens]
        providers = () if task == FIRST else ([ZERO_ADDRESS] * len(assets),)
        ledger.call(
            "create",
            factory,
            "create",
            *("weighted", "W", assets, list(weights_wad), *providers, fee_wad, ledger.deployer),
            gas=GAS,
        )
        receipt = ledger.mine()[0]
        created = ledger.node.w3.eth.get_transaction_receipt(receipt["transactionHash"])
        address = factory.events.PoolCreated().process_receipt(created, errors=DISCARD)[0]["args"]["pool"]
        return self._filled(address, tokens, balances)

    def stable_pool(
        self,
        task: str,
        tokens: Sequence[Contract],
        amplification: int,
        balances: Sequence[int],
        fee_wad: int,
        providers: Sequence[str] = (),
        rate_seconds: int = 0,
    ) -> bytes:
        """The same for a stable pool; `providers` of rates by token (the zero address for none), cached for so many seconds."""
        ledger, factory = self.ledger, self.factories[task]
        assets = [token.address for token in tokens]
        count = len(assets)
        rates = [[*providers] or [ZERO_ADDRESS] * count, [rate_seconds] * count, [False] * count]
        order = ("stable", "S", assets, amplification, *(rates if task in COMPOSABLE else []), fee_wad, ledger.deployer)
        ledger.call("create", factory, "create", *order, gas=GAS)
        receipt = ledger.mine()[0]
        created = ledger.node.w3.eth.get_transaction_receipt(receipt["transactionHash"])
        address = factory.events.PoolCreated().process_receipt(created, errors=DISCARD)[0]["args"]["pool"]
        return self._filled(address, tokens, balances)

    def at(self, pool_id: bytes) -> Contract:
        """The pool's contract, with the interface of the newest composable pool (more than some pools answer)."""
        return self.ledger.at(published(COMPOSABLE[-1], "ComposableStablePool"), "0x" + pool_id[:20].hex())

    def _filled(self, address: str, tokens: Sequence[Contract], balances: Sequence[int]) -> bytes:
        """The id of a new pool, after its first join with these balances; its own share, where it is one of its tokens, is minted then."""
        ledger = self.ledger
        pool_id = bytes(ledger.at(published(THIRD, "WeightedPool"), address).functions.getPoolId().call())
        given = {str(token.address): balance for token, balance in zip(tokens, balances, strict=True)}
        for token in tokens:
            ledger.call("approve", token, "approve", self.vault.address, UNLIMITED)
        assets = self.vault.functions.getPoolTokens(pool_id).call()[0]
        amounts = [given.get(asset, 0) for asset in assets]
        most = [given.get(asset, UNLIMITED) for asset in assets]
        data = ledger.node.w3.codec.encode(["uint256", "uint256[]"], [0, amounts])
        request = (assets, most, data, False)
        ledger.call("join", self.vault, "joinPool", pool_id, ledger.deployer, ledger.deployer, request)
        ledger.mine()
        return pool_id

    def query(self, pool_id: bytes, sold: str, bought: str, amount_raw: int) -> int:
        """What the vault would pay: queryBatchSwap with one step."""
        funds = (self.ledger.deployer, False, self.ledger.deployer, False)
        step = [(pool_id, 0, 1, amount_raw, b"")]
        deltas = self.vault.functions.queryBatchSwap(GIVEN_IN, step, [sold, bought], funds).call()
        assert deltas[0] == amount_raw
        return -int(deltas[1])

    def swap(self, pool_id: bytes, sold: str, bought: str, amount_raw: int) -> None:
        """Carry one swap out."""
        funds = (self.ledger.deployer, False, self.ledger.deployer, False)
        step = (pool_id, GIVEN_IN, sold, bought, amount_raw, b"")
        self.ledger.call("swap", self.vault, "swap", step, funds, 0, FAR_AHEAD)
        self.ledger.mine()


def deploy_balancer_v2(node: Node, deployer: str = address_of("balancer v2")) -> BalancerV2:
    """Vault, its authoriser, and the factories, with a wrapped coin of their own."""
    ledger = Ledger(node, deployer)
    return deploy_contracts(ledger, ledger.deploy(artifact("WETH9")), (FIRST, THIRD))


def deploy_contracts(ledger: Ledger, wrapped: Contract, tasks: Sequence[str]) -> BalancerV2:
    """Vault, its authoriser, and the factories of these tasks."""
    authorizer = ledger.deploy(published("20210418-authorizer", "Authorizer"), ledger.deployer)
    vault = ledger.deploy(published("20210418-vault", "Vault"), authorizer.address, wrapped.address, 0, 0)
    fees = ledger.deploy(
        published("20220725-protocol-fee-percentages-provider", "ProtocolFeePercentagesProvider"),
        vault.address,
        WAD,
        WAD,
    )
    arguments: dict[str, tuple[str, ...]] = {
        FIRST: (),
        THIRD: (fees.address, "factory", "pool"),
        PLAIN_STABLE: (),
        COMPOSABLE[0]: (fees.address,),
        COMPOSABLE[1]: (fees.address, "factory", "pool"),
        COMPOSABLE[2]: (fees.address, "factory", "pool"),
    }
    names = {FIRST: "WeightedPoolFactory", THIRD: "WeightedPoolFactory", PLAIN_STABLE: "StablePoolFactory"}
    factories = {
        task: ledger.deploy(
            published(task, names.get(task, "ComposableStablePoolFactory")), vault.address, *arguments[task]
        )
        for task in tasks
    }
    return BalancerV2(ledger, vault, factories)


def read(
    balancer: BalancerV2,
    pool_id: bytes,
    weights_wad: Sequence[int],
    tokens: Sequence[Contract],
    fee_wad: int,
    task: str,
) -> Weighted:
    """The pool as the vault holds it, as our record."""
    _, balances, _ = balancer.vault.functions.getPoolTokens(pool_id).call()
    decimals = tuple(int(token.functions.decimals().call()) for token in tokens)
    return Weighted(tuple(balances), tuple(weights_wad), decimals, fee_wad, task != FIRST)
