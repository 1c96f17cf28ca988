"""What-ifs on a file of exposures: the oracle is the file without the rows that were taken out, read again."""

import math
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from chain.errors import InputError
from chain.files.exposure_file import read_exposures
from chain.snapshot import Snapshot
from graph.build import build
from graph.edits.what_if import Back, Edit, Remove, what_if
from graph.systemic import losses_if_it_fails
from tests.graph.small_world import WAD


def exposures(folder: Path, *left_out: str) -> Snapshot:
    """Claims in a circle, without the rows that are named."""
    rows = ["alice,Fund,60", "bob,Fund,40", "Fund,Bank,70", "Fund,Issuer,30", "Bank,Issuer,50", "Bank,Fund,20", "carol,Bank,10"]  # fmt: skip
    path = folder / "claims.csv"
    path.write_text("\n".join(("holder,claim_on,amount_usd", *(row for row in rows if row not in left_out))))
    return read_exposures(path)


def test_in_a_circle_the_row_that_is_named_goes(tmp_path: Path) -> None:
    graph = build(exposures(tmp_path))
    left = what_if(graph, [Remove(relation="backs", source="Fund", target="Bank")])
    behind = {(row["claim"], row["backing"]) for row in left["backings"].to_dict("records")}
    assert behind == {("file:Fund", "file:Issuer"), ("file:Bank", "file:Issuer"), ("file:Bank", "file:Fund")}
    assert left.gaps[-1].startswith("What-if: Bank behind Fund is removed")


@pytest.mark.parametrize(
    ("edits", "rows"),
    [
        ([Remove(relation="holds", source="bob", target="Fund")], ("bob,Fund,40",)),
        ([Remove("alice")], ("alice,Fund,60",)),
        ([Remove("alice"), Remove("bob"), Remove(relation="backs", source="Bank", target="Fund")], ("alice,Fund,60", "bob,Fund,40", "Bank,Fund,20")),
        ([Remove(relation="backs", source="Fund", target="Bank")], ("Fund,Bank,70",)),
        ([Remove("Issuer")], ("Fund,Issuer,30", "Bank,Issuer,50")),
        ([Back("Fund", "Issuer", factor=Decimal(0)), Back("Bank", "Issuer", factor=Decimal(0))], ("Fund,Issuer,30", "Bank,Issuer,50")),
    ],
    ids=["one claim", "a holder", "all claims on a name", "a claim in the circle", "a name", "nothing is left of a claim"],
)  # fmt: skip
def test_exposures_without_claims_are_the_file_without_their_rows(
    tmp_path: Path, edits: Sequence[Edit], rows: Sequence[str]
) -> None:
    left, by_hand = what_if(exposures(tmp_path), edits), exposures(tmp_path, *rows)
    same_tables(left, by_hand)
    fails = "file:Bank" if "Issuer" in rows[0] else "file:Issuer"
    lost = [losses_if_it_fails(build(one), fails, (1.0,))["lost_usd"].tolist() for one in (left, by_hand)]
    assert lost[0] == pytest.approx(lost[1]) and lost[0][0] > 0


def same_tables(left: Snapshot, by_hand: Snapshot) -> None:
    for table, columns in (
        ("assets", ["asset", "decimals", "total_supply_raw"]),
        ("balances", ["holder", "asset", "amount_raw"]),
        ("backings", ["claim", "backing", "holder", "amount_raw", "rate_wad"]),
        ("prices", ["asset", "price_usd"]),
    ):
        found, wanted = ({tuple(row) for row in one[table][columns].to_numpy().tolist()} for one in (left, by_hand))
        if table == "assets":
            found, wanted = ({row for row in some if row[0] != "iso4217:USD"} for some in (found, wanted))
        assert found == wanted, table


def test_any_rows_taken_out_of_any_file(tmp_path: Path) -> None:
    """Claims of many digits: names that owe nothing any more become holders, and each rate is what the rows that are left say."""
    draw = random.Random(14)
    for _ in range(4):
        pairs = draw.sample([(one, other) for one in "abcdefgh" for other in "defgh" if one != other], 18)
        amounts = {pair: Decimal(draw.randrange(1, 10**6)).scaleb(-draw.randrange(0, 5)) for pair in pairs}
        amounts[pairs[0]] = Decimal("0.1234567890123456789012")
        gone = draw.sample(pairs[1:], 6)
        owe = {name for _, name in pairs}
        edits = [Remove(relation="backs" if one in owe else "holds", source=one, target=other) for one, other in gone]
        whole, by_hand = (
            read_exposures(written(tmp_path, {pair: amounts[pair] for pair in pairs if pair not in without}))
            for without in ([], gone)
        )
        left = what_if(whole, edits)
        same_tables(left, by_hand)
        kept = {pair: Fraction(amount) for pair, amount in amounts.items() if pair not in gone}
        for row in by_hand["backings"].to_dict("records"):
            name = row["claim"].removeprefix("file:")
            has = sum(amount for (holder, _), amount in kept.items() if holder == name)
            owed = sum(amount for (_, on), amount in kept.items() if on == name)
            assert row["rate_wad"] == min(WAD, math.floor(WAD * has / owed))


def written(folder: Path, amounts: Mapping[tuple[str, str], Decimal]) -> Path:
    path = folder / "drawn.csv"
    rows = [f"{holder},{name},{amount:f}" for (holder, name), amount in amounts.items()]
    path.write_text("\n".join(("holder,claim_on,amount_usd", *rows)))
    return path


def test_half_of_what_is_behind_a_claim_is_owed_by_the_debtor_no_more(tmp_path: Path) -> None:
    left = what_if(exposures(tmp_path), [Back("Fund", "Bank", factor=Decimal("0.5"))])
    # carol 10 and Fund 35 are left of 80 on Bank, which has 70; Fund has 35 and 30 of 120
    supply = left["assets"].set_index("asset")
    assert supply.at["file:Bank", "total_supply_raw"] == 45 * 10 ** int(supply.at["file:Bank", "decimals"])
    assert left["backings"].set_index(["claim", "backing"])["rate_wad"].to_dict() == {
        ("file:Fund", "file:Bank"): 65 * WAD // 120,
        ("file:Fund", "file:Issuer"): 65 * WAD // 120,
        ("file:Bank", "file:Issuer"): WAD,
        ("file:Bank", "file:Fund"): WAD,
    }
    with pytest.raises(InputError, match="states amounts and no rates; give a factor"):
        what_if(exposures(tmp_path), [Back("Fund", "Bank", rate=Decimal(1))])


def test_claims_that_add_up_to_more_than_fits_are_refused(tmp_path: Path) -> None:
    """As many smallest units of Bank as its decimals say; each of two claims fits a uint256, both together do not."""
    (tmp_path / "two.csv").write_text("holder,claim_on,amount_usd\na,One,5\nb,Two,5\nOne,Bank,60\nTwo,Bank,60\n")
    two = read_exposures(tmp_path / "two.csv")
    unit = 10 ** int(two["assets"].set_index("symbol").at["Bank", "decimals"])
    factor = Decimal(2**255 // (60 * unit) + 1)
    with pytest.raises(InputError, match="the claims on Bank would add up to more than fits"):
        what_if(two, [Back(name, "Bank", factor=factor) for name in ("One", "Two")])
