// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

// Price sources that move, stand still, or only look as if they moved, written for these tests.

/// A price in the code: reads no storage and nobody else. It answers a Morpho market and an Aave market, with a time made up at each call.
contract ConstantPrice {
    uint256 private immutable value;

    constructor(uint256 value_) {
        value = value_;
    }

    function price() external view returns (uint256) {
        return value;
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }

    function latestAnswer() external view returns (int256) {
        return int256(value);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, int256(value), block.timestamp, block.timestamp, 1);
    }
}

/// A price in storage, which its owner may set, and does not.
contract StoredPrice {
    uint256 public price;

    constructor(uint256 price_) {
        price = price_;
    }
}

/// Reads no storage and nobody else, and moves with time.
contract PriceOfTime {
    function price() external view returns (uint256) {
        return 12e17 * block.timestamp;
    }
}

interface IAnswer {
    function latestAnswer() external view returns (int256);
}

/// Passes on what a feed answers, in a form that nobody knows.
contract PassingOn {
    IAnswer private immutable feed;

    constructor(IAnswer feed_) {
        feed = feed_;
    }

    function price() external view returns (uint256) {
        return uint256(feed.latestAnswer()) * 1e16;
    }
}

/// A feed that stopped: its last round stays, with the time it had.
contract StoppedFeed {
    uint256 private immutable since = block.timestamp;
    int256 public latestAnswer;
    uint8 public constant decimals = 8;

    constructor(int256 answer) {
        latestAnswer = answer;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (7, latestAnswer, since, since, 7);
    }
}

/// Exchange rates by the getters of Lido, Rocket Pool and Ether.fi in one.
contract Rates {
    uint256 public getExchangeRate;

    constructor(uint256 rate) {
        getExchangeRate = rate;
    }

    function getRate() external view returns (uint256) {
        return getExchangeRate;
    }

    function getPooledEthByShares(uint256 shares) external view returns (uint256) {
        return (shares * getExchangeRate) / 1e18;
    }
}

abstract contract TimesRate {
    function _answer(IAnswer feed, uint256 rate) internal view returns (int256) {
        return (feed.latestAnswer() * int256(rate)) / 1e18;
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }
}

contract LidoRate is TimesRate {
    IAnswer public immutable ETH_TO_BASE;
    Rates public immutable STETH;

    constructor(IAnswer feed, Rates rates) {
        (ETH_TO_BASE, STETH) = (feed, rates);
    }

    function latestAnswer() external view returns (int256) {
        return _answer(ETH_TO_BASE, STETH.getPooledEthByShares(1e18));
    }
}

contract SparkRate is TimesRate {
    IAnswer public immutable ethSource;
    Rates public immutable reth;

    constructor(IAnswer feed, Rates rates) {
        (ethSource, reth) = (feed, rates);
    }

    function latestAnswer() external view returns (int256) {
        return _answer(ethSource, reth.getExchangeRate());
    }
}

contract SparkCap {
    IAnswer public immutable source;
    int256 public immutable maxPrice;
    uint8 public constant decimals = 8;

    constructor(IAnswer feed, int256 cap) {
        (source, maxPrice) = (feed, cap);
    }

    function latestAnswer() external view returns (int256) {
        int256 answer = source.latestAnswer();
        return answer < maxPrice ? answer : maxPrice;
    }
}

contract TwoFeeds {
    IAnswer public immutable PEG_TO_BASE;
    IAnswer public immutable ASSET_TO_PEG;
    uint8 public constant decimals = 8;

    constructor(IAnswer pegToBase, IAnswer assetToPeg) {
        (PEG_TO_BASE, ASSET_TO_PEG) = (pegToBase, assetToPeg);
    }

    function latestAnswer() external view returns (int256) {
        return (ASSET_TO_PEG.latestAnswer() * PEG_TO_BASE.latestAnswer() * 1e8) / 1e16;
    }
}

/// Answers of an Aave oracle's fallback.
contract Fallback {
    mapping(address => uint256) public getAssetPrice;

    function set(address asset, uint256 price) external {
        getAssetPrice[asset] = price;
    }
}

/// A Compound oracle that tells the feed of some cTokens (getConfig) and prices set for good of others (getTokenConfigByUnderlying).
contract CompoundBook {
    struct FeedConfig {
        uint256 baseUnit;
        address cToken;
        address priceFeed;
    }
    struct TokenConfig {
        address underlying;
        bytes32 symbolHash;
        uint256 baseUnit;
        uint8 priceSource;
        uint256 fixedPrice;
        address uniswapMarket;
        address reporter;
        uint256 reporterMultiplier;
        bool isUniswapReversed;
    }
    mapping(address => FeedConfig) private feeds;
    mapping(address => TokenConfig) private tokens;
    mapping(address => uint256) private prices;

    function addFeed(FeedConfig calldata config) external {
        feeds[config.cToken] = config;
    }

    function addToken(address cToken, TokenConfig calldata config, uint256 price) external {
        tokens[config.underlying] = config;
        prices[cToken] = price;
    }

    function getConfig(address cToken) external view returns (FeedConfig memory) {
        require(feeds[cToken].cToken != address(0), "no config");
        return feeds[cToken];
    }

    function getTokenConfigByUnderlying(address underlying) external view returns (TokenConfig memory) {
        require(tokens[underlying].underlying != address(0), "token config not found");
        return tokens[underlying];
    }

    function getUnderlyingPrice(address cToken) external view returns (uint256) {
        FeedConfig memory config = feeds[cToken];
        if (config.cToken == address(0)) return prices[cToken];
        return (uint256(IAnswer(config.priceFeed).latestAnswer()) * 1e28) / config.baseUnit;
    }
}
