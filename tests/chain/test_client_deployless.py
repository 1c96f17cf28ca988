"""The code that is sent along where Multicall3 is absent: it is what its source compiles to, and it answers as Multicall3 does."""

import json
import subprocess
from pathlib import Path

import pytest
from eth_abi.abi import decode

from chain import bundles
from chain.bundles import deployless_code
from chain.calls import Call, bundled, decoded_bundle, deployless
from chain.client import Client
from chain.pacing import Manners
from tests.chain.picky_node import Whims, picky
from tests.devnet.availability import FOLDER, NODE_MODULES, SOLC_PACKAGE
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
LOCAL = "eip155:31337"
STORED = Path(bundles.__file__).with_name("deployless.json")


def test_the_stored_code_is_what_the_source_compiles_to(devnet_world: World) -> None:  # noqa: ARG001 - it needs the compiler
    stored = json.loads(STORED.read_text())
    request = {
        "compiler": str(NODE_MODULES / SOLC_PACKAGE),
        "roots": [str(STORED.parent)],
        "entries": [stored["source"]],
        "settings": stored["settings"],
    }
    done = subprocess.run(
        ["node", str(FOLDER / "compile.js")], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    [contract] = json.loads(done.stdout).values()
    assert "0x" + contract["bytecode"] == stored["creation_code"]
    assert stored["settings"]["evmVersion"] == "byzantium"


def test_it_answers_byte_for_byte_as_multicall3(devnet_world: World) -> None:
    pool, pair = devnet_world.pool.address.lower(), devnet_world.pairs["WETH/USDC"].address.lower()
    token, nobody = devnet_world.tokens["USDC"].address.lower(), "0x" + "9" * 40
    account = devnet_world.accounts[0].address
    calls = [
        Call(token, "balanceOf(address)->(uint256)", (account,)),
        Call(pool, "getUserAccountData(address)->(uint256,uint256,uint256,uint256,uint256,uint256)", (account,)),
        Call(token, "symbol()->(string)"),
        Call(pool, "paint()->(uint256)"),
        Call(nobody, "symbol()->(string)"),
        Call(pair, "initialize(address,address)->()", (pair, pair)),
        Call("0x" + "0" * 39 + "4", "x()->()"),  # the identity precompile
    ]
    for some in (calls, calls[:1], calls[::-1], []):
        pairs = [(call.address, call.data) for call in some]
        bundle = bundled(devnet_world.w3.to_checksum_address("0xca11bde05977b3631167028862be2a173976ca11"), pairs)
        expected = devnet_world.w3.eth.call({"to": bundle.address, "data": bundle.data})
        found = devnet_world.w3.eth.call({"data": deployless(deployless_code(), pairs)})
        assert bytes(found) == bytes(expected)
        parts = decoded_bundle(bytes(found), len(some))
        assert parts == list(decode(["(bool,bytes)[]"], bytes(expected))[0])
        assert decoded_bundle(bytes(found), len(some) + 1) is None
    assert parts == []


def test_long_answers_without_multicall3_are_the_same(devnet_world: World) -> None:
    """What is returned in place of code may have 24,576 bytes: bundles above are halved."""
    pool = devnet_world.pool.address.lower()
    text = "getUserAccountData(address)->(uint256,uint256,uint256,uint256,uint256,uint256)"
    calls = [Call(pool, text, (account.address,)) for account in devnet_world.accounts]
    with Client.connect(devnet_world.url, LOCAL) as client:
        client.pin(devnet_world.block_number)
        expected = client.call_many(calls)
    whims = Whims(replace={"eth_getCode": "0x"})
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, Manners(0)) as other:
        other.pin(devnet_world.block_number)
        before = other.requests
        assert other.call_many(calls) == expected
        assert other.requests - before < 12
    contract = devnet_world.pool.functions.getUserAccountData
    assert list(expected[0]) == contract(devnet_world.accounts[0].address).call()
