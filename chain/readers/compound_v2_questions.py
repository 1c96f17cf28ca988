"""Compound V2: what cTokens, comptroller, oracle and rate models are asked about each market, answered by cToken and name.

Comptroller, CToken, CDaiDelegate, JumpRateModelV2 and WhitePaperInterestRateModel as in npm @thenextblock/hardhat-compound 0.0.14 (dist/contracts).
"""

from collections.abc import Sequence
from typing import Any

from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE

OF_CTOKEN = {
    "cash": "getCash()->(uint256)",
    "borrows": "totalBorrows()->(uint256)",
    "reserves": "totalReserves()->(uint256)",
    "ctokens": "totalSupply()->(uint256)",
    "index": "borrowIndex()->(uint256)",
    "reserve_factor": "reserveFactorMantissa()->(uint256)",
    "accrued_at": "accrualBlockNumber()->(uint256)",
    "stored_rate": "exchangeRateStored()->(uint256)",
    "borrow_rate": "borrowRatePerBlock()->(uint256)",
    "supply_rate": "supplyRatePerBlock()->(uint256)",
    "model": "interestRateModel()->(address)",
}
IF_ANSWERED = {
    "underlying": "underlying()->(address)",  # the market of the native coin has none
    "pot": "potAddress()->(address)",  # CDaiDelegate keeps its cash in Maker's savings
    "seize_share": "protocolSeizeShareMantissa()->(uint256)",  # none before the revision that takes a share
}
LISTED = "markets(address)->(bool,uint256)"
SWITCHES = {
    "is_mint_paused": "mintGuardianPaused(address)->(bool)",
    "is_borrow_paused": "borrowGuardianPaused(address)->(bool)",
}
RATE_PARAMETERS = {
    "base": "baseRatePerBlock()->(uint256)",
    "multiplier": "multiplierPerBlock()->(uint256)",
    "jump": "jumpMultiplierPerBlock()->(uint256)",
    "kink": "kink()->(uint256)",
    "blocks": "blocksPerYear()->(uint256)",
}


def markets(client: Client, comptroller: str, oracle: str, ctokens: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Everything that the cTokens, the comptroller, the oracle and the rate models answer, by cToken and name; ContractError if one of the first two refuses."""
    calls: dict[tuple[str, str], Call] = {}
    for at in ctokens:
        calls |= {(at, name): Call(at, text) for name, text in OF_CTOKEN.items()}
        calls |= {(at, name): Call(at, text, optional=True) for name, text in IF_ANSWERED.items()}
        calls |= {(at, name): Call(comptroller, text, (at,)) for name, text in SWITCHES.items()}
        calls[at, "listed"] = Call(comptroller, LISTED, (at,))
        calls[at, "borrow_cap"] = Call(comptroller, "borrowCaps(address)->(uint256)", (at,), optional=True)
        calls[at, "price"] = Call(oracle, "getUnderlyingPrice(address)->(uint256)", (at,), optional=True)
    asked = client.ask(calls)
    answers: dict[str, dict[str, Any]] = {at: {} for at in ctokens}
    for (at, name), answer in asked.items():
        answers[at][name] = answer
    later: dict[tuple[str, str], Call] = {}
    for at, answer in answers.items():
        later |= {(at, name): Call(answer["model"], text, optional=True) for name, text in RATE_PARAMETERS.items()}
        if answer["underlying"] is not None:
            later[at, "balance"] = Call(answer["underlying"], BALANCE, (at,))
            later[at, "decimals"] = Call(answer["underlying"], "decimals()->(uint8)", optional=True)
    for (at, name), answer in client.ask(later).items():
        answers[at][name] = answer
    coins = [at for at in ctokens if answers[at]["underlying"] is None]
    for at, balance in zip(coins, client.native_balances(coins), strict=True):
        answers[at] |= {"balance": balance, "decimals": 18}
    return answers
