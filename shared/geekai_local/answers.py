"""A request becomes the chunks of a stream in GeekAI's shape, and the chunks become a whole answer.

There is one path: a whole answer is a stream that was collected.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any

from geekai_core.options import SearchConfig
from geekai_core.wire import ChatRequest
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
)
from geekai_local.search import SearchIndex

Chunks = AsyncGenerator[dict[str, Any], None]
"""Chunks of a stream as GeekAI sends them. A generator, so that whoever leaves can close it."""

_Choices = AsyncGenerator[tuple[dict[str, Any], str | None], None]
"""What a choice's delta holds, and why it ended."""


async def answer(request: ChatRequest, engine: Engine, index: SearchIndex) -> Chunks:
    """Answer `request`: chunks of a stream, the last of which carries the usage. Raises `AnswerError`.

    Nothing is yielded before the model has begun, so that what fails before can still be an HTTP status. Closing it
    ends the generation.
    """
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion.chunk", "created": int(time.time())}
    head |= {"model": request.model, "system_fingerprint": engine.model.path.stem}
    results, shown = _search(request, index)
    plan = make_plan(request, engine.model, results)
    first: dict[str, Any] | None = {"role": "assistant", "content": ""}
    async with AsyncExitStack() as streams:
        run = _Run(engine, streams)
        async for delta, finish in run.choices(plan):
            if first:
                yield {**head, "choices": [{"index": 0, "delta": first, "finish_reason": None}], **shown}
                first = None
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    yield {**head, "choices": [], "usage": {**run.usage(), "billed_units": int(bool(request.enable_search))}}


async def collect(chunks: Chunks) -> dict[str, Any]:
    """The whole answer that `chunks` add up to."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    finish = None
    async for chunk in chunks:
        whole = {**chunk, **whole}  # the first value of each field wins
        for choice in chunk["choices"]:
            finish = choice["finish_reason"] or finish
            for name in choice["delta"].keys() & {"content", "reasoning_content"}:
                message[name] = message.get(name, "") + choice["delta"][name]
            for piece in choice["delta"].get("tool_calls") or ():
                _join(message.setdefault("tool_calls", []), piece)
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return {**whole, "object": "chat.completion", "choices": choices}


def _join(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    """Add a piece of a tool call to the calls so far: the first piece names it, further ones append arguments."""
    if piece["index"] < len(calls):
        calls[piece["index"]]["function"]["arguments"] += piece["function"].get("arguments") or ""
    else:
        calls.append({name: value for name, value in piece.items() if name != "index"})


class _Run:
    """The generations behind one answer."""

    def __init__(self, engine: Engine, streams: AsyncExitStack) -> None:
        self._engine = engine
        self._streams = streams
        self._used: Counter[str] = Counter()

    def usage(self) -> dict[str, Any]:
        """What all of them used together."""
        counts = {name: self._used[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
        return {**counts, "prompt_tokens_details": {"cached_tokens": self._used["cached_tokens"]}}

    async def choices(self, plan: Plan) -> _Choices:
        """Answer by `plan`."""
        if plan.forced:
            spoken = self._forced(plan)
        elif "tools" in plan.body and "response_format" in plan.body:
            # No grammar holds both, so the model may call first, and else answers in the format.
            offer, body = offer_first(plan.body)
            calls = [choice async for choice in self._stream(offer)]
            if any(delta.get("tool_calls") for delta, _ in calls):
                for delta, finish in calls:
                    yield {name: value for name, value in delta.items() if name == "tool_calls"}, finish
                return
            spoken = self._free(body, plan.show_thoughts)
        else:
            spoken = self._free(plan.body, plan.show_thoughts)
        async for choice in spoken:
            yield choice

    async def _free(self, body: dict[str, Any], show_thoughts: bool) -> _Choices:
        """The model's own answer, prose or calls. Where it only thought, it is asked once more, not to think."""
        thought, spoke, finish = False, False, None
        async for delta, reason in self._stream(body):
            finish = reason or finish
            thought = thought or bool(delta.get("reasoning_content"))
            if thought and not spoke and delta.get("content"):
                delta["content"] = delta["content"].lstrip()
            hidden = {"role"} if show_thoughts else {"role", "reasoning_content"}
            delta = {name: value for name, value in delta.items() if value and name not in hidden}
            spoke = spoke or "content" in delta or "tool_calls" in delta
            if delta:
                yield delta, None
        if thought and not spoke and finish == "stop":
            async for choice in self._free(after_thought(body), show_thoughts):
                yield choice
        else:
            yield {}, finish

    async def _forced(self, plan: Plan) -> _Choices:
        """A call of one of the forced functions, its arguments generated within its schema."""
        function = plan.forced[0]
        if len(plan.forced) > 1:
            text = "".join([delta.get("content") or "" async for delta, _ in self._stream(choice_body(plan))])
            function = next((each for each in plan.forced if json.dumps(each["name"]) in text), function)
        call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function"}
        yield {"tool_calls": [{**call, "index": 0, "function": {"name": function["name"], "arguments": ""}}]}, None
        finish = None
        async for delta, reason in self._stream(arguments_body(plan, function)):
            finish = reason or finish
            if delta.get("content"):
                yield {"tool_calls": [{"index": 0, "function": {"arguments": delta["content"]}}]}, None
        yield {}, "length" if finish == "length" else "tool_calls"

    async def _stream(self, body: dict[str, Any]) -> _Choices:
        async for chunk in await self._streams.enter_async_context(aclosing(self._engine.stream(body))):
            usage = chunk.get("usage") or {}
            for counts in (usage, usage.get("prompt_tokens_details") or {}):
                self._used.update({name: count for name, count in counts.items() if isinstance(count, int)})
            for choice in chunk["choices"]:
                yield choice["delta"], choice.get("finish_reason")


def _search(request: ChatRequest, index: SearchIndex) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The results for the prompt, and the fields of the answer that tell of them."""
    if not request.enable_search:
        return [], {}
    config = SearchConfig.model_validate(dict(request.search_config or {}))
    results = index.search(last_question(request.messages), min(max(config.count or 10, 1), 50))
    shown: dict[str, Any] = {"citations": list(dict.fromkeys(result["link"] for result in results[:FOLDED]))}
    return results, shown | ({"search_results": results} if config.return_result else {})
