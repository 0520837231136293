"""What is known of a model: by its id, from a table of published facts, and from `/models`. Unknown stays unknown."""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import Any, TypedDict, cast

from geekai_core.wire import ModelInfo

DEFAULT_CONTEXT_WINDOW = 32_768
"""Tokens assumed where a number is needed and the context window is unknown. An assumption, not a fact."""

FLAGS = (
    *("text", "vision", "audio", "video", "pdf", "file", "text_out", "image_out", "audio_out", "video_out"),
    *("tools", "tool_choice", "reasoning", "structured", "temperature", "open_weights"),
)
"""The facts that are True or False, in their order in `model_facts.json`."""

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

_DATE = re.compile(
    r"-(20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|2\d[01]\d[0-3]\d|[01]\d-20\d\d|[01]\d-?[0-3]\d|2[3-9][01]\d)$"
)
"""2024-08-06, 20241022, 250615, 08-2024, 0528, 05-20, 2507."""


class ModelFacts(TypedDict, total=False):
    """What is known of a model; a key that is missing is unknown.

    `context_window`: the longest input, in tokens. `max_output_tokens`: the longest answer. `released`, `updated`: ISO
    dates. `status`: such as "deprecated", at the model's own vendor. `vision`, `audio`, `video`, `pdf`, `file`, `text`:
    what it reads; with `_out`: what it writes. `temperature`: whether it takes one. `effort_levels`: of its reasoning.
    `json` and `search` are known from `/models` only.
    """

    name: str
    status: str
    released: str
    updated: str
    open_weights: bool
    context_window: int
    max_output_tokens: int
    text: bool
    vision: bool
    audio: bool
    video: bool
    pdf: bool
    file: bool
    text_out: bool
    image_out: bool
    audio_out: bool
    video_out: bool
    tools: bool
    tool_choice: bool
    reasoning: bool
    effort_levels: list[str]
    effort_default: str
    structured: bool
    temperature: bool
    json: bool
    search: bool


def supports_tools(model: str) -> bool:
    """Whether a model can call functions: all but Baidu ERNIE and iFlytek Spark (documented), by the name.

    >>> supports_tools("ERNIE-4.5-turbo"), supports_tools("gpt-4o")
    (False, True)
    """
    return not any(word in model.lower() for word in _NO_TOOLS)


def model_facts(model: str, listed: ModelInfo | None = None) -> ModelFacts:
    """What is known of a model: what its vendor publishes, and over it what `/models` says, where it was fetched.

    Reads `model_facts.json` once in a process.

    >>> model_facts("openai/gpt-4o")["context_window"], model_facts("nobody-knows")
    (128000, {})
    """
    facts: ModelFacts = {**_published(model)}
    if listed is not None:
        facts |= listed_facts(listed)
    if not supports_tools(model):
        facts["tools"] = False
    return facts


def listed_facts(info: ModelInfo) -> ModelFacts:
    """What `/models` says of a model; that a capability is not listed says nothing.

    `limitations.max_tokens` is read as the longest answer (the meaning is read from its name).
    """
    words = (re.sub(r"[\s-]+", "_", word.strip().lower()) for word in info.capabilities or ())
    facts: dict[str, Any] = {_CAPABILITIES[word]: True for word in words if word in _CAPABILITIES}
    facts["name"] = info.name
    facts["context_window"] = _count(info.context_window)
    facts["max_output_tokens"] = _count((info.limitations or {}).get("max_tokens"))
    return cast(ModelFacts, {name: value for name, value in facts.items() if value is not None})


def _count(value: Any) -> int | None:
    """A positive number of tokens, or None."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if is_number and 0 < value < 1e12 else None


def facts_key(model: str) -> str:
    """The name under which the table knows a model: without vendor and variant, in lower case, dots as dashes.

    >>> facts_key("Pro/deepseek-ai/DeepSeek-V3.1"), facts_key("deepseek/deepseek-r1:free")
    ('deepseek-v3-1', 'deepseek-r1')
    """
    return re.sub(r"[\s._@-]+", "-", model.rsplit("/", 1)[-1].split(":")[0].lower()).strip("-")


def undated(key: str) -> str:
    """A key without the date at its end.

    >>> undated("gpt-4o-2024-08-06"), undated("deepseek-r1-0528"), undated("grok-4-20")
    ('gpt-4o', 'deepseek-r1', 'grok-4-20')
    """
    return _DATE.sub("", key)


@functools.lru_cache(maxsize=1024)
def _published(model: str) -> ModelFacts:
    """The vendor's facts on a model, or on the model of which it is a dated or latest release. Not to be changed."""
    table, key = _table(), facts_key(model)
    base = undated(key.removesuffix("-latest"))
    entries = (key, key.removesuffix("-latest"), f"{base} dated", base)
    facts = next((dict(table[entry]) for entry in entries if entry in table), {})
    for place, flag in enumerate(facts.pop("flags", "")):
        if flag != "?":
            facts[FLAGS[place]] = flag == "+"
    if "think" in model.partition(":")[2]:  # a variant that always or never thinks
        facts.pop("reasoning", None)
    return cast(ModelFacts, facts)


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    text = resources.files("geekai_core").joinpath("model_facts.json").read_text(encoding="utf-8")
    return cast("dict[str, dict[str, Any]]", json.loads(text)["models"])
