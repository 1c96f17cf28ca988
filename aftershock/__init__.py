"""aftershock: if this breaks, who is hit, how hard, and through which path? The whole public API.

    import aftershock

    sample = aftershock.load()                                   # the embedded sample; or a folder, or a book as CSV or Parquet
    aftershock.exposure(sample, "aave-v3").figures
    aftershock.risk(sample, "aave-v3").falls
    aftershock.simulate(sample, shocks=["ETH=-30%"]).bad_debt_usd
    aftershock.report(sample).verdict.plain

Everything but `snapshot` works offline. Nothing here imports torch, and a
name brings its libraries when it is first used, so that a question does not wait for a simulation.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aftershock.shadowing import refuse_shadowed_packages
from aftershock.version import __version__ as __version__

refuse_shadowed_packages()

if TYPE_CHECKING:
    from aftershock.choices import scenarios
    from aftershock.coverage import Coverage, coverage
    from aftershock.forecasting.forecasts import Forecasts, forecast_file
    from aftershock.questions import SAMPLE as SAMPLE
    from aftershock.questions import (
        exposure,
        graph,
        load,
        path_index,
        paths,
        shared_roots,
        snapshot,
        snapshot_cost,
        systemic,
        value_counted,
        what_if,
    )
    from aftershock.risks import Risk
    from aftershock.runs import chosen_scenario as chosen_scenario
    from aftershock.runs import report, risk, simulate
    from chain.errors import AftershockError
    from chain.snapshot import Snapshot
    from graph.exposures.answer import Exposure
    from graph.paths import PathIndex, Paths
    from graph.protocol_graph import ProtocolGraph
    from reports.record import Assessment
    from simulations.result import CascadeResult
    from simulations.scenarios import Scenario

_HOMES = {
    "aftershock.choices": ("scenarios",),
    "aftershock.coverage": ("Coverage", "coverage"),
    "aftershock.questions": (
        *("SAMPLE", "exposure", "graph", "load", "path_index", "paths", "shared_roots", "snapshot", "snapshot_cost"),
        *("systemic", "value_counted", "what_if"),
    ),
    "aftershock.risks": ("Risk",),
    "aftershock.runs": ("chosen_scenario", "report", "risk", "simulate"),
    "chain.errors": ("AftershockError",),
    "chain.snapshot": ("Snapshot",),
    "aftershock.forecasting.forecasts": ("Forecasts", "forecast_file"),
    "graph.exposures.answer": ("Exposure",),
    "graph.paths": ("PathIndex", "Paths"),
    "graph.protocol_graph": ("ProtocolGraph",),
    "reports.record": ("Assessment",),
    "simulations.result": ("CascadeResult",),
    "simulations.scenarios": ("Scenario",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [
    "AftershockError",
    "Assessment",
    "CascadeResult",
    "Coverage",
    "Exposure",
    "Forecasts",
    "PathIndex",
    "Paths",
    "ProtocolGraph",
    "Risk",
    "Scenario",
    "Snapshot",
    "coverage",
    "exposure",
    "forecast_file",
    "graph",
    "load",
    "path_index",
    "paths",
    "report",
    "risk",
    "scenarios",
    "shared_roots",
    "simulate",
    "snapshot",
    "snapshot_cost",
    "systemic",
    "value_counted",
    "what_if",
]


def __getattr__(name: str) -> Any:
    """A public name, imported from where it lives; AttributeError for any other."""
    if name not in _HOME:
        raise AttributeError(f"module 'aftershock' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
