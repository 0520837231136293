"""Which request follows which answer. Pure: generators that do no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from geekai_core.errors import APIStatusError, BadRequestError, ContextOverflowError
from geekai_core.request.structured import Rung

_JSON_FEATURE = (
    r"response[_ ]?format|response[_ ]?(schema|mime)|json[_ ]?(schema|mode|object)|structured[_ ]?outputs?"
    r"|结构化输出|(输出|响应|返回)格式|json ?(模式|格式)"
)


_FEATURE: dict[Rung, str] = {
    "json_schema": _JSON_FEATURE,
    "function_calling": r"tool[_ ]?choice|\btools\b|\btool[ -](use|calls?|calling)\b|\bfunctions?\b|工具|函数",
    "json_mode": _JSON_FEATURE,
}
"""What an error calls the feature of a rung. Messages that speak of `tool_calls` in the history are not meant."""


_UNSUPPORTED = (
    r"(?is)\bnot (yet |currently |be )?(support|allow|permit|available|implement|enabl|compatib|valid)|n't support"
    r"|\bno support|unsupported|unavailable|incompatible|unrecogni[sz]ed|\binvalid\b|unexpected|extra (inputs|fields)"
    r"|unknown (variant|param|field|name|argument)|may not be|can ?not be|must be (one of|set|auto|none|text|['\"`])"
    r"|\bonly\b.{0,200}(support|accept|allow)|requires --"
    r"|不支持|不能|无法|不可用|不允许|不兼容|不可以|未开通|未启用|无效|非法|不合法|有误|仅支持|只支持|仅限|只能|未知"
)


def next_rung(rung: Rung, error: BaseException, remaining: Sequence[Rung]) -> Rung | None:
    """The next of `remaining` (the ways not tried yet) when `error` says that the model cannot do `rung`, else None.

    Only a 400 or 422, or an error in a good answer's place, that names the feature and says in Chinese or English that
    it is not supported; never an overflow, a missing balance, a wrong key and the like.
    """
    if not remaining or rung == "prompt" or not isinstance(error, APIStatusError) or not _is_plain_refusal(error):
        return None
    inner = error.body.get("error") if isinstance(error.body, Mapping) else None
    param = inner.get("param") if isinstance(inner, Mapping) else None
    words = f"{error.message} {param or ''}"
    refused = re.search(_FEATURE[rung], words, re.IGNORECASE) and re.search(_UNSUPPORTED, words)
    return remaining[0] if refused else None


def _is_plain_refusal(error: APIStatusError) -> bool:
    """Whether the server found the request at fault, and not its length; a 200 may hold the status as its code."""
    if error.status_code == 200 and not re.fullmatch("[0-9]{3}", str(error.code)):
        return True
    return isinstance(error, BadRequestError) and not isinstance(error, ContextOverflowError)
