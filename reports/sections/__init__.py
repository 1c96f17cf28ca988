"""From the record to the page: which finding each block states, and the numbers under it."""

from collections.abc import Iterator
from itertools import count as counter

from reports.amounts import change, money, percent, ratio, sentence, unbroken
from reports.page import Card, Page, Section
from reports.record import Assessment
from reports.sections import frontier, grounds, losses, market, outlook

METHOD = (
    "Liquidations by the market’s own rule revision in exact integers; sales where the collateral trades, at pool prices; rounds until "
    "nothing happens. Round 1 is what the shock alone does (direct), later rounds are what forced sales do (indirect). Bad debt is counted "
    "at market prices: losses that the market records, plus what open positions owe beyond their collateral."
)


def page(assessment: Assessment) -> Page:
    """Everything that HTML and Markdown show, in order."""
    subject, verdict = assessment.subject, assessment.verdict
    where = f"{subject.chain_name} ({subject.chain})" if subject.chain_name else subject.chain
    figures, tables = counter(1), counter(1)
    return Page(
        title=subject.name,
        description=f"{subject.name}: contagion risk at {subject.stands_at}",
        author=subject.tool,
        date=subject.time[:10],
        caption=subject.caption,
        meta=(
            ("Block", f"{subject.block} on {where}" if subject.block is not None else subject.stands_at),
            ("Time", subject.time or "as the file states it"),
            ("Scenarios", f"{len(assessment.scenarios)}, run to calm"),
            ("Content id", f"`{assessment.content_id}`"),
            ("Snapshot", f"`{subject.snapshot_id}`"),
            ("Tool", subject.tool),
        ),
        sentences=verdict.sentences,
        grade=verdict.grade,
        grade_text=f"**Confidence {verdict.grade}, on a scale from A to D.** {verdict.reason}",
        cards=_cards(assessment),
        cards_note=f"{sentence(subject.read)}, in US dollars. Each scenario is one run under stated assumptions, so {outlook.what_has_a_range(assessment)}; the last section says what that leaves open.",
        sections=(
            Section("cover", "Coverage", "What we looked at, and what we did not", (market.coverage(assessment),)),
            Section(
                "expo",
                "Exposure",
                "What the market depends on, and who depends on it",
                (market.exposure(assessment, next(figures)),),
            ),
            Section(
                "break",
                "Where it breaks",
                "Where it breaks, and what liquidation cannot mend",
                (market.at_risk(assessment, next(figures)), frontier.frontier(assessment, next(tables))),
            ),
            Section(
                "scen",
                "Scenarios",
                "Scenarios",
                (
                    losses.scenarios(assessment, next(tables)),
                    losses.cascade(assessment, next(figures)),
                    losses.positions(assessment, next(tables)),
                ),
            ),
            *_outlook(assessment, tables),
            Section(
                "verdict-made",
                "Thresholds",
                "How the verdict and the grade were made",
                (grounds.readings(assessment, next(tables)), grounds.rules(assessment, next(tables))),
            ),
            Section("limits", "Limits", "Data quality and limits", (grounds.tables(assessment, next(tables)),)),
        ),
        command=assessment.command,
        method=METHOD,
        content_id=assessment.content_id,
        running_foot=f"{subject.name}, {subject.stands_at}, {assessment.content_id}",
    )


def _outlook(assessment: Assessment, tables: Iterator[int]) -> tuple[Section, ...]:
    part = assessment.outlook
    if part is None:
        return ()
    blocks = (outlook.moves(assessment, part, next(tables)), outlook.tails(assessment, part, next(tables)))
    return (Section("outlook", "Outlook", "Volatility forecast, and how likely a loss is under it", blocks),)


def _cards(assessment: Assessment) -> tuple[Card, ...]:
    worst, curve, part = assessment.scenarios[0], assessment.at_risk, assessment.exposure
    watch = float(assessment.thresholds["ordinary"]["watch_percent"])
    full, held, last = curve.full_at_percent, curve.paused_at(watch), curve.points[-1]
    paused, end = curve.is_held_back, f"{curve.symbol} {change(-curve.points[-1].fall_percent / 100)}"
    supplied = assessment.coverage.total_usd
    feed = part.feeds[0] if part.feeds else None
    unseen = assessment.coverage.by_status[-1].amount_usd
    fall = f"{curve.symbol} {change(-watch / 100)}"
    return (
        Card(
            "Worst scenario",
            money(worst.bad_debt_usd),
            f"{percent(ratio(worst.bad_debt_usd, supplied))} of supply",
            unbroken(f"bad debt at {worst.title}"),
        ),
        Card(
            f"At {fall}",
            money(curve.at(watch)),
            f"{percent(curve.share_at(watch))} of collateral",
            "can be taken in a first round, before anybody sells"
            if not held
            else f"falls due; a pause holds {'it' if held >= curve.at(watch) * (1 - 1e-9) else money(held) + ' of it'} back",
        ),
        Card(
            "Pools are full at",
            change(-full / 100) if full is not None else "never" if curve.is_bounded else "not known",
            f"they take {money(curve.capacity_at(full))} then"
            if full is not None
            else f"they take {money(last.capacity_usd)} at {end}"
            if curve.is_bounded
            else "no pool was read",
            f"fall of {curve.symbol} at which more must be sold than pools can take{', once no pause holds it back' if paused else ''}"
            if full is not None
            else f"down to {end} they take all that falls due"
            if curve.is_bounded
            else "what falls due counts as sold outside at the market price",
        ),
        Card(
            "One feed prices",
            percent(feed.share_ratio) if feed else "none",
            money(feed.amount_usd) if feed else "",
            unbroken(f"of the collateral: {feed.name}") if feed else "no feed of the collateral was read",
        ),
        Card(
            "What we know",
            percent(assessment.coverage.known_ratio),
            f"of {money(supplied)}",
            "is verified or derived" + (f"; {money(unseen)} is not seen" if unseen else "; nothing is left unseen"),
        ),
    )
