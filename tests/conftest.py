"""Fixtures that more than one test module uses."""

from collections.abc import Iterator

import pytest

from tests.devnet.availability import require_devnet
from tests.devnet.world import World, build_world


@pytest.fixture(scope="session")
def devnet_world() -> Iterator[World]:
    """A world of 120 accounts, built once for the session.

    Tests that change the chain do it inside ``with devnet_world.undone():``, so that the next test finds the final
    block as the latest one.
    """
    require_devnet()
    with build_world(accounts=120, seed=7) as world:
        yield world
