"""ERC-4626 vaults: what a share redeems for, what stands behind all shares and where it lies, and who holds them.

A vault may lend out what it was given. What it has in a market is a position of the market's own reader, under the vault's address; what
neither lies in the vault nor was found in such a position is said in the gaps, since nothing in the standard tells where it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chain.calls import Call
from chain.client import Client
from chain.deployments import Deployment
from chain.errors import ContractError
from chain.findings import Findings
from chain.readers.holders import BALANCE, read_balances
from chain.units import UINT256_MAX, WAD, entity_id, token_id

ASKS = {
    "asset": "asset()->(address)",
    "total": "totalAssets()->(uint256)",
    "decimals": "decimals()->(uint8)",
}
WORTH = "convertToAssets(uint256)->(uint256)"


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
    rate = rates(client, {address: (asset, vault["decimals"])})[address]
    idle = min(client.call(Call(asset, BALANCE, (address,))), total)

    # Decode
    lent = _lent(found, address, asset)
    unseen = total - idle - sum(lent.values())
    if rate.wad > UINT256_MAX:
        found.gaps.append(f"{share}: what a share redeems for fits no uint256; it is left out")
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
                rate_wad=rate.wad if rate.wad <= UINT256_MAX else None,
                redemption="instant",
                delay_seconds=0,
                capacity_raw=total if idle >= total else None,
            )
    read_balances(client, [address], deployment.first_block, found)


def rates(client: Client, vaults: Mapping[str, tuple[str, int]], may_be_silent: bool = False) -> dict[str, Rate]:
    """What shares are worth, by vault -> (asset, decimals of the share): of 10**18 whole shares, for the digits, or of one.

    Raises
    ------
    ContractError
        If an asset answers no decimals; if a vault answers for one share neither (left out where it `may_be_silent`).
    """
    ones = {at: 10**decimals for at, (_, decimals) in vaults.items()}
    many = {at: shares * WAD for at, shares in ones.items() if shares * WAD <= UINT256_MAX}
    calls: dict[tuple[str, int], Call] = {}
    for at, shares in (*ones.items(), *many.items()):
        calls[at, shares] = Call(at, WORTH, (shares,), optional=may_be_silent or shares != ones[at])
    units = {asset: Call(asset, "decimals()->(uint8)") for asset, _ in vaults.values()}
    answers, decimals = client.ask(calls), client.ask(units)

    def answered(at: str) -> tuple[int, int]:
        """Shares and their worth: of many if that agrees with the worth of one, rounded down."""
        one, more = answers[at, ones[at]], answers.get((at, many.get(at, 0)))
        return (many[at], more) if more is not None and more // WAD == one else (ones[at], one)

    return {
        at: Rate(shares, assets, assets * WAD * ones[at] // (shares * 10 ** decimals[vaults[at][0]]))
        for at in vaults
        for shares, assets in [answered(at)]
        if assets is not None
    }


def _lent(found: Findings, vault: str, asset: str) -> dict[str, int]:
    """Contract of a market (CAIP-10) -> what the vault has supplied or posted of its asset in that contract's markets."""
    owner, backing = entity_id(found.anchor.chain, vault), token_id(found.anchor.chain, asset)
    at = {row["market"]: found.entity(row["address"], "contract") for row in found.rows.get("markets", ())}
    lent: dict[str, int] = {}
    for row in found.rows.get("positions", ()):
        if row["owner"] == owner and row["asset"] == backing and row["side"] in ("supply", "collateral"):
            lent[at[row["market"]]] = lent.get(at[row["market"]], 0) + row["amount_raw"]
    return lent
