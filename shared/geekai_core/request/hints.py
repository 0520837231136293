"""Likely mistakes in what is sent, found before the server finds them. Pure."""

from __future__ import annotations

import difflib
import functools
import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from geekai_core.errors import ConfigurationError
from geekai_core.harmless import harmless


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """A hint that names what is nearest to `name`, whatever the case of its letters.

    Nothing where none is as like as that (1 is equal).

    >>> nearest("max_token", ["max_tokens", "model"]), nearest("GPT-4", ["gpt-4o", "glm-4"])
    ("; did you mean 'max_tokens'?", "; did you mean 'gpt-4o'?")
    """
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


_OF_OPENAI = {
    **dict.fromkeys(("openai_api_base", "api_base"), "give 'base_url'"),
    "openai_api_key": "give 'api_key'",
    "openai_proxy": "give 'proxy'",
    "request_timeout": "give 'timeout'",
    **dict.fromkeys(("use_responses_api", "organization", "openai_organization"), "that is OpenAI's own: leave it out"),
    "api_version": "GeekAI's API has no versions: leave it out",
    "tokenizer": "the server counts the tokens: leave it out",
}
"""What to do about names that other packages know and this one does not."""


def unknown_field(name: str, known: Iterable[str]) -> ConfigurationError:
    """The error for a keyword that nothing here knows."""
    hint = f"; {_OF_OPENAI[name]}" if name in _OF_OPENAI else nearest(name, known)
    if name == "stream" and "streaming" not in known:
        hint = "; a stream has methods of its own, such as stream() or stream_chat()"
    of_sending = any(word in name for word in ("time", "header", "query"))  # never the server's business
    elsewhere = "" if of_sending else " (a field that this package does not know goes into extra_body)"
    return ConfigurationError(f"unknown field '{name}'{hint}{elsewhere}")


_NOT_THE_USER = frozenset(
    {"geekai_core", "langchain_geekai", "llama_index_geekai", "langchain_core", "llama_index", "langchain", "langgraph"}
)


def warn(words: str) -> None:
    """Warn, pointing at the line outside of this package and the frameworks that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_USER:
        level, frame = level + 1, frame.f_back
    warnings.warn(harmless(words, one_line=True), stacklevel=level)


def warn_unable(model: str) -> None:
    """Warn that tools are offered to a model that cannot call them (documented)."""
    warn(f"{model} is known to have no function calling; its tools are sent anyway")


def warn_unlisted(model: str, instead: str) -> None:
    """Warn that `/models`, just asked, says nothing of a model's context window."""
    warn(f"GeekAI's /models does not say the context window of {model!r}; {instead}")


def warn_undescribed(tool: Mapping[str, Any]) -> None:
    """Warn of a tool, in wire form, of which a model learns no more than its signature."""
    function = tool.get("function") or {}
    name, text = function.get("name"), function.get("description") or ""
    if _says_nothing(str(name), str(text)):
        warn(f"the tool '{name}' has no description: give it a docstring, so that the model knows when to call it")


@functools.lru_cache(maxsize=1024)  # agents bind the same tools anew at each step
def _says_nothing(name: str, text: str) -> bool:
    """Whether a description is empty, or the signature alone: `name(…)`, perhaps with ` -> type`."""
    text = text.strip()
    _, arrow, result = text.rpartition(") -> ")
    return not text or (text.startswith(f"{name}(") and (text.endswith(")") or (bool(arrow) and "\n" not in result)))


def _is_off(value: Any) -> bool:
    """Whether the setting itself says that there is to be no thinking."""
    return isinstance(value, dict) and value.get("reasoning_effort") == "none"


def warn_idle(body: Mapping[str, Any], settings: Iterable[tuple[str, str, type[BaseModel]]]) -> None:
    """Warn of a setting of a body that means nothing without its switch, and of what is likely a slip within it."""
    for setting, switch, form in settings:
        value = body.get(setting)
        if not value:
            continue
        if not body.get(switch) and not _is_off(value):
            warn(f"'{setting}' has no effect without {switch}=True; it is sent as given")
        try:
            form.model_validate(value)
        except ValidationError as exc:
            for error in exc.errors(include_url=False):
                where = ".".join((setting, *map(str, error["loc"])))
                warn(f"{where}={error['input']!r}: {error['msg']}; it is sent as given")
        for key in value if isinstance(value, dict) else ():
            if key not in form.model_fields and (hint := nearest(key, form.model_fields, 0.8)):
                warn(f"{setting} has no field '{key}'{hint} It is sent as given")
