"""Maker's sales: how one would run in each ilk, the lots that are on sale, and what pays when they end short: the Vow, then new MKR.

Dog, Clipper and Abaci at makerdao/dss 1.3.0 (3f30552a), Vow and Flopper at 1.0.2 (44330065). All clippers that the Dog was ever told of are
asked, since an old one may still have sales. The kind of a price curve is told by which getters its contract answers: tau is linear, cut and
step a staircase, cut alone exponential. What the Vow sells or buys by itself (flap, flop) belongs to no ilk: the terms of a flop stand in every
market, those that run are a gap. The lots are counted in wads by the contract, and rounded down to the token's smallest unit in the rows.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers.maker_ilks import Ilk
from chain.units import ZERO_ADDRESS

CLIP_NAMED = event_topic("File(bytes32,bytes32,address)")
CLIP = {
    "ilk": "ilk()->(bytes32)",
    "list": "list()->(uint256[])",
    "calc": "calc()->(address)",
    "buf": "buf()->(uint256)",
    "tail": "tail()->(uint256)",
    "cusp": "cusp()->(uint256)",
    "chip": "chip()->(uint64)",
    "tip": "tip()->(uint192)",
    "chost": "chost()->(uint256)",
    "stopped": "stopped()->(uint256)",
}
CALC = {"tau": "tau()->(uint256)", "cut": "cut()->(uint256)", "step": "step()->(uint256)"}
SALE = "sales(uint256)->(uint256,uint256,uint256,address,uint96,uint256)"  # pos, tab, lot, usr, tic, top
STATUS = "getStatus(uint256)->(bool,uint256,uint256,uint256)"
STOPPED = ("none", "start", "reset", "bid")
VOW = ("Sin", "Ash", "wait", "dump", "sump", "hump")


def read(
    client: Client, deployment: Deployment, ilks: Sequence[Ilk], dai: str, found: Findings
) -> tuple[set[bytes], dict[tuple[str, str], int]]:
    """Read sales and backstops; the ilks whose present clipper starts no sale, and by (market, clipper) the wads on sale."""
    # Where
    dog, last = deployment.addresses["dog"], client.anchor.number
    known = {ilk.id: ilk for ilk in ilks}
    named = client.logs([dog], CLIP_NAMED, deployment.first_block, last)
    clips = sorted({"0x" + log.data[-40:] for log in named} - {ZERO_ADDRESS})

    # Ask
    asked = client.ask({(at, name): Call(at, text) for at in clips for name, text in CLIP.items()})
    clips = [at for at in clips if asked[at, "ilk"] in known]
    calcs = sorted({asked[at, "calc"] for at in clips} - {ZERO_ADDRESS})
    curves = client.ask({(at, name): Call(at, text, optional=True) for at in calcs for name, text in CALC.items()})
    places = [(at, number) for at in clips for number in asked[at, "list"]]
    sales = client.ask({place: Call(place[0], SALE, (place[1],)) for place in places})
    status = client.ask({place: Call(place[0], STATUS, (place[1],)) for place in places})

    # Rows
    terms: dict[str, dict[str, Any]] = {}
    for at in clips:
        said = {name: asked[at, name] for name in CLIP}
        ilk = known[said["ilk"]]
        terms[at] = _terms(found, at, ilk, dai, said, {name: curves.get((said["calc"], name)) for name in CALC})
        if at == ilk.asked["dog"][0]:
            row = {"state": "terms", "lot_raw": 0, "incentive_raw": said["tip"], "incentive_wad": said["chip"]}
            found.add("auctions", found.asked("stopped", at), auction=f"{ilk.market}/{ilk.asset}", **terms[at], **row)
    on_sale: dict[tuple[str, str], int] = defaultdict(int)
    tabs: dict[str, int] = defaultdict(int)
    for (at, number), (_, tab, lot, who, since, top) in sales.items():
        ilk = known[asked[at, "ilk"]]
        row = {"state": "running", "lot_raw": lot // ilk.unit, "tab_raw": tab, "position_id": who}
        row |= {"started_at": since, "start_price_raw": top}
        auction = f"{ilk.market}/{at}/{number}"
        found.add("auctions", found.asked("sales", at), auction=auction, **terms[at], **row)
        found.witness("sale status", (auction,), status[at, number])
        on_sale[ilk.market, at] += lot
        tabs[ilk.market] += tab
    for ilk in ilks:
        found.witness("dirt", (ilk.market,), ilk.asked["dog"][3])
    _backstops(client, deployment, ilks, dai, found)
    return {
        asked[at, "ilk"] for at in clips if asked[at, "stopped"] and at == known[asked[at, "ilk"]].asked["dog"][0]
    }, on_sale


def _terms(
    found: Findings, clip: str, ilk: Ilk, dai: str, said: Mapping[str, Any], curve: Mapping[str, int | None]
) -> dict[str, Any]:
    """The columns that the terms and each sale of a clipper have in common."""
    return {
        "market": ilk.market,
        "contract": found.entity(clip, "contract", f"{ilk.label} clipper"),
        "stopped": STOPPED[min(said["stopped"], len(STOPPED) - 1)],
        "kind": "dutch",
        "collateral_asset": ilk.asset,
        "debt_asset": dai,
        "tab_floor_raw": said["chost"],
        "curve": "linear" if curve["tau"] is not None else "stairstep" if curve["step"] is not None else "exponential",
        "duration_seconds": curve["tau"],
        "step_seconds": curve["step"],
        "cut_ray": curve["cut"],
        "start_factor_ray": said["buf"],
        "reset_price_ray": said["cusp"],
        "reset_seconds": said["tail"],
    }


def _backstops(client: Client, deployment: Deployment, ilks: Sequence[Ilk], dai: str, found: Findings) -> None:
    """The Vow's Dai and sin, then the flopper, which mints; both stand behind every ilk."""
    vat, vow = deployment.addresses["vat"], deployment.addresses["vow"]
    asked = client.ask({name: Call(vow, f"{name}()->(uint256)") for name in VOW})
    asked |= client.ask({name: Call(vat, f"{name}(address)->(uint256)", (vow,)) for name in ("dai", "sin")})
    flopper = client.call(Call(vow, "flopper()->(address)"))
    texts = {
        "gem": "gem()->(address)",
        "beg": "beg()->(uint256)",
        "tau": "tau()->(uint48)",
        "kicks": "kicks()->(uint256)",
    }
    flop = client.ask({name: Call(flopper, text) for name, text in texts.items()})
    bids = client.ask(
        {
            number: Call(flopper, "bids(uint256)->(uint256,uint256,address,uint48,uint48)", (number,))
            for number in range(1, flop["kicks"] + 1)
        }
    )
    found.entity(flopper, "contract", "flopper", deployment.protocol)
    running = [bid for bid in bids.values() if bid[2] != ZERO_ADDRESS]
    if running:
        raised = sum(bid[0] for bid in running)
        found.gaps.append(
            f"{deployment.protocol}: {len(running)} debt auctions run, of {raised} rad in all (Vow.Ash {asked['Ash']}); they belong to no ilk and have no rows"
        )
    for ilk in ilks:
        found.add(
            "backstops",
            found.asked("dai", vat),
            backstop=found.entity(vow, "contract"),
            market=ilk.market,
            asset=dai,
            kind="surplus",
            order=0,
            covers_asset=dai,
            amount_raw=asked["dai"],
            owed_raw=asked["sin"],
            target_raw=asked["hump"],
            cooldown_seconds=asked["wait"],
        )
        found.add(
            "backstops", found.asked("flopper", vow), backstop=found.entity(flopper, "contract"), market=ilk.market,
            asset=dai, kind="mint", order=1, covers_asset=dai,
        )  # fmt: skip
        found.add(
            "auctions",
            found.asked("sump", vow),
            auction=f"{ilk.market}/{flopper}",
            market=ilk.market,
            contract=found.entity(flopper, "contract"),
            state="terms",
            kind="english",
            collateral_asset=found.token(flop["gem"]),
            lot_raw=0,
            lot_size_raw=asked["dump"],
            debt_asset=dai,
            tab_raw=asked["sump"],
            bid_step_wad=flop["beg"],
            curve="bids",
            duration_seconds=flop["tau"],
        )
