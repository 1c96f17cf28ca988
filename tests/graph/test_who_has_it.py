"""Nobody has more than there is: who has an asset itself and who finally has it, against the tables of the snapshot added up by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import aftershock
from aftershock.cli import app
from graph.build import build
from graph.exposures.answer import exposure
from graph.exposures.kept_for_others import keeps_for, own_part
from graph.exposures.portfolio import dependents
from graph.protocol_graph import ProtocolGraph
from graph.systemic import losses_if_it_fails
from reports.amounts import percent
from tests.graph.small_world import CENT, CHAIN, LP, MARKET, SHARE, USDC, WAD, WETH, E, Rows, small_rows, small_world

FINAL = "final holders, directly or through claims"


@pytest.fixture(scope="module")
def sample() -> ProtocolGraph:
    return aftershock.graph(aftershock.load())


def one(table: pd.DataFrame, **where: str) -> Any:
    """The only row of a table with these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    [row] = table.to_dict("records")
    return row


def asset_of(graph: ProtocolGraph, symbol: str) -> Any:
    return one(graph.snapshot["assets"], symbol=symbol)


def rows_of(graph: ProtocolGraph, table: str, asset: str) -> pd.DataFrame:
    rows = graph.snapshot[table]
    return rows[rows["asset"] == asset]


def supplied(graph: ProtocolGraph, asset: str, protocol: str | None = None) -> pd.DataFrame:
    """Positions that are a supply or collateral in an asset, whoever has them."""
    positions, markets = graph.snapshot["positions"], graph.snapshot["markets"].set_index("market")["protocol"]
    positions = positions[(positions["asset"] == asset) & (positions["side"] != "debt")]
    return positions if protocol is None else positions[positions["market"].map(markets) == protocol]


def morpho(graph: ProtocolGraph) -> str:
    markets = graph.snapshot["markets"]
    [address] = set(markets[markets["protocol"] == "morpho-blue"]["address"])
    return f"{CHAIN}:{address}"


def test_final_holders_of_every_asset_have_no_more_than_its_supply(sample: ProtocolGraph) -> None:
    price, checked = sample.nodes["asset"].set_index("node")["price_usd"], 0
    for row in sample.snapshot["assets"].itertuples():
        if row.total_supply_raw and price[row.asset] == price[row.asset]:
            there = row.total_supply_raw / 10**row.decimals * price[row.asset]
            found = dependents(sample, row.asset)[1].sum()
            assert found <= there * (1 + 1e-6), row.symbol
            checked += found > 0
    assert checked >= 18


def test_what_a_market_keeps_is_counted_with_those_who_posted_it(sample: ProtocolGraph) -> None:
    """All lstETH is told: what was supplied in three markets, a pool's reserve and one balance, to the last unit; nothing is the singleton's."""
    asset, price = asset_of(sample, "lstETH"), exposure(sample, "lstETH").figures["price_usd"]
    balances, contracts = sample.snapshot["balances"], {morpho(sample)}
    receipts = rows_of(sample, "reserves", asset["asset"])["receipt_asset"].dropna()
    contracts |= {f"{CHAIN}:{receipt.rpartition(':')[2]}" for receipt in receipts}
    own = balances[(balances["asset"] == asset["asset"]) & ~balances["holder"].isin(contracts)]["amount_raw"].sum()
    there = own + supplied(sample, asset["asset"])["amount_raw"].sum()  # the pool's reserve is one of the balances
    assert there == asset["total_supply_raw"] and price
    table, amounts = dependents(sample, asset["asset"])
    assert amounts.sum() == pytest.approx(there / WAD * price, rel=1e-9)
    assert not contracts & set(table["holder"])
    of_ether = dependents(sample, asset_of(sample, "WETH")["asset"])[0].set_index("holder")
    assert morpho(sample) not in of_ether.index


def test_who_supplied_holds_the_receipts(sample: ProtocolGraph) -> None:
    """cWETH: those who supplied WETH to Compound, but of what Morpho supplied those who posted cWETH there."""
    receipt, weth = asset_of(sample, "cWETH"), asset_of(sample, "WETH")["asset"]
    there = supplied(sample, weth, "compound-v2")
    posted = supplied(sample, receipt["asset"])
    answer = exposure(sample, "cWETH", top=100)
    table = answer.inbound["dependents"].set_index("holder")
    assert set(table.index) == ({*there["owner"]} - {morpho(sample)}) | {*posted["owner"]}
    price = answer.figures["price_usd"]
    assert price and table["looked_through_usd"].sum() == pytest.approx(
        receipt["total_supply_raw"] / 10**8 * price, rel=1e-6
    )
    reserve = one(sample.snapshot["reserves"], receipt_asset=receipt["asset"])
    rate = reserve["supplied_stored_raw"] * reserve["supply_index_raw"] / reserve["supply_index_unit_raw"]
    units = there.groupby("owner")["amount_raw"].sum().astype(float) / rate * receipt["total_supply_raw"]
    direct = answer.inbound["holders"].set_index("holder")
    assert direct["amount_raw"].astype(float).to_dict() == pytest.approx(units.to_dict(), abs=2)
    assert set(direct["had_as"]) == {"supply"} and direct["share_ratio"].sum() == pytest.approx(1, abs=1e-6)
    spread = answer.inbound["concentration"].set_index("of")["hhi"]
    assert spread["direct holders"] == pytest.approx(((units / units.sum()) ** 2).sum())
    core = max(
        (row for row in sample.snapshot["assets"].to_dict("records") if row["symbol"] == "aWETH"),
        key=lambda row: row["total_supply_raw"],
    )
    _, amounts = dependents(sample, core["asset"])
    market, there = one(sample.snapshot["reserves"], receipt_asset=core["asset"])["market"], supplied(sample, weth)
    suppliers = there[there["market"] == market]["owner"]
    assert set(amounts.index) == set(suppliers)
    assert amounts.sum() == pytest.approx(core["total_supply_raw"] / WAD * 2000, rel=1e-6)


def test_direct_holders_are_all_there_is_or_say_which_part(sample: ProtocolGraph) -> None:
    """lstETH lies in five places and nowhere else. WETH lies in markets and pools, and elsewhere: no concentration, and the page says so."""
    answer, asset = exposure(sample, "lstETH"), asset_of(sample, "lstETH")
    balances = rows_of(sample, "balances", asset["asset"]).set_index("holder")["amount_raw"]
    direct = answer.inbound["holders"].set_index("holder")
    assert direct["amount_raw"].to_dict() == balances.to_dict()
    shares = balances.astype(float) / asset["total_supply_raw"]
    assert direct["share_ratio"].to_dict() == pytest.approx(shares.to_dict()) and shares.max() == pytest.approx(
        0.6656, abs=1e-4
    )
    spread = answer.inbound["concentration"].set_index("of")["hhi"]
    assert spread["direct holders"] == pytest.approx((shares**2).sum())
    assert answer.figures["direct_holders_ratio"] == pytest.approx(1)

    weth, pools = asset_of(sample, "WETH"), sample.snapshot["pools"]
    cash, traded = (
        rows_of(sample, "reserves", weth["asset"])["cash_raw"].sum(),
        rows_of(sample, "pool_assets", weth["asset"]),
    )
    pooled = traded[traded["pool"].isin(pools[pools["lp_asset"].notna()]["pool"])]["reserve_raw"].sum()
    slots = traded.set_index("pool")["slot"]
    owned = sum(
        row[f"amount{slots[row['pool']]}_raw"] + row[f"owed{slots[row['pool']]}_raw"]
        for row in sample.snapshot["pool_positions"].to_dict("records")
        if row["pool"] in slots.index
    )
    answer = exposure(sample, "WETH")
    told = (cash + pooled + owned) / weth["total_supply_raw"]
    assert answer.figures["direct_holders_ratio"] == pytest.approx(told) and 0.7 < told < 0.9
    assert "direct holders" not in set(answer.inbound["concentration"]["of"])
    said = CliRunner().invoke(app, ["query", "exposure", "WETH"]).output
    assert f"all that are told have {percent(told)} of it together" in said
    assert "all that are told" not in CliRunner().invoke(app, ["query", "exposure", "lstETH"]).output


def test_holders_worth_counts_a_deposit_once(sample: ProtocolGraph) -> None:
    """Supplies that are nobody else's (not the vault's, not the singleton's) and balances of accounts: what holders have in all."""
    supplies, holds = sample.relations["supplies"], sample.relations["holds"]
    vaults, assets = set(sample.nodes["vault"]["node"]), sample.snapshot["assets"]
    receipts = assets[assets["kind"] == "receipt"]
    contracts = {morpho(sample), *(receipts["chain"] + ":" + receipts["address"])}
    own = supplies[~supplies["source"].isin(vaults | contracts)]["amount_usd"].sum()
    held = holds[~holds["source"].isin(contracts)]["amount_usd"].sum()
    behind = sample.relations["backs"].groupby("target")["amount_usd"].sum()
    for share, rows in holds[holds["amount_usd"].isna()].groupby("target"):
        minted = sample.snapshot["pools"].set_index("lp_asset")["lp_supply_raw"].to_dict()
        supply = minted.get(share) or one(assets, asset=share)["total_supply_raw"]
        held += behind[share] * float(rows["amount_raw"].sum() / supply)
    row = losses_if_it_fails(sample, asset_of(sample, "WETH")["asset"], [1.0]).iloc[0]
    assert row["lost_usd"] / row["lost_ratio"] == pytest.approx(own + held, rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_in_a_drawn_world_all_together_have_what_is_there(seed: int) -> None:
    """Savers and a vault supply USDC to a market whose contract has it; shares of the vault are partly told, partly posted in the market."""
    rng, rows = np.random.default_rng(seed), small_rows()
    read = {"evidence": "call", "status": "verified"}
    pattern = next(row for row in rows["positions"] if row["asset"] == USDC and row["side"] == "supply")
    savers = [f"{CHAIN}:0x{number:040x}" for number in range(1, 6)]
    lent = [int(10 ** rng.uniform(3, 12)) for _ in (*savers, "vault")]
    shares = lent[-1] * 10**12  # one to one, and priced so
    told = np.floor(rng.dirichlet(np.ones(4)) * shares * rng.uniform(0.2, 0.99)).astype(object)
    held, posted = [int(part) for part in told[:2]], [int(part) for part in told[2:]]
    own = [int(10 ** rng.uniform(3, 12)) for _ in savers]

    def position(owner: str, asset: str, raw: int) -> dict[str, Any]:
        amounts = {"stored_raw": raw, "amount_raw": raw, "owner": owner, "position_id": owner, "asset": asset}
        return {**pattern, **amounts, "collateral_enabled": True}

    positions = [position(who, USDC, raw) for who, raw in zip((*savers, E["share"]), lent, strict=True)]
    positions += [position(who, SHARE, raw) for who, raw in zip(savers, posted, strict=False)]
    reserve = {**next(row for row in rows["reserves"] if row["asset"] == USDC), "borrowed_stored_raw": 0}
    reserve |= {"supplied_stored_raw": sum(lent), "cash_raw": sum(lent), "market": MARKET}
    of_share = {
        **reserve,
        "asset": SHARE,
        "reserve_index": 7,
        "supplied_stored_raw": 0,
        "cash_raw": 0,
        "collateral_raw": sum(posted),
    }
    balances = [
        *({"asset": USDC, "holder": who, "amount_raw": raw, **read} for who, raw in zip(savers, own, strict=True)),
        *({"asset": SHARE, "holder": who, "amount_raw": raw, **read} for who, raw in zip(savers, held, strict=False)),
        {"asset": USDC, "holder": E["pool"], "amount_raw": sum(lent), **read},
        *([] if seed % 2 else [{"asset": SHARE, "holder": E["pool"], "amount_raw": sum(posted), **read}]),
        {"asset": LP, "holder": savers[0], "amount_raw": 4_000 * WAD, **read},
    ]
    pooled = 200_000 * CENT
    supply = {SHARE: shares, USDC: sum(lent) + sum(own) + pooled}
    world: Rows = {
        "positions": [*positions],
        "reserves": [reserve, of_share],
        "balances": [*balances],
        "assets": [
            {**row, "total_supply_raw": supply.get(row["asset"], row["total_supply_raw"])} for row in rows["assets"]
        ],
        "prices": [*rows["prices"], {**one(pd.DataFrame(rows["prices"]), asset=USDC), "asset": SHARE}],
        "queues": [],
    }
    graph = build(small_world(world))
    _, amounts = dependents(graph, USDC)
    assert amounts.sum() == pytest.approx(supply[USDC] / CENT, rel=1e-6)
    assert MARKET not in amounts.index and E["pool"] not in amounts.index
    rest = 1 - (sum(held) + sum(posted)) / shares
    assert amounts[E["share"]] == pytest.approx(lent[-1] / CENT * rest, rel=1e-6)
    answer = exposure(graph, USDC)
    assert answer.figures["direct_holders_ratio"] == pytest.approx(1)
    assert answer.inbound["holders"]["amount_usd"].sum() == pytest.approx(supply[USDC] / CENT)
    of_shares = exposure(
        graph, SHARE
    )  # what is posted lies in the market, whether or not its contract's balance was read
    assert of_shares.figures["direct_holders_ratio"] == pytest.approx(1 - rest)
    assert set(of_shares.inbound["holders"]["had_as"]) == ({"balance", "in the market"} if seed % 2 else {"balance"})


def test_what_is_kept_for_others_is_theirs_once_for_each_claim() -> None:
    """Carol keeps 1,000 USDC behind each of two claims that are one to one: 400 of the first and 100 of the second are told. A vault, which lends USDC, keeps some behind the first."""
    rows = small_rows()
    read = {"evidence": "call", "status": "verified"}
    token = next(row for row in rows["assets"] if row["asset"] == SHARE)
    claims = [f"{CHAIN}/erc20:0x{digit * 40}" for digit in "56"]
    rows["assets"] += [
        {**token, "asset": claim, "address": claim[-42:], "kind": "stablecoin", "total_supply_raw": 1_000 * WAD}
        for claim in claims
    ]
    behind = {"backing": USDC, "rate_wad": WAD, "redemption": "none", "capacity_raw": None, **read}
    rows["backings"] += [
        {**behind, "claim": claims[0], "holder": E["carol"], "amount_raw": 1_000 * CENT},
        {**behind, "claim": claims[1], "holder": E["carol"], "amount_raw": 1_000 * CENT},
        {**behind, "claim": claims[0], "holder": E["share"], "amount_raw": 500 * CENT},
    ]
    told = [
        (USDC, "carol", 1_000 * CENT),
        (WETH, "carol", 7 * WAD),
        (claims[0], "dave", 300 * WAD),
        (claims[0], "alice", 100 * WAD),
        (claims[0], "pool", 50 * WAD),  # the market's contract: nobody is known by that
        (claims[1], "dave", 100 * WAD),
    ]
    rows["balances"] += [{"asset": asset, "holder": E[who], "amount_raw": raw, **read} for asset, who, raw in told]
    graph = build(small_world(rows))
    keeps = keeps_for(graph)
    parts = keeps[keeps["holder"] == E["carol"]].set_index("claim")["part"].to_dict()
    assert parts == {claims[0]: pytest.approx(0.4), claims[1]: pytest.approx(0.1)}
    asked = pd.DataFrame([(E["carol"], USDC), (E["carol"], WETH), (E["dave"], claims[0]), (MARKET, USDC)])
    asked = asked.set_axis(["source", "asset"], axis=1)
    assert own_part(graph, asked, [*claims, USDC]).tolist() == pytest.approx([0.6 * 0.9, 1, 1, 0])
    assert own_part(graph, asked, [claims[1], USDC]).tolist() == pytest.approx([0.9, 1, 1, 0])
    assert own_part(graph, asked, [USDC]).tolist() == [1, 1, 1, 0]
    pool = pd.DataFrame({"source": [E["swap"]], "asset": [WETH]})
    assert own_part(graph, pool, [LP, WETH]).tolist() == [0] and own_part(graph, pool, [WETH]).tolist() == [1]
    vault = pd.DataFrame({"source": [E["share"]], "asset": [USDC]})
    assert own_part(graph, vault, [claims[0], USDC]).tolist() == pytest.approx([0.6])
    assert own_part(graph, vault, [SHARE, claims[0], USDC]).tolist() == [
        1
    ]  # told by its share, of which nobody is known
