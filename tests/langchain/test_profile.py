"""`profile`: what LangChain and its middleware know of a model without asking, and what they know when it is asked."""

import subprocess
import sys
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.language_models import ModelProfile
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import ConfigurableField

from geekai_testing.replies import completion, json_reply
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from tests.langchain.conftest import Make

SIDES = ["sync", "async"]


async def fetch(model: ChatGeekAI, side: str) -> Any:
    return model.fetch_profile() if side == "sync" else await model.afetch_profile()


def play(server: ScriptedServer, **listed: Any) -> None:
    server.play(json_reply({"data": [listed], "total": 1}), path="/models*")


def test_a_known_model_s_profile_is_there_without_a_request(server: ScriptedServer, make: Make) -> None:
    profile = make(model="openai/gpt-4o").profile
    assert profile is not None
    assert profile["name"] == "GPT-4o"
    assert (profile["max_input_tokens"], profile["max_output_tokens"]) == (128_000, 16_384)
    for key in (
        "tool_calling",
        "tool_choice",
        "tool_call_streaming",
        "structured_output",
        "text_inputs",
        "temperature",
    ):
        assert profile[key] is True, key
    for key in ("image_inputs", "image_url_inputs", "pdf_inputs", "attachment", "text_outputs"):
        assert profile[key] is True, key
    for key in ("audio_inputs", "video_inputs", "image_outputs", "reasoning_output", "open_weights"):
        assert profile[key] is False, key
    assert profile["release_date"].startswith("2024")
    assert server.requests == []


def test_a_thinking_model_s_profile_holds_its_efforts(make: Make) -> None:
    profile = make(model="gpt-5").profile
    assert profile["reasoning_output"] is True
    assert profile["reasoning_effort_levels"] == ["minimal", "low", "medium", "high"]
    assert profile["temperature"] is False


def test_an_unknown_model_s_profile_is_empty_and_one_of_the_user_s_own_wins(make: Make) -> None:
    assert make(model="nobody-knows").profile == {}
    assert make(model="ernie-4.5").profile == {"tool_calling": False}
    assert make(profile={"max_input_tokens": 5}).profile == {"max_input_tokens": 5}
    assert make(profile={}).profile == {}
    model = make()
    model.profile = {"max_input_tokens": 6}
    assert model.profile == {"max_input_tokens": 6}
    assert model.model_copy().profile == {"max_input_tokens": 6}


def test_a_profile_follows_the_model_s_name(make: Make) -> None:
    model = make()
    assert model.model_copy(update={"model": "gpt-4"}).profile["max_input_tokens"] == 8192
    chosen = model.configurable_fields(model=ConfigurableField("name"))
    assert chosen.prepare({"configurable": {"name": "gpt-4"}})[0].profile["max_input_tokens"] == 8192
    assert model == make()


def test_who_changes_a_profile_changes_that_of_no_other_model(make: Make) -> None:
    make().profile["max_input_tokens"] = 1
    assert make().profile["max_input_tokens"] == 128_000


def test_a_model_has_no_attribute_that_nobody_gave_it(make: Make) -> None:
    model = make()
    assert not hasattr(model, "profiles")
    with pytest.raises(AttributeError, match="profiles"):
        model.profiles  # noqa: B018


@pytest.mark.parametrize("side", SIDES)
async def test_a_fetched_profile_holds_what_was_said_and_no_more(server: ScriptedServer, make: Make, side: str) -> None:
    words = ["vision", "audio", "speech", "video", "pdf", "file", "tools", "thinking", "json_schema"]
    play(server, id="m", name="M", context_window=1000, limitations={"max_tokens": 100}, capabilities=words)
    model = make(model="m")
    assert await fetch(model, side) == {
        "name": "M",
        "max_input_tokens": 1000,
        "max_output_tokens": 100,
        "image_inputs": True,
        "image_url_inputs": True,
        "audio_inputs": True,
        "audio_outputs": True,
        "video_inputs": True,
        "pdf_inputs": True,
        "attachment": True,
        "tool_calling": True,
        "tool_call_streaming": True,
        "reasoning_output": True,
        "structured_output": True,
    }
    assert set(model.profile) <= set(ModelProfile.__annotations__)


@pytest.mark.parametrize("side", SIDES)
async def test_what_was_fetched_wins_over_what_is_published_and_the_user_s_own_over_both(
    server: ScriptedServer, make: Make, side: str
) -> None:
    for _ in range(3):
        play(server, id="gpt-4o", context_window=64_000, capabilities=["json", "search", "audio"])
    model = make()
    profile = await fetch(model, side)
    assert (profile["max_input_tokens"], profile["max_output_tokens"]) == (64_000, 16_384)
    assert profile["audio_inputs"] is True
    assert "structured_output" in profile
    assert await fetch(model, side) == profile
    own = await fetch(make(profile={"max_input_tokens": 5}), side)
    assert (own["max_input_tokens"], own["tool_calling"]) == (5, True)


@pytest.mark.parametrize("side", SIDES)
async def test_what_the_documentation_says_of_ernie_wins(server: ScriptedServer, make: Make, side: str) -> None:
    play(server, id="ernie-5", context_window=8, capabilities=["tools"])
    assert await fetch(make(model="ernie-5"), side) == {"max_input_tokens": 8, "tool_calling": False}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("listed", [{"id": "other"}, {"id": "m", "capabilities": ["tools"]}], ids=["other", "no size"])
async def test_fetching_that_finds_no_context_window_says_so(
    server: ScriptedServer, make: Make, side: str, listed: Any
) -> None:
    play(server, **listed)
    with pytest.warns(UserWarning, match=r"/models does not say the context window of 'm'; profile=") as caught:
        await fetch(make(model="m"), side)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_summary_is_made_at_a_fraction_of_the_model_s_own_window(
    server: ScriptedServer, make: Make, way: str
) -> None:
    model = make()
    middleware = SummarizationMiddleware(make(), trigger=("fraction", 0.8), keep=("messages", 2))
    agent = create_agent(model, middleware=[middleware])

    async def sent(words: int) -> list[str]:
        server.play(*(json_reply(completion(text)) for text in ("The summary.", "Done.")))
        before = len(server.requests)
        state = {"messages": [HumanMessage("tea " * words), AIMessage("Yes."), HumanMessage("Go on.")]}
        await agent.ainvoke(state) if way == "ainvoke" else agent.invoke(state)
        return ["".join(str(m["content"]) for m in r.json["messages"]) for r in server.requests[before:]]

    short = await sent(100_000)  # some 100,000 tokens of the 102,400 that are four fifths
    assert len(short) == 1
    assert short[0].count("tea ") == 100_000
    *_, last = await sent(104_000)
    assert "summary of the conversation" in last
    assert "tea " not in last


DEEP = """
from deepagents.middleware.summarization import compute_summarization_defaults
from langchain_geekai import ChatGeekAI
for name in ("gpt-4o", "nobody-knows"):
    print(compute_summarization_defaults(ChatGeekAI(model=name, api_key="k", base_url="http://127.0.0.1:1"))["trigger"])
"""


def test_deepagents_compacts_at_a_fraction_of_a_known_model_s_window() -> None:
    pytest.importorskip("deepagents")
    done = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, check=False)
    known, unknown = done.stdout.splitlines()
    assert known.startswith("('fraction'"), done.stderr
    assert unknown.startswith("('tokens'")
