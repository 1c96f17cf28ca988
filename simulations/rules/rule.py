"""What every liquidation rule is given and what it answers. A rule is a module of pure functions; theories differ by the module.

A rule module offers the functions of `Rule`; `simulations.rules.rule_of` finds the module of a market's family.
"""

from dataclasses import dataclass
from typing import Protocol

from chain.units import UINT256_MAX
from simulations.book import Reserve

NO_DEBT = UINT256_MAX

PAUSES = frozenset(
    {"ReservePaused", "LiquidationGraceSentinelCheckFailed", "LP_IS_PAUSED", "seize is paused", "paused"}
)
"""Refusals of whatever size, because somebody has switched liquidation off: a pause, or the grace period after one. Aave V3's
validateLiquidationCall, Aave V2's whenNotPaused, Compound V2's seizeAllowed, and the word of rules that have no name for it."""


@dataclass(frozen=True)
class Leg:
    """One reserve in one position, as the rule sees it: stored units, terms after the position's category, oracle price now.

    `held_raw` is what the market can pay out of this asset now; `fixed_debt_raw` is owed at a fixed rate, interest included, in smallest
    units (0 where a protocol has no such debts).
    """

    reserve: Reserve
    decimals: int
    held_raw: int
    supply_stored: int
    debt_stored: int
    enabled: bool
    threshold_bps: int
    bonus_bps: int
    price_raw: int
    fixed_debt_raw: int = 0


@dataclass(frozen=True, eq=False)
class Position:
    """Everything one health factor is computed from; `now` is the time in seconds. Two of them are never equal, so that what is worked
    out about one can be kept with it."""

    legs: tuple[Leg, ...]
    revision: int | None
    now: int


@dataclass(frozen=True)
class Liquidation:
    """What one liquidation does. Amounts in smallest units, burnt amounts in stored units; one entry a leg where it says so.

    `seized_raw` goes to the liquidator, `fee_raw` (or `fee_stored`) to the protocol. `debt_burnt` is per leg: what was repaid and what
    was written off; `deficit_raw` per leg is the part written off as a loss of the market. `fixed_repaid_raw` is the part of `repaid_raw`
    that goes against debt at a fixed rate.
    """

    repaid_raw: int
    seized_raw: int
    fee_raw: int
    supply_burnt: int
    fee_stored: int
    debt_burnt: tuple[int, ...]
    deficit_raw: tuple[int, ...]
    fixed_repaid_raw: int = 0


@dataclass(frozen=True)
class Refusal:
    """Why the contract would refuse, by the name of its own error."""

    reason: str

    @property
    def is_pause(self) -> bool:
        """Whether nothing but a pause stands in the way."""
        return self.reason in PAUSES


class Rule(Protocol):
    """The functions of a rule module."""

    def require_revision(self, revision: int | None) -> None:
        """InputError unless the rules of this revision are written."""

    def health_factor_wad(self, position: Position) -> int:
        """Health factor x 1e18; NO_DEBT without debt."""

    def debt_raw(self, position: Position, number: int) -> int:
        """Debt of leg `number` in smallest units, with the protocol's rounding."""

    def liquidate(self, position: Position, collateral: int, debt: int, debt_to_cover: int) -> Liquidation | Refusal:
        """Repay `debt_to_cover` (or the most allowed) of leg `debt` and take leg `collateral`."""
