"""Usage by other names and in other places, reasoning in other forms, unknown fields in pieces.

A number is never replaced by a zero or a null that comes later; what is unknown grows in pieces as text does.
"""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import HEAD, chunk, completion, delta, json_reply, sse
from tests.parity.form import STREAMED, WHOLE, Answer, Check, Json, Wish, says
from tests.parity.odd_answers import HELLO_TEXT, oddly


def used(name: str, given: Json, *more: Json, **gives: Any) -> Wish:
    """Usage in this form; `more`: of later events of the stream."""
    whole = completion("Hello.", usage=given)
    events = [{**chunk([]), "usage": one} for one in more]
    reply = Answer(json_reply(whole), sse(delta("Hello."), delta(finish_reason="stop", usage=given), *events))
    return oddly(name, reply, gives={**HELLO_TEXT, **gives}, ways=STREAMED if more else (*WHOLE, *STREAMED))


COUNTS = {"prompt_tokens": 30, "completion_tokens": 20, "total_tokens": 50}
USAGE = [
    *(
        used(f"usage with {name}", {**COUNTS, name: 4}, usage=(30, 20), cached=4)
        for name in ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
    ),
    *(
        used(f"usage with {name}", {**COUNTS, name: 4}, usage=(30, 20), written=4)
        for name in ("cache_write_tokens", "cache_creation_input_tokens")
    ),
    used(
        "usage with cache_write_tokens in its details",
        {**COUNTS, "prompt_tokens_details": {"cache_write_tokens": 4}},
        written=4,
    ),
    used("usage in Anthropic's words", {"input_tokens": 30, "output_tokens": 20}, usage=(30, 20)),
    used(
        "usage in Anthropic's words with its cache",
        {"input_tokens": 30, "output_tokens": 20, "cache_read_input_tokens": 4},
        usage=(30, 20),
        cached=4,
    ),
    *(
        used(f"usage with {first} and {second}", {first: 30, second: 20}, usage=(30, 20))
        for first, second in (
            ("promptTokenCount", "candidatesTokenCount"),
            ("inputTokens", "outputTokens"),
            ("prompt_eval_count", "eval_count"),
        )
    ),
    *(
        used(f"usage with {name}", {**COUNTS, name: 4}, usage=(30, 20), cached=4)
        for name in ("cache_read_tokens", "cachedContentTokenCount")
    ),
    *(
        used(f"usage with {name} in its details", {**COUNTS, "prompt_tokens_details": {name: 4}}, cached=4)
        for name in ("cache_read_tokens", "cache_read_input_tokens")
    ),
    used(
        "usage with a zero in its details beside the real number",
        {**COUNTS, "prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 4},
        usage=(30, 20),
        cached=4,
    ),
    used("usage in fractions", {"prompt_tokens": 30.0, "completion_tokens": 20.0}, usage=(30, 20)),
    used("usage, then none", COUNTS, {}, usage=(30, 20)),
    used("usage twice", COUNTS, COUNTS, usage=(30, 20)),
    oddly(
        "usage within the message",
        Answer(
            json_reply({**HEAD, "choices": [{"index": 0, "message": {"content": "Hello.", "usage": COUNTS}}]}),
            sse(delta("Hello."), delta(finish_reason="stop", extra={"usage": COUNTS})),
        ),
        gives={**HELLO_TEXT, "usage": (30, 20)},
    ),
    oddly(
        "usage as usageMetadata",
        Answer(
            json_reply({**completion("Hello."), "usage": None, "usageMetadata": COUNTS}),
            sse(delta("Hello."), delta(finish_reason="stop", usageMetadata=COUNTS)),
        ),
        gives={**HELLO_TEXT, "usage": (30, 20)},
    ),
    used("usage with nulls beside", {**COUNTS, "input_tokens": None, "prompt_tokens_details": None}, usage=(30, 20)),
    used("usage, then zeros", COUNTS, dict.fromkeys(COUNTS, 0), usage=(30, 20)),
    used("usage, then nulls", COUNTS, dict.fromkeys(COUNTS), usage=(30, 20)),
    used("usage split over events", {"prompt_tokens": 30}, {"completion_tokens": 20}, usage=(30, 20)),
    used(
        "usage whose details come later",
        COUNTS,
        {"prompt_tokens_details": {"cached_tokens": 4}},
        usage=(30, 20),
        cached=4,
    ),
    used("usage that grows", {**COUNTS, "completion_tokens": 3}, COUNTS, usage=(30, 20)),
    oddly(
        "usage within the choice",
        Answer(
            json_reply(
                {
                    **HEAD,
                    "choices": [
                        {"index": 0, "message": {"content": "Hello."}, "finish_reason": "stop", "usage": COUNTS}
                    ],
                }
            ),
            sse(delta("Hello."), chunk([{"index": 0, "delta": {}, "finish_reason": "stop", "usage": COUNTS}])),
        ),
        gives={**HELLO_TEXT, "usage": (30, 20)},
    ),
]

THOUGHT = {**HELLO_TEXT, "reasoning": "Hm."}
REASONING = [
    oddly(
        "content as a list with a thinking part",
        says([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hello."}]),
        gives=THOUGHT,
    ),
    oddly(
        "content as a list with thinking as a list",
        says([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hello."}]),
        gives=THOUGHT,
    ),
    oddly(
        "content as a list of thinking parts in pieces",
        says(
            [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hello."}],
            pieces=[
                delta([{"type": "thinking", "thinking": "H"}]),  # type: ignore[arg-type]
                delta([{"type": "thinking", "thinking": "m."}]),  # type: ignore[arg-type]
                delta([{"type": "text", "text": "Hello."}]),  # type: ignore[arg-type]
            ],
        ),
        gives=THOUGHT,
    ),
    oddly(
        "content as a list with a reasoning part",
        says([{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "Hello."}]),
        gives=THOUGHT,
    ),
    *(
        oddly(
            f"{name} for reasoning_content",
            says(
                "Hello.",
                extra={name: "Hm."},
                pieces=[delta(extra={name: "H"}), delta(extra={name: "m."}), delta("Hello.")],
            ),
            gives=THOUGHT,
        )
        for name in ("thinking", "reasoning", "thinking_content", "reasoning_text", "thought")
    ),
    *(
        oddly(f"content with {part}", says([part, {"type": "text", "text": "Hello."}]), gives=THOUGHT)
        for part in (
            {"type": "text", "text": "Hm.", "thought": True},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "reasoning", "reasoning": "Hm."},
            {"type": "reasoning_content", "reasoning_content": {"text": "Hm."}},
        )
    ),
    *(
        oddly(f"{name} {value}", says("Hello.", extra={name: value}), gives=THOUGHT)
        for name, value in (
            ("reasoning", {"content": "Hm."}),
            ("reasoning_content", {"text": "Hm."}),
            ("reasoning_content", ["H", "m."]),
        )
    ),
    *(
        oddly(
            f"thoughts in the tags {opening}",
            says(f"{opening}Hm.{closing}\n\nHello.", pieces=[delta(one) for one in f"{opening}Hm.{closing}Hello."]),
            fields={"split_think": True},
            gives=THOUGHT,
        )
        for opening, closing in (
            ("<think>", "</think>"),
            ("<THINK>", "</THINK>"),
            ("<thinking>", "</thinking>"),
            ("<thought>", "</thought>"),
            ("<reasoning>", "</reasoning>"),
            ("◁think▷", "◁/think▷"),
        )
    ),
    oddly(
        "a closing think tag without its opening",
        says("Hm.</think>\n\nHello."),
        fields={"split_think": True},
        gives=THOUGHT,
    ),
    oddly(
        "a closing think tag without its opening, in pieces",
        says("Hm.</think>\n\nHello.", pieces=[delta("H"), delta("m.</th"), delta("ink>\n\nHel"), delta("lo.")]),
        fields={"split_think": True},
        gives={**THOUGHT, "pieced": Check("a text", lambda text: isinstance(text, str))},
    ),
    oddly(
        "an unknown text field of a delta, in pieces",
        says(
            "Hello.",
            extra={"note": "one two"},
            pieces=[delta("Hel", extra={"note": "one "}), delta("lo.", extra={"note": "two"})],
        ),
        gives={**HELLO_TEXT, "extra": Check("the note", lambda extra: extra.get("note") == "one two")},
    ),
    oddly(
        "an unknown object of a delta, in pieces",
        says(
            "Hello.",
            extra={"note": {"a": "one two", "b": [1, 2]}},
            pieces=[
                delta("Hel", extra={"note": {"a": "one ", "b": [1]}}),
                delta("lo.", extra={"note": {"a": "two", "b": [2]}}),
            ],
        ),
        gives={
            **HELLO_TEXT,
            "extra": Check("the note", lambda extra: extra.get("note") == {"a": "one two", "b": [1, 2]}),
        },
    ),
]

WISHES = [*USAGE, *REASONING]

NOT_YET: dict[str, str] = {}
