"""Calls written as text become the bytes that contracts expect."""

import pytest

from chain.node.calls import Call, event_topic, function, refusal_text

A = "0x" + "1" * 40


def test_selectors_and_topics_are_the_known_ones() -> None:
    # Published: 4byte directory entries of ERC-20's balanceOf, transfer and approve, and ERC-20's Transfer event.
    assert function("balanceOf(address)->(uint256)").selector.hex() == "70a08231"
    assert function("transfer(address,uint256)->(bool)").selector.hex() == "a9059cbb"
    assert function("approve(address,uint256)->(bool)").selector.hex() == "095ea7b3"
    topic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    assert event_topic("Transfer(address,address,uint256)") == topic


def test_types_may_be_nested() -> None:
    shape = function("f(address,(uint8,bytes32)[])->((bool,bytes)[],uint8)")
    assert shape.inputs == ("address", "(uint8,bytes32)[]")
    assert shape.outputs == ("(bool,bytes)[]", "uint8")
    assert function("f()->(uint256)").inputs == ()


@pytest.mark.parametrize("text", ["", "f", "f()", "f(uint256)", "->(uint256)", "f()->uint256", "f()->(uint256)[]"])
def test_text_that_is_no_function_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        function(text)


def test_answers_are_decoded() -> None:
    word = (7).to_bytes(32, "big")
    assert Call(A, "f()->(uint256)").decoded(word) == 7
    assert Call(A, "f()->(uint256,uint256)").decoded(word * 2) == (7, 7)
    for short in (b"", word[:-1]):
        with pytest.raises(ValueError, match="do not hold"):
            Call(A, "f()->(uint256)").decoded(short)


def test_reasons_of_refusals_are_put_into_words() -> None:
    text = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"no".ljust(32, b"\0")
    assert refusal_text(text) == "no"
    assert refusal_text(bytes.fromhex("4e487b71") + (17).to_bytes(32, "big")) == "panic 0x11"
    assert refusal_text(bytes.fromhex("12345678")) == "error 0x12345678"
    assert refusal_text(b"") == "no reason given"
