"""Compound III: one Comet, a market of one base asset that is lent against collaterals that are not.

Written against CometWithExtendedAssetList.sol, CometExt.sol and Comet.sol of compound-finance/comet@d5a30b0a (contracts); how each variable
became a column is walked in docs/foreign-designs.md. A positive principal is a supply, a negative one a debt. Interest is written down when
somebody touches the base; the rows are as of the block, accrued by `chain.accounting.comet` at the rates that the contract answers. What is
asked stands in `comet_questions`; the accounts are read by `comet_accounts`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from chain.accounting.comet import (
    INDEX_SCALE,
    PRICE_DECIMALS,
    YEAR,
    accrued_index,
    storefront_discount,
)
from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.client import Client
from chain.readers import comet_accounts, comet_authorities, comet_questions
from chain.readers.comet_questions import PAUSES, Collateral
from chain.units import WAD, market_id, native_id

VERSION = 1
USD = "iso4217:USD"
RAY_OF_WAD = 10**9
ONE = 10**PRICE_DECIMALS
CONSTANT = "Constant price feed"
"""description() of ConstantPriceFeed.sol (contracts/pricefeeds): the Comet counts in its base token."""


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one Comet: terms, prices, storefront, accounts, who may change it; ContractError if a contract refuses."""
    # Where
    comet = deployment.addresses["comet"]
    label = f"{deployment.protocol} {deployment.instance}"
    key = market_id(found.anchor.chain, deployment.protocol, comet)
    entity = found.entity(comet, "market", label, deployment.protocol)

    # Ask
    progress("comet", 0, 3, f"{deployment.instance}: terms")
    answer = comet_questions.of_comet(client, comet)
    collaterals = comet_questions.collaterals(client, comet, answer["assets"], answer["scale"])

    # Decode
    elapsed = found.anchor.timestamp - answer["accrued_at"]
    supply_index = accrued_index(answer["supply_index"], answer["supply_rate"], elapsed)
    borrow_index = accrued_index(answer["borrow_index"], answer["borrow_rate"], elapsed)
    base, quote = found.token(answer["base"]), _quote(client, found, key, answer)

    # Rows
    progress("comet", 1, 3, many(len(collaterals), "collateral"))
    found.add(
        "markets",
        found.asked("totalsBasic", comet),
        market=key,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=deployment.instance,
        address=comet,
        family="comet",
        base_asset=quote,
        base_unit_raw=ONE,
        oracle=entity,
        loss_rule="reserves",
    )
    common = {
        "market": key,
        "active": True,
        "frozen": {"supply", "withdraw"} <= answer["paused"],
        "paused": set(PAUSES) <= answer["paused"],
        "liquidatable": "absorb" not in answer["paused"],
        "accrual_unit": "second",
    }
    found.add(
        "reserves",
        found.asked("totalsBasic, getReserves", comet),
        **common,
        **_base(answer, supply_index, borrow_index),
        asset=base,
        receipt_asset=found.token(comet, "receipt", protocol=deployment.protocol),
        price_source=found.source(answer["feed"]),
    )
    for one in collaterals:
        _collateral(found, comet, one, common)
        _storefront(found, comet, key, base, one, answer)
        _price(found, comet, key, found.token(one.token), one.feed, one.price, quote)
    _price(found, comet, key, base, answer["feed"], answer["price"], quote)
    found.add(
        "backstops",
        found.asked("getReserves", comet),
        backstop=entity,
        market=key,
        asset=base,
        kind="reserves",
        order=0,
        amount_raw=max(answer["reserves"], 0),
        target_raw=answer["target"],
    )
    progress("comet", 2, 3, "accounts")
    comet_accounts.read(
        client, comet, key, base, (supply_index, borrow_index), collaterals, deployment.first_block, found
    )
    found.witness("comet totals", (key, base), (answer["supplied"], answer["borrowed"], answer["reserves"]))
    stored = (answer["supply_index"], answer["borrow_index"])
    scales = {found.token(one.token): one.scale for one in collaterals}
    found.witness("comet stored", (key,), (stored, answer["scale"], scales))
    _gaps(found, key, label, answer["paused"])
    comet_authorities.read(
        client, comet, key, {"governor": answer["governor"], "pauseGuardian": answer["guardian"]}, found
    )
    progress("comet", 3, 3, "done")


def _base(answer: Mapping[str, Any], supply_index: int, borrow_index: int) -> dict[str, Any]:
    return {
        "supply_index_raw": supply_index,
        "supply_index_unit_raw": INDEX_SCALE,
        "borrow_index_raw": borrow_index,
        "borrow_index_unit_raw": INDEX_SCALE,
        "supplied_stored_raw": answer["supplied_stored"],
        "borrowed_stored_raw": answer["borrowed_stored"],
        "cash_raw": answer["balance"],
        "balance_raw": answer["balance"],
        "debt_floor_raw": answer["borrow_min"],
        "borrowable": "withdraw" not in answer["paused"],
        "close_factor_wad": WAD,
        "rate_model": "kinked",
        **_curve(answer, "borrow", "rate"),
        **_curve(answer, "supply", "supply_rate"),
        "supply_rate_ray": answer["supply_rate"] * YEAR * RAY_OF_WAD,
        "borrow_rate_ray": answer["borrow_rate"] * YEAR * RAY_OF_WAD,
        "accrual_units_per_year": YEAR,
        "last_accrual": answer["accrued_at"],
        "deficit_raw": max(-answer["reserves"], 0),
    }


def _curve(answer: Mapping[str, Any], side: str, column: str) -> dict[str, int]:
    """One of the two curves; slopes are what is added up to the kink and beyond it, a year."""
    kink, a_year = answer[f"{side}_kink"], YEAR * RAY_OF_WAD
    return {
        f"{column}_optimal_ray": kink * RAY_OF_WAD,
        f"{column}_base_ray": answer[f"{side}_base"] * a_year,
        f"{column}_slope1_ray": answer[f"{side}_low"] * kink * a_year // WAD,
        f"{column}_slope2_ray": answer[f"{side}_high"] * (WAD - kink) * a_year // WAD,
    }


def _collateral(found: Findings, comet: str, one: Collateral, common: Mapping[str, Any]) -> None:
    """Posted and not lent: indices of 1, nothing supplied or borrowed, no cash."""
    found.add(
        "reserves",
        found.asked("getAssetInfo, totalsCollateral", comet),
        **common,
        asset=found.token(one.token),
        reserve_index=one.offset,
        supply_index_raw=1,
        supply_index_unit_raw=1,
        borrow_index_raw=1,
        borrow_index_unit_raw=1,
        supplied_stored_raw=0,
        borrowed_stored_raw=0,
        cash_raw=0,
        balance_raw=one.held,
        collateral_raw=one.posted,
        supply_cap_raw=one.cap,
        borrowable=False,
        ltv_wad=one.borrow_factor,
        liquidation_threshold_wad=one.liquidate_factor,
        absorb_factor_wad=one.liquidation_factor,
        price_source=found.source(one.feed),
    )


def _storefront(found: Findings, comet: str, key: str, base: str, one: Collateral, answer: Mapping[str, Any]) -> None:
    """What the Comet took from absorbed accounts and sells; terms where it has none of it. Closed while reserves reach their target."""
    found.add(
        "auctions",
        found.asked("getCollateralReserves, storeFrontPriceFactor", comet),
        auction=f"{key}/{found.token(one.token)}",
        market=key,
        contract=found.entity(comet, "market"),
        state="running" if one.for_sale else "terms",
        stopped="bid" if "buy" in answer["paused"] else "none",
        kind="storefront",
        collateral_asset=found.token(one.token),
        lot_raw=one.for_sale,
        debt_asset=base,
        curve="oracle_discount",
        discount_wad=storefront_discount(answer["store_front"], one.liquidation_factor),
    )
    if one.quote is not None:
        found.witness("comet quote", (f"{key}/{found.token(one.token)}",), (answer["scale"], one.scale, one.quote))


def _price(found: Findings, comet: str, key: str, asset: str, feed: str, price: int | None, quote: str) -> None:
    if price is None:
        found.gaps.append(f"{key}: the feed {feed} answers no price for {asset}")
        return
    found.add(
        "prices",
        found.asked("getPrice", comet),
        market=key,
        asset=asset,
        price_raw=price,
        decimals=PRICE_DECIMALS,
        quote_asset=quote,
        source=found.source(feed),
        price_usd=price / ONE if quote == USD else None,
        usd_path=f"feed {feed}" if quote == USD else None,
    )


def _quote(client: Client, found: Findings, key: str, answer: Mapping[str, Any]) -> str:
    """What the feeds quote in, which no function says: by the description of the base token's feed."""
    text = answer["description"] or ""
    if text == CONSTANT and answer["price"] == ONE:
        return found.token(answer["base"])
    if text.rstrip().upper().removesuffix(" PRICE FEED").endswith(f"/ {client.network.native_symbol}"):
        symbol, chain = client.network.native_symbol, client.chain
        return found.known_asset(
            native_id(chain), "chain registry", chain=chain, symbol=symbol, decimals=18, kind="native"
        )
    if "USD" not in text.partition("/")[2].upper():
        found.gaps.append(
            f"{key}: the feed {answer['feed']} of its base token is described as {text!r}; its prices are read as US dollars"
        )
    return found.known_asset(USD, "ISO 4217", symbol="USD", name="US dollar", decimals=2, kind="fiat")


def _gaps(found: Findings, key: str, label: str, paused: Collection[str]) -> None:
    found.gaps.append(f"{label}: rewards (tracking indices) and liquidator points are not read")
    is_told = {"supply", "withdraw"} <= set(paused)
    alone = [name for name in ("supply", "transfer") if name in paused and not (is_told and name == "supply")]
    if alone:
        found.gaps.append(f"{key}: switched off, which no column says: {', '.join(alone)}")
