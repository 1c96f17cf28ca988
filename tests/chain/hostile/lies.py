"""A node that lies: answers of wrong types, lengths and ranges, by seed. What it says may be wrong; what reads it may not fall over."""

import random
from dataclasses import dataclass
from typing import Any

from tests.chain.faults.proxy import Exchange, Json, Reply

ODD_VALUES: tuple[Any, ...] = (
    *(None, 0, -1, 17, 2**256, 1.5, True, [], [[]], {}, {"hash": None}),
    *("", "0x", "0x0", "0x1", "x", "0xzz", "0x123", "latest", "\ud800", "\x00", "../../x"),
    *("0x" + "f" * 64, "0x" + "f" * 65, "-0x1", "0x" + "ff" * 40_000),
)
ODD_ERRORS: tuple[Any, ...] = (
    *("no", 7, [], True),
    *({}, {"code": "x"}, {"code": 10**30, "message": None}, {"code": 3, "message": ["reverted"], "data": "0xzz"}),
    {"code": 3, "message": "execution reverted", "data": {"data": 5}},
    {"code": -32000, "message": "execution reverted", "data": "0x08c379a0" + "ff" * 64},
    {"code": -32000, "message": "execution reverted", "data": "0x4e487b71"},
)


@dataclass
class Liar:
    """Spoils each answer with a chance of `share`."""

    draw: random.Random
    share: float
    told: int = 0

    def __call__(self, exchange: Exchange) -> Reply | None:
        """The node's answers, some of them spoilt; None if none is."""
        if self.draw.random() > min(1.0, self.share * len(exchange.questions)):
            return None
        self.told += 1
        answers = exchange.answers()
        place = self.draw.randrange(len(answers))
        answers[place] = self.spoilt(answers[place])
        return exchange.reply(answers)

    def spoilt(self, answer: Json) -> Json:
        """One answer with something wrong in it."""
        how = self.draw.randrange(10)
        if how == 0:
            return {
                **{name: value for name, value in answer.items() if name != "result"},
                "error": self.draw.choice(ODD_ERRORS),
            }
        if how == 1 or "result" not in answer:
            return {**answer, "result": self.draw.choice(ODD_VALUES)}
        return {**answer, "result": self.bent(answer["result"])}

    def bent(self, value: Any) -> Any:
        """A value of the same kind, with another length, range or content somewhere in it."""
        if isinstance(value, dict) and value:
            name = self.draw.choice(sorted(value))
            other = {
                **value,
                name: self.bent(value[name]) if self.draw.random() < 0.5 else self.draw.choice(ODD_VALUES),
            }
            return other if self.draw.random() < 0.8 else {key: one for key, one in other.items() if key != name}
        if isinstance(value, list) and value:
            place = self.draw.randrange(len(value))
            middle = self.draw.choice(
                ([], [self.bent(value[place])], [value[place]] * 2, [self.draw.choice(ODD_VALUES)])
            )
            return [*value[:place], *middle, *value[place + 1 :]]
        if isinstance(value, str) and value.startswith("0x"):
            return "0x" + self._bytes(value[2:])
        return self.draw.choice(ODD_VALUES)

    def _bytes(self, text: str) -> str:
        place = self.draw.randrange(len(text) + 1)
        word = place // 64 * 64
        return self.draw.choice(
            (
                text[:place],
                text[: place // 2 * 2],
                text + "00" * self.draw.randrange(1, 64),
                text[:word] + "f" * 64 + text[word + 64 :],
                text[:word] + "0" * 64 + text[word + 64 :],
                text[:word] + text[word + 64 :],
                text[:word] + f"{self.draw.getrandbits(256):064x}" + text[word + 64 :],
                text[:place] + f"{self.draw.randrange(16):x}" + text[place + 1 :],
            )
        )
