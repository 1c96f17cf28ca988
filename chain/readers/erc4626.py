"""ERC-4626 vaults: what a share redeems for, what stands behind all shares and where it lies, and who holds them.

A vault may lend out what it was given. What it has in a market is a position of the market's own reader, under the vault's address; what
neither lies in the vault nor was found in such a position is said in the gaps, since nothing in the standard tells where it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chain.deployments import Deployment
from chain.errors import ContractError
from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE, read_balances
from chain.units import UINT256_MAX, WAD, entity_id, token_id

ASKS = {
    "asset": "asset()->(address)",
    "total": "totalAssets()->(uint256)",
    "decimals": "decimals()->(uint8)",
}
WORTH = "convertToAssets(uint256)->(uint256)"
NO_RATE = "what a share redeems for is not answered in whole units of its asset, or fits no uint256; it is left out"


@dataclass(frozen=True)
class Rate:
    """So many shares (smallest units) are worth so many assets; `wad`: whole assets per whole share, 1e-18."""

    shares: int
    assets: int
    wad: int


def read(client: Client, address: str, deployment: Deployment, found: Findings) -> None:
    """Read one vault, unless a reader of its own has; ContractError if it is no ERC-4626 vault, or a whole share of it fits no uint256."""
    # Where
    share = token_id(client.chain, address)
    if any(row["claim"] == share for row in found.rows.get("backings", ())):
        return

    # Ask
    vault = client.ask({name: Call(address, text) for name, text in ASKS.items()})
    asset, total = vault["asset"], vault["total"]
    if 10 ** vault["decimals"] > UINT256_MAX:
        raise ContractError(
            f"The vault {address} answers {vault['decimals']} decimals, so that a whole share fits no uint256; "
            "check this address in the deployments file"
        )
    rate = rates(client, {address: (asset, vault["decimals"])}).get(address)
    idle = min(client.call(Call(asset, BALANCE, (address,))), total)

    # Decode
    lent = _lent(found, address, asset)
    unseen = total - idle - sum(lent.values())
    if rate is None:
        found.gaps.append(f"{share}: {NO_RATE}")
    if unseen > 0:
        found.gaps.append(
            f"{share} counts {total} of {token_id(client.chain, asset)}: {idle} lie in the vault, {sum(lent.values())} in markets "
            f"that were read, where the other {unseen} are is not known"
        )

    # Rows: what the vault lends out may be redeemable too, so a capacity is stated only where everything is idle
    holder = found.entity(address, "vault", protocol=deployment.protocol)
    claim, backing = found.token(address, "vault_share", holder, deployment.protocol), found.token(asset)
    found.witness("vault assets", (claim, backing), (total, unseen))
    places = {holder: max(total - sum(lent.values()), 0)} | lent
    for place, amount in places.items():
        if amount or (place == holder and not lent):
            found.add(
                "backings",
                found.asked("convertToAssets", address)
                if place == holder
                else f"positions of {address} in its markets",
                claim=claim,
                backing=backing,
                holder=place,
                amount_raw=amount,
                rate_wad=rate.wad if rate else None,
                redemption="instant",
                delay_seconds=0,
                capacity_raw=total if idle >= total else None,
            )
    read_balances(client, [address], deployment.first_block, found)


def rates(client: Client, vaults: Mapping[str, tuple[str, int]], may_be_silent: bool = False) -> dict[str, Rate]:
    """What shares are worth, by vault -> (asset, decimals of the share): of 10**18 whole shares, for the digits, or of one.

    A vault is left out whose whole share or rate fits no uint256, whose asset answers no decimals, or which answers no worth where it `may_be_silent`.

    Raises
    ------
    ContractError
        If a vault that may not be silent answers no worth of one share.
    """
    ones = {at: 10**decimals for at, (_, decimals) in vaults.items() if 10**decimals <= UINT256_MAX}
    many = {at: shares * WAD for at, shares in ones.items() if shares * WAD <= UINT256_MAX}
    calls: dict[tuple[str, int], Call] = {}
    for at, shares in (*ones.items(), *many.items()):
        calls[at, shares] = Call(at, WORTH, (shares,), optional=may_be_silent or shares != ones[at])
    units = {asset: Call(asset, "decimals()->(uint8)", optional=True) for asset, _ in vaults.values()}
    answers, decimals = client.ask(calls), client.ask(units)
    found = {}
    for at, shares in ones.items():
        one, more, places = answers[at, shares], answers.get((at, many.get(at, 0))), decimals[vaults[at][0]]
        if one is None or places is None:
            continue
        if more is not None and more // WAD == one:  # else what it answers for many is another rate
            shares, one = many[at], more
        rate = Rate(shares, one, one * WAD * ones[at] // (shares * 10**places))
        if rate.wad <= UINT256_MAX:
            found[at] = rate
    return found


def _lent(found: Findings, vault: str, asset: str) -> dict[str, int]:
    """Contract of a market (CAIP-10) -> what the vault has supplied or posted of its asset in that contract's markets."""
    owner, backing = entity_id(found.anchor.chain, vault), token_id(found.anchor.chain, asset)
    at = {row["market"]: found.entity(row["address"], "contract") for row in found.rows.get("markets", ())}
    lent: dict[str, int] = {}
    for row in found.rows.get("positions", ()):
        if row["owner"] == owner and row["asset"] == backing and row["side"] in ("supply", "collateral"):
            lent[at[row["market"]]] = lent.get(at[row["market"]], 0) + row["amount_raw"]
    return lent
