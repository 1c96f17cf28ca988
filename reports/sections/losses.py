"""What the scenarios do to it: side by side, the chosen one round by round, and the positions that carry the loss."""

from math import fsum

from reports.amounts import (
    count,
    fixed,
    health_factor,
    listing,
    money,
    money_for,
    part_in,
    percent,
    percent_number,
    ratio,
    sentence,
    short,
    spelled,
    unbroken,
)
from reports.cascades import Cascade
from reports.charts.cascade import decimals_of, measure_of, rows_of
from reports.page import Block, Cell, Column, Fold, Segment, Table
from reports.record import Assessment
from reports.sections.parts import chart, source
from reports.waiting import because


def scenarios(assessment: Assessment, number: int) -> Block:
    lines, supplied = assessment.scenarios, assessment.coverage.total_usd
    worst = lines[0]
    by_debt = worst.is_loss_shown
    write = money_for(max(max(line.bad_debt_usd, line.liquidated_usd) for line in lines))
    longest = max((line.bad_debt_usd if by_debt else line.liquidated_usd) for line in lines) or 1.0

    def bar_of(direct: float, indirect: float, whole: float) -> Cell:
        parts = (
            (Segment("direct", max(direct, 0) / longest), Segment("indirect", max(indirect, 0) / longest))
            if by_debt
            else (Segment("total", whole / longest),)
        )
        return Cell("", segments=parts)

    rows = []
    for line in lines:
        direct, indirect = line.direct_usd, line.indirect_usd
        rows.append(
            (
                Cell(line.title, note=line.kind),
                Cell(write.column(line.liquidated_usd)),
                Cell(write.column(line.bad_debt_usd)),
                Cell(percent_number(ratio(line.bad_debt_usd, supplied), 2)),
                bar_of(direct, indirect, line.liquidated_usd),
                Cell(write.column(direct)),
                Cell(write.column(indirect)),
                Cell(count(line.rounds)),
                Cell(write.column(line.waiting_debt_usd)),
            )
        )
    table = Table(
        "scen",
        (
            Column("scenario", "name"),
            Column(f"liquidated|{write.heading}", "number", optional=True),
            Column(f"bad debt|{write.heading}", "number"),
            Column("of supply|%", "number", optional=True),
            Column("direct, indirect" if by_debt else "liquidated", "bar"),
            Column(f"direct|{write.heading}", "number"),
            Column(f"indirect|{write.heading}", "number"),
            Column("rounds|to calm", "number", optional=True),
            Column(f"waiting|{write.heading}", "number", optional=True),
        ),
        tuple(rows),
    )
    if not by_debt and not worst.liquidated_usd and worst.waiting_debt_usd:
        title = f"No scenario leaves bad debt or liquidates anything; {worst.title} leaves {money(worst.waiting_debt_usd)} of debt waiting"
    elif not by_debt and not worst.liquidated_usd and worst.bad_debt_usd <= 0:
        title = "No scenario leaves bad debt or liquidates anything"
    elif not by_debt:
        title = f"No scenario leaves {'bad debt' if worst.bad_debt_usd <= 0 else f'more than {money(worst.money.usd / 100)} of bad debt'}; {worst.title} liquidates the most, {money(worst.liquidated_usd)}"
    elif len(lines) > 1 and lines[1].bad_debt_usd > 0 and worst.bad_debt_usd / lines[1].bad_debt_usd >= 1.2:
        title = f"{worst.title} costs {worst.bad_debt_usd / lines[1].bad_debt_usd:.1f} times as much as {lines[1].title}, the next"
    else:
        title = f"{worst.title} costs the most: {money(worst.bad_debt_usd)}, {percent(ratio(worst.bad_debt_usd, supplied))} of supply"
    waits = max(lines, key=lambda line: line.waiting_debt_usd)
    passed = listing(sorted({f"{line.pass_through:g}" for line in lines}))
    return Block(
        label=f"Table {number}",
        title=unbroken(title),
        subtitle="This market’s part of runs over all markets read, to calm, prices fixed outside. Largest first; scenarios are alternatives and do not add up",
        source=source(
            assessment,
            f"Share of sale impact that the outside market does not absorb (λ): {passed}.{_range(assessment.cascade)} One run each: no range{'' if assessment.outlook is None else '; drawn shocks have one, in the outlook'}.",
        ),
        on_optional=f"Waiting: debt that could be liquidated at the end and is not{f'; at {waits.title}: {because(waits.waiting)}' if waits.waiting else ''}.",
        tables=(table,),
        full=True,
    )


def _range(record: Cascade) -> str:
    """The bad debt of the worst scenario at each λ that was run."""
    if not record.range:
        return ""
    shares = listing([f"{part.pass_through:g}" for part in record.range])
    lost = listing(["no end" if part.bad_debt_usd is None else money(part.bad_debt_usd) for part in record.range])
    return f" Nobody can observe λ: at {shares} {record.scenario.title} leaves {lost} of bad debt."


def cascade(assessment: Assessment, number: int) -> Block:
    record = assessment.cascade
    line = record.scenario
    what = measure_of(record)
    rows, decimals, write = rows_of(record), decimals_of(record), record.money
    first = record.of_step(record.steps[0])
    later = ratio(record.total_usd - first, record.total_usd)
    when = f"{percent(later)} of it comes after the first round" if later > 0 else "all of it in the first round"
    if not record.total_usd:
        title = f"At {line.title} nothing is liquidated"
    elif record.by_bad_debt:
        title = f"At {line.title}, {when.replace('of it', 'of the bad debt', 1).replace('debt in', 'debt comes in')}"
    else:
        title = f"At {line.title}, {money(record.total_usd)} is liquidated, {when}"
    table = Table(
        "rounds",
        (
            Column("round", "name"),
            Column(f"{what}|{write.heading}", "number"),
            Column(f"liquidated|{write.heading}", "number"),
            Column(f"{record.leading_symbol} market price|after the round", "number"),
        ),
        tuple(
            (Cell(label), Cell(fixed(part, decimals)), Cell(write.column(liquidated)), Cell(price))
            for label, part, liquidated, price in rows
        ),
        (
            Cell("total"),
            Cell(fixed(fsum(part for _, part, _, _ in rows), decimals)),
            Cell(write.column(line.liquidated_usd)),
            Cell(""),
        ),
    )
    return Block(
        label=f"Figure {number}",
        title=unbroken(title),
        subtitle=f"{sentence(what)} by round of the cascade, {write.heading}; market prices, not oracle prices",
        source=source(
            assessment,
            f"Scenario {line.title}, λ {line.pass_through:g}, {_calm(record)}. Tokens are conserved exactly; every holder’s change in value is explained to {part_in(record.worst_residual_ratio)} of the book.",
        ),
        charts=(chart(assessment, "cascade", (690, 44 + 29 * (len(rows) + 1) + 40)),),
        folds=(Fold("The same as a table", (table,)),),
        aside=(
            "**Direct**: what the shock itself does, in round 1.",
            "**Indirect**: all later rounds. Sales move pool prices, oracles follow, more positions fall due; and what a close factor left over is liquidated again.",
        ),
    )


def _calm(record: Cascade) -> str:
    """After how many rounds the run is calm, and since when this market is, where that is earlier."""
    rounds, last = record.scenario.rounds, record.steps[-1].number
    calm = f"calm after {count(rounds, 'round')}"
    return f"{calm}, here after {last}" if last < rounds else calm


def positions(assessment: Assessment, number: int) -> Block:
    record = assessment.cascade
    lines = record.positions
    what = "loss" if record.by_bad_debt else "liquidated"
    write = money_for(max((max(line.collateral_usd, line.debt_usd) for line in lines), default=0.0))
    top = fsum(record.of_position(line) for line in lines)
    share = percent(ratio(top, record.total_usd))
    named = any(line.address for line in lines)
    names = "Names: entities table." if named else "None of these addresses has a name in the entities table."
    if not named and any(short(line.owner) == line.owner for line in lines):
        names = "Names: as the file has them."
    largest = max((record.of_position(line) for line in lines), default=1.0)
    of = "the loss" if record.by_bad_debt else "what is liquidated"
    part = f"all of {of}" if top >= record.total_usd * (1 - 1e-9) else f"{share} of {of}"
    who = "One position makes" if len(lines) == 1 else f"{sentence(spelled(len(lines)))} positions make"
    title = f"{who} {part}" if lines else "No position loses anything"
    table = Table(
        "pos",
        (
            Column("position", "name"),
            Column("collateral → debt", optional=True),
            Column(f"collateral|{write.heading}", "number"),
            Column(f"debt|{write.heading}", "number"),
            Column("health|factor", "number"),
            Column(f"{what}|{write.heading}", "number"),
            Column("", "bar"),
        ),
        tuple(
            (
                Cell(line.name, note=line.address, full=line.position, code=line.name.startswith("0x")),
                Cell(f"{line.collateral_assets} → {line.debt_assets}"),
                Cell(write.column(line.collateral_usd)),
                Cell(write.column(line.debt_usd)),
                Cell(health_factor(line.health_factor) if line.health_factor is not None else "none"),
                Cell(write.column(record.of_position(line))),
                Cell(
                    "",
                    segments=(
                        Segment("indirect" if record.by_bad_debt else "total", record.of_position(line) / largest),
                    ),
                ),
            )
            for line in lines
        ),
        (
            Cell("this one" if len(lines) == 1 else f"these {spelled(len(lines))}"),
            Cell(""),
            Cell(""),
            Cell(""),
            Cell(""),
            Cell(write.column(top)),
            Cell(f"{share} of {money(record.total_usd)}"),
        )
        if lines
        else (),
    )
    return Block(
        label=f"Table {number}",
        title=unbroken(title),
        subtitle=f"Largest {'bad debt' if record.by_bad_debt else 'liquidations'} at {record.scenario.title}. Collateral, debt and health factor {assessment.subject.read}",
        source=source(
            assessment,
            f"Positions {'with a loss' if record.by_bad_debt else 'liquidated'} in all: {count(record.losing_positions)}. "
            + names,
        ),
        tables=(table,),
        full=True,
    )
