"""Takes a snapshot: connect, pin a block, run the readers, describe what they mentioned, confirm the block, compare with the chain."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chain.comparisons import checks
from chain.comparisons.comparison import Comparison
from chain.deployments import Deployment, read_deployments
from chain.errors import BlockError, ContractError, NodeError, many
from chain.findings import Findings, Progress
from chain.node.client import Client
from chain.node.events import MOST_READINGS, differ
from chain.node.facts import CodeStart
from chain.node.resumable import ResumableClient
from chain.node.together import Inquiry, together
from chain.node.unfinished import Purpose, Unfinished, fingerprint
from chain.protocols import PROTOCOLS
from chain.readers import (
    aave_payloads,
    aave_v2,
    aave_v3,
    access,
    balancer_v2,
    bridges,
    chainlink,
    comet,
    compound_v2,
    crvusd,
    curve_stableswap,
    erc20,
    governor,
    liquity_v1,
    maker,
    metamorpho,
    morpho_blue,
    price_behaviour,
    proxies,
    psm,
    quotes,
    timelock,
    uniswap_v2,
    uniswap_v3,
    venus,
)
from chain.snapshot import Check, Snapshot, from_rows
from chain.tables import Row
from chain.units import ZERO_ADDRESS, address_of

Read = Callable[[Client, Deployment, Findings, Progress], None]

READERS: Mapping[str, tuple[Read, int]] = {
    "aave_v3": (aave_v3.read, aave_v3.VERSION),
    "aave_v2": (aave_v2.read, aave_v2.VERSION),
    "compound_v2": (compound_v2.read, compound_v2.VERSION),
    "venus": (venus.read, venus.VERSION),
    "morpho_blue": (morpho_blue.read, morpho_blue.VERSION),
    "metamorpho": (metamorpho.read_factory, metamorpho.VERSION),
    "metamorpho_vault": (metamorpho.read, metamorpho.VERSION),
    "comet": (comet.read, comet.VERSION),
    "liquity_v1": (liquity_v1.read, liquity_v1.VERSION),
    "maker": (maker.read, maker.VERSION),
    "crvusd": (crvusd.read, crvusd.VERSION),
    "uniswap_v2": (uniswap_v2.read, uniswap_v2.VERSION),
    "erc20": (erc20.read, erc20.VERSION),
    "uniswap_v3": (uniswap_v3.read, uniswap_v3.VERSION),
    "balancer_v2": (balancer_v2.read, balancer_v2.VERSION),
    "curve_stableswap": (curve_stableswap.read, curve_stableswap.VERSION),
    "psm": (psm.read, psm.VERSION),
    "bridge_escrow": (bridges.read_escrow, bridges.VERSION),
    "bridged_token": (bridges.read_token, bridges.VERSION),
    "chainlink": (chainlink.read, chainlink.VERSION),
    "timelock": (timelock.read, timelock.VERSION),
    "governor": (governor.read, governor.VERSION),
    "aave_payloads": (aave_payloads.read, aave_payloads.VERSION),
}
"""Reader and its version, in the order in which they run: lending first, so that the others know the assets that matter."""


def take(
    url: str,
    book: Path | Sequence[Deployment],
    block: int | str | None = None,
    name: str = "snapshot",
    progress: Progress = lambda *_: None,
    caption: str = "",
    unfinished: Unfinished | None = None,
) -> Snapshot:
    """Read everything that a deployments file names at one block.

    Parameters
    ----------
    url : address of the node (http or https).
    book : the address book, or its entries; all of one chain.
    block : as `Client.pin` takes it: a number, a word, a time; None for the head less the chain's finality lag.
    name, caption : the snapshot's label, and what its numbers must be captioned with.
    progress : called with protocol and instance, steps done, steps in all, note.
    unfinished : where answers are kept until the read is whole (`unfinished_read`); None to keep none.

    Returns
    -------
    Snapshot
        With the comparisons that were made; one that fails also after the events were read again does not raise, it stands in `checks`.

    Raises
    ------
    InputError, NodeError, WrongChainError, BlockError, ContractError
        Each names what is wrong and what to do; nothing is written.
    """
    deployments = in_order(entries(book))
    with ResumableClient.connect(url, deployments[0].chain) as client:
        assert isinstance(client, ResumableClient)
        _pin(client, block, unfinished)
        if unfinished is not None:
            client.resume(unfinished)
            if unfinished.story:
                progress("unfinished read", 1, 1, unfinished.story)
        return read_all(client, deployments, name, progress, caption)


def read_all(
    client: ResumableClient,
    deployments: Sequence[Deployment],
    name: str = "snapshot",
    progress: Progress = lambda *_: None,
    caption: str = "",
) -> Snapshot:
    """`take` with a client that is there already, its block pinned: of a node, or of a recording."""
    found, comparisons, references = _settled(client, deployments, progress)
    return from_rows(
        name,
        (found.anchor,),
        {table: list[Row](rows) for table, rows in found.rows.items()},
        checks=(*(comparison.check for comparison in comparisons), references),
        gaps=tuple(found.gaps),
        readers={reader: READERS[reader][1] for reader in sorted({entry.reader for entry in deployments})},
        caption=caption,
    )


def _settled(
    client: ResumableClient, deployments: Sequence[Deployment], progress: Progress
) -> tuple[Findings, list[Comparison], Check]:
    """What was read, with its comparisons. Where one fails, a node may have left out events: they are read again, and all with them.

    A difference that stands while two readings in a row saw the same events is the protocol's or the reader's: it stays a failed check.
    """
    before: dict[Any, str] = {}
    for _ in range(MOST_READINGS):
        if client.events.again:
            progress("events", 1, 1, "a comparison with the chain fails: the events are read again")
        found = Findings(client.anchor)
        _block(client, found)
        for deployment in deployments:
            read_one(client, deployment, found, progress)
        describe(client, found, progress)
        client.confirm()
        progress("confirm", 1, 1, f"block {client.anchor.number} still stands, {many(client.requests, 'request')}")
        comparisons = checks.run(found.rows, found.witnesses)
        checks.settle(found.rows, comparisons)
        references = checks.references(found.rows)
        passed = references.passed and all(comparison.check.passed for comparison in comparisons)
        if passed or client.events.digests == before:
            return found, comparisons, references
        before = client.events.digests
        client.events.doubt()
    raise NodeError(differ())


def unfinished_read(
    folder: Path, book: Path | Sequence[Deployment], block: int | str | None, within: str = ""
) -> Unfinished:
    """The place where a read for the snapshot `folder` keeps its answers, with what an earlier run for it left.

    Parameters
    ----------
    within : folder inside that place, for one of several reads for one snapshot.

    Raises
    ------
    InputError, SnapshotError
        If that run read another chain, or what it left cannot be read.
    """
    deployments = entries(book)
    readers = {entry.reader: READERS[entry.reader][1] for entry in deployments}
    asked = "" if block is None else str(block).strip().lower()
    purpose = Purpose(deployments[0].chain, fingerprint(deployments), dict(sorted(readers.items())), asked)
    return Unfinished(folder.with_name(f"incomplete_{folder.name}") / within, purpose)


def entries(book: Path | Sequence[Deployment]) -> Sequence[Deployment]:
    """The entries of an address book, read if it is a file."""
    return read_deployments(book) if isinstance(book, Path) else book


def in_order(deployments: Sequence[Deployment]) -> list[Deployment]:
    """Deployments in the order of their readers."""
    return sorted(deployments, key=lambda entry: list(READERS).index(entry.reader))


def read_one(client: ResumableClient, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one deployment; its progress ends with what it took."""
    label, before = f"{deployment.protocol} {deployment.instance}", (client.tally.calls, row_count(found))
    _protocol(deployment, found)
    try:
        READERS[deployment.reader][0](
            client, deployment, found, lambda _, done, total, note: progress(label, done, total, note)
        )
    except ContractError as error:
        _require_contracts(client, deployment, label, error)
        raise
    calls, rows = client.tally.calls - before[0], row_count(found) - before[1]
    progress(label, 1, 1, f"{many(rows, 'row')} from {many(calls, 'call')}")


def _require_contracts(client: ResumableClient, deployment: Deployment, label: str, error: ContractError) -> None:
    """ContractError that names the address of the book at which there is no contract at this block, if that is why a call failed."""
    roles = deployment.addresses
    for (role, address), code in zip(roles.items(), client.codes(list(roles.values())), strict=True):
        if code == "0x":
            raise ContractError(
                f"{label}: there is no contract at {address} ({role}) at block {client.anchor.number}; it came later or the address is wrong: ask for "
                "a later block, or check this address in the deployments file"
            ) from error


def describe(client: ResumableClient, found: Findings, progress: Progress) -> None:
    """Read what the protocols mentioned: price sources, tokens, authorities, addresses."""
    before = client.tally.calls, row_count(found)
    progress("describe", 0, 2, f"{many(len(found.sources), 'price source')}, {many(len(found.tokens), 'token')}")
    *_, codes = together(
        client,
        chainlink.describe(found),
        chainlink.answers_about_many(found),
        erc20.describe(client, found),
        _codes(list(found.entities)),
    )
    progress("describe", 1, 2, f"{len(found.entities)} addresses")
    together(client, price_behaviour.settle(client, found), _entities(client.chain, found, codes))
    quotes.in_usd(found, client.network.native_symbol)
    calls, rows = client.tally.calls - before[0], row_count(found) - before[1]
    progress("describe", 2, 2, f"{many(rows, 'row')} from {many(calls, 'call')}")


def row_count(found: Findings) -> int:
    """Rows of all tables."""
    return sum(len(rows) for rows in found.rows.values())


def _pin(client: Client, block: int | str | None, unfinished: Unfinished | None) -> None:
    """Pin the block of the unfinished read if the chain still has it, otherwise the one that is asked for."""
    if unfinished is not None and unfinished.anchor is not None:
        try:
            if client.pin(unfinished.anchor.number) == unfinished.anchor:
                return
        except BlockError:
            pass
    client.pin(block)


def _block(client: Client, found: Findings) -> None:
    header = client.header
    found.add(
        "blocks",
        "eth_getBlockByNumber",
        chain=client.chain,
        block_number=found.anchor.number,
        block_hash=found.anchor.hash,
        timestamp=found.anchor.timestamp,
        base_fee_raw=int(header["baseFeePerGas"], 16) if header.get("baseFeePerGas") else None,
        gas_used=int(header["gasUsed"], 16),
        gas_limit=int(header["gasLimit"], 16),
    )


def _protocol(deployment: Deployment, found: Findings) -> None:
    if not any(row["protocol"] == deployment.protocol for row in found.rows.get("protocols", ())):
        found.add(
            "protocols",
            f"deployments file: {deployment.source}",
            protocol=deployment.protocol,
            name=deployment.protocol.replace("-", " ").title(),
            kind=PROTOCOLS[deployment.reader].kind,
        )


def _codes(addresses: Sequence[str]) -> Inquiry[dict[str, str]]:
    """How the code at each address begins."""
    codes = yield {address: CodeStart(address) for address in addresses}
    return codes


def _entities(chain: str, found: Findings, codes: Mapping[str, str]) -> Inquiry[None]:
    """One row for every address that was mentioned; code at an address makes an account a contract, a delegation (EIP-7702) does not.

    Parameters
    ----------
    codes : how the code at each address begins, as far as it is known; the rest is asked.
    """
    known = {**codes} | (yield from _codes([address for address in found.entities if address not in codes]))
    known = yield from access.describe(found, known)
    behind = yield from proxies.behind(found, known)
    known |= yield from _codes([address for address in found.entities if address not in known])
    labels = _labels(found)
    for address, mention in found.entities.items():
        code = known[address]
        is_delegated = code.lower().startswith("0xef0100")
        kind = "contract" if mention.kind == "account" and code != "0x" and not is_delegated else mention.kind
        found.add(
            "entities",
            f"eth_getCode block {found.anchor.number}",
            entity=f"{chain}:{address}",
            chain=chain,
            address=address,
            kind="burn" if address == ZERO_ADDRESS else kind,
            name=mention.name or labels.get(address),
            protocol=mention.protocol,
            is_contract=code != "0x",
            implementation=behind.get(address),
        )


def _labels(found: Findings) -> dict[str, str]:
    """What to call tokens and pools by address: the symbol, and the symbols of what a pool trades (`WETH/USDC`)."""
    symbols = {row["asset"]: row["symbol"] for row in found.rows.get("assets", ())}
    traded: dict[str, list[str]] = {}
    for row in found.rows.get("pool_assets", ()):
        traded.setdefault(address_of(row["pool"]), []).append(symbols[row["asset"]])
    tokens = {row["address"]: row["symbol"] for row in found.rows.get("assets", ()) if row.get("address")}
    return tokens | {pool: "/".join(of) for pool, of in traded.items()}
