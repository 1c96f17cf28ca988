"""The first market of the embedded sample as it would be read on two chains at once: the same tables under both chains' keys, laid together as `chain.several` does."""

from dataclasses import replace
from typing import Any

from chain.merging import merged
from chain.snapshot import Snapshot
from tests.core_sample import core

CHAINS = {"eip155:1": "Ethereum", "eip155:8453": "Base"}


def two_chains() -> Snapshot:
    """A snapshot of Ethereum and Base that differ in nothing but their names."""
    return merged("both", [_on(chain, core()) for chain in CHAINS])


def _on(chain: str, sample: Snapshot) -> Snapshot:
    def moved(value: Any) -> Any:
        return value.replace("eip155:31337", chain) if isinstance(value, str) else value

    tables = {name: table.map(moved).astype(table.dtypes) for name, table in sample.tables.items()}
    [anchor] = sample.anchors
    return replace(sample, tables=tables, anchors=(replace(anchor, chain=chain),))
