"""Reads one Aave account straight from the contracts into the rule's terms, call by call, by web3 alone: the oracle side of parity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulations.book import Reserve
from simulations.rules.rule import Leg, Position
from tests.devnet.contracts import artifact
from tests.devnet.world import World

SYMBOLS = ("WETH", "lstETH", "WBTC", "LINK", "USDC", "DAI")


@dataclass(frozen=True)
class Storage:
    """What the contracts hold for one account at one block."""

    scaled_supply: dict[str, int]
    scaled_debt: dict[str, int]
    deficit: dict[str, int]
    treasury: dict[str, int]
    health_factor: int


class Contracts:
    """Handles to the lending market of a world and the views that parity needs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pool = world.pool
        self.tokens = {symbol: world.tokens[symbol] for symbol in SYMBOLS}
        erc20 = [entry for entry in artifact("ATokenInstance").abi if entry.get("type") in ("function", "event")]
        self.receipt, self.owed = {}, {}
        for symbol, token in self.tokens.items():
            self.receipt[symbol] = world.w3.eth.contract(
                address=self.pool.functions.getReserveAToken(token.address).call(), abi=erc20
            )
            self.owed[symbol] = world.w3.eth.contract(
                address=self.pool.functions.getReserveVariableDebtToken(token.address).call(), abi=erc20
            )
        self.treasury = self.receipt["WETH"].functions.RESERVE_TREASURY_ADDRESS().call()

    def storage(self, user: str, block: int, symbols: Sequence[str]) -> Storage:
        """Stored amounts of an account and of the market at a block, for some reserves."""
        at: Any = {"block_identifier": block}
        return Storage(
            {symbol: self.receipt[symbol].functions.scaledBalanceOf(user).call(**at) for symbol in symbols},
            {symbol: self.owed[symbol].functions.scaledBalanceOf(user).call(**at) for symbol in symbols},
            {
                symbol: self.pool.functions.getReserveDeficit(self.tokens[symbol].address).call(**at)
                for symbol in symbols
            },
            {symbol: self.receipt[symbol].functions.scaledBalanceOf(self.treasury).call(**at) for symbol in symbols},
            self.pool.functions.getUserAccountData(user).call(**at)[5],
        )

    def position(self, user: str, before: Storage, block: int) -> Position:
        """The account as the rule sees it: stored amounts from before the call, indices as they stand inside the block of the call."""
        at: Any = {"block_identifier": block}
        flags = self.pool.functions.getUserConfiguration(user).call(block_identifier=block - 1)[0]
        category = self.pool.functions.getUserEMode(user).call(block_identifier=block - 1)
        bitmap = self.pool.functions.getEModeCategoryCollateralBitmap(category).call() if category else 0
        inside = self.pool.functions.getEModeCategoryCollateralConfig(category).call() if category else (0, 0, 0)
        legs = []
        for symbol, token in self.tokens.items():
            if not (before.scaled_supply[symbol] or before.scaled_debt[symbol]):
                continue
            data = self.pool.functions.getReserveData(token.address).call(**at)
            slot, bits = data[7], data[0][0]
            counted = bool(bitmap >> slot & 1)
            legs.append(
                Leg(
                    reserve=Reserve(
                        market=0,
                        asset=SYMBOLS.index(symbol),
                        slot=slot,
                        supply_index=self.pool.functions.getReserveNormalizedIncome(token.address).call(**at),
                        supply_unit=10**27,
                        debt_index=self.pool.functions.getReserveNormalizedVariableDebt(token.address).call(**at),
                        debt_unit=10**27,
                        held_raw=0,
                        treasury_stored=0,
                        threshold_bps=bits >> 16 & 0xFFFF,
                        bonus_bps=bits >> 32 & 0xFFFF,
                        fee_bps=bits >> 152 & 0xFFFF,
                        close_factor_bps=None,
                        active=bool(bits >> 56 & 1),
                        paused=bool(bits >> 60 & 1),
                        grace_until=self.pool.functions.getLiquidationGracePeriod(token.address).call(**at),
                        price_raw=0,
                        price_decimals=8,
                        driver=0,
                        fixed_price=False,
                        deviation_bps=0,
                    ),
                    decimals=bits >> 48 & 0xFF,
                    held_raw=self.pool.functions.getVirtualUnderlyingBalance(token.address).call(
                        block_identifier=block - 1
                    ),
                    supply_stored=before.scaled_supply[symbol],
                    debt_stored=before.scaled_debt[symbol],
                    enabled=bool(flags >> (2 * slot + 1) & 1),
                    threshold_bps=inside[1] if counted else bits >> 16 & 0xFFFF,
                    bonus_bps=inside[2] if counted else bits >> 32 & 0xFFFF,
                    price_raw=self.world.oracle.functions.getAssetPrice(token.address).call(**at),
                )
            )
        return Position(
            tuple(legs), self.pool.functions.POOL_REVISION().call(), self.world.w3.eth.get_block(block)["timestamp"]
        )
