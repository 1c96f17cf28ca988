"""What a reading costs: ours against one call an account and against Aave's own UiPoolDataProviderV3, side by side in one run.

    python -m benchmarks.readers --accounts 10000 --slow 300

The accounts are batch-mined: real transactions against Aave V3.6 on a local node, through tests/devnet. All three readers go through
the same proxy, which adds 50 ms to every HTTP request and counts requests and the bytes of the answers. The two slow readers are run
on the first `--slow` accounts only; what is printed for all accounts is that, times the ratio of the two numbers, and marked so.
The run fails (exit code 1) if any answer of the slow readers differs from our rows, and says which targets are met.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address as checksum

from chain.checks import aave_account
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import address_of
from tests.chain.faults.proxy import Exchange, Proxy, serve
from tests.devnet.contracts import compiled
from tests.devnet.world import World, build_world

DELAY_SECONDS = 0.05
PROVIDER = "@aave-dao/aave-v3-origin/src/contracts/helpers/UiPoolDataProviderV3.sol"
FEWER_REQUESTS, FASTER, BYTES_RATIO = 300, 20, 2.0


@dataclass(frozen=True)
class Cost:
    """HTTP requests, seconds, bytes of the answers' bodies, for so many accounts."""

    accounts: int
    requests: int
    seconds: float
    bytes_down: int

    def for_all(self, accounts: int) -> "Cost":
        """The same a head for another number of accounts."""
        ratio = accounts / self.accounts
        return Cost(accounts, round(self.requests * ratio), self.seconds * ratio, round(self.bytes_down * ratio))


@dataclass
class Bytes:
    """Bytes of answers by kind of question; spoils nothing."""

    down: dict[str, int]

    def __call__(self, exchange: Exchange) -> None:
        """Note what is asked; the bytes are the proxy's."""
        for method in exchange.methods:
            self.down[method] = self.down.get(method, 0) + 1


def measured(world: World, accounts: int, work: Callable[[str], Any]) -> tuple[Any, Cost, dict[str, int]]:
    """Do the work through the proxy; its result and its cost, and the HTTP requests that held each method."""
    kinds = Bytes({})
    with serve(Proxy([world.url], [kinds], DELAY_SECONDS)) as proxy:
        started = time.perf_counter()
        result = work(proxy.url)
        seconds = time.perf_counter() - started
    return result, Cost(accounts, proxy.requests, seconds, proxy.bytes_down), kinds.down


def aave_only(world: World, folder: Path) -> Path:
    """The world's address book without its exchanges, feeds and tokens."""
    text = world.deployments.read_text()
    kept = [part for part in text.split("[[deployments]]") if 'reader = "aave_v3"' in part]
    path = folder / "aave.toml"
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


def report(costs: Mapping[str, Cost], all_accounts: int, floor_bytes: int) -> tuple[str, bool]:
    """The table and the targets in words, and whether every target is met."""
    lines = [f"{'':<44}{'accounts':>9}{'requests':>10}{'seconds':>10}{'MB down':>9}"]
    for name, cost in costs.items():
        lines.append(
            f"{name:<44}{cost.accounts:>9,}{cost.requests:>10,}{cost.seconds:>10.1f}{cost.bytes_down / 1e6:>9.2f}"
        )
        if cost.accounts != all_accounts:
            whole = cost.for_all(all_accounts)
            lines.append(
                f"{'  times ' + format(all_accounts / cost.accounts, '.1f') + ' (extrapolated)':<44}{whole.accounts:>9,}"
                f"{whole.requests:>10,}{whole.seconds:>10.1f}{whole.bytes_down / 1e6:>9.2f}"
            )
    ours, *slow = costs.values()
    each = [cost.for_all(all_accounts) for cost in slow]
    targets = [
        ("requests, one call an account : ours", each[0].requests / ours.requests, FEWER_REQUESTS, True),
        ("seconds, one call an account : ours", each[0].seconds / ours.seconds, FASTER, True),
        ("bytes of our answers : 32 an account + 32 a balance", ours.bytes_down / floor_bytes, BYTES_RATIO, False),
    ]
    lines += ["", f"requests, UiPoolDataProviderV3 : ours  {each[1].requests / ours.requests:.1f}"]
    lines += [f"seconds, UiPoolDataProviderV3 : ours  {each[1].seconds / ours.seconds:.1f}"]
    met = []
    for name, value, target, at_least in targets:
        met.append(value >= target if at_least else value <= target)
        word = "at least" if at_least else "at most"
        lines.append(f"{name}  {value:.1f}, wanted {word} {target:g}: {'met' if met[-1] else 'NOT MET'}")
    return "\n".join(lines), all(met)


def main() -> int:
    """Build, read three times, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=300, help="accounts for the slow readers")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    started = time.perf_counter()
    with build_world(options.accounts) as world, tempfile.TemporaryDirectory() as folder:
        provider = world.ledger.deploy(compiled(PROVIDER)["UiPoolDataProviderV3"], *[world.feeds["ETH"].address] * 2)
        block = world.w3.eth.block_number
        out(
            f"{options.accounts:,} accounts, batch-mined in {time.perf_counter() - started:.0f} s; 50 ms a request added\n"
        )
        book = aave_only(world, Path(folder))
        found, ours, kinds = measured(world, options.accounts, lambda url: take(url, book, block))
        assert all(check.passed for check in found.checks), "a check against the chain failed"
        people = [account.address.lower() for account in world.accounts][: options.slow]
        asks = [world.pool.encode_abi("getUserAccountData", args=[checksum(who)]) for who in people]
        totals, single, _ = measured(
            world, len(people), lambda url: one_by_one(url, str(world.pool.address), asks, block)
        )
        where = world.market.addresses_provider.address
        wide = [provider.encode_abi("getUserReservesData", args=[where, checksum(who)]) for who in people]
        holdings, aaves, _ = measured(
            world, len(people), lambda url: one_by_one(url, str(provider.address), wide, block)
        )
    equal = compare_totals(found, people, totals) + compare_holdings(found, people, holdings)
    costs = {
        "aftershock, all accounts and reserves": ours,
        "one call an account (getUserAccountData)": single,
        "UiPoolDataProviderV3 (getUserReservesData)": aaves,
    }
    floor_bytes = 32 * options.accounts + 32 * len(found["positions"])
    text, met = report(costs, options.accounts, floor_bytes)
    out(text)
    out(
        f"\n{equal:,} numbers of {len(people):,} accounts compared, all equal; {len(found['positions']):,} position rows"
    )
    out("our HTTP requests by what they hold: " + ", ".join(f"{name} {count}" for name, count in sorted(kinds.items())))
    if options.json:
        options.json.write_text(json.dumps({name: vars(cost) for name, cost in costs.items()}, indent=2) + "\n")
    return 0 if met else 1


def out(text: str) -> None:
    """Say it at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
