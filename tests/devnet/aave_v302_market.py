"""A small world of Aave V3.0.2 (deployed by `aave_v302`) in which everything that 3.6 no longer has is used.

A category that overrides the price, debts at a fixed rate, a reserve with a debt ceiling, one that is siloed, one whose loan to value
is zero. All figures are chosen.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from web3.contract import Contract

from tests.devnet.aave_v302 import deploy_market
from tests.devnet.assets import deploy_feeds, deploy_tokens, fund, open_vault, price_sources, publish
from tests.devnet.contracts import MULTICALL3_ADDRESS, artifact, multicall3_code
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import RESERVES, raw_price
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

ZERO_ADDRESS = "0x" + "0" * 40
DAY_SECONDS = 86_400
FIXED_RATE, VARIABLE_RATE = 1, 2
ETHER_CATEGORY, STABLE_CATEGORY = 1, 2


@dataclass(frozen=True)
class OldMarket:
    """A running chain with one Aave 3.0.2 market; tokens by symbol of the underlying, `people` by what they do."""

    url: str
    node: Node
    ledger: Ledger
    deployments: Path
    tokens: Mapping[str, Contract]
    feeds: Mapping[str, Contract]
    pool: Contract
    configurator: Contract
    oracle: Contract
    data_provider: Contract
    receipt_tokens: Mapping[str, Contract]
    fixed_debt_tokens: Mapping[str, Contract]
    debt_tokens: Mapping[str, Contract]
    category_price: str
    people: Mapping[str, str]
    treasury: str

    def send(self, contract: Contract, function: str, *args: object, sender: str | None = None) -> None:
        """Send one transaction and mine it; raises when it reverts."""
        self.ledger.call(function, contract, function, *args, sender=sender)
        self.ledger.mine()


@contextmanager
def old_market() -> Iterator[OldMarket]:
    """Build the world; the node ends with the ``with`` block."""
    with Node() as node, TemporaryDirectory(prefix="aftershock-devnet-") as folder:
        yield _build(node, Path(folder, "deployments.toml"))


def _build(node: Node, file: Path) -> OldMarket:
    ledger = Ledger(node, address_of("deployer"))
    node.request("anvil_setCode", MULTICALL3_ADDRESS, multicall3_code())
    tokens, feeds = deploy_tokens(ledger), deploy_feeds(ledger)
    open_vault(ledger, tokens, 1.19)
    sources, _ = price_sources(ledger, tokens, feeds)
    market = deploy_market(ledger, tokens, sources, address_of("treasury"))
    _settle(ledger, market.configurator, tokens)
    category_price = _categories(ledger, market.configurator, market.oracle, tokens)
    addresses = {
        "pool_addresses_provider": str(market.provider.address),
        "pool": str(market.pool.address),
        "pool_data_provider": str(market.data_provider.address),
        "oracle": str(market.oracle.address),
    }
    file.write_text("\n".join([*entry_lines(0, "aave-v3", "old", "aave_v3"), *address_lines(addresses)]))
    people = _live(ledger, market.pool, tokens, feeds, market.receipt_tokens)
    last = (tokens["lstETH"].address, 0, RESERVES["lstETH"].threshold_bps, RESERVES["lstETH"].bonus_bps)
    ledger.call("no more loans on staked ether", market.configurator, "configureReserveAsCollateral", *last)
    ledger.mine()
    return OldMarket(
        *(node.url, node, ledger, file, tokens, feeds),
        *(market.pool, market.configurator, market.oracle, market.data_provider),
        *(market.receipt_tokens, market.fixed_debt_tokens, market.debt_tokens),
        *(category_price, people, market.treasury),
    )


def _settle(ledger: Ledger, configurator: Contract, tokens: Mapping[str, Contract]) -> None:
    """Caps, a debt ceiling, a silo, and debts at a fixed rate."""
    for symbol, reserve in RESERVES.items():
        settings: dict[str, object] = {
            "setReserveStableRateBorrowing": symbol in ("USDC", "DAI", "WETH"),
            "setSupplyCap": 1_000_000_000,
            "setBorrowCap": 500_000_000 if reserve.borrowable else 0,
            "setDebtCeiling": 5_000_000_00 if symbol == "WBTC" else 0,
            "setBorrowableInIsolation": symbol in ("USDC", "DAI"),
            "setSiloedBorrowing": symbol == "LINK",
        }
        for function, value in settings.items():
            if reserve.borrowable or function != "setReserveStableRateBorrowing":
                ledger.call(f"{function} of {symbol}", configurator, function, tokens[symbol].address, value)
    ledger.mine()


def _categories(ledger: Ledger, configurator: Contract, oracle: Contract, tokens: Mapping[str, Contract]) -> str:
    """Two categories; the first prices its members by a feed of its own. Returns the address the oracle knows that price by."""
    name = address_of("price of the ether category")
    feed = ledger.deploy(artifact("MockV3Aggregator"), 8, raw_price(2_222.0))
    ledger.call("source of the category price", oracle, "setAssetSources", [name], [feed.address])
    ether = (ETHER_CATEGORY, 9_000, 9_300, 10_200, name, "Ether")
    stable = (STABLE_CATEGORY, 9_300, 9_500, 10_100, ZERO_ADDRESS, "Dollars")
    for category in (ether, stable):
        ledger.call(f"category {category[0]}", configurator, "setEModeCategory", *category)
    members = {"WETH": ETHER_CATEGORY, "lstETH": ETHER_CATEGORY, "USDC": STABLE_CATEGORY, "DAI": STABLE_CATEGORY}
    for symbol, number in members.items():
        ledger.call(f"{symbol} in {number}", configurator, "setAssetEModeCategory", tokens[symbol].address, number)
    ledger.mine()
    return name


def _live(
    ledger: Ledger,
    pool: Contract,
    tokens: Mapping[str, Contract],
    feeds: Mapping[str, Contract],
    receipts: Mapping[str, Contract],
) -> dict[str, str]:
    """Let people supply, borrow at both kinds of rate, enter categories, repay and give, over forty days."""
    unit = {symbol: 10**reserve.decimals for symbol, reserve in RESERVES.items()}
    plan: dict[str, tuple[dict[str, float], int, list[tuple[str, float, int]]]] = {
        "lender": ({"WETH": 900, "USDC": 5_000_000, "DAI": 4_000_000, "LINK": 90_000}, 0, []),
        "ether long": ({"WETH": 120.5}, 0, [("USDC", 130_000.7, VARIABLE_RATE)]),
        "fixed": ({"WETH": 91.3}, 0, [("DAI", 70_001.3, FIXED_RATE)]),
        "both rates": (
            {"WETH": 77.7, "LINK": 901},
            0,
            [("USDC", 40_000.1, FIXED_RATE), ("USDC", 33_000, VARIABLE_RATE)],
        ),
        "staking loop": ({"lstETH": 10, "WETH": 60}, ETHER_CATEGORY, [("WETH", 41.7, VARIABLE_RATE)]),
        "ether in category": ({"WETH": 55, "DAI": 9_000}, ETHER_CATEGORY, [("WETH", 40.1, VARIABLE_RATE)]),
        "stable loop": ({"DAI": 250_000}, STABLE_CATEGORY, [("USDC", 210_000, VARIABLE_RATE)]),
        "isolated": ({"WBTC": 3}, 0, [("DAI", 60_000, VARIABLE_RATE)]),
        "siloed": ({"WETH": 30}, 0, [("LINK", 1_234.5, VARIABLE_RATE)]),
        "fixed ether": ({"USDC": 300_000}, 0, [("WETH", 44.4, FIXED_RATE)]),
    }
    people = {name: address_of(f"{name} of the old market") for name in plan} | {"heir": address_of("an old heir")}
    for symbol, token in tokens.items():
        needed = sum(round(supplies.get(symbol, 0) * unit[symbol]) for supplies, _, _ in plan.values())
        fund(ledger, tokens, symbol, needed)
        ledger.call(f"approve {symbol}", token, "approve", pool.address, 2**256 - 1)
    for name, (supplies, category, _) in plan.items():
        for symbol, amount in supplies.items():
            ledger.call(
                f"supply {symbol}",
                pool,
                "supply",
                tokens[symbol].address,
                round(amount * unit[symbol]),
                people[name],
                0,
            )
        if category:
            ledger.call("enter category", pool, "setUserEMode", category, sender=people[name])
    # an asset with a debt ceiling, and one whose loan to value is 0, count only once their owner says so
    ledger.call(
        "isolate", pool, "setUserUseReserveAsCollateral", tokens["WBTC"].address, True, sender=people["isolated"]
    )
    ledger.mine()
    for day, (name, (_, _, debts)) in enumerate(plan.items()):
        for symbol, amount, kind in debts:
            order = (tokens[symbol].address, round(amount * unit[symbol]), kind, 0, people[name])
            ledger.call(f"borrow {symbol} as {name}", pool, "borrow", *order, sender=people[name])
        ledger.mine()
        ledger.node.mine((day + 1) * DAY_SECONDS // 2)
    _later(ledger, pool, tokens, receipts, people, unit)
    publish(ledger, feeds, {"ETH": 1_900.0, "BTC": 60_000.0, "DAI": 1.0003})
    return people


def _later(
    ledger: Ledger,
    pool: Contract,
    tokens: Mapping[str, Contract],
    receipts: Mapping[str, Contract],
    people: Mapping[str, str],
    unit: Mapping[str, int],
) -> None:
    part = 12_345 * unit["DAI"] // 10
    ledger.call("approve", tokens["DAI"], "approve", pool.address, part, sender=people["fixed"])
    order = (tokens["DAI"].address, part, FIXED_RATE, people["fixed"])
    ledger.call("repay a fixed debt", pool, "repay", *order, sender=people["fixed"])
    swap = (tokens["USDC"].address, VARIABLE_RATE)
    ledger.call("make the debt fixed", pool, "swapBorrowRateMode", *swap, sender=people["ether long"])
    gift = 3 * unit["LINK"] + 1
    ledger.call("bequeath", receipts["LINK"], "transfer", people["heir"], gift, sender=people["lender"])
    ledger.call("pay the treasury", pool, "mintToTreasury", [tokens[symbol].address for symbol in RESERVES])
    ledger.mine()
    ledger.node.mine(11 * DAY_SECONDS)
