"""What does not wait travels together: rounds of inquiries, questions of every kind in one request, and what a whole reading takes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address as checksum

from chain.errors import ContractError, NodeError
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.facts import Code, CodeStart, Earlier, NativeBalance, Slot, Touched
from chain.node.pacing import Manners
from chain.node.resumable import ResumableClient
from chain.node.together import Inquiry, together
from chain.reading import take, unfinished_read
from tests.chain.counting_proxy import counting
from tests.chain.picky_node import Whims, picky
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
LOCAL = "eip155:31337"
BALANCE = "balanceOf(address)->(uint256)"
MOST_REQUESTS = 35
"""HTTP requests that reading the devnet's world takes (44 before questions travelled together). What takes more asks alone what could travel with others."""


def balances(token: str, rounds: Sequence[Sequence[str]]) -> Inquiry[list[int]]:
    """Balances of some accounts, then of others."""
    told: list[int] = []
    for who in rounds:
        answers = yield {at: Call(token, BALANCE, (at,)) for at in who}
        told += [answers[at] for at in who]
    return told


def test_inquiries_take_as_many_rounds_as_the_longest(devnet_world: World) -> None:
    """Under the same names, some of them without anything to ask now and then; the oracle is web3."""
    token = devnet_world.tokens["USDC"]
    who = [account.address.lower() for account in devnet_world.accounts[:8]]
    plans: list[list[list[str]]] = [
        [who[:2], who[2:4], who[4:6]],
        [who[1:3]],
        [[], who[:1], [], who[5:8]],
        [],
        [[], []],
    ]
    truth = {
        account.address.lower(): token.functions.balanceOf(account.address).call()
        for account in devnet_world.accounts[:8]
    }
    with Client.connect(devnet_world.url, LOCAL, Manners(0)) as client:
        client.pin(devnet_world.block_number)
        client.call_many([Call(token.address.lower(), BALANCE, (at,)) for at in who])
        before = client.requests
        found = together(client, *(balances(token.address.lower(), plan) for plan in plans))
        assert client.requests - before == 3
        assert together(client) == []
    assert found == [[truth[at] for some in plan for at in some] for plan in plans]
    assert any(found[0])


def test_the_error_of_one_inquiry_ends_all(devnet_world: World) -> None:
    token, nobody = devnet_world.tokens["USDC"].address.lower(), "0x" + "77" * 20
    with Client.connect(devnet_world.url, LOCAL, Manners(0)) as client:
        client.pin(devnet_world.block_number)
        with pytest.raises(ContractError, match=f"balanceOf of {nobody}"):
            together(client, balances(token, [[nobody]] * 3), balances(nobody, [[token]]))


def test_who_takes_no_refusal_gets_none_for_another_who_does(devnet_world: World) -> None:
    """The same call, asked by two: for one of them a refusal is an answer."""
    nobody = "0x" + "77" * 20
    call = Call(nobody, "symbol()->(string)")

    def once(asked: Call) -> Inquiry[str | None]:
        answers = yield {"symbol": asked}
        symbol: str | None = answers["symbol"]
        return symbol

    with ResumableClient.connect(devnet_world.url, LOCAL, Manners(0)) as client:
        client.pin(devnet_world.block_number)
        optional = replace(call, optional=True)
        assert together(client, once(optional), once(optional)) == [None, None]
        with pytest.raises(ContractError, match=f"symbol of {nobody}"):
            together(client, once(call), once(optional))


def test_questions_of_every_kind_travel_in_one_request(devnet_world: World) -> None:
    """One HTTP request once it is known how bundles go, and each answer is what web3 is told when it asks alone."""
    world, token = devnet_world, devnet_world.tokens["USDC"]
    at, rich = token.address.lower(), world.accounts[0].address
    call = Call(at, BALANCE, (rich.lower(),))
    earlier = world.block_number - 20
    with Client.connect(world.url, LOCAL, Manners(0)) as client:
        client.pin(world.block_number)
        client.call_many([call, Call(at, "totalSupply()->(uint256)")])
        before = client.requests
        kinds = (
            CodeStart(at),
            Code(at),
            NativeBalance(rich.lower()),
            Slot(at, "0x2"),
            Touched(call),
            Earlier(call, earlier),
        )
        told = client.ask_many([call, *kinds, Call(at, "totalSupply()->(uint256)")])
        assert client.requests - before == 1
        assert client.ask({"earlier": Earlier(Call(rich.lower(), BALANCE, (at,)), earlier)}) == {"earlier": None}
    code, eth = world.w3.eth.get_code(token.address).to_0x_hex(), world.w3.eth
    reads = world.node.request("eth_createAccessList", call.message, hex(world.block_number))["accessList"]
    assert told == [
        token.functions.balanceOf(rich).call(),
        code[:8],
        code,
        eth.get_balance(checksum(rich), world.block_number),
        eth.get_storage_at(token.address, 2, world.block_number).to_0x_hex(),
        sum(len(one["storageKeys"]) + (one["address"].lower() != at) for one in reads),
        token.functions.balanceOf(rich).call(block_identifier=earlier),
        token.functions.totalSupply().call(),
    ]
    assert told[0] != told[6] and told[5] == 1


def test_a_node_that_refuses_is_told_from_nothing_there(devnet_world: World) -> None:
    """Storage may be refused; no answer about code or coin is an error, never `no code` or `nothing`."""
    at = devnet_world.tokens["USDC"].address.lower()
    refuse = dict.fromkeys(("eth_getCode", "eth_getBalance", "eth_getStorageAt", "eth_createAccessList"), "not allowed")
    with picky(devnet_world.url, Whims(refuse=refuse)) as url, Client.connect(url, LOCAL, Manners(0)) as client:
        client.pin(devnet_world.block_number)
        assert client.ask_many([Slot(at, "0x2"), Touched(Call(at, BALANCE, (at,)))]) == [None, None]
        for fact, method in ((Code(at), "eth_getCode"), (NativeBalance(at), "eth_getBalance")):
            with pytest.raises(NodeError, match=f"refuses {method}"):
                client.ask_many([fact])


def test_what_was_kept_is_not_asked_again(devnet_world: World, tmp_path: Path) -> None:
    """Of calls (refused ones too), codes and balances the next run asks nothing; a slot travels anew."""
    world, at = devnet_world, devnet_world.tokens["USDC"].address.lower()
    call, refused = Call(at, BALANCE, (at,)), Call(at, "no()->(uint256)", optional=True)
    whims, told = Whims(), []
    for _ in range(2):
        with (
            picky(world.url, whims) as url,
            ResumableClient.connect(url, LOCAL, Manners(0)) as client,
            unfinished_read(tmp_path / "core", world.deployments, None) as unfinished,
        ):
            assert isinstance(client, ResumableClient)
            client.pin(world.block_number)
            client.resume(unfinished)
            whims.methods.clear()
            told.append(client.ask_many([call, refused, CodeStart(at), NativeBalance(at), Slot(at, "0x2")]))
    assert told[0] == told[1] and told[0][1] is None
    assert whims.methods == ["eth_getStorageAt"]


@pytest.mark.parametrize(("body", "most"), [(1_200, 8), (20_000, 100)])
def test_a_request_holds_no_more_than_its_bytes(devnet_world: World, body: int, most: int) -> None:
    """Small questions travel by the hundred, large ones by their size."""
    token = devnet_world.tokens["USDC"].address.lower()
    calls = [Call(token, BALANCE, (account.address.lower(),)) for account in devnet_world.accounts[:110]]
    whims = Whims()
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, Manners(0, bundle=1, body=body)) as client:
        client.pin(devnet_world.block_number)
        whims.batches.clear()
        client.call_many(calls)
    assert most / 2 < max(whims.batches) <= most and sum(whims.batches) == len(calls)


def test_a_reading_takes_few_requests(devnet_world: World) -> None:
    with counting(devnet_world.url) as counted:
        take(counted.url, devnet_world.deployments, devnet_world.block_number)
    assert counted.requests <= MOST_REQUESTS
