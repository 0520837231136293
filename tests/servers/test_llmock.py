"""LLMock: OpenAI's form from another hand, with limits, faults in mid-stream and tool calls of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from geekai_core import ContextOverflowError, GeekAIError, RateLimitError, ServerError, StreamInterruptedError
from tests.servers import servers
from tests.servers.conftest import Make, entered
from tests.servers.features import streamed, twenty, whole
from tests.servers.running import Server
from tests.servers.subjects import WAYS
from tests.servers.tool import weather

Start = Callable[..., Server]


@pytest.fixture
def started() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda *arguments: entered(stack, servers.llmock(*arguments))


async def test_answers_calls_and_many_at_once(started: Start, subject_of: Make) -> None:
    subject = subject_of(started())
    for feature in (whole, streamed, twenty):
        await feature(subject)
    for way in WAYS:
        ((name, arguments),) = (await subject.ask(way, "The weather in Oslo, please.", weather)).calls
        assert (name, [*arguments]) == ("weather", ["place"])


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitError), (500, ServerError), (503, ServerError)])
async def test_errors_are_of_their_class(
    status: int, kind: type[GeekAIError], started: Start, subject_of: Make
) -> None:
    subject = subject_of(started("--error-rate", f"{status}=1"))
    for way in WAYS:
        with pytest.raises(kind, match=str(status)):
            await subject.ask(way)


async def test_a_prompt_that_is_too_long_is_named(started: Start, subject_of: Make) -> None:
    subject = subject_of(started("--context-window", "50"))
    for way in WAYS:
        with pytest.raises(ContextOverflowError):
            await subject.ask(way, "tea " * 500)


async def test_a_limit_per_minute_is_told_with_its_wait(started: Start, subject_of: Make) -> None:
    subject = subject_of(started("--rpm", "2"))
    for way in ("whole", "astream"):
        await subject.ask(way)
    with pytest.raises(RateLimitError) as caught:
        await subject.ask("awhole")
    assert float(caught.value.headers["retry-after"]) > 0


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "malformed"])
async def test_a_broken_stream_is_never_a_whole_answer(fault: str, started: Start, subject_of: Make) -> None:
    subject: Any = subject_of(started("--stream-fault", f"{fault}=1"), max_retries=2)
    for way in ("stream", "astream"):
        with pytest.raises(StreamInterruptedError if fault != "malformed" else GeekAIError):
            await subject.ask(way)
