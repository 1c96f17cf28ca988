"""The answer to "how exposed is X?" against numbers worked out by hand from the small world."""

import json
from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pytest

import aftershock
from chain.errors import InputError, UnknownNameError
from chain.units import WAD
from graph.build import build
from graph.dependences import dependences
from graph.edits.what_if import NewClaim, NewMarket, Remove
from graph.exposures.answer import exposure
from graph.exposures.market import market_tables
from graph.exposures.measures import concentration
from graph.exposures.price_findings import findings
from graph.protocol_graph import ProtocolGraph
from tests.graph.edited_world import after
from tests.graph.small_world import LSTETH, MARKET, E, small_rows, small_world


@pytest.fixture(scope="module")
def graph() -> ProtocolGraph:
    return build(small_world(caption="by hand", gaps=("bands are not read",)))


def test_market(graph: ProtocolGraph) -> None:
    answer = exposure(graph, "core")
    assert answer.figures["collateral_usd"] == pytest.approx(65_700)
    assert answer.figures["utilisation_ratio"] == pytest.approx(10_000 / 115_700)
    assert answer.figures["seen_ratio"] == pytest.approx(1)
    collateral = answer.outbound["collateral"].set_index("symbol")
    assert collateral["collateral_usd"].to_dict() == pytest.approx({"USDC": 30_000, "WETH": 24_000, "lstETH": 11_700})
    assert collateral.at["lstETH", "root_label"] == "ETH"
    assert collateral.at["lstETH", "feeds"].startswith("lstETH / USD → ETH / USD → ")
    assert collateral["share_ratio"].sum() == pytest.approx(1)
    reserves = answer.outbound["reserves"].set_index("symbol")
    assert reserves["utilisation_ratio"].to_dict() == pytest.approx({"USDC": 0.1, "WETH": 2 / 24, "lstETH": 0})
    assert reserves.at["WETH", "cash_usd"] == pytest.approx(22_000)


def test_collateral_is_finally_ether_and_usdc(graph: ProtocolGraph) -> None:
    found = exposure(graph, "core").outbound["roots"].set_index("label")
    assert found["collateral_usd"].to_dict() == pytest.approx({"ETH": 35_700, "USDC": 30_000})
    assert found.at["ETH", "posted"] == "WETH, lstETH"


def test_the_shared_feed_is_found(graph: ProtocolGraph) -> None:
    feeds = exposure(graph, "core").outbound["feeds"].set_index("feed")
    assert feeds.at[E["ethusd"], "asset_count"] == 2
    assert feeds.at[E["ethusd"], "share_ratio"] == pytest.approx(35_700 / 65_700)
    assert feeds.at[E["adapter"], "collateral_usd"] == pytest.approx(11_700)
    assert feeds.index[0] == E["ethusd"]
    assert exposure(graph, "ETH / USD").figures["collateral_usd"] == pytest.approx(35_700)


def test_a_feed_that_is_asked_twice_on_one_way_counts_once() -> None:
    rows = small_rows()
    rows["feeds"].append({**rows["feeds"][3], "step": 3})
    feeds = exposure(build(small_world(rows)), "core").outbound["feeds"].set_index("feed")
    assert feeds.at[E["ethusd"], "collateral_usd"] == pytest.approx(35_700)


def test_a_what_if_that_owes_more_than_lenders_have_is_used_by_more_than_all() -> None:
    """USDC: 80,000 lent, 8,000 owed. Then 100,000 more are owed; 1 of 12 WETH and none of 5 lstETH stay lent out as before."""
    drawn = after(NewClaim("core", "USDC", "debt", Decimal(100_000), new_owner="eve"))
    found = exposure(drawn, "core")
    usage = found.outbound["reserves"].set_index("symbol")["utilisation_ratio"].to_dict()
    assert usage == pytest.approx({"USDC": 108 / 80, "WETH": 1 / 12, "lstETH": 0})
    assert found.figures["utilisation_ratio"] == pytest.approx((108_000 + 2_000) / (80_000 + 24_000 + 11_700))
    left = exposure(after(Remove(relation="supplies", source="Carol's fund", target="core")), "core")
    assert left.outbound["reserves"].set_index("symbol")["utilisation_ratio"]["USDC"] == pytest.approx(8 / 30)


def test_where_nobody_lent_what_is_owed_there_is_no_utilisation() -> None:
    """A new market to which somebody supplies WETH and from which USDC is drawn that nobody put in."""
    found = exposure(
        after(
            NewMarket("second", "core", ("WETH", "USDC")),
            NewClaim("second", "WETH", "supply", Decimal(5), new_owner="eve"),
            NewClaim("second", "USDC", "debt", Decimal(1_000), owner="Carol's fund"),
        ),
        "second",
    )
    usage = found.outbound["reserves"].set_index("symbol")["utilisation_ratio"]
    assert usage["WETH"] == 0 and pd.isna(usage["USDC"])
    assert found.figures["utilisation_ratio"] is None


def test_suppliers_borrowers_and_their_concentration(graph: ProtocolGraph) -> None:
    answer = exposure(graph, "aave-v3", top=2)
    assert answer.inbound["suppliers"][["label", "kind", "assets"]].to_numpy().tolist() == [
        ["Carol's fund", "account", "USDC"],
        ["Prime USDC vault", "vault", "USDC"],
    ]
    assert answer.inbound["suppliers"]["share_ratio"].tolist() == pytest.approx([50_000 / 115_700, 30_000 / 115_700])
    assert answer.outbound["borrowers"]["amount_usd"].tolist() == pytest.approx([8_000, 2_000])
    found = answer.outbound["concentration"].set_index("of")
    squares = sum(usd**2 for usd in (50_000, 30_000, 20_000, 11_700, 4_000))
    assert found.at["suppliers", "hhi"] == pytest.approx(squares / 115_700**2)
    assert found.at["borrowers", "effective_number"] == pytest.approx(1 / 0.68)  # 0.8² + 0.2²
    assert found.at["collateral by asset", "count"] == 3


def test_what_a_supplier_has_elsewhere_is_not_in_the_row_of_a_market(graph: ProtocolGraph) -> None:
    supplies = graph.relations["supplies"]
    elsewhere = supplies.assign(target="elsewhere", asset=LSTETH, evidence="elsewhere", amount_usd=1e9)
    wider = replace(
        graph, relations={**graph.relations, "supplies": pd.concat([supplies, elsewhere], ignore_index=True)}
    )
    found, known = (market_tables(one, [MARKET], 10)["suppliers"] for one in (wider, graph))
    assert len(found) > 1 and found.to_dict("records") == known.to_dict("records")


def test_the_last_step_of_a_source_decides_whatever_the_order_of_its_rows() -> None:
    row = {"source": "one", "state": "live"}
    steps = [{**row, "step": 2, "kind": "fixed"}, {**row, "step": 1, "kind": "rate"}]
    assert findings(pd.DataFrame(steps)) == findings(pd.DataFrame(steps[::-1])) == {"one": "hard-coded"}


def test_asset_directly_and_looked_through(graph: ProtocolGraph) -> None:
    weth = exposure(graph, "WETH")
    assert weth.figures["collateral_usd"] == pytest.approx(24_000)
    assert weth.figures["collateral_looked_through_usd"] == pytest.approx(35_700)
    assert weth.inbound["markets"]["path"].tolist() == ["WETH", "lstETH → WETH"]
    assert weth.inbound["pools"]["reserve_usd"].tolist() == pytest.approx([200_000])
    assert set(weth.inbound["claims"]["label"]) == {"lstETH", "UNI-V2", "aWETH"}
    ether = exposure(graph, "ETH")
    assert ether.figures["collateral_usd"] == 0
    assert ether.figures["collateral_looked_through_usd"] == pytest.approx(35_700)


def test_account_vault_pool_and_the_rest(graph: ProtocolGraph) -> None:
    bob = exposure(graph, E["bob"])
    assert (bob.figures["supplied_usd"], bob.figures["borrowed_usd"]) == pytest.approx((11_700, 2_000))
    assert bob.inbound["borrowed"]["symbol"].tolist() == ["WETH"]
    assert exposure(graph, "Prime USDC vault").figures["supplied_usd"] == pytest.approx(30_000)
    pool = exposure(graph, "uniswap-v2")
    assert pool.figures["value_usd"] == pytest.approx(400_000)
    assert pool.inbound["holders"]["holder"].tolist() == [E["dave"]]
    assert exposure(graph, "Council").outbound["neighbours"]["relation"].tolist() == ["governs"]


@pytest.mark.parametrize(
    "name",
    ["core", "aave-v3", "uniswap-v2", "WETH", "ETH", "lstETH", "0x3440", "Prime USDC vault", "ETH / USD", "Council"],
)
def test_every_row_has_evidence_and_the_record_is_json(graph: ProtocolGraph, name: str) -> None:
    answer = exposure(graph, name)
    for table in [*answer.outbound.values(), *answer.inbound.values()]:
        assert "evidence" in table.columns
        assert (table["evidence"].str.len() > 0).all()
    text = json.dumps(answer.to_dict(), allow_nan=False)
    assert json.loads(text)["caption"] == "by hand"
    assert answer.gaps[0] == "bands are not read"


def test_bad_questions(graph: ProtocolGraph) -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        exposure(graph, "aave-v4")
    with pytest.raises(InputError, match="top is 0"):
        exposure(graph, "core", top=0)


def test_concentration_by_closed_form() -> None:
    equal = concentration([5.0] * 20)
    assert (equal.hhi, equal.effective_number, equal.top10_share) == pytest.approx((1 / 20, 20, 0.5))
    assert concentration([3.0, 0.0, float("nan")]).hhi == 1
    assert concentration([]).hhi is None
    with pytest.raises(ValueError, match="negative"):
        concentration([1.0, -1.0])


def test_an_answer_asked_again_is_the_same_and_nobody_can_change_it() -> None:
    graph = build(small_world())
    first = exposure(graph, "Aave V3 core")
    said = first.to_dict()
    table = first.inbound["suppliers"]
    table.loc[:, "amount_usd"] = -1.0
    first.figures["supplied_usd"] = -1.0  # type: ignore[index]
    assert exposure(graph, "Aave V3 core").to_dict() == said
    assert len(exposure(graph, "Aave V3 core", top=1).inbound["suppliers"]) < len(table)
    for top in range(2, 40):
        exposure(graph, "USDC", top=top)
    assert len(graph.answers) <= 16 and exposure(graph, "Aave V3 core").to_dict() == said


@pytest.fixture(scope="module")
def sample() -> ProtocolGraph:
    return build(aftershock.load())


def test_a_share_is_looked_through_as_its_vault_is(sample: ProtocolGraph) -> None:
    """svUSDC of the sample is no listed asset and has no price. Oracle: the vault contract's own convertToAssets, and what Morpho keeps for it."""
    graph, snapshot = sample, sample.snapshot
    share = next(row for row in snapshot["assets"].itertuples() if row.symbol == "svUSDC")
    by_share, by_vault = exposure(graph, "svUSDC", top=50), exposure(graph, f"{share.chain}:{share.address}")
    assert (by_share.kind, by_vault.kind) == ("asset", "vault")
    for name in ("supplied", "held", "markets"):
        pd.testing.assert_frame_equal(by_share.outbound[name], by_vault.outbound[name])
    kept = snapshot["positions"][snapshot["positions"]["owner"] == by_vault.subject].set_index("market")["amount_raw"]
    price = exposure(graph, "USDC").figures["price_usd"]
    assert price is not None
    lent = by_share.outbound["markets"].set_index("market")
    assert len(lent) == 2 and lent["amount_usd"].to_dict() == pytest.approx((kept / 10**6 * price).to_dict(), rel=1e-9)
    assert all("block 277" in text for text in lent["evidence"])
    for answer in (by_share, by_vault):
        holders = answer.inbound["holders"]
        [backing] = snapshot["backings"][snapshot["backings"]["claim"] == share.asset].to_dict("records")
        stated = [raw * backing["rate_wad"] / WAD / 10**share.decimals * price for raw in holders["amount_raw"]]
        assert holders["amount_usd"].tolist() == pytest.approx(stated, rel=1e-3)
        assert set(holders["status"]) == {"derived"}
        assert all(backing["evidence"] in text and "balance" in text for text in holders["evidence"])
    assert by_share.inbound["holders"]["amount_usd"].sum() == pytest.approx(lent["amount_usd"].sum(), rel=1e-3)
    assert by_share.inbound["concentration"]["count"].tolist() == [40, 40]


def test_a_priced_asset_keeps_the_amounts_of_its_holders(sample: ProtocolGraph) -> None:
    graph = sample
    held = graph.relations["holds"]
    [weth] = [node for node, label in graph.labels.items() if label == "WETH" and graph.kinds[node] == "asset"]
    found = exposure(graph, "WETH", top=100).inbound["holders"]
    first = held[held["target"] == weth].set_index("source")
    found = found[found["holder"].isin(first.index)]
    assert len(found) == len(first) == 2
    assert found["amount_usd"].tolist() == first.loc[found["holder"], "amount_usd"].tolist()
    assert found["evidence"].tolist() == first.loc[found["holder"], "evidence"].tolist()


def test_the_feeds_of_a_protocol_say_what_they_price(sample: ProtocolGraph) -> None:
    answer, of_one = exposure(sample, "chainlink"), exposure(sample, "ETH / USD")
    prices = answer.inbound["prices"].set_index("label")["collateral_usd"]
    assert set(answer.outbound["parts"]["kind"]) == {"feed"}
    assert prices["ETH / USD"] == pytest.approx(of_one.figures["collateral_usd"])


def test_a_holder_s_shares_of_a_vault_have_their_part_of_its_backing(sample: ProtocolGraph) -> None:
    rows = sample.snapshot
    share = rows["assets"].set_index("symbol").loc["svUSDC"]
    behind = rows["backings"].set_index("claim").loc[share["asset"]]
    price = exposure(sample, "USDC").figures["price_usd"]
    balances = rows["balances"]
    held = balances[balances["asset"] == share["asset"]].iloc[0]
    answer = exposure(sample, held["holder"])
    row = answer.outbound["held"].set_index("label").loc["svUSDC"]
    expected = held["amount_raw"] / share["total_supply_raw"] * behind["amount_raw"] / 10**6 * price
    assert row["amount_usd"] == pytest.approx(expected, rel=1e-9)
    assert answer.figures["held_usd"] == pytest.approx(answer.outbound["held"]["amount_usd"].sum())


def test_feeds_of_an_asset_say_who_asks_them_and_one_position_is_one() -> None:
    sample = build(aftershock.load())
    feeds = exposure(sample, "WETH").outbound["feeds"]
    twice = feeds[feeds["label"] == "ETH / USD"]
    assert set(twice["asked_by"]) == {"Aave V3 core", "Aave V3 prime"}
    said = [" ".join(dependences(world)["evidence"]) for world in (build(small_world()), sample)]
    assert "sum over 1 position that owes and has it;" in said[0] and "sum over 1 positions" not in said[0]
    assert "sum over 32 positions that owe and have it;" in said[1]
