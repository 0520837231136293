"""Histories in the forms of other integrations: blocks, parts and calls as they leave them in an app's memory."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from llama_index.core.base.llms import types as li

from tests.parity.form import HI, Check, Json, Wish, says_user, wire_call, wire_calls
from tests.parity.histories import LYON, W_NEXT, W_SUNNY
from tests.parity.parts import image
from tests.parity.strict import sendable

CITY = {"city": "Lyon"}
CALL: Any = {"id": "c1", "name": "weather", "args": CITY}
W_CALL = wire_calls(wire_call("weather", LYON))
W_THOUGHT = {**W_CALL, "reasoning_content": "Where?"}
W_FINE = {"role": "assistant", "content": "Fine."}
SUNNY = ToolMessage("sunny", tool_call_id="c1")
DATA = "data:image/png;base64,eA=="


def sent(name: str, messages: list[Any], wire: Any, **fields: Any) -> Wish:
    """Messages of one framework, and what is sent of them: a list of messages, or a check of the body."""
    side = "lc" if isinstance(messages[0], BaseMessage) else "li"
    sends = [{"messages": wire} if isinstance(wire, list) else wire]
    return Wish(**{"name": name, "messages": messages, "sends": sends, "sides": [side], **fields})


def said(name: str, content: Any, wire: Json | None = W_FINE, **fields: Any) -> Wish:
    """A message of the model's between two of the user's; None: nothing of it is sent."""
    messages = [HumanMessage("Hi"), AIMessage(content, **fields), HumanMessage("And now?")]
    return sent(name, messages, [HI, *([wire] if wire else []), W_NEXT])


def called(name: str, content: Any, wire: Json = W_CALL, *, read: bool = True, **fields: Any) -> Wish:
    """A message of the model's with one call, answered. `read`: LangChain has the call, too."""
    calls = [CALL] if read else []
    message = AIMessage(content, tool_calls=calls, **fields)
    return sent(name, [HumanMessage("Hi"), message, SUNNY], [HI, wire, W_SUNNY])


def shows(name: str, part: Any, wire: Any) -> Wish:
    """A message of the user's with this part behind a text; `wire`: the part as it is sent, or a check of it."""
    return sent(name, [HumanMessage(["Look:", part])], [says_user([{"type": "text", "text": "Look:"}, wire])])


def returned(name: str, content: Any, *words: str) -> Wish:
    """A tool's result, and what the model reads of it."""
    message = AIMessage("", tool_calls=[CALL])
    return sent(name, [HumanMessage("Hi"), message, ToolMessage(content, tool_call_id="c1")], sendable(*words))


def typed(kind: str) -> Check:
    return Check(f"a part of type {kind}", lambda part: part["type"] == kind and part[kind])


def text_with(*words: str) -> Check:
    return Check(f"a text with {words}", lambda part: all(word in part["text"] for word in words))


BLOCKS = [
    called("a call as a block of LangChain's", [{"type": "tool_call", **CALL}], read=False),
    called(
        "a call as OpenAI's Responses have it",
        [{"type": "function_call", "name": "weather", "arguments": LYON, "call_id": "c1", "id": "fc_1"}],
        read=False,
    ),
    called(
        "a call as OpenAI's Responses have it, read already",
        [{"type": "function_call", "name": "weather", "arguments": LYON, "call_id": "c1", "id": "fc_1"}],
    ),
    called(
        "a call as Anthropic has it", [{"type": "tool_use", "id": "c1", "name": "weather", "input": CITY}], read=False
    ),
    called(
        "Gemini's first call beside its calls",
        "",
        additional_kwargs={"function_call": {"name": "weather", "arguments": LYON}},
    ),
    called(
        "reasoning as a block of LangChain's",
        [{"type": "reasoning", "reasoning": "Where?"}, {"type": "tool_call", **CALL}],
        W_THOUGHT,
    ),
    called(
        "reasoning as OpenAI's Responses have it",
        [{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Where?"}]}],
        W_THOUGHT,
    ),
    called("reasoning as Anthropic has it", [{"type": "thinking", "thinking": "Where?", "signature": "s"}], W_THOUGHT),
    called(
        "reasoning as Bedrock has it",
        [{"type": "reasoning_content", "reasoning_content": {"text": "Where?", "signature": "s"}}],
        W_THOUGHT,
    ),
    called(
        "reasoning as older ChatOpenAI has it",
        "",
        W_THOUGHT,
        additional_kwargs={"reasoning": {"summary": [{"type": "summary_text", "text": "Where?"}]}},
    ),
    called("reasoning as other gateways have it", "", W_THOUGHT, additional_kwargs={"reasoning": "Where?"}),
    called("reasoning as a list of texts", "", W_THOUGHT, additional_kwargs={"reasoning_content": ["Whe", "re?"]}),
    said("text as OpenAI's Responses have it", [{"type": "output_text", "text": "Fine.", "annotations": []}]),
    said("a refusal as a block", [{"type": "refusal", "refusal": "Fine."}]),
    said("text without a type", [{"text": "Fine."}]),
    said("text whose type is null", [{"type": None, "text": "Fine."}]),
    said("an empty text as a block", [{"type": "text", "text": ""}], None),
    said(
        "thoughts that are encrypted", [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Fine."}]
    ),
    *(
        said(f"a block of {kind} beside the text", [{"type": kind, "id": "x"}, "Fine."])
        for kind in (
            "web_search_call",
            "image_generation_call",
            "server_tool_use",
            "web_search_tool_result",
            "executable_code",
            "code_execution_result",
        )
    ),
    said("a picture that the model made", ["Fine.", {"type": "image_url", "image_url": {"url": DATA}}]),
    said("a picture alone that the model made", [{"type": "image_url", "image_url": {"url": DATA}}], None),
]

CALLS = [
    sent(
        "two calls without ids",
        [
            HumanMessage("Hi"),
            AIMessage("", tool_calls=[{**CALL, "id": None}, {**CALL, "id": None, "name": "clock"}]),
            ToolMessage("sunny", tool_call_id=""),
            ToolMessage("noon", tool_call_id=""),
        ],
        sendable("sunny", "noon"),
    ),
    sent(
        "a sum of chunks",
        [
            HumanMessage("Hi"),
            AIMessageChunk("", tool_call_chunks=[{"id": "c1", "name": "weather", "args": LYON, "index": 0}]),
            SUNNY,
        ],
        [HI, W_CALL, W_SUNNY],
    ),
    *(
        sent(
            f"the old function_call with {arguments!r}",
            [
                HumanMessage("Hi"),
                AIMessage("", additional_kwargs={"function_call": {"name": "weather", "arguments": arguments}}),
                FunctionMessage(name="weather", content="sunny"),
            ],
            [
                HI,
                {"role": "assistant", "content": "", "function_call": {"name": "weather", "arguments": going}},
                {"role": "function", "name": "weather", "content": "sunny"},
            ],
        )
        for arguments, going in ((LYON, LYON), ('{"city": "Ly', "{}"), (None, "{}"))
    ),
    *(
        sent(
            f"calls in additional_kwargs alone: {call}",
            [
                HumanMessage("Hi"),
                AIMessage.model_construct(
                    content="So.",
                    additional_kwargs={"tool_calls": [call]},
                    tool_calls=[],
                    invalid_tool_calls=[],
                    response_metadata={},
                    name=None,
                ),
                HumanMessage("And now?"),
            ],
            sendable("So.", "And now?"),
        )
        for call in ({"id": "c1"}, {"id": "c1", "function": None}, {"id": "c1", "name": "weather", "args": {}}, None)
    ),
    sent(
        "a tool's result as Anthropic has it",
        [
            HumanMessage("Hi"),
            AIMessage([{"type": "tool_use", "id": "c1", "name": "weather", "input": CITY}]),
            HumanMessage(
                [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "sunny"}]},
                    {"type": "text", "text": "And now?"},
                ]
            ),
        ],
        [HI, W_CALL, W_SUNNY, W_NEXT],
    ),
]

PARTS = [
    *(
        sent(f"a user's text as {kind}", [HumanMessage([{"type": kind, "text": "Hi"}])], [HI])
        for kind in ("input_text", "output_text", "text")
    ),
    shows(
        "a picture as OpenAI's Responses have it", {"type": "input_image", "image_url": "https://a.example/x"}, image()
    ),
    shows(
        "a picture with its detail as OpenAI's Responses have it",
        {"type": "input_image", "image_url": "https://a.example/x", "detail": "low"},
        {"type": "image_url", "image_url": {"url": "https://a.example/x", "detail": "low"}},
    ),
    shows(
        "a file as OpenAI's Responses have it",
        {"type": "input_file", "file_url": "https://a.example/x.pdf"},
        typed("file_url"),
    ),
    shows(
        "a file's bytes as OpenAI's Responses have them",
        {"type": "input_file", "file_data": "data:application/pdf;base64,eA==", "filename": "x.pdf"},
        {
            "type": "file_url",
            "file_url": {"url": "data:application/pdf;base64,eA==", "mime_type": "application/pdf"},
        },
    ),
    shows("a picture as Gemini has it", {"type": "media", "mime_type": "image/png", "data": "eA=="}, image(DATA)),
    shows(
        "a picture as Gemini itself has it", {"inline_data": {"mime_type": "image/png", "data": "eA=="}}, image(DATA)
    ),
    shows("speech as Gemini has it", {"type": "media", "mime_type": "audio/wav", "data": "eA=="}, typed("input_audio")),
    shows(
        "a file as Gemini has it",
        {"type": "media", "mime_type": "application/pdf", "file_uri": "https://a.example/x.pdf"},
        typed("file_url"),
    ),
    shows(
        "a picture as Anthropic has it",
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}},
        image(DATA),
    ),
    shows(
        "a document of parts as Anthropic has it",
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Words."}]}},
        text_with("Words."),
    ),
    shows(
        "a search result as Anthropic has it",
        {"type": "search_result", "source": "s://a", "title": "T", "content": [{"type": "text", "text": "Words."}]},
        text_with("s://a", "T", "Words."),
    ),
    returned("values without a type that a tool returns", [{"degrees": 20}, {"degrees": 21}], "20", "21"),
    returned("values of type json that a tool returns", [{"type": "json", "json": {"degrees": 20}}], "20"),
    returned(
        "an MCP resource that a tool returns",
        ["sunny", {"type": "resource", "resource": {"uri": "x://", "text": "and warm"}}],
        "sunny",
        "and warm",
    ),
    returned(
        "a search result that a tool returns",
        [{"type": "search_result", "source": "s://a", "title": "T", "content": [{"type": "text", "text": "Words."}]}],
        "Words.",
    ),
    returned("a list of texts that a tool returns", ["sunny", "warm"], "sunny\\nwarm"),
    sent(
        "messages of LangChain's own roles",
        [ChatMessage(role="human", content="Hi"), ChatMessage(role="ai", content="Fine."), HumanMessage("And now?")],
        [HI, W_FINE, W_NEXT],
    ),
    sent("an empty system message", [SystemMessage(""), HumanMessage("Hi")], [HI]),
]

USER, NEXT = li.ChatMessage(role="user", content="Hi"), li.ChatMessage(role="user", content="And now?")
RESULT = li.ChatMessage(role="tool", content="sunny", additional_kwargs={"tool_call_id": "c1"})
BLOCK = li.ToolCallBlock(tool_call_id="c1", tool_name="weather", tool_kwargs=CITY)


def listed(name: str, call: Any, wire: Json = W_CALL) -> Wish:
    """A call that another integration of LlamaIndex's left in `additional_kwargs` alone."""
    message = li.ChatMessage(role="assistant", content=None, additional_kwargs={"tool_calls": [call]})
    return sent(name, [USER, message, RESULT], [HI, wire, W_SUNNY])


def blocks(name: str, given: list[Any], wire: list[Any], **extra: Any) -> Wish:
    """A message of the model's in these blocks, between a user's and the next one."""
    message = li.ChatMessage(role="assistant", blocks=given, additional_kwargs=extra)
    return sent(name, [USER, message, RESULT if BLOCK in given else NEXT], [HI, *wire])


OLD = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": LYON}}
LISTED = [
    listed("LlamaIndex: a call as OpenAI has it", OLD),
    listed(
        "LlamaIndex: a call whose arguments are an object",
        {"id": "c1", "function": {"name": "weather", "arguments": CITY}},
    ),
    listed(
        "LlamaIndex: a call as Anthropic has it", {"id": "c1", "type": "tool_use", "name": "weather", "input": CITY}
    ),
    listed("LlamaIndex: a call as Gemini has it", {"id": "c1", "name": "weather", "args": CITY}),
    *(
        sent(
            f"LlamaIndex: calls that are none: {call}",
            [USER, li.ChatMessage(role="assistant", content="So.", additional_kwargs={"tool_calls": [call]}), NEXT],
            sendable("So.", "And now?"),
        )
        for call in (None, {"id": "c1"}, {"id": "c1", "function": None})
    ),
    blocks("LlamaIndex: reasoning as OpenAILike keeps it", [BLOCK], [W_THOUGHT, W_SUNNY], reasoning_content="Where?"),
    blocks(
        "LlamaIndex: reasoning in both places",
        [li.ThinkingBlock(content="Where?"), BLOCK],
        [W_THOUGHT, W_SUNNY],
        reasoning_content="Where?",
    ),
    blocks("LlamaIndex: an empty thought", [li.ThinkingBlock(content=None), BLOCK], [W_CALL, W_SUNNY]),
    blocks("LlamaIndex: no block at all", [], [W_NEXT]),
    blocks(
        "LlamaIndex: the old function_call, broken",
        [],
        [{"role": "assistant", "content": "", "function_call": {"name": "weather", "arguments": "{}"}}, W_NEXT],
        function_call={"name": "weather", "arguments": '{"ci'},
    ),
    sent(
        "LlamaIndex: messages of other roles",
        [
            li.ChatMessage(role="developer", content="Be brief."),
            USER,
            li.ChatMessage(role="model", content="Fine."),
            NEXT,
        ],
        [{"role": "system", "content": "Be brief."}, HI, W_FINE, W_NEXT],
    ),
    sent(
        "LlamaIndex: a tool's message without an id",
        [USER, li.ChatMessage(role="assistant", blocks=[BLOCK]), li.ChatMessage(role="tool", content="sunny")],
        sendable("sunny"),
    ),
]

WISHES = [*BLOCKS, *CALLS, *PARTS, *LISTED]

NOT_YET: dict[str, str] = {}
