"""What the documentation's pages are on GitHub and are not on the site, or the other way round; MkDocs calls it."""

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A link out of `docs/` leads somewhere in the repository only: on the site its words stay."""
    return re.sub(
        r"(?<!!)\[([^\]]+)\]\((?:\.\./)+(?:tests|benchmarks|examples|notebooks|scripts|README|CONTRIBUTING)[^)]*\)",
        r"\1",
        markdown,
    )


def on_page_context(context: dict[str, Any], page: Any, **_: Any) -> dict[str, Any]:
    """The theme speaks the language of the page: its buttons, and what the browser chooses fonts by."""
    context["config"].theme["language"] = "zh" if page.file.src_uri.startswith("zh/") else "en"
    return context


def on_page_content(html: str, **_: Any) -> str:
    """Chinese has no spaces between words: where a line ends between two of its characters, none is shown."""
    parts = re.split(r"(<pre.*?</pre>)", html, flags=re.DOTALL)
    chinese = r"[\u3001-\u9fff\uff00-\uffef]"
    parts[::2] = [re.sub(rf"(?<={chinese})\n\s*(?={chinese})", "", part) for part in parts[::2]]
    return "".join(parts)
