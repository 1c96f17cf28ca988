"""Balancer V2: weighted and stable pools, what the vault keeps for them, and who holds their shares. Written against the Vault and the pools of
@balancer-labs/v2-deployments 3.2.0 (weighted 20210418 to 20230206, stable 20220609, composable stable 20220906 to 20230206).

Every pool's tokens lie in one vault. A composable pool lists its own share among its tokens, minted in advance: the share is left out
of `pool_assets`, and `lp_supply_raw` counts only what somebody has. A pool that answers neither weights nor an amplification is a gap.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers.holders import BALANCE, read_balances
from chain.units import WAD, ZERO_ADDRESS

VERSION = 1
ALL_POOLS = 500
"""Most pools for which a vault is read whole."""
NAMED = 20
"""Pools that a gap names one by one."""
REGISTERED = event_topic("PoolRegistered(bytes32,address,uint8)")
LIMIT_OF_A_FACTOR = 10**36
POOL_ASKS = {
    "weights": "getNormalizedWeights()->(uint256[])",
    "amplification": "getAmplificationParameter()->(uint256,bool,uint256)",
    "factors": "getScalingFactors()->(uint256[])",
    "providers": "getRateProviders()->(address[])",
    "fee": "getSwapFeePercentage()->(uint256)",
    "paused": "getPausedState()->(bool,uint256,uint256)",
    "open": "getSwapEnabled()->(bool)",
    "supply": "totalSupply()->(uint256)",
    "actual": "getActualSupply()->(uint256)",
    "virtual": "getVirtualSupply()->(uint256)",
    "invariant": "getInvariant()->(uint256)",
    "rate": "getRate()->(uint256)",
}
TOKENS = "getPoolTokens(bytes32)->(address[],uint256[],uint256)"
KEPT = "getPoolTokenInfo(bytes32,address)->(uint256,uint256,uint256,address)"
RATE_CACHES = (
    "getTokenRateCache(address)->(uint256,uint256,uint256,uint256)",  # composable: rate, old rate, duration, expires
    "getPriceRateCache(address)->(uint256,uint256,uint256)",  # meta-stable: rate, duration, expires
)


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read the pools of one vault; ContractError if a contract refuses."""
    # Where
    vault = deployment.addresses["vault"]
    label = f"{deployment.protocol} {deployment.instance}"
    holder = found.entity(vault, "contract", f"{label} vault", deployment.protocol)
    progress("balancer_v2", 0, 3, "pools")
    ids = _pools(client, vault, deployment.first_block, label, found)

    # Ask
    progress("balancer_v2", 1, 3, many(len(ids), "pool"))
    asked = client.ask(
        {(pool, name): Call(pool, text, optional=True) for pool in ids for name, text in POOL_ASKS.items()}
    )
    asked |= client.ask({(pool, "tokens"): Call(vault, TOKENS, (pool_id,)) for pool, pool_id in ids.items()})
    answers = {pool: {name: asked[pool, name] for name in (*POOL_ASKS, "tokens")} for pool in ids}
    pools = [pool for pool in ids if _is_known(pool, answers[pool])]
    if others := [pool for pool in ids if pool not in pools]:
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        found.gaps.append(
            f"{label}: pools of other kinds than weighted and stable, or empty, are not read: {', '.join(others[:NAMED])}{more}"
        )
    places = [(pool, token) for pool in pools for token in answers[pool]["tokens"][0]]
    kept = client.ask({(pool, token): Call(vault, KEPT, (ids[pool], token)) for pool, token in places})
    every = sorted({token for _, token in places})
    held = client.ask({token: Call(token, BALANCE, (vault,), optional=True) for token in every})
    decimals = client.ask({token: Call(token, "decimals()->(uint8)", optional=True) for token in every})
    fresh = _fresh_rates(client, {pool: answers[pool] for pool in pools})
    vault_paused = client.call(Call(vault, "getPausedState()->(bool,uint256,uint256)"))[0]

    # Rows
    for pool in pools:
        is_moving = any(of == pool for of, _ in fresh)
        _rows(client, deployment, pool, answers[pool], is_moving, found)
        tokens = answers[pool]["tokens"][0]
        key = found.rows["pools"][-1]["pool"]
        found.rows["pools"][-1]["paused"] = found.rows["pools"][-1]["paused"] or vault_paused
        factors = _factors(answers[pool], tokens, decimals, {token: fresh.get((pool, token)) for token in tokens})
        weights = iter(answers[pool]["weights"] or ())
        for slot, token in enumerate(tokens):
            if token == pool:
                continue
            cash, managed = kept[pool, token][:2]
            found.add(
                "pool_assets",
                found.asked("getPoolTokenInfo", vault),
                pool=key,
                asset=found.token(token),
                slot=slot,
                reserve_raw=cash + managed,
                managed_raw=managed,
                weight_wad=next(weights, None),
                rate_raw=factors[slot],
            )
            found.add(
                "backings",
                found.asked("getPoolTokenInfo", vault),
                claim=found.token(pool, "lp_share", key, deployment.protocol),
                backing=found.token(token),
                holder=holder,
                amount_raw=cash + managed,
                redemption="instant",
                delay_seconds=0,
            )
    for token, amount in held.items():
        if amount is not None:
            found.witness("held by vault", (holder, found.token(token)), amount)
    progress("balancer_v2", 2, 3, "holders of pool shares")
    read_balances(client, pools, deployment.first_block, found)
    progress("balancer_v2", 3, 3, "done")


def _pools(client: Client, vault: str, first_block: int, label: str, found: Findings) -> dict[str, bytes]:
    """Pool -> its id. Of a vault with many, those all of whose tokens other readers came across."""
    events = client.logs([vault], REGISTERED, first_block, client.anchor.number, has_no_sum=True)
    ids = {"0x" + log.topics[2][-40:]: bytes.fromhex(log.topics[1][2:]) for log in events}
    if len(ids) <= ALL_POOLS:
        return ids
    tokens = client.ask({pool: Call(vault, TOKENS, (pool_id,)) for pool, pool_id in ids.items()})
    chosen = {pool: ids[pool] for pool in ids if set(tokens[pool][0]) - {pool} <= set(found.tokens)}
    found.gaps.append(
        f"{label}: {len(chosen)} of {len(ids)} pools were read, those between assets of the other deployments"
    )
    return chosen


def _is_known(pool: str, answer: Mapping[str, Any]) -> bool:
    """Whether a pool has a weight for each of its tokens, or an amplification, and something in it."""
    tokens, balances, _ = answer["tokens"]
    others = [balance for token, balance in zip(tokens, balances, strict=True) if token != pool]
    if not any(others) or answer["fee"] is None or answer["paused"] is None or answer["supply"] is None:
        return False
    return len(answer["weights"] or ()) == len(others) or answer["amplification"] is not None


def _rows(
    client: Client, deployment: Deployment, pool: str, answer: Mapping[str, Any], is_moving: bool, found: Findings
) -> None:
    """The row of a pool, and its own word on invariant or rate (not where it would first take up other rates than it counts with now)."""
    key = found.entity(pool, "pool", protocol=deployment.protocol)
    is_weighted = bool(answer["weights"])
    amplification, _, unit = answer["amplification"] or (None, None, None)
    tokens, balances, _ = answer["tokens"]
    own = sum(balance for token, balance in zip(tokens, balances, strict=True) if token == pool)
    counted = [answer["actual"], answer["virtual"], answer["supply"] - own]
    found.add(
        "pools",
        found.asked("getSwapFeePercentage", pool),
        pool=key,
        chain=client.chain,
        protocol=deployment.protocol,
        kind="weighted" if is_weighted else "stableswap",
        revision=_revision(answer),
        lp_asset=found.token(pool, "lp_share", key, deployment.protocol),
        lp_supply_raw=next(supply for supply in counted if supply is not None),
        fee_wad=answer["fee"],
        amplification_raw=amplification,
        amplification_unit_raw=unit,
        paused=answer["paused"][0] or answer["open"] is False,
    )
    name = "invariant" if is_weighted else "rate"
    if answer[name] is not None and not is_moving:
        found.witness(f"pool {name}", (key,), answer[name])


def _revision(answer: Mapping[str, Any]) -> str:
    """Which rounding: weighted pools before 20220908 have no rate providers and take every power by logarithms."""
    if not answer["weights"]:
        return "balancer_stable"
    return "balancer_weighted_1" if answer["providers"] is None else "balancer_weighted_2"


def _fresh_rates(client: Client, answers: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], int | None]:
    """(Pool, token) -> the rate that the next swap takes up, where the cached one has expired (None where its provider is silent)."""
    behind = {
        (pool, token): provider
        for pool, answer in answers.items()
        if answer["amplification"] is not None and answer["providers"] is not None
        for token, provider in zip(answer["tokens"][0], answer["providers"], strict=False)
        if provider != ZERO_ADDRESS
    }
    caches = client.ask(
        {(place, text): Call(place[0], text, (place[1],), optional=True) for place in behind for text in RATE_CACHES}
    )
    expires = {
        place: max(cache[-1] for text in RATE_CACHES if (cache := caches[place, text]) is not None)
        for place in behind
        if any(caches[place, text] is not None for text in RATE_CACHES)
    }
    expired = {place: behind[place] for place, until in expires.items() if client.anchor.timestamp > until}
    return client.ask({place: Call(at, "getRate()->(uint256)", optional=True) for place, at in expired.items()})


def _factors(
    answer: Mapping[str, Any],
    tokens: Sequence[str],
    decimals: Mapping[str, int | None],
    fresh: Mapping[str, int | None],
) -> list[int | None]:
    """What a balance is multiplied by (1e-18) to have 18 decimals, and by its rate; None where it cannot be known."""
    plain = [
        None if (places := decimals[token]) is None or places > 18 else LIMIT_OF_A_FACTOR // 10**places
        for token in tokens
    ]
    said = answer["factors"] if answer["factors"] is not None and len(answer["factors"]) == len(tokens) else plain
    return [
        factor if (rate := fresh[token]) is None or base is None else base * rate // WAD
        for token, factor, base in zip(tokens, said, plain, strict=True)
    ]
