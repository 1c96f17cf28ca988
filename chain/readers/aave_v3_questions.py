"""Aave V3: what a pool, its oracle and its tokens are asked about reserves and categories, by revision, answered in one form.

Revision 1 is @aave/core-v3 1.19.3 (3.0.2): one e-mode category an asset, a price that a category may override, debts at a fixed rate, a
rate contract for each reserve. Revisions 8 to 10 are aave-v3-origin 3.4 to 3.6: categories as bitmaps, one rate contract, deficits,
liquidation grace. Both answer getReserveData with the same fifteen words (DataTypes.ReserveData, DataTypes.ReserveDataLegacy).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.node.calls import Call
from chain.node.client import Client
from chain.node.together import Inquiry
from chain.readers.holders import BALANCE
from chain.units import ZERO_ADDRESS

READABLE = (1, 8, 9, 10)
"""Revisions whose pool answers the questions below: 3.0.2, and 3.4 to 3.6."""

SCALED_SUPPLY = "scaledTotalSupply()->(uint256)"
FIXED_SUPPLY = "totalSupply()->(uint256)"
RESERVE_DATA = (
    "getReserveData(address)->(uint256,uint128,uint128,uint128,uint128,uint128,uint40,uint16,"
    "address,address,address,address,uint128,uint128,uint128)"
)
OF_EVERY_REVISION = {
    "data": RESERVE_DATA,
    "supply_index": "getReserveNormalizedIncome(address)->(uint256)",
    "borrow_index": "getReserveNormalizedVariableDebt(address)->(uint256)",
}
SINCE_3_4 = {
    "cash": "getVirtualUnderlyingBalance(address)->(uint128)",
    "deficit": "getReserveDeficit(address)->(uint256)",
    "grace": "getLiquidationGracePeriod(address)->(uint40)",
}
RATES = "getInterestRateData(address)->(uint256,uint256,uint256,uint256)"  # InterestRateDataRay: optimal, base, slopes
RATES_3_0 = (
    "OPTIMAL_USAGE_RATIO()->(uint256)",
    "getBaseVariableBorrowRate()->(uint256)",
    "getVariableRateSlope1()->(uint256)",
    "getVariableRateSlope2()->(uint256)",
)


@dataclass(frozen=True)
class Configuration:
    """DataTypes.ReserveConfigurationMap, unpacked: ratios in 1e-4, caps in whole tokens, the ceiling in hundredths."""

    data: int

    def bits(self, first: int, width: int) -> int:
        """`width` bits from bit `first`."""
        return self.data >> first & (1 << width) - 1

    def flag(self, bit: int) -> bool:
        """One bit."""
        return bool(self.bits(bit, 1))

    @property
    def ltv(self) -> int:
        """Loan to value, 1e-4."""
        return self.bits(0, 16)

    @property
    def category(self) -> int:
        """The one e-mode category of the asset in revisions before bitmaps (3.2); 0 is none."""
        return self.bits(168, 8)


@dataclass(frozen=True)
class CategoryAnswer:
    """One e-mode category: ratios in 1e-4, members by bit of reserve index, the price that it overrides (None for none)."""

    ltv: int
    threshold: int
    bonus: int
    label: str
    collateral: int
    borrowable: int
    ltvzero: int
    price_source: str | None = None
    price: int | None = None


def reserves(client: Client, pool: str, oracle: str, revision: int, assets: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Answers by asset and name: `data`, indices, cash, rates, supplies, treasury, price and its source; ContractError if one refuses."""
    newer = revision >= 8
    strategy = {("", "rates"): Call(pool, "RESERVE_INTEREST_RATE_STRATEGY()->(address)")} if newer else {}
    asked = client.ask(
        {
            (asset, name): Call(pool, text, (asset,))
            for asset in assets
            for name, text in (OF_EVERY_REVISION | (SINCE_3_4 if newer else {})).items()
        }
        | strategy
    )
    shared = asked.pop(("", "rates"), ZERO_ADDRESS)
    answers: dict[str, dict[str, Any]] = {
        asset: {name: answer for (of, name), answer in asked.items() if of == asset} for asset in assets
    }
    calls: dict[tuple[str, str], Call] = {}
    for asset in assets:
        receipt, fixed, debt, rates = answers[asset]["data"][8:12]
        calls |= {(asset, name): call for name, call in of_tokens(asset, receipt, debt, oracle).items()}
        if newer:
            calls[asset, "rates"] = Call(shared, RATES, (asset,))
            continue
        calls |= {(asset, f"rates {place}"): Call(rates, text) for place, text in enumerate(RATES_3_0)}
        calls[asset, "fixed"] = Call(fixed, FIXED_SUPPLY)
    for (asset, name), answer in client.ask(calls).items():
        answers[asset][name] = answer
    if not newer:
        for answer in answers.values():
            answer["rates"] = tuple(answer[f"rates {place}"] for place in range(len(RATES_3_0)))
            answer["cash"] = answer["balance"]
    return answers


def of_tokens(asset: str, receipt: str, debt: str, oracle: str) -> dict[str, Call]:
    """What the tokens of a reserve and the oracle are asked about it, in V2 as in V3."""
    return {
        "supplied": Call(receipt, SCALED_SUPPLY),
        "borrowed": Call(debt, SCALED_SUPPLY),
        "balance": Call(asset, BALANCE, (receipt,)),
        "treasury": Call(receipt, "RESERVE_TREASURY_ADDRESS()->(address)"),
        "source": Call(oracle, "getSourceOfAsset(address)->(address)", (asset,)),
        "price": Call(oracle, "getAssetPrice(address)->(uint256)", (asset,), optional=True),
    }


def categories(
    pool: str, oracle: str, revision: int, configurations: Mapping[int, Configuration]
) -> Inquiry[dict[int, CategoryAnswer]]:
    """The e-mode categories that exist (their threshold is not zero), by number; `configurations` are by reserve index."""
    found = yield from _bitmap_categories(pool) if revision >= 8 else _single_categories(pool, oracle, configurations)
    return found


def _bitmap_categories(pool: str) -> Inquiry[dict[int, CategoryAnswer]]:
    asks = {
        "terms": "getEModeCategoryCollateralConfig(uint8)->(uint16,uint16,uint16)",
        "label": "getEModeCategoryLabel(uint8)->(string)",
        "collateral": "getEModeCategoryCollateralBitmap(uint8)->(uint128)",
        "borrowable": "getEModeCategoryBorrowableBitmap(uint8)->(uint128)",
        "ltvzero": "getEModeCategoryLtvzeroBitmap(uint8)->(uint128)",
    }
    answers = yield {
        (number, name): Call(pool, text, (number,), optional=name == "ltvzero")  # new in 3.6
        for number in range(1, 256)
        for name, text in asks.items()
    }
    terms = {number: answers[number, "terms"] for number in range(1, 256) if answers[number, "terms"][1]}
    return {
        number: CategoryAnswer(
            ltv,
            threshold,
            bonus,
            answers[number, "label"],
            answers[number, "collateral"],
            answers[number, "borrowable"],
            answers[number, "ltvzero"] or 0,
        )
        for number, (ltv, threshold, bonus) in terms.items()
    }


def _single_categories(
    pool: str, oracle: str, configurations: Mapping[int, Configuration]
) -> Inquiry[dict[int, CategoryAnswer]]:
    """One category an asset: members are the reserves that name it; one whose own LTV is 0 has none inside either (GenericLogic)."""
    every = yield {
        number: Call(pool, "getEModeCategoryData(uint8)->((uint16,uint16,uint16,address,string))", (number,))
        for number in range(1, 256)
    }
    exist = {number: answer for number, answer in every.items() if answer[1]}
    prices = yield {
        number: Call(oracle, "getAssetPrice(address)->(uint256)", (source,), optional=True)
        for number, (_, _, _, source, _) in exist.items()
        if source != ZERO_ADDRESS
    }
    found = {}
    for number, (ltv, threshold, bonus, source, label) in exist.items():
        members = {index: config for index, config in configurations.items() if config.category == number}
        found[number] = CategoryAnswer(
            ltv,
            threshold,
            bonus,
            label,
            _bitmap(members),
            _bitmap(index for index, config in members.items() if config.flag(58)),
            _bitmap(index for index, config in members.items() if config.ltv == 0),
            source if source != ZERO_ADDRESS else None,
            prices.get(number) or None,
        )
    return found


def _bitmap(indices: Any) -> int:
    return sum(1 << index for index in indices)
