"""The faults: what each does to an exchange, as public nodes and the networks before them do it.

A *passing* fault spoils a few requests and is gone; a *standing* one is a property of the node (the widest range it answers, the
longest body it takes) that a reader has to live with.
"""

import email.utils
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.chain.faults.proxy import Exchange, Json, Reply

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
HTML_TYPE = {"Content-Type": "text/html"}
Act = Callable[[Exchange, random.Random], Reply | None]


@dataclass(frozen=True)
class Kind:
    """A fault: which exchanges it fits, what it does to them, whether it stays, and how many fitting exchanges it may let pass first."""

    act: Act
    fits: Callable[[Exchange], bool] = lambda _: True
    stands: bool = False
    most_skipped: int = 12
    most_times: int = 3


def batched(exchange: Exchange) -> bool:
    """Whether several questions travel together."""
    return len(exchange.questions) > 1


def _asks(*methods: str) -> Callable[[Exchange], bool]:
    return lambda exchange: bool(exchange.methods & set(methods))


def _error(question: Json, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": question["id"], "error": {"code": code, "message": message}}


def _refused(exchange: Exchange, code: int, message: str) -> Reply:
    """An error for each question, or one for the whole batch."""
    return exchange.reply([_error(question, code, message) for question in exchange.questions])


def _busy(_: Exchange, draw: random.Random) -> Reply:
    return Reply(b"slow down", 429, headers=draw.choice(({}, HTML_TYPE)))


def _busy_until(_: Exchange, draw: random.Random) -> Reply:
    date = email.utils.formatdate(time.time() + 1, usegmt=True)
    return Reply(b"slow down", 429, {"Retry-After": draw.choice(("0", "1", date))})


def _busy_inside(exchange: Exchange, draw: random.Random) -> Reply:
    """One question of a batch is told to slow down, the others are answered."""
    answers = exchange.answers()
    place = draw.randrange(len(answers))
    answers[place] = _error(exchange.questions[place], 429, "Too many requests, your app exceeded its compute units")
    return exchange.reply(answers)


def _page(_: Exchange, draw: random.Random) -> Reply:
    return Reply(HTML, draw.choice((200, 502, 503)), HTML_TYPE)


def _cut(exchange: Exchange, draw: random.Random) -> Reply:
    """Truncated JSON: the length says so, or the connection ends before the stated length."""
    body = exchange.reply(exchange.answers()).body
    return Reply(body[: draw.randrange(1, len(body))], how=draw.choice(("whole", "short")))


def _wrong_ids(exchange: Exchange, draw: random.Random) -> Reply:
    """Ids that nobody gave, one id twice, or none."""
    answers = exchange.answers()
    how = draw.choice(("foreign", "twice", "none") if batched(exchange) else ("foreign", "none"))
    place = draw.randrange(len(answers))
    other = answers[place - 1]["id"] if how == "twice" else 987_654_321 if how == "foreign" else None
    answers[place] = {**answers[place], "id": other}
    return exchange.reply(answers)


def _shuffled(exchange: Exchange, draw: random.Random) -> Reply:
    """All answers with the right ids, in another order, as JSON-RPC allows."""
    answers = exchange.answers()
    draw.shuffle(answers)
    return exchange.reply(answers)


def _missing(exchange: Exchange, draw: random.Random) -> Reply:
    answers = exchange.answers()
    return exchange.reply(draw.sample(answers, draw.randrange(len(answers))))


def _doubled(exchange: Exchange, draw: random.Random) -> Reply:
    """As many answers as questions, but one is missing and another is there twice."""
    answers = exchange.answers()
    kept = draw.randrange(1, len(answers))
    return exchange.reply([*answers[:kept], answers[kept - 1], *answers[kept + 1 :]])


def _stale_head(exchange: Exchange, draw: random.Random) -> Reply:
    """`latest` is a few blocks old while everything else is not."""
    lag = draw.randrange(1, 8)
    answers = exchange.answers()
    for question, answer in zip(exchange.questions, answers, strict=True):
        if question["method"] == "eth_blockNumber":
            answer["result"] = hex(int(answer["result"], 16) - lag)
    return exchange.reply(answers)


def _vanished(exchange: Exchange, draw: random.Random) -> Reply | None:
    """Some events of the range are not there, as on a node whose index is behind."""
    answers = exchange.answers()
    lost = False
    for question, answer in zip(exchange.questions, answers, strict=True):
        if question["method"] == "eth_getLogs" and answer.get("result"):
            kept = draw.randrange(len(answer["result"]))
            answer["result"] = answer["result"][:kept]
            lost = True
    return exchange.reply(answers) if lost else None


def _too_long(limit: int) -> Act:
    return lambda exchange, _: Reply(b"request entity too large", 413) if len(exchange.raw) > limit else None


def _too_large(limit: int) -> Act:
    def act(exchange: Exchange, _: random.Random) -> Reply | None:
        reply = exchange.reply(exchange.answers())
        return _refused(exchange, -32008, "response size exceeded") if len(reply.body) > limit else None

    return act


def limited_ranges(exchange: Exchange, blocks: int, logs: int, words: str) -> Reply | None:
    """Answers where the range is narrow enough and the events are few enough, else errors in one of the dialects of nodes."""
    answers = exchange.answers()
    refused = False
    for place, question in enumerate(exchange.questions):
        if question["method"] == "eth_getLogs":
            [query] = question["params"]
            width = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 if "toBlock" in query else 1
            if width > blocks or (width > 1 and len(answers[place].get("result") or ()) > logs):
                answers[place] = _error(question, -32005 if "more than" in words else -32602, words)
                refused = True
    return exchange.reply(answers) if refused else None


KINDS: Mapping[str, Kind] = {
    "time-out": Kind(lambda *_: Reply(how="silent"), most_times=2),
    "reset": Kind(lambda *_: Reply(how="reset")),
    "429": Kind(_busy),
    "429 with Retry-After": Kind(_busy_until, most_times=2),
    "429 inside a batch": Kind(_busy_inside, batched, most_skipped=5),
    "413": Kind(_too_long(20_000), stands=True),
    "response too large": Kind(_too_large(60_000), stands=True),
    "HTML page": Kind(_page),
    "truncated JSON": Kind(_cut),
    "wrong ids": Kind(_wrong_ids),
    "shuffled batch": Kind(_shuffled, batched, most_skipped=3),
    "missing items": Kind(_missing, batched, most_skipped=3),
    "an item twice": Kind(_doubled, batched, most_skipped=3),
    "stale latest": Kind(_stale_head, _asks("eth_blockNumber"), most_skipped=0, most_times=1),
    "vanishing logs": Kind(_vanished, _asks("eth_getLogs"), most_skipped=1, most_times=2),
    "40 blocks": Kind(lambda e, _: limited_ranges(e, 40, 10**9, "block range is too wide"), stands=True),
    "100 logs": Kind(lambda e, _: limited_ranges(e, 10**9, 100, "query returned more than 100 results"), stands=True),
}
"""Faults of one connection; those that need a second node are in `nodes.py`."""


@dataclass
class Fault:
    """A kind at work: lets `skip` fitting exchanges pass, spoils `times` of them, and counts those in `fired`."""

    name: str
    kind: Kind
    draw: random.Random
    skip: int = 0
    times: int = 1
    fired: int = 0

    def __call__(self, exchange: Exchange) -> Reply | None:
        """The reply in place of the node's, or None."""
        if not self.kind.fits(exchange):
            return None
        if self.kind.stands:
            reply = self.kind.act(exchange, self.draw)
            self.fired += reply is not None
            return reply
        if self.skip:
            self.skip -= 1
            return None
        if self.times == 0:
            return None
        reply = self.kind.act(exchange, self.draw)
        if reply is not None:
            self.times -= 1
            self.fired += 1
        return reply

    def heal(self) -> None:
        """Stop, unless the fault is how the node is."""
        self.times = 0


def drawn(name: str, kind: Kind, draw: random.Random) -> Fault:
    """A fault of this kind at a random place."""
    return Fault(name, kind, draw, draw.randint(0, kind.most_skipped), draw.randint(1, kind.most_times))
