"""A local anvil node: started offline on a free port, stopped with its world, driven by plain JSON-RPC.

The node is made to be repeatable: fixed genesis time, 12 seconds between blocks, no base fee, transactions in the
order of arrival, a named hard fork. The same transactions then give the same block hashes on every run.
"""

import atexit
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast

from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint, RPCResponse

from tests.devnet.availability import anvil_binary, check_devnet

CHAIN_ID = 31337
GENESIS_TIME = 1_700_000_000
BLOCK_SECONDS = 12
BLOCK_GAS_LIMIT = 1_000_000_000
HARDFORK = "prague"
START_TIMEOUT_SECONDS = 20.0
REQUEST_TIMEOUT_SECONDS = 120


class NodeError(RuntimeError):
    """The node did not start, or answered a request with an error."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Node:
    """One running anvil process.

    Every address is unlocked, so that a test can act as anybody.

    Parameters
    ----------
    extra : sequence of str
        More command line options for anvil.

    Attributes
    ----------
    url : str
        HTTP address of the node.
    w3 : Web3
        A client of it.

    Raises
    ------
    DevnetUnavailableError
        Node.js, an npm package or the binary is missing.
    NodeError
        The process ended or did not answer in time; the message has its last output.
    """

    def __init__(self, extra: Sequence[str] = ()) -> None:
        check_devnet()
        self.url = f"http://127.0.0.1:{free_port()}"
        self._provider = HTTPProvider(self.url, request_kwargs={"timeout": REQUEST_TIMEOUT_SECONDS})
        self.w3 = Web3(self._provider)
        self.w3.middleware_onion.remove("validation")  # it asks for the chain id twice with every call
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._states = tempfile.TemporaryDirectory(prefix="anvil-states-")  # gone with the node, gigabytes if kept
        self._process = subprocess.Popen(
            self._command(extra), stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT
        )
        atexit.register(self._process.terminate)  # a script that dies must not leave its node behind
        try:
            self._wait_until_ready()
            self.request("anvil_setBlockTimestampInterval", BLOCK_SECONDS)
            self.request("anvil_autoImpersonateAccount", True)
        except BaseException:
            self.stop()
            raise

    def _command(self, extra: Sequence[str]) -> list[str]:
        return [
            str(anvil_binary()),
            *("--host", "127.0.0.1"),
            *("--port", self.url.rsplit(":", 1)[1]),
            *("--chain-id", str(CHAIN_ID)),
            *("--timestamp", str(GENESIS_TIME)),
            *("--hardfork", HARDFORK),
            *("--order", "fifo"),
            *("--cache-path", self._states.name),
            *("--gas-limit", str(BLOCK_GAS_LIMIT)),
            *("--block-base-fee-per-gas", "0"),
            *("--gas-price", "0"),
            "--silent",
            *extra,
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.w3.is_connected():
            if self._process.poll() is not None:
                raise NodeError(f"anvil ended with code {self._process.returncode}: {self._last_output()}")
            if time.monotonic() > deadline:
                raise NodeError(f"anvil did not answer in {START_TIMEOUT_SECONDS:.0f} s: {self._last_output()}")
            time.sleep(0.02)

    def _last_output(self) -> str:
        self._output.seek(0)
        return self._output.read()[-2000:].decode(errors="replace").strip() or "(no output)"

    def request(self, method: str, *params: object) -> Any:
        """Make one JSON-RPC request and return its result.

        Raises
        ------
        NodeError
            The node answered with an error.
        """
        return _result(method, self._provider.make_request(RPCEndpoint(method), list(params)))

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Make many JSON-RPC requests in one HTTP request; results come in the order of `calls`.

        Raises
        ------
        NodeError
            One of them, or the batch as a whole, was answered with an error.
        """
        if not calls:
            return []
        answers = self._provider.make_batch_request([(RPCEndpoint(method), list(params)) for method, params in calls])
        if not isinstance(answers, list):
            return [_result("batch", answers)]
        return [_result(method, answer) for (method, _), answer in zip(calls, answers, strict=True)]

    def mine(self, seconds: int = BLOCK_SECONDS) -> int:
        """Mine one block `seconds` after the latest one and return its number."""
        latest = self.request("eth_getBlockByNumber", "latest", False)
        self.request("evm_setNextBlockTimestamp", int(latest["timestamp"], 16) + seconds)
        self.request("evm_mine")
        return int(self.request("eth_blockNumber"), 16)

    def stop(self) -> None:
        """End the process. Calling it again does nothing."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()
        self._states.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _result(method: str, answer: RPCResponse) -> Any:
    if "error" in answer:
        error = cast("dict[str, Any] | str", answer["error"])
        raise NodeError(f"{method}: {error['message'] if isinstance(error, dict) else error}")
    return answer["result"]
