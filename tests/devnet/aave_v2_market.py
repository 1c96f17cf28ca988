"""Life in a market of Aave V2 (deployed by `aave_v2`) beside the Aave V3 market, the pairs and the feeds of a world.

First 44 people lend and borrow at variable rates, drawn from a seed, and ether falls against the stablecoins. Then, at `fix`, fixed rates are
allowed and used, people leave, give everything away and repay, and a reserve is frozen. Sources answer in wei, 18 decimals. All figures
are chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from web3.contract import Contract

from tests.devnet.aave_v2 import FIXED_RATE, VARIABLE_RATE, AaveV2, borrow, deploy_aave_v2, deposit
from tests.devnet.assets import fund
from tests.devnet.contracts import artifact
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import RESERVES, closing_price_usd, opening_price_usd
from tests.devnet.transactions import address_of
from tests.devnet.world import World

DAY_SECONDS = 86_400
PEOPLE = 44
LENT = {"WETH": 9_000, "USDC": 9_000_000, "DAI": 9_000_000, "LINK": 200_000, "WBTC": 90}
"""Whole tokens of two lenders who owe nothing."""
PLEDGED = ("WETH", "WETH", "WETH", "WBTC", "LINK", "lstETH")
OWED = ("USDC", "DAI", "WETH")
FIXED = {
    "fixed one": ("DAI", 41_000.3),
    "fixed two": ("DAI", 87_000.7),
    "both": ("USDC", 55_000.1),
    "ether": ("WETH", 33.3),
}
"""Who borrows what, in whole tokens, at a fixed rate against 8 WBTC."""
WEI = 10**18


@dataclass(frozen=True)
class V2Market:
    """The market in its world; price sources by symbol, `people` by what they do."""

    world: World
    market: AaveV2
    sources: Mapping[str, Contract]
    people: Mapping[str, str]

    def entry(self) -> str:
        """The market's own entry of the address book."""
        addresses = {
            "pool_addresses_provider": str(self.market.provider.address),
            "pool": str(self.market.pool.address),
            "oracle": str(self.market.provider.functions.getPriceOracle().call()),
        }
        return "\n".join([*entry_lines(0, "aave-v2", "main", "aave_v2"), *address_lines(addresses)])

    def book(self, folder: Path, beside: Sequence[str] = ("uniswap_v2", "chainlink", "erc20")) -> Path:
        """An address book with this market, and those entries of the world's whose readers are named."""
        mark = "[[deployments]]\n"
        entries = self.world.deployments.read_text().split(mark)[1:]
        chosen = [mark + entry for entry in entries if any(f'reader = "{name}"' in entry for name in beside)]
        file = folder / "book.toml"
        file.write_text("\n".join([self.entry(), *chosen]))
        return file


def price_wei(symbol: str, price_usd: Callable[[str], float]) -> int:
    """What a source answers: the price in ether."""
    return round(price_usd(symbol) / price_usd("WETH") * WEI)


def live(world: World) -> V2Market:
    """Deploy the market, let people lend and borrow at variable rates over weeks, and let ether fall."""
    ledger, tokens = world.ledger, world.tokens
    sources = {
        symbol: ledger.deploy(artifact("MockV3Aggregator"), 18, price_wei(symbol, opening_price_usd))
        for symbol in RESERVES
    }
    places = {symbol: str(source.address) for symbol, source in sources.items()}
    market = deploy_aave_v2(ledger, tokens, places, address_of("treasury of v2"))
    plan = _plan()
    others = ("first lender", "second lender", "heir", "guest", *FIXED)
    people = {name: address_of(f"{name} of v2") for name in (*plan, *others)}
    for symbol, token in tokens.items():
        fund(
            ledger,
            tokens,
            symbol,
            _raw(symbol, 2 * LENT.get(symbol, 0)) + sum(one[0].get(symbol, 0) for one in plan.values()),
        )
        ledger.call(f"approve {symbol}", token, "approve", market.pool.address, 2**256 - 1)
    for name in ("first lender", "second lender"):
        for symbol, whole in LENT.items():
            deposit(ledger, market, tokens[symbol], _raw(symbol, whole), people[name])
    for name, (pledged, _) in plan.items():
        for symbol, amount in pledged.items():
            deposit(ledger, market, tokens[symbol], amount, people[name])
    ledger.mine()
    for number, (name, (_, owed)) in enumerate(plan.items()):
        for symbol, amount in owed.items():
            borrow(ledger, market, tokens[symbol], amount, people[name])
        if number % 11 == 10:
            ledger.mine()
            ledger.node.mine(9 * DAY_SECONDS)
    idle = (tokens["LINK"].address, False)
    ledger.call(
        "not as collateral", market.pool, "setUserUseReserveAsCollateral", *idle, sender=people["second lender"]
    )
    for symbol, source in sources.items():
        ledger.call(f"publish {symbol}", source, "updateAnswer", price_wei(symbol, closing_price_usd))
    ledger.mine()
    return V2Market(world, market, sources, people)


def fix(lived: V2Market) -> None:
    """Fixed rates, people who leave, a frozen reserve; the world then has every state of a position and a reserve but a paused pool."""
    ledger, market, tokens = lived.world.ledger, lived.market, lived.world.tokens
    people, pool = lived.people, lived.market.pool
    for symbol in OWED:
        ledger.call(f"fixed rates of {symbol}", market.configurator, "enableReserveStableRate", tokens[symbol].address)
    fund(ledger, tokens, "WBTC", _raw("WBTC", 40))
    fund(ledger, tokens, "USDC", _raw("USDC", 600_000))
    for name, (symbol, whole) in FIXED.items():
        deposit(ledger, market, tokens["WBTC"], _raw("WBTC", 8), people[name])
        ledger.mine()
        borrow(ledger, market, tokens[symbol], _raw(symbol, whole), people[name], FIXED_RATE)
        ledger.mine()
        ledger.node.mine(5 * DAY_SECONDS)
    borrow(ledger, market, tokens["USDC"], _raw("USDC", 20_000), people["both"], VARIABLE_RATE)
    swap = (tokens["USDC"].address, VARIABLE_RATE)
    ledger.call("make the debt fixed", pool, "swapBorrowRateMode", *swap, sender=people["person 0"])
    part = _raw("DAI", 1_234.5)
    ledger.call("approve", tokens["DAI"], "approve", pool.address, part, sender=people["fixed one"])
    order = (tokens["DAI"].address, part, FIXED_RATE, people["fixed one"])
    ledger.call("repay a part", pool, "repay", *order, sender=people["fixed one"])
    ledger.mine()
    _leave(lived)
    ledger.call("freeze LINK", market.configurator, "freezeReserve", tokens["LINK"].address)
    ledger.mine()
    ledger.node.mine(12 * DAY_SECONDS + 1)


def _leave(lived: V2Market) -> None:
    """The guest takes everything back, and repays; the second lender's stablecoins go to an heir."""
    ledger, market, tokens = lived.world.ledger, lived.market, lived.world.tokens
    guest, heir = lived.people["guest"], lived.people["heir"]
    deposit(ledger, market, tokens["USDC"], _raw("USDC", 50_000), guest)
    borrow(ledger, market, tokens["WETH"], WEI, guest)
    ledger.mine()
    fund(ledger, lived.world.tokens, "WETH", 2 * WEI)
    ledger.call("repay", market.pool, "repay", tokens["WETH"].address, 2 * WEI, VARIABLE_RATE, guest)
    ledger.call("leave", market.pool, "withdraw", tokens["USDC"].address, 2**256 - 1, guest, sender=guest)
    ledger.mine()
    gift = market.receipt_tokens["DAI"]
    giver = lived.people["second lender"]
    ledger.call("bequeath", gift, "transfer", heir, int(gift.functions.balanceOf(giver).call()) // 3, sender=giver)
    ledger.mine()


def _plan() -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """What each person pledges and owes, in smallest units: 0.5 to 0.99 of what the opening prices allow."""
    rng = np.random.default_rng(20)
    plan = {}
    for number in range(PEOPLE):
        pledged = PLEDGED[number % len(PLEDGED)]
        owed = OWED[number % len(OWED)] if pledged not in ("WETH", "lstETH") else OWED[number % 2]
        worth_usd = float(rng.uniform(5_000, 150_000))
        debt_usd = worth_usd * RESERVES[pledged].ltv_bps / 10_000 * float(rng.uniform(0.5, 0.99))
        plan[f"person {number}"] = (
            {pledged: _raw(pledged, worth_usd / opening_price_usd(pledged))},
            {owed: _raw(owed, debt_usd / opening_price_usd(owed))},
        )
    return plan


def _raw(symbol: str, whole: float) -> int:
    unit: int = 10 ** RESERVES[symbol].decimals
    return round(whole * unit)
