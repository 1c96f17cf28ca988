"""`aftershock query names`: what can be asked for, by kind: every name, and the whole key behind it."""

from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson, Exposures, Source, opened
from aftershock.cli.terminal import Page, print_json, stands_on, when
from chain.errors import unknown_name
from graph.schema import node_schemas
from reports.amounts import count

EXAMPLE = "Example: aftershock query names usdc"
NAMELESS = ("account", "feed")
"""Kinds of which there are thousands: shown only where they are asked for."""


def run(
    part: Annotated[str, typer.Argument(help="Only names and keys that have this in them.", metavar="TEXT")] = "",
    kind: Annotated[
        str | None, typer.Option(help="Only this kind: market, asset, account, feed, ...", metavar="KIND")
    ] = None,
    source: Source = "sample",
    exposures: Exposures = None,
    as_json: AsJson = False,
) -> None:
    """Every name that `query`, `report` and `what-if` understand; accounts and feeds where a TEXT or a KIND asks for them."""
    if kind is not None and kind not in node_schemas():
        raise unknown_name("kind of node", kind, node_schemas())
    snapshot = aftershock.load(opened(source, exposures))
    graph = aftershock.graph(snapshot)
    wanted, text = [kind] if kind else [one for one in graph.nodes if part or one not in NAMELESS], part.lower()
    found = [
        (one, graph.label(key), key)
        for one in wanted
        for key in graph.nodes[one]["node"].tolist()
        if (text in graph.label(key).lower() or text in key.lower()) and key not in graph.unstated
    ]
    if as_json:
        print_json(
            {"names": [dict(zip(("kind", "name", "key"), row, strict=True)) for row in found], **stands_on(snapshot)}
        )
        return
    page = Page()
    page.header(count(len(found), "name"), when(snapshot))
    page.table(["kind", "name", "key"], [list(row) for row in found])
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)
