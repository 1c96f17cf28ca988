"""Histories of Compound V2 and Morpho Blue against the receipts of everything that happened on their worlds, and the contracts' own words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.histories.reading import BY_DEFAULT, grow
from chain.tables import schemas
from chain.units import WAD
from tests.chain.history_receipts import Lived, at, hashes, read, rows, same_places, split_at_random, token, told
from tests.devnet import compound_v2, compound_v2_market, governance, morpho_blue_market
from tests.devnet.aave_v302_market import OldMarket, old_market
from tests.devnet.availability import require_devnet
from tests.devnet.deployments_file import address_lines, entry_lines

pytestmark = [pytest.mark.devnet, pytest.mark.verify]
YEAR = 365 * 24 * 3600


@pytest.fixture(scope="module")
def compound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lived, compound_v2_market.LivedIn, str]]:
    """The market after its history, then given to Governor Bravo, which executes a proposal; with the transaction of that."""
    require_devnet()
    folder = tmp_path_factory.mktemp("compound")
    with compound_v2_market.lived_in() as (lived, book):
        comptroller = lived.market.comptroller
        bravo = governance.deploy_bravo(lived.ledger)
        unitroller = lived.ledger.at(compound_v2.published("Unitroller"), str(comptroller.address))
        lived.ledger.call("hand over", unitroller, "_setPendingAdmin", bravo.timelock.address)
        lived.ledger.mine()
        executed = ""
        for description, call in (
            ("Take over", (unitroller, "_acceptAdmin", [])),
            ("# Repay less at once", (comptroller, "_setCloseFactor", [4 * WAD // 10])),
        ):
            executed = bravo.pass_through(bravo.propose(description, call), description, call)
        lines = [
            *entry_lines(0, "compound-dao", "governor", "governor"),
            *address_lines({"governor": str(bravo.contract.address)}),
        ]
        mine = folder / "book.toml"
        mine.write_text(book.read_text() + "\n" + "\n".join(lines))
        head = int(lived.node.request("eth_blockNumber"), 16)
        grown = grow(lived.node.url, mine, folder / "past", 1, head)
        events = tuple(told(lived.node, [*lived.ctokens, comptroller, bravo.contract]))
        yield Lived(lived.node, mine, folder / "past", grown, events, head), lived, executed


Compound = tuple[Lived, compound_v2_market.LivedIn, str]


def underlying(lived: compound_v2_market.LivedIn) -> dict[str, str]:
    """Asset of each cToken by its address."""
    found = {
        str(one.address).lower(): token(str(lived.market.tokens[symbol].address))
        for symbol, one in lived.market.markets.items()
    }
    return found | {
        str(lived.coin.address).lower(): "eip155:31337/slip44:60",
        str(lived.twin.address).lower(): token(str(lived.market.tokens["DAI"].address)),
    }


def test_compound_liquidations_give_what_the_liquidator_really_got(compound: Compound) -> None:
    past, lived, _ = compound
    events = past.of("LiquidateBorrow")
    found = rows(past.folder, "liquidations")
    same_places(found, events)
    assets = underlying(lived)
    for one in events:
        row, args = found[one.block, one.index], one.args
        assert (row["position_id"], row["debt_raw"]) == (args["borrower"].lower(), args["repayAmount"])
        assert (row["debt_asset"], row["collateral_asset"]) == (assets[one.address], token(args["cTokenCollateral"]))
        assert row["collateral_raw"] + row["fee_raw"] == args["seizeTokens"]
        got = [
            transfer.args["amount"]
            for transfer in past.of("Transfer")
            if transfer.transaction == one.transaction and transfer.args["to"] == args["liquidator"]
        ]
        assert got == [row["collateral_raw"]] and row["fee_raw"] > 0


def test_compound_flows_and_interest(compound: Compound) -> None:
    past, lived, _ = compound
    assets = underlying(lived)
    names = {
        "Mint": ("supply", "minter", "mintAmount"),
        "Redeem": ("withdraw", "redeemer", "redeemAmount"),
        "Borrow": ("borrow", "borrower", "borrowAmount"),
        "RepayBorrow": ("repay", "borrower", "repayAmount"),
    }
    found, events = rows(past.folder, "flows"), past.of(*names)
    same_places(found, events)
    for one in events:
        row, (kind, who, amount) = found[one.block, one.index], names[one.name]
        assert (row["kind"], row["position_id"], row["amount_raw"]) == (kind, one.args[who].lower(), one.args[amount])
        assert row["asset"] == assets[one.address]
    found, events = rows(past.folder, "accruals"), past.of("AccrueInterest")
    same_places(found, events)
    last = read(past.folder, "accruals").drop_duplicates("asset", keep="last").set_index("asset")
    for ctoken in (*lived.market.markets.values(), lived.coin):
        row = last.loc[assets[str(ctoken.address).lower()]]
        if sum(1 for address, asset in assets.items() if asset == row.name) == 1:
            assert row["borrow_index_raw"] == ctoken.functions.borrowIndex().call()
    for one in events:
        row = found[one.block, one.index]
        assert (row["interest_raw"], row["borrowed_raw"]) == (one.args["interestAccumulated"], one.args["totalBorrows"])
        assert (row["cash_raw"], row["borrow_index_raw"]) == (one.args["cashPrior"], one.args["borrowIndex"])


def test_compound_parameters_are_what_the_comptroller_says_and_who_decided_stands_beside(compound: Compound) -> None:
    past, lived, executed = compound
    frame = read(past.folder, "parameter_changes")
    last = frame.drop_duplicates(["asset", "parameter"], keep="last").set_index(["asset", "parameter"])
    comptroller = lived.market.comptroller.functions
    for symbol, ctoken in lived.market.markets.items():
        asset = token(str(lived.market.tokens[symbol].address))
        if symbol != "DAI":  # two markets share that asset
            assert (
                last.loc[(asset, "reserves.liquidation_threshold_wad"), "new_raw"]
                == comptroller.markets(ctoken.address).call()[1]
            )
        assert (
            last.loc[(asset, "reserves.reserve_factor_wad"), "new_raw"]
            == ctoken.functions.reserveFactorMantissa().call()
        )
    weth, dai = (token(str(lived.market.tokens[symbol].address)) for symbol in ("WETH", "DAI"))
    assert last.loc[(weth, "reserves.borrow_cap_raw"), "new_raw"] == 123 * WAD
    assert last.loc[(dai, "reserves.borrowable"), "new_raw"] == 0
    of_all = frame[frame["asset"].isna()].drop_duplicates("parameter", keep="last").set_index("parameter")
    assert of_all.loc["reserves.liquidation_bonus_wad", "new_raw"] == comptroller.liquidationIncentiveMantissa().call()
    assert of_all.loc["markets.oracle", "new_text"] == at(comptroller.oracle().call())
    closing = of_all.loc["reserves.close_factor_wad"]
    assert (closing["old_raw"], closing["new_raw"]) == (
        WAD // 2,
        4 * WAD // 10,
    ) and comptroller.closeFactorMantissa().call() == 4 * WAD // 10
    done = read(past.folder, "proposals").set_index("transaction")
    assert closing["transaction"] == executed and done.loc[executed, "state"] == "executed"


@pytest.fixture(scope="module")
def morpho(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lived, morpho_blue_market.LivedIn]]:
    require_devnet()
    folder = tmp_path_factory.mktemp("morpho")
    with morpho_blue_market.lived_in() as (lived, book):
        head = int(lived.node.request("eth_blockNumber"), 16)
        mine = folder / "book.toml"
        mine.write_text(book.read_text())
        grown = grow(lived.node.url, mine, folder / "past", 1, head)
        yield (
            Lived(lived.node, mine, folder / "past", grown, tuple(told(lived.node, [lived.first.events])), head),
            lived,
        )


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lived, OldMarket]]:
    require_devnet()
    folder = tmp_path_factory.mktemp("old")
    with old_market() as market:
        book = folder / "book.toml"
        book.write_text(market.deployments.read_text())
        head = int(market.node.request("eth_blockNumber"), 16)
        grown = grow(market.url, book, folder / "past", 1, head)
        events = tuple(told(market.node, [market.pool, market.configurator]))
        yield Lived(market.node, book, folder / "past", grown, events, head), market


def test_aave_302_flows_rates_and_parameters(old: tuple[Lived, OldMarket]) -> None:
    past, market = old
    kinds = {"Supply": "supply", "Withdraw": "withdraw", "Borrow": "borrow", "Repay": "repay"}
    found, events = rows(past.folder, "flows"), past.of(*kinds)
    same_places(found, events)
    for one in events:
        row = found[one.block, one.index]
        assert (row["kind"], row["amount_raw"], row["asset"]) == (
            kinds[one.name],
            one.args["amount"],
            token(one.args["reserve"]),
        )
    found, events = rows(past.folder, "rates"), past.of("ReserveDataUpdated")
    same_places(found, events)
    for one in events:
        row = found[one.block, one.index]
        assert (row["borrow_index_raw"], row["borrow_rate_ray"]) == (
            one.args["variableBorrowIndex"],
            one.args["variableBorrowRate"],
        )
    frame = read(past.folder, "parameter_changes")
    last = frame.drop_duplicates(["asset", "parameter"], keep="last").set_index(["asset", "parameter"])
    for asset in market.tokens.values():
        key, ask = token(str(asset.address)), market.data_provider.functions
        terms = ask.getReserveConfigurationData(asset.address).call()
        if (key, "reserves.ltv_wad") in last.index:
            stated = [
                last.loc[(key, f"reserves.{name}"), "new_raw"]
                for name in ("ltv_wad", "liquidation_threshold_wad", "liquidation_bonus_wad")
            ]
            assert stated == [bps * 10**14 for bps in terms[1:4]]
        caps = ask.getReserveCaps(asset.address).call()
        for name, cap in zip(("borrow_cap_raw", "supply_cap_raw"), caps, strict=True):
            if (key, f"reserves.{name}") in last.index:
                assert last.loc[(key, f"reserves.{name}"), "new_raw"] == (cap * 10 ** terms[0] or None)
    categories = past.of("EModeAssetCategoryChanged")
    moved = frame[frame["parameter"] == "categories.collateral_bitmap"]
    assert (
        moved["new_text"].tolist() == [f"in category {one.args['newCategoryId']}" for one in categories] and categories
    )


def test_a_parameter_is_a_column_of_a_table(
    compound: "Compound", morpho: "Morpho", old: tuple[Lived, OldMarket]
) -> None:
    for past in (compound[0], morpho[0], old[0]):
        parameters = set(read(past.folder, "parameter_changes")["parameter"])
        assert parameters
        for table, column in (parameter.split(".") for parameter in parameters):
            assert column in schemas()[table].names, (table, column)


Morpho = tuple[Lived, morpho_blue_market.LivedIn]


def market_of(lived: morpho_blue_market.LivedIn, key: bytes) -> str:
    return f"eip155:31337:morpho-blue/{str(lived.morpho.address).lower()}/0x{key.hex()}"


def test_morpho_liquidations_and_bad_debt(morpho: Morpho) -> None:
    past, lived = morpho
    events = past.of("Liquidate")
    found, lost = rows(past.folder, "liquidations"), rows(past.folder, "deficits")
    same_places(found, events)
    assert sorted(lost) == sorted((one.block, one.index) for one in events if one.args["badDebtAssets"]) and lost
    params = {key: lived.params[name] for name, key in lived.ids.items()}
    for one in events:
        row, args = found[one.block, one.index], one.args
        loan, collateral = params[args["id"]][:2]
        assert (row["market"], row["position_id"]) == (market_of(lived, args["id"]), args["borrower"].lower())
        assert (row["debt_asset"], row["collateral_asset"]) == (token(loan), token(collateral))
        assert (row["debt_raw"], row["collateral_raw"]) == (args["repaidAssets"], args["seizedAssets"])
        if args["badDebtAssets"]:
            assert (lost[one.block, one.index]["amount_raw"], lost[one.block, one.index]["kind"]) == (
                args["badDebtAssets"],
                "settled",
            )


def test_morpho_flows_interest_and_fees(morpho: Morpho) -> None:
    past, lived = morpho
    kinds = {
        "Supply": "supply",
        "Withdraw": "withdraw",
        "Borrow": "borrow",
        "Repay": "repay",
        "SupplyCollateral": "post",
        "WithdrawCollateral": "release",
    }
    found, events = rows(past.folder, "flows"), past.of(*kinds)
    same_places(found, events)
    params = {key: lived.params[name] for name, key in lived.ids.items()}
    for one in events:
        row, args = found[one.block, one.index], one.args
        place = 1 if "Collateral" in one.name else 0
        assert (row["kind"], row["position_id"], row["amount_raw"]) == (
            kinds[one.name],
            args["onBehalf"].lower(),
            args["assets"],
        )
        assert (row["asset"], row["shares_raw"]) == (token(params[args["id"]][place]), args.get("shares"))
    found, events = rows(past.folder, "accruals"), past.of("AccrueInterest")
    same_places(found, events)
    for one in events:
        row, args = found[one.block, one.index], one.args
        assert (row["interest_raw"], row["fee_shares_raw"]) == (args["interest"], args["feeShares"])
        assert row["borrow_rate_before_ray"] == args["prevBorrowRate"] * YEAR * 10**9
    changes = read(past.folder, "parameter_changes")
    assert set(changes[changes["parameter"] == "markets.market"]["new_text"]) == {
        market_of(lived, key) for key in lived.ids.values()
    }
    fees = (
        changes[changes["parameter"] == "reserves.reserve_factor_wad"]
        .drop_duplicates("market", keep="last")
        .set_index("market")["new_raw"]
    )
    for key in lived.ids.values():
        stated = lived.morpho.functions.market(key).call()[5]
        assert fees.get(market_of(lived, key), 0) == stated


@pytest.mark.parametrize("seed", [11, 12])
def test_however_the_ranges_are_split(compound: Compound, morpho: Morpho, tmp_path: Path, seed: int) -> None:
    for name, past in (("compound", compound[0]), ("morpho", morpho[0])):
        split_at_random(past, tmp_path / name, seed, BY_DEFAULT)
        assert hashes(tmp_path / name) == hashes(past.folder)
