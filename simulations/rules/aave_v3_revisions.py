"""How liquidations differ between revisions of Aave V3: one table, read by `aave_v3` and `aave_v3_float`.

Balances, values and health factors differ too; their table is `chain.accounting.aave_v3.ROUNDINGS`. Sources: LiquidationLogic,
ValidationLogic, ScaledBalanceTokenBase and PercentageMath of @aave/core-v3 1.19.3 (which reports 1) and aave-v3-origin 3.6.0 (10), both
compared with the running contracts; the other rows follow the sources at the tags of their versions and nobody has run them.
"""

from dataclasses import dataclass
from typing import Literal

from chain.errors import InputError
from chain.units import Rounding

WriteOff = Literal["never", "no value left", "no units left"]


@dataclass(frozen=True)
class Revision:
    """One row.

    Attributes
    ----------
    version : version of the protocol that reports this revision.
    whole_position : True where at most half of the whole position's debt is repaid and a pair under 2,000 is repaid whole and no
        leftover under 1,000 may remain (from 3.3); False where the half is of one reserve's debt and there is no such rule.
    max_collateral : collateral for a debt, x bonus.
    debt_needed : debt for all the collateral, / bonus.
    without_bonus : the part of what is seized that is not bonus, / bonus.
    fee : bonus part x protocol fee.
    supply_burnt, debt_burnt : amount x 10**27 / index when receipt and debt tokens are burnt; receipt tokens of the fee like `supply_burnt`.
    writes_off : when what is still owed becomes the market's loss: never (to 3.2; it stays and accrues), when the collateral's value is
        used up (3.3 to 3.6), when its last unit is (3.7).
    refuses_self : whether the borrower may not be the liquidator.
    checked : whether the row was compared with a running contract.
    """

    version: str
    whole_position: bool
    max_collateral: Rounding
    debt_needed: Rounding
    without_bonus: Rounding
    fee: Rounding
    supply_burnt: Rounding
    debt_burnt: Rounding
    writes_off: WriteOff
    refuses_self: bool
    checked: bool = False


REVISIONS: dict[int, Revision] = {
    1: Revision(
        "3.0.2", False, "half_up", "half_up", "half_up", "half_up", "half_up", "half_up", "never", False, checked=True
    ),
    4: Revision("3.1", False, "half_up", "half_up", "half_up", "half_up", "half_up", "half_up", "never", False),
    5: Revision("3.2", False, "half_up", "half_up", "half_up", "half_up", "half_up", "half_up", "never", False),
    6: Revision("3.2.1", False, "half_up", "half_up", "half_up", "half_up", "half_up", "half_up", "never", False),
    7: Revision("3.3", True, "half_up", "half_up", "half_up", "half_up", "half_up", "half_up", "no value left", False),
    8: Revision("3.4", True, "half_up", "half_up", "half_up", "half_up", "half_up", "half_up", "no value left", True),
    9: Revision("3.5", True, "half_up", "ceil", "half_up", "half_up", "ceil", "floor", "no value left", True),
    10: Revision(
        "3.6", True, "half_up", "ceil", "half_up", "half_up", "ceil", "floor", "no value left", True, checked=True
    ),
    11: Revision("3.7", True, "floor", "ceil", "floor", "ceil", "ceil", "floor", "no units left", True),
}


def revision_row(revision: int | None) -> Revision:
    """The row of a POOL_REVISION; InputError for one that is not in the table."""
    if revision not in REVISIONS:
        raise InputError(
            f"the liquidation rules of Aave V3 POOL_REVISION {revision} are not written; written are {', '.join(map(str, REVISIONS))}"
        )
    return REVISIONS[revision]
