"""JSON-RPC over HTTP through web3.py: batches, a few tries, and refusals as values. The only file that opens a connection.

Addresses of nodes hold keys, also inside the text of library errors: so causes are not chained here, and messages name the host only.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from chain.errors import NodeError
from chain.networks import checked_url, redact

TRIES = 4
TIMEOUT_SECONDS = 60
REQUESTS_A_BATCH = 20
_EXECUTION = ("revert", "invalid opcode", "out of gas", "outofgas")


@dataclass(frozen=True)
class Refusal:
    """The node's error object: its code, message, and the bytes that a contract returned when it reverted."""

    code: int
    message: str
    data: bytes = b""

    @property
    def is_execution(self) -> bool:
        """Whether the contract failed rather than the node."""
        return self.code == 3 or any(word in self.message.lower() for word in _EXECUTION)

    @property
    def is_busy(self) -> bool:
        """Whether the node asks to slow down."""
        text = self.message.lower()
        return self.code == 429 or "rate limit" in text or "too many requests" in text


class Rpc:
    """A node.

    Attributes
    ----------
    host : scheme and host, the part of the address that may be shown.
    requests : HTTP requests made so far, retries included.
    """

    def __init__(self, url: str) -> None:
        self.host = redact(checked_url(url))
        self.requests = 0
        self._session = requests.Session()
        self._provider = HTTPProvider(
            url, {"timeout": TIMEOUT_SECONDS}, session=self._session, exception_retry_configuration=None
        )
        self._batch = REQUESTS_A_BATCH

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def one(self, method: str, *params: Any) -> Any:
        """The answer to one request; NodeError if the node refuses it."""
        return self.many(method, [list(params)])[0]

    def number(self, method: str, *params: Any) -> int:
        """The answer to one request as a number; NodeError if it is none."""
        answer = self.one(method, *params)
        try:
            return int(answer, 16)
        except (TypeError, ValueError):
            raise NodeError(f"The node at {self.host} answers {method} with no number") from None

    def many(self, method: str, questions: Sequence[list[Any]]) -> list[Any]:
        """Answers in order; NodeError if the node refuses any."""
        answers = self.ask(method, questions)
        for answer in answers:
            if isinstance(answer, Refusal):
                raise NodeError(f"The node at {self.host} refuses {method}: {answer.message}")
        return answers

    def ask(self, method: str, questions: Sequence[list[Any]]) -> list[Any]:
        """Answers in order, a refusal being an answer. A batch that the node does not take is halved and asked again."""
        answers: list[Any] = []
        while len(answers) < len(questions):
            batch = [(RPCEndpoint(method), question) for question in questions[len(answers) :][: self._batch]]
            if len(batch) == 1:
                answers.append(_result(self._send(partial(self._provider.make_request, *batch[0]))))
                continue
            reply = self._send(partial(self._provider.make_batch_request, batch))
            if isinstance(reply, list) and len(reply) == len(batch):
                answers += [_result(item) for item in reply]
            else:
                self._batch = len(batch) // 2
        return answers

    def _send(self, request: Callable[[], Any]) -> Any:
        """The reply to one HTTP request, tried a few times while the transport fails or the node is busy."""
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(0.1 * 2**attempt)
            self.requests += 1
            try:
                reply = request()
            except requests.HTTPError as error:
                status = error.response.status_code if error.response is not None else 0
                if status == 413:
                    return {"error": {"code": status, "message": "the request is too large"}}
                reason = f"it answers HTTP {status}"
                if status in (401, 403):
                    reason += ", the key is missing or not accepted"
                if status != 429 and status < 500:
                    break
            except requests.Timeout:
                reason = f"no answer within {TIMEOUT_SECONDS} seconds"
            except requests.RequestException as error:
                reason = f"the connection fails ({type(error).__name__})"
            except (ValueError, TypeError, KeyError) as error:
                reason = f"it does not answer in JSON-RPC ({type(error).__name__})"
            else:
                results = [_result(item) for item in (reply if isinstance(reply, list) else [reply])]
                busy = [result for result in results if isinstance(result, Refusal) and result.is_busy]
                if not busy:
                    return reply
                reason = f"it is busy ({busy[0].message})"
        raise NodeError(
            f"The node at {self.host} cannot be used: {reason}; check that it runs and that the address is right"
        ) from None


def _result(reply: Any) -> Any:
    """What a JSON-RPC reply holds: the result, or a refusal."""
    if not isinstance(reply, dict) or ("result" not in reply and "error" not in reply):
        return Refusal(0, "the reply is no JSON-RPC")
    error = reply.get("error")
    if not error:
        return reply.get("result")
    if not isinstance(error, dict):
        return Refusal(0, str(error))
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    try:
        raw = bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else b""
    except ValueError:
        raw = b""
    code = error.get("code")
    return Refusal(code if isinstance(code, int) else 0, str(error.get("message", "no message")), raw)
