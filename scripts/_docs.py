"""What the documentation's pages are on the site and are not on GitHub, or the other way round; MkDocs calls it."""

import copy
import re
import textwrap
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent / "examples"
EXAMPLE = re.compile(r"\]\((?:\.\./)+examples/([\w.]+)\)")
OUTSIDE = re.compile(
    r"(?<!!)\[([^\]]+)\]\((?:\.\./)+(?:tests|benchmarks|examples|notebooks|scripts|README|CONTRIBUTING)[^)]*\)"
)
TAB = re.compile(r"^\*\*(?P<name>[^*\n]+)\*\*\n\n(?P<blocks>(?:```.*?^```\n\n?)+)", re.MULTILINE | re.DOTALL)
"""A bold line of its own with code blocks right below it: a headed block on GitHub, a tab on the site."""
CHINESE = r"[\u3001-\u9fff\uff00-\uffef]"
WITHOUT_CONTENTS = ("examples.md", "errors.md", "compare-langchain.md", "compare-llama-index.md")
"""Pages whose tables and programs want the width that the table of contents would take."""


def in_chinese(page: Any) -> bool:
    """Whether a page is one of those in Chinese."""
    return str(page.file.src_uri).startswith("zh/")


def on_nav(nav: Any, **_: Any) -> Any:
    """The last page of one language is not followed by the first of the other."""
    for page, following in zip(nav.pages, nav.pages[1:], strict=False):
        if in_chinese(page) != in_chinese(following):
            page.next_page = following.previous_page = None
    return nav


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Headed blocks become tabs; a link out of `docs/` keeps its words only, and examples are shown below."""
    page.meta.setdefault("description", description(markdown))
    text = OUTSIDE.sub(r"\1", TAB.sub(_tab, markdown))
    name = page.file.src_uri.removeprefix("zh/")
    if name in WITHOUT_CONTENTS:
        page.meta["hide"] = ["toc"]
    if name == "examples.md":
        for example in EXAMPLE.findall(markdown):
            source = "```python\n" + (EXAMPLES / example).read_text(encoding="utf-8") + "```\n"
            text += f'\n??? example "{example}"\n\n' + textwrap.indent(source, "    ")
    return text


def _tab(found: re.Match[str]) -> str:
    return f'=== "{found["name"]}"\n\n{textwrap.indent(found["blocks"], "    ")}'


def description(markdown: str) -> str:
    """A page's title and its first sentences of prose without their marks, for search engines."""
    prose = re.sub(r"^```.*?^```$", "", re.sub(rf"(?<={CHINESE})\n(?={CHINESE})", "", markdown), flags=re.M | re.S)
    paragraphs = [part for part in re.split(r"\n{2,}", prose) if not re.match(r"\s*([#>|<:-]|\*\*[^*]+\*\*$|$)", part)]
    plain = re.sub(r"!?\[([^\]]+)\]\([^)]*\)|[`*#]", r"\1", "\n".join([*prose.splitlines()[:1], *paragraphs[:1]]))
    title, _, text = plain.strip().partition("\n")
    sentences = re.split(r"(?<=[.:]) |(?<=[。：])", re.sub(r"\s+", " ", text))
    while len(sentences) > 1 and sum(map(len, sentences)) > 180:
        sentences.pop()
    summary = re.sub("(?<=[。：]) ", "", " ".join(sentences)).strip(" :：")
    return f"{title.strip()} – {summary}".removesuffix(" – ").replace('"', "'")


def on_page_content(html: str, **_: Any) -> str:
    """Chinese has no spaces between words: where a line ends between two of its characters, none is shown."""
    parts = re.split(r"(<pre.*?</pre>)", html, flags=re.DOTALL)
    parts[::2] = [re.sub(rf"(?<={CHINESE})\n\s*(?={CHINESE})", "", part) for part in parts[::2]]
    return "".join(parts)


def on_page_context(context: dict[str, Any], page: Any, config: Any, nav: Any, **_: Any) -> dict[str, Any]:
    """A page has the navigation and the theme's words in its own language, and leads to itself in the other."""
    chinese = in_chinese(page)
    (section,) = (item for item in nav.items if item.title == "简体中文")
    own = copy.copy(nav)
    own.items = section.children if chinese else [item for item in nav.items if item is not section]
    own.homepage = next(found for found in nav.pages if in_chinese(found) == chinese and found.file.name == "index")
    twins = {found.file.src_uri.removeprefix("zh/"): found.url for found in nav.pages if in_chinese(found) != chinese}
    other = twins.get(page.file.src_uri.removeprefix("zh/"), "index.html" if chinese else "zh/index.html")
    english, translated = (other, page.url) if chinese else (page.url, other)
    context["nav"] = own
    config.theme["language"] = "zh" if chinese else "en"
    config.site_name = "极客智坊 × LangChain × LlamaIndex" if chinese else "GeekAI for LangChain and LlamaIndex"
    config.extra["alternate"] = [
        {"name": "English", "link": english, "lang": "en"},
        {"name": "简体中文", "link": translated, "lang": "zh"},
    ]
    return context
