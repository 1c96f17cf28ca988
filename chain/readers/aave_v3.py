"""Aave V3: markets, reserves, e-mode categories, oracle prices; 3.0.2 (POOL_REVISION 1) and 3.4 to 3.6 (8 to 10).

What is asked stands in `aave_v3_questions`. Indices are the normalised income and the normalised variable debt *at the block*, so that stored amount x index is what the tokens'
balanceOf answers there. The accounts are read by `aave_v3_accounts`, who may change the market by `aave_v3_authorities`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.accounting.aave_v3 import ROUNDINGS
from chain.calls import Call
from chain.client import Client
from chain.deployments import Deployment
from chain.errors import ContractError, InputError
from chain.findings import Findings, Progress
from chain.readers import aave_v3_accounts, aave_v3_authorities, aave_v3_questions
from chain.readers.aave_v3_questions import READABLE, CategoryAnswer, Configuration
from chain.units import BPS_TO_WAD, RAY, ZERO_ADDRESS, entity_id, market_id, token_id

VERSION = 3
USD = "iso4217:USD"


@dataclass(frozen=True)
class _Instance:
    """The market and what its rows have in common; `unit` is one unit of the base currency in the oracle's fixed point."""

    key: str
    label: str
    pool: str
    oracle: str
    protocol: str
    revision: int
    quote: str
    unit: int
    assets: tuple[str, ...]
    manager: str
    provider_owner: str


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one instance: market, reserves, categories, prices, positions.

    Raises
    ------
    InputError
        If the addresses of the deployment do not belong together.
    ContractError
        If a contract refuses, or the pool has a revision that this reader does not know.
    """
    # Where
    progress("aave_v3", 0, 4, f"{deployment.instance}: market")
    here = _market(client, deployment, found)
    assets, pool, oracle = here.assets, here.pool, here.oracle

    # Ask
    progress("aave_v3", 1, 4, f"{len(assets)} reserves")
    answers = aave_v3_questions.reserves(client, pool, oracle, here.revision, assets)
    progress("aave_v3", 2, 4, "categories")
    by_index = {answer["data"][7]: Configuration(answer["data"][0]) for answer in answers.values()}
    categories = aave_v3_questions.categories(client, pool, oracle, here.revision, by_index)

    # Rows
    for asset in assets:
        _reserve(found, here, asset, answers[asset])
        _price(found, here, asset, answers[asset]["price"], answers[asset]["source"])
    _categories(found, here, categories)
    progress("aave_v3", 3, 4, "accounts")
    data = {asset: answer["data"] for asset, answer in answers.items()}
    accounts = aave_v3_accounts.Market(
        here.key,
        pool,
        here.revision,
        deployment.first_block,
        {asset: words[8] for asset, words in data.items()},
        {asset: words[10] for asset, words in data.items()},
        {asset: words[9] for asset, words in data.items() if "fixed" in answers[asset]},
        {asset: (answer["supply_index"], answer["borrow_index"]) for asset, answer in answers.items()},
        {asset: words[7] for asset, words in data.items()},
    )
    aave_v3_accounts.read(client, accounts, found)
    aave_v3_authorities.read(client, deployment, here.key, here.manager, here.provider_owner, found)
    progress("aave_v3", 4, 4, "done")


def _market(client: Client, deployment: Deployment, found: Findings) -> _Instance:
    # Where
    pool, oracle = deployment.addresses["pool"], deployment.addresses["oracle"]
    provider = deployment.addresses["pool_addresses_provider"]
    label = f"{deployment.protocol} {deployment.instance}"

    # Ask the provider whether the addresses belong together, then each of them
    named = client.ask(
        {
            "pool": Call(provider, "getPool()->(address)"),
            "oracle": Call(provider, "getPriceOracle()->(address)"),
            "manager": Call(provider, "getACLManager()->(address)"),
            "owner": Call(provider, "owner()->(address)"),
        }
    )
    for role in ("pool", "oracle"):
        if named[role] != deployment.addresses[role]:
            raise InputError(
                f"Deployment {deployment.protocol} {deployment.instance!r}: the addresses provider {provider} names {named[role]} as "
                f"{role} at block {found.anchor.number}, the file names {deployment.addresses[role]}; correct the file"
            )
    answers = client.ask(
        {
            "assets": Call(pool, "getReservesList()->(address[])"),
            "revision": Call(pool, "POOL_REVISION()->(uint256)"),
            "currency": Call(oracle, "BASE_CURRENCY()->(address)"),
            "unit": Call(oracle, "BASE_CURRENCY_UNIT()->(uint256)"),
        }
    )

    # Decode
    revision = answers["revision"]
    if revision not in READABLE:
        raise ContractError(
            f"The pool {pool} reports POOL_REVISION {revision}; this reader knows {', '.join(map(str, READABLE))} (Aave 3.0.2 and 3.4 to 3.6)"
        )
    if not ROUNDINGS[revision].checked:
        found.gaps.append(
            f"{label}: the rounding rules of revision {revision} were never compared with a running contract"
        )
    found.gaps.append(f"{label}: backstops and incentives are not read, nor which of its authorities are multisigs")
    if answers["currency"] == ZERO_ADDRESS:
        quote = found.known_asset(USD, "ISO 4217", symbol="USD", name="US dollar", decimals=2, kind="fiat")
    else:
        quote = found.token(answers["currency"])

    # Rows
    key = market_id(found.anchor.chain, deployment.protocol, pool)
    found.entity(pool, "market", label, deployment.protocol)
    found.entity(provider, "contract", f"{label} addresses provider", deployment.protocol)
    found.add(
        "markets",
        found.asked("POOL_REVISION", pool),
        market=key,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=deployment.instance,
        address=pool,
        family="aave_v3",
        revision=revision,
        base_asset=quote,
        base_unit_raw=answers["unit"],
        oracle=found.entity(oracle, "contract", f"{label} oracle", deployment.protocol),
        loss_rule="deficit_then_backstop" if revision >= 7 else "zombie",
    )
    return _Instance(
        key,
        label,
        pool,
        oracle,
        deployment.protocol,
        revision,
        quote,
        answers["unit"],
        tuple(answers["assets"]),
        named["manager"],
        named["owner"],
    )


def _reserve(found: Findings, here: _Instance, asset: str, answer: dict[str, Any]) -> None:
    # Decode
    data, rates = answer["data"], answer["rates"]
    config = Configuration(data[0])
    whole = 10 ** config.bits(48, 8)
    issuer = found.entity(here.pool, "market")
    if data[13] and here.revision == 1:
        found.gaps.append(f"{here.label}: {data[13]} of {asset} are unbacked (bridged) and stand in no column")
    found.entity(answer["treasury"], "treasury", f"{here.label} treasury", here.protocol)

    # Rows
    found.add(
        "reserves",
        found.asked("getReserveData", here.pool),
        market=here.key,
        asset=found.token(asset),
        reserve_index=data[7],
        receipt_asset=found.token(data[8], "receipt", issuer, here.protocol),
        debt_asset=found.token(data[10], "debt", issuer, here.protocol),
        fixed_debt_asset=found.token(data[9], "debt", issuer, here.protocol) if "fixed" in answer else None,
        supply_index_raw=answer["supply_index"],
        supply_index_unit_raw=RAY,
        borrow_index_raw=answer["borrow_index"],
        borrow_index_unit_raw=RAY,
        supplied_stored_raw=answer["supplied"],
        borrowed_stored_raw=answer["borrowed"],
        fixed_debt_raw=answer.get("fixed"),
        treasury_stored_raw=data[12],
        cash_raw=answer["cash"],
        balance_raw=answer["balance"],
        supply_cap_raw=config.bits(116, 36) * whole or None,
        borrow_cap_raw=config.bits(80, 36) * whole or None,
        debt_ceiling_raw=config.bits(212, 40) * here.unit // 100 or None,
        isolated_debt_raw=data[14] * here.unit // 100 if config.bits(212, 40) else None,
        active=config.flag(56),
        frozen=config.flag(57),
        paused=config.flag(60),
        borrowable=config.flag(58),
        borrowable_in_isolation=config.flag(61),
        siloed=config.flag(62),
        grace_until=answer.get("grace") or None,
        ltv_wad=config.ltv * BPS_TO_WAD,
        liquidation_threshold_wad=config.bits(16, 16) * BPS_TO_WAD,
        liquidation_bonus_wad=config.bits(32, 16) * BPS_TO_WAD,
        liquidation_fee_wad=config.bits(152, 16) * BPS_TO_WAD,
        liquidation_fee_base="bonus",
        reserve_factor_wad=config.bits(64, 16) * BPS_TO_WAD,
        rate_model="kinked",
        rate_optimal_ray=rates[0],
        rate_base_ray=rates[1],
        rate_slope1_ray=rates[2],
        rate_slope2_ray=rates[3],
        supply_rate_ray=data[2],
        borrow_rate_ray=data[4],
        fixed_rate_ray=data[5] if "fixed" in answer and config.flag(59) else None,
        accrual_unit="second",
        last_accrual=data[6],
        deficit_raw=answer.get("deficit"),
        price_source=found.source(answer["source"]) if answer["source"] != ZERO_ADDRESS else None,
    )


def _price(found: Findings, here: _Instance, asset: str, price: int | None, source: str) -> None:
    if price is None:
        found.gaps.append(f"{here.key}: the oracle has no price for {token_id(found.anchor.chain, asset)}")
        return
    in_usd = here.quote == USD
    found.add(
        "prices",
        found.asked("getAssetPrice", here.oracle),
        market=here.key,
        asset=found.token(asset),
        price_raw=price,
        decimals=len(str(here.unit)) - 1,
        quote_asset=here.quote,
        source=found.source(source) if source != ZERO_ADDRESS else None,
        price_usd=price / here.unit if in_usd else None,
        usd_path=f"oracle {here.oracle}, which counts in USD" if in_usd else None,
    )


def _categories(found: Findings, here: _Instance, categories: Mapping[int, CategoryAnswer]) -> None:
    function = "getEModeCategoryData" if here.revision == 1 else "getEModeCategoryCollateralConfig"
    for number, category in categories.items():
        source = category.price_source
        found.add(
            "categories",
            found.asked(function, here.pool),
            market=here.key,
            category=number,
            label=category.label,
            ltv_wad=category.ltv * BPS_TO_WAD,
            liquidation_threshold_wad=category.threshold * BPS_TO_WAD,
            liquidation_bonus_wad=category.bonus * BPS_TO_WAD,
            collateral_bitmap=category.collateral,
            borrowable_bitmap=category.borrowable,
            ltvzero_bitmap=category.ltvzero,
            price_source=entity_id(found.anchor.chain, source) if source else None,
            price_raw=category.price,
            isolated=False,
        )
