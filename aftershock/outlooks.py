"""From forecasts and draws to the outlook of a report: which assets move how far, which model says so and how good it was, and the tail of bad debt."""

import math
from collections.abc import Sequence
from pathlib import Path

from aftershock.bad_debt import BadDebt
from aftershock.forecasting.forecasts import Forecasts
from aftershock.forecasting.hourly_prices import Priced, written
from chain.snapshot import Anchor
from models.store import hash_of
from models.task import HOUR_S
from reports.amounts import count
from reports.outlook import Answer, Move, Outlook, Tail

DAY_S = 24 * HOUR_S


def apart(
    as_of_s: int,
    anchors: Sequence[Anchor],
    made: str = "The shocks are those of",
    read: str = "positions and their prices were read as of",
) -> str:
    """A sentence with the instant of the shocks (or what else is `made` of prices), that of positions and prices (or what else was `read`), and what lies between, if that is more than a day; nothing for a file, which has no time."""
    if not anchors:
        return ""
    read_s = min((anchor.timestamp for anchor in anchors), key=lambda one: -abs(one - as_of_s))
    between_s = abs(read_s - as_of_s)
    if between_s <= DAY_S:
        return ""
    gap = count(round(between_s / DAY_S), "day") if between_s >= 2 * DAY_S else count(round(between_s / HOUR_S), "hour")
    which = "later" if read_s > as_of_s else "earlier"
    return f"{made} {written(as_of_s)} UTC; {read} {written(read_s)} UTC, {gap} {which}"


def outlook_of(
    priced: Priced,
    found: Forecasts,
    tails: Sequence[BadDebt],
    options: Sequence[str],
    anchors: Sequence[Anchor],
    models: Path | None = None,
) -> Outlook:
    """What a report tells of one instant's forecasts, and of draws under them and under constant volatility.

    Parameters
    ----------
    tails : bad debt of the report's market: under the forecast first.
    options : how the command line asks for this.
    anchors : when the positions were read, by chain.
    models : folder of the user's own models; None for those that ship.
    """
    first = tails[0]
    names = set(first.shocked.known)
    table = found.table[found.table["asset"].isin(names)].sort_values(["variance", "asset"], ascending=[False, True])
    rows = table.to_dict("records")
    made = table["model"].value_counts()
    return Outlook(
        as_of=f"{found.table['as_of'].iloc[0]:%Y-%m-%dT%H:%M:%SZ}",
        horizon_hours=int(found.table["horizon_hours"].iloc[0]),
        prices=priced.caption or priced.name,
        prices_id=hash_of(priced.panel),
        models="" if models is None else str(models),
        models_id=str(found.decided_by["model"]),
        moves=tuple(
            Move(
                str(row["asset"]),
                math.sqrt(row["variance"]),
                math.expm1(row["q05"]),
                math.expm1(row["q95"]),
                str(row["model"]),
            )
            for row in rows
        ),
        answers=tuple(
            Answer(
                str(one["model"]),
                int(made[str(one["model"])]),
                None if one["qlike_to_log_har"] is None else float(one["qlike_to_log_har"]),
                None if one["measured_on"] is None else str(one["measured_on"]),
            )
            for one in found.answered_by()
            if one["model"] in made
        ),
        tails=tuple(_tail(one, name) for one, name in zip(tails, ("forecast", "constant volatility"), strict=True)),
        shocked=tuple(first.shocked.names),
        options=tuple(options),
        draws=len(first.bad_debt_usd),
        seed=first.seed,
        freedom=first.law.freedom,
        notes=first.notes,
        notes_on_forecasts=found.notes,
        caption=found.caption,
        apart=apart(int(found.table["as_of"].iloc[0].timestamp()), anchors),
    )


def _tail(one: BadDebt, law: str) -> Tail:
    said = one.to_dict()
    low, high = said["var_usd_95_interval"] or (None, None)
    es_low, es_high = said["es_usd_95_interval"] or (None, None)
    return Tail(
        law=law,
        mean_usd=said["mean_usd"],
        hit_ratio=said["share_with_bad_debt"],
        var_95_usd=said["var_usd_95"],
        var_95_low_usd=low,
        var_95_high_usd=high,
        es_95_usd=said["es_usd_95"],
        es_95_low_usd=es_low,
        es_95_high_usd=es_high,
        var_99_usd=said["var_usd_99"],
        es_99_usd=said["es_usd_99"],
    )
