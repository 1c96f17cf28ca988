"""A Compound V2 market with a history: 45 accounts, one market of the native coin, an unlisted rate model, pauses, transfers, a liquidation."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from web3.contract import Contract

from chain.units import UINT256_MAX
from tests.devnet import compound_v2
from tests.devnet.compound_v2 import TOKENS, WAD, CompoundMarket, published
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

SYMBOLS = tuple(TOKENS)
PEOPLE = 45
SUPPLIED_USD, SHARE = 10_000, 3
"""What everybody supplies, and the part of it, as 1 / SHARE, that borrowers borrow."""


@dataclass(frozen=True)
class LivedIn:
    """The market after its history; `people` by number, `coin` is the market of the native coin, `twin` a second one of DAI."""

    node: Node
    ledger: Ledger
    market: CompoundMarket
    coin: Contract
    twin: Contract
    people: tuple[str, ...]
    heir: str
    keeper: str

    @property
    def ctokens(self) -> tuple[Contract, ...]:
        """All cTokens in the order in which the comptroller lists them."""
        return (*self.market.markets.values(), self.coin, self.twin)


def amount(symbol: str, usd: int) -> int:
    """Smallest units that are worth so many dollars at the opening price, and not a round number of them."""
    decimals, price = TOKENS[symbol]
    return int(usd * 10**decimals // price + 7)


def live(node: Node) -> LivedIn:
    """Deploy and live through it: what each account does follows from its number."""
    ledger = Ledger(node, node.w3.eth.accounts[0])
    market = compound_v2.deploy(ledger)
    coin, twin = _more_markets(ledger, market)
    people = tuple(address_of(f"compound account {number}") for number in range(PEOPLE))
    keeper, heir = address_of("compound keeper of the reader"), address_of("compound heir")
    for number, who in enumerate(people):
        symbol, other = SYMBOLS[number % 5], SYMBOLS[(number + 1 + number // 5 % 3) % 5]
        _fund(ledger, market, who, (symbol, other))
        ctoken = market.markets[symbol]
        ledger.call("supply", ctoken, "mint", amount(symbol, SUPPLIED_USD + 13 * number), sender=who)
        if number % 4:
            ledger.call("enter", market.comptroller, "enterMarkets", [ctoken.address], sender=who)
    ledger.mine()
    node.request("anvil_mine", hex(100))
    for number, who in enumerate(people):
        if number % 4 and number % 9:
            other = SYMBOLS[(number + 1 + number // 5 % 3) % 5]
            owed = amount(other, SUPPLIED_USD // SHARE + 11 * number)
            ledger.call("borrow", market.markets[other], "borrow", owed, sender=who)
        if number % 6 == 0:
            symbol = SYMBOLS[number % 5]
            ledger.call("to oneself", market.markets[symbol], "transfer", who, 5, sender=who)
    ledger.mine()
    node.request("anvil_mine", hex(300))
    _later(ledger, market, people, heir)
    node.request("anvil_setBalance", people[0], hex(10 * WAD))
    ledger.call("coins", coin, "mint", sender=people[0], value=3 * WAD)
    ledger.call("enter", market.comptroller, "enterMarkets", [coin.address], sender=people[0])
    ledger.call("funds", market.tokens["DAI"], "mint(address,uint256)", people[2], 10**24)
    ledger.call("approve", market.tokens["DAI"], "approve", twin.address, UINT256_MAX, sender=people[2])
    ledger.call("supply", twin, "mint", 10**21 + 3, sender=people[2])
    ledger.mine()
    _liquidation(ledger, market, people[1], keeper)
    comptroller = market.comptroller
    ledger.call("no new supply", comptroller, "_setMintPaused", market.markets["LINK"].address, True)
    ledger.call("neither", comptroller, "_setMintPaused", market.markets["DAI"].address, True)
    ledger.call("neither", comptroller, "_setBorrowPaused", market.markets["DAI"].address, True)
    ledger.call("cap", comptroller, "_setMarketBorrowCaps", [market.markets["WETH"].address], [123 * WAD])
    ledger.mine()
    node.request("anvil_mine", hex(200))
    return LivedIn(node, ledger, market, coin, twin, people, heir, keeper)


def _more_markets(ledger: Ledger, market: CompoundMarket) -> tuple[Contract, Contract]:
    """The native coin, on a straight rate model, and DAI once more."""
    straight = ledger.deploy(published("WhitePaperInterestRateModel"), 2 * WAD // 100, 20 * WAD // 100)
    coin = ledger.deploy(
        published("CEther"), market.comptroller.address, straight.address, 2 * 10**26, "Compound coin", "cETH", 8, ledger.deployer
    )  # fmt: skip
    twin = ledger.deploy(
        published("CErc20Delegator"), market.tokens["DAI"].address, market.comptroller.address, straight.address, 2 * 10**26,
        "Compound DAI again", "cDAI2", 8, ledger.deployer, ledger.deploy(published("CErc20Delegate")).address, b"",
    )  # fmt: skip
    for one in (coin, twin):
        ledger.call("list", market.comptroller, "_supportMarket", one.address)
        ledger.call("factor", market.comptroller, "_setCollateralFactor", one.address, WAD // 2)
    ledger.mine()
    return coin, ledger.at(published("CErc20Delegate"), str(twin.address))


def _fund(ledger: Ledger, market: CompoundMarket, who: str, symbols: tuple[str, ...]) -> None:
    for symbol in symbols:
        ledger.call("funds", market.tokens[symbol], "mint(address,uint256)", who, amount(symbol, 100 * SUPPLIED_USD))
        ledger.call(
            "approve", market.tokens[symbol], "approve", market.markets[symbol].address, UINT256_MAX, sender=who
        )


def _later(ledger: Ledger, market: CompoundMarket, people: tuple[str, ...], heir: str) -> None:
    """Some repay a part or all, some take everything out, one gives all it has away."""
    for number, who in enumerate(people):
        symbol, other = SYMBOLS[number % 5], SYMBOLS[(number + 1 + number // 5 % 3) % 5]
        is_borrower = number % 4 and number % 9
        if is_borrower and number % 5 == 3:
            ledger.call("repay", market.markets[other], "repayBorrow", UINT256_MAX, sender=who)
        elif is_borrower and number % 5 == 4:
            ledger.call("repay a part", market.markets[other], "repayBorrow", amount(other, 500), sender=who)
        elif number % 12 == 8:
            held = market.markets[symbol].functions.balanceOf(who).call()
            ledger.call("leave", market.markets[symbol], "redeem", held, sender=who)
    given = market.markets[SYMBOLS[4]]
    ledger.call("give away", given, "transfer", heir, given.functions.balanceOf(people[4]).call(), sender=people[4])
    ledger.mine()


def _liquidation(ledger: Ledger, market: CompoundMarket, borrower: str, keeper: str) -> None:
    """A fall of what the borrower posted, one liquidation, and the price back to where it was."""
    number = 1
    symbol, other = SYMBOLS[number % 5], SYMBOLS[(number + 1 + number // 5 % 3) % 5]
    taken, owed = market.markets[symbol], market.markets[other]
    price = market.oracle.functions.getUnderlyingPrice(taken.address).call()
    _fund(ledger, market, keeper, (other,))
    ledger.call("fall", market.oracle, "setUnderlyingPrice", taken.address, price * 2 // 5)
    ledger.call("liquidate", owed, "liquidateBorrow", borrower, amount(other, 500), taken.address, sender=keeper)
    ledger.call("back", market.oracle, "setUnderlyingPrice", taken.address, price)
    ledger.mine()


@contextmanager
def lived_in() -> Iterator[tuple[LivedIn, Path]]:
    """The market on a node of its own, with its address book."""
    with Node() as node, tempfile.TemporaryDirectory(prefix="aftershock-compound-") as folder:
        lived = live(node)
        book = Path(folder, "deployments.toml")
        roles = {"comptroller": str(lived.market.comptroller.address)}
        book.write_text("\n".join([*entry_lines(0, "compound-v2", "core", "compound_v2"), *address_lines(roles)]))
        yield lived, book
