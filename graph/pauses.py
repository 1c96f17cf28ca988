"""What a market refuses while something in it is switched off, by the columns of its reserves.

`paused` stops everything. Aave V3 asks for a reserve that is not paused before a withdrawal and before a liquidation, and there on both
sides (@aave/core-v3 1.19.3, ValidationLogic.validateWithdraw and validateLiquidationCall), Aave V2 for a pool that is not (@aave/protocol-v2
1.0.1, LendingPool.withdraw and liquidationCall, `whenNotPaused`), and Venus by its `protocolPaused` (`chain/readers/venus.py`). `liquidatable`
stops liquidations alone: Compound V2's guardian is asked in seizeAllowed and not in redeemAllowed (Comptroller.sol as in npm
@thenextblock/hardhat-compound 0.0.14), Comet has a switch for `absorb`. Comet's switch for withdrawals stands in `borrowable` of its base
(docs/readers.md). `grace_until` is Aave's time after a pause in which nobody is liquidated. Morpho Blue has no switch; a what-if gives it one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from chain.snapshot import Snapshot


@dataclass(frozen=True)
class Pause:
    """What cannot be liquidated in one market, by the keys of the assets: all it lists, or some. `alone`: everything else goes on."""

    market: str
    assets: tuple[str, ...]
    is_all: bool
    alone: bool

    def said(self, where: str, symbols: Mapping[str, str]) -> str:
        """The clause that says so; `where` is what the market is called."""
        names = ", ".join(symbols.get(asset, asset) for asset in self.assets)
        if self.alone:
            return f"liquidation is switched off {'' if self.is_all else f'for {names} '}in {where}"
        return (
            f"{where} is paused"
            if self.is_all
            else f"{names} {'is' if len(self.assets) == 1 else 'are'} paused in {where}"
        )


def pauses(snapshot: Snapshot) -> tuple[Pause, ...]:
    """Every pause at the block, in the order of the markets; one that stops everything before one that stops liquidations alone."""
    now = {anchor.chain: anchor.timestamp for anchor in snapshot.anchors}
    chains = snapshot["markets"].set_index("market")["chain"]
    found = []
    for market, rows in snapshot["reserves"].groupby("market", sort=False):
        whole = rows["paused"].astype(bool)
        until = pd.to_numeric(rows["grace_until"]).fillna(0)
        grace = (until > 0) & (until >= now.get(str(chains.get(market)), 0))
        alone = ~whole & (grace | rows["liquidatable"].eq(False).fillna(False).astype(bool))
        for hit, is_alone in ((whole, False), (alone, True)):
            if hit.any():
                assets = tuple(rows.loc[hit, "asset"])
                found.append(Pause(str(market), assets, bool(hit.all()), is_alone))
    return tuple(found)


def without_withdrawals(snapshot: Snapshot) -> set[tuple[str, str]]:
    """(market, asset) of the reserves from which nothing can be withdrawn, whatever cash there is."""
    reserves = snapshot["reserves"]
    comets = set(snapshot["markets"].loc[snapshot["markets"]["family"] == "comet", "market"])
    stopped = reserves["paused"].astype(bool) | ~reserves["active"].astype(bool)
    stopped |= reserves["market"].isin(comets) & ~reserves["borrowable"].astype(bool)
    return set(zip(reserves.loc[stopped, "market"], reserves.loc[stopped, "asset"], strict=True))
