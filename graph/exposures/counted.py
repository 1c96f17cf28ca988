"""How much value a protocol reports, and how much of it is counted somewhere else too: gross and net value locked.

Gross is everything that was put in: what markets were supplied with, the reserves of pools, what vaults have, what is kept behind claims.
What of it is not counted once more:

- lent out: tokens that borrowers took away. They are with somebody else now, often put in again. DefiLlama keeps borrowed deposits apart
  for this reason (filter "Borrows", DefiLlama/docs at 0beb0c6, list-your-project/what-to-include-as-tvl.md);
- counted elsewhere: what is a claim on something that the graph holds too (a staking token supplied as collateral, a liquidity share in a
  vault, a vault's supply to a market). DefiLlama does not count twice within one protocol, and leaves liquid staking out of a chain's sum
  (DefiLlama/docs at 3162588, README.md); here it is done by deposit and across protocols, as Y. Luo, Y. Feng, J. Xu and P. Tasca propose
  with total value redeemable ("Piercing the Veil of TVL: DeFi Reappraised", arXiv 2404.11745);
- net is the rest: added up over all protocols, every token once.

A wrapped coin is a plain token, as its one-to-one form is nobody's deposit. A claim counts as counted elsewhere in the proportion in which
its worth is known to be backed.
"""

from typing import Any

import pandas as pd

from chain.tables import each_row
from graph.dependences import idle
from graph.merged_rows import joined
from graph.protocol_graph import ProtocolGraph
from graph.worth import backed_parts, shares_of_vaults

COLUMNS = ["protocol", "label", "gross_usd", "lent_out_usd", "counted_elsewhere_usd", "net_usd", "evidence"]


def value_counted(graph: ProtocolGraph) -> pd.DataFrame:
    """Gross and net value by protocol, largest gross first.

    Returns
    -------
    protocol (its slug; the key of who keeps the value, where no protocol is known for it), label, gross_usd, lent_out_usd,
    counted_elsewhere_usd, net_usd (gross less the two before), evidence.
    """
    deposits = deposits_of(graph)
    elsewhere = _counted_share(graph)
    left = (deposits["gross_usd"] - deposits["lent_out_usd"]).clip(lower=0.0)
    is_elsewhere = [1.0 if row.through else elsewhere.get(row.asset, 0.0) for row in each_row(deposits)]
    deposits = deposits.assign(counted_elsewhere_usd=left * pd.Series(is_elsewhere, index=deposits.index, dtype=float))
    deposits = deposits.assign(net_usd=left - deposits["counted_elsewhere_usd"])
    sums = dict.fromkeys(["gross_usd", "lent_out_usd", "counted_elsewhere_usd", "net_usd"], "sum")
    table = deposits.groupby("protocol", as_index=False).agg({**sums, "evidence": joined})
    table = table.assign(label=[graph.label(key) for key in table["protocol"]])
    return table.sort_values(["gross_usd", "protocol"], ascending=[False, True], ignore_index=True)[COLUMNS]


def deposits_of(graph: ProtocolGraph) -> pd.DataFrame:
    """Every deposit: protocol, asset, gross_usd, lent_out_usd, through (it is a position in another place of the graph), evidence."""
    relations, entities = graph.relations, graph.snapshot["entities"][["entity", "protocol"]].dropna()
    known = dict(zip(entities["entity"].tolist(), entities["protocol"].tolist(), strict=True))
    of_market = graph.nodes["market"].set_index("node")["protocol"].to_dict()
    of_pool = graph.nodes["pool"].set_index("node")["protocol"].to_dict()
    vaults = set(graph.nodes["vault"]["node"].tolist())
    rows: list[tuple[Any, ...]] = [
        (
            of_market[row.source],
            row.target,
            row.supplied_usd,
            min(row.borrowed_usd, row.supplied_usd),
            False,
            row.evidence,
        )
        for row in each_row(relations["lists"])
    ]
    rows += [
        (of_pool[row.target], row.source, row.reserve_usd, 0.0, False, row.evidence)
        for row in each_row(relations["trades_in"])
    ]
    for relation, asset in (("supplies", "asset"), ("holds", "target")):
        own = relations[relation][relations[relation]["source"].isin(list(vaults))]
        rows += [
            (
                known.get(row.source, row.source),
                getattr(row, asset),
                row.amount_usd,
                0.0,
                relation == "supplies",
                row.evidence,
            )
            for row in each_row(own)
        ]
    kinds, shares = graph.nodes["asset"].set_index("node")["kind"].to_dict(), set(shares_of_vaults(graph))
    rows += [
        (known.get(row.holder, row.holder), row.source, row.amount_usd, 0.0, False, row.evidence)
        for row in each_row(relations["backs"])
        if kinds[row.target] != "wrapped_native" and row.target not in shares and row.holder not in of_pool
    ]
    rows += [
        (known.get(row.source, row.source), row.target, row.amount_usd, 0.0, False, row.evidence)
        for row in each_row(idle(graph))
    ]
    columns = ["protocol", "asset", "gross_usd", "lent_out_usd", "through", "evidence"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(**{name: frame[name].astype(float).fillna(0.0) for name in ("gross_usd", "lent_out_usd")})


def _counted_share(graph: ProtocolGraph) -> dict[str, float]:
    """Asset -> the share of it whose backing is a deposit somewhere in the graph; nothing for plain tokens."""
    kinds = graph.nodes["asset"].set_index("node")["kind"].to_dict()
    found = {asset: part for asset, part in backed_parts(graph).items() if kinds.get(asset) != "wrapped_native"}
    receipts = graph.relations["wraps"].dropna(subset="market")["source"].tolist()
    return found | dict.fromkeys([*receipts, *shares_of_vaults(graph)], 1.0)
