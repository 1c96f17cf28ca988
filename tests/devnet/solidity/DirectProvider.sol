// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// Somebody who provides liquidity to a Uniswap V3 pool without its position manager. Holds the tokens that it pays with.

interface IPool {
    function mint(address to, int24 lower, int24 upper, uint128 amount, bytes calldata data) external returns (uint256, uint256);
    function burn(int24 lower, int24 upper, uint128 amount) external returns (uint256, uint256);
    function collect(address to, int24 lower, int24 upper, uint128 most0, uint128 most1) external returns (uint128, uint128);
    function token0() external view returns (address);
    function token1() external view returns (address);
}

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
}

contract DirectProvider {
    function provide(IPool pool, int24 lower, int24 upper, uint128 amount) external {
        pool.mint(address(this), lower, upper, amount, "");
    }

    function takeOut(IPool pool, int24 lower, int24 upper, uint128 amount) external {
        pool.burn(lower, upper, amount);
    }

    function collectAll(IPool pool, int24 lower, int24 upper, bool isTouched) external returns (uint128, uint128) {
        if (isTouched) pool.burn(lower, upper, 0);
        return pool.collect(address(this), lower, upper, type(uint128).max, type(uint128).max);
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        if (amount0 > 0) IToken(IPool(msg.sender).token0()).transfer(msg.sender, amount0);
        if (amount1 > 0) IToken(IPool(msg.sender).token1()).transfer(msg.sender, amount1);
    }
}
