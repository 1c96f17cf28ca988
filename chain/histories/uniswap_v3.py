"""Observations of Uniswap V3 pools: every slot of a pool's oracle as the contract wrote it, worked out from its events.

A pool keeps few slots (one, unless somebody paid for more) and writes over them, so they cannot be read afterwards. They follow from the events:
Oracle.write adds tick x seconds to the last cumulative tick, in the first swap of a block that moves the tick and the first change of liquidity
around it (UniswapV3Pool.sol: initialize, _modifyPosition, swap; libraries/Oracle.sol; npm @uniswap/v3-core 1.0.1). What they start from is the pool's
state before the range; what comes out is compared with its state after it, so every row is verified. Both are asked of the node at those blocks.

Which pools: those of the factory between tokens that the address book lists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from chain.deployments import Deployment
from chain.errors import NodeError
from chain.histories.events import event
from chain.node.calls import Call, Log
from chain.node.client import Client
from chain.readers.uniswap_v3 import FEE_ENABLED, POOL_ASKS
from chain.units import ZERO_ADDRESS, entity_id

_TICKS = "int24 indexed tickLower, int24 indexed tickUpper, uint128 amount, uint256 amount0, uint256 amount1"
_EVENTS = (
    "Initialize(uint160 sqrtPriceX96, int24 tick)",
    f"Mint(address sender, address indexed owner, {_TICKS})",
    f"Burn(address indexed owner, {_TICKS})",
    "Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, uint160 sqrtPriceX96, uint128 liquidity, int24 tick)",
    "IncreaseObservationCardinalityNext(uint16 observationCardinalityNextOld, uint16 observationCardinalityNextNew)",
)
SHAPES = {shape.topic: shape for shape in map(event, _EVENTS)}
OBSERVATION = "observations(uint256)->(uint32,int56,uint160,bool)"
UINT32 = 2**32
INT56 = 2**56


@dataclass(frozen=True)
class Oracle:
    """What decides the next observation: tick now, slot written last, slots used and paid for, its time (uint32) and cumulative tick (int56)."""

    tick: int
    slot: int
    slots: int
    paid: int
    time: int
    cumulative: int

    def write(self, time_s: int) -> "Oracle":
        """Oracle.write at a block's time; itself if it wrote in this block already."""
        now = time_s % UINT32
        if now == self.time:
            return self
        slots = self.paid if self.paid > self.slots and self.slot == self.slots - 1 else self.slots
        cumulative = self.cumulative + self.tick * ((now - self.time) % UINT32)
        cumulative = (cumulative + INT56 // 2) % INT56 - INT56 // 2
        return replace(self, slot=(self.slot + 1) % slots, slots=slots, time=now, cumulative=cumulative)


def after(before: Oracle | None, name: str, values: Mapping[str, Any], time_s: int) -> Oracle | None:
    """The oracle after one event; None before the pool has a price."""
    if name == "Initialize":
        return Oracle(values["tick"], 0, 1, 1, time_s % UINT32, 0)
    if before is None:
        return None
    if name == "Swap":
        written = before.write(time_s) if values["tick"] != before.tick else before
        return replace(written, tick=values["tick"])
    if name == "IncreaseObservationCardinalityNext":
        return replace(before, paid=values["observationCardinalityNextNew"])
    is_around = values["tickLower"] <= before.tick < values["tickUpper"]
    return before.write(time_s) if values["amount"] and is_around else before


def pools(client: Client, factory: Deployment, deployments: Sequence[Deployment]) -> list[str]:
    """Pools of a factory between the tokens of the address book, at every fee level that it announced."""
    address = factory.addresses["factory"]
    logs = client.logs([address], FEE_ENABLED, factory.first_block, client.anchor.number, has_no_sum=True)
    tokens = sorted({token.address for one in deployments for token in one.tokens})
    asked = [
        Call(address, "getPool(address,address,uint24)->(address)", (*pair, fee))
        for pair in combinations(tokens, 2)
        for fee in sorted({int(log.topics[1], 16) for log in logs})
    ]
    return sorted(set(client.call_many(asked)) - {ZERO_ADDRESS})


def state(client: Client | None, addresses: Sequence[str]) -> dict[str, Oracle | None]:
    """The oracles at a client's block; None for a pool that is not there yet or has no price."""
    if client is None:
        return dict.fromkeys(addresses)
    slots = client.ask({at: Call(at, POOL_ASKS["slot0"], optional=True) for at in addresses})
    live = {at: slot for at, slot in slots.items() if slot is not None and slot[0]}
    last = client.ask({at: Call(at, OBSERVATION, (slot[2],)) for at, slot in live.items()})
    found: dict[str, Oracle | None] = dict.fromkeys(addresses)
    for at, (_, tick, slot, slots, paid, *_) in live.items():
        found[at] = Oracle(tick, slot, slots, paid, last[at][0], last[at][1])
    return found


def observations(
    before: Mapping[str, Oracle | None],
    then: Mapping[str, Oracle | None],
    logs: Sequence[Log],
    times: Mapping[int, int],
    chain: str,
) -> list[tuple[Log, dict[str, Any]]]:
    """(event, columns) of every slot that was written.

    Parameters
    ----------
    before, then : oracles at the block before the events and at the last one.
    times : timestamp of each block that has events.

    Raises
    ------
    NodeError
        If the events do not lead from the one to the other.
    """
    now, rows = dict(before), list[tuple[Log, dict[str, Any]]]()
    for log in logs:
        shape, time_s = SHAPES[log.topics[0]], times[log.block_number]
        was = now[log.address]
        one = now[log.address] = after(was, shape.name, shape.values(log), time_s)
        if one is not None and (was is None or one.time != was.time):
            columns = {
                "source": entity_id(chain, log.address),
                "round": str(one.slot),
                "value_raw": one.cumulative,
                "decimals": 0,
            }
            evidence = f"event {shape.name} @{log.address} block {log.block_number} log {log.log_index}"
            rows.append((log, columns | {"updated_at": time_s, "evidence": evidence, "status": "verified"}))
    wrong = [at for at in now if now[at] != then[at]]
    if wrong:
        raise NodeError(
            f"The events of pool {wrong[0]} do not lead to what it stores ({len(wrong)} such pools); the node left events out, use another"
        )
    return rows
