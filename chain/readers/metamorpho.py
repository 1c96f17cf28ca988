"""MetaMorpho: vaults over Morpho Blue markets; where their money is, in which order it moves, what a share is worth, who decides.

Written against v1.0 and v1.1 (morpho-org/metamorpho@f5faa9c2, tag v1.0.0, src/MetaMorpho.sol and MetaMorphoFactory.sol;
morpho-org/metamorpho-v1.1@0b3d2f45, src/MetaMorphoV1_1.sol). The second keeps its share price when it loses money and counts the loss in
lostAssets. What a vault has in a market is its position there, so the reader of Morpho Blue runs first; what it can pay now is the cash of those
markets. Tokens that lie in the vault itself are no part of totalAssets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.deployments import Deployment
from chain.errors import ContractError, many
from chain.findings import Findings, Progress
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers import access
from chain.readers.erc4626 import NO_RATE, Rate, rates
from chain.readers.holders import read_balances
from chain.units import ZERO_ADDRESS, token_id

VERSION = 1
CREATED = event_topic("CreateMetaMorpho(address,address,address,uint256,address,string,string,bytes32)")
ALLOCATOR = event_topic("SetIsAllocator(address,bool)")
ASKS = {
    "morpho": "MORPHO()->(address)",
    "asset": "asset()->(address)",
    "decimals": "decimals()->(uint8)",
    "offset": "DECIMALS_OFFSET()->(uint8)",
    "last_total": "lastTotalAssets()->(uint256)",
    "fee": "fee()->(uint96)",
    "timelock": "timelock()->(uint256)",
    "owner": "owner()->(address)",
    "curator": "curator()->(address)",
    "guardian": "guardian()->(address)",
    "waiting_timelock": "pendingTimelock()->(uint192,uint64)",
    "waiting_guardian": "pendingGuardian()->(address,uint64)",
    "supply": "supplyQueueLength()->(uint256)",
    "withdraw": "withdrawQueueLength()->(uint256)",
}
MAY_BE_SILENT = {"total": "totalAssets()->(uint256)", "lost": "lostAssets()->(uint256)"}
"""totalAssets fails where a market's rate model does; lostAssets is v1.1's."""
MOST_AT_ONCE = 500
"""Vaults in one question for events."""
QUEUES = ("supply", "withdraw")
MOST_MARKETS = 30
"""ConstantsLib.MAX_QUEUE_LENGTH (src/libraries/ConstantsLib.sol of both)."""
CONFIG = "config(bytes32)->(uint184,bool,uint64)"
PENDING_CAP = "pendingCap(bytes32)->(uint192,uint64)"
POWERS = {
    "owner": ("parameters", "caps", "allocate", "veto"),
    "curator": ("caps", "allocate"),
    "guardian": ("veto",),
    "allocator": ("allocate",),
}
"""Who may do what, by the modifiers of MetaMorpho.sol; only a cap that is raised waits for the timelock."""


@dataclass(frozen=True)
class _Market:
    """What was read of one Morpho market: its key, and the cash of its loan."""

    key: str
    cash: int


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one vault; ContractError if the contract is no MetaMorpho vault."""
    _vaults(client, deployment, [deployment.addresses["vault"]], found, progress)


def read_factory(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read every vault that a factory made; ContractError if a contract refuses."""
    factory = deployment.addresses["factory"]
    found.entity(factory, "contract", f"{deployment.protocol} {deployment.instance}", deployment.protocol)
    logs = client.logs([factory], CREATED, deployment.first_block, client.anchor.number, has_no_sum=True)
    made = dict.fromkeys("0x" + log.topics[1][-40:] for log in logs)
    _vaults(client, deployment, list(made), found, progress)


def _vaults(client: Client, deployment: Deployment, vaults: list[str], found: Findings, progress: Progress) -> None:
    # Where: a vault can be listed by itself and be made by a factory that is
    read_already = {row["claim"] for row in found.rows.get("backings", ())}
    vaults = [at for at in vaults if token_id(client.chain, at) not in read_already]
    progress("metamorpho", 0, 3, many(len(vaults), "vault"))
    read_before = _markets_read(found)
    groups = [vaults[start : start + MOST_AT_ONCE] for start in range(0, len(vaults), MOST_AT_ONCE)]
    first, last = deployment.first_block, client.anchor.number
    named = [log for group in groups for log in client.logs(group, ALLOCATOR, first, last, has_no_sum=True)]
    allocators = sorted({(log.address, "0x" + log.topics[1][-40:]) for log in named})

    # Ask
    calls = {(at, name): Call(at, text) for at in vaults for name, text in ASKS.items()}
    calls |= {(at, name): Call(at, text, optional=True) for at in vaults for name, text in MAY_BE_SILENT.items()}
    answers = client.ask(calls)
    for at, side in ((at, side) for at in vaults for side in QUEUES):
        if answers[at, side] > MOST_MARKETS:
            raise ContractError(
                f"{at} answers a {side} queue of {answers[at, side]} markets, a MetaMorpho vault has at most {MOST_MARKETS}; "
                "check this address in the deployments file"
            )
    places = [(at, side, slot) for at in vaults for side in QUEUES for slot in range(answers[at, side])]
    ids = client.ask({place: Call(place[0], f"{place[1]}Queue(uint256)->(bytes32)", (place[2],)) for place in places})
    pairs = sorted({(at, ids[at, side, slot]) for at, side, slot in places})
    terms = client.ask(
        {(*pair, text): Call(pair[0], text, pair[1:]) for pair in pairs for text in (CONFIG, PENDING_CAP)}
    )
    does = client.ask({pair: Call(pair[0], "isAllocator(address)->(bool)", pair[1:]) for pair in allocators})
    worth = rates(client, {at: (answers[at, "asset"], answers[at, "decimals"]) for at in vaults}, may_be_silent=True)

    # Rows
    progress("metamorpho", 1, 3, many(len(pairs), "allocation"))
    amounts = _supplied(found)
    for at in vaults:
        vault = {name: answers[at, name] for name in (*ASKS, *MAY_BE_SILENT)}
        queues = {side: [ids[at, side, slot] for slot in range(vault[side])] for side in QUEUES}
        markets = {key: read_before.get((vault["morpho"], "0x" + key.hex())) for side in QUEUES for key in queues[side]}
        has = {market.key: amounts.get((market.key, at), 0) for market in markets.values() if market}
        missing = sorted("0x" + key.hex() for key in queues["withdraw"] if markets[key] is None)
        found.entity(at, "vault", protocol=deployment.protocol)
        _queues(found, at, vault["timelock"], queues, markets, has, terms)
        _backing(found, at, vault, [markets[key] for key in queues["withdraw"]], has, missing, worth.get(at))
        powers = {role: [vault[role]] for role in ("owner", "curator", "guardian")}
        _authorities(
            found, at, vault, {**powers, "allocator": [who for of, who in allocators if of == at and does[of, who]]}
        )
    progress("metamorpho", 2, 3, "holders")
    for group in groups:
        read_balances(client, group, first, found)
    progress("metamorpho", 3, 3, "done")


def _markets_read(found: Findings) -> dict[tuple[str, str], _Market]:
    """(Morpho contract, market id) -> what the reader of Morpho Blue left of it."""
    cash = {(row["market"], row["asset"]): row["cash_raw"] for row in found.rows.get("reserves", ())}
    return {
        (row["address"], row["market"].rpartition("/")[2]): _Market(
            row["market"], cash[row["market"], row["base_asset"]]
        )
        for row in found.rows.get("markets", ())
        if row["family"] == "morpho_blue"
    }


def _supplied(found: Findings) -> dict[tuple[str, str], int]:
    """(Market, account) -> what it has supplied there."""
    rows = (row for row in found.rows.get("positions", ()) if row["side"] == "supply")
    return {(row["market"], row["position_id"]): row["amount_raw"] for row in rows}


def _queues(
    found: Findings,
    at: str,
    timelock: int,
    queues: Mapping[str, list[bytes]],
    markets: Mapping[bytes, _Market | None],
    has: Mapping[str, int],
    terms: Mapping[tuple[Any, ...], Any],
) -> None:
    for side in QUEUES:
        for slot, key in enumerate(queues[side]):
            market, (cap, _, removable) = markets[key], terms[at, key, CONFIG]
            if market is None:
                continue
            waits, waits_until = terms[at, key, PENDING_CAP]
            found.add(
                "queues",
                found.asked(f"{side}Queue", at),
                vault=token_id(found.anchor.chain, at),
                side=side,
                slot=slot,
                market=market.key,
                allocated_raw=has[market.key],
                cap_raw=cap,
                pending_cap_raw=waits if waits_until else None,
                pending_cap_at=waits_until or None,
                removable_at=removable or None,
                timelock_seconds=timelock,
            )


def _backing(
    found: Findings,
    at: str,
    vault: Mapping[str, Any],
    queue: list[_Market | None],
    has: Mapping[str, int],
    missing: list[str],
    rate: Rate | None,
) -> None:
    """What is behind all shares, and how much of it the markets could pay now. With a market that was not read, only what the vault says."""
    share, total = token_id(found.anchor.chain, at), vault["total"]
    known = [market for market in queue if market]
    held = sum(has[market.key] for market in known)
    if rate is None:
        found.gaps.append(f"{share}: {NO_RATE}")
    if missing:
        found.gaps.append(
            f"{share} lends to markets that were not read: {', '.join(missing)}; its allocation to them is left out"
        )
    elif total is None:
        found.gaps.append(f"{share} answers no totalAssets; what it has is the sum of its positions")
    else:
        found.witness("vault", (share,), (total, vault["lost"], 10 ** vault["offset"], rate))
    found.add(
        "backings",
        found.asked("totalAssets", at) if missing else f"positions of {at} in its withdraw queue",
        claim=found.token(at, "vault_share", found.entity(at, "vault")),
        backing=found.token(vault["asset"]),
        holder=found.entity(vault["morpho"], "contract"),
        amount_raw=(held if total is None else total) if missing else held,
        rate_wad=rate.wad if rate else None,
        redemption="instant",
        delay_seconds=0,
        capacity_raw=None if missing else sum(min(has[market.key], market.cash) for market in known),
        fee_wad=0,
        gain_fee_wad=vault["fee"],
        gain_base_raw=vault["last_total"],
    )


def _authorities(found: Findings, at: str, vault: Mapping[str, Any], held: Mapping[str, list[str]]) -> None:
    target, done = found.entity(at, "vault"), set()
    for role, powers in POWERS.items():
        for who, power in ((who, power) for who in held[role] if who != ZERO_ADDRESS for power in powers):
            if (who, power) not in done:
                access.add_power(found, who, target, power, found.asked(role, at))
                done.add((who, power))
                if power == "caps":
                    found.rows["authorities"][-1]["delay_seconds"] = vault["timelock"]
    for what, (value, since) in {name: vault[f"waiting_{name}"] for name in ("timelock", "guardian")}.items():
        if since:
            found.gaps.append(
                f"{token_id(found.anchor.chain, at)}: from {since} on anybody may make its {what} {value}; that is no row"
            )
