"""Our Compound V2 rule against the deployed contract. The contract fails softly, so events decide what happened, never the status alone.

Each state is one account, prices of what it owes drawn so that most states lie near its threshold, one pair and one amount; it runs between a
snapshot and its revert. Interest ran before (indices are not round) and is stopped, so that what is read is what the call finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from web3.logs import DISCARD

from chain.units import WAD
from simulations.book import Reserve
from simulations.rules import compound_v2
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.devnet import compound_v2 as devnet
from tests.devnet.availability import require_devnet
from tests.devnet.compound_v2 import TOKENS, CompoundMarket
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, RevertedError, address_of

pytestmark = pytest.mark.devnet

ACCOUNTS, SEED = 20, 3
KEEPER = address_of("compound keeper")
SYMBOLS = tuple(TOKENS)
Terms = dict[str, tuple[int, int, int]]
"""Exchange rate, protocol's seize share and collateral factor by symbol; they stand still while no interest accrues."""
SOFT = {3: "INSUFFICIENT_SHORTFALL", 17: "TOO_MUCH_REPAY"}
"""ComptrollerErrorReporter.Error as `detail` of a COMPTROLLER_REJECTION (ErrorReporter.sol of the package)."""


@dataclass(frozen=True)
class Account:
    """Storage of one account and of its markets: per symbol cTokens, borrow balance, reserves, total supply, total borrows."""

    ctokens: dict[str, int]
    borrowed: dict[str, int]
    reserves: dict[str, int]
    supply: dict[str, int]
    borrows: dict[str, int]


@dataclass(frozen=True)
class Case:
    """One call: what the rule was given, storage before and after, events (None where there was no liquidation), and why not."""

    position: Position
    collateral: int
    debt: int
    repay: int
    before: Account
    after: Account
    event: dict[str, Any] | None
    keeper_got: int
    refused: str
    contract_shortfall: int

    def predicted(self) -> Liquidation | Refusal:
        """What our rule says."""
        return compound_v2.liquidate_exactly(self.position, self.collateral, self.debt, self.repay)


@pytest.fixture(
    scope="module", params=[pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.soak)]
)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """Seeded random liquidations."""
    require_devnet()
    rng = np.random.default_rng(SEED)
    with Node() as node:
        ledger = Ledger(node, node.w3.eth.accounts[0])
        market = devnet.deploy(ledger)
        users = _populate(node, ledger, market, rng)
        return list(_attempts(node, ledger, market, users, request.param, rng))


def _populate(node: Node, ledger: Ledger, market: CompoundMarket, rng: np.random.Generator) -> list[str]:
    users = [address_of(f"compound borrower {number}") for number in range(ACCOUNTS)]
    for user in (ledger.deployer, KEEPER, *users):
        for symbol, token in market.tokens.items():
            ledger.call("mint", token, "mint(address,uint256)", user, 10 ** (9 + TOKENS[symbol][0]))
            ledger.call("approve", token, "approve", market.markets[symbol].address, 2**256 - 1, sender=user)
    for symbol, (decimals, price) in TOKENS.items():
        ledger.call("supply", market.markets[symbol], "mint", 5_000_000 * 10**decimals // price + 11)
    for user in users:
        owed = list(rng.choice(SYMBOLS, size=int(rng.integers(1, 3)), replace=False))
        held = [symbol for symbol in SYMBOLS if symbol not in owed] + ([owed[0]] if rng.random() < 0.2 else [])
        entered = [symbol for symbol in held if rng.random() < 0.85] or held[:1]
        power = 0.0
        for symbol in held:
            decimals, price = TOKENS[symbol]
            usd = 10 ** rng.uniform(2, 5)
            power += usd * devnet.FACTORS[symbol] / WAD * (symbol in entered)
            ledger.call(
                "supply",
                market.markets[symbol],
                "mint",
                int(usd / price * 10**decimals) + int(rng.integers(1000)),
                sender=user,
            )
        ledger.call(
            "enter",
            market.comptroller,
            "enterMarkets",
            [market.markets[symbol].address for symbol in {*entered, *owed}],
            sender=user,
        )
        for symbol in owed:
            decimals, price = TOKENS[symbol]
            ledger.call(
                "borrow",
                market.markets[symbol],
                "borrow",
                int(power * rng.uniform(0.6, 0.9) / len(owed) / price * 10**decimals) + 1,
                sender=user,
            )
    ledger.mine()
    node.request("anvil_mine", hex(200))
    for one in market.markets.values():
        ledger.call("accrue", one, "accrueInterest")
    market.stop_interest(ledger)
    ledger.mine()
    return users


def _attempts(
    node: Node, ledger: Ledger, market: CompoundMarket, users: list[str], states: int, rng: np.random.Generator
) -> Iterator[Case]:
    terms = {
        symbol: (
            one.functions.exchangeRateStored().call(),
            one.functions.protocolSeizeShareMantissa().call(),
            market.comptroller.functions.markets(one.address).call()[1],
        )
        for symbol, one in market.markets.items()
    }
    for _ in range(states):
        mark = node.request("evm_snapshot")
        yield _attempt(node, ledger, market, users[int(rng.integers(len(users)))], terms, rng)
        assert node.request("evm_revert", mark)


def _attempt(
    node: Node, ledger: Ledger, market: CompoundMarket, user: str, terms: Terms, rng: np.random.Generator
) -> Case:
    before = _account(market, user)
    prices = {symbol: price * 10 ** (36 - decimals) for symbol, (decimals, price) in TOKENS.items()}
    owed = [symbol for symbol in SYMBOLS if before.borrowed[symbol]]
    held = [symbol for symbol in SYMBOLS if before.ctokens[symbol]]
    weighted, borrowed = compound_v2.liquidity(_position(market, user, before, prices, terms))
    goal = [1.0, rng.uniform(0.99, 1.01), rng.uniform(1.0, 1.4), rng.uniform(1.5, 4.0)][
        int(rng.choice(4, p=[0.05, 0.4, 0.4, 0.15]))
    ]
    for symbol in owed:
        prices[symbol] = int(prices[symbol] * weighted * goal / borrowed) + int(rng.integers(10**6))
        market.set_price(ledger, symbol, prices[symbol])
    ledger.mine()
    position = _position(market, user, before, prices, terms)
    debt, collateral = str(rng.choice(owed)), str(rng.choice(held))
    most = before.borrowed[debt] * devnet.CLOSE_FACTOR // WAD
    all_of_it = compound_v2.liquidate(position, SYMBOLS.index(collateral), SYMBOLS.index(debt), most)
    fits = all_of_it.repaid_raw if isinstance(all_of_it, Liquidation) else most
    repay = [most, fits, fits + 1, int(most * rng.uniform(0.001, 0.9)) + 1, most + 1, 0][
        int(rng.choice(6, p=[0.3, 0.25, 0.05, 0.3, 0.07, 0.03]))
    ]
    shortfall = market.comptroller.functions.getAccountLiquidity(user).call()[2]
    got = market.markets[collateral].functions.balanceOf(KEEPER).call()
    ledger.call(
        "liquidate",
        market.markets[debt],
        "liquidateBorrow",
        user,
        repay,
        market.markets[collateral].address,
        sender=KEEPER,
    )
    event, refused = None, ""
    try:
        receipt: Any = node.w3.eth.get_transaction_receipt(ledger.mine()[0]["transactionHash"])
        done = market.markets[debt].events.LiquidateBorrow().process_receipt(receipt, errors=DISCARD)
        failed = market.markets[debt].events.Failure().process_receipt(receipt, errors=DISCARD)
        event = dict(done[0]["args"]) if done else None
        if failed:
            refused = SOFT.get(
                failed[0]["args"]["detail"], f"error {failed[0]['args']['error']} info {failed[0]['args']['info']}"
            )
    except RevertedError as error:
        refused = str(error)
    after = _account(market, user)
    return Case(
        position, SYMBOLS.index(collateral), SYMBOLS.index(debt), repay, before, after, event,
        market.markets[collateral].functions.balanceOf(KEEPER).call() - got, refused, shortfall,
    )  # fmt: skip


def _account(market: CompoundMarket, user: str) -> Account:
    read: dict[str, dict[str, int]] = {name: {} for name in ("ctokens", "borrowed", "reserves", "supply", "borrows")}
    for symbol, one in market.markets.items():
        _, read["ctokens"][symbol], read["borrowed"][symbol], _ = one.functions.getAccountSnapshot(user).call()
        read["reserves"][symbol] = one.functions.totalReserves().call()
        read["supply"][symbol] = one.functions.totalSupply().call()
        read["borrows"][symbol] = one.functions.totalBorrows().call()
    return Account(**read)


def _position(market: CompoundMarket, user: str, account: Account, prices: dict[str, int], terms: Terms) -> Position:
    entered = market.comptroller.functions.getAssetsIn(user).call()
    legs = []
    for number, (symbol, one) in enumerate(market.markets.items()):
        decimals = TOKENS[symbol][0]
        rate, share, factor = terms[symbol]
        reserve = Reserve(
            market=0, asset=number, slot=number, supply_index=rate, supply_unit=WAD, debt_index=1, debt_unit=1,
            held_raw=0, treasury_stored=0, threshold_bps=0, bonus_bps=0, fee_bps=share * 10_000 // WAD, close_factor_bps=5_000, active=True,
            paused=False, grace_until=0, price_raw=0, price_decimals=36 - decimals, driver=number, fixed_price=False, deviation_bps=0,
        )  # fmt: skip
        legs.append(
            Leg(
                reserve,
                decimals,
                2**255,
                account.ctokens[symbol],
                account.borrowed[symbol],
                one.address in entered,
                factor * 10_000 // WAD,
                10_800,
                prices[symbol],
            )
        )
    return Position(tuple(legs), None, 0)


def _differences(case: Case, predicted: Liquidation | Refusal) -> list[str]:
    """What the contract did otherwise than the rule said."""
    if case.event is None:
        said = predicted.reason if isinstance(predicted, Refusal) else "carried out"
        named = "error 7" if said == "LIQUIDATE_CLOSE_AMOUNT_IS_ZERO" else said
        return (
            [] if named in case.refused and case.before == case.after else [f"contract: {case.refused}, rule: {said}"]
        )
    if isinstance(predicted, Refusal):
        return [f"contract carried out, rule refused: {predicted.reason}"]
    taken, owed = SYMBOLS[case.collateral], SYMBOLS[case.debt]
    tokens = predicted.supply_burnt + predicted.fee_stored
    expected = {
        "repaid": (case.event["repayAmount"], predicted.repaid_raw),
        "seized": (case.event["seizeTokens"], tokens),
        "keeper": (case.keeper_got, predicted.supply_burnt),
        "cTokens left": (case.after.ctokens[taken], case.before.ctokens[taken] - tokens),
        "debt left": (case.after.borrowed[owed], case.before.borrowed[owed] - predicted.debt_burnt[case.debt]),
        "reserves": (case.after.reserves[taken], case.before.reserves[taken] + predicted.fee_raw),
        "total supply": (case.after.supply[taken], case.before.supply[taken] - predicted.fee_stored),
        "total borrows": (case.after.borrows[owed], case.before.borrows[owed] - predicted.repaid_raw),
    }
    return [f"{name}: contract {seen}, rule {said}" for name, (seen, said) in expected.items() if seen != said]


def test_draws_cover_what_they_should(cases: list[Case]) -> None:
    near = [abs(compound_v2.health_factor_wad(case.position) / WAD - 1) < 0.01 for case in cases]
    assert sum(near) >= 0.3 * len(cases)
    assert sum(case.event is not None for case in cases) >= len(cases) // 4
    for reason in ("INSUFFICIENT_SHORTFALL", "TOO_MUCH_REPAY", "LIQUIDATE_SEIZE_TOO_MUCH"):
        assert any(reason in case.refused for case in cases), reason
    assert any(case.event and not case.position.legs[case.collateral].enabled for case in cases), (
        "nothing that was not entered was seized"
    )


def test_shortfall_equals_the_comptrollers(cases: list[Case]) -> None:
    for case in cases:
        weighted, borrowed = compound_v2.liquidity(case.position)
        assert max(0, borrowed - weighted) == case.contract_shortfall


def test_events_and_storage_equal_the_rule_to_the_unit(cases: list[Case]) -> None:
    wrong = [differences for case in cases if (differences := _differences(case, case.predicted()))]
    assert not wrong, f"{len(wrong)} of {len(cases)}: {wrong[:3]}"


def test_one_fraction_instead_of_four_truncations_is_noticed(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_fraction(taken: Leg, owed: Leg) -> int:
        return -(-taken.bonus_bps * 10**14 * owed.price_raw * WAD // (taken.price_raw * taken.reserve.supply_index))

    monkeypatch.setattr(compound_v2, "_ratio", one_fraction)
    assert any(_differences(case, case.predicted()) for case in cases)


def test_a_wrong_protocol_share_is_noticed(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    exact = compound_v2._exchange_rate
    monkeypatch.setattr(compound_v2, "_exchange_rate", lambda leg: exact(leg) + 1)
    assert any(_differences(case, case.predicted()) for case in cases)


def test_float_twin_agrees(cases: list[Case]) -> None:
    """Amounts within 1e-9 or two cTokens (eight decimals: a cToken is worth about 0.02 of a token's 1e-8); decisions except within 1e-9."""
    for case in cases:
        taken, owed = case.position.legs[case.collateral], case.position.legs[case.debt]
        rate = taken.reserve.supply_index / WAD / 10**taken.decimals
        exact, (weighted, borrowed) = case.predicted(), compound_v2.liquidity(case.position)
        said = compound_v2.float_twin(
            float(weighted), float(borrowed), owed.debt_stored / 10**owed.decimals, taken.supply_stored * rate,
            (taken.price_raw / 10 ** (36 - taken.decimals), owed.price_raw / 10 ** (36 - owed.decimals)),
            (taken.bonus_bps / 1e4, 0.5, taken.reserve.fee_bps / 1e4), case.repay / 10**owed.decimals,
        )  # fmt: skip
        if isinstance(exact, Refusal) or said is None:
            on_the_edge = min(
                abs(weighted / borrowed - 1), abs(case.repay / max(1, owed.debt_stored // 2) - 1),
                abs(case.repay / 10**owed.decimals * 1.08 * owed.price_raw / 10 ** (36 - owed.decimals) / (taken.price_raw / 10 ** (36 - taken.decimals)) / (taken.supply_stored * rate) - 1),
            )  # fmt: skip
            assert (isinstance(exact, Refusal) and said is None) or on_the_edge < max(
                1e-9, 2 / taken.supply_stored, 2 / owed.debt_stored
            )
            continue
        for mine, theirs in zip(said, (exact.seized_raw, exact.fee_raw), strict=True):
            assert mine == pytest.approx(theirs / 10**taken.decimals, rel=1e-9, abs=2 * rate + 2 / 10**taken.decimals)
