"""What is kept of a recording, and what a reader makes of it that counts otherwise than the contract."""

import json

import pytest

from chain.deployments import Deployment, Feed, read_deployments
from chain.readers import comet_questions
from chain.reading import in_order, read_all
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


def test_a_market_that_counts_in_the_native_coin_is_in_dollars_by_its_listed_feed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = comet_questions.of_comet
    described = {"description": "lstETH / ETH"}
    monkeypatch.setattr(comet_questions, "of_comet", lambda *where: asked(*where) | described)
    with replayed(comet.RECORDING) as client:
        before = snapshot_of(client, comet.BOOK, "without")
        symbols = before["assets"].set_index("asset")["symbol"]
        weth = before["prices"][before["prices"]["asset"].map(symbols) == "WETH"]
        [feed] = weth.loc[weth["price_raw"] == 1_444 * 10**8, "source"]
        listed = (Feed(feed[-42:], "ETH / USD", 3600, 50),)
        book = Deployment(comet.CHAIN, "chainlink", "feeds", "chainlink", 1, "a test", {}, listed)
        snapshot = read_all(client, in_order([*read_deployments(comet.BOOK), book]))
    prices = snapshot["prices"].assign(symbol=snapshot["prices"]["asset"].map(symbols))
    assert before["prices"]["price_usd"].isna().all()
    [lst] = prices.loc[prices["symbol"] == "lstETH", "price_usd"]
    assert lst == pytest.approx(1.15 * 1_444)
