"""What stands behind proxies, against the events by which Aave's addresses provider announced it, and a node that does not say."""

import pandas as pd
import pytest
from web3 import Web3

from chain.reading import take
from tests.chain.picky_node import Whims, picky
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
ANNOUNCED = Web3.keccak(text="ProxyCreated(bytes32,address,address)")  # IPoolAddressesProvider of aave-v3-origin 3.6.0


def test_the_implementation_is_the_one_that_was_announced(devnet_world: World) -> None:
    rows = take(devnet_world.url, devnet_world.deployments, devnet_world.block_number)["entities"].to_dict("records")
    behind = {row["address"]: row["implementation"] for row in rows if not pd.isna(row["implementation"])}
    provider = devnet_world.market.addresses_provider.address
    logs = devnet_world.w3.eth.get_logs({"address": provider, "topics": [ANNOUNCED], "fromBlock": 0})
    announced = {"0x" + log["topics"][2].hex()[-40:]: "0x" + log["topics"][3].hex()[-40:] for log in logs}
    pool = devnet_world.pool.address.lower()
    assert behind[pool] == f"eip155:31337:{announced[pool]}"
    receipts = [token.address.lower() for token in devnet_world.market.receipt_tokens.values()]
    assert len({behind[token] for token in receipts}) == 1, "all receipt tokens share one implementation"
    assert behind[receipts[0]] != behind[pool]
    assert not {devnet_world.tokens[name].address.lower() for name in ("USDC", "WETH")} & set(behind), "no proxies"
    known = {row["entity"]: row for row in rows}
    assert all(known[entity]["is_contract"] for entity in behind.values())


def test_a_node_that_shows_no_storage_costs_the_implementations_only(devnet_world: World) -> None:
    with picky(devnet_world.url, Whims(refuse={"eth_getStorageAt": "method not allowed"})) as url:
        taken = take(url, devnet_world.deployments, devnet_world.block_number)
    assert set(taken["entities"]["implementation"].dropna()) == set()
    assert [gap for gap in taken.gaps if "eth_getStorageAt" in gap]
    assert all(check.passed for check in taken.checks)
