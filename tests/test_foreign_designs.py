"""The page on foreign designs must stay true to the schema, and its worked examples must add up.

The identities tested here are the protocols' own (a join holds what the Vat counts, Comet's reserves are balance less supplied
plus borrowed, Morpho's bad debt is what suppliers lose), computed from the numbers that stand on the page.
"""

import re
from pathlib import Path

from chain.tables import schemas

FOREIGN = (Path(__file__).resolve().parents[1] / "docs" / "foreign-designs.md").read_text(encoding="utf-8")
LIMITS = {"uint256": 2**256, "int256": 2**255}
COLUMN = re.compile(r"`([a-z_]+)\.([a-z_0-9]+)`")


def test_every_column_of_the_foreign_designs_exists() -> None:
    columns = {(name, column) for name, schema in schemas().items() for column in schema.names}
    named = {found for found in COLUMN.findall(FOREIGN) if found[0] in schemas()}
    assert len(named) > 100
    assert not named - columns
    contracts = {"dog", "clip", "abaci", "vow", "spot", "jug", "spotter", "ilk", "urn", "table"}
    assert {table for table, _ in COLUMN.findall(FOREIGN)} - set(schemas()) <= contracts


def test_every_number_of_the_foreign_designs_fits_its_column() -> None:
    checked = 0
    for cells in rows("| what | column |"):
        table, column = COLUMN.findall(cells[1])[0]
        kind = next(c for c in schemas()[table].columns if c.name == column).kind
        for cell in cells[2:]:
            if cell not in ("no row", "row ends"):
                assert kind in LIMITS and number(cell) < LIMITS[kind], f"{table}.{column}: {cell}"
                checked += 1
    assert checked > 120


def test_maker_collateral_is_conserved_and_the_vow_gets_what_the_sale_raises() -> None:
    held, inks, free, lots = map(
        states, ("WETH in the join", "ink of all urns", "free gem of the urn", "lot of the sale")
    )
    assert held == [sum(parts) for parts in zip(inks, free, lots, strict=True)]
    tabs, vow = states("tab of the sale"), states("Dai of the Vow")
    assert [vow[step + 1] - vow[step] for step in (1, 2)] == [tabs[step] - tabs[step + 1] for step in (1, 2)]
    due = states("its debt, rad")[0]
    assert tabs[1] == due * 113 // 100
    assert states("sin of the Vow")[1] == due + states("Dai of the keeper who barked")[1]


def test_morpho_suppliers_lose_the_bad_debt_and_the_vault_its_share_of_it() -> None:
    assets, unit = states("A: assets + 1 supplied"), states("A: shares + 10**6 supplied")
    bad_debt = assets[0] - assets[1]
    assert f"`deficits.amount_raw` {bad_debt}," in FOREIGN
    shares, in_a, in_b = map(states, ("vault's shares in A", "vault's money in A", "vault's money in B"))
    assert in_a == [share * asset // per for share, asset, per in zip(shares, assets, unit, strict=True)]
    behind = states("behind all shares")
    assert behind == [a + b for a, b in zip(in_a, in_b, strict=True)]
    supply = states("shares")
    rate = [total * 10**12 * 10**18 // share for total, share in zip(behind, supply, strict=True)]
    assert states("what one share redeems for") == rate
    borrowed = states("A: assets + 1 borrowed")
    assert states("A: cash") == [supplied - owed for supplied, owed in zip(assets, borrowed, strict=True)]
    assert states("A: cash")[1] - states("A: cash")[0] + bad_debt == borrowed[0] - borrowed[1]


def test_comet_reserves_are_what_it_holds_less_supplied_plus_borrowed() -> None:
    supplied = [p * i // 10**15 for p, i in zip(*map(states, ("principal supplied, all", "supply index")), strict=True)]
    borrowed = [p * i // 10**15 for p, i in zip(*map(states, ("principal borrowed, all", "borrow index")), strict=True)]
    reserves = [h - s + b for h, s, b in zip(states("USDC held"), supplied, borrowed, strict=True)]
    assert reserves == [
        above - below
        for above, below in zip(states("reserves, if positive"), states("reserves, if negative"), strict=True)
    ]


def rows(head: str) -> list[list[str]]:
    """Cells of every row of the tables whose heading starts like this."""
    found = []
    for block in FOREIGN.split("\n\n"):
        if block.startswith(head):
            found += [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]]
    return found


def number(cell: str) -> int:
    """`7000` or `12 * 10**18`, as the page writes them."""
    digits = re.fullmatch(r"`(\d+)(?: \* 10\*\*(\d+))?`", cell)
    assert digits, cell
    power: int = 10 ** int(digits[2] or 0)
    return int(digits[1]) * power


def states(name: str) -> list[int]:
    """The numbers of one line, by its first cell; 0 where there is no row."""
    (found,) = [cells for cells in rows("| what | column |") if cells[0] == name]
    return [0 if "row" in cell else number(cell) for cell in found[2:]]
