"""Which entries of which address books a snapshot reads: those of files, or those that come with the program, for some chains and protocols."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from chain.deployments import Deployment, read_deployments
from chain.errors import InputError, unknown_name
from chain.networks import network, networks

SHIPPED = Path(__file__).parent / "deployments"
"""The address books that come with the program, one file a chain."""
ALL = "all"


def chosen(
    files: Sequence[Path], chains: Sequence[str] = (), protocols: Sequence[str] = ()
) -> Mapping[str, tuple[Deployment, ...]]:
    """Entries by chain, in the order of `chains`, else of the files.

    Parameters
    ----------
    files : address books, each of one chain; the shipped ones of `chains` if there are none.
    chains : `8453` or `eip155:8453`; every chain of the files if there are none.
    protocols : slugs such as `aave-v3`; `all` or none for every protocol.

    Raises
    ------
    InputError
        If neither files nor chains are given, two files name the same instance, a chain has no address book, or nothing is named `protocols` on any chain.
    """
    wanted = [caip2(chain) for chain in chains]
    if not files and not wanted:
        raise InputError("say what to read: --deployments FILE, or --chain ID for the address book that comes with it")
    books: dict[str, tuple[Deployment, ...]] = {}
    for file in files or [_shipped(chain) for chain in wanted]:
        for entry in read_deployments(file):
            earlier = books.get(entry.chain, ())
            if any((one.protocol, one.instance) == (entry.protocol, entry.instance) for one in earlier):
                raise InputError(
                    f"{file} names {entry.protocol} {entry.instance!r} on {entry.chain}, as another address book does; name it once"
                )
            books[entry.chain] = (*earlier, entry)
    for chain in wanted:
        if chain not in books:
            raise InputError(f"no address book names {chain}, which --chain asks for; give its file with --deployments")
    return _of_protocols({chain: books[chain] for chain in wanted or books}, protocols)


def caip2(chain: str) -> str:
    """CAIP-2 id of a known chain written as `8453` or `eip155:8453`; UnknownNameError otherwise."""
    return network(chain if ":" in chain else f"eip155:{chain}").chain


def _shipped(chain: str) -> Path:
    books = {read_deployments(file)[0].chain: file for file in sorted(SHIPPED.glob("*.toml"))}
    if chain not in books:
        raise InputError(
            f"no address book of {networks()[chain].name} ({chain}) comes with the program; give one with --deployments FILE"
        )
    return books[chain]


def _of_protocols(
    books: Mapping[str, tuple[Deployment, ...]], protocols: Sequence[str]
) -> Mapping[str, tuple[Deployment, ...]]:
    """The entries of these protocols; a chain that has none of them is left out."""
    if not protocols or ALL in protocols:
        return books
    known = sorted({entry.protocol for entries in books.values() for entry in entries})
    for name in protocols:
        if name not in known:
            raise unknown_name("protocol", name, known)
    some = {chain: tuple(one for one in entries if one.protocol in protocols) for chain, entries in books.items()}
    return {chain: entries for chain, entries in some.items() if entries}
