"""What the documentation's pages are on the site and are not on GitHub, or the other way round; MkDocs calls it."""

import re
import textwrap
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent / "examples"
EXAMPLE = re.compile(r"\]\(\.\./examples/([\w.]+)\)")
OUTSIDE = re.compile(
    r"(?<!!)\[([^\]]+)\]\((?:\.\./)+(?:tests|benchmarks|examples|notebooks|scripts|README|CONTRIBUTING)[^)]*\)"
)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A link out of `docs/` leads somewhere in the repository only: its words stay, and examples are shown below."""
    text = OUTSIDE.sub(r"\1", markdown)
    if page.file.src_uri == "examples.md":
        for name in EXAMPLE.findall(markdown):
            source = "```python\n" + (EXAMPLES / name).read_text(encoding="utf-8") + "```\n"
            text += f'\n??? example "{name}"\n\n' + textwrap.indent(source, "    ")
    return text


def on_page_content(html: str, **_: Any) -> str:
    """Chinese has no spaces between words: where a line ends between two of its characters, none is shown."""
    parts = re.split(r"(<pre.*?</pre>)", html, flags=re.DOTALL)
    chinese = r"[\u3001-\u9fff\uff00-\uffef]"
    parts[::2] = [re.sub(rf"(?<={chinese})\n\s*(?={chinese})", "", part) for part in parts[::2]]
    return "".join(parts)


def on_page_context(context: dict[str, Any], page: Any, **_: Any) -> dict[str, Any]:
    """The theme speaks the language of the page: its buttons, and what the browser chooses fonts by."""
    context["config"].theme["language"] = "zh" if page.file.src_uri.startswith("zh/") else "en"
    return context
