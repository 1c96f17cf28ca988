"""ERC-4626 vaults: what a share redeems for, what stands behind all shares, and who holds them."""

from chain.calls import Call
from chain.client import Client
from chain.deployments import Deployment
from chain.errors import ContractError
from chain.findings import Findings
from chain.readers.holders import BALANCE, read_balances
from chain.units import UINT256_MAX, WAD, token_id

ASKS = {
    "asset": "asset()->(address)",
    "total": "totalAssets()->(uint256)",
    "decimals": "decimals()->(uint8)",
}


def read(client: Client, address: str, deployment: Deployment, found: Findings) -> None:
    """Read one vault; ContractError if the contract is no ERC-4626 vault, or a whole share of it fits no uint256."""
    # Ask
    vault = client.ask({name: Call(address, text) for name, text in ASKS.items()})
    asset, total = vault["asset"], vault["total"]
    if 10 ** vault["decimals"] > UINT256_MAX:
        raise ContractError(
            f"The vault {address} answers {vault['decimals']} decimals, so that a whole share fits no uint256; "
            "check this address in the deployments file"
        )
    answers = client.ask(
        {
            "worth": Call(address, "convertToAssets(uint256)->(uint256)", (10 ** vault["decimals"],)),
            "decimals": Call(asset, "decimals()->(uint8)"),
            "idle": Call(asset, BALANCE, (address,)),
        }
    )

    # Decode
    rate = answers["worth"] * WAD // 10 ** answers["decimals"]
    if rate > UINT256_MAX:
        found.gaps.append(
            f"{token_id(client.chain, address)}: what a share redeems for fits no uint256; it is left out"
        )

    # Rows: what the vault lends out may be redeemable too, so a capacity is stated only where everything is idle
    holder = found.entity(address, "vault", protocol=deployment.protocol)
    found.add(
        "backings",
        found.asked("convertToAssets", address),
        claim=found.token(address, "vault_share", holder, deployment.protocol),
        backing=found.token(asset),
        holder=holder,
        amount_raw=total,
        rate_wad=rate if rate <= UINT256_MAX else None,
        redemption="instant",
        delay_seconds=0,
        capacity_raw=total if answers["idle"] >= total else None,
    )
    read_balances(client, [address], deployment.first_block, found)
