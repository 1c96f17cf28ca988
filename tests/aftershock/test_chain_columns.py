"""Snapshots and histories of chains beside prices: what they say is counted by hand, known when it could be known, and reaches models and graph networks."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aftershock
from aftershock.forecasting.chain_columns import NAMED, with_tables
from aftershock.forecasting.forecasts import forecast
from aftershock.forecasting.hourly_prices import Priced, read_prices
from aftershock.forecasting.learners import learner_of
from aftershock.forecasting.training import Wish, train_volatility
from chain.errors import InputError, SnapshotError
from chain.histories.folder import HistoryFolder, Purpose
from chain.snapshot import save
from graph.build import build
from models.features import price_features
from models.networks.forecaster import NetworkForecaster
from models.networks.relations import ASSET
from simulations.book_of_graph import from_graph
from simulations.health import at_risk
from tests.aftershock.command import Ask
from tests.aftershock.test_train_verb import told_panel

DAY_S = 86_400


@pytest.fixture(scope="module")
def sample() -> aftershock.Snapshot:
    return aftershock.load()


@pytest.fixture(scope="module")
def priced() -> Priced:
    return read_prices(None)


@pytest.fixture(scope="module")
def folders(sample: aftershock.Snapshot, priced: Priced, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The embedded snapshot forty days before the last price, when nothing was borrowed of LINK, and at its own time."""
    out, made = tmp_path_factory.mktemp("snapshots"), []
    reserves = sample["reserves"]
    link = sample["assets"].set_index("symbol")["asset"]["LINK"]
    idle = reserves.assign(
        borrowed_stored_raw=[
            0 if asset == link else raw
            for asset, raw in zip(reserves["asset"], reserves["borrowed_stored_raw"], strict=True)
        ]
    )
    positions = sample["positions"]
    kept = positions[~((positions["asset"] == link) & (positions["side"] == "debt"))]
    early = {**sample.tables, "reserves": idle, "positions": kept.reset_index(drop=True)}
    for name, days, tables in (("early", 40, early), ("late", 0, dict(sample.tables))):
        at = int(priced.panel.end_s[-1]) - days * DAY_S - (1_800 if days else 0)
        anchors = tuple(replace(anchor, timestamp=at) for anchor in sample.anchors)
        made.append(save(replace(sample, name=name, anchors=anchors, tables=tables, hashed={}), out / name))
    return made


@pytest.fixture(scope="module")
def both(priced: Priced, folders: list[Path]) -> Priced:
    return with_tables(priced, folders)


def asset_named(sample: aftershock.Snapshot, symbol: str) -> str:
    return str(sample["assets"].set_index("symbol")["asset"][symbol])


def test_a_snapshot_says_what_its_tables_do(both: Priced, sample: aftershock.Snapshot) -> None:
    """Utilisation from stored amounts and indices; what a fall makes liquidatable from the whole curve; the rest is unknown."""
    n, reserves = both.panel.assets.index("LINK"), sample["reserves"]
    rows = reserves[reserves["asset"] == asset_named(sample, "LINK")].to_dict("records")
    supplied = sum(r["supplied_stored_raw"] * r["supply_index_raw"] // r["supply_index_unit_raw"] for r in rows)
    borrowed = sum(r["borrowed_stored_raw"] * r["borrow_index_raw"] // r["borrow_index_unit_raw"] for r in rows)
    column = both.panel.extras["utilisation"]
    assert column[-1, n] == pytest.approx(borrowed / supplied, rel=1e-6) and borrowed > 0
    curve = at_risk(from_graph(build(sample)), "ETH", (0.0, 0.05, 0.1, 0.2))["liquidatable_collateral_usd"].tolist()
    n = both.panel.assets.index("ETH")
    found = [both.panel.extras[f"at_risk_{fall}_usd"][-1, n] for fall in (5, 10, 20)]
    assert found == pytest.approx(curve[1:]) and 0 < found[0] < found[1] < found[2]
    taken = both.panel.extras["pools_take_usd"][-1, n]
    assert both.panel.extras["depth_ratio"][-1, n] == pytest.approx(np.log(taken / found[1]))
    assert np.isfinite(column[:, n]).sum() == 2  # a state is told once a snapshot


def test_nothing_is_known_before_its_block(both: Priced, priced: Priced, folders: list[Path]) -> None:
    """The early snapshot stands half an hour into a bar: features have it from the end of that bar on, for a week; with the late one left out, no earlier feature changes."""
    known = int(priced.panel.end_s[-1]) - 40 * DAY_S
    at = np.array([known - 3_600, known, known + 7 * DAY_S, known + 7 * DAY_S + 3_600], dtype=np.int64)
    n = priced.panel.assets.index("LINK")
    assert np.isfinite(price_features(both.panel, at, 24)["utilisation"][:, n]).tolist() == [False, True, True, False]
    assert price_features(both.panel, at, 24)["utilisation"][1, n] == 0.0
    alone, late = with_tables(priced, folders[:1]), np.array([int(priced.panel.end_s[-2])])
    for one, other in zip(
        price_features(alone.panel, late, 24).items(), price_features(both.panel, late, 24).items(), strict=True
    ):
        assert one[0] == other[0] and np.array_equal(one[1], other[1], equal_nan=True)


def history_of(
    folder: Path,
    sample: aftershock.Snapshot,
    rows: Mapping[str, list[dict[str, Any]]],
    until_s: int | None,
    blocks: int = 100,
) -> Path:
    chain = sample.anchors[0].chain
    purpose = Purpose(chain, "00" * 32, tuple(sorted(rows)), {})
    history = HistoryFolder.open(folder, purpose)
    stated = {"chain": chain, "transaction": "0x01", "evidence": "event", "status": "unverified"}
    history.add(
        0,
        blocks,
        "0x00",
        {
            table: [stated | {"block_number": k, "log_index": k} | row for k, row in enumerate(told)]
            if table != "blocks"
            else [
                {"chain": chain, "evidence": "block", "status": "unverified", "block_number": k} | row
                for k, row in enumerate(told)
            ]
            for table, told in rows.items()
        },
        last_time=until_s,
    )
    history.close()
    return folder


def test_a_history_is_counted_by_hand(
    priced: Priced, folders: list[Path], sample: aftershock.Snapshot, tmp_path: Path
) -> None:
    panel, end = priced.panel, priced.panel.end_s
    ether, link, market = asset_named(sample, "WETH"), asset_named(sample, "LINK"), sample["markets"]["market"][0]
    hit = {"market": market, "collateral_asset": ether, "liquidator": "x"}
    events = {
        "liquidations": [
            hit | {"timestamp": int(end[500]) - 10, "kind": "direct", "collateral_raw": 2 * 10**18},
            hit | {"timestamp": int(end[500]) - 5, "kind": "seized", "collateral_raw": 10**18},
            hit | {"timestamp": int(end[501]), "kind": "sold", "collateral_raw": 10**18},
        ],
        "transfers": [
            {"timestamp": int(end[510]), "asset": link, "sender": "a", "receiver": "b", "amount_raw": 7 * 10**18}
        ],
        "parameter_changes": [
            {"timestamp": int(end[505]), "market": market, "asset": link, "parameter": "reserves.frozen"},
            {"timestamp": int(end[505]), "market": market, "asset": None, "parameter": "markets.paused"},
        ],
        "blocks": [
            {"timestamp": int(end[490]), "block_hash": "0x0", "base_fee_raw": 25 * 10**9},
            {"timestamp": int(end[495]), "block_hash": "0x1", "base_fee_raw": None},
        ],
    }
    past = history_of(tmp_path / "past", sample, events, int(end[520]))
    found = with_tables(priced, [*folders, past])
    eth, lin = panel.assets.index("ETH"), panel.assets.index("LINK")
    columns = found.panel.extras
    assert columns["liquidated_usd"][500, eth] == pytest.approx(3 * panel.close[499, eth])
    assert columns["liquidated_usd"][501, eth] == 0.0 and np.isnan(columns["liquidated_usd"][[489, 521], eth]).all()
    assert columns["liquidated_usd"][491:521, lin].sum() == 0.0
    assert columns["transferred_usd"][510, lin] == pytest.approx(7 * panel.close[510, lin])
    assert columns["governance_events"][505, [eth, lin]].tolist() == [1.0, 2.0]
    assert np.isfinite(columns["gas_gwei"]).sum(axis=0).tolist() == [1] * len(panel.assets)
    assert columns["gas_gwei"][490, eth] == 25.0
    twice = with_tables(
        priced, [*folders, past, history_of(tmp_path / "other", sample, events, int(end[520]))]
    ).panel.extras
    assert twice["liquidated_usd"][500, eth] == pytest.approx(6 * panel.close[499, eth])
    assert twice["gas_gwei"][490, eth] == 25.0
    assert any("past" in told and "blocks 0 to 100" in told for told in found.tables)


def test_a_later_event_changes_nothing_that_was_known_before(
    priced: Priced, folders: list[Path], sample: aftershock.Snapshot, tmp_path: Path
) -> None:
    """The same range of blocks with and without one more event at its end: what is known of earlier bars does not depend on it."""
    end, late = priced.panel.end_s, int(priced.panel.end_s[900])
    one = {"asset": asset_named(sample, "LINK"), "sender": "a", "receiver": "b", "amount_raw": 10**18}
    events = [one | {"timestamp": int(end[100])}, one | {"timestamp": int(end[300])}, one | {"timestamp": late}]
    at = end[60:900]
    with_it, without = (
        price_features(with_tables(priced, [*folders, past]).panel, at, 24)
        for past in (
            history_of(tmp_path / name, sample, {"transfers": told}, int(end[950]))
            for name, told in (("three", events), ("two", events[:2]))
        )
    )
    assert all(np.array_equal(with_it[name], without[name], equal_nan=True) for name in without)
    n = priced.panel.assets.index("LINK")
    assert np.isfinite(without["transferred_usd_24"][100:, n]).all() and without["transferred_usd_24"][100:, n].any()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("nothing there", "neither a snapshot nor a history"),
        ("twice", "two snapshots of one instant"),
        ("too old", "no snapshot stands between"),
        ("alone", "no snapshot says what they are"),
        ("a file", "neither a snapshot nor a history"),
        ("of before", "does not say until when"),
        ("other tables", "no row of liquidations"),
        ("damaged", "late: "),
    ],
)
def test_what_cannot_be_used_says_what_to_do(
    broken: str, words: str, priced: Priced, folders: list[Path], sample: aftershock.Snapshot, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"nothing there": [tmp_path], "twice": [folders[0], folders[0]], "too old": [folders[0]]}
    at = int(priced.panel.end_s[5])
    one = {"timestamp": at, "asset": asset_named(sample, "LINK"), "sender": "a", "receiver": "b", "amount_raw": 1}
    if broken == "too old":
        panel = priced.panel
        rows = slice(len(panel.end_s) - 200, None)
        priced = replace(priced, panel=panel._part(rows, slice(None), panel.assets))
    if broken == "a file":
        (tmp_path / "prices.csv").write_text("timestamp,symbol,close\n")
        given[broken] = [tmp_path / "prices.csv"]
    if broken in ("alone", "of before", "other tables"):
        tables = {"rates": []} if broken == "other tables" else {"transfers": [one]}
        past = history_of(tmp_path / "past", sample, tables, None if broken == "of before" else at + 3_600)
        given[broken] = [past] if broken == "alone" else [*folders, past]
    if broken == "damaged":
        shutil.copytree(folders[1], tmp_path / "late")
        (tmp_path / "late" / "positions.parquet").write_bytes(b"PAR1")
        given[broken] = [tmp_path / "late"]
    with pytest.raises((InputError, SnapshotError), match=words):
        with_tables(priced, given[broken])


def test_in_the_words_of_the_command(ask: Ask, folders: list[Path], tmp_path: Path) -> None:
    tables = [word for folder in folders for word in ("--tables", str(folder))]
    words = ("--model", "graph", "--epochs", "1", "--members", "1", "--out", str(tmp_path), "--json")
    trained = ask("train", "volatility", *words, *tables)
    assert trained.code == 0, trained.err
    notes = json.loads(trained.out)["notes"]
    assert sum(note.startswith("Beside the prices: snapshot") for note in notes) == 2
    found = ask("forecast", "--model", str(tmp_path), "--json", *tables)
    assert found.code == 0 and any("snapshot late" in note for note in json.loads(found.out)["notes"])
    shipped = ask("forecast", "--json", *tables)
    assert any("these models read nothing of what stands" in note for note in json.loads(shipped.out)["notes"])
    assert "generated accounts" in json.loads(shipped.out)["caption"]
    refused = ask("forecast", "--tables", str(tmp_path))
    assert refused.code == 2 and "neither a snapshot nor a history" in refused.err


def test_many_snapshots_are_told_in_one_line(
    priced: Priced, sample: aftershock.Snapshot, folders: list[Path], tmp_path: Path
) -> None:
    at = [int(priced.panel.end_s[-1]) - day * DAY_S for day in range(1, NAMED)]
    more = [
        save(
            replace(sample, name=f"day{day}", anchors=tuple(replace(one, timestamp=known) for one in sample.anchors)),
            tmp_path / str(day),
        )
        for day, known in enumerate(at)
    ]
    told = with_tables(priced, [*more, *folders]).tables
    assert len(told) == 1 and told[0].startswith("7 snapshots, the first early (as1-") and "the last late" in told[0]


def test_a_graph_network_hears_along_the_protocol_graph_and_nothing_before_the_first(both: Priced) -> None:
    model = learner_of("graph", both.panel, 24, 1, 1, both.graphs).model
    assert isinstance(model, NetworkForecaster) and model.history is not None
    lists = model.history.types.index(("market", "lists", ASSET))
    assert [len(graph[lists].values) > 0 for graph in model.history.graphs] == [False, True, True]
    assert model.history.known_s.tolist() == [int(both.panel.end_s[0]), *(known for known, _ in both.graphs)]


def test_a_snapshot_outside_the_prices_is_named(priced: Priced, folders: list[Path]) -> None:
    panel = priced.panel
    late = replace(priced, panel=panel._part(slice(len(panel.end_s) - 200, None), slice(None), panel.assets))
    told = with_tables(late, folders).tables
    assert (
        len(told) == 2
        and told[1] == "1 snapshot outside the time of the prices left out, early " + told[1].partition("early ")[2]
    )


def test_what_tables_say_is_learnt_and_asked_for_again(tmp_path: Path) -> None:
    """Planted: the variance of a day follows a column that the prices do not tell. Read, it beats the same regression without; a forecast without it is refused."""
    panel = told_panel()
    told = replace(panel, extras={"utilisation": panel.extras["sentiment"] ** 2})
    known, blind = (
        train_volatility(Priced(each, "drawn"), tmp_path / name, Wish("glm"))
        for name, each in (("known", told), ("blind", replace(panel, extras={})))
    )
    scores = [
        next(value for name, value in done.card.scores.items() if name.endswith(", gamma GLM"))
        for done in (known, blind)
    ]
    assert scores[0] < 0.8 * scores[1] and "utilisation" in known.card.features
    early = np.where(np.arange(len(panel.end_s))[:, None] < 100, told.extras["utilisation"], np.nan)
    stale = replace(panel, extras={"utilisation": early})
    notes = forecast(Priced(stale, "drawn"), models=tmp_path / "known").notes
    assert any("of 3 forecasts so many do not know" in note and "utilisation 3;" in note for note in notes)
    with pytest.raises(InputError, match=r"read utilisation, and nothing beside drawn says that; .* --tables"):
        forecast(Priced(replace(panel, extras={}), "drawn"), models=tmp_path / "known")
