"""Liquity V1: one system of troves, ether against LUSD, with its pools, its stability pool and its price feed.

Written against the contracts of liquity/dev@5174ecd0 (packages/contracts/contracts), the commit that the deployment names. Nothing earns
interest; what changes a debt without its owner is a redistribution. LUSD counts as one dollar, so a redemption gives a dollar's worth of ether
less a fee: a `backings` row without a rate. What is asked stands in `liquity_questions`; troves and deposits are read by `liquity_accounts`.
"""

from collections.abc import Mapping
from typing import Any

from chain.deployments import Deployment
from chain.findings import Findings, Progress
from chain.node.client import Client
from chain.readers import access, liquity_accounts, liquity_questions
from chain.readers.liquity_accounts import Place
from chain.readers.liquity_questions import OWNED
from chain.units import WAD, ZERO_ADDRESS, market_id, native_id

VERSION = 1
USD = "iso4217:USD"
DECIMALS = 18
RAY_OF_WAD = 10**9
ROUND_BITS = 64
TELLOR_DECIMALS = 6
FEED_STATES = (
    "Chainlink is used",
    "Tellor is used, Chainlink is not trusted",
    "neither oracle is trusted, the last good price is used",
    "Tellor is used, Chainlink is frozen",
    "Chainlink is used, Tellor is not trusted",
)
"""PriceFeed.Status."""


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read the system, its troves and deposits; ContractError if a contract refuses."""
    # Where
    manager = deployment.addresses["trove_manager"]
    label = f"{deployment.protocol} {deployment.instance}"
    market = market_id(found.anchor.chain, deployment.protocol, manager)
    found.entity(manager, "market", label, deployment.protocol)

    # Ask
    progress("liquity_v1", 0, 3, f"{deployment.instance}: pools")
    system = liquity_questions.of_system(client, deployment.addresses)

    # Rows
    ether = found.known_asset(
        native_id(client.chain), "chain registry", chain=client.chain,
        symbol=client.network.native_symbol, decimals=DECIMALS, kind="native",
    )  # fmt: skip
    lusd = found.token(system["lusd"], "stablecoin", protocol=deployment.protocol)
    for name in ("active", "default", "stability", "borrowing", "sorted", "coll_surplus_pool", "gas_pool"):
        found.entity(system[name], "contract", f"{label} {name.replace('_', ' ')}", deployment.protocol)
    found.add(
        "markets",
        found.asked("getTroveOwnersCount", manager),
        market=market,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=deployment.instance,
        address=manager,
        family="liquity_v1",
        base_asset=found.known_asset(USD, "ISO 4217", symbol="USD", name="US dollar", decimals=2, kind="fiat"),
        base_unit_raw=WAD,
        oracle=found.entity(system["feed"], "feed", f"{label} price feed", deployment.protocol),
        loss_rule="stability_pool_then_redistribute",
    )
    _reserves(found, market, ether, lusd, system)
    _prices(found, market, ether, lusd, system)
    _backing(found, ether, lusd, system)
    found.add(
        "backstops",
        found.asked("getTotalLUSDDeposits", system["stability"]),
        backstop=found.entity(system["stability"], "contract"),
        market=market,
        asset=lusd,
        kind="stability_pool",
        order=0,
        covers_asset=lusd,
        amount_raw=system["deposits"],
    )
    progress("liquity_v1", 1, 3, f"{system['troves']} troves")
    liquity_accounts.read(client, Place(market, ether, lusd, deployment.first_block), system, found)
    found.witness("liquity system", (market,), system)
    progress("liquity_v1", 2, 3, "owners")
    for name in OWNED:
        owner = system[f"owner of {name}"]
        if owner not in (None, ZERO_ADDRESS):
            access.add_power(found, owner, market, "parameters", found.asked("owner", system[name]))
    found.gaps.append(f"{label}: LQTY, its staking and rewards, and the tags of front ends are not read")
    progress("liquity_v1", 3, 3, "done")


def _reserves(found: Findings, market: str, ether: str, lusd: str, system: Mapping[str, Any]) -> None:
    """Ether that is posted and not lent, in all four pools; LUSD that is owed and, in the stability pool, deposited."""
    common = {
        "market": market,
        "supply_index_raw": 1,
        "supply_index_unit_raw": 1,
        "borrow_index_raw": 1,
        "borrow_index_unit_raw": 1,
        "active": True,
        "frozen": False,
        "paused": False,
        "rate_model": "none",
        "accrual_unit": "second",
    }
    found.add(
        "reserves",
        found.asked(
            "getETH", f"{system['active']}, {system['default']}, {system['stability']}, {system['coll_surplus_pool']}"
        ),
        **common,
        asset=ether,
        supplied_stored_raw=0,
        borrowed_stored_raw=0,
        cash_raw=0,
        collateral_raw=sum(system[f"{pool}_eth"] for pool in ("active", "default", "stability", "surplus")),
        borrowable=False,
        liquidation_ratio_ray=system["minimum_ratio"] * RAY_OF_WAD,
        debt_ceiling_raw=_ceiling(system),
        isolated_debt_raw=system["active_debt"] + system["default_debt"],
        price_source=found.entity(system["feed"], "feed"),
    )
    found.add(
        "reserves",
        found.asked("getLUSDDebt", f"{system['active']}, {system['default']}"),
        **common,
        asset=lusd,
        supplied_stored_raw=system["deposits"],
        borrowed_stored_raw=system["active_debt"] + system["default_debt"],
        cash_raw=system["deposits"],
        balance_raw=system["in_stability_pool"],
        debt_floor_raw=system["minimum_net_debt"] + system["gas_reserve"],
        borrowable=True,
        close_factor_wad=WAD,
    )


def _ceiling(system: Mapping[str, Any]) -> int | None:
    """The debt at which the whole has just the critical ratio: nobody may borrow beyond it, and recovery mode holds above it."""
    if system["price"] is None:
        return None
    ceiling: int = (system["active_eth"] + system["default_eth"]) * system["price"] // system["critical_ratio"]
    return ceiling


def _prices(found: Findings, market: str, ether: str, lusd: str, system: Mapping[str, Any]) -> None:
    """Ether by the feed, LUSD as one dollar; the steps of the feed: itself, Tellor, and last Chainlink, which it follows while it can."""
    source = found.entity(system["feed"], "feed")
    price, state = system["price"], system["feed_state"]
    if price is None:
        found.gaps.append(f"{market}: the feed {system['feed']} answers no price for {ether}")
    for asset, value, evidence, path in (
        (ether, price, found.asked("fetchPrice", system["feed"]), f"feed {source}"),
        (lusd, WAD, "LUSD counts as one US dollar", "counted as one US dollar by the market"),
    ):
        if value is not None:
            found.add(
                "prices",
                evidence,
                market=market,
                asset=asset,
                price_raw=value,
                decimals=DECIMALS,
                quote_asset=USD,
                source=source if asset == ether else None,
                price_usd=value / WAD,
                usd_path=path,
            )
    told = None if state is None or state >= len(FEED_STATES) else FEED_STATES[state]
    steps = [
        (
            system["feed"],
            "fetchPrice",
            {"kind": "unknown", "description": told, "value_raw": price, "decimals": DECIMALS},
        )
    ]
    if (tellor := system.get("tellor_value")) is not None:
        columns = {"kind": "unknown", "description": "Tellor", "value_raw": tellor[1], "decimals": TELLOR_DECIMALS}
        steps.append((system["tellor"], "getTellorCurrentValue", columns | _when(found, tellor[2])))
    if (answer := system.get("round")) is not None:
        found.source(system["aggregator"])
        columns = {
            "kind": "feed",
            "description": "Chainlink",
            "value_raw": answer[1],
            "decimals": system["round_decimals"],
        }
        columns |= {"round_raw": answer[0], "phase": answer[0] >> ROUND_BITS}
        steps.append((system["aggregator"], "latestRoundData", columns | _when(found, answer[3])))
    for step, (at, function, columns) in enumerate(steps):
        found.add(
            "feeds",
            found.asked(function, at),
            source=source,
            step=step,
            address=found.entity(at, "feed"),
            state="unknown",
            **columns,
        )


def _when(found: Findings, moment: int) -> dict[str, int]:
    return {"updated_at": moment} if moment <= found.anchor.timestamp else {}


def _backing(found: Findings, ether: str, lusd: str, system: Mapping[str, Any]) -> None:
    """LUSD is owed by the troves whose ether is in these two pools; redeemed while the whole stands above the minimum ratio.

    The fee is what getRedemptionRateWithDecay answers: half a percent and the base rate, decayed to the block.
    """
    is_open = found.anchor.timestamp >= system["began"] + system["bootstrap"]
    is_open = is_open and system.get("ratio", 0) >= system["minimum_ratio"]
    for pool in ("active", "default"):
        found.add(
            "backings",
            found.asked("getETH", system[pool]),
            claim=lusd,
            backing=ether,
            holder=found.entity(system[pool], "contract"),
            amount_raw=system[f"{pool}_eth"],
            redemption="instant" if is_open else "none",
            delay_seconds=0 if is_open else None,
            fee_wad=system["redemption_rate"],
        )
