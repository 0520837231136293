"""LlamaIndex's content blocks to parts of GeekAI's messages, and images and speech back. Reads local files, no URLs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from io import IOBase
from typing import Any

from llama_index.core.base.llms import types as li

from geekai_core import ConfigurationError
from geekai_core.request.parts import media_url

Part = dict[str, Any]


def to_wire_content(blocks: Sequence[Any]) -> str | list[Part]:
    """The content of a message: a string where all is text, else a list of parts.

    Thoughts and tool calls travel beside the content, a `CitationBlock` repeats what the text says, a `CachePoint`
    means nothing here. Raises `ConfigurationError` for a block that is empty or unknown.
    """
    parts = [part for block in blocks for part in _to_wire_parts(block)]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _to_wire_parts(block: Any) -> list[Part]:
    if isinstance(block, li.TextBlock):
        return [{"type": "text", "text": block.text}]
    if isinstance(block, li.CitableBlock):
        inner = [part for nested in block.content for part in _to_wire_parts(nested)]
        return [{"type": "text", "text": f"{block.title}\n{block.source}"}, *inner]
    if isinstance(block, (li.ThinkingBlock, li.ToolCallBlock, li.CitationBlock, li.CachePoint)):
        return []
    for cls, convert in _MEDIA.items():
        if isinstance(block, cls):
            return [convert(block)]
    raise ConfigurationError(f"a {type(block).__name__} cannot be sent: it is of a kind unknown here")


def _image(block: li.ImageBlock) -> Part:
    url = {"url": _url(block, block.image, block.image_mimetype or "image/png", block.resolve_image)}
    return {"type": "image_url", "image_url": url | _set(detail=block.detail)}


def _audio(block: li.AudioBlock) -> Part:
    data = str(block.url) if block.url else _base64(block, block.audio, block.resolve_audio)
    return {"type": "input_audio", "input_audio": {"data": data} | _set(format=block.format)}


def _video(block: li.VideoBlock) -> Part:
    url = {"url": _url(block, block.video, block.video_mimetype or "video/mp4", block.resolve_video)}
    return {"type": "video_url", "video_url": url | _set(fps=block.fps, detail=block.detail)}


def _document(block: li.DocumentBlock) -> Part:
    mime_type = block.document_mimetype or "application/octet-stream"
    url = {"url": _url(block, block.data, mime_type, block.resolve_document)}
    return {"type": "file_url", "file_url": url | _set(mime_type=block.document_mimetype)}


_MEDIA: dict[type, Callable[[Any], Part]] = {
    li.ImageBlock: _image,
    li.AudioBlock: _audio,
    li.VideoBlock: _video,
    li.DocumentBlock: _document,
}


def _set(**fields: Any) -> Part:
    return {name: value for name, value in fields.items() if value is not None}


def _url(block: Any, data: Any, mime_type: str, resolve: Callable[[], Any]) -> str:
    """A block's own URL, never downloaded, else its data as a data: URL."""
    if block.url:
        return media_url(str(block.url), f"give an https:// URL, or {type(block).__name__}(path=…)")
    return f"data:{mime_type};base64,{_base64(block, data, resolve)}"


def _base64(block: Any, data: Any, resolve: Callable[[], Any]) -> str:
    """A block's bytes or its local file; LlamaIndex's own way gives an open file as it is, not as base64."""
    try:
        if isinstance(data, IOBase):
            data.seek(0)
        raw = data.read() if isinstance(data, IOBase) else resolve().read()
    except (ValueError, OSError) as exc:
        raise ConfigurationError(f"the {type(block).__name__} cannot be read: {exc}") from exc
    return base64.b64encode(raw).decode()


def from_wire_images(parts: Any) -> list[li.ImageBlock]:
    """The images within a list of parts or of images, in the shapes that servers give them."""
    found = []
    for part in parts if isinstance(parts, list) else ():
        image = part.get("image_url") if isinstance(part, dict) else None
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str) and url:
            head, comma, data = url.partition(";base64,")
            if comma and _is_base64(data):
                found.append(li.ImageBlock(image=data.encode(), image_mimetype=head.removeprefix("data:") or None))
            elif not url.startswith("data:"):
                found.append(li.ImageBlock(url=url))
    return found


def from_wire_audio(data: str | None, format: str | None) -> list[li.AudioBlock]:
    """Speech as a block. `format`: as asked for; the answer does not name it. None where the data is no base64."""
    return [li.AudioBlock(audio=data.encode(), format=format)] if data and _is_base64(data) else []


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False
