"""Text from elsewhere that a terminal would obey is shown instead; nothing else of it changes."""

from __future__ import annotations

import json
import unicodedata

import pytest

from geekai_core.harmless import harmless

DANGEROUS = [
    chr(code)
    for code in range(0x110000)
    if chr(code) not in "\t\n"
    and (
        unicodedata.category(chr(code)) in ("Cc", "Cs")
        or unicodedata.bidirectional(chr(code)) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    )
]


def test_no_control_character_is_left_whichever_it_is() -> None:
    assert len(DANGEROUS) > 2048
    shown = harmless("".join(f"a{control}b" for control in DANGEROUS))
    assert not set(shown) & set(DANGEROUS)
    assert shown.count("a") >= len(DANGEROUS), "the text around them stays"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("\x9b31mred", "\\u009b31mred"),
        ("\x00\x7f\x08", "␀\\u007f␈"),
        ("abc\rxyz", "abc␍xyz"),
        ("abc\r\nxyz\t!", "abc\nxyz\t!"),
        ("user \u202eterces\u2066\u200f", "user \\u202eterces\\u2066\\u200f"),
        ("half \ud83d", "half \ufffd"),
        ("太阳 🚀👩‍🚀 é\n", "太阳 🚀👩‍🚀 é\n"),
    ],
)
def test_a_control_character_is_made_visible(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize("text", ["a\nb", "a\r\n b", "a\x85b", "a\u2028b", "a\x0b\x0cb\n", "\n a\tb"])
def test_one_line_stays_one_line(text: str) -> None:
    assert harmless(text, one_line=True) == "a b"


def test_json_stays_the_same_json() -> None:
    value = {"text": "".join(DANGEROUS).encode("utf-8", "ignore").decode() + "极客"}
    assert json.loads(harmless(json.dumps(value, ensure_ascii=False))) == value
