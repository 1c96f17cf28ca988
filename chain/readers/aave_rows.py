"""What the readers of Aave V2 and V3 share: the market's addresses and base currency, rows of reserves and prices, where accounts are.

V3 answers getReserveData in the order that is used here; the words of V2 are put into it. What V2 has not (caps, ceilings, e-mode, fees, deficits) are bits of the configuration that nobody sets there, and answers that are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.deployments import Deployment
from chain.errors import InputError
from chain.findings import Findings
from chain.node.calls import Call
from chain.node.together import Inquiry
from chain.readers import aave_v3_accounts
from chain.readers.aave_v3_questions import Configuration
from chain.units import BPS_TO_WAD, RAY, ZERO_ADDRESS, token_id

USD = "iso4217:USD"


@dataclass(frozen=True)
class Instance:
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


def require_named(deployment: Deployment, named: Mapping[str, str], found: Findings) -> None:
    """InputError unless the addresses that the addresses provider names, by role, are those of the deployment."""
    for role, address in named.items():
        if address != deployment.addresses[role]:
            raise InputError(
                f"Deployment {deployment.protocol} {deployment.instance!r}: the addresses provider "
                f"{deployment.addresses['pool_addresses_provider']} names {address} as {role} at block {found.anchor.number}, "
                f"the file names {deployment.addresses[role]}; correct the file"
            )


def base_currency(found: Findings, token: str) -> str:
    """Mention the currency in which an oracle counts; the zero address stands for USD. Returns the asset's id."""
    if token == ZERO_ADDRESS:
        return found.known_asset(USD, "ISO 4217", symbol="USD", name="US dollar", decimals=2, kind="fiat")
    return found.token(token)


def add_fallback(found: Findings, here: Instance, answers: Mapping[str, dict[str, Any]]) -> Inquiry[None]:
    """Find out for which assets the oracle's fallback answers: `asked`, the source that gave the price, is added to their answers.

    AaveOracle.getAssetPrice asks the fallback where there is no source or its latestAnswer is not above 0; the base currency is asked of
    nobody (@aave/core-v3 1.19.3 and aave-v3-origin 3.6.0, misc/AaveOracle.sol; V2 the same).
    """
    # Ask
    sources = {asset: answer["source"] for asset, answer in answers.items() if answer["source"] != ZERO_ADDRESS}
    asks = {asset: Call(at, "latestAnswer()->(int256)", optional=True) for asset, at in sources.items()}
    told = yield asks | {"": Call(here.oracle, "getFallbackOracle()->(address)", optional=True)}
    fallback = told[""]

    # Rows
    currency = here.quote.rpartition(":")[2]
    for asset, answer in answers.items():
        answer["asked"] = found.source(sources[asset]) if asset in sources else None
        is_silent = asset not in sources or (told[asset] is not None and told[asset] <= 0)
        if asset == currency or not is_silent or fallback in (None, ZERO_ADDRESS):
            continue
        call = Call(fallback, "getAssetPrice(address)->(uint256)", (asset,), optional=True)
        answer["asked"] = found.source_about(call, asset)
        found.gaps.append(
            f"{here.label}: {asset} is priced by the fallback oracle {fallback}, because its source "
            f"{f'answers {told[asset]}' if asset in sources else 'is not set'}; what stands behind the fallback is not read"
        )


def add_reserve(found: Findings, here: Instance, asset: str, answer: dict[str, Any]) -> None:
    """Add a reserve: `answer` by name, as `aave_v3_questions.reserves` gives it; `paused` where the market is paused as a whole."""
    # Decode
    data, rates = answer["data"], answer["rates"]
    config = Configuration(data[0])
    whole = 10 ** config.bits(48, 8)
    issuer = found.entity(here.pool, "market")
    if data[13] and here.revision < 8:
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
        paused=answer.get("paused", config.flag(60)),
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


def add_price(found: Findings, here: Instance, asset: str, answer: dict[str, Any]) -> None:
    """Add the oracle's price of an asset: `price` (None where there is none) and `asked`, the source that gave it (`add_fallback`)."""
    price = answer["price"]
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
        source=answer["asked"],
        price_usd=price / here.unit if in_usd else None,
        usd_path=f"oracle {here.oracle}, which counts in USD" if in_usd else None,
    )


def market_of(
    here: Instance, first_block: int, answers: Mapping[str, dict[str, Any]], **differences: Any
) -> aave_v3_accounts.Market:
    """Where the accounts of a market are, by what its reserves answered; `differences` replace what V3 has."""
    data = {asset: answer["data"] for asset, answer in answers.items()}
    places: dict[str, Any] = {
        "key": here.key,
        "pool": here.pool,
        "revision": here.revision,
        "first_block": first_block,
        "supply_tokens": {asset: words[8] for asset, words in data.items()},
        "debt_tokens": {asset: words[10] for asset, words in data.items()},
        "fixed_tokens": {asset: words[9] for asset, words in data.items() if "fixed" in answers[asset]},
        "indices": {asset: (answer["supply_index"], answer["borrow_index"]) for asset, answer in answers.items()},
        "reserve_index": {asset: words[7] for asset, words in data.items()},
    }
    return aave_v3_accounts.Market(**places | differences)
