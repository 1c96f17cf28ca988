"""Compound V2 accounts: everybody who ever held a cToken or borrowed, with what the contract would count for them at the block.

Holders come from Transfer events. What an account owes is a principal and the market's index when that was written; no function tells
the two, but events do: Borrow and RepayBorrow carry the principal, the AccrueInterest before them the index. Each is held against
borrowBalanceStored. Source: CToken.borrowFresh, repayBorrowFresh, accrueInterest, initialize (npm @thenextblock/hardhat-compound 0.0.14,
dist/contracts); cTokens of 2019 leave the cash out of AccrueInterest (compound-finance/compound-protocol@bbe06fb, networks/mainnet-abi.json).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.accounting.compound_v2 import Market, borrow_balance, exchange_rate
from chain.findings import Findings
from chain.node.calls import Call, Log, event_topic
from chain.node.client import Client
from chain.readers.holders import ever_held
from chain.units import WAD

WRITTEN = {
    event_topic("Borrow(address,uint256,uint256,uint256)"): 0,  # who, amount, principal, all debts
    event_topic("RepayBorrow(address,address,uint256,uint256,uint256)"): 1,  # payer, who, amount, principal, all debts
}
"""Event that writes a debt down -> which of its words is who owes; the principal is two further, the sum of all debts three."""
ACCRUED = {
    event_topic("AccrueInterest(uint256,uint256,uint256,uint256)"): 2,
    event_topic("AccrueInterest(uint256,uint256,uint256)"): 1,
}
"""Event of interest -> which of its words is the index; the next is the sum of all debts."""
FIRST_INDEX = WAD
SNAPSHOT = (
    "getAccountSnapshot(address)->(uint256,uint256,uint256,uint256)"  # error, cTokens, debt as stored, rate as stored
)
MEMBER = "checkMembership(address,address)->(bool)"
LIQUIDITY = "getAccountLiquidity(address)->(uint256,uint256,uint256)"


@dataclass(frozen=True)
class Reserve:
    """One cToken: what it lends, as it stands in its storage and accrued to the block, and its exchange rate as stored (1e-18)."""

    ctoken: str
    asset: str
    stored: Market
    now: Market
    stored_rate: int

    @property
    def rate(self) -> int:
        """Exchange rate at the block, 1e-18; as long as there is no cToken, the first one's."""
        return exchange_rate(self.now.supplied_raw, self.now.ctokens) if self.now.ctokens else self.stored_rate


@dataclass
class Debts:
    """What the events of one cToken tell: by account the principal and the index it was written at; how often was rounded.

    `accruals` and `writings` count events, `most` is the largest sum of all debts that they name.
    """

    written: dict[str, tuple[int, int]] = field(default_factory=dict)
    accruals: int = 0
    writings: int = 0
    most: int = 0


def read(
    client: Client, market: str, comptroller: str, first_block: int, reserves: Sequence[Reserve], found: Findings
) -> None:
    """Read every position of a comptroller; ContractError if a contract refuses."""
    # Where
    by_ctoken = {reserve.ctoken: reserve for reserve in reserves}
    held_by = ever_held(client, list(by_ctoken), first_block)
    debts = debts_of(client, list(by_ctoken), first_block)

    # Ask
    places = [(at, who) for at in by_ctoken for who in sorted(held_by[at] | set(debts[at].written))]
    snapshots = client.ask({(at, who): Call(at, SNAPSHOT, (who,)) for at, who in places})
    places = [(at, who) for at, who in places if any(snapshots[at, who][1:3]) or debts[at].written.get(who, (0,))[0]]
    members = client.ask({(at, who): Call(comptroller, MEMBER, (who, at)) for at, who in places})
    accounts = sorted({who for _, who in places})
    liquidities = client.ask({who: Call(comptroller, LIQUIDITY, (who,), optional=True) for who in accounts})

    # Decode and rows
    for at, who in places:
        reserve = by_ctoken[at]
        error, ctokens, owed, _ = snapshots[at, who]
        if error:
            found.gaps.append(f"{market}: {at} answers error {error} for the account {who}")
        principal, index = debts[at].written.get(who, (0, FIRST_INDEX))
        rows = {
            "supply": (ctokens, reserve.rate, WAD, ctokens * reserve.rate // WAD),
            "debt": (principal, reserve.now.borrow_index, index, borrow_balance(principal, index, reserve.now.borrow_index)),
        }  # fmt: skip
        for side, (stored, over, under, amount) in rows.items():
            if not stored:
                continue
            found.add(
                "positions",
                found.asked("getAccountSnapshot", at) if side == "supply" else f"event Borrow or RepayBorrow @{at}",
                market=market,
                position_id=who,
                asset=reserve.asset,
                side=side,
                owner=found.entity(who, "account"),
                stored_raw=stored,
                index_raw=over,
                index_unit_raw=under,
                amount_raw=amount,
                collateral_enabled=side == "supply" and members[at, who],
                category=0,
            )
        found.witness("stored debt", (market, who, reserve.asset, "debt"), owed)
    for reserve in reserves:
        told = debts[reserve.ctoken]
        counts = (told.accruals, told.writings, told.most)
        found.witness("stored market", (market, reserve.asset), (reserve.stored, reserve.stored_rate, counts))
    for who, answer in liquidities.items():
        if answer is None or answer[0]:
            found.gaps.append(f"{market}: the comptroller does not tell the liquidity of {who}, so it was not checked")
        else:
            found.witness("liquidity", (market, who), answer[1:])


def debts_of(client: Client, ctokens: Sequence[str], first_block: int) -> dict[str, Debts]:
    """By cToken: principal and index of everybody who ever borrowed there."""
    # Where
    last, told = client.anchor.number, {ctoken: Debts() for ctoken in ctokens}
    indices: dict[str, list[tuple[tuple[int, int], int]]] = {ctoken: [((-1, 0), FIRST_INDEX)] for ctoken in ctokens}
    changes: dict[tuple[str, str], list[tuple[tuple[int, int], int]]] = defaultdict(list)

    # Ask
    for topic, place in ACCRUED.items():
        for log in client.logs(ctokens, topic, first_block, last):
            words, debts = _words(log), told[log.address]
            indices[log.address].append((_when(log), words[place]))
            debts.accruals, debts.most = debts.accruals + 1, max(debts.most, words[place + 1])
    for topic, place in WRITTEN.items():
        for log in client.logs(ctokens, topic, first_block, last):
            words, debts = _words(log), told[log.address]
            changes[log.address, f"0x{words[place]:040x}"].append((_when(log), words[place + 2]))
            debts.writings, debts.most = debts.writings + 1, max(debts.most, words[place + 3])

    # Decode
    for ctoken in ctokens:
        indices[ctoken].sort()
    for (ctoken, who), written in changes.items():
        when, principal = max(written)
        then = indices[ctoken][bisect_left(indices[ctoken], (when, 0)) - 1][1]
        told[ctoken].written[who] = (principal, then)
    return told


def _words(log: Log) -> list[int]:
    data = log.data.removeprefix("0x")
    return [int(data[start : start + 64], 16) for start in range(0, len(data), 64)]


def _when(log: Log) -> tuple[int, int]:
    return log.block_number, log.log_index
