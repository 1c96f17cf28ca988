"""crvUSD: every controller of a factory, its terms, its bands, and what its AMM holds.

Written against curvefi/curve-stablecoin@d132ca74 (ControllerFactory.vy, Controller.vy, AMM.vy). A market is one controller. Collateral
lies in bands of price; while the price falls through a band it is traded for crvUSD (soft liquidation) and back. A position's two sides of
that are two collateral rows. The market compares in the oracle's unit, US dollars, and counts one crvUSD as one of them. Loans are read by
`crvusd_loans`, peg keepers by `crvusd_pegs`. Amounts in bands have 18 decimals in the contract, in the rows the token's own.
"""

from collections.abc import Mapping, Sequence

from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import access, crvusd_loans, crvusd_pegs
from chain.readers.crvusd_loans import Market
from chain.readers.holders import BALANCE
from chain.units import WAD, ZERO_ADDRESS, market_id

VERSION = 1
YEAR = 365 * 24 * 3600
DECIMALS = 18
USD = "iso4217:USD"
PRICE = "price()->(uint256)"
CONTROLLER = {
    "amm": "amm()->(address)",
    "collateral": "collateral_token()->(address)",
    "policy": "monetary_policy()->(address)",
    "liquidation_discount": "liquidation_discount()->(uint256)",
    "loan_discount": "loan_discount()->(uint256)",
    "total_debt": "total_debt()->(uint256)",
    "minted": "minted()->(uint256)",
    "redeemed": "redeemed()->(uint256)",
    "loans": "n_loans()->(uint256)",
}
AMM = {
    "A": "A()->(uint256)",
    "fee": "fee()->(uint256)",
    "rate": "rate()->(uint256)",
    "multiplier": "get_rate_mul()->(uint256)",
    "price": "price_oracle()->(uint256)",
    "oracle": "price_oracle_contract()->(address)",
    "first": "min_band()->(int256)",
    "last": "max_band()->(int256)",
    "fees_x": "admin_fees_x()->(uint256)",
    "fees_y": "admin_fees_y()->(uint256)",
}
BAND = {
    "x": "bands_x(int256)->(uint256)",
    "y": "bands_y(int256)->(uint256)",
    "high": "p_oracle_up(int256)->(uint256)",
    "low": "p_oracle_down(int256)->(uint256)",
}


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read every market of one factory; ContractError if a contract refuses."""
    # Where
    factory = deployment.addresses["factory"]
    found.entity(factory, "contract", f"{deployment.protocol} {deployment.instance} factory", deployment.protocol)
    progress("crvusd", 0, 3, "controllers")
    coin, count = client.call_many(
        [Call(factory, "stablecoin()->(address)"), Call(factory, "n_collaterals()->(uint256)")]
    )
    numbers = range(count)
    controllers = client.call_many([Call(factory, "controllers(uint256)->(address)", (number,)) for number in numbers])

    # Ask
    markets = _markets(client, deployment, controllers, found)
    stable = found.token(coin, "stablecoin", found.entity(factory, "contract"), deployment.protocol)
    bands = _bands(client, markets)
    held = client.ask(
        {(one.key, name): Call(at, BALANCE, (who,)) for one in markets for name, at, who in _holdings(one, coin)}
    )

    # Rows
    progress("crvusd", 1, 3, many(len(markets), "market"))
    ceilings = crvusd_pegs.read(client, deployment, coin, controllers, found)
    for market in markets:
        inside = {band: answers for (key, band), answers in bands.items() if key == market.key}
        _market(found, deployment, market)
        _prices(found, market, stable)
        _band_rows(found, market, inside)
        balances = {name: held[market.key, name] for name, _, _ in _holdings(market, coin)}
        _reserves(found, market, stable, inside, balances, ceilings[market.controller][0])
        fees = (market.said["fees_x"], market.said["fees_y"])
        found.witness("held by the amm", (market.key,), (stable, market.asset, balances["x"], balances["y"], *fees))
        printed = ceilings[market.controller][1] - market.said["minted"] + market.said["redeemed"]
        found.witness("left to borrow", (market.key, stable), printed)
    progress("crvusd", 2, 3, "loans")
    crvusd_loans.read(client, deployment, markets, stable, found)
    _powers(client, found, deployment, factory, markets)
    progress("crvusd", 3, 3, "done")


def _markets(client: Client, deployment: Deployment, controllers: Sequence[str], found: Findings) -> list[Market]:
    asked = client.ask({(at, name): Call(at, text) for at in controllers for name, text in CONTROLLER.items()})
    amms = {at: asked[at, "amm"] for at in controllers}
    traded = client.ask({(at, name): Call(amms[at], text) for at in controllers for name, text in AMM.items()})
    decimals = client.ask({at: Call(asked[at, "collateral"], "decimals()->(uint8)") for at in controllers})
    priced = client.ask({at: Call(traded[at, "oracle"], PRICE, optional=True) for at in controllers})
    return [
        Market(
            market_id(client.chain, deployment.protocol, at),
            at,
            amms[at],
            asked[at, "collateral"],
            found.token(asked[at, "collateral"]),
            {name: asked[at, name] for name in CONTROLLER}
            | {name: traded[at, name] for name in AMM}
            | {"answer": priced[at]},
            10 ** (DECIMALS - decimals[at]),
        )
        for at in controllers
    ]


def _bands(client: Client, markets: Sequence[Market]) -> dict[tuple[str, int], dict[str, int]]:
    """By market and band: what lies in it and its edges, of every band between the first and the last that was ever used."""
    places = [(one, band) for one in markets for band in range(one.said["first"], one.said["last"] + 1)]
    answers = client.ask(
        {(one.key, band, name): Call(one.amm, text, (band,)) for one, band in places for name, text in BAND.items()}
    )
    return {(one.key, band): {name: answers[one.key, band, name] for name in BAND} for one, band in places}


def _holdings(market: Market, coin: str) -> tuple[tuple[str, str, str], ...]:
    """Name, token, holder: crvUSD and collateral in the AMM, crvUSD that the controller may still lend."""
    return ("x", coin, market.amm), ("y", market.collateral, market.amm), ("cash", coin, market.controller)


def _market(found: Findings, deployment: Deployment, market: Market) -> None:
    found.add(
        "markets",
        found.asked("controllers", deployment.addresses["factory"]),
        market=market.key,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=f"{deployment.instance} {market.controller[:10]}",
        address=market.controller,
        family="crvusd",
        base_asset=found.known_asset(USD, "ISO 4217", symbol="USD", name="US dollar", decimals=2, kind="fiat"),
        base_unit_raw=WAD,
        oracle=found.entity(market.said["oracle"], "feed"),
        loss_rule="zombie",
        band_amplification=market.said["A"],
        band_fee_wad=market.said["fee"],
    )
    for at, label in ((market.controller, "controller"), (market.amm, "amm"), (market.said["policy"], "policy")):
        found.entity(at, "contract", label if label == "policy" else None, deployment.protocol)


def _prices(found: Findings, market: Market, stable: str) -> None:
    """The collateral as the AMM takes it from the oracle (it limits how fast that moves); crvUSD as one unit of it."""
    source = found.entity(market.said["oracle"], "feed")
    found.answers[source] = Call(market.said["oracle"], PRICE, optional=True)
    row = {"market": market.key, "decimals": DECIMALS, "quote_asset": USD}
    found.add(
        "prices", found.asked("price_oracle", market.amm), **row, asset=market.asset, price_raw=market.said["price"],
        source=source, price_usd=market.said["price"] / WAD, usd_path="the AMM's oracle price",
    )  # fmt: skip
    found.add(
        "prices", found.asked("debt", market.controller), **row, asset=stable, price_raw=WAD, price_usd=1.0,
        usd_path="the controller counts one crvUSD as one: not what it trades at",
    )  # fmt: skip
    if not any((step["source"], step["step"]) == (source, 0) for step in found.rows.get("feeds", ())):
        found.add(
            "feeds", found.asked("price", market.said["oracle"]), source=source, step=0, kind="unknown", address=source,
            value_raw=market.said["answer"], decimals=DECIMALS, state="unknown",
        )  # fmt: skip


def _band_rows(found: Findings, market: Market, bands: Mapping[int, Mapping[str, int]]) -> None:
    """One row for each band that holds something."""
    for band, inside in bands.items():
        if inside["x"] or inside["y"]:
            found.add(
                "bands",
                found.asked("bands_x", market.amm),
                market=market.key,
                band=band,
                collateral_raw=inside["y"] // market.precision,
                debt_token_raw=inside["x"],
                price_low_raw=inside["low"],
                price_high_raw=inside["high"],
            )
    found.witness("bands", (market.key,), {band: (inside["x"], inside["y"]) for band, inside in bands.items()})


def _reserves(
    found: Findings,
    market: Market,
    stable: str,
    bands: Mapping[int, Mapping[str, int]],
    balances: Mapping[str, int],
    ceiling: int,
) -> None:
    """The collateral with its terms, and crvUSD: what is owed, what was traded into it, what can still be borrowed."""
    # Decode
    said = market.said
    state = {"market": market.key, "active": True, "frozen": False, "paused": False, "accrual_unit": "second"}
    state |= {"supply_index_raw": 1, "supply_index_unit_raw": 1, "supplied_stored_raw": 0}

    # Rows
    found.add(
        "reserves",
        found.asked("bands_y", market.amm),
        asset=market.asset,
        **state,
        borrow_index_raw=1,
        borrow_index_unit_raw=1,
        borrowed_stored_raw=0,
        cash_raw=0,
        collateral_raw=sum(inside["y"] for inside in bands.values()) // market.precision,
        balance_raw=balances["y"],
        debt_ceiling_raw=ceiling,
        borrowable=False,
        ltv_wad=WAD - said["loan_discount"],
        liquidation_threshold_wad=WAD - said["liquidation_discount"],
        price_source=found.entity(said["oracle"], "feed"),
    )
    found.add(
        "reserves",
        found.asked("total_debt", market.controller),
        asset=stable,
        **state,
        borrow_index_raw=said["multiplier"],
        borrow_index_unit_raw=said["multiplier"],
        borrowed_stored_raw=said["total_debt"],
        cash_raw=balances["cash"],
        collateral_raw=sum(inside["x"] for inside in bands.values()),
        balance_raw=balances["cash"],
        borrowable=True,
        liquidation_threshold_wad=WAD - said["liquidation_discount"],
        rate_model="governed",
        borrow_rate_ray=said["rate"] * YEAR * 10**9,
        accrual_units_per_year=YEAR,
    )


def _powers(client: Client, found: Findings, deployment: Deployment, factory: str, markets: Sequence[Market]) -> None:
    """The factory's admin sets ceilings, fees, discounts and policies; the admin of a policy its rate."""
    policies = sorted({market.said["policy"] for market in markets})
    asked = client.ask({at: Call(at, "admin()->(address)", optional=True) for at in (factory, *policies)})
    if asked[factory] and asked[factory] != ZERO_ADDRESS:
        for power in ("caps", "parameters", "list"):
            access.add_power(found, asked[factory], deployment.protocol, power, found.asked("admin", factory))
    for market in markets:
        admin = asked[market.said["policy"]]
        if admin and admin != ZERO_ADDRESS:
            access.add_power(found, admin, market.key, "parameters", found.asked("admin", market.said["policy"]))
