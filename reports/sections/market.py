"""The market as it stands: how well it is known, what it depends on, who depends on it, and where it breaks."""

from collections.abc import Sequence
from math import fsum

from reports.amounts import adding_up, change, count, fixed, money, money_for, percent, ratio, short, spelled, unbroken
from reports.dependence import Amount, Spread
from reports.page import Block, Cell, Column, Fold, Table
from reports.record import Assessment
from reports.sections.parts import chart, source

_AS_READ = "agreed with an independent total or call on chain as it was read; nothing here was compared since"
_HOW = {
    "verified": "agrees with an independent total or call on chain",
    "derived": "computed from verified rows",
    "unverified": "one source only, not cross-checked",
    "not seen": "in the market’s own totals, in no position that was read",
}
NOT_LOOKED_AT = (
    "other protocols that sell into the same pools, unless they are read too",
    "hedges and loans off chain",
    "private order flow",
    "governance attacks",
    "contract bugs",
    "NFT collateral",
)
_LARGEST = 12
_STATES = {"stale": " (stale)", "hard_coded": " (hard-coded)"}


def coverage(assessment: Assessment) -> Block:
    part, write = assessment.coverage, money_for(assessment.coverage.total_usd)
    parts = [line.share_ratio for line in part.by_status]
    shares = adding_up([100 * share for share in parts], 1)
    unseen = part.by_status[-1].amount_usd
    amounts = [line.amount_usd for line in part.by_status]
    table = Table(
        "cov",
        (Column("what we know", "name"), Column("%", "number"), Column(write.heading, "number"), Column("how")),
        tuple(
            (
                Cell(line.status, swatch=number),
                Cell(fixed(share, 1)),
                Cell(write.column(line.amount_usd)),
                Cell(
                    _AS_READ
                    if line.status == "verified" and line.amount_usd and not part.compared
                    else _HOW[line.status]
                ),
            )
            for number, (line, share) in enumerate(zip(part.by_status, shares, strict=True))
        ),
        (
            Cell("supplied"),
            Cell(fixed(fsum(shares), 1)),
            Cell(write.column(fsum(amounts))),
            Cell("by the market’s own totals"),
        ),
    )
    known = percent(1 - part.by_status[-1].share_ratio)
    gaps = tuple(gap.rstrip(".") for gap in part.gaps)
    return Block(
        label="Coverage",
        title=f"We read {known} of what is supplied; "
        + (f"{money(unseen)} is in positions that we did not see" if unseen else "no supply is left unseen"),
        subtitle=f"Supply of {money(part.total_usd)} by how well it is known",
        source=source(assessment),
        strip=tuple(parts),
        strip_label=", ".join(
            f"{fixed(share, 1)} percent {line.status}" for line, share in zip(part.by_status, shares, strict=True)
        ),
        tables=(table,),
        aside=(
            *_against_the_file(assessment),
            f"**Not looked at:** {'; '.join((*gaps, *NOT_LOOKED_AT))}.",
            "A loss that starts in one of these does not appear in any number on this page.",
        ),
    )


def _against_the_file(assessment: Assessment) -> tuple[str, ...]:
    """How many findings the user's file has, the first few, and what shows all; nothing where there are none."""
    warned = assessment.file_findings
    if warned is None or not warned.found:
        return ()
    first = "; ".join(f"{where}: {what}" for where, what in warned.first)
    rest = "; and others" if warned.are_more else ""
    return (f"**{warned.counted} in {warned.path.name}:** {first}{rest}. `{warned.command}` lists them all.",)


def exposure(assessment: Assessment, number: int) -> Block:
    part, write = assessment.exposure, money_for(assessment.exposure.borrowed_usd)
    feed = part.feeds[0] if part.feeds else None
    symbols = list(dict.fromkeys(piece.symbol for piece in part.posted if feed and piece.feed == feed.name))
    if feed and feed.share_ratio >= 0.5:
        names = f"under {spelled(len(symbols))} names" if len(symbols) > 1 else f"as {symbols[0]}"
        title = f"One price feed, {feed.name}, values {percent(feed.share_ratio)} of the collateral, {names}"
    elif feed:
        title = (
            f"No price feed values more than {percent(feed.share_ratio)} of the collateral; the largest is {feed.name}"
        )
    else:
        title = "No price feed of the collateral is known"
    borrowed = ", ".join(f"{line.name} {write.column(line.amount_usd)}" for line in part.borrowed[:4])
    borrowed += f" and {count(len(part.borrowed) - 4, 'other')}" if len(part.borrowed) > 4 else ""
    return Block(
        label=f"Figure {number}",
        title=unbroken(title),
        subtitle="Left to right: what the collateral is finally made of, the token that is posted, and the holders of claims on the market. Thickness: US dollars",
        source=source(
            assessment,
            f"Borrowed against it: {money(part.borrowed_usd)} ({write.heading}: {borrowed}). Collateral here is what secures a debt; {money(part.enabled_usd)} counts if holders who owe nothing are included. All other supply is lent.",
        ),
        charts=(chart(assessment, "exposure-map", (690, 310)),),
        folds=(
            Fold(
                "The same as tables: posted collateral, lenders, borrowed",
                (
                    _posted(assessment),
                    _amounts("lenders", "lender", part.lenders, True),
                    _amounts("borrowed", "borrowed", part.borrowed, False),
                ),
            ),
        ),
        after=(
            _concentration(part.borrowers, "borrower", "collateral")
            + " "
            + _concentration(part.lending, "lender", "claims"),
        ),
        full=True,
    )


def _concentration(spread: Spread, who: str, what: str) -> str:
    if not spread.count:
        return f"There is no {who}."
    return (
        f"**{count(spread.count, who)}** {'hold' if spread.count > 1 else 'holds'} the {what}; they are as concentrated as "
        f"{spread.effective_number:.1f} equal ones (HHI {spread.hhi:.3f}), the ten largest have {percent(spread.top10_share_ratio)}."
    )


def _posted(assessment: Assessment) -> Table:
    pieces, write = assessment.exposure.posted, money_for(assessment.exposure.collateral_usd)
    shares = adding_up([100 * piece.share_ratio for piece in pieces], 1)
    return Table(
        "posted",
        (
            Column("posted as", "name"),
            Column("finally made of"),
            Column("price feed", optional=True),
            Column(write.heading, "number"),
            Column("%", "number"),
        ),
        tuple(
            (
                Cell(piece.symbol, full=piece.asset),
                Cell(piece.root),
                Cell(piece.feed + _STATES.get(piece.feed_state, "")),
                Cell(write.column(piece.amount_usd)),
                Cell(fixed(share, 1)),
            )
            for piece, share in zip(pieces, shares, strict=True)
        ),
        (
            Cell("collateral"),
            Cell(""),
            Cell(""),
            Cell(write.column(assessment.exposure.collateral_usd)),
            Cell(fixed(fsum(shares), 1)),
        ),
    )


def _amounts(name: str, head: str, lines: Sequence[Amount], are_addresses: bool) -> Table:
    """The largest by amount, the rest as one row, with shares that add up to 100."""
    kept, rest = list(lines[:_LARGEST]), lines[_LARGEST:]
    if rest:
        kept.append(
            Amount(
                "",
                f"{len(rest):,} others",
                fsum(line.amount_usd for line in rest),
                fsum(line.share_ratio for line in rest),
            )
        )
    shares = adding_up([100 * line.share_ratio for line in kept], 1)
    write = money_for(fsum(line.amount_usd for line in kept))
    return Table(
        name,
        (Column(head, "name"), Column(write.heading, "number"), Column("%", "number")),
        tuple(
            (
                Cell(short(line.name), full=line.key, code=are_addresses and line.name.startswith("0x")),
                Cell(write.column(line.amount_usd)),
                Cell(fixed(share, 1)),
            )
            for line, share in zip(kept, shares, strict=True)
        ),
        (Cell("all"), Cell(write.column(fsum(line.amount_usd for line in kept))), Cell(fixed(fsum(shares), 1))),
    )


def at_risk(assessment: Assessment, number: int) -> Block:
    curve, write = assessment.at_risk, assessment.at_risk.money
    full = curve.full_at_percent
    last = curve.points[-1].fall_percent
    if full is not None:
        title = f"Past {curve.symbol} {change(-full / 100)}, more falls due than the pools can take"
        end = min(full + 5, last)
        beyond = (curve.at(end) - curve.at(full)) / (end - full) if end > full else 0.0
        steep = f"From {change(-full / 100)} to {change(-end / 100)}, each further 1\u202f% adds about {money(max(beyond, 0.0))} to sell."
    elif curve.is_bounded:
        title = f"Down to {curve.symbol} {change(-last / 100)} the pools can take all that falls due{', once no pause holds it back' if curve.is_held_back else ''}"
        steep = f"At the right end {money(curve.at(last))} falls due, {percent(ratio(curve.at(last), curve.capacity_at(last)))} of what the pools can take."
    else:
        title = f"At {curve.symbol} {change(-last / 100)} {money(curve.at(last))} falls due; no pool was read that could take it"
        steep = f"At the right end {money(curve.at(last))} falls due, {percent(curve.share_at(last))} of the collateral at those prices."
    rooms = curve.is_bounded
    shown = [point for point in curve.points if point.fall_percent % 5 == 0] or list(curve.points)
    table = Table(
        "curve",
        (
            Column(f"fall of {curve.symbol}, %", "number"),
            Column(f"collateral|{write.heading}", "number"),
            Column(f"debt|{write.heading}", "number"),
            *(
                (Column(f"pools take|{write.heading}", "number"), Column("over what|pools take, %", "number"))
                if rooms
                else ()
            ),
        ),
        tuple(
            (
                Cell(f"{point.fall_percent:g}"),
                Cell(write.column(point.collateral_usd)),
                Cell(write.column(point.debt_usd)),
                *(
                    (
                        Cell(write.column(point.capacity_usd)),
                        Cell(
                            fixed(100 * ratio(point.collateral_usd, point.capacity_usd), 1)
                            if point.capacity_usd > 0
                            else "no pool"
                        ),
                    )
                    if rooms
                    else ()
                ),
            )
            for point in shown
        ),
    )
    return Block(
        label=f"Figure {number}",
        title=unbroken(title),
        subtitle=f"Collateral that becomes liquidatable at oracle prices if {curve.symbol} and all that is made of it fall together, first round only: the largest call of each position, at the fallen prices",
        source=source(
            assessment,
            (
                "Pools: as they stand once arbitrage has followed the fall, at the edge of their fee; over all of them, the size at which a sale costs as much as this market’s liquidation bonus."
                if rooms
                else "No pool was read that trades what falls: what is seized counts as sold outside at the market price, and how much can be sold is not known."
            )
            + " No sampling: every position is valued."
            + (
                f" A pause holds back {money(curve.paused_at(last))} of the {money(curve.at(last))} at the right end, which nobody can take while it lasts."
                if curve.is_held_back
                else ""
            ),
        ),
        charts=(chart(assessment, "at-risk", (690, 375)),),
        folds=(Fold("The same as a table", (table,)),),
        aside=(
            f"**How to read.** The curve is state, not forecast: it moves only when positions do. What matters is {'where it crosses the dotted line, and how steep it is there' if rooms else 'how steep it is'}.",
            steep,
        ),
    )
