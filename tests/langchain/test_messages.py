"""Messages to the wire, in every spelling that LangChain knows."""

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from geekai_core import ConfigurationError
from geekai_testing.replies import completion, delta, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from tests.langchain.conftest import EVERY_WAY, WAYS, WHOLE, Make, ask

URL = "https://a.example/x"
DATA = "QUJD"


def sent(server: ScriptedServer) -> list[dict[str, Any]]:
    return server.requests[-1].json["messages"]


CALL = {"name": "查天气", "args": {"城市": "北京"}, "id": "c1", "type": "tool_call"}
WIRE_CALL = {"id": "c1", "type": "function", "function": {"name": "tool_80bac930", "arguments": '{"城市": "北京"}'}}


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (SystemMessage("Be brief."), {"role": "system", "content": "Be brief."}),
        (HumanMessage("Hi", name="anna"), {"role": "user", "content": "Hi", "name": "anna"}),
        (ChatMessage("Hi", role="developer"), {"role": "developer", "content": "Hi"}),
        (FunctionMessage("4", name="add"), {"role": "function", "content": "4", "name": "add"}),
        (HumanMessage([]), {"role": "user", "content": []}),
        (HumanMessage(["a", {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}]),
         {"role": "user", "content": [
             {"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}]}),
        (AIMessage("Hi", name="bot"), {"role": "assistant", "content": "Hi", "name": "bot"}),
        (AIMessage("", additional_kwargs={"refusal": "No."}), {"role": "assistant", "content": "No."}),
        (AIMessage("", tool_calls=[CALL]), {"role": "assistant", "content": None, "tool_calls": [WIRE_CALL]}),
        (AIMessage("So.", invalid_tool_calls=[{"name": "add", "args": '{"a":', "id": "c2", "error": "cut"}]),
         {"role": "assistant", "content": "So.", "tool_calls": [
             {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{}"}}]}),
        (AIMessage("", tool_calls=[CALL], additional_kwargs={"tool_call_extras": {"c1": {"signature": "s"}}}),
         {"role": "assistant", "content": None, "tool_calls": [{**WIRE_CALL, "signature": "s"}]}),
        (AIMessage([{"type": "tool_use", "id": "c1", "name": "查天气", "input": {"城市": "北京"}}]),
         {"role": "assistant", "content": None, "tool_calls": [WIRE_CALL]}),
        (ToolMessage("4", tool_call_id="c1", name="add", artifact={"x": 1}, status="error"),
         {"role": "tool", "tool_call_id": "c1", "content": "4"}),
        (ToolMessage([{"type": "text", "text": "a"}, "b"], tool_call_id="c1"),
         {"role": "tool", "tool_call_id": "c1", "content": "a\nb"}),
        (AIMessage("a", additional_kwargs={"lc_source": "x", "lc_data": {}}), {"role": "assistant", "content": "a"}),
    ],
)  # fmt: skip
async def test_a_message_travels_in_this_form(
    server: ScriptedServer, make: Make, message: AnyMessage, wire: dict[str, Any]
) -> None:
    asked = [AIMessage("", tool_calls=[CALL])] if isinstance(message, ToolMessage) else []
    make().invoke([*asked, message])
    assert sent(server)[len(asked)] == wire


async def test_a_picture_that_a_tool_returns_travels_in_a_message_of_the_user(
    server: ScriptedServer, make: Make
) -> None:
    shown = ToolMessage([{"type": "text", "text": "a"}, {"type": "image", "url": URL}], tool_call_id="c1")
    make().invoke([AIMessage("", tool_calls=[CALL]), shown])
    assert sent(server)[1:] == [
        {"role": "tool", "tool_call_id": "c1", "content": "a"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]},
    ]


async def test_a_message_in_which_nothing_was_said_is_left_out(server: ScriptedServer, make: Make) -> None:
    make().invoke([HumanMessage("Hi"), AIMessage(""), HumanMessage("Hi?")])
    assert [message["role"] for message in sent(server)] == ["user", "user"]


IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}
PDF = {"type": "file_url", "file_url": {"url": f"data:application/pdf;base64,{DATA}", "mime_type": "application/pdf"}}
WAV = {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}}
MP4 = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{DATA}"}}
TEXT = {"type": "text", "text": "Some text."}


def url_of(kind: str) -> dict[str, Any]:
    return {"type": f"{kind}_url", f"{kind}_url": {"url": URL}}


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        # LangChain v1
        ({"type": "image", "base64": DATA, "mime_type": "image/png"}, IMAGE),
        ({"type": "image", "url": URL}, url_of("image")),
        ({"type": "image", "url": URL, "extras": {"detail": "low"}},
         {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}),
        ({"type": "audio", "base64": DATA, "mime_type": "audio/wav"}, WAV),
        ({"type": "audio", "base64": DATA, "mime_type": "audio/mpeg"},
         {"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}}),
        ({"type": "audio", "url": f"{URL}.mp3"},
         {"type": "input_audio", "input_audio": {"data": f"{URL}.mp3", "format": "mp3"}}),
        ({"type": "audio", "url": f"data:audio/wav;base64,{DATA}"}, WAV),
        ({"type": "video", "base64": DATA, "mime_type": "video/mp4"}, MP4),
        ({"type": "video", "url": URL}, url_of("video")),
        ({"type": "file", "base64": DATA, "mime_type": "application/pdf"}, PDF),
        ({"type": "file", "url": URL}, url_of("file")),
        ({"type": "file", "url": f"{URL}.pdf?a=b"},
         {"type": "file_url", "file_url": {"url": f"{URL}.pdf?a=b", "mime_type": "application/pdf"}}),
        ({"type": "text-plain", "text": "Some text.", "mime_type": "text/plain"}, TEXT),
        ({"type": "text-plain", "url": URL, "mime_type": "text/plain"},
         {"type": "file_url", "file_url": {"url": URL, "mime_type": "text/plain"}}),
        ({"type": "non_standard", "value": {"type": "new_kind", "x": 1}}, {"type": "new_kind", "x": 1}),
        # LangChain v0
        ({"type": "image", "source_type": "base64", "data": DATA, "mime_type": "image/png"}, IMAGE),
        ({"type": "image", "source_type": "url", "url": URL}, url_of("image")),
        ({"type": "audio", "source_type": "base64", "data": DATA, "mime_type": "audio/wav"}, WAV),
        ({"type": "file", "source_type": "base64", "data": DATA, "mime_type": "application/pdf"}, PDF),
        ({"type": "file", "source_type": "text", "url": "Some text."}, TEXT),
        # OpenAI
        (IMAGE, IMAGE),
        ({"type": "image_url", "image_url": URL}, url_of("image")),
        ({"image_url": {"url": URL}}, url_of("image")),
        (WAV, WAV),
        ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}", "filename": "a.pdf"}}, PDF),
        # Anthropic
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}, IMAGE),
        ({"type": "image", "source": {"type": "url", "url": URL}}, url_of("image")),
        ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": DATA}}, PDF),
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Some text."}}, TEXT),
        # GeekAI
        (PDF, PDF),
        ({"type": "video_url", "video_url": {"url": URL}}, url_of("video")),
        ({"type": "file_url", "file_url": URL}, url_of("file")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("direct", [False, True], ids=["invoke", "_generate"])
async def test_a_part_travels_in_geekai_s_form(
    server: ScriptedServer, make: Make, part: dict[str, Any], wire: dict[str, Any], direct: bool
) -> None:
    message = HumanMessage(["Look:", part])
    if direct:  # without LangChain's own normalisation, as a direct caller would
        make()._generate([message])
    else:
        make().invoke([message])
    assert sent(server) == [{"role": "user", "content": [{"type": "text", "text": "Look:"}, wire]}]
    assert message.content == ["Look:", part]


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "image", "file_id": "f1"}, "no file ids"),
        ({"type": "file", "file": {"file_id": "f1"}}, "no file ids"),
        ({"type": "image", "base64": DATA}, "mime_type"),
        ({"type": "hologram"}, "'hologram' cannot be sent"),
    ],
)
async def test_a_part_without_a_form_is_refused(make: Make, part: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()._generate([HumanMessage([part])])  # LangChain's tracing refuses some of these by itself


async def test_a_message_that_is_none_is_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="'remove'"):
        make().invoke([HumanMessage("a"), RemoveMessage(id="1")])


async def test_anthropic_s_tool_results_become_messages_ahead_of_the_text(server: ScriptedServer, make: Make) -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "4"}]}
    asked = AIMessage([{"type": "tool_use", "id": "c1", "name": "add", "input": {}}])
    make().invoke([asked, HumanMessage([result, {"type": "text", "text": "So?"}])])
    make().invoke([asked, HumanMessage([{**result, "content": "4"}])])
    answered = {"role": "tool", "tool_call_id": "c1", "content": "4"}
    assert server.requests[0].json["messages"][1:] == [answered, {"role": "user", "content": "So?"}]
    assert server.requests[1].json["messages"][1:] == [answered]


THOUGHT = {"reasoning_content": "Hm."}
LOOP = [
    HumanMessage("a"),
    AIMessage("b", additional_kwargs=THOUGHT),
    HumanMessage("c"),
    AIMessage("", tool_calls=[CALL], additional_kwargs=THOUGHT),
    ToolMessage("sunny", tool_call_id="c1"),
]


@pytest.mark.parametrize(("history", "carrying"), [("tools", [3]), ("all", [1, 3]), ("never", [])])
async def test_reasoning_goes_back_with_the_messages_that_are_to_carry_it(
    server: ScriptedServer, make: Make, history: str, carrying: list[int]
) -> None:
    make(reasoning_history=history).invoke(LOOP)
    assert [at for at, message in enumerate(sent(server)) if message.get("reasoning_content") == "Hm."] == carrying


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("version", [None, "v1"])
async def test_an_answer_of_any_form_goes_back_as_the_same_history(
    server: ScriptedServer, make: Make, way: str, version: str | None
) -> None:
    extra = {"audio": {"id": "a", "data": DATA}}
    top = {"citations": [URL], "search_results": [{"title": "T", "link": URL}], "usage": usage()}
    call = {"id": "c1", "type": "function", "function": {"name": "查天气", "arguments": '{"城市": "北京"}'}}
    whole = completion("Let me see [1].", reasoning_content="Hm.", tool_calls=[call], extra=extra, **top)
    pieces = [
        delta(reasoning_content="Hm."),
        delta("Let me see [1]."),
        delta(tool_calls=[{**call, "index": 0}], extra=extra),
        delta(finish_reason="tool_calls", **top),
    ]
    server.play(json_reply(whole) if way in WHOLE else sse(*pieces))
    model = make(output_version=version)
    answer = await ask(model, way)
    model.invoke([HumanMessage("Hi"), answer, ToolMessage("sunny", tool_call_id="c1")])
    assert sent(server)[1] == {
        "role": "assistant",
        "content": "Let me see [1].",
        "tool_calls": [WIRE_CALL],
        "reasoning_content": "Hm.",
        "audio": {"id": "a"},
    }


async def test_other_vendors_blocks_in_an_answer_stay_out_of_the_history(server: ScriptedServer, make: Make) -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
        {"type": "text", "text": "Yes", "index": 0, "annotations": []},
        "!",
        {"type": "executable_code", "code": "1"},
    ]
    make(reasoning_history="all").invoke([HumanMessage("Hi"), AIMessage(blocks), HumanMessage("So?")])
    assert sent(server)[1] == {"role": "assistant", "content": "Yes!", "reasoning_content": "Hm."}


@pytest.mark.parametrize("way", WAYS)
async def test_the_caller_s_messages_stay_as_they_are(server: ScriptedServer, make: Make, way: str) -> None:
    before = [message.model_dump() for message in LOOP]
    await ask(make(), way, LOOP)
    assert [message.model_dump() for message in LOOP] == before
