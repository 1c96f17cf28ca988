"""What liquidation cannot mend, from the sums to the page: every number in the table is the record's."""

from dataclasses import replace

import pytest

from reports.amounts import money_for
from reports.frontier import FrontierPoint, frontier_of
from reports.record import Assessment
from reports.sections import page
from simulations.frontier import MarketFrontier


def sums(market: str, toxic: float, paused: float = 0.0) -> MarketFrontier:
    """Six million liquidatable, some of it toxic, some held back by a pause."""
    return MarketFrontier(market, 6e6, toxic, 1e6, 2e6, 3e6, 4e6, paused, 5e6, 12, 7)


def test_a_market_gets_its_own_sums_in_the_order_of_falls() -> None:
    found = frontier_of(
        [(0.5, (sums("a", 5e6), sums("b", 9e6))), (0.0, (sums("a", 0.0), sums("b", 0.0)))], "a", "ETH", "$5"
    )
    assert [(point.fall_percent, point.toxic_debt_usd) for point in found.points] == [(0.0, 0.0), (50.0, 5e6)]
    assert found.first_toxic == FrontierPoint(50.0, 6e6, 5e6, 1e6, 2e6, 3e6, 4e6, 0.0, 5e6, 12, 7)


def test_the_table_shows_the_record(assessment: Assessment) -> None:
    section = next(section for section in page(assessment).sections if section.key == "break")
    block = section.blocks[1]
    (table,) = block.tables
    for point, row in zip(assessment.frontier.points, table.rows, strict=True):
        assert row[2].text == (money_for(6e6).column(point.toxic_debt_usd) if point.toxic_debt_usd else "0")
    assert assessment.frontier.gas in block.source
    assert "less healthy" in block.aside[0]


def test_the_title_is_the_finding(assessment: Assessment) -> None:
    def title(*points: tuple[float, float]) -> str:
        part = frontier_of([(fall, (sums("a", toxic),)) for fall, toxic in points], "a", "ETH", "$5")
        return (
            page(replace(assessment, frontier=part))
            .sections[2]
            .blocks[1]
            .title.replace("\u202f", " ")
            .replace("\u00a0", " ")
        )

    assert title((0.0, 0.0), (0.2, 3e6), (0.4, 5e6)).startswith(
        "From ETH −20 % on, liquidation makes some positions worse"
    )
    assert title((0.0, 2e6), (0.2, 3e6)).startswith("As it stands, liquidation makes some positions worse")
    assert title((0.0, 0.0), (0.2, 0.0)) == "Down to ETH −20 % every liquidation heals the position that it reaches"


def test_what_a_pause_holds_back_is_told_beside_the_table(calm: Assessment) -> None:
    part = frontier_of([(0.2, (sums("a", 3e6, 4e6),))], "a", "ETH", "$5")
    block = page(replace(calm, frontier=part)).sections[2].blocks[1]
    assert "liquidation would make some positions worse" in block.title
    assert block.aside[1].endswith("A pause holds back $4.00m after ETH −20\u202f%.")


def test_a_phone_leaves_out_no_column_that_says_something(calm: Assessment) -> None:
    """In a market that is paused all of it stands in one of them."""
    for refused, partly in ((4e6, 1e6), (0.0, 0.0)):  # the sums have debts held by dust and unprofitable ones
        one = replace(sums("a", 0.0), refused_debt_usd=refused, partly_toxic_debt_usd=partly)
        block = page(replace(calm, frontier=frontier_of([(0.2, (one,))], "a", "ETH", "$5"))).sections[2].blocks[1]
        left_out = {column.head.split("|")[0] for column in block.tables[0].columns if column.optional}
        assert left_out == (set() if refused else {"refused", "partly toxic"})
        for word in ("Refused:", "Partly toxic:"):
            assert (word in block.source) is bool(refused) and (word in block.on_optional) is not bool(refused)


@pytest.mark.parametrize(
    ("positions", "toxic", "said"),
    [
        (12, 7, "7 of 12 liquidatable positions are toxic"),
        (12, 1, "1 of 12 liquidatable positions is toxic"),
        (12, 0, "none of 12 liquidatable positions is toxic"),
        (1, 1, "the one liquidatable position is toxic"),
        (1, 0, "the one liquidatable position is not toxic"),
        (0, 0, ""),
    ],
)
def test_how_many_are_toxic_is_said_in_grammar(calm: Assessment, positions: int, toxic: int, said: str) -> None:
    one = replace(sums("a", 0.0), positions=positions, toxic_positions=toxic)
    block = page(replace(calm, frontier=frontier_of([(0.2, (one,))], "a", "ETH", "$5"))).sections[2].blocks[1]
    told = block.aside[1].partition(", ")[2] if said else block.aside[1].partition("nobody.")[2].partition("m.")[2]
    assert told.removesuffix(".") == said


def test_the_id_of_a_report_covers_it(assessment: Assessment) -> None:
    assert "frontier" in assessment.to_dict() and assessment.to_dict()["frontier"]["points"]
