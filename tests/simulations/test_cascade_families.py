"""A cascade on tables with a Compound V2 and a Morpho Blue market: what it liquidates is what their rules say, on figures done by hand."""

from typing import Any

import pytest

from chain.snapshot import from_rows
from graph.build import build
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.health import health_factors
from simulations.rules import compound_v2, morpho_blue
from simulations.rules.rule import Liquidation, Position
from simulations.scenarios import Assumptions, of_shocks
from simulations.shocks import parse
from simulations.state import start

WAD = 10**18
EVIDENCE = {"evidence": "by hand", "status": "file"}
COMPOUND, MORPHO = "file:market/compound", "file:market/morpho"
DECIMALS = {"ETH": 18, "STETH": 18, "USDC": 6}
PRICES = {"ETH": 2_000.0, "STETH": 2_200.0, "USDC": 1.0}
CTOKENS, RATE = 400 * 10**8, 250_000_000
"""cTokens of ETH, and wei per smallest unit of them: one cToken is 0.025 ETH."""
LLTV_BPS = 8_600


def _market(market: str, family: str, loss_rule: str) -> dict[str, Any]:
    return {
        "market": market, "chain": "file", "protocol": "hand", "instance": family, "address": "hand", "family": family,
        "base_asset": "iso4217:USD", "base_unit_raw": WAD, "loss_rule": loss_rule, **EVIDENCE,
    }  # fmt: skip


def _reserve(market: str, asset: str, **more: Any) -> dict[str, Any]:
    row = {
        "market": market, "asset": asset, "supply_index_raw": 1, "supply_index_unit_raw": 1, "borrow_index_raw": 1, "borrow_index_unit_raw": 1,
        "supplied_stored_raw": 0, "borrowed_stored_raw": 0, "cash_raw": 10**12 * 10 ** DECIMALS[asset], "active": True, "frozen": False,
        "paused": False, "borrowable": True, "accrual_unit": "second", **EVIDENCE,
    }  # fmt: skip
    return row | more


def _position(
    market: str, name: str, asset: str, side: str, stored: int, index: int = 1, unit: int = 1
) -> dict[str, Any]:
    return {
        "market": market, "position_id": name, "asset": asset, "side": side, "owner": f"file:account/{name}", "stored_raw": stored, "index_raw": index,
        "index_unit_raw": unit, "amount_raw": -(-stored * index // unit) if side == "debt" else stored * index // unit, "collateral_enabled": side != "debt", "category": 0, **EVIDENCE,
    }  # fmt: skip


def _price(market: str, asset: str, raw: int, decimals: int) -> dict[str, Any]:
    quote = {"quote_asset": "iso4217:USD", "price_usd": PRICES[asset], **EVIDENCE}
    return {"market": market, "asset": asset, "price_raw": raw, "decimals": decimals, **quote}


def hand_made(morpho_collateral: str = "ETH", morpho_loan: str = "USDC", borrowed: int = 15_500 * 10**6) -> Book:
    """One borrower in each market: 10 ETH as 400 cTokens against 16,000 USDC in Compound, 10 of a collateral in Morpho."""
    bonus = -(-morpho_blue.incentive_wad(LLTV_BPS) // 10**14) * 10**14  # a whole number of basis points, up
    places = 36 + DECIMALS[morpho_loan] - DECIMALS[morpho_collateral]
    relative = round(PRICES[morpho_collateral] / PRICES[morpho_loan] * 1000) * 10 ** (places - 3)
    shares = borrowed * 10**6 * 10 // 12
    index = {"borrow_index_raw": borrowed + 1, "borrow_index_unit_raw": shares + 10**6}
    common = {
        "close_factor_wad": WAD // 2,
        "liquidation_bonus_wad": 108 * WAD // 100,
        "liquidation_fee_wad": 28 * WAD // 1000,
    }
    rows: dict[str, list[dict[str, Any]]] = {
        "protocols": [{"protocol": "hand", "name": "Hand", "kind": "lending", **EVIDENCE}],
        "markets": [_market(COMPOUND, "compound_v2", "zombie"), _market(MORPHO, "morpho_blue", "socialise_now")],
        "assets": [
            {"asset": "iso4217:USD", "symbol": "USD", "decimals": 2, "kind": "fiat", **EVIDENCE},
            *({"asset": s, "symbol": s, "decimals": d, "kind": "token", **EVIDENCE} for s, d in DECIMALS.items()),
        ],
        "reserves": [
            _reserve(
                COMPOUND, "ETH", supply_index_raw=RATE * CTOKENS, supply_index_unit_raw=CTOKENS, supplied_stored_raw=CTOKENS,
                liquidation_threshold_wad=825 * WAD // 1000, **common,
            ),
            _reserve(COMPOUND, "USDC", borrowed_stored_raw=16_000 * 10**6, liquidation_threshold_wad=75 * WAD // 100, **common),
            _reserve(MORPHO, morpho_collateral, collateral_raw=10**19, liquidation_threshold_wad=LLTV_BPS * 10**14, liquidation_bonus_wad=bonus),
            _reserve(
                MORPHO, morpho_loan, borrowed_stored_raw=shares, **index
            ),
        ],
        "prices": [
            _price(COMPOUND, "ETH", 2_000 * WAD, 18), _price(COMPOUND, "USDC", 10**30, 30),
            _price(MORPHO, morpho_collateral, relative, places), _price(MORPHO, morpho_loan, 10**places, places),
        ],
        "positions": [
            _position(COMPOUND, "carol", "ETH", "supply", CTOKENS, RATE), _position(COMPOUND, "carol", "USDC", "debt", 16_000 * 10**6),
            _position(MORPHO, "mallory", morpho_collateral, "collateral", 10**19), _position(MORPHO, "mallory", morpho_loan, "debt", shares, *index.values()),
        ],
        "entities": [{"entity": f"file:account/{n}", "kind": "account", "name": n, **EVIDENCE} for n in ("carol", "mallory")],
    }  # fmt: skip
    return from_graph(build(from_rows("hand", (), rows)))


def _first_round(book: Book, *shocks: str) -> dict[str, Any]:
    result = run(book, of_shocks([parse(shock) for shock in shocks], Assumptions(gas_usd=0.0)))
    return {row["position_id"]: row for row in result.rounds[0].liquidations.to_dict("records")}


def _after_fall(book: Book, name: str, price_raw: int) -> Position:
    """The position with its collateral's price written by hand."""
    state = start(book)
    number = book.position_ids.index(name)
    leg = next(leg for leg in book.legs(number) if book.leg_supply_stored[leg])
    state.oracle_raw[int(book.leg_reserve[leg])] = price_raw
    return state.position(number)


def test_compound_in_a_cascade_is_its_rule() -> None:
    """ETH at 1,600: health 16,000 x 0.825 / 16,000 < 1; half of 16,000 is repaid, 1.08 times its worth taken, 2.8 % of that the protocol's."""
    book = hand_made()
    row = _first_round(book, "ETH=-20%")["carol"]
    said = compound_v2.liquidate_exactly(_after_fall(book, "carol", 1_600 * WAD), *_legs(book, "carol"), 8_000 * 10**6)
    assert isinstance(said, Liquidation)
    assert (row["repaid_raw"], row["seized_raw"], row["fee_raw"]) == (said.repaid_raw, said.seized_raw, said.fee_raw)
    assert row["repaid_usd"] == pytest.approx(8_000)
    assert row["seized_usd"] == pytest.approx(8_000 * 1.08)
    assert row["fee_raw"] / 1e18 == pytest.approx(8_000 * 1.08 * 0.028 / 1_600, rel=1e-6)
    assert row["deficit_usd"] == 0


def test_morpho_in_a_cascade_is_its_rule() -> None:
    """ETH at 1,600: 13,760 may be owed, 15,500 is; all of it is repaid that 16,000 pays for: 16,000 / 1.0438, the rest is lost at once."""
    book = hand_made()
    row = _first_round(book, "ETH=-20%")["mallory"]
    said = morpho_blue.liquidate_exactly(_after_fall(book, "mallory", 1_600 * 10**24), 10**19, 0)
    assert isinstance(said, Liquidation)
    assert (row["repaid_raw"], row["seized_raw"], row["fee_raw"]) == (said.repaid_raw, said.seized_raw, 0)
    incentive = 1 / (1 - 0.3 * (1 - 0.86))
    assert row["repaid_usd"] == pytest.approx(16_000 / incentive)
    assert row["deficit_usd"] == pytest.approx(15_500 - 16_000 / incentive, rel=1e-6)


def test_a_loan_whose_price_moves_moves_what_morpho_believes() -> None:
    """10 STETH against 9 ETH: both fall alike and nothing happens; ETH alone rises by 10 % and 18.92 x 1,000 of credit meets 19.8 of debt."""
    book = hand_made("STETH", "ETH", 9 * WAD)
    assert "mallory" not in _first_round(book, "ETH=-20%", "STETH=-20%")
    row = _first_round(book, "ETH=10%")["mallory"]
    assert row["repaid_raw"] == pytest.approx(9 * WAD, rel=1e-9)
    assert row["seized_raw"] == pytest.approx(9 * WAD * morpho_blue.incentive_wad(LLTV_BPS) / WAD, rel=1e-9)


def test_the_float_screen_agrees_with_both_rules() -> None:
    state = start(hand_made())
    rules = {"carol": compound_v2, "mallory": morpho_blue}
    for number, health in enumerate(health_factors(state)):
        exact = rules[state.book.position_ids[number]].health_factor_wad(state.position(number))
        assert health == pytest.approx(exact / 1e18, rel=1e-9)


def _legs(book: Book, name: str) -> tuple[int, int]:
    """(collateral leg, debt leg) within the position."""
    legs = list(book.legs(book.position_ids.index(name)))
    taken = next(n for n, leg in enumerate(legs) if book.leg_supply_stored[leg])
    return taken, 1 - taken
