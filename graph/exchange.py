"""The graph as other libraries want it. Tables are the truth; what is made here is a view and is never read back by aftershock."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from graph.protocol_graph import ProtocolGraph
from graph.schema import relation_schemas

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: ProtocolGraph) -> "networkx.MultiDiGraph[str]":
    """The graph as a NetworkX multigraph.

    Returns
    -------
    Nodes carry `kind` (the node kind) and the columns of their table; a column `kind` of the table becomes `<node kind>_kind`.
    Edges run from source to target with key `relation` or `relation:<asset, holder, market step, power>` and carry `relation` and the
    columns of their table. Empty values are left out; amounts in smallest units are decimal text, exact at any size.
    """
    import networkx

    network: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    for kind, table in graph.nodes.items():
        for row in attributes(table):
            key = row.pop("node")
            if "kind" in row:
                row[f"{kind}_kind"] = row.pop("kind")
            network.add_node(key, kind=kind, **row)
    for relation, schema in relation_schemas().items():
        for row in attributes(graph.relations[relation]):
            source, target = row.pop("source"), row.pop("target")
            apart = [str(row[name]) for name in schema.labels if name in row]
            key = ":".join([relation, " ".join(apart)]) if apart else relation
            network.add_edge(source, target, key=key, relation=relation, **row)
    return network


def attributes(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts of plain Python values, without the empty ones; columns `_raw` as decimal text."""
    columns = {name: table[name].tolist() for name in table.columns}
    return [
        {
            name: str(value) if name.endswith("_raw") else value
            for name, value in zip(columns, values, strict=True)
            if not pd.isna(value)
        }
        for values in zip(*columns.values(), strict=True)
    ]
