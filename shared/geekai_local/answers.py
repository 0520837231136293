"""A request becomes the chunks of a stream in GeekAI's shape, and the chunks become a whole answer.

There is one path: a whole answer is a stream that was collected.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from geekai_core.options import SearchConfig
from geekai_core.wire import ChatCompletion, ChatRequest, Choice, Message, ToolCall, Usage
from geekai_local.engine import Engine
from geekai_local.prompting import (
    FOLDED,
    Plan,
    after_thought,
    arguments_body,
    choice_body,
    last_question,
    make_plan,
    offer_first,
    option,
)
from geekai_local.search import SearchIndex

Chunks = AsyncGenerator[dict[str, Any], None]
"""Chunks of a stream as GeekAI sends them. A generator, so that whoever leaves can close it."""

_Choices = AsyncGenerator[tuple[dict[str, Any], str | None], None]
"""What a choice's delta holds, and why it ended."""


async def answer(request: ChatRequest, engine: Engine, index: SearchIndex) -> Chunks:
    """Answer `request`: chunks of a stream, the last of which carries the usage. Raises `AnswerError`.

    Nothing is yielded before the model has begun, so that what fails before can still be an HTTP status.
    """
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion.chunk", "created": int(time.time())}
    head |= {"model": request.model, "system_fingerprint": engine.model.name}
    run = _Run(engine)
    results, shown = _search(request, index)
    first: dict[str, Any] | None = {"role": "assistant", "content": ""}
    async with aclosing(run.choices(make_plan(request, engine.model, results))) as choices:
        async for delta, finish in choices:
            if first:
                yield {**head, "choices": [{"index": 0, "delta": first, "finish_reason": None}], **shown}
                first = None
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    yield {**head, "choices": [], "usage": {**run.usage(), "billed_units": int(bool(request.enable_search))}}


async def collect(chunks: Chunks) -> ChatCompletion:
    """The whole answer that `chunks` add up to."""
    whole: dict[str, Any] = {"object": "chat.completion"}  # the first value of each field wins
    text = {"content": "", "reasoning_content": ""}
    calls: list[dict[str, Any]] = []
    finish = None
    async with aclosing(chunks):
        async for chunk in chunks:
            whole = {**chunk, **whole}
            for choice in chunk["choices"]:
                finish = choice["finish_reason"] or finish
                for name in text:
                    text[name] += choice["delta"].get(name) or ""
                for piece in choice["delta"].get("tool_calls") or ():
                    _join(calls, piece)
    del whole["choices"]
    message = Message(role="assistant", content=text["content"])
    if text["reasoning_content"]:
        message.reasoning_content = text["reasoning_content"]
    if calls:
        message.tool_calls = [ToolCall.model_validate(call) for call in calls]
    usage = Usage.model_validate(whole.pop("usage"))
    return ChatCompletion(**whole, usage=usage, choices=[Choice(index=0, message=message, finish_reason=finish)])


class _Run:
    """The generations behind one answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._used: Counter[str] = Counter()

    def usage(self) -> dict[str, Any]:
        """What all of them used together."""
        prompt, completion = self._used["prompt_tokens"], self._used["completion_tokens"]
        total = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        return {**total, "prompt_tokens_details": {"cached_tokens": self._used["cached_tokens"]}}

    def choices(self, plan: Plan) -> _Choices:
        """Answer by `plan`."""
        if plan.forced:
            return self._forced(plan)
        if "tools" in plan.body and "response_format" in plan.body:
            return self._offered(plan)
        return self._free(plan)

    async def _free(self, plan: Plan) -> _Choices:
        """The model's own answer, prose or calls. Where it only thought, it is asked once more, with its thought."""
        thought, spoke, finish = "", False, None
        async with aclosing(self._stream(plan.body)) as choices:
            async for delta, reason in choices:
                finish = reason or finish
                thought += delta.get("reasoning_content") or ""
                if not plan.show_thoughts:
                    delta.pop("reasoning_content", None)
                if thought and not spoke and "content" in delta:
                    delta["content"] = delta["content"].lstrip()
                delta = {name: value for name, value in delta.items() if value and name != "role"}
                spoke = spoke or "content" in delta or "tool_calls" in delta
                if delta:
                    yield delta, None
        if thought and not spoke and finish == "stop":
            async with aclosing(self._free(after_thought(plan, thought))) as choices:
                async for choice in choices:
                    yield choice
        else:
            yield {}, finish

    async def _offered(self, plan: Plan) -> _Choices:
        """Tools and a format: no grammar holds both, so the model may call first, and else answers in the format."""
        offer, rest = offer_first(plan)
        async with aclosing(self._stream(offer.body)) as choices:
            heard = [choice async for choice in choices]
        calls = [{"tool_calls": delta["tool_calls"]} for delta, _ in heard if delta.get("tool_calls")]
        if not calls:
            async with aclosing(self._free(rest)) as choices:
                async for choice in choices:
                    yield choice
            return
        for call in calls:
            yield call, None
        yield {}, heard[-1][1]

    async def _forced(self, plan: Plan) -> _Choices:
        """A call of one of the forced functions, its arguments generated within its schema."""
        function = plan.forced[0]
        if len(plan.forced) > 1:
            async with aclosing(self._stream(choice_body(plan))) as choices:
                text = "".join([delta.get("content") or "" async for delta, _ in choices])
            function = next((each for each in plan.forced if json.dumps(each["name"]) in text), function)
        call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function"}
        called: dict[str, Any] = {**call, "index": 0, "function": {"name": function["name"], "arguments": ""}}
        finish = None
        async with aclosing(self._stream(arguments_body(plan, function))) as choices:
            async for delta, reason in choices:
                finish = reason or finish
                if called:
                    yield {"tool_calls": [called]}, None
                    called = {}
                if delta.get("content"):
                    yield {"tool_calls": [{"index": 0, "function": {"arguments": delta["content"]}}]}, None
        yield {}, "length" if finish == "length" else "tool_calls"

    async def _stream(self, body: dict[str, Any]) -> _Choices:
        async with aclosing(self._engine.stream(body)) as chunks:
            async for chunk in chunks:
                usage = chunk.get("usage") or {}
                self._used.update({name: count for name, count in usage.items() if isinstance(count, int)})
                self._used.update(usage.get("prompt_tokens_details") or {})
                for choice in chunk["choices"]:
                    yield choice["delta"], choice.get("finish_reason")


def _search(request: ChatRequest, index: SearchIndex) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The results for the prompt, and the fields of the answer that tell of them."""
    if not request.enable_search:
        return [], {}
    config = option(SearchConfig, request.search_config)
    results = index.search(last_question(request.messages), min(max(config.count or 10, 1), 50))
    shown: dict[str, Any] = {"citations": list(dict.fromkeys(result["link"] for result in results[:FOLDED]))}
    if config.return_result:
        shown["search_results"] = results
    return results, shown


def _join(calls: list[dict[str, Any]], piece: Mapping[str, Any]) -> None:
    """Add a piece of a tool call to the calls so far: the first piece names it, further ones append arguments."""
    if piece["index"] >= len(calls):
        calls.append({**piece, "function": {**piece["function"]}})
        del calls[-1]["index"]
    else:
        calls[piece["index"]]["function"]["arguments"] += piece["function"].get("arguments") or ""
