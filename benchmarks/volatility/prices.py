"""What docs/volatility.md says of the prices themselves, before any model: how well correlations foretell those of the next week, shrunk or not, and how often a close repeats the one an hour before.

    python -m benchmarks.volatility.prices

The hourly panel until the end of 2022 (`AFTERSHOCK_DATA` names the folder of the data; by default ../shared/data beside the checkout). No random part.
"""

import numpy as np

from aftershock.forecast_shocks import CORRELATION_DAYS, correlation_at
from benchmarks.volatility.world import WINDOWS, main_panel, stamp
from models.panel import FloatArray, IntArray, Panel
from models.task import DAY_S, Task, as_of_grid, horizon_returns

UNTIL = "2023-01-01"
WEEK_S = 7 * DAY_S
SHRINKS = (0.0, 0.1, 0.2)
"""By how much of its distance each pair is moved to the mean of all pairs."""


def next_weeks(panel: Panel) -> IntArray:
    """Instants a week apart, counted back from the last one whose week the panel holds, with the days of a correlation before them."""
    first, last = int(panel.end_s[0]) + CORRELATION_DAYS * DAY_S, int(panel.end_s[-1]) - WEEK_S
    return np.arange(last, first - 1, -WEEK_S, dtype=np.int64)[::-1]


def shrink_errors(panel: Panel, instants: IntArray) -> FloatArray:
    """Mean over pairs of (correlation known at an instant, shrunk, less that of the hourly returns of the week after it)², shape (instants, SHRINKS)."""
    pairs, returns = np.triu_indices(len(panel.assets), 1), panel.log_returns()
    errors = []
    for at in instants.tolist():
        known = correlation_at(panel, at)[0][pairs]
        week = returns[(panel.end_s > at) & (panel.end_s <= at + WEEK_S)]
        came = np.corrcoef(week[np.isfinite(week).all(axis=1)].T)[pairs]
        errors.append([np.mean((known + by * (known.mean() - known) - came) ** 2) for by in SHRINKS])
    return np.array(errors)


def standing_still(panel: Panel, window: tuple[str, str]) -> tuple[FloatArray, float]:
    """Share of the instants of a window, six hours apart, at which an asset's close an hour later is the same, by asset; and the 5 % quantile of the squared returns of all."""
    task = Task(horizon_hours=1)
    returns = horizon_returns(panel, as_of_grid(panel, task, *map(stamp, window)), task)
    known = np.isfinite(returns)
    return (returns == 0).sum(axis=0) / known.sum(axis=0), float(np.quantile(returns[known] ** 2, 0.05))


def main() -> None:
    """Print both."""
    panel = main_panel(UNTIL)
    weeks = next_weeks(panel)
    errors = shrink_errors(panel, weeks)
    lines = [f"{len(panel.assets)} assets, {len(weeks)} weeks: mean squared error of the next week's correlations"]
    for by, error in zip(SHRINKS, errors.T, strict=True):
        more = error - errors[:, 0]
        apart = f"{more.mean():+.5f} ± {more.std(ddof=1) / len(weeks) ** 0.5:.5f}"
        lines.append(f"  shrunk by {by:.1f}: {error.mean():.4f}, {apart}")
    shares, low = standing_still(panel, WINDOWS["validation"])
    order = np.argsort(shares)
    ends = ", ".join(f"{panel.assets[n]} {100 * shares[n]:.1f} %" for n in (*order[:2], *order[-2:]))
    window = " to ".join(WINDOWS["validation"])
    lines.append(f"closes that repeat the one an hour before, {window}: {100 * shares.mean():.2f} % ({ends})")
    lines.append(f"  5 % quantile of the squared returns: {low:g}")
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
