"""The documents that are searched: which files below a folder are read, and how each kind becomes text."""

from __future__ import annotations

import codecs
import io
import logging
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from gettext import gettext as _
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from geekai_local.errors import StartError
from geekai_local.passages import CHINESE, Passage, split_document

MOST_BYTES = 32 * 2**20
"""Of one file, and of the text inside a packed one."""
TOOL_FOLDERS = {"node_modules", "venv", "__pycache__"}
_UNSEEN = {"script", "style", "template", "noscript", "svg"}
_INLINE = {"a", "abbr", "b", "code", "em", "font", "i", "mark", "small", "span", "strong", "sub", "sup", "u", "wbr"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


class _File(NamedTuple):
    """One file as it was read: what tells whether it has changed, its passages, and why it has none."""

    mark: tuple[int, int]
    passages: list[Passage]
    problem: str | None


class Documents:
    """The files below a folder, or a single file. Raises `StartError` for a path that is neither.

    `passages` are those of the last `scan`, in the order of the files' names; `skipped` maps a reason to the names of
    the files and folders that were left out for it.
    """

    def __init__(self, path: Path) -> None:
        self._root = path.resolve()
        self._files: dict[Path, _File] = {}
        self.passages: list[Passage] = []
        self.skipped: dict[str, list[str]] = {}
        if not self._root.is_dir() and not self._root.is_file():
            raise StartError(_("no such file or folder: {path}").format(path=path))
        self.scan()

    def scan(self) -> bool:
        """Read what is new or has changed since the last time; True when anything is different."""
        self.skipped = {}
        found: dict[Path, _File] = {}
        for path in self._walk():
            found[path] = file = _read(path, self._files.get(path))
            if file.problem:
                self._skip(file.problem, path)
        changed, self._files = found != self._files, found
        self.passages = [passage for file in found.values() for passage in file.passages]
        return changed

    def _skip(self, why: str, path: Path) -> None:
        self.skipped.setdefault(why, []).append(str(path.relative_to(self._root)) if path != self._root else path.name)

    def _walk(self) -> Iterator[Path]:
        """The files to read. No link leads out of the folder, and none is read twice."""
        if self._root.is_file():
            yield self._root
            return
        seen = set()
        for folder, folders, names in os.walk(self._root):
            for path in (Path(folder, name) for name in sorted([*folders, *names])):
                real = Path(os.path.realpath(path))  # `resolve` raises where links go round
                if path.name[0] == "." or path.name in TOOL_FOLDERS or (path / "pyvenv.cfg").exists():
                    folders[:] = [name for name in folders if name != path.name]
                    self._skip(_("hidden, or a folder of tools"), path)
                elif not real.is_relative_to(self._root):
                    self._skip(_("a link that leaves the folder"), path)
                elif real.is_file() and path.suffix.lower() in READERS:
                    if real not in seen:
                        seen.add(real)
                        yield path
                elif path.is_symlink() or not path.is_dir():
                    self._skip(_("of a kind that is not read"), path)
            folders.sort()


def _read(path: Path, known: _File | None) -> _File:
    """One file, unless it is as it was. Whatever is wrong with it is its own problem, and no other file's."""
    mark = (0, 0)
    try:
        stat = path.stat()
        mark = (stat.st_mtime_ns, stat.st_size)
        if known and known.mark == mark:
            return known
        if stat.st_size > MOST_BYTES:
            raise ValueError(_("larger than 32 MB"))
        text = READERS.get(path.suffix.lower(), decode)(path.read_bytes())
        passages = split_document(text, path.stem, path.resolve().as_uri())
        return _File(mark, passages, None if passages else _("without text"))
    except Exception as error:
        return _File(mark, [], getattr(error, "strerror", None) or str(error) or type(error).__name__)


def decode(data: bytes) -> str:
    """Text in UTF-8, UTF-16 or GB18030, with a mark at its beginning or without. Raises `ValueError` for no text.

    >>> decode("港口".encode("gb18030")), decode("port".encode("utf-16-be")), decode("é".encode("utf-8-sig"))
    ('港口', 'port', 'é')
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    text = data.decode("utf-8-sig", errors="replace")
    if b"\0" in data:  # a character of UTF-16 below U+0100 has one
        wide = (_strictly(data, "utf-16-le"), _strictly(data, "utf-16-be"))
        text = max(wide, key=lambda found: sum(map(str.isascii, found)) + bool(found)) or text  # swapped: "瀀漀爀琀"
    elif "\ufffd" in text:
        chinese = _strictly(data, "gb18030")
        runs = re.findall(f"[{CHINESE}]+", chinese)
        # Latin-1 may be read as GB18030, too: as single Chinese characters within words.
        text = chinese if len("".join(runs)) >= 2 * len(runs) > 0 else text
    if len(_CONTROL.findall(text)) > len(text) / 100 or "\0" in text:
        raise ValueError(_("no text, whatever its name says"))
    return text


def _strictly(data: bytes, encoding: str) -> str:
    """`data` as text of this encoding, or nothing where it is none."""
    try:
        text = data.decode(encoding)
    except ValueError:
        return ""
    return text if all(character.isprintable() or character.isspace() for character in text) else ""


class _Page(HTMLParser):
    """The text of a web page, its headings as Markdown's."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._parts: list[str] = []
        self._unseen = 0
        self.feed(html)
        self.close()
        self.text = "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._unseen += tag in _UNSEEN
        if re.fullmatch("h[1-6]|title", tag):
            self._parts.append("\n# ")
        elif tag not in _INLINE:
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        if tag not in _INLINE:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._parts.append(" ".join(f".{data}.".split())[1:-1])


def _pdf(data: bytes) -> str:
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong with a file is reported once, by us
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        reader.decrypt("")  # many may be read by everybody
    return "\n".join(page.extract_text() for page in reader.pages)


def _docx(data: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as packed, packed.open("word/document.xml") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(_("larger than 32 MB"))
    lines = []
    for paragraph in ElementTree.fromstring(content).iter(f"{_WORD}p"):
        style = paragraph.find(f"{_WORD}pPr/{_WORD}pStyle")
        name = "" if style is None else style.get(f"{_WORD}val", "")
        # Word names its headings by numbers in Chinese.
        mark = "# " if re.match(r"(?i)title|heading|[1-6]$", name) else ""
        spaces = {f"{_WORD}{space}": " " for space in ("tab", "br", "cr")}
        texts = (part.text or "" if part.tag == f"{_WORD}t" else spaces.get(part.tag, "") for part in paragraph.iter())
        lines.append(mark + "".join(texts))
    return "\n".join(lines)


READERS: dict[str, Callable[[bytes], str]] = {
    **dict.fromkeys((".md", ".markdown", ".txt", ".text"), decode),
    **dict.fromkeys((".html", ".htm", ".xhtml"), lambda data: _Page(decode(data)).text),
    ".pdf": _pdf,
    ".docx": _docx,
}
"""How each kind of file is read, by its suffix in lower case."""
