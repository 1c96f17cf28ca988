"""A bench on which a deployed Aave V3 market liquidates one account again and again, and on which everything is read back.

An account is written straight into the contracts' storage (balances, flags, category, prices, reserve settings); the liquidation itself is
a real transaction. Reading is one call of Multicall3. Slots are found by looking for what a view function answers, none is assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from web3.contract import Contract

from chain.accounting.aave_v3 import Category, Terms, terms_for
from simulations.book import Reserve
from simulations.rules.rule import Leg, Position
from tests.devnet.market import CATEGORIES
from tests.devnet.node import BLOCK_SECONDS
from tests.devnet.transactions import address_of
from tests.devnet.world import World
from tests.simulations.contract_storage import View, Views, entry, event_words, find_mapping, send, word, write
from tests.simulations.liquidation_draws import SYMBOLS, Draw

BORROWER, LIQUIDATOR = address_of("parity borrower"), address_of("parity liquidator")
EVENT = "LiquidationCall(address,address,address,uint256,uint256,address,bool)"
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
    seconds: float


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
        self.reserve_slot = find_mapping(
            world.node, pool.address, asset["WETH"], lambda found: found == self.settings["WETH"]
        )
        self.config_slot = find_mapping(world.node, pool.address, supplier, lambda found: found == config)
        category = int(pool.functions.getUserEMode(BORROWER).call())
        assert category, "the borrower must have entered a category once, so that its slot can be found"
        self.category_slot = find_mapping(
            world.node, pool.address, BORROWER, lambda found: found == category, self.config_slot + 1
        )
        self.balance_slot: dict[str, int] = {}
        for tokens in (receipt_tokens, debt_tokens):
            held = int(tokens["USDC"].functions.scaledBalanceOf(supplier).call())
            found = find_mapping(world.node, tokens["USDC"].address, supplier, partial(_holds, held))
            self.balance_slot |= {token.address: found for token in tokens.values()}
        self.views = self._views()
        self.previous = self.latest = Reading({}, {}, {}, {}, {}, {}, {}, (), 0, 0)
        self.read()
        world.advance()
        self.read()

    def _views(self) -> Views:
        views: list[View] = []
        for symbol in SYMBOLS:
            asset = self.world.tokens[symbol].address
            receipt, debt = self.receipt_tokens[symbol], self.debt_tokens[symbol]
            views += [
                View(("supply", symbol), receipt, "scaledBalanceOf", (BORROWER,)),
                View(("debt", symbol), debt, "scaledBalanceOf", (BORROWER,)),
                View(("supply_index", symbol), self.pool, "getReserveNormalizedIncome", (asset,)),
                View(("debt_index", symbol), self.pool, "getReserveNormalizedVariableDebt", (asset,)),
                View(("treasury", symbol), receipt, "scaledBalanceOf", (self.treasury,)),
                View(("cash", symbol), self.world.tokens[symbol], "balanceOf", (receipt.address,)),
            ]
            if self.has_deficit:
                views.append(View(("deficit", symbol), self.pool, "getReserveDeficit", (asset,)))
        views += [
            View((function,), self.pool, function, (BORROWER,))
            for function in ("getUserAccountData", "getUserConfiguration")
        ]
        return Views(self.node, views)

    def read(self) -> Reading:
        """Everything at the latest block."""
        words, now, _ = self.views.read()
        self.previous = self.latest
        self.latest = Reading(
            **{name: {s: words.get((name, s), (0,))[0] for s in SYMBOLS} for name in PER_RESERVE},
            account=words[("getUserAccountData",)],
            flags=words[("getUserConfiguration",)][0],
            now=now,
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
                words.append((token.address, entry(BORROWER, self.balance_slot[token.address]), index << 128 | amount))
            words.append((self.pool.address, entry(asset, self.reserve_slot), self.setting(drawn, symbol)))
            words.append((self.feeds[symbol].address, word(0), drawn.feeds[symbol]))
        words.append((self.category_feed.address, word(0), drawn.category_feed))
        words.append((self.pool.address, entry(BORROWER, self.config_slot), flags))
        words.append((self.pool.address, entry(BORROWER, self.category_slot), drawn.category))
        write(self.node, words)

    def setting(self, drawn: Draw, symbol: str) -> int:
        """The reserve's settings as the contract packs them, with the drawn fee, pause, activity, LTV and threshold."""
        packed = self.settings[symbol] & ~(0xFFFF << 152) | drawn.fee_bps[symbol] << 152
        packed &= ~((0xFFFF << 16) * (symbol in drawn.no_threshold) | 0xFFFF * (symbol in drawn.no_ltv))
        packed = packed & ~(1 << 60) | (symbol in drawn.paused) << 60
        return packed & ~(1 << 56) | (symbol not in drawn.inactive) << 56

    def call(self, drawn: Draw) -> Call:
        """Write a drawn account and liquidate it in a transaction of its own."""
        self.write(drawn)
        before = replace(self.latest, supply=_all(drawn.supply), debt=_all(drawn.debt))
        assets = [self.world.tokens[symbol].address for symbol in (drawn.collateral, drawn.owed)]
        data = self.pool.encode_abi("liquidationCall", [*assets, BORROWER, drawn.cover, False])
        sent = send(self.node, BORROWER if drawn.by_borrower else LIQUIDATOR, self.pool.address, str(data))
        after = self.read()
        found = event_words(sent.receipt, EVENT)
        events = None if found is None else {"repaid": found[0], "seized": found[1]}
        return Call(drawn, before, after, events, sent.refusal, sent.seconds)

    def position(self, call: Call) -> Position:
        """The account as the rule sees it: amounts from before the call, indices as they stand inside its block; every reserve is a leg."""
        return Position(tuple(self._leg(call, symbol) for symbol in SYMBOLS), self.revision, call.after.now)

    def _leg(self, call: Call, symbol: str) -> Leg:
        drawn, packed = call.draw, self.setting(call.draw, symbol)
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
            threshold_bps=packed >> 16 & 0xFFFF,
            bonus_bps=packed >> 32 & 0xFFFF,
            fee_bps=packed >> 152 & 0xFFFF,
            close_factor_bps=None,
            active=bool(packed >> 56 & 1),
            paused=bool(packed >> 60 & 1),
            grace_until=0,
            price_raw=0,
            price_decimals=8,
            driver=0,
            fixed_price=False,
            deviation_bps=0,
        )
        return Leg(
            reserve=reserve,
            decimals=packed >> 48 & 0xFF,
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
        packed, listed = self.setting(drawn, symbol), CATEGORIES.get(drawn.category)
        category = None
        if listed:
            members = sum(1 << self.slots[member] for member in listed.collateral)
            category = Category(Terms(listed.ltv_bps, listed.threshold_bps), members)
        return terms_for(self.slots[symbol], Terms(packed & 0xFFFF, packed >> 16 & 0xFFFF), category, self.revision)


def _holds(held: int, found: int) -> bool:
    """Whether a packed balance (amount below, index above) is this one."""
    return found % 2**120 == held


def _all(amounts: Mapping[str, int]) -> dict[str, int]:
    return {symbol: amounts.get(symbol, 0) for symbol in SYMBOLS}
