"""Streams in every shape that is documented, seen or imagined, and the answer that each must add up to."""

from __future__ import annotations

from geekai_testing.replies import chunk, delta, usage
from tests.core.stream_case import STOP, Case, b64, check, found, strip_none
from tests.core.stream_tool_cases import TOOL_CASES

__all__ = ["CASES", "Case", "b64", "check", "found", "strip_none"]

USAGE = usage(billed_units=1.5, prompt={"cached_tokens": 3}, completion={"reasoning_tokens": 2})
SOURCES = [{"title": "茶", "link": "https://a", "content": "…"}]

TEXT_CASES = [
    Case("text", [delta("你"), delta("好"), STOP], {"content": "你好"}),
    Case("role first", [delta(extra={"role": "assistant"}), delta("好"), STOP], {"role": "assistant", "content": "好"}),
    Case("nothing but an end", [STOP], {"content": ""}),
    Case("line separator within a text", [delta("一\u2028二\x85三"), STOP], {"content": "一\u2028二\x85三"}),
    Case("an emoji", [delta("😀👩‍👩‍👧"), STOP], {"content": "😀👩‍👩‍👧"}),
    Case(
        "reasoning beside null content in the first delta",
        [delta(None, reasoning_content="想"), delta("好", reasoning_content=None), STOP],
        {"reasoning_content": "想", "content": "好"},
    ),
    Case(
        "reasoning and content in one delta",
        [delta("好", reasoning_content="想"), STOP],
        {"reasoning_content": "想", "content": "好"},
    ),
    Case(
        "reasoning under its other name",
        [delta("", extra={"reasoning": "想"}), delta("好"), STOP],
        {"reasoning_content": "想", "content": "好"},
    ),
    Case(
        "reasoning under both names counts once",
        [delta("", extra={"reasoning_content": "想", "reasoning": "想"}), STOP],
        {"reasoning_content": "想"},
    ),
    Case("only reasoning", [delta("", reasoning_content="想"), STOP], {"reasoning_content": "想", "content": ""}),
    Case(
        "inline thoughts, split",
        [delta("<thi"), delta("nk>想"), delta("了</th"), delta("ink>\n\n"), delta("好"), STOP],
        {"reasoning_content": "想了", "content": "好"},
        settings={"split_think": True},
    ),
    Case(
        "inline thoughts that never end, split",
        [delta("<think>想"), delta("了</thin"), STOP],
        {"reasoning_content": "想了</thin", "content": ""},
        settings={"split_think": True},
    ),
    Case(
        "inline thoughts, left alone",
        [delta("<think>想</think>好"), STOP],
        {"content": "<think>想</think>好"},
    ),
    Case(
        "a text that only looks like thoughts, split",
        [delta("<th"), STOP],
        {"content": "<th"},
        settings={"split_think": True},
    ),
    Case(
        "a refusal",
        [delta(None, extra={"refusal": "不"}), delta(None, extra={"refusal": "行"}), STOP],
        {"refusal": "不行"},
    ),
    Case(
        "content in parts",
        [
            delta(
                extra={"content": [{"type": "text", "text": "好"}, {"type": "image_url", "image_url": {"url": "x"}}]}
            ),
            STOP,
        ],
        {"content": "好", "content_parts": [{"type": "image_url", "image_url": {"url": "x"}}]},
    ),
    Case(
        "content in parts of text",
        [delta(extra={"content": [{"type": "text", "text": "好"}]}), STOP],
        {"content": "好"},
    ),
    Case(
        "thoughts that were never opened",
        [delta("H"), delta("m.</th"), delta("ink>\n\nyes"), delta(" </think>"), STOP],
        {"content": "yes </think>", "reasoning_content": "Hm."},
        settings={"split_think": True},
    ),
    Case("no thoughts, split", [delta("好"), delta("的"), STOP], {"content": "好的"}, settings={"split_think": True}),
    Case(
        "unknown fields of a delta: lists, texts and objects grow, others are replaced",
        [
            delta(extra={"images": [1], "mood": "a", "kind": "x", "n": 1, "note": {"text": "so ", "by": "m"}}),
            delta(extra={"images": [2], "mood": "b", "kind": "x", "n": 2, "note": {"text": "be it", "by": "m"}}),
            STOP,
        ],
        {"images": [1, 2], "mood": "ab", "kind": "x", "n": 2, "note": {"text": "so be it", "by": "m"}},
    ),
    Case(
        "OpenAI's old function_call, in pieces",
        [
            delta(None, extra={"function_call": {"name": "weather", "arguments": ""}}),
            delta(None, extra={"function_call": {"arguments": '{"city": '}}),
            delta(None, extra={"function_call": {"arguments": '"上海"}'}}),
            delta(finish_reason="function_call"),
        ],
        {"function_call": {"name": "weather", "arguments": '{"city": "上海"}'}},
    ),
    Case(
        "unknown fields of choice and chunk",
        [chunk([{"index": 0, "delta": {"content": "好"}, "safety": "ok", "finish_reason": "stop"}], service_tier="x")],
        {"content": "好"},
        {"service_tier": "x", "choices.0.safety": "ok"},
    ),
    Case(
        "several choices in one chunk and apart",
        [
            chunk([{"index": 0, "delta": {"content": "甲"}}, {"index": 1, "delta": {"content": "乙"}}]),
            delta("1", index=1, finish_reason="stop"),
            delta("2", index=0, finish_reason="length"),
        ],
        {"content": "甲2"},
        {"choices.1.message.content": "乙1", "choices.0.finish_reason": "length", "choices.1.index": 1},
    ),
    Case(
        "a message where a delta should be",
        [chunk([{"index": 0, "message": {"role": "assistant", "content": "好"}, "finish_reason": "stop"}])],
        {"content": "好"},
    ),
    Case("no index", [chunk([{"delta": {"content": "好"}, "finish_reason": "stop"}])], {"content": "好"}),
    Case("a null delta", [chunk([{"index": 0, "delta": None}]), delta("好"), STOP], {"content": "好"}),
    Case("null choices", [chunk(None), delta("好"), STOP], {"content": "好"}),
    Case("no choices at all", [{"id": "x"}, delta("好"), STOP], {"content": "好"}),
    Case(
        "an empty finish reason",
        [delta("好", finish_reason=""), STOP],
        {"content": "好"},
        {"choices.0.finish_reason": "stop"},
    ),
    Case(
        "log probabilities that begin with null",
        [
            delta("一", logprobs={"content": None, "version": 1}),
            delta("二", logprobs={"content": [{"token": "二", "logprob": -0.2}], "version": 2}),
            STOP,
        ],
        {"content": "一二"},
        {"choices.0.logprobs": {"content": [{"token": "二", "logprob": -0.2}], "version": 2}},
    ),
    Case(
        "log probabilities",
        [
            delta("一", logprobs={"content": [{"token": "一", "logprob": -0.1, "bytes": [1], "top_logprobs": []}]}),
            delta("二", logprobs={"content": [{"token": "二", "logprob": -0.2, "bytes": None}], "refusal": None}),
            STOP,
        ],
        {"content": "一二"},
        {"choices.0.logprobs.content.0.token": "一", "choices.0.logprobs.content.1.logprob": -0.2},
    ),
]

AUDIO_CASES = [
    Case(
        "audio in pieces, cut anywhere",
        [delta(extra={"audio": {"id": "a1", "data": piece}}) for piece in ("SGV", "sbG8", "gd29ybGQ", "=")]
        + [
            delta(extra={"audio": {"transcript": "你"}}),
            delta(extra={"audio": {"transcript": "好", "expires_at": 9}}),
            STOP,
        ],
        {"audio": {"id": "a1", "data": b64(b"Hello world"), "transcript": "你好", "expires_at": 9}, "content": None},
    ),
    Case("a transcript alone", [delta(extra={"audio": {"transcript": "好"}}), STOP], {"audio": {"transcript": "好"}}),
    Case(
        "audio in pieces, each with padding of its own",
        [delta(extra={"audio": {"data": b64(piece)}}) for piece in (b"H", b"el", b"lo", b" world")] + [STOP],
        {"audio.data": b64(b"Hello world")},
    ),
    Case(
        "audio pieces with padding in their midst",
        [delta(extra={"audio": {"data": b64(b"H") + b64(b"ello"), "id": None}}), STOP],
        {"audio.data": b64(b"Hello")},
    ),
    Case(
        "audio that is no base64 is kept as it came",
        [delta(extra={"audio": {"data": "https://a/"}}), delta(extra={"audio": {"data": "b.mp3"}}), STOP],
        {"audio.data": "https://a/b.mp3"},
    ),
]

TOP_CASES = [
    Case("usage on the last content chunk", [delta("好", finish_reason="stop", usage=USAGE)], {}, {"usage": USAGE}),
    Case("usage on a chunk without choices", [delta("好"), STOP, chunk([], usage=USAGE)], {}, {"usage": USAGE}),
    Case(
        "usage on each chunk, growing",
        [delta("一", usage=usage(12, 1)), delta("二", usage=usage(12, 2)), delta(finish_reason="stop", usage=USAGE)],
        {},
        {"usage": USAGE},
    ),
    Case(
        "usage that is null but once", [delta("一", usage=None), delta("二", usage=USAGE), STOP], {}, {"usage": USAGE}
    ),
    Case("no usage", [delta("好"), STOP], {}, {"usage": None}),
    *[
        Case(f"citations {where}", payloads, {"content": "好"}, {"citations": ["https://a", "https://b"]})
        for where, payloads in {
            "first": [delta("好", citations=["https://a", "https://b"]), STOP],
            "last": [delta("好"), delta(finish_reason="stop", citations=["https://a", "https://b"])],
            "repeated": [
                delta("", citations=["https://a", "https://b"]),
                delta("好", citations=["https://a", "https://b"]),
                STOP,
            ],
            "growing": [delta("好", citations=["https://a"]), delta("", citations=["https://a", "https://b"]), STOP],
            "with duplicates": [delta("好", citations=["https://a", "https://b", "https://a"]), STOP],
            "emptied later": [delta("好", citations=["https://a", "https://b"]), delta("", citations=[]), STOP],
            "on a chunk without choices": [delta("好"), STOP, chunk([], citations=["https://a", "https://b"])],
            "in the delta": [delta("好", extra={"citations": ["https://a", "https://b"]}), STOP],
        }.items()
    ],
    *[
        Case(
            f"search results as {key}",
            [delta("好", **{key: SOURCES}), STOP],
            {"content": "好"},
            {"search_results": SOURCES},
        )
        for key in ("search_results", "search_result", "web_search", "results")
    ],
    Case(
        "search results in the delta",
        [delta("好", extra={"web_search": SOURCES}), STOP],
        {},
        {"search_results": SOURCES},
    ),
    Case(
        "search results within an object",
        [delta("好", web_search={"results": SOURCES}), STOP],
        {},
        {"search_results": SOURCES},
    ),
    Case(
        "what is no list of results is kept apart",
        [delta("好", search_results=["https://a"], citations="https://b"), STOP],
        {},
        {"search_results": [], "search_results_raw": ["https://a"], "citations": [], "citations_raw": "https://b"},
    ),
    Case(
        "ids stay those of the first chunk, and the object is a whole one",
        [delta("好", id="first", model="m1"), delta("", id="second", model="m2", finish_reason="stop")],
        {},
        {"id": "first", "model": "m1", "object": "chat.completion"},
    ),
]

CASES = [*TEXT_CASES, *TOOL_CASES, *AUDIO_CASES, *TOP_CASES]
