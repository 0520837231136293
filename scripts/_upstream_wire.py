"""What fake models answer, as GeekAI would send it: the wire of `scripts/_upstream.py`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import count
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import add_usage

from geekai_testing.replies import Pause, Reply, Request, answer, completion, delta, json_reply, sse, tool_call, usage
from geekai_testing.scripted import ScriptedServer

KEY = "upstream"
"""The field of a request that says which answer is wanted."""
answers: dict[int, Reply] = {}
numbers = count()


def _answer(request: Request) -> Reply:
    return answers.pop(request.json.get(KEY), None) or answer("?")(request)


server = ScriptedServer(_answer)


def wanted(pieces: list[dict[str, Any]], streaming: bool, pause: float = 0) -> dict[str, Any]:
    """The keyword of a call that makes the server answer with these fields of a message, in these pieces.

    `pause`: seconds between them.

    Of a piece: `text`, `thought`, `calls` as (index, id, name, arguments), `extra`: fields of the message; of the last
    one, `ending`: the finish reason, usage and further fields of the answer.
    """
    number = next(numbers)
    reason = "tool_calls" if any(piece["calls"] for piece in pieces) else "stop"
    ending = {"finish_reason": reason, "usage": usage(), **pieces[-1].get("ending", {})}
    if streaming:
        deltas = [delta(piece["text"], **_kept(piece, index=True)) for piece in pieces]
        steps = [step for one in deltas for step in (one, Pause(pause))] if pause else deltas
        answers[number] = sse(*steps, delta(**ending))
    else:
        (piece,) = pieces
        answers[number] = json_reply(completion(piece["text"], **_kept(piece), **ending))
    return {"extra_body": {KEY: number}}


def _kept(piece: dict[str, Any], index: bool = False) -> dict[str, Any]:
    calls = [tool_call(name, args, id=key, index=at if index else None) for at, key, name, args in piece["calls"]]
    kept = {"reasoning_content": piece.get("thought"), "tool_calls": calls, "extra": piece.get("extra")}
    return {name: value for name, value in kept.items() if value}


COUNTS = {"audio": "audio", "cache_read": "cached", "cache_creation": "cache_write", "reasoning": "reasoning"}
"""Details of usage as LangChain names them, and as the wire does, ahead of `_tokens`."""
REASONS = ("finish_reason", "stop_reason", "stopReason")
"""Names of why an answer ended, in a message's metadata."""
UNSENT = {*REASONS, "model_provider", "output_version", "token_usage", "id", "logprobs"}
"""Of that metadata, what no server sends under that name."""
BLOCKS = {"text", "reasoning", "refusal", "tool_use", "tool_call", "tool_call_chunk"}
"""Blocks of a message's content for which the wire has another place; for others it has none."""
UNPLAYED = "the fake model answers what no server of this kind sends"


def _usage(counted: Any) -> dict[str, Any]:
    """LangChain's usage, as the wire has it."""
    sent = {"total_tokens": counted["total_tokens"]}
    for theirs, ours in (("input", "prompt"), ("output", "completion")):
        details = counted.get(f"{theirs}_token_details", {})
        sent[f"{ours}_tokens"] = counted[f"{theirs}_tokens"]
        sent[f"{ours}_tokens_details"] = {f"{COUNTS[name]}_tokens": details[name] for name in COUNTS.keys() & details}
    return sent


def langchain_pieces(generations: Sequence[Any]) -> list[dict[str, Any]]:
    """What the generations of one answer hold, as `wanted` takes it."""
    if not generations or any("lc_gateway_metadata" in (one.generation_info or {}) for one in generations):
        pytest.skip(UNPLAYED)
    messages = [generation.message for generation in generations]
    pieces = [_langchain_piece(message) for message in messages]
    sent = {name: value for generation in generations for name, value in (generation.generation_info or {}).items()}
    sent |= {name: value for message in messages for name, value in message.response_metadata.items()}
    further = {name: sent[name] for name in sent.keys() - UNSENT if isinstance(sent[name], str | int | float)}
    ending = {"model" if name == "model_name" else name: value for name, value in further.items()} | {"usage": None}
    if used := [message.usage_metadata for message in messages if getattr(message, "usage_metadata", None)]:
        ending["usage"] = _usage(reduce(add_usage, used))
    if reasons := [sent[name] for name in REASONS if sent.get(name)]:
        ending["finish_reason"] = reasons[0]
    pieces[-1]["ending"] = ending
    return pieces


def _langchain_piece(message: BaseMessage) -> dict[str, Any]:
    blocks = [block for block in message.content if isinstance(block, dict)]
    if isinstance(message, AIMessage) and any(block.get("type") not in BLOCKS for block in blocks):
        pytest.skip(UNPLAYED)
    whole = [*getattr(message, "tool_calls", ()), *getattr(message, "invalid_tool_calls", ())]
    calls = [(at, call["id"], call["name"], call["args"] or "{}") for at, call in enumerate(whole)]
    if pieces := getattr(message, "tool_call_chunks", None):
        places = [at if call["index"] is None else call["index"] for at, call in enumerate(pieces)]
        calls = [(at, call["id"], call["name"], call["args"] or "") for at, call in zip(places, pieces, strict=True)]
    beside = [message.additional_kwargs, *blocks]
    thought = "".join(one.get("reasoning_content") or one.get("reasoning") or "" for one in beside)
    extra = {name: one[name] for one in beside for name in ("refusal", "function_call") if one.get(name)}
    return {"text": message.text, "calls": calls, "thought": thought, "extra": extra}


def llama_index_piece(response: Any) -> dict[str, Any]:
    """What a LlamaIndex answer, or a piece of it, holds, as `wanted` takes it."""
    message = response.message
    made = [(c.tool_id, c.tool_name, c.tool_kwargs) for c in message.additional_kwargs.get("tool_calls") or ()]
    made += [(b.tool_call_id, b.tool_name, b.tool_kwargs) for b in message.blocks if b.block_type == "tool_call"]
    calls = [(at, *call) for at, call in enumerate(made)]
    thought = (response.additional_kwargs or {}).get("thinking_delta")
    text = message.content if response.delta is None else response.delta
    return {"text": text or "", "calls": calls, "thought": thought}
