"""Morpho markets of WETH against USDC in the world, each priced in another way: live, hard-coded, stopped, by an exchange rate alone.

Everybody posts 10 WETH (or lstETH) and owes 80 % of it at the world's price; between the opening and the last block ether falls by a tenth.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3.contract import Contract

from chain.units import UINT256_MAX, WAD, ZERO_ADDRESS
from tests.devnet import morpho_blue
from tests.devnet.assets import fund
from tests.devnet.contracts import compiled
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.transactions import address_of
from tests.devnet.world import World

OPENING, CLOSING = 2_000, 1_900
LLTV = 860 * WAD // 1000
POSTED, LENT_SHARE = 10 * WAD, 0.8
PRICE = OPENING * 10**24
"""As a Morpho oracle answers it: 36 + 6 - 18 decimals."""
LENDER = address_of("lender at quiet prices")
QUIET = ("live", "constant", "stored", "bare", "time", "passing", "made_up", "stopped")


@dataclass(frozen=True)
class QuietPrices:
    """The Morpho contract, its oracles by name, `ids` of the markets, the address book; `borrowers` by market."""

    morpho: Contract
    oracles: dict[str, Contract]
    params: dict[str, tuple[Any, ...]]
    ids: dict[str, str]
    borrowers: dict[str, str]
    book: Path


def oracles_of(world: World) -> dict[str, Contract]:
    """One oracle of each kind; `rate` prices lstETH in WETH by the vault alone."""
    deploy, code, feeds = world.ledger.deploy, compiled("QuietOracles.sol"), world.feeds
    form, none = compiled("MorphoFeedOracle.sol")["MorphoFeedOracle"], [ZERO_ADDRESS] * 6
    eth, usdc = feeds["ETH"].address, feeds["USDC"].address
    made_up = deploy(code["ConstantPrice"], OPENING * 10**8)
    stopped = deploy(code["StoppedFeed"], OPENING * 10**8)
    vault = world.tokens["lstETH"].address

    def of_feed(feed: str, *quote: str) -> Contract:
        parts = [ZERO_ADDRESS, feed, ZERO_ADDRESS, ZERO_ADDRESS, *(quote or (ZERO_ADDRESS,)), ZERO_ADDRESS]
        return deploy(form, parts, [1, 1], 10 ** (24 if quote else 16))

    return {
        "live": of_feed(str(eth), str(usdc)),
        "constant": deploy(code["ConstantPrice"], PRICE),
        "stored": deploy(code["StoredPrice"], PRICE),
        "bare": deploy(form, none, [1, 1], PRICE),
        "time": deploy(code["PriceOfTime"]),
        "passing": deploy(code["PassingOn"], eth),
        "made_up": of_feed(str(made_up.address)),
        "stopped": of_feed(str(stopped.address)),
        "rate": deploy(form, [vault, *none[1:]], [WAD, 1], WAD),
    }


@contextmanager
def quiet_prices(world: World, folder: Path) -> Iterator[QuietPrices]:
    """The markets on top of the world, taken back at the end."""
    with world.undone():
        ledger, tokens = world.ledger, world.tokens
        world.set_price("ETH", OPENING)
        made = morpho_blue.deploy(ledger, LLTV, (18, 6))
        morpho, (_, _, _, irm, _) = made.morpho, made.params
        oracles = oracles_of(world)
        pairs = dict.fromkeys(QUIET, ("WETH", "USDC")) | {"rate": ("lstETH", "WETH")}
        params = {
            name: (tokens[loan].address, tokens[posted].address, oracles[name].address, irm, LLTV)
            for name, (posted, loan) in pairs.items()
        }
        borrowers = {name: address_of(f"borrower at a {name} price") for name in pairs}
        for symbol, amount in (("WETH", 300 * WAD), ("lstETH", 20 * WAD), ("USDC", 10**13)):
            fund(ledger, tokens, symbol, amount)
        for name, (posted, loan) in pairs.items():
            lent, who = (20_000 * 10**6, borrowers[name]) if loan == "USDC" else (30 * WAD, borrowers[name])
            ledger.call("create", morpho, "createMarket", params[name])
            ledger.call("funds", tokens[posted], "transfer", who, POSTED)
            ledger.call("funds", tokens[loan], "transfer", LENDER, lent)
            ledger.call("approve", tokens[posted], "approve", morpho.address, UINT256_MAX, sender=who)
            ledger.call("approve", tokens[loan], "approve", morpho.address, UINT256_MAX, sender=LENDER)
            ledger.call("supply", morpho, "supply", params[name], lent, 0, LENDER, b"", sender=LENDER)
            ledger.call("post", morpho, "supplyCollateral", params[name], POSTED, who, b"", sender=who)
            owed = 16_000 * 10**6 if loan == "USDC" else 8 * WAD
            ledger.call("borrow", morpho, "borrow", params[name], owed, 0, who, who, sender=who)
        ledger.mine()
        world.node.request("anvil_mine", hex(60))
        world.set_price("ETH", CLOSING)
        world.node.request("anvil_mine", hex(60))
        book = folder / "quiet.toml"
        lines = [*entry_lines(world.seed, "morpho-blue", "core", "morpho_blue")]
        book.write_text(
            world.deployments.read_text() + "\n".join(["", *lines, *address_lines({"morpho": str(morpho.address)})])
        )
        kinds = ["address", "address", "address", "address", "uint256"]
        ids = {name: "0x" + world.w3.keccak(world.w3.codec.encode(kinds, one)).hex() for name, one in params.items()}
        yield QuietPrices(morpho, oracles, params, ids, borrowers, book)
