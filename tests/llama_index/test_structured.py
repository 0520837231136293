"""How GeekAI asks for structured output, where LlamaIndex's contract leaves it open."""

from __future__ import annotations

import re
from typing import Any

import pytest
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.types import PydanticProgramMode

from geekai_core import InvalidResponseError, ServerError
from geekai_testing.replies import completion, delta, error, json_reply, sse
from tests.llama_index.conformance.test_structured import BEIJING, GOOD, PROMPT, WAYS, City, called, predict, text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "options",
    [{"should_use_structured_outputs": False}, {"pydantic_program_mode": PydanticProgramMode.FUNCTION}],
    ids=["no structured outputs", "function mode"],
)
async def test_a_tool_comes_first_where_that_is_asked_for(server: Any, make: Any, way: str, options: Any) -> None:
    server.default = lambda request: called(request, GOOD)
    assert (await predict(make(**options), way))[-1] == BEIJING
    body = server.requests[0].json
    assert body["tool_choice"] == {"type": "function", "function": {"name": "City"}}
    assert body["tools"][0]["function"]["parameters"]["required"] == ["name", "people"]
    assert "response_format" not in body


@pytest.mark.filterwarnings("ignore:The `json` method:DeprecationWarning")
@pytest.mark.parametrize("way", WAYS)
async def test_the_text_mode_is_left_to_llama_index(server: Any, make: Any, way: str) -> None:
    if "stream" in way and "stream_call" not in vars(LLMTextCompletionProgram):
        pytest.skip("LlamaIndex itself does not stream its text mode yet")
    server.default = lambda request: text(request, GOOD)
    found = (await predict(make(pydantic_program_mode=PydanticProgramMode.LLM), way))[-1]
    assert found == BEIJING
    assert not {"tools", "response_format", "json_mode"} & set(server.requests[0].json)


def test_strict_closes_the_schema(server: Any, make: Any) -> None:
    server.play(json_reply(completion(GOOD)))
    make(strict=True).structured_predict(City, PROMPT, topic="Beijing")
    described = server.requests[0].json["response_format"]["json_schema"]
    assert described["strict"] is True
    assert described["schema"]["additionalProperties"] is False


def test_a_thinking_model_is_offered_a_tool_and_never_forced(server: Any, make: Any) -> None:
    server.play(lambda request: called(request, GOOD))
    llm = make(enable_thinking=True, should_use_structured_outputs=False)
    assert llm.structured_predict(City, PROMPT, topic="Beijing") == BEIJING
    body = server.requests[0].json
    assert body["tool_choice"] == "auto"
    assert '"people"' in body["messages"][0]["content"]


def test_words_alone_are_the_last_way(server: Any, llm: Any) -> None:
    refusals = [error(400, f"{name} is not supported") for name in ("json_schema", "tools", "response_format")]
    server.play(*refusals, json_reply(completion(GOOD)))
    assert llm.structured_predict(City, PROMPT, topic="Beijing") == BEIJING
    assert set(server.requests[3].json) == {"model", "messages"}
    assert '"people"' in server.requests[3].json["messages"][0]["content"]


@pytest.mark.parametrize("system", [True, False])
def test_the_schema_in_words_joins_the_system_message(server: Any, make: Any, system: bool) -> None:
    server.play(error(400, "response_format json_schema is not supported"), json_reply(completion(GOOD)))
    llm = make(is_function_calling_model=False, system_prompt="Be kind." if system else None)
    prompt = ChatPromptTemplate.from_messages([("user", "Tell me of {topic}.")])
    assert llm.structured_predict(City, prompt, topic="Beijing") == BEIJING
    body = server.requests[1].json
    first, second = body["messages"]
    assert second == {"role": "user", "content": "Tell me of Beijing."}
    assert first["role"] == "system"
    assert first["content"].startswith("Be kind.\n\n") is system
    assert '"people"' in first["content"]
    assert (body["json_mode"], body["response_format"]) == (True, {"type": "json_object"})


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_that_never_fits_tells_what_is_wrong_with_it(server: Any, llm: Any, way: str) -> None:
    server.default = lambda request: text(request, '{"name": "北京", "people": 0}')
    with pytest.raises(InvalidResponseError, match="greater than 0") as caught:
        await predict(llm, way)
    assert "北京" in caught.value.excerpt
    assert len(server.requests) == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("said", ['{"name": "北', "Let me", '{"name": "北京"}', ""])
@pytest.mark.parametrize("first", [[], ["Beijing."]], ids=["at once", "asked again"])
async def test_an_answer_that_the_token_limit_cut_says_so_and_is_not_asked_for_again(
    server: Any, llm: Any, way: str, said: str, first: list[str]
) -> None:
    cut = sse(delta(said), delta(finish_reason="length"))
    whole = json_reply(completion(said, finish_reason="length"))
    server.play(*(lambda request, one=one: text(request, one) for one in first), cut if "stream" in way else whole)
    with pytest.raises(InvalidResponseError, match=re.escape(f"at the token limit [raise max_tokens]: '{said}'")):
        await predict(llm, way)
    assert len(server.requests) == len(first) + 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("said", ['{"sum": "' + "3 + 4 = 7, " * 9 + "3 +", '{"name"' + " " * 90])
async def test_an_answer_that_went_round_until_it_was_cut_is_not_told_to_go_on(
    server: Any, llm: Any, way: str, said: str
) -> None:
    """A longer limit would not end it."""
    cut = sse(delta(said), delta(finish_reason="length"))
    server.play(cut if "stream" in way else json_reply(completion(said, finish_reason="length")))
    with pytest.raises(InvalidResponseError, match=r"at the token limit .the model repeats itself: ") as caught:
        await predict(llm, way)
    assert "raise max_tokens" not in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
async def test_a_fault_while_asking_again_is_raised(server: Any, make: Any, way: str) -> None:
    server.play(lambda request: text(request, "Beijing."), error(500, "gone"))
    with pytest.raises(ServerError, match="gone"):
        await predict(make(max_retries=0), way)


async def test_leaving_a_structured_stream_early_closes_its_connection(server: Any, llm: Any) -> None:
    import asyncio

    from geekai_testing.replies import Hold, delta, sse

    server.play(sse(delta('{"name": "Bei'), delta("jing"), Hold()))
    stream = await llm.astream_structured_predict(City, PROMPT, topic="Beijing")
    assert (await anext(stream)).name == "Bei"
    await stream.aclose()
    assert await asyncio.to_thread(server.requests[0].client_left.wait, 2)
