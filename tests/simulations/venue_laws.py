"""What must hold in every venue, whatever its pricing rule; each law is checked with the venue's own answers against each other."""

from math import ceil

from simulations.venues.venue import Venue


def nothing_is_gained_by_going_back(venue: Venue, sold: int, bought: int, amount_raw: int, above: int = 0) -> None:
    """Selling and buying back never leaves more than there was, but for `above` smallest units."""
    after, received = venue.apply(sold, bought, amount_raw)
    assert received == venue.quote(sold, bought, amount_raw)
    assert after.quote(bought, sold, received) <= amount_raw + above


def more_never_brings_less(venue: Venue, sold: int, bought: int, amount_raw: int, extra_raw: int) -> None:
    """A larger sale brings at least as much, and not more for each unit (but for the rounding of two units in or out)."""
    small, large = (venue.quote(sold, bought, size) for size in (amount_raw, amount_raw + extra_raw))
    assert small <= large
    slack = 3 + 3 * ceil(venue.spot(sold, bought))
    assert large * amount_raw <= (small + slack) * (amount_raw + extra_raw)


def parts_make_the_whole(
    venue: Venue, sold: int, bought: int, first_raw: int, second_raw: int, above: int, below: int
) -> None:
    """Two sales after each other bring what one sale of both brings, at most `above` units more and `below` less."""
    whole = venue.quote(sold, bought, first_raw + second_raw)
    after, one = venue.apply(sold, bought, first_raw)
    two = after.quote(sold, bought, second_raw)
    assert whole - below <= one + two <= whole + above


def price_is_met(venue: Venue, sold: int, bought: int, part: float, tolerance: float) -> None:
    """After `sale_to_price` the marginal price is what was asked for; one unit at the start brings what `spot` says at most."""
    price = venue.spot(sold, bought) * part
    amount = venue.sale_to_price(sold, bought, price)
    assert amount > 0
    after, _ = venue.apply(sold, bought, amount)
    assert abs(after.spot(sold, bought) / price - 1) <= tolerance
    assert after.sale_to_price(sold, bought, price * (1 + tolerance)) == 0


def the_search_agrees(venue: Venue, sold: int, bought: int, part: float, tolerance: float) -> None:
    """`down_to` says in floats what `sale_to_price` and `quote` say exactly, and nobody is told to sell more than `most_in`."""
    price = venue.spot(sold, bought) * part
    amount, received = venue.down_to(sold, bought, price)
    exact = venue.sale_to_price(sold, bought, price)
    assert 0 < exact <= venue.most_in(sold, bought)
    assert abs(amount / exact - 1) <= tolerance
    assert abs(received / venue.quote(sold, bought, exact) - 1) <= tolerance
