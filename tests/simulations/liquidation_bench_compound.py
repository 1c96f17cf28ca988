"""A bench on which a deployed Compound V2 liquidates one account again and again, and on which everything is read back.

Markets and account are written straight into storage; the liquidation is a real transaction, and interest accrues inside it. What happened
is told by events: the contract fails softly, with a Failure event in a transaction that succeeds.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chain.accounting import compound_v2 as accounting
from chain.accounting.compound_v2 import Market, RateModel
from chain.units import UINT256_MAX
from simulations.book import Reserve
from simulations.rules import compound_v2, compound_v2_float
from simulations.rules.compound_v2_float import FloatLeg, FloatOutcome
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.devnet import compound_v2 as devnet
from tests.devnet.compound_v2 import CLOSE_FACTOR, FACTORS, INCENTIVE, TOKENS
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of
from tests.simulations.contract_storage import (
    View,
    Views,
    beside,
    entry,
    event_words,
    find_mapping,
    find_word,
    reason_text,
    send,
    stored,
    word,
    write,
)
from tests.simulations.liquidation_draws_compound import SYMBOLS, Draw, accrued, draw

BORROWER, KEEPER = address_of("compound borrower"), address_of("compound keeper")
HELD_USD = 3 * 10**9
NODE_OPTIONS = ("--number", "10000000")
"""The node starts at this block, so that markets can have accrued long ago without mining."""
REJECTED = "COMPTROLLER_REJECTION"
EVENT = "LiquidateBorrow(address,address,uint256,address,uint256)"
PER_MARKET = {
    "cash": "getCash", "borrows": "totalBorrows", "reserves": "totalReserves", "ctokens": "totalSupply", "index": "borrowIndex",
    "accrued": "accrualBlockNumber",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What the contracts hold at one block; `markets` by symbol, `held` and `owed` of the borrower, `keeper` the keeper's cTokens.

    `liquidity` is getAccountLiquidity: error, what may still be borrowed, shortfall.
    """

    markets: Mapping[str, Market]
    held: Mapping[str, int]
    owed: Mapping[str, int]
    keeper: Mapping[str, int]
    liquidity: tuple[int, ...]
    block: int


@dataclass(frozen=True)
class Case:
    """One attempted liquidation: what the rule was given and said, in integers and floats, and what the contract did.

    `found` are the markets as the call finds them, `everywhere` as they would be if all of them accrued.
    """

    position: Position
    collateral: int
    debt: int
    draw: Draw
    found: Mapping[str, Market]
    everywhere: Mapping[str, Market]
    keeper_before: int
    after: Reading
    events: tuple[int, int] | None
    refusal: str | None
    seconds: float
    said: Liquidation | Refusal
    about: FloatOutcome

    def rule(self) -> Liquidation | Refusal:
        """The rule asked again."""
        drawn = self.draw
        return compound_v2.liquidate_exactly(self.position, self.collateral, self.debt, drawn.repay, drawn.by_borrower)

    def twin(self) -> FloatOutcome:
        """The float twin asked again."""
        return self.prepared_twin()()

    def prepared_twin(self) -> Callable[[], FloatOutcome]:
        """The float twin with the account already in floats."""
        repay = self.draw.repay / 10 ** self.position.legs[self.debt].decimals
        return partial(compound_v2_float.liquidate, self.float_legs(), self.collateral, self.debt, repay)

    def float_legs(self) -> list[FloatLeg]:
        """The account in floats."""
        return [_float_leg(leg) for leg in self.position.legs]

    def differences(self, said: Liquidation | Refusal) -> list[str]:
        """What the contract did otherwise than the rule says, storage of every market and the account's liquidity included."""
        after, expected = self.after, dict[str, tuple[object, object]]()
        if self.events is None or isinstance(said, Refusal):
            if self.events is not None or not isinstance(said, Refusal) or said.reason != self.refusal:
                return [f"contract {self.events or self.refusal}, rule {said}"]
            reverted = said.reason in REVERTS
            markets = self.draw.markets if reverted else self.found
            position, tokens = self.position, 0
            if reverted:
                return self._listed({f"market {s}": (after.markets[s], markets[s]) for s in SYMBOLS})
        else:
            taken, owed = SYMBOLS[self.collateral], SYMBOLS[self.debt]
            position, tokens = compound_v2.after(self.position, self.collateral, self.debt, said), said.supply_burnt
            markets = {**self.found, owed: accounting.repaid(self.found[owed], said.repaid_raw)}
            markets[taken] = accounting.seized(markets[taken], said.fee_stored, said.fee_raw)
            seized = said.supply_burnt + said.fee_stored
            expected = {"repaid": (self.events[0], said.repaid_raw), "seized": (self.events[1], seized)}
        expected["keeper"] = (after.keeper[SYMBOLS[self.collateral]], self.keeper_before + tokens)
        for number, symbol in enumerate(SYMBOLS):
            expected[f"market {symbol}"] = (after.markets[symbol], markets[symbol])
            expected[f"cTokens {symbol}"] = (after.held[symbol], position.legs[number].supply_stored)
            expected[f"debt {symbol}"] = (after.owed[symbol], compound_v2.debt_raw(position, number))
        if after.liquidity[0] == 0:
            weighted, borrowed = compound_v2.liquidity(position)
            left = (max(weighted - borrowed, 0), max(borrowed - weighted, 0))
            expected["liquidity and shortfall"] = (after.liquidity[1:], left)
        return self._listed(expected)

    def _listed(self, expected: Mapping[str, tuple[object, object]]) -> list[str]:
        return [f"{name}: contract {seen}, rule {said}" for name, (seen, said) in expected.items() if seen != said]


class Bench:
    """One freshly deployed market of all tokens, one borrower, one keeper; `model` is the rate model that all markets have."""

    def __init__(self, node: Node) -> None:
        self.node, self.ledger = node, Ledger(node, node.w3.eth.accounts[0])
        self.market = devnet.deploy(self.ledger)
        rates = self.market.rates.functions
        self.model = RateModel(
            base=rates.baseRatePerBlock().call(),
            multiplier=rates.multiplierPerBlock().call(),
            jump=rates.jumpMultiplierPerBlock().call(),
            kink=rates.kink().call(),
        )
        self._populate()
        self._find_slots()
        self.views = self._views()
        self.latest = self.read()

    def _populate(self) -> None:
        """The deployer supplies and borrows, the borrower enters every market, the keeper and the borrower can repay anything."""
        ledger, market, deployer = self.ledger, self.market, self.ledger.deployer
        for number, (symbol, token) in enumerate(market.tokens.items()):
            decimals, price = TOKENS[symbol]
            for who in (deployer, BORROWER, KEEPER):
                ledger.call("mint", token, "mint(address,uint256)", who, 10 ** (12 + decimals))
                ledger.call("approve", token, "approve", market.markets[symbol].address, UINT256_MAX, sender=who)
            ledger.call("supply", market.markets[symbol], "mint", HELD_USD // price * 10**decimals + 11 * number + 7)
        every = [one.address for one in market.markets.values()]
        for who in (deployer, BORROWER):
            ledger.call("enter", market.comptroller, "enterMarkets", every, sender=who)
        for symbol, one in market.markets.items():
            ledger.call("borrow", one, "borrow", self._borrowed(symbol))
        ledger.mine()
        self.node.request("anvil_mine", hex(20))
        for one in market.markets.values():
            ledger.call("accrue", one, "accrueInterest")
        ledger.mine()

    @staticmethod
    def _borrowed(symbol: str) -> int:
        decimals, price = TOKENS[symbol]
        return HELD_USD // price // 3 * int(10**decimals) + 13

    def _find_slots(self) -> None:
        node, market, deployer = self.node, self.market, self.ledger.deployer
        first, comptroller = market.markets["WETH"], market.comptroller
        names = ("totalBorrows", "totalReserves", "totalSupply", "borrowIndex", "accrualBlockNumber")
        self.words = {name: find_word(node, first.address, first.functions[name]().call()) for name in names}
        ctokens = first.functions.balanceOf(deployer).call()
        self.held_slot = find_mapping(node, first.address, deployer, lambda found: found == ctokens)
        self.owed_slot = find_mapping(node, first.address, deployer, lambda found: found == self._borrowed("WETH"))
        unitroller = comptroller.address
        listed = [slot for slot in range(40) if self._is_market(unitroller, entry(first.address, slot))]
        self.listed_slot = listed[0]
        self.assets_slot = find_mapping(node, unitroller, BORROWER, lambda found: found == len(SYMBOLS))
        token = market.tokens["WETH"].address
        price = market.oracle.functions.getUnderlyingPrice(first.address).call()
        self.price_slot = find_mapping(node, market.oracle.address, token, lambda found: found == price)
        before = [stored(node, unitroller, word(slot)) for slot in range(40)]
        self.ledger.call("pause", comptroller, "_setSeizePaused", True)
        self.ledger.mine()
        changed = [slot for slot in range(40) if stored(node, unitroller, word(slot)) != before[slot]]
        assert len(changed) == 1
        self.pause_slot = word(changed[0])
        self.pause_words = (before[changed[0]], stored(node, unitroller, self.pause_slot))

    def _is_market(self, unitroller: str, slot: str) -> bool:
        return (stored(self.node, unitroller, slot), stored(self.node, unitroller, beside(slot, 1))) == (
            1,
            FACTORS["WETH"],
        )

    def _views(self) -> Views:
        views = []
        for symbol, one in self.market.markets.items():
            views += [View((name, symbol), one, function) for name, function in PER_MARKET.items()]
            views += [
                View(("held", symbol), one, "balanceOf", (BORROWER,)),
                View(("owed", symbol), one, "borrowBalanceStored", (BORROWER,)),
                View(("keeper", symbol), one, "balanceOf", (KEEPER,)),
            ]
        views.append(View(("liquidity",), self.market.comptroller, "getAccountLiquidity", (BORROWER,)))
        return Views(self.node, views)

    def read(self) -> Reading:
        """Everything at the latest block."""
        words, _, block = self.views.read()

        def by_symbol(name: str) -> dict[str, int]:
            return {symbol: words[(name, symbol)][0] for symbol in SYMBOLS}

        columns = [by_symbol(name) for name in PER_MARKET]
        markets = {}
        for symbol in SYMBOLS:
            cash, borrows, reserves, ctokens, index, at = (column[symbol] for column in columns)
            markets[symbol] = Market(cash, borrows, reserves, ctokens, index, devnet.RESERVE_FACTOR, at)
        return Reading(markets, by_symbol("held"), by_symbol("owed"), by_symbol("keeper"), words[("liquidity",)], block)

    def write(self, drawn: Draw) -> None:
        """Put drawn markets, account and prices into storage."""
        words: list[tuple[str, str, int]] = []
        comptroller = self.market.comptroller.address
        for symbol, one in self.market.markets.items():
            market, owed = drawn.markets[symbol], entry(BORROWER, self.owed_slot)
            values = (market.borrows_raw, market.reserves_raw, market.ctokens, market.borrow_index, market.accrued_at)
            words += [(one.address, slot, value) for slot, value in zip(self.words.values(), values, strict=True)]
            words.append((one.address, entry(BORROWER, self.held_slot), drawn.ctokens.get(symbol, 0)))
            words.append((one.address, owed, drawn.principal.get(symbol, 0)))
            words.append((one.address, beside(owed, 1), drawn.index_then[symbol]))
            words.append((comptroller, entry(one.address, self.listed_slot), int(symbol not in drawn.unlisted)))
            price = entry(self.market.tokens[symbol].address, self.price_slot)
            words.append((self.market.oracle.address, price, drawn.prices[symbol]))
        entered = entry(BORROWER, self.assets_slot)
        first = self.node.w3.keccak(hexstr=entered).to_0x_hex()
        words.append((comptroller, entered, len(drawn.entered)))
        for place, symbol in enumerate(drawn.entered):
            words.append((comptroller, beside(first, place), int(self.market.markets[symbol].address, 16)))
        words.append((comptroller, self.pause_slot, self.pause_words[drawn.paused]))
        write(self.node, words)

    def cases(self, states: int, rng: np.random.Generator) -> Iterator[Case]:
        """Seeded random liquidations."""
        for _ in range(states):
            cash = {symbol: one.cash_raw for symbol, one in self.latest.markets.items()}
            yield self.case(draw(rng, cash, self.model, self.latest.block + 1))

    def case(self, drawn: Draw) -> Case:
        """Write a drawn state and liquidate in a transaction of its own."""
        self.write(drawn)
        before, owed = self.latest, self.market.markets[drawn.owed]
        collateral = self.market.markets[drawn.collateral].address
        data = str(owed.encode_abi("liquidateBorrow", [BORROWER, drawn.repay, collateral]))
        sent = send(self.node, BORROWER if drawn.by_borrower else KEEPER, owed.address, data)
        after = self.latest = self.read()
        assert after.block == before.block + 1
        events = event_words(sent.receipt, EVENT)
        found = accrued(drawn, self.model, after.block)
        position = position_of(drawn, found)
        case = Case(
            position=position,
            collateral=SYMBOLS.index(drawn.collateral),
            debt=SYMBOLS.index(drawn.owed),
            draw=drawn,
            found=found,
            everywhere={s: accounting.accrue(one, self.model, after.block) for s, one in drawn.markets.items()},
            keeper_before=before.keeper[drawn.collateral],
            after=after,
            events=(events[2], events[4]) if events else None,
            refusal=reason_text(sent.refusal) if sent.refusal else soft_failure(sent.receipt),
            seconds=sent.seconds,
            said=Refusal(""),
            about=FloatOutcome(0, 0, 0, 0, 0, {}),
        )
        return replace(case, said=case.rule(), about=case.twin())


REVERTS = ("LIQUIDATE_SEIZE_TOO_MUCH", "seize is paused", "LIQUIDATE_COMPTROLLER_CALCULATE_AMOUNT_SEIZE_FAILED")


def soft_failure(receipt: Mapping[str, object]) -> str | None:
    """Name of the failure that a Failure event tells, by the enumerations of ErrorReporter.sol; None where there is none."""
    words = event_words(receipt, "Failure(uint256,uint256,uint256)")
    if words is None:
        return None
    comptroller, _, token, places = (
        re.sub(r"//[^\n]*", "", body).replace(",", " ").split()
        for body in re.findall(r"enum \w+ \{(.*?)\}", devnet.sources("ErrorReporter"), re.DOTALL)
    )
    return comptroller[words[2]] if token[words[0]] == REJECTED else places[words[1]]


def position_of(drawn: Draw, found: Mapping[str, Market]) -> Position:
    """The account as the rule sees it: every market is a leg, with the totals as the call finds them."""
    legs = []
    for number, (symbol, (decimals, _)) in enumerate(TOKENS.items()):
        market = found[symbol]
        reserve = Reserve(
            market=0, asset=number, slot=number, supply_index=market.supplied_raw, supply_unit=market.ctokens, debt_index=market.borrow_index,
            debt_unit=drawn.index_then[symbol], held_raw=market.cash_raw, treasury_stored=0, threshold_bps=FACTORS[symbol] // 10**14,
            bonus_bps=INCENTIVE // 10**14, fee_bps=280, close_factor_bps=CLOSE_FACTOR // 10**14, active=symbol not in drawn.unlisted,
            paused=drawn.paused, grace_until=0, price_raw=0, price_decimals=36 - decimals, driver=number, fixed_price=False, deviation_bps=0,
        )  # fmt: skip
        legs.append(
            Leg(
                reserve=reserve,
                decimals=decimals,
                held_raw=market.cash_raw,
                supply_stored=drawn.ctokens.get(symbol, 0),
                debt_stored=drawn.principal.get(symbol, 0),
                enabled=symbol in drawn.entered,
                threshold_bps=reserve.threshold_bps,
                bonus_bps=reserve.bonus_bps,
                price_raw=drawn.prices[symbol],
            )
        )
    return Position(tuple(legs), None, 0)


def _float_leg(leg: Leg) -> FloatLeg:
    reserve, unit = leg.reserve, 10.0**leg.decimals
    return FloatLeg(
        ctokens=leg.supply_stored / 1e8,
        rate=reserve.supply_index / reserve.supply_unit / unit * 1e8,
        debt=accounting.borrow_balance(leg.debt_stored, reserve.debt_unit, reserve.debt_index) / unit,
        price=leg.price_raw / 10.0 ** (36 - leg.decimals),
        entered=leg.enabled,
        factor_ratio=leg.threshold_bps / 1e4,
        incentive_ratio=leg.bonus_bps / 1e4,
        share_ratio=reserve.fee_bps / 1e4,
        close_ratio=(reserve.close_factor_bps or 0) / 1e4,
        unit=1 / unit,
    )
