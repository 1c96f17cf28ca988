"""Aave V2: market, reserves, oracle prices, accounts, and who may change it. Read and compared: LENDINGPOOL_REVISION 2.

Source: @aave/protocol-v2 1.0.1 (npm): LendingPool, LendingPoolAddressesProvider, AaveOracle, DefaultReserveInterestRateStrategy, the
tokens. The rows are those of V3 (`aave_rows`, `aave_v3_accounts`): the words of getReserveData are put into V3's order. The whole pool is
paused, never one reserve; debts exist at a variable and at a fixed rate; there are no categories, caps, ceilings, fees or deficits.

Prices are in the currency that the oracle names: BASE_CURRENCY in later oracles (aave/protocol-v2, IAaveOracle: the zero address is USD),
WETH in those of 1.0.1, whose unit is one ether. That currency is worth one by itself, no source is asked for it.
"""

from collections.abc import Mapping
from typing import Any

from chain.accounting.aave_v2 import ACCOUNTS_LIKE_V3_REVISION, compounded_growth
from chain.deployments import Deployment
from chain.errors import ContractError, many
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.together import Inquiry, together
from chain.readers import aave_v3_accounts, access
from chain.readers.aave_rows import (
    Instance,
    add_fallback,
    add_price,
    add_reserve,
    base_currency,
    market_of,
    require_named,
)
from chain.readers.aave_v3_questions import FIXED_SUPPLY, OF_EVERY_REVISION, of_tokens
from chain.units import WAD, ZERO_ADDRESS, market_id

VERSION = 1
COMPARED_REVISION = 2
OF_RESERVE = OF_EVERY_REVISION | {
    "data": "getReserveData(address)->(uint256,uint128,uint128,uint128,uint128,uint128,uint40,address,address,address,address,uint8)"
}
RATES = (
    "OPTIMAL_UTILIZATION_RATE()->(uint256)",
    "baseVariableBorrowRate()->(uint256)",
    "variableRateSlope1()->(uint256)",
    "variableRateSlope2()->(uint256)",
)
BASE = {
    "currency": "BASE_CURRENCY()->(address)",
    "unit": "BASE_CURRENCY_UNIT()->(uint256)",
    "ether": "WETH()->(address)",
}
POWERS: Mapping[str, tuple[str, ...]] = {
    "owner": ("upgrade", "oracle"),
    "getPoolAdmin": ("upgrade", "parameters", "list"),
    "getEmergencyAdmin": ("pause",),
}
"""By getter of the addresses provider (LendingPoolAddressesProvider, LendingPoolConfigurator); the oracle's own owner sets its sources."""


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one instance: market, reserves, prices, positions, authorities.

    Raises
    ------
    InputError
        If the addresses of the deployment do not belong together.
    ContractError
        If a contract refuses, or the oracle names no currency in which it counts.
    """
    # Where
    progress("aave_v2", 0, 3, f"{deployment.instance}: market")
    here, paused, base = _market(client, deployment, found)

    # Ask
    progress("aave_v2", 1, 3, many(len(here.assets), "reserve"))
    answers = _reserves(client, here, paused)
    if base in answers:
        answers[base]["source"] = ZERO_ADDRESS
    progress("aave_v2", 2, 3, "accounts")
    differences = {"revision": ACCOUNTS_LIKE_V3_REVISION, "growth": compounded_growth, "has_categories": False}
    together(
        client,
        add_fallback(found, here, answers),
        aave_v3_accounts.read(client, market_of(here, deployment.first_block, answers, **differences), found),
        _authorities(deployment, here, found),
    )

    # Rows
    for asset, answer in answers.items():
        add_reserve(found, here, asset, answer)
        add_price(found, here, asset, answer)
    progress("aave_v2", 3, 3, "done")


def _market(client: Client, deployment: Deployment, found: Findings) -> tuple[Instance, bool, str]:
    """The market, whether it is paused, and the address of its base currency."""
    # Where
    pool, oracle = deployment.addresses["pool"], deployment.addresses["oracle"]
    provider = deployment.addresses["pool_addresses_provider"]
    label = f"{deployment.protocol} {deployment.instance}"

    # Ask
    named = {"pool": "getLendingPool()->(address)", "oracle": "getPriceOracle()->(address)"}
    require_named(deployment, client.ask({role: Call(provider, text) for role, text in named.items()}), found)
    asked = {
        "assets": Call(pool, "getReservesList()->(address[])"),
        "revision": Call(pool, "LENDINGPOOL_REVISION()->(uint256)"),
        "paused": Call(pool, "paused()->(bool)"),
    }
    answers = client.ask(asked | {name: Call(oracle, text, optional=True) for name, text in BASE.items()})

    # Decode
    base, unit = (answers["currency"], answers["unit"]) if answers["unit"] is not None else (answers["ether"], WAD)
    if base is None:
        raise ContractError(
            f"The oracle {oracle} answers neither BASE_CURRENCY nor WETH; check it in the deployments file"
        )
    revision = answers["revision"]
    if revision != COMPARED_REVISION:
        found.gaps.append(
            f"{label}: LENDINGPOOL_REVISION {revision} was never compared with a running contract, {COMPARED_REVISION} was"
        )
    found.gaps.append(f"{label}: incentives, the safety module and the slopes of fixed rates are not read")

    # Rows
    key = market_id(found.anchor.chain, deployment.protocol, pool)
    quote = base_currency(found, base)
    found.entity(pool, "market", label, deployment.protocol)
    found.entity(provider, "contract", f"{label} addresses provider", deployment.protocol)
    found.add(
        "markets",
        found.asked("LENDINGPOOL_REVISION", pool),
        market=key,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=deployment.instance,
        address=pool,
        family="aave_v2",
        revision=revision,
        base_asset=quote,
        base_unit_raw=unit,
        oracle=found.entity(oracle, "contract", f"{label} oracle", deployment.protocol),
        loss_rule="zombie",
    )
    here = Instance(key, label, pool, oracle, deployment.protocol, revision, quote, unit, tuple(answers["assets"]))
    return here, answers["paused"], base


def _reserves(client: Client, here: Instance, paused: bool) -> dict[str, dict[str, Any]]:
    """Answers by asset and name, as `aave_v3_questions.reserves` gives them."""
    asked = client.ask(
        {(asset, name): Call(here.pool, text, (asset,)) for asset in here.assets for name, text in OF_RESERVE.items()}
    )
    answers: dict[str, dict[str, Any]] = {
        asset: {name: asked[asset, name] for name in OF_RESERVE} | {"paused": paused} for asset in here.assets
    }
    calls: dict[tuple[str, str], Call] = {}
    for asset, answer in answers.items():
        answer["data"] = _in_v3_order(answer["data"])
        receipt, fixed, debt, rates = answer["data"][8:12]
        calls |= {(asset, name): call for name, call in of_tokens(asset, receipt, debt, here.oracle).items()}
        calls |= {(asset, f"rates {place}"): Call(rates, text) for place, text in enumerate(RATES)}
        calls[asset, "fixed"] = Call(fixed, FIXED_SUPPLY)
    for (asset, name), value in client.ask(calls).items():
        answers[asset][name] = value
    for answer in answers.values():
        answer["rates"] = tuple(answer[f"rates {place}"] for place in range(len(RATES)))
        answer["cash"] = answer["balance"]
    return answers


def _in_v3_order(words: tuple[Any, ...]) -> tuple[Any, ...]:
    """DataTypes.ReserveData of V2 in the order of V3; nothing is owed to the treasury, unbacked or borrowed in isolation."""
    config, supply_index, debt_index, supply_rate, debt_rate, fixed_rate, touched_at, *tokens, number = words
    return config, supply_index, supply_rate, debt_index, debt_rate, fixed_rate, touched_at, number, *tokens, 0, 0, 0


def _authorities(deployment: Deployment, here: Instance, found: Findings) -> Inquiry[None]:
    provider = deployment.addresses["pool_addresses_provider"]
    who = yield {name: Call(provider, f"{name}()->(address)") for name in POWERS} | {
        "oracle": Call(here.oracle, "owner()->(address)", optional=True)
    }
    rows = {(who[name], power): (name, provider) for name, powers in POWERS.items() for power in powers}
    if who["oracle"] is not None:
        rows.setdefault((who["oracle"], "oracle"), ("owner", here.oracle))
    for (authority, power), (function, contract) in rows.items():
        if authority != ZERO_ADDRESS:
            access.add_power(found, authority, here.key, power, found.asked(function, contract))
