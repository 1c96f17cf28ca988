"""A Chainlink feed as it runs: FluxAggregators, to which an oracle submits, behind a proxy that moves on from one to the next.

Compiled from @chainlink/contracts (src/v0.6) with the compiler that the source asks for.
"""

from dataclasses import dataclass

from web3.contract import Contract

from tests.devnet.availability import OLD_SOLC_PACKAGE
from tests.devnet.compiled_once import compiled_once
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.transactions import Ledger

ENTRY = "@chainlink/contracts/src/v0.6/FluxAggregator.sol"
PROXY = "@chainlink/contracts/src/v0.6/EACAggregatorProxy.sol"
ZERO_ADDRESS = "0x" + "0" * 40
MOST = 10**20


def aggregator() -> Artifact:
    """FluxAggregator."""
    return compiled_once((ENTRY,), OLD_SOLC_PACKAGE, "istanbul", ("@chainlink/contracts",))["FluxAggregator"]


def proxy() -> Artifact:
    """EACAggregatorProxy."""
    return compiled_once((PROXY,), OLD_SOLC_PACKAGE, "istanbul", ("@chainlink/contracts",))["EACAggregatorProxy"]


@dataclass
class Flux:
    """A proxy and its aggregators, the last one being its own."""

    ledger: Ledger
    proxy: Contract
    aggregators: list[Contract]

    def submit(self, answer: int, phase: int | None = None) -> None:
        """The next round of the proxy's aggregator, or of another phase's; in a block of its own."""
        one = self.aggregators[-1 if phase is None else phase - 1]
        number = one.functions.latestRound().call() + 1
        self.ledger.call("submit", one, "submit", number, answer)
        self.ledger.mine()

    def next_aggregator(self, rounds: list[int]) -> None:
        """Put a new aggregator behind the proxy that has published these answers already."""
        self.aggregators.append(_deploy(self.ledger))
        for answer in rounds:
            self.submit(answer)
        self.ledger.call("propose", self.proxy, "proposeAggregator", self.aggregators[-1].address)
        self.ledger.call("confirm", self.proxy, "confirmAggregator", self.aggregators[-1].address)
        self.ledger.mine()


def deploy(ledger: Ledger) -> Flux:
    """A feed with 8 decimals and one aggregator that has no round yet."""
    first = _deploy(ledger)
    return Flux(ledger, ledger.deploy(proxy(), first.address, ZERO_ADDRESS), [first])


def _deploy(ledger: Ledger) -> Contract:
    link = ledger.deploy(artifact("TestnetERC20"), "LINK", "LINK", 18, ledger.deployer)
    one = ledger.deploy(aggregator(), link.address, 0, 60, ZERO_ADDRESS, 1, MOST, 8, "ETH / USD")
    ledger.call("oracle", one, "changeOracles", [], [ledger.deployer], [ledger.deployer], 1, 1, 0)
    ledger.mine()
    return one
