"""A bench on which a deployed Aave V3 market liquidates one account again and again, and on which everything is read back.

An account is written straight into the contracts' storage (balances, flags, category, prices, reserve settings); the liquidation itself is
a real transaction. Reading is one call of Multicall3. Slots are found by looking for what a view function answers, none is assumed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from eth_abi.abi import decode, encode
from web3 import Web3
from web3.contract import Contract

from chain.accounting.aave_v3 import Category, Terms, terms_for
from simulations.book import Reserve
from simulations.rules.rule import Leg, Position
from tests.devnet.contracts import MULTICALL3_ADDRESS
from tests.devnet.market import CATEGORIES
from tests.devnet.node import BLOCK_SECONDS
from tests.devnet.transactions import address_of
from tests.devnet.world import World
from tests.simulations.liquidation_draws import SYMBOLS, Draw

BORROWER, LIQUIDATOR = address_of("parity borrower"), address_of("parity liquidator")
MOST_SLOTS = 120
GAS = 3_500_000
PER_RESERVE = ("supply", "debt", "supply_index", "debt_index", "treasury", "cash", "deficit")


@dataclass(frozen=True)
class Reading:
    """What the contracts hold at one block: by symbol, stored amounts of the borrower, indices, treasury, cash and deficit.

    `account` is getUserAccountData: collateral, debt, what may still be borrowed, average threshold, average LTV, health factor.
    """

    supply: Mapping[str, int]
    debt: Mapping[str, int]
    supply_index: Mapping[str, int]
    debt_index: Mapping[str, int]
    treasury: Mapping[str, int]
    cash: Mapping[str, int]
    deficit: Mapping[str, int]
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
    """One market and one borrower.

    Parameters
    ----------
    pool, receipt_tokens, debt_tokens, treasury : the market.
    feeds, category_feed : price sources whose answer is in slot 0.
    """

    def __init__(
        self,
        world: World,
        pool: Contract,
        receipt_tokens: Mapping[str, Contract],
        debt_tokens: Mapping[str, Contract],
        treasury: str,
        feeds: Mapping[str, Contract],
        category_feed: Contract,
    ) -> None:
        self.world, self.pool, self.node = world, pool, world.node
        self.receipt_tokens, self.debt_tokens, self.treasury = receipt_tokens, debt_tokens, treasury
        self.feeds, self.category_feed = feeds, category_feed
        self.revision = int(pool.functions.POOL_REVISION().call())
        self.has_deficit = "getReserveDeficit" in {entry.get("name") for entry in pool.abi}
        listed = pool.functions.getReservesList().call()
        self.slots = {symbol: listed.index(world.tokens[symbol].address) for symbol in SYMBOLS}
        asset = {symbol: world.tokens[symbol].address for symbol in SYMBOLS}
        self.settings = {symbol: int(pool.functions.getConfiguration(asset[symbol]).call()[0]) for symbol in SYMBOLS}
        supplier = world.ledger.deployer
        config = int(pool.functions.getUserConfiguration(supplier).call()[0])
        self.reserve_slot = self._find(pool.address, asset["WETH"], lambda word: word == self.settings["WETH"])
        self.config_slot = self._find(pool.address, supplier, lambda word: word == config)
        category = int(pool.functions.getUserEMode(BORROWER).call())
        assert category, "the borrower must have entered a category once, so that its slot can be found"
        self.category_slot = self._find(pool.address, BORROWER, lambda word: word == category, self.config_slot + 1)
        self.balance_slot: dict[str, int] = {}
        for tokens in (receipt_tokens, debt_tokens):
            held = int(tokens["USDC"].functions.scaledBalanceOf(supplier).call())
            found = self._find(tokens["USDC"].address, supplier, lambda word, held=held: word % 2**120 == held)  # type: ignore[misc]
            self.balance_slot |= {token.address: found for token in tokens.values()}
        self._read_data, self._shapes = self._reading_call()
        self.previous = self.latest = Reading({}, {}, {}, {}, {}, {}, {}, (), 0, 0)
        self.read()
        world.advance()
        self.read()

    def _find(self, contract: str, key: str, fits: Callable[[int], bool], start: int = 0) -> int:
        """Slot of the mapping in which the entry of an address fits."""
        for slot in range(start, MOST_SLOTS):
            if fits(int(self.node.request("eth_getStorageAt", contract, _entry(key, slot), "latest"), 16)):
                return slot
        raise AssertionError(f"no mapping of {contract} has what was looked for")

    def _reading_call(self) -> tuple[str, list[tuple[str, str]]]:
        calls: list[tuple[str, bool, bytes]] = []
        shapes: list[tuple[str, str]] = []
        for symbol in SYMBOLS:
            asset = self.world.tokens[symbol].address
            receipt, debt = self.receipt_tokens[symbol], self.debt_tokens[symbol]
            plan: list[tuple[str, Contract, str, tuple[object, ...]]] = [
                ("supply", receipt, "scaledBalanceOf", (BORROWER,)),
                ("debt", debt, "scaledBalanceOf", (BORROWER,)),
                ("supply_index", self.pool, "getReserveNormalizedIncome", (asset,)),
                ("debt_index", self.pool, "getReserveNormalizedVariableDebt", (asset,)),
                ("treasury", receipt, "scaledBalanceOf", (self.treasury,)),
                ("cash", self.world.tokens[symbol], "balanceOf", (receipt.address,)),
            ]
            if self.has_deficit:
                plan.append(("deficit", self.pool, "getReserveDeficit", (asset,)))
            for name, contract, function, arguments in plan:
                calls.append(
                    (contract.address, False, bytes.fromhex(str(contract.encode_abi(function, list(arguments)))[2:]))
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
        (answers,) = decode(["(bool,bytes)[]"], bytes.fromhex(answer[2:]))
        words = [data for _, data in answers]
        found: dict[str, dict[str, int]] = {name: dict.fromkeys(SYMBOLS, 0) for name in PER_RESERVE}
        for (name, symbol), word in zip(self._shapes, words, strict=False):
            found[name][symbol] = int.from_bytes(word)
        account, flags, now = words[-3:]
        self.previous = self.latest
        self.latest = Reading(
            **found,
            account=decode(["uint256"] * 6, account),
            flags=int.from_bytes(flags),
            now=int.from_bytes(now),
        )
        return self.latest

    def next_indices(self) -> dict[str, tuple[float, float]]:
        """Supply and debt index by symbol (1.0 at the start) as they will stand in the next block, if they grow as they last did."""
        blocks = (self.latest.now - self.previous.now) / BLOCK_SECONDS

        def grown(before: Mapping[str, int], now: Mapping[str, int], symbol: str) -> float:
            return now[symbol] / 1e27 * float((now[symbol] / before[symbol]) ** (1 / blocks))

        return {
            symbol: (
                grown(self.previous.supply_index, self.latest.supply_index, symbol),
                grown(self.previous.debt_index, self.latest.debt_index, symbol),
            )
            for symbol in SYMBOLS
        }

    def write(self, drawn: Draw) -> None:
        """Put a drawn account, prices and settings into storage."""
        words: list[tuple[str, str, int]] = []
        flags = 0
        for symbol in SYMBOLS:
            asset, number = self.world.tokens[symbol].address, self.slots[symbol]
            supply, debt = drawn.supply.get(symbol, 0), drawn.debt.get(symbol, 0)
            flags |= (debt > 0) << 2 * number | (supply > 0 and symbol in drawn.enabled) << 2 * number + 1
            for token, amount, index in (
                (self.receipt_tokens[symbol], supply, self.latest.supply_index[symbol]),
                (self.debt_tokens[symbol], debt, self.latest.debt_index[symbol]),
            ):
                words.append((token.address, _entry(BORROWER, self.balance_slot[token.address]), index << 128 | amount))
            words.append((self.pool.address, _entry(asset, self.reserve_slot), self.setting(drawn, symbol)))
            words.append((self.feeds[symbol].address, _word(0), drawn.feeds[symbol]))
        words.append((self.category_feed.address, _word(0), drawn.category_feed))
        words.append((self.pool.address, _entry(BORROWER, self.config_slot), flags))
        words.append((self.pool.address, _entry(BORROWER, self.category_slot), drawn.category))
        self.node.batch([("anvil_setStorageAt", (where, slot, _word(value))) for where, slot, value in words])

    def setting(self, drawn: Draw, symbol: str) -> int:
        """The reserve's settings as the contract packs them, with the drawn fee, pause, activity, LTV and threshold."""
        word = self.settings[symbol] & ~(0xFFFF << 152) | drawn.fee_bps[symbol] << 152
        word &= ~((0xFFFF << 16) * (symbol in drawn.no_threshold) | 0xFFFF * (symbol in drawn.no_ltv))
        word = word & ~(1 << 60) | (symbol in drawn.paused) << 60
        return word & ~(1 << 56) | (symbol not in drawn.inactive) << 56

    def call(self, drawn: Draw) -> Call:
        """Write a drawn account and liquidate it in a transaction of its own."""
        self.write(drawn)
        before = replace(self.latest, supply=_all(drawn.supply), debt=_all(drawn.debt))
        assets = [self.world.tokens[symbol].address for symbol in (drawn.collateral, drawn.owed)]
        data = self.pool.encode_abi("liquidationCall", [*assets, BORROWER, drawn.cover, False])
        sender = BORROWER if drawn.by_borrower else LIQUIDATOR
        request = {"from": sender, "to": self.pool.address, "data": data, "gas": hex(GAS), "gasPrice": "0x0"}
        sent = self.node.request("eth_sendTransaction", request)
        while (receipt := self.node.request("eth_getTransactionReceipt", sent)) is None:
            pass  # the node answers a moment before it has mined
        after = self.read()
        if int(receipt["status"], 16):
            return Call(drawn, before, after, self._events(receipt), None)
        trace = self.node.request(
            "debug_traceTransaction", sent, {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
        )
        return Call(drawn, before, after, None, str(trace.get("output") or trace.get("error")))

    def _events(self, receipt: Mapping[str, Any]) -> dict[str, int]:
        """Amounts of the LiquidationCall event: repaid and seized."""
        topic = Web3.keccak(text="LiquidationCall(address,address,address,uint256,uint256,address,bool)").to_0x_hex()
        data = next(log["data"] for log in receipt["logs"] if log["topics"][0] == topic)
        return {"repaid": int(data[2:66], 16), "seized": int(data[66:130], 16)}

    def position(self, call: Call) -> Position:
        """The account as the rule sees it: amounts from before the call, indices as they stand inside its block; every reserve is a leg."""
        return Position(tuple(self._leg(call, symbol) for symbol in SYMBOLS), self.revision, call.after.now)

    def _leg(self, call: Call, symbol: str) -> Leg:
        drawn, word = call.draw, self.setting(call.draw, symbol)
        listed = CATEGORIES.get(drawn.category)
        inside = listed is not None and symbol in listed.collateral
        supply, debt = call.before.supply[symbol], call.before.debt[symbol]
        reserve = Reserve(
            market=0,
            asset=self.slots[symbol],
            slot=self.slots[symbol],
            supply_index=call.after.supply_index[symbol],
            supply_unit=10**27,
            debt_index=call.after.debt_index[symbol],
            debt_unit=10**27,
            held_raw=0,
            treasury_stored=0,
            threshold_bps=word >> 16 & 0xFFFF,
            bonus_bps=word >> 32 & 0xFFFF,
            fee_bps=word >> 152 & 0xFFFF,
            close_factor_bps=None,
            active=bool(word >> 56 & 1),
            paused=bool(word >> 60 & 1),
            grace_until=0,
            price_raw=0,
            price_decimals=8,
            driver=0,
            fixed_price=False,
            deviation_bps=0,
        )
        return Leg(
            reserve=reserve,
            decimals=word >> 48 & 0xFF,
            held_raw=call.before.cash[symbol],
            supply_stored=supply,
            debt_stored=debt,
            enabled=supply > 0 and symbol in drawn.enabled,
            threshold_bps=self.terms(drawn, symbol).threshold_bps,
            bonus_bps=listed.bonus_bps if listed and inside else reserve.bonus_bps,
            price_raw=drawn.prices[symbol],
        )

    def terms(self, drawn: Draw, symbol: str) -> Terms:
        """The terms of an asset for the drawn account."""
        word, listed = self.setting(drawn, symbol), CATEGORIES.get(drawn.category)
        category = None
        if listed:
            members = sum(1 << self.slots[member] for member in listed.collateral)
            category = Category(Terms(listed.ltv_bps, listed.threshold_bps), members)
        return terms_for(self.slots[symbol], Terms(word & 0xFFFF, word >> 16 & 0xFFFF), category, self.revision)


def _all(amounts: Mapping[str, int]) -> dict[str, int]:
    return {symbol: amounts.get(symbol, 0) for symbol in SYMBOLS}


def _entry(key: str, slot: int) -> str:
    """Storage slot of a mapping's entry for an address."""
    return Web3.keccak(encode(["address", "uint256"], [key, slot])).to_0x_hex()


def _word(value: int) -> str:
    return "0x" + value.to_bytes(32).hex()
