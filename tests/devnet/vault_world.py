"""Claims on claims, put onto a world: a vault over three Morpho markets, a vault that lends to Aave, and their shares, an aToken and a cToken
as collateral of further Morpho markets.

`deploy_vault` and `open_market` serve any other world that wants a vault.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3.contract import Contract

from chain.units import UINT256_MAX, ZERO_ADDRESS
from tests.devnet import compound_v2, morpho_blue
from tests.devnet.contracts import artifact, compiled
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.morpho_blue import WAD
from tests.devnet.transactions import Ledger, address_of
from tests.devnet.world import World

DAY, LLTV = 86_400, 860 * WAD // 1000
SAVER, OTHERS, FEES = (address_of(f"claims {name}") for name in ("saver", "others", "fees"))
BORROWERS = {name: address_of(f"claims {name} borrower") for name in ("good", "bad", "share", "receipt", "ctoken")}
PRICES = {"good": 2_000 * 10**24, "bad": 10 * 10**24, "share": 10**24, "receipt": 2_000 * 10**24, "ctoken": 2 * 10**32}
"""USDC (6 decimals) per collateral of 18 decimals, of the cToken of 8: 36 + 6 - 8 = 34 digits, 0.02 each."""
CAPS = {"good": 600_000, "bad": 400_000, "idle": 10**9}
TIMELOCK = 3 * DAY


@dataclass(frozen=True)
class Claims:
    """The contracts; markets of Morpho by name: `good`, `bad` and `idle` are the vault's, the others take a claim as collateral."""

    world: World
    morpho: Contract
    vault: Contract
    lender: Contract
    compound: compound_v2.CompoundMarket
    tokens: Mapping[str, Contract]
    oracles: Mapping[str, Contract]
    params: Mapping[str, tuple[Any, ...]]
    ids: Mapping[str, bytes]

    def market(self, name: str) -> str:
        """Key of a Morpho market."""
        return f"eip155:{self.world.chain_id}:morpho-blue/{self.morpho.address.lower()}/0x{self.ids[name].hex()}"

    def asset(self, token: Contract) -> str:
        """Key of a token."""
        return f"eip155:{self.world.chain_id}/erc20:{token.address.lower()}"

    def write_book(self, folder: Path) -> Path:
        """The world's address book with these contracts in it."""
        entries = {
            "morpho_blue": ("morpho-blue", "morpho", self.morpho),
            "metamorpho_vault": ("metamorpho", "vault", self.vault),
            "compound_v2": ("compound-v2", "comptroller", self.compound.comptroller),
        }
        lines = [self.world.deployments.read_text()]
        for reader, (protocol, role, contract) in entries.items():
            lines += [*entry_lines(7, protocol, "claims", reader), *address_lines({role: str(contract.address)})]
        lines += entry_lines(7, "vaults", "claims", "erc20")
        for vault, symbol in ((self.lender, "lvUSDC"), (self.vault, "qvUSDC")):  # the second is read by its own reader
            lines += [
                "[[deployments.tokens]]",
                f'address = "{vault.address}"',
                f'symbol = "{symbol}"',
                'role = "erc4626"',
                "",
            ]
        book = folder / "book.toml"
        book.write_text("\n".join(lines))
        return book


def deploy_vault(ledger: Ledger, morpho: Contract, asset: Contract, symbol: str, offset: int = 12) -> Contract:
    """A vault of our own with the public getters of MetaMorpho; `offset`: decimals of the share beyond the asset's."""
    return ledger.deploy(compiled("QueuedVault.sol")["QueuedVault"], morpho.address, asset.address, offset, symbol)


def open_market(ledger: Ledger, morpho: Contract, params: tuple[Any, ...]) -> bytes:
    """Create a market; its id."""
    ledger.call("create market", morpho, "createMarket", params)
    ledger.mine()
    kinds = ["address", "address", "address", "address", "uint256"]
    return bytes(ledger.node.w3.keccak(ledger.node.w3.codec.encode(kinds, params)))


def add_claims(world: World) -> Claims:
    """Deploy everything onto the world and let it live for ten days."""
    ledger, made = world.ledger, morpho_blue.artifacts()
    morpho, irm = ledger.deploy(made["Morpho"], ledger.deployer), ledger.deploy(made["IrmMock"])
    oracles = {name: ledger.deploy(made["OracleMock"]) for name in PRICES}
    usdc, bad = world.tokens["USDC"], ledger.deploy(artifact("TestnetERC20"), "Bad", "BAD", 18, ledger.deployer)
    vault = deploy_vault(ledger, morpho, usdc, "qvUSDC")
    receipts = world.market.receipt_tokens
    pool_and_receipt = (world.pool.address, receipts["USDC"].address)
    lender = ledger.deploy(compiled("LendingVault.sol")["LendingVault"], *pool_and_receipt, usdc.address)
    compound = compound_v2.deploy(ledger)
    tokens = {
        "good": world.tokens["WETH"],
        "bad": bad,
        "share": vault,
        "receipt": receipts["WETH"],
        "ctoken": compound.markets["USDC"],
    }
    for rate in (irm.address, ZERO_ADDRESS):
        ledger.call("rate model", morpho, "enableIrm", rate)
    for threshold in (LLTV, 0):
        ledger.call("threshold", morpho, "enableLltv", threshold)
    params: dict[str, tuple[Any, ...]] = {
        name: (usdc.address, token.address, oracles[name].address, irm.address, LLTV) for name, token in tokens.items()
    }
    params["idle"] = (usdc.address, ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS, 0)
    ids = {name: open_market(ledger, morpho, one) for name, one in params.items()}
    for name, price in PRICES.items():
        ledger.call("price", oracles[name], "setPrice", price)
    ledger.call("roles", vault, "setRoles", address_of("claims curator"), address_of("claims guardian"), TIMELOCK)
    ledger.call("allocator", vault, "setIsAllocator", address_of("claims allocator"), True)
    ledger.call("fee", vault, "setFee", WAD // 10, FEES)
    for name, cap in CAPS.items():
        waiting = (500_000 * 10**6, world.timestamp + TIMELOCK) if name == "bad" else (0, 0)
        ledger.call("cap", vault, "setCap", ids[name], cap * 10**6, *waiting)
    ledger.call("queue", vault, "setSupplyQueue", [ids[name] for name in CAPS])
    ledger.mine()
    found = Claims(world, morpho, vault, lender, compound, tokens, oracles, params, ids)
    _live(found)
    return found


def _live(claims: Claims) -> None:
    """Deposits into both vaults, claims posted, loans taken, ten days, and a word of the share's oracle that is the vault's rate then."""
    world, ledger, usdc = claims.world, claims.world.ledger, claims.world.tokens["USDC"]
    for who, amount, vault in (
        (SAVER, 700_000, claims.vault),
        (OTHERS, 350_000, claims.vault),
        (OTHERS, 50_000, claims.lender),
        (BORROWERS["share"], 20_000, claims.vault),
    ):
        ledger.call("funds", usdc, "mint(address,uint256)", who, amount * 10**6)
        ledger.call("approve", usdc, "approve", vault.address, UINT256_MAX, sender=who)
        ledger.call("deposit", vault, "deposit", amount * 10**6, who, sender=who)
    ledger.call("lend", claims.lender, "lend", 30_000 * 10**6)
    for name in ("share", "receipt", "ctoken"):
        ledger.call("funds", usdc, "mint(address,uint256)", OTHERS, 100_000 * 10**6)
        ledger.call("approve", usdc, "approve", claims.morpho.address, UINT256_MAX, sender=OTHERS)
        ledger.call(
            "supply", claims.morpho, "supply", claims.params[name], 100_000 * 10**6, 0, OTHERS, b"", sender=OTHERS
        )
    _collateral(claims)
    posted = {"good": 300 * WAD, "bad": 50_000 * WAD, "receipt": 10 * WAD}
    posted |= {name: claims.tokens[name].functions.balanceOf(BORROWERS[name]).call() for name in ("share", "ctoken")}
    for name, amount in {"good": 400_000, "bad": 280_000, "share": 9_000, "receipt": 9_000, "ctoken": 9_000}.items():
        who = BORROWERS[name]
        ledger.call("approve", claims.tokens[name], "approve", claims.morpho.address, UINT256_MAX, sender=who)
        ledger.call("post", claims.morpho, "supplyCollateral", claims.params[name], posted[name], who, b"", sender=who)
        ledger.call("borrow", claims.morpho, "borrow", claims.params[name], amount * 10**6, 0, who, who, sender=who)
    ledger.mine()
    world.advance(10 * DAY)
    ledger.call("queue", claims.vault, "setSupplyQueue", [claims.ids[name] for name in ("idle", "good")])
    ledger.mine()
    rate = claims.vault.functions.convertToAssets(10**36).call()
    ledger.call("price", claims.oracles["share"], "setPrice", rate)
    ledger.mine()


def _collateral(claims: Claims) -> None:
    """What the borrowers post: ether, a bad token, aWETH, cUSDC; the shares of the vault are there already."""
    world, ledger = claims.world, claims.world.ledger
    weth, pool = world.tokens["WETH"], world.pool
    for name, amount in (("good", 300 * WAD), ("receipt", 12 * WAD)):
        world.node.request("anvil_setBalance", BORROWERS[name], hex(10 * amount))
        ledger.call("wrap", weth, "deposit", sender=BORROWERS[name], value=amount)
    ledger.call("approve", weth, "approve", pool.address, UINT256_MAX, sender=BORROWERS["receipt"])
    ledger.call("supply", pool, "supply", weth.address, 12 * WAD, BORROWERS["receipt"], 0, sender=BORROWERS["receipt"])
    ledger.call("funds", claims.tokens["bad"], "mint(address,uint256)", BORROWERS["bad"], 50_000 * WAD)
    underlying, ctoken, who = claims.compound.tokens["USDC"], claims.compound.markets["USDC"], BORROWERS["ctoken"]
    ledger.call("funds", underlying, "mint(address,uint256)", who, 20_000 * 10**6)
    ledger.call("approve", underlying, "approve", ctoken.address, UINT256_MAX, sender=who)
    ledger.call("mint", ctoken, "mint", 20_000 * 10**6, sender=who)
    ledger.mine()
