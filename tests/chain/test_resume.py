"""What an unfinished read leaves, and who may go on with it: the same chain, block, address book and readers; nobody else."""

from pathlib import Path

import pytest

import aftershock
from chain import reading
from chain.errors import InputError, NodeError, SnapshotError
from chain.node.record_file import RecordFile
from chain.reading import unfinished_read
from tests.chain.counting_proxy import KEY, counting
from tests.devnet.world import World

LOG = "unfinished read"


def break_off(world: World, deployments: Path, out: Path, block: int | str | None, after: int) -> None:
    """Leave an unfinished read: the node is gone after so many requests."""
    with counting(world.url) as counted:
        counted.at = {number: lambda: None for number in range(after, 10_000)}
        with pytest.raises(NodeError) as caught:
            aftershock.snapshot(deployments, counted.url, block, out)
        assert KEY not in str(caught.value)


def finish(world: World, deployments: Path, out: Path, block: int | str | None) -> tuple[aftershock.Snapshot, str, int]:
    """Run again; the snapshot, what was said about the unfinished read, and the HTTP requests."""
    said: list[str] = []
    with counting(world.url) as counted:
        taken = aftershock.snapshot(
            deployments, counted.url, block, out, lambda label, _, __, note: said.append(note) if label == LOG else None
        )
        return taken, " ".join(said), counted.requests


@pytest.fixture
def book(devnet_world: World, tmp_path: Path) -> Path:
    """An address book of our own, to change."""
    path = tmp_path / "deployments.toml"
    path.write_text(devnet_world.deployments.read_text())
    return path


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("AFTERSHOCK_CACHE", "off")


BREAK = 30


@pytest.mark.devnet
def test_the_same_command_goes_on(devnet_world: World, book: Path, tmp_path: Path) -> None:
    whole, _, requests = finish(devnet_world, book, tmp_path / "whole", None)
    break_off(devnet_world, book, tmp_path / "core", None, BREAK)
    assert not any(KEY in file.read_text() for file in (tmp_path / "incomplete_core").iterdir())
    with devnet_world.undone():
        devnet_world.set_price("ETH", 1_234)
        taken, said, again = finish(devnet_world, book, tmp_path / "core", None)
    assert taken.content_id == whole.content_id
    assert f"continues at block {devnet_world.block_number}" in said
    assert again < requests - 8
    assert not (tmp_path / "incomplete_core").exists()


@pytest.mark.devnet
def test_another_block_starts_over_and_keeps_events(devnet_world: World, book: Path, tmp_path: Path) -> None:
    break_off(devnet_world, book, tmp_path / "core", devnet_world.block_number, BREAK)
    other = devnet_world.block_number - 3
    taken, said, _ = finish(devnet_world, book, tmp_path / "core", other)
    assert f"started over: the unfinished read is of block {devnet_world.block_number}, this one of {other}" in said
    assert taken.content_id == aftershock.snapshot(book, devnet_world.url, other).content_id


@pytest.mark.devnet
def test_a_block_that_was_reorganised_starts_over(devnet_world: World, book: Path, tmp_path: Path) -> None:
    """The block has the same number and another content: not one of its answers may be used."""
    with devnet_world.undone():
        devnet_world.set_price("ETH", 1_111)
        break_off(devnet_world, book, tmp_path / "core", None, BREAK)
    with devnet_world.undone():
        devnet_world.set_price("ETH", 2_222)
        taken, said, _ = finish(devnet_world, book, tmp_path / "core", None)
        assert "started over" in said and "no longer has" in said
        assert taken.content_id == aftershock.snapshot(book, devnet_world.url).content_id


@pytest.mark.devnet
def test_another_address_book_starts_over(devnet_world: World, book: Path, tmp_path: Path) -> None:
    break_off(devnet_world, book, tmp_path / "core", None, BREAK)
    book.write_text(book.read_text().replace("first_block = 1", "first_block = 2", 1))
    taken, said, _ = finish(devnet_world, book, tmp_path / "core", None)
    assert "started over: the deployments file is another" in said
    assert taken.content_id == aftershock.snapshot(book, devnet_world.url).content_id


@pytest.mark.devnet
def test_another_reader_version_starts_over(
    devnet_world: World, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off(devnet_world, book, tmp_path / "core", None, BREAK)
    readers = {**reading.READERS, "aave_v3": (reading.READERS["aave_v3"][0], 99)}
    monkeypatch.setattr(reading, "READERS", readers)
    _, said, _ = finish(devnet_world, book, tmp_path / "core", None)
    assert "started over: the readers aave_v3 have another version" in said


@pytest.mark.devnet
def test_another_chain_is_refused(devnet_world: World, book: Path, tmp_path: Path) -> None:
    break_off(devnet_world, book, tmp_path / "core", None, BREAK)
    before = sorted((file.name, file.read_bytes()) for file in (tmp_path / "incomplete_core").iterdir())
    book.write_text(book.read_text().replace("eip155:31337", "eip155:1"))
    with pytest.raises(InputError, match="unfinished read of eip155:31337, the deployments name eip155:1"):
        aftershock.snapshot(book, devnet_world.url, None, tmp_path / "core")
    assert before == sorted((file.name, file.read_bytes()) for file in (tmp_path / "incomplete_core").iterdir())


@pytest.mark.devnet
def test_a_folder_in_which_another_run_works_is_left_alone(devnet_world: World, book: Path, tmp_path: Path) -> None:
    out = tmp_path / "core"
    break_off(devnet_world, book, out, None, BREAK)
    with unfinished_read(out, book, None) as first:
        assert first.anchor is not None
        first.begin(first.anchor)
        with pytest.raises(SnapshotError, match="Another run is working"):
            aftershock.snapshot(book, devnet_world.url, None, out)
    finish(devnet_world, book, out, None)


@pytest.mark.devnet
@pytest.mark.parametrize("name", ["run.json", "thesis.txt"])
def test_a_folder_that_cannot_be_understood_is_left_alone(
    devnet_world: World, book: Path, tmp_path: Path, name: str
) -> None:
    left = tmp_path / "incomplete_core"
    left.mkdir()
    (left / name).write_text("mine")
    with pytest.raises(SnapshotError, match=name):
        aftershock.snapshot(book, devnet_world.url, None, tmp_path / "core")
    assert (left / name).read_text() == "mine"


@pytest.mark.devnet
@pytest.mark.parametrize("file", ["answers.jsonl", "events"])
@pytest.mark.parametrize("harm", ["torn", "flipped"])
def test_damage_is_cut_off_and_asked_again(
    devnet_world: World, book: Path, tmp_path: Path, file: str, harm: str
) -> None:
    whole = aftershock.snapshot(book, devnet_world.url, None)
    break_off(devnet_world, book, tmp_path / "core", None, BREAK)
    files = [path for path in (tmp_path / "incomplete_core").iterdir() if path.name.startswith(file)]
    path = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    if harm == "torn":
        del content[-7:]
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)
    taken, _, _ = finish(devnet_world, book, tmp_path / "core", None)
    assert taken.content_id == whole.content_id


def test_records_come_back_up_to_the_damage(tmp_path: Path) -> None:
    """Every length of a torn file gives a whole number of first records, and appending goes on after them."""
    path = tmp_path / "records"
    file = RecordFile(path, lambda _: None)
    for number in range(5):
        file.append({"number": number, "text": "ä" * number})
    file.cut(4)
    file.append("last")
    file.close()
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        found: list[object] = []
        file = RecordFile(path, found.append)
        file.append("again")
        file.close()
        assert len(found) == content[:length].count(b"\n")
        after: list[object] = []
        RecordFile(path, after.append).close()
        assert after == [*found, "again"]
