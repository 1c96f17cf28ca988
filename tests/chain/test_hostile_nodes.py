"""A node that answers nonsense, and names that climb out of folders: no crash, no key in an error, nothing written outside."""

import json
import random
import re
import time
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import pytest

import aftershock
from chain.errors import AftershockError
from chain.node.pacing import Manners
from chain.reading import take
from chain.snapshot import MANIFEST, OWN_HASH, own_hash
from reports import render
from tests.chain.faults.proxy import SECRET, Proxy, serve
from tests.chain.hostile.lies import Liar
from tests.devnet.world import World

pytestmark = pytest.mark.devnet

HASTY = Manners(requests_per_second=0, tries=2, timeout_seconds=20)
SOAK_SECONDS = 600


def survive(world: World, seed: int) -> str:
    """Read through a liar; the name of the error that it ended in, or `read`. Anything that is not ours comes out."""
    draw = random.Random(seed)
    liar = Liar(draw, draw.choice((0.005, 0.02, 0.1)))
    with serve(Proxy([world.url], [liar])) as proxy, patch("chain.node.client.manners_from", lambda _: HASTY):
        try:
            take(proxy.url, world.deployments, draw.choice((None, "latest", world.block_number)))
        except AftershockError as error:
            assert SECRET not in str(error)
            assert not proxy.accidents, proxy.accidents[0]
            return type(error).__name__
    assert not proxy.accidents, proxy.accidents[0]
    return "read" if liar.told else "nothing told"


@pytest.mark.parametrize("seed", range(12))
def test_nonsense_is_named(devnet_world: World, seed: int) -> None:
    assert survive(devnet_world, seed)


@pytest.mark.soak
def test_ten_minutes_of_nonsense(devnet_world: World, capsys: pytest.CaptureFixture[str]) -> None:
    ends: Counter[str] = Counter()
    started, seed = time.monotonic(), 1000
    while time.monotonic() - started < SOAK_SECONDS:
        try:
            ends[survive(devnet_world, seed)] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        seed += 1
    with capsys.disabled():
        print(f"\n{seed - 1000} lying nodes: {dict(ends)}")  # noqa: T201 - the figures of the soak


CLIMBING = "../../../climbing"


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_names_make_no_paths(devnet_world: World, tmp_path: Path) -> None:
    """Neither those of the deployments file, while reading, broken off and afterwards, nor those of a manifest."""
    home = tmp_path / "a" / "b" / "c" / "d"
    home.mkdir(parents=True)
    book = home / "book.toml"
    text = devnet_world.deployments.read_text()
    book.write_text(re.sub(r'^(protocol|instance|pair|symbol) = "', rf'\1 = "{CLIMBING}/', text, flags=re.MULTILINE))

    def stop(*step: object) -> None:
        if step[-1] == "accounts":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        aftershock.snapshot(book, devnet_world.url, None, home / "out", stop)
    assert {path.parent.name for path in files_below(tmp_path)} == {"d", "incomplete_out"}
    taken = aftershock.snapshot(book, devnet_world.url, None, home / "out")
    assert any(CLIMBING in row for row in taken["markets"]["market"])
    manifest = home / "out" / MANIFEST
    stored = json.loads(manifest.read_text())
    climbing = {**stored, "name": CLIMBING, "caption": CLIMBING}
    manifest.write_text(json.dumps({**climbing, OWN_HASH: own_hash(climbing)}))
    found = aftershock.load(home / "out")
    assessed = aftershock.report(found, scenario_names=[aftershock.scenarios()[0].name])
    render.write(assessed, home / "report", ["html", "md"])
    render.write_pictures(assessed, home / "report")
    assert {path for path in files_below(tmp_path) if home not in path.parents} == set()
    assert {path.parent.name for path in files_below(home)} == {"d", "out", "report"}
    manifest.write_text(json.dumps({**stored, "tables": {f"{CLIMBING}/assets": stored["tables"]["assets"]}}))
    with pytest.raises(AftershockError, match="does not have"):
        aftershock.load(home / "out")
