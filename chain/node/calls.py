"""A call of a contract as a value: where, what, with which arguments, and how its answer is read.

A function is written as people read it, `balanceOf(address)->(uint256)`, and that text is all that a reader needs to state. Several
calls travel as one through Multicall3's aggregate3 (github.com/mds1/multicall, Multicall3.sol).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_abi.grammar import TupleType, parse
from eth_utils.crypto import keccak

_AGGREGATE = "aggregate3((address,bool,bytes)[])->((bool,bytes)[])"
_ERROR_TEXT = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_RANGES = {f"uint{bits}": (0, 2**bits) for bits in range(8, 257, 8)}
_RANGES |= {f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in range(8, 257, 8)}


@dataclass(frozen=True)
class Function:
    """A contract function: its name, 4-byte selector, and the ABI types that go in and come out."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@cache
def function(text: str) -> Function:
    """Read `name(types)->(types)`; ValueError if the text is no such thing."""
    signature, arrow, outputs = text.partition("->")
    name, bracket, _ = signature.partition("(")
    if not arrow or not bracket or not name.isidentifier():
        raise ValueError(f"{text!r} is no function; write name(types)->(types)")
    return Function(name, keccak(text=signature)[:4], _types(signature[len(name) :]), _types(outputs))


def _types(text: str) -> tuple[str, ...]:
    if text == "()":
        return ()
    parsed = parse(text)
    if not isinstance(parsed, TupleType) or parsed.is_array:
        raise ValueError(f"{text!r} is no list of ABI types")
    return tuple(component.to_type_str() for component in parsed.components)


def event_topic(signature: str) -> str:
    """First topic of an event such as `Transfer(address,address,uint256)`."""
    return "0x" + keccak(text=signature).hex()


@dataclass(frozen=True)
class Call:
    """One question to one contract.

    Attributes
    ----------
    address : contract.
    text : the function, `name(types)->(types)`.
    arguments : values in the order of the input types.
    optional : whether a refusal is an answer (None) rather than an error.
    """

    address: str
    text: str
    arguments: tuple[Any, ...] = ()
    optional: bool = False

    @property
    def name(self) -> str:
        """Name of the function."""
        return function(self.text).name

    @cached_property
    def data(self) -> bytes:
        """Call data."""
        shape = function(self.text)
        return shape.selector + encoded(shape.inputs, self.arguments)

    @property
    def message(self) -> dict[str, str]:
        """The call as a node is asked for it."""
        return {"to": self.address, "data": "0x" + self.data.hex()}

    def decoded(self, answer: bytes) -> Any:
        """The answer: the value itself where the function returns one, else a tuple; ValueError if it does not fit the types."""
        shape = function(self.text)
        if len(answer) % 32:
            raise ValueError(f"{len(answer)} bytes do not hold ({','.join(shape.outputs)}): they are no whole words")
        try:
            values = _plain_values(shape.outputs, answer) or decode(shape.outputs, answer)
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise ValueError(f"{len(answer)} bytes do not hold ({','.join(shape.outputs)})") from error
        return values[0] if len(values) == 1 else values


def encoded(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Values as the ABI writes them. Numbers and addresses, which most are, take a short way; all else takes eth_abi's."""
    words = [_plain_word(kind, value) for kind, value in zip(types, values, strict=True)]
    known = [word for word in words if word is not None]
    return b"".join(known) if len(known) == len(words) else encode(types, values)


def _plain_word(kind: str, value: Any) -> bytes | None:
    """A number in range or an address as text; None for anything else."""
    if kind == "address" and isinstance(value, str) and _ADDRESS.fullmatch(value):
        return bytes(12) + bytes.fromhex(value[2:])
    low, high = _RANGES.get(kind, (0, 0))
    if type(value) is int and low <= value < high:
        return value.to_bytes(32, "big", signed=low < 0)
    return None


def _plain_values(types: Sequence[str], data: bytes) -> tuple[Any, ...] | None:
    """Numbers in range and addresses, as eth_abi reads them; None if there is anything else."""
    if not types or len(data) < 32 * len(types):
        return None
    values: list[Any] = []
    for place, kind in enumerate(types):
        word = data[32 * place : 32 * place + 32]
        if kind == "address" and not any(word[:12]):
            values.append("0x" + word[12:].hex())
            continue
        low, high = _RANGES.get(kind, (0, 0))
        value = int.from_bytes(word, "big", signed=low < 0)
        if not low <= value < high:
            return None
        values.append(value)
    return tuple(values)


@dataclass(frozen=True)
class Log:
    """One event: contract, topics and data as hexadecimal text, and where it stands."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: int
    log_index: int
    transaction: str
    block_hash: str = ""


def bundled(multicall3: str, calls: Sequence[tuple[str, bytes]]) -> Call:
    """The one call that makes all of these, given as contract and data; each may fail by itself."""
    return Call(multicall3, _AGGREGATE, ([(address, True, data) for address, data in calls],))


def decoded_bundle(answer: bytes, count: int) -> list[tuple[bool, bytes]] | None:
    """What each of `count` calls answered, (succeeded, data); None if the bytes do not hold just that."""
    try:
        [parts] = decode(function(_AGGREGATE).outputs, answer)
    except (DecodingError, OverflowError):
        return None
    return list(parts) if len(parts) == count and len(answer) % 32 == 0 else None


def refusal_text(data: bytes) -> str:
    """Why a contract reverted, in words, from the bytes that it returned."""
    if data[:4] == _ERROR_TEXT:
        try:
            return str(decode(["string"], data[4:])[0])
        except (DecodingError, UnicodeDecodeError):
            pass
    if data[:4] == _PANIC and len(data) == 36:
        return f"panic 0x{int.from_bytes(data[4:]):02x}"
    return f"error 0x{data[:4].hex()}" if data else "no reason given"
