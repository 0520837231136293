"""LlamaIndex's content blocks to parts of GeekAI's messages, and images and speech back. Reads local files, no URLs."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Sequence
from io import IOBase
from typing import Any

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
    for cls, kind in _MEDIA.items():
        if isinstance(block, cls):
            return [_media(block, kind)]
    raise ConfigurationError(f"a {type(block).__name__} cannot be sent: it is of a kind unknown here")


_MEDIA = {li.ImageBlock: "image", li.VideoBlock: "video", li.AudioBlock: "audio", li.DocumentBlock: "document"}
_DEFAULTS = {"image": "image/png", "video": "video/mp4", "document": "application/octet-stream"}


def _media(block: Any, kind: str) -> Part:
    """Media as a part: by the block's own URL, which is never downloaded, else by its bytes."""
    stated = block.format if kind == "audio" else getattr(block, f"{kind}_mimetype")
    raw = b"" if block.url else _bytes(block, kind)
    found = _type_by_bytes(raw, kind) or stated
    data = str(block.url) if block.url else base64.b64encode(raw).decode()
    if kind == "audio":
        return {"type": "input_audio", "input_audio": {"data": data} | _set(format=found)}
    if block.url:
        url = media_url(data, f"give an https:// URL, or {type(block).__name__}(path=…)")
    else:
        if kind == "document":
            found = found or mimetypes.guess_type(str(block.path or block.title))[0]
        url = f"data:{found or _DEFAULTS[kind]};base64,{data}"
    if kind == "document":
        return {"type": "file_url", "file_url": {"url": url} | _set(mime_type=found)}
    further = _set(fps=getattr(block, "fps", None), detail=block.detail)
    return {"type": f"{kind}_url", f"{kind}_url": {"url": url} | further}


def _set(**fields: Any) -> Part:
    return {name: value for name, value in fields.items() if value is not None}


def _bytes(block: Any, kind: str) -> bytes:
    """A block's bytes or its local file; LlamaIndex's own way gives an open file as it is, not as base64."""
    data = block.data if kind == "document" else getattr(block, kind)
    try:
        if isinstance(data, IOBase):
            data.seek(0)
        raw: bytes = data.read() if isinstance(data, IOBase) else getattr(block, f"resolve_{kind}")().read()
    except (ValueError, OSError) as exc:
        raise ConfigurationError(f"the {type(block).__name__} cannot be read: {exc}") from exc
    return raw


def _type_by_bytes(raw: bytes, kind: str) -> str | None:
    """The type that bytes show, for suffixes are often wrong; that of speech in one word, such as "wav".

    None where they show none of this kind. LlamaIndex's own blocks know the types by the first 8,192 bytes.
    """
    head = raw[:8192]
    found = li.DocumentBlock(data=head).document_mimetype if head else None
    if kind == "document" or not found or not found.startswith(f"{kind}/"):
        return found if kind == "document" else None
    return li.AudioBlock(audio=head).format if kind == "audio" else found


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
    """The image at an http(s) URL, or in base64 with or without a data: head.

    None for what is neither, such as a path, which must not be read or sent: it stays in `additional_kwargs`.
    """
    head, comma, data = url.partition(";base64,")
    if not comma:
        head, data = "", url
    if _is_base64(data) and re.match("(?i)(data:(image/|$)|$)", head):
        return li.ImageBlock(image=data.encode(), image_mimetype=head[len("data:") :] or None)
    try:
        return li.ImageBlock(url=url) if re.match("(?i)https?://", url) else None
    except ValueError:
        return None


def from_wire_audio(data: str | None, format: str | None) -> list[li.AudioBlock]:
    """Speech as a block. `format`: as asked for; the answer does not name it. None where the data is no base64."""
    return [li.AudioBlock(audio=data.encode(), format=format)] if data and _is_base64(data) else []


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False
