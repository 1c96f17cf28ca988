"""What happens in a world between the listing of the market and the block that is read.

Positions are opened in two waves nine days apart; staking rewards, transfers of receipt tokens, partial repayments and
a payment to the treasury follow; then the feeds fall in three steps to the closing prices. Interest runs in between, so
that no index is round and no two positions share one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from web3.contract import Contract

from tests.devnet.aave_v3 import AaveMarket
from tests.devnet.assets import fund, pay_staking_rewards, publish
from tests.devnet.market import FEEDS, RESERVES, STAKING_RATES
from tests.devnet.population import Account, total
from tests.devnet.transactions import TRANSACTIONS_PER_BLOCK, Ledger, address_of

DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
VARIABLE_RATE = 2
UNLIMITED = 2**256 - 1
HEIR_EVERY, HEIR_SHARE = 4, (1, 4)
GIFT_EVERY, GIFT_SHARE = 5, (1, 20)
REPAY_EVERY, REPAY_SHARE = 13, (1, 10)
FALL_STEPS = (0.4, 0.8, 1.0)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Setting:
    """Where the history takes place."""

    ledger: Ledger
    market: AaveMarket
    tokens: Mapping[str, Contract]
    feeds: Mapping[str, Contract]
    progress: Progress


def supply_all(setting: Setting, accounts: Sequence[Account]) -> None:
    """Supply every account's collateral; the deployer pays, as anybody may on behalf of another."""
    ledger, pool = setting.ledger, setting.market.pool
    for symbol, token in setting.tokens.items():
        fund(ledger, setting.tokens, symbol, total(accounts, symbol, "collateral"))
        ledger.call(f"approve {symbol}", token, "approve", pool.address, UNLIMITED)
    ledger.mine()
    for start in range(0, len(accounts), TRANSACTIONS_PER_BLOCK):
        for account in accounts[start : start + TRANSACTIONS_PER_BLOCK]:
            for symbol, amount in account.collateral.items():
                label = f"supply {symbol} for {account.kind}"
                ledger.call(label, pool, "supply", setting.tokens[symbol].address, amount, account.address, 0)
        ledger.mine()
        setting.progress("supply", min(start + TRANSACTIONS_PER_BLOCK, len(accounts)), len(accounts))


def choose_modes(setting: Setting, accounts: Sequence[Account]) -> None:
    """Let accounts enter their e-mode and switch off the collateral that they do not use."""
    ledger, pool = setting.ledger, setting.market.pool
    for account in accounts:
        if account.category:
            ledger.call("enter e-mode", pool, "setUserEMode", account.category, sender=account.address)
        for symbol in sorted(account.disabled):
            asset = setting.tokens[symbol].address
            function = "setUserUseReserveAsCollateral"
            ledger.call(f"disable {symbol}", pool, function, asset, False, sender=account.address)
    ledger.mine()


def borrow_all(setting: Setting, accounts: Sequence[Account]) -> None:
    """Let every account borrow what it is meant to owe."""
    ledger, pool = setting.ledger, setting.market.pool
    for start in range(0, len(accounts), TRANSACTIONS_PER_BLOCK):
        for account in accounts[start : start + TRANSACTIONS_PER_BLOCK]:
            for symbol, amount in account.debt.items():
                arguments = (setting.tokens[symbol].address, amount, VARIABLE_RATE, 0, account.address)
                label = f"borrow {symbol} against {account.kind}"
                ledger.call(label, pool, "borrow", *arguments, sender=account.address)
        ledger.mine()
        setting.progress("borrow", min(start + TRANSACTIONS_PER_BLOCK, len(accounts)), len(accounts))


def move_receipts(setting: Setting, accounts: Sequence[Account]) -> tuple[str, ...]:
    """Move receipt tokens by plain transfer: some to addresses that never used the pool, some between accounts.

    Returns
    -------
    tuple of str
        The addresses that hold receipt tokens and appear in no event of the pool itself.
    """
    ledger = setting.ledger
    lenders = [account for account in accounts if not account.debt and not account.disabled]
    heirs = []
    for number, lender in enumerate(lenders):
        symbol, amount = next(iter(lender.collateral.items()))
        token = setting.market.receipt_tokens[symbol]
        if number % HEIR_EVERY == 0:
            heirs.append(address_of(f"heir of {lender.address}"))
            part = amount * HEIR_SHARE[0] // HEIR_SHARE[1]
            ledger.call(f"bequeath a{symbol}", token, "transfer", heirs[-1], part, sender=lender.address)
        elif number % GIFT_EVERY == 1:
            other = accounts[(accounts.index(lender) + 1) % len(accounts)]
            part = amount * GIFT_SHARE[0] // GIFT_SHARE[1]
            ledger.call(f"give a{symbol}", token, "transfer", other.address, part, sender=lender.address)
    ledger.mine()
    return tuple(heirs)


def repay_some(setting: Setting, accounts: Sequence[Account]) -> None:
    """Let every thirteenth borrower pay a tenth of a debt back, out of what it borrowed."""
    ledger, pool = setting.ledger, setting.market.pool
    borrowers = [account for account in accounts if account.debt]
    for account in borrowers[::REPAY_EVERY]:
        symbol, amount = next(iter(account.debt.items()))
        token, part = setting.tokens[symbol], max(1, amount * REPAY_SHARE[0] // REPAY_SHARE[1])
        ledger.call(f"approve {symbol}", token, "approve", pool.address, part, sender=account.address)
        arguments = (token.address, part, VARIABLE_RATE, account.address)
        ledger.call(f"repay {symbol}", pool, "repay", *arguments, sender=account.address)
    ledger.mine()


def let_prices_fall(setting: Setting) -> None:
    """Bring the feeds from opening to closing prices in three rounds, an hour apart."""
    for number, step in enumerate(FALL_STEPS, 1):
        setting.ledger.node.mine(HOUR_SECONDS)
        rounds = {s: feed.opening_usd + step * (feed.closing_usd - feed.opening_usd) for s, feed in FEEDS.items()}
        publish(setting.ledger, setting.feeds, rounds)
        setting.progress("prices", number, len(FALL_STEPS))


def live_through(setting: Setting, accounts: Sequence[Account]) -> tuple[str, ...]:
    """Run the whole history, about thirty days; return the addresses that only ever received a transfer."""
    ledger, pool = setting.ledger, setting.market.pool
    opening = {symbol: feed.opening_usd for symbol, feed in FEEDS.items()}
    reserves = [setting.tokens[symbol].address for symbol in RESERVES]
    half = len(accounts) // 2
    supply_all(setting, accounts)
    choose_modes(setting, accounts)
    borrow_all(setting, accounts[:half])
    ledger.node.mine(9 * DAY_SECONDS)
    pay_staking_rewards(ledger, setting.tokens, STAKING_RATES[1])
    publish(ledger, setting.feeds, opening)
    borrow_all(setting, accounts[half:])
    ledger.node.mine(8 * DAY_SECONDS)
    heirs = move_receipts(setting, accounts)
    repay_some(setting, accounts)
    ledger.node.mine(10 * DAY_SECONDS)
    publish(ledger, setting.feeds, opening)
    ledger.call("pay the treasury", pool, "mintToTreasury", reserves)
    pay_staking_rewards(ledger, setting.tokens, STAKING_RATES[2])
    ledger.node.mine(3 * DAY_SECONDS)
    let_prices_fall(setting)
    return heirs
