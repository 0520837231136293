"""Answers made from the request's own schemas: no model, no chance, the same request gets the same answer.

`answer_from_schemas` is the scripted server's default, and enough for the frameworks' standard suites and agents:

- Tools: `"required"` calls one, a named one is called, `"none"` calls none; otherwise each question gets a call, and
  its results an answer in prose. The tools that the question names are called, else the one whose words come nearest.
- Arguments and `response_format` are made from the JSON schema, with the numbers and quoted words of the question.
- JSON mode: a schema within the prompt is followed, else the quoted words become the keys (of a joke, its two parts).
- Vectors and scores: texts are near to each other by the words that they share. Web search: pages that quote it.
- Bills and the balance of the account are always the same.
- Reasoning, search, `stop`, the token limit and `stream_options` do what GeekAI's documentation says.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
import zlib

from geekai_testing import replies
from geekai_testing.replies import CJK, TOKEN, Json, Reply, Request, Responder, dumps, error, tool_call
from geekai_testing.schema_samples import quoted, sample

SOURCES = ["https://example.com/tea", "https://example.com/lighthouse"]
LONG_WORD = re.compile(rf"[{CJK}]|[a-z]{{4,}}")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def answer_from_schemas(request: Request) -> Reply:
    """Answer a request from what it asks for; an unknown path is a 404, a request that makes no sense a 400."""
    if request.path.startswith("/api/chat/transaction/"):
        return replies.bill()
    if request.path == "/api/credit/balance":
        return replies.balance()
    if request.route not in ANSWERS:
        return error(404, f"no such path: {request.route}")
    needed, answer = ANSWERS[request.route]
    if not request.body or not all(request.json.get(name) for name in needed):
        return error(400, f"{' and '.join(needed)} are required")
    return answer(request)


def _chat(request: Request) -> Reply:
    body = request.json
    if isinstance(body.get("tool_choice"), dict) and not _usable_tools(body):
        return error(400, f"tool_choice names no tool: {dumps(body['tool_choice'])}")
    messages = body["messages"]
    last_user = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=0)
    text = _text(messages[last_user])
    question = text.partition("{")[0] if _schema_within(text) else text
    calls = _calls(body, question, messages[last_user + 1 :])
    content, finish = (None, "tool_calls") if calls else _shortened(_content(body, question), body)
    reasoning = "First I read the question, then I answer it." if body.get("enable_thinking") else ""
    searched = bool(body.get("enable_search"))
    shows_results = searched and (body.get("search_config") or {}).get("return_result")
    thought = _count(reasoning)
    written = _count(content or "") + sum(_count(call["function"]["arguments"]) for call in calls)
    read = sum(3 + _count(_text(message)) for message in messages)
    return replies.answer(
        content,
        reasoning=reasoning,
        tool_calls=calls,
        citations=SOURCES if searched else (),
        search_results=_found_pages(question, len(SOURCES)) if shows_results else (),
        id=f"chatcmpl-{zlib.crc32(request.body):08x}",
        finish_reason=finish,
        usage=replies.usage(read, written + thought, int(searched), completion={"reasoning_tokens": thought}),
    )(request)


def _text(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") if isinstance(part, dict) else str(part) for part in content).strip()


def _usable_tools(body: Json) -> list[Json]:
    choice = body.get("tool_choice")
    tools = [tool["function"] for tool in body.get("tools") or []]
    if isinstance(choice, dict):
        return [tool for tool in tools if tool["name"] == (choice.get("function") or choice).get("name")]
    return [] if choice == "none" else tools


def _calls(body: Json, question: str, since: list[Json]) -> list[Json]:
    """The calls to make, given what has been said `since` the question."""
    tools, choice = _usable_tools(body), body.get("tool_choice")
    forced = isinstance(choice, dict) or choice in ("required", "any")
    if not tools or (not forced and any(message["role"] == "tool" for message in since)):
        return []
    called = {call["function"]["name"] for message in since for call in message.get("tool_calls") or []}
    fresh = [tool for tool in tools if tool["name"] not in called] or tools
    chosen = [tool for tool in fresh if tool["name"] in re.findall(r"[\w-]+", question)] or [
        max(fresh, key=lambda tool: len(_words(question) & _words(f"{tool['name']} {tool.get('description')}")))
    ]
    if isinstance(choice, dict) or body.get("parallel_tool_calls") is False:
        chosen = chosen[:1]
    schemas = {tool["name"]: {"type": "object", **(tool.get("parameters") or {})} for tool in chosen}
    return [
        tool_call(name, sample(schema, question), id=f"call_{len(body['messages'])}_{number}")
        for number, (name, schema) in enumerate(schemas.items())
    ]


def _words(text: str) -> set[str]:
    """What a text is about, roughly: its longer words and its Chinese characters."""
    return set(LONG_WORD.findall(text.lower()))


def _content(body: Json, question: str) -> str:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return dumps(sample(wanted["json_schema"].get("schema") or {"type": "object"}, question))
    for message in reversed(body["messages"]):
        if message["role"] in ("system", "user") and (schema := _schema_within(_text(message))):
            return dumps(sample(schema, question))
    results = [*itertools.takewhile(lambda message: message["role"] == "tool", reversed(body["messages"]))]
    prose = f"Here is a scripted answer to: {question}"
    if results:
        prose = "The tools answered: " + "; ".join(_text(result) for result in reversed(results))
    if body.get("json_mode") or wanted.get("type") == "json_object":
        keys = quoted(question) or (["setup", "punchline"] if "joke" in question else ["answer"])
        return dumps(dict.fromkeys(keys, prose))
    return prose + " [1][2]" * bool(body.get("enable_search"))


def _schema_within(text: str) -> Json | None:
    """The first JSON schema of an object in a text; LlamaIndex's output parser may have doubled its braces."""
    for candidate in (text, text.replace("{{", "{").replace("}}", "}")):
        for start in re.finditer(r"\{", candidate):
            with contextlib.suppress(ValueError):
                found: Json = json.JSONDecoder().raw_decode(candidate, start.start())[0]
                if isinstance(found.get("properties"), dict):
                    return found
    return None


def _shortened(content: str, body: Json) -> tuple[str, str]:
    """The content up to a stop word, though never nothing, and to the token limit; and the finish reason."""
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        content = content.partition(stop)[0] or content
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    tokens = TOKEN.findall(content)
    return ("".join(tokens[:limit]), "length") if limit and len(tokens) > limit else (content, "stop")


def _embeddings(request: Request) -> Reply:
    body = request.json
    given = [body["input"]] if isinstance(body["input"], str) else body["input"]
    texts = [part if isinstance(part, str) else dumps(part) for part in given]
    rows = [_vector(text, body.get("dimensions") or 64) for text in texts]
    return replies.vectors(*rows, tokens=sum(map(_count, texts)), model=body["model"])


def _rerank(request: Request) -> Reply:
    query, documents = request.json["query"], request.json["documents"]
    scores = [sum(map(float.__mul__, _vector(query), _vector(text))) for text in documents]
    return replies.ranking(*scores, query_tokens=_count(query), documents_tokens=sum(map(_count, documents)))(request)


def _web_search(request: Request) -> Reply:
    return replies.pages(*_found_pages(request.json["prompt"], request.json.get("count") or 10))


def _found_pages(question: str, count: int) -> list[Json]:
    """So many search results, in GeekAI's form."""
    links = [*SOURCES, *(f"https://example.com/{number}" for number in range(len(SOURCES) + 1, count + 1))][:count]
    return [
        {"title": f"Page {at}", "link": link, "content": f"{question}: see here.", "media": "example.com"}
        for at, link in enumerate(links, 1)
    ]


def _count(text: str) -> int:
    return len(TOKEN.findall(text))


def _vector(text: str, dimensions: int = 256) -> list[float]:
    """Of length 1: each word counts at a place of its own, or nearly so."""
    places = [zlib.crc32(word.encode()) % dimensions for word in WORD.findall(text.lower())] or [0]
    length = math.sqrt(sum(places.count(place) ** 2 for place in set(places)))
    return [places.count(place) / length for place in range(dimensions)]


ANSWERS: dict[str, tuple[tuple[str, ...], Responder]] = {
    "/chat/completions": (("model", "messages"), _chat),
    "/embeddings": (("model", "input"), _embeddings),
    "/rerank": (("model", "query", "documents"), _rerank),
    "/web_search": (("model", "prompt"), _web_search),
}
"""Of each path: the fields that a request must have, and what answers it."""
