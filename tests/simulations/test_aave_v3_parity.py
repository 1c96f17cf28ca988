"""Our Aave rule against the deployed contract: the same liquidation in both, compared with receipt and storage to the smallest unit.

Prices, account, pair and amount are drawn; each liquidation happens inside a snapshot that is taken back. The contract's own account of
what happened (events, scaled balances, deficits, treasury) is the oracle; our rule never judges itself.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from web3 import Web3

from chain.accounting import aave_v3 as accounting
from chain.units import mul_div
from simulations.rules import aave_v3
from simulations.rules.aave_v3_float import FloatLeg
from simulations.rules.aave_v3_float import health_factor as float_health_factor
from simulations.rules.aave_v3_float import liquidate as float_liquidate
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.devnet.transactions import RevertedError
from tests.devnet.world import World
from tests.simulations.contract_state import SYMBOLS, Contracts, Storage

pytestmark = pytest.mark.devnet

STATES = 200
STATES_PER_PRICE = 25
SEED = 11
LIQUIDATOR = "0x00000000000000000000000000000000000a11ce"
FEEDS = {"ETH": 2_000.0, "BTC": 60_000.0, "LINK": 14.0}


class Case:
    """One attempted liquidation: what the rule was given and said, what the contract did."""

    def __init__(
        self,
        position: Position,
        collateral: int,
        debt: int,
        cover: int,
        predicted: Liquidation | Refusal,
        observed: Any,
    ) -> None:
        self.position, self.collateral, self.debt, self.cover = position, collateral, debt, cover
        self.predicted, self.observed = predicted, observed


@pytest.fixture(scope="module")
def cases(devnet_world: World) -> Iterator[list[Case]]:
    """Seeded random liquidations, most of them of accounts that the drawn prices make liquidatable."""
    with devnet_world.undone():
        yield list(_attempts(devnet_world, np.random.default_rng(SEED)))


def _attempts(world: World, rng: np.random.Generator) -> Iterator[Case]:
    contracts = Contracts(world)
    liquidator = world.w3.to_checksum_address(LIQUIDATOR)
    _fund(world, contracts, liquidator)
    made = 0
    while made < STATES:
        with world.undone():
            for feed, price in FEEDS.items():
                world.set_price(feed, float(round(price * rng.uniform(0.55, 1.02), 2)))
            data = {
                account.address: contracts.pool.functions.getUserAccountData(account.address).call()
                for account in world.accounts
            }
            borrowers = [user for user, answer in data.items() if answer[1]]
            weak = [user for user in borrowers if data[user][5] < 10**18]
            for _ in range(STATES_PER_PRICE):
                group = weak if weak and rng.random() < 0.9 else borrowers
                user = group[int(rng.integers(len(group)))]
                with world.undone():
                    yield _attempt(world, contracts, liquidator, user, rng)
                made += 1


def _fund(world: World, contracts: Contracts, liquidator: str) -> None:
    world.node.request("anvil_setBalance", liquidator, hex(10**26))
    for symbol, token in contracts.tokens.items():
        if symbol == "WETH":
            world.send("wrap ether", token, "deposit", sender=liquidator, value=10**25)
        elif symbol != "lstETH":  # cannot be borrowed, so it is never repaid
            world.send(
                "mint", token, "mint(address,uint256)", liquidator, 10 ** (10 + token.functions.decimals().call())
            )
        world.send("approve", token, "approve", contracts.pool.address, 2**256 - 1, sender=liquidator)


def _attempt(world: World, contracts: Contracts, liquidator: str, user: str, rng: np.random.Generator) -> Case:
    before = contracts.storage(user, world.w3.eth.block_number, SYMBOLS)
    supplied = [symbol for symbol in SYMBOLS if before.scaled_supply[symbol]] or ["WETH"]
    owed = [symbol for symbol in SYMBOLS if before.scaled_debt[symbol]]
    collateral, debt = str(rng.choice(supplied)), str(rng.choice(owed))
    whole = contracts.owed[debt].functions.balanceOf(user).call()
    cover = [
        2**256 - 1,
        whole,
        int(whole * rng.uniform(0.3, 0.7)),
        int(whole * rng.uniform(0.9, 0.999)),
        int(whole * rng.uniform(0.001, 0.2)) + 1,
    ][int(rng.integers(5))]
    arguments = (contracts.tokens[collateral].address, contracts.tokens[debt].address, user, cover, False)
    try:
        receipt = world.send("liquidate", contracts.pool, "liquidationCall", *arguments, sender=liquidator)
        refused = None
    except RevertedError as error:
        receipt, refused = None, str(error)
    block = world.w3.eth.block_number
    position = contracts.position(user, before, block)
    held = [symbol for symbol in SYMBOLS if before.scaled_supply[symbol] or before.scaled_debt[symbol]]
    numbers = (held.index(collateral), held.index(debt))
    predicted = aave_v3.liquidate(position, *numbers, cover)
    after = (
        None if receipt is None else (contracts.storage(user, block, held), before, _events(contracts, receipt), held)
    )
    return Case(position, *numbers, cover, predicted, after if refused is None else refused)


def _events(contracts: Contracts, receipt: Any) -> dict[str, Any]:
    from web3.logs import DISCARD

    call = contracts.pool.events.LiquidationCall().process_receipt(receipt, errors=DISCARD)[0]["args"]
    return {"repaid": call["debtToCover"], "seized": call["liquidatedCollateralAmount"]}


def _selector(error: str) -> str:
    return "0x" + Web3.keccak(text=f"{error}()")[:4].hex()


def _succeeded(cases: list[Case]) -> list[Case]:
    return [case for case in cases if not isinstance(case.observed, str)]


def test_draws_cover_what_they_should(cases: list[Case]) -> None:
    done = _succeeded(cases)
    assert len(cases) >= STATES and len(done) >= STATES // 3
    refused = [case.observed for case in cases if isinstance(case.observed, str)]
    for name in ("HealthFactorNotBelowThreshold", "MustNotLeaveDust"):
        assert any(_selector(name) in text for text in refused), f"no draw was refused with {name}"
    assert any(sum(case.predicted.deficit_raw) for case in done if isinstance(case.predicted, Liquidation)), (
        "no draw left a deficit"
    )
    assert any(case.collateral == case.debt for case in cases) or any(len(case.position.legs) >= 3 for case in cases)


def test_refusals_are_predicted_with_their_reason(cases: list[Case]) -> None:
    for case in cases:
        if isinstance(case.observed, str):
            assert isinstance(case.predicted, Refusal), case.observed
            assert _selector(case.predicted.reason) in case.observed, (case.predicted, case.observed)
        else:
            assert isinstance(case.predicted, Liquidation), (case.predicted, case.observed)


def test_amounts_storage_and_deficits_equal_the_contract_to_the_unit(cases: list[Case]) -> None:
    assert [_differences(case, case.predicted) for case in _succeeded(cases)] == [[]] * len(_succeeded(cases))


def _differences(case: Case, predicted: Liquidation | Refusal) -> list[str]:
    """What the contract did otherwise than the rule said."""
    assert isinstance(predicted, Liquidation)
    after: Storage
    before: Storage
    after, before, events, held = case.observed
    collateral = held[case.collateral]
    expected = {
        "repaid": (events["repaid"], predicted.repaid_raw),
        "seized": (events["seized"], predicted.seized_raw),
        "supply left": (
            after.scaled_supply[collateral],
            before.scaled_supply[collateral] - predicted.supply_burnt - predicted.fee_stored,
        ),
        "treasury": (after.treasury[collateral], before.treasury[collateral] + predicted.fee_stored),
    }
    for number, symbol in enumerate(held):
        expected[f"debt {symbol}"] = (
            after.scaled_debt[symbol],
            before.scaled_debt[symbol] - predicted.debt_burnt[number],
        )
        expected[f"deficit {symbol}"] = (after.deficit[symbol], before.deficit[symbol] + predicted.deficit_raw[number])
    expected["health factor"] = (
        after.health_factor,
        aave_v3.health_factor_wad(_after(case.position, case.collateral, predicted)),
    )
    return [f"{name}: contract {seen}, rule {said}" for name, (seen, said) in expected.items() if seen != said]


def _after(position: Position, collateral: int, done: Liquidation) -> Position:
    legs = []
    for number, leg in enumerate(position.legs):
        supply = leg.supply_stored - (done.supply_burnt + done.fee_stored if number == collateral else 0)
        enabled = leg.enabled and supply > 0
        legs.append(
            replace(leg, supply_stored=supply, debt_stored=leg.debt_stored - done.debt_burnt[number], enabled=enabled)
        )
    return replace(position, legs=tuple(legs))


def test_a_wrong_rounding_is_noticed(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-up instead of up when the debt needed for all the collateral is computed, and floor instead of up for debts."""
    exact = mul_div

    def half_up(a: int, b: int, denominator: int, rounding: Any = "floor") -> int:
        return exact(a, b, denominator, "floor" if rounding == "ceil" else rounding)

    monkeypatch.setattr("simulations.rules.aave_v3.mul_div", half_up)
    wrong = [aave_v3.liquidate(case.position, case.collateral, case.debt, case.cover) for case in _succeeded(cases)]
    assert any(
        _differences(case, said)
        for case, said in zip(_succeeded(cases), wrong, strict=True)
        if isinstance(said, Liquidation)
    )


def test_float_twin_agrees(cases: list[Case]) -> None:
    """Amounts within 1e-9 or two smallest units; decisions equal except within 1e-9 of a threshold."""
    for case in cases:
        exact = aave_v3.liquidate(case.position, case.collateral, case.debt, case.cover)
        legs = [_float(leg) for leg in case.position.legs]
        owed, taken = case.position.legs[case.debt], case.position.legs[case.collateral]
        wad = aave_v3.health_factor_wad(case.position)
        assert float_health_factor(legs) == pytest.approx(wad / 1e18, rel=1e-8)
        said = float_liquidate(legs, case.collateral, case.debt, case.cover / 10**owed.decimals)
        if isinstance(exact, Refusal):
            assert said is None, (exact, said)
            continue
        assert said is not None
        assert said[0] == pytest.approx(
            exact.repaid_raw / 10**owed.decimals, rel=1e-9, abs=2 / 10**owed.decimals + 1e-8 / owed.price_raw
        )
        assert said[1] == pytest.approx(exact.seized_raw / 10**taken.decimals, rel=1e-7, abs=4 / 10**taken.decimals)
        assert said[2] == pytest.approx(exact.fee_raw / 10**taken.decimals, rel=1e-7, abs=4 / 10**taken.decimals)


def _float(leg: Leg) -> FloatLeg:
    unit = 10**leg.decimals
    return FloatLeg(
        supply=accounting.supply_balance(leg.supply_stored, leg.reserve.supply_index, 10) / unit,
        debt=accounting.debt_balance(leg.debt_stored, leg.reserve.debt_index, 10) / unit,
        price=leg.price_raw / 1e8,
        enabled=leg.enabled,
        threshold_ratio=leg.threshold_bps / 1e4,
        bonus_ratio=leg.bonus_bps / 1e4,
        fee_ratio=leg.reserve.fee_bps / 1e4,
    )
