"""What is known to be wrong with the real files is found by the same checks that any file goes through: no file, symbol or date is special.

docs/results/file-traps.md says, trap by trap, where it is found, or why it cannot be seen in the file.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chain.errors import InputError
from chain.files.event_files import read_liquidations
from chain.files.file_checks import CheckedFile, check_files
from chain.files.file_findings import FileFinding
from chain.files.price_files import Stamp, read_prices
from tests.real.files import DATA, real_file
from tests.real.steth_book import accounts, book_table, rebuild

pytestmark = pytest.mark.real

NOW = pd.Timestamp("2026-11-01", tz="UTC").timestamp()
DAY, HOUR = 86_400.0, 3_600.0
YAHOO = "prices-daily-yahoo-to-2022-mit/ohlcv_1d.csv.gz"
MAJORS = "prices-hourly-binance-2017-2022-majors/ohlcv_1h.parquet"
BINANCE = "prices-hourly-binance-2021-2023/ohlcv_1h.parquet"
COINGECKO = "prices-hourly-coingecko-2021-2023/close_hourly_raw.parquet"
LOG = "aavev2-liquidations-idea/aave_v2_liquidations_normalised.csv.gz"
TOKENS = "aavev2-liquidations-idea/tokens_reserve_params.csv"
ECON = "defi-econ-uniswap-aave-compound"
BARS = {YAHOO: ("open", DAY), MAJORS: ("open", HOUR), BINANCE: ("open", HOUR)}
FOLDERS = {
    "aave-governance-v3", "aavev2-liquidations-idea", "aavev3-top1000-borrowers", "crvusd-positions-2024-01", ECON, "defillama-pools-tvl",
    "dex-quotes-oneinch-crvusd", "dexposure-published-results", "lido-aave-steth-positions", *(name.split("/")[0] for name in (YAHOO, MAJORS, BINANCE, COINGECKO)),
}  # fmt: skip


@cache
def checked(name: str) -> CheckedFile:
    stamp, bar_s = BARS.get(name, (None, None))
    [found] = check_files([real_file(name)], NOW, stamp=stamp, bar_s=bar_s)  # type: ignore[arg-type]
    return found


def of(found: CheckedFile, kind: str, symbol: str | None = None, column: str | None = None) -> list[FileFinding]:
    return [
        one
        for one in found.findings
        if one.kind == kind and (symbol is None or one.symbol == symbol) and (column is None or one.column == column)
    ]


def symbols(found: CheckedFile, kind: str) -> set[str]:
    return {one.symbol for one in of(found, kind)}


def row_of(name: str, symbol: str, stamp: str) -> int:
    """The row of a Parquet file in which a symbol has this stamp, looked up in the file itself."""
    frame = pd.read_parquet(DATA / name)
    [place] = np.flatnonzero((frame["symbol"] == symbol) & (frame["timestamp"].astype(str).str[: len(stamp)] == stamp))
    return int(place) + 1


def test_every_folder_is_spoken_of() -> None:
    real_file(BINANCE)
    page = (Path(__file__).resolve().parents[2] / "docs" / "results" / "file-traps.md").read_text(encoding="utf-8")
    there = {path.parent.name for path in DATA.glob("*/PROVENANCE.md")}
    assert there == FOLDERS and [name for name in there if f"## {name}" not in page] == []


def test_binance_2021_2023() -> None:
    found = checked(BINANCE)
    [splice] = of(found, "splice")
    assert (splice.symbol, splice.column, splice.row) == ("LUNA", "close", row_of(BINANCE, "LUNA", "2022-05-31 06"))
    assert "cut it after 2022-05-13" in splice.sentence
    for symbol in ("USDC", "TUSD", "USDP"):
        [gap] = of(found, "gap", symbol)
        assert 3_990 < gap.rows < 4_020 and "2022-09-26" in gap.sentence and "2023-03-11" in gap.sentence
    [hole] = of(found, "gap", "FTT")
    assert hole.rows == 7_478 and "between 2022-11-15" in hole.sentence
    assert [one.rows for one in of(found, "gap", "BTC")] == [12]
    assert not {"repeated", "contradicting", "ohlc", "not_above_zero", "bar_length"} & {
        one.kind for one in found.findings
    }
    assert [one.kind for one in found.findings if one.severity == "error"] == ["splice"]
    [naive] = of(found, "zone_unsaid")
    assert naive.column == "timestamp"


def test_bars_that_do_not_say_their_stamp_are_refused(tmp_path: Path) -> None:
    pd.read_parquet(real_file(BINANCE)).iloc[:1_000].to_parquet(tmp_path / "bars.parquet")
    [unsaid] = of(check_files([tmp_path / "bars.parquet"], NOW)[0], "stamp_unsaid")
    assert unsaid.severity == "error" and "--stamp open|close" in unsaid.sentence


def test_binance_majors() -> None:
    found = checked(MAJORS)
    assert {one.rows for one in of(found, "gap")} == {19, 31, 43, 53, 59, 121, 127}
    assert [one.kind for one in found.findings if one.severity == "error"] == []
    assert not of(found, "jump", "ETH") and not of(found, "spike", "ETH")  # March 2020 was the market, and stays in


@pytest.mark.verify
def test_two_panels_of_one_exchange_are_no_two_sources() -> None:
    [_, majors] = check_files([real_file(BINANCE), real_file(MAJORS)], NOW, stamp="open", bar_s=HOUR)
    [copied] = of(majors, "copied")
    assert copied.sentence.startswith("9 symbols") and copied.rows > 119_000 and not of(majors, "disagrees")


def test_coingecko_hourly() -> None:
    found = checked(COINGECKO)
    [ust] = [one for one in of(found, "spike", "UST") if "2022-03-25" in one.sentence]
    [rai] = of(found, "spike", "RAI")
    assert ust.row == row_of(COINGECKO, "UST", "2022-03-25 22:0") and rai.row == row_of(
        COINGECKO, "RAI", "2022-02-22 00:17"
    )
    assert "back 2.0 h later" in ust.sentence and "back 3.0 h later" in rai.sentence
    [usdp], [ren] = of(found, "gap", "USDP"), of(found, "gap", "renFIL")
    assert 8_000 < usdp.rows < 8_200 and 6_300 < ren.rows < 6_450
    assert [(one.symbol, one.rows) for one in of(found, "repeated")] == [("renFIL", 24)]
    assert of(found, "gap", "KNC")[0].rows > 600 and len(of(found, "irregular")) == 1
    assert found.last_s is not None and pd.Timestamp(found.last_s, unit="s") < pd.Timestamp("2023-03-01")


@pytest.mark.verify
def test_the_panels_agree_when_their_stamps_are_stated_and_not_otherwise() -> None:
    files = [real_file(COINGECKO), real_file(BINANCE)]
    right = check_files(files, NOW, stamp="open", bar_s=HOUR)[1]
    wrong = check_files(files, NOW, stamp="close", bar_s=HOUR)[1]
    assert not of(right, "shifted")
    [shifted] = of(wrong, "shifted")
    assert shifted.severity == "error" and shifted.rows >= 10 and shifted.value in ("1 h", "1.0 h")


def test_yahoo_daily() -> None:
    found = checked(YAHOO)
    [aave] = of(found, "redenomination")
    frame = pd.read_csv(real_file(YAHOO))
    [place] = np.flatnonzero((frame["symbol"] == "AAVE") & (frame["timestamp"] == "2020-10-03"))
    assert (aave.symbol, aave.column, aave.row) == ("AAVE", "close", int(place) + 2) and "102.9-fold" in aave.sentence
    assert {"COMP1", "LUNA1", "SOL1", "UNI3"} <= symbols(found, "look_alike")
    assert of(found, "not_above_zero", "COMP", "close")[0].rows == 352  # the other coin of that name has prices of zero
    assert {"KNC", "UNI3", "SOL1", "AVAX"} <= symbols(found, "short")
    assert not [one for one in found.findings if one.severity == "error" and one.symbol not in ("COMP", "AAVE")]


def test_liquidations_of_aave_v2(tmp_path: Path) -> None:
    found = checked(LOG)
    assert (found.kind, found.rows, found.errors) == ("liquidations", 11_489, 0)
    assert [one.severity for one in of(found, "repeated")] == ["warning"]
    assert of(found, "empty", column="liquidator")[0].rows == 6_224 and of(found, "empty", column="debt_usd_src")
    assert of(found, "no_identity") and 100 <= of(found, "several_pools")[0].rows <= 113
    frame = pd.read_csv(real_file(LOG))
    places = pd.read_csv(real_file(TOKENS)).drop_duplicates("symbol").set_index("symbol")["decimals"]
    raw = frame.copy()
    early = (frame["source_batch"] == frame["source_batch"][0]).to_numpy()
    for side in ("collateral", "debt"):  # as the first batch stood in the source: whole numbers of smallest units
        power = 10.0 ** frame[f"{side}_symbol"].map(places).fillna(0)
        raw[f"{side}_amount"] = np.where(early, np.floor(frame[f"{side}_amount"] * power), frame[f"{side}_amount"])
    raw.to_csv(tmp_path / "raw.csv", index=False)
    [mixed] = check_files([tmp_path / "raw.csv"], NOW)
    assert {"WETH", "USDC", "WBTC", "DAI", "LINK"} <= symbols(mixed, "mixed_units")
    [first] = of(mixed, "mixed_units", "WETH", "collateral_amount")
    weth = np.flatnonzero(
        early & (frame["collateral_symbol"] == "WETH").to_numpy() & (raw["collateral_amount"] >= 1e4).to_numpy()
    )
    assert (first.row, first.rows) == (weth[0] + 2, len(weth))
    assert len(read_liquidations(real_file(LOG))) == 11_489


def unit_findings(frame: pd.DataFrame, path: Path) -> list[FileFinding]:
    frame.to_csv(path, index=False)
    return [one for one in check_files([path], NOW)[0].findings if one.kind in ("mixed_units", "raw_units")]


def test_real_positions_are_in_one_unit_until_some_are_not(tmp_path: Path) -> None:
    real_file("lido-aave-steth-positions/b21_debt_stables.csv")
    book = book_table(rebuild(accounts()).completed)
    lists = pd.read_csv(real_file("aavev3-top1000-borrowers/hercules_top_1000_borrowed_positions.csv"))
    loans = pd.read_csv(real_file("crvusd-positions-2024-01/positions.csv")).rename(
        columns={"market": "symbol", "collateral": "amount"}
    )
    days = pd.read_csv(real_file("aavev2-liquidations-idea/usersdaily_50users_balances.csv.gz"))
    days = days.melt(["date", "user"], var_name="symbol", value_name="amount").query("amount > 0")
    for frame in (book, lists, loans[["user", "symbol", "amount"]], days):
        assert unit_findings(frame, tmp_path / "clean.csv") == []
    places = {"usdc": 6, "usdt": 6, "wbtc": 8}
    for seed, share in ((1, 0.1), (2, 0.5), (3, 0.9)):
        rng = np.random.default_rng(seed)
        turned = (rng.random(len(book)) < share) & (book["amount"].astype(float) > 1e-6)
        raw = book["amount"].astype(float) * 10.0 ** book["asset"].map(places).fillna(18)
        mixed = book.assign(
            amount=[f"{r:.0f}" if t else text for r, t, text in zip(raw, turned, book["amount"], strict=True)]
        )
        found = {one.symbol: one for one in unit_findings(mixed, tmp_path / "mixed.csv")}
        for asset in ("stETH", "weth", "usdc", "dai"):
            mine = np.flatnonzero(turned & (book["asset"] == asset))
            assert (found[asset].kind, found[asset].column) == ("mixed_units", "amount"), (asset, share)
            assert found[asset].row == mine[0] + 2 and abs(found[asset].rows - len(mine)) <= 0.05 * len(mine)


@cache
def daily(table: str) -> pd.DataFrame:
    """A wide table of the source, a column a symbol, as the contract asks for it: long."""
    frame = pd.read_csv(real_file(f"{ECON}/{table}.csv.gz")).iloc[:, 1:]
    return frame.melt("Date", var_name="symbol", value_name="close").rename(columns={"Date": "timestamp"})


@pytest.mark.verify
def test_defi_econ(tmp_path: Path) -> None:
    long = daily("token_price_daily")
    long.to_csv(tmp_path / "daily.csv", index=False)
    [prices] = check_files([tmp_path / "daily.csv"], NOW)
    [unsaid] = of(prices, "stamp_unsaid")  # the stamp is 00:00, where the day before ends
    assert (unsaid.severity, unsaid.row, unsaid.column) == ("error", 2, "timestamp")
    assert any(one.column == "close" and one.severity == "error" for one in of(prices, "empty"))
    assert "LUNA" in symbols(prices, "short")
    edges = checked(f"{ECON}/token_flow_edges.csv.gz")
    assert {one.column: one.rows for one in of(edges, "empty")} == {"Source": 30, "Target": 30}
    assert of(edges, "same_key")[0].rows + of(edges, "repeated")[0].rows == 6_736
    nodes = checked(f"{ECON}/token_centrality_nodes.csv.gz")
    for column in ("degree", "betweenness_centrality"):
        [empty] = of(nodes, "empty", column=column)
        assert empty.rows > 53_000
    gas = pd.read_csv(real_file(f"{ECON}/avg_gas_fee.csv.gz")).assign(symbol="gas")
    gas.to_csv(tmp_path / "gas.csv", index=False)
    columns = {"timestamp": "Date(UTC)", "close": "Value (Wei)"}
    [gas_prices] = check_files([tmp_path / "gas.csv"], NOW, columns=columns)
    assert of(gas_prices, "date_order")[0].column == "timestamp"


def test_defi_econ_is_stamped_where_the_day_before_ends(tmp_path: Path) -> None:
    """Against bars that state their stamp: taken as instants the closes agree, taken as the day of their date they are a day late."""
    long = daily("token_price_daily").dropna()
    long = long[long["symbol"].isin(["ETH", "BTC", "LINK", "MKR", "MATIC", "USDC"])]
    for name, late in (("instants.csv", 0), ("days.csv", 1)):
        stamps = pd.to_datetime(long["timestamp"]) + pd.Timedelta(days=late)
        long.assign(timestamp=stamps.dt.strftime("%Y-%m-%dT00:00:00Z")).to_csv(tmp_path / name, index=False)
    files = [real_file(YAHOO), tmp_path / "instants.csv", tmp_path / "days.csv"]
    _, instants, days = check_files(files, NOW, stamp="open", bar_s=DAY)
    assert not of(instants, "shifted") and of(days, "shifted")[0].value == "1 d"


def test_defillama() -> None:
    columns = {"close": "tvl_usd", "symbol": "pool_id_defillama"}
    [pools] = check_files([real_file("defillama-pools-tvl/historical_facts_2025-10-06.parquet")], NOW, columns=columns)
    assert of(pools, "survivors")[0].column == "symbol" and pools.series == 479
    assert not of(pools, "contradicting") and not of(pools, "repeated")


def test_oneinch_quotes() -> None:
    columns = {"sold_asset": "src", "bought_asset": "dst", "amount_in": "in_amount", "amount_out": "out_amount"}
    [quotes] = check_files([real_file("dex-quotes-oneinch-crvusd/oneinch_quotes.csv.gz")], NOW, columns=columns)
    assert of(quotes, "raw_units")[0].rows == quotes.rows == 9_677
    assert len(of(quotes, "not_concave")) == 56  # every pair: quotes of a whole day, not of an instant


def test_positions_and_tables_that_are_no_contract_of_ours() -> None:
    titles = checked("aave-governance-v3/aave_v3_proposals.csv")
    assert [one.rows for one in of(titles, "empty", column="title")] == [73]
    assert of(titles, "raw_units", column="votes_for")
    assert of(checked("crvusd-positions-2024-01/positions.csv"), "not_above_zero", column="health")[0].rows == 12
    assert of(checked("crvusd-positions-2024-01/bands.csv"), "raw_units")[0].column == "bands_y_collateral_raw"
    assert not of(checked("crvusd-positions-2024-01/positions.csv"), "repeated")
    users = checked("aavev3-top1000-borrowers/hercules_top_1000_borrowed_users.csv")
    assert of(users, "not_above_zero", column="total_collateral_usd")
    steth = checked("lido-aave-steth-positions/steth_aave.csv")
    assert of(steth, "raw_units", column="available_borrow") and not of(steth, "repeated")
    [broken] = of(checked("lido-aave-steth-positions/curve_poolDF_cg.csv"), "unreadable")
    assert "line 9" in broken.sentence
    for name in DATA.glob("dexposure-published-results/*.json"):
        assert json.loads(name.read_text(encoding="utf-8"))


@pytest.mark.verify
@pytest.mark.parametrize(("name", "stamp"), [(YAHOO, "open"), (MAJORS, "open"), (BINANCE, "open"), (COINGECKO, None)])
def test_price_files_load(name: str, stamp: Stamp | None) -> None:
    bar_s = BARS[name][1] if name in BARS else None
    if name != YAHOO:
        table = read_prices(real_file(name), stamp, bar_s)
        assert len(table) == checked(name).series
        return
    with pytest.raises(
        InputError, match=r"row 4269: low is .*0\.0|row 10332: close is"
    ):  # the zeros that the check lists
        read_prices(real_file(name), stamp, bar_s)


@pytest.mark.verify
def test_compressed_files_of_the_other_folders_open() -> None:
    names = [
        path.relative_to(DATA)
        for path in sorted(DATA.glob("*/*.csv*"))
        if path.name not in ("QC.csv", "curve_poolDF_cg.csv")
    ]
    assert len(names) > 20
    for one in check_files([real_file(str(name)) for name in names if name.name != Path(YAHOO).name], NOW):
        assert one.rows > 0 and not of(one, "unreadable"), one.file
