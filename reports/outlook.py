"""The part of an assessment that says how likely losses are: a volatility forecast, who made it, how good that model was elsewhere, and bad debt under it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """How far one asset is forecast to move over the horizon: standard deviation of its log return, and the change of its price at 5 and 95 %."""

    asset: str
    deviation_ratio: float
    low_ratio: float
    high_ratio: float
    model: str


@dataclass(frozen=True)
class Answer:
    """Who made how many of the forecasts; QLIKE of that model over log-HAR's fitted an asset at a time, and where it was measured; None where its card has no such figure."""

    model: str
    forecasts: int
    qlike_to_log_har: float | None
    measured_on: str | None


@dataclass(frozen=True)
class Tail:
    """Bad debt of the market under one law of shocks, USD; a level that too few draws lie beyond is None. `hit_ratio`: share of draws with bad debt."""

    law: str
    mean_usd: float
    hit_ratio: float
    var_95_usd: float | None
    var_95_low_usd: float | None
    var_95_high_usd: float | None
    es_95_usd: float | None
    es_95_low_usd: float | None
    es_95_high_usd: float | None
    var_99_usd: float | None
    es_99_usd: float | None


@dataclass(frozen=True)
class Outlook:
    """Forecasts at one instant for one horizon, and the tails that follow: under the forecast first, under constant volatility second.

    Attributes
    ----------
    prices : what they were made from: the file's name, or what the embedded ones are.   prices_id : hash of the prices.
    models : folder of the user's own models, as it was given; empty for those that ship.   models_id : hash of the model's file.
    moves : one an asset whose price moves something in the book; most volatile first.
    shocked : the assets that draws were made for; the others move with one of these.
    options : how the command line asks for this.
    notes : what a reader must know of the draws, one sentence each.
    notes_on_forecasts : what a reader must know of the forecasts, one sentence each.
    caption : what must stand beside whatever is made of the prices, empty for a user's own.
    apart : a sentence on how far its instant lies from what was read on chain, where that is more than a day; otherwise empty.
    """

    as_of: str
    horizon_hours: int
    prices: str
    prices_id: str
    moves: tuple[Move, ...]
    answers: tuple[Answer, ...]
    tails: tuple[Tail, ...]
    shocked: tuple[str, ...]
    options: tuple[str, ...]
    draws: int
    seed: int
    freedom: float
    notes: tuple[str, ...] = ()
    notes_on_forecasts: tuple[str, ...] = ()
    models: str = ""
    models_id: str = ""
    caption: str = ""
    apart: str = ""
