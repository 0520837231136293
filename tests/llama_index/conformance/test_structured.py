"""C11 and C12: structured output that survives what models refuse, in all four ways; the system prompt."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, Generic, TypeVar

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, Field

from geekai_testing.replies import completion, delta, error, json_reply, sse, tool_call
from tests.llama_index.support import CHATS, last, play_text

WAYS = (
    "structured_predict",
    "astructured_predict",
    "stream_structured_predict",
    "astream_structured_predict",
)
PROMPT = PromptTemplate("Tell me of {topic}.")


class City(BaseModel):
    """A city."""

    name: str
    people: int = Field(gt=0)


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    value: T


BEIJING = City(name="北京", people=22)
GOOD = '{"name": "北京", "people": 22}'


async def predict(llm: Any, way: str, cls: type[BaseModel] = City, **kwargs: Any) -> list[Any]:
    """All objects that a way gives."""
    prompt = deepcopy(PROMPT)  # LlamaIndex's own programs leave their parser in the prompt
    result = getattr(llm, way)(cls, prompt, topic="Beijing", **kwargs)
    if hasattr(result, "__await__"):
        result = await result
    if hasattr(result, "__aiter__"):
        return [found async for found in result]
    return [result] if isinstance(result, BaseModel) else list(result)


def text(request: Any, content: str) -> Any:
    """An answer in prose or JSON, in the form that was asked for."""
    if not request.json.get("stream"):
        return json_reply(completion(content))
    return sse(*(delta(content[at : at + 5]) for at in range(0, len(content), 5)), delta(finish_reason="stop"))


def called(request: Any, arguments: str) -> Any:
    name = request.json["tools"][0]["function"]["name"]
    if not request.json.get("stream"):
        return json_reply(completion(None, tool_calls=[tool_call(name, arguments, id="c1")]))
    parts = [tool_call(arguments=arguments[at : at + 5], index=0) for at in range(0, len(arguments), 5)]
    pieces = [delta(tool_calls=[part]) for part in [tool_call(name, "", id="c1", index=0), *parts]]
    return sse(*pieces, delta(finish_reason="tool_calls"))


def picky(request: Any, *, schema: bool = True, forced: bool = True) -> Any:
    """A model that takes only some ways of asking for JSON."""
    body = request.json
    if (body.get("response_format") or {}).get("type") == "json_schema":
        return text(request, GOOD) if schema else error(400, "response_format json_schema is not supported")
    if body.get("tools"):
        if not forced and body.get("tool_choice") not in (None, "auto"):
            return error(400, "Thinking mode does not support this tool_choice")
        return called(request, GOOD)
    assert "北京" not in str(body["messages"])
    assert any("people" in str(message["content"]) for message in body["messages"])  # the schema, in words
    return text(request, GOOD)


@pytest.mark.filterwarnings("ignore:no forced tool_choice")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("schema", "forced"), [(True, True), (False, True), (False, False)], ids=["takes all", "no schema", "thinking"]
)
async def test_c11_an_object_comes_whatever_the_model_refuses(
    server: Any, llm: Any, way: str, schema: bool, forced: bool
) -> None:
    server.default = lambda request: picky(request, schema=schema, forced=forced)
    assert (await predict(llm, way))[-1] == BEIJING


FENCED = {
    "fenced": f"```json\n{GOOD}\n```",
    "prefixed": f"Here is the JSON you asked for:\n{GOOD}\nEnjoy!",
    "after thoughts": f"<think>a city...</think>\n{GOOD}",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", FENCED)
async def test_c11_json_is_found_within_what_stands_around_it(server: Any, llm: Any, way: str, kind: str) -> None:
    server.default = lambda request: text(request, FENCED[kind])
    assert (await predict(llm, way))[-1] == BEIJING
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_c11_an_answer_that_does_not_fit_is_sent_back_once(server: Any, llm: Any, way: str) -> None:
    server.play(lambda r: text(r, '{"name": "北京", "people": -1}'), lambda r: text(r, GOOD))
    assert (await predict(llm, way))[-1] == BEIJING
    again = server.requests[1].json["messages"]
    assert "-1" in again[-2]["content"]
    assert "people" in again[-1]["content"]


@pytest.mark.parametrize("way", WAYS)
async def test_c11_an_answer_that_never_fits_is_one_clear_error(server: Any, llm: Any, subject: Any, way: str) -> None:
    server.default = lambda request: text(request, "I would rather not.")
    with pytest.raises(subject.errors, match="I would rather not"):
        await predict(llm, way)


@pytest.mark.parametrize("way", WAYS)
async def test_c11_other_errors_are_not_taken_for_a_refusal(server: Any, make: Any, subject: Any, way: str) -> None:
    server.default = lambda request: error(401, "Incorrect API key")
    with pytest.raises(subject.errors, match="Incorrect API key"):
        await predict(make(max_retries=0), way)
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", ["stream_structured_predict", "astream_structured_predict"])
async def test_c11_a_stream_shows_the_object_grow(server: Any, llm: Any, way: str) -> None:
    long = json.dumps({"name": "Beijing, " * 20, "people": 22})
    server.default = lambda request: text(request, long)
    found = await predict(llm, way)
    assert found[-1] == City(name="Beijing, " * 20, people=22)
    names = [str(getattr(one, "name", "") or "") for one in found]
    assert len({len(name) for name in names}) > 5
    assert all(names[-1].startswith(name) for name in names)


@pytest.mark.parametrize("way", WAYS)
async def test_c11_generic_models_are_no_trouble(server: Any, llm: Any, way: str) -> None:
    server.default = lambda request: text(request, '{"value": 7}')
    assert (await predict(llm, way, Box[int]))[-1] == Box[int](value=7)
    name = server.requests[0].json["response_format"]["json_schema"]["name"]
    assert name.isascii()
    assert "[" not in name


@pytest.mark.filterwarnings("ignore:The `json` method:DeprecationWarning")  # core's StructuredLLM calls it
@pytest.mark.parametrize("how", CHATS)
async def test_c11_a_structured_llm_chats_in_json(server: Any, llm: Any, how: str) -> None:
    server.default = lambda request: text(request, GOOD)
    response = await last(llm.as_structured_llm(City), how)
    assert response.raw == BEIJING
    assert City.model_validate_json(response.message.content) == BEIJING


def test_c11_the_callers_arguments_are_left_alone_and_sent(server: Any, llm: Any) -> None:
    server.default = lambda request: text(request, GOOD)
    kwargs = {"temperature": 0.5, "tool_choice": "x"}
    llm.structured_predict(City, PROMPT, llm_kwargs=kwargs, topic="Beijing")
    assert kwargs == {"temperature": 0.5, "tool_choice": "x"}
    assert server.requests[0].json["temperature"] == 0.5


PREDICTS = ("predict", "apredict", "stream", "astream")


@pytest.mark.parametrize("way", [*PREDICTS, *WAYS])
async def test_c12_the_system_prompt_leads_every_prediction(server: Any, make: Any, way: str) -> None:
    llm = make(system_prompt="Be kind.")
    server.default = lambda request: text(request, GOOD)
    if way in WAYS:
        await predict(llm, way)
    else:
        result = getattr(llm, way)(PROMPT, topic="Beijing")
        result = await result if hasattr(result, "__await__") else result
        found = [part async for part in result] if hasattr(result, "__aiter__") else list(result)
        assert "".join(found) == GOOD
    first, *_, asked = server.requests[0].json["messages"]
    assert first == {"role": "system", "content": "Be kind."}
    assert asked == {"role": "user", "content": "Tell me of Beijing."}


@pytest.mark.parametrize("how", CHATS)
async def test_c12_a_chat_is_sent_as_it_is(server: Any, make: Any, how: str) -> None:
    llm = make(system_prompt="Be kind.")
    play_text(server, how)
    await last(llm, how, [ChatMessage(role="user", content="Hi")])
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "Hi"}]
