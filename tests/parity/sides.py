"""The two adapters, driven to one plain form: a row's wish goes in, what was sent and what came back comes out."""

from __future__ import annotations

import base64
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.tools import StructuredTool
from llama_index.core.base.llms import types as li
from llama_index.core.callbacks.token_counting import get_tokens_from_response
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import BaseModel

import langchain_geekai
import llama_index_geekai
from geekai_core import InvalidResponseError
from tests.parity.form import STREAMED, Json, Tool, Wish

KEY = "sk-parity"


@dataclass
class Outcome:
    """What came back, in neither framework's terms.

    `pieced`: what the pieces of a stream add up to. `ids`: of `calls`. `invalid`: the names of calls that cannot run;
    `why`: what is told of them. `usage`: tokens in and out as the framework's own counters have them; `cached`,
    `written`: of the prompt's. `value`: of structured output. `error`: the class of `geekai_core`, or the foreign one.
    """

    text: str = ""
    pieced: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[Any] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    why: str = ""
    usage: tuple[int, int] | None = None
    cached: int | None = None
    written: int | None = None
    finish: str | None = None
    model: str | None = None
    citations: list[Any] = field(default_factory=list)
    extra: Json = field(default_factory=dict)
    value: Any = None
    error: str | None = None
    words: str = ""
    facts: Json = field(default_factory=dict)
    partial: str | None = None


@contextmanager
def _caught(outcome: Outcome) -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        ours = [cls.__name__ for cls in type(exc).__mro__ if cls.__module__.startswith("geekai_core")]
        outcome.error, outcome.words = [*ours, type(exc).__name__][0], str(exc)
        names = ("status_code", "code", "type", "param", "retry_count")
        outcome.facts = {name: getattr(exc, name) for name in names if hasattr(exc, name)}
        partial = getattr(exc, "partial", None)
        outcome.partial = None if partial is None else partial.message.content or ""


def _collected(outcome: Outcome, collected: Any) -> None:
    """The details of the prompt's tokens, as `collect()` counted them."""
    details = collected.usage.get("prompt_tokens_details") or {}
    outcome.cached = details.get("cached_tokens")
    outcome.written = details.get("cache_creation_tokens", details.get("cache_write_tokens"))


async def langchain(wish: Wish, way: str, *, base_url: str, model: str, stored: bool) -> Outcome:
    """The wish through `ChatGeekAI`. `stored`: answers pass through LangChain's JSON before they go back."""
    outcome = Outcome()
    with _caught(outcome):
        known = {"model": model, "api_key": KEY, "base_url": base_url, "max_retries": 0}
        llm = langchain_geekai.ChatGeekAI(**{**known, **wish.fields, **wish.lc})
        try:
            with langchain_geekai.collect() as collected:
                await _langchain_turns(wish, way, llm, outcome, stored)
            if outcome.cached is None:
                _collected(outcome, collected)
        finally:
            llm.close()
            await llm.aclose()
    return outcome


async def _langchain_turns(wish: Wish, way: str, llm: Any, outcome: Outcome, stored: bool) -> None:
    asked = llm
    if wish.schema is not None:
        method = {} if wish.method is None else {"method": wish.method}
        asked = llm.with_structured_output(wish.schema, **method)
    elif wish.tools:
        given = {"tool_choice": wish.choice, "parallel_tool_calls": wish.parallel, "strict": wish.strict}
        asked = llm.bind_tools([_langchain_tool(tool) for tool in wish.tools], **given)
    history: list[Any] = []
    for turn in (wish.messages, *wish.then):
        history += [_langchain_message(message, history) for message in turn]
        answer = await _langchain_ask(asked, way, history, dict(wish.call))
        if wish.schema is not None:
            outcome.value = answer.model_dump() if isinstance(answer, BaseModel) else answer
            return
        history += messages_from_dict(messages_to_dict([answer])) if stored else [answer]
    _read_langchain(outcome, answer)


async def _langchain_ask(asked: Any, way: str, history: list[Any], call: Json) -> Any:
    if way == "whole":
        return asked.invoke(history, **call)
    if way == "awhole":
        return await asked.ainvoke(history, **call)
    stream = way == "stream"
    found = [*asked.stream(history, **call)] if stream else [c async for c in asked.astream(history, **call)]
    if not isinstance(found[0], AIMessage):
        return found[-1]
    total = found[0]
    for chunk in found[1:]:
        total = total + chunk
    return total


def _read_langchain(outcome: Outcome, answer: Any) -> None:
    kwargs, metadata, used = answer.additional_kwargs, answer.response_metadata, answer.usage_metadata
    outcome.text = outcome.pieced = str(answer.text)
    outcome.reasoning = kwargs.get("reasoning_content") or ""
    outcome.calls = [(one["name"], one["args"]) for one in answer.tool_calls]
    outcome.ids = [one["id"] for one in answer.tool_calls]
    outcome.invalid = [one["name"] for one in answer.invalid_tool_calls]
    outcome.why = " ".join(str(one["error"]) for one in answer.invalid_tool_calls)
    if used:
        outcome.usage = (used["input_tokens"], used["output_tokens"])
        details = used.get("input_token_details") or {}
        outcome.cached, outcome.written = details.get("cache_read"), details.get("cache_creation")
    outcome.finish, outcome.model = metadata.get("finish_reason"), metadata.get("model_name")
    outcome.citations, outcome.extra = kwargs.get("citations") or [], kwargs


def _langchain_tool(tool: Any) -> Any:
    if not isinstance(tool, Tool):
        return tool
    return StructuredTool(name=tool.name, description=tool.description, args_schema=tool.parameters, func=tool.run)


def _langchain_message(message: Any, history: Sequence[Any]) -> Any:
    if not isinstance(message, dict):
        return message
    role = message["role"]
    if role == "assistant":
        calls = [one for one in message["calls"] if isinstance(one["arguments"], dict)]
        broken = [one for one in message["calls"] if one not in calls]
        reasoning = {"reasoning_content": message["reasoning"]} if message["reasoning"] else {}
        return AIMessage(
            message["text"],
            additional_kwargs={**reasoning, **message["extra"]},
            tool_calls=[{"name": one["name"], "args": one["arguments"], "id": one["id"]} for one in calls],
            invalid_tool_calls=[
                {"name": one["name"], "args": one["arguments"], "id": one["id"], "error": None} for one in broken
            ],
        )
    parts = [part if isinstance(part, str) else _langchain_part(part) for part in message["parts"]]
    content: Any = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts
    if role == "tool":
        return ToolMessage(content, tool_call_id=message["id"] or history[-1].tool_calls[0]["id"])
    return (HumanMessage if role == "user" else SystemMessage)(content)


def _langchain_part(part: Json) -> Any:
    if part["kind"] == "own":
        return part["make"]()
    if part["kind"] == "text":
        mark = {"cache_control": {"type": "ephemeral"}} if part["cached"] else {}
        return {"type": "text", "text": part["text"], **mark}
    further = {key: value for key, value in part.items() if key not in ("kind", "url", "data", "mime")}
    if "url" in part:
        return {"type": part["kind"], "url": part["url"], **further}
    data = base64.b64encode(part["data"]).decode()
    return {"type": part["kind"], "base64": data, "mime_type": part["mime"], **further}


async def llama_index(wish: Wish, way: str, *, base_url: str, model: str, stored: bool) -> Outcome:
    """The wish through `GeekAI`. `stored`: answers pass through JSON before they go back."""
    outcome = Outcome()
    with _caught(outcome):
        known: Json = {"model": model, "api_key": KEY, "api_base": base_url, "max_retries": 0, "context_window": 9999}
        if wish.method is not None:
            known["should_use_structured_outputs"] = wish.method == "json_schema"
        llm = llama_index_geekai.GeekAI(**{**known, **wish.fields, **wish.li})
        try:
            with llama_index_geekai.collect() as collected:
                await _llama_index_turns(wish, way, llm, outcome, stored)
            _collected(outcome, collected)
        finally:
            llm.close()
            await llm.aclose()
    return outcome


async def _llama_index_turns(wish: Wish, way: str, llm: Any, outcome: Outcome, stored: bool) -> None:
    verb = {"whole": "chat", "awhole": "achat", "stream": "stream_chat", "astream": "astream_chat"}[way]
    history: list[Any] = []
    for turn in (wish.messages, *wish.then):
        history += [_llama_index_message(message, history) for message in turn]
        if wish.schema is not None:
            verb = verb.replace("chat", "structured_predict") if "stream" in verb else way_of_predicting(way)
            found = await _all(getattr(llm, verb)(wish.schema, ChatPromptTemplate(history), llm_kwargs=dict(wish.call)))
            outcome.value = found[-1].model_dump()
            return
        if wish.tools:
            tools = [_llama_index_tool(tool) for tool in wish.tools]
            given: Json = {"chat_history": history, "tool_choice": wish.choice, "strict": wish.strict}
            given["allow_parallel_tool_calls"] = wish.parallel
            found = await _all(getattr(llm, f"{verb}_with_tools")(tools, **given, **wish.call))
        else:
            found = await _all(getattr(llm, verb)(history, **wish.call))
        answer = found[-1]
        message = answer.message
        history.append(li.ChatMessage.model_validate_json(message.model_dump_json()) if stored else message)
    _read_llama_index(outcome, llm, answer)
    if way in STREAMED:
        outcome.pieced = "".join(response.delta or "" for response in found)


def way_of_predicting(way: str) -> str:
    return {"whole": "structured_predict", "awhole": "astructured_predict"}[way]


async def _all(found: Any) -> list[Any]:
    """One response, or all of a stream."""
    if inspect.isawaitable(found):
        found = await found
    if hasattr(found, "__aiter__"):
        return [one async for one in found]
    return list(found) if inspect.isgenerator(found) else [found]


def _read_llama_index(outcome: Outcome, llm: Any, answer: Any) -> None:
    kwargs, extra = answer.additional_kwargs, answer.message.additional_kwargs
    outcome.text = outcome.pieced = answer.message.content or ""
    blocks = answer.message.blocks
    outcome.reasoning = "".join(block.content or "" for block in blocks if isinstance(block, li.ThinkingBlock))
    reasons = {one["id"]: str(one["error"]) for one in extra.get("invalid_tool_calls") or ()}
    outcome.invalid = [one["name"] for one in extra.get("invalid_tool_calls") or ()]
    is_cut = bool(reasons) and kwargs.get("normalized_finish_reason") == "length"
    found: list[Any] = []
    with suppress(*[InvalidResponseError] if is_cut else []):  # nothing but the token limit ends an agent
        found = llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
    calls = [one for one in found if one.tool_id not in reasons]
    told = [one for one in found if one.tool_id in reasons]
    assert not (calls and told), "an agent hears of calls that cannot run only where no other runs"
    assert all(reasons[one.tool_id] in one.tool_name and one.tool_kwargs == {} for one in told)
    outcome.calls = [(one.tool_name, one.tool_kwargs) for one in calls]
    outcome.ids = [one.tool_id for one in calls]
    outcome.why = " ".join(reasons.values())
    counted = get_tokens_from_response(answer)
    outcome.usage = counted if any(counted) else None
    outcome.finish, outcome.model = kwargs.get("finish_reason"), dict(answer.raw).get("model")
    outcome.citations, outcome.extra = extra.get("citations") or [], extra


class _Schema(ToolMetadata):
    """A tool's description whose parameters are a JSON schema, as those of MCP's tools are."""

    def get_parameters_dict(self) -> Any:
        return self.parameters


def _llama_index_tool(tool: Any) -> Any:
    if not isinstance(tool, Tool):
        return tool
    metadata = _Schema(name=tool.name, description=tool.description)
    metadata.parameters = tool.parameters  # type: ignore[attr-defined]
    return FunctionTool(fn=tool.run, metadata=metadata)


def _llama_index_message(message: Any, history: Sequence[Any]) -> Any:
    if not isinstance(message, dict):
        return message
    role = message["role"]
    blocks: list[Any] = []
    if role == "assistant":
        if message["reasoning"]:
            blocks.append(li.ThinkingBlock(content=message["reasoning"]))
        if message["text"]:
            blocks.append(li.TextBlock(text=message["text"]))
        for one in message["calls"]:
            block = li.ToolCallBlock(tool_call_id=one["id"], tool_name=one["name"], tool_kwargs={})
            block.tool_kwargs = one["arguments"]  # whatever another integration left there
            blocks.append(block)
        return li.ChatMessage(role=role, blocks=blocks, additional_kwargs=message["extra"])
    for part in message["parts"]:
        blocks += [li.TextBlock(text=part)] if isinstance(part, str) else _llama_index_blocks(part)
    extra = {}
    if role == "tool":
        calls = [block for block in history[-1].blocks if isinstance(block, li.ToolCallBlock)] if history else []
        extra["tool_call_id"] = message["id"] or calls[0].tool_call_id
    return li.ChatMessage(role=role, blocks=blocks, additional_kwargs=extra)


_BLOCKS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "image": (li.ImageBlock, "image"),
    "audio": (li.AudioBlock, "audio"),
    "video": (li.VideoBlock, "video"),
    "file": (li.DocumentBlock, "document"),
}


def _llama_index_blocks(part: Json) -> list[Any]:
    if part["kind"] == "own":
        return [part["make"]()]
    if part["kind"] == "text":
        mark = [li.CachePoint(cache_control=li.CacheControl(type="ephemeral"))] if part["cached"] else []
        return [li.TextBlock(text=part["text"]), *mark]
    block, name = _BLOCKS[part["kind"]]
    further = {key: value for key, value in part.items() if key not in ("kind", "url", "data", "mime")}
    if "url" in part:
        return [block(url=part["url"], **further)]
    told = {"format": part["mime"].partition("/")[2]} if name == "audio" else {f"{name}_mimetype": part["mime"]}
    return [block(**{"data" if name == "document" else name: part["data"]}, **told, **further)]


@contextmanager
def heard() -> Iterator[list[Any]]:
    """The warnings of this package within the block; all others stay the errors that they are in the tests."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", category=UserWarning)
        yield caught


SIDES = {"lc": langchain, "li": llama_index}
