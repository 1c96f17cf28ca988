"""A cascade in the terminal: the sentence, the rounds with a picture, where it lands, the positions, the checks."""

from typing import Any

import aftershock
from aftershock.cli.file_warnings import show_warnings
from aftershock.cli.terminal import DEEP_HARM, HARM, Page, aligned, bar, when
from chain.networks import placed
from reports import waiting
from reports.amounts import Money, count, fixed, health_factor, money_for
from reports.cascades import leading, position_name
from reports.file_warnings import FileWarnings
from simulations.result import CascadeResult

SHOWN_ROUNDS = 8
TINY_USD = 1e-6
SHOWN_POSITIONS = 10


def show(
    page: Page, result: CascadeResult, graph: aftershock.ProtocolGraph, warned: FileWarnings | None = None
) -> None:
    """Print a result: what the file is warned of, rounds, where it lands, positions, checks."""
    taken, snapshot = result.scenario.assumptions, graph.snapshot
    page.header(
        f"Cascade, {result.scenario.title}",
        f"instant, λ {taken.pass_through:g}, flash keepers, gas ${taken.gas_usd:g}",
    )
    show_warnings(page, warned)
    write = money_for(float(result.markets["supplied_usd"].max()))
    _verdict(page, result, write)
    if result.liquidated_usd:
        page.blank()
        _rounds(page, result, snapshot, write)
    page.blank()
    _markets(page, result, write)
    _positions(page, result, write, graph)
    page.blank()
    worst = f"{result.identities.worst_residual_ratio:.0e}"
    page.say(
        (
            f"Checks: tokens conserved exactly; every holder’s change in value explained to {worst} of the book.",
            "dim",
        )
    )
    for note in result.notes:
        page.say((f"Note: {note}.", "dim"))
    page.footer(
        f"content id {result.content_id}",
        when(snapshot).split("   ")[0],
        f"aftershock {aftershock.__version__}",
        snapshot.caption,
    )


def _verdict(page: Page, result: CascadeResult, write: Money) -> None:
    if not result.liquidated_usd and not result.bad_debt_usd:
        found = result.waiting()
        page.sentence(
            f"Nobody is liquidated: **{count(waiting.positions(found), 'position')}** could be, but {waiting.because(found)}."
            if found
            else "Nobody is liquidated and nobody loses: every health factor stays at 1 or above."
        )
        return
    hit = int((result.positions["liquidated_usd"] > 0).sum())
    page.sentence(
        f"{count(hit, 'position')} {'loses' if hit == 1 else 'lose'} **{write.words(result.liquidated_usd)}** of collateral; bad debt is "
        f"**{write.words(result.bad_debt_usd)}**, {write.words(result.direct_usd)} in the first round and "
        f"{write.words(result.indirect_usd)} in the rounds that follow."
    )


def _rounds(page: Page, result: CascadeResult, snapshot: aftershock.Snapshot, write: Money) -> None:
    asset, label = leading(result, snapshot)
    symbol = placed(label, asset, [anchor.chain for anchor in snapshot.anchors])
    acting = list(result.rounds[: max(result.calm_after, 1)])
    quiet = sum(sum(step.bad_debt_usd.values()) for step in result.rounds[len(acting) :])
    if len(acting) == 1 and abs(quiet) > TINY_USD:
        acting, quiet = list(result.rounds), 0.0
    groups = [[step] for step in acting[:SHOWN_ROUNDS]] + (
        [acting[SHOWN_ROUNDS:]] if len(acting) > SHOWN_ROUNDS else []
    )
    losses = [sum(sum(step.bad_debt_usd.values()) for step in group) for group in groups]
    losses[-1] += quiet  # what the quiet last round revalues is the aftermath of the one before
    names = [f"{group[0].number}–{group[-1].number}" if len(group) > 1 else str(group[0].number) for group in groups]
    if groups[-1][0].number > result.calm_after:
        names[-1] = "aftermath"
    rows = [
        [
            name,
            write.column(sum(step.liquidated_usd for step in group)),
            fixed(100 * result.price_change_ratio(asset, group[-1]), 1),
            write.column(loss),
        ]
        for name, group, loss in zip(names, groups, losses, strict=True)
    ]
    rows.append(["total", write.column(result.liquidated_usd), rows[-1][2], write.column(result.bad_debt_usd)])
    head = ["round", f"liquidated {write.unit}", f"{symbol} now %", f"bad debt {write.unit}"]
    columns = [aligned([row[number] for row in rows]) if number else [row[0] for row in rows] for number in range(4)]
    widths = [max(len(head[number]), *map(len, columns[number])) for number in range(4)]
    page.say(("  ".join(name.rjust(width) for name, width in zip(head, widths, strict=True)), "dim"))
    room = page.width - sum(widths) - 10
    scale = room * 0.8 / max(result.bad_debt_usd, 1e-9)
    offset = 0.0
    for number, loss in enumerate(losses):
        cells = "  ".join(column[number].rjust(width) for column, width in zip(columns, widths, strict=True))
        note = {0: "  direct", 1: "  indirect"}.get(number, "")
        page.say(
            cells,
            "  " + " " * round(offset * scale),
            (bar(max(loss, 0) * scale), DEEP_HARM if number == 0 else HARM),
            (note if loss > 0 else "", "dim"),
        )
        offset += loss
    page.say(("─" * (sum(widths) + 6), "dim"))
    page.say(("  ".join(column[-1].rjust(width) for column, width in zip(columns, widths, strict=True)), "bold"))


def _markets(page: Page, result: CascadeResult, write: Money) -> None:
    rows: list[list[str]] = [
        [
            str(row["name"]),
            write.column(row["supplied_usd"]),
            write.column(row["liquidated_usd"]),
            write.column(row["bad_debt_usd"]),
            write.column(row["direct_usd"]),
            write.column(row["indirect_usd"]),
            write.column(row["waiting_debt_usd"]),
        ]
        for _, row in result.markets.sort_values("bad_debt_usd", ascending=False).iterrows()
    ]
    page.table(
        [
            "lands on",
            *(f"{name} {write.unit}" for name in ("supplied", "liquidated", "bad debt")),
            "direct",
            "indirect",
            f"waiting debt {write.unit}",
        ],
        rows,
        right=[1, 2, 3, 4, 5, 6],
        strong=[3],
    )
    before = float(result.markets["before_usd"].sum())
    if before > TINY_USD:
        relief = result.relief_usd
        text = f"{write.words(before)} of debt was under water before the shock; it is not part of these numbers."
        if relief > TINY_USD:
            text += (
                f" At the end {write.words(relief)} less of it is uncovered, as {_moved(result)}: "
                "nobody paid it, and no new bad debt is less for it."
            )
        page.say((text, HARM))
    found = result.waiting()
    if found:
        who, owed = count(waiting.positions(found), "position"), write.words(waiting.debt_usd(found))
        waits = "waits" if waiting.positions(found) == 1 else "wait"
        held_back = any(part.why == "paused" for part in found)
        text = f"{who} with {owed} of debt could be liquidated and {waits}: {waiting.because(found)}."
        page.say((text, HARM if held_back else "dim"))


def _moved(result: CascadeResult) -> str:
    """Which prices left less of a debt uncovered, as far as those at the end tell."""
    end = result.rounds[-1].market_price_usd if result.rounds else result.market_price_before_usd
    ratios = [end[asset] / price for asset, price in result.market_price_before_usd.items() if price and asset in end]
    fell, rose = "what is owed fell in price", "collateral rose in price"
    if any(ratio < 1 for ratio in ratios):
        return f"{fell} or {rose}" if any(ratio > 1 for ratio in ratios) else fell
    return rose


def _positions(page: Page, result: CascadeResult, write: Money, graph: aftershock.ProtocolGraph) -> None:
    table = result.positions
    small = len(table) <= SHOWN_POSITIONS
    shown = (
        table
        if small
        else table[(table["loss_usd"] > 0) | (table["liquidated_usd"] > 0)]
        .sort_values(["loss_usd", "liquidated_usd"], ascending=False)
        .head(SHOWN_POSITIONS)
    )
    if not len(shown):
        return
    page.blank()
    rows = [_position(row, write, graph) for row in shown.to_dict("records")]
    head = [
        "position" if small else "largest losses",
        "holds → owes",
        "health factor",
        f"collateral {write.unit}",
        f"debt {write.unit}",
        f"loss {write.unit}",
    ]
    page.table(head, rows, right=[5], strong=[5])


def _position(row: dict[str, Any], write: Money, graph: aftershock.ProtocolGraph) -> list[str]:
    return [
        position_name(graph.label(str(row["owner"])), str(row["owner"]), str(row["position_id"])),
        f"{row['collateral_assets'] or '–'} → {row['debt_assets'] or '–'}",
        f"{health_factor(row['health_factor_before'])} → {health_factor(row['health_factor_after'])}",
        f"{write.column(row['collateral_before_usd'])} → {write.column(row['collateral_after_usd'])}",
        f"{write.column(row['debt_before_usd'])} → {write.column(row['debt_after_usd'])}",
        write.column(row["loss_usd"]) if abs(row["loss_usd"]) > 1e-6 else "0",
    ]
