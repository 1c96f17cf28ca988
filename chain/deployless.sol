// SPDX-License-Identifier: MIT
// Answers many calls in one eth_call at blocks where Multicall3 has no code: sent as creation code without a recipient, it
// makes the calls while it is created and returns, in place of a contract's code, what aggregate3 would return if every
// call may fail. Compiled for byzantium, so that it runs on old blocks too. deployless.json holds the compiled code.
pragma solidity 0.8.27;

contract Deployless {
    struct Asked {
        address target;
        bytes data;
    }

    struct Answer {
        bool success;
        bytes returnData;
    }

    constructor(Asked[] memory asked) {
        Answer[] memory answers = new Answer[](asked.length);
        for (uint256 i = 0; i < asked.length; i++) {
            (answers[i].success, answers[i].returnData) = asked[i].target.call(asked[i].data);
        }
        bytes memory encoded = abi.encode(answers);
        assembly {
            return(add(encoded, 32), mload(encoded))
        }
    }
}
