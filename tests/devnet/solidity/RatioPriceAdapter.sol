// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

interface IAnswer {
    function latestAnswer() external view returns (int256);

    function decimals() external view returns (uint8);
}

/// Price of a vault share as a lending market wants it: the price of the vault's asset times the vault's own rate.
/// The getters carry the names that Aave's price adapters for staking tokens use, so that a reader finds the feed
/// behind the price in the same way. There is no cap on how fast the rate may grow.
contract RatioPriceAdapter {
    IAnswer public immutable BASE_TO_USD_AGGREGATOR;
    address public immutable RATIO_PROVIDER;
    uint8 public immutable RATIO_DECIMALS;
    uint8 public immutable DECIMALS;
    string public description;

    constructor(IAnswer baseToUsd, ERC4626 vault, string memory description_) {
        BASE_TO_USD_AGGREGATOR = baseToUsd;
        RATIO_PROVIDER = address(vault);
        RATIO_DECIMALS = vault.decimals();
        DECIMALS = baseToUsd.decimals();
        description = description_;
    }

    function decimals() external view returns (uint8) {
        return DECIMALS;
    }

    /// Assets for one whole share, with RATIO_DECIMALS decimals.
    function getRatio() public view returns (int256) {
        return int256(ERC4626(RATIO_PROVIDER).convertToAssets(10 ** RATIO_DECIMALS));
    }

    /// Price of one share in USD with DECIMALS decimals, rounded down; zero when the feed has no positive answer.
    function latestAnswer() external view returns (int256) {
        int256 basePrice = BASE_TO_USD_AGGREGATOR.latestAnswer();
        int256 ratio = getRatio();
        if (basePrice <= 0 || ratio <= 0) return 0;
        return (basePrice * ratio) / int256(10 ** RATIO_DECIMALS);
    }
}
