"""`aftershock snapshot`: read every protocol of a deployments file at one block of a node, verify it, save it."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import aftershock
from aftershock.cli.options import AsJson, Folder
from aftershock.cli.progress import Step, step
from aftershock.cli.terminal import HARM, Page, print_json
from chain.errors import NodeError
from chain.snapshot import manifest

EXAMPLE = "Example: aftershock snapshot --rpc http://127.0.0.1:8545 --deployments deployments.toml --block 21000000 --out core"


def run(
    deployments: Annotated[Path, typer.Option(help="Address book: protocol, instance, role, address.", metavar="FILE")],
    rpc: Annotated[
        list[str] | None,
        typer.Option(
            help="Node; given several times, the next one answers when one fails. AFTERSHOCK_RPC_<CHAINID> by default.",
            metavar="URL",
        ),
    ] = None,
    block: Annotated[
        str | None,
        typer.Option(help="Number, latest, latest-12, safe or finalized; the head less the finality lag by default."),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what it would ask and what that would give.")] = False,
    out: Folder = Path("aftershock-snapshot"),
    as_json: AsJson = False,
) -> None:
    """Read protocols at one block, compare what was read with the chain, and save it.

    A run that is stopped, or killed, leaves incomplete_<name>; the same command goes on with it.
    """
    if dry:
        with step("sample") as running:
            estimate = aftershock.snapshot_cost(deployments, "\n".join(rpc or ()), block)
            running.note(f"{estimate.asked_requests:,} requests")
        if as_json:
            print_json(asdict(estimate))
        else:
            _print_expected(estimate)
        return
    steps, left = Steps(), out.with_name(f"incomplete_{out.name}")
    try:
        taken = aftershock.snapshot(deployments, "\n".join(rpc or ()), block, out, steps.note)
    except (KeyboardInterrupt, NodeError) as error:
        steps.failed()
        if left.exists():
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
        print_json({**manifest(taken), "folder": str(out)})
    else:
        _print(taken, out, failures)
    if failures:
        raise typer.Exit(3)


class Steps:
    """A line of progress for each protocol, closed when the next one begins."""

    def __init__(self) -> None:
        self._running: Step | None = None

    def note(self, label: str, done: int, total: int, text: str) -> None:
        """Say how far a protocol is."""
        if self._running is None or self._running.label != label:
            self.done()
            self._running = Step(label)
        self._running.note(f"{done} of {total}  {text}" if done < total else text)

    def done(self) -> None:
        """Close the line."""
        if self._running is not None:
            self._running.done()
        self._running = None

    def failed(self) -> None:
        """Leave the line as it stands."""
        if self._running is not None:
            self._running.failed()
        self._running = None


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
    page, anchor = Page(), taken.anchors[0]
    page.header(f"Snapshot {taken.name}", f"{anchor.chain}   block {anchor.number}")
    page.table(["table", "rows", "check against the chain", "compared", "differ"], _rows(taken), right=[1, 3, 4])
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
