"""A proxy before a real node that counts requests and does something at chosen ones: how a run is killed at an exact moment."""

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "s3cret-key"


@dataclass
class Counted:
    """What came through.

    Attributes
    ----------
    url : address of the proxy, with a key in its path.
    requests : HTTP requests so far.
    at : number of a request -> what to do when it has arrived; nothing is answered after that.
    """

    url: str = ""
    requests: int = 0
    at: dict[int, Callable[[], None]] = field(default_factory=dict)


@contextmanager
def counting(node_url: str) -> Iterator[Counted]:
    """Run the proxy."""
    counted, lock = Counted(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                counted.requests += 1
                act = counted.at.get(counted.requests)
            if act is not None:
                act()
                self.close_connection = True
                return
            request = urllib.request.Request(node_url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request) as answer:
                content = answer.read()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A killed run leaves its connection in the middle."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    counted.url = f"http://127.0.0.1:{server.server_port}/v3/{KEY}"
    try:
        yield counted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
