"""Venus, its core pool: the stanzas of Compound V2, with what its comptroller has otherwise, and the debts in VAI that it mints.

Written against npm @venusprotocol/venus-protocol 0.4.1 (contracts/Comptroller.sol, Lens/ComptrollerLens.sol, VAIController.sol,
Liquidator.sol). What differs from Compound V2:

- supply caps, where 0 closes the market; the whole protocol can be paused; redeeming costs `treasuryPercent`;
- the seized vTokens all go to the liquidator; where a liquidator contract is set only that may liquidate, and it keeps a part for the
  treasury: a share of what was seized for the debt itself, without the incentive;
- VAI: minted against the same collateral. What somebody minted counts as a debt at one US dollar, whatever VAI trades at. It is a reserve of
  its own here: nothing is supplied, every account owes its mintedVAIs, its price is fixed in the code (ComptrollerLens adds it as it is).

Later comptrollers (a diamond) pause by action and market (`actionPaused`; the numbers are those of isolated-pools 4.4.0,
contracts/ComptrollerInterface.sol) and let VAI bear interest (getVAIRepayAmount): both are asked where they are answered, and no such contract
was compared. Isolated pools, whose markets have a liquidation threshold beside the collateral factor, are another comptroller and are refused.
"""

from typing import Any

from chain.accounting.compound_v2 import Market
from chain.deployments import Deployment
from chain.errors import ContractError
from chain.findings import Findings, Progress
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers import access, compound_v2
from chain.readers.compound_v2 import USD, Instance
from chain.units import UINT256_MAX, WAD, ZERO_ADDRESS

VERSION = 1
OF_COMPTROLLER = {
    "is_paused": "protocolPaused()->(bool)",
    "treasury_percent": "treasuryPercent()->(uint256)",
    "treasury_guardian": "treasuryGuardian()->(address)",
    "liquidator": "liquidatorContract()->(address)",
    "vai": "vaiController()->(address)",
    "incentive": "liquidationIncentiveMantissa()->(uint256)",
    "vai_paused": "repayVAIGuardianPaused()->(bool)",
}
SUPPLY_CAP = "supplyCaps(address)->(uint256)"
ACTION = "actionPaused(address,uint8)->(bool)"
ACTIONS = {"is_mint_paused": (0,), "is_borrow_paused": (2,), "is_seize_paused": (4, 5)}
"""What stops what: numbers of the enum Action (MINT, REDEEM, BORROW, REPAY, SEIZE, LIQUIDATE, ...)."""
MINTED = event_topic("MintVAI(address,uint256)")
ISOLATED = "minLiquidatableCollateral()->(uint256)"


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read the core pool; ContractError if a contract refuses, or if it is an isolated pool."""
    comptroller = deployment.addresses["comptroller"]
    if client.call(Call(comptroller, ISOLATED, optional=True)) is not None:
        raise ContractError(
            f"The comptroller {comptroller} is one of Venus's isolated pools, which this reader does not know; take it out of the deployments file"
        )
    terms = client.ask({name: Call(comptroller, text, optional=True) for name, text in OF_COMPTROLLER.items()})

    def differ(asking: Client, pool: Instance, answers: dict[str, dict[str, Any]], noted: Findings) -> None:
        _differences(asking, pool, answers, noted, terms)

    here, _ = compound_v2.read_as(client, deployment, found, progress, differ)
    _vai(client, here, deployment.first_block, terms, found)
    guardian = terms["treasury_guardian"]
    if guardian not in (None, ZERO_ADDRESS):
        access.add_power(found, guardian, here.key, "parameters", found.asked("treasuryGuardian", comptroller))


def _differences(
    client: Client, here: Instance, answers: dict[str, dict[str, Any]], found: Findings, terms: dict[str, Any]
) -> None:
    """Put caps, pauses and the liquidator's share into the answers of every market."""
    # Ask
    caps = client.ask({at: Call(here.comptroller, SUPPLY_CAP, (at,), optional=True) for at in answers})
    numbers = sorted({number for each in ACTIONS.values() for number in each})
    paused = client.ask(
        {
            (at, number): Call(here.comptroller, ACTION, (at, number), optional=True)
            for at in answers
            for number in numbers
        }
    )
    share = _liquidators_share(client, here, terms, found)

    # Decode
    for at, answer in answers.items():
        answer["supply_cap"] = None if caps[at] == UINT256_MAX else caps[at]
        answer["is_paused"] = bool(terms["is_paused"])
        answer |= share
        for name, actions in ACTIONS.items():
            answer[name] = answer.get(name, False) or any(bool(paused[at, number]) for number in actions)
    if terms["treasury_percent"]:
        found.gaps.append(
            f"{here.label}: redeeming costs {terms['treasury_percent'] / WAD:.4%} (treasuryPercent), which no column says"
        )


def _liquidators_share(client: Client, here: Instance, terms: dict[str, Any], found: Findings) -> dict[str, Any]:
    """What the treasury gets of a liquidation: a share of what was seized for the debt, which is worth that share of the debt."""
    liquidator = terms["liquidator"]
    if liquidator in (None, ZERO_ADDRESS):
        return {"seize_share": 0}
    found.entity(liquidator, "contract", f"{here.label} liquidator", here.protocol)
    share = client.call(Call(liquidator, "treasuryPercentMantissa()->(uint256)", optional=True))
    found.gaps.append(
        f"{here.label}: only the contract {liquidator} may liquidate; whoever calls it is the keeper here"
    )
    if share is None:
        found.gaps.append(f"{here.label}: {liquidator} does not say what it keeps for the treasury; counted as nothing")
    return {"seize_share": share or 0, "fee_base": "debt"}


def _vai(client: Client, here: Instance, first_block: int, terms: dict[str, Any], found: Findings) -> None:
    """The reserve of VAI and what everybody has minted of it; nothing where there is no controller."""
    # Where
    controller = terms["vai"]
    if controller in (None, ZERO_ADDRESS):
        return
    token = client.call(Call(controller, "getVAIAddress()->(address)"))
    logs = client.logs([controller], MINTED, first_block, client.anchor.number, has_no_sum=True)
    minters = sorted({"0x" + log.data[26:66] for log in logs})

    # Ask
    minted = client.ask({who: Call(here.comptroller, "mintedVAIs(address)->(uint256)", (who,)) for who in minters})
    repay = client.ask(
        {who: Call(controller, "getVAIRepayAmount(address)->(uint256)", (who,), optional=True) for who in minters}
    )

    # Decode
    owed = {who: amount if repay[who] is None else repay[who] for who, amount in minted.items()}
    owed = {who: amount for who, amount in owed.items() if amount}

    # Rows
    asset = found.token(token, "stablecoin", found.entity(controller, "contract", f"{here.label} VAI", here.protocol))
    place = sum(row["market"] == here.key for row in found.rows["reserves"])
    evidence = f"mintedVAIs of everybody whom MintVAI @{controller} names, block {found.anchor.number}"
    source = f"{found.entity(here.comptroller, 'market')}/{token}"
    found.explained.add(source)
    found.add(
        "feeds", "the code of the comptroller: what was minted is added as it is", source=source, step=0, kind="fixed",
        address=found.entity(here.comptroller, "market"), description="VAI counts as one US dollar",
        value_raw=WAD, decimals=18, state="hard_coded",
    )  # fmt: skip
    found.add(
        "prices", "the code of the comptroller: what was minted is added as it is", market=here.key, asset=asset,
        price_raw=WAD, decimals=18, quote_asset=USD, source=source, price_usd=1.0, usd_path="fixed in the code",
    )  # fmt: skip
    found.add(
        "reserves", evidence, market=here.key, asset=asset, reserve_index=place, supply_index_raw=WAD,
        supply_index_unit_raw=WAD, borrow_index_raw=WAD, borrow_index_unit_raw=WAD, supplied_stored_raw=0,
        borrowed_stored_raw=sum(owed.values()), cash_raw=0, active=True, frozen=False, paused=bool(terms["is_paused"]),
        liquidatable=not here.terms["is_seize_paused"], borrowable=not terms["vai_paused"], ltv_wad=0,
        liquidation_threshold_wad=0, liquidation_bonus_wad=terms["incentive"], close_factor_wad=here.terms["close_factor"],
        reserve_factor_wad=0, accrual_unit="block", rate_model="none", price_source=source,
    )  # fmt: skip
    for who, amount in owed.items():
        found.add(
            "positions", found.asked("mintedVAIs", here.comptroller), market=here.key, position_id=who, asset=asset,
            side="debt", owner=found.entity(who, "account"), stored_raw=amount, index_raw=WAD, index_unit_raw=WAD,
            amount_raw=amount, collateral_enabled=False, category=0,
        )  # fmt: skip
    found.witness("stored market", (here.key, asset), (Market(0, sum(owed.values()), 0, 0, WAD, 0, 0), WAD, (0, 0, 0)))
