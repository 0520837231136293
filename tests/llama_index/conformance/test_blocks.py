"""C13 and C14: every block in every role, and reasoning that goes back with a running tool loop."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.llms import ChatMessage

from geekai_testing.replies import completion, json_reply

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG64 = base64.b64encode(PNG).decode()
TEXT = TextBlock(text="look")
CITATION = CitationBlock(cited_content="words", source="https://a.example", title="A", additional_location_info={})
CACHE = CachePoint(cache_control=CacheControl(type="ephemeral"))

BLOCKS: dict[str, tuple[Any, Any]] = {
    "text": (TextBlock(text="two"), "look\ntwo"),
    "image url": (
        ImageBlock(url="https://a.example/cat.png", detail="high"),
        {"type": "image_url", "image_url": {"url": "https://a.example/cat.png", "detail": "high"}},
    ),
    "image bytes": (
        ImageBlock(image=PNG),
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG64}"}},
    ),
    "audio bytes": (
        AudioBlock(audio=b"RIFFabc", format="wav"),
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"RIFFabc").decode(), "format": "wav"}},
    ),
    "audio url": (
        AudioBlock(url="https://a.example/hi.mp3", format="mp3"),
        {"type": "input_audio", "input_audio": {"data": "https://a.example/hi.mp3", "format": "mp3"}},
    ),
    "video url": (
        VideoBlock(url="https://a.example/cat.mp4", fps=2),
        {"type": "video_url", "video_url": {"url": "https://a.example/cat.mp4", "fps": 2}},
    ),
    "video bytes": (
        VideoBlock(video=b"film!", video_mimetype="video/webm"),
        {
            "type": "video_url",
            "video_url": {"url": f"data:video/webm;base64,{base64.b64encode(b'film!').decode()}"},
        },
    ),
    "document url": (
        DocumentBlock(url="https://a.example/a.pdf"),
        {"type": "file_url", "file_url": {"url": "https://a.example/a.pdf", "mime_type": "application/pdf"}},
    ),
    "document bytes": (
        DocumentBlock(data=b"%PDF-1.7", document_mimetype="application/pdf"),
        {
            "type": "file_url",
            "file_url": {
                "url": f"data:application/pdf;base64,{base64.b64encode(b'%PDF-1.7').decode()}",
                "mime_type": "application/pdf",
            },
        },
    ),
    "citable": (CitableBlock(title="T", source="S", content=[TextBlock(text="C")]), "look\nT\nS\nC"),
    "citation": (CITATION, "look"),
    "cache point": (CACHE, [{"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}}]),
}


CALLING = ChatMessage(
    role="assistant", blocks=[ToolCallBlock(tool_call_id="c1", tool_name="add", tool_kwargs={"a": 1})]
)


@pytest.mark.parametrize("kind", BLOCKS)
def test_c13_every_block_of_a_tools_result_reaches_the_wire(server: Any, llm: Any, kind: str) -> None:
    """Media in a message of the user behind the result: servers take them of users only."""
    block, sent = BLOCKS[kind]
    server.play(json_reply(completion("ok")))
    llm.chat([CALLING, ChatMessage(role="tool", blocks=[TEXT, block], additional_kwargs={"tool_call_id": "c1"})])
    shown = [{"role": "user", "content": [sent]}] if isinstance(sent, dict) else []
    answered = {"role": "tool", "tool_call_id": "c1", "content": "look" if shown else sent}
    assert server.requests[0].json["messages"][1:] == [answered, *shown]


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize("kind", BLOCKS)
def test_c13_every_block_reaches_the_wire_in_every_role(server: Any, llm: Any, kind: str, role: str) -> None:
    block, sent = BLOCKS[kind]
    server.play(json_reply(completion("ok")))
    llm.chat([ChatMessage(role=role, blocks=[TEXT, block])])
    (message,) = server.requests[0].json["messages"]
    assert message["role"] == role
    assert message["content"] == ([{"type": "text", "text": "look"}, sent] if isinstance(sent, dict) else sent)


@pytest.mark.parametrize("role", ["user", "system", "tool"])
@pytest.mark.parametrize("block", [ThinkingBlock(content="hm"), ToolCallBlock(tool_name="add", tool_kwargs={"a": 1})])
def test_c13_thoughts_and_calls_in_a_role_that_has_none_do_no_harm(
    server: Any, llm: Any, role: str, block: Any
) -> None:
    server.play(json_reply(completion("ok")))
    llm.chat([ChatMessage(role=role, blocks=[TEXT, block])])
    assert server.requests[0].json["messages"][0]["content"] == "look"


@pytest.mark.parametrize("opened", [False, True])
def test_c13_a_local_file_or_an_open_file_is_read(server: Any, llm: Any, tmp_path: Path, opened: bool) -> None:
    if opened and "IOBase" not in str(ImageBlock.model_fields["image"].annotation):
        pytest.skip("this core knows no open files")
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    server.play(json_reply(completion("ok")))
    with path.open("rb") as file:
        block = ImageBlock(image=file) if opened else ImageBlock(path=path)
        llm.chat([ChatMessage(role="user", blocks=[block])])
    (part,) = server.requests[0].json["messages"][0]["content"]
    assert part["image_url"]["url"] == f"data:image/png;base64,{PNG64}"


def test_c13_an_empty_block_is_an_error_in_plain_words(subject: Any, server: Any, llm: Any) -> None:
    with pytest.raises(subject.errors, match="ImageBlock"):
        llm.chat([ChatMessage(role="user", blocks=[ImageBlock()])])
    assert server.requests == []


@pytest.mark.parametrize(("role", "sent"), [("chatbot", "assistant"), ("model", "assistant"), ("developer", "system")])
def test_c13_roles_of_other_vendors_are_translated(server: Any, llm: Any, role: str, sent: str) -> None:
    server.play(json_reply(completion("ok")))
    llm.chat([ChatMessage(role=role, content="x")])
    assert server.requests[0].json["messages"][0]["role"] == sent


def test_c13_an_assistants_calls_keep_their_text_and_chinese(server: Any, llm: Any) -> None:
    server.play(json_reply(completion("ok")))
    llm.chat(
        [
            ChatMessage(
                role="assistant",
                blocks=[
                    ToolCallBlock(tool_call_id="c1", tool_name="f", tool_kwargs='{"城市":  "北京"}'),
                    ToolCallBlock(tool_call_id="c2", tool_name="g", tool_kwargs={"城市": "北京"}),
                    ToolCallBlock(tool_call_id="c3", tool_name="h"),
                ],
            )
        ]
    )
    message = server.requests[0].json["messages"][0]
    assert message["content"] is None
    assert [(call["id"], call["type"], call["function"]) for call in message["tool_calls"]] == [
        ("c1", "function", {"name": "f", "arguments": '{"城市":  "北京"}'}),
        ("c2", "function", {"name": "g", "arguments": '{"城市": "北京"}'}),
        ("c3", "function", {"name": "h", "arguments": "{}"}),
    ]


def test_c13_calls_that_an_older_integration_left_in_additional_kwargs_are_sent(server: Any, llm: Any) -> None:
    server.play(json_reply(completion("ok")))
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    llm.chat(
        [
            ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [call], "citations": ["u"]}),
            ChatMessage(role="function", content="4", additional_kwargs={"tool_call_id": "c1"}),
            ChatMessage(role="assistant", content="done"),
        ]
    )
    assert server.requests[0].json["messages"] == [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
        {"role": "assistant", "content": "done"},
    ]


def test_c13_a_message_survives_json_and_is_sent_the_same_again(server: Any, llm: Any) -> None:
    whole = completion(
        "hi",
        reasoning_content="hm",
        tool_calls=[{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        citations=["https://a.example"],
    )
    server.play(json_reply(whole), json_reply(whole), json_reply(whole))
    message = llm.chat([ChatMessage(role="user", content="x")]).message
    llm.chat([message])
    reloaded = ChatMessage.model_validate_json(message.model_dump_json())
    llm.chat([reloaded])
    assert server.requests[1].json["messages"] == server.requests[2].json["messages"]
    assert server.requests[1].json["messages"][0]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}


def loop() -> list[ChatMessage]:
    """A finished turn, and a tool loop that runs."""
    return [
        ChatMessage(role="user", content="first"),
        ChatMessage(role="assistant", blocks=[ThinkingBlock(content="old thought"), TextBlock(text="first answer")]),
        ChatMessage(role="user", content="second"),
        ChatMessage(
            role="assistant",
            blocks=[ThinkingBlock(content="new thought"), ToolCallBlock(tool_call_id="c1", tool_name="f")],
        ),
        ChatMessage(role="tool", content="42", additional_kwargs={"tool_call_id": "c1"}),
    ]


def echoed(server: Any) -> list[str | None]:
    return [message.get("reasoning_content") for message in server.requests[-1].json["messages"]]


def test_c14_the_reasoning_of_a_running_tool_loop_goes_back(server: Any, llm: Any) -> None:
    server.play(json_reply(completion("ok")))
    llm.chat(loop())
    assert echoed(server) == [None, None, None, "new thought", None]
