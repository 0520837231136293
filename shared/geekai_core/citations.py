"""Citations: the numbered sources of an answer, and the `[1]` markers that point to them. Pure.

GeekAI documents `citations` as a list of URLs; search results come as objects of one shape or another, so every
plausible key is read and the item itself stays reachable.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_URL_KEYS = ("url", "link", "uri", "href")
_TITLE_KEYS = ("title", "name")
_CONTENT_KEYS = ("content", "snippet", "text", "summary", "description", "abstract")

_NUMBERS = r"[0-9]{1,3}(?:\s?[,，、;；]\s?\^?[0-9]{1,3}|\s?[-–—~]\s?[0-9]{1,3}){0,50}"
_NAMED = r"\^?(?:(?:[Cc]itation|[Rr]ef)[:_ ]?)?"
_LINK = r"\((?:https?://|www\.|[#/])(?:[^()\s]|\([^()\s]*\)){0,2000}(?:\s+\"[^\"\n]*\")?\)"
_PATTERN = re.compile(
    # A fence, open or closed; code between backticks, within its paragraph; the definition of a footnote.
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[^`\n]*(?:\n(?s:.*?)(?:^[ \t]*(?P=fence)[`~]*[ \t\r]*$|\Z)|\Z)"
    r"|(?<!`)(?P<ticks>`{1,3})(?!`)(?:(?!\n[ \t]*\n)(?s:.))*?(?<!`)(?P=ticks)(?!`)"
    r"|^ {0,3}\[\^?[0-9]{1,3}\^?\]:[ \t]"
    rf"|(?P<image>!)?(?<!\\)(?:\[\[\^?(?P<double>{_NUMBERS})\^?\]\](?:{_LINK})?"
    rf"|(?<!\[)\[{_NAMED}(?P<single>{_NUMBERS})\^?\](?P<link>{_LINK})?"
    rf"|【{_NAMED}(?P<lens>{_NUMBERS})(?:†[^】\n]{{0,200}})?】)",
    re.MULTILINE,
)
_IDENTIFIER = re.compile(r"(?:(?<![\w'’])[a-z]|[A-Za-z_]\w*(?<=[^\W_])_\w*[^\W_])$", re.ASCII)
_WORD = re.compile(r"[A-Za-z]\w*$", re.ASCII)
_USED = re.compile(r"\s*[-+*/]?=(?!>)|\.[A-Za-z_]\w*\(", re.ASCII)


@dataclass(frozen=True)
class Source:
    """A source that an answer rests on. `number`: what a marker such as `[1]` calls it, from 1 on.

    `raw` is the search result as it came, else the citation as it came.
    """

    number: int
    url: str | None
    title: str | None
    content: str | None
    raw: Any


class Marker(NamedTuple):
    """A marker's span within the text (characters; `end` is exclusive) and the number of the source it names."""

    start: int
    end: int
    number: int


@dataclass(frozen=True)
class Annotation:
    """What one marker cites, or a source without a marker (then both indices are None).

    `text[start_index:end_index]` is the marker itself, as in OpenAI's `url_citation`: which words it supports would be
    a guess. `cited_text`: the source's own words, where search results brought them.
    """

    url: str | None
    title: str | None
    start_index: int | None
    end_index: int | None
    cited_text: str | None
    number: int


def sources(citations: Sequence[object], search_results: Sequence[object]) -> list[Source]:
    """Citations and search results as one numbered list.

    Citations keep their order and number, since `[n]` in the text means the n-th of them; a search result with the
    same URL adds its title and content. Other results follow. Without citations the results are numbered as they come.

    >>> sources(["https://a.example"], [{"link": "https://a.example/", "title": "A"}])[0].title
    'A'
    """
    waiting = dict(enumerate(search_results))
    by_key: defaultdict[str | None, deque[int]] = defaultdict(deque)
    for place, item in waiting.items():
        by_key[_key(item)].append(place)
    found: list[Source] = []
    for citation in citations:
        key = _key(citation)
        places = by_key.get(key) if key is not None else None
        found.append(_source(len(found) + 1, citation, waiting.pop(places.popleft()) if places else None))
    known = {(_key(source.url), source.content) for source in found}
    for item in waiting.values():
        key = _key(item)
        source = _source(len(found) + 1, item, None)
        if not citations or key is None or (key, source.content) not in known:
            found.append(source)
    return found


def _source(number: int, item: object, result: object) -> Source:
    url, title, content = _fields(item)
    if result is not None:
        _, more_title, more_content = _fields(result)
        title, content = title or more_title, content or more_content
    return Source(number, url, title, content, item if result is None else result)


def _fields(item: object) -> tuple[str | None, str | None, str | None]:
    """URL, title and content of a citation or a search result; a string that is no URL is a title."""
    if isinstance(item, str):
        text = item.strip()
        return (text, None, None) if re.match(r"\w+://|www\.", text) else (None, text or None, None)
    if not isinstance(item, Mapping):
        return None, None, None
    inner = item.get("url_citation")
    fields = {**item, **inner} if isinstance(inner, Mapping) else item
    return _first(fields, _URL_KEYS), _first(fields, _TITLE_KEYS), _first(fields, _CONTENT_KEYS)


def _first(item: Mapping[str, object], keys: tuple[str, ...]) -> str | None:
    return next((value.strip() for key in keys if isinstance(value := item.get(key), str) and value.strip()), None)


def _key(item: object) -> str | None:
    """What two spellings of one URL share."""
    url = _fields(item)[0]
    return url.rstrip("/") if url else None


def metadata(source: Source) -> dict[str, Any]:
    """A source as a document's metadata, beside its content: the result as it came, `number`, `title` and `url`.

    >>> metadata(sources([], [{"title": "Tea", "link": "https://a.example", "content": "Hot."}])[0])
    {'title': 'Tea', 'link': 'https://a.example', 'number': 1, 'url': 'https://a.example'}
    """
    raw = source.raw if isinstance(source.raw, Mapping) else {}
    known = {**raw, "number": source.number, "title": source.title, "url": source.url}
    beside = {
        key: value for key, value in known.items() if key not in _CONTENT_KEYS or _first(raw, (key,)) != source.content
    }
    return {key: value for key, value in beside.items() if value is not None}


def listing(found: list[Source]) -> str:
    """Sources as a text for a model, each with the number that it may cite.

    >>> print(listing(sources([], [{"title": "Tea", "link": "https://a.example", "content": "Hot."}])))
    [1] Tea
    https://a.example
    Hot.
    """
    heads = [f"[{source.number}] {source.title or ''}".rstrip() for source in found]
    texts = ["\n".join(filter(None, (head, s.url, s.content))) for head, s in zip(heads, found, strict=True)]
    return "\n\n".join(texts) or "Nothing was found."


_MOST_NUMBERS = 50
"""Sources that one marker names at most: `[1-999]` is a page range, say."""


def markers(text: str, most: int | None = None) -> list[Marker]:
    """The citation markers of a text, in their order.

    Taken: `[1]`, `[^1]`, `[^1^]`, `【1】`, `【1†source】`, `[citation:1]`, `[ref_1]`, runs such as `[1][2]`, and lists
    such as `[1, 3-5]`, whose markers share one span. A linked number, `[1](https://…)` or `[[1]](https://…)`, is a
    marker whose span includes the link. Not taken: code between backticks or in fences, images, footnote definitions
    (`[^1]: …` at the start of a line), escaped brackets, array indices (`a[1]`, `my_list[1]`, `data[1] = 2`), `[0]`,
    and lists of more than 50 numbers. `most`: the number of sources; those above it name none.

    >>> markers("Tea is hot[1], water【2】 is not; a[1] is code.")
    [Marker(start=10, end=13, number=1), Marker(start=20, end=23, number=2)]
    """
    return list(_markers(text, most))


def _markers(text: str, most: int | None) -> Iterator[Marker]:
    index_end = -1
    for match in _PATTERN.finditer(text):
        listed = match["double"] or match["single"] or match["lens"]
        if listed is None or (match["image"] and match["link"]):
            continue
        start, end = match.span()
        start += bool(match["image"])
        if match["single"] and not match["link"] and (start == index_end or _is_index(text, start, end)):
            index_end = end
            continue
        numbers = _numbers(listed)
        if 0 not in numbers:
            yield from (Marker(start, end, number) for number in numbers if most is None or number <= most)


def _is_index(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 64) : start]
    return bool(_IDENTIFIER.search(before) or (_WORD.search(before) and _USED.match(text, end)))


def _numbers(listed: str) -> list[int]:
    """
    >>> _numbers("1, 3-5")
    [1, 3, 4, 5]
    """
    ranges = [
        range(int(first), int(last or first) + 1)
        for first, last in re.findall(r"([0-9]+)(?:\s?[-–—~]\s?([0-9]+))?", listed)
    ]
    if sum(map(len, ranges)) > _MOST_NUMBERS:
        return []
    return list(dict.fromkeys(number for one in ranges for number in one))


def annotations(text: str, sources: list[Source]) -> list[Annotation]:
    """Every marker of `text` that names one of `sources`, in their order, then the sources without a marker.

    A marker whose number no source has is left out.
    """
    by_number = {source.number: source for source in sources}
    named = (mark for mark in markers(text, max(by_number, default=0)) if mark.number in by_number)
    found = [_annotation(by_number[mark.number], mark.start, mark.end) for mark in named]
    cited = {annotation.number for annotation in found}
    return found + [_annotation(source, None, None) for source in sources if source.number not in cited]


def _annotation(source: Source, start: int | None, end: int | None) -> Annotation:
    return Annotation(source.url, source.title, start, end, source.content, source.number)
