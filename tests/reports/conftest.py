"""Three made-up markets, assessed once: one with thin pools, one with many collaterals, one in which nothing happens."""

import pytest

from reports.record import Assessment
from tests.reports.market_world import assessment_of, falls, market_snapshot, results_of


@pytest.fixture(scope="session")
def thin() -> Assessment:
    """Pools are small against what falls due; ether is most of the collateral; bad debt follows."""
    return assessment_of(market_snapshot(borrowers=80, depth_usd=400e6, near=0.35))


@pytest.fixture(scope="session")
def broad() -> Assessment:
    """No feed prices half of the collateral; not captioned, as if read from a live chain."""
    snapshot = market_snapshot(
        seed=7, borrowers=120, near=0.5, depth_usd=1e9, weights=(0.25, 0.15, 0.35, 0.25), caption=""
    )
    return assessment_of(snapshot)


@pytest.fixture(scope="session")
def calm() -> Assessment:
    """Everybody is far from liquidation."""
    snapshot = market_snapshot(seed=9, borrowers=20, near=4.0, depth_usd=1e9)
    return assessment_of(snapshot, results_of(snapshot, (falls(("ETH", -0.1)), falls(("ETH", -0.2)))))


@pytest.fixture(params=["thin", "broad", "calm"])
def assessment(request: pytest.FixtureRequest) -> Assessment:
    """Each of the three in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Assessment)
    return found
