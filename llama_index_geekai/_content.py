"""LlamaIndex's content blocks to parts of GeekAI's messages, and images and speech back. Reads local files, no URLs."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Callable, Sequence
from io import IOBase
from typing import Any

import filetype  # LlamaIndex's own dependency, with which its blocks know types, too
from llama_index.core.base.llms import types as li

from geekai_core import ConfigurationError
from geekai_core.request.parts import media_url

Part = dict[str, Any]


def to_wire_content(blocks: Sequence[Any]) -> str | list[Part]:
    """The content of a message: a string where all is text without marks, else a list of parts.

    Thoughts and tool calls travel beside the content, a `CitationBlock` repeats what the text says, a `CachePoint`
    marks the part before it. Raises `ConfigurationError` for a block that is empty or unknown.
    """
    parts: list[Part] = []
    for block in blocks:
        if not isinstance(block, li.CachePoint):
            parts += _to_wire_parts(block)
        elif parts:
            mark = block.cache_control.model_dump(exclude_defaults=True)  # a ttl is new to many
            parts[-1] = {**parts[-1], "cache_control": mark}
    if all(part.keys() == {"type", "text"} for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _to_wire_parts(block: Any) -> list[Part]:
    if isinstance(block, li.TextBlock):
        return [{"type": "text", "text": block.text}]
    if isinstance(block, li.CitableBlock):
        inner = [part for nested in block.content for part in _to_wire_parts(nested)]
        return [{"type": "text", "text": f"{block.title}\n{block.source}"}, *inner]
    if isinstance(block, (li.ThinkingBlock, li.ToolCallBlock, li.CitationBlock)):
        return []
    for cls, convert in _MEDIA.items():
        if isinstance(block, cls):
            return [convert(block)]
    raise ConfigurationError(f"a {type(block).__name__} cannot be sent: it is of a kind unknown here")


def _image(block: li.ImageBlock) -> Part:
    url = _own_url(block) or _data_url(_bytes(block, block.image, block.resolve_image), block.image_mimetype, "image")
    return {"type": "image_url", "image_url": {"url": url} | _set(detail=block.detail)}


def _video(block: li.VideoBlock) -> Part:
    url = _own_url(block) or _data_url(_bytes(block, block.video, block.resolve_video), block.video_mimetype, "video")
    return {"type": "video_url", "video_url": {"url": url} | _set(fps=block.fps, detail=block.detail)}


def _audio(block: li.AudioBlock) -> Part:
    if block.url:
        return {"type": "input_audio", "input_audio": {"data": str(block.url)} | _set(format=block.format)}
    raw = _bytes(block, block.audio, block.resolve_audio)
    found = filetype.guess(raw)
    form = found.extension if found is not None and found.mime.startswith("audio/") else block.format
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(raw).decode()} | _set(format=form)}


def _document(block: li.DocumentBlock) -> Part:
    mime_type, url = block.document_mimetype, _own_url(block)
    if url is None:
        raw = _bytes(block, block.data, block.resolve_document)
        mime_type = filetype.guess_mime(raw) or mime_type or mimetypes.guess_type(str(block.path or block.title))[0]
        url = f"data:{mime_type or 'application/octet-stream'};base64,{base64.b64encode(raw).decode()}"
    return {"type": "file_url", "file_url": {"url": url} | _set(mime_type=mime_type)}


_MEDIA: dict[type, Callable[[Any], Part]] = {
    li.ImageBlock: _image,
    li.AudioBlock: _audio,
    li.VideoBlock: _video,
    li.DocumentBlock: _document,
}
_DEFAULTS = {"image": "image/png", "video": "video/mp4"}


def _set(**fields: Any) -> Part:
    return {name: value for name, value in fields.items() if value is not None}


def _own_url(block: Any) -> str | None:
    """A block's own URL, which is never downloaded."""
    if not block.url:
        return None
    return media_url(str(block.url), f"give an https:// URL, or {type(block).__name__}(path=…)")


def _bytes(block: Any, data: Any, resolve: Callable[[], Any]) -> bytes:
    """A block's bytes or its local file; LlamaIndex's own way gives an open file as it is, not as base64."""
    try:
        if isinstance(data, IOBase):
            data.seek(0)
        raw: bytes = data.read() if isinstance(data, IOBase) else resolve().read()
    except (ValueError, OSError) as exc:
        raise ConfigurationError(f"the {type(block).__name__} cannot be read: {exc}") from exc
    return raw


def _data_url(raw: bytes, stated: str | None, kind: str) -> str:
    """Media as a data: URL of the type that its bytes show, for suffixes are often wrong; else of the stated one."""
    found = filetype.guess_mime(raw)
    if not (found and found.startswith(f"{kind}/")):
        found = stated or _DEFAULTS[kind]
    return f"data:{found};base64,{base64.b64encode(raw).decode()}"


def from_wire_images(parts: Any) -> list[li.ImageBlock]:
    """The images within a list of parts or of images, in the shapes that servers give them; no others' are read."""
    found = []
    for part in parts if isinstance(parts, list) else ():
        image = part.get("image_url") if isinstance(part, dict) else None
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str) and (block := _from_wire_image(url)):
            found.append(block)
    return found


def _from_wire_image(url: str) -> li.ImageBlock | None:
    """The image at a URL, or in base64 with or without a data: head; None for what is neither, such as a path."""
    head, comma, data = url.partition(";base64,")
    if not comma:
        head, data = "", url
    if _is_base64(data):
        return li.ImageBlock(image=data.encode(), image_mimetype=head.removeprefix("data:") or None)
    if url.startswith("data:"):
        return None
    try:
        return li.ImageBlock(url=url)
    except ValueError:  # no URL: it stays in the message's `additional_kwargs`
        return None


def from_wire_audio(data: str | None, format: str | None) -> list[li.AudioBlock]:
    """Speech as a block. `format`: as asked for; the answer does not name it. None where the data is no base64."""
    return [li.AudioBlock(audio=data.encode(), format=format)] if data and _is_base64(data) else []


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False
