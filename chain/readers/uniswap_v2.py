"""Uniswap V2: pairs, reserves, liquidity shares and who holds them. Written against UniswapV2Factory and UniswapV2Pair (v2-core 1.0.1).

The fee of 0.3 % is a constant in the pair's code and cannot be asked. A factory with many pairs is not read whole: then only the pairs
between assets that other readers came across are.
"""

from itertools import combinations

from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE, read_balances
from chain.units import ZERO_ADDRESS

VERSION = 1
FEE_WAD = 3 * 10**15
ALL_PAIRS = 500
"""Most pairs for which a factory is read whole."""

PAIR_ASKS = {
    "token0": "token0()->(address)",
    "token1": "token1()->(address)",
    "reserves": "getReserves()->(uint112,uint112,uint32)",
    "supply": "totalSupply()->(uint256)",
}


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read the pairs of one factory; ContractError if a contract refuses."""
    # Where
    factory = deployment.addresses["factory"]
    label = f"{deployment.protocol} {deployment.instance}"
    found.entity(factory, "contract", f"{label} factory", deployment.protocol)
    progress("uniswap_v2", 0, 3, "pairs")
    pairs = _pairs(client, factory, label, found)

    # Ask
    progress("uniswap_v2", 1, 3, many(len(pairs), "pair"))
    answers = client.ask({(pair, name): Call(pair, text) for pair in pairs for name, text in PAIR_ASKS.items()})
    held = client.ask(  # anybody can list a token that answers nothing
        {
            (pair, slot): Call(answers[pair, f"token{slot}"], BALANCE, (pair,), optional=True)
            for pair in pairs
            for slot in (0, 1)
        }
    )
    silent = sorted({answers[pair, f"token{slot}"] for (pair, slot), amount in held.items() if amount is None})
    if silent:
        found.gaps.append(f"{label}: tokens that answer no balanceOf of their pair: {', '.join(silent)}")

    # Rows
    for pair in pairs:
        key = found.entity(pair, "pool", protocol=deployment.protocol)
        found.add(
            "pools",
            found.asked("getReserves", pair),
            pool=key,
            chain=client.chain,
            protocol=deployment.protocol,
            kind="constant_product",
            lp_asset=found.token(pair, "lp_share", key, deployment.protocol),
            lp_supply_raw=answers[pair, "supply"],
            fee_wad=FEE_WAD,
            updated_at=answers[pair, "reserves"][2],
        )
        for slot in (0, 1):
            found.add(
                "pool_assets",
                found.asked("getReserves", pair),
                pool=key,
                asset=found.token(answers[pair, f"token{slot}"]),
                slot=slot,
                reserve_raw=answers[pair, "reserves"][slot],
                balance_raw=held[pair, slot],
            )
    progress("uniswap_v2", 2, 3, "holders of liquidity shares")
    read_balances(client, pairs, deployment.first_block, found)
    progress("uniswap_v2", 3, 3, "done")


def _pairs(client: Client, factory: str, label: str, found: Findings) -> list[str]:
    count = client.call(Call(factory, "allPairsLength()->(uint256)"))
    if count <= ALL_PAIRS:
        return client.call_many([Call(factory, "allPairs(uint256)->(address)", (slot,)) for slot in range(count)])
    tokens = sorted(address for address, mention in found.tokens.items() if mention.kind not in ("receipt", "debt"))
    asked = client.call_many(
        [Call(factory, "getPair(address,address)->(address)", two) for two in combinations(tokens, 2)]
    )
    pairs = sorted(set(asked) - {ZERO_ADDRESS})
    found.gaps.append(
        f"{label}: {len(pairs)} of {count} pairs were read, those between assets of the other deployments"
    )
    return pairs
