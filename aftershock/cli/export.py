"""`aftershock export FILE`: the protocol graph as other programs read it (NetworkX, Gephi, Cytoscape, d3, any reader of Parquet)."""

from pathlib import Path
from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson, Exposures, Source, opened, refuse_to_replace
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json, stands_on, when
from reports.amounts import count

EXAMPLE = "Example: aftershock export graph.graphml"


def run(
    path: Annotated[
        Path,
        typer.Argument(
            help="Ends in .graphml, .gexf, .json (node-link) or .cyjs (Cytoscape); without an ending a folder of Parquet.",
            metavar="FILE",
        ),
    ],
    source: Source = "sample",
    exposures: Exposures = None,
    as_json: AsJson = False,
) -> None:
    """Write all nodes and relations of the protocol graph, amounts in smallest units as exact text; what the form cannot hold is said."""
    from graph import exchange

    lost = exchange.LOSSES[exchange.form_of(path)]
    read = None if source == "sample" else source
    refuse_to_replace("FILE", path, ("--snapshot", read), ("--exposures", exposures))
    with step("load"):
        snapshot = aftershock.load(opened(source, exposures))
        graph = aftershock.graph(snapshot)
    with step("write") as writing:
        exchange.write(graph, path)
        writing.note(str(path))
    sizes = {
        "nodes": sum(map(len, graph.nodes.values())),
        "relations": sum(map(len, graph.relations.values())),
    }
    if as_json:
        print_json({"written": str(path), **sizes, "leaves_out": lost, **stands_on(snapshot)})
        return
    page = Page()
    page.header(f"Written: {path}", when(snapshot))
    page.sentence(f"**{count(sizes['nodes'], 'node')}** and **{count(sizes['relations'], 'relation')}**.")
    page.say(("left out  ", "dim"), lost)
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)
