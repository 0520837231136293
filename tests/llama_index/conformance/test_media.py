"""C15 to C17: speech out, log probabilities, and several answers at once, whole and streamed."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from llama_index.core.base.llms.types import AudioBlock
from llama_index.core.llms import ChatMessage

from geekai_testing.replies import completion, delta
from tests.llama_index.support import CHATS, COMPLETIONS, USER, last, play, responses

SOUND = base64.b64encode(b"RIFF-first-second").decode()
AUDIO = {"id": "audio_1", "data": SOUND, "expires_at": 4102444800, "transcript": "Hello there."}
SPOKEN = [
    delta(extra={"role": "assistant", "audio": {"id": "audio_1", "transcript": "Hello "}}),
    delta(extra={"audio": {"data": base64.b64encode(b"RIFF-first-").decode()}}),
    delta(extra={"audio": {"data": base64.b64encode(b"second").decode(), "transcript": "there."}}),
    delta(extra={"audio": {"expires_at": 4102444800}}),
    delta(finish_reason="stop"),
]


@pytest.mark.parametrize("how", CHATS)
async def test_c15_speech_comes_as_a_block_with_its_transcript(server: Any, make: Any, subject: Any, how: str) -> None:
    llm = make(**subject.body({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}))
    play(server, how, completion(None, extra={"audio": AUDIO}), SPOKEN)
    pieces = await responses(llm, how)
    message = pieces[-1].message
    (block,) = [block for block in message.blocks if isinstance(block, AudioBlock)]
    assert block.resolve_audio().read() == b"RIFF-first-second"
    assert block.format == "wav"
    assert message.content == "Hello there."
    assert message.additional_kwargs["audio"] == AUDIO
    if "stream" in how:
        assert "".join(piece.delta or "" for piece in pieces) == "Hello there."
        assert any("audio_delta" in piece.additional_kwargs for piece in pieces[:-1])


def test_c15_spoken_history_goes_back_by_its_id(server: Any, llm: Any) -> None:
    play(server, "chat", completion(None, extra={"audio": AUDIO}), [])
    play(server, "chat", completion("ok"), [])
    llm.chat([*USER, llm.chat(USER).message, *USER])
    assert server.requests[1].json["messages"][1] == {
        "role": "assistant",
        "content": "",
        "audio": {"id": "audio_1"},
    }


def token(text: str, logprob: float, *others: tuple[str, float]) -> dict[str, Any]:
    tops = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in others]
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": tops}


TOKENS = [token("In", -0.1, ("In", -0.1), ("At", -2.5)), token(" 中国", -0.2), token(".", -0.3, ("!", -0.2))]


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_c16_each_token_has_its_log_probabilities(server: Any, make: Any, how: str) -> None:
    llm = make(logprobs=True, top_logprobs=2)
    whole = completion("In 中国.")
    whole["choices"][0]["logprobs"] = {"content": TOKENS}
    chunks = [delta(t["token"], logprobs={"content": [t]}) for t in TOKENS]
    play(server, how, whole, [*chunks, delta(finish_reason="stop")])
    pieces = await responses(llm, how)
    found = [[(entry.token, entry.logprob) for entry in entries] for entries in pieces[-1].logprobs]
    assert found == [[("In", -0.1), ("At", -2.5)], [(" 中国", -0.2)], [(".", -0.3), ("!", -0.2)]]
    assert pieces[-1].logprobs[1][0].bytes == list(" 中国".encode())
    body = server.requests[0].json
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    if "stream" in how:
        assert [len(piece.logprobs or []) for piece in pieces] == [1, 1, 1, 3]


@pytest.mark.parametrize("how", CHATS)
async def test_c17_further_answers_are_alternatives(server: Any, make: Any, subject: Any, how: str) -> None:
    llm = make(**subject.body({"n": 3}))
    whole = completion("one")
    whole["choices"] += [
        {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "two"}},
        {"index": 2, "finish_reason": "length", "message": {"role": "assistant", "content": "three"}},
    ]
    chunks = [delta("o"), delta("tw", index=1), delta("ne"), delta("three", index=2), delta("o", index=1)]
    ends = [delta(finish_reason=why, index=at) for at, why in enumerate(["stop", "stop", "length"])]
    play(server, how, whole, [*chunks, *ends])
    pieces = await responses(llm, how)
    assert pieces[-1].message.content == "one"
    alternatives = pieces[-1].additional_kwargs["alternatives"]
    assert all(isinstance(message, ChatMessage) for message in alternatives)
    assert [message.content for message in alternatives] == ["two", "three"]
    assert [choice["finish_reason"] for choice in pieces[-1].raw["choices"]] == ["stop", "stop", "length"]
    if "stream" in how:
        assert "".join(piece.delta or "" for piece in pieces) == "one"


@pytest.mark.parametrize("how", COMPLETIONS)
async def test_c17_a_completion_keeps_alternatives_too(server: Any, make: Any, subject: Any, how: str) -> None:
    llm = make(**subject.body({"n": 2}))
    whole = completion("one")
    whole["choices"].append({"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "two"}})
    ends = [delta(finish_reason="stop", index=at) for at in range(2)]
    play(server, how, whole, [delta("one"), delta("two", index=1), *ends])
    response = await last(llm, how)
    assert response.text == "one"
    assert response.additional_kwargs["alternatives"][0].content == "two"
