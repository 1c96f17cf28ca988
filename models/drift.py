"""Whether a fitted model still fits: a detector that asks for a refit when outcomes drift away from forecasts, up or down."""

from dataclasses import dataclass

import numpy as np

from chain.errors import InputError
from models.panel import FloatArray


@dataclass(frozen=True)
class Drift:
    """Page's cumulative sum on the daily mean of ln(outcome / forecast), both ways (Page 1954, doi:10.1093/biomet/41.1-2.100).

    Attributes
    ----------
    mean, deviation : of the daily mean while the model was fresh.
    slack, limit : in deviations. With slack 0.5 a shift of one deviation is found soonest; the limit sets how rare false alarms are.
    """

    mean: float
    deviation: float
    slack: float = 0.5
    limit: float = 8.0

    def alarms(self, daily_log_ratio: FloatArray) -> FloatArray:
        """True on the days at which a refit is asked for; after an alarm the sums start again, shape (D,)."""
        up = down = 0.0
        result = np.zeros(len(daily_log_ratio), dtype=bool)
        for day, value in enumerate(daily_log_ratio):
            if not np.isfinite(value):
                continue
            z = (value - self.mean) / self.deviation
            up, down = max(0.0, up + z - self.slack), max(0.0, down - z - self.slack)
            if max(up, down) > self.limit:
                result[day], up, down = True, 0.0, 0.0
        return np.asarray(result)


def drift_of(fresh_daily_log_ratio: FloatArray) -> Drift:
    """The detector of a model, from days on which it was fresh (its validation)."""
    known = fresh_daily_log_ratio[np.isfinite(fresh_daily_log_ratio)]
    if len(known) < 30:
        raise InputError(
            f"a drift detector needs 30 days of fresh forecasts and has {len(known)}; give a longer validation"
        )
    return Drift(float(known.mean()), float(known.std(ddof=1)))
