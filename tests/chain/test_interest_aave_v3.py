"""Interest over a year in random steps against the deployed contracts of 3.0.2 and 3.6: our reserve runs free and must never leave theirs.

Only the first state is read; from then on every index, rate and treasury share is computed, from the amounts that were moved and the time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from web3.contract import Contract

from chain.accounting.aave_v3_interest import RateModel, Reserve, compounded_growth, indices_at, touch
from chain.errors import InputError
from chain.units import RAY
from tests.devnet.market import RESERVES
from tests.devnet.world import World
from tests.simulations.contract_state import Bench
from tests.simulations.liquidation_bench import bench_36, bench_302

YEAR = 365 * 86_400
SEED = 5
ASSETS = ("USDC", "DAI", "WETH", "WBTC")
BENCHES: dict[int, Callable[[World], Bench]] = {1: bench_302, 10: bench_36}


@dataclass(frozen=True)
class Step:
    """What a transaction did to one asset, and the contract's reserve after it."""

    asset: str
    now: int
    cash_raw: int
    debt_raw: int
    contract: Reserve
    normalized: tuple[int, int]


@dataclass(frozen=True)
class Year:
    """A year of steps and the state before them, by asset."""

    revision: int
    first: dict[str, Reserve]
    steps: list[Step]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((1, 60), id="3.0.2"),
        pytest.param((10, 60), id="3.6"),
        pytest.param((1, 1_000), id="3.0.2-1000", marks=pytest.mark.verify),
        pytest.param((10, 1_000), id="3.6-1000", marks=pytest.mark.verify),
    ],
)
def year(request: pytest.FixtureRequest, devnet_world: World) -> Year:
    """Random supplies, withdrawals, borrowings and repayments over a year, every asset's share of them."""
    revision, count = request.param
    with devnet_world.undone():
        bench = BENCHES[revision](devnet_world)
        rng = np.random.default_rng(SEED)
        waits = rng.dirichlet(np.full(count, 0.7)) * YEAR
        first = {asset: _read(bench, asset) for asset in ASSETS}
        return Year(revision, first, [_step(bench, rng, max(1, round(float(wait)))) for wait in waits])


def _step(bench: Bench, rng: np.random.Generator, seconds: int) -> Step:
    """Wait, then move a random amount of a random asset; amounts go from one unit to a share of the market."""
    world, asset = bench.world, str(rng.choice(ASSETS))
    token, me = world.tokens[asset].address, world.ledger.deployer
    most = world.tokens[asset].functions.balanceOf(bench.receipt_tokens[asset].address).call()
    amount = int(10 ** rng.uniform(1, np.log10(most * 0.05)))
    kind = str(rng.choice(["supply", "withdraw", "borrow", "repay"]))
    arguments: dict[str, tuple[Any, ...]] = {
        "supply": (token, amount, me, 0),
        "withdraw": (token, amount, me),
        "borrow": (token, amount, 2, 0, me),
        "repay": (token, amount, 2, me),
    }
    latest = int(world.node.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    world.node.request("evm_setNextBlockTimestamp", latest + seconds)
    world.send(kind, bench.pool, kind, *arguments[kind])
    cash = amount if kind in ("supply", "repay") else -amount
    debt = {"borrow": amount, "repay": -amount}.get(kind, 0)
    contract = _read(bench, asset)
    normalized = tuple(
        int(getattr(bench.pool.functions, name)(token).call())
        for name in ("getReserveNormalizedIncome", "getReserveNormalizedVariableDebt")
    )
    return Step(asset, contract.touched_at, cash, debt, contract, (normalized[0], normalized[1]))


def _read(bench: Bench, asset: str) -> Reserve:
    """The reserve as the contract stores it, fields by their names."""
    pool, token = bench.pool, bench.world.tokens[asset]
    data = _named(pool, "getReserveData", pool.functions.getReserveData(token.address).call())
    if bench.revision == 1:
        cash, deficit = token.functions.balanceOf(bench.receipt_tokens[asset].address).call(), 0
    else:
        cash = pool.functions.getVirtualUnderlyingBalance(token.address).call()
        deficit = pool.functions.getReserveDeficit(token.address).call()
    return Reserve(
        supply_index=data["liquidityIndex"],
        debt_index=data["variableBorrowIndex"],
        supply_rate=data["currentLiquidityRate"],
        debt_rate=data["currentVariableBorrowRate"],
        debt_stored=bench.debt_tokens[asset].functions.scaledTotalSupply().call(),
        cash_raw=cash,
        treasury_stored=data["accruedToTreasury"],
        deficit_raw=deficit,
        touched_at=data["lastUpdateTimestamp"],
    )


def _named(contract: Contract, function: str, values: Any) -> dict[str, int]:
    entry: Any = next(entry for entry in contract.abi if entry.get("name") == function)
    names = [component["name"] for component in entry["outputs"][0]["components"]]
    return dict(zip(names, values, strict=True))


def _model(asset: str) -> RateModel:
    """The rate model as the market was listed with it."""
    listed = RESERVES[asset]
    ray = RAY // 10_000
    return RateModel(
        optimal=listed.optimal_bps * ray,
        base=listed.base_rate_bps * ray,
        slope1=listed.slope1_bps * ray,
        slope2=listed.slope2_bps * ray,
        reserve_factor_bps=listed.reserve_factor_bps,
    )


def _run(year: Year) -> list[tuple[Reserve, Step]]:
    """Our reserves, never corrected, beside the contract's after each step."""
    reserves, pairs = dict(year.first), []
    for step in year.steps:
        reserves[step.asset] = touch(
            reserves[step.asset], _model(step.asset), step.now, year.revision, step.cash_raw, step.debt_raw
        )
        pairs.append((reserves[step.asset], step))
    return pairs


@pytest.mark.devnet
def test_a_year_in_random_steps_equals_the_contract(year: Year) -> None:
    assert [(ours, step) for ours, step in _run(year) if ours != step.contract] == []
    assert {step.asset for step in year.steps} == set(ASSETS)
    elapsed = year.steps[-1].now - min(reserve.touched_at for reserve in year.first.values())
    assert elapsed >= YEAR - len(year.steps)
    used = [step.contract.debt_rate > _model(step.asset).base + _model(step.asset).slope1 for step in year.steps]
    assert any(used) and not all(used), "steps on both sides of the kink are wanted"


@pytest.mark.devnet
def test_indices_between_touches_equal_the_contract(year: Year) -> None:
    """Before its next touch, a reserve's normalised indices at the time of that touch are what the touch then stores."""
    before = dict(year.first)
    for step in year.steps:
        assert indices_at(before[step.asset], step.now, year.revision) == step.normalized
        before[step.asset] = step.contract


@pytest.mark.devnet
def test_planted_errors_are_noticed(year: Year, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compounding by the other revision's series, and treasury shares that round the other way, leave the contract's path."""
    other = 10 if year.revision == 1 else 1
    with monkeypatch.context() as patched:
        patched.setattr(
            "chain.accounting.aave_v3_interest.compounded_growth",
            lambda rate, seconds, _revision: compounded_growth(rate, seconds, other),
        )
        assert any(ours != step.contract for ours, step in _run(year))
    assert any(ours != step.contract for ours, step in _run(replace(year, revision=other)))


def test_a_long_wait_worked_out_by_hand() -> None:
    # 10 % over a year: 1 + 0.1 + 0.005 + 0.000166...; 3.0.2 cuts the cube of the rate a second to whole 1e-27, which loses up to 3 % of it
    rate = RAY // 10
    assert compounded_growth(rate, YEAR, 10) == 1_105_166_666_666_666_666_666_666_667
    per_second = compounded_growth(rate, YEAR, 1)
    assert 0 < compounded_growth(rate, YEAR, 10) - per_second < RAY // 10**5
    assert compounded_growth(rate, 0, 1) == compounded_growth(rate, 0, 10) == RAY


def test_what_cannot_be_computed_is_refused() -> None:
    reserve = Reserve(RAY, RAY, 0, 0, 0, 0, 0, 0, 100)
    with pytest.raises(InputError, match="POOL_REVISION 7"):
        touch(reserve, _model("USDC"), 101, 7)
    with pytest.raises(InputError, match="after 99"):
        touch(reserve, _model("USDC"), 99, 10)
