"""`aftershock query risk X`: what a fall makes liquidatable in X, and what of it liquidation cannot mend."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

import aftershock
from aftershock.cli import failure
from aftershock.cli.options import (
    AsJson,
    Exposures,
    Gas,
    Source,
    exit_if_incomplete,
    opened,
    quoted,
    report_of,
    typed,
    with_source,
)
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.cli.units import fitting
from aftershock.risks import ASSUMED, FALLS
from aftershock.runs import LARGEST_FALL, require_falls
from chain.errors import InputError
from chain.networks import placed
from reports import unmoved, waiting
from reports.amounts import change, count, fixed, listing, money_for, percent
from simulations.gas import UNITS, require_cost
from simulations.result import Waiting
from simulations.scenarios import Assumptions

EXAMPLE = "Example: aftershock query risk aave-v3 --asset ETH --fall 0 --fall 30 --gas-gwei 20"
ROWS = 5
DEBTS = ("liquidatable", "toxic", "partly_toxic", "unprofitable", "dust_held", "refused")
TERMS = (
    "toxic: health factor below threshold × (1 + bonus) of every collateral; partly: of some. unprofitable: no size "
    "that the rule allows pays gas and selling. dust: the rule refuses every size for what it would leave. refused: paused, or too little cash."
)


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Protocol or market: a name or key.")],
    source: Source = "sample",
    exposures: Exposures = None,
    asset: Annotated[
        str | None,
        typer.Option(
            help="What falls; by default ETH if that moves collateral here, or the largest collateral.", metavar="ASSET"
        ),
    ] = None,
    fall: Annotated[
        list[float] | None,
        typer.Option(help="Fall in percent; give it again for more. By default 0 to 50.", metavar="PERCENT"),
    ] = None,
    gas: Gas = None,
    gas_gwei: Annotated[float | None, typer.Option(help="Price of gas, instead of --gas-usd.", metavar="GWEI")] = None,
    gas_units: Annotated[int, typer.Option(help="Gas of one liquidation and its sale.", metavar="UNITS")] = UNITS,
    scenario: Annotated[
        str | None,
        typer.Option(help="Cascade to run; the largest shipped fall by default, none for none.", metavar="NAME|FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Exposure, liquidation and a cascade in one answer; above all the debt that no liquidation mends."""
    falls = FALLS if fall is None else tuple(percent / 100 for percent in fall)
    if exposures is None:
        require_falls([one for one in falls if one != 1])  # of claims, which a snapshot can hold too, all can be lost
    if gas is not None or gas_gwei is not None or gas_units != UNITS:
        require_cost(Assumptions().gas_usd if gas is None and gas_gwei is None else gas, gas_gwei, gas_units)
    if scenario not in (None, "none", LARGEST_FALL):
        aftershock.chosen_scenario(scenario, [], {})
    of_collateral = [] if scenario == "none" else ["scenario"]
    of_collateral = typed(ctx, ("asset", "gas", "gas_gwei", "gas_units", *of_collateral))
    if exposures is not None:
        failure.require_parts(fall or [])
        refuse_for_claims(of_collateral)
    snapshot = aftershock.load(opened(source, exposures))
    if "exposures" in snapshot.readers:
        refuse_for_claims(of_collateral)
        failure.run(snapshot, name, fall or [], source, exposures, as_json)
        return
    require_falls(falls)
    with step("risk") as running:
        chosen = None if scenario == "none" else scenario or LARGEST_FALL
        answer = aftershock.risk(
            snapshot,
            name,
            asset,
            falls,
            gas,
            gas_gwei,
            gas_units,
            chosen,
            lambda done: running.note(f"cascade, round {done.number}"),
            running.note,
        )
        running.note(f"{count(len(answer.positions), 'position')} with debts, {count(len(falls), 'fall')}")
    if as_json:
        print_json({**answer.to_dict(), **stands_on(snapshot)})
    else:
        show(Page(), answer, snapshot, source)
    exit_if_incomplete(snapshot)


def refuse_for_claims(typed_names: Sequence[str]) -> None:
    """InputError if options of a market's collateral were typed."""
    if typed_names:
        named = [f"--{'gas-usd' if name == 'gas' else name.replace('_', '-')}" for name in typed_names]
        raise InputError(f"a file of claims knows no collateral: leave out {listing(named)}")


def show(page: Page, answer: aftershock.Risk, snapshot: aftershock.Snapshot, source: str = "sample") -> None:
    page.header(f"Risk, {answer.label}", when(snapshot))
    _exposure(page, answer)
    if answer.cascade is not None:
        _cascade(page, answer.cascade, float(answer.figures["supplied_usd"] or 0))
    page.blank()
    for place, (_, name) in enumerate(answer.markets):
        sums = [(fall, markets[place]) for fall, markets in answer.falls]
        write = fitting(
            money_for(max(one.liquidatable_debt_usd for _, one in sums)),
            [getattr(one, f"{kind}_debt_usd") for _, one in sums for kind in DEBTS],
        )
        fall, worst = max(sums, key=lambda row: (row[1].toxic_debt_usd, row[1].liquidatable_debt_usd))
        held = worst.paused_debt_usd
        of = f"{write.words(worst.liquidatable_debt_usd)} of liquidatable debt"
        page.sentence(
            f"{name}: at {answer.asset} {change(-fall)}, **{write.words(worst.toxic_debt_usd)}** of {of} "
            + ("would be toxic" if held else "is toxic")
            + f": each liquidation {'would leave' if held else 'leaves'} the position less healthy than before."
            + (f" **{write.words(held)}** of it cannot be liquidated now: a pause holds it back." if held else "")
        )
        page.blank()
        page.table(
            [
                f"{answer.asset} %",
                f"liquidatable {write.unit}",
                "toxic",
                "partly",
                "unprofitable",
                "dust",
                "refused",
            ],
            [
                [
                    fixed(-100 * fall, 0) if fall else "now",
                    *(write.column(amount) if (amount := getattr(one, f"{kind}_debt_usd")) else "0" for kind in DEBTS),
                ]
                for fall, one in sums
            ],
            right=[1, 2, 3, 4, 5, 6],
            strong=[2],
        )
        early = max(one.healthy_toxic_debt_usd for _, one in sums)
        page.say(
            (f"{TERMS} ", "dim"),
            f"Healthy and already toxic: {write.words(early)}{' at most' if early else ''}.",
        )
        page.blank()
    edges = answer.edges.head(ROWS)
    secured = money_for(float(edges["collateral_usd"].max()) if len(edges) else 0.0)
    secured = fitting(secured, edges["collateral_usd"])
    page.table(
        ["collateral", "category", "threshold %", "bonus %", "toxic below", f"secures, {secured.unit}"],
        [
            [
                placed(row["symbol"], row["market"], [anchor.chain for anchor in snapshot.anchors]),
                str(row["category"] or "–"),
                fixed(row["threshold_bps"] / 100, 1),
                fixed(row["bonus_bps"] / 100, 1),
                fixed(row["frontier"], 3),
                secured.column(row["collateral_usd"]),
            ]
            for row in edges.to_dict("records")
        ],
        right=[2, 3, 4, 5],
        strong=[4],
    )
    page.blank()
    page.say(("assumed  ", "dim"), f"gas of one liquidation {answer.gas.text}; {ASSUMED}")
    for note in answer.notes:
        page.say((f"Note: {note}.", "dim"))
    commands = (f"aftershock simulate --shock {quoted(f'{answer.asset}=-30%')}", report_of(snapshot))
    page.next(*(with_source(command, source) for command in commands))
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)


def _exposure(page: Page, answer: aftershock.Risk) -> None:
    """What it holds, how few hold it, and what it weighs in the graph: three lines."""
    figures, place = answer.figures, answer.place
    write = money_for(float(figures["supplied_usd"] or 0))
    named = {
        "supplied": "supplied_usd",
        "counts as collateral": "collateral_usd",
        "borrowed": "borrowed_usd",
        "can leave now": "cash_usd",
    }
    amounts = {word: float("nan") if figures[key] is None else float(figures[key] or 0) for word, key in named.items()}
    page.say(", ".join(f"{word} {write.words(usd)}" for word, usd in amounts.items()))
    spread = [
        f"{row['of']} {row['count']:,}, as {row['effective_number']:.1f} equal ones (HHI {row['hhi']:.3f})"
        for row in answer.concentration.to_dict("records")
        if row["count"] > 0
    ]
    page.say(("; ".join(spread), "dim"))
    frozen = unmoved.said(unmoved.lines(answer.unmoved_prices), float(figures.get("unmoved_debt_usd") or 0))
    if frozen:
        page.sentence(frozen)
    if place["rank"] is not None:
        share, rank = percent(float(place["net_ratio"] or 0)), int(place["rank"])
        others = int(place["markets"] or 0) - len(answer.markets)
        whole = f"{place['protocol']}, all {count(int(place['markets'] or 0), 'market')}: " if others else ""
        weighs = (
            f"{whole}counted once {write.words(float(place['net_usd'] or 0))}, {share} of all that the graph values"
        )
        page.say((f"{weighs}: number {rank} of {count(int(place['protocols'] or 0), 'protocol')}", "dim"))


def _cascade(page: Page, found: Mapping[str, Any], supplied_usd: float) -> None:
    write, lost = money_for(supplied_usd), float(found["bad_debt_usd"])
    share = f", {percent(lost / supplied_usd)} of supply" if supplied_usd > 0 and lost > 0 else ""
    page.sentence(
        f"{found['scenario']['title']}, run to calm in {count(found['rounds'], 'round')}: {count(found['liquidated_positions'], 'position')} "
        f"{'loses' if found['liquidated_positions'] == 1 else 'lose'} {write.words(found['liquidated_usd'])} of collateral; bad debt **{write.words(lost)}**{share}, "
        f"{write.words(found['indirect_usd'])} of it after the first round"
        + (f", {write.words(found['frozen_usd'])} at prices that no fall moves." if found["frozen_usd"] > 0 else ".")
    )
    parts = [Waiting(**part) for part in found["waiting"]]
    if any(part.why == "paused" for part in parts):
        who, waits = count(waiting.positions(parts), "position"), "waits" if waiting.positions(parts) == 1 else "wait"
        owed = write.words(waiting.debt_usd(parts))
        page.sentence(f"{who} with **{owed}** of debt could be liquidated then and {waits}: {waiting.because(parts)}.")
