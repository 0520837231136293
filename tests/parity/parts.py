"""Parts of messages, marks for caching, media, and the pictures of tools, on their way out."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

from llama_index.core.base.llms import types as li

from tests.parity.form import (
    HI,
    Check,
    Json,
    Wish,
    assistant,
    call,
    media,
    own,
    result,
    says_user,
    system,
    text,
    user,
    wire_call,
    wire_calls,
    wire_result,
)

URL = "https://a.example/x"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF, MP4, WAV = b"%PDF-1.4\n%", b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", b"RIFF\x24\x00\x00\x00WAVEfmt "
LYON = '{"city": "Lyon"}'


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image(url: str = URL) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


LOOK = {"type": "text", "text": "Look:"}
CACHED = Check("a mark for caching", lambda mark: isinstance(mark, dict) and mark.get("type") == "ephemeral")


def marked(words: str) -> Json:
    return {"type": "text", "text": words, "cache_control": CACHED}


def sent(name: str, parts: list[Any], wire: Any, **fields: Any) -> Wish:
    """A message of the user's in these parts, and its content on the wire."""
    return Wish(**{"name": name, "messages": [user(*parts)], "sends": [{"messages": [says_user(wire)]}], **fields})


TEXTS = [
    sent("one text with a mark for caching", [text("Long.", cached=True)], [marked("Long.")]),
    sent(
        "a text with a mark for caching before one without",
        [text("Long.", cached=True), text("Short.")],
        [marked("Long."), {"type": "text", "text": "Short."}],
    ),
    sent(
        "a text and a picture with a mark between",
        [text("Long.", cached=True), media("image", url=URL)],
        [marked("Long."), image()],
    ),
    Wish(
        name="a system message with a mark for caching",
        messages=[system(text("Long.", cached=True)), user("Hi")],
        sends=[{"messages": [{"role": "system", "content": [marked("Long.")]}, HI]}],
    ),
    Wish(
        name="a tool's result with a mark for caching",
        messages=[
            user("Hi"),
            assistant(calls=[call("weather", {"city": "Lyon"})]),
            result([text("Sunny.", cached=True)]),
        ],
        sends=[{"messages": [HI, wire_calls(wire_call("weather", LYON)), wire_result([marked("Sunny.")])]}],
    ),
    sent("one text", [text("Short.")], "Short."),
    sent("half a surrogate pair in a prompt", ["so \ud83d"], "so \ufffd"),
    sent("the second half of a surrogate pair in a prompt", ["\ude00 so"], "\ufffd so"),
    sent("both halves of a surrogate pair, joined by hand", ["so \ud83d" + "\ude00 \ude00"], "so \U0001f600 \ufffd"),
    Wish(
        name="half a surrogate pair in a further field and in its name",
        fields={"extra_body": {"a\ud83d": ["\ude00", {"b": "\ud83d!"}]}},
        sends=[{"a\ufffd": ["\ufffd", {"b": "\ufffd!"}]}],
    ),
    Wish(
        name="half a surrogate pair in a system message and in a tool's result",
        messages=[
            system("a\ud83d"),
            user("Hi"),
            assistant("b\ude00", calls=[call("weather", {"city": "\ud83d"})]),
            result("c\ud83d"),
        ],
        sends=[
            {
                "messages": [
                    {"role": "system", "content": "a\ufffd"},
                    HI,
                    wire_calls(wire_call("weather", '{"city": "\ufffd"}'), content="b\ufffd"),
                    wire_result("c\ufffd"),
                ]
            }
        ],
    ),
]

MEDIA = [
    sent("a picture by its URL", ["Look:", media("image", url=URL)], [LOOK, image()]),
    sent(
        "a picture by its bytes",
        ["Look:", media("image", data=PNG, mime="image/png")],
        [LOOK, image(f"data:image/png;base64,{b64(PNG)}")],
    ),
    sent("a picture alone", [media("image", url=URL)], [image()]),
    sent(
        "a video by its URL",
        ["Look:", media("video", url=URL)],
        [LOOK, {"type": "video_url", "video_url": {"url": URL}}],
    ),
    sent(
        "speech by its bytes",
        ["Look:", media("audio", data=WAV, mime="audio/wav")],
        [LOOK, {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}}],
    ),
    sent(
        "a document by its bytes",
        ["Look:", media("file", data=PDF, mime="application/pdf")],
        [
            LOOK,
            {
                "type": "file_url",
                "file_url": {"url": f"data:application/pdf;base64,{b64(PDF)}", "mime_type": "application/pdf"},
            },
        ],
    ),
    # LlamaIndex's blocks have no fields for what follows: it is LangChain's dicts alone that can hold it.
    *(
        sent(f"{part['type']} with {sorted(part)}", ["Look:", own(lambda part=part: part)], [LOOK, part], sides=["lc"])
        for part in (
            {"type": "video_url", "video_url": {"url": URL}, "fps": 2},
            {"type": "video_url", "video_url": {"url": URL, "fps": 2}, "max_frames": 8},
            {"type": "image_url", "image_url": {"url": URL}, "min_pixels": 4, "max_pixels": 9},
            {"type": "image_url", "image_url": {"url": URL, "detail": "low"}, "cache_control": {"type": "ephemeral"}},
            {"type": "video", "video": [f"{URL}1", f"{URL}2"], "fps": 2},
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}, "new": 1},
        )
    ),
]


def _file(name: str, data: bytes) -> Path:
    """A file of this name with these bytes, in a folder of its own."""
    import tempfile

    path = Path(tempfile.mkdtemp()) / name
    path.write_bytes(data)
    return path


DATA_IMAGE = image(f"data:image/png;base64,{b64(PNG)}")
DATA_VIDEO = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{b64(MP4)}"}}
DATA_PDF = {
    "type": "file_url",
    "file_url": {"url": f"data:application/pdf;base64,{b64(PDF)}", "mime_type": "application/pdf"},
}
DATA_AUDIO = {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}}
# LlamaIndex's own ways to give media; the type is told by the bytes.
BLOCKS = [
    sent(f"{kind} by {how}", ["Look:", own(make)], [LOOK, wire], sides=["li"])
    for kind, how, make, wire in (
        ("a picture", "an open buffer", lambda: li.ImageBlock(image=BytesIO(PNG)), DATA_IMAGE),
        (
            "a picture",
            "bytes with a wrong type",
            lambda: li.ImageBlock(image=PNG, image_mimetype="image/jpeg"),
            DATA_IMAGE,
        ),
        ("a picture", "a path in capitals", lambda: li.ImageBlock(path=_file("X.PNG", PNG)), DATA_IMAGE),
        ("a picture", "a path without a suffix", lambda: li.ImageBlock(path=_file("x", PNG)), DATA_IMAGE),
        ("a picture", "a path with a wrong suffix", lambda: li.ImageBlock(path=_file("x.jpg", PNG)), DATA_IMAGE),
        ("a video", "an open buffer", lambda: li.VideoBlock(video=BytesIO(MP4)), DATA_VIDEO),
        ("a video", "a path in capitals", lambda: li.VideoBlock(path=_file("X.MP4", MP4)), DATA_VIDEO),
        ("a document", "an open buffer", lambda: li.DocumentBlock(data=BytesIO(PDF)), DATA_PDF),
        ("a document", "a path in capitals", lambda: li.DocumentBlock(path=_file("X.PDF", PDF)), DATA_PDF),
        ("a document", "a path without a suffix", lambda: li.DocumentBlock(path=_file("x", PDF)), DATA_PDF),
        ("speech", "an open buffer", lambda: li.AudioBlock(audio=BytesIO(WAV)), DATA_AUDIO),
        ("speech", "a path without a suffix", lambda: li.AudioBlock(path=_file("x", WAV)), DATA_AUDIO),
        ("speech", "a path in capitals", lambda: li.AudioBlock(path=_file("X.WAV", WAV)), DATA_AUDIO),
    )
]

SHOWN = Check(
    "a user's message that shows the picture",
    lambda message: message["role"] == "user" and image() in message["content"],
)
WORDS = Check("some words", lambda content: isinstance(content, str) and bool(content))
TWO_CALLS = [call("weather", {"city": "Lyon"}), call("weather", {"city": "Lyon"}, "c2")]
W_TWO_CALLS = wire_calls(wire_call("weather", LYON), wire_call("weather", LYON, "c2"))


def shown(name: str, messages: list[Json], wire: list[Any]) -> Wish:
    return Wish(name=name, messages=[user("Hi"), *messages], sends=[{"messages": [HI, *wire]}])


PICTURES = [
    shown(
        "a text and a picture that a tool returns",
        [assistant(calls=TWO_CALLS[:1]), result(["Look.", media("image", url=URL)])],
        [wire_calls(wire_call("weather", LYON)), wire_result("Look."), SHOWN],
    ),
    shown(
        "a picture alone that a tool returns",
        [assistant(calls=TWO_CALLS[:1]), result([media("image", url=URL)])],
        [wire_calls(wire_call("weather", LYON)), wire_result(WORDS), SHOWN],
    ),
    shown(
        "a picture of the first of two tools",
        [assistant(calls=TWO_CALLS), result(["Look.", media("image", url=URL)]), result("sunny", "c2")],
        [W_TWO_CALLS, wire_result("Look."), wire_result("sunny", "c2"), SHOWN],
    ),
    shown(
        "a picture of an earlier tool, before the next answer",
        [assistant(calls=TWO_CALLS[:1]), result(["Look.", media("image", url=URL)]), assistant("A cat."), user("So?")],
        [
            wire_calls(wire_call("weather", LYON)),
            wire_result("Look."),
            SHOWN,
            {"role": "assistant", "content": "A cat."},
            says_user("So?"),
        ],
    ),
]

WISHES = [*TEXTS, *MEDIA, *BLOCKS, *PICTURES]

NOT_YET: dict[str, str] = {}
