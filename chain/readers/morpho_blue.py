"""Morpho Blue: every market that was ever created, in the one contract that keeps them all; its totals, terms and oracle price.

Written against Morpho.sol, EventsLib and IIrm (@morpho-org/morpho-blue 1.0.0, npm). A market is one id, the smallest thing with a health
factor. Totals are as of the block: what is stored, accrued by `chain.accounting.morpho_blue` at the rate that the market's rate model answers
(borrowRateView, which borrowRate equals). The accounts are read by `morpho_blue_accounts`, what stands behind the oracles by `morpho_blue_oracles`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode

from chain.accounting.morpho_blue import VIRTUAL_ASSETS, VIRTUAL_SHARES, Totals, accrue, incentive_wad
from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers import access, morpho_blue_accounts, morpho_blue_oracles
from chain.readers.holders import BALANCE
from chain.units import RAY, WAD, ZERO_ADDRESS, market_id

VERSION = 1
CREATED = event_topic("CreateMarket(bytes32,(address,address,address,address,uint256))")
_PARAMS = "(address,address,address,address,uint256)"
TOTALS = "market(bytes32)->(uint128,uint128,uint128,uint128,uint128,uint128)"
RATE = f"borrowRateView({_PARAMS},(uint128,uint128,uint128,uint128,uint128,uint128))->(uint256)"
RATE_AT_TARGET = "rateAtTarget(bytes32)->(int256)"
TARGET_USE = 9 * RAY // 10
"""Where the adaptive curve has its rate at target; it is a quarter of it at no use and four times it at full use (AdaptiveCurveIrm and its
ConstantsLib, morpho-org/morpho-blue-irm@10be2221, src/adaptive-curve-irm). No deployed contract says the three numbers."""
YEAR = 365 * 24 * 3600
ORACLE_DECIMALS = 36


@dataclass(frozen=True)
class _Market:
    """One market: its key, id and parameters, totals as stored and at the block, rate a second (1e-18, None without one), decimals."""

    key: str
    id: bytes
    loan: str
    collateral: str
    oracle: str
    irm: str
    lltv: int
    stored: Totals
    now: Totals
    rate: int | None
    rate_at_target: int | None
    price: int | None
    decimals: tuple[int | None, int | None]

    @property
    def is_idle(self) -> bool:
        """Whether nothing can be posted, so that nobody can borrow."""
        return self.collateral == ZERO_ADDRESS

    @property
    def price_decimals(self) -> int | None:
        """Decimals of a price in whole tokens: 36 + loan - collateral; None where a token does not answer its decimals."""
        loan, collateral = self.decimals
        if self.is_idle:
            return ORACLE_DECIMALS
        return None if loan is None or collateral is None else ORACLE_DECIMALS + loan - collateral


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read every market of one contract and its accounts; ContractError if a contract refuses."""
    # Where
    morpho = deployment.addresses["morpho"]
    label = f"{deployment.protocol} {deployment.instance}"
    found.entity(morpho, "contract", label, deployment.protocol)
    progress("morpho_blue", 0, 3, f"{deployment.instance}: markets")
    created = client.logs([morpho], CREATED, deployment.first_block, client.anchor.number, has_no_sum=True)
    params = {bytes.fromhex(log.topics[1][2:]): decode([_PARAMS], bytes.fromhex(log.data[2:]))[0] for log in created}

    # Ask
    progress("morpho_blue", 1, 3, many(len(params), "market"))
    markets = _markets(client, deployment, morpho, params, found)

    # Rows
    progress("morpho_blue", 2, 3, "accounts")
    places = {one.id: morpho_blue_accounts.Market(one.key, one.loan, one.collateral, one.now) for one in markets}
    posted = morpho_blue_accounts.read(client, morpho, deployment.first_block, places, found)
    priced = {row["asset"]: row for row in reversed(found.rows.get("prices", [])) if row.get("price_usd") is not None}
    for market in markets:
        _market(found, deployment, morpho, market)
        _reserves(found, morpho, market, posted[market.id])
        _prices(found, market, priced)
    morpho_blue_oracles.read(
        client, {(one.key, found.token(one.collateral)): one.oracle for one in markets if not one.is_idle}, found
    )
    tokens = {found.token(at): at for one in markets for at in (one.loan, one.collateral) if at != ZERO_ADDRESS}
    asked = client.ask({asset: Call(at, BALANCE, (morpho,), optional=True) for asset, at in tokens.items()})
    for asset, balance in asked.items():
        if balance is not None:
            found.witness("held by all markets", (morpho, asset), balance)
    owner = client.call(Call(morpho, "owner()->(address)"))
    if owner != ZERO_ADDRESS:
        target = found.entity(morpho, "contract")
        access.add_power(found, owner, target, "parameters", found.asked("owner", morpho))
    progress("morpho_blue", 3, 3, "done")


def _markets(
    client: Client, deployment: Deployment, morpho: str, params: Mapping[bytes, tuple[Any, ...]], found: Findings
) -> list[_Market]:
    totals = client.ask({key: Call(morpho, TOTALS, (key,)) for key in params})
    calls: dict[tuple[bytes, str], Call] = {}
    for key, (loan, collateral, oracle, irm, _) in params.items():
        asks = {"loan": (loan, "decimals()->(uint8)"), "collateral": (collateral, "decimals()->(uint8)")}
        asks["price"] = (oracle, "price()->(uint256)")
        calls |= {(key, name): Call(at, text, optional=True) for name, (at, text) in asks.items() if at != ZERO_ADDRESS}
        if irm != ZERO_ADDRESS:
            calls[key, "rate"] = Call(irm, RATE, (params[key], totals[key]), optional=True)
            calls[key, "at_target"] = Call(irm, RATE_AT_TARGET, (key,), optional=True)
    answers = client.ask(calls)
    markets = []
    for key, (loan, collateral, oracle, irm, lltv) in params.items():
        supplied, supply_shares, borrowed, borrow_shares, touched_at, fee = totals[key]
        stored = Totals(supplied, supply_shares, borrowed, borrow_shares, fee, touched_at)
        rate = answers.get((key, "rate"))
        if rate is None and irm != ZERO_ADDRESS:
            found.gaps.append(
                f"{deployment.protocol} 0x{key.hex()}: the rate model {irm} answers no rate, so nothing can be done there; its interest is not counted"
            )
        now = stored if rate is None else accrue(stored, rate, client.anchor.timestamp)
        name = market_id(client.chain, deployment.protocol, morpho, "0x" + key.hex())
        asked = {part: answers.get((key, part)) for part in ("at_target", "price", "loan", "collateral")}
        markets.append(
            _Market(
                name, key, loan, collateral, oracle, irm, lltv, stored, now, rate, asked["at_target"], asked["price"],
                (asked["loan"], asked["collateral"]),
            )
        )  # fmt: skip
    return markets


def _market(found: Findings, deployment: Deployment, morpho: str, market: _Market) -> None:
    found.add(
        "markets",
        f"event CreateMarket 0x{market.id.hex()} @{morpho}",
        market=market.key,
        chain=found.anchor.chain,
        protocol=deployment.protocol,
        instance=f"{deployment.instance} 0x{market.id.hex()[:8]}",
        address=morpho,
        family="morpho_blue",
        base_asset=found.token(market.loan),
        base_unit_raw=10 ** (market.decimals[0] or 0),
        oracle=None if market.oracle == ZERO_ADDRESS else found.entity(market.oracle, "contract"),
        loss_rule="socialise_now",
    )
    if market.irm != ZERO_ADDRESS:
        found.entity(market.irm, "contract", protocol=deployment.protocol)


def _reserves(found: Findings, morpho: str, market: _Market, posted: int) -> None:
    """The loan and the collateral; where both are the same token, one row, since their columns do not overlap."""
    # Decode
    stored, now = market.stored, market.now
    state = {"market": market.key, "active": True, "frozen": False, "paused": False, "accrual_unit": "second"}
    loan: dict[str, Any] = {
        "supply_index_raw": now.supply_assets + VIRTUAL_ASSETS,
        "supply_index_unit_raw": now.supply_shares + VIRTUAL_SHARES,
        "borrow_index_raw": now.borrow_assets + VIRTUAL_ASSETS,
        "borrow_index_unit_raw": now.borrow_shares + VIRTUAL_SHARES,
        "supplied_stored_raw": stored.supply_shares,
        "borrowed_stored_raw": stored.borrow_shares,
        "treasury_stored_raw": now.supply_shares - stored.supply_shares,
        "cash_raw": now.supply_assets - now.borrow_assets,
        "borrowable": not market.is_idle,
        "close_factor_wad": WAD,
        "reserve_factor_wad": stored.fee_wad,
        "accrual_units_per_year": YEAR,
        "last_accrual": stored.touched_at,
        **_rates(market),
    }
    idle = {
        "supply_index_raw": 1,
        "supply_index_unit_raw": 1,
        "borrow_index_raw": 1,
        "borrow_index_unit_raw": 1,
        "supplied_stored_raw": 0,
        "borrowed_stored_raw": 0,
        "cash_raw": 0,
        "borrowable": False,
    }
    terms = {
        "collateral_raw": posted,
        "ltv_wad": market.lltv,
        "liquidation_threshold_wad": market.lltv,
        "liquidation_bonus_wad": incentive_wad(market.lltv),
        "price_source": None if market.oracle == ZERO_ADDRESS else found.source(market.oracle),
    }

    # Rows
    same = market.loan == market.collateral
    evidence = found.asked("market", morpho)
    found.add("reserves", evidence, asset=found.token(market.loan), **state, **loan, **(terms if same else {}))
    if not same and not market.is_idle:
        evidence = f"events SupplyCollateral, WithdrawCollateral, Liquidate @{morpho}"
        found.add("reserves", evidence, asset=found.token(market.collateral), **state, **idle, **terms)


def _rates(market: _Market) -> dict[str, Any]:
    if market.rate is None:
        return {"rate_model": "none"} if market.irm == ZERO_ADDRESS else {}
    rates: dict[str, Any] = {"borrow_rate_ray": market.rate * YEAR * 10**9}
    if market.rate_at_target:
        quarter = market.rate_at_target * YEAR * 10**9 // 4
        rates |= {
            "rate_model": "adaptive",
            "rate_optimal_ray": TARGET_USE,
            "rate_base_ray": quarter,
            "rate_slope1_ray": 3 * quarter,
            "rate_slope2_ray": 12 * quarter,
        }
    return rates


def _prices(found: Findings, market: _Market, priced: Mapping[str, Mapping[str, Any]]) -> None:
    """The collateral's price in the loan as the oracle answers it, the loan's in itself; in USD where another market prices the loan."""
    loan, places = found.token(market.loan), market.price_decimals
    prices = {loan: 10**places} if places is not None and places >= 0 else {}
    if not market.is_idle:
        collateral = found.token(market.collateral)
        if market.price is None or not prices:
            found.gaps.append(f"{market.key}: the oracle {market.oracle} answers no price for {collateral}")
            return
        prices[collateral] = market.price  # of the loan itself, where both are the same token
    usd = priced.get(loan)
    for asset, price in prices.items():
        found.add(
            "prices",
            found.asked("price", market.oracle) if asset != loan else "the loan in terms of itself",
            market=market.key,
            asset=asset,
            price_raw=price,
            decimals=places,
            quote_asset=loan,
            source=found.source(market.oracle) if asset != loan else None,
            price_usd=price / 10 ** (places or 0) * usd["price_usd"] if usd else None,
            usd_path=f"price in {loan} x (that in {usd['market']}: {usd['usd_path']})" if usd else None,
        )
