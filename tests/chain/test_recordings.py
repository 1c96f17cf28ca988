"""What is kept of a recording, and what a reader makes of it that counts otherwise than the contract."""

import json

import pytest

from chain.readers import comet_questions
from tests.recordings import comet
from tests.recordings.keeping import replayed, snapshot_of, without_code


def line(method: str, **outcome: object) -> str:
    return json.dumps({"ask": ["pinned", method, "0x00"], **outcome}, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("method", ["code_start", "eth_getCode"])
def test_of_code_only_whether_there_is_any_is_kept(method: str) -> None:
    for answer, kept in (("0x", "0x"), ("0x608060", "0x01"), ("0xEF0100" + "00" * 20, "0xef0100")):
        assert without_code(line(method, answer=answer)) == line(method, answer=kept)
    refused = line(method, refusal=[-32000, "no", "0x"])
    assert without_code(refused) == refused
    other = line("eth_call", answer="0x608060")
    assert without_code(other) == other


def test_a_difference_that_stands_when_asked_again_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "chain.readers.comet_accounts.present_value", lambda stored, index: -(-stored * index // 10**15)
    )
    with replayed(comet.RECORDING) as client:
        snapshot = snapshot_of(client, comet.BOOK, "rounded up")
    assert {check.name for check in snapshot.checks if not check.passed} == {"amount is balanceOf"}


@pytest.mark.parametrize(
    ("description", "quote", "gap"),
    [
        ("Custom price feed for wstETH / ETH", "eip155:31337/slip44:60", "whose price in USD is not known"),
        ("something else", "iso4217:USD", "are read as US dollars"),
        ("Constant price feed", "eip155:31337/erc20", ""),
    ],
)
def test_what_a_comet_counts_in_is_what_its_base_feed_says(
    monkeypatch: pytest.MonkeyPatch, description: str, quote: str, gap: str
) -> None:
    asked = comet_questions.of_comet
    monkeypatch.setattr(comet_questions, "of_comet", lambda *where: asked(*where) | {"description": description})
    with replayed(comet.RECORDING) as client:
        snapshot = snapshot_of(client, comet.BOOK, "described")
    assert all(base.startswith(quote) for base in snapshot["markets"]["base_asset"])
    assert not gap or any(gap in sentence for sentence in snapshot.gaps)
    assert all(check.passed for check in snapshot.checks)
