"""Who is systemic in a protocol graph: what its holders lose in all if a node fails, in order, with the range that the order has.

A node fails: all of its worth is gone. Each step of `dependences` passes a loss on in proportion to its share in the worth of what loses, no
node loses more than it has, and what arrives at those on whom nobody depends (accounts, holders of a file) is added up. That is linear
DebtRank (`graph.debtrank`) on these shares, with each holder's worth as the weight. Tokens, pools and markets' contracts hold for others, so they are no holders
themselves, even where nobody who has them was read. It bounds a loss by who holds what; it knows no
prices that fall because something is sold, and nobody who reacts. These a cascade computes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from chain.errors import InputError
from graph.balance_sheets import Floats, Network
from graph.centrality import core_numbers, katz, pagerank
from graph.debtrank import debtrank
from graph.dependences import dependences, node_label
from graph.exposures.kept_for_others import contracts_of_markets
from graph.identity import told_apart
from graph.merged_rows import weakest
from graph.protocol_graph import ProtocolGraph
from graph.ranking import ranking, uncertain

HOLDING = ("supplies", "holds", "allocates_to")
"""Relations by which somebody has something, rather than is made of it."""

EXACT = 1e-13
"""Share of its worth by which a node may still lose more: small enough that all of it is told from nearly all."""


@dataclass(frozen=True)
class Uncertainty:
    """What is not known exactly, as drawn for the range of ranks.

    Attributes
    ----------
    amount_sigma : standard deviation of the logarithm of each amount at stake, prices and depth together; its mean is kept.
    unverified_kept : probability that a row which nothing vouches for is there at all.
    draws, seed : how many networks are drawn, and from which seed.
    """

    amount_sigma: float = 0.1
    unverified_kept: float = 0.9
    draws: int = 100
    seed: int = 0


def systemic(
    graph: ProtocolGraph,
    uncertainty: Uncertainty | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> pd.DataFrame:
    """Every node whose failure costs a holder something, by what holders lose in all.

    Returns
    -------
    node, label, rank, loss_usd (over all holders), loss_low_usd, loss_high_usd, rank_low, rank_high (5 % and 95 % of the draws), first_share (part
    of the draws in which it came first), loss_ratio (of what holders have), pagerank, katz (weights as a debtor), core (k-core number), status
    (the weakest of the steps that lead to it), largest loss first.

    Raises
    ------
    InputError
        If no holder has anything of known value, as in a file in which everybody who has a claim owes another.
    """
    drawn = uncertainty or Uncertainty()
    table = dependences(graph)
    network, status = _network(table)
    worth = _worth_of_holders(graph, table, network)
    _require_worth(graph, worth)
    owed = set(table["target"])
    causes = [name for name in network.names if name in owed]

    def lost(of: Network) -> Floats:
        found = dict(zip(causes, debtrank(of, causes, weights=worth, tolerance=EXACT), strict=True))
        return np.asarray([found.get(name, 0.0) for name in of.names], dtype=float) * float(worth.sum())

    sigma = np.full(network.claims.nnz, drawn.amount_sigma)
    kept = np.where(status == "unverified", drawn.unverified_kept, 1.0)
    vary, equity = uncertain(network, sigma, kept), network.face_equity
    ranked = ranking(
        network, lost, lambda rng: _of_worth(vary(rng), equity), drawn.draws, drawn.seed, progress
    ).set_index("node")
    place = {name: number for number, name in enumerate(network.names)}
    statuses = table.groupby("target")["status"].agg(weakest).to_dict()
    measures = {"pagerank": pagerank(network), "katz": katz(network), "core": core_numbers(network)}
    found = ranked.loc[causes].rename(
        columns={"score": "loss_usd", "score_low": "loss_low_usd", "score_high": "loss_high_usd"}
    )
    found = found.assign(
        label=list(told_apart({name: _label(graph, name) for name in found.index}).values()),
        loss_ratio=found["loss_usd"] / worth.sum(),
        status=[statuses[name] for name in found.index],
        **{name: [values[place[node]] for node in found.index] for name, values in measures.items()},
    )
    columns = [
        "node",
        "label",
        "rank",
        "loss_usd",
        "loss_low_usd",
        "loss_high_usd",
        "rank_low",
        "rank_high",
        "first_share",
    ]
    columns += ["loss_ratio", "pagerank", "katz", "core", "status"]
    order = ["rank", "first_share", "node"]
    return found.reset_index().sort_values(order, ascending=[True, False, True], ignore_index=True)[columns]


def losses_if_it_fails(
    graph: ProtocolGraph, node: str, loss_ratios: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
) -> pd.DataFrame:
    """What holders lose when a node loses a part of its worth: the same map as `systemic`, for one node and several sizes.

    Returns
    -------
    loss_ratio (of the node's worth), lost_usd (by all holders), lost_ratio (of all that they have), in the order given; all zero where
    nobody depends on the node.

    Raises
    ------
    InputError
        If no holder has anything of known value, or a loss is no share above 0.
    """
    table = dependences(graph)
    network, _ = _network(table)
    worth = _worth_of_holders(graph, table, network)
    is_owed = node in set(table["target"])
    if is_owed:
        _require_worth(graph, worth)
    shares = [
        float(debtrank(network, [node], ratio, worth, tolerance=EXACT)[0]) if is_owed else 0.0 for ratio in loss_ratios
    ]
    held = float(worth.sum())
    return pd.DataFrame(
        {"loss_ratio": list(loss_ratios), "lost_usd": [share * held for share in shares], "lost_ratio": shares}
    )


def _worth_of_holders(graph: ProtocolGraph, table: pd.DataFrame, network: Network) -> Floats:
    """The worth of the nodes that are holders, 0 for all others; what a market's contract keeps is its suppliers'."""
    having = table[table["relation"].isin(HOLDING)].dropna(subset="amount_usd")
    known = (
        set(having["source"])
        - set(graph.nodes["asset"]["node"])
        - set(graph.nodes["pool"]["node"])
        - set(contracts_of_markets(graph).values())
    )
    is_holder = np.isin(network.names, list(known - set(table["target"])))
    return np.where(is_holder, network.face_equity, 0.0)


def _require_worth(graph: ProtocolGraph, worth: Floats) -> None:
    """InputError if no holder has anything."""
    snapshot = graph.snapshot
    if worth.sum() > 0:
        return
    if "exposures" in snapshot.readers:
        name = snapshot["assets"]["symbol"].iloc[0]
        raise InputError(
            f"{snapshot['protocols']['evidence'].iloc[0]} names no holder on whom nobody has a claim: everybody in it owes what he has to others, so nobody is left to lose it; "
            f"add rows of those who finally lose, such as owner,{name},10 for who owns what {name} has"
        )
    raise InputError(
        f"nobody in {snapshot.name} holds anything whose value is known, so nothing can be lost; read positions, balances and prices as well"
    )


def _label(graph: ProtocolGraph, node: str) -> str:
    """The name, told apart from the token of the same name where the contract that keeps it is meant."""
    is_keeper = node.startswith("@") and graph.kinds.get(node[1:]) != "feed"
    return node_label(graph, node) + (" (its contract)" if is_keeper else "")


def _network(table: pd.DataFrame) -> tuple[Network, "np.ndarray"]:
    """The steps as claims whose share in the holder's equity is the step's share; and the status of each claim, in the same order.

    A node's equity is its worth: the largest amount at stake over its share, or 1 where no amount is known (it passes losses on and
    counts for nothing).
    """
    worth: dict[str, float] = {}
    for source, amount, share in zip(table["source"], table["amount_usd"], table["share"], strict=True):
        if not pd.isna(amount):
            worth[source] = max(worth.get(source, 0.0), amount / share)
    claims = [
        (source, target, share * worth.get(source, 1.0))
        for source, target, share in zip(table["source"], table["target"], table["share"], strict=True)
    ]
    bare = Network.from_claims(claims, {})
    network = _of_worth(bare, np.array([worth.get(name, 1.0) for name in bare.names]))
    said = dict(zip(zip(table["source"], table["target"], strict=True), table["status"], strict=True))
    rows, columns = network.claims.tocoo().coords
    return network, np.array([said[network.names[i], network.names[j]] for i, j in zip(rows, columns, strict=True)])


def _of_worth(network: Network, worth: Floats) -> Network:
    """The network with these equities at face value, by what its nodes have or owe outside."""
    rest = worth - np.asarray(network.claims.sum(axis=1), dtype=float) + network.obligations
    return replace(network, external_assets=np.maximum(rest, 0.0), external_debts=np.maximum(-rest, 0.0))
