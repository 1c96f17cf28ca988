"""What needs no simulation: reading a source, the graph, and the questions it answers. The public names are those of `aftershock`."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from chain import snapshot as snapshots
from chain.errors import InputError
from chain.snapshot import Snapshot
from graph.build import build
from graph.exposures import answer, counted, portfolio
from graph.exposures.answer import Exposure
from graph.paths import PathIndex, Paths
from graph.protocol_graph import ProtocolGraph

if TYPE_CHECKING:
    from graph.edits.what_if import Edit
    from graph.systemic import Uncertainty

SAMPLE = Path(__file__).parent / "sample" / "snapshot"
BOOK_SUFFIXES = (".csv", ".parquet")


def load(source: str | Path = "sample") -> Snapshot:
    """Read a snapshot folder, a user's book or exposures (CSV or Parquet, told apart by their columns), or the embedded sample.

    Raises
    ------
    SnapshotError
        If the folder is damaged or incomplete.
    InputError
        If the file cannot be read as what it is; the message names row and field.
    """
    path = SAMPLE if str(source) == "sample" else Path(source)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a snapshot folder, a book as CSV or Parquet, or the word sample")
    if not path.is_file() and path.suffix not in BOOK_SUFFIXES:
        return snapshots.load(path)
    from chain.files import book_file, exposure_file

    return exposure_file.read_exposures(path) if exposure_file.is_exposures(path) else book_file.read_book(path)


def snapshot(
    deployments: str | Path | Sequence[str | Path] = (),
    rpc: str | Mapping[str, str] = "",
    block: int | str | None = None,
    out: str | Path | None = None,
    progress: Callable[[str, int, int, str], None] = lambda *_: None,
    chains: Sequence[str] = (),
    protocols: Sequence[str] = (),
) -> Snapshot:
    """Read protocols at one block of a live node, or of several chains at one instant; saved to `out` if given.

    With `out`, a read that was broken off stays in `incomplete_<out>`, and the same call goes on with it. `out` is no name that `load` reads
    otherwise: `sample`, or one that ends like a book.

    Parameters
    ----------
    deployments : address books, each of one chain; the shipped ones of `chains` if there are none.
    rpc : address of the node, or several in lines, the first is preferred; for several chains by chain (`{"eip155:1": ...}`). Without it the
        chain's variables are asked (AFTERSHOCK_RPC_<CHAINID>).
    block : number, latest, latest-<n>, safe, finalized, or a time in UTC for the last block at or before it; None for the head less the
        chain's finality lag. Several chains need a time; None is the newest that is final on all of them.
    chains, protocols : what to read of the address books (`8453`, `aave-v3`); everything by default.
    """
    from chain.address_books import chosen
    from chain.as_of import time_of
    from chain.networks import node_url
    from chain.reading import take, unfinished_read
    from chain.several import take_several

    if out is not None:
        _refuse_read_otherwise(out)
    target = Path(out) if out is not None else None
    books = chosen(_files(deployments), chains, protocols)
    urls = {chain: node_url(chain, environ, rpc if isinstance(rpc, str) else rpc.get(chain, "")) for chain in books}
    if target is not None:
        snapshots.refuse_foreign_folder(target)
        _refuse_other_chains(target, books)
    if len(books) > 1:
        if target is None or (isinstance(rpc, str) and rpc) or (block is not None and time_of(str(block)) is None):
            raise InputError(
                f"{len(books)} chains ({', '.join(books)}) need a folder to be saved in, a node for each (--rpc CHAINID=URL) and, if any, a time "
                "(--as-of) in the place of a block; or name one with --chain"
            )
        return take_several(urls, books, None if block is None else str(block), target, progress)
    [(chain, entries)] = books.items()
    if target is None:
        return take(urls[chain], entries, block, progress=progress)
    with unfinished_read(target, entries, block) as unfinished:
        taken = take(urls[chain], entries, block, target.name, progress, unfinished=unfinished)
        snapshots.save(taken, target)
        unfinished.remove()
    return taken


def snapshot_cost(
    deployments: str | Path | Sequence[str | Path] = (),
    rpc: str | Mapping[str, str] = "",
    block: int | str | None = None,
    chains: Sequence[str] = (),
    protocols: Sequence[str] = (),
) -> Any:
    """What `snapshot` would ask and give, by chain, from a sample (`chain.expected.Estimate`); arguments as there."""
    from chain.address_books import chosen
    from chain.expected import expect
    from chain.networks import node_url

    books = chosen(_files(deployments), chains, protocols)
    urls = {chain: node_url(chain, environ, rpc if isinstance(rpc, str) else rpc.get(chain, "")) for chain in books}
    return [expect(urls[chain], entries, block) for chain, entries in books.items()]


def _refuse_other_chains(target: Path, chains: Iterable[str]) -> None:
    """InputError if the folder holds a snapshot of other chains, which would be replaced."""
    try:
        stored = json.loads((target / snapshots.MANIFEST).read_text(encoding="utf-8"))
        held = {str(anchor["chain"]) for anchor in stored["anchors"]}
    except (OSError, ValueError, KeyError, TypeError):
        return  # none, or a damaged one, which may be replaced
    if held != set(chains):
        raise InputError(
            f"{target} holds a snapshot of {', '.join(sorted(held))}, which one of {', '.join(sorted(chains))} would replace; give another --out"
        )


def _files(deployments: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(file) for file in ([deployments] if isinstance(deployments, str | Path) else deployments)]


def graph(source: Snapshot | ProtocolGraph) -> ProtocolGraph:
    """The protocol graph of a snapshot; a graph is returned as it is, so whoever asks often builds it once."""
    return source if isinstance(source, ProtocolGraph) else build(source)


def exposure(source: Snapshot | ProtocolGraph, name: str, top: int = 10) -> Exposure:
    """How exposed a market, protocol, asset, account, pool or feed is, and who is exposed to it; see `graph.exposures.answer`."""
    return answer.exposure(graph(source), name, top)


def what_if(
    source: Snapshot | ProtocolGraph, edits: "str | Path | Sequence[Edit]", out: str | Path | None = None
) -> Snapshot:
    """The snapshot as it would be after the changes of a TOML file, or of edits (`graph.edits.what_if`); the source stays as it is.

    Parameters
    ----------
    out : folder to save it in, whole or not at all; one that holds an earlier what-if is replaced. Not `sample`, nor a name that ends like a book, which
        `load` reads otherwise.

    Raises
    ------
    InputError
        If the file or an entry cannot be used; it names file, entry, field and value. If `out` holds a snapshot that was read.
    SnapshotError
        If `out` holds anything else, or what is left does not fit together.
    """
    from graph.edits import what_if as what_ifs
    from graph.edits.what_if_file import read_what_if

    if out is not None:
        _refuse_read_otherwise(out)
        _refuse_what_was_read(Path(out))
    changed = what_ifs.what_if(source, read_what_if(Path(edits)) if isinstance(edits, str | Path) else edits)
    if out is not None:
        build(changed)  # what does not fit together is not written
        snapshots.save(changed, Path(out))
    return changed


def _refuse_read_otherwise(out: str | Path) -> None:
    """InputError for a name under which `load` would not find the folder again: it means the embedded sample, or a book."""
    path = Path(out)
    if str(path) == "sample":
        raise InputError(
            "--out is sample, which means the embedded sample wherever a snapshot is read; give another name"
        )
    if path.suffix in BOOK_SUFFIXES:
        raise InputError(
            f"--out is {path}, which would be read as a file, not as a folder; leave {path.suffix} out of the name"
        )


def _refuse_what_was_read(target: Path) -> None:
    """InputError if the folder holds a snapshot that is no what-if, which may not be had again."""
    try:
        stored = json.loads((target / snapshots.MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # none, or a damaged one, which may be replaced
    if not str(stored.get("caption", "")).startswith("what-if"):
        raise InputError(f"{target} holds a snapshot as it was read, which a what-if would replace; give another --out")


def path_index(source: Snapshot | ProtocolGraph) -> PathIndex:
    """A graph made ready for many questions about paths."""
    return PathIndex(graph(source))


def paths(source: Snapshot | ProtocolGraph | PathIndex, loser: str, cause: str, top: int = 10) -> Paths:
    """The strongest ways by which a failure of `cause` costs `loser`; see `graph.paths`."""
    index = source if isinstance(source, PathIndex) else path_index(source)
    return index.paths(loser, cause, top)


def systemic(
    source: Snapshot | ProtocolGraph,
    uncertainty: "Uncertainty | None" = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> pd.DataFrame:
    """Every node on which somebody depends, by what holders lose in all if it fails, with the range of its rank; see `graph.systemic`."""
    from graph.systemic import systemic as ranked

    return ranked(graph(source), uncertainty, progress)


def shared_roots(source: Snapshot | ProtocolGraph, left: str, right: str) -> pd.DataFrame:
    """What two holders finally have in common, root by root; see `graph.exposures.portfolio.shared_roots`."""
    return portfolio.shared_roots(graph(source), left, right)


def value_counted(source: Snapshot | ProtocolGraph) -> pd.DataFrame:
    """Gross value by protocol, what of it is lent out or counted elsewhere, and the rest; see `graph.exposures.counted`."""
    return counted.value_counted(graph(source))
