"""ERC-20: what a token says about itself, and the tokens that the user's file lists by role."""

from chain.deployments import Deployment
from chain.findings import ASSET_KINDS, Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.together import Inquiry
from chain.readers import erc4626, rate_tokens
from chain.units import WAD, native_id, token_id

VERSION = 2
LONGEST = {"symbol": 64, "name": 256}
"""Characters that are kept; anybody can deploy a token whose name is a megabyte."""
DESCRIPTION = {
    "symbol": "symbol()->(bytes)",  # a string, but not believed to be UTF-8
    "symbol_bytes": "symbol()->(bytes32)",
    "name": "name()->(bytes)",
    "name_bytes": "name()->(bytes32)",
    "decimals": "decimals()->(uint8)",
    "supply": "totalSupply()->(uint256)",
}


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Take up the tokens of the file: mention each with its role, and read what stands behind wrapped native coin, vault shares and staked ether.

    Raises
    ------
    ContractError
        If an address is no token: every ERC-20 answers totalSupply.
    """
    client.call_many([Call(token.address, DESCRIPTION["supply"]) for token in deployment.tokens])
    for done, token in enumerate(deployment.tokens):
        progress("erc20", done, len(deployment.tokens), token.symbol)
        if token.role == "wrapped_native":
            _wrapped_native(client, token.address, found)
        elif token.role == "erc4626":
            erc4626.read(client, token.address, deployment, found)
        elif token.role == "wsteth":
            rate_tokens.wsteth(client, token.address, deployment, found)
        elif token.role == "reth":
            rate_tokens.reth(client, token.address, deployment, found)
        else:
            found.token(token.address, token.role)
        found.tokens[token.address].name = token.symbol
    progress("erc20", len(deployment.tokens), len(deployment.tokens), "done")


def _wrapped_native(client: Client, address: str, found: Findings) -> None:
    """One wrapped coin is one coin, held by the contract."""
    [held] = client.native_balances([address])
    symbol = client.network.native_symbol
    native = found.known_asset(
        native_id(client.chain), "chain registry", chain=client.chain, symbol=symbol, decimals=18, kind="native"
    )
    found.add(
        "backings",
        f"balance of {address} block {found.anchor.number}",
        claim=found.token(address, "wrapped_native", found.entity(address, "token")),
        backing=native,
        holder=found.entity(address, "token"),
        amount_raw=held,
        rate_wad=WAD,
        redemption="instant",
        delay_seconds=0,
        capacity_raw=held,
        fee_wad=0,
    )


def describe(client: Client, found: Findings) -> Inquiry[None]:
    """Add an asset row for every token that was mentioned, each asked once.

    A token without a readable symbol is labelled by its address; one without decimals is counted in its smallest unit (0), and said so.
    """
    # Ask
    answers = yield {
        (address, name): Call(address, text, optional=True)
        for address in found.tokens
        for name, text in DESCRIPTION.items()
    }

    # Rows
    for address, mention in found.tokens.items():
        decimals = answers[address, "decimals"]
        if decimals is None:
            found.gaps.append(
                f"{token_id(client.chain, address)} answers no decimals; it is counted in its smallest unit"
            )
        texts = {part: _text(answers[address, part], answers[address, f"{part}_bytes"]) for part in LONGEST}
        for part, most in LONGEST.items():
            if len(texts[part]) > most:
                found.gaps.append(
                    f"{token_id(client.chain, address)} has a {part} of {len(texts[part]):,} characters; {most} are kept"
                )
        symbol = texts["symbol"][: LONGEST["symbol"]] or address
        if mention.name and mention.name != symbol:
            found.gaps.append(f"the deployments file calls {address} {mention.name}, the contract says {symbol}")
        found.add(
            "assets",
            found.asked("decimals", address),
            asset=token_id(client.chain, address),
            chain=client.chain,
            address=address,
            symbol=symbol,
            name=texts["name"][: LONGEST["name"]] or None,
            decimals=decimals or 0,
            kind=mention.kind if mention.kind in ASSET_KINDS else "token",
            issuer=mention.issuer,
            total_supply_raw=answers[address, "supply"],
        )


def _text(text: bytes | None, early: bytes | None) -> str:
    """A symbol or name: text, or the bytes32 of early tokens; empty if neither can be read.

    What is no UTF-8 is replaced; what does not print (control characters, changes of direction) is left out.
    """
    raw = text if text is not None else (early or b"").rstrip(b"\0")
    return "".join(sign for sign in raw.decode("utf-8", errors="replace") if sign.isprintable()).strip()
