"""What needs no simulation: reading a source, the graph, and the questions it answers. The public names are those of `aftershock`."""

from collections.abc import Callable, Sequence
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from chain import exposure_file, files
from chain import snapshot as snapshots
from chain.errors import InputError
from chain.snapshot import Snapshot
from graph import counted, portfolio
from graph import exposure as exposures
from graph.build import build
from graph.exposure import Exposure
from graph.paths import PathIndex, Paths
from graph.protocol_graph import ProtocolGraph

if TYPE_CHECKING:
    from graph.what_if import Edit

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
    return exposure_file.read_exposures(path) if exposure_file.is_exposures(path) else files.read_book(path)


def snapshot(
    deployments: str | Path,
    rpc: str = "",
    block: int | str | None = None,
    out: str | Path | None = None,
    progress: Callable[[str, int, int, str], None] = lambda *_: None,
) -> Snapshot:
    """Read every protocol that a deployments file names at one block of a live node; saved to `out` if given.

    With `out`, a read that was broken off stays in `incomplete_<out>`, and the same call goes on with it.

    Parameters
    ----------
    rpc : address of the node, or several in lines, the first is preferred; without it the chain's variables are asked
        (AFTERSHOCK_RPC_<CHAINID>).
    block : number, latest, latest-<n>, safe, finalized; None for the head less the chain's finality lag.
    """
    from chain.deployments import read_deployments
    from chain.networks import node_url
    from chain.reading import take, unfinished_read

    target = Path(out) if out is not None else None
    if target is not None:
        snapshots.refuse_foreign_folder(target)
    path = Path(deployments)
    url = node_url(read_deployments(path)[0].chain, environ, rpc)
    if target is None:
        return take(url, path, block, progress=progress)
    with unfinished_read(target, path, block) as unfinished:
        taken = take(url, path, block, target.name, progress, unfinished=unfinished)
        snapshots.save(taken, target)
        unfinished.remove()
    return taken


def snapshot_cost(deployments: str | Path, rpc: str = "", block: int | str | None = None) -> Any:
    """What `snapshot` would ask and give, from a sample (`chain.expected.Estimate`); arguments as there."""
    from chain.deployments import read_deployments
    from chain.expected import expect
    from chain.networks import node_url

    path = Path(deployments)
    return expect(node_url(read_deployments(path)[0].chain, environ, rpc), path, block)


def graph(source: Snapshot | ProtocolGraph) -> ProtocolGraph:
    """The protocol graph of a snapshot; a graph is returned as it is, so whoever asks often builds it once."""
    return source if isinstance(source, ProtocolGraph) else build(source)


def exposure(source: Snapshot | ProtocolGraph, name: str, top: int = 10) -> Exposure:
    """How exposed a market, protocol, asset, account, pool or feed is, and who is exposed to it; see `graph.exposure`."""
    return exposures.exposure(graph(source), name, top)


def what_if(source: Snapshot | ProtocolGraph, edits: "str | Path | Sequence[Edit]") -> Snapshot:
    """The snapshot as it would be after the changes of a TOML file, or of edits (`graph.what_if`); the source stays as it is.

    Raises
    ------
    InputError
        If the file or an entry cannot be used; it names file, entry, field and value.
    """
    from graph import what_if as what_ifs
    from graph.what_if_file import read_what_if

    return what_ifs.what_if(source, read_what_if(Path(edits)) if isinstance(edits, str | Path) else edits)


def path_index(source: Snapshot | ProtocolGraph) -> PathIndex:
    """A graph made ready for many questions about paths."""
    return PathIndex(graph(source))


def paths(source: Snapshot | ProtocolGraph | PathIndex, loser: str, cause: str, top: int = 10) -> Paths:
    """The strongest ways by which a failure of `cause` costs `loser`; see `graph.paths`."""
    index = source if isinstance(source, PathIndex) else path_index(source)
    return index.paths(loser, cause, top)


def shared_roots(source: Snapshot | ProtocolGraph, left: str, right: str) -> pd.DataFrame:
    """What two holders finally have in common, root by root; see `graph.portfolio.shared_roots`."""
    return portfolio.shared_roots(graph(source), left, right)


def value_counted(source: Snapshot | ProtocolGraph) -> pd.DataFrame:
    """Gross value by protocol, what of it is lent out or counted elsewhere, and the rest; see `graph.counted`."""
    return counted.value_counted(graph(source))
