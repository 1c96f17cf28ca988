"""Bridged tokens once both chains were read: what one locked stands behind what the other minted. Pure: tables in, tables out."""

from collections.abc import Iterable
from dataclasses import replace

from chain.deployments import Deployment
from chain.snapshot import Check, Snapshot
from chain.tables import make, schemas
from chain.units import WAD, entity_id, token_id

ESCROW, TOKEN = "bridge_escrow", "bridged_token"


def with_bridges(snapshot: Snapshot, deployments: Iterable[Deployment]) -> Snapshot:
    """The snapshot with a row of `backings` for each bridged token whose escrow was read on another chain, and the comparison of the two.

    Several tokens of one escrow (it locks for several chains) must together be no more than it holds. A token whose other side is in no
    book, or was not read, is a gap.

    Parameters
    ----------
    deployments : the entries of all address books; a token and its escrow have the same protocol and instance.
    """
    entries = list(deployments)
    if not any(entry.reader == TOKEN for entry in entries):
        return snapshot
    escrows = {(entry.protocol, entry.instance): entry for entry in entries if entry.reader == ESCROW}
    supply = snapshot["assets"].set_index("asset")["total_supply_raw"].to_dict()
    decimals = snapshot["assets"].set_index("asset")["decimals"].to_dict()
    held = snapshot["balances"].set_index(["asset", "holder"])
    rows, gaps, minted = snapshot["backings"].to_dict("records"), list(snapshot.gaps), dict[tuple[str, str], int]()
    for entry in (entry for entry in entries if entry.reader == TOKEN):
        claim = token_id(entry.chain, entry.addresses["token"])
        other = escrows.get((entry.protocol, entry.instance))
        place = _place(other) if other else None
        if place is None or place not in held.index or claim not in supply:
            gaps.append(
                f"{claim}: the escrow of {entry.protocol} {entry.instance} was not read, so what backs it is not known"
            )
            continue
        locked = held.loc[place]
        above, below = (10 ** max(0, sign * (decimals[place[0]] - decimals[claim])) for sign in (1, -1))
        minted[place] = minted.get(place, 0) + -(-supply[claim] * above // below)
        rows.append(
            {
                "claim": claim,
                "backing": place[0],
                "holder": place[1],
                "amount_raw": locked["amount_raw"],
                "rate_wad": WAD,
                "redemption": "queue",
                "capacity_raw": locked["amount_raw"],
                "evidence": f"{locked['evidence']}; entries {entry.protocol} {entry.instance} of both address books",
                "status": "derived",
            }
        )
    failures = tuple(
        f"{asset} in {holder}: {held.loc[asset, holder]['amount_raw']} are locked for tokens worth {amount}"
        for (asset, holder), amount in minted.items()
        if amount > held.loc[asset, holder]["amount_raw"]
    )
    check = Check("backings", "what is locked covers what was minted for it", len(minted), failures)
    tables = {**snapshot.tables, "backings": make(schemas()["backings"], rows)}
    return replace(snapshot, tables=tables, checks=(*snapshot.checks, check), gaps=tuple(gaps))


def _place(entry: Deployment) -> tuple[str, str]:
    return token_id(entry.chain, entry.addresses["token"]), entity_id(entry.chain, entry.addresses["escrow"])
