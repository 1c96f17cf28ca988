"""JSON-RPC over HTTP to one node, coded by web3.py: one request out, one checked reply back. The only file that opens a connection.

Addresses of nodes hold keys, also inside the text of library errors, and a node may repeat them in what it answers: so no cause is
chained here, messages name the host only, and every text that came from outside is scrubbed. Waiting and trying again is in `failover`.
"""

import http.client
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from chain.errors import NodeError
from chain.networks import checked_url, redact
from chain.node.answers import is_too_deep, misfit
from chain.node.pacing import Manners, Size, pace_of

_EXECUTION = (
    "revert",
    "invalid opcode",
    "out of gas",
    "outofgas",
    "evm error",
    "vm execution error",
    "bad instruction",
    "invalid jump",
    "stack limit",
    "stack overflow",
    "stack underflow",
    "gas uint64 overflow",
    "return data out of bounds",
    "write protection",
)
_LARGE = (
    "too large",
    "too big",
    "response size",
    "exceed",
    "timed out",
    "timeout",
    "batch size",
    "deadline",
    "limit",
    "more than",
)
_NO_BLOCK = ("header not found", "unknown block", "block not found", "not canonical", "could not find block")
_NO_BLOCK_EITHER = (
    "blockoutofrange",
    "out of range",
    "after last accepted",
    "block is not available",
    "resource not found",
)
_ADDRESS = re.compile(r"\w+://[^\s\"'<>,;]+")
_LOGGERS = (
    "urllib3.connectionpool",
    "urllib3.connection",
    "urllib3.util.retry",
    "requests",
    "web3.providers.HTTPProvider",
)


@dataclass(frozen=True)
class Refusal:
    """The node's error object: its code, message, and the bytes that a contract returned when it reverted."""

    code: int
    message: str
    data: bytes = b""

    @property
    def is_execution(self) -> bool:
        """Whether the contract failed rather than the node."""
        return self.code == 3 or self._says(_EXECUTION)

    @property
    def is_busy(self) -> bool:
        """Whether the node asks to slow down."""
        return self.code == 429 or self._says(("rate limit", "too many requests", "capacity exceeded"))

    @property
    def is_size(self) -> bool:
        """Whether less at a time may be answered."""
        return self.code in (408, 413) or (not self.is_execution and not self.is_busy and self._says(_LARGE))

    @property
    def is_missing_block(self) -> bool:
        """Whether the node does not have, or no longer has, the block that was asked about."""
        return self._says(_NO_BLOCK + _NO_BLOCK_EITHER)

    def _says(self, words: Sequence[str]) -> bool:
        text = self.message.lower()
        return any(word in text for word in words)


class RequestError(Exception):
    """One HTTP request failed. What to do about it: wait, ask for less, or give this node up.

    Attributes
    ----------
    reason : words for people, scrubbed.
    wait_seconds : how long the node asked to be left alone, 0 if it did not say.
    is_size : whether a smaller request may get through.
    is_late : whether no answer came in time.
    is_busy : whether the node asks to slow down.
    is_final : whether trying again is pointless.
    kind : the error that it becomes when it does not go away.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait_seconds: float = 0,
        is_size: bool = False,
        is_late: bool = False,
        is_busy: bool = False,
        is_final: bool = False,
        kind: type[NodeError] = NodeError,
    ) -> None:
        super().__init__(reason)
        self.reason, self.wait_seconds, self.kind = reason, wait_seconds, kind
        self.is_size, self.is_late, self.is_busy, self.is_final = is_size, is_late, is_busy, is_final


class Endpoint:
    """One node.

    Attributes
    ----------
    host : scheme and host, the part of the address that may be shown.
    requests : HTTP requests made so far.
    size : how many JSON-RPC requests travel in one HTTP request.
    admitted_at : hash of the block at which it was found to serve the pinned chain; empty if it was not.
    takes_hashes : whether it answers by block hash (EIP-1898) and refuses a hash that it does not know.
    """

    def __init__(self, url: str, manners: Manners, hidden: Sequence[str] = ()) -> None:
        self.host = redact(checked_url(url))
        self.requests = 0
        self.size = Size(manners.batch)
        self.admitted_at = ""
        self.takes_hashes = False
        self._secrets = tuple(hidden) or secrets(url)
        self._scrubber = _Scrubber(self._secrets)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._scrubber)
        self._timeout = manners.timeout_seconds
        self._pace = pace_of(self.host, manners.requests_per_second)
        self._session = requests.Session()
        self._provider = HTTPProvider(url, session=self._session, exception_retry_configuration=None)

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._scrubber)

    def send(self, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Answers in order, a refusal being an answer, from one HTTP request; RequestError if it failed or an answer does not fit."""
        self._pace.wait()
        self.requests += 1
        pairs = [(RPCEndpoint(method), list(params)) for method, params in asked]
        first = next(self._provider.request_counter) + 1
        body = (
            self._provider.encode_rpc_request(*pairs[0])
            if len(pairs) == 1
            else self._provider.encode_batch_rpc_request(pairs)
        )
        items = self._items(self._post(body), range(first, first + len(pairs)))
        answers = [_result(items[first + place], self._secrets) for place in range(len(pairs))]
        for (method, params), answer in zip(asked, answers, strict=True):
            wrong = "" if isinstance(answer, Refusal) else misfit(method, params, answer)
            if wrong:
                raise RequestError(f"it answers {method} with {wrong}")
        return answers

    def _post(self, body: bytes) -> Any:
        """What the node replies, as JSON."""
        fault, status, headers, content = None, 0, {}, b""
        try:
            with self._session.post(
                str(self._provider.endpoint_uri),
                data=body,
                headers=self._provider.get_request_headers(),
                timeout=self._timeout,
                allow_redirects=False,
            ) as reply:
                status, headers, content = reply.status_code, dict(reply.headers), reply.content
        except requests.Timeout:
            fault = RequestError(f"no answer within {self._timeout:g} seconds", is_size=True, is_late=True)
        except (OSError, ValueError, http.client.HTTPException) as error:
            fault = RequestError(f"the connection fails ({type(error).__name__})")
        fault = fault or _refused_by_http(status, headers)
        if fault is not None:
            raise fault
        if is_too_deep(content):
            raise RequestError("it does not answer in JSON-RPC (nested too deep)")
        try:
            return self._provider.decode_rpc_response(content)
        except (ValueError, RecursionError) as error:
            name = type(error).__name__
        if status != 200:
            raise RequestError(f"it answers HTTP {status}", is_final=status < 500)
        raise RequestError(f"it does not answer in JSON-RPC ({name})")

    def _items(self, reply: Any, ids: range) -> Mapping[int, Any]:
        """The reply's parts by id, each asked exactly once."""
        if len(ids) == 1:
            is_refused_unread = isinstance(reply, dict) and "error" in reply and reply.get("id") is None
            if isinstance(reply, dict) and (is_refused_unread or _is_id(reply.get("id"), ids)):
                return {ids[0]: reply}
            raise RequestError("its answer carries another id than the question, or is no JSON-RPC")
        if isinstance(reply, dict):
            why = _result(reply, self._secrets)
            is_busy = isinstance(why, Refusal) and why.is_busy
            words = why.message if isinstance(why, Refusal) else "it gives one answer"
            raise RequestError(f"it refuses the batch ({words})", is_size=True, is_busy=is_busy)
        if not isinstance(reply, list):
            raise RequestError("it does not answer in JSON-RPC")
        found = {item["id"]: item for item in reply if isinstance(item, dict) and _is_id(item.get("id"), ids)}
        strangers = [item for item in reply if not isinstance(item, dict) or item.get("id") is not None]
        if len(strangers) > len(found):
            raise RequestError("its batch carries ids that were not asked, or one twice", is_size=True)
        if len(found) < len(ids):
            raise RequestError(f"its batch lacks {len(ids) - len(found)} of {len(ids)} answers", is_size=True)
        return found


class _Scrubber(logging.Filter):
    """Takes keys out of what libraries log (urllib3 writes whole paths)."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._words = words

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrubbed(record.getMessage(), self._words), ()
        return True


def secrets(url: str) -> tuple[str, ...]:
    """What of an address must never be shown: user, password, path and query, and their parts of four letters or more."""
    parts = urlsplit(url)
    tail = url.partition(parts.netloc)[2] if parts.netloc else url
    words = {tail, parts.path, parts.query, parts.fragment, parts.username or "", parts.password or ""}
    words |= set(parts.path.split("/")) | {value for _, value in parse_qsl(parts.query)}
    words |= {unquote(word) for word in words}
    return tuple(sorted((word for word in words if len(word) >= 4), key=len, reverse=True))


def scrubbed(text: str, words: Sequence[str]) -> str:
    """The text in one printable line without these words, and with no more of any address than scheme and host."""
    for word in words:
        text = text.replace(word, "…")
    text = _ADDRESS.sub(lambda match: redact(match.group()), text)
    return "".join(letter if letter.isprintable() else " " for letter in text)[:300]


def _is_id(value: Any, ids: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in ids


def _refused_by_http(status: int, headers: Mapping[str, str]) -> RequestError | None:
    """What an HTTP status says; None where the body has the say."""
    wait = _wait_seconds({name.lower(): value for name, value in headers.items()}.get("retry-after", ""))
    if status in (401, 403):
        return RequestError(f"it answers HTTP {status}, the key is missing or not accepted", is_final=True)
    if status == 413:
        return RequestError("it answers HTTP 413, the request is too large", is_size=True)
    if status == 429:
        return RequestError("it answers HTTP 429, too many requests", wait_seconds=wait, is_size=True, is_busy=True)
    if status in (408, 504, 524):
        return RequestError(
            f"it answers HTTP {status}, it took too long", wait_seconds=wait, is_size=True, is_late=True
        )
    if status in (502, 503):
        return RequestError(f"it answers HTTP {status}", wait_seconds=wait)
    return None


def _wait_seconds(text: str) -> float:
    """Seconds that a Retry-After header asks for, given as a number or as a date; 0 if it cannot be read."""
    try:
        return (
            max(float(text), 0.0)
            if text.strip().isdecimal()
            else max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
        )
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _result(reply: Any, words: Sequence[str]) -> Any:
    """What a JSON-RPC reply holds: the result, or a refusal."""
    if not isinstance(reply, dict) or ("result" not in reply and "error" not in reply):
        return Refusal(0, "the reply is no JSON-RPC")
    error = reply.get("error")
    if not error:
        return reply.get("result")
    if not isinstance(error, dict):
        return Refusal(0, scrubbed(str(error), words))
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    try:
        raw = bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else b""
    except ValueError:
        raw = b""
    code = error.get("code")
    message = scrubbed(str(error.get("message", "no message")), words)
    return Refusal(code if isinstance(code, int) else 0, message, raw)
