"""What stands behind an ilk's price: the oracle security module, which passes on its source's answer one hop late, or an open value.

OSM (makerdao/osm@e36c874b, src/osm.sol): `peek` answers only to whom its wards let, so the present and the next answer are read from storage,
slots 3 and 4, value in the lower 128 bits and whether there is one in the upper. What it reads (`src`) is the next step: a medianiser,
whose answer is closed to others too, or a DSValue (dapphub/ds-value@4049ecd2), which says it to anybody.
"""

from collections.abc import Sequence
from typing import Any

from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.units import entity_id

ASKS = {
    "zzz": "zzz()->(uint64)",
    "hop": "hop()->(uint16)",
    "src": "src()->(address)",
    "peek": "peek()->(uint256,bool)",
}
CURRENT_SLOT, NEXT_SLOT = "0x3", "0x4"
VALUE_BITS = 128
DECIMALS = 18


def read(client: Client, oracles: Sequence[str], found: Findings) -> dict[str, int | None]:
    """Add the steps of each oracle; its present answer (18 decimals), None where it has none or it cannot be read."""
    # Ask
    asked = client.ask({(at, name): Call(at, text, optional=True) for at in oracles for name, text in ASKS.items()})
    modules = [at for at in oracles if asked[at, "zzz"] is not None and asked[at, "hop"] is not None]
    slots = {
        name: dict(zip(modules, client.slots(modules, slot), strict=True))
        for name, slot in (("now", CURRENT_SLOT), ("next", NEXT_SLOT))
    }
    behind = sorted({asked[at, "src"] for at in modules if asked[at, "src"]})
    peeked = client.ask({at: Call(at, ASKS["peek"], optional=True) for at in behind})

    # Rows
    answers: dict[str, int | None] = {}
    for at in oracles:
        if at not in modules:
            answers[at] = _value(asked[at, "peek"])
            _step(found, at, 0, at, "feed", value_raw=answers[at])
            continue
        if slots["now"][at] is None:
            found.gaps.append(f"{at}: the node refuses eth_getStorageAt, so the oracle's answers are not known")
        answers[at], coming = (_stored(slots[name][at]) for name in ("now", "next"))
        hop, since = asked[at, "hop"], asked[at, "zzz"]
        _step(
            found, at, 0, at, "delayed", value_raw=answers[at], pending_value_raw=coming,
            delay_seconds=hop, updated_at=since, pending_at=since + hop if coming is not None else None,
        )  # fmt: skip
        if asked[at, "src"]:
            _step(found, at, 1, asked[at, "src"], "feed", value_raw=_value(peeked[asked[at, "src"]]))
    return answers


def _step(found: Findings, source: str, step: int, at: str, kind: str, **columns: Any) -> None:
    found.add(
        "feeds",
        f"storage of {at} block {found.anchor.number}" if kind == "delayed" else found.asked("peek", at),
        source=entity_id(found.anchor.chain, source),
        step=step,
        kind=kind,
        address=found.entity(at, "feed"),
        decimals=DECIMALS,
        state="unknown",
        **columns,
    )


def _stored(word: str | None) -> int | None:
    """The value in a slot of the module, None where it holds none."""
    held = int(word, 16) if word else 0
    return held % (1 << VALUE_BITS) if held >> VALUE_BITS else None


def _value(answer: tuple[int, bool] | None) -> int | None:
    return answer[0] if answer is not None and answer[1] else None
