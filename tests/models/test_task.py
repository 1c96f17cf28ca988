"""Outcomes by hand, and what a sample lets a model see."""

import json

import numpy as np
import pytest

from aftershock.forecasting.forecasts import SHIPPED
from chain.errors import InputError
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.store import load
from models.task import HOUR_S, Task, as_of_grid, hourly_task, outcomes, range_proxy


def panel_of(closes: list[list[float]], high: FloatArray | None = None) -> Panel:
    close = np.array(closes, dtype=np.float64)
    nothing = np.full(close.shape, np.nan)
    end = np.arange(1, len(close) + 1, dtype=np.int64) * HOUR_S
    return Panel(
        ("A", "B")[: close.shape[1]], end, nothing, close if high is None else high, close, close, nothing, HOUR_S
    )


def test_an_outcome_is_the_sum_of_the_squared_returns_after_the_instant() -> None:
    steps = np.array([0.0, 0.1, -0.2, 0.3, 0.05])
    panel = panel_of(np.exp(np.cumsum(steps))[:, None].tolist())
    task = Task(horizon_hours=2)
    at = panel.end_s[[0, 1, 2]]
    # at the end of bar 0 the return of bar 0 is known, those of bars 1 and 2 are the outcome
    np.testing.assert_allclose(outcomes(panel, at, task)[:, 0], [0.01 + 0.04, 0.04 + 0.09, 0.09 + 0.0025], rtol=1e-12)
    assert np.isnan(outcomes(panel, panel.end_s[[3]], task)).all()  # its second hour is not in the panel
    assert np.isnan(outcomes(panel, panel.end_s[[0]] - 2 * HOUR_S, task)).all()  # before the panel


def test_missing_returns_are_scaled_up_or_leave_no_outcome() -> None:
    prices = np.exp(np.cumsum(np.full(21, 0.1)))
    prices[7] = np.nan  # two returns of twenty are unknown
    panel = panel_of(prices[:, None].tolist())
    assert outcomes(panel, panel.end_s[[0]], Task(horizon_hours=20))[0, 0] == pytest.approx(20 * 0.01)
    assert np.isnan(outcomes(panel, panel.end_s[[0]], Task(horizon_hours=20, least_known=0.95))[0, 0])


def test_the_range_of_a_bar_measures_the_same_variance() -> None:
    close = np.ones((3, 1))
    panel = panel_of(close.tolist(), high=close * np.exp([[0.0], [0.02], [0.04]]))
    expected = [0.02**2 / (4 * np.log(2)), 0.04**2 / (4 * np.log(2))]
    np.testing.assert_allclose(range_proxy(panel, panel.end_s[:2], Task(horizon_hours=1))[:, 0], expected, rtol=1e-12)


def test_forecasts_lie_on_a_grid_that_does_not_depend_on_the_panel() -> None:
    panel = panel_of(np.ones((30, 1)).tolist())
    task = Task(step_hours=6)
    assert (as_of_grid(panel, task, 0, 10**9) // HOUR_S).tolist() == [6, 12, 18, 24, 30]
    assert (as_of_grid(panel, task, 12 * HOUR_S, 24 * HOUR_S) // HOUR_S).tolist() == [12, 18]


def test_samples_known_by_an_instant_have_their_whole_outcome_before_it() -> None:
    task = Task(horizon_hours=24)
    at = np.arange(5, dtype=np.int64) * 6 * HOUR_S
    samples = Samples(task, at, ("A", "B"), ("f",), np.arange(10.0).reshape(5, 2, 1), np.zeros((5, 2)))
    assert samples.known_by(36 * HOUR_S).as_of_s.tolist() == at[:3].tolist()
    assert samples.known_by(36 * HOUR_S - 1).as_of_s.tolist() == at[:2].tolist()
    assert samples.between(int(at[1]), int(at[3])).as_of_s.tolist() == at[1:3].tolist()
    rows = samples.rows()
    assert rows.x[:, 0].tolist() == list(range(10)) and rows.asset[:3].tolist() == [0, 1, 0]
    with pytest.raises(InputError, match="no feature g"):
        samples.feature("g")


def test_a_task_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="whole number of bars"):
        Task(horizon_hours=1, bar_s=7_200)
    with pytest.raises(InputError, match="'return'"):
        Task(target="return")


@pytest.mark.parametrize(("hours", "apart"), [(1, 3), (24, 6), (168, 6)])
def test_the_models_that_ship_hold_the_task_that_they_learnt(hours: int, apart: int) -> None:
    """Hours between two instants of training as docs/volatility.md and the pages of scores say; an hour ahead a grid of three hours."""
    card = json.loads((SHIPPED / f"volatility_{hours}h" / "card.json").read_text(encoding="utf-8"))
    assert (card["task"]["horizon_hours"], card["task"]["step_hours"]) == (hours, apart)
    assert load(SHIPPED / f"volatility_{hours}h")[1].task == hourly_task(hours) == Task(**card["task"])
