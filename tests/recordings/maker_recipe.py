"""How the Maker recording was made: compile the public sources, deploy them on a local node, let people use them, read, keep the answers.

    python -m tests.recordings.maker_recipe SOURCES COMPILERS

SOURCES holds a checkout of each repository in `SOURCES` below, under that name; COMPILERS the two packages of solc-js as npm installs them under
the names solc-0.5.12 and solc-0.6.12. Nothing of either is kept. The tokens are Aave's test token, which the development node has anyway.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from web3.contract import Contract

from tests.devnet.availability import FOLDER as DEVNET
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of
from tests.recordings.maker_crvusd_tape import FOLDER, record
from tests.recordings.maker_views import views, word

FILE = FOLDER / "maker.jsonl.gz"
SOURCES = {
    "dss-core": "makerdao/dss@44330065999621834b08de1edf3b962f6bbd74c6 (1.0.2)",
    "dss-liq": "makerdao/dss@3f30552a586264b32ebdb5bac94ba67020282e53 (1.3.0)",
    "osm": "makerdao/osm@e36c874b4e14fba860e48c0cf99cd600c0c59efa",
    "gem-joins": "makerdao/dss-gem-joins@06df176390860ed48caf4a2a63c0905e2d5415c1",
    "cdp-manager": "makerdao/dss-cdp-manager@95eb088495239d6033e4ff4ccc28427adb20500b",
    "ds-value": "dapphub/ds-value@4049ecd2652a39cbab464bb1c2c627985f720f97",
    "ds-pause": "dapphub/ds-pause@0763eafcf926fd2e073aee5f047f3decb842231c",
    "ds-thing": "dapphub/ds-thing@5865abc83184ab546db4279a038eb3466da4cd6b",
    "ds-auth": "dapphub/ds-auth@a51e7caa1f03eeffed66d67f3b38605e0f1f881d",
    "ds-note": "dapphub/ds-note@832591b2d7dfb13dd513a72d0ff5a64c23b4e327",
    "ds-math": "dapphub/ds-math@e70a364787804c1ded9801ed6c27b440a86ebd32",
}
OLD = {
    "solc-0.5.12": [
        *(f"dss-core/src/{name}.sol" for name in ("vat", "jug", "spot", "vow", "join", "dai", "flap", "flop")),
        *("osm/src/osm.sol", "ds-value/src/value.sol", "cdp-manager/src/DssCdpManager.sol", "ds-pause/src/pause.sol"),
    ],
    "solc-0.6.12": [*(f"dss-liq/src/{name}.sol" for name in ("dog", "clip", "abaci")), "gem-joins/src/join-5.sol"],
}
REMAPPED = ("ds-value", "ds-thing", "ds-auth", "ds-note", "ds-math")
SETTINGS = {"optimizer": {"enabled": False, "runs": 200}}
WAD, RAY, RAD = 10**18, 10**27, 10**45
ILKS = {"ETH-A": 18, "WBTC-A": 8}
PRICES = {"ETH-A": 2000, "WBTC-A": 30000}
PEOPLE = 24
DAY = 24 * 3600


@dataclass
class Place:
    """The contracts that were deployed, by name, and the ledger in front of the node."""

    ledger: Ledger
    artifacts: dict[str, Artifact]
    at: dict[str, Contract] = field(default_factory=dict)

    def deploy(self, name: str, kind: str, *arguments: object) -> Contract:
        """Deploy a contract of the sources and keep it under a name of ours."""
        self.at[name] = self.ledger.deploy(self.artifacts[kind], *arguments)
        return self.at[name]

    def tell(self, name: str, call: str, *arguments: object, sender: str | None = None) -> None:
        """Queue a call."""
        self.ledger.call(f"{name}.{call}", self.at[name], call, *arguments, sender=sender)

    def address(self, name: str) -> str:
        """Where a contract is, lower case."""
        return str(self.at[name].address).lower()


def compiled(sources: Path, compilers: Path) -> dict[str, Artifact]:
    """Contracts by name, from the sources with both compilers."""
    found: dict[str, Artifact] = {}
    for compiler, entries in OLD.items():
        settings = {**SETTINGS, "remappings": [f"{name}/={name}/src/" for name in REMAPPED]}
        request = {
            "compiler": str(compilers / compiler),
            "roots": [str(sources)],
            "entries": entries,
            "settings": settings,
        }
        done = subprocess.run(
            ["node", str(DEVNET / "compile.js")], input=json.dumps(request), capture_output=True, text=True, check=True
        )
        for name, one in json.loads(done.stdout).items():
            if one["bytecode"]:
                found[name.split(":")[1]] = Artifact(name.split(":")[1], one["abi"], one["bytecode"])
    return found


def deploy(ledger: Ledger, artifacts: dict[str, Artifact]) -> Place:
    """The whole protocol with two ilks: ETH-A behind a staircase, WBTC-A (8 decimals) behind a line; both behind an OSM."""
    place = Place(ledger, artifacts)
    vat = place.deploy("vat", "Vat").address
    for name in ("jug", "spotter", "dog"):
        place.deploy(name, {"jug": "Jug", "spotter": "Spotter", "dog": "Dog"}[name], vat)
    place.at["mkr"] = ledger.deploy(artifact("TestnetERC20"), "Maker", "MKR", 18, ledger.deployer)
    place.deploy("dai", "Dai", 31337)
    place.deploy("dai_join", "DaiJoin", vat, place.at["dai"].address)
    place.deploy("flapper", "Flapper", vat, place.at["mkr"].address)
    place.deploy("flopper", "Flopper", vat, place.at["mkr"].address)
    place.deploy("vow", "Vow", vat, place.at["flapper"].address, place.at["flopper"].address)
    place.deploy("manager", "DssCdpManager", vat)
    place.deploy("pause", "DSPause", 2 * DAY, ledger.deployer, "0x" + "0" * 40)
    for name in ("jug", "spotter", "dog"):
        place.tell("vat", "rely", place.at[name].address)
    place.tell("dai", "rely", place.at["dai_join"].address)
    for name in ("dog", "flopper"):
        place.tell("vow" if name == "dog" else "flopper", "rely", place.at["dog" if name == "dog" else "vow"].address)
    place.tell("jug", "file(bytes32,address)", word("vow"), place.at["vow"].address)
    place.tell("dog", "file(bytes32,address)", word("vow"), place.at["vow"].address)
    place.tell("dog", "file(bytes32,uint256)", word("Hole"), 3 * 10**6 * RAD)
    place.tell("vat", "file(bytes32,uint256)", word("Line"), 10**8 * RAD)
    for name, amount in (
        ("wait", 2 * DAY),
        ("dump", 250 * WAD),
        ("sump", 50_000 * RAD),
        ("hump", 60_000 * RAD),
        ("bump", 30_000 * RAD),
    ):
        place.tell("vow", "file(bytes32,uint256)", word(name), amount)
    for ilk, decimals in ILKS.items():
        _list(place, ilk, decimals)
    pause_proxy = place.at["pause"].functions.proxy().call()
    for name in ("vat", "jug", "spotter", "vow", "dog"):
        place.tell(name, "rely", pause_proxy)
    place.tell("vat", "rely", address_of("a ward that was sent away"))
    place.tell("vat", "deny", address_of("a ward that was sent away"))
    ledger.mine()
    return place


def _list(place: Place, ilk: str, decimals: int) -> None:
    ledger, key = place.ledger, word(ilk)
    vat, spotter, dog = (place.at[name].address for name in ("vat", "spotter", "dog"))
    token = place.at[f"gem {ilk}"] = ledger.deploy(artifact("TestnetERC20"), ilk, ilk[:-2], decimals, ledger.deployer)
    join = place.deploy(f"join {ilk}", "GemJoin" if decimals == 18 else "GemJoin5", vat, key, token.address)
    value = place.deploy(f"value {ilk}", "DSValue")
    osm = place.deploy(f"osm {ilk}", "OSM", value.address)
    clip = place.deploy(f"clip {ilk}", "Clipper", vat, spotter, dog, key)
    calc = place.deploy(f"calc {ilk}", "StairstepExponentialDecrease" if decimals == 18 else "LinearDecrease")
    place.tell("vat", "rely", join.address)
    place.tell("vat", "rely", clip.address)
    place.tell("dog", "rely", clip.address)
    place.tell(f"clip {ilk}", "rely", dog)
    place.tell(f"osm {ilk}", "kiss(address)", spotter)
    place.tell(f"osm {ilk}", "kiss(address)", clip.address)
    terms = {"tau": 6 * 3600} if decimals != 18 else {"cut": 99 * RAY // 100, "step": 90}
    for name, number in terms.items():
        place.tell(f"calc {ilk}", "file", word(name), number)
    for name, contract in (("calc", calc.address), ("vow", place.at["vow"].address)):
        place.tell(f"clip {ilk}", "file(bytes32,address)", word(name), contract)
    for name, number in (
        *(("buf", 12 * RAY // 10), ("tail", 7200 if decimals == 18 else 5 * 3600), ("cusp", 4 * RAY // 10)),
        *(("chip", WAD // 1000), ("tip", 300 * RAD)),
    ):
        place.tell(f"clip {ilk}", "file(bytes32,uint256)", word(name), number)
    place.tell("vat", "init", key)
    place.tell("jug", "init", key)
    place.tell("vat", "file(bytes32,bytes32,uint256)", key, word("line"), 5_000_000 * RAD)
    place.tell("vat", "file(bytes32,bytes32,uint256)", key, word("dust"), 2_000 * RAD)
    place.tell("spotter", "file(bytes32,bytes32,address)", key, word("pip"), osm.address)
    place.tell(
        "spotter", "file(bytes32,bytes32,uint256)", key, word("mat"), (145 if decimals == 18 else 175) * RAY // 100
    )
    place.tell("dog", "file(bytes32,bytes32,uint256)", key, word("chop"), 113 * WAD // 100)
    place.tell("dog", "file(bytes32,bytes32,uint256)", key, word("hole"), 10**6 * RAD)
    place.tell("dog", "file(bytes32,bytes32,address)", key, word("clip"), clip.address)
    place.tell(f"clip {ilk}", "upchost")
    place.tell(f"value {ilk}", "poke", (PRICES[ilk] * WAD).to_bytes(32, "big"))
    ledger.mine()


def live(node: Node, place: Place) -> None:
    """Two dozen urns in two ilks, some of the manager's; rates that grow, prices that fall, sales that run, end, and end short."""
    ledger, people = place.ledger, [address_of(f"maker {number}") for number in range(PEOPLE)]
    for ilk in ILKS:
        duty = 1000000001547125957863212448 if ilk == "ETH-A" else 1000000000627937192491029810  # 5 % and 2 % a year
        place.tell("jug", "drip", word(ilk))
        ledger.mine()
        _drip_and_file(place, ilk, duty)
    prices(node, place, {})
    prices(node, place, {})
    for number, who in enumerate(people):
        ilk = "ETH-A" if number % 3 else "WBTC-A"
        units = 10 ** ILKS[ilk]
        amount = (number + 5) * units + number * 7919
        place.tell(f"gem {ilk}", "mint(address,uint256)", who, amount)
        place.tell(f"gem {ilk}", "approve", place.at[f"join {ilk}"].address, amount, sender=who)
        place.tell(f"join {ilk}", "join", who, amount, sender=who)
        wads = amount * 10 ** (18 - ILKS[ilk])
        worth = wads * PRICES[ilk] * 100 // (145 if ilk == "ETH-A" else 175)
        art = worth * (50 + 2 * number) // 100
        ink = wads if number % 5 else wads - wads // 10  # every fifth leaves some of it free
        if number % 4 == 0:
            place.tell("manager", "open", word(ilk), who)
            ledger.mine()
            cdp = place.at["manager"].functions.cdpi().call()
            urn = place.at["manager"].functions.urns(cdp).call()
            place.tell("vat", "flux", word(ilk), who, urn, wads, sender=who)
            place.tell("manager", "frob", cdp, ink, art, sender=who)
            place.tell("manager", "move", cdp, who, art * RAY // 2, sender=who)
        else:
            place.tell("vat", "frob", word(ilk), who, who, who, ink, art, sender=who)
        if number % 4 == 1:
            place.tell("vat", "hope", place.at["dai_join"].address, sender=who)
            place.tell("dai_join", "exit", who, art // 3, sender=who)
        ledger.mine()
    left, heir = people[2], people[7]  # one leaves for good, one hands part of an urn on
    place.tell("vat", "frob", word("ETH-A"), left, left, left, *(_less(place, "ETH-A", left)), sender=left)
    place.tell(
        "vat", "frob", word("ETH-A"), heir, address_of("given"), heir, -(10**17), 0, sender=heir
    )  # never named elsewhere
    place.tell("vat", "hope", heir, sender=people[5])
    place.tell("vat", "hope", people[5], sender=heir)
    place.tell("vat", "fork", word("ETH-A"), people[5], heir, WAD, 100 * WAD, sender=heir)
    ledger.mine()
    for days in (5, 20):
        node.mine(days * DAY)
        place.tell("jug", "drip", word("ETH-A"))
        ledger.mine()
    fall = {"ETH-A": 1500, "WBTC-A": 22000}
    prices(node, place, fall)
    prices(node, place, fall)
    _liquidate(node, place, people)


def _less(place: Place, ilk: str, who: str) -> tuple[int, int]:
    ink, art = place.at["vat"].functions.urns(word(ilk), who).call()
    return -ink, -art


def _drip_and_file(place: Place, ilk: str, duty: int) -> None:
    """Jug takes a new duty only in the second of a drip: both calls go into one block."""
    place.tell("jug", "drip", word(ilk))
    place.tell("jug", "file(bytes32,bytes32,uint256)", word(ilk), word("duty"), duty)
    place.ledger.mine()


def prices(node: Node, place: Place, news: dict[str, int]) -> None:
    """An hour passes, every OSM takes up what its source says, the Spotter takes up what the OSM says."""
    for ilk in ILKS:
        if ilk in news:
            place.tell(f"value {ilk}", "poke", (news[ilk] * WAD).to_bytes(32, "big"))
    place.ledger.mine()
    node.mine(3600)
    for ilk in ILKS:
        place.tell(f"osm {ilk}", "poke")
        place.tell("spotter", "poke", word(ilk))
    place.ledger.mine()


def _liquidate(node: Node, place: Place, people: list[str]) -> None:
    """Bark at whoever is unsafe until the limit of the ilk; sell one lot whole, one in part, one short of its tab; one is left to run."""
    vat, keeper, buyer = place.at["vat"].functions, address_of("keeper"), people[3]
    barked: dict[str, int] = dict.fromkeys(ILKS, 0)
    urns = [
        place.at["manager"].functions.urns(cdp).call()
        for cdp in range(1, place.at["manager"].functions.cdpi().call() + 1)
    ]
    for ilk, most in (("ETH-A", 3), ("WBTC-A", 2)):
        for who in [*people, *urns]:
            ink, art = vat.urns(word(ilk), who).call()
            _, rate, spot, _, _ = vat.ilks(word(ilk)).call()
            if barked[ilk] < most and ink * spot < art * rate:
                if barked[ilk] == most - 1:  # only part of the last one fits under the limit
                    dirt = place.at["dog"].functions.ilks(word(ilk)).call()[3]
                    place.tell("dog", "file(bytes32,bytes32,uint256)", word(ilk), word("hole"), dirt + 9_001 * RAD)
                place.tell("dog", "bark", word(ilk), who, keeper)
                place.ledger.mine()
                barked[ilk] += 1
    assert barked == {"ETH-A": 3, "WBTC-A": 2}, barked
    for ilk in ILKS:
        place.tell("vat", "hope", place.at[f"clip {ilk}"].address, sender=buyer)
    for who in people[8:]:
        place.tell("vat", "move", who, buyer, vat.dai(who).call() * 9 // 10, sender=who)
    place.ledger.mine()
    node.mine(1900)
    for number, part in ((1, 1), (2, 3)):  # the whole lot, a third of one
        lot = place.at["clip ETH-A"].functions.sales(number).call()[2]
        place.tell("clip ETH-A", "take", number, lot // part, 10**40, buyer, b"", sender=buyer)
        place.ledger.mine()
    node.mine(9800)  # the price of a line falls to where a lot no longer raises its tab
    lot = place.at["clip WBTC-A"].functions.sales(1).call()[2]
    place.tell("clip WBTC-A", "take", 1, lot, 10**40, buyer, b"", sender=buyer)
    place.ledger.mine()
    fall = {"ETH-A": 1400, "WBTC-A": 21000}
    prices(node, place, fall)  # a pending price that no Spotter knows yet
    place.tell("dog", "file(bytes32,bytes32,uint256)", word("ETH-A"), word("hole"), 10**6 * RAD)
    place.ledger.mine()
    for who in [*people, *urns]:  # one more lot, young enough to be bought
        ink, art = vat.urns(word("ETH-A"), who).call()
        _, rate, spot, _, _ = vat.ilks(word("ETH-A")).call()
        if ink * spot < art * rate:
            place.tell("dog", "bark", word("ETH-A"), who, keeper)
            place.ledger.mine()
            break
    node.mine(600)


def book(place: Place) -> str:
    """The address book of this place."""
    roles = {role: role for role in ("vat", "jug", "spotter", "dog", "vow", "dai_join", "dai")} | {
        "cdp_manager": "manager"
    }
    lines = [f'{role} = "{place.address(name)}"' for role, name in roles.items()]
    head = [
        "[[deployments]]",
        'chain = "eip155:31337"',
        'protocol = "makerdao"',
        'instance = "local"',
        'reader = "maker"',
    ]
    return "\n".join([*head, "first_block = 0", 'source = "the recipe"', "[deployments.addresses]", *lines]) + "\n"


def make(sources: Path, compilers: Path) -> None:
    """Build, live, read, keep."""
    about = {
        "sources": SOURCES,
        "compilers": {name: {"entries": entries, "settings": SETTINGS} for name, entries in OLD.items()},
        "tokens": "TestnetERC20 of @aave-dao/aave-v3-origin 3.6.0",
        "code": "whether there is code at an address is kept as 0x01; the code is not",
    }
    artifacts = compiled(sources, compilers)
    with Node() as node:
        ledger = Ledger(node, address_of("deployer"))
        place = deploy(ledger, artifacts)
        live(node, place)
        snapshot = record(node.url, book(place), FILE, about, views)
    for check in snapshot.checks:
        sys.stdout.write(
            f"{'ok' if check.passed else 'FAIL'} {check.name} {check.compared} {check.failures[:3]} {check.note}\n"
        )
    sys.stdout.write("\n".join(snapshot.gaps) + f"\n{FILE.stat().st_size} bytes\n")


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:3]))
