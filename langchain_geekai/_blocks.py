"""Answers to LangChain's standard content blocks: what is behind `content_blocks` and `output_version="v1"`. Pure.

Order, that in which a stream brings them: reasoning, text with `Citation` annotations, tool calls, web search (a server
tool call and its result), refusal, audio. Blocks of chunks carry an index of their own kind: LangChain merges blocks by
index alone, and would otherwise merge reasoning, text and tool calls that all have the index 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import register_translator
from langchain_core.messages.content import KNOWN_BLOCK_TYPES

if TYPE_CHECKING:
    from geekai_core.citations import Source
    from langchain_geekai._response import ParsedAnswer

Block = dict[str, Any]

_AUDIO_KINDS = {"UklGR": "wav", "SUQz": "mpeg", "//": "mpeg", "T2dnUw": "ogg", "Zkx": "flac"}
"""How base64 of a kind of audio begins: an answer does not say its format."""


def translate_message(message: AIMessage) -> list[Any]:
    """The blocks of a whole message."""
    content, kwargs = _content(message), message.additional_kwargs
    found = message_sources(kwargs)
    blocks = _reasoning(kwargs)
    if content:
        cited = _citations(content, found)
        blocks.append({"type": "text", "text": content, **({"annotations": cited} if cited else {})})
    calls = [{**call, "type": "tool_call"} for call in message.tool_calls]
    return [*blocks, *calls, *_search(found), *_refusal(message), *_audio(kwargs)]


def translate_chunk(message: AIMessageChunk) -> list[Any]:
    """The blocks of a chunk, with indices; of chunks that were added up to the end, those of the whole message."""
    if message.chunk_position == "last":
        return translate_message(message)
    content, kwargs = _content(message), message.additional_kwargs
    blocks: list[Block] = []
    if kwargs:
        blocks += _indexed(_reasoning(kwargs))
    if content:
        blocks += _indexed([{"type": "text", "text": content}])
    for piece in message.tool_call_chunks:
        blocks.append({**piece, "type": "tool_call_chunk", "index": len(_INDEXED) + (piece.get("index") or 0)})
    return blocks


_INDEXED = ("reasoning", "text", "server_tool_call", "server_tool_result", "refusal", "non_standard", "audio")


def _indexed(blocks: Iterable[Block]) -> list[Block]:
    return [{**block, "index": _INDEXED.index(block["type"])} for block in blocks]


def end_blocks(parsed: ParsedAnswer, *, bridged: bool) -> list[Any]:
    """What the last chunk of a stream adds as blocks: search, citations of the whole text, a refusal, audio.

    `bridged`: also the calls that cannot run, in the place of those that the bridge made of their pieces.
    """
    kwargs = parsed.additional_kwargs
    found = message_sources(kwargs)
    blocks = _indexed([*_search(found), *_refusal(parsed), *_audio(kwargs)])
    cited = _citations(parsed.content, found) if parsed.content else []
    if cited:
        blocks += _indexed([{"type": "text", "text": "", "annotations": cited}])
    if bridged:
        at = {id: len(_INDEXED) + slot for slot, id in enumerate(parsed.call_ids)}
        blocks += [{**call, "index": at[call["id"]]} for call in parsed.invalid_tool_calls]
    return blocks


def message_sources(kwargs: Mapping[str, Any]) -> list[Source]:
    """The numbered sources in a message's `additional_kwargs`."""
    citations, results = kwargs.get("citations"), kwargs.get("search_results")
    if not (citations or results):
        return []
    from geekai_core.citations import sources

    return sources(citations or [], results or [])


def _content(message: AIMessage) -> str:
    if not isinstance(message.content, str):
        raise NotImplementedError  # LangChain reads lists of blocks by itself
    return message.content


def _reasoning(kwargs: Mapping[str, Any]) -> list[Block]:
    reasoning = kwargs.get("reasoning_content")
    return [{"type": "reasoning", "reasoning": reasoning}] if reasoning else []


def _search(found: list[Source]) -> list[Block]:
    """The search that the server made, as the call of a tool and its result. Its query is not known."""
    if not found:
        return []
    keys = ("title", "url", "content")
    output = [{key: getattr(page, key) for key in keys if getattr(page, key) is not None} for page in found]
    return [
        {"type": "server_tool_call", "id": "web_search", "name": "web_search", "args": {}},
        {"type": "server_tool_result", "tool_call_id": "web_search", "status": "success", "output": output},
    ]


def _citations(text: str, found: list[Source]) -> list[Block]:
    """`Citation`s; indices are those of the marker within the text, and missing where no marker names the source."""
    if not found:
        return []
    from geekai_core.citations import annotations

    cited = []
    for note in annotations(text, found):
        fields = {key: value for key, value in vars(note).items() if value is not None}
        number = fields.pop("number")
        cited.append({"type": "citation", **fields, "extras": {"number": number}})
    return cited


def _refusal(answer: AIMessage | ParsedAnswer) -> list[Block]:
    """That the model refused, or a filter withheld the answer; without words where nobody gave any."""
    words = answer.additional_kwargs.get("refusal")
    if not words and answer.response_metadata.get("normalized_finish_reason") != "content_filter":
        return []
    block = {"type": "refusal", "refusal": words or ""}
    return [block if "refusal" in KNOWN_BLOCK_TYPES else {"type": "non_standard", "value": block}]


def _audio(kwargs: Mapping[str, Any]) -> list[Block]:
    audio = kwargs.get("audio")
    if not isinstance(audio, Mapping) or not audio.get("data"):
        return []
    kind = next((kind for start, kind in _AUDIO_KINDS.items() if audio["data"].startswith(start)), None)
    rest = {key: value for key, value in audio.items() if key not in ("data", "id") and value is not None}
    block = {"id": audio.get("id"), "mime_type": kind and f"audio/{kind}", "extras": rest}
    return [{"type": "audio", "base64": audio["data"], **{key: value for key, value in block.items() if value}}]


register_translator("geekai", translate_message, translate_chunk)
