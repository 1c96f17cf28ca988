"""`aftershock query paths --from X --to Y`: through which ways a failure of Y costs X, how much, and where each step was read."""

from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson, Exposures, Source, opened, quoted, with_source
from aftershock.cli.terminal import Page, print_json, stands_on, when
from aftershock.cli.units import fitting
from chain.errors import InputError
from graph.paths import LossPath, PathIndex, Paths
from reports.amounts import Money, money_for, percent, shortened

EXAMPLE = "Example: aftershock query paths --from aave-v3 --to ETH --top 3"
RELATIONS = {
    "supplies": "supplies",
    "allocates_to": "allocates to",
    "holds": "holds",
    "trades_in": "trades",
    "backs": "is backed by",
    "wraps": "is a form of",
    "kept_by": "is kept by",
    "issued_by": "is issued by",
    "bridges": "is bridged by",
    "lists": "lends",
    "secured_by": "is secured by",
    "prices": "is priced by",
}


def run(
    loser: Annotated[str, typer.Option("--from", help="Who loses: a name, symbol or key.", metavar="X")],
    cause: Annotated[str, typer.Option("--to", help="What fails: a name, symbol or key.", metavar="Y")],
    source: Source = "sample",
    exposures: Exposures = None,
    top: Annotated[int, typer.Option(help="How many ways to show.", min=1, max=1000)] = 10,
    as_json: AsJson = False,
) -> None:
    """Through which ways X depends on Y: the strongest by USD that can be lost, every step with its evidence."""
    snapshot = aftershock.load(opened(source, exposures))
    index = aftershock.path_index(snapshot)
    answer = index.paths(loser, cause, top)
    if as_json:
        print_json({**answer.to_dict(), **stands_on(snapshot)})
        return
    turned = not answer.paths and _leads(index, cause, loser)
    after = f"aftershock query exposure {quoted(index.graph.name_for(answer.cause))}"
    show(Page(), answer, snapshot, turned, after=with_source(after, source, exposures))


def _leads(index: PathIndex, loser: str, cause: str) -> bool:
    """Whether there is a way in this direction."""
    try:
        return bool(index.paths(loser, cause, 1).paths)
    except InputError:
        return False


def show(
    page: Page,
    answer: Paths,
    snapshot: aftershock.Snapshot,
    turned: bool = False,
    with_steps: bool = True,
    after: str = "",
) -> None:
    """Print the ways, with the steps of each; `turned` says that there are ways in the other direction, `after` what to run next."""
    page.header(f"What {answer.loser_label} loses if {answer.cause_label} fails", when(snapshot))
    write = money_for(max((path.amount_usd for path in answer.paths), default=0.0))
    if not answer.paths:
        other = f" {answer.cause_label} depends on {answer.loser_label}: turn --from and --to round." if turned else ""
        page.sentence(f"**Nothing** that is known here: no way leads from {answer.loser_label} down to it.{other}")
    else:
        count = len(answer.paths)
        ways = "one way" if count == 1 else f"{count} ways"
        ways = ways if answer.are_all else f"more than {ways}"
        page.sentence(
            f"At most **{write.words(answer.paths[0].amount_usd)}** through the strongest of {ways}. "
            "Ways overlap, so they are not added up."
        )
    for number, path in enumerate(answer.paths, 1):
        if with_steps or number == 1:
            page.blank()
        page.say((f"{number}  ", "dim"), (write.words(path.amount_usd), "bold"), f"  {path.text}")
        if with_steps:
            _steps(page, write, path)
    page.blank()
    for gap in answer.gaps:
        page.say(("not looked at  ", "dim"), gap)
    page.next(after or f"aftershock query exposure {quoted(answer.cause_label)}", "add --json for the whole keys")
    page.footer(f"content id {snapshot.content_id}", f"aftershock {aftershock.__version__}", snapshot.caption)


def _steps(page: Page, write: Money, path: LossPath) -> None:
    write = fitting(write, [usd for hop in path.hops for usd in (hop.amount_usd, hop.passed_usd) if usd is not None])
    rows = [
        [
            "   " + RELATIONS.get(hop.relation, hop.relation),
            hop.target_label,
            "–" if hop.amount_usd is None else write.column(hop.amount_usd),
            percent(hop.share),
            write.column(hop.passed_usd),
            shortened(hop.evidence),
        ]
        for hop in path.hops
    ]
    page.table(
        ["   step", "on", f"at stake {write.unit}", "share", f"lost {write.unit}", "evidence"], rows, right=[2, 3, 4]
    )
