"""What claims are worth: all units of one, the part of that which is known to be backed, and balances of claims without a price.

A claim without a price of its own (a vault's share, a liquidity share) is worth its part of what is behind all of it: balance / supply x USD
behind them. Such rows say so: their evidence names balance, supply and backing, their status is `derived`.
"""

import pandas as pd

from chain.tables import each_row
from chain.units import whole_tokens
from graph.merged_rows import joined
from graph.protocol_graph import ProtocolGraph
from graph.relations import supplies_of_claims


def worth_of_all(graph: ProtocolGraph) -> dict[str, float]:
    """USD of all units of an asset: supply times price, or what is behind it if that is more or its supply was not read."""
    if "worth of all" not in graph.kept:
        assets, supply = graph.nodes["asset"], supplies_of_claims(graph.snapshot)
        priced = {
            row.node: whole_tokens(supply[row.node], row.decimals) * row.price_usd
            for row in each_row(assets)
            if not pd.isna(supply.get(row.node)) and not pd.isna(row.price_usd)
        }
        behind = graph.relations["backs"].groupby("target")["amount_usd"].sum().to_dict()
        graph.kept["worth of all"] = {
            asset: max(priced.get(asset, 0.0), behind.get(asset, 0.0)) for asset in assets["node"].tolist()
        }
    found: dict[str, float] = graph.kept["worth of all"]
    return found


def backed_parts(graph: ProtocolGraph) -> dict[str, float]:
    """Claim with stated backings -> the part of its worth that they are, 0 to 1; missing where neither has a price.

    All of a vault's share is backed where the vault's own positions or balances are known: they are what it is worth.
    """
    worth = worth_of_all(graph)
    behind = graph.relations["backs"].groupby("target")["amount_usd"].sum(min_count=1).dropna().to_dict()
    parts = {claim: min(1.0, usd / worth[claim]) for claim, usd in behind.items() if worth.get(claim, 0.0) > 0}
    return parts | dict.fromkeys(shares_of_vaults(graph), 1.0)


def vault_of(graph: ProtocolGraph, share: str) -> str | None:
    """The vault whose share an asset is; None for any other asset."""
    vaults = graph.nodes["vault"]
    found = vaults[vaults["asset"] == share]["node"].tolist()
    return str(found[0]) if found else None


def shares_of_vaults(graph: ProtocolGraph) -> list[str]:
    """Shares of vaults whose own positions or balances are known."""
    vaults, having = graph.nodes["vault"], set[str]()
    for relation in ("supplies", "holds"):
        source = graph.relations[relation]["source"]
        having.update(source[source.isin(vaults["node"])].tolist())
    shares: list[str] = vaults[vaults["node"].isin(list(having))]["asset"].dropna().tolist()
    return shares


def valued_holds(graph: ProtocolGraph, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """The relation `holds` (worked out once a graph), or rows like its, with `amount_usd` also where the asset has no price, if supply and backing are known."""
    if rows is None:
        if "valued holds" not in graph.kept:
            graph.kept["valued holds"] = valued_holds(graph, graph.relations["holds"])
        found: pd.DataFrame = graph.kept["valued holds"]
        return found.copy(deep=False)
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
