"""Inquiries that do not wait for each other, made side by side: what each asks next travels with what the others ask.

An inquiry is a generator. It yields what it asks, by names of its own, is sent the answers under these names, and returns what it found.
So it reads from top to bottom like any function, and as many rounds are made as the longest of them needs, not as all of them together.
Events are asked for inside, at once: they have rounds of their own (`logs`).
"""

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

from chain.node.client import Client
from chain.node.facts import Asked

Found = TypeVar("Found")
Inquiry = Generator[Mapping[Any, Asked], dict[Any, Any], Found]


def together(client: Client, *inquiries: Inquiry[Any]) -> list[Any]:
    """What each inquiry found, in their order; the first error of any ends all."""
    found: list[Any] = [None] * len(inquiries)
    answers: dict[int, Any] = dict.fromkeys(range(len(inquiries)))
    while answers:
        asks: dict[tuple[int, Any], Asked] = {}
        for place, answer in answers.items():
            try:
                wanted = inquiries[place].send(answer)
                while not wanted:
                    wanted = inquiries[place].send({})
                asks |= {(place, name): ask for name, ask in wanted.items()}
            except StopIteration as end:
                found[place] = end.value
        answers = {place: {} for place, _ in asks}
        for (place, name), answer in client.ask(asks).items():
            answers[place][name] = answer
    return found
