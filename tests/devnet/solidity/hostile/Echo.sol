// SPDX-License-Identifier: MIT
// Answers what it is asked, without the selector.
pragma solidity 0.8.27;

contract Echo {
    fallback() external {
        assembly {
            let size := sub(calldatasize(), 4)
            calldatacopy(0, 4, size)
            return(0, size)
        }
    }
}
