"""The embedded sample cut down to its first market: for what is asked of one market, whatever else the sample holds."""

from dataclasses import replace

import aftershock
from chain.snapshot import Snapshot


def core() -> Snapshot:
    """Only what stands in the market `core`, with the pools, feeds and tokens of the whole sample."""
    sample = aftershock.load()
    markets = sample["markets"]
    [key] = markets[markets["instance"] == "core"]["market"]
    tables = {
        name: table[table["market"] == key].reset_index(drop=True) if "market" in table.columns else table
        for name, table in sample.tables.items()
    }
    return replace(sample, tables=tables)
