"""The protocols that can be read, a row each: what kind it is, which addresses its entry in a book names, and what only its contracts answer.

The functions that read them are in `reading.READERS`, under the same names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.units import ZERO_ADDRESS


@dataclass(frozen=True)
class Identity:
    """A question that the contract in `role` must answer; `same_as`: the role whose address the answer must be, empty for any answer."""

    role: str
    function: str
    arguments: tuple[Any, ...] = ()
    same_as: str = ""


@dataclass(frozen=True)
class Protocol:
    """Kind as in the `protocols` table, the roles that an entry must name and may name, and how its contracts are recognised."""

    kind: str
    roles: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()
    optional_roles: tuple[str, ...] = ()


PROTOCOLS: Mapping[str, Protocol] = {
    "aave_v3": Protocol(
        "lending",
        ("pool_addresses_provider", "pool", "pool_data_provider", "oracle"),
        (
            Identity("pool_addresses_provider", "getPool()->(address)", same_as="pool"),
            Identity("pool_addresses_provider", "getPriceOracle()->(address)", same_as="oracle"),
            Identity("pool_addresses_provider", "getPoolDataProvider()->(address)", same_as="pool_data_provider"),
            Identity("pool", "POOL_REVISION()->(uint256)"),
            Identity("oracle", "BASE_CURRENCY_UNIT()->(uint256)"),
        ),
    ),
    "aave_v2": Protocol(
        "lending",
        ("pool_addresses_provider", "pool", "oracle"),
        (
            Identity("pool_addresses_provider", "getLendingPool()->(address)", same_as="pool"),
            Identity("pool_addresses_provider", "getPriceOracle()->(address)", same_as="oracle"),
            Identity("pool", "LENDINGPOOL_REVISION()->(uint256)"),
            Identity("oracle", "getFallbackOracle()->(address)"),
        ),
    ),
    "compound_v2": Protocol(
        "lending",
        ("comptroller",),
        (
            Identity("comptroller", "getAllMarkets()->(address[])"),
            Identity("comptroller", "closeFactorMantissa()->(uint256)"),
        ),
    ),
    "venus": Protocol(
        "lending",
        ("comptroller",),
        (
            Identity("comptroller", "getAllMarkets()->(address[])"),
            Identity("comptroller", "vaiController()->(address)"),
        ),
    ),
    "morpho_blue": Protocol(
        "lending",
        ("morpho",),
        (
            Identity("morpho", "DOMAIN_SEPARATOR()->(bytes32)"),
            Identity("morpho", "feeRecipient()->(address)"),
        ),
    ),
    "comet": Protocol(
        "lending",
        ("comet",),
        (
            Identity("comet", "baseTokenPriceFeed()->(address)"),
            Identity("comet", "storeFrontPriceFactor()->(uint256)"),
        ),
    ),
    "liquity_v1": Protocol(
        "lending",
        ("trove_manager", "coll_surplus_pool", "gas_pool"),
        (
            Identity("trove_manager", "NAME()->(string)"),
            Identity("trove_manager", "MINUTE_DECAY_FACTOR()->(uint256)"),
        ),
    ),
    "maker": Protocol(
        "lending",
        ("vat", "jug", "spotter", "dog", "vow", "dai_join", "dai", "cdp_manager"),
        (
            Identity("jug", "vat()->(address)", same_as="vat"),
            Identity("spotter", "vat()->(address)", same_as="vat"),
            Identity("dog", "vat()->(address)", same_as="vat"),
            Identity("vow", "vat()->(address)", same_as="vat"),
            Identity("dai_join", "dai()->(address)", same_as="dai"),
            Identity("cdp_manager", "cdpi()->(uint256)"),
        ),
    ),
    "crvusd": Protocol(
        "lending",
        ("factory",),
        (
            Identity("factory", "n_collaterals()->(uint256)"),
            Identity("factory", "stablecoin()->(address)"),
        ),
    ),
    "metamorpho": Protocol(
        "vault",
        ("factory",),
        (
            Identity("factory", "MORPHO()->(address)"),
            Identity("factory", "isMetaMorpho(address)->(bool)", (ZERO_ADDRESS,)),
        ),
    ),
    "metamorpho_vault": Protocol(
        "vault",
        ("vault",),
        (
            Identity("vault", "MORPHO()->(address)"),
            Identity("vault", "withdrawQueueLength()->(uint256)"),
        ),
    ),
    "uniswap_v2": Protocol(
        "exchange",
        ("factory",),
        (Identity("factory", "allPairsLength()->(uint256)"),),
    ),
    "uniswap_v3": Protocol(
        "exchange",
        ("factory",),
        (
            Identity("factory", "feeAmountTickSpacing(uint24)->(int24)", (3000,)),
            Identity("position_manager", "factory()->(address)", same_as="factory"),
        ),
        optional_roles=("position_manager",),
    ),
    "balancer_v2": Protocol(
        "exchange",
        ("vault",),
        (
            Identity("vault", "WETH()->(address)"),
            Identity("vault", "getProtocolFeesCollector()->(address)"),
        ),
    ),
    "curve_stableswap": Protocol(
        "exchange",
        ("registry",),
        (
            Identity("registry", "pool_count()->(uint256)"),
            Identity("registry", "pool_list(uint256)->(address)", (0,)),
        ),
    ),
    "psm": Protocol(
        "stablecoin",
        ("psm",),
        (
            Identity("psm", "tout()->(uint256)"),
            Identity("psm", "gemJoin()->(address)"),
        ),
    ),
    "bridge_escrow": Protocol(
        "bridge",
        ("escrow", "token"),
        (Identity("token", "totalSupply()->(uint256)"),),
    ),
    "bridged_token": Protocol(
        "bridge",
        ("token", "bridge"),
        (Identity("token", "totalSupply()->(uint256)"),),
    ),
    "chainlink": Protocol(
        "oracle",
    ),
    "erc20": Protocol(
        "token",
    ),
    "timelock": Protocol(
        "governance",
        ("controller",),
        (
            Identity("controller", "getMinDelay()->(uint256)"),
            Identity("controller", "PROPOSER_ROLE()->(bytes32)"),
        ),
    ),
    "governor": Protocol(
        "governance",
        ("governor",),
        (Identity("governor", "votingPeriod()->(uint256)"),),
    ),
    "aave_payloads": Protocol(
        "governance",
        ("payloads_controller",),
        (Identity("payloads_controller", "getPayloadsCount()->(uint40)"),),
    ),
}
