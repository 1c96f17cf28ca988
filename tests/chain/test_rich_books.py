"""Whales beside minnows: amounts far apart that are all in whole tokens, and the smallest units among them."""

from pathlib import Path

from chain.files.file_checks import check_files


def test_round_sums_of_the_rich_are_no_smallest_units(tmp_path: Path) -> None:
    """Debts of 50,000 to a million beside some of a few dollars; eight rows times 10^6 beside 50,000 are found, and no other."""
    head = "market,position_id,asset,side,amount,price,threshold_bps\n"
    small = [2.5, 3.75, 12.34, 7.25, 9.5, 11.25]
    book = [f"m,p{n},USDC,debt,{amount},1,\n" for n, amount in enumerate([*small, 50_000, 1_000_000, 250_000])]
    file = tmp_path / "book.csv"
    file.write_text(head + "".join(book))
    assert not [one for one in check_files([file], 0.0)[0].findings if one.kind == "mixed_units"]
    raw = [f"m,r{n},USDC,debt,{int(amount * 10**6)},1,\n" for n, amount in enumerate([*small, 4.125, 5.0625])]
    file.write_text(head + "".join(book[:7] + raw))
    [found] = [one for one in check_files([file], 0.0)[0].findings if one.kind == "mixed_units"]
    assert found.rows == 8
