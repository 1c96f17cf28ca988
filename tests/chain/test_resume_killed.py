"""Runs that are killed: a real process, ended at seeded requests with SIGKILL or Ctrl-C, and the next ones that go on with it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import aftershock
from tests.chain.counting_proxy import KEY, Counted, counting
from tests.devnet.world import World
from tests.processes import heeds_ctrl_c

pytestmark = pytest.mark.devnet
ROOT = Path(__file__).resolve().parents[2]
OVERHEAD = 12
"""HTTP requests that a run may make besides those that were never answered: connecting, pinning, confirming, the one in flight."""


def _start(world: World, counted: Counted, out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "aftershock", "snapshot", "--rpc", counted.url, "--out", str(out)]
    command += ["--deployments", str(world.deployments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "AFTERSHOCK_CACHE": "off", "AFTERSHOCK_REQUESTS_PER_SECOND": "0"},
        preexec_fn=heeds_ctrl_c,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _disturbed(world: World, out: Path, seed: int, kills: int, whole_run: int) -> None:
    """Kill `kills` runs one after the other, then let one end; its tables are those of an undisturbed run."""
    rng = random.Random(seed)
    undisturbed = aftershock.snapshot(world.deployments, world.url, world.block_number)
    left = out.with_name(f"incomplete_{out.name}")
    with counting(world.url) as counted:
        for number in range(kills):
            how = signal.SIGINT if number % 3 == 2 else signal.SIGKILL
            running = _start(world, counted, out)
            moment = counted.requests + rng.randint(3, max(4, whole_run - counted.requests - 2))
            counted.at = {moment: lambda run=running, how=how: run.send_signal(how)}  # type: ignore[misc]
            printed, said = running.communicate(timeout=60)
            if running.returncode == 0:  # it ended before its moment came
                break
            assert running.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), said
            assert how != signal.SIGINT or "the same command goes on with it" in said
            assert not out.exists() and left.is_dir()
            assert not any(KEY in file.read_text() for file in left.iterdir() if file.is_file())
            assert KEY not in printed + said
        counted.at = {}
        if not out.exists():
            world.advance()  # the head has moved meanwhile: the run goes on at its own block
            printed, said = _start(world, counted, out).communicate(timeout=60)
        assert (out / "manifest.json").exists(), said
        assert aftershock.load(out).content_id == undisturbed.content_id
        assert not left.exists()
        assert counted.requests <= whole_run + (kills + 1) * OVERHEAD


@pytest.fixture(scope="module")
def whole_run(devnet_world: World, tmp_path_factory: pytest.TempPathFactory) -> int:
    """HTTP requests of an undisturbed run."""
    with counting(devnet_world.url) as counted:
        running = _start(devnet_world, counted, tmp_path_factory.mktemp("whole") / "core")
        _, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        return counted.requests


def test_killed_runs_are_finished_by_the_next(devnet_world: World, tmp_path: Path, whole_run: int) -> None:
    with devnet_world.undone():
        _disturbed(devnet_world, tmp_path / "core", seed=1, kills=4, whole_run=whole_run)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_runs_killed_at_many_moments(devnet_world: World, tmp_path: Path, seed: int, whole_run: int) -> None:
    with devnet_world.undone():
        _disturbed(devnet_world, tmp_path / "core", seed, kills=5, whole_run=whole_run)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_runs_killed_by_the_clock(devnet_world: World, tmp_path: Path, seed: int) -> None:
    """Any moment at all, the writing of tables among them."""
    out, rng = tmp_path / "core", random.Random(seed)
    undisturbed = aftershock.snapshot(devnet_world.deployments, devnet_world.url, devnet_world.block_number)
    with counting(devnet_world.url) as counted:
        for _ in range(6):
            running, asked = _start(devnet_world, counted, out), counted.requests
            while counted.requests == asked and running.poll() is None:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 1.5))
            running.kill()
            running.communicate()
            if out.exists():
                break
        if not out.exists():
            _start(devnet_world, counted, out).communicate(timeout=60)
    assert aftershock.load(out).content_id == undisturbed.content_id
    assert json.loads((out / "manifest.json").read_text())["anchors"][0]["number"] == devnet_world.block_number
