"""LibNote, the events of Maker's older contracts: anonymous, the first topic the function's selector, the data the whole call.

In vat.sol (makerdao/dss 1.0.2) the other topics are the first three arguments; in lib.sol, for all other contracts, the caller and the first
two. The data is `bytes`: their offset and length (224), then the call from its selector on.
"""

from chain.node.calls import Log, function

_HEAD_BYTES = 32 + 32 + 4  # offset and length of the bytes, and the selector that they begin with


def noted(signature: str) -> str:
    """First topic of the event of a function: its selector, filled up with zeros."""
    return "0x" + function(f"{signature}->()").selector.hex() + 28 * "00"


def argument(log: Log, place: int) -> bytes:
    """One argument of the call that an event notes, as a word."""
    start = 2 + 2 * (_HEAD_BYTES + 32 * place)
    return bytes.fromhex(log.data[start : start + 64])


def address_argument(log: Log, place: int) -> str:
    """The same, of an address."""
    return "0x" + argument(log, place)[12:].hex()
