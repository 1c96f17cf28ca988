"""Makes a history grow: what is missing of the blocks that are asked for is read, range by range, and nothing is read twice.

Only final blocks are read (the head less the chain's finality lag, or an earlier block), so what is kept stays. Should the chain take a kept
block back all the same, its ranges go and are read again. Events that no sum vouches for are had three times alike (`chain.node.events`). A contract
that comes to light later (a market listed since, a feed's next aggregator) is read from the history's first block on in the range that it
joins, so that the tables are the same however the blocks were split.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from chain.deployments import Deployment, read_deployments
from chain.errors import BlockError, InputError, NodeError, unknown_name
from chain.histories import aave_payloads, aave_v3, chainlink, compound_v2, erc20, governor, morpho_blue, uniswap_v3
from chain.histories.events import Source
from chain.histories.folder import HistoryFolder, Purpose, history_schemas
from chain.node.calls import Log
from chain.node.client import Client
from chain.node.unfinished import fingerprint

PIECE_BLOCKS = 50_000
"""Blocks of one range; whoever stops a run loses at most what was read of one."""
HEADERS_AT_ONCE = 500
SOURCES: Mapping[str, Callable[[Client, Deployment], list[Source]]] = {
    "aave_v3": aave_v3.sources,
    "compound_v2": compound_v2.sources,
    "morpho_blue": morpho_blue.sources,
    "chainlink": chainlink.sources,
    "governor": governor.sources,
    "aave_payloads": aave_payloads.sources,
}
"""Reader of an address book's entry -> its events; erc20 has its own, for it needs amounts."""
BY_DEFAULT = (
    "accruals",
    "deficits",
    "flows",
    "liquidations",
    "observations",
    "parameter_changes",
    "proposals",
    "rates",
)
"""Transfers need an amount, blocks cost a question each: both are read when they are asked for."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Grown:
    """What a run did: blocks that the history holds now, blocks read, rows by table, and what is to be known, in sentences."""

    first: int
    last: int
    blocks_read: int
    rows: Mapping[str, int]
    notes: tuple[str, ...]


def grow(
    url: str,
    deployments_path: Path,
    folder: Path,
    first: int,
    last: int | None = None,
    tables: Sequence[str] = BY_DEFAULT,
    least: Mapping[str, Decimal] | None = None,
    piece_blocks: int = PIECE_BLOCKS,
    say: Progress = lambda _: None,
) -> Grown:
    """Read blocks `first` to `last`, both included, into the history of a folder; what is there is not read again.

    Parameters
    ----------
    url, deployments_path : node and address book, as for a snapshot.
    last : None for the newest final block; a block that is not final is not read, which is noted.
    tables : which to read.
    least : for transfers: least whole tokens of a transfer that is kept, by symbol of the address book's tokens.
    piece_blocks : blocks of one range on disk.
    say : told how far it is.

    Raises
    ------
    InputError
        If blocks or tables cannot be read as asked, or the folder holds another history.
    NodeError, BlockError, ContractError, SnapshotError
        Each names what is wrong; the ranges that were whole before stay.
    """
    for name in tables:
        if name not in history_schemas():
            raise unknown_name("table of a history", name, history_schemas())
    if least and "transfers" not in tables:
        tables = [*tables, "transfers"]
    if "transfers" in tables and not least:
        raise InputError("transfers need a least amount for each token, such as --transfers USDC=1000000")
    if last is not None and last < first:
        raise InputError(f"the last block, {last}, lies before the first, {first}")
    deployments = read_deployments(deployments_path)
    amounts = {symbol: str(amount) for symbol, amount in sorted((least or {}).items())}
    purpose = Purpose(deployments[0].chain, fingerprint(deployments), tuple(sorted(set(tables))), amounts)
    notes = [
        f"{one.protocol} {one.instance}: no events are read"
        for one in deployments
        if one.reader not in (*SOURCES, "erc20", "uniswap_v3")
    ]
    with Client.connect(url, purpose.chain) as client:
        final = client.pin().number
        if first > final:
            raise BlockError(f"Block {first} is not final yet; the last final block is {final}")
        if last is not None and last > final:
            notes.append(
                f"blocks {final + 1} to {last} are not final yet and were not read; the same command reads them later"
            )
        end = final if last is None else min(last, final)
        history, past = HistoryFolder.open(folder, purpose), Past(url, purpose.chain)
        try:
            notes += _take_back(client, history)
            before = _blocks(history)
            wanted = _sources(client, deployments, least or {}, purpose.tables)
            exchanges = [one for one in deployments if one.reader == "uniswap_v3" and "observations" in purpose.tables]
            pools = [pool for one in exchanges for pool in uniswap_v3.pools(client, one, deployments)]
            for start, stop in _pieces(history, first, end, piece_blocks):
                say(f"blocks {start:,} to {stop:,} of {min(first, start):,} to {end:,}")
                _read(client, history, wanted, pools, past, start, stop)
            client.confirm()
            assert history.first is not None and history.last is not None
            return Grown(history.first, history.last, _blocks(history) - before, history.counts(), tuple(notes))
        finally:
            past.close()
            history.close()


def _blocks(history: HistoryFolder) -> int:
    return sum(one.last - one.first + 1 for one in history.ranges)


def _take_back(client: Client, history: HistoryFolder) -> list[str]:
    """Forget ranges that the chain no longer holds; in words."""
    gone = []
    while history.ranges:
        last = history.ranges[-1]
        there = client.block_hash(last.last)
        if there is None:
            raise NodeError(
                f"The node does not have block {last.last}, where the history ends; it is behind, run again later"
            )
        if there == last.last_hash:
            break
        gone.append(history.take_back())
    return [f"blocks {gone[-1].first} to {gone[0].last} were reorganised and are read again"] if gone else []


def _pieces(history: HistoryFolder, first: int, last: int, width: int) -> list[tuple[int, int]]:
    """Ranges still to be read, in such an order that each touches what is there: onwards from the end, then back from the beginning."""
    start = first if history.last is None else history.last + 1
    onwards = [(at, min(at + width - 1, last)) for at in range(start, last + 1, width)]
    beginning = start if history.first is None else history.first
    back = [(max(at - width + 1, first), at) for at in range(beginning - 1, first - 1, -width)]
    return onwards + back


def _sources(
    client: Client, deployments: Sequence[Deployment], least: Mapping[str, Decimal], tables: Sequence[str]
) -> list[Source]:
    found: list[Source] = []
    for one in deployments:
        if one.reader in SOURCES and set(tables) - {"transfers", "blocks"}:
            found += SOURCES[one.reader](client, one)
        elif one.reader == "erc20" and least:
            found += erc20.sources(client, one, least)
    return found


def _read(
    client: Client,
    history: HistoryFolder,
    sources: Sequence[Source],
    pools: Sequence[str],
    past: "Past",
    first: int,
    last: int,
) -> None:
    """Read one range and keep it; contracts that are new to the history from its beginning on."""
    beginning = first if history.first is None else min(first, history.first)
    known, rows = history.joined, dict[str, list[dict[str, Any]]]()
    joined = {address for one in sources for address in one.addresses}.union(pools) - known
    headers: dict[int, dict[str, Any]] = {}

    def parts(addresses: Sequence[str], topics: tuple[str, ...]) -> Iterator[tuple[int, list[str], list[Log]]]:
        """(first block, contracts, their events): those of the history, then those that join it."""
        old, new = ([at for at in addresses if (at in known) == is_known] for is_known in (True, False))
        for some, start in ((old, first), (new, beginning)):
            if some:
                logs = client.logs(some, topics, start, last, has_no_sum=True)
                _look_up(client, headers, logs)
                yield start, some, logs

    def keep(table: str, log: Log, columns: dict[str, Any]) -> None:
        place = {
            "chain": client.chain,
            "block_number": log.block_number,
            "log_index": log.log_index,
            "timestamp": int(headers[log.block_number]["timestamp"], 16),
            "transaction": log.transaction,
            "status": "unverified",
        }
        if table in history.purpose.tables:
            rows.setdefault(table, []).append(place | columns)

    for one in sources:
        for _, _, logs in parts(one.addresses, one.topics):
            for log in logs:
                for table, columns in one.rows(log):
                    keep(table, log, columns)
    for start, some, logs in parts(pools, tuple(uniswap_v3.SHAPES)):
        times = {number: int(header["timestamp"], 16) for number, header in headers.items()}
        states = [uniswap_v3.state(past.at(number), some) for number in (start - 1, last)]
        for log, columns in uniswap_v3.observations(states[0], states[1], logs, times, client.chain):
            keep("observations", log, columns)
    if "blocks" in history.purpose.tables:
        rows["blocks"] = _blocks_of(client, first, last)
    end = client.header if last == client.anchor.number else client.headers([last])[0]
    history.add(first, last, end["hash"].lower(), rows, sorted(joined), int(end["timestamp"], 16))


class Past:
    """The node at earlier blocks: one client for each block that is asked for, until it is closed."""

    def __init__(self, url: str, chain: str) -> None:
        self._url, self._chain = url, chain
        self._clients: dict[int, Client] = {}

    def at(self, number: int) -> Client | None:
        """A client pinned to a block; None before the first block."""
        if number < 0:
            return None
        if number not in self._clients:
            self._clients[number] = Client.connect(self._url, self._chain)
            self._clients[number].pin(number)
        return self._clients[number]

    def close(self) -> None:
        """Let go of all of them."""
        for client in self._clients.values():
            client.__exit__()
        self._clients = {}


def _look_up(client: Client, headers: dict[int, dict[str, Any]], logs: Sequence[Log]) -> None:
    """Get the headers of the events' blocks; BlockError where one is of another chain than its events."""
    new = sorted({log.block_number for log in logs} - set(headers))
    for start in range(0, len(new), HEADERS_AT_ONCE):
        some = new[start : start + HEADERS_AT_ONCE]
        headers.update(zip(some, client.headers(some), strict=True))
    for log in logs:
        if headers[log.block_number]["hash"].lower() != log.block_hash:
            raise BlockError(f"Block {log.block_number} was reorganised while it was read; run the same command again")


def _blocks_of(client: Client, first: int, last: int) -> list[dict[str, Any]]:
    """A row of each block, every one the parent of the next."""
    rows: list[dict[str, Any]] = []
    for start in range(first, last + 1, HEADERS_AT_ONCE):
        for header in client.headers(range(start, min(start + HEADERS_AT_ONCE, last + 1))):
            if rows and header["parentHash"].lower() != rows[-1]["block_hash"]:
                raise BlockError(
                    f"Block {rows[-1]['block_number']} was reorganised while it was read; run the same command again"
                )
            rows.append(_block(client.chain, header))
    return rows


def _block(chain: str, header: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "chain": chain,
        "block_number": int(header["number"], 16),
        "block_hash": header["hash"].lower(),
        "timestamp": int(header["timestamp"], 16),
        "base_fee_raw": int(header["baseFeePerGas"], 16) if header.get("baseFeePerGas") else None,
        "gas_used": int(header["gasUsed"], 16),
        "gas_limit": int(header["gasLimit"], 16),
        "evidence": "eth_getBlockByNumber",
        "status": "unverified",
    }
