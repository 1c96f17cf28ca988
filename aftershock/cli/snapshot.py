"""`aftershock snapshot`: read every protocol of a deployments file at one block of a node, verify it, save it."""

import sys
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Annotated, Any

import typer

import aftershock
from aftershock.cli.options import AsJson, Folder
from aftershock.cli.progress import Step, step
from aftershock.cli.terminal import HARM, Page, print_json
from chain.address_books import caip2
from chain.as_of import time_of
from chain.errors import InputError, NodeError, goes_on
from chain.snapshot import manifest

EXAMPLE = "Example: aftershock snapshot --chain 1 --chain 8453 --protocols all --as-of 2026-11-20T12:00Z --out core"


def run(
    deployments: Annotated[
        list[Path] | None,
        typer.Option(help="Address book of a chain; that which comes with the program by default.", metavar="FILE"),
    ] = None,
    chain: Annotated[
        list[str] | None, typer.Option(help="Chain to read, by its id; may be given several times.", metavar="ID")
    ] = None,
    protocols: Annotated[str, typer.Option(help="Slugs such as aave-v3,morpho-blue.", metavar="NAMES")] = "all",
    rpc: Annotated[
        list[str] | None,
        typer.Option(
            help="Node; given several times, the next one answers when one fails. ID=URL says whose it is where several chains are read. "
            "AFTERSHOCK_RPC_<CHAINID> by default.",
            metavar="URL",
        ),
    ] = None,
    block: Annotated[
        str | None,
        typer.Option(help="Number, latest, latest-12, safe or finalized; the head less the finality lag by default."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Time in UTC: the last block at or before it, on each chain.", metavar="TIME"),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what it would ask and what that would give.")] = False,
    out: Folder = Path("aftershock-snapshot"),
    as_json: AsJson = False,
) -> None:
    """Read protocols at one block of a chain, or of several at one instant, compare what was read with the chain, and save it.

    A run that is stopped, or killed, leaves incomplete_<name>; the same command goes on with it.
    """
    if block is not None and as_of is not None:
        raise InputError(f"give either --block {block} or --as-of {as_of}, not both")
    if as_of is not None and time_of(as_of) is None:
        raise InputError(f"--as-of is {as_of!r}; write a time in UTC such as 2026-11-20T12:00Z")
    asked: dict[str, Any] = {
        "deployments": deployments or [],
        "rpc": _nodes(rpc or []),
        "block": as_of or block,
        "chains": chain or [],
        "protocols": [name.strip() for name in protocols.split(",") if name.strip()],
    }
    if dry:
        with step("sample") as running:
            estimates = aftershock.snapshot_cost(**asked)
            running.note(f"{sum(estimate.asked_requests for estimate in estimates):,} requests")
        if as_json:
            print_json(asdict(estimates[0]) if len(estimates) == 1 else {"chains": [asdict(one) for one in estimates]})
        else:
            for estimate in estimates:
                _print_expected(estimate)
        return
    steps, left = Steps(), out.with_name(f"incomplete_{out.name}")
    try:
        taken = aftershock.snapshot(out=out, progress=steps.note, **asked)
    except (KeyboardInterrupt, NodeError) as error:
        steps.failed()
        if left.exists() and goes_on(error):
            sys.stderr.write(f"What was read so far is in {left}; the same command goes on with it\n")
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None
        raise
    except BaseException:
        steps.failed()
        raise
    steps.note(
        "verify",
        1,
        1,
        f"{len(taken['positions']):,} position rows, {sum(check.compared for check in taken.checks):,} comparisons with the chain",
    )
    steps.done()
    failures = [failure for check in taken.checks for failure in check.failures]
    if as_json:
        covered = [asdict(part) for part in aftershock.coverage(taken)]
        print_json({**manifest(taken), "coverage": covered, "folder": str(out)})
    else:
        _print(taken, out, failures)
    if failures:
        raise typer.Exit(3)


def _nodes(given: list[str]) -> str | dict[str, str]:
    """Nodes as `aftershock.snapshot` takes them: lines, or by chain where they are written ID=URL."""
    named = [text.partition("=") for text in given if text.partition("=")[0].removeprefix("eip155:").isdecimal()]
    if not named:
        return "\n".join(given)
    if len(named) < len(given):
        raise InputError("write every --rpc as ID=URL (8453=https://...), or none")
    urls: dict[str, str] = {}
    for chain, _, url in named:
        urls[caip2(chain)] = "\n".join(filter(None, (urls.get(caip2(chain), ""), url)))
    return urls


class Steps:
    """A line of progress for each protocol, closed when the next one of its chain begins."""

    def __init__(self) -> None:
        self._running: dict[str, Step] = {}

    def note(self, label: str, done: int, total: int, text: str) -> None:
        """Say how far a protocol is; `label` begins with a chain's name and a colon where several are read."""
        chain = label.partition(": ")[0] if ": " in label else ""
        running = self._running.get(chain)
        if running is None or running.label != label:
            if running is not None:
                running.done()
            running = self._running[chain] = Step(label)
        running.note(f"{done} of {total}  {text}" if done < total else text)

    def done(self) -> None:
        """Close the lines."""
        for running in self._running.values():
            running.done()
        self._running = {}

    def failed(self) -> None:
        """Leave the lines as they stand."""
        for running in self._running.values():
            running.failed()
        self._running = {}


def _print_expected(estimate: Any) -> None:
    page, anchor = Page(), estimate.anchor
    page.header("Snapshot, not taken", f"{anchor.chain}   block {anchor.number}")
    page.table(
        ["protocol", "calls", "event requests", "events", "rows", "kB of answers"],
        [
            [
                part.label,
                *(f"{count:,}" for count in (part.calls, part.log_requests, part.events, part.rows)),
                f"{part.bytes / 1e3:,.1f}",
            ]
            for part in (*estimate.parts, estimate.total)
        ],
        right=[1, 2, 3, 4, 5],
    )
    page.blank()
    seen = "all blocks" if estimate.share == 1 else f"{estimate.share:.2%} of the blocks"
    page.say(
        f"Estimated from {estimate.asked_calls:,} calls in {estimate.asked_requests:,} requests and the events of {seen}: what was "
        "asked about a sampled account is multiplied by the accounts that it stands for. Expect up to twice or half of it where all "
        "blocks were looked at, and worse where few were. Several hundred calls travel in one request; each event request (eth_getLogs) is "
        "one of its own, as many as the ranges of blocks that the node takes. Where it limits the events of one answer instead, their "
        "number is a guess that can be several times too high or too low."
    )
    page.next("aftershock snapshot ... --out FOLDER")


def _print(taken: aftershock.Snapshot, out: Path, failures: list[str]) -> None:
    page = Page()
    page.header(
        f"Snapshot {taken.name}", "   ".join(f"{anchor.chain} block {anchor.number}" for anchor in taken.anchors)
    )
    page.table(["table", "rows", "check against the chain", "compared", "differ"], _rows(taken), right=[1, 3, 4])
    page.blank()
    page.table(
        ["chain", "protocol", "markets", "pools", "positions", "$ seen", "$ not seen", "no price", "unverified"],
        [
            [part.chain, part.protocol, *(f"{count:,.0f}" for count in astuple(part)[2:])]
            for part in aftershock.coverage(taken)
        ],
        right=[2, 3, 4, 5, 6, 7, 8],
    )
    page.say(
        "$ not seen: totals that contracts state and whose owners were not read; no price: totals that could not be valued; unverified: rows "
        "that no second answer of the chain vouches for. ",
        (
            f"{len(failures):,} of {sum(check.compared for check in taken.checks):,} comparisons failed.",
            HARM if failures else "",
        ),
    )
    for failure in failures[:10]:
        page.say((failure, HARM))
    for check in taken.checks:
        if check.note:
            page.say(("residual  ", "dim"), f"{check.name}: {check.note}")
    for gap in taken.gaps:
        page.say(("not read  ", "dim"), gap)
    page.blank()
    page.say("written to ", (str(out), "bold"))
    page.next(f"aftershock query exposure NAME --snapshot {out}", f"aftershock report --snapshot {out}")
    page.footer(f"content id {taken.content_id}", f"aftershock {aftershock.__version__}", taken.caption)


def _rows(taken: aftershock.Snapshot) -> list[list[str]]:
    rows = []
    for name, table in taken.tables.items():
        mine = [check for check in taken.checks if check.table == name]
        for number, check in enumerate(mine):
            rows.append(
                [
                    name if number == 0 else "",
                    f"{len(table):,}" if number == 0 else "",
                    check.name,
                    f"{check.compared:,}",
                    f"{len(check.failures):,}",
                ]
            )
        if len(table) and not mine:
            rows.append([name, f"{len(table):,}", "", "", ""])
    return rows
