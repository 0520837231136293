"""LlamaIndex over the local model: every way of asking, tools, objects and a query engine, whatever its words are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from llama_index.core import MockEmbedding, PromptTemplate, VectorStoreIndex
from llama_index.core.base.llms.types import ThinkingBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from geekai_local.serving import serve
from llama_index_geekai import GeekAI, collect, get_citations
from tests.llama_index.support import CHATS, COMPLETIONS, responses

pytestmark = pytest.mark.local_model


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture
async def llm(base_url: str) -> Any:
    llm = GeekAI(model="local", api_key="any", api_base=base_url, temperature=0, seed=1, max_tokens=24)
    yield llm
    llm.close()
    await llm.aclose()


class Mood(BaseModel):
    """What a sentence sounds like."""

    mood: Literal["good", "bad"]


def weather(place: str) -> str:
    """The weather of a place."""
    return f"{place}: sunny"


async def test_all_eight_methods_say_the_same(llm: GeekAI) -> None:
    """The same words each time, for the temperature is 0; a stream's pieces add up to them, with usage at the end."""
    texts = set()
    for how in (*CHATS, *COMPLETIONS):
        *_, last = found = await responses(llm, how, None)
        text = last.message.content if how in CHATS else last.text
        assert text
        if "stream" in how:
            assert "".join(response.delta or "" for response in found) == text
        assert last.raw["usage"]["completion_tokens"] == last.additional_kwargs["completion_tokens"] > 0
        texts.add(text)
    assert len(texts) == 1


@pytest.mark.parametrize("how", ["chat", "astream_chat"])
async def test_search_cites_the_documents(llm: GeekAI, how: str) -> None:
    asked = [ChatMessage(role="user", content="When was the lighthouse built?")]
    *_, last = await responses(llm, how, asked, enable_search=True, max_tokens=8)
    assert get_citations(last)[0].url.endswith("/lighthouse.md")
    assert last.additional_kwargs["billed_units"] == 1


async def test_thoughts_come_as_a_block(llm: GeekAI) -> None:
    fields = {"enable_thinking": True, "thinking": {"budget_tokens": 8}, "max_tokens": 24}
    *_, last = await responses(llm, "stream_chat", **fields)
    assert any(isinstance(block, ThinkingBlock) and block.content for block in last.message.blocks)


async def test_a_tool_that_must_be_called_is_called(llm: GeekAI) -> None:
    tool = FunctionTool.from_defaults(weather)
    asked = {"user_msg": "What is the weather in Port Elin?", "tool_required": True}
    whole = llm.chat_with_tools([tool], **asked, max_tokens=60)
    *_, streamed = [piece async for piece in await llm.astream_chat_with_tools([tool], **asked, max_tokens=60)]
    for response in (whole, streamed):
        (call,) = llm.get_tool_calls_from_response(response)
        assert call.tool_name == "weather"
        assert isinstance(call.tool_kwargs["place"], str)
    assert llm.predict_and_call([tool], user_msg="What is the weather in Port Elin?").response.endswith(": sunny")


async def test_an_object_comes_whole_streamed_and_awaited(llm: GeekAI) -> None:
    prompt = PromptTemplate("{said} What is the mood?")
    whole = llm.structured_predict(Mood, prompt, said="The sun shines.")
    assert isinstance(whole, Mood)
    assert list(llm.stream_structured_predict(Mood, prompt, said="The sun shines."))[-1].mood == whole.mood
    assert await llm.astructured_predict(Mood, prompt, said="The sun shines.") == whole


async def test_a_query_engine_answers_over_three_nodes(llm: GeekAI) -> None:
    """And `collect` has the usage, which a query engine's answer has not."""
    nodes = [TextNode(text=f"The {thing} of Maren is old.") for thing in ("lighthouse", "railway", "library")]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))
    engine = index.as_query_engine(llm=llm, similarity_top_k=2)
    with collect() as collected:
        answer = engine.query("What is old?")
    assert str(answer)
    assert len(answer.source_nodes) == 2
    assert len(collected.calls) == 1
    assert collected.usage["completion_tokens"] > 0
