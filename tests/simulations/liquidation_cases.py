"""One attempted liquidation on an Aave V3 bench: what the rule was given and said, in integers and floats, and what the contract did otherwise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from chain.accounting import aave_v3 as accounting
from simulations.rules import aave_v3, aave_v3_float
from simulations.rules.aave_v3_float import FloatLeg, FloatOutcome
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.simulations.contract_state import Bench, Call
from tests.simulations.liquidation_draws import SYMBOLS, draw
from tests.simulations.liquidation_laws import FLOAT_UNITS, beyond


@dataclass(frozen=True)
class Case:
    """One attempted liquidation: what the rule was given and said, what the contract did."""

    position: Position
    collateral: int
    debt: int
    call: Call
    ltv_bps: tuple[int, ...]
    said: Liquidation | Refusal
    about: FloatOutcome

    @property
    def seconds(self) -> float:
        """How long the node took for the transaction."""
        return self.call.seconds

    def rule(self) -> Liquidation | Refusal:
        """The rule asked again."""
        drawn = self.call.draw
        return aave_v3.liquidate(self.position, self.collateral, self.debt, drawn.cover, drawn.by_borrower)

    def twin(self) -> FloatOutcome:
        """The float twin asked again."""
        return self.prepared_twin()()

    def prepared_twin(self) -> Callable[[], FloatOutcome]:
        """The float twin with the account already in floats."""
        cover = self.call.draw.cover / 10 ** self.position.legs[self.debt].decimals
        revision = self.position.revision or 0
        return partial(aave_v3_float.liquidate, self.float_legs(), self.collateral, self.debt, cover, revision)

    def float_legs(self) -> list[FloatLeg]:
        """The account in floats."""
        return [_float_leg(leg, self.position.revision or 0) for leg in self.position.legs]

    def differences(self, said: Liquidation | Refusal) -> list[str]:
        """What the contract did otherwise than the rule says."""
        return _differences(self, said)


def cases(bench: Bench, states: int, rng: np.random.Generator) -> Iterator[Case]:
    """Seeded random liquidations on a deployed market."""
    for _ in range(states):
        call = bench.call(draw(rng, bench.next_indices(), category_price=bench.revision == 1))
        position = bench.position(call)
        collateral, debt = SYMBOLS.index(call.draw.collateral), SYMBOLS.index(call.draw.owed)
        ltv = tuple(bench.terms(call.draw, symbol).ltv_bps for symbol in SYMBOLS)
        nothing = FloatOutcome(0.0, 0.0, 0.0, 0.0, {})
        case = Case(position, collateral, debt, call, ltv, Refusal(""), nothing)
        yield Case(position, collateral, debt, call, ltv, case.rule(), case.twin())


def _differences(case: Case, said: Liquidation | Refusal) -> list[str]:
    """What the contract did otherwise than the rule says."""
    before, after, events = case.call.before, case.call.after, case.call.events
    if events is None or isinstance(said, Refusal):
        same = events is None and isinstance(said, Refusal)
        health = aave_v3.health_factor_wad(case.position)
        if same and after.account[5] != health:
            return [f"health factor: contract {after.account[5]}, rule {health}"]
        return [] if same else [f"contract {events or 'refused'}, rule {said}"]
    taken, owed = SYMBOLS[case.collateral], SYMBOLS[case.debt]
    left = aave_v3.after(case.position, case.collateral, said)
    moved = {symbol: said.repaid_raw * (symbol == owed) - said.seized_raw * (symbol == taken) for symbol in SYMBOLS}
    expected = {
        "repaid": (events["repaid"], said.repaid_raw),
        "seized": (events["seized"], said.seized_raw),
        "treasury": (after.treasury[taken], before.treasury[taken] + said.fee_stored),
        "health factor": (after.account[5], aave_v3.health_factor_wad(left)),
    }
    for number, symbol in enumerate(SYMBOLS):
        leg = left.legs[number]
        expected |= {
            f"supply {symbol}": (after.supply[symbol], leg.supply_stored),
            f"debt {symbol}": (after.debt[symbol], leg.debt_stored),
            f"deficit {symbol}": (after.deficit[symbol], before.deficit[symbol] + said.deficit_raw[number]),
            f"cash {symbol}": (after.cash[symbol], before.cash[symbol] + moved[symbol]),
            f"counts {symbol}": (after.flags >> 2 * leg.reserve.slot + 1 & 1, int(leg.enabled)),
        }
    return [f"{name}: contract {seen}, rule {rule}" for name, (seen, rule) in expected.items() if seen != rule]


def _float_leg(leg: Leg, revision: int) -> FloatLeg:
    unit = 10**leg.decimals
    return FloatLeg(
        supply=accounting.supply_balance(leg.supply_stored, leg.reserve.supply_index, revision) / unit,
        debt=accounting.debt_balance(leg.debt_stored, leg.reserve.debt_index, revision) / unit,
        price=leg.price_raw / 1e8,
        enabled=leg.enabled and not (accounting.roundings(revision).needs_own_threshold and leg.threshold_bps == 0),
        threshold_ratio=leg.threshold_bps / 1e4,
        bonus_ratio=leg.bonus_bps / 1e4,
        fee_ratio=leg.reserve.fee_bps / 1e4,
        unit=1 / unit,
    )


def float_differences(case: Case) -> list[str] | None:
    """What the twin says otherwise than the integers; None where the decision does not depend on amounts."""
    said, about = case.said, case.about
    if isinstance(said, Refusal) and said.reason in ("ReservePaused", "ReserveInactive", "SelfLiquidation"):
        return None
    units = 10 ** case.position.legs[case.collateral].decimals, 10 ** case.position.legs[case.debt].decimals
    if isinstance(said, Refusal):
        if said.reason == "InvalidBurnAmount":  # an amount that rounds to nothing
            small = min(about.seized * units[0], about.repaid * units[1])
            return [] if small <= FLOAT_UNITS else [f"{small} units are not nothing"]
        return [] if about.refused == said.reason else [f"{said} {about.refused}"]
    lost = sum(
        raw / 10**leg.decimals * leg.price_raw / 1e8
        for raw, leg in zip(said.deficit_raw, case.position.legs, strict=True)
    )
    unit_usd = sum(leg.price_raw / 1e8 / 10**leg.decimals for leg in case.position.legs if leg.debt_stored)
    pairs = {
        "repaid": (said.repaid_raw / units[1], about.repaid, 1 / units[1]),
        "seized": (said.seized_raw / units[0], about.seized, 1 / units[0]),
        "fee": (said.fee_raw / units[0], about.fee, 1 / units[0]),
        "deficit": (lost, about.deficit, unit_usd),
    }
    if about.refused:
        return [about.refused]
    return [
        f"{name}: exact {exact!r}, float {value!r}"
        for name, (exact, value, unit) in pairs.items()
        if beyond(exact, value, unit)
    ]
