"""What of a request an error says its model does not take, in the words of many vendors. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from geekai_core.errors import APIStatusError, ContextOverflowError

_JSON = (
    r"response[_ ]?format|response[_ ]?(schema|mime)|json[_ ]?(schema|mode|object)|structured[_ -]?outputs?"
    r"|guided[_ ]\w+|constrained decoding|xgrammar|outlines|\bgrammar\b|valid json\b"
    r"|(output_config|text)\.format|'text' or 'json_object'|json_validate_failed|must contain the word .?json"
    r"|结构化输出|(输出|响应|返回)格式|json ?(模式|格式)"
)
_FEATURES = {
    "parallel_tool_calls": r"parallel[_ ]?tool[_ ]?calls?|parallel[_ ]function|并行",
    "tool_choice": r"tool[_ ]?choice|'auto'(, 'none'| or 'none')",
    "tools": r"tool[_ ]?choice|\btools\b|\btool[ -](use|calls?|calling|support)\b"
    r"|\bfunctions?\b|\bfunction[ -]call|工具|函数",
    "json_mode": r"\bjson_mode\b",
    "response_format": _JSON,
    "stream_options": r"\bstream_options\b|\binclude_usage\b",
    "max_completion_tokens": r"\bmax_completion_tokens\b",
    "max_tokens": r"\bmax_tokens\b",
}
"""How errors name a part of a request. Messages that speak of `tool_calls` in the history are not meant."""

_UNSUPPORTED = (
    r"(?is)\bnot (yet |currently |be |a )?(support|allow|permit|available|implement|enabl|compatib|valid)"
    r"|n't (support|valid|allow)|\bdisabled"
    r"|\b(no|not have) (\w+ )?support|unsupported|unavailable|incompatible"
    r"|unrecogni[sz]ed|\binvalid\b|unexpected|extra (inputs|fields)"
    r"|unknown (variant|param|field|name|argument)|may not be|can ?not (both )?be"
    r"|must be (one of|set|auto|none|text|passed|['\"`])"
    r"|\bonly\b.{0,200}(support|accept|allow|available|specified)"
    r"|failed to (parse|generate)|requires --|(input )?should be|must be equal to|cannot unmarshal"
    r"|no endpoints found|allowed values|must contain|json_validate_failed|deprecated|must not|mutually exclusive"
    r"|不支持|不能|无法|不可用|不允许|不兼容|不可以|未开通|未启用|无效|非法|不合法|有误|仅支持|只支持|仅限|只能|未知|必须"
)
_ONLY_STREAMS = (
    r"(?i)\b(only|requires?)\b.{0,40}\bstream|\bnot\b.{0,20}\bnon-?stream|\bstream\W{0,3}false\b.{0,20}\bnot\b"
    r"|\bstream(ing)?\b.{0,40}\b(only|required)\b"
    r"|(must|need to|please) (set|use|enable) .{0,10}stream"
    r"|\bnon-?stream(ing)?\b.{0,40}\bnot\b|不支持非流式"
    r"|\bstream\b.{0,20}must be (set to )?true|(仅|只)(支持|能).{0,12}(流式|stream)|(必须|请).{0,8}(流式|stream)"
)
_NO_TOOLS = r"(?i)enable-auto-tool-choice|tool-call-parser|['\"]auto['\"] tool[_ ]?choice"
"""Words of servers that name a choice and mean all tools: those that do not take "auto" either."""
_INSTEAD = r"(?i)(\buse|\bfavou?r of|\breplaced by|使用|改用)\W{1,3}(the )?['\"`]?(max_(completion_)?tokens)"
"""Advice that names the other token limit, which is not the one refused."""

_OF_A_VALUE = (
    r"(?i)\brange\b|at (least|most)|(greater|less|larger|smaller) than|\btoo \w+|\bmaximum\b|范围|最[大小多少]"
)
"""Words on a limit's value, whose name is well known."""

_OF_THE_ACCOUNT = frozenset({401, 402, 403, 413, 429})
"""Statuses that say nothing of the request's fields."""


def refused(error: Any) -> frozenset[str]:
    """The parts of a request that an error names as not taken; "stream" where the model answers in streams alone,
    "reasoning_content" where it speaks of a history's reasoning.

    Any status counts, a 5xx and an error in a good answer's place too, but not those of keys, balances and limits, nor
    a prompt that is too long.
    """
    if not isinstance(error, APIStatusError) or isinstance(error, ContextOverflowError):
        return frozenset()
    status = error.status_code
    if status == 200 and str(error.code).isdecimal():
        status = int(str(error.code))
    if status in _OF_THE_ACCOUNT:
        return frozenset()
    inner = error.body.get("error") if isinstance(error.body, Mapping) else None
    param = inner.get("param") if isinstance(inner, Mapping) else None
    words = f"{error.message} {error.code or ''} {param or ''}"
    found = {"stream"} if re.search(_ONLY_STREAMS, words) else set()
    if re.search("reasoning_(content|details)", words):
        found.add("reasoning_content")
    if re.search(_UNSUPPORTED, words):
        words = re.sub(_INSTEAD, "", words)
        found |= {name for name, pattern in _FEATURES.items() if re.search(pattern, words, re.IGNORECASE)}
    if re.search(_NO_TOOLS, words):
        found.discard("tool_choice")
    if re.search(_OF_A_VALUE, words):
        found -= {"max_tokens", "max_completion_tokens"}
    return frozenset(found)
