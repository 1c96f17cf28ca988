"""How a MetaMorpho vault counts: what it has lost, the shares of its fee that are due, and what shares are worth. Exact integers.

Source: MetaMorpho._accruedFeeShares, _convertToAssetsWithTotals (morpho-org/metamorpho@f5faa9c2, tag v1.0.0, src/MetaMorpho.sol) and
MetaMorphoV1_1._accruedFeeAndAssets (morpho-org/metamorpho-v1.1@0b3d2f45, src/MetaMorphoV1_1.sol).
"""

from chain.units import WAD


def lost(held: int, last_total: int, lost_before: int | None) -> int:
    """What the vault counts beyond what it has in its markets, at the block; 0 in v1.0, which writes a loss down at once.

    Parameters
    ----------
    held : what it has in its markets.
    last_total : total when it was last written down (lastTotalAssets).
    lost_before : lostAssets as stored; None for v1.0.
    """
    if lost_before is None:
        return 0
    return last_total - held if held < last_total - lost_before else lost_before


def worth(shares: int, total: int, supply: int, unit: int, last_total: int, fee_wad: int) -> int:
    """Assets that some shares convert to, rounded down, the fee shares counted that the next touch would mint.

    Parameters
    ----------
    total, supply : totalAssets at the block, totalSupply as stored.
    unit : virtual shares, 10**DECIMALS_OFFSET; there is one virtual asset.
    last_total, fee_wad : total at which gains were last counted, and the share of the gains that is taken.
    """
    fee_assets = max(total - last_total, 0) * fee_wad // WAD
    due = fee_assets * (supply + unit) // (total - fee_assets + 1)
    return shares * (total + 1) // (supply + due + unit)
