// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

interface IPool {
    function supply(address asset, uint256 amount, address onBehalfOf, uint16 referral) external;
}

/// A vault that lends a part of what it was given to a pool of Aave and keeps the rest.
contract LendingVault is ERC4626 {
    IPool public immutable POOL;
    IERC20 public immutable RECEIPT;

    constructor(IPool pool, IERC20 receipt, IERC20 asset_) ERC20("Lending Vault", "lvUSDC") ERC4626(asset_) {
        (POOL, RECEIPT) = (pool, receipt);
        asset_.approve(address(pool), type(uint256).max);
    }

    function lend(uint256 amount) external {
        POOL.supply(asset(), amount, address(this), 0);
    }

    function totalAssets() public view override returns (uint256) {
        return IERC20(asset()).balanceOf(address(this)) + RECEIPT.balanceOf(address(this));
    }
}
