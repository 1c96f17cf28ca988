"""A bench on which a deployed Aave V2 market liquidates one account again and again, and on which everything is read back.

An account is written straight into the contracts' storage (balances, fixed debts, flags, prices, reserve settings, cash); the liquidation
is a real transaction. Reading is one call of Multicall3. Slots are found by looking for what a view function answers, none is assumed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from eth_abi.abi import encode
from web3 import Web3
from web3.contract import Contract

from chain.accounting import aave_v2
from simulations.book import Reserve
from simulations.rules.rule import Leg, Position
from tests.devnet.aave_v2 import FIXED_RATE, AaveV2, borrow, deploy_aave_v2, deploy_price_sources, deposit
from tests.devnet.assets import fund
from tests.devnet.contracts import MULTICALL3_ADDRESS
from tests.devnet.node import BLOCK_SECONDS
from tests.devnet.transactions import address_of
from tests.devnet.world import World
from tests.simulations.liquidation_draws import BORROWABLE, SYMBOLS, USUAL_USD
from tests.simulations.liquidation_draws_aave_v2 import Draw

BORROWER, LIQUIDATOR = address_of("v2 parity borrower"), address_of("v2 parity liquidator")
FIXED_BORROWERS = {"WETH": address_of("v2 fixed borrower of ether")}
OTHER_FIXED_BORROWER = address_of("v2 fixed borrower")
HELD_USD, FUNDS_USD = 3e9, 1e12
BORROWED_SHARE = {"WETH": 0.55, "WBTC": 0.25, "LINK": 0.4, "USDC": 0.8, "DAI": 0.65}
AGE_SECONDS = 400 * 86_400 + 12_345
MOST_SLOTS = 120
GAS = 3_500_000
RESERVE_DATA = {"supply_index": 1, "debt_index": 2, "supply_rate": 3, "debt_rate": 4, "touched_at": 6}
"""Word of getReserveData in which a figure stands (DataTypes.ReserveData)."""
PER_RESERVE = ("supply", "debt", "fixed", "principal", "supply_index", "debt_index", "cash", "coins", "receipts")


@dataclass(frozen=True)
class Reading:
    """What the contracts hold at one block, by symbol.

    Of the borrower: stored supply and variable debt, fixed debt now and its principal. Of the market: indices now, cash, and `reserves`,
    which is getReserveData. Of the liquidator: coins and stored receipt tokens. `account` is getUserAccountData: collateral, debt, what may
    still be borrowed, average threshold, average LTV, health factor.
    """

    supply: Mapping[str, int]
    debt: Mapping[str, int]
    fixed: Mapping[str, int]
    principal: Mapping[str, int]
    supply_index: Mapping[str, int]
    debt_index: Mapping[str, int]
    cash: Mapping[str, int]
    coins: Mapping[str, int]
    receipts: Mapping[str, int]
    reserves: Mapping[str, Mapping[str, int]]
    account: tuple[int, ...]
    flags: int
    now: int


@dataclass(frozen=True)
class Call:
    """One liquidation call: what stood there before and after, and the receipt or the contract's refusal."""

    draw: Draw
    before: Reading
    after: Reading
    events: Mapping[str, int] | None
    refusal: str | None


class Bench:
    """One market, large, in use and a good year old, and one borrower."""

    def __init__(self, world: World) -> None:
        self.world, self.node = world, world.node
        prices = {symbol: round(USUAL_USD[symbol] / USUAL_USD["WETH"] * 1e18) for symbol in SYMBOLS}
        self.sources = deploy_price_sources(world.ledger, prices)
        sources = {symbol: str(source.address) for symbol, source in self.sources.items()}
        self.market: AaveV2 = deploy_aave_v2(world.ledger, world.tokens, sources, world.market.treasury)
        self.pool = self.market.pool
        self.revision = int(self.pool.functions.LENDINGPOOL_REVISION().call())
        self.assets = {symbol: str(world.tokens[symbol].address) for symbol in SYMBOLS}
        listed = self.pool.functions.getReservesList().call()
        self.slots = {symbol: listed.index(self.assets[symbol]) for symbol in SYMBOLS}
        _grow_old(world, self.market)
        self.settings = {s: int(self.pool.functions.getConfiguration(self.assets[s]).call()[0]) for s in SYMBOLS}
        self._find_slots()
        self._read_data, self._shapes = self._reading_call()
        self.latest = self.read()

    def _find_slots(self) -> None:
        market, deployer = self.market, self.world.ledger.deployer
        config = int(self.pool.functions.getUserConfiguration(deployer).call()[0])
        self.reserve_slot = self._find(self.pool, self.assets["WETH"], self.settings["WETH"])
        self.config_slot = self._find(self.pool, deployer, config)
        self.pause_slot = self._changed_slot(lambda: self._send_pause(True))
        self.balance_slot: dict[str, int] = {}
        for tokens in (market.receipt_tokens, market.debt_tokens):
            held = int(tokens["USDC"].functions.scaledBalanceOf(deployer).call())
            found = self._find(tokens["USDC"], deployer, held)
            self.balance_slot |= {token.address: found for token in tokens.values()}
        fixed, debtor = market.fixed_debt_tokens["USDC"], OTHER_FIXED_BORROWER
        self.principal_slot = self._find(fixed, debtor, int(fixed.functions.principalBalanceOf(debtor).call()))
        self.since_slot = self._find(fixed, debtor, int(fixed.functions.getUserLastUpdated(debtor).call()))
        self.rate_slot = self._find(fixed, debtor, int(fixed.functions.getUserStableRate(debtor).call()))
        self.cash_slot = {}
        for symbol in SYMBOLS:
            token, holder = self.world.tokens[symbol], str(market.receipt_tokens[symbol].address)
            self.cash_slot[symbol] = self._find(token, holder, int(token.functions.balanceOf(holder).call()))

    def _find(self, contract: Contract, key: str, wanted: int) -> int:
        """Slot of the mapping in which the entry of an address is what is wanted."""
        assert wanted
        for slot in range(MOST_SLOTS):
            if int(self.node.request("eth_getStorageAt", contract.address, _entry(key, slot), "latest"), 16) == wanted:
                return slot
        raise AssertionError(f"no mapping of {contract.address} has {wanted}")

    def _changed_slot(self, change: Callable[[], None]) -> int:
        """The one plain slot of the pool that something changes; it is taken back."""

        def words() -> list[str]:
            calls = [("eth_getStorageAt", (self.pool.address, hex(slot), "latest")) for slot in range(MOST_SLOTS)]
            return self.node.batch(calls)

        with self.world.undone():
            before = words()
            change()
            (slot,) = [slot for slot, (old, new) in enumerate(zip(before, words(), strict=True)) if old != new]
        return slot

    def _send_pause(self, paused: bool) -> None:
        self.world.send("pause", self.market.configurator, "setPoolPause", paused)

    def _reading_call(self) -> tuple[str, list[tuple[str, str]]]:
        calls: list[tuple[str, bool, bytes]] = []
        shapes: list[tuple[str, str]] = []
        for symbol in SYMBOLS:
            asset, coin = self.assets[symbol], self.world.tokens[symbol]
            receipt, fixed = self.market.receipt_tokens[symbol], self.market.fixed_debt_tokens[symbol]
            plan: dict[str, tuple[Contract, str, str]] = {
                "supply": (receipt, "scaledBalanceOf", BORROWER),
                "debt": (self.market.debt_tokens[symbol], "scaledBalanceOf", BORROWER),
                "fixed": (fixed, "balanceOf", BORROWER),
                "principal": (fixed, "principalBalanceOf", BORROWER),
                "supply_index": (self.pool, "getReserveNormalizedIncome", asset),
                "debt_index": (self.pool, "getReserveNormalizedVariableDebt", asset),
                "cash": (coin, "balanceOf", str(receipt.address)),
                "coins": (coin, "balanceOf", LIQUIDATOR),
                "receipts": (receipt, "scaledBalanceOf", LIQUIDATOR),
                "reserves": (self.pool, "getReserveData", asset),
            }
            for name, (contract, function, argument) in plan.items():
                calls.append(
                    (contract.address, False, bytes.fromhex(str(contract.encode_abi(function, [argument]))[2:]))
                )
                shapes.append((name, symbol))
        for function in ("getUserAccountData", "getUserConfiguration"):
            calls.append((self.pool.address, False, bytes.fromhex(str(self.pool.encode_abi(function, [BORROWER]))[2:])))
        calls.append((MULTICALL3_ADDRESS, False, bytes(Web3.keccak(text="getCurrentBlockTimestamp()")[:4])))
        selector = Web3.keccak(text="aggregate3((address,bool,bytes)[])")[:4]
        return "0x" + (selector + encode(["(address,bool,bytes)[]"], [calls])).hex(), shapes

    def read(self) -> Reading:
        """Everything at the latest block."""
        answer = self.node.request("eth_call", {"to": MULTICALL3_ADDRESS, "data": self._read_data}, "latest")
        words = _answers(bytes.fromhex(answer[2:]))
        found: dict[str, dict[str, int]] = {name: {} for name in PER_RESERVE}
        reserves = {}
        for (name, symbol), word in zip(self._shapes, words, strict=False):
            if name == "reserves":
                reserves[symbol] = {
                    field: int.from_bytes(word[32 * place : 32 * place + 32]) for field, place in RESERVE_DATA.items()
                }
            else:
                found[name][symbol] = int.from_bytes(word)
        account, flags, now = words[-3:]
        self.latest = Reading(
            **found,
            reserves=reserves,
            account=tuple(int.from_bytes(account[at : at + 32]) for at in range(0, len(account), 32)),
            flags=int.from_bytes(flags),
            now=int.from_bytes(now),
        )
        return self.latest

    def indices(self, reading: Reading, now: int) -> dict[str, tuple[int, int]]:
        """Supply and debt index by symbol at a later time, computed from what the contracts stored at their last touch."""
        return {
            symbol: (
                aave_v2.supply_index_at(stored["supply_index"], stored["supply_rate"], now - stored["touched_at"]),
                aave_v2.debt_index_at(stored["debt_index"], stored["debt_rate"], now - stored["touched_at"]),
            )
            for symbol, stored in reading.reserves.items()
        }

    def next_indices(self) -> dict[str, tuple[float, float]]:
        """Supply and debt index by symbol (1.0 at the start) as they will stand in the next block."""
        found = self.indices(self.latest, self.latest.now + BLOCK_SECONDS)
        return {symbol: (supply / 1e27, debt / 1e27) for symbol, (supply, debt) in found.items()}

    def _words(self, drawn: Draw) -> list[tuple[str, str, int]]:
        """(contract, slot, value) of a drawn account, prices and settings."""
        words: list[tuple[str, str, int]] = []
        flags = 0
        for symbol in SYMBOLS:
            supply, debt, fixed = drawn.supply.get(symbol, 0), drawn.debt.get(symbol, 0), drawn.fixed.get(symbol)
            number = self.slots[symbol]
            flags |= (debt > 0 or fixed is not None) << 2 * number
            flags |= (supply > 0 and symbol in drawn.enabled) << 2 * number + 1
            for token, amount in (
                (self.market.receipt_tokens[symbol], supply),
                (self.market.debt_tokens[symbol], debt),
            ):
                words.append((token.address, _entry(BORROWER, self.balance_slot[token.address]), amount))
            token = self.market.fixed_debt_tokens[symbol]
            since = self.latest.now + BLOCK_SECONDS - fixed.age_seconds if fixed else 0
            for slot, value in (
                (self.principal_slot, fixed.principal if fixed else 0),
                (self.since_slot, since),
                (self.rate_slot, fixed.rate if fixed else 0),
            ):
                words.append((token.address, _entry(BORROWER, slot), value))
            words.append(
                (self.pool.address, _entry(self.assets[symbol], self.reserve_slot), self.setting(drawn, symbol))
            )
            words.append((self.sources[symbol].address, _word(0), drawn.prices[symbol]))
        words.append((self.pool.address, _entry(BORROWER, self.config_slot), flags))
        return [*words, (self.pool.address, _word(self.pause_slot), int(drawn.paused))]

    def _write(self, words: list[tuple[str, str, int]]) -> None:
        self.node.batch([("anvil_setStorageAt", (where, slot, _word(value))) for where, slot, value in words])

    def setting(self, drawn: Draw, symbol: str) -> int:
        """The reserve's settings as the contract packs them, with the drawn threshold, decimals and activity."""
        word = self.settings[symbol] & ~(0xFFFF_FFFF * (symbol in drawn.no_threshold))
        word = word & ~(0xFF << 48) | drawn.decimals.get(symbol, word >> 48 & 0xFF) << 48
        return word & ~(1 << 56) | (symbol not in drawn.inactive) << 56

    def call(self, drawn: Draw) -> Call:
        """Write a drawn account and liquidate it in a transaction of its own."""
        before, words = self.latest, self._words(drawn)
        taken = drawn.collateral
        cash = _entry(str(self.market.receipt_tokens[taken].address), self.cash_slot[taken])
        cash_before = before.cash[taken]
        if drawn.cash is not None:
            words.append((self.assets[taken], cash, drawn.cash))
            before = replace(before, cash={**before.cash, taken: drawn.cash})
        self._write(words)
        pair = [self.assets[symbol] for symbol in (taken, drawn.owed)]
        data = self.pool.encode_abi("liquidationCall", [*pair, BORROWER, drawn.cover, drawn.for_receipts])
        sender = BORROWER if drawn.by_borrower else LIQUIDATOR
        request = {"from": sender, "to": self.pool.address, "data": data, "gas": hex(GAS), "gasPrice": "0x0"}
        sent = self.node.request("eth_sendTransaction", request)
        while (receipt := self.node.request("eth_getTransactionReceipt", sent)) is None:
            pass  # the node answers a moment before it has mined
        after = self.read()
        if drawn.cash is not None:
            self._write([(self.assets[taken], cash, cash_before + after.cash[taken] - drawn.cash)])
            self.read()
        if int(receipt["status"], 16):
            return Call(drawn, before, after, _events(receipt), None)
        trace = self.node.request(
            "debug_traceTransaction", sent, {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
        )
        return Call(drawn, before, after, None, str(trace.get("output") or trace.get("error")))

    def position(self, call: Call) -> Position:
        """The account as the rule sees it: what was drawn, with indices and fixed debts brought to the call's block by our own formulas."""
        indices = self.indices(call.before, call.after.now)
        return Position(
            tuple(self._leg(call, symbol, *indices[symbol]) for symbol in SYMBOLS), self.revision, call.after.now
        )

    def _leg(self, call: Call, symbol: str, supply_index: int, debt_index: int) -> Leg:
        drawn, word = call.draw, self.setting(call.draw, symbol)
        supply, fixed = drawn.supply.get(symbol, 0), drawn.fixed.get(symbol)
        since = call.before.now + BLOCK_SECONDS - fixed.age_seconds if fixed else 0
        reserve = Reserve(
            market=0,
            asset=self.slots[symbol],
            slot=self.slots[symbol],
            supply_index=supply_index,
            supply_unit=10**27,
            debt_index=debt_index,
            debt_unit=10**27,
            held_raw=0,
            treasury_stored=0,
            threshold_bps=word >> 16 & 0xFFFF,
            bonus_bps=word >> 32 & 0xFFFF,
            fee_bps=0,
            close_factor_bps=None,
            active=bool(word >> 56 & 1),
            paused=drawn.paused,
            grace_until=0,
            price_raw=0,
            price_decimals=18,
            driver=0,
            fixed_price=False,
            deviation_bps=0,
        )
        return Leg(
            reserve=reserve,
            decimals=word >> 48 & 0xFF,
            held_raw=call.before.cash[symbol],
            supply_stored=supply,
            debt_stored=drawn.debt.get(symbol, 0),
            enabled=supply > 0 and symbol in drawn.enabled,
            threshold_bps=reserve.threshold_bps,
            bonus_bps=reserve.bonus_bps,
            price_raw=drawn.prices[symbol],
            fixed_debt_raw=aave_v2.fixed_debt(fixed.principal, fixed.rate, call.after.now - since) if fixed else 0,
        )


def _answers(data: bytes) -> list[bytes]:
    """What aggregate3 answered, (bool, bytes)[], by hand: a general decoder takes longer than the node."""

    def number(at: int) -> int:
        return int.from_bytes(data[at : at + 32])

    starts = [64 + number(64 + 32 * place) for place in range(number(32))]
    assert all(number(start) for start in starts)
    return [data[start + 96 : start + 96 + number(start + 64)] for start in starts]


def _events(receipt: Mapping[str, Any]) -> dict[str, int]:
    """Amounts of the LiquidationCall event: repaid and seized."""
    topic = Web3.keccak(text="LiquidationCall(address,address,address,uint256,uint256,address,bool)").to_0x_hex()
    data = next(log["data"] for log in receipt["logs"] if log["topics"][0] == topic)
    return {"repaid": int(data[2:66], 16), "seized": int(data[66:130], 16)}


def _grow_old(world: World, market: AaveV2) -> None:
    """The deployer supplies and borrows large amounts, two people borrow at fixed rates, and time passes."""
    ledger, pool, tokens = world.ledger, market.pool, world.tokens
    ledger.node.request("anvil_setBalance", ledger.deployer, hex(10**32))
    for symbol, token in tokens.items():
        amount = _raw(world, symbol, HELD_USD)
        fund(ledger, tokens, symbol, 2 * amount)
        deposit(ledger, market, token, amount, ledger.deployer)
    for symbol, backing in {"WETH": "USDC", "USDC": "WETH"}.items():
        debtor = FIXED_BORROWERS.get(symbol, OTHER_FIXED_BORROWER)
        deposit(ledger, market, tokens[backing], _raw(world, backing, HELD_USD), debtor)
    for symbol in BORROWABLE:
        debtor = FIXED_BORROWERS.get(symbol, OTHER_FIXED_BORROWER)
        borrow(ledger, market, tokens[symbol], _raw(world, symbol, HELD_USD * 0.07), debtor, FIXED_RATE)
    for symbol, share in BORROWED_SHARE.items():
        borrow(ledger, market, tokens[symbol], _raw(world, symbol, HELD_USD * share), ledger.deployer)
    ledger.mine()
    for symbol in BORROWABLE:
        amount = _raw(world, symbol, FUNDS_USD)
        fund(ledger, world.tokens, symbol, 2 * amount)
        for who in (LIQUIDATOR, BORROWER):
            ledger.call("fund", world.tokens[symbol], "transfer", who, amount)
            ledger.call("approve", world.tokens[symbol], "approve", pool.address, 2**256 - 1, sender=who)
    ledger.mine()
    world.advance(AGE_SECONDS)
    for symbol in SYMBOLS:  # one more touch, so that stored indices are not round either
        unit = 10 ** int(world.tokens[symbol].functions.decimals().call())
        ledger.call("touch", pool, "withdraw", world.tokens[symbol].address, unit, ledger.deployer)
    ledger.mine()
    world.advance(4_321)


def _raw(world: World, symbol: str, usd: float) -> int:
    return int(usd / USUAL_USD[symbol] * 10.0 ** int(world.tokens[symbol].functions.decimals().call()))


@cache
def _entry(key: str, slot: int) -> str:
    """Storage slot of a mapping's entry for an address."""
    return Web3.keccak(encode(["address", "uint256"], [key, slot])).to_0x_hex()


def _word(value: int) -> str:
    return "0x" + value.to_bytes(32).hex()
