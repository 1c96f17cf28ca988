"""Networks drawn at random for tests of the measures."""

import numpy as np

from graph.balance_sheets import Network


def random_network(
    seed: int, nodes: int = 12, share: float = 0.3, is_outside_senior: bool = False, outside: float = 1.0
) -> Network:
    """Claims between a share of all pairs, log-normal; what nodes own outside is log-normal times `outside`."""
    rng = np.random.default_rng(seed)
    amounts = np.where(rng.random((nodes, nodes)) < share, rng.lognormal(0, 1, (nodes, nodes)), 0.0)
    pairs = zip(*np.nonzero(amounts), strict=True)
    claims = [(f"n{i:02}", f"n{j:02}", float(amounts[i, j])) for i, j in pairs if i != j]
    assets = {f"n{i:02}": float(outside * rng.lognormal(0, 1)) for i in range(nodes)}
    debts = {f"n{i:02}": float(rng.lognormal(-1, 1)) for i in range(nodes)}
    return Network.from_claims(claims, assets, debts, is_outside_senior)


def with_equity(claims: list[tuple[str, str, float]], equity: dict[str, float]) -> Network:
    """A network whose face equities are these, whatever its claims."""
    assets = {
        name: amount + sum(claim for _, debtor, claim in claims if debtor == name) for name, amount in equity.items()
    }
    debts = {name: sum(claim for holder, _, claim in claims if holder == name) for name in equity}
    return Network.from_claims(claims, assets, debts)
