"""Balance sheets of a network in one currency: who owns what outside, owes what outside, and holds claims on whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from chain.errors import InputError

Floats = NDArray[np.float64]
TOLERANCE = 1e-12
"""Of the largest amount in the network: a smaller change is none, and a smaller shortfall leaves a node solvent."""


@dataclass(frozen=True)
class Network:
    """Balance sheets of n nodes, in one currency.

    Attributes
    ----------
    names : node keys, shape (n,).
    claims : face value, shape (n, n); the row holds the claim, the column owes it.
    external_assets, external_debts : worth of what is owned and owed outside the network, shape (n,).
    is_outside_senior : whether debts outside are paid before claims inside the network; else all creditors share in proportion.
    """

    names: tuple[str, ...]
    claims: "csr_array[Any]"
    external_assets: Floats
    external_debts: Floats
    is_outside_senior: bool = False

    @classmethod
    def from_claims(
        cls,
        claims: Sequence[tuple[str, str, float]],
        external_assets: Mapping[str, float],
        external_debts: Mapping[str, float] | None = None,
        is_outside_senior: bool = False,
    ) -> Self:
        """A network from rows (holder, debtor, face value); several rows of one pair add up.

        Raises
        ------
        InputError
            If an amount is negative or not finite, or somebody holds a claim on itself.
        """
        debts = external_debts or {}
        names = tuple(sorted({name for row in claims for name in row[:2]} | set(external_assets) | set(debts)))
        place = {name: number for number, name in enumerate(names)}
        for holder, debtor, amount in claims:
            _require_amount(f"claim of {holder} on {debtor}", amount)
            if holder == debtor:
                raise InputError(
                    f"{holder} holds a claim of {amount:g} on itself; take the row out, it nets to nothing"
                )
        for word, amounts in (("external assets", external_assets), ("external debts", debts)):
            for name, amount in amounts.items():
                _require_amount(f"{word} of {name}", amount)
        rows = np.array([place[holder] for holder, _, _ in claims], dtype=np.int64)
        columns = np.array([place[debtor] for _, debtor, _ in claims], dtype=np.int64)
        values = np.array([amount for _, _, amount in claims], dtype=float)
        matrix = coo_array((values, (rows, columns)), shape=(len(names), len(names))).tocsr()
        return cls(names, matrix, _column(names, external_assets), _column(names, debts), is_outside_senior)

    @cached_property
    def obligations(self) -> Floats:
        """What each node owes inside the network, at face value."""
        return np.asarray(self.claims.sum(axis=0), dtype=float)

    @property
    def face_equity(self) -> Floats:
        """Equity if every claim is worth its face value."""
        return self.equity(np.ones(len(self.names)))

    @cached_property
    def _outside(self) -> Floats:
        return self.external_assets - self.external_debts - self.obligations

    @cached_property
    def scale(self) -> float:
        """The largest amount that any node owns or owes."""
        held = self.external_assets + np.asarray(self.claims.sum(axis=1), dtype=float)
        owed = self.external_debts + self.obligations
        return max(float(np.max(held, initial=0.0)), float(np.max(owed, initial=0.0)))

    def equity(self, worth: Floats) -> Floats:
        """Equity of each node when claims on j are worth this share of their face value."""
        return np.asarray(self.claims @ worth + self._outside, dtype=float)

    def is_solvent(self, equity: Floats) -> NDArray[np.bool_]:
        """Whether equity is not negative, up to rounding."""
        return np.asarray(equity >= -TOLERANCE * self.scale)

    def with_claims(self, amounts: Floats) -> "Network":
        """The network with other amounts for the same claims, in the order of `claims.data`; what nodes have outside stays."""
        claims = self.claims.copy()
        claims.data = np.asarray(amounts, dtype=float)
        return replace(self, claims=claims)

    def shocked(self, losses: Mapping[str, float]) -> "Network":
        """The network after losses on external assets; a node can lose more than it has there, which then is a debt outside."""
        place = {name: number for number, name in enumerate(self.names)}
        unknown = sorted(set(losses) - set(place))
        if unknown:
            raise InputError(f"There is no node {unknown[0]!r} in this network of {len(self.names)} nodes")
        assets = self.external_assets.copy()
        for name, loss in losses.items():
            _require_amount(f"loss of {name}", loss)
            assets[place[name]] -= loss
        debts = self.external_debts + np.maximum(-assets, 0.0)
        return replace(self, external_assets=np.maximum(assets, 0.0), external_debts=debts)


def capped(network: Network) -> Network:
    """The network with no claim above its holder's face equity; equities at face value stay what they were."""
    equity = np.maximum(network.face_equity, 0.0)
    claims = network.claims.tocoo()
    kept = np.minimum(claims.data, equity[claims.coords[0]])
    cut = coo_array((kept, claims.coords), shape=claims.shape).tocsr()
    less_held = np.asarray(network.claims.sum(axis=1) - cut.sum(axis=1), dtype=float)
    less_owed = np.asarray(network.claims.sum(axis=0) - cut.sum(axis=0), dtype=float)
    return replace(
        network,
        claims=cut,
        external_assets=network.external_assets + less_held,
        external_debts=network.external_debts + less_owed,
    )


def _column(names: Sequence[str], amounts: Mapping[str, float]) -> Floats:
    return np.array([amounts.get(name, 0.0) for name in names], dtype=float)


def _require_amount(what: str, amount: float) -> None:
    if not (np.isfinite(amount) and amount >= 0):
        raise InputError(f"The {what} is {amount}; give a finite amount that is not negative")
