"""Forecasts for protocols, markets and pools through the value that they hold: how far it moves while nobody pays in or takes out.

With w the USD of what is held that moves with each forecast asset, as shares of all that is held, D the assets' forecast deviations and R their correlations
(`aftershock.forecast_shocks`), the variance of the value's return is w' D R D w: closed, and exact for simple returns. Its quantiles are those of ln(1 + sum of w (exp r - 1)) over
draws of the same joint law brought to each asset's own calibrated quantiles, so that what holds one asset has that asset's range. A held asset moves with its own prices, else with what is finally behind it.

Not in it: flows, liquidations and rebalancing of pools within the horizon, and prices of what no series was given for, which are taken to stand still; how much that is stands beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np
import pandas as pd

from aftershock.forecast_shocks import ShockLaw, law_of_forecasts
from aftershock.forecasting.forecasts import QUANTILES, Forecasts
from aftershock.forecasting.hourly_prices import Priced, price_names
from chain.errors import InputError
from chain.files.price_files import folded
from graph.exposures.counted import deposits_of
from graph.lookthrough import look_through
from graph.protocol_graph import ProtocolGraph
from models.calibration import LEVELS
from models.panel import FloatArray

DRAWS = 100_000
LEAST_SHARE = 1e-9
KINDS = ("protocol", "market", "pool")


@dataclass(frozen=True)
class ValueForecast:
    """How far the value that a node holds will move.

    Attributes
    ----------
    node, label, kind : of the graph.
    value_usd : all that it holds at the snapshot's block.
    moved_usd : USD that moves with each of the law's assets, by symbol; what is left of the value is taken to stand still.
    still : symbols that no series was given for, with their USD, largest first.
    variance : of the return of the value over the horizon.
    quantiles : of its log return, at `models.calibration.LEVELS`.
    shares : of the variance that each of the law's assets brings (its part of w' D R D w); they add up to 1, a hedge counts below zero.
    """

    node: str
    label: str
    kind: str
    value_usd: float
    moved_usd: dict[str, float]
    still: dict[str, float]
    variance: float
    quantiles: tuple[float, ...]
    shares: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "node": self.node,
            "label": self.label,
            "kind": self.kind,
            "value_usd": self.value_usd,
            "variance": self.variance,
            **dict(zip(QUANTILES, self.quantiles, strict=True)),
            "moved_usd": self.moved_usd,
            "still_usd": self.still,
            "variance_shares": self.shares,
        }


def law_at_last(found: Forecasts, priced: Priced) -> ShockLaw:
    """The joint law of the last instant of some forecasts."""
    table = found.table[found.table["as_of"] == found.table["as_of"].max()]
    return law_of_forecasts(table, priced.panel.select([str(name) for name in table["asset"]]))


def value_forecasts(graph: ProtocolGraph, law: ShockLaw, names: Sequence[str], seed: int) -> list[ValueForecast]:
    """Forecasts of the value that nodes hold, in the order of `names` (protocols, markets, pools: any name that `query` takes).

    Raises
    ------
    InputError, UnknownNameError
        If a name is no such node, it holds nothing of known value, or nothing that it holds moves with an asset of the law.
    """
    drawn = np.expm1(law.draw_calibrated(DRAWS, np.random.default_rng(seed)))
    return [_of(graph, law, name, drawn) for name in names]


def _of(graph: ProtocolGraph, law: ShockLaw, name: str, drawn: FloatArray) -> ValueForecast:
    node = graph.find(name)
    kind, held = holdings(graph, node)
    total = fsum(held.values())
    if not total > 0:
        raise InputError(
            f"{graph.label(node)} holds nothing whose value is known; name a protocol, market or pool that does"
        )
    moved, still = moved_by(graph, law, held)
    if not any(moved.values()):
        raise InputError(
            f"nothing that {graph.label(node)} holds moves with {', '.join(law.assets[:8])}; give prices of what it holds ({', '.join(list(still)[:8])})"
        )
    weights = np.array([moved[asset] for asset in law.assets]) / total
    each = weights * (law.covariance @ weights)
    variance = float(each.sum())
    # A value that is held in full cannot fall by more than everything, so the sum is above -1.
    returns = np.log1p(drawn @ weights)
    return ValueForecast(
        node,
        graph.label(node),
        kind,
        total,
        {asset: usd for asset, usd in moved.items() if usd},
        still,
        variance,
        tuple(float(quantile) for quantile in np.quantile(returns, LEVELS)),
        {asset: float(part / variance) for asset, part in zip(law.assets, each, strict=True) if part},
    )


def holdings(graph: ProtocolGraph, node: str) -> tuple[str, dict[str, float]]:
    """Kind of a node and USD that it holds, by asset: a market's supplies, a pool's reserves, all deposits of a protocol.

    Raises
    ------
    InputError
        If the node is none of these.
    """
    kind = next((kind for kind in KINDS if node in set(graph.nodes[kind]["node"])), None)
    if kind is None:
        raise InputError(f"{graph.label(node)} is no {', '.join(KINDS[:2])} or {KINDS[2]}; name one, such as aave-v3")
    if kind == "protocol":
        table = deposits_of(graph)
        table = table[table["protocol"] == node].rename(columns={"gross_usd": "usd"})
    elif kind == "market":
        lists = graph.relations["lists"]
        table = lists[lists["source"] == node].rename(columns={"target": "asset", "supplied_usd": "usd"})
    else:
        trades = graph.relations["trades_in"]
        table = trades[trades["target"] == node].rename(columns={"source": "asset", "reserve_usd": "usd"})
    sums = table.assign(usd=pd.to_numeric(table["usd"]).fillna(0.0)).groupby("asset")["usd"].sum()
    return kind, {str(asset): float(usd) for asset, usd in sums.items() if usd > 0}


def moved_by(graph: ProtocolGraph, law: ShockLaw, held: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """USD that moves with each asset of the law, and what stands still, by symbol, largest first.

    An asset with prices of its own (by symbol, or wrapped: WETH for ETH) moves with those; any other with what is finally behind it (`graph.lookthrough`), as far as that has prices.
    A stablecoin without prices of its own stands still: its price follows a promise.
    """
    symbols = price_names(law.assets)
    kinds = graph.nodes["asset"].set_index("node")["kind"].to_dict()
    behind = look_through(graph)

    def mover(path: Sequence[str]) -> str | None:
        for key in path:
            if (found := symbols.get(folded(graph.label(key)))) is not None:
                return found
            if kinds.get(key) == "stablecoin":
                return None
        return None

    moved = dict.fromkeys(law.assets, 0.0)
    still: dict[str, float] = {}
    for key, usd in held.items():
        left = usd
        if (own := symbols.get(folded(graph.label(key)))) is not None:
            moved[own] += usd
            continue
        for path in behind.paths(key):
            if path.share is not None and (name := mover(path.assets)) is not None:
                moved[name] += usd * path.share
                left -= usd * path.share
        if left > LEAST_SHARE * usd:
            still[graph.label(key)] = still.get(graph.label(key), 0.0) + left
    return moved, dict(sorted(still.items(), key=lambda item: -item[1]))
