"""Many calls as few bytes: what `deployless.sol` takes and gives.

A word of 32 bytes is *packed* as one byte and the bytes that are left of it: n without its leading zeros, 0x80 + n without its leading
ff. Calls of one function of one contract are a *run*: contract (20 bytes), selector (4), words of arguments a call (1), calls (2), then
their arguments packed. A run with 255 words asks how the code of accounts begins; contract and selector are empty, the account is its
only argument. What comes back is how many calls were answered (2 bytes), then each answer: one word is itself, packed; any other number
n of words is 0x40 + n and the words. 0x3f is a refusal that is the contract's own: the call failed and left more than half of its gas.
0x7f is no answer: the call may have run out of gas, or answers what cannot be packed.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

CODE_START_BYTES = 3
"""Bytes that are asked of a code: enough to tell a delegation (EIP-7702, 0xef0100) from a contract."""
MOST_WORDS = 254
MOST_CALLS = 0xFFFF
_HEAD_BYTES = 27
_CODE, _REFUSED, _WORDS, _NONE, _ONES = 0xFF, 0x3F, 0x40, 0x7F, 0x80


class Missing(Enum):
    """Why a bundle holds no answer to a question: the contract refuses it, or this cannot be told and it is to be asked alone."""

    REFUSED = _REFUSED
    UNKNOWN = _NONE


class Ask(NamedTuple):
    """One question: contract, 4-byte selector and arguments (whole words); without a selector, how the code at an address begins."""

    address: bytes
    selector: bytes
    arguments: bytes = b""

    @property
    def is_code(self) -> bool:
        """Whether a code is asked about."""
        return not self.selector


def is_packable(data: bytes) -> bool:
    """Whether call data is a selector and whole words, not too many of them."""
    return len(data) % 32 == 4 and len(data) // 32 <= MOST_WORDS


def packed(asks: Sequence[Ask], room: int) -> tuple[bytes, int]:
    """As many of the first questions as fit into `room` bytes, and how many these are."""
    runs: list[tuple[tuple[bytes, bytes, int], list[bytes]]] = []
    size, count = 0, 0
    for ask in asks:
        kind, argument = _kind_of(ask), _arguments(ask)
        is_new = not runs or runs[-1][0] != kind or len(runs[-1][1]) == MOST_CALLS
        size += len(argument) + (_HEAD_BYTES if is_new else 0)
        if size > room:
            break
        if is_new:
            runs.append((kind, []))
        runs[-1][1].append(argument)
        count += 1
    parts = [
        b"".join((address, selector, bytes([words]), len(arguments).to_bytes(2, "big"), *arguments))
        for (address, selector, words), arguments in runs
    ]
    return b"".join(parts), count


def unpacked(answer: bytes, count: int) -> list[bytes | Missing] | None:
    """Answers of the first calls of `count`; None if the bytes hold anything else."""
    done = int.from_bytes(answer[:2], "big")
    if len(answer) < 2 or done > count:
        return None
    answers: list[bytes | Missing] = []
    at, size = 2, len(answer)
    for _ in range(done):
        if at >= size:
            return None
        head = answer[at]
        if head in (_REFUSED, _NONE):
            answers.append(Missing(head))
            at += 1
            continue
        words = 1
        if _WORDS <= head < _NONE:
            words, at = head - _WORDS, at + 1
        found = b""
        for _ in range(words):
            if at >= size:
                return None
            left = answer[at] & 0x7F
            if left > 32:
                return None
            filler = b"\xff" if answer[at] & _ONES else b"\0"
            found += answer[at + 1 : at + 1 + left].rjust(32, filler)
            at += 1 + left
        answers.append(found)
    return answers if at == size else None


def _kind_of(ask: Ask) -> tuple[bytes, bytes, int]:
    if not ask.selector:
        return bytes(20), bytes(4), _CODE
    return ask.address, ask.selector, len(ask.arguments) // 32


def _arguments(ask: Ask) -> bytes:
    if not ask.selector:
        return _word(ask.address)
    return b"".join([_word(ask.arguments[start : start + 32]) for start in range(0, len(ask.arguments), 32)])


def _word(word: bytes) -> bytes:
    """A word, packed; bytes that are fewer count as a number."""
    if len(word) == 32 and word[0] == 0xFF:
        left = word.lstrip(b"\xff")
        return bytes([_ONES + len(left)]) + left
    left = word.lstrip(b"\0")
    return bytes([len(left)]) + left
