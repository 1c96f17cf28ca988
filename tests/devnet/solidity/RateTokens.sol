// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

// Tokens that stand for ether at a rate, with the public getters of those that are in use, written for these tests.

/// Balances grow with rewards: everybody has shares of the pooled ether.
contract Staked {
    string public constant symbol = "stTEST";
    uint8 public constant decimals = 18;
    uint256 public getTotalPooledEther;
    uint256 public totalShares;
    mapping(address => uint256) public sharesOf;

    function submit(address) external payable returns (uint256 shares) {
        shares = totalShares == 0 ? msg.value : (msg.value * totalShares) / getTotalPooledEther;
        (getTotalPooledEther, totalShares) = (getTotalPooledEther + msg.value, totalShares + shares);
        sharesOf[msg.sender] += shares;
    }

    function reward() external payable {
        getTotalPooledEther += msg.value;
    }

    function slash(uint256 lost) external {
        getTotalPooledEther -= lost;
    }

    function getPooledEthByShares(uint256 shares) public view returns (uint256) {
        return (shares * getTotalPooledEther) / totalShares;
    }

    function balanceOf(address who) external view returns (uint256) {
        return getPooledEthByShares(sharesOf[who]);
    }

    function totalSupply() external view returns (uint256) {
        return getTotalPooledEther;
    }
}

/// Balances stay: one is one share of the token above.
contract WrappedStaked is ERC20("Wrapped", "wstTEST") {
    Staked public immutable stETH;

    constructor(Staked staked) {
        stETH = staked;
    }

    receive() external payable {
        _mint(msg.sender, stETH.submit{value: msg.value}(address(0)));
    }

    function getStETHByWstETH(uint256 amount) external view returns (uint256) {
        return stETH.getPooledEthByShares(amount);
    }

    function stEthPerToken() external view returns (uint256) {
        return stETH.getPooledEthByShares(1 ether);
    }
}

/// Ether is counted by the contract and mostly elsewhere; only what lies here can be had at once.
contract Deposited is ERC20("Deposited", "rTEST") {
    uint256 private _counted;

    receive() external payable {
        _mint(msg.sender, totalSupply() == 0 ? msg.value : (msg.value * totalSupply()) / _counted);
        _counted += msg.value;
    }

    function stake(address payable where, uint256 amount, uint256 gained) external {
        _counted += gained;
        (bool sent, ) = where.call{value: amount}("");
        require(sent, "refused");
    }

    function getEthValue(uint256 amount) public view returns (uint256) {
        return totalSupply() == 0 ? amount : (amount * _counted) / totalSupply();
    }

    function getExchangeRate() external view returns (uint256) {
        return getEthValue(1 ether);
    }

    function getTotalCollateral() external view returns (uint256) {
        return address(this).balance;
    }

    function burn(uint256 amount) external {
        uint256 worth = getEthValue(amount);
        _burn(msg.sender, amount);
        _counted -= worth;
        (bool sent, ) = payable(msg.sender).call{value: worth}("");
        require(sent, "Insufficient ETH balance for exchange");
    }
}
