"""The TOML file of a what-if: its entries, each as an edit that knows where it was written. Read in the order in which they act."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from chain.errors import InputError, unknown_name
from chain.toml_file import read_toml
from graph.edits.addition import TERMS
from graph.edits.what_if import Back, Edit, Freeze, NewClaim, NewMarket, NewVault, Remove

Entry = Mapping[str, Any]
_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "remove": ((), ("node", "relation", "source", "target", "asset")),
    "freeze": (("market",), ("asset", "state")),
    "back": (("claim", "backing"), ("factor", "rate")),
    "market": (("name", "like", "assets"), tuple(TERMS)),
    "vault": (("name", "market", "asset", "amount"), ()),
    "position": (("market", "asset", "side", "amount"), ("owner", "new_owner", "is_collateral")),
}
"""Entry -> fields that must be there, fields that may. Entries act in this order, those of one kind as they are written."""
_NUMBERS = ("factor", "rate", "amount")


def read_what_if(path: Path) -> tuple[Edit, ...]:
    """The edits of a file.

    Raises
    ------
    InputError
        If the file is no TOML, has no entry, or an entry has a field that is unknown, missing or of the wrong type; it names file, entry,
        field and value.
    """
    content = read_toml(path, "a what-if", Decimal)
    for name, entries in content.items():
        if name not in _FIELDS:
            raise InputError(f"{path}: {unknown_name('entry', name, _FIELDS)}")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InputError(f"{path}: {name} is no list of tables; write [[{name}]], with two brackets")
    found = tuple(
        _edit(f"{path.name}, {name} {number}", name, entry)
        for name in _FIELDS
        for number, entry in enumerate(content.get(name, []), start=1)
    )
    if not found:
        raise InputError(
            f"{path}: there is no entry; give at least one of {', '.join(f'[[{name}]]' for name in _FIELDS)}"
        )
    return found


def _edit(where: str, name: str, entry: Entry) -> Edit:
    required, optional = _FIELDS[name]
    for key, value in entry.items():
        if key not in (*required, *optional):
            raise InputError(f"{where}: {unknown_name('field', key, (*required, *optional))}")
        _typed(where, key, value)
    missing = [key for key in required if key not in entry]
    if missing:
        raise InputError(f"{where}: {missing[0]} is missing; an entry of this kind needs {', '.join(required)}")
    if name == "remove":
        one, other = "node" in entry, {"relation", "source", "target"} <= set(entry)
        if one == other or (one and len(entry) > 1):
            raise InputError(f"{where}: give either node, or relation with source and target (and asset)")
    return _MAKERS[name](where, entry)


def _typed(where: str, key: str, value: Any) -> None:
    if key in _NUMBERS:
        good, wanted = isinstance(value, int | Decimal) and not isinstance(value, bool), "a number"
    elif key in TERMS:
        good, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number of basis points"
    elif key == "assets":
        good, wanted = (
            isinstance(value, list) and all(isinstance(name, str) for name in value),
            'a list of names, ["WETH", "USDC"]',
        )
    elif key == "is_collateral":
        good, wanted = isinstance(value, bool), "true or false"
    else:
        good, wanted = isinstance(value, str) and bool(value.strip()), "a name in quotes"
    if not good:
        raise InputError(f"{where}: {key} is {value!r}; give {wanted}")


def _market(where: str, entry: Entry) -> Edit:
    terms = {key: value for key, value in entry.items() if key in TERMS}
    return NewMarket(entry["name"], entry["like"], tuple(entry["assets"]), terms, where)


def _decimals(entry: Entry) -> dict[str, Any]:
    return {key: Decimal(value) if key in _NUMBERS else value for key, value in entry.items()}


_MAKERS: Mapping[str, Callable[[str, Entry], Edit]] = {
    "remove": lambda where, entry: Remove(**entry, where=where),
    "freeze": lambda where, entry: Freeze(**entry, where=where),
    "back": lambda where, entry: Back(**_decimals(entry), where=where),
    "market": _market,
    "vault": lambda where, entry: NewVault(**_decimals(entry), where=where),
    "position": lambda where, entry: NewClaim(**_decimals(entry), where=where),
}
