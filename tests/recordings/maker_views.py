"""What Maker's own contracts say at the block of a recording, asked one by one: what the test compares the reader's rows with."""

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import decode, encode

from chain.node.calls import function
from chain.node.resumable import ResumableClient
from chain.snapshot import Snapshot
from tests.recordings.maker_crvusd_tape import view


def word(text: str) -> bytes:
    """A name as bytes32."""
    return text.encode().ljust(32, b"\0")


def views(client: ResumableClient, snapshot: Snapshot, books: Mapping[str, str]) -> dict[Any, Any]:
    """What the contracts themselves say at the block, asked one by one: what the test compares the rows with."""
    found: dict[Any, Any] = {}

    def ask(to: str, text: str, *arguments: Any, sender: str | None = None) -> Any:
        shape = function(text)
        data = shape.selector + encode(shape.inputs, arguments)
        answer = decode(shape.outputs, view(client, to, data, sender))
        return answer[0] if len(answer) == 1 else answer

    for market in snapshot["markets"].to_dict("records"):
        ilk = word(market["market"].rsplit("/", 1)[1])
        found["drip", market["market"]] = ask(books["jug"], "drip(bytes32)->(uint256)", ilk)
        found["ilk", market["market"]] = ask(
            books["vat"], "ilks(bytes32)->(uint256,uint256,uint256,uint256,uint256)", ilk
        )
        found["dog", market["market"]] = ask(books["dog"], "ilks(bytes32)->(address,uint256,uint256,uint256)", ilk)
        found["jug", market["market"]] = ask(books["jug"], "ilks(bytes32)->(uint256,uint256)", ilk)
        found["spotter", market["market"]] = ask(books["spotter"], "ilks(bytes32)->(address,uint256)", ilk)
        pip = found["spotter", market["market"]][0]
        for name in ("peek", "peep"):
            found[name, market["market"]] = ask(pip, f"{name}()->(bytes32,bool)", sender=books["spotter"])
        found["pass", market["market"]] = ask(pip, "pass()->(bool)")
        for who in sorted({row["position_id"] for row in snapshot["positions"].to_dict("records")}):
            at = who.removesuffix("/gem")
            found["urn", market["market"], at] = ask(books["vat"], "urns(bytes32,address)->(uint256,uint256)", ilk, at)
            found["gem", market["market"], at] = ask(books["vat"], "gem(bytes32,address)->(uint256)", ilk, at)
    for row in snapshot["balances"].to_dict("records"):
        found["dai", row["holder"]] = ask(books["vat"], "dai(address)->(uint256)", row["holder"].rsplit(":", 1)[1])
    for row in snapshot["auctions"].to_dict("records"):
        if row["state"] == "running":
            clip, number = row["auction"].rsplit("/", 2)[1:]
            found["status", row["auction"]] = ask(
                clip, "getStatus(uint256)->(bool,uint256,uint256,uint256)", int(number)
            )
            found["count", clip] = ask(clip, "count()->(uint256)")
    for name in ("Sin", "Ash", "hump", "wait", "dump", "sump", "bump"):
        found["vow", name] = ask(books["vow"], f"{name}()->(uint256)")
    for name in ("dai", "sin"):
        found["vow", name] = ask(books["vat"], f"{name}(address)->(uint256)", books["vow"])
    for name in ("debt", "vice", "Line"):
        found["vat", name] = ask(books["vat"], f"{name}()->(uint256)")
    found["Dirt"] = ask(books["dog"], "Dirt()->(uint256)")
    found["supply"] = ask(books["dai"], "totalSupply()->(uint256)")
    return found
