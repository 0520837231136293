"""`metadata`: what LlamaIndex and what it builds know of a model, without asking and when GeekAI is asked."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import PromptHelper
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer, ChatSummaryMemoryBuffer

from geekai_core import ContextOverflowError
from geekai_testing.replies import error, json_reply
from llama_index_geekai import GeekAI, _metadata
from tests.llama_index.support import CHATS, COMPLETIONS, last

SIDES = ["sync", "async"]


@pytest.fixture(autouse=True)
def nothing_warned() -> Iterator[None]:
    """As in a process that has not warned yet."""
    before = set(_metadata.warned)
    _metadata.warned.clear()
    yield
    _metadata.warned.clear()
    _metadata.warned.update(before)


@pytest.fixture
def geekai(server: Any) -> Iterator[Any]:
    made = []

    def build(model: str = "gpt-4o", **options: Any) -> GeekAI:
        made.append(GeekAI(model=model, api_key="sk-x", api_base=server.base_url, **options))
        return made[-1]

    yield build
    for llm in made:
        llm.close()


async def fetch(llm: GeekAI, side: str) -> Any:
    return llm.fetch_metadata() if side == "sync" else await llm.afetch_metadata()


def play(server: Any, **listed: Any) -> None:
    server.play(json_reply({"data": [listed], "total": 1}), path="/models*")


def test_a_known_model_s_metadata_is_there_without_a_request(server: Any, geekai: Any) -> None:
    metadata = geekai("openai/gpt-4o").metadata
    assert (metadata.context_window, metadata.num_output) == (128_000, 16_384)
    assert metadata.is_function_calling_model is True
    assert metadata.model_name == "openai/gpt-4o"
    assert server.requests == []


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("gpt-4o", {"context_window": 4096}, (4096, -1, True)),
        ("gpt-4o", {"context_window": 50_000}, (50_000, 16_384, True)),
        ("gpt-4o", {"max_tokens": 100}, (128_000, 100, True)),
        ("gpt-4o", {"is_function_calling_model": False}, (128_000, 16_384, False)),
        ("gpt-4", {}, (8192, -1, True)),  # 8,192 of output as well: no limit of its own
        ("gpt-3.5-turbo", {}, (16_385, 4096, True)),
        ("sonar-pro", {}, (200_000, 8192, False)),
        ("sonar-pro", {"is_function_calling_model": True}, (200_000, 8192, True)),
        ("ernie-4.5-21b-a3b", {}, (120_000, 8000, False)),
    ],
)
def test_the_user_s_own_wins_over_what_is_published(geekai: Any, model: str, options: Any, expected: Any) -> None:
    metadata = geekai(model, **options).metadata
    assert (metadata.context_window, metadata.num_output, metadata.is_function_calling_model) == expected


def test_an_unknown_window_is_guessed_and_whoever_reads_it_warns_once(geekai: Any) -> None:
    llm = geekai("nobody-knows")
    metadata = llm.metadata
    assert (metadata.num_output, metadata.is_function_calling_model) == (-1, True)
    assert metadata.model_dump()["context_window"] == llm.to_payload()["context_window"] == 32_768
    with pytest.warns(UserWarning, match=r"window of 'nobody-knows' is unknown, 32,768.*context_window=") as caught:
        assert metadata.context_window == 32_768
    assert caught[0].filename == __file__
    assert llm.metadata.context_window == geekai("another").metadata.context_window == 32_768


def test_where_warnings_are_errors_every_guess_is_one_and_a_known_window_none(geekai: Any) -> None:
    for _ in range(2):
        with pytest.raises(UserWarning, match="context_window="):
            ChatMemoryBuffer.from_defaults(llm=geekai("nobody-knows"))
    ChatMemoryBuffer.from_defaults(llm=geekai())
    ChatMemoryBuffer.from_defaults(llm=geekai("nobody-knows", context_window=9))


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_a_call_needs_no_window_and_warns_of_none(geekai: Any, how: str) -> None:
    await last(geekai("nobody-knows"), how)


OF_4096 = "gpt-3.5-turbo-0613"


@pytest.mark.parametrize("given", [{"model": OF_4096}, {"model": "mine", "context_window": 4096}], ids=str)
def test_the_memory_of_a_small_model_is_trimmed(geekai: Any, given: Any) -> None:
    memory = ChatMemoryBuffer.from_defaults(llm=geekai(**given), tokenizer_fn=str.split)
    for number in range(10):
        memory.put(ChatMessage(role="user", content=f"{number} " + "tea " * 500))
    assert [message.content[0] for message in memory.get()] == ["4", "5", "6", "7", "8", "9"]
    summaries = ChatSummaryMemoryBuffer.from_defaults(llm=geekai(**given), tokenizer_fn=str.split)
    assert summaries.token_limit == memory.token_limit == int(geekai(**given).metadata.context_window * 0.75)


def test_what_is_packed_into_a_prompt_leaves_room_for_the_answer(geekai: Any) -> None:
    helper = PromptHelper.from_llm_metadata(geekai("gpt-3.5-turbo").metadata)
    assert (helper.context_window, helper.num_output) == (16_385, 4096)
    assert PromptHelper.from_llm_metadata(geekai("gpt-4").metadata).num_output < 4096


@pytest.mark.parametrize("side", SIDES)
async def test_what_was_fetched_wins_over_what_is_published(server: Any, geekai: Any, side: str) -> None:
    limits = {"max_tokens": 1000}
    play(server, id="sonar-pro", context_window=64_000, limitations=limits, capabilities=["tools"])
    llm = geekai("sonar-pro")
    metadata = await fetch(llm, side)
    assert (metadata.context_window, metadata.num_output, metadata.is_function_calling_model) == (64_000, 1000, True)
    assert llm.metadata == llm.model_copy().metadata == metadata


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("listed", [{"id": "other"}, {"id": "m", "context_window": 0}], ids=["other", "no size"])
async def test_fetching_that_finds_no_window_says_so(server: Any, geekai: Any, side: str, listed: Any) -> None:
    play(server, **listed)
    with pytest.warns(UserWarning, match=r"/models does not say the context window of 'm'; context_window=") as caught:
        await fetch(geekai("m"), side)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_an_overflow_names_the_setting_that_llama_index_keeps_to(server: Any, geekai: Any, how: str) -> None:
    server.play(error(400, "maximum context length is 8192 tokens", code="context_length_exceeded"))
    with pytest.raises(ContextOverflowError) as caught:
        await last(geekai(), how)
    assert str(caught.value) == caught.value.message
    assert "maximum context length is 8192 tokens" in caught.value.message
    assert caught.value.message.count("context_window=") == 1


def test_a_program_with_warnings_as_errors_runs_with_a_known_model() -> None:
    code = (
        "from llama_index_geekai import GeekAI\nfrom llama_index.core.memory import ChatMemoryBuffer\n"
        "import warnings; warnings.simplefilter('error')\n"
        "llm = GeekAI(model='deepseek/deepseek-chat', api_key='k')\n"
        "print(ChatMemoryBuffer.from_defaults(llm=llm).token_limit)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "98304\n", done.stderr


def test_the_warning_is_one_in_a_process_whatever_the_filters(geekai: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name in ("one", "two", "one"):
            ChatMemoryBuffer.from_defaults(llm=geekai(name))
    assert len(caught) == 1
