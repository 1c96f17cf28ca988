"""Maker (Multi-Collateral Dai with Liquidations 2.0): ilks, their terms and prices, what the joins hold, and who may change it.

Written against makerdao/dss: Vat, Jug, Spotter, Vow, joins at 1.0.2 (44330065), Dog, Clipper, Abaci at 1.3.0 (3f30552a). A market is one
ilk; a debt is owed in the Vat's internal Dai, with 45 decimals. docs/foreign-designs.md says where each variable goes. Indices are as of the
block: the rate is what `jug.drip` would write in it. Which ilks there are is read by `maker_ilks`, urns by
`maker_urns`, sales and the Vow by `maker_auctions`, oracles by `maker_oracles`, wards by `maker_authorities`.
"""

from collections.abc import Mapping
from typing import Any

from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import maker_auctions, maker_authorities, maker_ilks, maker_oracles, maker_urns
from chain.readers.holders import BALANCE
from chain.readers.maker_ilks import WAD_DECIMALS, Ilk
from chain.units import RAY, WAD, ZERO_ADDRESS, entity_id

VERSION = 1
YEAR = 365 * 24 * 3600
RAD_DECIMALS, RAY_DECIMALS = 45, 27


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one Vat and all that hangs on it; ContractError if a contract refuses."""
    # Where
    at = deployment.addresses
    for role, address in at.items():
        if address != ZERO_ADDRESS:
            found.entity(address, "contract", f"{deployment.protocol} {role}", deployment.protocol)
    progress("maker", 0, 4, "ilks and joins")
    ilks, whole = maker_ilks.read(client, deployment, found)

    # Ask and rows, part by part
    dai = _dai(client, found, at, whole["vat", "debt"])
    progress("maker", 1, 4, f"{many(len(ilks), 'ilk')}: sales and prices")
    stopped, on_sale = maker_auctions.read(client, deployment, ilks, dai, found)
    answers = maker_oracles.read(client, sorted({ilk.asked["spotter"][0] for ilk in ilks} - {ZERO_ADDRESS}), found)
    progress("maker", 2, 4, "urns")
    inks = maker_urns.read(client, deployment, ilks, dai, on_sale, found)
    calls = {(ilk.market, join): Call(ilk.gem, BALANCE, (join,)) for ilk in ilks if ilk.gem for join in ilk.joins}
    balances = client.ask(calls)
    for ilk in ilks:
        held = sum(balances[ilk.market, join] for join in ilk.joins) if ilk.joins else None
        _market(found, deployment, ilk)
        _prices(found, at["spotter"], ilk, dai, whole["spotter", "par"], answers.get(ilk.asked["spotter"][0]))
        _reserves(found, at, ilk, dai, whole, inks[ilk.id], held, ilk.id in stopped)
        found.witness("written rate", (ilk.market, dai), ilk.asked["vat"][1])
        if held is not None:
            sold = sum(lots for (market, _), lots in on_sale.items() if market == ilk.market)
            found.witness("joined", (ilk.market, ilk.asset), (held * ilk.unit, sold))
    _par(found, at["spotter"], whole["spotter", "par"])
    found.witness("vat", (dai,), (whole["vat", "debt"], whole["vat", "vice"]))
    progress("maker", 3, 4, "wards")
    clips = {ilk.asked["dog"][0]: ilk.market for ilk in ilks if ilk.asked["dog"][0] != ZERO_ADDRESS}
    own = {*at.values(), *(join for ilk in ilks for join in ilk.joins), *clips}
    maker_authorities.read(client, deployment, clips, list(answers), own, found)
    progress("maker", 4, 4, "done")


def _market(found: Findings, deployment: Deployment, ilk: Ilk) -> None:
    vat, spotter = deployment.addresses["vat"], deployment.addresses["spotter"]
    usd = found.known_asset("iso4217:USD", "ISO 4217", symbol="USD", name="US dollar", decimals=2, kind="fiat")
    found.add(
        "markets",
        f"event LogNote init {ilk.label} @{vat}",
        market=ilk.market,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=f"{deployment.instance} {ilk.label}",
        address=vat,
        family="maker",
        base_asset=usd,
        base_unit_raw=10**RAD_DECIMALS,
        oracle=found.entity(spotter, "contract"),
        loss_rule="auction_then_surplus_then_mint",
    )


def _reserves(
    found: Findings,
    at: Mapping[str, str],
    ilk: Ilk,
    dai: str,
    whole: Mapping[Any, Any],
    ink: int,
    holds: int | None,
    is_stopped: bool,
) -> None:
    """The collateral with the terms of a liquidation, and the internal Dai that is owed."""
    # Decode
    total, rate, _, line, dust = ilk.asked["vat"]
    duty, since = ilk.asked["jug"]
    pip, ratio = ilk.asked["spotter"]
    clip, chop, hole, _ = ilk.asked["dog"]
    state = {"market": ilk.market, "active": True, "frozen": not whole["vat", "live"], "paused": False}
    state |= {"supply_index_raw": 1, "supplied_stored_raw": 0, "cash_raw": 0, "accrual_unit": "second"}
    can_bark = bool(whole["dog", "live"]) and clip != ZERO_ADDRESS and not is_stopped
    growth = duty + whole["jug", "base"]

    # Rows
    found.add(
        "reserves",
        found.asked("ilks", at["vat"]),
        asset=ilk.asset,
        **state,
        supply_index_unit_raw=ilk.unit,
        borrow_index_raw=1,
        borrow_index_unit_raw=1,
        borrowed_stored_raw=0,
        collateral_raw=ink // ilk.unit,
        balance_raw=holds,
        debt_ceiling_raw=line,
        isolated_debt_raw=total * rate,
        borrowable=False,
        liquidatable=can_bark,
        liquidation_ratio_ray=ratio,
        debt_penalty_wad=chop or None,
        auction_limit_raw=hole,
        auction_limit_shared_raw=whole["dog", "Hole"],
        price_source=None if pip == ZERO_ADDRESS else found.entity(pip, "feed"),
    )
    found.add(
        "reserves",
        found.asked("ilks", at["vat"]),
        asset=dai,
        **state,
        supply_index_unit_raw=1,
        borrow_index_raw=ilk.rate_now,
        borrow_index_unit_raw=1,
        borrowed_stored_raw=total,
        debt_floor_raw=dust,
        borrowable=bool(whole["vat", "live"] and line),
        liquidatable=can_bark,
        rate_model="governed",
        borrow_rate_ray=max(growth - RAY, 0) * YEAR,
        accrual_units_per_year=YEAR,
        last_accrual=since,
        price_source=found.entity(at["spotter"], "contract"),
    )


def _prices(found: Findings, spotter: str, ilk: Ilk, dai: str, par: int, answer: int | None) -> None:
    """The oracle's present answer for the collateral, with the written bound that the health test uses; par for internal Dai."""
    pip, row = ilk.asked["spotter"][0], {"market": ilk.market, "quote_asset": "iso4217:USD"}
    if answer is None:
        found.gaps.append(f"{ilk.market}: its oracle {pip} has no price that can be read")
    else:
        found.add(
            "prices",
            f"storage of {pip} block {found.anchor.number}",
            **row,
            asset=ilk.asset,
            price_raw=answer,
            decimals=WAD_DECIMALS,
            threshold_price_raw=ilk.asked["vat"][2],
            source=found.entity(pip, "feed"),
            price_usd=answer / WAD,
            usd_path="the oracle's present answer",
        )
    found.add(
        "prices",
        found.asked("par", spotter),
        **row,
        asset=dai,
        price_raw=par,
        decimals=RAY_DECIMALS,
        source=found.entity(spotter, "contract"),
        price_usd=par / RAY,
        usd_path="par of the Spotter: what the protocol counts a Dai as, not what it trades at",
    )


def _par(found: Findings, spotter: str, par: int) -> None:
    place = {"source": entity_id(found.anchor.chain, spotter), "address": entity_id(found.anchor.chain, spotter)}
    found.add(
        "feeds", found.asked("par", spotter), **place, step=0, kind="fixed", value_raw=par, decimals=RAY_DECIMALS,
        description="par", state="hard_coded",
    )  # fmt: skip


def _dai(client: Client, found: Findings, at: Mapping[str, str], issued: int) -> str:
    """The internal Dai, and the DAI token, a claim on what its join has of it, one to one. Returns the internal Dai's key."""
    held = client.call(Call(at["vat"], "dai(address)->(uint256)", (at["dai_join"],)))
    issuer = found.entity(at["vat"], "contract")
    dai = found.known_asset(
        f"{found.anchor.chain}/vat:{at['vat']}",
        found.asked("debt", at["vat"]),
        chain=found.anchor.chain,
        symbol="Dai (Vat)",
        name="internal Dai of the Vat, counted in rads",
        decimals=RAD_DECIMALS,
        kind="stablecoin",
        issuer=issuer,
        total_supply_raw=issued,
    )
    found.add(
        "backings",
        found.asked("dai", at["vat"]),
        claim=found.token(at["dai"], "stablecoin", issuer),
        backing=dai,
        holder=found.entity(at["dai_join"], "contract"),
        amount_raw=held,
        rate_wad=WAD,
        redemption="instant",
        delay_seconds=0,
        capacity_raw=held,
        fee_wad=0,
    )
    return dai
