"""Answers in odd clothes: side fields of unpromised types, odd choices, no model.

A side field never costs a billed answer: what cannot be read reads as None.
"""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import HEAD, chunk, completion, delta, json_reply, sse, usage
from tests.parity.form import MAY_WARN, STREAMED, WHOLE, Answer, Check, Wish, body, made, says, streams

HELLO_TEXT = {"text": "Hello."}


def oddly(name: str, reply: Answer, **fields: Any) -> Wish:
    return Wish(**{"name": name, "replies": [reply], "gives": HELLO_TEXT, **fields})


def _with(where: str, value: Any) -> Answer:
    """ "Hello." with this value at that place of the answer, whole and streamed."""
    whole, last = completion("Hello."), delta(finish_reason="stop", usage=usage())
    first = delta("Hello.")
    if where.startswith("choice."):
        name = where.removeprefix("choice.")
        whole["choices"][0][name] = first["choices"][0][name] = last["choices"][0][name] = value
    elif where.startswith("message."):
        name = where.removeprefix("message.")
        whole["choices"][0]["message"][name] = first["choices"][0]["delta"][name] = value
    elif where.startswith("usage."):
        name = where.removeprefix("usage.")
        whole["usage"][name] = last["usage"][name] = value
    else:
        for one in (whole, first, last):
            one[where] = value
    return Answer(json_reply(whole), sse(first, last))


SIDE = [
    # An end without a reason that can be read may be worth a warning.
    oddly(f"{where} {value!r}", _with(where, value), warns=MAY_WARN if "finish" in where else None)
    for where, value in (
        ("usage", []),
        ("usage", "none"),
        ("usage", False),
        ("usage.prompt_tokens_details", []),
        ("usage.completion_tokens_details", "x"),
        ("usage.prompt_tokens", 12.5),
        ("usage.completion_tokens", "5"),
        ("usage.total_tokens", {}),
        ("usage.billed_units", "none"),
        ("choice.logprobs", []),
        ("choice.logprobs", {"content": "x"}),
        ("choice.logprobs", {"content": [{"token": 1, "logprob": "x"}]}),
        ("choice.finish_reason", 1),
        ("choice.finish_reason", {"type": "stop"}),
        ("choice.index", "0"),
        ("choice.index", None),
        ("choice.index", 0.0),
        ("message.audio", []),
        ("message.audio", "x"),
        ("message.audio", {"data": 5, "id": 7}),
        ("message.refusal", False),
        ("message.refusal", []),
        ("message.reasoning_content", []),
        ("message.reasoning_content", {}),
        ("message.reasoning_content", False),
        ("message.role", 5),
        ("message.role", None),
        ("message.function_call", None),
        ("message.annotations", "x"),
        ("created", "2026-11-30T12:00:00Z"),
        ("created", None),
        ("created", {}),
        ("id", 17),
        ("id", None),
        ("status", 200),
        ("system_fingerprint", 7),
        ("object", None),
        ("model", 5),
        ("error", False),
        ("error", ""),
        ("error", {}),
        ("error", None),
        ("citations", "https://a.example"),
        ("citations", {"1": "https://a.example"}),
        ("search_results", "x"),
        ("search_results", [None]),
        ("choice.error", None),
        ("code", 0),
        ("message", "Success"),
        ("msg", "ok"),
        ("usage", 5),
        ("usage", [{"prompt_tokens": 3}]),
        ("usage.prompt_tokens_details", {"cached_tokens": []}),
        ("choice.logprobs", 5),
        ("choice.logprobs", {"content": [None]}),
        ("choice.logprobs", {"content": [{"token": "H", "logprob": -1, "bytes": "x", "top_logprobs": {}}]}),
        ("choice.finish_reason", []),
        ("choice.index", []),
        ("choice.index", True),
        ("choice.index", "-1"),
        ("message.audio", 5),
        ("message.refusal", {}),
        ("message.role", []),
        ("message.name", {}),
        ("message.function_call", "x"),
        ("message.images", [5]),
        ("message.search_results", 5),
        ("created", 1e30),
        ("id", []),
        ("status", {}),
        ("system_fingerprint", []),
        ("object", 5),
        ("model", {}),
        ("error", 0),
        ("error", "null"),
        ("error", {"message": None, "code": None}),
        ("error", {"code": 0, "message": "Success"}),
        ("search_results", {"results": 5}),
        ("web_search", {"results": None}),
        ("choice.error", []),
        ("base_resp", {"status_code": "0"}),
        ("base_resp", []),
        ("code", "success"),
        ("billed_units", "x"),
    )
]
SIDE += [
    oddly(
        "a delta that is a list",
        streams(chunk([{"index": 0, "delta": []}]), delta("Hello."), finish="stop"),
        ways=STREAMED,
    ),
    oddly(
        "a delta that is null",
        streams(chunk([{"index": 0, "delta": None}]), delta("Hello."), finish="stop"),
        ways=STREAMED,
    ),
    oddly("a choice that is null", streams(chunk([None]), delta("Hello."), finish="stop"), ways=STREAMED),  # type: ignore[list-item]
    oddly("choices that are null", streams(chunk(None), delta("Hello."), finish="stop"), ways=STREAMED),  # type: ignore[arg-type]
    oddly("content that is a number", says(42), gives={"text": "42"}),
    oddly("content that is a fraction", says(0.5), gives={"text": "0.5"}),
    oddly("content that is true", says(True), gives={"text": Check("true", lambda text: text.lower() == "true")}),
    *(
        oddly(f"content as {what}", says(content))
        for what, content in (
            ("a list of texts", ["Hel", "lo."]),
            ("parts without a type", [{"text": "Hel"}, {"text": "lo."}]),
            ("parts, one of them null", [None, {"type": "text", "text": "Hello."}]),
            ("parts, one of them empty", [{"type": "text", "text": None}, {"type": "text", "text": "Hello."}]),
            ("one part in no list", {"type": "text", "text": "Hello."}),
            ("parts of the Assistants' kind", [{"type": "text", "text": {"value": "Hello.", "annotations": []}}]),
            ("parts of the Responses' kind", [{"type": "output_text", "text": "Hello.", "annotations": []}]),
        )
    ),
    oddly(
        "text as the old completions have it",
        Answer(
            json_reply({**HEAD, "choices": [{"index": 0, "text": "Hello.", "finish_reason": "stop"}]}),
            sse(*(chunk([{"index": 0, "text": one}]) for one in ("Hel", "lo.")), delta(finish_reason="stop")),
        ),
    ),
    oddly(
        "code 0 and Success beside the answer",
        Answer(
            json_reply({"code": 0, "message": "Success", **completion("Hello.")}),
            sse({"code": 0, "message": "Success", **delta("Hello.")}, delta(finish_reason="stop")),
        ),
    ),
    oddly(
        "code 0 and Success without choices, ahead of the answer",
        streams({"code": 0, "message": "Success"}, delta("Hello."), finish="stop"),
        ways=STREAMED,
    ),
    oddly(
        "code 200 and ok without choices, ahead of the answer",
        streams({"code": 200, "msg": "ok", "data": None}, delta("Hello."), finish="stop"),
        ways=STREAMED,
    ),
]

CHOICES = [
    oddly(
        "the only choice is numbered 1",
        Answer(
            json_reply({**completion("Hello."), "choices": [{**completion("Hello.")["choices"][0], "index": 1}]}),
            sse(delta("Hel", index=1), delta("lo.", index=1), delta(finish_reason="stop", index=1)),
        ),
    ),
    oddly(
        "the only choice is numbered -1",
        streams(delta("Hel", index=-1), delta("lo.", index=-1), delta(finish_reason="stop", index=-1), finish=...),
        ways=STREAMED,
    ),
    oddly(
        "text and calls in two choices, streamed",
        streams(
            delta("Hello."),
            delta(tool_calls=[{"index": 0, **made("weather", '{"city": "Lyon"}')}], index=1),
            delta(finish_reason="tool_calls", index=1),
            finish="stop",
        ),
        gives={**HELLO_TEXT, "calls": [("weather", {"city": "Lyon"})]},
        ways=STREAMED,
    ),
    oddly(
        "text and calls in two choices, whole",
        body(
            {
                **HEAD,
                "choices": [
                    {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "Hello."}},
                    {"index": 1, "message": {"content": None, "tool_calls": [made("weather", '{"city": "Lyon"}')]}},
                ],
            }
        ),
        gives={**HELLO_TEXT, "calls": [("weather", {"city": "Lyon"})]},
        ways=WHOLE,
    ),
    oddly(
        "id and model empty first, real later",
        streams({**delta("Hel"), "id": "", "model": ""}, {**delta("lo."), "id": "x1", "model": "real"}, finish="stop"),
        gives={**HELLO_TEXT, "model": "real"},
        ways=STREAMED,
    ),
    oddly(
        "id and model null first, real later",
        streams(
            {**delta("Hel"), "id": None, "model": None}, {**delta("lo."), "id": "x1", "model": "real"}, finish="stop"
        ),
        gives={**HELLO_TEXT, "model": "real"},
        ways=STREAMED,
    ),
    oddly(
        "no model named at all: the one that was asked for",
        Answer(
            json_reply({name: value for name, value in completion("Hello.").items() if name != "model"}),
            sse({"choices": delta("Hello.")["choices"]}, {"choices": delta(finish_reason="stop")["choices"]}),
        ),
        gives={**HELLO_TEXT, "model": Check("the model asked for", lambda name: str(name).startswith("test-model"))},
    ),
    oddly(
        "an empty model alone: the one that was asked for",
        _with("model", ""),
        gives={**HELLO_TEXT, "model": Check("the model asked for", lambda name: str(name).startswith("test-model"))},
    ),
]


WISHES = [*SIDE, *CHOICES]

NOT_YET: dict[str, str] = {}
