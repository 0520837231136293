"""Wishes that mean the same in both frameworks: options, switches, tools, structured output, answers and errors."""

from __future__ import annotations

from geekai_testing.replies import delta, usage
from tests.parity.form import (
    STREAMED,
    WHOLE,
    Wish,
    body,
    holds,
    refuses,
    says,
    says_user,
    streams,
    system,
    user,
)

RESULTS = [{"title": "Tea", "link": "https://a.example/tea"}]
EFFORT = {"enable_thinking": True, "thinking": {"reasoning_effort": "high"}}

OPTIONS = [
    Wish(name="a plain question"),
    Wish(
        name="a system message and a question in Chinese",
        messages=[system("Be brief."), user("你好")],
        sends=[{"messages": [{"role": "system", "content": "Be brief."}, says_user("你好")]}],
    ),
    Wish(
        name="options of the model",
        fields={"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": "END", "n": 1, "user": "u1", "retries": 1},
        sends=[{"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["END"], "n": 1, "user": "u1", "retries": 1}],
    ),
    Wish(
        name="options of the call win",
        fields={"temperature": 0.5, "seed": 7},
        call={"temperature": 0.9, "stop": "END", "top_k": 3},
        sends=[{"temperature": 0.9, "seed": 7, "stop": ["END"], "top_k": 3}],
    ),
    Wish(name="None in a call takes a field away", fields={"seed": 7}, call={"seed": None}),
    Wish(name="the model of the call wins", call={"model": "other"}, sends=[{"model": "other"}]),
    Wish(
        name="the wire's metadata is request_metadata",
        fields={"request_metadata": {"app": "a"}},
        sends=[{"metadata": {"app": "a"}}],
    ),
    Wish(
        name="extra_body is merged last",
        fields={"temperature": 0.5, "extra_body": {"temperature": 1, "new": [1]}},
        call={"temperature": 0.9},
        sends=[{"temperature": 1, "new": [1]}],
    ),
    Wish(
        name="the framework's own name for further fields, and the call wins",
        lc={"model_kwargs": {"seed": 1, "new": 1}},
        li={"additional_kwargs": {"seed": 1, "new": 1}},
        call={"seed": 2},
        sends=[{"seed": 2, "new": 1}],
    ),
    Wish(
        name="an unknown field of the model",
        fields={"temprature": 1},
        sends=[],
        gives={"error": "ConfigurationError", "words": holds("temprature", "temperature")},
    ),
    Wish(
        name="an unknown field of the call",
        call={"temprature": 1},
        sends=[],
        gives={"error": "ConfigurationError", "words": holds("temprature", "temperature")},
    ),
    Wish(
        name="a field under two names",
        fields={"max_tokens": 1, "max_completion_tokens": 2},
        sends=[],
        gives={"error": "ConfigurationError", "words": holds("max_tokens")},
    ),
    Wish(
        name="JSON mode",
        fields={"json_mode": True},
        replies=[says('{"a": 1}')],
        sends=[{"json_mode": True, "response_format": {"type": "json_object"}}],
        gives={"text": '{"a": 1}'},
    ),
    Wish(
        name="fenced JSON where JSON was asked for",
        call={"response_format": {"type": "json_object"}},
        replies=[says('```json\n{"a": 1}\n```')],
        sends=[{"response_format": {"type": "json_object"}}],
        gives={"text": '{"a": 1}'},
    ),
    Wish(
        name="fenced JSON where none was asked for",
        replies=[says('```json\n{"a": 1}\n```')],
        gives={"text": '```json\n{"a": 1}\n```'},
    ),
]

SWITCHES = [
    Wish(
        name="search with its settings",
        fields={"enable_search": True, "search_config": {"count": 3}},
        sends=[{"enable_search": True, "search_config": {"count": 3}}],
    ),
    Wish(
        name="search switched off by the call takes its settings along",
        fields={"enable_search": True, "search_config": {"count": 3}},
        call={"enable_search": False},
        sends=[{"enable_search": False}],
    ),
    Wish(
        name="search settings without their switch",
        fields={"search_config": {"count": 3}},
        sends=[{"search_config": {"count": 3}}],
        warns="enable_search",
    ),
    Wish(name="an effort switches thinking on", fields={"reasoning_effort": "high"}, sends=[EFFORT]),
    Wish(name="an effort of the call", call={"reasoning_effort": "high"}, sends=[EFFORT]),
    Wish(
        name="thinking switched off by the call takes the effort along",
        fields={"reasoning_effort": "high"},
        call={"enable_thinking": False},
        sends=[{"enable_thinking": False}],
    ),
    Wish(
        name="thinking switched off by the call takes its settings along",
        fields={"enable_thinking": True, "thinking": {"budget_tokens": 64}},
        call={"enable_thinking": False},
        sends=[{"enable_thinking": False}],
    ),
    Wish(
        name="thinking settings without their switch",
        fields={"thinking": {"budget_tokens": 64}},
        sends=[{"thinking": {"budget_tokens": 64}}],
        warns="enable_thinking",
    ),
]

ANSWERS = [
    Wish(name="reasoning", replies=[says("Yes.", reasoning="Hm.")], gives={"text": "Yes.", "reasoning": "Hm."}),
    Wish(
        name="sources",
        replies=[says("Tea [1].", citations=["https://a.example/tea"], search_results=RESULTS)],
        gives={"text": "Tea [1].", "citations": ["https://a.example/tea"]},
    ),
    Wish(
        name="usage",
        replies=[says("Hello.", usage=usage(30, 20, prompt={"cached_tokens": 4}))],
        gives={"text": "Hello.", "usage": (30, 20), "cached": 4},
    ),
    Wish(name="the token limit", replies=[says("Hel", finish="length")], gives={"text": "Hel", "finish": "length"}),
    Wish(
        name="a refusal of the model",
        replies=[says(None, extra={"refusal": "No."}, finish="stop")],
        gives={"extra": holds("'refusal': 'No.'")},
    ),
    Wish(
        name="several answers",
        fields={"n": 2},
        replies=[streams(delta("One."), delta("Two.", index=1), delta(finish_reason="stop", index=1), finish="stop")],
        sends=[{"n": 2}],
        gives={"text": "One."},
        ways=STREAMED,
    ),
]

ERRORS = [
    Wish(
        name=f"an error of status {status}",
        replies=[refuses("不行", status)],
        gives={"error": cls, "words": holds("不行")},
    )
    for status, cls in (
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (402, "InsufficientBalanceError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (413, "RequestTooLargeError"),
        (422, "BadRequestError"),
        (429, "RateLimitError"),
        (500, "ServerError"),
        (529, "ServerError"),
    )
] + [
    Wish(
        name="an error says its code, type and parameter",
        replies=[refuses("No.", code="c", type="t", param="p")],
        gives={
            "error": "BadRequestError",
            "facts": {"status_code": 400, "code": "c", "type": "t", "param": "p", "retry_count": 0},
        },
    ),
    Wish(
        name="a prompt that is too long",
        replies=[refuses("This model's maximum context length is 10 tokens")],
        gives={"error": "ContextOverflowError", "words": holds("maximum context length")},
    ),
    Wish(
        name="a busy server is asked again",
        fields={"max_retries": 1},
        replies=[refuses("busy", 503, headers={"retry-after": "0"}), says("Hello.")],
        sends=[{}, {}],
    ),
    Wish(
        name="a busy server is asked so often and no oftener",
        fields={"max_retries": 1},
        replies=[refuses("busy", 503, headers={"retry-after": "0"})] * 2,
        sends=[{}, {}],
        gives={"error": "ServerError", "words": holds("busy")},
    ),
    Wish(
        name="an error in a good answer's place",
        replies=[body({"error": {"message": "余额不足", "code": 402}})],
        gives={"error": "InsufficientBalanceError", "words": holds("余额不足")},
    ),
    Wish(
        name="an answer that is no JSON",
        replies=[body("<html>")],
        gives={"error": holds("Error")},
        ways=WHOLE,
    ),
    Wish(
        name="a stream that is cut",
        replies=[streams(delta("Hel"), finish=..., done=False)],
        gives={"error": "StreamInterruptedError", "partial": "Hel"},
        ways=STREAMED,
    ),
]

WISHES = [*OPTIONS, *SWITCHES, *ANSWERS, *ERRORS]
NOT_YET: dict[str, str] = {}
