// SPDX-License-Identifier: MIT
// Answers many calls in one eth_call without any contract on the chain: sent as creation code without a recipient, it makes the
// calls while it is created and returns, in place of a contract's code, their answers. Compiled for byzantium, so that it runs on
// old blocks too; deployless.json holds the compiled code. What comes in and goes out is described in packing.py.
//
// The limits of the chain shape it. Code may have 24,576 bytes (EIP-170) and costs 200 gas a byte, so it stops before that and
// says how many calls it answered. Each call gets an eighth of the gas at most, so one that eats all it gets harms no other. A
// call may not write (STATICCALL), so the answers do not depend on their order.
pragma solidity 0.8.27;

contract Deployless {
    constructor(bytes memory asked) {
        assembly {
            // Packs a word: how many bytes are left without the leading zeros (from 0x80: without the leading ff), then those.
            function put(at, word) -> next {
                let rest := word
                let count := 0
                if eq(byte(0, word), 0xff) {
                    rest := not(word)
                    count := 0x80
                }
                for { let step := 16 } step { step := div(step, 2) } {
                    let high := div(rest, exp(256, step))
                    if high {
                        count := add(count, step)
                        rest := high
                    }
                }
                if rest { count := add(count, 1) }
                mstore8(at, count)
                count := and(count, 0x7f)
                mstore(add(at, 1), mul(word, exp(256, sub(32, count))))
                next := add(at, add(1, count))
            }

            // Unpacks so many words.
            function take(at, words, to) -> next, end {
                for { } words { words := sub(words, 1) } {
                    let head := byte(0, mload(at))
                    let count := and(head, 0x7f)
                    let word := div(mload(add(at, 1)), exp(256, sub(32, count)))
                    if and(head, 0x80) { word := or(word, not(sub(exp(256, count), 1))) }
                    mstore(to, word)
                    to := add(to, 32)
                    at := add(at, add(1, count))
                }
                next := at
                end := to
            }

            // Bytes of what a contract returns; 1 for what is not packed, 2 for a refusal that cost less than half of the gas it got.
            function call_size(target, data, end, found) -> size {
                let before := gas()
                size := 1
                switch staticcall(mload(0), target, data, sub(end, data), 0, 0)
                case 0 {
                    if lt(sub(before, gas()), div(mload(0), 2)) { size := 2 }
                }
                default {
                    if and(lt(returndatasize(), 1985), iszero(mod(returndatasize(), 32))) {
                        size := returndatasize()
                        returndatacopy(found, 0, size)
                    }
                }
            }

            // The first three bytes of an account's code as one word; nothing if it has none.
            function code_size(account, found) -> size {
                if extcodesize(account) {
                    size := 32
                    mstore(found, 0)
                    extcodecopy(account, add(found, 29), 0, 3)
                }
            }

            function put_all(at, found, size) -> next {
                next := at
                if iszero(eq(size, 32)) {
                    mstore8(next, add(0x40, div(size, 32)))
                    if eq(size, 1) { mstore8(next, 0x7f) }
                    if eq(size, 2) { mstore8(next, 0x3f) }
                    next := add(next, 1)
                }
                for { let end := add(found, mul(32, div(size, 32))) } lt(found, end) { found := add(found, 32) } {
                    next := put(next, mload(found))
                }
            }

            // Whether less is left than one more call and returning so many bytes may take.
            function is_full(used) -> full {
                let share := mload(0)
                let needed := add(add(share, div(share, 32)), add(mul(200, add(used, 2048)), 100000))
                full := or(gt(used, 22528), lt(gas(), needed))
            }

            // Answers one call of a run whose head stands at `run`: its words at `at`, its answer to `next`.
            function answer(run, at, next, data) -> at_after, next_after {
                let found := add(data, 8192) // after the longest call data: 254 words and a selector
                let words := byte(24, mload(run))
                let end := 0
                switch words
                case 255 {
                    at_after, end := take(at, 1, data)
                    next_after := put_all(next, found, code_size(mload(data), found))
                }
                default {
                    mstore(data, mload(add(run, 20)))
                    at_after, end := take(at, words, add(data, 4))
                    next_after := put_all(next, found, call_size(div(mload(run), exp(256, 12)), data, end, found))
                }
            }

            let data := mload(0x40)
            let out := add(data, 10240) // after the longest call data and the longest answer, which is 62 words
            let next := add(out, 2)
            let done := 0
            mstore(0, div(gas(), 8))
            let at := add(asked, 32)
            for { let end := add(at, mload(asked)) } lt(at, end) { } {
                let run := at
                at := add(at, 27)
                for { let left := div(mload(add(run, 25)), exp(256, 30)) } left { left := sub(left, 1) } {
                    if is_full(sub(next, out)) {
                        at := end
                        break
                    }
                    at, next := answer(run, at, next, data)
                    done := add(done, 1)
                }
            }
            mstore8(out, div(done, 256))
            mstore8(add(out, 1), done)
            return(out, sub(next, out))
        }
    }
}
