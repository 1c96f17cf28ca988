"""`aftershock doctor`: does this installation work, and what is missing for more?"""

import platform
from importlib.metadata import PackageNotFoundError, version
from os import environ
from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson
from aftershock.cli.terminal import HARM, STATE, Page, print_json
from chain.errors import AftershockError
from chain.networks import networks, node_url, redact

EXAMPLE = "Example: aftershock doctor --rpc http://127.0.0.1:8545 --chain eip155:31337"
NEEDED = ("web3", "pandas", "networkx", "pyarrow", "numpy", "typer", "rich", "jinja2")
FORECASTING = ("torch", "torch-geometric")

Finding = tuple[str, str, str]


def run(
    rpc: Annotated[str, typer.Option(help="Node to try; the chain's variable by default.", metavar="URL")] = "",
    chain: Annotated[str, typer.Option(help="Chain the node should serve (CAIP-2).")] = "eip155:1",
    as_json: AsJson = False,
) -> None:
    """Check Python, packages, the embedded sample and, if one is named, the node."""
    findings = [_python(), *_packages(), _sample(), _node(chain, rpc)]
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


def _node(chain: str, rpc: str) -> Finding:
    if not rpc and chain in networks() and not any(environ.get(name) for name in networks()[chain].rpc_variables):
        return (
            "node",
            "absent",
            f"none named for {chain}; set {networks()[chain].rpc_variables[0]} or give --rpc to try one",
        )
    from chain.client import Client

    try:
        url = node_url(chain, environ, rpc)
        with Client.connect(url, chain) as client:
            anchor = client.pin("latest")
            return "node", "ok", f"{redact(url)} serves {chain}, block {anchor.number}"
    except AftershockError as error:
        return "node", "broken", str(error)
