"""The endpoint that the documentation's code talks to: it knows when the ferry leaves, the rest is made from schemas."""

from __future__ import annotations

import re

from geekai_testing import replies
from geekai_testing.replies import Json, Reply, Request, delta
from geekai_testing.schema_answers import answer_from_schemas

ENGLISH = {
    "content": "The ferry leaves at nine, in winter at ten.",
    "reasoning_content": "The timetable has two seasons, so I give both.",
    "results": [
        ("https://harbour.example/timetable", "Timetable", "Summer 9:00, winter 10:00."),
        ("https://harbour.example/notices", "Notices", "No ferry in fog."),
    ],
}
CHINESE = {
    "content": "轮渡九点开船，冬天十点。",
    "reasoning_content": "时刻表分两季，两个都要说。",
    "results": [
        ("https://harbour.example/zh/timetable", "时刻表", "夏季 9:00，冬季 10:00。"),
        ("https://harbour.example/zh/notices", "公告", "大雾停航。"),
    ],
}


def answer(request: Request) -> Reply:
    """The ferry's times, with sources and thoughts where they are asked for; else what `answer_from_schemas` says."""
    if request.path.startswith("/api/chat/transaction/"):
        return replies.bill(1.26, input_tokens=14, output_tokens=12, billed_units=1)
    if request.path == "/api/credit/balance":
        return replies.balance(8750)
    body = request.json if request.body else {}
    question = str((body.get("messages") or [{}])[-1].get("content"))
    known = ENGLISH if "ferry" in question else CHINESE if "轮渡" in question else None
    if known is None or body.get("tools") or body.get("response_format") or "background" in body:
        return answer_from_schemas(request)
    return _reply(known, body)


def _reply(known: Json, body: Json) -> Reply:
    searched, text = bool(body.get("enable_search")), known["content"]
    top: Json = {"usage": replies.usage(14, 12, int(searched)), "model": body["model"]}
    if searched:
        text = f"{text[:-1]} [1]{text[-1]}"
        top["citations"] = [url for url, *_ in known["results"]]
    if searched and (body.get("search_config") or {}).get("return_result"):
        top["search_results"] = [
            dict(zip(("link", "title", "content"), found, strict=True)) for found in known["results"]
        ]
    said = {"content": text, "reasoning_content": known["reasoning_content"] if body.get("enable_thinking") else None}
    if body.get("audio"):
        said |= {"content": None, "audio": {"id": "audio-1", "data": "UklGRg==", "transcript": text}}
    if not body.get("stream"):
        return replies.json_reply(replies.completion(extra=said, **top))
    pieces = [
        {name: part} for name in ("reasoning_content", "content") for part in re.findall(r"\S+\s*", said[name] or "")
    ]
    usage = replies.chunk([], usage=top.pop("usage"), model=body["model"])
    return replies.sse(
        *(delta(extra=piece, model=body["model"]) for piece in pieces), delta(finish_reason="stop", **top), usage
    )
