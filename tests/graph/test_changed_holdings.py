"""Who has what, before and after: by hand on the small world, and the claims of two files of exposures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chain.errors import InputError
from chain.files.exposure_file import read_exposures
from chain.snapshot import Snapshot
from graph.build import build
from graph.changes.table import changes
from graph.changes.words import in_words, shortened, told
from tests.graph.small_world import CENT, LP, RAY, SHARE, WAD, E, Rows, small_rows, small_world


def found(change: Callable[[Rows], None], smallest_move: float = 0.01) -> pd.DataFrame:
    rows = small_rows()
    change(rows)
    return changes(build(small_world()), build(small_world(rows)), smallest_move)


def put(rows: Rows, table: str, number: int, **values: Any) -> None:
    rows[table][number] = {**rows[table][number], **values}


def test_what_is_behind_a_claim_and_at_which_rate() -> None:
    def change(rows: Rows) -> None:
        put(rows, "backings", 0, amount_raw=1053 * WAD, rate_wad=1053 * WAD // 1000)

    table = found(change)
    assert in_words(table) == ["Behind lstETH: WETH from 1,170 to 1,053, rate of WETH from 1.17 to 1.053."]
    # 117 WETH less, at 2,000 USD
    assert table["change_usd"].tolist()[0] == pytest.approx(-234_000) and table["change"].tolist()[0] == -117


def test_reserves_of_a_pool() -> None:
    def change(rows: Rows) -> None:
        put(rows, "pool_assets", 0, reserve_raw=50 * WAD)
        put(rows, "pool_assets", 1, reserve_raw=100_000 * CENT)

    # both sides lose 100,000 USD; what the pool's own address holds is its reserve and is not told twice
    assert in_words(found(change)) == ["Uniswap V2 WETH/USDC holds: USDC from 200,000 to 100,000, WETH from 100 to 50."]


def test_what_a_vault_lends_and_may_lend() -> None:
    def change(rows: Rows) -> None:
        put(rows, "queues", 0, cap_raw=50_000 * CENT)
        put(rows, "queues", 1, allocated_raw=15_000 * CENT)

    assert in_words(found(change)) == [
        "Prime USDC vault lends USDC: Aave V3 core from 30,000 to 15,000, at most to Aave V3 core from 100,000 to 50,000."
    ]


def test_where_it_is_not_known_what_a_vault_lends_no_amount_is_told() -> None:
    """The market has two borrowable reserves, and nothing that the vault supplies or keeps says which one it is."""

    def without(rows: Rows, cap_raw: int) -> Rows:
        rows["positions"] = [row for row in rows["positions"] if row["owner"] != E["share"]]
        rows["backings"] = [row for row in rows["backings"] if row["claim"] != SHARE]
        put(rows, "reserves", 2, supplied_stored_raw=50_000 * CENT)
        put(rows, "queues", 0, cap_raw=cap_raw)
        return rows

    one, other = (build(small_world(without(small_rows(), cap))) for cap in (10, 20))
    assert one.relations["allocates_to"]["asset"].isna().all()
    assert in_words(changes(one, other)) == []


def test_a_holder_sells_and_another_buys_though_the_sum_stays() -> None:
    def change(rows: Rows) -> None:
        put(rows, "balances", 0, amount_raw=400 * WAD)
        rows["balances"].append({**rows["balances"][0], "holder": E["alice"], "amount_raw": 600 * WAD})
        put(rows, "positions", 4, amount_raw=20_000 * CENT, stored_raw=20_000 * CENT)  # carol
        put(rows, "positions", 5, amount_raw=60_000 * CENT, stored_raw=60_000 * CENT)  # the vault

    table = found(change)
    assert in_words(table) == [
        "USDC supplied to Aave V3 core: Carol's fund from 50,000 to 20,000, Prime USDC vault from 30,000 to 60,000.",
        "UNI-V2 held: 0x3440…0000 600 (new), 0x3500…0000 from 1,000 to 400.",
    ]
    balances = table[table["topic"] == "balance"]
    assert balances["node"].tolist() == [LP, LP] and balances["what"].tolist() == ["added", "amount"]


def test_a_price_moves_no_amount_and_a_small_move_is_not_told() -> None:
    def change(rows: Rows) -> None:
        put(rows, "prices", 0, price_raw=1500 * 10**8)
        put(rows, "backings", 0, amount_raw=1165 * WAD)

    assert set(found(change)["topic"]) == {"price", "amount"}
    assert "backing" in set(found(change, 0.001)["topic"])


def test_many_holders_are_one_sentence() -> None:
    def change(rows: Rows) -> None:
        for number in range(1, 41):
            rows["balances"].append({**rows["balances"][0], "holder": f"eip155:31337:0x{number:040x}", "amount_raw": number * WAD})  # fmt: skip

    # 1 + 2 + ... + 40 = 820
    assert in_words(found(change)) == ["UNI-V2 held: 40 holders are new, 820 more in all; most 0x0000…0028 40 (new)."]


def test_of_many_holders_it_says_how_many_went_which_way() -> None:
    def five(rows: Rows, amounts: list[int]) -> None:
        for number, amount in enumerate(amounts, start=1):
            rows["balances"] += [{**rows["balances"][0], "holder": f"eip155:31337:0x{number:040x}", "amount_raw": amount * WAD}] if amount else []  # fmt: skip

    before, after = small_rows(), small_rows()
    five(before, [10, 20, 30, 0, 40])
    five(after, [15, 10, 0, 8, 20])
    # 5 more, 10, 30 and 20 less, 8 new: 47 less
    assert in_words(changes(build(small_world(before)), build(small_world(after)))) == [
        "UNI-V2 held: 5 holders moved (1 new, 1 gone, 1 more, 2 less), 47 less in all; most 0x0000…0003 30 (gone)."
    ]


def test_where_there_are_too_many_sentences_every_topic_keeps_its_first() -> None:
    sentences = [*(("reserve", f"r{number}") for number in range(30)), ("pool", "p0"), ("pool", "p1"), ("vault", "v0")]
    assert shortened(sentences, 6) == ["r0", "r1", "r2", "p0", "p1", "v0"]
    assert shortened(sentences[:4], 6) == ["r0", "r1", "r2", "r3"]


def exposures(folder: Path, name: str, *rows: str) -> Snapshot:
    path = folder / f"{name}.csv"
    path.write_text("\n".join(("holder,claim_on,amount_usd", *rows)))
    return read_exposures(path)


def test_two_files_of_exposures_are_compared_claim_by_claim(tmp_path: Path) -> None:
    one = exposures(tmp_path, "one", "alice,Fund,60", "bob,Fund,40", "Fund,Bank,70", "carol,Bank,10")
    # on Bank's account nobody has a claim any more but carol, whose amount is written otherwise; Fund is owed nothing
    other = exposures(tmp_path, "other", "Fund,Bank,35", "carol,Bank,10.00", "dave,Loan,5")
    table = changes(build(one), build(other))
    assert set(table["topic"]) == {"claim"}
    assert in_words(table) == [
        "Claims on Fund: alice $60 (gone), bob $40 (gone).",
        "Claims on Bank: Fund from $70 to $35.",
        "Claims on Loan: dave $5 (new).",
    ]
    assert table["change_usd"].tolist() == [-60, -40, -35, 5]
    assert not len(changes(build(one), build(replace(one, name="again"))))
    with pytest.raises(InputError, match="'one' is a file of exposures, 'small' is none"):
        changes(build(replace(small_world(), name="small", anchors=())), build(one))


def test_a_supply_that_grew_by_interest_alone_is_told_once() -> None:
    def change(rows: Rows) -> None:
        put(rows, "reserves", 2, supply_index_raw=RAY, supplied_stored_raw=80_000 * CENT)

    assert told(found(change)) == []


def test_prices_that_rose_manifold_are_told_by_both_and_small_moves_by_their_first_digits() -> None:
    def at(price_raw: int) -> Callable[[Rows], None]:
        return lambda rows: put(rows, "prices", 0, price_raw=price_raw)

    for price_raw, least, said in (
        (2000 * 10**38, 0.01, "WETH rose from $2,000 to $2e+33."),
        (20_000 * 10**8, 0.01, "WETH rose by 900.0% to $20,000."),
        (20_100 * 10**8, 0.01, "WETH rose from $2,000 to $20,100."),
        (200 * 10**8, 0.01, "WETH fell by 90.0% to $200."),
        (2000 * 10**8 + 2000, 0, "WETH rose by 1e-06% to $2,000.00002."),
    ):
        assert said in in_words(found(at(price_raw), least)), said


def test_amounts_that_differ_in_a_late_digit_are_written_out(tmp_path: Path) -> None:
    def at(amount: str) -> Snapshot:
        return exposures(tmp_path, f"a{amount}", f"alice,Fund,{amount}")

    one = at("1000000000000000000000000000000")
    for amount, said in (
        ("1000000000000000000000000000000.01", "alice from $1,000,000,000,000,000,000,000,000,000,000 to $1,000,000,000,000,000,000,000,000,000,000.01"),
        ("2000000000000000000000000000007", "alice from $1,000,000,000,000,000,000,000,000,000,000 to $2,000,000,000,000,000,000,000,000,000,007"),
    ):  # fmt: skip
        assert in_words(changes(build(one), build(at(amount)), 0)) == [f"Claims on Fund: {said}."]
