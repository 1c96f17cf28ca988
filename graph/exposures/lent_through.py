"""In which markets a holder's money finally is: what it supplies itself, and what its claims have lent for it, way by way.

A vault's share leads to the vault and on to the markets in which the vault is a supplier; a receipt (aToken, cToken) to the reserve it is a
receipt for; any other claim to what backs it. The part of a claim that is lent nowhere (a vault's idle money) is in no row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from chain.tables import each_row
from graph.dependences import idle
from graph.lookthrough import SMALLEST_SHARE, LookThrough, Step, steps
from graph.protocol_graph import ProtocolGraph
from graph.worth import valued_holds

COLUMNS = ["market", "label", "asset", "symbol", "against", "amount_usd", "share_ratio", "path", "evidence", "status"]


@dataclass(frozen=True)
class _Way:
    """Where money is: market and asset there, which part of the start (0 to 1), names passed, where each step was read, weakest status."""

    market: str
    asset: str
    part: float
    path: tuple[str, ...]
    evidence: tuple[str, ...]
    status: str


def lent_through(graph: ProtocolGraph, holder: str, known: LookThrough | None = None) -> pd.DataFrame:
    """The markets of an account or a vault, one row a market, asset and way, the largest first. `known`: all steps, if they are at hand.

    Returns
    -------
    market, label, asset, symbol (what is supplied there), against (symbols of the market's collateral, the largest first), amount_usd,
    share_ratio (of all that the holder has), path (labels, from what the holder has to the market), evidence, status. Rows overlap where a
    claim is posted in one market and has lent in others.
    """
    claims, everything = _Claims(graph, known), 0.0
    rows: list[tuple[Any, ...]] = []
    for row, is_supply in claims.of(holder):
        asset, usd = (row.asset, row.amount_usd) if is_supply else (row.target, row.amount_usd)
        label, everything = graph.label(asset), everything + usd
        if is_supply:
            rows.append((row.target, asset, usd, (label,), (row.evidence,), row.status))
        rows += [
            (way.market, way.asset, usd * way.part, (label, *way.path), (row.evidence, *way.evidence), way.status)
            for way in claims.ways(asset, (asset,), 1.0)
        ]
    table = pd.DataFrame(rows, columns=["market", "asset", "amount_usd", "way", "read", "status"])
    table = table.assign(
        label=[graph.label(market) for market in table["market"]],
        symbol=[graph.label(asset) for asset in table["asset"]],
        against=[claims.collateral.get(market, "") for market in table["market"]],
        path=[
            " → ".join((*way, graph.label(market))) for way, market in zip(table["way"], table["market"], strict=True)
        ],
        evidence=["; ".join(dict.fromkeys(read)) for read in table["read"]],
        share_ratio=table["amount_usd"].astype(float) / everything if everything else None,
    )
    order = ["amount_usd", "market", "path"]
    return table.sort_values(order, ascending=[False, True, True], ignore_index=True)[COLUMNS]


@dataclass(frozen=True)
class _Claims:
    """What claims lead to, asked for many of them."""

    graph: ProtocolGraph
    known: LookThrough | None = None

    @cached_property
    def vault(self) -> dict[str, str]:
        """Share -> vault."""
        table = self.graph.nodes["vault"].dropna(subset="asset")
        return dict(zip(table["asset"].tolist(), table["node"].tolist(), strict=True))

    @cached_property
    def receipts(self) -> dict[str, Any]:
        """Receipt -> its row of `wraps`."""
        table = self.graph.relations["wraps"].dropna(subset="market")
        return {row.source: row for row in each_row(table)}

    @cached_property
    def steps(self) -> Mapping[str, list[Step]]:
        """Other claims -> what backs them."""
        return self.known.steps if self.known else steps(self.graph)

    @cached_property
    def collateral(self) -> dict[str, str]:
        """Market -> symbols of what is posted there, the largest first."""
        listed = self.graph.relations["lists"]
        listed = listed[listed["collateral_usd"].astype(float) > 0].sort_values("collateral_usd", ascending=False)
        symbols = listed.assign(symbol=[self.graph.label(asset) for asset in listed["target"]])
        return symbols.groupby("source")["symbol"].agg(", ".join).to_dict() if len(symbols) else {}

    @cached_property
    def _has(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        holds = valued_holds(self.graph)
        rest = idle(self.graph)
        return self.graph.relations["supplies"], pd.concat([holds, rest]) if len(rest) else holds

    def of(self, holder: str) -> Iterator[tuple[Any, bool]]:
        """What a holder supplies (True) and holds (False), with a price."""
        for table, is_supply in zip(self._has, (True, False), strict=True):
            own = table[table["source"] == holder]
            for row in each_row(own[own["amount_usd"] > 0]):
                yield row, is_supply

    def ways(self, asset: str, passed: tuple[str, ...], part: float) -> Iterator[_Way]:
        """Every way from a claim to a market; no asset twice, nothing below one basis point."""
        if part < SMALLEST_SHARE:
            return
        vault = self.vault.get(asset)
        own = list(self.of(vault)) if vault else []
        if asset in self.receipts:
            row = self.receipts[asset]
            yield _Way(row.market, row.target, part, (), (row.evidence,), row.status)
        elif own:
            everything = sum(row.amount_usd for row, _ in own)
            for row, is_supply in own:
                below, share = row.asset if is_supply else row.target, part * row.amount_usd / everything
                if is_supply:
                    yield _Way(row.target, below, share, (), (row.evidence,), row.status)
                yield from self._on(below, passed, share, row.evidence)
        else:
            for step in self.steps.get(asset, ()):
                if step.share is not None:
                    yield from self._on(step.backing, passed, part * step.share, step.evidence)

    def _on(self, asset: str, passed: tuple[str, ...], part: float, evidence: str) -> Iterator[_Way]:
        if asset in passed:
            return
        for way in self.ways(asset, (*passed, asset), part):
            path, read = (self.graph.label(asset), *way.path), (evidence, *way.evidence)
            yield _Way(way.market, way.asset, way.part, path, read, "derived")
