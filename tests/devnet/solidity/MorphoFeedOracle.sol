// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface IRound {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

interface IShares {
    function convertToAssets(uint256 shares) external view returns (uint256);
}

/// An oracle for a Morpho market out of vaults and feeds, with the getters of MorphoChainlinkOracleV2; the zero address stands for 1.
contract MorphoFeedOracle {
    address public immutable BASE_VAULT;
    uint256 public immutable BASE_VAULT_CONVERSION_SAMPLE;
    address public immutable BASE_FEED_1;
    address public immutable BASE_FEED_2;
    address public immutable QUOTE_VAULT;
    uint256 public immutable QUOTE_VAULT_CONVERSION_SAMPLE;
    address public immutable QUOTE_FEED_1;
    address public immutable QUOTE_FEED_2;
    uint256 public immutable SCALE_FACTOR;

    constructor(address[6] memory parts, uint256[2] memory samples, uint256 scale) {
        (BASE_VAULT, BASE_FEED_1, BASE_FEED_2) = (parts[0], parts[1], parts[2]);
        (QUOTE_VAULT, QUOTE_FEED_1, QUOTE_FEED_2) = (parts[3], parts[4], parts[5]);
        (BASE_VAULT_CONVERSION_SAMPLE, QUOTE_VAULT_CONVERSION_SAMPLE) = (samples[0], samples[1]);
        SCALE_FACTOR = scale;
    }

    function price() external view returns (uint256) {
        uint256 base = _assets(BASE_VAULT, BASE_VAULT_CONVERSION_SAMPLE) * _answer(BASE_FEED_1) * _answer(BASE_FEED_2);
        uint256 quote = _assets(QUOTE_VAULT, QUOTE_VAULT_CONVERSION_SAMPLE) * _answer(QUOTE_FEED_1) * _answer(QUOTE_FEED_2);
        return (SCALE_FACTOR * base) / quote;
    }

    function _assets(address vault, uint256 sample) private view returns (uint256) {
        return vault == address(0) ? 1 : IShares(vault).convertToAssets(sample);
    }

    function _answer(address feed) private view returns (uint256) {
        if (feed == address(0)) return 1;
        (, int256 answer, , , ) = IRound(feed).latestRoundData();
        require(answer >= 0, "negative");
        return uint256(answer);
    }
}
