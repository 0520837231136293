"""A request becomes the chunks of a stream in GeekAI's shape, or a whole answer."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from geekai_core.options import ChatRequest, SearchConfig
from geekai_core.response.accumulate import Accumulator
from geekai_core.wire import Json
from geekai_local import prompting
from geekai_local.engine import Engine
from geekai_local.prompting import FOLDED, Plan
from geekai_local.search import Library, pages
from geekai_local.weights import LocalModel, Upstream

Chunks = AsyncGenerator[Json, None]
"""Chunks of a stream as GeekAI sends them. A generator, so that whoever leaves can close it."""

_Choices = AsyncGenerator[Json, None]
"""Choices of a stream: `index`, `delta`, `finish_reason`, and `logprobs` where they were asked for."""


async def answer(request: ChatRequest, engine: Engine, library: Library) -> Chunks:
    """Answer `request`: chunks of a stream, the last of which carries the usage. Raises `AnswerError`.

    Nothing is yielded before the model has begun, so that what fails before can still be an HTTP status. Closing it
    ends the generation.
    """
    head = _head(request, engine, "chat.completion.chunk")
    plan, shown = await _planned(request, engine, library)
    begun: set[int] = set()
    async with AsyncExitStack() as streams:
        streams.enter_context(engine.shielded())
        run = _Run(engine, streams)
        async for choice in run.choices(plan):
            if choice["index"] not in begun:
                first = {"index": choice["index"], "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
                yield {**head, "choices": [first], **({} if begun else shown)}
                begun.add(choice["index"])
            yield {**head, "choices": [choice]}
    yield {**head, "choices": [], "usage": _with_searches(run.usage(), request)}


async def whole(request: ChatRequest, engine: Engine, library: Library) -> Json:
    """Answer `request` in one piece: of a local model, the sum of its stream. Raises `AnswerError`.

    Another server is asked for a whole answer: some do well only then what a stream should bring, too.
    """
    if isinstance(engine.model, LocalModel):
        total = Accumulator(several=True)
        async with aclosing(answer(request, engine, library)) as chunks:
            async for chunk in chunks:
                total.feed(chunk)
        return total.wire()
    plan, shown = await _planned(request, engine, library)
    with engine.shielded():
        raw = await engine.whole(plan.body)
        choices = []
        for choice in raw["choices"]:
            limited = _limited(_renamed(choice, "message"), plan)
            choices.append({**choice, **limited, "message": limited.pop("delta")})
    head = _head(request, engine, "chat.completion")
    return {**raw, **head, "choices": choices, "usage": _with_searches(raw.get("usage"), request), **shown}


def _head(request: ChatRequest, engine: Engine, kind: str) -> Json:
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time())}
    return {**head, "model": request.model, "system_fingerprint": engine.model.name}


def _with_searches(usage: Json | None, request: ChatRequest) -> Json:
    return {**(usage or {}), "billed_units": int(bool(request.enable_search))}


def _renamed(choice: Json, part: str) -> Json:
    """A choice with its `part`, a delta or a message, as `delta`, and its thoughts under GeekAI's name."""
    delta = dict(choice.get(part) or {})
    thought = delta.pop("reasoning", None)  # as Ollama and OpenRouter spell it
    if thought and not delta.get("reasoning_content"):
        delta["reasoning_content"] = thought
    kept = {name: choice.get(name) for name in ("finish_reason", "logprobs")}
    return {"index": choice.get("index") or 0, "delta": delta, **kept}


def _limited(choice: Json, plan: Plan) -> Json:
    """A choice with no more thoughts and log probabilities than were asked for."""
    tokens = (choice.pop("logprobs", None) or {}).get("content")
    if not plan.show_thoughts:
        choice["delta"].pop("reasoning_content", None)
    if tokens:
        few = [{**one, "top_logprobs": (one.get("top_logprobs") or [])[: plan.top_logprobs]} for one in tokens]
        choice["logprobs"] = {"content": few}
    return choice


class _Run:
    """The generations behind one answer."""

    def __init__(self, engine: Engine, streams: AsyncExitStack) -> None:
        self._engine = engine
        self._streams = streams
        self._used: Counter[str] = Counter()
        self._reported: Json = {}
        self._is_first = True

    def usage(self) -> Json:
        """What all of them used together; nothing where the server gave none."""
        return {**self._reported, **self._used, "total_tokens": self._used.total()} if self._reported else {}

    async def choices(self, plan: Plan) -> _Choices:
        """Answer by `plan`."""
        async for choice in self._stream(plan.body) if plan.passed_on else self._each(plan):
            choice["delta"] = delta = {key: part for key, part in choice["delta"].items() if part and key != "role"}
            unfenced = "response_format" in plan.body and not plan.passed_on and not delta.get("content")
            if unfenced or delta.get("reasoning_content") or delta.get("tool_calls"):
                choice.pop("logprobs", None)  # which are of the text alone; llama.cpp takes fences out of JSON
            choice = _limited(choice, plan)
            if delta or "logprobs" in choice or choice["finish_reason"]:
                yield choice

    async def _each(self, plan: Plan) -> _Choices:
        """Several choices are as many generations, one after the other."""
        for index in range(plan.choices):
            async for choice in self._one(plan):
                yield {**choice, "index": index}
            self._is_first = False

    async def _one(self, plan: Plan) -> _Choices:
        if plan.forced:
            spoken = self._forced(plan)
        elif "tools" in plan.body and "response_format" in plan.body:
            # No grammar holds both, so the model may call first, and else answers in the format.
            offer, body = prompting.offer_first(plan.body)
            calls = [choice async for choice in self._stream(offer)]
            if any("tool_calls" in choice["delta"] for choice in calls):
                for choice in calls:
                    yield {**choice, "delta": {"tool_calls": choice["delta"].get("tool_calls")}}
                return
            spoken = self._free(body)
        else:
            spoken = self._free(plan.body)
        async for choice in spoken:
            yield choice

    async def _free(self, body: Json) -> _Choices:
        """The model's own answer, prose or calls. Where it only thought, it is asked once more, not to think."""
        thought, spoke, finish = False, False, None
        async for choice in self._stream(body):
            delta, finish = choice["delta"], choice["finish_reason"] or finish
            thought = thought or bool(delta.get("reasoning_content"))
            if thought and not spoke and delta.get("content"):
                delta["content"] = delta["content"].lstrip()
            spoke = spoke or bool(delta.get("content") or delta.get("tool_calls"))
            yield {**choice, "finish_reason": None}
        if thought and not spoke and finish == "stop":
            async for choice in self._free(prompting.after_thought(body)):
                yield choice
        else:
            yield {"delta": {}, "finish_reason": finish}

    async def _forced(self, plan: Plan) -> _Choices:
        """A call of one of the forced functions, its arguments generated within its schema."""
        function = plan.forced[0]
        if len(plan.forced) > 1:
            naming = self._stream(prompting.choice_body(plan))
            text = "".join([choice["delta"].get("content") or "" async for choice in naming])
            function = next((each for each in plan.forced if json.dumps(each["name"]) in text), function)
        call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function"}
        named = {"name": function["name"], "arguments": ""}
        yield {"delta": {"tool_calls": [{**call, "index": 0, "function": named}]}, "finish_reason": None}
        async for choice in self._stream(prompting.arguments_body(plan, function)):
            arguments, reason = choice["delta"].get("content"), choice["finish_reason"]
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]} if arguments else {}
            yield {"delta": delta, "finish_reason": "tool_calls" if reason == "stop" else reason}

    async def _stream(self, body: Json) -> _Choices:
        """One generation. The tokens of the prompt count once, however many generations follow."""
        async for chunk in await self._streams.enter_async_context(aclosing(self._engine.stream(body))):
            for choice in chunk.get("choices", ()):
                yield _renamed(choice, "delta")
        self._reported = usage = chunk.get("usage") or {}
        self._used["completion_tokens"] += usage.get("completion_tokens") or 0
        if self._is_first:
            self._used["prompt_tokens"] += usage.get("prompt_tokens") or 0


async def _planned(request: ChatRequest, engine: Engine, library: Library) -> tuple[Plan, Json]:
    """How to answer, with results of a search in the prompt, and the fields of the answer that list them: those only
    are cited."""
    if not request.enable_search:
        return prompting.make_plan(request, engine.model), {}
    config = SearchConfig.model_validate(dict(request.search_config or {}))
    count = min(max(config.count or 10, 1), 50)
    found = await asyncio.to_thread(library.find, prompting.last_question(request.messages))
    results = pages(found, count)
    given = results if isinstance(engine.model, Upstream) else pages(found[:FOLDED], count)
    shown = {"citations": [result["link"] for result in given]}
    listed = {"search_results": results} if config.return_result else {}
    return prompting.make_plan(request, engine.model, given), shown | listed
