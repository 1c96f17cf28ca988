"""Our Aave V2 rule against the deployed contracts of 1.0.1: the same liquidation in both, compared to the smallest unit.

The contracts' own account of what happened (receipt, stored balances, principals, cash, flags, health factor) is the oracle; indices and
fixed debts inside the call's block come from our formulas. 200 calls in the quick tier, 2,000 in the longer one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from chain.accounting import aave_v2 as interest
from chain.accounting import aave_v3 as accounting
from chain.units import Rounding, mul_div
from simulations.rules import aave_v2, aave_v2_float
from simulations.rules.aave_v3_float import FloatLeg, FloatOutcome
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.devnet import aave_v2 as devnet
from tests.devnet.aave_v2 import PACKAGE
from tests.devnet.assets import fund
from tests.devnet.market import RESERVES
from tests.devnet.transactions import address_of
from tests.devnet.world import World
from tests.simulations.liquidation_bench_aave_v2 import LIQUIDATOR, Bench, Call
from tests.simulations.liquidation_draws import SYMBOLS
from tests.simulations.liquidation_draws_aave_v2 import Draw, draw, draw_coarse

pytestmark = pytest.mark.devnet

Drawing = Callable[[np.random.Generator, Mapping[str, tuple[float, float]]], Draw]
SEED, COARSE = 21, 20
NEAR, TIE = 1e-2, 1e-9
FLOAT_RELATIVE, FLOAT_UNITS = 1e-9, 2
THRESHOLDS = ("health factor 1", "collateral just enough")
BALANCE_ROUNDINGS = ("supply_balance", "debt_balance", "debt_value")
REASONS = {
    "LP_IS_PAUSED",
    "VL_NO_ACTIVE_RESERVE",
    "LPCM_HEALTH_FACTOR_NOT_BELOW_THRESHOLD",
    "LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED",
    "LPCM_SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER",
    "LPCM_NOT_ENOUGH_LIQUIDITY_TO_LIQUIDATE",
}
NOT_OF_AMOUNTS = {"LP_IS_PAUSED", "VL_NO_ACTIVE_RESERVE", "LPCM_NOT_ENOUGH_LIQUIDITY_TO_LIQUIDATE"}


@dataclass(frozen=True)
class Case:
    """One attempted liquidation: what the rule was given and said, what the contract did."""

    position: Position
    collateral: int
    debt: int
    call: Call
    said: Liquidation | Refusal
    about: FloatOutcome

    def rule(self) -> Liquidation | Refusal:
        """The rule asked again."""
        drawn = self.call.draw
        return aave_v2.liquidate(self.position, self.collateral, self.debt, drawn.cover, drawn.for_receipts)


@dataclass(frozen=True)
class Run:
    """All cases, those with tokens of no decimals, and the bench with which a position can be put together again."""

    bench: Bench
    cases: list[Case]
    coarse: list[Case]


@pytest.fixture(
    scope="module",
    params=[pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.verify)],
)
def run(request: pytest.FixtureRequest, devnet_world: World) -> Run:
    """Seeded random liquidations on a deployed market."""
    with devnet_world.undone():
        bench = Bench(devnet_world)
        rng = np.random.default_rng(SEED + request.param)
        return Run(bench, list(_cases(bench, request.param, rng, draw)), list(_cases(bench, COARSE, rng, draw_coarse)))


def _cases(bench: Bench, states: int, rng: np.random.Generator, drawing: Drawing) -> Iterator[Case]:
    for _ in range(states):
        call = bench.call(drawing(rng, bench.next_indices()))
        position = bench.position(call)
        collateral, debt = SYMBOLS.index(call.draw.collateral), SYMBOLS.index(call.draw.owed)
        said = aave_v2.liquidate(position, collateral, debt, call.draw.cover, call.draw.for_receipts)
        legs = [_float_leg(leg) for leg in position.legs]
        cover = call.draw.cover / 10 ** position.legs[debt].decimals
        yield Case(position, collateral, debt, call, said, aave_v2_float.liquidate(legs, collateral, debt, cover))


def _float_leg(leg: Leg) -> FloatLeg:
    unit = 10**leg.decimals
    like = interest.ACCOUNTS_LIKE_V3_REVISION
    variable = accounting.debt_balance(leg.debt_stored, leg.reserve.debt_index, like)
    return FloatLeg(
        supply=accounting.supply_balance(leg.supply_stored, leg.reserve.supply_index, like) / unit,
        debt=(variable + leg.fixed_debt_raw) / unit,
        price=leg.price_raw / 1e18,
        enabled=leg.enabled and leg.threshold_bps > 0,
        threshold_ratio=leg.threshold_bps / 1e4,
        bonus_ratio=leg.bonus_bps / 1e4,
        fee_ratio=0.0,
        unit=1 / unit,
    )


def test_the_draws_are_hard(run: Run) -> None:
    total, done = len(run.cases), [case for case in run.cases if case.call.events]
    plain = [case for case in run.cases if not case.call.draw.paused and not case.call.draw.inactive]
    near = Counter(
        name for case in plain for name in THRESHOLDS if abs(case.about.margins.get(name, 1)) <= NEAR
    )  # fmt: skip
    counts = {
        "within 1 % of a threshold": sum(
            any(abs(case.about.margins.get(name, 1)) <= NEAR for name in THRESHOLDS) for case in plain
        ),
        "three or more collaterals": sum(len(case.call.draw.enabled) >= 3 for case in run.cases),
        "6 decimals": sum(_decimals(case, 6) for case in run.cases),
        "18 decimals": sum(_decimals(case, 18) for case in run.cases),
        "indices not round": sum(_odd_indices(case) for case in run.cases),
        "liquidated": len(done),
        "all collateral taken": sum(case.about.margins.get("collateral just enough", -1) >= 0 for case in done),
        "variable and fixed repaid at once": sum(
            isinstance(case.said, Liquidation)
            and 0 < case.said.fixed_repaid_raw < case.said.repaid_raw
            for case in done
        ),
        "only fixed repaid": sum(
            isinstance(case.said, Liquidation) and case.said.fixed_repaid_raw == case.said.repaid_raw for case in done
        ),
        "receipt tokens taken": sum(case.call.draw.for_receipts for case in done),
        "by the borrower": sum(case.call.draw.by_borrower for case in done),
    }  # fmt: skip
    least = {
        "within 1 % of a threshold": 0.3,
        "three or more collaterals": 0.2,
        "6 decimals": 0.2,
        "18 decimals": 0.2,
        "indices not round": 1.0,
        "liquidated": 0.4,
        "all collateral taken": 0.05,
        "variable and fixed repaid at once": 0.05,
        "only fixed repaid": 0.05,
        "receipt tokens taken": 0.05,
        "by the borrower": 0.002,
    }
    print(f"\nAave V2: {total} states, {counts}, near {dict(near)}")  # noqa: T201
    assert not [name for name, share in least.items() if counts[name] < share * total], (counts, near)
    assert not [name for name in THRESHOLDS if near[name] < 0.1 * total], near


def _decimals(case: Case, decimals: int) -> bool:
    return decimals in (RESERVES[case.call.draw.collateral].decimals, RESERVES[case.call.draw.owed].decimals)


def _odd_indices(case: Case) -> bool:
    """The staked token cannot be borrowed, so its supply earns nothing."""
    taken, owed = case.position.legs[case.collateral].reserve, case.position.legs[case.debt].reserve
    return owed.debt_index % 10**15 > 0 and (taken.supply_index % 10**15 > 0 or case.call.draw.collateral == "lstETH")


def test_interest_inside_the_call_equals_the_contract(run: Run) -> None:
    """Both indices and every fixed debt at the call's block, from what was stored at the last touch."""
    for case in run.cases:
        for symbol, leg in zip(SYMBOLS, case.position.legs, strict=True):
            after = case.call.after
            assert (leg.reserve.supply_index, leg.reserve.debt_index) == (
                after.supply_index[symbol],
                after.debt_index[symbol],
            )
            if not case.call.events or symbol != case.call.draw.owed:
                assert leg.fixed_debt_raw == after.fixed[symbol]


def test_refusals_are_predicted_with_their_reason(run: Run) -> None:
    source = (PACKAGE / "contracts" / "protocol" / "libraries" / "helpers" / "Errors.sol").read_text()
    codes = dict(re.findall(r"constant (\w+) = '(\d+)'", source))
    seen: Counter[str] = Counter()
    for case in run.cases:
        if case.call.refusal is None:
            assert isinstance(case.said, Liquidation), case
            continue
        assert isinstance(case.said, Refusal), case
        code = codes[case.said.reason]
        assert f"{len(code):064x}{code.encode().hex():0<64}" in case.call.refusal, (case.said, case.call.refusal)
        seen[case.said.reason] += 1
    print(f"\nAave V2 refused: {dict(seen)}")  # noqa: T201
    assert set(seen) >= REASONS | ({"LP_LIQUIDATION_CALL_FAILED"} if len(run.cases) >= 2_000 else set()), seen


def test_amounts_and_storage_equal_the_contract_to_the_unit(run: Run) -> None:
    cases = run.cases + run.coarse
    wrong = [(case.call.draw.aim, found) for case in cases if (found := _differences(case, case.said))]
    assert wrong == []
    assert sum(case.call.events is not None for case in run.coarse) > COARSE / 2


def _differences(case: Case, said: Liquidation | Refusal) -> list[str]:
    """What the contract did otherwise than the rule says."""
    before, after, events, drawn = case.call.before, case.call.after, case.call.events, case.call.draw
    if events is None or isinstance(said, Refusal):
        same = events is None and isinstance(said, Refusal)
        health = aave_v2.health_factor_wad(case.position)
        if same and after.account[5] != health:
            return [f"health factor: contract {after.account[5]}, rule {health}"]
        return [] if same else [f"contract {events or 'refused'}, rule {said}"]
    taken, owed = drawn.collateral, drawn.owed
    left = aave_v2.after(case.position, case.collateral, case.debt, said)
    paid_out = 0 if drawn.for_receipts else said.seized_raw
    expected = {
        "repaid": (events["repaid"], said.repaid_raw),
        "seized": (events["seized"], said.seized_raw),
        "collateral": (after.account[0], aave_v2.account(left).collateral_base),
        "debt": (after.account[1], aave_v2.account(left).debt_base),
        "average threshold": (after.account[3], aave_v2.account(left).liquidation_threshold_bps),
        "health factor": (after.account[5], aave_v2.health_factor_wad(left)),
        "no deficit": (0, sum(said.deficit_raw)),
        "no fee": (0, said.fee_raw + said.fee_stored),
    }
    for symbol, leg in zip(SYMBOLS, left.legs, strict=True):
        moved = said.repaid_raw * (symbol == owed) - paid_out * (symbol == taken)
        receipts = said.supply_burnt * (symbol == taken and drawn.for_receipts)
        expected |= {
            f"supply {symbol}": (after.supply[symbol], leg.supply_stored),
            f"variable debt {symbol}": (after.debt[symbol], leg.debt_stored),
            f"fixed debt {symbol}": (after.fixed[symbol], leg.fixed_debt_raw),
            f"cash {symbol}": (after.cash[symbol], before.cash[symbol] + moved),
            f"receipts {symbol}": (after.receipts[symbol], before.receipts[symbol] + receipts),
            f"counts {symbol}": (after.flags >> 2 * leg.reserve.slot + 1 & 1, int(leg.enabled)),
        }
        if not drawn.by_borrower:
            expected[f"coins {symbol}"] = (after.coins[symbol], before.coins[symbol] - moved)
    return [f"{name}: contract {seen}, rule {rule}" for name, (seen, rule) in expected.items() if seen != rule]


def _notice(cases: list[Case]) -> int:
    """How many cases the rule, as it is now, answers otherwise than the contract did."""
    return sum(bool(_differences(case, case.rule())) for case in cases)


OTHER: dict[Rounding, Rounding] = {"half_up": "floor", "floor": "ceil", "ceil": "floor"}


@pytest.mark.parametrize("name", list(aave_v2.ROUNDINGS))
def test_a_wrong_rounding_of_the_liquidation_is_noticed(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aave_v2.ROUNDINGS, name, OTHER[aave_v2.ROUNDINGS[name]])
    assert _notice(run.coarse if name == "with_bonus" else run.cases) > 0


@pytest.mark.parametrize("name", BALANCE_ROUNDINGS)
def test_a_wrong_rounding_of_the_account_is_noticed(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    like = interest.ACCOUNTS_LIKE_V3_REVISION
    row = accounting.ROUNDINGS[like]
    wrong = replace(row, **{name: OTHER[getattr(row, name)]})  # type: ignore[arg-type]
    monkeypatch.setitem(accounting.ROUNDINGS, like, wrong)
    assert _notice(run.cases) > 0


@pytest.mark.parametrize("what", ["rounded down", "the series of V3"])
def test_wrong_interest_is_noticed(run: Run, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed debts and indices rounded down, or debts that grow by V3's series, which does not cut the rate first, are off by units."""
    if what == "rounded down":
        monkeypatch.setattr(interest, "_ray_mul", lambda a, b: mul_div(a, b, 10**27))
    else:
        monkeypatch.setattr(interest, "compounded_growth", accounting.compounded)
    assert _notice([replace(case, position=run.bench.position(case.call)) for case in run.cases]) > 0


def test_the_float_twin_agrees(run: Run) -> None:
    """Amounts within 1e-9 or two smallest units; decisions equal except within 1e-9 of a threshold, where cases are counted."""
    ties, excused, compared = 0, 0, 0
    for case in run.cases:
        said, about = case.said, case.about
        if isinstance(said, Refusal) and said.reason in NOT_OF_AMOUNTS:
            continue
        wrong = _float_differences(case, said, about)
        tie = any(abs(margin) <= TIE for margin in about.margins.values())
        ties += tie
        excused += bool(tie and wrong)
        compared += 1
        assert tie or not wrong, (wrong, said, about)
    counted = f"{compared} compared, {ties} within 1e-9 of a threshold, {excused} of them decided otherwise"
    print(f"\nAave V2: {counted}")  # noqa: T201
    assert compared > 0.85 * len(run.cases) and excused < 0.02 * len(run.cases), counted


def _float_differences(case: Case, said: Liquidation | Refusal, about: FloatOutcome) -> list[str]:
    units = 10 ** case.position.legs[case.collateral].decimals, 10 ** case.position.legs[case.debt].decimals
    if isinstance(said, Refusal):
        if said.reason == "LP_LIQUIDATION_CALL_FAILED":  # an amount that rounds to nothing
            small = min(about.seized * units[0], about.repaid * units[1])
            return [] if small <= FLOAT_UNITS else [f"{small} units are not nothing"]
        return [] if about.refused == said.reason else [f"{said} {about.refused}"]
    if about.refused:
        return [about.refused]
    pairs = {
        "repaid": (said.repaid_raw / units[1], about.repaid, 1 / units[1]),
        "seized": (said.seized_raw / units[0], about.seized, 1 / units[0]),
    }
    return [
        f"{name}: exact {exact!r}, float {value!r}"
        for name, (exact, value, unit) in pairs.items()
        if abs(exact - value) > max(FLOAT_RELATIVE * abs(exact), FLOAT_UNITS * unit)
    ]


def test_the_float_health_factor_agrees(run: Run) -> None:
    for case in run.cases:
        exact = aave_v2.health_factor_wad(case.position)
        said = aave_v2_float.health_factor([_float_leg(leg) for leg in case.position.legs])
        assert said == pytest.approx(exact / 1e18, rel=1e-9)


def test_a_market_in_use_counts_in_ether(devnet_world: World) -> None:
    """An account that came about by deposits and loans alone: 10 ether against dollars at both kinds of rate, and a price that moves."""
    world, owner = devnet_world, address_of("v2 ordinary borrower")
    prices = dict.fromkeys(SYMBOLS, 10**15) | {"USDC": 5 * 10**14, "DAI": 4 * 10**14}
    with world.undone():
        sources = devnet.deploy_price_sources(world.ledger, prices)
        where = {symbol: str(source.address) for symbol, source in sources.items()}
        market = devnet.deploy_aave_v2(world.ledger, world.tokens, where, world.market.treasury)
        for symbol, amount, whose in (("WETH", 10, owner), ("USDC", 10**6, LIQUIDATOR), ("DAI", 10**6, LIQUIDATOR)):
            raw = amount * 10 ** RESERVES[symbol].decimals
            fund(world.ledger, world.tokens, symbol, raw)
            devnet.deposit(world.ledger, market, world.tokens[symbol], raw, whose)
        devnet.borrow(world.ledger, market, world.tokens["USDC"], 8_000 * 10**6, owner)
        devnet.borrow(world.ledger, market, world.tokens["DAI"], 9_000 * 10**18, owner, devnet.FIXED_RATE)
        world.ledger.mine()
        world.advance(100 * 86_400)
        devnet.set_price(world.node, sources["DAI"], 6 * 10**14)
        held = int(market.receipt_tokens["WETH"].functions.balanceOf(owner).call())
        variable = int(market.debt_tokens["USDC"].functions.balanceOf(owner).call())
        fixed = int(market.fixed_debt_tokens["DAI"].functions.balanceOf(owner).call())
        account = market.pool.functions.getUserAccountData(owner).call()
        assert held == 10 * 10**18 and variable > 8_000 * 10**6 and fixed > 9_000 * 10**18
        debt = variable * 5 * 10**14 // 10**6 + fixed * 6 * 10**14 // 10**18
        limit = held * RESERVES["WETH"].threshold_bps // 10**4
        assert account[:2] == [held, debt]
        assert account[5] == (limit * 10**18 + debt // 2) // debt < 10**18
