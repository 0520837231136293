"""What is asked of a server that runs a model, through any subject: each a coroutine that raises where it is not so."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Awaitable, Callable

from tests.servers.subjects import HI, WAYS, Subject
from tests.servers.tool import weather

SHORT = {"max_tokens": 4}
Feature = Callable[[Subject], Awaitable[None]]


async def whole(subject: Subject) -> None:
    """The same words, both ways, with usage and the reason of the end."""
    texts = set()
    for way in ("whole", "awhole"):
        answer = await subject.ask(way)
        assert answer.usage
        assert answer.usage[1] > 0
        assert answer.finish in ("stop", "length")
        texts.add(answer.text)
    assert len(texts) == 1
    assert texts.pop()


async def streamed(subject: Subject) -> None:
    """Pieces that add up to the same words, with usage and the reason of the end."""
    said = (await subject.ask("whole")).text
    for way in ("stream", "astream"):
        answer = await subject.ask(way)
        assert "".join(answer.pieces) == answer.text == said
        assert len(answer.pieces) > 1
        assert answer.usage, "no usage"
        assert answer.finish in ("stop", "length"), "no reason of the end"


async def tools(subject: Subject) -> None:
    """A call that must be made, with arguments that fit its schema."""
    for way in WAYS:
        answer = await subject.ask(way, "The weather in Oslo, please.", weather)
        ((name, arguments),) = answer.calls
        assert name == "weather"
        assert arguments["place"] in ("Oslo", "Rome")


async def json_schema(subject: Subject) -> None:
    """An object of a class."""
    found = [await subject.value(way, "The sun shines, and we are happy.") for way in WAYS]
    assert [type(value).__name__ for value in found] == ["Mood"] * 4
    assert {value.mood for value in found} <= {*("good", "bad")}


async def logprobs(subject: Subject) -> None:
    """The probabilities of the tokens, streamed too."""
    for way in WAYS:
        answer = await subject.ask(way, logprobs=True, top_logprobs=2, **SHORT)
        assert answer.text.startswith(answer.logprobs[0]), "no log probabilities"


async def several(subject: Subject) -> None:
    """Two answers to one request."""
    texts = await subject.several(HI, 2)
    assert len(texts) == 2
    assert all(texts)


async def cancel(subject: Subject) -> None:
    """Who leaves a stream ends its generation: the server has nothing to do long before the answer would be whole."""
    for way in ("stream", "astream"):
        await subject.first_piece(way, max_tokens=3800, **_endless(subject))
        deadline = time.monotonic() + 10
        while _busy(subject):
            assert time.monotonic() < deadline, "the server still generates"
            await asyncio.sleep(0.05)


def _endless(subject: Subject) -> dict[str, object]:
    return {"extra_body": {"ignore_eos": True}} if subject.server.slots else {}


def _busy(subject: Subject) -> bool:
    asked = urllib.request.Request(
        subject.server.slots, headers={"Authorization": f"Bearer {subject.server.slots_key}"}
    )
    with urllib.request.urlopen(asked) as answer:
        return any(slot["is_processing"] for slot in json.load(answer))


async def sixty(subject: Subject) -> None:
    """Sixty requests, each after a stream on the same connections, none lost and none retried."""
    for turn in range(60):
        stream, plain = ("stream", "whole") if turn % 2 else ("astream", "awhole")
        await subject.ask(stream, max_tokens=1)
        await subject.ask(plain, max_tokens=1)


async def twenty(subject: Subject) -> None:
    """Twenty at once, whole and streamed."""
    ways = ["awhole", "astream"] * 10
    answers = await asyncio.gather(*(subject.ask(way, **SHORT) for way in ways))
    assert len({answer.text for answer in answers}) == 1


FEATURES: dict[str, Feature] = {
    "whole": whole,
    "streamed": streamed,
    "tools": tools,
    "`json_schema`": json_schema,
    "`logprobs`": logprobs,
    "`n`": several,
    "leaving a stream ends it": cancel,
    "sixty requests, each after a stream": sixty,
    "twenty at once": twenty,
}
