"""What an asset is finally made of: from a claim to what stands behind it, step by step, to assets behind which nothing is known.

A step says how many units of the backing one unit of the claim stands for, and what share of the claim's backing it is. Claims that
stand behind each other are not followed round and round: what they are finally made of is a fixed point (`graph.recursive`), and rows
that come from it are marked `recursive`. Where nothing outside such a circle gives it value, it is a root of its own, marked `circular`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isnan, nan

import pandas as pd

from chain.tables import each_row
from chain.units import whole_tokens
from graph.protocol_graph import ProtocolGraph
from graph.recursive import Backing, Rates
from graph.relations import supplies_of_claims
from graph.worth import backed_parts

MOST_EVIDENCE = 8  # steps of a circle whose evidence is written out
SMALLEST_SHARE = 1e-4  # branches below one basis point of the asset are not followed further
ROUNDING = 1e-9  # a part of a claim that is less than this is what floats leave over
ROOT_COLUMNS = ["root", "label", "rate", "share", "path", "ends", "evidence"]


@dataclass(frozen=True)
class Step:
    """One claim -> backing step: `rate` whole backing per whole claim, `share` of the claim's backing; None where not known."""

    backing: str
    rate: float | None
    share: float | None
    evidence: str


@dataclass(frozen=True)
class Path:
    """One way down: the assets passed, the product of rates and of shares, why it ends, and where each step was read."""

    assets: tuple[str, ...]
    rate: float | None
    share: float | None
    ends: str
    evidence: tuple[str, ...]


def steps(graph: ProtocolGraph) -> dict[str, list[Step]]:
    """Claim -> its steps, by backing key. Backings by several holders are one step.

    The rate is, in this order: that at which the claim is redeemed times the share, except of a liquidity share; the backing held over the claim's supply; a stated rate at
    which nothing is redeemed times the share; the share of the claim's price over the backing's price. The share is by USD value; one backing alone
    has all of it. Stated backings win over one-to-one forms and receipts (`wraps`) of the same claim. A vault's share for which no backing is
    stated is made of what the vault has.
    """
    assets = graph.nodes["asset"].set_index("node")
    price, decimals = assets["price_usd"].to_dict(), assets["decimals"].to_dict()
    supply, ways = supplies_of_claims(graph.snapshot), graph.relations["redeems_for"]
    ways = ways[(ways["redemption"] != "none") & ~ways["source"].isin(graph.snapshot["pools"]["lp_asset"])]
    redeemed = set(zip(ways["source"].tolist(), ways["target"].tolist(), strict=True))
    found = {row.source: [Step(row.target, row.rate, 1.0, row.evidence)] for row in each_row(graph.relations["wraps"])}
    backs = graph.relations["backs"]
    for claim, rows in pd.concat([backs, _vaults(graph)] if len(backs) else [_vaults(graph)]).groupby(
        "target", sort=True
    ):
        backings: dict[str, tuple[int, float | None, list[str]]] = {}
        for row in each_row(rows):
            amount, rate, evidence = backings.get(row.source, (0, None, []))
            stated = rate if rate is not None or pd.isna(row.rate) else row.rate
            backings[row.source] = (amount + row.amount_raw, stated, [*evidence, row.evidence])
        worth = {key: whole_tokens(amount, decimals[key]) * price[key] for key, (amount, _, _) in backings.items()}
        everything = sum(worth.values())
        found[claim] = []
        for key, (amount, stated, evidence) in sorted(backings.items()):
            share = 1.0 if len(backings) == 1 else worth[key] / everything if everything > 0 else None
            by_stated = None if stated is None or share is None else stated * share
            rate = by_stated if (claim, key) in redeemed else None
            if rate is None and supply.get(claim):
                rate = whole_tokens(amount, decimals[key]) / whole_tokens(supply[claim], decimals[claim])
            elif rate is None and by_stated is not None:
                rate = by_stated
            elif rate is None and share is not None and price[claim] > 0 and price[key] > 0:
                rate = share * price[claim] / price[key]
            found[claim].append(Step(key, rate, share, "; ".join(dict.fromkeys(evidence))))
    return found


def _vaults(graph: ProtocolGraph) -> pd.DataFrame:
    """Rows like those of `backs` for shares without any: the vault's own supplies and balances stand behind its share."""
    share = graph.nodes["vault"].dropna(subset="asset").set_index("node")["asset"]
    share = share[~share.isin(graph.relations["backs"]["target"])]
    supplies, holds = (_of(graph.relations[name], share.index) for name in ("supplies", "holds"))
    rows = pd.concat([supplies.assign(backing=supplies["asset"]), holds.assign(backing=holds["target"])])
    rows = rows.assign(target=rows["source"].map(share), source=rows["backing"], rate=None)
    return rows[rows["source"] != rows["target"]][["source", "target", "amount_raw", "rate", "evidence"]]


def _of(table: pd.DataFrame, sources: Collection[str]) -> pd.DataFrame:
    return table[table["source"].isin(sources)]


@dataclass(frozen=True)
class LookThrough:
    """All steps of a graph, ready to be asked for many assets.

    Attributes
    ----------
    steps : claim -> its steps.
    rest : claim -> the part of it that its steps leave over, above 0; what is not named has none.
    """

    steps: Mapping[str, list[Step]]
    rest: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def backing(self) -> Backing:
        """The shares alone; a claim with a share that is not known counts as a root."""
        return Backing(
            {
                claim: {step.backing: step.share for step in below if step.share is not None}
                for claim, below in self.steps.items()
                if all(step.share is not None for step in below)
            },
            self.rest,
        )

    @cached_property
    def rates(self) -> Rates:
        """The rates of claims whose shares and rates are all known."""
        return Rates(
            {
                claim: {step.backing: step.rate for step in below if step.rate is not None}
                for claim, below in self.steps.items()
                if all(step.share is not None and step.rate is not None for step in below)
            }
        )

    def until(self, asset: str) -> "LookThrough":
        """As if nothing stood behind this asset: ways down end there."""
        return replace(self, steps={claim: below for claim, below in self.steps.items() if claim != asset})

    def paths(self, asset: str) -> Iterator[Path]:
        """Every way down from an asset. Never endless: what stands behind itself is passed once, with the shares of the fixed point."""
        stack = [Path((asset,), 1.0, 1.0, "root", ())]
        while stack:
            path = stack.pop()
            last = path.assets[-1]
            if last in path.assets[:-1]:  # only where a share is not known: all other circles are solved
                yield replace(path, ends="recursive")
            elif last not in self.steps:
                yield path
            elif path.share is not None and path.share < SMALLEST_SHARE:
                yield replace(path, ends="small")
            elif last in self.backing.circular:
                yield replace(path, ends="circular", evidence=(*path.evidence, *self._circle_evidence(last)))
            elif last in self.backing.recursive:
                yield from self._solved(path)
            else:
                for step in reversed(self.steps[last]):
                    stack.append(
                        Path(
                            (*path.assets, step.backing),
                            None if path.rate is None or step.rate is None else path.rate * step.rate,
                            None if path.share is None or step.share is None else path.share * step.share,
                            "root",
                            (*path.evidence, step.evidence),
                        )
                    )

    def _solved(self, path: Path) -> Iterator[Path]:
        """What the claim at the end of a path is finally made of, by the fixed point."""
        claim = path.assets[-1]
        units = self.rates.finally_of({claim: 1.0})
        if any(root in self.steps and root not in self.rates.shares for root in units):  # a rate below is not known
            units = {}
        for root, share in self.backing.finally_of({claim: 1.0}).items():
            rate = units.get(root, nan)
            yield Path(
                (*path.assets, root),
                None if path.rate is None or isnan(rate) else path.rate * rate,
                None if path.share is None else path.share * share,
                "circular" if root in self.backing.circular else "recursive",
                (*path.evidence, *self._circle_evidence(claim)),
            )

    def _circle_evidence(self, claim: str) -> tuple[str, ...]:
        group = self.backing.recursive[claim]
        texts = list(dict.fromkeys(step.evidence for member in group for step in self.steps[member]))
        more = [f"and {len(texts) - MOST_EVIDENCE} more steps of the circle"] if len(texts) > MOST_EVIDENCE else []
        return (*texts[:MOST_EVIDENCE], *more)


def look_through(graph: ProtocolGraph) -> LookThrough:
    """All steps of a graph; worked out once a graph."""
    if "look through" not in graph.kept:
        graph.kept["look through"] = LookThrough(steps(graph))
    found: LookThrough = graph.kept["look through"]
    return found


def finally_had(graph: ProtocolGraph) -> LookThrough:
    """What a holder of a claim finally has: its part of what the claim has, so that all holders together have no more than there is.

    The shares are those in which a loss passes on (`graph.dependences`): of a claim's worth, or of what is behind it, whichever is more. Who has 3
    of 100 that are claimed on somebody who has 20 has 0.6 of them; the rest, for which nothing is known to stand, is the claim itself.
    """
    if "finally had" not in graph.kept:
        known, parts = look_through(graph), backed_parts(graph)
        parts = {claim: part for claim, part in parts.items() if claim in known.backing.shares and part < 1 - ROUNDING}
        had = {
            claim: [replace(step, share=(step.share or 0.0) * part) for step in known.steps[claim]]
            for claim, part in parts.items()
        }
        graph.kept["finally had"] = LookThrough(
            {**known.steps, **had}, {claim: 1 - part for claim, part in parts.items()}
        )
    found: LookThrough = graph.kept["finally had"]
    return found


def roots(graph: ProtocolGraph, asset: str) -> pd.DataFrame:
    """What one unit of an asset is finally made of, one row a path, largest share first.

    Returns
    -------
    root (asset key), label, rate (whole roots per whole asset, missing where unknown), share (of the asset's backing, missing where a
    price is), path (labels), ends, evidence. `ends` is "root" (nothing is known to stand behind it), "recursive" (through claims that
    stand behind each other: the share is that of the fixed point), "circular" (nothing but itself stands behind it: worth nothing by
    its backing), or "small" (under one basis point, not followed).

    Raises
    ------
    UnknownNameError
        If there is no such asset.
    """
    graph.node_kind(asset)
    evidence = graph.nodes["asset"].set_index("node")["evidence"]
    rows = [
        (
            path.assets[-1],
            graph.label(path.assets[-1]),
            path.rate,
            path.share,
            " → ".join(graph.label(key) for key in path.assets),
            path.ends,
            "; ".join(dict.fromkeys(path.evidence)) or evidence[asset],
        )
        for path in look_through(graph).paths(asset)
    ]
    frame = pd.DataFrame(rows, columns=ROOT_COLUMNS).astype({"rate": float, "share": float})
    return frame.sort_values(["share", "path"], ascending=[False, True], ignore_index=True)
