"""The protocol graph as tensors: what a graph network reads. A view like those of `graph.exchange`; the tables stay the truth.

Numbers only: text, evidence and status stay in the tables, amounts in smallest units are rounded to 53 bits, and what is missing is NaN.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch_geometric.data import HeteroData

from chain.tables import TableSchema
from graph.protocol_graph import ProtocolGraph
from graph.schema import node_schemas, relation_schemas

NUMBERS = ("float", "int", "uint256", "int256", "bool", "timestamp")


def to_hetero(graph: ProtocolGraph) -> HeteroData:
    """The graph as PyG's HeteroData.

    Returns
    -------
    For each node kind that occurs: `x`, float64 of shape (nodes, columns), `columns`, the names of its columns, and `keys_in_order`, the node keys in
    order. For each (source kind, relation, target kind) that occurs: `edge_index`, int64 of shape (2, edges), `edge_attr`, float64 of
    shape (edges, columns), and `columns`. Rows are in the order of the tables.
    """
    data = HeteroData()
    place: dict[str, int] = {}
    for kind, schema in node_schemas().items():
        table = graph.nodes[kind]
        if len(table):
            data[kind].x, data[kind].columns = _numbers(schema, table)
            data[kind].keys_in_order = table["node"].tolist()
            place |= {key: number for number, key in enumerate(table["node"].tolist())}
    kinds = graph.kinds
    for relation, schema_of in relation_schemas().items():
        table = graph.relations[relation]
        ends = pd.DataFrame({"source": table["source"].map(kinds), "target": table["target"].map(kinds)})
        for (source, target), rows in ends.groupby(["source", "target"], sort=True).groups.items():
            part = table.loc[rows]
            edges = data[source, relation, target]
            pairs = [[place[key] for key in part[end]] for end in ("source", "target")]
            edges.edge_index = torch.tensor(pairs, dtype=torch.int64)
            edges.edge_attr, edges.columns = _numbers(schema_of.table, part)
    return data


def _numbers(schema: TableSchema, table: pd.DataFrame) -> tuple[torch.Tensor, list[str]]:
    columns = [column.name for column in schema.columns if column.kind in NUMBERS]
    values = [[_number(value) for value in table[name].tolist()] for name in columns]
    return torch.from_numpy(np.array(values, dtype=float).reshape(len(columns), len(table)).T.copy()), columns


def _number(value: Any) -> float:
    return float("nan") if pd.isna(value) else float(value)
