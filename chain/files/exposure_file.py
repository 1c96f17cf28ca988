"""Reads a user's exposures: who has a claim on whom, of how many USD. One row a claim; the answer is a snapshot like any other.

Every name that somebody has a claim on becomes an asset, of which one unit is a claim of one USD. A name that has claims itself and on
which others have claims is a claim backed by what it has (`backings`); a name on which nobody has a claim is an account (`balances`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from chain.errors import InputError
from chain.files.book_rows import CHAIN, exact, most_places
from chain.files.cells import column_names, number, read_cells
from chain.files.claim_totals import claim_totals
from chain.snapshot import Snapshot, from_rows
from chain.units import UINT256_MAX

REQUIRED = ("holder", "claim_on", "amount_usd")
OPTIONAL = ("kind", "seniority")
DOLLAR = "iso4217:USD"
PRICES = f"{CHAIN}/claims"
"""Market in which every claim is worth what the file says; no name of a claim can be equal to it, nor to an account's key."""


@dataclass(frozen=True)
class Claim:
    """One row: where it stands, who has a claim on whom, and how it is called; seniority 0 is paid first."""

    row: int
    holder: str
    claim_on: str
    amount_usd: Decimal
    kind: str
    seniority: str


def is_exposures(path: Path) -> bool:
    """Whether a file has the columns of exposures, so that it is not taken for a book."""
    return {"holder", "claim_on"} <= set(column_names(path))


def read_exposures(path: Path) -> Snapshot:
    """A snapshot from a user's exposures (CSV or Parquet).

    Columns: holder, claim_on (names; equal names are one), amount_usd (above zero), and optionally kind (loan, deposit: any word) and
    seniority (whole number, 0 is paid first). Names may hold claims on each other in circles.

    Returns
    -------
    Snapshot
        Without anchors, every row with status `file` and its row number as evidence. A name backed by less than is claimed on it has
        a rate below one; what is claimed on a name that has no claims itself is backed by nothing that is known.

    Raises
    ------
    InputError
        If the file cannot be read or a row cannot be used; the sentence names file, row, field and value.
    """
    claims = [_claim(path.name, row, cells) for row, cells in read_cells(path, REQUIRED, OPTIONAL)]
    if not claims:
        raise InputError(f"{path} has a header and no rows; give one row for each claim of a holder")
    _agree(path.name, claims)
    rows = {table: [{**row, "status": "file"} for row in found] for table, found in _tables(path.name, claims).items()}
    gap = f"{path.name} states claims in USD only: no positions, prices, venues or feeds are known"
    return from_rows(path.stem, (), rows, gaps=(gap,), readers={"exposures": 1})


def _claim(file: str, row: int, cells: Mapping[str, str]) -> Claim:
    where = f"{file} row {row}"
    for name in REQUIRED:
        if not cells[name]:
            raise InputError(f"{where}: {name} is empty")
    if cells["holder"] == cells["claim_on"]:
        raise InputError(f"{where}: {cells['holder']!r} has a claim on itself; take the row out, it nets to nothing")
    amount = number(where, "amount_usd", cells["amount_usd"], above_zero=True)
    seniority = cells.get("seniority", "").removesuffix(".0")  # as a table with empty cells has whole numbers
    if seniority and not (seniority.isascii() and seniority.isdigit()):
        raise InputError(f"{where}: seniority is {seniority!r}; give a whole number, 0 is paid first")
    return Claim(row, cells["holder"], cells["claim_on"], amount, cells.get("kind", ""), seniority)


def _agree(file: str, claims: Sequence[Claim]) -> None:
    """One row for each holder, name, kind and seniority."""
    seen: dict[tuple[str, str, str, str], int] = {}
    for claim in claims:
        what = (claim.holder, claim.claim_on, claim.kind, claim.seniority)
        if what in seen:
            raise InputError(
                f"{file} row {claim.row}: the claim of {claim.holder!r} on {claim.claim_on!r} is already in row {seen[what]}; "
                "add the two up into one row, or tell them apart by kind or seniority"
            )
        seen[what] = claim.row


def _tables(file: str, claims: Sequence[Claim]) -> dict[str, list[dict[str, Any]]]:
    places = most_places((claim.claim_on, claim.amount_usd) for claim in claims)
    held: dict[tuple[str, str], int] = {}
    said: dict[tuple[str, str], list[str]] = {}
    first: dict[str, str] = {}
    for claim in claims:
        pair = (claim.holder, claim.claim_on)
        raw = exact(f"{file} row {claim.row}", "amount_usd", claim.amount_usd, places[claim.claim_on])
        held[pair] = held.get(pair, 0) + raw
        said.setdefault(pair, []).append(_evidence(file, claim))
        first.setdefault(claim.claim_on, f"{file} row {claim.row}")
    claimed, rates = claim_totals(((holder, name, raw) for (holder, name), raw in held.items()), places)
    too_much = next((name for name, raw in claimed.items() if raw > UINT256_MAX), None)
    if too_much is not None:
        raise InputError(f"{file}: the claims on {too_much!r} add up to more than fits; give smaller numbers")
    accounts = {claim.holder: f"{file} row {claim.row}" for claim in reversed(claims) if claim.holder not in claimed}
    backed = {name: first[name] for name in claimed if name in rates}
    return {
        "protocols": [{"protocol": CHAIN, "name": "Exposures", "kind": "lending", "evidence": file}],
        "markets": [_price_list(file)],
        "assets": [
            {"asset": _key(name), "symbol": name, "decimals": places[name], "kind": "token", "evidence": first[name]}
            | {"total_supply_raw": raw}
            for name, raw in claimed.items()
        ]
        + [{"asset": DOLLAR, "symbol": "USD", "decimals": 2, "kind": "fiat", "evidence": file}],
        "prices": [
            {
                "market": PRICES,
                "asset": _key(name),
                "price_raw": 1,
                "decimals": 0,
                "quote_asset": DOLLAR,
                "price_usd": 1.0,
            }
            | {"usd_path": "claims are stated in USD", "evidence": first[name]}
            for name in claimed
        ],
        "entities": [
            {"entity": _entity(name), "kind": "account", "name": name, "evidence": evidence}
            for name, evidence in reversed(accounts.items())
        ]
        + [
            {"entity": _entity(name), "kind": "contract", "name": name, "evidence": text}
            for name, text in backed.items()
        ],
        "balances": [
            {
                "asset": _key(name),
                "holder": _entity(holder),
                "amount_raw": raw,
                "evidence": "; ".join(said[holder, name]),
            }
            for (holder, name), raw in held.items()
            if holder in accounts
        ],
        "backings": [
            {"claim": _key(holder), "backing": _key(name), "holder": _entity(holder), "amount_raw": raw}
            | {"rate_wad": rates[holder], "redemption": "none"}
            | {"evidence": "; ".join(said[holder, name])}
            for (holder, name), raw in held.items()
            if holder in claimed
        ],
    }


def _price_list(file: str) -> dict[str, Any]:
    """The market that prices claims: it lists nothing and nobody borrows there."""
    return {
        "market": PRICES,
        "chain": CHAIN,
        "protocol": CHAIN,
        "instance": "claims",
        "address": "",
        "family": "generic",
        "base_asset": DOLLAR,
        "base_unit_raw": 1,
        "loss_rule": "zombie",
        "evidence": file,
    }


def _evidence(file: str, claim: Claim) -> str:
    words = [f"{name} {value}" for name, value in (("kind", claim.kind), ("seniority", claim.seniority)) if value]
    return f"{file} row {claim.row}" + (f" ({', '.join(words)})" if words else "")


def _key(name: str) -> str:
    return f"{CHAIN}:{name}"


def _entity(name: str) -> str:
    return f"{CHAIN}/account:{name}"
