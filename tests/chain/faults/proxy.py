"""An HTTP proxy before one or more real nodes: it counts, delays, and lets faults spoil what passes through it.

Faults see one `Exchange` at a time, in the order in which requests arrive. The nodes behind are real, so a reorganisation or a change
of chain is a change of the node that answers.
"""

import json
import socket
import struct
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
SECRET = "s3cret-key"
"""Stands in the path of every proxy's address; it must never be seen in an error."""


@dataclass(frozen=True)
class Reply:
    """What goes back: `how` is `whole`, `short` (the connection ends before the stated length), `reset` or `silent` (nothing, ever)."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    how: str = "whole"


@dataclass
class Exchange:
    """One HTTP request: its bytes, the JSON-RPC questions in it, and a way to have (some of) them answered by the node."""

    raw: bytes
    is_batch: bool
    questions: list[Json]
    forward: Callable[[Sequence[Json]], list[Json]]

    @property
    def methods(self) -> set[str]:
        """Methods that are asked for."""
        return {question["method"] for question in self.questions}

    def answers(self) -> list[Json]:
        """What the node behind answers, in the order of the questions."""
        return self.forward(self.questions)

    def reply(self, answers: Sequence[Json]) -> Reply:
        """These answers as the body of a reply: a list for a batch, else the only one."""
        return Reply(json.dumps(answers if self.is_batch else answers[0]).encode())


Spoil = Callable[[Exchange], Reply | None]
"""A fault in action: its reply to an exchange, or None where it lets it pass."""


@dataclass
class Proxy:
    """What passed through.

    Attributes
    ----------
    nodes : addresses of the nodes behind; `node` is the one that answers now.
    spoils : faults, asked in order; the first that replies wins.
    delay_seconds : added to every request.
    requests, bytes_up, bytes_down : HTTP requests and the bytes of their bodies.
    accidents : errors of the proxy itself; a test that finds one proves nothing.
    """

    nodes: Sequence[str]
    spoils: Sequence[Spoil] = ()
    delay_seconds: float = 0.0
    node: int = 0
    url: str = ""
    requests: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    accidents: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, raw: bytes) -> Reply:
        """The reply to one HTTP body, one at a time, so that the order of arrival decides what a seed does."""
        if self.delay_seconds:
            self.ended.wait(self.delay_seconds)
        asked = json.loads(raw)
        with self.lock:
            self.requests += 1
            self.bytes_up += len(raw)
            exchange = Exchange(raw, isinstance(asked, list), asked if isinstance(asked, list) else [asked], self._ask)
            found = next((reply for spoil in self.spoils if (reply := spoil(exchange))), None)
            reply = found or Reply(self._post(raw))
            self.bytes_down += len(reply.body)
        return reply

    def _ask(self, questions: Sequence[Json]) -> list[Json]:
        answers: list[Json] = json.loads(self._post(json.dumps(list(questions)).encode())) if questions else []
        by_id = {answer["id"]: answer for answer in answers}
        return [by_id[question["id"]] for question in questions]

    def _post(self, raw: bytes) -> bytes:
        request = urllib.request.Request(self.nodes[self.node], raw, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            body: bytes = answer.read()
        return body


class _Server(ThreadingHTTPServer):
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        import traceback

        error = traceback.format_exc()
        if "BrokenPipeError" not in error and "ConnectionResetError" not in error:  # the reader may give up first
            self.proxy.accidents.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        reply = self.server.proxy.answer(self.rfile.read(int(self.headers["Content-Length"])))
        if reply.how == "silent":
            self.server.proxy.ended.wait(30)
        if reply.how in ("reset", "silent"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        length = len(reply.body) * (2 if reply.how == "short" else 1)
        self.close_connection = self.close_connection or reply.how == "short"
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serve(proxy: Proxy) -> Iterator[Proxy]:
    """Run the proxy on a free port of this machine; its address stands in `proxy.url`."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = proxy
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_port}/v3/{SECRET}"
    try:
        yield proxy
    finally:
        proxy.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
