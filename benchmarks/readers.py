"""What a reading costs: ours against one call an account and a tick, and against Aave's UiPoolDataProviderV3, side by side in one run.

    python -m benchmarks.readers --accounts 10000 --slow 300

The accounts are batch-mined: real transactions against Aave V3.6 on a local node, through tests/devnet; so are the ticks, of one pool of
Uniswap V3 with a tick spacing of 10. All readers go through the same proxy, which adds 50 ms to every HTTP request, compresses answers with
gzip as geth does (node/rpcstack.go, NewHTTPHandlerStack), and counts requests and bytes of the answers, compressed and not. Ours reads everything in one go: who the accounts are, from the events; what they
have; the checks against the chain; reserves, prices, pools and every tick. The slow readers are given the accounts and the ticks. Those
of the accounts run on the first `--slow` only; what is printed for all accounts is that, times the ratio of the numbers, and marked so.
The run fails (exit code 1) if any answer of the slow readers differs from our rows, and says which targets are met.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address as checksum

from chain.comparisons.checks import aave_account
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import address_of
from tests.chain.faults.proxy import Proxy, Reply, serve
from tests.devnet.contracts import compiled
from tests.devnet.uniswap_v3_exchange import MINT_GAS, SPACINGS, Exchange, deploy_exchange
from tests.devnet.world import World, build_world

DELAY_SECONDS = 0.05
PROVIDER = "@aave-dao/aave-v3-origin/src/contracts/helpers/UiPoolDataProviderV3.sol"
POOL, FEE = "WETH/USDC 500", 500
AMOUNT = 10**9
"""Of both tokens, in their smallest units, at most, for each position of the benchmark."""
TICK_TYPES = (
    "uint128",
    "int128",
    "uint256",
    "uint256",
    "int56",
    "uint160",
    "uint32",
    "bool",
)  # IUniswapV3PoolState.ticks
FEWER_REQUESTS, FASTER, BYTES_RATIO = 300, 20, 2.0


@dataclass(frozen=True)
class Cost:
    """HTTP requests, seconds, bytes of the answers' bodies as sent and unpacked, for so many accounts or ticks; `kinds` are (requests, bytes
    as sent, bytes unpacked) by what is asked."""

    subjects: int
    requests: int
    seconds: float
    bytes_sent: int
    bytes_unpacked: int
    kinds: Mapping[str, tuple[int, int, int]]

    def for_all(self, subjects: int) -> "Cost":
        """The same a head for another number of subjects."""
        ratio = subjects / self.subjects
        sent, unpacked = round(self.bytes_sent * ratio), round(self.bytes_unpacked * ratio)
        return Cost(subjects, round(self.requests * ratio), self.seconds * ratio, sent, unpacked, {})


@dataclass
class Weighing(Proxy):
    """A proxy that compresses what the node answers, and weighs it by the methods that a request holds."""

    kinds: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def answer(self, raw: bytes) -> Reply:
        """The node's reply, compressed and weighed."""
        reply, asked = super().answer(raw), json.loads(raw)
        body = gzip.compress(reply.body, compresslevel=6)
        name = " + ".join(sorted({one["method"] for one in (asked if isinstance(asked, list) else [asked])}))
        requests, sent, unpacked = self.kinds.get(name, (0, 0, 0))
        self.kinds[name] = (requests + 1, sent + len(body), unpacked + len(reply.body))
        return Reply(body, reply.status, {**reply.headers, "Content-Encoding": "gzip"})


def measured(world: World, subjects: int, work: Callable[[str], Any]) -> tuple[Any, Cost]:
    """Do the work through the proxy; its result and its cost."""
    with serve(Weighing([world.url], [], DELAY_SECONDS)) as proxy:
        assert isinstance(proxy, Weighing)
        started = time.perf_counter()
        result = work(proxy.url)
        seconds = time.perf_counter() - started
    sent = sum(size for _, size, _ in proxy.kinds.values())
    return result, Cost(subjects, proxy.requests, seconds, sent, proxy.bytes_down, proxy.kinds)


def provide_ticks(world: World, exchange: Exchange, count: int) -> tuple[str, list[int]]:
    """Initialise `count` ticks of a pool by positions of one tick spacing each above the price, side by side; the pool, and the ticks."""
    pool, spacing, ledger = exchange.pools[POOL], SPACINGS[FEE], world.ledger
    tokens = [pool.functions.token0().call(), pool.functions.token1().call()]
    first = (pool.functions.slot0().call()[1] // spacing + 1) * spacing
    bounds = [first + spacing * step for step in range(count)]
    for lower, upper in pairwise(bounds):
        terms = (*tokens, FEE, lower, upper, AMOUNT, AMOUNT, 0, 0, ledger.deployer, 2**40)
        ledger.call(f"provide from {lower}", exchange.manager, "mint", terms, gas=MINT_GAS)
    ledger.mine()
    return str(pool.address), bounds


def lending_and_ticks(deployments: Path, folder: Path) -> Path:
    """The world's address book with its lending market and its Uniswap V3 only."""
    text = deployments.read_text()
    wanted = ('reader = "aave_v3"', 'reader = "uniswap_v3"')
    kept = [part for part in text.split("[[deployments]]") if any(reader in part for reader in wanted)]
    path = folder / "benchmark.toml"
    path.write_text("[[deployments]]" + "[[deployments]]".join(kept))
    return path


def one_by_one(url: str, to: str, data: Sequence[str], block: int) -> list[bytes]:
    """One eth_call in one HTTP request after the other, over one connection."""
    import requests

    answers = []
    with requests.Session() as session:
        for number, one in enumerate(data):
            params: list[Any] = [{"to": to, "data": one}, hex(block)]
            body: Any = {"jsonrpc": "2.0", "id": number, "method": "eth_call", "params": params}
            answers.append(bytes.fromhex(session.post(url, json=body).json()["result"][2:]))
    return answers


def compare_totals(found: Snapshot, people: Sequence[str], answers: Sequence[bytes]) -> int:
    """Hold getUserAccountData against our rows; AssertionError with the account where they differ. Returns the numbers compared."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: found[name].to_dict("records") for name in ("markets", "reserves", "prices", "assets", "categories")
    }
    held = positions(found)
    for who, answer in zip(people, answers, strict=True):
        collateral, debt, _, threshold, ltv, health = decode(["uint256"] * 6, answer)
        mine = aave_account(rows, held[who])
        ours = (
            *(mine.collateral_base, mine.debt_base),
            *(mine.liquidation_threshold_bps, mine.ltv_bps, mine.health_factor_wad),
        )
        assert ours == (collateral, debt, threshold, ltv, health), f"{who}: {ours} is not {answer.hex()}"
    return 5 * len(people)


def compare_holdings(found: Snapshot, people: Sequence[str], answers: Sequence[bytes]) -> int:
    """Hold getUserReservesData against our rows: both stored amounts, the collateral flag and the e-mode. Returns the numbers compared."""
    held, compared = positions(found), 0
    for who, answer in zip(people, answers, strict=True):
        reserves, category = decode(["(address,uint256,bool,uint256)[]", "uint8"], answer)
        theirs = {
            (asset, side): (amount, side == "supply" and used)
            for asset, supply, used, debt in reserves
            for side, amount in (("supply", supply), ("debt", debt))
            if amount
        }
        ours = {
            (address_of(row["asset"]), row["side"]): (row["stored_raw"], row["collateral_enabled"]) for row in held[who]
        }
        assert ours == theirs, f"{who}: {ours} is not {theirs}"
        assert {row["category"] for row in held[who]} == {category}, who
        compared += 2 * len(ours) + 1
    return compared


def positions(found: Snapshot) -> dict[str, list[dict[str, Any]]]:
    """Position rows by owner."""
    held: dict[str, list[dict[str, Any]]] = {}
    for row in found["positions"].to_dict("records"):
        held.setdefault(str(row["position_id"]), []).append({str(name): value for name, value in row.items()})
    return held


def compare_ticks(found: Snapshot, pool: str, ticks: Sequence[int], answers: Sequence[bytes]) -> int:
    """Hold ticks(int24) against our rows: both liquidities, and that it is initialised. Returns the numbers compared."""
    rows = found["pool_ticks"].to_dict("records")
    ours = {
        row["tick"]: (row["liquidity_gross_raw"], row["liquidity_net_raw"])
        for row in rows
        if address_of(row["pool"]) == pool.lower()
    }
    for tick, answer in zip(ticks, answers, strict=True):
        gross, net, *_, is_initialised = decode(TICK_TYPES, answer)
        assert is_initialised and ours[tick] == (gross, net), f"{tick}: {ours[tick]} is not {answer.hex()}"
    return 2 * len(ticks)


def report(ours: Cost, single: Cost, ticks: Cost, aaves: Cost, accounts: int, floor_bytes: int) -> tuple[str, bool]:
    """The table and the targets in words, and whether every target is met."""
    lines = [f"{'':<48}{'subjects':>9}{'requests':>10}{'seconds':>10}{'MB sent':>9}{'MB JSON':>9}"]
    slow = {"one call an account (getUserAccountData)": single, "UiPoolDataProviderV3 (getUserReservesData)": aaves}
    for name, cost in {"aftershock, all of it": ours, "one call a tick (ticks)": ticks, **slow}.items():
        whole = cost.for_all(accounts)
        lines.append(row(name, cost))
        if name in slow and cost.subjects != accounts:
            lines.append(row(f"  times {accounts / cost.subjects:.1f} (extrapolated)", whole))
    all_single, all_aaves = single.for_all(accounts), aaves.for_all(accounts)
    events = [sum(row[size] for name, row in ours.kinds.items() if "eth_getLogs" in name) for size in (1, 2)]
    targets = [
        ("requests, one call each : ours", (all_single.requests + ticks.requests) / ours.requests, FEWER_REQUESTS, 1),
        ("seconds, one call each : ours", (all_single.seconds + ticks.seconds) / ours.seconds, FASTER, 1),
        ("bytes sent : 32 an account + 32 a balance", ours.bytes_sent / floor_bytes, BYTES_RATIO, -1),
    ]
    met = [sign * value >= sign * target for _, value, target, sign in targets]
    lines.append("")
    for (name, value, target, sign), is_met in zip(targets, met, strict=True):
        word = "at least" if sign > 0 else "at most"
        lines.append(f"{name}  {value:.2f}, wanted {word} {target:g}: {'met' if is_met else 'NOT MET'}")
    lines += [
        f"  of these events, from which the accounts are known: {events[0] / 1e6:.2f} MB; all else: {(ours.bytes_sent - events[0]) / floor_bytes:.2f}",
        f"  as JSON, not compressed: {ours.bytes_unpacked / floor_bytes:.2f}, without events {(ours.bytes_unpacked - events[1]) / floor_bytes:.2f}",
        f"requests, UiPoolDataProviderV3 : ours  {all_aaves.requests / ours.requests:.1f}",
        f"seconds, UiPoolDataProviderV3 : ours  {all_aaves.seconds / ours.seconds:.1f}",
        "our HTTP requests by what they hold: "
        + ", ".join(f"{name} {requests} ({sent:,} bytes)" for name, (requests, sent, _) in sorted(ours.kinds.items())),
    ]
    return "\n".join(lines), all(met)


def row(name: str, cost: Cost) -> str:
    """A line of the table."""
    sizes = f"{cost.bytes_sent / 1e6:>9.2f}{cost.bytes_unpacked / 1e6:>9.2f}"
    return f"{name:<48}{cost.subjects:>9,}{cost.requests:>10,}{cost.seconds:>10.1f}{sizes}"


def main() -> int:
    """Build, read four times, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=1_000)
    parser.add_argument("--slow", type=int, default=300, help="accounts for the slow readers")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    started = time.perf_counter()
    with build_world(options.accounts) as world, tempfile.TemporaryDirectory() as folder:
        provider = world.ledger.deploy(compiled(PROVIDER)["UiPoolDataProviderV3"], *[world.feeds["ETH"].address] * 2)
        exchange = deploy_exchange(world)
        pool, ticks = provide_ticks(world, exchange, options.ticks)
        block = world.w3.eth.block_number
        built = time.perf_counter() - started
        out(
            f"{options.accounts:,} accounts and {len(ticks):,} ticks, batch-mined in {built:.0f} s; 50 ms a request added\n"
        )
        book = lending_and_ticks(exchange.deployments, Path(folder))
        found, ours = measured(world, options.accounts, lambda url: take(url, book, block))
        assert all(check.passed for check in found.checks), "a check against the chain failed"
        people = [account.address.lower() for account in world.accounts][: options.slow]
        asks = [world.pool.encode_abi("getUserAccountData", args=[checksum(who)]) for who in people]
        totals, single = measured(world, len(people), lambda url: one_by_one(url, world.pool.address, asks, block))
        asks = [exchange.pools[POOL].encode_abi("ticks", args=[tick]) for tick in ticks]
        each_tick, by_tick = measured(world, len(ticks), lambda url: one_by_one(url, pool, asks, block))
        where = world.market.addresses_provider.address
        asks = [provider.encode_abi("getUserReservesData", args=[where, checksum(who)]) for who in people]
        holdings, aaves = measured(world, len(people), lambda url: one_by_one(url, provider.address, asks, block))
    equal = compare_totals(found, people, totals) + compare_holdings(found, people, holdings)
    equal += compare_ticks(found, pool, ticks, each_tick)
    floor_bytes = 32 * options.accounts + 32 * len(found["positions"])
    text, met = report(ours, single, by_tick, aaves, options.accounts, floor_bytes)
    out(text)
    out(
        f"\n{equal:,} numbers of {len(people):,} accounts and {len(ticks):,} ticks compared, all equal; "
        f"{len(found['positions']):,} position rows, {len(found['pool_ticks']):,} tick rows"
    )
    if options.json:
        costs = {"ours": ours, "account": single, "tick": by_tick, "provider": aaves}
        options.json.write_text(json.dumps({name: vars(cost) for name, cost in costs.items()}, indent=2) + "\n")
    return 0 if met else 1


def out(text: str) -> None:
    """Say it at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
