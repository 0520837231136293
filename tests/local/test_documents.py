"""Which of a person's files are read, how, and what is said of those that are not."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from geekai_local.documents import Documents
from geekai_local.errors import StartError
from geekai_local.passages import Passage
from geekai_local.search import Library, pages

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(*paragraphs: tuple[str, str]) -> bytes:
    """A Word document of paragraphs: a style or "", and a text whose words are runs of their own."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>'
        + "".join(f'<w:r><w:t xml:space="preserve">{part}</w:t></w:r>' for part in text.partition(" "))
        + "</w:p>"
        for style, text in paragraphs
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')
    return packed.getvalue()


def pdf(*texts: str) -> bytes:
    """A PDF with a page for each text."""
    writer = pypdf.PdfWriter()
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    named = DictionaryObject({NameObject(name): NameObject(value) for name, value in font.items()})
    for text in texts:
        page = writer.add_blank_page(300, 300)
        drawn = DecodedStreamObject()
        drawn.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(drawn)
        fonts = DictionaryObject({NameObject("/F1"): named})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


HTML = """<!doctype html><html><head><title>Harbour</title><style>p { color: red }</style></head><body>
<h2>Ferry</h2><script>var sail = 1 < 2;</script><p>It sails at <b>nine</b>, in&nbsp;winter at&#32;ten.</p><ul><li>No
dogs</ul></body></html>"""


@pytest.mark.parametrize(
    ("name", "data", "passages"),
    [
        ("a.MD", b"# Tea\nHot.", [("Tea", "Hot.")]),
        ("a.markdown", b"Hot.", [("a", "Hot.")]),
        ("a.Text", b"Hot.", [("a", "Hot.")]),
        ("a.htm", HTML.encode(), [("Harbour: Ferry", "It sails at nine, in winter at ten. No dogs")]),
        ("a.HTML", HTML.encode("utf-16"), [("Harbour: Ferry", "It sails at nine, in winter at ten. No dogs")]),
        (
            "a.docx",
            docx(("Title", "Harbour"), ("Heading2", "Ferry"), ("", "It sails at nine.")),
            [("Harbour: Ferry", "It sails at nine.")],
        ),
        ("a.docx", docx(("1", "渡轮"), ("", "九点开船。")), [("渡轮", "九点开船。")]),
        ("a.pdf", pdf("It sails at nine.", "In winter at ten."), [("a", "It sails at nine. In winter at ten.")]),
        ("a.txt", "﻿港口".encode(), [("a", "港口")]),
        ("a.txt", "# 港口\n九点开船，冬天十点。".encode("gb18030"), [("港口", "九点开船，冬天十点。")]),
        ("a.txt", "九点\n开船。".encode("utf-16"), [("a", "九点开船。")]),
        ("a.txt", "It sails at nine.\n".encode("utf-16-le"), [("a", "It sails at nine.")]),
        ("a.txt", "九点开船。\n".encode("utf-16-be"), [("a", "九点开船。")]),
        ("a.txt", "Café Renée".encode("latin-1"), [("a", "Caf\ufffd Ren\ufffde")]),
        ("a.txt", b"first \xff", [("a", "first \ufffd")]),
    ],
)
def test_each_kind_of_file_becomes_text(
    tmp_path: Path, name: str, data: bytes, passages: list[tuple[str, str]]
) -> None:
    """Whatever the case of its suffix and its encoding; a line that ends within Chinese text is no space."""
    (tmp_path / name).write_bytes(data)
    found = [Passage(title, (tmp_path / name).as_uri(), text) for title, text in passages]
    assert Documents(tmp_path).passages == found
    assert Documents(tmp_path / name).passages == found


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0", "no text, whatever its name says"),
        ("a.txt", bytes(range(256)) * 9, "no text, whatever its name says"),
        ("a.txt", b" \n", "without text"),
        ("a.pdf", pdf(""), "without text"),
        ("a.pdf", b"%PDF-1.7 and then nothing", "unexpectedly"),
        ("a.docx", b"PK nothing", "zip"),
        ("a.docx", docx()[:-30], "zip"),
        ("a.py", b"x = 1", "of a kind that is not read"),
    ],
)
def test_a_file_that_gives_nothing_says_why(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    """And keeps no other from being read."""
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.md").write_text("Hot.")
    documents = Documents(tmp_path)
    assert [passage.text for passage in documents.passages] == ["Hot."]
    ((reason, names),) = documents.skipped.items()
    assert why in reason
    assert names == [name]


def test_a_packed_file_that_unpacks_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/document.xml", bytes(40 * 2**20))
    assert "larger than 32 MB" in Documents(tmp_path).skipped


def test_folders_of_tools_hidden_ones_and_links_that_leave_are_passed_over(tmp_path: Path) -> None:
    """Each is named, with the reason. What a link within the folder leads to is read once."""
    notes, outside = tmp_path / "notes", tmp_path / "secret.txt"
    outside.write_text("secret")
    for name in (".git", ".venv", "node_modules", "deep/.cache", "env"):
        (notes / name).mkdir(parents=True)
        (notes / name / "read.md").write_text("hidden")
    (notes / "env/pyvenv.cfg").touch()
    (notes / ".hidden.txt").write_text("hidden")
    (notes / "deep/b.txt").write_text("second")
    (notes / "a.md").write_text("first")
    (notes / "link.md").symlink_to("a.md")
    (notes / "out.txt").symlink_to(outside)
    (notes / "up").symlink_to(tmp_path)
    (notes / "round").symlink_to(notes)
    os.mkfifo(notes / "pipe.txt")
    documents = Documents(notes)
    assert [(passage.title, passage.text) for passage in documents.passages] == [("a", "first"), ("b", "second")]
    hidden = {".git", ".venv", "node_modules", "deep/.cache", "env", ".hidden.txt"}
    assert {why: set(names) for why, names in documents.skipped.items()} == {
        "hidden, or a folder of tools": hidden,
        "a link that leaves the folder": {"out.txt", "up"},
        "of a kind that is not read": {"pipe.txt", "round"},
    }


def test_changes_are_seen_with_the_next_search(tmp_path: Path) -> None:
    """A file that is new, another now, or gone."""
    library = Library(tmp_path)

    def found(query: str) -> list[str]:
        return [result["title"] for result in pages(library.find(query))]

    assert found("herring") == []
    (tmp_path / "a.md").write_text("herring")
    assert found("herring") == ["a"]
    (tmp_path / "a.md").write_text("puffins now")
    assert (found("herring"), found("puffins")) == ([], ["a"])
    (tmp_path / "a.md").unlink()
    assert found("puffins") == []
    library.close()


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    """A file that is there and cannot be read is skipped like any other."""
    (tmp_path / "round.md").symlink_to("round.md")
    with pytest.raises(StartError, match=r"no such file or folder: .*港"):
        Documents(tmp_path / "港")
    assert Documents(tmp_path).skipped == {"of a kind that is not read": ["round.md"]}
    if Path("/proc/self/mem").exists():
        assert Documents(Path("/proc/self/mem")).skipped == {"Input/output error": ["mem"]}
