"""`aftershock query exposure X`: what X stands on and who stands on X."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

import aftershock
from aftershock.cli.options import AsJson, Exposures, Source, opened, report_of, with_source
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.cli.units import fitting
from graph.exposures.direct_holders import WHOLE
from graph.exposures.price_findings import own_prices
from graph.identity import told_apart
from reports import unmoved
from reports.amounts import UNKNOWN, Money, count, listing, money_for, percent

EXAMPLE = "Example: aftershock query exposure aave-v3 --json"
ROWS = 6
KEYS = ["evidence", "status", "node", "market", "asset", "holder", "pool", "claim", "backing", "root", "feed", "posted"]
"""Columns that are left out where a name stands beside them."""
TITLES = {"holders": "direct holders", "dependents": "final holders, directly or through claims"}
"""Tables that are called otherwise on the page than in --json."""
KINDS = {"authority": ("authority", "authorities")}


def run(
    name: Annotated[str, typer.Argument(help="Protocol, market, asset, account, pool or feed: a name, symbol or key.")],
    source: Source = "sample",
    exposures: Exposures = None,
    top: Annotated[int, typer.Option(help="How many of the largest holders to list.", min=1)] = 10,
    as_json: AsJson = False,
) -> None:
    """Who is exposed to what: collateral and what it is made of, feeds, debts, the largest holders."""
    snapshot = aftershock.load(opened(source, exposures))
    graph = aftershock.graph(snapshot)
    answer = aftershock.exposure(graph, name, top)
    notes = _notes(graph, answer)
    if as_json:
        print_json({**answer.to_dict(), "notes": list(notes), **stands_on(snapshot)})
    else:
        show(Page(), answer, snapshot, source, exposures, notes)


def _notes(graph: aftershock.ProtocolGraph, answer: aftershock.Exposure) -> tuple[str, ...]:
    """Where the answer counts an asset at two prices: of the asset asked about in any market, or of any asset in the markets asked about."""
    if answer.kind == "asset":
        return own_prices(graph, graph.nodes["market"]["node"].tolist(), answer.subject)
    if "reserves" not in answer.outbound:
        return ()
    return own_prices(graph, set(answer.outbound["reserves"]["market"]))


def show(
    page: Page,
    answer: aftershock.Exposure,
    snapshot: aftershock.Snapshot,
    source: str = "sample",
    exposures: Path | None = None,
    notes: tuple[str, ...] = (),
) -> None:
    """Print an answer; markets have a page of their own, everything else its tables."""
    page.header(answer.label, when(snapshot))
    if "collateral" in answer.outbound:
        _market(page, answer)
    else:
        _tables(page, answer)
    page.blank()
    for gap in answer.gaps:
        page.say(("not looked at  ", "dim"), gap)
    for note in notes:
        page.say((f"Note: {note}.", "dim"))
    if len(snapshot["positions"]):
        commands = ("aftershock simulate --shock ETH=-30%", report_of(snapshot))
        page.next(*(with_source(command, source) for command in commands))
    else:
        page.next(with_source("aftershock query paths --from X --to Y", source, exposures))
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)


def _market(page: Page, answer: aftershock.Exposure) -> None:
    collateral, feeds, roots = answer.outbound["collateral"], answer.outbound["feeds"], answer.outbound["roots"]
    if len(roots) and len(feeds):
        root, feed = roots.iloc[0], feeds.iloc[0]
        forms = listing([part.strip() for part in str(root["posted"]).split(",")])
        page.sentence(
            f"**{percent(root['share_ratio'])}** of what counts as collateral is finally {root['label']}, as {forms}; "
            f"the {'feed' if feed['kind'] == 'feed' else 'price source'} {feed['label']} prices {percent(feed['share_ratio'])} of it."
        )
    figures = answer.figures
    frozen = unmoved.said(unmoved.lines(answer.outbound["unmoved_prices"]), float(figures.get("unmoved_debt_usd") or 0))
    if frozen:
        page.blank()
        page.sentence(frozen)
    write = money_for(float(figures["supplied_usd"] or 0))
    cash = float(answer.outbound["reserves"]["cash_usd"].fillna(0.0).sum())
    held_back = figures["cash_usd"] is not None and float(figures["cash_usd"]) < cash
    page.blank()
    page.table(
        ["", write.unit, ""],
        [
            [name, write.column(float(figures[key] or 0)) if figures[key] is not None else UNKNOWN, note]
            for name, key, note in (
                ("supplied", "supplied_usd", ""),
                ("counts as collateral", "collateral_usd", "enabled by its holders, whether they owe or not"),
                ("borrowed", "borrowed_usd", ""),
                (
                    *("can leave now", "cash_usd"),
                    f"of {write.words(cash)} in the reserves: withdrawals are switched off"
                    if held_back
                    else "cash in the reserves",
                ),
            )
        ],
        right=[1],
        strong=[1],
    )
    page.blank()
    posted = collateral[collateral["collateral_usd"] > 0].head(ROWS)
    posted = posted.assign(symbol=names_of(posted, "asset", "symbol"))
    beside = fitting(write, posted["collateral_usd"])
    page.bars(
        ("collateral", beside.unit, "%", "made of"),
        [
            (
                (
                    row["symbol"],
                    beside.column(row["collateral_usd"]),
                    percent(row["share_ratio"])[:-2],
                    row["root_label"],
                ),
                row["collateral_usd"],
            )
            for _, row in posted.iterrows()
        ],
        right=(1, 2),
    )
    page.blank()
    _holders(page, write, "largest suppliers", answer.inbound["suppliers"])
    page.blank()
    _holders(page, write, "largest borrowers", answer.outbound["borrowers"])
    page.blank()
    _spread(page, answer.outbound["concentration"])
    if figures.get("net_usd") is not None:
        page.say(
            ("counted once: ", "dim"),
            f"{write.words(float(figures['net_usd'] or 0))} of {write.words(float(figures['gross_usd'] or 0))} supplied; "
            "the rest is lent out, or a claim on what is counted where it lies",
        )


def _holders(page: Page, write: Money, title: str, holders: pd.DataFrame) -> None:
    write = fitting(write, holders.head(5)["amount_usd"])
    rows = [
        [row["label"], write.column(row["amount_usd"]), percent(row["share_ratio"]), row["assets"]]
        for _, row in holders.head(5).iterrows()
    ]
    page.table([title, write.unit, "share", "in"], rows, right=[1, 2])


def _tables(page: Page, answer: aftershock.Exposure) -> None:
    if "parts" in answer.outbound:
        kinds = answer.outbound["parts"]["kind"].value_counts()
        parts = [count(int(number), *KINDS.get(str(kind), (str(kind),))) for kind, number in kinds.items()]
        known_by = f"it is known here {f'by {listing(parts)}' if parts else 'by its name alone'}."
        if "vault" in set(kinds.index):
            page.sentence(f"{answer.label} has **no market and no pool** of its own: {known_by}")
        else:
            page.sentence(f"**Nobody supplies to {answer.label} or borrows from it**: {known_by}")
    figures = dict(answer.figures)
    price = figures.pop("price_usd", None)
    amounts = {name: float(value) for name, value in figures.items() if value and name.endswith("_usd")}
    tables = [*answer.outbound.values(), *answer.inbound.values()]
    shown = [table[name].max() for table in tables if len(table) for name in table if name.endswith("_usd")]
    write = money_for(max([*amounts.values(), *(float(value) for value in shown if pd.notna(value))], default=0.0))
    known = [] if price is None else [f"price ${price:,.2f}"]
    known += [f"{name.removesuffix('_usd').replace('_', ' ')} {write.words(value)}" for name, value in amounts.items()]
    if known:
        page.say(", ".join(known))
    for way, found in (("depends on", answer.outbound), ("depend on it", answer.inbound)):
        for name, table in found.items():
            if len(table):
                page.blank()
                if "had_as" in table and set(table["had_as"]) == {"claim"}:  # a file of claims has nothing else
                    table = table.drop(columns="had_as")
                page.say((f"{way}: {TITLES.get(name, name.replace('_', ' '))}", "bold"))
                _spread(page, table) if name == "concentration" else _plain(page, write, table)
                if name == "holders" and "direct_holders_ratio" in figures:
                    _told(page, figures["direct_holders_ratio"])


def _told(page: Page, part: float | None) -> None:
    """Of which part of all units the direct holders are, unless it is all of them."""
    if part is None:
        page.say(("how much of all of it these have is not known: its supply was not read", "dim"))
    elif part < WHOLE:
        page.say((f"all that are told have {percent(part)} of it together; who has the rest was not read", "dim"))


def _spread(page: Page, table: pd.DataFrame) -> None:
    """Concentration in sentences."""
    for _, row in table[table["count"] > 0].iterrows():
        equal = f"as concentrated as {row['effective_number']:.1f} equal ones (HHI {row['hhi']:.3f})"
        ten = f"; the ten largest have {percent(row['top10_ratio'])}" if row["count"] > 10 else ""
        page.say((f"{row['of']}: ", "dim"), f"{row['count']:,} in all, {equal}{ten}")


def _plain(page: Page, write: Money, table: pd.DataFrame) -> None:
    shown = [
        name
        for name in table.columns
        if not name.endswith("_raw") and not (name in KEYS and ("label" in table or "symbol" in table))
    ][:6]
    table = table.assign(
        **{
            name: names_of(table, key, name)
            for key, name in ((table.columns[0], "label"), ("asset", "symbol"))
            if {key, name} <= set(table)
        }
    )
    write = fitting(write, [value for name in shown if name.endswith("_usd") for value in table[name].head(10)])
    head = [name.replace("_usd", f", {write.unit}").replace("_ratio", "").replace("_", " ") for name in shown]
    rows = [[_cell(name, row[name], write) for name in shown] for _, row in table.head(10).iterrows()]
    page.table(head, rows, right=[number for number, name in enumerate(shown) if name.endswith(("_usd", "_ratio"))])
    if len(table) > len(rows):
        page.say((f"and {len(table) - len(rows)} more; --json has them all", "dim"))


def names_of(table: pd.DataFrame, key: str, name: str) -> list[str]:
    """A column of names; one that several keys have with the end of its key."""
    apart = told_apart(dict(zip(table[key], table[name], strict=True)))
    return [apart[one] for one in table[key]]


def _cell(name: str, value: object, write: Money) -> str:
    if pd.isna(value):
        return "–"
    if name.endswith("_usd"):
        return write.column(float(str(value)))
    if name.endswith(("_ratio", "share")):
        return percent(float(str(value)))
    if isinstance(value, float):
        return f"{value:.5g}"
    return {"True": "yes", "False": "no"}.get(str(value), str(value))
