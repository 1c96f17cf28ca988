"""DebtRank of many sources against the dynamics written out node by node, and against closed forms."""

import numpy as np
import pytest

from chain.errors import ConvergenceError, InputError
from graph.balance_sheets import Network
from graph.debtrank import debtrank
from tests.graph.random_networks import random_network, with_equity


def written_out(network: Network, source: str, loss: float) -> float:
    """Bardoscia et al. 2015, eq. 8, over plain dicts: what others lose, as a share of all equity."""
    equity: dict[str, float] = dict(zip(network.names, network.face_equity.tolist(), strict=True))
    claims = network.claims.toarray()
    held = {
        (holder, debtor): claims[i, j] / equity[holder]
        for i, holder in enumerate(network.names)
        for j, debtor in enumerate(network.names)
        if claims[i, j] and equity[holder] > 0
    }
    lost, new = dict.fromkeys(equity, 0.0), {source: loss}
    lost[source] = loss
    while new:
        after = dict(lost)
        for (holder, debtor), share in held.items():
            after[holder] += share * new.get(debtor, 0.0)
        after = {name: min(1.0, amount) for name, amount in after.items()}
        new = {name: after[name] - lost[name] for name in after if after[name] - lost[name] > 1e-13}
        lost = after
    value = {name: max(amount, 0.0) for name, amount in equity.items()}
    return sum(value[name] * lost[name] for name in lost if name != source) / sum(value.values())


@pytest.mark.parametrize("seed", range(5))
def test_every_source_as_written_out(seed: int) -> None:
    network = random_network(seed, nodes=50, share=0.06, outside=5.0)
    assert (network.face_equity <= 0).any()
    found = debtrank(network, loss_ratio=0.4)
    assert found == pytest.approx([written_out(network, name, 0.4) for name in network.names], abs=1e-6)


def test_a_circle_is_a_geometric_series() -> None:
    gain, loss = 0.8, 0.3
    network = with_equity([("a", "b", gain), ("b", "c", gain), ("c", "a", gain)], {"a": 1.0, "b": 1.0, "c": 1.0})
    elsewhere = loss / (1 - gain**3) * (gain + gain**2) / 3
    assert debtrank(network, loss_ratio=loss) == pytest.approx([elsewhere] * 3, abs=1e-8)


def test_a_chain_ends_where_equity_does() -> None:
    # b holds 0.5 of its equity on c, a holds 3 times its equity on b: c fails, b loses half, a all
    network = with_equity([("b", "c", 1.0), ("a", "b", 3.0)], {"a": 1.0, "b": 2.0, "c": 1.0})
    assert debtrank(network, ["c"]).tolist() == pytest.approx([(1.0 * 1.0 + 2.0 * 0.5) / 4])
    assert debtrank(network, ["a"]).tolist() == [0.0]
    assert debtrank(network, ["c"], weights=np.array([1.0, 0.0, 0.0])).tolist() == [1.0]


def test_what_cannot_be_asked_is_refused() -> None:
    network = random_network(1)
    with pytest.raises(InputError, match="no node 'x'"):
        debtrank(network, ["x"])
    with pytest.raises(InputError, match="loss_ratio is 0"):
        debtrank(network, loss_ratio=0)
    with pytest.raises(InputError, match="any value"):
        debtrank(Network.from_claims([("a", "b", 1.0)], {}), weights=np.zeros(2))


def test_losses_that_grow_for_ever_raise() -> None:
    almost = 1 - 1e-6
    network = with_equity([("a", "b", almost), ("b", "a", almost)], {"a": 1.0, "b": 1.0})
    with pytest.raises(ConvergenceError, match="still grow after"):
        debtrank(network, loss_ratio=1e-4)
