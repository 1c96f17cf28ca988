"""A world small enough to add up by hand: one lending market, one pool, one staking token, one vault.

WETH 2,000 USD, lstETH 2,340 USD (1.17 WETH), USDC 1 USD.

market   WETH: 12 supplied (alice 10, dave 2)      1 borrowed (bob)         24,000 / 2,000 USD
         lstETH: 5 supplied (bob)                  none borrowed            11,700
         USDC: 80,000 supplied (carol, vault)      8,000 borrowed (alice)   80,000 / 8,000; carol's does not count
pool     100 WETH and 200,000 USDC behind 4,000 shares, 1,000 of them dave's
"""

from collections.abc import Mapping
from typing import Any

from chain.snapshot import Anchor, Snapshot, from_rows

CHAIN = "eip155:31337"
ADDRESSES = {
    name: f"0x{number:040x}"
    for name, number in {
        "weth": 0xA1 << 150,
        "lsteth": 0xA2 << 150,
        "usdc": 0xA3 << 150,
        "aweth": 0xA4 << 150,
        "share": 0xA5 << 150,
        "lp": 0xA6 << 150,
        "pool": 0xB1 << 150,
        "swap": 0xB2 << 150,
        "ethusd": 0xC1 << 150,
        "usdcusd": 0xC2 << 150,
        "adapter": 0xC3 << 150,
        "alice": 0xD1 << 150,
        "bob": 0xD2 << 150,
        "carol": 0xD3 << 150,
        "dave": 0xD4 << 150,
        "council": 0xE1 << 150,
    }.items()
}
E = {name: f"{CHAIN}:{address}" for name, address in ADDRESSES.items()}
A = {name: f"{CHAIN}/erc20:{address}" for name, address in ADDRESSES.items()}
ETHER = f"{CHAIN}/slip44:60"
MARKET = f"{CHAIN}:aave-v3/{ADDRESSES['pool']}"
WETH, LSTETH, USDC, AWETH, SHARE, LP = (A[name] for name in ("weth", "lsteth", "usdc", "aweth", "share", "lp"))
ANCHOR = Anchor(CHAIN, 100, "0x" + "ab" * 32, 1_700_000_000)
WAD, RAY, CENT = 10**18, 10**27, 10**6

Rows = dict[str, list[Mapping[str, Any]]]


def small_rows() -> Rows:
    """Rows by table, fresh each time, to be changed at will."""
    return {
        "entities": [
            _entity("pool", "market", "Pool"),
            _entity("swap", "pool", None),
            _entity("ethusd", "feed", None),
            _entity("usdcusd", "feed", None),
            _entity("adapter", "feed", None),
            _entity("lsteth", "token", None),
            _entity("share", "vault", "Prime USDC vault"),
            _entity("council", "authority", "Council"),
            *[_entity(name, "account", None) for name in ("alice", "bob", "dave")],
            _entity("carol", "account", "Carol's fund"),
        ],
        "protocols": [
            _read({"protocol": "aave-v3", "name": "Aave V3", "kind": "lending"}),
            _read({"protocol": "uniswap-v2", "name": "Uniswap V2", "kind": "exchange"}),
        ],
        "assets": [
            _asset("weth", "WETH", 18, "wrapped_native", None),
            _asset("lsteth", "lstETH", 18, "staked", 1000 * WAD),
            _asset("usdc", "USDC", 6, "stablecoin", None),
            _asset("aweth", "aWETH", 18, "receipt", 12 * WAD),
            _asset("share", "vUSDC", 18, "vault_share", None),
            _asset("lp", "UNI-V2", 18, "lp_share", 4000 * WAD),
        ],
        "markets": [
            _read(
                {
                    "market": MARKET,
                    "chain": CHAIN,
                    "protocol": "aave-v3",
                    "instance": "core",
                    "address": ADDRESSES["pool"],
                    "family": "aave_v3",
                    "revision": 10,
                    "base_asset": "iso4217:USD",
                    "base_unit_raw": 10**8,
                    "loss_rule": "deficit_then_backstop",
                }
            )
        ],
        "reserves": [
            _reserve("weth", 0, 10 * WAD, RAY * 12 // 10, WAD, 11 * WAD, "ethusd", "aweth"),
            _reserve("lsteth", 1, 5 * WAD, RAY, 0, 5 * WAD, "adapter", None),
            _reserve("usdc", 2, 80_000 * CENT, RAY, 8_000 * CENT, 72_000 * CENT, "usdcusd", None),
        ],
        "positions": [
            _position("alice", "weth", "supply", 10 * WAD, enabled=True),
            _position("alice", "usdc", "debt", 8_000 * CENT),
            _position("bob", "lsteth", "supply", 5 * WAD, enabled=True),
            _position("bob", "weth", "debt", 1 * WAD),
            _position("carol", "usdc", "supply", 50_000 * CENT),
            _position("share", "usdc", "supply", 30_000 * CENT, enabled=True),
            _position("dave", "weth", "supply", 2 * WAD, enabled=True),
        ],
        "feeds": [
            _feed("ethusd", 0, "feed", "ethusd", "ETH / USD"),
            _feed("usdcusd", 0, "feed", "usdcusd", "USDC / USD"),
            _feed("adapter", 0, "ratio", "adapter", "lstETH / USD"),
            _feed("adapter", 1, "feed", "ethusd", "ETH / USD"),
            _feed("adapter", 2, "rate", "lsteth", None),
        ],
        "prices": [
            _price("weth", 2000, "ethusd"),
            _price("lsteth", 2340, "adapter"),
            _price("usdc", 1, "usdcusd"),
        ],
        "pools": [
            _read(
                {
                    "pool": E["swap"],
                    "chain": CHAIN,
                    "protocol": "uniswap-v2",
                    "kind": "constant_product",
                    "lp_asset": LP,
                    "lp_supply_raw": 4000 * WAD,
                    "fee_wad": 3 * WAD // 1000,
                }
            )
        ],
        "pool_assets": [
            _read({"pool": E["swap"], "asset": WETH, "slot": 0, "reserve_raw": 100 * WAD}),
            _read({"pool": E["swap"], "asset": USDC, "slot": 1, "reserve_raw": 200_000 * CENT}),
        ],
        "backings": [
            _read(
                {
                    "claim": LSTETH,
                    "backing": WETH,
                    "holder": E["lsteth"],
                    "amount_raw": 1170 * WAD,
                    "rate_wad": 117 * WAD // 100,
                    "redemption": "instant",
                    "capacity_raw": 1170 * WAD,
                }
            )
        ],
        "balances": [
            _read({"asset": LP, "holder": E["dave"], "amount_raw": 1000 * WAD}),
            _read({"asset": WETH, "holder": E["swap"], "amount_raw": 100 * WAD}),
        ],
        "queues": [
            _read({"vault": SHARE, "side": "supply", "slot": 0, "market": MARKET, "cap_raw": 100_000 * CENT}),
            _read({"vault": SHARE, "side": "withdraw", "slot": 0, "market": MARKET, "allocated_raw": 30_000 * CENT}),
        ],
        "authorities": [
            _read(
                {
                    "authority": E["council"],
                    "target": MARKET,
                    "power": "caps",
                    "kind": "multisig",
                    "delay_seconds": 86_400,
                }
            )
        ],
    }


def small_world(rows: Rows | None = None, anchors: tuple[Anchor, ...] = (ANCHOR,), **rest: Any) -> Snapshot:
    """The small world as a snapshot; `rows` replaces whole tables."""
    return from_rows("small", anchors, {**small_rows(), **(rows or {})}, **rest)


def backed(*links: tuple[str, str, int, float | None], **assets: Any) -> Snapshot:
    """Assets and backings only: (claim, backing, whole amount, rate); `assets` gives symbol=(kind, total supply, price)."""
    base = small_rows()
    return from_rows(
        "backed",
        (),
        {
            "assets": [
                _read(
                    {"asset": f"file:{name}", "symbol": name, "decimals": 18, "kind": kind, "total_supply_raw": supply}
                )
                for name, (kind, supply, _) in assets.items()
            ],
            "protocols": base["protocols"],
            "markets": base["markets"],
            "prices": [
                _read(
                    {
                        "market": MARKET,
                        "asset": f"file:{name}",
                        "price_raw": int(price * 100),
                        "decimals": 2,
                        "quote_asset": "iso4217:USD",
                    }
                )
                for name, (_, _, price) in assets.items()
                if price is not None
            ],
            "backings": [
                _read(
                    {
                        "claim": f"file:{claim}",
                        "backing": f"file:{backing}",
                        "holder": "file:holder",
                        "amount_raw": amount * WAD,
                        "rate_wad": None if rate is None else round(rate * 1000) * WAD // 1000,
                        "redemption": "none",
                    }
                )
                for claim, backing, amount, rate in links
            ],
        },
    )


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "evidence": f"call for {' '.join(map(str, list(row.values())[:3]))} at block 100",
        "status": "verified",
    }


def _entity(name: str, kind: str, label: str | None) -> dict[str, Any]:
    return _read({"entity": E[name], "chain": CHAIN, "address": ADDRESSES[name], "kind": kind, "name": label})


def _asset(name: str, symbol: str, decimals: int, kind: str, supply: int | None) -> dict[str, Any]:
    row = {"asset": A[name], "chain": CHAIN, "address": ADDRESSES[name], "symbol": symbol, "decimals": decimals}
    return _read({**row, "kind": kind, "total_supply_raw": supply})


def _reserve(
    name: str, index: int, supplied: int, supply_index: int, borrowed: int, cash: int, source: str, receipt: str | None
) -> dict[str, Any]:
    return _read(
        {
            "market": MARKET,
            "asset": A[name],
            "reserve_index": index,
            "receipt_asset": receipt and A[receipt],
            "supply_index_raw": supply_index,
            "supply_index_unit_raw": RAY,
            "borrow_index_raw": RAY,
            "borrow_index_unit_raw": RAY,
            "supplied_stored_raw": supplied,
            "borrowed_stored_raw": borrowed,
            "cash_raw": cash,
            "active": True,
            "frozen": False,
            "paused": False,
            "borrowable": True,
            "liquidation_threshold_wad": 8 * WAD // 10,
            "accrual_unit": "second",
            "price_source": E[source],
        }
    )


def _position(owner: str, asset: str, side: str, amount: int, enabled: bool = False) -> dict[str, Any]:
    return _read(
        {
            "market": MARKET,
            "position_id": E[owner],
            "asset": A[asset],
            "side": side,
            "owner": E[owner],
            "stored_raw": amount,
            "index_raw": RAY,
            "index_unit_raw": RAY,
            "amount_raw": amount,
            "collateral_enabled": enabled,
            "category": 0,
        }
    )


def _feed(source: str, step: int, kind: str, address: str, description: str | None) -> dict[str, Any]:
    row = {"source": E[source], "step": step, "kind": kind, "address": E[address], "description": description}
    return _read({**row, "state": "live", "heartbeat_seconds": 3600})


def _price(asset: str, usd: int, source: str) -> dict[str, Any]:
    row = {"market": MARKET, "asset": A[asset], "price_raw": usd * 10**8, "decimals": 8}
    return _read({**row, "quote_asset": "iso4217:USD", "source": E[source]})
