"""What GeekAI does with messages, pictures and tools where LlamaIndex's contract leaves it open."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import BaseModel

from geekai_core import ConfigurationError
from geekai_testing.replies import completion, delta, json_reply, sse
from tests.llama_index.support import CHATS, USER, last, play

OK = json_reply(completion("ok"))


PNG = "iVBORw0KGgo="
DRAWN = {
    "content": [
        {"type": "text", "text": "Here."},
        {"type": "image_url", "image_url": {"url": "https://a.example/c.png"}},
    ],
    "images": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
    "annotations": [{"type": "url_citation"}],
    "refusal": "Not that.",
}


@pytest.mark.parametrize("how", CHATS)
async def test_pictures_and_unknown_fields_of_a_message_are_kept(server: Any, make: Any, how: str) -> None:
    play(server, how, completion(extra=DRAWN), [delta(extra=DRAWN), delta(finish_reason="stop")])
    message = (await last(make(), how)).message
    assert message.content == "Here."
    by_url, by_data = (block for block in message.blocks if isinstance(block, ImageBlock))
    assert str(by_url.url) == "https://a.example/c.png"
    assert (by_data.image, by_data.image_mimetype) == (PNG.encode(), "image/png")
    extra = message.additional_kwargs
    assert extra["output_images"] == DRAWN["images"]
    assert extra["annotations"] == [{"type": "url_citation"}]
    assert extra["refusal"] == "Not that."


@pytest.mark.parametrize("how", ["stream_chat", "astream_chat"])
async def test_odd_log_probabilities_of_a_stream_do_not_cost_the_answer(server: Any, make: Any, how: str) -> None:
    server.play(
        sse(delta("Hi", logprobs={"content": ["odd", {"token": 5, "logprob": "x"}]}), delta(finish_reason="stop"))
    )
    assert (await last(make(), how)).message.content == "Hi"


def test_a_message_keeps_its_name_and_a_response_the_id_of_its_request(server: Any, make: Any) -> None:
    server.play(json_reply(completion("ok"), headers={"x-request-id": "r-1"}))
    response = make().chat([ChatMessage(role="user", content="Hi", additional_kwargs={"name": "Ann"})])
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "Hi", "name": "Ann"}]
    assert response.additional_kwargs["request_id"] == "r-1"


def test_a_block_of_an_unknown_kind_is_an_error_in_plain_words(make: Any) -> None:
    class SmellBlock(BaseModel):
        block_type: str = "smell"

    message = ChatMessage(role="user", content="Hi")
    message.blocks.append(SmellBlock())
    with pytest.raises(ConfigurationError, match="SmellBlock"):
        make().chat([message])


def test_tools_in_the_wire_s_own_form_pass_through(server: Any, make: Any) -> None:
    server.play(OK)
    tools = [{"type": "function", "function": {"name": "查", "parameters": {}}}, {"type": "web_search"}]
    make().chat(USER, tools=tools, tool_choice={"type": "web_search"})
    body = server.requests[0].json
    assert body["enable_search"] is True
    assert "tool_choice" not in body
    assert body["tools"][0]["function"]["description"] == "查"
    assert tools[0] == {"type": "function", "function": {"name": "查", "parameters": {}}}


def test_a_tool_that_describes_its_own_parameters_is_believed(server: Any, make: Any) -> None:
    class Metadata(ToolMetadata):
        def get_parameters_dict(self) -> dict[str, Any]:
            return {"type": "object", "properties": {"mine": {"type": "string"}}}

    server.play(OK)
    own = FunctionTool(lambda mine: mine, metadata=Metadata("An own tool.", "own"))
    plain = FunctionTool(lambda input: input, metadata=ToolMetadata("Takes text.", "plain", fn_schema=None))
    make().chat_with_tools([own, plain], "Hi")
    mine, text = (tool["function"]["parameters"] for tool in server.requests[0].json["tools"])
    assert mine == {"type": "object", "properties": {"mine": {"type": "string"}}}
    assert text["required"] == ["input"]
