"""GeekAI's answers with every field that it documents, and how to look for each field's value in what became of them.

Every value is one of a kind, so that finding it anywhere means that it was kept. Nothing here knows a framework.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from geekai_testing.replies import Json, Reply, Request, Responder, chunk, completion, delta, json_reply, sse, tool_call
from geekai_testing.scripted import ScriptedServer

MODEL, KEY = "geekai-test", "sk-compare"
URLS = ["https://tea.example/origin", "https://ferry.example/times"]
RESULTS = [
    {"title": "The origin of tea", "link": URLS[0], "content": "Tea came from the hills.", "media": "tea.example"},
    {"title": "Ferry times", "link": URLS[1], "content": "The ferry leaves at nine.", "media": "ferry.example"},
]
PROMPT = {"text_tokens": 5003, "audio_tokens": 1009, "cached_tokens": 1013, "image_tokens": 1019, "video_tokens": 1021}
PROMPT["citation_tokens"] = 1031
WRITTEN = {"text_tokens": 2003, "audio_tokens": 1033, "reasoning_tokens": 1039}
WRITTEN |= {"accepted_prediction_tokens": 1049, "rejected_prediction_tokens": 1051}
COUNTS = (sum(PROMPT.values()), sum(WRITTEN.values()))
USAGE = {
    "prompt_tokens": COUNTS[0],
    "completion_tokens": COUNTS[1],
    "total_tokens": sum(COUNTS),
    "billed_units": 1061,
    "prompt_tokens_details": PROMPT,
    "completion_tokens_details": WRITTEN,
}
TEXT, REASONING = "Tea [1] and a ferry [2].", "First the hills, then the harbour."
SPEECH = base64.b64encode(b"not really sound").decode()
AUDIO = {
    "id": "audio-7f3a",
    "data": SPEECH,
    "expires_at": 1893456007,
    "transcript": "The ferry leaves at nine, she says.",
}
LOGPROBS = [
    {
        "token": token,
        "logprob": value,
        "bytes": [*token.encode()],
        "top_logprobs": [{"token": "Mate", "logprob": other}],
    }
    for token, value, other in (("Tea", -0.12345, -4.54321), (" [1]", -0.23456, -5.65432))
]
TOP = {"id": "chatcmpl-5d1e", "created": 1893456003, "model": MODEL, "system_fingerprint": "fp-2b90"}
CALLS = [("call-1", "find_tea", {"hill": "north"}), ("call-2", "find_ferry", {"hour": 9})]


@dataclass
class Answer:
    """One answer: as a whole, and the deltas of the same as a stream."""

    message: Json
    deltas: list[Json]
    finish_reason: str = "stop"
    top: Json = field(default_factory=dict)
    logprobs: Json | None = None

    def reply(self, late: bool) -> Responder:
        """The answer in the form that is asked for.

        GeekAI does not say where in a stream sources and usage come. `late`: in a chunk of their own after the last
        delta, else sources with every chunk and usage with the last. A stream holds usage only if it was requested.
        """

        def respond(request: Request) -> Reply:
            body = request.json
            if not body.get("stream"):
                return json_reply(self._whole())
            counted = {"usage": USAGE} if (body.get("stream_options") or {}).get("include_usage") else {}
            every, last = ({}, {}) if late else (self.top, counted)
            pieces = [{**piece, **TOP, **every} for piece in self.deltas]
            pieces.append({**delta(finish_reason=self.finish_reason), **TOP, **every, **last})
            after = [{**chunk([]), **TOP, **self.top, **counted}] if late else []
            return sse(*pieces, *after)

        return respond

    def _whole(self) -> Json:
        answer = {**completion(extra=self.message, finish_reason=self.finish_reason), **TOP, **self.top, "usage": USAGE}
        if self.logprobs:
            answer["choices"][0]["logprobs"] = self.logprobs
        return answer


def _calls(first: list[Json], *more: list[Json]) -> Answer:
    whole = [tool_call(name, given, id=id_) for id_, name, given in CALLS]
    message = {"content": None, "reasoning_content": REASONING, "tool_calls": whole}
    thought = delta(None, reasoning_content=REASONING, extra={"role": "assistant"})
    return Answer(message, [thought, *(delta(tool_calls=made) for made in (first, *more))], "tool_calls")


(_A, _TEA, _HILL), (_B, _FERRY, _HOUR) = CALLS
ANSWERS = {
    "text": Answer(
        {"content": TEXT, "reasoning_content": REASONING},
        [
            delta(None, reasoning_content=REASONING[:9], extra={"role": "assistant"}),
            delta(None, reasoning_content=REASONING[9:]),
            delta("Tea", logprobs={"content": LOGPROBS[:1]}),
            delta(" [1]", logprobs={"content": LOGPROBS[1:]}),
            delta(" and a ferry [2]."),
        ],
        top={"citations": URLS, "search_results": RESULTS},
        logprobs={"content": LOGPROBS},
    ),
    "audio": Answer(
        {"content": None, "audio": AUDIO},
        [
            delta(extra={"role": "assistant", "audio": {"id": AUDIO["id"], "transcript": "The ferry leaves "}}),
            delta(extra={"audio": {"data": SPEECH[:8], "transcript": "at nine, she says."}}),
            delta(extra={"audio": {"data": SPEECH[8:]}}),
            delta(extra={"audio": {"expires_at": AUDIO["expires_at"]}}),
        ],
    ),
    "calls": _calls(
        [tool_call(_TEA, "", id=_A, index=0)],
        [tool_call(arguments='{"hill": "north"}', index=0)],
        [tool_call(_FERRY, "", id=_B, index=1)],
        [tool_call(arguments='{"hour": 9}', index=1)],
    ),
    "calls without index": _calls(
        [tool_call(_TEA, '{"hill": ', id=_A)],
        [tool_call(arguments='"north"}')],
        [tool_call(_FERRY, _HOUR, id=_B)],
    ),
    "calls that repeat": _calls(
        [tool_call(_TEA, '{"hill": ', id=_A, index=0)],
        [tool_call(_TEA, '"north"}', id=_A, index=0)],
        [tool_call(_FERRY, '{"hour": ', id=_B, index=1)],
        [tool_call(_FERRY, "9}", id=_B, index=1)],
    ),
    "calls in one delta": _calls([tool_call(_TEA, _HILL, id=_A, index=0), tool_call(_FERRY, _HOUR, id=_B, index=1)]),
}

PLAIN: dict[str, tuple[str, Any]] = {
    "text": ("text", TEXT),
    "`reasoning_content`": ("text", REASONING),
    "`search_results`": ("text", RESULTS),
    "`billed_units`": ("text", USAGE["billed_units"]),
    **{f"prompt: `{name}`": ("text", count) for name, count in PROMPT.items()},
    **{f"completion: `{name}`": ("text", count) for name, count in WRITTEN.items()},
    "`logprobs`": (
        "text",
        [value for entry in LOGPROBS for value in (entry["logprob"], entry["top_logprobs"][0]["logprob"])],
    ),
    "`finish_reason`": ("text", "stop"),
    "`id`": ("text", TOP["id"]),
    "`created`": ("text", TOP["created"]),
    "`model`": ("text", TOP["model"]),
    "`system_fingerprint`": ("text", TOP["system_fingerprint"]),
    **{f"`audio.{name}`": ("audio", value) for name, value in AUDIO.items()},
}
"""Fields that are kept when their value is anywhere: the answer that has it, and the value."""


def values(thing: Any) -> Iterator[Any]:
    """Everything within a thing: in dicts, lists, pydantic models with their extra fields, and plain objects."""
    if hasattr(thing, "model_dump"):
        thing = {**thing.__dict__, **(thing.__pydantic_extra__ or {})}
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        thing = vars(thing)
    yield thing
    if isinstance(thing, Mapping):
        for value in thing.values():
            yield from values(value)
    elif isinstance(thing, (list, tuple)):
        for value in thing:
            yield from values(value)


def holds(thing: Any, wanted: Any) -> bool:
    """Whether a value is anywhere within a thing: prose within a text, anything else by itself.

    Of a list of numbers each must be there, of a list of dicts each title, link and content.
    """
    if isinstance(wanted, list) and isinstance(wanted[0], dict):
        return all(holds(thing, entry[name]) for entry in wanted for name in ("title", "link", "content"))
    if isinstance(wanted, list) and isinstance(wanted[0], float):
        return all(holds(thing, number) for number in wanted)
    if isinstance(wanted, str) and " " in wanted:
        return any(wanted in value for value in values(thing) if isinstance(value, str))
    if isinstance(wanted, str):  # some put the vendor before a model's name
        return any(value == wanted or value.endswith(f"/{wanted}") for value in values(thing) if isinstance(value, str))
    return any(value == wanted for value in values(thing) if type(value) is type(wanted))


def listed(thing: Any) -> bool | None:
    """The citations as they came; None where they were multiplied on the way."""
    urls = [value for value in values(thing) if isinstance(value, list) and URLS[0] in value and URLS[1] in value]
    return URLS in urls or (None if urls else False)


def merged(states: list[str]) -> str:
    """What to say of a field that met several fates in one way of asking."""
    found = set(states)
    if len(found) == 1:
        return states[0]
    if found == {"kept", "raw"}:
        return "raw"
    return "in part" if found & {"kept", "raw"} else next(state for state in states if state != "lost")


def print_fates(peers: Mapping[str, Any], examine: Callable[[Any, ScriptedServer], dict[str, dict[str, str]]]) -> None:
    """The command of both modules of peers: examine the classes that are named, and print JSON."""
    warnings.simplefilter("ignore")
    logging.disable()
    with ScriptedServer() as server:
        print(json.dumps({name: examine(peers[name], server) for name in sys.argv[1:]}))
