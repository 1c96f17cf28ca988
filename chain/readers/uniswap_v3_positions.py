"""Who owns the liquidity of Uniswap V3 pools, and what they can collect. Written against v3-core 1.0.1 and v3-periphery 1.4.4.

A pool keeps one position for each owner and range; its `Mint` events name them all. Most belong to the NonfungiblePositionManager, which
keeps a position for each of its tokens; where the address book names it, its tokens stand in place of what the pool calls its own. Every
position adds its liquidity to two ticks, so one that was lost shows there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from chain.accounting.uniswap_v3 import Growth, amounts, growth_inside, owed
from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.node.together import Inquiry
from chain.units import entity_id

MINT = event_topic("Mint(address,address,int24,int24,uint128,uint256,uint256)")
MOST_TOKENS = 50_000
"""Most tokens of a position manager that are read one by one."""
IN_POOL = "positions(bytes32)->(uint128,uint256,uint256,uint128,uint128)"
OF_TOKEN = (
    "positions(uint256)->(uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128)"
)
Place = tuple[str, str, int, int]
"""Pool, owner, lower and upper tick."""


@dataclass(frozen=True)
class State:
    """What a pool's positions are counted with: sqrt price (2**-96), tick, fee growth of all and outside of each tick, (token 0, token 1, fee)."""

    sqrt_price: int
    tick: int
    growth: Growth
    outside: Mapping[int, Growth]
    trades: tuple[str, str, int]


@dataclass(frozen=True)
class Tokens:
    """What a position manager answers about its tokens, by (number, `position` or `owner`); its address is empty where none is named."""

    manager: str
    numbers: Sequence[int]
    answers: Mapping[tuple[int, str], Any]


def tokens(deployment: Deployment, found: Findings) -> Inquiry[Tokens]:
    """The tokens of the position manager that the address book names; none, and a gap, if it names none or there are too many."""
    label = f"{deployment.protocol} {deployment.instance}"
    manager = deployment.addresses.get("position_manager", "")
    if not manager:
        found.gaps.append(f"{label}: the book names no position_manager, so its tokens' owners are not read")
        return Tokens("", (), {})
    found.entity(manager, "contract", f"{label} position manager")
    count = (yield {"count": Call(manager, "totalSupply()->(uint256)")})["count"]
    if count > MOST_TOKENS:
        found.gaps.append(
            f"{label}: the owners of the {count} tokens of the position manager are not read; it stands as the owner itself"
        )
        return Tokens(manager, (), {})
    named = yield {index: Call(manager, "tokenByIndex(uint256)->(uint256)", (index,)) for index in range(count)}
    numbers = sorted(named.values())
    answers = yield {(number, "position"): Call(manager, OF_TOKEN, (number,)) for number in numbers} | {
        (number, "owner"): Call(manager, "ownerOf(uint256)->(address)", (number,)) for number in numbers
    }
    return Tokens(manager, numbers, answers)


def places(client: Client, pools: Sequence[str], first_block: int) -> dict[Place, Call]:
    """Where the pools keep positions, by their Mint events, and the question for each."""
    events = client.logs(pools, MINT, first_block, client.anchor.number)
    named = {
        (log.address, "0x" + log.topics[1][-40:], _signed(log.topics[2]), _signed(log.topics[3])) for log in events
    }
    return {place: Call(place[0], IN_POOL, (_key(place),)) for place in sorted(named)}


def add(found: Findings, pools: Mapping[str, State], asked: Mapping[Place, Sequence[int]], tokens: Tokens) -> None:
    """Add a row for every position with liquidity or something to collect; `asked` is what the pools answer about theirs."""
    # Decode
    in_pool = {place: _owed(pools[place[0]], place[2:], *_split(answer)) for place, answer in asked.items()}

    # Rows
    manager, kept = tokens.manager, tokens.answers
    for place, answer in asked.items():
        if not (tokens.numbers and place[1] == manager):
            identity = "/".join(map(str, place[1:]))
            _row(found, pools, place, identity, place[1], answer[0], in_pool[place], "positions")
    of_trades = {state.trades: pool for pool, state in pools.items()}
    for token in tokens.numbers:
        _, _, first, second, fee, lower, upper, liquidity, *rest = kept[token, "position"]
        pool = of_trades.get((first, second, fee))
        if pool is None:
            continue
        place = (pool, manager, lower, upper)
        before, had = (rest[0], rest[1]), (rest[2], rest[3])
        counted = _owed(pools[pool], (lower, upper), liquidity, before, had)
        # a pool pays no more than it keeps for all tokens of this range, which it does not touch for a token without liquidity
        most = in_pool.get(place, (0, 0)) if liquidity else asked.get(place, (0,) * 5)[3:]
        both = min(counted[0], most[0]), min(counted[1], most[1])
        _row(found, pools, place, f"{manager}/{token}", kept[token, "owner"], liquidity, both, f"positions({token})")
    for pool in pools:
        found.witness("positions read", (found.entity(pool, "pool"),), True)


def _row(
    found: Findings,
    pools: Mapping[str, State],
    place: Place,
    identity: str,
    owner: str,
    liquidity: int,
    to_collect: Growth,
    function: str,
) -> None:
    if not liquidity and not any(to_collect):
        return
    pool, keeper, lower, upper = place
    first, second = amounts([(lower, liquidity), (upper, -liquidity)], pools[pool].sqrt_price)
    found.add(
        "pool_positions",
        found.asked(function, keeper if "/" in identity and identity.count("/") == 1 else pool),
        pool=entity_id(found.anchor.chain, pool),
        position_id=identity,
        owner=found.entity(owner, "account"),
        tick_lower=lower,
        tick_upper=upper,
        liquidity_raw=liquidity,
        amount0_raw=first,
        amount1_raw=second,
        owed0_raw=to_collect[0],
        owed1_raw=to_collect[1],
    )


def _owed(state: State, bounds: tuple[int, int], liquidity: int, before: Growth, kept: Growth) -> Growth:
    below, above = (
        state.outside.get(tick, (0, 0)) for tick in bounds
    )  # 0 where no position is left, or a lost tick: a check tells
    return owed(liquidity, growth_inside(state.tick, bounds, state.growth, (below, above)), before, kept)


def _split(answer: Sequence[Any]) -> tuple[int, Growth, Growth]:
    """(liquidity, growth when it was last touched, owed then) of the pool's five numbers."""
    return answer[0], (answer[1], answer[2]), (answer[3], answer[4])


def _key(place: Place) -> bytes:
    """Position.get: the hash of owner, lower and upper tick, tightly packed."""
    ticks = b"".join(tick.to_bytes(3, "big", signed=True) for tick in place[2:])
    return keccak(bytes.fromhex(place[1][2:]) + ticks)


def _signed(topic: str) -> int:
    return int.from_bytes(bytes.fromhex(topic[2:]), "big", signed=True)
