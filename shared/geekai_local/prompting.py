"""What the model is asked: a request of the wire becomes the engine's requests. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from geekai_core.options import SearchConfig, Thinking
from geekai_core.wire import ChatRequest
from geekai_local.errors import AnswerError
from geekai_local.weights import LocalModel

Option = TypeVar("Option", bound=BaseModel)

FOLDED = 2
"""How many search results go into the prompt: more would drown a small model."""
SEARCH_INSTRUCTION = "Answer the question using only the context, briefly."
ROLES = {"system", "developer", "user", "assistant", "tool"}
PASSED = ("temperature", "top_p", "top_k", "max_tokens", "stop", "seed", "frequency_penalty", "presence_penalty")
_NO_THINKING: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}
EFFORT = {"minimal": 8, "low": 16, "medium": 32, "high": 64}


@dataclass(frozen=True)
class Plan:
    """How one request is answered."""

    body: dict[str, Any]
    """The engine's request."""
    forced: tuple[dict[str, Any], ...] = ()
    """The functions of which one must be called; none when the model is free."""
    show_thoughts: bool = True


def option(kind: type[Option], value: Option | Mapping[str, Any] | None) -> Option:
    """An option of the request as its model. Raises `AnswerError` for one that is none.

    >>> option(SearchConfig, {"count": 3}).count
    3
    """
    try:
        return value if isinstance(value, kind) else kind.model_validate(value or {})
    except ValidationError as error:
        raise bad_request(f"{kind.__name__}: {error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None


def make_plan(request: ChatRequest, model: LocalModel, results: Sequence[Mapping[str, str]] = ()) -> Plan:
    """Decide how to answer `request`, with `results` of a search. Raises `AnswerError`."""
    _refuse(request)
    messages = [_plain(message) for message in request.messages]
    if results:
        words = option(SearchConfig, request.search_config).prompt or SEARCH_INSTRUCTION
        messages = _fold(messages, results, words)
    body: dict[str, Any] = {"messages": messages, "cache_prompt": True}
    for name in PASSED:
        value = getattr(request, name)
        value = getattr(model, name, None) if value is None else value
        if value is not None:
            body[name] = value
    thinking = option(Thinking, request.thinking)
    body |= _thinking(request, thinking, model, body.get("max_tokens"))
    form = _response_format(request)
    if form:
        body["response_format"] = form
    forced = _forced(request)
    if request.tools and not forced and request.tool_choice != "none":
        body |= {"tools": request.tools, "parallel_tool_calls": bool(request.parallel_tool_calls)}
    return Plan(body, forced, show_thoughts=thinking.include_thoughts is not False)


def choice_body(plan: Plan) -> dict[str, Any]:
    """The engine's request for the name of one of the forced functions, as `{"name": …}`."""
    offers = [f"- {function['name']}: {function.get('description', '')}" for function in plan.forced]
    messages = plan.body["messages"]
    head, rest = ([messages[0]["content"]], messages[1:]) if messages[0]["role"] == "system" else ([], messages)
    system = "\n".join([*head, "Functions:", "- get_time: Get the time in a city.", *offers])
    example = [
        {"role": "user", "content": "What time is it in Oslo?"},
        {"role": "assistant", "content": '{"name": "get_time"}'},
    ]
    names = {"type": "string", "enum": [function["name"] for function in plan.forced]}
    return _asked(plan, [{"role": "system", "content": system}, *example, *rest], _object({"name": names}), 128)


def arguments_body(plan: Plan, function: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's request for the arguments of `function`: JSON that fits its schema, and nothing else."""
    schema = dict(function.get("parameters") or {})
    if not schema.get("properties"):
        schema = {**_object({}), **schema, "additionalProperties": False}
    words = f"Give the arguments of {function['name']} ({function.get('description', '')}) as JSON."
    messages = [*plan.body["messages"], {"role": "user", "content": words}]
    return _asked(plan, messages, schema, plan.body.get("max_tokens"))


def offer_first(plan: Plan) -> tuple[Plan, Plan]:
    """Two plans for tools and a format together: first the tools alone, then the format alone."""
    offer = _without(plan.body, "response_format", "thinking_budget_tokens") | _NO_THINKING
    rest = _without(plan.body, "tools", "parallel_tool_calls")
    return replace(plan, body=offer), replace(plan, body=rest)


def after_thought(plan: Plan, thought: str) -> Plan:
    """The plan for a model that thought and then said nothing: the thought joins the prompt, thinking ends."""
    messages = [*plan.body["messages"]]
    at = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=len(messages) - 1)
    messages[at] = {**messages[at], "content": f"{messages[at]['content']}\n\nThoughts: {thought.strip()}"}
    body = {**_without(plan.body, "thinking_budget_tokens"), "messages": messages, **_NO_THINKING}
    if "max_tokens" in body:  # which counts the thought too
        body["max_tokens"] -= plan.body.get("thinking_budget_tokens", 0)
    return replace(plan, body=body)


def last_question(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message, which is what a search looks for."""
    asked = [message for message in messages if message.get("role") == "user"]
    return str(_plain(asked[-1])["content"]) if asked else ""


def bad_request(words: str) -> AnswerError:
    """The error for a request that cannot be right."""
    return AnswerError(400, "invalid_request", words)


def _refuse(request: ChatRequest) -> None:
    refused = {
        "messages must not be empty": not request.messages,
        "this endpoint gives one answer: n must be 1": request.n not in (None, 1),
        "this endpoint has no background tasks": request.background,
        "this endpoint gives no logprobs": request.logprobs,
    }
    for words, applies in refused.items():
        if applies:
            raise bad_request(words)


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message with its content as text, which is all that these models read."""
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise bad_request(f"unknown role: {role!r}")
    if isinstance(content, list):
        content = "\n".join(_text(part) for part in content)
    if content is not None and not isinstance(content, str):
        raise bad_request("content must be a string or a list of parts")
    return {**message, "role": "system" if role == "developer" else role, "content": content or ""}


def _text(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if kind != "text" or not isinstance(part.get("text"), str):
        raise AnswerError(400, "unsupported_content", f"the local model reads text only, not a part of type {kind!r}")
    return str(part["text"])


def _fold(messages: list[dict[str, Any]], results: Sequence[Mapping[str, str]], words: str) -> list[dict[str, Any]]:
    """Put search results into the last question, and say how to use them unless the caller has a system message."""
    context = "\n\n".join(f"{result['title']}: {result['content']}" for result in results[:FOLDED])
    at = max(i for i, message in enumerate(messages) if message["role"] == "user")
    question = {**messages[at], "content": f"Context:\n{context}\n\nQuestion: {messages[at]['content']}"}
    head = [] if messages[0]["role"] == "system" else [{"role": "system", "content": words}]
    return [*head, *messages[:at], question, *messages[at + 1 :]]


def _thinking(request: ChatRequest, thinking: Thinking, model: LocalModel, max_tokens: int | None) -> dict[str, Any]:
    if not request.enable_thinking:
        return _NO_THINKING
    effort = EFFORT.get(thinking.reasoning_effort or thinking.thinking_level or "")
    budget = thinking.budget_tokens or effort or model.thinking_budget
    if budget and max_tokens:
        budget = min(budget, max_tokens // 2)  # the answer needs room too
    switch = {"chat_template_kwargs": {"enable_thinking": True}}
    return {**switch, "thinking_budget_tokens": budget} if budget else switch


def _response_format(request: ChatRequest) -> dict[str, Any] | None:
    form = request.response_format
    if form and form.get("type") == "json_schema":
        return form
    if request.json_mode or (form and form.get("type") == "json_object"):
        return {"type": "json_object"}
    if form and form.get("type") != "text":
        raise bad_request(f"unknown response_format: {form.get('type')!r}")
    return None


def _forced(request: ChatRequest) -> tuple[dict[str, Any], ...]:
    """The functions of which `tool_choice` demands one."""
    functions: list[dict[str, Any]] = [dict(tool.get("function") or {}) for tool in request.tools or []]
    if any(not isinstance(function.get("name"), str) for function in functions):
        raise bad_request("each tool needs a function with a name")
    choice = request.tool_choice
    if choice in (None, "auto", "none"):
        return ()
    if choice in ("required", "any"):
        wanted = functions
    else:
        name = (choice.get("function") or {}).get("name") if isinstance(choice, dict) else choice
        wanted = [function for function in functions if function["name"] == name]
    if not wanted:
        raise bad_request(f"tool_choice names no tool of the request: {choice!r}")
    return tuple(wanted)


def _asked(
    plan: Plan, messages: Sequence[Mapping[str, Any]], schema: dict[str, Any], max_tokens: int | None
) -> dict[str, Any]:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    limit = {} if max_tokens is None else {"max_tokens": max_tokens}
    sampling = _without(plan.body, "thinking_budget_tokens", "stop")  # a stop word would cut the JSON short
    return {**sampling, **_NO_THINKING, **limit, "messages": messages, "response_format": form}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _without(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}
