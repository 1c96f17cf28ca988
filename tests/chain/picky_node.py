"""A proxy before a real node that behaves as public nodes do: it refuses what is too large, too wide or too fast, or breaks off."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Whims:
    """What the node refuses; what it was asked stands in `methods`, how much at once in `batches`, and when in `times`.

    Attributes
    ----------
    batch : most requests in one HTTP body.
    call_bytes : longest body of one eth_call, in bytes.
    body_bytes : longest HTTP body; beyond it the answer is HTTP 413.
    blocks : widest range of eth_getLogs.
    gas : gas that one eth_call gets; 0 for what the node gives.
    busy, broken : HTTP requests still to be answered with 429, or not at all.
    retry_after : header that goes with 429.
    silent : HTTP requests still to be answered too late, by a second.
    batch_status : HTTP status of the answer to a batch that is too long; 0 for a JSON-RPC error.
    rewrite : what becomes of each question: another question, or an answer without id.
    elsewhere : address of another node that answers from now on.
    spoil, spoils : what happens to an answer (JSON, or bytes) before it goes out, and how often still.
    busy_inside : JSON-RPC requests still to be answered with an error that asks to slow down.
    status, body : answer to every request in place of the node's; ID in the body becomes the id of the question.
    refuse : method -> message of the error given in place of the node's answer.
    replace : method -> result given in place of the node's.
    """

    batch: int = 10**6
    call_bytes: int = 10**9
    body_bytes: int = 10**9
    blocks: int = 10**9
    gas: int = 0
    busy: int = 0
    broken: int = 0
    busy_inside: int = 0
    retry_after: str = ""
    silent: int = 0
    batch_status: int = 0
    rewrite: Callable[[Any], Any] | None = None
    elsewhere: str = ""
    spoil: Callable[[Any], Any] | None = None
    spoils: int = 0
    status: int = 0
    body: bytes = b""
    refuse: dict[str, str] = field(default_factory=dict)
    replace: dict[str, Any] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


def without_creation(question: Any) -> Any:
    """A rewrite: the node makes no calls without a recipient."""
    if question["method"] == "eth_call" and "to" not in question["params"][0]:
        return {"error": {"code": -32602, "message": "missing field `to`"}}
    return question


@contextmanager
def picky(url: str, whims: Whims) -> Iterator[str]:
    """Address of a proxy to the node at `url`, with a key in its path."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(raw)
            many = len(asked) if isinstance(asked, list) else 1
            whims.batches.append(many)
            whims.times.append(time.monotonic())
            if whims.silent:
                whims.silent -= 1
                time.sleep(1)
            if whims.broken:
                whims.broken -= 1
                self.close_connection = True
                return
            if whims.busy:
                whims.busy -= 1
                self._reply(429, b"slow down")
            elif len(raw) > whims.body_bytes:
                self._reply(413, b"too large")
            elif whims.batch_status and many > whims.batch:
                self._reply(whims.batch_status, b"too much")
            elif whims.status:
                number = asked[0]["id"] if isinstance(asked, list) else asked["id"]
                self._reply(whims.status, whims.body.replace(b"ID", str(number).encode()))
            else:
                answer = self._answer(asked)
                if whims.spoil and whims.spoils:
                    whims.spoils -= 1
                    answer = whims.spoil(answer)
                self._reply(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        def _answer(self, question: Any) -> Any:
            if isinstance(question, list):
                if len(question) > whims.batch:
                    return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch too large"}}
                return [self._answer(one) for one in question]
            whims.methods.append(question["method"])
            if whims.busy_inside:
                whims.busy_inside -= 1
                return {
                    "jsonrpc": "2.0",
                    "id": question["id"],
                    "error": {"code": -32005, "message": "Rate limit reached"},
                }
            why = self._refusal(question)
            if why:
                return {"jsonrpc": "2.0", "id": question["id"], "error": {"code": -32000, "message": why}}
            if question["method"] in whims.replace:
                return {"jsonrpc": "2.0", "id": question["id"], "result": whims.replace[question["method"]]}
            if whims.rewrite:
                number, question = question["id"], whims.rewrite(question)
                if "method" not in question:
                    return {"jsonrpc": "2.0", "id": number, **question}
            if whims.gas and question["method"] == "eth_call":
                question["params"][0]["gas"] = hex(whims.gas)
            request = urllib.request.Request(
                whims.elsewhere or url, json.dumps(question).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)

        def _refusal(self, question: Any) -> str:
            if question["method"] in whims.refuse:
                return whims.refuse[question["method"]]
            if question["method"] == "eth_call" and len(json.dumps(question)) > whims.call_bytes:
                return "request entity too large"
            if question["method"] == "eth_getLogs":
                [query] = question["params"]
                if int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= whims.blocks:
                    return "block range is too wide"
            return ""

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 429 and whims.retry_after:
                self.send_header("Retry-After", whims.retry_after)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # whoever asked may have gone
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v3/secret-key"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
