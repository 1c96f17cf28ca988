"""The user's address book: what is right is read, each mistake is named with file, entry and field."""

from pathlib import Path

import pytest

from chain.deployments import Feed, Token, read_deployments
from chain.errors import InputError

A, B = "0x" + "aA" * 20, "0x" + "b" * 40
HEAD = 'chain = "eip155:31337"\nfirst_block = 1\nsource = "by hand"\n'
AAVE = f"""[[deployments]]
{HEAD}protocol = "aave-v3"
instance = "core"
reader = "aave_v3"
[deployments.addresses]
pool_addresses_provider = "{A}"
pool = "{A}"
pool_data_provider = "{A}"
oracle = "{B}"
"""
FEEDS = f"""[[deployments]]
{HEAD}protocol = "chainlink"
instance = "feeds"
reader = "chainlink"
[[deployments.feeds]]
address = "{A}"
pair = "ETH / USD"
heartbeat_seconds = 3600
deviation_bps = 50
"""
TOKENS = f"""[[deployments]]
{HEAD}protocol = "erc20"
instance = "tokens"
reader = "erc20"
[[deployments.tokens]]
address = "{A}"
symbol = "WETH"
role = "wrapped_native"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "book.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    aave, feeds, tokens = read_deployments(written(tmp_path, AAVE + FEEDS + TOKENS))
    assert (aave.reader, aave.first_block, aave.addresses["oracle"]) == ("aave_v3", 1, B)
    assert aave.addresses["pool"] == A.lower()
    assert feeds.feeds == (Feed(A.lower(), "ETH / USD", 3600, 50),)
    assert tokens.tokens == (Token(A.lower(), "WETH", "wrapped_native"),)


MISTAKES = {
    "no entry": ("", "no \\[\\[deployments\\]\\] entry"),
    "no TOML": ("[[deployments", "no valid TOML"),
    "another table": (AAVE + "[networks]\n", "'networks'"),
    "one table in place of a list": (AAVE.replace("[[deployments]]", "[deployments]"), "written as"),
    "no source": (AAVE.replace('source = "by hand"\n', ""), "deployments 1: source is missing"),
    "empty source": (AAVE.replace("by hand", " "), "deployments 1: source is ' '"),
    "no first block": (AAVE.replace("first_block = 1", ""), "first_block is missing"),
    "first block as text": (AAVE.replace("first_block = 1", 'first_block = "1"'), "first_block is '1'"),
    "negative first block": (AAVE.replace("first_block = 1", "first_block = -1"), "first_block is -1"),
    "unknown reader": (AAVE.replace('"aave_v3"', '"aave_v4"'), "did you mean aave_v3"),
    "unknown chain": (AAVE.replace("31337", "3133"), "did you mean eip155:31337"),
    "misspelt field": (AAVE.replace("instance =", "instanze ="), "did you mean instance"),
    "missing role": (AAVE.replace(f'oracle = "{B}"\n', ""), "deployments 1, addresses: oracle is missing"),
    "unknown role": (AAVE + f'orakle = "{B}"\n', "did you mean oracle"),
    "short address": (AAVE.replace(B, B[:-1]), "deployments 1, addresses: oracle .* is no address"),
    "address as a number": (AAVE.replace(f'oracle = "{B}"', "oracle = 7"), "oracle is 7"),
    "addresses as text": (AAVE.split("[deployments.addresses]")[0] + 'addresses = "x"\n', "addresses is no table"),
    "two chains": (AAVE + FEEDS.replace("31337", "1"), "2 chains"),
    "twice the same": (AAVE + AAVE, "two entries for aave-v3 'core'"),
    "feed without heartbeat": (
        FEEDS.replace("heartbeat_seconds = 3600\n", ""),
        "feeds 1: heartbeat_seconds is missing",
    ),
    "feed twice": (FEEDS + FEEDS.split("deployments]]\n")[-1].partition("[[")[2].join(["[[", ""]), "listed twice"),
    "chainlink without feeds": (FEEDS.split("[[deployments.feeds]]")[0], "needs \\[\\[deployments.feeds"),
    "feeds where none belong": (
        AAVE + FEEDS.partition("[[deployments.feeds]]")[1] + FEEDS.partition("feeds]]")[2],
        "no use",
    ),
    "a revision for a reader without forks": (
        FEEDS.replace("first_block", "like_revision = 1\nfirst_block", 1),
        "reader 'chainlink' has no use for like_revision",
    ),
    "unknown token role": (TOKENS.replace("wrapped_native", "wraped"), "did you mean wrapped_native"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(tmp_path: Path, mistake: str) -> None:
    text, words = MISTAKES[mistake]
    with pytest.raises(InputError, match=words) as caught:
        read_deployments(written(tmp_path, text))
    assert "book.toml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_deployments(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_deployments(tmp_path / "binary.toml")
