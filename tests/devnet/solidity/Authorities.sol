// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// An executor with the getters of Aave's governance V2, written for these tests.
contract Executor {
    uint256 public constant GRACE_PERIOD = 5 days;
    uint256 public immutable getDelay;
    address public immutable getAdmin;

    constructor(uint256 delay, address admin) {
        (getDelay, getAdmin) = (delay, admin);
    }
}

/// A proxy that keeps its implementation where OpenZeppelin's did before ERC-1967.
contract OldProxy {
    constructor(address implementation) {
        bytes32 slot = keccak256("org.zeppelinos.proxy.implementation");
        assembly {
            sstore(slot, implementation)
        }
    }

    fallback() external {
        bytes32 slot = keccak256("org.zeppelinos.proxy.implementation");
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(slot), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch done
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}

/// Deploys minimal proxies.
contract Cloner {
    event Cloned(address at);

    function clone(address implementation) external {
        bytes memory code = abi.encodePacked(hex"3d602d80600a3d3981f3363d3d373d3d3d363d73", implementation, hex"5af43d82803e903d91602b57fd5bf3");
        address at;
        assembly {
            at := create(0, add(code, 32), mload(code))
        }
        emit Cloned(at);
    }
}
