"""`aftershock diff` as people type it: two books, two files of exposures, and what is said where nothing changed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import aftershock
from aftershock.cli import app
from aftershock.comparisons import compared
from aftershock.differences import differences
from chain.snapshot import save
from graph.edits.what_if import Remove
from tests.aftershock.command import Ask
from tests.graph.small_world import small_rows, small_world

RUNNER = CliRunner()
HEAD = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps"


def asked(*words: str) -> str:
    """What is printed, every run of spaces as one."""
    result = RUNNER.invoke(app, [*words], catch_exceptions=False)
    assert result.exit_code == 0
    return re.sub(r"\s+", " ", result.stdout)


def book(path: Path, alice: int, bob: int) -> str:
    """Two borrowers at 2,000 USD and a threshold of 82.5 %: alice owes 14,000, bob 8,000."""
    path.write_text(
        f"{HEAD}\nmine,alice,ETH,collateral,{alice},2000,8250,500,5000\nmine,alice,USDC,debt,14000,1,,,5000\n"
        f"mine,bob,ETH,collateral,{bob},2000,8250,500,\nmine,bob,USDC,debt,8000,1,,,5000\n"
    )
    return str(path)


def test_a_health_factor_that_crosses_one_comes_first(tmp_path: Path) -> None:
    # alice: 10 x 2,000 x 0.825 / 14,000 = 1.1786, and 4 x 2,000 x 0.825 / 14,000 = 0.4714; 14,000 less 8,000 is not covered
    one, other = book(tmp_path / "one.csv", 10, 5), book(tmp_path / "other.csv", 4, 11)
    said = asked("diff", one, other)
    health = (
        "Book mine: 1 position has a health factor below 1 and owes $14,000, instead of none; no collateral covers "
        "$6,000, instead of $0; across 1 went alice from 1.18 to 0.47."
    )
    assert f"{health} ETH supplied to Book mine: alice from 10 to 4, bob from 5 to 11." in said
    record = json.loads(asked("diff", one, other, "--json"))
    assert record["words"][0] == health and record["not_compared"] == []
    first = record["changes"][0]
    assert (first["topic"], first["label"], first["what"], first["before"], first["after"]) == (
        *("health", "alice", "health_factor", "1.18", "0.47"),
    )
    assert first["change"] == pytest.approx((4 - 10) * 2000 * 0.825 / 14_000)
    back = asked("diff", other, one)
    assert "Book mine: no position has a health factor below 1, instead of 1 that owes $14,000" in back


def test_who_stays_above_one_is_not_told(tmp_path: Path) -> None:
    one, other = (aftershock.graph(aftershock.load(book(tmp_path / f"{n}.csv", n, 5))) for n in (10, 9))
    found = differences(one, other)
    # 9 x 2,000 x 0.825 / 14,000 = 1.06
    assert [topic for topic, _ in found.told] == ["amount", "supply"]


def test_where_nothing_changed_it_says_what_was_compared(tmp_path: Path) -> None:
    one, other = (book(tmp_path / f"{name}.csv", 10, 5) for name in ("one", "other"))
    said = asked("diff", one, other)
    for part in ("Nothing changed by 1 % or more; compared: markets", "balances", "pools", "vaults", "health factors."):
        assert part in said


def test_two_files_of_exposures_are_compared_as_claims(tmp_path: Path) -> None:
    paths = [tmp_path / "one.csv", tmp_path / "other.csv"]
    for path, row in zip(paths, ("alice,Fund,60", "alice,Fonds,60"), strict=True):
        path.write_text(f"holder,claim_on,amount_usd\n{row}\n")
    said = asked("diff", *map(str, paths))
    assert "Claims on Fonds: alice $60 (new). Claims on Fund: alice $60 (gone)." in said
    assert "compared: the claims of each holder on each name, in USD" in asked("diff", str(paths[0]), str(paths[0]))


def test_a_difference_with_a_missing_side_is_no_number(tmp_path: Path) -> None:
    world = small_world(small_rows())
    answer = compared(aftershock.graph(world), aftershock.graph(aftershock.what_if(world, [Remove("core")])))
    assert len(answer.figures) and answer.figures["difference"].isna().all()
    folders = [str(save(replace(one, name=name), tmp_path / name)) for one, name in ((world, "one"), (aftershock.what_if(world, [Remove("core")]), "gone"))]  # fmt: skip
    assert re.search(r"Aave V3 core utilisation [\d.]+ % – –", asked("diff", *folders))
    record = json.loads(asked("diff", *folders, "--json"))
    assert {row["difference"] for row in record["figures"]} == {None}
    assert not pd.isna(record["figures"][0]["before"])


def test_who_crosses_one_is_told_with_its_own_market(tmp_path: Path) -> None:
    """Health factors by hand, ETH x 2,000 x 0.825 / debt; dan owes nothing and stands between the two."""
    files = []
    for name, alice, carol in (("one", 10, 5), ("two", 4, 3)):
        owing = {("mine", "alice"): (alice, 14_000), ("mine", "dan"): (7, 0), ("other", "carol"): (carol, 8_000)}
        rows = [f"{market},{who},ETH,collateral,{eth},2000,8250,500,5000" for (market, who), (eth, _) in owing.items()]
        rows += [f"{market},{who},USDC,debt,{owed},1,,,5000" for (market, who), (_, owed) in owing.items() if owed]
        (tmp_path / f"{name}.csv").write_text("\n".join([HEAD, *rows, ""]))
        files.append(str(tmp_path / f"{name}.csv"))
    record = json.loads(asked("diff", *files, "--json"))
    told = [
        (row["about"], row["label"], row["before"], row["after"])
        for row in record["changes"]
        if row["topic"] == "health"
    ]
    assert told == [("Book mine", "alice", "1.18", "0.47"), ("Book other", "carol", "1.03", "0.62")]


def test_markets_whose_health_cannot_be_told_are_named() -> None:
    rows = small_rows()
    rows["prices"] = [row for row in rows["prices"] if row["asset"] != rows["reserves"][2]["asset"]]
    without_price = aftershock.graph(small_world(rows))
    found = differences(without_price, without_price)
    assert len(found.not_compared) == 1 and "health factors" in found.not_compared[0]
    assert "health factors" not in found.compared


def test_diff_refuses_the_later_one_first(ask: Ask, tmp_path: Path) -> None:
    sample = aftershock.load()
    earlier = tuple(replace(anchor, timestamp=anchor.timestamp - 3600) for anchor in sample.anchors)
    save(replace(sample, name="earlier", anchors=earlier), tmp_path / "earlier")
    refused = ask("diff", "sample", str(tmp_path / "earlier"))
    assert refused.code == 2
    assert "2023-12-16 02:07:08" in refused.err
    assert "2023-12-16 01:07:08" in refused.err


@pytest.mark.parametrize("verb", ["diff", "timeline"])
def test_the_smallest_move_is_of_what_was_before_and_is_told_itself(ask: Ask, tmp_path: Path, verb: str) -> None:
    # alice's 10 ETH become 15, half as much again; her health factor stays above 1
    one, other = book(tmp_path / "one.csv", 10, 5), book(tmp_path / "other.csv", 15, 5)
    for least in ("50", "40"):
        assert "alice from 10 to 15" in ask(verb, one, other, "--least", least).out
    nothing = ask(verb, one, other, "--least", "50.001")
    assert "Nothing changed by 50.001 % or more" in " ".join(nothing.out.split())
    huge = ask(verb, one, other, "--least", "1e308")
    assert huge.code == 0 and "Warning" not in huge.err
    for least in ("inf", "nan"):
        refused = ask(verb, one, other, "--least", least)
        assert refused.code == 2 and f"--least is {least}" in refused.err


def test_names_in_a_comparison_are_told_apart_and_never_empty() -> None:
    """Feeds without a description, receipts of one name in two markets, and markets in which nobody is below 1 before or after."""
    sample = aftershock.load()
    cheaper = sample["prices"].copy()
    symbols = sample["assets"].set_index("asset")["symbol"]
    here = cheaper["asset"].map(symbols) == "WBTC"
    cheaper.loc[here, "price_usd"] *= 0.9
    tables = {**sample.tables, "prices": cheaper, "feeds": sample["feeds"].iloc[:0]}
    words = differences(aftershock.graph(sample), aftershock.graph(replace(sample, tables=tables, hashed={}))).words
    assert {f"aWBTC of Aave V3 {market} fell by 10.0% to $54,000." for market in ("core", "prime")} <= set(words)
    unnamed = sample["feeds"][sample["feeds"]["description"].isna()]
    gone = [word for word in words if word.startswith("Price source ") and word.endswith(" was removed.")]
    assert len(gone) == len(unnamed) > 0 and not any("nan" in word.split() for word in words)
    assert all(any(name in word for word in gone) for name in ("0x7995…2430", "0x6ad0…ab05"))


def test_nobody_below_one_before_or_after_is_said_once() -> None:
    """Health follows the market's own raw prices, which stay; what is covered in USD does not."""
    sample = aftershock.load()
    dear = sample["prices"].copy()
    symbols = sample["assets"].set_index("asset")["symbol"]
    core = dear["market"].str.endswith("b6513d92041a") & (dear["asset"].map(symbols) == "WBTC")
    dear.loc[core, "price_usd"] = 6.0
    words = differences(
        aftershock.graph(sample),
        aftershock.graph(replace(sample, tables={**sample.tables, "prices": dear}, hashed={})),
    ).words
    told = [word for word in words if "health factor" in word]
    assert told and all(
        "no position has a health factor below 1, as before; no collateral covers" in word for word in told
    )
