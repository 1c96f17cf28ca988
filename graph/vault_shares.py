"""A vault and its share are one contract: who asks for the share is told what the vault has, and what each holder's shares are worth.

A share without a price of its own is worth its part of what is behind all shares: balance / supply x USD behind them, the value at which ways of a
loss take it too (`graph.dependences`). Here the rows say so: their evidence names balance, supply and backing, their status is `derived`.
"""

import pandas as pd

from graph.dependences import worth_of_all
from graph.protocol_graph import ProtocolGraph
from graph.relations import joined, supplies_of_claims


def vault_of(graph: ProtocolGraph, share: str) -> str | None:
    """The vault whose share an asset is; None for any other asset."""
    vaults = graph.nodes["vault"]
    found = vaults[vaults["asset"] == share]["node"].tolist()
    return str(found[0]) if found else None


def valued_balances(graph: ProtocolGraph, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `holds` with `amount_usd` also where the asset has no price: its part of what is behind all units, if both are known."""
    unpriced = rows["amount_usd"].isna()
    if not unpriced.any():
        return rows
    worth, supply, backs = worth_of_all(graph), supplies_of_claims(graph.snapshot), graph.relations["backs"]
    known = {asset for asset in set(rows.loc[unpriced, "target"]) if supply.get(asset) and worth.get(asset)}
    behind = {asset: joined(backs[backs["target"] == asset]["evidence"]) for asset in known}
    told = graph.nodes["asset"].set_index("node")["evidence"]
    chosen = rows["target"].isin(list(known)) & unpriced
    part = rows[chosen]
    usd = [raw / supply[asset] * worth[asset] for raw, asset in zip(part["amount_raw"], part["target"], strict=True)]
    evidence = [
        "; ".join(dict.fromkeys((own, told[asset], *behind[asset].split("; "))))
        for own, asset in zip(part["evidence"], part["target"], strict=True)
    ]
    rows = rows.assign(amount_usd=rows["amount_usd"].astype(float))
    rows.loc[chosen, "amount_usd"] = usd
    rows.loc[chosen, "evidence"] = evidence
    rows.loc[chosen, "status"] = "derived"
    return rows
