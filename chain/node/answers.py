"""What a well-formed answer of a node looks like. Anything else is the node's fault and is asked again, never read as a number."""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

MOST_DEPTH = 64
"""Levels of lists and objects in a reply, at most; no method needs ten."""
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(sign for sign in range(256) if sign not in _STEPS)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]*")


def misfit(method: str, params: Sequence[Any], answer: Any) -> str:
    """What is wrong with an answer, in words that follow "it answers <method> with"; empty if nothing is."""
    if method in ("eth_chainId", "eth_blockNumber"):
        return "" if is_quantity(answer, 64) else "no number, or one out of range"
    if method == "eth_getBalance":
        return "" if is_quantity(answer, 256) else "no number of 256 bits"
    if method in ("eth_call", "eth_getCode"):
        return "" if is_bytes(answer) else "no hexadecimal bytes"
    if method == "eth_getStorageAt":
        return "" if is_bytes(answer) and len(answer) == 66 else "no 32 bytes"
    if method == "eth_getBlockByNumber":
        return "" if answer is None else _wrong_header(params[0], answer)
    if method == "eth_getLogs":
        return _wrong_logs(params[0], answer)
    return ""


def is_too_deep(body: bytes) -> bool:
    """Whether JSON is nested deeper than any answer is: the decoder of Python 3.11 can crash on it, as web3 lifts its limit."""
    if body.count(b"[") + body.count(b"{") <= MOST_DEPTH:
        return False
    marks = _STRINGS.sub(b"", body).translate(None, _NO_BRACKETS)
    return any(depth > MOST_DEPTH for depth in accumulate(map(_STEPS.__getitem__, marks)))


def is_quantity(text: Any, bits: int) -> bool:
    """Whether the text is `0x` and a hexadecimal number of at most so many bits."""
    return (
        isinstance(text, str)
        and 3 <= len(text) <= 66
        and _HEXADECIMAL.fullmatch(text) is not None
        and int(text, 16) < 2**bits
    )


def is_bytes(text: Any, length: int | None = None) -> bool:
    """Whether the text is `0x` and whole bytes, so many of them if a length is given."""
    return (
        isinstance(text, str)
        and len(text) % 2 == 0
        and (length is None or len(text) == 2 + 2 * length)
        and _HEXADECIMAL.fullmatch(text) is not None
    )


def _wrong_header(asked: Any, header: Any) -> str:
    if not isinstance(header, dict):
        return "no block header"
    for name in ("number", "timestamp", "gasUsed", "gasLimit"):
        if not is_quantity(header.get(name), 64):
            return f"a block header whose {name} is no number, or out of range"
    if not is_bytes(header.get("hash"), 32):
        return "a block header without a hash of 32 bytes"
    if header.get("baseFeePerGas") is not None and not is_quantity(header["baseFeePerGas"], 256):
        return "a block header whose baseFeePerGas is no number of 256 bits"
    if isinstance(asked, str) and asked.startswith("0x") and int(header["number"], 16) != int(asked, 16):
        return f"another block than the one asked ({int(asked, 16)})"
    return ""


def _wrong_logs(query: Any, logs: Any) -> str:
    if not isinstance(logs, list):
        return "no list of events"
    addresses = {address.lower() for address in query.get("address", ())}
    first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
    for log in logs:
        if not isinstance(log, dict) or log.get("removed"):
            return "something that is no event of the chain"
        if not (is_quantity(log.get("blockNumber"), 64) and is_quantity(log.get("logIndex"), 64)):
            return "an event that stands nowhere"
        if not (is_bytes(log.get("blockHash"), 32) and is_bytes(log.get("transactionHash"), 32)):
            return "an event without hashes of 32 bytes"
        topics = log.get("topics")
        if not is_bytes(log.get("data")) or not isinstance(topics, list) or not all(is_bytes(t, 32) for t in topics):
            return "an event that cannot be read"
        if not first <= int(log["blockNumber"], 16) <= last:
            return "an event of a block that was not asked"
        if not is_bytes(log.get("address"), 20) or (addresses and log["address"].lower() not in addresses):
            return "an event of a contract that was not asked"
        if not _matches(query.get("topics", ()), topics):
            return "an event that was not asked"
    return ""


def _matches(wanted: Sequence[Any], topics: Sequence[str]) -> bool:
    """Whether topics pass a filter: by place, None for any, a list for one of several."""
    if len(topics) < len(wanted):
        return False
    for pattern, topic in zip(wanted, topics, strict=False):
        allowed = pattern if isinstance(pattern, (list, tuple)) else [pattern]
        if pattern is not None and topic.lower() not in {one.lower() for one in allowed if one}:
            return False
    return True
