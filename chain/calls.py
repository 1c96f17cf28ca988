"""A call of a contract as a value: where, what, with which arguments, and how its answer is read.

A function is written as people read it, `balanceOf(address)->(uint256)`, and that text is all that a reader needs to state. Several
calls travel as one through Multicall3's aggregate3 (github.com/mds1/multicall, Multicall3.sol).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_abi.grammar import TupleType, parse
from eth_utils.crypto import keccak

_AGGREGATE = "aggregate3((address,bool,bytes)[])->((bool,bytes)[])"
_ERROR_TEXT = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)


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

    @property
    def data(self) -> bytes:
        """Call data."""
        shape = function(self.text)
        return shape.selector + encode(shape.inputs, self.arguments)

    def decoded(self, answer: bytes) -> Any:
        """The answer: the value itself where the function returns one, else a tuple; ValueError if it does not fit the types."""
        shape = function(self.text)
        try:
            values = decode(shape.outputs, answer)
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise ValueError(f"{len(answer)} bytes do not hold ({','.join(shape.outputs)})") from error
        return values[0] if len(values) == 1 else values


def bundled(multicall3: str, calls: Sequence[Call]) -> Call:
    """The one call that asks all of them; each may fail by itself."""
    return Call(multicall3, _AGGREGATE, ([(call.address, True, call.data) for call in calls],))


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
