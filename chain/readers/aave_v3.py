"""Aave V3: markets, reserves, e-mode categories, oracle prices; 3.0.2 (POOL_REVISION 1) and 3.4 to 3.6 (8 to 10).

What is asked stands in `aave_v3_questions`. Indices are the normalised income and the normalised variable debt *at the block*, so that
stored amount x index is what the tokens' balanceOf answers there. Rows of reserves and prices are added by `aave_rows`, which V2 shares;
the accounts are read by `aave_v3_accounts`, who may change the market by `aave_v3_authorities`.
"""

from collections.abc import Mapping

from chain.accounting.aave_v3 import ROUNDINGS
from chain.deployments import Deployment
from chain.errors import ContractError, many
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.together import together
from chain.readers import aave_v3_accounts, aave_v3_authorities, aave_v3_questions
from chain.readers.aave_rows import (
    Instance,
    add_fallback,
    add_price,
    add_reserve,
    base_currency,
    market_of,
    require_named,
)
from chain.readers.aave_v3_questions import READABLE, CategoryAnswer, Configuration
from chain.units import BPS_TO_WAD, entity_id, market_id

VERSION = 4


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
    progress("aave_v3", 0, 3, f"{deployment.instance}: market")
    here, manager, owner = _market(client, deployment, found)
    pool, oracle = here.pool, here.oracle

    # Ask
    progress("aave_v3", 1, 3, many(len(here.assets), "reserve"))
    answers = aave_v3_questions.reserves(client, pool, oracle, here.revision, here.assets)
    by_index = {answer["data"][7]: Configuration(answer["data"][0]) for answer in answers.values()}
    progress("aave_v3", 2, 3, "accounts")
    _, categories, *_ = together(
        client,
        add_fallback(found, here, answers),
        aave_v3_questions.categories(pool, oracle, here.revision, by_index),
        aave_v3_accounts.read(client, market_of(here, deployment.first_block, answers), found),
        aave_v3_authorities.read(client, deployment, here.key, manager, owner, found),
    )

    # Rows
    for asset in here.assets:
        add_reserve(found, here, asset, answers[asset])
        add_price(found, here, asset, answers[asset])
    _categories(found, here, categories)
    progress("aave_v3", 3, 3, "done")


def _market(client: Client, deployment: Deployment, found: Findings) -> tuple[Instance, str, str]:
    """The market, its access control manager and the owner of its addresses provider."""
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
    require_named(deployment, {role: named[role] for role in ("pool", "oracle")}, found)
    answers = client.ask(
        {
            "assets": Call(pool, "getReservesList()->(address[])"),
            "revision": Call(pool, "POOL_REVISION()->(uint256)"),
            "currency": Call(oracle, "BASE_CURRENCY()->(address)"),
            "unit": Call(oracle, "BASE_CURRENCY_UNIT()->(uint256)"),
        }
    )

    # Decode
    revision = answers["revision"] if deployment.like_revision is None else deployment.like_revision
    said = f"reports POOL_REVISION {answers['revision']}"
    if deployment.like_revision is not None:
        said += f" and is read as a copy of Aave's {revision}"
    if revision not in READABLE:
        raise ContractError(
            f"The pool {pool} {said}; this reader knows {', '.join(map(str, READABLE))} (Aave 3.0.2 and 3.4 to 3.6); of a fork that counts "
            "on its own, state the one that it is a copy of as like_revision in the deployments file"
        )
    if deployment.like_revision is not None:
        found.gaps.append(
            f"{label}: the pool {said}, which is taken from the deployments file; its own contracts were never compared with it"
        )
    elif not ROUNDINGS[revision].checked:
        found.gaps.append(
            f"{label}: the rounding rules of revision {revision} were never compared with a running contract"
        )
    found.gaps.append(f"{label}: backstops and incentives are not read")
    quote = base_currency(found, answers["currency"])

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
    here = Instance(
        key, label, pool, oracle, deployment.protocol, revision, quote, answers["unit"], tuple(answers["assets"])
    )
    return here, named["manager"], named["owner"]


def _categories(found: Findings, here: Instance, categories: Mapping[int, CategoryAnswer]) -> None:
    function = "getEModeCategoryData" if here.revision < 8 else "getEModeCategoryCollateralConfig"
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
