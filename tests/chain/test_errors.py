"""Errors: what is said where a name is unknown, and which of them may end otherwise the next time."""

from chain.errors import (
    MOST_NAMES,
    BlockError,
    ContractError,
    InputError,
    NodeError,
    UnknownNameError,
    WrongChainError,
    goes_on,
    unknown_name,
)


def test_of_many_names_the_nearest_are_said_and_where_all_are() -> None:
    many = [f"market {number}" for number in range(70)]
    far = str(unknown_name("market", "zzz", many, "`list them`"))
    assert far.count("market ") <= MOST_NAMES + 2 and "of 70 known" in far and far.endswith("`list them` lists all.")
    near = str(unknown_name("market", "markt 12", many, "`list them`"))
    assert "did you mean market 12" in near and near.endswith("`list them` lists all.")
    assert isinstance(unknown_name("scenario", "x", ["a", "b"]), UnknownNameError)
    assert str(unknown_name("scenario", "x", ["a", "b"], "`l`")) == "There is no scenario named 'x'; known are: a, b."


def test_only_what_may_end_otherwise_next_time_is_to_be_run_again() -> None:
    assert goes_on(KeyboardInterrupt()) and goes_on(NodeError("gone"))
    assert not [
        error
        for error in (BlockError("x"), ContractError("x"), WrongChainError("x"), InputError("x"))
        if goes_on(error)
    ]
