"""`geekai models`: what GeekAI lists, filtered."""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _

from rich.cells import cell_len

from geekai_cli._screen import Screen, note, padded, print_json
from geekai_cli._setup import open_client
from geekai_core.harmless import harmless
from geekai_core.models import listed_facts
from geekai_core.wire import ModelInfo

HEAD = (_("model"), _("owner"), _("context"), _("capabilities"), _("price"))


def run(text: str, capabilities: Sequence[str], min_context: int, base_url: str | None, as_json: bool) -> None:
    """Print the models that fit: a table on a terminal, tab-separated lines elsewhere."""
    with open_client(base_url) as client:
        listed = client.models()
    found = [model for model in listed if fits(model, text, capabilities, min_context)]
    if as_json:
        print_json([model.model_dump(exclude_unset=True) for model in found])
        return
    _print([row(model) for model in found])
    summary = _("{} of {} models; prices are shown as listed, their unit is not documented")
    words = ", ".join(sorted({word for model in listed for word in _words(model)})) or _("none")
    note(summary.format(len(found), len(listed)) + ("" if found else _("; capabilities listed: {}").format(words)))


def fits(model: ModelInfo, text: str, capabilities: Sequence[str], min_context: int) -> bool:
    """Whether a model is listed with all of this; what is not listed is not assumed."""
    names = f"{model.id} {model.name or ''} {model.owned_by or ''}".lower()
    return (
        text.lower() in names
        and all(_names(word) <= _words(model) for word in capabilities)
        and (not min_context or listed_facts(model).get("context_window", 0) >= min_context)
    )


def row(model: ModelInfo) -> tuple[str, ...]:
    """A model's line, column by column; the price verbatim."""
    price = ", ".join(f"{name} {value}" for name, value in (model.pricing or {}).items())
    context = listed_facts(model).get("context_window", "")
    cells = (model.id, model.owned_by or "", f"{context}", ", ".join(sorted(_words(model))), price)
    return tuple(harmless(cell, one_line=True) for cell in cells)


def _words(model: ModelInfo) -> set[str]:
    """A model's capabilities: our name for those that are understood, else the server's own word."""
    return {word for listed in model.capabilities or () for word in _names(listed)}


def _names(word: str) -> set[str]:
    return set(listed_facts(ModelInfo(id="", capabilities=[word]))) or {word.strip().lower()}


def _print(rows: list[tuple[str, ...]]) -> None:
    screen = Screen()
    widths = [max(map(cell_len, column)) for column in zip(HEAD, *rows, strict=True)]
    if not screen.is_terminal:
        for cells in rows:
            screen.write("\t".join(cells) + "\n")
    elif sum(widths) + 2 * len(HEAD) <= screen.width:
        for cells in (HEAD, *rows):
            screen.write("  ".join(map(padded, cells, widths)).rstrip() + "\n")
    else:  # a line of whole words for each model
        for cells in rows:
            screen.line(cells[0])
            screen.write("  ")
            screen.line(" · ".join(filter(None, cells[1:])), indent=2)
