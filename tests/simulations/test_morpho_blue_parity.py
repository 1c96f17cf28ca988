"""Our Morpho Blue rule against the deployed contract: receipts and storage to the smallest unit, over random states near their thresholds.

Each state is one account, one oracle price (most of them within 1 % of the account's threshold, some exactly on it), one of the two ways to
call; it runs between a snapshot and its revert. Interest accrues in the call itself; the rate is read from the contract's own event.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from web3.logs import DISCARD

from chain.units import WAD, mul_div
from simulations.book import Reserve
from simulations.rules import morpho_blue
from simulations.rules.morpho_blue import ORACLE_SCALE, Totals
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.devnet import morpho_blue as devnet
from tests.devnet.availability import require_devnet
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, RevertedError, address_of

pytestmark = pytest.mark.devnet

MARKETS = ((86, (18, 6)), (945, (18, 18)), (385, (8, 6)))
"""LLTV in percent or per mille, and decimals of collateral and loan."""
ACCOUNTS, SEED = 12, 5
KEEPER = address_of("morpho keeper")
PRICE = {(18, 6): 2_000 * 10**24, (18, 18): 10**36, (8, 6): 60_000 * 10**34}
PANIC = "underflow"


@dataclass(frozen=True)
class Case:
    """One call: what the rule was given, what the contract did (None where it reverted, with its answer beside)."""

    position: Position
    totals: Totals
    by_seizing: bool
    amount: int
    receipt: dict[str, Any] | None
    after: tuple[tuple[int, ...], tuple[int, ...]] | None
    answer: str

    def predicted(self) -> Liquidation | Refusal:
        """What our rule says."""
        call = morpho_blue.liquidate_seizing if self.by_seizing else morpho_blue.liquidate_repaying
        return call(self.position, self.amount)


@pytest.fixture(
    scope="module", params=[pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.soak)]
)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """Seeded random liquidations in three markets."""
    require_devnet()
    rng = np.random.default_rng(SEED)
    found: list[Case] = []
    with Node() as node:
        ledger = Ledger(node, node.w3.eth.accounts[0])
        for number, (lltv, decimals) in enumerate(MARKETS):
            market = devnet.deploy(
                ledger, lltv * WAD // (1000 if lltv > 100 and lltv != 385 else 1000 if lltv == 385 else 100), decimals
            )
            users = _populate(ledger, market, rng)
            states = request.param * (number + 1) // len(MARKETS) - len(found)
            found += list(_attempts(node, ledger, market, users, states, rng))
    return found


def _populate(ledger: Ledger, market: devnet.MorphoMarket, rng: np.random.Generator) -> list[str]:
    price, lltv = PRICE[market.decimals], market.params[4]
    everyone = [KEEPER, ledger.deployer, *(address_of(f"morpho borrower {number}") for number in range(ACCOUNTS))]
    for user in everyone:
        for token, places in ((market.collateral, market.decimals[0]), (market.loan, market.decimals[1])):
            ledger.call("mint", token, "mint(address,uint256)", user, 10 ** (12 + places))
            ledger.call("approve", token, "approve", market.morpho.address, 2**256 - 1, sender=user)
    ledger.call("price", market.oracle, "setPrice", price)
    ledger.call(
        "supply",
        market.morpho,
        "supply",
        market.params,
        int(rng.integers(10**7, 10**8)) * 10 ** market.decimals[1] + 7,
        0,
        ledger.deployer,
        b"",
    )
    for user in everyone[2:]:
        collateral = int(10 ** rng.uniform(0, 2) * 10 ** market.decimals[0]) + int(rng.integers(1000))
        most = collateral * price // ORACLE_SCALE * lltv // WAD
        ledger.call("collateral", market.morpho, "supplyCollateral", market.params, collateral, user, b"", sender=user)
        ledger.call(
            "borrow",
            market.morpho,
            "borrow",
            market.params,
            int(most * rng.uniform(0.5, 0.99)),
            0,
            user,
            user,
            sender=user,
        )
        ledger.mine()
        ledger.node.mine(int(rng.integers(1, 10**6)))
        ledger.call("accrue", market.morpho, "accrueInterest", market.params)
    ledger.mine()
    return everyone[2:]


def _attempts(
    node: Node, ledger: Ledger, market: devnet.MorphoMarket, users: list[str], states: int, rng: np.random.Generator
) -> Iterator[Case]:
    for _ in range(states):
        mark = node.request("evm_snapshot")
        yield _attempt(node, ledger, market, users[int(rng.integers(len(users)))], rng)
        assert node.request("evm_revert", mark)


def _attempt(node: Node, ledger: Ledger, market: devnet.MorphoMarket, user: str, rng: np.random.Generator) -> Case:
    block = node.w3.eth.block_number
    before, (_, shares, collateral) = market.totals(block), market.position(user, block)
    owed = mul_div(shares, before[2] + 1, before[3] + 10**6, "ceil")
    edge = owed * WAD * ORACLE_SCALE // market.params[4] // collateral
    price = (
        int(
            edge
            * [1.0, rng.uniform(0.99, 1.01), rng.uniform(0.8, 1.0), rng.uniform(0.2, 0.8)][
                int(rng.choice(4, p=[0.1, 0.4, 0.3, 0.2]))
            ]
        )
        + 1
    )
    ledger.call("price", market.oracle, "setPrice", price)
    ledger.mine()
    block = node.w3.eth.block_number
    before = market.totals(block)
    by_seizing = bool(rng.random() < 0.5)
    whole = collateral if by_seizing else shares
    share = [1.0, rng.uniform(0.0001, 0.3), rng.uniform(0.3, 0.99), 1.001][
        int(rng.choice(4, p=[0.45, 0.25, 0.25, 0.05]))
    ]
    amount = whole if share == 1.0 else int(whole * share)
    ledger.call(
        "liquidate",
        market.morpho,
        "liquidate",
        market.params,
        user,
        *((amount, 0) if by_seizing else (0, amount)),
        b"",
        sender=KEEPER,
    )
    receipt, answer, after = None, "", None
    try:
        receipt = ledger.mine()[0]
        now = node.w3.eth.block_number
        after = (market.totals(now), market.position(user, now))
    except RevertedError as error:
        answer = str(error)
    now = node.w3.eth.block_number
    seconds = node.w3.eth.get_block(now)["timestamp"] - before[4]
    rate = before[2] * WAD // before[0] // (365 * 86_400)
    done: dict[str, Any] | None = None
    if receipt is not None:
        done = dict(_event(market, "Liquidate", receipt))
        assert rate == _event(market, "AccrueInterest", receipt)["prevBorrowRate"]
    totals = morpho_blue.accrue(Totals(*before[:4], fee_wad=before[5]), rate, seconds)
    return Case(_position(market, totals, price, collateral, shares), totals, by_seizing, amount, done, after, answer)


def _event(market: devnet.MorphoMarket, name: str, receipt: dict[str, Any]) -> Any:
    raw = market.events.w3.eth.get_transaction_receipt(receipt["transactionHash"])
    return market.events.events[name]().process_receipt(raw, errors=DISCARD)[0]["args"]


def _position(market: devnet.MorphoMarket, totals: Totals, price: int, collateral: int, shares: int) -> Position:
    places = 36 + market.decimals[1] - market.decimals[0]
    legs = []
    for asset, decimals in enumerate(market.decimals):
        reserve = Reserve(
            market=0, asset=asset, slot=asset, supply_index=1, supply_unit=1, debt_index=totals.borrow_assets + 1 if asset else 1,
            debt_unit=totals.borrow_shares + 10**6 if asset else 1, held_raw=0, treasury_stored=0, threshold_bps=0, bonus_bps=10_000, fee_bps=0,
            close_factor_bps=None, active=True, paused=False, grace_until=0, price_raw=0, price_decimals=places, driver=asset,
            fixed_price=False, deviation_bps=0,
        )  # fmt: skip
        limit = 0 if asset else market.params[4] * 10_000 // WAD
        legs.append(
            Leg(
                reserve,
                decimals,
                0,
                0 if asset else collateral,
                shares if asset else 0,
                not asset,
                limit,
                10_000,
                10**places if asset else price,
            )
        )
    return Position(tuple(legs), None, 0)


def _differences(case: Case, predicted: Liquidation | Refusal) -> list[str]:
    """What the contract did otherwise than the rule said."""
    if case.receipt is None or case.after is None:
        said = predicted.reason if isinstance(predicted, Refusal) else "carried out"
        known = {
            "Panic(0x11)": "underflow",
            "position is healthy": "position is healthy",
            "inconsistent input": "inconsistent input",
        }
        return [] if known.get(said, "?") in case.answer.lower() else [f"contract: {case.answer}, rule: {said}"]
    if isinstance(predicted, Refusal):
        return [f"contract carried out, rule refused: {predicted.reason}"]
    after = morpho_blue.totals_after(case.totals, predicted)
    (_, shares, collateral), loan = case.after[1], predicted.debt_burnt[1]
    expected = {
        "repaid": (case.receipt["repaidAssets"], predicted.repaid_raw),
        "seized": (case.receipt["seizedAssets"], predicted.seized_raw),
        "shares": (case.receipt["repaidShares"] + case.receipt["badDebtShares"], loan),
        "bad debt": (case.receipt["badDebtAssets"], predicted.deficit_raw[1]),
        "market": (
            tuple(case.after[0][:4]),
            (after.supply_assets, after.supply_shares, after.borrow_assets, after.borrow_shares),
        ),
        "borrow shares left": (shares, case.position.legs[1].debt_stored - loan),
        "collateral left": (collateral, case.position.legs[0].supply_stored - predicted.supply_burnt),
    }
    return [f"{name}: contract {seen}, rule {said}" for name, (seen, said) in expected.items() if seen != said]


def test_draws_cover_what_they_should(cases: list[Case]) -> None:
    near = [abs(morpho_blue.health_factor_wad(case.position) / WAD - 1) < 0.01 for case in cases]
    assert sum(near) >= 0.3 * len(cases)
    done = [case for case in cases if case.receipt]
    assert len(done) >= len(cases) // 3
    assert sum(bool(case.receipt and case.receipt["badDebtAssets"]) for case in done) >= len(cases) // 50
    assert {case.by_seizing for case in done} == {True, False}
    assert any("healthy" in case.answer for case in cases) and any(
        PANIC.lower() in case.answer.lower() for case in cases
    )


def test_receipt_and_storage_equal_the_rule_to_the_unit(cases: list[Case]) -> None:
    wrong = [differences for case in cases if (differences := _differences(case, case.predicted()))]
    assert not wrong, f"{len(wrong)} of {len(cases)}: {wrong[:3]}"


@pytest.mark.parametrize("wrong_way", ["ceil to floor", "floor to ceil"])
def test_a_wrong_rounding_is_noticed(cases: list[Case], monkeypatch: pytest.MonkeyPatch, wrong_way: str) -> None:
    before, now = wrong_way.split(" to ")

    def turned(a: int, b: int, denominator: int, rounding: str = "floor") -> int:
        return mul_div(a, b, denominator, now if rounding == before else rounding)  # type: ignore[arg-type]

    monkeypatch.setattr(morpho_blue, "mul_div", turned)
    assert any(_differences(case, case.predicted()) for case in cases)


def test_float_twin_agrees(cases: list[Case]) -> None:
    """Amounts within 1e-9 or four smallest units (four roundings up follow each other); decisions equal except within 1e-9 of the threshold."""
    for case in cases:
        taken, owed = case.position.legs
        unit_c, unit_d = 10**taken.decimals, 10**owed.decimals
        debt, price = morpho_blue.debt_raw(case.position, 1), taken.price_raw / 10**taken.reserve.price_decimals
        for cover in (debt, debt // 3):
            exact = morpho_blue.liquidate(case.position, 0, 1, cover)
            said = morpho_blue.float_twin(
                taken.supply_stored / unit_c, debt / unit_d, price, taken.threshold_bps / 1e4, cover / unit_d
            )
            if isinstance(exact, Refusal):
                close = abs(morpho_blue.health_factor_wad(case.position) / WAD - 1) < 1e-9
                assert said is None or close, exact
                continue
            assert said is not None
            for mine, theirs, unit in zip(
                said, (exact.repaid_raw, exact.seized_raw, exact.deficit_raw[1]), (unit_d, unit_c, unit_d), strict=True
            ):
                one = 4 / unit + (4 / unit_d / price if unit == unit_c else 4 * price / unit_c)
                assert mine == pytest.approx(theirs / unit, rel=1e-9, abs=one)
