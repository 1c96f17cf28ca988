"""The code that is sent along: it is what its source compiles to, and its answers are those of one call after the other."""

import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from hexbytes import HexBytes
from web3.exceptions import Web3Exception

from chain.errors import ContractError
from chain.node import bundles
from chain.node.bundles import deployless
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.pacing import Manners
from chain.node.packing import Ask, Missing, packed, unpacked
from tests.chain.picky_node import Whims, picky, without_creation
from tests.devnet.availability import FOLDER, NODE_MODULES, SOLC_PACKAGE
from tests.devnet.contracts import compiled
from tests.devnet.world import World

LOCAL = "eip155:31337"
STORED = Path(bundles.__file__).with_name("deployless.json")
TOTALS = "getUserAccountData(address)->(uint256,uint256,uint256,uint256,uint256,uint256)"
BALANCE = "balanceOf(address)->(uint256)"
ECHO = "0x" + "0" * 39 + "4"
"""A precompile: it answers, and has no code."""
ODD_WORDS = (
    *(0, 1, 0x7F, 0x80, 0xFF, 0x100, 2**128 - 1, 2**128, 2**248 - 1, 2**248, 2**255, 255 << 248, 2**256 - 2**255),
    *(2**256 - 1, 2**256 - 2, 2**256 - 887272, 2**256 - 2**128, 2**256 - 2**248, 0xDEADBEEF << 224),
)


@pytest.mark.devnet
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


def asked(address: str, data: bytes) -> Ask:
    return Ask(bytes.fromhex(address[2:]), data[:4], data[4:])


def through_the_program(world: World, asks: Sequence[Ask], gas: int = 0) -> list[bytes | Missing]:
    """What the program answers at the head, straight from the node."""
    runs, count = packed(asks, 40_000)
    assert count == len(asks)
    call: Any = deployless(runs).params[0] | ({"gas": gas} if gas else {})
    parts = unpacked(bytes(world.w3.eth.call(call)), count)
    assert parts is not None
    return parts


def one_by_one(world: World, address: str, data: bytes) -> bytes | None:
    """What the contract answers to a plain eth_call; None if it refuses."""
    try:
        return bytes(world.w3.eth.call({"to": world.w3.to_checksum_address(address), "data": HexBytes(data)}))
    except Web3Exception:
        return None


@pytest.fixture(scope="module")
def strange(devnet_world: World) -> Iterator[dict[str, str]]:
    """Contracts that echo, revert, or answer nothing, loose bytes, and megabytes."""
    with devnet_world.undone():
        deploy, hostile = devnet_world.ledger.deploy, compiled("hostile/Hostile.sol")
        lengths = (0, 1, 2, 5, 32, 33, 1984, 2016, 30_000, 1_000_000)
        built = {f"{length} bytes": deploy(hostile["Answering"], length) for length in lengths}
        built |= {name: deploy(hostile[name]) for name in ("Reverting", "LongName")}
        built["Echo"] = deploy(compiled("hostile/Echo.sol")["Echo"])
        yield {name: str(contract.address).lower() for name, contract in built.items()}


def many_calls(world: World, strange: dict[str, str]) -> list[tuple[str, bytes]]:
    """Many words, one, none; text; refusals; no code; writing; huge answers: contract and call data."""
    pool, pair = world.pool.address.lower(), world.pairs["WETH/USDC"].address.lower()
    token, nobody = world.tokens["USDC"].address.lower(), "0x" + "9" * 40
    people = [account.address for account in world.accounts[:20]]
    calls = [
        *(Call(token, BALANCE, (who,)) for who in people),
        *(Call(pool, TOTALS, (who,)) for who in people),
        *(
            Call(at, text)
            for at in (token, pool, pair, nobody, *strange.values())
            for text in ("symbol()->()", "x()->()")
        ),
        Call(pool, "getReservesList()->(address[])"),
        Call(pair, "initialize(address,address)->()", (pair, pair)),
        Call(token, "approve(address,uint256)->(bool)", (pair, 1)),
    ]
    return [(call.address, call.data) for call in calls]


@pytest.mark.devnet
def test_any_calls_are_answered_as_one_by_one(devnet_world: World, strange: dict[str, str]) -> None:
    """In any order and company; a refusal where the contract refuses, no answer to what is not up to 62 whole words or takes all gas."""
    calls = many_calls(devnet_world, strange)
    truth = {call: one_by_one(devnet_world, *call) for call in calls}
    truth[calls[-1]] = None  # it writes
    invalid = Call(strange["Reverting"], "symbol()->()")  # an invalid opcode eats what it is given, and so does a write
    takes_all_gas = {(invalid.address, invalid.data), calls[-1]}
    assert {None, b""} < set(truth.values())
    rng = random.Random(3)
    for _ in range(4):
        some = rng.choices(calls, k=60)
        found = through_the_program(devnet_world, [asked(*call) for call in some])
        assert found
        for call, answer in zip(some, found, strict=False):
            expected = truth[call]
            is_packed = expected is not None and len(expected) % 32 == 0 and len(expected) <= 62 * 32
            missing = Missing.UNKNOWN if expected is not None or call in takes_all_gas else Missing.REFUSED
            assert answer == (expected if is_packed else missing), (call[0], call[1].hex())


@pytest.mark.devnet
def test_words_come_through_both_ways(devnet_world: World, strange: dict[str, str]) -> None:
    rng = random.Random(5)
    for words in (1, 2, 62):
        rows = [[rng.choice((*ODD_WORDS, rng.randrange(2**256))) for _ in range(words)] for _ in range(10)]
        rows += [[word] * words for word in ODD_WORDS]
        data = [encode(["uint256"] * words, row) for row in rows]
        for start in range(0, len(data), 8):  # 8 x 62 whole words are nearly all that code may hold
            some = data[start : start + 8]
            assert through_the_program(devnet_world, [asked(strange["Echo"], b"echo" + one) for one in some]) == some
    assert through_the_program(devnet_world, [asked(strange["Echo"], b"echo" + bytes(63 * 32))]) == [Missing.UNKNOWN]


@pytest.mark.devnet
def test_it_says_how_codes_begin(devnet_world: World) -> None:
    token, nobody = str(devnet_world.tokens["USDC"].address), "0x" + "9" * 40
    with devnet_world.undone():
        for code in ("0x" + "0" * 8, "0xef0100" + "12" * 20, "0x00"):
            devnet_world.node.request("anvil_setCode", nobody, code)
            with Client.connect(devnet_world.url, LOCAL) as client:
                client.pin("latest")
                whole = devnet_world.w3.eth.get_code(devnet_world.w3.to_checksum_address(token))
                assert client.codes([token.lower(), nobody, ECHO]) == [
                    "0x" + whole[:3].hex(),
                    code[:8].ljust(8, "0"),
                    "0x",
                ]


@pytest.mark.devnet
def test_it_stops_where_gas_or_room_ends_and_the_rest_is_asked_again(devnet_world: World) -> None:
    pool = str(devnet_world.pool.address).lower()
    calls = [Call(pool, TOTALS, (account.address,)) for account in devnet_world.accounts[:60]] * 12
    asks = [asked(call.address, call.data) for call in calls]
    truth = [one_by_one(devnet_world, call.address, call.data) for call in calls[:60]] * 12
    by_room = through_the_program(devnet_world, asks)
    by_gas = through_the_program(devnet_world, asks, gas=20_000_000)
    assert 0 < len(by_gas) < len(by_room) < len(asks)
    assert by_room == truth[: len(by_room)] and by_gas == truth[: len(by_gas)]
    for gas in (0, 20_000_000):
        whims = Whims(gas=gas)
        with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, Manners(0)) as client:
            client.pin("latest")
            assert client.call_many(calls) == [call.decoded(one or b"") for call, one in zip(calls, truth, strict=True)]
            assert whims.methods.count("eth_call") < len(calls) / 8


@pytest.mark.devnet
def test_both_ways_of_bundling_and_none_agree(devnet_world: World, strange: dict[str, str]) -> None:
    """The program, Multicall3 where the node takes no call without a recipient, and one by one where it has neither."""
    calls = [
        Call(at, text, optional=True)
        for at in (str(devnet_world.tokens["USDC"].address).lower(), *strange.values())
        for text in ("symbol()->(string)", "totalSupply()->(uint256)", "x()->(address)", "y()->(uint8,int24)")
    ]
    ways = (Whims(), Whims(rewrite=without_creation), Whims(rewrite=without_creation, replace={"eth_getCode": "0x"}))
    answers, requests = [], []
    for whims in ways:
        with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, Manners(0)) as client:
            client.pin("latest")
            answers.append(client.call_many(calls))
            requests.append(len(whims.methods))
    assert answers[0] == answers[1] == answers[2]
    assert None in answers[0] and len({*map(type, answers[0])}) >= 3
    assert max(requests[:2]) < requests[2]


@pytest.mark.devnet
def test_what_is_refused_for_want_of_gas_is_asked_again_and_nothing_else(devnet_world: World) -> None:
    """Calls that need more than their share of a bundle's gas are answered as alone; what the contract refuses is asked once."""
    with devnet_world.undone():
        hostile = compiled("hostile/Hostile.sol")
        counting = {
            rounds: str(devnet_world.ledger.deploy(hostile["Counting"], rounds).address).lower()
            for rounds in (1, 20_000)
        }
        reverting = str(devnet_world.ledger.deploy(hostile["Reverting"]).address).lower()
        texts = ("direct()->(uint256)", "caught()->(uint256)")
        calls = [Call(at, text, optional=True) for at in counting.values() for text in texts]
        calls += [Call(reverting, f"no{number}()->(uint256)", optional=True) for number in range(30)]
        alone = [one_by_one(devnet_world, call.address, call.data) for call in calls]
        whims = Whims(gas=20_000_000)
        with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, Manners(0)) as client:
            client.pin("latest")
            assert client.call_many(calls) == [one and int.from_bytes(one) for one in alone]
            assert whims.methods.count("eth_call") == 1 + 2
            with pytest.raises(ContractError, match=r"no3 of .*execution reverted"):
                client.call_many([*calls, Call(reverting, "no3()->(uint256)")])
    assert alone[0] == alone[1] and alone[2] == alone[3] and None not in alone[:4] and {*alone[4:]} == {None}


@pytest.mark.devnet
def test_answers_that_were_tampered_with_are_asked_again(devnet_world: World) -> None:
    """Whatever a node gives in place of a packed answer, short, long or senseless, the answers are those of the contract."""
    token = str(devnet_world.tokens["USDC"].address).lower()
    calls = [Call(token, BALANCE, (account.address,)) for account in devnet_world.accounts]
    truth = [call.decoded(one_by_one(devnet_world, call.address, call.data) or b"") for call in calls]
    for spoil in (lambda text: text[:-2], lambda text: text + "00", lambda _: "0x", lambda text: "0xffff" + text[6:]):

        def spoiled(answer: Any, spoil: Any = spoil) -> Any:
            many = answer if isinstance(answer, list) else [answer]
            long = [one for one in many if isinstance(one.get("result"), str) and len(one["result"]) > 200]
            for one in long:
                one["result"] = spoil(one["result"])
            return answer

        whims = Whims(spoil=spoiled, spoils=99)
        with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, Manners(0)) as client:
            client.pin(devnet_world.block_number)
            assert client.call_many(calls) == truth
            assert whims.spoils < 95


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "00",
        "0001",
        "0001200000",
        "0001ff",
        "000121" + "00" * 33,
        "00010000",
        "000200",
        "000142017f",
        "000a" + "00" * 10,
    ],
)
def test_a_packed_answer_that_is_none_is_told(answer: str) -> None:
    assert unpacked(bytes.fromhex(answer), 9) is None


def test_packing_takes_what_fits() -> None:
    asks = [Ask(bytes(19) + bytes([one // 50]), b"func", one.to_bytes(32, "big")) for one in range(200)]
    whole, count = packed(asks, 10**6)
    assert count == 200
    assert len(whole) == 4 * 27 + 2 * 200 - 1  # four runs; an argument is its length and one byte, 0 has none
    for room in range(len(whole) + 2):
        some, count = packed(asks, room)
        assert len(some) <= room
        assert packed(asks[:count], 10**6) == (some, count)
        assert count == 200 or len(packed(asks[: count + 1], 10**6)[0]) > room
