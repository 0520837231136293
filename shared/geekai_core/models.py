"""What is known of a model: by its name, or from `/models`. No table of facts; what nobody said stays unknown. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from geekai_core.wire import ModelInfo

DEFAULT_CONTEXT_WINDOW = 32_768
"""Tokens assumed for a model whose context window nobody told. An assumption, not a fact."""

_NO_TOOLS = ("ernie", "spark")

_WORDS = {
    "vision": "vision visual image images image_input image_inputs image_understanding 视觉 图像 图片 图像理解",
    "audio": "audio audio_input audio_inputs 音频 音频理解",
    "audio_out": "audio_output audio_outputs speech tts 语音合成",
    "video": "video video_input video_inputs video_understanding 视频 视频理解",
    "pdf": "pdf pdf_input pdf_inputs",
    "file": "file files document documents file_input attachment 文件 文档",
    "tools": "tool tools tool_use tool_call tool_calls tool_calling function functions function_call function_calls"
    " function_calling 工具 工具调用 函数调用",
    "reasoning": "reasoning reason thinking think deep_thinking 推理 思考 深度思考",
    "json": "json json_mode json_object",
    "structured": "structured structured_output structured_outputs json_schema 结构化输出",
    "search": "search web_search online 搜索 联网搜索 联网",
}
_CAPABILITIES = {word: capability for capability, words in _WORDS.items() for word in words.split()}

_PROFILE_KEYS = {
    "vision": ("image_inputs", "image_url_inputs"),
    "audio": ("audio_inputs",),
    "audio_out": ("audio_outputs",),
    "video": ("video_inputs",),
    "pdf": ("pdf_inputs",),
    "file": ("attachment",),
    "tools": ("tool_calling",),
    "reasoning": ("reasoning_output",),
    "structured": ("structured_output",),
}


@dataclass(frozen=True)
class ModelFacts:
    """What `/models` says of a model. None: not said.

    `context_window`, `max_output_tokens`: tokens. `capabilities`: those words of the server's that are understood here,
    under one name each (`vision`, `audio`, `audio_out`, `video`, `pdf`, `file`, `tools`, `reasoning`, `json`,
    `structured`, `search`); that one is missing says nothing. `raw`: the model as it came.
    """

    context_window: int | None
    max_output_tokens: int | None
    capabilities: frozenset[str]
    raw: ModelInfo


def supports_tools(model: str) -> bool:
    """Whether a model can call functions: all but Baidu ERNIE and iFlytek Spark (documented), told by the name.

    >>> supports_tools("ERNIE-4.5-turbo"), supports_tools("gpt-4o")
    (False, True)
    """
    return not any(word in model.lower() for word in _NO_TOOLS)


def facts(model_info: ModelInfo) -> ModelFacts:
    """A model of `/models` in the terms of this package.

    `limitations.max_tokens` is read as the longest answer (the meaning is read from its name).
    """
    words = (re.sub(r"[\s-]+", "_", word.strip().lower()) for word in model_info.capabilities or ())
    return ModelFacts(
        context_window=_count(model_info.context_window),
        max_output_tokens=_count((model_info.limitations or {}).get("max_tokens")),
        capabilities=frozenset(_CAPABILITIES[word] for word in words if word in _CAPABILITIES),
        raw=model_info,
    )


def _count(value: Any) -> int | None:
    """A positive number of tokens, or None."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if is_number and 0 < value < 1e12 else None


def langchain_profile(info: ModelInfo) -> dict[str, Any]:
    """LangChain's `ModelProfile`, with those keys only that `/models` (or GeekAI's documentation) vouches for.

    JSON mode alone is not `structured_output`, which LangChain takes for `json_schema`.
    """
    known = facts(info)
    profile: dict[str, Any] = {key: True for word in known.capabilities for key in _PROFILE_KEYS.get(word, ())}
    if not supports_tools(info.id):
        profile["tool_calling"] = False
    named = {
        "name": info.name,
        "max_input_tokens": known.context_window,
        "max_output_tokens": known.max_output_tokens,
    }
    return profile | {key: value for key, value in named.items() if value is not None}
