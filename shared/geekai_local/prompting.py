"""What the model is asked: a request of the wire becomes the engine's requests. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geekai_core.options import ChatRequest, SearchConfig, Thinking
from geekai_core.request.messages import object_text
from geekai_core.wire import Json
from geekai_local.errors import AnswerError
from geekai_local.weights import LocalModel, Upstream

FOLDED = 2
"""How many passages go into a local model's prompt: more would drown a small one."""
LIMITS: dict[str, tuple[float, float]] = {
    "temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2),
    "n": (1, 16), "top_k": (0, 10**6), "top_logprobs": (0, 20), "max_tokens": (1, 10**6), "seed": (-1, 2**32 - 1),
}  # fmt: skip
"""What a local model takes; llama.cpp would take anything, and answer with noise."""
MARK = re.compile(r"<(?=[|｜]|/?(?:s|think|tool_call)>|(?:start|end)_of_turn>)|\[(?=/?INST\])")
"""Where a mark begins by which some chat template tells turns and thoughts apart."""
SEARCH_INSTRUCTION = "Answer the question using only the context, briefly."
CITING = "Use the context where it helps to answer the question, and cite what you use by its number, as [1]."
PASSED = {"temperature", "top_p", "top_k", "max_tokens", "stop", "seed", "frequency_penalty", "presence_penalty"}
"""Fields of the request that a local model's engine knows."""
OURS = {
    *("model", "messages", "enable_search", "search_config", "json_mode", "background", "retries", "sess_id"),
    *("stream", "stream_options"),
}
"""Fields of the request that are not passed on to an upstream as they are."""


@dataclass(frozen=True)
class Plan:
    """How one request is answered."""

    body: Json
    """The engine's request."""
    forced: tuple[Json, ...] = ()
    """The functions of which one must be called; none when the model is free."""
    show_thoughts: bool = True
    choices: int = 1
    """How often `body` is asked for an answer."""
    top_logprobs: int = 0
    """How many alternatives a token's log probability comes with."""
    passed_on: bool = False
    """Whether `body` is one request for a server that does the rest: tools, formats, several choices."""


def make_plan(request: ChatRequest, model: LocalModel | Upstream, results: Sequence[Mapping[str, str]] = ()) -> Plan:
    """Decide how to answer `request`, with `results` of a search. Raises `AnswerError` and pydantic's errors."""
    if not request.messages:
        raise _bad_request("messages must not be empty")
    request = request.model_copy(update={"messages": [_mended(message) for message in request.messages]})
    thinking = Thinking.model_validate(dict(request.thinking or {}))
    words = SearchConfig.model_validate(dict(request.search_config or {})).prompt
    top, show_thoughts = request.top_logprobs or 0, thinking.include_thoughts is not False
    if isinstance(model, Upstream):
        body = _upstream_body(request, model, thinking)
        if results:
            body["messages"] = _numbered(request.messages, results, words or CITING)
        return Plan(body, show_thoughts=show_thoughts, top_logprobs=top, passed_on=True)
    _check_limits(request)
    choices = request.n or 1
    messages = [_plain(message) for message in request.messages]
    if results:
        messages = _fold(messages, results, words or SEARCH_INSTRUCTION)
    body = {**model.defaults, **request.model_dump(include=PASSED, exclude_none=True), "messages": _unmarked(messages)}
    if choices > 1 and request.temperature is None:
        body.pop("temperature", None)  # else all would be the same
    if request.logprobs:
        body |= {"logprobs": True, "top_logprobs": max(1, top)}  # none without any alternative
    body = _thinking(body, thinking) if request.enable_thinking else _thoughtless(body)
    if form := _response_format(request):
        body["response_format"] = form
    forced = _forced(request)
    if request.tools and not forced and request.tool_choice != "none":
        body |= {"tools": _unmarked(request.tools), "parallel_tool_calls": bool(request.parallel_tool_calls)}
    return Plan(body, _unmarked(forced), show_thoughts, choices, top)


def choice_body(plan: Plan) -> Json:
    """The engine's request for the name of one of the forced functions, as `{"name": …}`."""
    offers = [f"- {function['name']}: {function.get('description', '')}" for function in plan.forced]
    messages = plan.body["messages"]
    head, rest = ([messages[0]["content"]], messages[1:]) if messages[0]["role"] == "system" else ([], messages)
    system = "\n".join([*head, "Functions:", "- get_time: Get the time in a city.", *offers])
    example = [  # without it a small model takes the first function for everything
        {"role": "user", "content": "What time is it in Oslo?"},
        {"role": "assistant", "content": '{"name": "get_time"}'},
    ]
    names = {"type": "string", "enum": [function["name"] for function in plan.forced]}
    body = _schema_body(plan, [{"role": "system", "content": system}, *example, *rest], _object({"name": names}))
    return {**body, "max_tokens": 128}


def arguments_body(plan: Plan, function: Json) -> Json:
    """The engine's request for the arguments of `function`: JSON that fits its schema, and nothing else."""
    schema = dict(function.get("parameters") or {})
    if not schema.get("properties"):
        schema = {**_object({}), **schema, "additionalProperties": False}
    words = f"Give the arguments of {function['name']} ({function.get('description', '')}) as JSON."
    return _schema_body(plan, [*plan.body["messages"], {"role": "user", "content": words}], schema)


def offer_first(body: Json) -> tuple[Json, Json]:
    """Two requests for tools and a format together: first the tools alone, then the format alone."""
    return _thoughtless(_without(body, "response_format")), _without(body, "tools", "parallel_tool_calls")


def after_thought(body: Json) -> Json:
    """The request for a model that thought and then said nothing: no thinking, within what is left of the limit."""
    left = {"max_tokens": body["max_tokens"] - body.get("thinking_budget_tokens", 0)} if "max_tokens" in body else {}
    return _thoughtless(body) | left


def last_question(messages: Sequence[Mapping[str, object]]) -> str:
    """The text of the last user message, which is what a search looks for."""
    content = next((message.get("content") for message in reversed(messages) if message.get("role") == "user"), None)
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _bad_request(words: str) -> AnswerError:
    return AnswerError(400, "invalid_request", words)


def _check_limits(request: ChatRequest) -> None:
    for name, (least, most) in LIMITS.items():
        value = getattr(request, name)
        if value is not None and not least <= value <= most:
            raise _bad_request(f"{name} must be between {least} and {most}, not {value}")


def _unmarked(value: Any) -> Any:
    """`value`, a text or JSON, in which the marks of chat templates are text: llama.cpp would obey them anywhere."""
    if isinstance(value, str):
        return MARK.sub("\\g<0>\u2060", value)  # a joiner that nobody sees
    if isinstance(value, list | tuple):
        return type(value)(map(_unmarked, value))
    return {name: _unmarked(each) for name, each in value.items()} if isinstance(value, dict) else value


def _mended(message: Mapping[str, object]) -> Mapping[str, object]:
    """A message each of whose calls has a JSON object for its arguments: servers answer 500 to what broke off.

    The tool's complaint stands in the history as well, so that an agent goes on.
    """
    if not isinstance(calls := message.get("tool_calls"), list):
        return message
    mended = [
        {**call, "function": {**called, "arguments": object_text(called.get("arguments"))}}
        if isinstance(call, dict) and isinstance(called := call.get("function"), dict)
        else call
        for call in calls
    ]
    return {**message, "tool_calls": mended}


def _plain(message: Mapping[str, object]) -> Json:
    """A message with its content as text, which is all that these models read."""
    role, content = message.get("role"), message.get("content") or ""
    if role not in ("system", "developer", "user", "assistant", "tool"):
        raise _bad_request(f"unknown role: {role!r}")
    if isinstance(content, list):
        content = "\n".join(map(part_text, content))
    if not isinstance(content, str):
        raise _bad_request("content must be a string or a list of parts")
    return {**message, "role": "system" if role == "developer" else role, "content": content}


def part_text(part: Any) -> str:
    """The text of a part of a content or an input. Raises `AnswerError` for a part of any other kind."""
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if kind != "text" or not isinstance(part.get("text"), str):
        raise AnswerError(400, "unsupported_content", f"a local model reads text only, not a part of type {kind!r}")
    return str(part["text"])


def _fold(messages: list[Json], results: Sequence[Mapping[str, str]], words: str) -> list[Json]:
    """Put search results into the last question, and say how to use them unless the caller has a system message."""
    context = "\n\n".join(f"{result['title']}: {result['content']}" for result in results)
    head = [] if messages[0]["role"] == "system" else [{"role": "system", "content": words}]
    return [*head, *_with_context(messages, f"Context:\n{context}")]


def _numbered(messages: list[Json], results: Sequence[Mapping[str, str]], words: str) -> list[Json]:
    """Put search results into the last question, each with the number of its page, and say how to use them."""
    context = "\n\n".join(f"[{at}] {each['title']}: {each['content']}" for at, each in enumerate(results, 1))
    return _with_context(messages, f"{words}\n\nContext:\n{context}")


def _with_context(messages: list[Json], context: str) -> list[Json]:
    at = max(i for i, message in enumerate(messages) if message.get("role") == "user")
    text, content = f"{context}\n\nQuestion:", messages[at]["content"]
    content = f"{text} {content}" if isinstance(content, str) else [{"type": "text", "text": text}, *content]
    return [*messages[:at], {**messages[at], "content": content}, *messages[at + 1 :]]


def _upstream_body(request: ChatRequest, upstream: Upstream, thinking: Thinking) -> Json:
    """The request for an OpenAI-compatible server: GeekAI's extras are worked in or taken out, all else goes on."""
    switch = {"enable_thinking": request.enable_thinking} if request.enable_thinking is not None else None
    body = {  # What servers call the same: vLLM's and llama.cpp's switch and llama.cpp's budget, Ollama's effort.
        "chat_template_kwargs": switch,
        "thinking_budget_tokens": thinking.budget_tokens,
        "reasoning_effort": thinking.reasoning_effort,
        "response_format": {"type": "json_object"} if request.json_mode else None,
        "model": upstream.model or request.model,
        "messages": request.messages,
    }
    body |= _without_none(request.model_dump(exclude_unset=True, exclude=OURS))
    return _without_none(body)


def _thinking(body: Json, thinking: Thinking) -> Json:
    budget = thinking.budget_tokens or body.get("thinking_budget_tokens")
    if budget and "max_tokens" in body:
        budget = min(budget, body["max_tokens"] // 2)  # the answer needs room too
    limit = {"thinking_budget_tokens": budget} if budget else {}
    return {**_without(body, "reasoning_format"), **limit, "chat_template_kwargs": {"enable_thinking": True}}


def _thoughtless(body: Json) -> Json:
    # A format without `reasoning_format` lets llama.cpp's grammar begin with thoughts, which may take the whole answer.
    switched = {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_format": "none"}
    return {**_without(body, "thinking_budget_tokens"), **switched}


def _response_format(request: ChatRequest) -> Json | None:
    form = request.response_format or {"type": "text"}
    if form.get("type") not in ("json_schema", "json_object", "text"):
        raise _bad_request(f"unknown response_format: {form.get('type')!r}")
    if form["type"] == "json_schema":
        return form
    return {"type": "json_object"} if request.json_mode or form["type"] == "json_object" else None


def _forced(request: ChatRequest) -> tuple[Json, ...]:
    """The functions of which `tool_choice` demands one."""
    functions: list[Json] = [dict(tool.get("function") or {}) for tool in request.tools or []]
    if any(not isinstance(function.get("name"), str) for function in functions):
        raise _bad_request("each tool needs a function with a name")
    choice = request.tool_choice
    if choice in (None, "auto", "none"):
        return ()
    name = (choice.get("function") or {}).get("name") if isinstance(choice, dict) else choice
    wanted = tuple(each for each in functions if name in ("required", "any", each["name"]))
    if not wanted:
        raise _bad_request(f"tool_choice names no tool of the request: {choice!r}")
    return wanted


def _schema_body(plan: Plan, messages: list[Json], schema: Json) -> Json:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    # Without stop words: they would cut the JSON short.
    return {**_without(_thoughtless(plan.body), "stop"), "messages": messages, "response_format": form}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _without(body: Mapping[str, object], *names: str) -> Json:
    return {name: value for name, value in body.items() if name not in names}


def _without_none(body: Mapping[str, object]) -> Json:
    return {name: value for name, value in body.items() if value is not None}
