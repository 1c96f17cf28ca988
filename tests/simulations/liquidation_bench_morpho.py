"""A bench on which a deployed Morpho Blue liquidates one account in four markets again and again, and on which everything is read back.

Market, account and price are written straight into storage (slots as in MorphoStorageLib of the package); the liquidation is a real
transaction, and interest accrues inside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from eth_abi.abi import encode
from web3 import Web3

from chain.accounting import morpho_blue as accounting
from chain.accounting.morpho_blue import VIRTUAL_ASSETS, VIRTUAL_SHARES, Totals
from chain.units import UINT256_MAX, WAD
from simulations.book import Reserve
from simulations.rules import morpho_blue, morpho_blue_float
from simulations.rules.morpho_blue_float import FloatAccount, FloatOutcome
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.devnet import morpho_blue as devnet
from tests.devnet.node import BLOCK_SECONDS, Node, NodeError
from tests.devnet.transactions import Ledger, address_of
from tests.simulations.contract_storage import View, Views, beside, event_words, reason_text, send, word, write
from tests.simulations.liquidation_draws_morpho import MARKETS, Draw, accrued, draw, edges, rate_wad

BORROWER, KEEPER = address_of("morpho borrower"), address_of("morpho keeper")
POSITION_SLOT, MARKET_SLOT = 2, 3
FUNDS = 10**15
"""Whole tokens that everybody has."""
EVENT = "Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)"
ACCRUED = "AccrueInterest(bytes32,uint256,uint256,uint256)"


@dataclass(frozen=True)
class Reading:
    """What the contract holds at one block: the market's totals, the borrower's shares and collateral, what the caller has of the two tokens.

    `healthy`: whether the contract calls the account healthy, asked by trying to liquidate one share of it; None without a market.
    """

    totals: Totals
    borrow_shares: int
    collateral: int
    tokens: tuple[int, int]
    now: int
    healthy: bool | None = None


@dataclass(frozen=True)
class Case:
    """One attempted liquidation: what the rule was given and said, in integers and floats, and what the contract did."""

    position: Position
    draw: Draw
    found: Totals
    before: Reading
    after: Reading
    events: tuple[int, ...] | None
    rate: int | None
    refusal: str | None
    seconds: float
    said: Liquidation | Refusal
    about: FloatOutcome

    def rule(self) -> Liquidation | Refusal:
        """The rule asked again."""
        return morpho_blue.liquidate_exactly(self.position, self.draw.seized, self.draw.shares)

    def twin(self) -> FloatOutcome:
        """The float twin asked again."""
        return self.prepared_twin()()

    def prepared_twin(self) -> Callable[[], FloatOutcome]:
        """The float twin with the account already in floats."""
        seized = self.draw.seized / 10 ** self.position.legs[0].decimals
        return partial(morpho_blue_float.liquidate, self.float_account(), seized, float(self.draw.shares))

    def float_account(self) -> FloatAccount:
        """The account in floats."""
        taken, owed = self.position.legs
        unit, loan_unit = 10.0**-taken.decimals, 10.0**-owed.decimals
        return FloatAccount(
            collateral=taken.supply_stored / 10**taken.decimals,
            debt=morpho_blue.debt_raw(self.position, 1) / 10**owed.decimals,
            shares=float(owed.debt_stored),
            share_price=owed.reserve.debt_index / owed.reserve.debt_unit / 10**owed.decimals,
            price=taken.price_raw / 10.0**taken.reserve.price_decimals,
            threshold_ratio=taken.threshold_bps / 1e4,
            collateral_unit=unit,
            loan_unit=loan_unit,
        )

    def differences(self, said: Liquidation | Refusal) -> list[str]:
        """What the contract did otherwise than the rule says: receipt, the market's totals, the account, tokens moved, health after."""
        after, drawn = self.after, self.draw
        expected: dict[str, tuple[object, object]] = {}
        if self.events is None or isinstance(said, Refusal):
            if self.events is not None or not isinstance(said, Refusal) or said.reason != self.refusal:
                return [f"contract {self.events or self.refusal}, rule {said}"]
            totals, shares, collateral, tokens = drawn.totals, drawn.borrow_shares, drawn.collateral, self.before.tokens
        else:
            repaid, repaid_shares, seized, bad, bad_shares = self.events
            burnt, lost = said.debt_burnt[1], said.deficit_raw[1]
            totals = accounting.liquidated(self.found, said.repaid_raw, burnt, lost)
            left = morpho_blue.after(self.position, said)
            shares, collateral = left.legs[1].debt_stored, left.legs[0].supply_stored
            tokens = (self.before.tokens[0] + said.seized_raw, self.before.tokens[1] - said.repaid_raw)
            health = morpho_blue.health_factor_wad(left)
            expected = {
                "repaid": (repaid, said.repaid_raw),
                "seized": (seized, said.seized_raw),
                "bad debt": (bad, lost),
                "shares": (repaid_shares + bad_shares, burnt),
                "rate": (self.rate, rate_wad(drawn.totals) if drawn.totals.touched_at < after.now else None),
                "health factor": (_health_factor(after, drawn), health),
                "healthy": (after.healthy, health >= WAD),
            }
        expected |= {
            "totals": (after.totals, totals),
            "borrow shares": (after.borrow_shares, shares),
            "collateral": (after.collateral, collateral),
            "tokens of the caller": (after.tokens, tokens),
        }
        return [f"{name}: contract {seen}, rule {rule}" for name, (seen, rule) in expected.items() if seen != rule]


def _health_factor(after: Reading, drawn: Draw) -> int:
    """From what the contract holds after the call: toAssetsUp of the borrow shares against mulDivDown and wMulDown of the collateral."""
    if not after.borrow_shares:
        return int(UINT256_MAX)
    totals, lltv = after.totals, MARKETS[drawn.market][0] * 10**14
    borrowed = -(-after.borrow_shares * (totals.borrow_assets + 1) // (totals.borrow_shares + 10**6))
    return after.collateral * drawn.price // 10**36 * lltv // 10**18 * 10**18 // borrowed


class Bench:
    """Four freshly deployed markets, one borrower, one keeper."""

    def __init__(self, node: Node) -> None:
        self.node, ledger = node, Ledger(node, node.w3.eth.accounts[0])
        self.markets = [devnet.deploy(ledger, lltv * WAD // 10_000, places) for lltv, places, _ in MARKETS]
        for market in self.markets:
            for token, places in zip((market.collateral, market.loan), market.decimals, strict=True):
                for who in (BORROWER, KEEPER, str(market.morpho.address)):
                    ledger.call("mint", token, "mint(address,uint256)", who, FUNDS * 10**places)
                    ledger.call("approve", token, "approve", market.morpho.address, UINT256_MAX, sender=who)
        ledger.mine()
        self.views = {
            (number, who): self._views(number, who) for number in range(len(MARKETS)) for who in (BORROWER, KEEPER)
        }

    def _views(self, number: int, who: str) -> Views:
        market = self.markets[number]
        views = [
            View(("market",), market.morpho, "market", (market.id,)),
            View(("position",), market.morpho, "position", (market.id, BORROWER)),
            View(("collateral",), market.collateral, "balanceOf", (who,)),
            View(("loan",), market.loan, "balanceOf", (who,)),
        ]
        return Views(self.node, views)

    def read(self, number: int, who: str) -> Reading:
        """Everything of one market at the latest block."""
        words, now, _ = self.views[number, who].read()
        supplied, supply_shares, borrowed, borrow_shares, touched_at, fee = words["market",]
        totals = Totals(supplied, supply_shares, borrowed, borrow_shares, fee, touched_at)
        _, shares, collateral = words["position",]
        tokens = (words["collateral",][0], words["loan",][0])
        return Reading(totals, shares, collateral, tokens, now)

    def write(self, drawn: Draw) -> None:
        """Put a drawn market, account and price into storage."""
        market, totals = self.markets[drawn.market], drawn.totals
        base = Web3.keccak(encode(["bytes32", "uint256"], [market.id, MARKET_SLOT])).to_0x_hex()
        inner = Web3.keccak(encode(["bytes32", "uint256"], [market.id, POSITION_SLOT]))
        account = Web3.keccak(encode(["address", "bytes32"], [BORROWER, inner])).to_0x_hex()
        morpho = str(market.morpho.address)
        write(
            self.node,
            [
                (morpho, base, totals.supply_shares << 128 | totals.supply_assets),
                (morpho, beside(base, 1), totals.borrow_shares << 128 | totals.borrow_assets),
                (morpho, beside(base, 2), totals.fee_wad << 128 | totals.touched_at),
                (morpho, beside(account, 1), drawn.collateral << 128 | drawn.borrow_shares),
                (str(market.oracle.address), word(0), drawn.price),
            ],
        )

    def cases(self, states: int, rng: np.random.Generator) -> Iterator[Case]:
        """Seeded random liquidations."""
        latest = self.read(0, KEEPER).now
        for number in range(states):
            now = latest + BLOCK_SECONDS
            special = edges(now)
            case = self.case(special[number] if number < len(special) else draw(rng, now))
            latest = case.after.now
            yield case

    def case(self, drawn: Draw) -> Case:
        """Write a drawn state and liquidate in a transaction of its own."""
        self.write(drawn)
        market, who = self.markets[drawn.market], BORROWER if drawn.by_borrower else KEEPER
        before = self.read(drawn.market, who)
        loan, collateral, *rest = market.params
        params = (loan, collateral, *rest) if drawn.created else (collateral, loan, *rest)
        data = str(market.morpho.encode_abi("liquidate", [params, BORROWER, drawn.seized, drawn.shares, b""]))
        sent = send(self.node, who, str(market.morpho.address), data)
        after = self.read(drawn.market, who)
        events = event_words(sent.receipt, EVENT)
        if events:
            after = replace(after, healthy=self._is_healthy(drawn.market))
        interest = event_words(sent.receipt, ACCRUED)
        found = accrued(drawn, after.now)
        case = Case(
            position=position_of(drawn, found),
            draw=drawn,
            found=found,
            before=before,
            after=after,
            events=events,
            rate=interest[0] if interest else None,
            refusal=reason_text(sent.refusal) if sent.refusal else None,
            seconds=sent.seconds,
            said=Refusal(""),
            about=FloatOutcome(0, 0, 0, {}),
        )
        return replace(case, said=case.rule(), about=case.twin())

    def _is_healthy(self, number: int) -> bool:
        """Whether the contract would refuse to liquidate one share because the account is healthy."""
        market = self.markets[number]
        data = market.morpho.encode_abi("liquidate", [market.params, BORROWER, 0, 1, b""])
        try:
            self.node.request("eth_call", {"from": KEEPER, "to": market.morpho.address, "data": data}, "latest")
        except NodeError as error:
            return "position is healthy" in str(error)
        return False


def position_of(drawn: Draw, found: Totals) -> Position:
    """The account as the rule sees it: a collateral leg and a loan leg, with the totals as the call finds them."""
    lltv, decimals, _ = MARKETS[drawn.market]
    price_decimals = 36 + decimals[1] - decimals[0]
    legs = []
    for asset, places in enumerate(decimals):
        reserve = Reserve(
            market=0, asset=asset, slot=asset, supply_index=1, supply_unit=1, debt_index=found.borrow_assets + VIRTUAL_ASSETS if asset else 1,
            debt_unit=found.borrow_shares + VIRTUAL_SHARES if asset else 1, held_raw=0, treasury_stored=0, threshold_bps=0, bonus_bps=10_000,
            fee_bps=0, close_factor_bps=None, active=drawn.created, paused=False, grace_until=0, price_raw=0, price_decimals=price_decimals,
            driver=asset, fixed_price=False, deviation_bps=0,
        )  # fmt: skip
        legs.append(
            Leg(
                reserve=reserve,
                decimals=places,
                held_raw=0,
                supply_stored=0 if asset else drawn.collateral,
                debt_stored=drawn.borrow_shares if asset else 0,
                enabled=not asset,
                threshold_bps=0 if asset else lltv,
                bonus_bps=10_000,
                price_raw=10**price_decimals if asset else drawn.price,
            )
        )
    return Position(tuple(legs), None, 0)
