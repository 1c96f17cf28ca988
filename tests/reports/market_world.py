"""A lending market of a given size as a snapshot: enough accounts, collaterals and pools for a report to have something to say.

Two hundred borrowers and some lenders, drawn with a seed; all numbers are made up. `thin` pools and near health factors give bad debt.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chain.snapshot import Anchor, Check, Snapshot, from_rows
from graph.build import build
from reports.assessment import assess
from reports.at_risk import at_risk_of
from reports.frontier import Frontier, frontier_of
from reports.market_rows import of_market
from reports.record import Assessment
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.frontier import against_falls
from simulations.health import at_risk
from simulations.result import CascadeResult
from simulations.scenarios import Scenario
from simulations.shocks import PriceShock

CHAIN = "eip155:31337"
CAPTION = "generated accounts, made-up contracts"
WAD, RAY = 10**18, 10**27
SYMBOLS = {  # symbol: address byte, decimals, kind, price in USD, threshold, bonus, feed
    "WETH": ("a1", 18, "wrapped_native", 3000.0, 0.83, 0.05, "ethusd"),
    "lstETH": ("a2", 18, "staked", 3510.0, 0.81, 0.06, "adapter"),
    "WBTC": ("a3", 8, "token", 90_000.0, 0.78, 0.05, "btcusd"),
    "LINK": ("a4", 18, "token", 20.0, 0.70, 0.07, "linkusd"),
    "USDC": ("a5", 6, "stablecoin", 1.0, 0.78, 0.045, "usdcusd"),
}
FEEDS = {
    "ethusd": ("c1", "ETH / USD"),
    "btcusd": ("c2", "BTC / USD"),
    "linkusd": ("c3", "LINK / USD"),
    "usdcusd": ("c4", "USDC / USD"),
    "adapter": ("c5", "lstETH / USD"),
}


def address(byte: str) -> str:
    return "0x" + byte * 20


POOL = address("b1")
MARKET = f"{CHAIN}:aave-v3/{POOL}"


def asset_key(symbol: str) -> str:
    return f"{CHAIN}/erc20:{address(SYMBOLS[symbol][0])}"


def entity(target: str) -> str:
    return f"{CHAIN}:{target}"


def market_snapshot(
    *,
    seed: int = 1,
    borrowers: int = 200,
    depth_usd: float = 40e6,
    near: float = 0.25,
    weights: tuple[float, ...] = (0.5, 0.3, 0.15, 0.05),
    caption: str = CAPTION,
    gaps: tuple[str, ...] = ("borrowers with less than $1 of debt",),
    checks: tuple[Check, ...] | None = None,
    debt_usd: float = 500_000.0,
    status: str = "verified",
) -> Snapshot:
    """A snapshot of one market and its pools; `near` is the spread of health factors above 1, `depth_usd` the size of the ETH pool."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Mapping[str, Any]]] = {
        name: []
        for name in (
            "entities",
            "assets",
            "protocols",
            "markets",
            "reserves",
            "positions",
            "feeds",
            "prices",
            "pools",
            "pool_assets",
            "backings",
        )
    }

    def put(table: str, **row: Any) -> None:
        rows[table].append({"evidence": f"{table} at block 100", "status": "verified", **row})

    def account(prefix: str) -> str:
        target = "0x" + prefix + rng.bytes(19).hex()
        put("entities", entity=entity(target), chain=CHAIN, address=target, kind="account", name=None)
        return entity(target)

    supplied: dict[str, int] = dict.fromkeys(SYMBOLS, 0)
    borrowed: dict[str, int] = dict.fromkeys(SYMBOLS, 0)

    def position(owner: str, symbol: str, side: str, usd: float) -> None:
        raw = int(usd / SYMBOLS[symbol][3] * 10 ** SYMBOLS[symbol][1])
        (borrowed if side == "debt" else supplied)[symbol] += raw
        put(
            "positions",
            market=MARKET,
            position_id=owner,
            asset=asset_key(symbol),
            side=side,
            owner=owner,
            stored_raw=raw,
            index_raw=RAY,
            index_unit_raw=RAY,
            amount_raw=raw,
            collateral_enabled=side == "supply" and symbol != "USDC",
            category=0,
            status=status,
        )

    put("protocols", protocol="aave-v3", name="Aave V3", kind="lending")
    put("protocols", protocol="uniswap-v2", name="Uniswap V2", kind="exchange")
    for name, (byte, _) in FEEDS.items():
        put("entities", entity=entity(address(byte)), chain=CHAIN, address=address(byte), kind="feed", name=None)
        put(
            "feeds",
            source=entity(address(byte)),
            step=0,
            kind="ratio" if name == "adapter" else "feed",
            address=entity(address(byte)),
            description=FEEDS[name][1],
            state="live",
            heartbeat_seconds=3600,
        )
    put(
        "feeds",
        source=entity(address("c5")),
        step=1,
        kind="feed",
        address=entity(address("c1")),
        description="ETH / USD",
        state="live",
        heartbeat_seconds=3600,
    )
    put("entities", entity=entity(POOL), chain=CHAIN, address=POOL, kind="market", name="Pool")
    for symbol, (byte, decimals, kind, price, _, _, feed) in SYMBOLS.items():
        put(
            "assets",
            asset=asset_key(symbol),
            chain=CHAIN,
            address=address(byte),
            symbol=symbol,
            decimals=decimals,
            kind=kind,
        )
        put("entities", entity=entity(address(byte)), chain=CHAIN, address=address(byte), kind="token", name=symbol)
        put(
            "prices",
            market=MARKET,
            asset=asset_key(symbol),
            price_raw=round(price * 1e8),
            decimals=8,
            quote_asset="iso4217:USD",
            source=entity(address(FEEDS[feed][0])),
            price_usd=price,
            usd_path="stated",
        )
    put("assets", asset=f"{CHAIN}/slip44:60", chain=CHAIN, symbol="ETH", decimals=18, kind="native")
    put(
        "backings",
        claim=asset_key("lstETH"),
        backing=asset_key("WETH"),
        holder=entity(address("a2")),
        amount_raw=11_700 * WAD,
        rate_wad=117 * WAD // 100,
        redemption="instant",
    )
    put(
        "markets",
        market=MARKET,
        chain=CHAIN,
        protocol="aave-v3",
        instance="core market",
        address=POOL,
        family="aave_v3",
        revision=10,
        base_asset="iso4217:USD",
        base_unit_raw=10**8,
        loss_rule="deficit_then_backstop",
    )
    total = 0.0
    for number in range(borrowers):
        owner = account("d1")
        symbol = list(SYMBOLS)[number] if number < 4 else str(rng.choice(list(SYMBOLS)[:4], p=weights))
        debt = min(float(rng.lognormal(np.log(debt_usd), 1.4)), 40 * debt_usd)
        health = 1.01 + near * float(rng.lognormal(0, 1))
        position(owner, symbol, "supply", debt * health / SYMBOLS[symbol][4])
        position(owner, "USDC", "debt", debt)
        total += debt
    sizes = rng.lognormal(0, 1.2, 12)
    for size in sizes:
        position(account("e1"), "USDC", "supply", 1.3 * total * size / sizes.sum())
    for number, (symbol, (_, _, _, _, threshold, bonus, feed)) in enumerate(SYMBOLS.items()):
        put(
            "reserves",
            market=MARKET,
            asset=asset_key(symbol),
            reserve_index=number,
            supply_index_raw=RAY,
            supply_index_unit_raw=RAY,
            borrow_index_raw=RAY,
            borrow_index_unit_raw=RAY,
            supplied_stored_raw=supplied[symbol],
            borrowed_stored_raw=borrowed[symbol],
            cash_raw=supplied[symbol] - borrowed[symbol],
            active=True,
            frozen=False,
            paused=False,
            borrowable=symbol == "USDC",
            liquidation_threshold_wad=round(threshold * 10_000) * WAD // 10_000,
            liquidation_bonus_wad=round((1 + bonus) * 10_000) * WAD // 10_000,
            liquidation_fee_wad=WAD // 10,
            liquidation_fee_base="bonus",
            accrual_unit="second",
            price_source=entity(address(FEEDS[feed][0])),
        )
    for byte, symbol, share in (("f1", "WETH", 1.0), ("f2", "lstETH", 0.3), ("f3", "WBTC", 0.5), ("f4", "LINK", 0.1)):
        pool = entity(address(byte))
        put("entities", entity=pool, chain=CHAIN, address=address(byte), kind="pool", name=f"{symbol} / USDC")
        put("pools", pool=pool, chain=CHAIN, protocol="uniswap-v2", kind="constant_product", fee_wad=3 * WAD // 1000)
        for slot, side in enumerate((symbol, "USDC")):
            raw = int(depth_usd * share / SYMBOLS[side][3] * 10 ** SYMBOLS[side][1])
            put("pool_assets", pool=pool, asset=asset_key(side), slot=slot, reserve_raw=raw)
    found = (Check("positions", "health factor equals the market's own", borrowers),) if checks is None else checks
    return from_rows(
        "made-up",
        (Anchor(CHAIN, 4211, "0x" + "ab" * 32, 1_790_000_000),),
        rows,
        caption=caption,
        gaps=gaps,
        checks=found,
    )


def falls(*shocks: tuple[str, float], title: str = "") -> Scenario:
    """A scenario of price falls, titled `ETH −30 %`."""
    parts = tuple(PriceShock(asset, change) for asset, change in shocks)
    text = title or ", ".join(shock.text for shock in parts)
    return Scenario(text.lower().replace(" ", "-"), text, parts)


STANDARD = (
    falls(("ETH", -0.1)),
    falls(("ETH", -0.2)),
    falls(("ETH", -0.3)),
    falls(("WBTC", -0.2)),
    falls(("ETH", -0.3), ("WBTC", -0.3), ("LINK", -0.3), title="ETH, WBTC, LINK −30\u202f%"),
)


def results_of(snapshot: Snapshot, scenarios: tuple[Scenario, ...] = STANDARD) -> list[CascadeResult]:
    book = from_graph(build(snapshot))
    return [run(book, scenario) for scenario in scenarios]


def frontier_at(book: Book, *falls: float) -> Frontier:
    """What liquidation cannot mend after falls of ETH, gas at $5."""
    return frontier_of(against_falls(book, "ETH", falls, 5.0), MARKET, "ETH", "$5.00")


def assessment_of(snapshot: Snapshot, results: list[CascadeResult] | None = None, **rest: Any) -> Assessment:
    """The whole way: graph, exposure, book, curve, cascades, assessment."""
    graph = build(snapshot)
    book = from_graph(graph)
    curve = at_risk(book, "ETH", [step / 100 for step in range(51)], MARKET)
    return assess(
        snapshot,
        of_market(graph, MARKET),
        at_risk_of(curve, "ETH", 3000.0),
        results if results is not None else results_of(snapshot),
        **{
            "frontier": frontier_at(book, 0.0, 0.25, 0.5),
            "command": "aftershock report core --scenario eth-30",
            "tool": "aftershock 0.1.0",
            **rest,
        },
    )
