"""What a run leaves behind: every round, and positions and markets before and after; `simulations.result_rows` makes the tables."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import fsum
from typing import Any

import numpy as np
import pandas as pd

from simulations.frontier import MarketFrontier
from simulations.identities import Identities
from simulations.scenarios import Scenario

WAITS = ("paused", "unprofitable", "dust_held", "refused")
"""Why a position that could be liquidated is not, the first that applies; the words are those of `simulations.frontier.MarketFrontier`."""


@dataclass(frozen=True)
class Waiting:
    """Positions that could be liquidated at the end of a run and are not, for one reason (of WAITS): how many, and what they owe in USD."""

    why: str
    positions: int
    debt_usd: float


@dataclass(frozen=True)
class Round:
    """One round. Market prices are by asset key in USD per whole token; `bad_debt_usd` is by market and counts what is new in this
    round; `waiting` positions have collateral and are liquidatable, and nobody does it; `waiting_debt_usd` is what they owe, by market.

    `liquidations` has one row each: market, position_id, collateral_asset, debt_asset (symbols), repaid_raw, seized_raw, fee_raw,
    repaid_usd, seized_usd (fee included), deficit_usd, profit_usd. `sales`: pool, sold_asset, bought_asset, amount_in_raw,
    amount_out_raw, sold_usd. USD at the market prices at which the round began.
    """

    number: int
    market_price_usd: dict[str, float]
    liquidations: pd.DataFrame
    sales: pd.DataFrame
    bad_debt_usd: dict[str, float]
    waiting: int
    waiting_debt_usd: dict[str, float]

    @property
    def liquidated_usd(self) -> float:
        """Collateral taken in this round, protocol fee included."""
        return float(self.liquidations["seized_usd"].sum())


@dataclass(frozen=True)
class CascadeResult:
    """Everything a run did. `positions` and `markets` compare before the shock with the end; see `simulations.cascade.run` for their columns.

    `market_price_before_usd`: by asset key in USD per whole token, before the shock; what rounds' `market_price_usd` are compared with.
    `frontier`: what liquidation cannot mend, by market, "before" the shock and "after" the run (`simulations.frontier`).
    `notes`: what a reader must know about the rules that were used, one sentence a market; empty if there is nothing to say.
    """

    scenario: Scenario
    rounds: tuple[Round, ...]
    positions: pd.DataFrame
    markets: pd.DataFrame
    identities: Identities
    content_id: str
    market_price_before_usd: Mapping[str, float]
    caption: str = ""
    frontier: Mapping[str, tuple[MarketFrontier, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def waiting(self, markets: Collection[str] | None = None) -> tuple[Waiting, ...]:
        """Who waits at the end in these markets (all by default), by reason, in the order of WAITS."""
        rows = self.positions if markets is None else self.positions[self.positions["market"].isin(list(markets))]
        parts = {why: rows.loc[rows["waits"] == why, "debt_after_usd"] for why in WAITS}
        return tuple(Waiting(why, len(owed), float(owed.sum())) for why, owed in parts.items() if len(owed))

    @property
    def liquidated_usd(self) -> float:
        """Collateral taken in all rounds."""
        return fsum(step.liquidated_usd for step in self.rounds)

    def price_change_ratio(self, asset: str, step: Round) -> float:
        """Market price of an asset after a round against the same market price before the shock; NaN where it has none."""
        nan = float("nan")
        return step.market_price_usd.get(asset, nan) / self.market_price_before_usd.get(asset, nan) - 1

    @property
    def direct_usd(self) -> float:
        """Bad debt of round 1: what the shock alone does."""
        return direct_and_indirect_usd(self.rounds)[0]

    @property
    def indirect_usd(self) -> float:
        """Bad debt of all later rounds: what forced sales do."""
        return direct_and_indirect_usd(self.rounds)[1]

    @property
    def bad_debt_usd(self) -> float:
        """All bad debt that the shock and the cascade add to what was there before; never below 0, since `relief_usd` is counted by itself."""
        return self.direct_usd + self.indirect_usd

    @property
    def relief_usd(self) -> float:
        """By how much less of the debt that was under water before the shock is uncovered at the end: collateral rose or what is owed fell in price, nobody paid."""
        return float(self.markets["relief_usd"].sum())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: amounts in smallest units as text, infinite health factors as None."""
        return {
            "content_id": self.content_id,
            "caption": self.caption,
            "notes": list(self.notes),
            "scenario": self.scenario.to_dict(),
            "totals": {
                name: getattr(self, name)
                for name in ("liquidated_usd", "bad_debt_usd", "direct_usd", "indirect_usd", "relief_usd", "calm_after")
            },
            "waiting": [asdict(part) for part in self.waiting()],
            "market_price_before_usd": dict(self.market_price_before_usd),
            "markets": _plain(self.markets),
            "frontier": {when: [one.to_dict() for one in markets] for when, markets in self.frontier.items()},
            "positions": _plain(self.positions),
            "rounds": [
                {
                    "number": step.number,
                    "liquidated_usd": step.liquidated_usd,
                    "bad_debt_usd": step.bad_debt_usd,
                    "waiting": step.waiting,
                    "waiting_debt_usd": step.waiting_debt_usd,
                    "market_price_usd": step.market_price_usd,
                    "liquidations": _plain(step.liquidations),
                    "sales": _plain(step.sales),
                }
                for step in self.rounds
            ],
            "identities": asdict(self.identities),
        }

    @property
    def calm_after(self) -> int:
        """Rounds until calm: those in which somebody was liquidated, so the number of the last of them; the round that finds nobody is not counted."""
        return sum(len(step.liquidations) > 0 for step in self.rounds)


def direct_and_indirect_usd(rounds: Sequence[Round]) -> tuple[float, float]:
    """Bad debt of the first round, and of all later ones."""
    first, *later = (fsum(step.bad_debt_usd.values()) for step in rounds)
    return first, fsum(later)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them."""
    columns = {name: table[name].tolist() for name in table.columns}
    for name, values in columns.items():
        if name.endswith("_raw"):
            columns[name] = [str(value) for value in values]
        elif table[name].dtype == np.float64:
            columns[name] = [value if np.isfinite(value) else None for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
