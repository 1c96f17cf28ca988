"""`aftershock doctor`: does this installation work, and what is missing for more?"""

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from os import environ
from pathlib import Path
from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson
from aftershock.cli.terminal import HARM, STATE, Page, print_json
from chain.errors import AftershockError
from chain.networks import networks, node_url, node_urls, redact

EXAMPLE = "Example: aftershock doctor --rpc http://127.0.0.1:8545 --chain eip155:31337"
NEEDED = ("web3", "pandas", "networkx", "pyarrow", "numpy", "typer", "rich", "jinja2")
FORECASTING = ("torch", "torch-geometric")

LEAST_FREE_BYTES = 2_000_000_000

Finding = tuple[str, str, str]


def run(
    rpc: Annotated[
        list[str] | None,
        typer.Option(
            help="Node to try; may be given several times, or several with commas between them. The chain's variable by default.",
            metavar="URL",
        ),
    ] = None,
    chain: Annotated[str, typer.Option(help="Chain the node should serve (CAIP-2).")] = "eip155:1",
    addresses: Annotated[
        bool, typer.Option("--addresses", help="Ask the node whether the contracts of an address book are there.")
    ] = False,
    deployments: Annotated[
        Path | None, typer.Option(help="Address book for --addresses; the shipped one of the chain by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check Python, packages, disk, cache, the embedded sample and, if any is named, each node: head, clock, events, depth.

    With --addresses also that every contract of an address book has code and answers as what the book says it is.
    """
    nodes = "\n".join(rpc or ())
    findings = [_python(), *_packages(), _disk(), _cache(), _sample(), *_nodes(chain, nodes)]
    if addresses:
        findings += _addresses(chain, nodes, deployments)
    if as_json:
        print_json([{"subject": subject, "state": state, "finding": text} for subject, state, text in findings])
    else:
        page = Page()
        page.header("Doctor", f"aftershock {aftershock.__version__}")
        for subject, state, text in findings:
            mark, style = {"ok": ("✓", STATE), "absent": ("·", "dim"), "broken": ("×", HARM)}[state]
            page.say((mark, style), f" {subject.ljust(16)}", text)
    if any(state == "broken" for _, state, _ in findings):
        raise typer.Exit(3)


def _python() -> Finding:
    return "Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _packages() -> list[Finding]:
    found = []
    for name in (*NEEDED, *FORECASTING):
        try:
            found.append((name, "ok", version(name)))
        except PackageNotFoundError:
            needed = name in NEEDED
            found.append(
                (
                    name,
                    "broken" if needed else "absent",
                    "not installed; run pip install ." if needed else "not installed; only forecasting needs it",
                )
            )
    return found


def _sample() -> Finding:
    try:
        sample = aftershock.load()
    except AftershockError as error:
        return "sample", "broken", str(error)
    return (
        "sample",
        "ok",
        f"{len(sample['positions']):,} position rows, hashes agree, {sample.content_id}; {sample.caption}",
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{free / 1e9:.1f} GB free in this folder"
    if free < LEAST_FREE_BYTES:
        return "disk", "absent", f"{text}; a snapshot of a large market can need more, write it elsewhere"
    return "disk", "ok", text


def _cache() -> Finding:
    """Where answers of nodes are kept, how much there is, and at most how much."""
    from chain.node.cache import LARGEST_BYTES, size_bytes
    from chain.node.pacing import manners_from

    try:
        folder = manners_from(environ).cache
    except AftershockError as error:
        return "cache", "broken", str(error)
    if folder is None:
        return "cache", "absent", "answers of nodes are not kept (AFTERSHOCK_CACHE is off)"
    most = f"at most {LARGEST_BYTES / 1e9:.0f} GB, the blocks unused for longest go first"
    return "cache", "ok", f"{size_bytes(folder) / 1e6:.1f} MB of answers in {folder}; {most}"


def _nodes(chain: str, rpc: str) -> list[Finding]:
    """Each node by itself: a second one that is broken must show before it is needed."""
    if not rpc and chain in networks() and not any(environ.get(name) for name in networks()[chain].rpc_variables):
        variable = networks()[chain].rpc_variables[0]
        return [("node", "absent", f"none named for {chain}; set {variable} or give --rpc to try one")]
    try:
        urls = node_urls(node_url(chain, environ, rpc))
    except AftershockError as error:
        return [("node", "broken", str(error))]
    return [finding for url in urls for finding in _node(chain, url)]


def _node(chain: str, url: str) -> list[Finding]:
    from chain.inspection import node

    try:
        head, *rest = node(url, chain)
        found = [(one.subject, one.state, one.text) for one in rest]
        return [(head.subject, head.state, f"{redact(url)} {head.text}"), *found]
    except AftershockError as error:
        return [("node", "broken", str(error))]


def _addresses(chain: str, rpc: str, deployments: Path | None) -> list[Finding]:
    from chain.deployments import read_deployments
    from chain.inspection import addresses, shipped
    from chain.node.client import Client

    try:
        books = [read_deployments(path) for path in ([deployments] if deployments else shipped().values())]
        here = [entry for book in books for entry in book if entry.chain == chain]
        if not here:
            return [("addresses", "broken", f"no address book for {chain}; give one with --deployments FILE")]
        with Client.connect(node_url(chain, environ, rpc), chain) as client:
            client.pin("latest")
            return [(one.subject, one.state, one.text) for one in addresses(client, here)]
    except AftershockError as error:
        return [("addresses", "broken", str(error))]
