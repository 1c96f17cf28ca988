"""Uniswap V3: pools between the assets that other readers came across, and every initialised tick of each. Written against v3-core 1.0.1.

The fee levels are those that the factory announced (FeeAmountEnabled). The ticks are found in the pool's own bitmap, all of its words, so
none is missed. The reserve of a pool is what its liquidity stands for at the price, rounded down; its balance also holds fees that were
not collected yet. Who owns the positions is read in `uniswap_v3_positions`.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from chain.accounting.uniswap_v3 import MAX_TICK, MIN_TICK, amounts
from chain.deployments import Deployment
from chain.errors import ContractError, many
from chain.findings import Findings, Progress
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.node.together import Inquiry, together
from chain.readers import uniswap_v3_positions
from chain.readers.holders import BALANCE
from chain.units import WAD, ZERO_ADDRESS

VERSION = 2
FEE_UNIT = 10**6
FEE_ENABLED = event_topic("FeeAmountEnabled(uint24,int24)")
POOL_ASKS = {
    "token0": "token0()->(address)",
    "token1": "token1()->(address)",
    "slot0": "slot0()->(uint160,int24,uint16,uint16,uint16,uint8,bool)",
    "liquidity": "liquidity()->(uint128)",
    "fee": "fee()->(uint24)",
    "spacing": "tickSpacing()->(int24)",
    "owed": "protocolFees()->(uint128,uint128)",
    "growth0": "feeGrowthGlobal0X128()->(uint256)",
    "growth1": "feeGrowthGlobal1X128()->(uint256)",
}
TICK = "ticks(int24)->(uint128,int128,uint256,uint256,int56,uint160,uint32,bool)"


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read the pools of one factory; ContractError if a contract refuses."""
    # Where
    factory = deployment.addresses["factory"]
    label = f"{deployment.protocol} {deployment.instance}"
    found.entity(factory, "contract", f"{label} factory", deployment.protocol)

    # Ask
    progress("uniswap_v3", 0, 2, "pools")
    (answers, held), tokens = together(
        client,
        _pools(client, factory, deployment.first_block, found),
        uniswap_v3_positions.tokens(deployment, found),
    )
    pools = list(answers)
    spacings = {pool: answers[pool]["spacing"] for pool in pools}
    progress("uniswap_v3", 1, 2, f"{many(len(pools), 'pool')}, ticks and positions")
    places = uniswap_v3_positions.places(client, pools, deployment.first_block)
    initialised = _ticks(spacings, held)
    asks: dict[Any, Call] = {**initialised, **places}
    asked = client.ask(asks)
    ticks: dict[str, dict[int, tuple[int, int, int, int]]] = {pool: {} for pool in pools}
    for pool, tick in initialised:
        ticks[pool][tick] = asked[pool, tick][:4]

    # Rows
    for pool in pools:
        answer = answers[pool]
        sqrt_price, tick = answer["slot0"][:2]
        key = found.entity(pool, "pool", protocol=deployment.protocol)
        found.add(
            "pools",
            found.asked("slot0", pool),
            pool=key,
            chain=client.chain,
            protocol=deployment.protocol,
            kind="concentrated",
            fee_wad=answer["fee"] * WAD // FEE_UNIT,
            tick=tick,
            tick_spacing=answer["spacing"],
            sqrt_price_x96=sqrt_price,
            liquidity_raw=answer["liquidity"],
        )
        nets = [(place, net) for place, (_, net, *_) in sorted(ticks[pool].items())]
        for slot, needed in enumerate(amounts(nets, sqrt_price)):
            found.add(
                "pool_assets",
                found.asked("slot0 and ticks", pool),
                pool=key,
                asset=found.token(answer[f"token{slot}"]),
                slot=slot,
                reserve_raw=max(needed, 0),  # below 0 only if ticks are missing, which a check then finds
                balance_raw=held[pool, f"token{slot}"],
            )
            asset = found.token(answer[f"token{slot}"])
            found.witness("owed", (key, asset), answer["owed"][slot])
        for place, (gross, net, *_) in ticks[pool].items():
            found.add(
                "pool_ticks",
                found.asked("ticks", pool),
                pool=key,
                tick=place,
                liquidity_net_raw=net,
                liquidity_gross_raw=gross,
            )
    states = {
        pool: uniswap_v3_positions.State(
            answers[pool]["slot0"][0],
            answers[pool]["slot0"][1],
            (answers[pool]["growth0"], answers[pool]["growth1"]),
            {place: (below, above) for place, (_, _, below, above) in ticks[pool].items()},
            (answers[pool]["token0"], answers[pool]["token1"], answers[pool]["fee"]),
        )
        for pool in pools
    }
    uniswap_v3_positions.add(found, states, {place: asked[place] for place in places}, tokens)
    progress("uniswap_v3", 2, 2, "done")


def _pools(
    client: Client, factory: str, first_block: int, found: Findings
) -> Inquiry[tuple[dict[str, dict[str, Any]], dict[tuple[str, Any], int]]]:
    """Pools between the known assets, at every fee level of the factory: their answers, and the words of their bitmaps beside their balances."""
    events = client.logs([factory], FEE_ENABLED, first_block, client.anchor.number, has_no_sum=True)
    fees = sorted({int(log.topics[1], 16) for log in events})
    if not fees:
        raise ContractError(
            f"The factory {factory} announced no fee level from block {first_block} on; check address and first_block"
        )
    tokens = sorted(address for address, mention in found.tokens.items() if mention.kind not in ("receipt", "debt"))
    named = yield {
        (*pair, fee): Call(factory, "getPool(address,address,uint24)->(address)", (*pair, fee))
        for pair in combinations(tokens, 2)
        for fee in fees
    }
    pools = sorted(set(named.values()) - {ZERO_ADDRESS})
    asked = yield {(pool, name): Call(pool, text) for pool in pools for name, text in POOL_ASKS.items()}
    answers = {pool: {name: asked[pool, name] for name in POOL_ASKS} for pool in pools if asked[pool, "slot0"][0]}
    held = yield {  # the others have no price yet
        (pool, token): Call(answer[token], BALANCE, (pool,))
        for pool, answer in answers.items()
        for token in ("token0", "token1")
    } | _bitmap({pool: answer["spacing"] for pool, answer in answers.items()})
    return answers, held


def _bitmap(spacings: Mapping[str, int]) -> dict[tuple[str, Any], Call]:
    """The questions for all words of the pools' bitmaps, by pool and word: 256 ticks each."""
    return {
        (pool, word): Call(pool, "tickBitmap(int16)->(uint256)", (word,))
        for pool, spacing in spacings.items()
        for word in range((MIN_TICK // spacing) >> 8, (MAX_TICK // spacing >> 8) + 1)
    }


def _ticks(spacings: Mapping[str, int], words: Mapping[tuple[str, Any], int]) -> dict[tuple[str, int], Call]:
    """The questions for every initialised tick, by pool and tick, given the bitmaps."""
    ticks = [
        (pool, (256 * word + bit) * spacings[pool])
        for pool, word in _bitmap(spacings)
        if (bits := words[pool, word])
        for bit in range(256)
        if bits >> bit & 1
    ]
    return {(pool, tick): Call(pool, TICK, (tick,)) for pool, tick in ticks}
