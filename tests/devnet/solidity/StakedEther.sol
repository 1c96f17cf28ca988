// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

/// A liquid staking token in its plainest form: a vault over wrapped ether. Staking rewards are wrapped ether sent to
/// the vault, which raises what one share redeems for and nothing else.
contract StakedEther is ERC4626 {
    constructor(IERC20 wrappedEther) ERC20("Devnet Staked Ether", "lstETH") ERC4626(wrappedEther) {}
}
