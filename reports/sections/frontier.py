"""What liquidation cannot mend: the table of debts that are toxic, do not pay, or are held by dust rules, fall by fall."""

from reports.amounts import change, count, money, money_for, unbroken
from reports.page import Block, Cell, Column, Table
from reports.record import Assessment
from reports.sections.parts import source

TOXIC = (
    "**Toxic.** The health factor is below threshold × (1 + bonus), the frontier: the liquidator takes more of what counts than he repays, "
    "and each liquidation leaves the position less healthy."
)
REASONS = (
    ("partly_toxic", "partly toxic"),
    ("unprofitable", "unprofitable"),
    ("dust_held", "dust"),
    ("refused", "refused"),
)
"""What else stands in the way; a phone leaves out the columns in which nothing stands."""
SAID = {
    "partly_toxic": "Partly toxic: with some of its collateral, not all.",
    "unprofitable": "Unprofitable: no size that the rule allows pays the gas and the sale.",
    "dust_held": "Dust: the rule refuses every size for what it would leave.",
    "refused": "Refused: paused, or too little cash.",
}


def frontier(assessment: Assessment, number: int) -> Block:
    part = assessment.frontier
    first, last = part.first_toxic, part.points[-1]
    write = money_for(max(point.liquidatable_debt_usd for point in part.points))
    if first is None:
        title = f"Down to {part.symbol} {change(-last.fall_percent / 100)} every liquidation heals the position that it reaches"
    else:
        when = f"From {part.symbol} {change(-first.fall_percent / 100)} on" if first.fall_percent else "As it stands"
        makes = "would make" if first.paused_debt_usd else "makes"
        title = f"{when}, liquidation {makes} some positions worse: they owe {money(first.toxic_debt_usd)}"
    has = {name: any(getattr(one, f"{name}_debt_usd") for one in part.points) for name, _ in REASONS}
    table = Table(
        "frontier",
        (
            Column(f"{part.symbol}|%", "number"),
            Column(f"liquidatable|{write.heading}", "number"),
            Column(f"toxic|{write.heading}", "number"),
            *(Column(f"{head}|{write.heading}", "number", optional=not has[name]) for name, head in REASONS),
        ),
        tuple(
            (
                Cell(f"−{point.fall_percent:g}" if point.fall_percent else "0"),
                *(
                    Cell(write.column(amount) if amount else "0")
                    for amount in (
                        point.liquidatable_debt_usd,
                        point.toxic_debt_usd,
                        point.partly_toxic_debt_usd,
                        point.unprofitable_debt_usd,
                        point.dust_held_debt_usd,
                        point.refused_debt_usd,
                    )
                ),
            )
            for point in part.points
        ),
    )
    healthy = max(point.healthy_toxic_debt_usd for point in part.points)
    early = f"Healthy and already below the frontier: {money(healthy) if healthy else 'nobody'}."
    paused = (
        f" A pause holds back {money(last.paused_debt_usd)} after {part.symbol} {change(-last.fall_percent / 100)}."
        if last.paused_debt_usd
        else ""
    )
    are = "is" if last.toxic_positions == 1 else "are"
    which = (
        f"the one liquidatable position {'is' if last.toxic_positions else 'is not'}"
        if last.positions == 1
        else f"none of {count(last.positions, 'liquidatable position')} is"
        if not last.toxic_positions
        else f"{last.toxic_positions:,} of {count(last.positions, 'liquidatable position')} {are}"
    )
    beyond = f"After {part.symbol} {change(-last.fall_percent / 100)}, {which} toxic." if last.positions else ""
    return Block(
        label=f"Table {number}",
        title=unbroken(title),
        subtitle=f"Debt of positions that are liquidatable after a fall of {part.symbol}, by what stands in the way; a position can be in several columns",
        source=source(
            assessment,
            f"Gas of one liquidation: {part.gas}. Sales at the pools as they stand after the fall, each position asked as if it were the first; who comes later is paid less.",
            *(text for name, text in SAID.items() if has[name]),
        ),
        on_optional=" ".join(text for name, text in SAID.items() if not has[name]),
        tables=(table,),
        aside=(TOXIC, f"{early} {beyond}{paused}"),
    )
