"""`aftershock history`: what happened over ranges of blocks, into a folder of Parquet that each run adds to."""

import sys
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from os import environ
from pathlib import Path
from typing import Annotated

import typer

from aftershock.cli.options import AsJson, Folder
from aftershock.cli.progress import step
from aftershock.cli.terminal import Page, print_json
from chain.deployments import read_deployments
from chain.errors import InputError, NodeError, goes_on
from chain.histories.folder import LIST, history_schemas
from chain.histories.reading import BY_DEFAULT, PIECE_BLOCKS, Grown, grow
from chain.networks import node_url
from reports.amounts import count

EXAMPLE = (
    "Example: aftershock history --rpc http://127.0.0.1:8545 --deployments deployments.toml --from 21000000 --out past"
)


def run(
    deployments: Annotated[Path, typer.Option(help="Address book: protocol, instance, role, address.", metavar="FILE")],
    first: Annotated[int, typer.Option("--from", help="First block.", min=0, metavar="BLOCK")],
    last: Annotated[
        int | None, typer.Option("--to", help="Last block; the newest final one by default.", min=0, metavar="BLOCK")
    ] = None,
    rpc: Annotated[
        list[str] | None,
        typer.Option(
            help="Node; given several times, the next one answers when one fails. AFTERSHOCK_RPC_<CHAINID> by default.",
            metavar="URL",
        ),
    ] = None,
    tables: Annotated[
        str | None, typer.Option(help="Tables to read; all but blocks and transfers by default.", metavar="NAME,NAME")
    ] = None,
    transfers: Annotated[
        list[str] | None,
        typer.Option(
            help="Keep transfers of a listed token of at least so many whole tokens.", metavar="SYMBOL=AMOUNT"
        ),
    ] = None,
    piece: Annotated[int, typer.Option(help="Blocks of one file.", min=1, metavar="BLOCKS")] = PIECE_BLOCKS,
    out: Folder = Path("aftershock-history"),
    as_json: AsJson = False,
) -> None:
    """Read liquidations, flows, rates, deficits, parameters, proposals and feed rounds of a range of blocks; run it again to go on.

    Only final blocks are read, nothing is read twice, and a run that is stopped leaves whole ranges.
    """
    named = tuple(name.strip() for name in tables.split(",") if name.strip()) if tables else BY_DEFAULT
    url = node_url(read_deployments(deployments)[0].chain, environ, "\n".join(rpc or ()))
    try:
        grown = _grown(url, deployments, out, first, last, named, _amounts(transfers or []), piece)
    except (KeyboardInterrupt, NodeError) as error:
        if (out / LIST).is_file() and goes_on(error):
            sys.stderr.write(f"The ranges that were read are in {out}; the same command goes on from there\n")
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None
        raise
    if as_json:
        print_json({**asdict(grown), "folder": str(out)})
    else:
        _show(Page(), grown, out)


def _grown(
    url: str,
    deployments: Path,
    out: Path,
    first: int,
    last: int | None,
    tables: tuple[str, ...],
    least: dict[str, Decimal],
    piece: int,
) -> Grown:
    with step("history") as running:
        grown = grow(url, deployments, out, first, last, tables, least, piece, running.note)
        running.note(f"{count(grown.blocks_read, 'block')} read, {count(sum(grown.rows.values()), 'row')} in all")
    return grown


def _amounts(words: list[str]) -> dict[str, Decimal]:
    """`USDC=1000000` as amounts by symbol; InputError if one is none."""
    found: dict[str, Decimal] = {}
    for word in words:
        symbol, _, text = word.partition("=")
        try:
            found[symbol] = Decimal(text)
        except InvalidOperation as error:
            raise InputError(f"--transfers is {word!r}; write SYMBOL=AMOUNT, such as USDC=1000000") from error
        if not symbol or not found[symbol].is_finite() or found[symbol] <= 0:
            raise InputError(f"--transfers is {word!r}; write SYMBOL=AMOUNT with an amount above zero")
    return found


def _show(page: Page, grown: Grown, out: Path) -> None:
    page.header(f"History {out.name}", f"blocks {grown.first:,} to {grown.last:,}")
    page.table(
        ["table", "rows"],
        [[name, f"{grown.rows[name]:,}"] for name in history_schemas() if name in grown.rows],
        right=[1],
    )
    for note in grown.notes:
        page.say(("to be known  ", "dim"), note)
    page.blank()
    page.say("written to ", (str(out), "bold"))
