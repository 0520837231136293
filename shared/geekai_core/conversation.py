"""Which request follows which answer. Pure: a generator that does no I/O, driven by both clients.

A model may refuse a part of a request that others take, ignore the form it was asked for, or answer with an object
that does not fit. `converse` knows the second way: a forced tool is offered, a field is left out, JSON is asked for in
another way, an answer that does not fit is sent back once. What a model refused is remembered for an hour.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel

from geekai_core import endpoints as ops
from geekai_core.config import Config
from geekai_core.counting import Blocks, running
from geekai_core.errors import GeekAIError, InvalidResponseError
from geekai_core.memory import remember, remembered
from geekai_core.options import ReasoningHistory
from geekai_core.request.body import SENDING, is_thinking
from geekai_core.request.hints import warn
from geekai_core.request.messages import REASONING, sendable
from geekai_core.request.refusals import refused
from geekai_core.request.schemas import can_be_closed, closed, schema_of
from geekai_core.request.structured import (
    Rung,
    instructed,
    needs_instruction,
    repair_messages,
    request_fields,
    rungs,
    schema_instruction,
    schema_name,
)
from geekai_core.request.tools import is_forced, tool_name
from geekai_core.response.finish import normal_finish_reason, refusal_words
from geekai_core.response.json_text import answer_json, cut_short, words_of
from geekai_core.response.unpacked import unpacked
from geekai_core.transport.calls import Operation, Sleep
from geekai_core.wire import Answer, ChatCompletion, Json

_LEFT_OUT = ("parallel_tool_calls", "json_mode", "stream_options")
"""Fields without which a request still means the same."""
_HISTORIES: tuple[ReasoningHistory, ...] = ("all", "never")
"""What is sent instead where a model refuses a history: all reasoning where it misses some, else none."""
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""Each name of the token limit, and the other one."""


@dataclass(frozen=True)
class Goal:
    """The object that a request is after.

    `schema`, `name`: its JSON schema. `method`: the way to ask for it that is tried first; None: the best. `strict`:
    ask for strict decoding. `supports_tools`: whether the model can call functions. `check`: what makes the object of a
    JSON value, and raises a `ValueError` where it does not fit; None: any JSON value will do. `repairs`: whether an
    object that does not fit is asked for once more.
    """

    schema: Json
    name: str = "answer"
    method: Rung | None = None
    strict: bool | None = None
    supports_tools: bool = True
    check: Callable[[Any], Any] | None = None
    repairs: bool = True


@dataclass(frozen=True)
class Request:
    """One wish: the `body` that is sent where the model takes all of it, and the `goal`, if an object is wanted.

    `reasoning_history`: which reasoning goes back; None: the messages are sent as they are. `tool_names`: tools that
    travel under another name, by that name. `timeout`, `headers`, `params`: of this request alone. `as_given`: there is
    no second way, and nothing is remembered: what a server that passes requests on wants. `blocks`: the `collect()`
    blocks that count its stream, whenever and wherever that is read.
    """

    body: Mapping[str, Any]
    goal: Goal | None = None
    reasoning_history: ReasoningHistory | None = None
    tool_names: Mapping[str, str] = field(default_factory=dict)
    timeout: Any = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    as_given: bool = False
    blocks: Blocks = field(default_factory=running.get, compare=False, repr=False)

    def sending(self) -> Json:
        """How the request is sent, as an `Operation` names it."""
        return {"timeout": self.timeout, "headers": self.headers, "params": self.params}


def request_of(
    config: Config, body: Mapping[str, Any] | None, given: Mapping[str, Any], goal: Goal | None = None, **ready: bool
) -> Request:
    """A request of a ready body or of keywords, among them `timeout`, `extra_headers`, `extra_query`.

    Raises `ConfigurationError`.
    """
    fields = dict(given)
    timeout, headers, params = (fields.pop(name, None) for name in SENDING)
    body = ops.request_body(config, body, fields, **ready)
    return Request(body, goal, timeout=timeout, headers=headers or {}, params=params or {})


def goal_of(form: type[BaseModel], **settings: Any) -> Goal:
    """The goal that is an object of a pydantic class; `settings` are further fields of the `Goal`."""
    return Goal(schema_of(form), form.__name__, check=form.model_validate, **settings)


class Outcome(NamedTuple):
    """How a conversation ended: its last answer; the goal's object; or why the answer is no such object.

    Where the model called another tool than the goal's, there is neither object nor error.
    """

    answer: ChatCompletion
    value: Any = None
    error: Exception | None = None

    def object(self) -> Any:
        """The object. Raises the error where there is none."""
        if isinstance(self.error, GeekAIError):
            raise self.error
        if self.error is not None:
            words = f"the answer does not fit: {self.error}"
            raise InvalidResponseError(words, excerpt=words_of(self.answer.message)) from self.error
        return self.value


class _Attempts:
    """The ways to send one request: which is next, and what was found not to work."""

    def __init__(self, config: Config, request: Request) -> None:
        body = request.body
        self._request = request
        self._goal = request.goal or _goal_of(body)
        self._place = config.base_url, str(body.get("model"))
        self._config = config
        self._known = set(remembered(*self._place))
        self._thinking = is_thinking(body)
        self._added: list[Json] = []
        self._ignored: list[str] = []
        self._ladder: list[Rung] = []
        if self._goal is not None:
            ladder = rungs(self._goal.method, thinking=self._thinking, supports_tools=self._goal.supports_tools)
            self._ladder = [rung for rung in ladder if f"rung={rung}" not in self._known] or ladder[-1:]
        self.rung: Rung | None = self._ladder.pop(0) if self._ladder else None

    def body(self) -> Json:
        """What is asked for now, with fields that the model may be known to refuse."""
        body = dict(self._request.body)
        history = self._request.reasoning_history
        if history is not None:
            for other in _HISTORIES:
                history = other if f"reasoning={other}" in self._known else history
            body["messages"] = sendable(body["messages"], history, thinking=self._thinking or history == "all")
        if self.rung is not None and self._goal is not None and not self._is_as_given():
            body = _asking(body, self._goal, self.rung, offered=self._offered(True))
        if not self._config.is_geekai and "max_completion_tokens" in body:
            body.setdefault("max_tokens", body["max_completion_tokens"])
        if self._added:
            body["messages"] = [*body["messages"], *self._added]
        if self._offered(is_forced(body.get("tool_choice"))):
            body["tool_choice"] = "auto"
        if "stream" in self._known and not body.get("background"):
            body["stream"] = True
            if self._config.stream_usage:
                body.setdefault("stream_options", {"include_usage": True})
        return body

    def sent(self, body: Json) -> Json:
        """What is sent of a body: all but the fields that the model is known to refuse."""
        sent = dict(body)
        for name in sorted(self._known & sent.keys()):
            if name in _LEFT_OUT or _LIMITS.get(name) in sent:
                del sent[name]
        return sent

    def _is_as_given(self) -> bool:
        """Whether the request holds the schema as its user wrote it."""
        return self._request.goal is None and self.rung == "json_schema"

    def _offered(self, forced: bool) -> bool:
        """Whether a tool that is to be forced is only offered."""
        return forced and (self._thinking or "tool_choice" in self._known)

    def refusal(self, error: Exception, sent: Json) -> str | None:
        """What this error refuses of what was `sent` that there is another way for; None: there is none."""
        names = refused(error)
        if "tool_choice" in names and is_forced(sent.get("tool_choice")):
            return "tool_choice"
        if "stream" in names and not sent.get("stream"):
            return "stream"
        for name in sorted(names & sent.keys()):
            if name in _LEFT_OUT or _LIMITS.get(name) in sent:
                return name
        if "reasoning_content" in names and self._request.reasoning_history is not None:
            other = "never" if any(message.keys() & REASONING for message in sent["messages"]) else "all"
            tried = any(what.startswith("reasoning=") for what in self._known)
            return None if tried else f"reasoning={other}"
        feature = "tools" if self.rung == "function_calling" else "response_format"
        return f"rung={self.rung}" if feature in names and self._ladder else None

    def give_way(self, error: GeekAIError, sent: Json) -> bool:
        """Whether there is another way to send the request after this error; then `body` is that way."""
        what = self.refusal(error, sent)
        if what is None:
            return False
        if what == "tool_choice":
            warn(f"no forced tool_choice for this model, its tools are only offered: {error}")
        return self.next_rung() if what == f"rung={self.rung}" else self._learn(what)

    def next_rung(self, *, ignored: bool = False) -> bool:
        """Whether there is another way to ask for JSON; then it is the next, and this one is remembered as refused: if
        it was `ignored`, perhaps by chance, only when it is again, or where the next one is of no use either."""
        ways = [f"rung={self.rung}", *(["rung=json_mode"] if ignored and self.rung == "json_schema" else [])]
        self._ladder = [rung for rung in self._ladder if f"rung={rung}" not in ways]
        if self.rung is None or not self._ladder:
            return False
        once = f"ignored={self.rung}"
        is_chance = ignored and not self._ignored and once not in self._known
        for what in [once] if is_chance else [*self._ignored, *ways]:
            self._learn(what)
        self._ignored += ways if ignored else []
        self.rung = self._ladder.pop(0)
        return True

    def _learn(self, what: str) -> bool:
        self._known.add(what)
        remember(*self._place, what)
        return True

    def outcome(self, answer: ChatCompletion) -> Outcome:
        """What an answer is to the goal."""
        goal, rung, message = self._goal, self.rung, answer.message
        if goal is None or rung is None:
            return Outcome(answer)
        called = {call.function.name for call in message.tool_calls or () if call.function}
        beside = map(tool_name, self._request.body.get("tools") or ())
        if called & {self._request.tool_names.get(name or "", name) for name in beside} - {schema_name(goal.name)}:
            return Outcome(answer)
        if (refusal := refusal_words(message.refusal, _ended_by(answer))) is not None:
            return Outcome(answer, error=InvalidResponseError(refusal))
        try:
            value = unpacked(answer_json(message, rung), goal.schema)
            return Outcome(answer, value if goal.check is None else goal.check(value))
        except (InvalidResponseError, ValueError) as error:  # pydantic's, too
            if _ended_by(answer) == "length":
                return Outcome(answer, error=cut_short(words_of(message)))
            return Outcome(answer, error=error)

    def repair(self, outcome: Outcome) -> bool:
        """Whether to ask again for an object that does not fit: in another way where the form was ignored, else once
        more, with what is wrong."""
        goal, message = self._request.goal, outcome.answer.message
        ended_by = _ended_by(outcome.answer)
        if outcome.error is None or message.refusal or self._added or ended_by in ("length", "content_filter"):
            return False
        if _is_prose(outcome):
            if self.next_rung(ignored=True):
                return True
            if self._ignored:
                return False
        if goal is None or not goal.repairs:
            return False
        self._added = repair_messages([], words_of(message), outcome.error, goal.schema)
        return True


def converse(config: Config, request: Request) -> ops.Steps[Outcome]:
    """The requests of one wish, each sent its answer or thrown its error; returns how it ended.

    Raises the errors of a request; where all ways to ask for an object fail, the first is the outcome.
    """
    if request.as_given:
        return Outcome((yield from _answered(config, dict(request.body), request, wish=request.body)))
    attempts = _Attempts(config, request)
    first: Outcome | None = None
    while True:
        body = attempts.body()
        sent = attempts.sent(body)
        refusal = functools.partial(attempts.refusal, sent=sent)
        try:
            answer = yield from _answered(config, sent, request, wish=body, is_refusal=refusal)
        except GeekAIError as error:
            if attempts.give_way(error, sent):
                continue
            if first is None or not refused(error):
                raise
            return first
        outcome = attempts.outcome(answer)
        if not attempts.repair(outcome):
            return outcome if first is None or outcome.error is None or not _is_prose(outcome) else first
        if first is None and _is_prose(outcome):
            first = outcome


def _ended_by(answer: ChatCompletion) -> str | None:
    return normal_finish_reason(answer.choices[0].finish_reason) if answer.choices else None


def _is_prose(outcome: Outcome) -> bool:
    """Whether a finished answer holds no JSON at all."""
    return isinstance(outcome.error, InvalidResponseError) and _ended_by(outcome.answer) != "length"


def _answered(
    config: Config, body: Json, request: Request, *, wish: Mapping[str, Any], is_refusal: Any = None
) -> Generator[Operation[Answer] | Sleep, Any, ChatCompletion]:
    """One request's answer, as the `wish` has it, of which `body` may lack some; a background task is waited for."""
    sending = {**request.sending(), "is_refusal": is_refusal}
    if not body.get("background"):
        one_call = wish.get("parallel_tool_calls") is False
        operation = ops.chat(config, body, one_call=one_call, tool_names=request.tool_names, **sending)
        return (yield operation)  # type: ignore[no-any-return]
    task: ChatCompletion = yield ops.submit(config, body, **sending)
    return (yield from ops.waiting(config, task.id or "", config.total_timeout, None))


def _goal_of(body: Mapping[str, Any]) -> Goal | None:
    """The goal of a `response_format` with a schema, which agents send whatever the model can."""
    wanted = body.get("response_format")
    inner = wanted.get("json_schema") if isinstance(wanted, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("schema"), dict):
        return None
    name = str(inner.get("name") or "answer")
    return Goal(inner["schema"], name, "json_schema", inner.get("strict"), supports_tools=False)


def _asking(body: Json, goal: Goal, rung: Rung, *, offered: bool) -> Json:
    """A body that asks for JSON by `rung`; tools that were bound beside it stay."""
    asking = {key: value for key, value in body.items() if key not in ("response_format", "json_mode")}
    if needs_instruction(rung, thinking=offered):
        asking["messages"] = instructed(body["messages"], schema_instruction(goal.schema))
    schema, strict = goal.schema, goal.strict
    if strict is None and goal.check is not None and can_be_closed(schema):
        schema = closed(schema)  # a class's own is open, which strict servers refuse
        strict = True if rung == "json_schema" else None
    fields = request_fields(rung, schema, goal.name, strict=strict, thinking=offered)
    if "tools" in fields:
        fields["tools"] = [*body.get("tools", []), *fields["tools"]]
        fields["parallel_tool_calls"] = body.get("parallel_tool_calls", False)
    return {**asking, **fields}
