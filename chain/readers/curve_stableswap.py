"""Curve's stableswap pools: coins, balances, amplification, fees, and who holds their shares. Written against curvefi/curve-contract, commit
574f44027d089de0eac765f5a74ea5ae96aba968 (3pool; templates base, eth and meta), and the Registry of curvefi/curve-pool-registry, commit
0bdb116024ccacda39295bb3949c3e6dd0a8e2d9.

The registry says which pools there are and which token is a pool's share (a factory does not: there the pool is its own share). A metapool
counts its last coin at the virtual price of the base pool, which it keeps for ten minutes. Pools that lend their coins out, or ask
another contract for a rate, and those whose fee moves with their balance are read, but the rates stay empty: nothing here prices them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chain.deployments import Deployment
from chain.errors import many
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE, read_balances
from chain.units import WAD, ZERO_ADDRESS, native_id

VERSION = 1
ALL_POOLS = 500
"""Most pools for which a registry is read whole."""
MOST_COINS = 8
FEE_UNIT = 10**10
A_PRECISION = 100
BASE_RATE_SECONDS = 600
"""BASE_CACHE_EXPIRES of SwapTemplateMeta.vy."""
NATIVE = "0x" + "ee" * 20
"""How a pool names the native coin."""
SIZES = (10**6, 10**3, 7)
"""A sale that is checked is this part of the balance sold."""
INDEX_TYPES = ("uint256", "int128")  # pools before 2020-09 take the second
POOL_ASKS = {
    "A": "A()->(uint256)",
    "A_precise": "A_precise()->(uint256)",
    "fee": "fee()->(uint256)",
    "admin_fee": "admin_fee()->(uint256)",
    "virtual_price": "get_virtual_price()->(uint256)",
    "lp_token": "lp_token()->(address)",
    "base_pool": "base_pool()->(address)",
    "base_rate": "base_virtual_price()->(uint256)",
    "base_time": "base_cache_updated()->(uint256)",
    "moving_fee": "offpeg_fee_multiplier()->(uint256)",
    "moving_rates": "stored_rates()->(uint256[])",
}
LENDS = {"lends": "underlying_coins(uint256)->(address)", "lends_early": "underlying_coins(int128)->(address)"}


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read the pools of one registry or factory; ContractError if a contract refuses."""
    # Where
    registry = deployment.addresses["registry"]
    label = f"{deployment.protocol} {deployment.instance}"
    found.entity(registry, "contract", f"{label} registry", deployment.protocol)
    progress("curve_stableswap", 0, 3, "pools")
    coins = _pools(client, registry, label, found)

    # Ask
    progress("curve_stableswap", 1, 3, many(len(coins), "pool"))
    asked = client.ask(
        {(pool, name): Call(pool, text, optional=True) for pool in coins for name, text in POOL_ASKS.items()}
        | {(pool, name): Call(pool, text, (0,), optional=True) for pool in coins for name, text in LENDS.items()}
        | {(pool, "registered"): _of_registry(registry, "get_lp_token(address)->(address)", pool) for pool in coins}
        | {(pool, "rates"): _of_registry(registry, "get_rates(address)->(uint256[8])", pool) for pool in coins}
    )
    answers = {
        pool: {name: asked[pool, name] for name in (*POOL_ASKS, *LENDS, "registered", "rates")} for pool in coins
    }
    pools = [pool for pool in coins if None not in (answers[pool]["A"], answers[pool]["fee"])]
    if others := [pool for pool in coins if pool not in pools]:
        found.gaps.append(f"{label}: no stableswap pools, or of a form that is not known: {', '.join(others)}")
    places = [(pool, coin) for pool in pools for coin in coins[pool]]
    slots = [(pool, slot) for pool in pools for slot in range(len(coins[pool]))]
    reserves = _indexed(client, slots, "balances({})->(uint256)")
    shares = {pool: _share(pool, answers[pool]) for pool in pools}
    tokens = sorted({coin for _, coin in places if coin != NATIVE})
    decimals = client.ask({coin: Call(coin, "decimals()->(uint8)", optional=True) for coin in tokens}) | {NATIVE: 18}
    held = client.ask(
        {(pool, coin): Call(coin, BALANCE, (pool,), optional=True) for pool, coin in places if coin != NATIVE}
    )
    with_native = [pool for pool in pools if NATIVE in coins[pool]]
    native = dict(zip(with_native, client.native_balances(with_native), strict=True))
    base_rates = client.ask(
        {
            pool: Call(answers[pool]["base_pool"], POOL_ASKS["virtual_price"])
            for pool in pools
            if answers[pool]["base_pool"] not in (None, ZERO_ADDRESS)
        }
    )
    supplies = client.ask({pool: Call(share, "totalSupply()->(uint256)") for pool, share in shares.items()})

    # Rows
    unpriced = []
    for pool in pools:
        answer, own = answers[pool], coins[pool]
        rates = _rates(client.anchor.timestamp, answer, [decimals[coin] for coin in own], base_rates.get(pool))
        if None in rates:
            unpriced.append(pool)
        key = _pool_row(client, deployment, pool, answer, (shares[pool], supplies[pool]), found)
        if supplies[pool] and answer["virtual_price"] is not None and None not in rates:
            found.witness("pool rate", (key,), answer["virtual_price"])
        for slot, coin in enumerate(own):
            found.add(
                "pool_assets",
                found.asked("balances", pool),
                pool=key,
                asset=_asset(client, coin, found),
                slot=slot,
                reserve_raw=reserves[pool, slot],
                balance_raw=native[pool] if coin == NATIVE else held[pool, coin],
                rate_raw=rates[slot],
            )
    if unpriced:
        found.gaps.append(
            f"{label}: pools whose rates or fee other contracts decide are read without rates: {', '.join(unpriced)}"
        )
    _ask_sales(client, [pool for pool in pools if pool not in unpriced], coins, reserves, found)
    progress("curve_stableswap", 2, 3, "holders of pool shares")
    read_balances(client, sorted(set(shares.values())), deployment.first_block, found)
    progress("curve_stableswap", 3, 3, "done")


def _pools(client: Client, registry: str, label: str, found: Findings) -> dict[str, list[str]]:
    """Pool -> its coins. Of a registry with many, those all of whose coins other readers came across."""
    count = client.call(Call(registry, "pool_count()->(uint256)"))
    pools = client.call_many([Call(registry, "pool_list(uint256)->(address)", (slot,)) for slot in range(count)])
    places = [(pool, slot) for pool in pools for slot in range(MOST_COINS)]
    asked = _indexed(client, places, "coins({})->(address)")
    coins = {
        pool: [coin for slot in range(MOST_COINS) if (coin := asked[pool, slot]) not in (None, ZERO_ADDRESS)]
        for pool in pools
    }
    if count <= ALL_POOLS:
        return coins
    known = {*found.tokens, NATIVE}
    chosen = {pool: own for pool, own in coins.items() if set(own) <= known}
    found.gaps.append(
        f"{label}: {len(chosen)} of {count} pools were read, those between assets of the other deployments"
    )
    return chosen


def _indexed(client: Client, places: Sequence[tuple[str, int]], text: str) -> dict[tuple[str, int], Any]:
    """Answers by (pool, slot), for whichever type of index a pool takes; None where it refuses both."""
    asked = client.ask(
        {
            (place, kind): Call(place[0], text.format(kind), (place[1],), optional=True)
            for place in places
            for kind in INDEX_TYPES
        }
    )
    return {
        place: asked[place, "uint256"] if asked[place, "uint256"] is not None else asked[place, "int128"]
        for place in places
    }


def _of_registry(registry: str, text: str, pool: str) -> Call:
    return Call(registry, text, (pool,), optional=True)


def _share(pool: str, answer: Mapping[str, Any]) -> str:
    """The token of the liquidity share: what the registry or the pool says, otherwise the pool itself."""
    said = (answer["registered"], answer["lp_token"])
    return str(next((token for token in said if token not in (None, ZERO_ADDRESS)), pool))


def _asset(client: Client, coin: str, found: Findings) -> str:
    if coin != NATIVE:
        return found.token(coin)
    symbol = client.network.native_symbol
    return found.known_asset(
        native_id(client.chain), "chain registry", chain=client.chain, symbol=symbol, decimals=18, kind="native"
    )


def _rates(
    now: int, answer: Mapping[str, Any], decimals: Sequence[int | None], base_rate: int | None
) -> list[int | None]:
    """What scales each balance to 18 decimals (1e-18); all None where another contract has a say that is not followed here."""
    is_meta = base_rate is not None
    registered = answer["rates"] or ()
    is_plain = not is_meta and all(rate in (0, WAD) for rate in registered)
    follows_others = any(answer[name] is not None for name in ("moving_fee", "moving_rates", "lends", "lends_early"))
    if follows_others or not (is_plain or is_meta) or any(places is None or places > 18 for places in decimals):
        return [None] * len(decimals)
    rates: list[int | None] = [WAD * 10 ** (18 - (places or 0)) for places in decimals]
    if is_meta:
        is_kept = answer["base_time"] is not None and now <= answer["base_time"] + BASE_RATE_SECONDS
        rates[-1] = answer["base_rate"] if is_kept else base_rate
    return rates


def _pool_row(
    client: Client,
    deployment: Deployment,
    pool: str,
    answer: Mapping[str, Any],
    share: tuple[str, int],
    found: Findings,
) -> str:
    key, token = found.entity(pool, "pool", protocol=deployment.protocol), share[0]
    is_precise = answer["A_precise"] is not None
    found.add(
        "pools",
        found.asked("A_precise" if is_precise else "A", pool),
        pool=key,
        chain=client.chain,
        protocol=deployment.protocol,
        kind="stableswap",
        revision="curve_plain" if answer["moving_fee"] is None else "curve_moving_fee",
        lp_asset=found.token(token, "lp_share", key, deployment.protocol),
        lp_supply_raw=share[1],
        fee_wad=answer["fee"] * WAD // FEE_UNIT,
        admin_fee_wad=None if answer["admin_fee"] is None else answer["admin_fee"] * WAD // FEE_UNIT,
        amplification_raw=answer["A_precise"] if is_precise else answer["A"],
        amplification_unit_raw=A_PRECISION if is_precise else 1,
    )
    return key


def _ask_sales(
    client: Client,
    pools: Sequence[str],
    coins: Mapping[str, Sequence[str]],
    reserves: Mapping[tuple[str, int], int],
    found: Findings,
) -> None:
    """What each pool says to sales of three sizes, from each coin to the next: to be compared with the rows."""
    sales = [
        (pool, (slot, (slot + 1) % len(coins[pool]), reserves[pool, slot] // part))
        for pool in pools
        for slot in range(len(coins[pool]))
        for part in SIZES
        if all(reserves[pool, other] for other in range(len(coins[pool])))
    ]
    text = "get_dy(int128,int128,uint256)->(uint256)"
    answers = client.ask({(pool, sale): Call(pool, text, sale, optional=True) for pool, sale in sales})
    for (pool, sale), answer in answers.items():
        if answer is not None:
            found.witness("get_dy", (found.entity(pool, "pool"), *map(str, sale)), answer)
