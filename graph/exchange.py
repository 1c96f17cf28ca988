"""The graph as other libraries and programs want it, and its tables back from each of them.

The tables are the truth; what is written here is a view. What each form cannot hold stands in `LOSSES`; everything else survives the way there
and back exactly, amounts in smallest units included: they travel as decimal text.
"""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from chain import tables
from chain.errors import InputError
from graph.protocol_graph import ProtocolGraph
from graph.schema import node_schemas, relation_schemas, typed

if TYPE_CHECKING:
    import networkx

Tables = dict[str, pd.DataFrame]
_BEHIND = "the order of rows, the snapshot behind the graph and its gaps"
_XML = f"{_BEHIND}; characters that XML 1.0 does not allow, which become U+FFFD"
LOSSES = {
    "networkx": _BEHIND,
    ".graphml": _XML,
    ".gexf": _XML,
    ".json": _BEHIND,  # node-link data, what d3 and networkx.node_link_graph read
    ".cyjs": _BEHIND,  # Cytoscape desktop and Cytoscape.js
    "folder": "the snapshot behind the graph and its gaps",  # one Parquet file a table, amounts in smallest units as text
}
"""What each form leaves out, by suffix."""
_NOT_XML = re.compile("[^\\t\\n\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


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


def from_networkx(network: "networkx.MultiDiGraph[str]") -> tuple[Tables, Tables]:
    """Tables of nodes and of relations by kind, typed and sorted as in the graph that `to_networkx` was given.

    Raises
    ------
    InputError
        If a node or an edge says no kind that is known.
    SchemaError
        If its attributes do not make a row of that kind.
    """
    nodes: dict[str, list[dict[str, Any]]] = {kind: [] for kind in node_schemas()}
    relations: dict[str, list[dict[str, Any]]] = {kind: [] for kind in relation_schemas()}
    for key, data in network.nodes(data=True):
        kind = data.get("kind")
        if kind not in nodes:
            raise InputError(f"node {key} is of the kind {kind!r}; known are {', '.join(nodes)}")
        row = {"node": key, **{name: value for name, value in data.items() if name != "kind"}}
        if f"{kind}_kind" in row:
            row["kind"] = row.pop(f"{kind}_kind")
        nodes[kind].append(row)
    for source, target, data in network.edges(data=True):
        relation = data.get("relation")
        if relation not in relations:
            raise InputError(f"edge {source} -> {target} is of the kind {relation!r}; known are {', '.join(relations)}")
        relations[relation].append({"source": source, "target": target, **data})
    return (
        {kind: _table(schema, nodes[kind]) for kind, schema in node_schemas().items()},
        {kind: _table(schema.table, relations[kind]) for kind, schema in relation_schemas().items()},
    )


def write(graph: ProtocolGraph, path: Path) -> None:
    """Write the graph in the form that the suffix names: .graphml, .gexf, .json, .cyjs; without one, a folder of Parquet. Whole or not at all.

    Raises
    ------
    InputError
        If the suffix is none of these, the path is taken by something that is no such file or folder, or cannot be written.
    """

    form = form_of(path)
    if form == "folder" and (
        path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / "nodes").is_dir())
    ):
        raise InputError(f"{path} is there and holds no graph; give another name")
    if form != "folder" and path.is_dir():
        raise InputError(
            f"{path} is a folder; give the name of a file, or a name without suffix for a folder of Parquet"
        )
    new = path.with_name(f".{path.name}.new")
    try:
        if form == "folder":
            _write_folder(graph, new)
            shutil.rmtree(path, ignore_errors=True)
        else:
            _write_file(graph, new, form)
        new.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({(error.strerror or str(error)).lower()}); give a place that is there and that you may write to"
        ) from error
    finally:
        new.unlink(missing_ok=True) if new.is_file() else shutil.rmtree(new, ignore_errors=True)


def _write_file(graph: ProtocolGraph, path: Path, form: str) -> None:
    import networkx

    network = to_networkx(graph)
    network.graph |= {"content_id": graph.snapshot.content_id, "caption": graph.snapshot.caption}
    if form == ".graphml":
        networkx.write_graphml(_in_xml(network), path)
    elif form == ".gexf":
        networkx.write_gexf(_numbered(_in_xml(network)), path)
    else:
        data = networkx.node_link_data(network, edges="edges") if form == ".json" else networkx.cytoscape_data(network)
        path.write_text(json.dumps(data, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def read(path: Path) -> tuple[Tables, Tables]:
    """Tables of nodes and of relations by kind from what `write` wrote.

    Raises
    ------
    InputError
        If the file is not there or is not in the form that its suffix names.
    """
    import networkx

    form = form_of(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a file or folder that holds a graph")
    if form == "folder":
        return _read_folder(path)
    try:
        if form == ".graphml":
            found = networkx.read_graphml(path, force_multigraph=True)
        elif form == ".gexf":
            found = networkx.read_gexf(path)
        else:
            data = json.loads(path.read_text(encoding="utf-8"))
            found = networkx.node_link_graph(data, edges="edges") if form == ".json" else networkx.cytoscape_graph(data)
    except (OSError, ValueError, KeyError, SyntaxError, TypeError, networkx.NetworkXException) as error:
        raise InputError(f"{path} holds no graph in the form {form} ({type(error).__name__}: {error})") from error
    return from_networkx(networkx.MultiDiGraph(found))


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


def form_of(path: Path) -> str:
    """The key of `LOSSES` that a name's ending asks for; InputError for any other ending."""
    form = path.suffix.lower() or "folder"
    if form not in LOSSES:
        known = ", ".join(name for name in LOSSES if name.startswith("."))
        raise InputError(
            f"{path.name}: there is no form {form!r}; end the name with {known}, or nothing for a folder of Parquet"
        )
    return form


def _table(schema: tables.TableSchema, rows: list[dict[str, Any]]) -> pd.DataFrame:
    exact = {column.name for column in schema.columns if column.is_big}
    known = set(schema.names)
    read_back = [
        {name: int(value) if name in exact else value for name, value in row.items() if name in known} for row in rows
    ]
    return tables.make(schema, read_back)


def _numbered(network: "networkx.MultiDiGraph[str]") -> "networkx.MultiDiGraph[str]":
    """GEXF wants edge ids of its own and keeps `label` for itself, so the key of an edge becomes an attribute."""
    import networkx

    copy: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    copy.add_nodes_from((key, {**data, "name": data["label"]}) for key, data in network.nodes(data=True))
    for number, (source, target, data) in enumerate(network.edges(data=True)):
        copy.add_edge(source, target, key=number, id=str(number), **data)
    return copy


def _in_xml(network: "networkx.MultiDiGraph[str]") -> "networkx.MultiDiGraph[str]":
    """The network with every text as XML 1.0 can hold it: a hostile token may call itself anything."""
    for *_, data in [*network.nodes(data=True), *network.edges(data=True)]:
        data |= {name: _NOT_XML.sub("�", value) for name, value in data.items() if isinstance(value, str)}
    return network


def _write_folder(graph: ProtocolGraph, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for part, found in (("nodes", graph.nodes), ("relations", graph.relations)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for kind, table in found.items():
            tables.write(_schemas(part)[kind], table, folder / part / f"{kind}.parquet")


def _read_folder(folder: Path) -> tuple[Tables, Tables]:
    nodes, relations = (
        {
            kind: typed(schema, tables.read(schema, folder / part / f"{kind}.parquet")[0])
            for kind, schema in _schemas(part).items()
        }
        for part in ("nodes", "relations")
    )
    return nodes, relations


def _schemas(part: str) -> dict[str, tables.TableSchema]:
    if part == "nodes":
        return node_schemas()
    return {kind: schema.table for kind, schema in relation_schemas().items()}
