"""Reading through a bad connection, by seed: the fault-free tables, or a named error after which they come; never a silent difference."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.chain.faults.judge import EVERY_KIND, Verdict, judge, judge_all
from tests.chain.faults.nodes import Twins, twins
from tests.devnet.availability import require_devnet

pytestmark = pytest.mark.devnet

QUICK, ALL, PROCESSES = 25, 525, 2


@pytest.fixture(scope="module")
def nodes() -> Iterator[Twins]:
    require_devnet()
    with twins() as found:
        yield found


def said(verdict: Verdict) -> str:
    return f"seed {verdict.seed} ({verdict.main}, fired {verdict.fired}): {verdict.outcome} {verdict.words}"


@pytest.mark.parametrize("seed", range(QUICK))
def test_a_bad_connection_changes_no_number(nodes: Twins, seed: int) -> None:
    verdict = judge(seed, nodes)
    assert verdict.good, said(verdict)
    assert verdict.fired[verdict.main], said(verdict)


@pytest.mark.verify
def test_500_bad_connections_change_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    """In two processes, each with nodes of its own."""
    require_devnet()
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        halves = pool.map(judge_all, [range(QUICK + first, ALL, PROCESSES) for first in range(PROCESSES)])
        verdicts = [verdict for half in halves for verdict in half]
    assert len(verdicts) == ALL - QUICK
    with capsys.disabled():
        print("\n" + table(verdicts))  # noqa: T201 - the figures of the long tier
    assert not [said(verdict) for verdict in verdicts if not verdict.good]
    for kind in EVERY_KIND:
        mine = [verdict for verdict in verdicts if verdict.main == kind]
        assert sum(bool(verdict.fired[kind]) for verdict in mine) >= 0.7 * len(mine), f"{kind} hardly ever acted"


def table(verdicts: list[Verdict]) -> str:
    lines = [f"{'fault':<28}{'runs':>6}{'identical':>11}{'error':>7}{'bad':>5}{'requests, most':>16}"]
    for kind in (*EVERY_KIND, "all"):
        mine = [verdict for verdict in verdicts if kind in (verdict.main, "all")]
        count = {name: sum(verdict.outcome == name for verdict in mine) for name in ("identical", "error")}
        bad = sum(not verdict.good for verdict in mine)
        most = max((verdict.requests for verdict in mine), default=0)
        lines.append(f"{kind:<28}{len(mine):>6}{count['identical']:>11}{count['error']:>7}{bad:>5}{most:>16}")
    return "\n".join(lines)
