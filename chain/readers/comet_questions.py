"""Compound III: what a Comet is asked about itself, its collaterals and its price feeds, answered by name.

CometWithExtendedAssetList.sol, CometExt.sol and CometStorage.sol of compound-finance/comet@d5a30b0a, contracts; Comet.sol there, the form
before it, answers the same questions.
"""

from dataclasses import dataclass
from typing import Any

from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE

OF_COMET = {
    "governor": "governor()->(address)",
    "guardian": "pauseGuardian()->(address)",
    "base": "baseToken()->(address)",
    "feed": "baseTokenPriceFeed()->(address)",
    "scale": "baseScale()->(uint256)",
    "assets": "numAssets()->(uint8)",
    "borrow_min": "baseBorrowMin()->(uint256)",
    "target": "targetReserves()->(uint256)",
    "store_front": "storeFrontPriceFactor()->(uint256)",
    "supply_kink": "supplyKink()->(uint256)",
    "supply_low": "supplyPerSecondInterestRateSlopeLow()->(uint256)",
    "supply_high": "supplyPerSecondInterestRateSlopeHigh()->(uint256)",
    "supply_base": "supplyPerSecondInterestRateBase()->(uint256)",
    "borrow_kink": "borrowKink()->(uint256)",
    "borrow_low": "borrowPerSecondInterestRateSlopeLow()->(uint256)",
    "borrow_high": "borrowPerSecondInterestRateSlopeHigh()->(uint256)",
    "borrow_base": "borrowPerSecondInterestRateBase()->(uint256)",
    "utilisation": "getUtilization()->(uint256)",
    "reserves": "getReserves()->(int256)",
    "supplied": "totalSupply()->(uint256)",
    "borrowed": "totalBorrow()->(uint256)",
    "totals": "totalsBasic()->(uint64,uint64,uint64,uint64,uint104,uint104,uint40,uint8)",
}
ASSET_INFO = "getAssetInfo(uint8)->(uint8,address,address,uint64,uint64,uint64,uint64,uint128)"
TOTAL_POSTED = "totalsCollateral(address)->(uint128,uint128)"
FOR_SALE = "getCollateralReserves(address)->(uint256)"
PRICE = "getPrice(address)->(uint256)"
QUOTE = "quoteCollateral(address,uint256)->(uint256)"
PAUSES = ("supply", "transfer", "withdraw", "absorb", "buy")
"""Bits of pauseFlags, lowest first (CometCore: the PAUSE_..._OFFSET)."""


@dataclass(frozen=True)
class Collateral:
    """One collateral: its place in the list, token, feed, scale, factors (1e-18), cap, and what stands at the block."""

    offset: int
    token: str
    feed: str
    scale: int
    borrow_factor: int
    liquidate_factor: int
    liquidation_factor: int
    cap: int
    posted: int
    held: int
    for_sale: int
    price: int | None
    quote: int | None


def of_comet(client: Client, comet: str) -> dict[str, Any]:
    """What the Comet says of itself; the totals taken apart; rates at the block; ContractError if it refuses."""
    answer = client.ask({name: Call(comet, text) for name, text in OF_COMET.items()})
    supply_index, borrow_index, _, _, supplied, borrowed, accrued_at, pauses = answer["totals"]
    answer |= {"supply_index": supply_index, "borrow_index": borrow_index, "accrued_at": accrued_at}
    answer |= {"supplied_stored": supplied, "borrowed_stored": borrowed}
    answer |= {"paused": {name for bit, name in enumerate(PAUSES) if pauses >> bit & 1}}
    use = (answer["utilisation"],)
    later = {
        "supply_rate": Call(comet, "getSupplyRate(uint256)->(uint64)", use),
        "borrow_rate": Call(comet, "getBorrowRate(uint256)->(uint64)", use),
        "balance": Call(answer["base"], BALANCE, (comet,)),
        "price": Call(comet, PRICE, (answer["feed"],), optional=True),
        "description": Call(answer["feed"], "description()->(string)", optional=True),
    }
    return answer | client.ask(later)


def collaterals(client: Client, comet: str, count: int, base_scale: int) -> list[Collateral]:
    """Every collateral in the Comet's own order; what one whole unit of base buys of it is asked too."""
    infos = client.call_many([Call(comet, ASSET_INFO, (number,)) for number in range(count)])
    calls: dict[tuple[str, str], Call] = {}
    for _, token, feed, *_ in infos:
        calls[token, "posted"] = Call(comet, TOTAL_POSTED, (token,))
        calls[token, "held"] = Call(token, BALANCE, (comet,))
        calls[token, "for sale"] = Call(comet, FOR_SALE, (token,))
        calls[token, "price"] = Call(comet, PRICE, (feed,), optional=True)
        calls[token, "quote"] = Call(comet, QUOTE, (token, base_scale), optional=True)
    asked = client.ask(calls)
    return [
        Collateral(
            *(offset, token, feed, scale, borrow, liquidate, liquidation, cap, asked[token, "posted"][0]),
            held=asked[token, "held"],
            for_sale=asked[token, "for sale"],
            price=asked[token, "price"],
            quote=asked[token, "quote"],
        )
        for offset, token, feed, scale, borrow, liquidate, liquidation, cap in infos
    ]
