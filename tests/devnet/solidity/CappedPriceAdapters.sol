// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

// Price adapters with the public getters of those that Aave's markets use, written for these tests: a rate whose growth
// is capped (counted in millionths of a unit a second, or in whole units as older ones do), a capped price, a fixed one.

interface IFeed {
    function latestAnswer() external view returns (int256);

    function decimals() external view returns (uint8);
}

abstract contract Rate {
    IFeed public immutable BASE_TO_USD_AGGREGATOR;
    address public immutable RATIO_PROVIDER = address(this);
    uint8 public constant RATIO_DECIMALS = 18;
    uint256 public immutable getSnapshotRatio;
    uint256 public immutable getSnapshotTimestamp;
    int256 public getRatio;

    constructor(IFeed feed, int256 ratio, uint256 snapshotRatio, uint256 snapshotTimestamp) {
        BASE_TO_USD_AGGREGATOR = feed;
        getRatio = ratio;
        getSnapshotRatio = snapshotRatio;
        getSnapshotTimestamp = snapshotTimestamp;
    }

    function setRatio(int256 ratio) external {
        getRatio = ratio;
    }

    function decimals() external view returns (uint8) {
        return BASE_TO_USD_AGGREGATOR.decimals();
    }

    function isCapped() external view returns (bool) {
        return getRatio > most();
    }

    function latestAnswer() external view returns (int256) {
        int256 ratio = getRatio < most() ? getRatio : most();
        return (BASE_TO_USD_AGGREGATOR.latestAnswer() * ratio) / int256(10 ** RATIO_DECIMALS);
    }

    function most() public view virtual returns (int256);
}

contract CappedRate is Rate {
    uint256 public constant SCALING_FACTOR = 1e6;
    uint256 public immutable getMaxRatioGrowthPerSecondScaled;

    constructor(IFeed feed, int256 ratio, uint256 snapshot, uint256 since, uint256 growth)
        Rate(feed, ratio, snapshot, since)
    {
        getMaxRatioGrowthPerSecondScaled = growth;
    }

    function getMaxRatioGrowthPerSecond() external view returns (uint256) {
        return getMaxRatioGrowthPerSecondScaled / SCALING_FACTOR;
    }

    function most() public view override returns (int256) {
        uint256 grown = (getMaxRatioGrowthPerSecondScaled * (block.timestamp - getSnapshotTimestamp)) / SCALING_FACTOR;
        return int256(getSnapshotRatio + grown);
    }
}

contract OldCappedRate is Rate {
    uint256 public immutable getMaxRatioGrowthPerSecond;

    constructor(IFeed feed, int256 ratio, uint256 snapshot, uint256 since, uint256 growth)
        Rate(feed, ratio, snapshot, since)
    {
        getMaxRatioGrowthPerSecond = growth;
    }

    function most() public view override returns (int256) {
        return int256(getSnapshotRatio + getMaxRatioGrowthPerSecond * (block.timestamp - getSnapshotTimestamp));
    }
}

contract CappedPrice {
    IFeed public immutable ASSET_TO_USD_AGGREGATOR;
    int256 public immutable getPriceCap;

    constructor(IFeed feed, int256 cap) {
        ASSET_TO_USD_AGGREGATOR = feed;
        getPriceCap = cap;
    }

    function decimals() external view returns (uint8) {
        return ASSET_TO_USD_AGGREGATOR.decimals();
    }

    function isCapped() external view returns (bool) {
        return ASSET_TO_USD_AGGREGATOR.latestAnswer() > getPriceCap;
    }

    function latestAnswer() external view returns (int256) {
        int256 answer = ASSET_TO_USD_AGGREGATOR.latestAnswer();
        return answer < getPriceCap ? answer : getPriceCap;
    }
}

/// A capped price whose cap follows another feed.
contract MovingCap {
    IFeed public immutable ASSET_TO_USD_AGGREGATOR;
    IFeed public immutable BASE_TO_USD_AGGREGATOR;
    uint8 public constant RATIO_DECIMALS = 18;
    int256 public immutable getPriceCapRatio;

    constructor(IFeed feed, IFeed base, int256 ratio) {
        ASSET_TO_USD_AGGREGATOR = feed;
        BASE_TO_USD_AGGREGATOR = base;
        getPriceCapRatio = ratio;
    }

    function decimals() external view returns (uint8) {
        return ASSET_TO_USD_AGGREGATOR.decimals();
    }

    function latestAnswer() external view returns (int256) {
        int256 answer = ASSET_TO_USD_AGGREGATOR.latestAnswer();
        int256 most = (BASE_TO_USD_AGGREGATOR.latestAnswer() * getPriceCapRatio) / int256(10 ** RATIO_DECIMALS);
        return answer < most ? answer : most;
    }
}

contract FixedPrice {
    int256 public immutable price;
    uint8 public constant decimals = 8;

    constructor(int256 price_) {
        price = price_;
    }

    function latestAnswer() external view returns (int256) {
        return price;
    }
}
