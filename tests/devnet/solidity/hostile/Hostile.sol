// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// Contracts that do what a reader must survive. Each is a token, a vault or a price feed in name only.

abstract contract Token {
    event Transfer(address indexed from, address indexed to, uint256 value);

    uint256 public totalSupply = 1000;

    constructor() {
        emit Transfer(address(0), address(this), totalSupply);
    }

    function balanceOf(address who) external virtual returns (uint256) {
        return who == address(this) ? totalSupply : 0;
    }
}

/// Names and symbols of a million bytes.
contract LongName is Token {
    uint8 public constant decimals = 18;

    function name() public pure returns (string memory text) {
        text = new string(1_000_000);
        for (uint256 at = 32; at < 1_000_000; at += 32) {
            assembly {
                mstore(add(text, at), "NameNameNameNameNameNameNameName")
            }
        }
    }

    function symbol() external pure returns (string memory) {
        return name();
    }
}

/// Whatever text it is given, which need not be text.
contract AnyText is Token {
    uint8 public constant decimals = 18;
    string public name;
    string public symbol;

    constructor(string memory name_, bytes memory symbol_) {
        name = name_;
        symbol = string(symbol_);
    }
}

/// Whatever decimals it is given, also such that do not fit their type.
contract AnyDecimals is Token {
    string public constant name = "Any Decimals";
    string public constant symbol = "ANY";
    uint256 public immutable decimals;

    constructor(uint256 decimals_) {
        decimals = decimals_;
    }
}

/// Only what EIP-20 demands: no name, no symbol, no decimals.
contract Nameless is Token {}

/// Reverts when it is asked who it is.
contract Reverting is Token {
    function name() external pure returns (string memory) {
        revert("no");
    }

    function symbol() external pure returns (string memory) {
        assembly {
            invalid()
        }
    }

    function decimals() external pure returns (uint8) {
        revert();
    }
}

/// Name and symbol as early tokens had them.
contract Bytes32Text is Token {
    uint8 public constant decimals = 18;
    bytes32 public constant name = "Early Token";
    bytes32 public constant symbol = "EARLY";
}

/// Calls itself again until the gas is gone.
contract Reentrant is Token {
    string public constant name = "Reentrant";
    string public constant symbol = "LOOP";
    uint8 public constant decimals = 18;
    uint256 public depth;

    function balanceOf(address who) external override returns (uint256) {
        depth += 1;
        return this.balanceOf(who);
    }
}

/// Answers every question, name and all, with this many bytes of zero.
contract Answering {
    uint256 private immutable _length;

    constructor(uint256 length) {
        _length = length;
    }

    fallback() external {
        uint256 length = _length;
        assembly {
            return(0, length)
        }
    }
}

/// Answers after so many rounds of counting, itself or through a call that it does not see fail: with little gas it refuses.
contract Counting {
    uint256 private immutable _rounds;

    constructor(uint256 rounds) {
        _rounds = rounds;
    }

    function direct() public view returns (uint256 sum) {
        for (uint256 round = 0; round < _rounds; round++) {
            sum = uint256(keccak256(abi.encode(sum, round)));
        }
    }

    function caught() external view returns (uint256) {
        try this.direct() returns (uint256 sum) {
            return sum;
        } catch {
            revert("caught");
        }
    }
}

/// A price feed with the round that it is given.
contract AnyRound {
    uint8 public constant decimals = 8;
    string public constant description = "ANY / USD";
    int256 public latestAnswer;
    uint256 private immutable _updatedAt;

    constructor(int256 answer, uint256 updatedAt) {
        latestAnswer = answer;
        _updatedAt = updatedAt;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (type(uint80).max, latestAnswer, _updatedAt, _updatedAt, type(uint80).max);
    }
}

/// A vault with the decimals and the worth of a share that it is given.
contract AnyVault is Token {
    string public constant name = "Any Vault";
    string public constant symbol = "vANY";
    uint8 public immutable decimals;
    address public immutable asset;
    uint256 public immutable totalAssets;

    constructor(address asset_, uint8 decimals_, uint256 worth) {
        asset = asset_;
        decimals = decimals_;
        totalAssets = worth;
    }

    function convertToAssets(uint256) external view returns (uint256) {
        return totalAssets;
    }
}
