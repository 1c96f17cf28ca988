"""Compound V2: one comptroller with its cToken markets, their rate models and the oracle's prices.

Written against Comptroller, CToken, JumpRateModelV2 and WhitePaperInterestRateModel as in npm @thenextblock/hardhat-compound 0.0.14
(dist/contracts). A cToken writes interest down only when somebody touches it; the rows are as of the block: what it stored, accrued by
`chain.accounting.compound_v2` at the rate that the cToken answers, which is the one that it would use. What is asked stands in
`compound_v2_questions`; the accounts are read by `compound_v2_accounts`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.accounting.compound_v2 import Market, RateModel, accrue
from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import access, compound_v2_accounts, compound_v2_oracles, compound_v2_questions
from chain.readers.compound_v2_accounts import Reserve
from chain.units import RAY, WAD, ZERO_ADDRESS, market_id, native_id, token_id

VERSION = 2
USD = "iso4217:USD"
PRICE_DECIMALS = 36
"""getUnderlyingPrice has 36 decimals less those of the token (PriceOracle: so that price x amount has 18)."""
RAY_OF_WAD = RAY // WAD

OF_COMPTROLLER = {
    "markets": "getAllMarkets()->(address[])",
    "oracle": "oracle()->(address)",
    "close_factor": "closeFactorMantissa()->(uint256)",
    "incentive": "liquidationIncentiveMantissa()->(uint256)",
    "is_seize_paused": "seizeGuardianPaused()->(bool)",
}
POWERS = {
    "admin": ("upgrade", "parameters", "list", "oracle"),
    "pauseGuardian": ("pause",),
    "borrowCapGuardian": ("caps",),
}


@dataclass(frozen=True)
class Instance:
    """The comptroller and what the rows of its markets have in common."""

    key: str
    label: str
    protocol: str
    comptroller: str
    oracle: str
    terms: Mapping[str, Any]
    ctokens: tuple[str, ...]


Differ = Callable[[Client, Instance, dict[str, dict[str, Any]], Findings], None]


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one comptroller: its markets, prices, accounts and who may change it; ContractError if a contract refuses."""
    read_as(client, deployment, found, progress, lambda *_: None)


def read_as(
    client: Client, deployment: Deployment, found: Findings, progress: Progress, differ: Differ
) -> tuple[Instance, list[Reserve]]:
    """As `read`, of a fork: `differ` puts what it has otherwise into the answers of its markets before there are rows."""
    # Where
    progress("compound_v2", 0, 3, f"{deployment.instance}: markets")
    here = _instance(client, deployment, found)

    # Ask
    progress("compound_v2", 1, 3, many(len(here.ctokens), "market"))
    answers = compound_v2_questions.markets(client, here.comptroller, here.oracle, here.ctokens)

    differ(client, here, answers, found)
    underlying = {at: answers[at]["underlying"] for at in here.ctokens}
    sources = compound_v2_oracles.read(client, found, here.oracle, underlying)

    # Rows
    reserves: list[Reserve] = []
    for ctoken in here.ctokens:
        asset = _asset(client, found, here, ctoken, answers[ctoken], [reserve.asset for reserve in reserves])
        answers[ctoken]["source"] = sources[ctoken]
        reserves.append(_reserve(found, here, asset, ctoken, len(reserves), answers[ctoken]))
        _price(found, here, asset, answers[ctoken])
    progress("compound_v2", 2, 3, "accounts")
    compound_v2_accounts.read(client, here.key, here.comptroller, deployment.first_block, reserves, found)
    _authorities(client, here, found)
    progress("compound_v2", 3, 3, "done")
    return here, reserves


def _instance(client: Client, deployment: Deployment, found: Findings) -> Instance:
    # Where
    comptroller = deployment.addresses["comptroller"]
    label = f"{deployment.protocol} {deployment.instance}"

    # Ask
    terms = client.ask({name: Call(comptroller, text) for name, text in OF_COMPTROLLER.items()})

    # Rows
    found.gaps.append(f"{label}: rewards are not read; its oracle does not say in what it counts: read as US dollars")
    key = market_id(found.anchor.chain, deployment.protocol, comptroller)
    found.entity(comptroller, "market", label, deployment.protocol)
    found.add(
        "markets",
        found.asked("getAllMarkets", comptroller),
        market=key,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=deployment.instance,
        address=comptroller,
        family="compound_v2",
        base_asset=found.known_asset(USD, "ISO 4217", symbol="USD", name="US dollar", decimals=2, kind="fiat"),
        base_unit_raw=WAD,
        oracle=found.entity(terms["oracle"], "contract", f"{label} oracle", deployment.protocol),
        loss_rule="zombie",
    )
    return Instance(key, label, deployment.protocol, comptroller, terms["oracle"], terms, tuple(terms["markets"]))


def _asset(
    client: Client, found: Findings, here: Instance, ctoken: str, answer: Mapping[str, Any], taken: Sequence[str]
) -> str:
    """What a cToken lends. The second cToken of one underlying has its own row of it, a claim that is redeemed for it one to one."""
    if answer["underlying"] is None:
        name = client.network.native_symbol
        return found.known_asset(
            native_id(client.chain), "chain registry", chain=client.chain, symbol=name, decimals=18, kind="native"
        )
    asset = found.token(answer["underlying"])
    if asset not in taken:
        return asset
    evidence = found.asked("underlying", ctoken)
    own = found.known_asset(
        f"{token_id(client.chain, answer['underlying'])}/{ctoken}", evidence, chain=client.chain,
        symbol=f"in {ctoken[:8]}", decimals=answer["decimals"] or 0, kind="token",
    )  # fmt: skip
    found.add(
        "backings", evidence, claim=own, backing=asset, holder=found.entity(ctoken, "token"), amount_raw=answer["balance"],
        rate_wad=WAD, redemption="instant", delay_seconds=0,
    )  # fmt: skip
    found.gaps.append(f"{here.label}: {ctoken} is one more market of {asset}; its underlying is kept as {own}")
    return own


def _reserve(
    found: Findings, here: Instance, asset: str, ctoken: str, place: int, answer: Mapping[str, Any]
) -> Reserve:
    # Decode
    names = ("cash", "borrows", "reserves", "ctokens", "index", "reserve_factor", "accrued_at")
    stored = Market(*(answer[name] for name in names))
    now = accrue(stored, RateModel(answer["borrow_rate"], 0, 0, WAD), found.anchor.number)
    is_listed, factor = answer["listed"]
    if factor == 0 and answer["is_borrow_paused"] and answer["reserve_factor"] == WAD:
        found.gaps.append(
            f"{here.label}: {ctoken} is deprecated: its debts can be liquidated whole, whoever owes them, which no rule here does"
        )
    if answer["is_mint_paused"] and not answer["is_borrow_paused"]:
        found.gaps.append(f"{here.label}: new supply to {ctoken} is switched off, borrowing is not; no column says so")
    if answer["pot"] is not None:
        found.gaps.append(
            f"{here.label}: {ctoken} keeps its cash in {answer['pot']}; what that has earned since it was last touched is not counted"
        )
    reserve = Reserve(ctoken, asset, stored, now, answer["stored_rate"])

    # Rows
    issuer = found.entity(here.comptroller, "market")
    found.add(
        "reserves",
        found.asked("totalBorrows, getCash, totalReserves, totalSupply", ctoken),
        market=here.key,
        asset=asset,
        reserve_index=place,
        receipt_asset=found.token(ctoken, "receipt", issuer, here.protocol),
        supply_index_raw=now.supplied_raw if now.ctokens else answer["stored_rate"],
        supply_index_unit_raw=now.ctokens or WAD,
        borrow_index_raw=now.borrow_index,
        borrow_index_unit_raw=now.borrow_index,
        supplied_stored_raw=now.ctokens,
        borrowed_stored_raw=now.borrows_raw,
        cash_raw=now.cash_raw,
        balance_raw=answer["balance"] if answer["pot"] is None else None,
        borrow_cap_raw=answer["borrow_cap"] or None,
        active=is_listed,
        frozen=answer["is_mint_paused"] and answer["is_borrow_paused"],
        supply_cap_raw=answer.get("supply_cap"),
        paused=answer.get("is_paused", False),
        liquidatable=not (here.terms["is_seize_paused"] or answer.get("is_seize_paused", False)),
        borrowable=not answer["is_borrow_paused"],
        ltv_wad=factor,
        liquidation_threshold_wad=factor,
        liquidation_bonus_wad=here.terms["incentive"],
        liquidation_fee_wad=answer["seize_share"] or 0,
        liquidation_fee_base=answer.get("fee_base", "seized"),
        close_factor_wad=here.terms["close_factor"],
        reserve_factor_wad=stored.reserve_factor,
        accrual_unit="block",
        last_accrual=stored.accrued_at,
        price_source=answer["source"],
        **_rates(found, here, ctoken, answer),
    )
    return reserve


def _rates(found: Findings, here: Instance, ctoken: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The rate columns; slopes are what is added up to the kink and beyond it. A straight line has its kink at full use."""
    base, multiplier, blocks = answer["base"], answer["multiplier"], answer["blocks"]
    if None in (base, multiplier, blocks):
        found.gaps.append(f"{here.label}: the rate model {answer['model']} of {ctoken} does not answer its parameters")
        return {}
    kink = WAD if answer["kink"] is None else answer["kink"]
    a_year = blocks * RAY_OF_WAD
    return {
        "rate_model": "kinked" if answer["kink"] is None else "jump",
        "rate_optimal_ray": kink * RAY_OF_WAD,
        "rate_base_ray": base * a_year,
        "rate_slope1_ray": multiplier * kink * a_year // WAD,
        "rate_slope2_ray": (answer["jump"] or 0) * (WAD - kink) * a_year // WAD,
        "supply_rate_ray": answer["supply_rate"] * a_year,
        "borrow_rate_ray": answer["borrow_rate"] * a_year,
        "accrual_units_per_year": blocks,
    }


def _price(found: Findings, here: Instance, asset: str, answer: Mapping[str, Any]) -> None:
    if not answer["price"]:
        found.gaps.append(f"{here.key}: the oracle has no price for {asset}")
        return
    decimals = PRICE_DECIMALS - (answer["decimals"] or 0)
    found.add(
        "prices",
        found.asked("getUnderlyingPrice", here.oracle),
        market=here.key,
        asset=asset,
        price_raw=answer["price"],
        decimals=decimals,
        quote_asset=USD,
        source=answer["source"],
        price_usd=answer["price"] / 10**decimals,
        usd_path=f"oracle {here.oracle}, taken to count in USD",
    )


def _authorities(client: Client, here: Instance, found: Findings) -> None:
    calls = {role: Call(here.comptroller, f"{role}()->(address)", optional=True) for role in POWERS}
    for role, who in client.ask(calls).items():
        for power in POWERS[role] if who not in (None, ZERO_ADDRESS) else ():
            access.add_power(found, who, here.key, power, found.asked(role, here.comptroller))
