"""How a Compound V2 market earns interest: by the block, at its jump rate, and what its cTokens are worth. Exact integers.

Source: CToken.accrueInterest, exchangeRateStoredInternal, borrowBalanceStoredInternal, seizeInternal, repayBorrowFresh,
Comptroller.getHypotheticalAccountLiquidityInternal and BaseJumpRateModelV2.getBorrowRateInternal (compound-protocol as in npm @thenextblock/hardhat-compound 0.0.14, dist/contracts).
A liquidation accrues the two markets that it touches and no other.
"""

from dataclasses import dataclass, replace

from chain.errors import InputError
from chain.units import WAD


@dataclass(frozen=True)
class RateModel:
    """Rates a block, 1e-18: `base` at no use, `multiplier` per use up to the `kink`, `jump` per use beyond it."""

    base: int
    multiplier: int
    jump: int
    kink: int


@dataclass(frozen=True)
class Market:
    """One cToken at its last accrual.

    Attributes
    ----------
    cash_raw, borrows_raw, reserves_raw : smallest units of the underlying.
    ctokens : all cTokens.
    borrow_index, reserve_factor : 1e-18.
    accrued_at : number of the block.
    """

    cash_raw: int
    borrows_raw: int
    reserves_raw: int
    ctokens: int
    borrow_index: int
    reserve_factor: int
    accrued_at: int

    @property
    def supplied_raw(self) -> int:
        """What all cTokens together are worth, smallest units."""
        return self.cash_raw + self.borrows_raw - self.reserves_raw


def exchange_rate(supplied_raw: int, ctokens: int) -> int:
    """Smallest units of the underlying per cToken, 1e-18."""
    return supplied_raw * WAD // ctokens


def borrow_balance(principal: int, index_then: int, index_now: int) -> int:
    """What an account owes, smallest units: its principal and the market's index when that was written, and the index now."""
    return principal * index_now // index_then if principal else 0


def weighted_value(ctokens: int, factor_wad: int, rate: int, price: int) -> int:
    """Value of cTokens times their collateral factor, in the oracle's currency x 1e18; the product of the three is truncated in the contract's order."""
    return factor_wad * rate // WAD * price // WAD * ctokens // WAD


def borrow_rate(market: Market, model: RateModel) -> int:
    """Rate a block, 1e-18."""
    use = market.borrows_raw * WAD // market.supplied_raw if market.borrows_raw else 0
    below = min(use, model.kink) * model.multiplier // WAD + model.base
    return below + max(use - model.kink, 0) * model.jump // WAD


def accrue(market: Market, model: RateModel, block: int) -> Market:
    """The market after accrueInterest in a block; simple interest since the last accrual.

    Raises
    ------
    InputError
        If the block lies before the last accrual.
    """
    if block < market.accrued_at:
        raise InputError(f"the market accrued interest in block {market.accrued_at}, which is after {block}")
    growth = borrow_rate(market, model) * (block - market.accrued_at)
    interest = growth * market.borrows_raw // WAD
    return replace(
        market,
        borrows_raw=market.borrows_raw + interest,
        reserves_raw=market.reserves_raw + market.reserve_factor * interest // WAD,
        borrow_index=market.borrow_index + growth * market.borrow_index // WAD,
        accrued_at=block,
    )


def repaid(market: Market, amount_raw: int) -> Market:
    """The market after a repayment."""
    return replace(market, cash_raw=market.cash_raw + amount_raw, borrows_raw=market.borrows_raw - amount_raw)


def seized(market: Market, protocol_ctokens: int, protocol_raw: int) -> Market:
    """The market after a seizure: the protocol's part of the cTokens is burnt, what it is worth goes to the reserves."""
    return replace(market, reserves_raw=market.reserves_raw + protocol_raw, ctokens=market.ctokens - protocol_ctokens)
