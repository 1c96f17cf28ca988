"""Who can pay whom after a shock: one map over balance sheets and its fixed point; theories differ by the valuation plugged in.

Node i owns assets outside the network, owes debts outside it, and holds claims A_ij on other nodes. Its equity is

    E_i = external assets_i - external debts_i + sum_j A_ij V_j(E) - sum_k A_ki

where V_j, between 0 and 1, is what one unit of face value of a claim on j is worth (the NEVA framework: P. Barucca, M. Bardoscia,
F. Caccioli, M. D'Errico, G. Visentin, S. Battiston, G. Caldarelli, "Network valuation in financial systems", Mathematical Finance 30
(2020) 1181-1204, eq. 5). A valuation is a function of the network, all equities and what claims were worth in the round before.

Iterated from full worth the map falls to its greatest solution, from no worth it rises to its least; where theories allow both, what is
lost depends on which one the world picks, so `solutions` gives both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from chain.errors import ConvergenceError, InputError
from graph.balance_sheets import TOLERANCE, Floats, Network

Valuation = Callable[[Network, Floats, Floats], Floats]
"""(network, equity, worth of claims in the round before) -> worth of claims on each node, 0 to 1; all of shape (n,)."""

MOST_ROUNDS = 20_000


@dataclass(frozen=True)
class Clearing:
    """A fixed point.

    Attributes
    ----------
    equity : of each node, shape (n,); negative where creditors lose.
    worth : of claims on each node, shape (n,).
    direct_equity : equity before anybody's claims lost worth: after the shock alone.
    rounds : times that the map was applied.
    """

    network: Network
    equity: Floats
    worth: Floats
    direct_equity: Floats
    rounds: int

    @property
    def payments(self) -> Floats:
        """What each node pays on its obligations inside the network, shape (n,)."""
        return self.worth * self.network.obligations

    @property
    def losses(self) -> Floats:
        """What holders lose on their claims, shape (n,)."""
        return np.asarray(self.network.claims @ (1 - self.worth), dtype=float)

    @property
    def defaulted(self) -> tuple[str, ...]:
        """Names of nodes that cannot pay all they owe."""
        solvent = self.network.is_solvent(self.equity)
        return tuple(name for name, is_fine in zip(self.network.names, solvent, strict=True) if not is_fine)


def greatest(network: Network, valuation: Valuation) -> Clearing:
    """The solution that is best for everybody; ConvergenceError if the map does not come to rest."""
    return _settle(network, valuation, np.ones(len(network.names)))


def least(network: Network, valuation: Valuation) -> Clearing:
    """The solution that is worst for everybody; ConvergenceError if the map does not come to rest."""
    return _settle(network, valuation, np.zeros(len(network.names)))


def solutions(network: Network, valuation: Valuation) -> tuple[Clearing, ...]:
    """The greatest solution alone if it is the only one, else the greatest and the least."""
    best, worst = greatest(network, valuation), least(network, valuation)
    is_one = np.max(np.abs(best.equity - worst.equity), initial=0.0) <= 1e3 * TOLERANCE * network.scale
    return (best,) if is_one else (best, worst)


def _settle(network: Network, valuation: Valuation, worth: Floats) -> Clearing:
    direct = network.equity(np.ones(len(network.names)))
    enough = TOLERANCE * network.scale
    equity = network.equity(worth)
    for rounds in range(1, MOST_ROUNDS + 1):
        worth = valuation(network, equity, worth)
        moved, equity = equity, network.equity(worth)
        if np.max(np.abs(equity - moved), initial=0.0) <= enough:
            return Clearing(network, equity, worth, direct, rounds)
    change = float(np.max(np.abs(equity - moved)))
    raise ConvergenceError(
        f"The network of {len(network.names)} nodes did not come to rest within {MOST_ROUNDS} rounds (equities still move by "
        f"{change:.3g}); claims that go round in a circle with hardly anything outside behind them do this"
    )


def eisenberg_noe(network: Network, equity: Floats, before: Floats) -> Floats:
    """Who is solvent pays in full, who is not pays what it has, in proportion.

    L. Eisenberg, T. H. Noe, "Systemic risk in financial systems", Management Science 47 (2001) 236-249, eq. 1. Creditors outside take
    part like the others (the paper's sink node), or come first if `network.is_outside_senior`.
    """
    del before
    return _recovered(network, equity, network.external_assets, 1.0, 1.0)


def rogers_veraart(alpha: float, beta: float) -> Valuation:
    """Default costs: of a node that cannot pay, `alpha` of its external assets and `beta` of its claims are recovered.

    L. C. G. Rogers, L. A. M. Veraart, "Failure and rescue in an interbank network", Management Science 59 (2013) 882-898, eq. 4. A node
    with an equity of exactly zero is solvent, as in the paper.
    """
    _require_share("alpha", alpha)
    _require_share("beta", beta)

    def valuation(network: Network, equity: Floats, before: Floats) -> Floats:
        del before
        return _recovered(network, equity, network.external_assets, alpha, beta)

    return valuation


def furfine(recovery: float = 0.0) -> Valuation:
    """Nothing happens before a default; then claims are worth a fixed share.

    C. H. Furfine, "Interbank exposures: quantifying the risk of contagion", Journal of Money, Credit and Banking 35 (2003) 111-128.
    """
    _require_share("recovery", recovery)

    def valuation(network: Network, equity: Floats, before: Floats) -> Floats:
        del before
        return np.where(network.is_solvent(equity), 1.0, recovery)

    return valuation


def pro_rata(network: Network, equity: Floats, before: Floats) -> Floats:
    """A shortfall is shared by all creditors, outside and inside, in proportion, whatever `is_outside_senior` says.

    What lending markets do to their suppliers and vaults to their share holders: nobody comes first.
    """
    return eisenberg_noe(replace(network, is_outside_senior=False), equity, before)


def linear_debtrank(unharmed: Network) -> Valuation:
    """Claims lose worth in step with their debtor's equity, long before it defaults.

    M. Bardoscia, S. Battiston, F. Caccioli, G. Caldarelli, "DebtRank: a microscopic foundation for shock propagation", PLoS ONE 10 (2015)
    e0130406, eq. 8. `unharmed` is the network before the shock: its equities are what losses are measured against. Claims on a node that
    had no equity even then are worth nothing.
    """
    reference = unharmed.face_equity

    def valuation(network: Network, equity: Floats, before: Floats) -> Floats:
        del network, before
        share = np.divide(equity, reference, out=np.zeros_like(equity), where=reference > 0)
        return np.clip(share, 0.0, 1.0)

    return valuation


def first_hit_debtrank(unharmed: Network) -> Valuation:
    """The DebtRank of 2012: a node passes distress on once, when it is first hit, and never again.

    S. Battiston, M. Puliga, R. Kaushik, P. Tasca, G. Caldarelli, "DebtRank: too central to fail?", Scientific Reports 2 (2012) 541, eqs. 2-3.
    The paper caps the impact of one debtor at the holder's equity: give it `balance_sheets.capped(network)`. Its answer depends on the order of the
    rounds, so only `greatest` has a meaning.
    """
    linear = linear_debtrank(unharmed)

    def valuation(network: Network, equity: Floats, before: Floats) -> Floats:
        is_hit = before < 1.0
        return np.where(is_hit, before, linear(network, equity, before))

    return valuation


def _recovered(network: Network, equity: Floats, outside: Floats, alpha: float, beta: float) -> Floats:
    """Worth of claims when a defaulted node recovers these shares of its assets."""
    owed = network.obligations
    inside = equity + network.external_debts + owed - outside
    found = alpha * outside + beta * inside
    share = (
        np.divide(found - network.external_debts, owed, out=np.ones_like(owed), where=owed > 0)
        if network.is_outside_senior
        else np.divide(found, owed + network.external_debts, out=np.ones_like(owed), where=owed > 0)
    )
    return np.where(network.is_solvent(equity), 1.0, np.clip(share, 0.0, 1.0))


def _require_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{name} is {value}; give a share from 0 to 1")
