"""The rows of `tests/parity` on the peers: what they send of a history, and what they make of odd answers.

`python -m benchmarks.compare.rows NAME …` prints JSON: of each class, of each table, how many rows are right in every
way of asking, of how many, and the names of the others. Only rows that set no option are tried, since options are
each class's own; of a request only its messages are compared, of an answer what the row names, of an error that it is.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from types import ModuleType, SimpleNamespace
from typing import Any

from geekai_testing.scripted import ScriptedServer
from tests.parity import arguments, calls, ends, histories, odd_answers, odd_usage, parts, sides
from tests.parity.form import Wanted, Wish
from tests.parity.test_parity import play, ways

TABLES: dict[str, ModuleType] = {
    "earlier turns, as they are sent": histories,
    "content parts, as they are sent": parts,
    "tool calls in every shape": calls,
    "tool arguments in every shape": arguments,
    "answers in odd clothes": odd_answers,
    "usage wherever it stands": odd_usage,
    "ends, cuts and errors in mid-stream": ends,
}
READ = ("text", "pieced", "reasoning", "calls", "invalid", "usage", "cached", "citations", "value")
OPENAI_LIKE = {"is_chat_model": True, "is_function_calling_model": True, "timeout": 20}
Make = Callable[..., Any]


def _openai(**known: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(stream_usage=True, timeout=20, **known)


def _deepseek(base_url: str, **known: Any) -> Any:
    from langchain_deepseek import ChatDeepSeek

    return ChatDeepSeek(api_base=base_url, stream_usage=True, timeout=20, **known)


def _litellm(base_url: str, model: str, **known: Any) -> Any:
    from langchain_litellm import ChatLiteLLM

    return ChatLiteLLM(model=f"openai/{model}", api_base=base_url, request_timeout=20, **known)


def _openai_like(**known: Any) -> Any:
    from llama_index.llms.openai_like import OpenAILike

    return OpenAILike(additional_kwargs={"stream_options": {"include_usage": True}}, **OPENAI_LIKE, **known)


PEERS: dict[str, tuple[str, Make | None]] = {
    "ChatGeekAI": ("lc", None),
    "ChatOpenAI": ("lc", _openai),
    "ChatDeepSeek": ("lc", _deepseek),
    "ChatLiteLLM": ("lc", _litellm),
    "GeekAI": ("li", None),
    "OpenAILike": ("li", _openai_like),
}


class _Closing:
    """A peer's model, with the `close` and `aclose` that ours has."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def close(self) -> None:
        """Nothing: the peers have none."""

    async def aclose(self) -> None:
        """Nothing."""


@contextmanager
def _nothing_collected() -> Iterator[Any]:
    yield SimpleNamespace(usage={})


def put_in_place(side: str, make: Make) -> None:
    """Let the tables drive a peer where they drive ours."""
    name, module = ("ChatGeekAI", "langchain_geekai") if side == "lc" else ("GeekAI", "llama_index_geekai")
    there = SimpleNamespace(**{name: lambda **known: _Closing(make(**known))}, collect=_nothing_collected)
    setattr(sides, module, there)


def plain(message: Any) -> Any:
    """A message without what says nothing: nulls, and a list around a text alone. What checks a message stays."""
    if not isinstance(message, Mapping):
        return message
    found = {key: value for key, value in message.items() if value is not None}
    content = found.get("content")
    if isinstance(content, list) and len(content) == 1 and content[0].keys() == {"type", "text"}:
        found["content"] = content[0]["text"]
    return found


def right(wish: Wish, side: str, played: tuple[list[Any], Any, list[str]], sent: bool) -> bool:
    """Whether a row's messages went out, or its answer came back."""
    requests, outcome, _ = played
    wanted = wish.wanted.get(side, Wanted(""))
    gives = {**wish.gives, **wanted.gives}
    if bool(outcome.error) != bool(gives.get("error")):
        return False
    bodies = wish.sends if wanted.sends is None else wanted.sends
    if sent and bodies and isinstance(bodies[-1], dict) and "messages" in bodies[-1]:
        if not requests:
            return False
        found = [plain(message) for message in requests[len(bodies) - 1 :][0].json["messages"]]
        return bool([plain(message) for message in bodies[-1]["messages"]] == found)
    return all(bool(gives[name] == getattr(outcome, name)) for name in READ if name in gives)


def plain_row(wish: Wish, side: str) -> bool:
    """Whether a row sets no option of ours."""
    own = wish.lc if side == "lc" else wish.li
    return side in wish.sides and not (own or wish.call or {*wish.fields} - {"model"})


async def examine(name: str) -> dict[str, Any]:
    """Of each table, the rows that are right, and the names of the others."""
    side, make = PEERS[name]
    if make:
        put_in_place(side, make)
    found: dict[str, Any] = {}
    for title, table in TABLES.items():
        rows = [wish for wish in table.WISHES if plain_row(wish, side)]
        wrong = []
        for wish in rows:
            print(f"{name}: {title}: {wish.name}", file=sys.stderr, flush=True)
            with ScriptedServer() as server:
                for way, stored in ways(wish):
                    try:
                        played = await asyncio.wait_for(play(wish, side, way, stored, server), 30)
                        good = right(wish, side, played, title.endswith("sent"))
                    except Exception:
                        good = False
                    if not good:
                        wrong.append(wish.name)
                        break
        found[title] = {"rows": len(rows), "right": len(rows) - len(wrong), "wrong": wrong}
    return found


def main() -> None:
    """The command line."""
    warnings.simplefilter("ignore")
    with redirect_stdout(sys.stderr):  # litellm prints help beside its errors
        found = {name: asyncio.run(examine(name)) for name in sys.argv[1:]}
    json.dump(found, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
