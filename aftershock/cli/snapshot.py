"""`aftershock snapshot`: read every protocol of a deployments file at one block of a node, verify it, save it."""

from pathlib import Path
from typing import Annotated

import typer

import aftershock
from aftershock.cli.options import AsJson, Folder
from aftershock.cli.progress import step
from aftershock.cli.terminal import HARM, Page, print_json
from chain.snapshot import manifest

EXAMPLE = "Example: aftershock snapshot --rpc http://127.0.0.1:8545 --deployments deployments.toml --block 21000000 --out core"


def run(
    deployments: Annotated[Path, typer.Option(help="Address book: protocol, instance, role, address.", metavar="FILE")],
    rpc: Annotated[str, typer.Option(help="Node; AFTERSHOCK_RPC_<CHAINID> by default.", metavar="URL")] = "",
    block: Annotated[
        str | None,
        typer.Option(help="Number, latest, latest-12, safe or finalized; the head less the finality lag by default."),
    ] = None,
    out: Folder = Path("aftershock-snapshot"),
    as_json: AsJson = False,
) -> None:
    """Read protocols at one block, compare what was read with the chain, and save it."""
    with step("read chain") as running:
        taken = aftershock.snapshot(
            deployments,
            rpc,
            block,
            out,
            lambda reader, done, total, note: running.note(f"{reader} {done} of {total}  {note}"),
        )
        running.note(
            f"{len(taken['positions']):,} position rows, {sum(check.compared for check in taken.checks):,} comparisons with the chain"
        )
    failures = [failure for check in taken.checks for failure in check.failures]
    if as_json:
        print_json({**manifest(taken), "folder": str(out)})
    else:
        _print(taken, out, failures)
    if failures:
        raise typer.Exit(3)


def _print(taken: aftershock.Snapshot, out: Path, failures: list[str]) -> None:
    page, anchor = Page(), taken.anchors[0]
    page.header(f"Snapshot {taken.name}", f"{anchor.chain}   block {anchor.number}")
    page.table(["table", "rows", "check against the chain", "compared", "differ"], _rows(taken), right=[1, 3, 4])
    for failure in failures[:10]:
        page.say((failure, HARM))
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
