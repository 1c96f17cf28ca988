"""What the report rests on: thresholds and rules as they were applied, the tables and their checks, what is taken as given."""

from reports.amounts import THIN, change, count, money, sentence, spelled
from reports.page import Block, Cell, Column, Table
from reports.record import Assessment, Reading
from reports.sections import outlook
from reports.sections.parts import source
from reports.thresholds import NEVER
from reports.waiting import because

TAKEN_AS_GIVEN = (
    "Positions do not repay or top up while the cascade runs.",
    "Suppliers do not leave.",
    "Feeds publish at once; only their own deviation rule holds them back.",
    "Keepers have no capital of their own: what they seize is sold in the same step.",
    "Interest, gas prices and outside prices stand still.",
)


def readings(assessment: Assessment, number: int) -> Block:
    verdict, limits = assessment.verdict, assessment.thresholds["ordinary"]
    crossed = len(verdict.crossed)
    beyond = sentence(spelled(crossed)) if crossed else "None"
    table = Table(
        "readings",
        (
            Column("measure", "name"),
            Column("here|%", "number"),
            Column("reading"),
            Column("levels", optional=True),
            Column("alarm"),
        ),
        tuple(
            (
                Cell(reading.title),
                Cell(reading.shown.removesuffix(f"{THIN}%")),
                Cell(reading.level),
                Cell(reading.limits),
                Cell(_alarm(reading, assessment.thresholds[reading.name]["alarm"])),
            )
            for reading in verdict.readings
        ),
    )
    return Block(
        label=f"Table {number}",
        title=f"{beyond} of {spelled(len(verdict.readings))} measures {'are past their alarm' if crossed > 1 else 'is past its alarm'}",
        subtitle=f"The verdict’s sentences follow from these readings. Ordinary bad day: {change(-limits['fall_percent'] / 100)}; watched fall: {change(-limits['watch_percent'] / 100)}",
        source=source(
            assessment,
            "With other thresholds the same data give other sentences and another content id.",
        ),
        on_optional="A level holds from its number upward.",
        tables=(table,),
        full=True,
    )


def _alarm(reading: Reading, level: str) -> str:
    if level == NEVER:
        return "none set"
    return f"{level}: {'reached' if reading.crossed else 'not reached'}"


def rules(assessment: Assessment, number: int) -> Block:
    verdict = assessment.verdict
    applying = sum(rule.applies for rule in verdict.rules)
    table = Table(
        "rules",
        (Column("rule", "name"), Column("best grade"), Column("applies"), Column("what was found")),
        tuple(
            (
                Cell(rule.name.replace("_", " ")),
                Cell(rule.best),
                Cell("yes" if rule.applies else "no"),
                Cell(sentence(rule.finding)),
            )
            for rule in verdict.rules
        ),
    )
    return Block(
        label=f"Table {number}",
        title=f"Confidence is {verdict.grade}: {spelled(applying)} of {spelled(len(verdict.rules))} rules {'applies' if applying == 1 else 'apply'}, the strictest decides",
        subtitle="Each rule names the best grade that is possible while it applies",
        source=source(assessment),
        tables=(table,),
        full=True,
    )


def tables(assessment: Assessment, number: int) -> Block:
    part = assessment.coverage
    uncompared = sum(not table.compared for table in part.tables)
    if part.failures:
        title = f"{count(part.failures, 'comparison')} with the chain failed"
    elif not part.compared:
        title = f"No comparison with a chain was made of {'this table' if len(part.tables) == 1 else f'these {spelled(len(part.tables))} tables'}"
    else:
        title = "Every comparison with the chain passed" + (
            f"; {uncompared} of {len(part.tables)} tables were not compared" if uncompared else ""
        )
    table = Table(
        "led",
        (
            Column("table", "name"),
            Column("rows", "number", optional=True),
            Column("status", "status"),
            Column("check, and how many agreed"),
        ),
        tuple(
            (
                Cell(line.table.replace("_", " ")),
                Cell(count(line.rows)),
                Cell("unverified" if line.status == "file" else line.status),
                Cell(sentence(line.check)),
            )
            for line in part.tables
        ),
    )
    worst = assessment.scenarios[0]
    open_ = (
        "How likely any scenario is: none is drawn from a forecast."
        if assessment.outlook is None
        else outlook.left_open(assessment.outlook),
        "How far results move with λ, keepers and depth: each scenario ran once.",
        "Losses in other markets: this one alone is assessed.",
        f"What becomes of {money(worst.waiting_debt_usd)} of debt that waits at the end of {worst.title}: {because(worst.waiting)}."
        if worst.waiting_debt_usd
        else "What keepers with capital of their own would do.",
    )
    return Block(
        label=f"Table {number}",
        title=title,
        subtitle="One row per table of the snapshot",
        source=source(
            assessment, f"Hashes of all tables are in the manifest of snapshot {assessment.subject.snapshot_id}."
        ),
        tables=(table,),
        lists=(("Taken as given", TAKEN_AS_GIVEN), ("What these numbers leave open", open_)),
        full=True,
    )
