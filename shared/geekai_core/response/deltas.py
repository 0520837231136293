"""What one chunk of a stream adds, and neighbours joined into one. Pure."""

from __future__ import annotations

from typing import Any

from geekai_core.response.tool_calls import ToolCallPiece


class Delta:
    """What one chunk adds to one choice. Fields that it does not add to are None.

    `index`: the choice. `content`, `reasoning_content`, `refusal`: the next text. `tool_calls`: normalised pieces.
    `audio`: the piece as it came. `logprobs`: of these tokens. `extra`: unknown fields of the delta. `raw`: the chunk.
    """

    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallPiece] | None = None
    audio: dict[str, Any] | None = None
    logprobs: dict[str, Any] | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    extra: dict[str, Any] | None = None

    def __init__(self, index: int, raw: dict[str, Any]) -> None:
        self.index = index
        self.raw = raw

    def __repr__(self) -> str:
        return f"Delta({', '.join(f'{name}={value!r}' for name, value in vars(self).items() if name != 'raw')})"


def join(deltas: list[Delta]) -> list[Delta]:
    """Neighbouring deltas of one choice that hold nothing but text of one kind, joined into one."""
    joined: list[Delta] = []
    for delta in deltas:
        last = joined[-1] if joined else None
        if last is not None and _joinable(last) and _joinable(delta) and last.index == delta.index:
            if delta.content is not None and last.reasoning_content is None:
                last.content = (last.content or "") + delta.content
                continue
            if delta.reasoning_content is not None and last.content is None:
                last.reasoning_content = (last.reasoning_content or "") + delta.reasoning_content
                continue
        joined.append(delta)
    return joined


def _joinable(delta: Delta) -> bool:
    """Only text, and of one kind."""
    return (
        (delta.content is None) != (delta.reasoning_content is None)
        and delta.tool_calls is None
        and delta.finish_reason is None
        and delta.logprobs is None
        and delta.audio is None
        and delta.refusal is None
        and delta.extra is None
    )
