"""What can be asked at the pinned block besides a call: code, storage, native coin, what a call reads, what it answered earlier.

Each is a value that says which question it is and what an answer means, so that all of it travels with calls (`Client.ask`).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from chain.node.bundles import CODE_START
from chain.node.calls import Call
from chain.node.questions import Question
from chain.node.rpc import Refusal


@dataclass(frozen=True)
class _OfAddress:
    """What a node says of an address alone; each kind states its method."""

    address: str
    method: ClassVar[str]
    may_refuse: ClassVar[bool] = False

    @property
    def question(self) -> Question:
        """As a source is asked."""
        return Question(self.method, (self.address,), "pinned")


class Code(_OfAddress):
    """The whole code at an address; `0x` where there is none."""

    method = "eth_getCode"

    def read(self, answer: Any) -> str:
        """The bytes as text."""
        return str(answer)


class CodeStart(Code):
    """How the code at an address begins, its first three bytes; `0x` where there is none."""

    method = CODE_START


class NativeBalance(_OfAddress):
    """Native coin at an address, in its smallest unit."""

    method = "eth_getBalance"

    def read(self, answer: Any) -> int:
        """The amount."""
        return int(answer, 16)


@dataclass(frozen=True)
class Slot:
    """The 32 bytes in a storage slot of an address; None where the node refuses to say."""

    address: str
    slot: str
    may_refuse: ClassVar[bool] = True

    @property
    def question(self) -> Question:
        """As a source is asked."""
        return Question("eth_getStorageAt", (self.address, self.slot), "pinned")

    def read(self, answer: Any) -> str | None:
        """The bytes as text."""
        return None if isinstance(answer, Refusal) else str(answer).lower()


@dataclass(frozen=True)
class Earlier:
    """What a call answered at an earlier block; None where the contract refuses or the node does not know (an archive node does)."""

    call: Call
    block: int
    may_refuse: ClassVar[bool] = True

    @property
    def question(self) -> Question:
        """As a source is asked."""
        return Question("eth_call", (self.call.message, hex(self.block)), "guarded")

    def read(self, answer: Any) -> Any:
        """The answer, decoded."""
        try:
            return None if isinstance(answer, Refusal) else self.call.decoded(bytes.fromhex(answer[2:]))
        except ValueError:
            return None


@dataclass(frozen=True)
class Touched:
    """How many storage slots and other contracts a call reads (eth_createAccessList); None where the node does not say."""

    call: Call
    may_refuse: ClassVar[bool] = True

    @property
    def question(self) -> Question:
        """As a source is asked."""
        return Question("eth_createAccessList", (self.call.message,), "pinned")

    def read(self, answer: Any) -> int | None:
        """Entries of the list: some nodes list the contract that is asked, without slots, though it is no other."""
        if not isinstance(answer, dict) or answer.get("error") or not isinstance(answer.get("accessList"), list):
            return None
        entries: list[tuple[str, int]] = [
            (one["address"].lower(), len(one["storageKeys"])) for one in answer["accessList"]
        ]
        return sum(slots + (address != self.call.address) for address, slots in entries)


Fact = Code | NativeBalance | Slot | Earlier | Touched
Asked = Call | Fact
