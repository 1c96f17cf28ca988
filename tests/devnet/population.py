"""Who lives in a world: accounts with collateral, debt and a health factor, drawn from the laws in `laws.py`.

What people hold is a choice of ours (`SHARES`): most borrow stablecoins against ether, some against bitcoin, LINK or a
mix; some loop staked ether against ether in e-mode; some are short, mostly ether; the rest lends. Leveraged accounts in e-mode
live near the edge by design: their health factors are even between 1.03 and 1.12. Debts below 2,000 USD (dust) come
out of the law itself, about one borrower in nine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tests.devnet.laws import DEBT_USD, HEALTH_ABOVE_ONE
from tests.devnet.market import CATEGORIES, RESERVES, closing_price_usd, opening_price_usd, raw_amount, value_usd
from tests.devnet.transactions import address_of

SMALLEST_WORLD = 8
SHARES: Mapping[str, float] = {
    "ether_long": 0.33,
    "staking_loop": 0.15,
    "bitcoin_long": 0.12,
    "link_long": 0.06,
    "mixed": 0.13,
    "stable_loop": 0.02,
    "short": 0.03,
    "lender": 0.16,
}
BORROWING_KINDS = tuple(kind for kind in SHARES if kind != "lender")
LENT_ASSETS = ("USDC", "DAI", "WETH")
TARGET_USE: Mapping[str, float] = {"USDC": 0.84, "DAI": 0.80, "WETH": 0.78, "WBTC": 0.40, "LINK": 0.40}
LOOP_HEALTH_FACTORS = (1.03, 1.12)
LINK_SIZE_RATIO = 0.15
DISABLED_SHARE = 0.08
OPENING_MARGIN = 1.004


@dataclass(frozen=True)
class Account:
    """One account and what it is meant to have at the final block, before interest.

    Attributes
    ----------
    collateral, debt : mapping
        Symbol -> amount in the token's smallest units.
    disabled : frozenset of str
        Collateral that the account does not use as such.
    category : int
        E-mode, 0 for none.
    intended_health_factor : float or None
        At closing prices, without the interest since; None without debt.
    """

    address: str
    kind: str
    collateral: Mapping[str, int]
    debt: Mapping[str, int]
    category: int = 0
    disabled: frozenset[str] = frozenset()
    intended_health_factor: float | None = None


def draw_accounts(count: int, rng: np.random.Generator, seed: int) -> list[Account]:
    """Draw the accounts of a world.

    Parameters
    ----------
    count : int
        How many, at least 8.
    rng : numpy.random.Generator
        Source of all randomness.
    seed : int
        Goes into the addresses only.

    Raises
    ------
    ValueError
        `count` is too small for every lent asset to have a lender.
    """
    if count < SMALLEST_WORLD:
        raise ValueError(f"a world needs at least {SMALLEST_WORLD} accounts, not {count}")
    kinds = _kinds(count, rng)
    addresses = [address_of(f"account {index} of seed {seed}") for index in range(count)]
    members = {kind: [index for index in range(count) if kinds[index] == kind] for kind in SHARES}
    accounts: dict[int, Account] = {}
    for kind in BORROWING_KINDS:  # each kind has the quantiles of both laws, so that none is left with the small ones
        debts = DEBT_USD.sample(len(members[kind]), rng)
        healths = 1 + HEALTH_ABOVE_ONE.sample(len(members[kind]), rng)
        for index, debt, health in zip(members[kind], debts, healths, strict=True):
            accounts[index] = _borrower(addresses[index], kind, float(debt), float(health), rng)
    lenders = {index: addresses[index] for index in members["lender"]}
    accounts.update(_lenders(lenders, list(accounts.values()), rng))
    return [accounts[index] for index in range(count)]


def total(accounts: Sequence[Account], symbol: str, side: str) -> int:
    """Return how much of a token all accounts together have on one side, ``collateral`` or ``debt``, in raw units."""
    return sum(getattr(account, side).get(symbol, 0) for account in accounts)


def _kinds(count: int, rng: np.random.Generator) -> list[str]:
    """Split the accounts by `SHARES` (largest remainder), at least one lender per lent asset, in random order."""
    quotas = {kind: share * count for kind, share in SHARES.items()}
    numbers = {kind: int(quota) for kind, quota in quotas.items()}
    numbers["lender"] = max(numbers["lender"], len(LENT_ASSETS))
    by_remainder = sorted(quotas, key=lambda kind: (numbers[kind] - quotas[kind], kind))
    while sum(numbers.values()) < count:
        numbers[by_remainder.pop(0)] += 1
    while sum(numbers.values()) > count:
        numbers["ether_long"] -= 1
    kinds = [kind for kind, number in numbers.items() for _ in range(number)]
    return [kinds[place] for place in rng.permutation(count)]


def _borrower(address: str, kind: str, debt_usd: float, health: float, rng: np.random.Generator) -> Account:
    weights, debts, category = _shape(kind, rng)
    if kind == "link_long":
        debt_usd *= LINK_SIZE_RATIO
    if category:
        health = float(rng.uniform(*LOOP_HEALTH_FACTORS))
    thresholds = {s: (CATEGORIES[category] if category else RESERVES[s]).threshold_bps / 1e4 for s in weights}
    limits = {s: (CATEGORIES[category] if category else RESERVES[s]).ltv_bps / 1e4 for s in weights}
    threshold = sum(weight * thresholds[s] for s, weight in weights.items())
    opening_limit = sum(weight * limits[s] * _fall(s) for s, weight in weights.items())
    opening_debt = sum(weight * _fall(s) for s, weight in debts.items())
    # Nobody can open a position beyond the loan-to-value limit at opening prices.
    health = max(health, OPENING_MARGIN * threshold * opening_debt / opening_limit)
    collateral_usd = health * debt_usd / threshold
    collateral = {s: raw_amount(s, weight * collateral_usd) for s, weight in weights.items()}
    disabled: frozenset[str] = frozenset()
    if not category and rng.random() < DISABLED_SHARE:
        idle = str(rng.choice([s for s in RESERVES if s not in weights and s not in debts]))
        collateral[idle] = raw_amount(idle, float(rng.uniform(0.1, 0.4)) * debt_usd)
        disabled = frozenset({idle})
    debt = {s: raw_amount(s, weight * debt_usd) for s, weight in debts.items()}
    return Account(address, kind, collateral, debt, category, disabled, health)


def _shape(kind: str, rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float], int]:
    """Return an account's collateral weights, debt weights (each sums to one) and e-mode."""
    stable = [{"USDC": 1.0}, {"DAI": 1.0}, {"USDC": 0.7, "DAI": 0.3}][int(rng.choice(3, p=(0.55, 0.25, 0.20)))]
    match kind:
        case "ether_long":
            return {"WETH": 1.0}, stable, 0
        case "staking_loop":
            return {"lstETH": 1.0}, {"WETH": 1.0}, 1
        case "bitcoin_long":
            return {"WBTC": 1.0}, stable, 0
        case "link_long":
            return {"LINK": 1.0}, {"USDC": 1.0}, 0
        case "stable_loop":
            return {"DAI": 1.0}, {"USDC": 1.0}, 2
        case "short":
            return {"USDC": 1.0}, {"WETH": 0.80, "WBTC": 0.15, "LINK": 0.05}, 0
        case "mixed":
            chosen = rng.choice(["WETH", "WBTC", "LINK", "lstETH"], size=int(rng.integers(2, 4)), replace=False)
            parts = {str(s): float(rng.uniform(0.2, 1.0)) * (LINK_SIZE_RATIO if s == "LINK" else 1.0) for s in chosen}
            return {s: part / sum(parts.values()) for s, part in parts.items()}, stable, 0
    raise ValueError(f"no such kind of borrower: {kind}")


def _fall(symbol: str) -> float:
    """Opening price over closing price."""
    return opening_price_usd(symbol) / closing_price_usd(symbol)


def _lenders(
    addresses: Mapping[int, str], borrowers: Sequence[Account], rng: np.random.Generator
) -> dict[int, Account]:
    """Give each lender one asset; sizes follow the law, totals bring each reserve to its target use.

    What is lent of the other assets is borrowers' collateral; where that falls short, the first lender adds it.
    """
    assets = {index: LENT_ASSETS[place % len(LENT_ASSETS)] for place, index in enumerate(addresses)}
    sizes = dict(zip(addresses, DEBT_USD.sample(len(addresses), rng), strict=True))
    accounts = {}
    for symbol in LENT_ASSETS:
        members = [index for index, asset in assets.items() if asset == symbol]
        wanted_usd = value_usd(symbol, total(borrowers, symbol, "debt")) / TARGET_USE[symbol]
        lent_usd = max(_missing_usd(symbol, borrowers), 0.05 * wanted_usd, 10_000.0)
        whole = sum(float(sizes[index]) for index in members)
        for index in members:
            amount = raw_amount(symbol, lent_usd * float(sizes[index]) / whole)
            unused = frozenset({symbol}) if rng.random() < DISABLED_SHARE else frozenset[str]()
            accounts[index] = Account(addresses[index], "lender", {symbol: amount}, {}, 0, unused)
    first = next(iter(addresses))
    others = {s: _missing_usd(s, borrowers) for s in TARGET_USE if s not in LENT_ASSETS}
    more = {s: raw_amount(s, missing_usd) for s, missing_usd in others.items() if missing_usd > 0}
    accounts[first] = replace(accounts[first], collateral={**accounts[first].collateral, **more})
    return accounts


def _missing_usd(symbol: str, borrowers: Sequence[Account]) -> float:
    """What lenders must add of an asset to bring its use down to the target."""
    borrowed, supplied = total(borrowers, symbol, "debt"), total(borrowers, symbol, "collateral")
    return value_usd(symbol, borrowed) / TARGET_USE[symbol] - value_usd(symbol, supplied)
