"""Shocks: how they are written, what they reach through backings, and what is refused."""

import math

import pytest

from chain.errors import InputError, UnknownNameError
from simulations.shocks import PriceShock, canonical, name_of, parse, reference_prices
from tests.simulations.hand_made import book

HELD = [("a", "ETH", "collateral", 1.0), ("a", "STETH", "collateral", 1.0), ("a", "USDC", "debt", 100.0)]
PRICES = {"ETH": 2_000.0, "STETH": 2_400.0, "USDC": 1.0}


def prices_after(*shocks: PriceShock) -> dict[str, float]:
    held = book(HELD, PRICES, backing_rate=1.2)
    return {asset.symbol: price for asset, price in zip(held.assets, reference_prices(held, shocks), strict=True)}


@pytest.mark.parametrize(
    ("text", "change"),
    [("ETH=-20%", -0.2), ("ETH=+5.5%", 0.055), (" ETH = 3 % ", 0.03), ("ETH=\u221230%", -0.3), ("ETH=-.5%", -0.005)],
)
def test_written_shocks_are_read(text: str, change: float) -> None:
    assert parse(text).asset == "ETH"
    assert parse(text).change == pytest.approx(change)


@pytest.mark.parametrize("text", ["ETH", "ETH=-20", "ETH=nan%", "ETH=inf%", "=-20%", "ETH=--20%", "ETH=-20%%", ""])
def test_what_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(InputError, match="ETH=-20%"):
        parse(text)


@pytest.mark.parametrize("change", [-1.0, -1.2, math.nan, math.inf, -math.inf])
def test_impossible_changes_are_refused(change: float) -> None:
    with pytest.raises(InputError, match="cannot be"):
        PriceShock("ETH", change)


def test_a_shock_reaches_what_the_asset_backs() -> None:
    after = prices_after(PriceShock("ETH", -0.25))
    assert after["ETH"] == pytest.approx(1_500)
    assert after["STETH"] == pytest.approx(1_800)
    assert after["USDC"] == 1


def test_a_depeg_leaves_the_backing_alone_and_adds_to_its_fall() -> None:
    assert prices_after(PriceShock("STETH", -0.1))["ETH"] == 2_000
    both = prices_after(PriceShock("ETH", -0.25), PriceShock("STETH", -0.1))
    assert both["STETH"] == pytest.approx(2_400 * 0.75 * 0.9)


def test_unknown_assets_come_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean STETH"):
        prices_after(PriceShock("STETHH", -0.1))


def test_a_shock_on_what_nobody_holds_is_refused() -> None:
    held = book([("a", "ETH", "collateral", 1.0)], PRICES)
    with pytest.raises(InputError, match="nobody in this book holds or owes STETH"):
        reference_prices(held, [PriceShock("STETH", -0.1)])


def test_an_asset_has_one_name_however_it_is_typed() -> None:
    held = book(HELD, PRICES)
    assert {name_of(held, typed) for typed in ("STETH", "steth", held.assets[1].key)} == {held.assets[1].symbol}


def test_shocks_have_one_form_however_they_are_typed() -> None:
    held = book(HELD, PRICES)
    expected = (PriceShock("ETH", -0.25), PriceShock("ETH", 0.1), PriceShock("STETH", -0.1))
    typed = [PriceShock("eth", 0.1), PriceShock("sTETH", -0.1), PriceShock(held.assets[0].key, -0.25)]
    for order in (typed, typed[::-1], typed[1:] + typed[:1]):
        assert canonical(held, order) == expected
    with pytest.raises(UnknownNameError, match="did you mean STETH"):
        canonical(held, [PriceShock("STETHH", -0.1)])
