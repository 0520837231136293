"""LiteLLM's proxy: before llama.cpp, with its own mock answers, and before a server that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from geekai_core import APIStatusError, BadRequestError, ContextOverflowError, RateLimitError, ServerError
from geekai_testing.replies import error
from geekai_testing.scripted import ScriptedServer
from tests.servers import servers
from tests.servers.conftest import Make, entered
from tests.servers.features import FEATURES
from tests.servers.running import Server
from tests.servers.subjects import WAYS
from tests.servers.tool import weather

MOCKS: dict[str, Any] = {
    "hello": "Hello from the mock.",
    "rate": "litellm.RateLimitError",
    "context": "litellm.ContextWindowExceededError",
    "internal": "litellm.InternalServerError",
    "policy": "Exception: content_filter_policy: this is a mock policy violation",
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Oslo"}'}}


@pytest.fixture(scope="module")
def failing() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(llama_cpp: Server, failing: ScriptedServer) -> Iterator[Server]:
    mocks = [
        {"name": name, "model": "openai/any", "api_key": "any", "mock_response": said} for name, said in MOCKS.items()
    ]
    mocks.append({"name": "calls", "model": "openai/any", "api_key": "any", "mock_tool_calls": [CALL]})
    relayed = {
        "name": "relayed",
        "model": "openai/any",
        "api_key": "any",
        "api_base": failing.base_url,
        "max_retries": 0,
    }
    with ExitStack() as stack:
        yield entered(stack, servers.litellm(servers.through_litellm(llama_cpp), relayed, *mocks))


def model(proxy: Server, name: str) -> Server:
    """One of the proxy's models."""
    return Server(proxy.url, proxy.key, name)


@pytest.mark.parametrize("feature", FEATURES)
async def test_llama_cpp_behind_litellm(feature: str, proxy: Server, llama_cpp: Server, subject_of: Make) -> None:
    await FEATURES[feature](subject_of(Server(proxy.url, proxy.key, "local", llama_cpp.slots, llama_cpp.key)))


async def test_a_mock_answer_comes_whole_and_in_pieces(proxy: Server, subject_of: Make) -> None:
    subject = subject_of(model(proxy, "hello"))
    assert [(await subject.ask(way)).text for way in WAYS] == [MOCKS["hello"]] * 4


async def test_mock_tool_calls_are_calls(proxy: Server, subject_of: Make) -> None:
    """Whole: LiteLLM leaves them out of its mock streams."""
    subject = subject_of(model(proxy, "calls"))
    for way in ("whole", "awhole"):
        assert (await subject.ask(way, tool=weather)).calls == [("weather", {"place": "Oslo"})]


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("rate", RateLimitError, "mock rate limit"),
        ("context", ContextOverflowError, "mock context window"),
        ("internal", ServerError, "mock internal server error"),
        ("policy", BadRequestError, "mock policy violation"),
        ("no-such-model", BadRequestError, "no-such-model"),
    ],
)
async def test_an_error_of_litellm_is_of_its_class_and_keeps_its_words(
    name: str, kind: type[APIStatusError], words: str, proxy: Server, subject_of: Make
) -> None:
    subject = subject_of(model(proxy, name))
    for way in WAYS:
        with pytest.raises(kind, match=words):
            await subject.ask(way)


async def test_a_rate_limit_that_is_relayed_is_waited_for_as_the_server_says(
    proxy: Server, failing: ScriptedServer, subject_of: Make
) -> None:
    failing.requests.clear()
    limited = error(429, "Too many requests.", headers={"retry-after": "1"}, code="rate_limit_exceeded")
    failing.play(limited, "Now.")
    assert (await subject_of(model(proxy, "relayed"), max_retries=1).ask("awhole")).text == "Now."
    first, second = failing.requests
    assert second.received_at - first.received_at >= 1
    failing.play(limited)
    with pytest.raises(RateLimitError, match="Too many requests") as caught:
        await subject_of(model(proxy, "relayed")).ask("stream")
    assert caught.value.headers["llm_provider-retry-after"] == "1"
