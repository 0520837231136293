"""Content parts, in every spelling that LangChain knows, to GeekAI's. Pure.

Spellings: plain strings, LangChain v1 and v0 blocks, OpenAI's and Anthropic's parts, GeekAI's own. A part of an
unknown kind is a `ConfigurationError`; a part wrapped as `{"type": "non_standard", "value": part}` is sent as it is.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from geekai_core import ConfigurationError
from geekai_core.request.parts import media_url
from geekai_core.response.text_parts import TEXT_PARTS, thoughts

Part = dict[str, Any]

NOT_SENT = frozenset(
    {
        *("reasoning", "thinking", "redacted_thinking", "refusal"),
        *("tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use", "input_json_delta", "function_call"),
        *("server_tool_call", "server_tool_call_chunk", "server_tool_result"),
        *("server_tool_use", "web_search_tool_result", "tool_result"),
    }
)
"""Kinds that are no content on the wire: other fields of a message carry them, or only the answer did."""

_INSTEAD = "give an https:// URL, or the bytes: 'base64': …, 'mime_type': 'image/png'"

_AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-m4a": "m4a", "mp4": "m4a"}


def to_wire_parts(content: Iterable[Any], *, of_tool: bool = False) -> list[Part]:
    """The parts of a message's content.

    A part that GeekAI has no form for is a `ConfigurationError`; `of_tool`: in a tool's result, it is its JSON as text.
    """
    parts = []
    for item in content:
        if isinstance(item, str):
            parts.append({"type": "text", "text": item})
            continue
        kind = item.get("type") or next((key for key in item if key in _CONVERTERS), None)
        if kind in NOT_SENT:
            continue
        convert = _CONVERTERS.get(kind)
        if convert is None and of_tool:
            parts.append({"type": "text", "text": json.dumps(item, ensure_ascii=False, default=str)})
            continue
        if convert is None:
            raise ConfigurationError(
                f"a content part of type {kind!r} cannot be sent to GeekAI; known are {', '.join(sorted(_CONVERTERS))}"
            )
        parts.append({**_marks(item), **convert(item)})
    return parts


_READ = frozenset(
    {
        *("type", "id", "index", "annotations", "extras"),  # LangChain's own
        *("text", "url", "base64", "data", "mime_type", "media_type", "source", "source_type", "file", "value"),
        *("detail", "filename", "file_data", "file_uri", "inline_data"),
    }
)
"""Keys of a part that are LangChain's own, or that its form on the wire is made of."""


def _marks(part: Part) -> Part:
    """Every other key, such as `cache_control` or `fps`: it is for the vendor."""
    extras = part.get("extras")
    return {key: value for key, value in {**(extras or {}), **part}.items() if key not in _READ}


def cache_mark(given: Any) -> Part:
    """The mark of a part, or of a tool or its `extras`, that a vendor is to cache what ends there."""
    marks = given if isinstance(given, dict) else getattr(given, "extras", None) or {}
    return {key: value for key, value in marks.items() if key == "cache_control"}


def _text(part: Part) -> Part:
    return {"type": "text", "text": part.get("text") or ""}


def _search_result(part: Part) -> Part:
    """A page that was found, in Anthropic's form: its title, its address, what it says."""
    words = (part.get("title"), part.get("source"), thoughts(part.get("content")))
    return {"type": "text", "text": "\n".join(word for word in words if isinstance(word, str) and word)}


def _as_is(part: Part) -> Part:
    return {**part["value"]}


def _wrapped(key: str) -> Callable[[Part], Part]:
    """GeekAI's and OpenAI's own spelling; a bare URL is wrapped."""

    def convert(part: Part) -> Part:
        inner = {"url": part[key]} if isinstance(part[key], str) else {**part[key]}
        if isinstance(inner.get("url"), str):
            media_url(inner["url"], _INSTEAD)
        return {"type": key, key: inner}

    return convert


def _media(kind: str) -> Callable[[Part], Part]:
    """An image or a video, in v1, v0 or Anthropic's spelling."""

    def convert(part: Part) -> Part:
        if kind in part:  # Qwen's own: a video as the list of its frames
            return {"type": kind, kind: part[kind]}
        detail = part.get("detail") or (part.get("extras") or {}).get("detail")
        return {
            "type": f"{kind}_url",
            f"{kind}_url": {"url": _location(part)[0], **({"detail": detail} if detail else {})},
        }

    return convert


def _audio(part: Part) -> Part:
    """Audio: GeekAI takes base64 or a URL in `data`, and the format beside it."""
    url, mime = _location(part)
    subtype = (mime or mimetypes.guess_type(url)[0] or "audio/wav").partition("/")[2].partition(";")[0]
    data = url.partition(",")[2] if url.startswith("data:") else url
    return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO_FORMATS.get(subtype, subtype)}}


def _file(part: Part) -> Part:
    """A file by URL or as a data URI; one that is text is sent as text."""
    inner = part.get("file")
    if part.get("type") == "input_file":
        inner = {**part, "file_data": part.get("file_data") or part.get("file_url")}
    if isinstance(inner, Mapping):  # OpenAI's
        data = inner.get("file_data") or ""
        guessed = mimetypes.guess_type(inner.get("filename") or "")[0] or "application/pdf"
        part = {"url": data} if data.startswith(("data:", "http")) else {"base64": data, "mime_type": guessed}
    source = _source(part)
    v0 = source.get("source_type") == "text"  # which holds its text in `url`
    if v0 or part.get("type") == "text-plain" or source.get("type") in ("text", "content"):
        text = source.get("text") or source.get("data") or (v0 and source.get("url")) or thoughts(source.get("content"))
        if text:
            return {"type": "text", "text": text}
        part = {"mime_type": "text/plain", **part}
    url, mime = _location(part)
    mime = mime or mimetypes.guess_type(url.partition("?")[0])[0]
    return {"type": "file_url", "file_url": {"url": url, **({"mime_type": mime} if mime else {})}}


def _gemini(part: Part) -> Part:
    """Media of any kind, in Gemini's form: its MIME type says which."""
    kind = str(part.get("mime_type")).partition("/")[0]
    form = {**part, "url": part.get("file_uri"), "base64": part.get("data")}
    return _CONVERTERS[kind if kind in ("image", "video", "audio") else "file"](form)


def _source(part: Part) -> Mapping[str, Any]:
    """Where a part says what it holds: Anthropic's has an object for that."""
    source = part.get("source")
    return source if isinstance(source, Mapping) else part


def _location(part: Part) -> tuple[str, str | None]:
    """Where the bytes of a part are: a URL, or a data URI made of its base64; and its MIME type, if it is given."""
    source = _source(part)
    mime = source.get("mime_type") or source.get("media_type")
    url = source.get("url")
    if url:
        if not mime and url.startswith("data:"):
            mime = url[5:].partition(";")[0] or None
        return media_url(url, _INSTEAD), mime
    data = source.get("base64") or source.get("data")
    kind = part.get("type", "file")
    if not data:
        raise ConfigurationError(f"a content part of type {kind!r} needs 'url' or 'base64'; GeekAI knows no file ids")
    if not mime:
        raise ConfigurationError(f"a content part of type {kind!r} with base64 data needs its 'mime_type'")
    return f"data:{mime};base64,{data}", mime


_CONVERTERS: dict[Any, Callable[[Part], Part]] = {
    **dict.fromkeys(TEXT_PARTS, _text),
    "image_url": _wrapped("image_url"),
    "video_url": _wrapped("video_url"),
    "file_url": _wrapped("file_url"),
    "input_audio": _wrapped("input_audio"),
    "image": _media("image"),
    "video": _media("video"),
    "audio": _audio,
    "file": _file,
    "document": _file,
    "text-plain": _file,
    "input_image": lambda part: _media("image")({**part, "url": part.get("image_url")}),
    "input_file": _file,
    "media": _gemini,
    "inline_data": lambda part: _gemini(part["inline_data"]),
    "search_result": _search_result,
    "non_standard": _as_is,
}
