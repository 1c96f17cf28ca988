"""`query risk X --exposures FILE`: losses by hand, on claims in a circle, and what is refused."""

import json
from pathlib import Path

import pytest

from aftershock.failures import failure
from chain.files.exposure_file import read_exposures
from graph.build import build
from tests.aftershock.command import Ask

CLAIMS = """holder,claim_on,amount_usd
vault a,xUSD,100
vault b,xUSD,60
dao,vault a,80
dao,vault b,30
fund,vault b,30
xUSD,farm,90
farm,dao,10
"""


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    file = tmp_path / "claims.csv"
    file.write_text(CLAIMS)
    return file


def test_losses_go_round_the_circle_as_by_hand(claims: Path) -> None:
    """Both vaults and the dao lose what xUSD loses; the farm 10/90 of that, as that part of it is with the dao; xUSD 90/160 of what the farm loses."""
    around = 1 / (1 - 10 / 90 * 90 / 160)
    found = failure(build(read_exposures(claims)), "xUSD", [0.1, 0.5, 1.0])
    assert found.losses["lost_usd"].tolist() == pytest.approx([30 * 0.1 * around, 30 * 0.5 * around, 30.0], rel=1e-6)
    assert found.losses["lost_ratio"].tolist() == pytest.approx([0.1 * around, 0.5 * around, 1.0], rel=1e-6)
    assert found.place["rank"] == 1 and found.place["of"] == 5 and found.place["loss_usd"] == pytest.approx(30.0)
    [fund] = found.dependents.to_dict("records")
    assert (fund["label"], fund["direct_usd"], fund["looked_through_usd"]) == ("fund", 0.0, pytest.approx(30.0))


def test_who_is_owed_by_nobody_costs_nobody(claims: Path, ask: Ask) -> None:
    found = failure(build(read_exposures(claims)), "fund")
    assert found.place == {} and set(found.losses["lost_usd"]) == {0.0}
    assert "Nobody in this file depends on fund" in ask("query", "risk", "fund", "--exposures", str(claims)).out


def test_the_page_and_the_json_say_the_same(claims: Path, ask: Ask) -> None:
    page = ask("query", "risk", "xUSD", "--exposures", str(claims))
    record = json.loads(ask("query", "risk", "xUSD", "--exposures", str(claims), "--fall", "30", "--json").out)
    assert page.code == 0 and [row["loss_ratio"] for row in record["losses"]] == [0.3]
    assert f"30            {record['losses'][0]['lost_usd']:.2f}" in page.out


def test_a_saved_what_if_of_claims_has_its_risk(claims: Path, ask: Ask, tmp_path: Path) -> None:
    """Without the farm's claim on it the dao is nobody's debtor: of half of xUSD it loses 40 by vault a (80 claimed of 100 there) and 15 by vault b, the fund 15."""
    (tmp_path / "edits.toml").write_text('[[remove]]\nrelation = "backs"\nsource = "farm"\ntarget = "dao"\n')
    saved = str(tmp_path / "changed")
    made = ask("what-if", str(tmp_path / "edits.toml"), "--snapshot", str(claims), "--out", saved)
    assert made.code == 0, made.err
    for source in (saved, str(claims)):
        answer = ask("query", "risk", "xUSD", "--snapshot", source, "--fall", "50", "--json")
        assert answer.code == 0, answer.err
    changed = json.loads(ask("query", "risk", "xUSD", "--snapshot", saved, "--fall", "50", "--json").out)
    assert changed["losses"][0]["lost_usd"] == pytest.approx(40.0 + 15.0 + 15.0)
    page = ask("query", "risk", "xUSD", "--snapshot", saved).out
    assert f"aftershock query exposure xUSD --snapshot {saved}" in " ".join(page.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fall", "0"), "--fall is 0"),
        (("--fall", "101"), "--fall is 101"),
        (("--asset", "ETH"), "leave out --asset"),
        (("--snapshot", "elsewhere"), "not both"),
    ],
)
def test_what_cannot_be_asked_of_claims_is_refused(claims: Path, ask: Ask, words: tuple[str, ...], said: str) -> None:
    answer = ask("query", "risk", "xUSD", "--exposures", str(claims), *words)
    assert answer.code == 2 and said in answer.err


REFUSED = (
    ("simulate", "--shock", "vault a=-20%"),
    ("simulate", "--scenario", "eth-10"),
    ("simulate", "--shocks", "forecast"),
    ("report",),
    ("report", "xUSD"),
    ("report", "xUSD", "--shocks", "forecast"),
)
ASKED = {
    "exposure": ("xUSD",),
    "paths": ("--from", "fund", "--to", "xUSD"),
    "shared": ("dao", "fund"),
    "risk": ("xUSD",),
    "systemic": (),
}


def test_claims_have_no_cascade_and_what_is_said_can_be_asked_of_them(claims: Path, ask: Ask, tmp_path: Path) -> None:
    """Of the file and of a what-if that was made of it: every question that the refusal names is asked, and answered."""
    (tmp_path / "edits.toml").write_text('[[remove]]\nrelation = "backs"\nsource = "farm"\ntarget = "dao"\n')
    assert ask("what-if", "edits.toml", "--snapshot", str(claims), "--out", "changed").code == 0
    for source in (str(claims), "changed"):
        for words in REFUSED:
            answer = ask(*words, "--snapshot", source)
            said = answer.err.strip().splitlines()[-1]
            assert answer.code == 2 and "claims have no cascade" in said and "--exposures" not in said, words
        listed = said[said.index("answers ") + len("answers ") :].replace(
            "(what the failure of one costs the others)", ""
        )
        assert [name.strip() for name in listed.replace(" and ", ", ").split(",")] == list(ASKED)
    for verb, names in ASKED.items():
        assert ask("query", verb, *names, "--snapshot", "changed", "--json").code == 0, verb
    assert not (tmp_path / "aftershock-report").exists()
