"""`scripts/upstream`: others' tests, with our models in the place of their fake ones."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

LANGCHAIN = """
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModelError
from langchain_core.messages import AIMessage
import pytest

class Named(GenericFakeChatModel):
    model_name: str = "mine"

def test_whole():
    call = {"name": "f", "args": {"a": 1}, "id": "c"}
    model = GenericFakeChatModel(messages=iter([AIMessage("Hello there", tool_calls=[call])]))
    answer = model.invoke("Hi")
    assert (answer.text, answer.tool_calls[0]["args"]) == ("Hello there", {"a": 1})

async def test_streamed():
    model = GenericFakeChatModel(messages=iter(["Hello there"]))
    assert [chunk.text async for chunk in model.astream("Hi") if chunk.text] == ["Hello", " ", "there"]

def test_what_is_beside_the_text():
    spent = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "input_token_details": {"cache_read": 1}}
    given = AIMessage("Hello", id="a", usage_metadata=spent, response_metadata={"finish_reason": "length"})
    given.additional_kwargs["reasoning_content"] = "Hm."
    answer = GenericFakeChatModel(messages=iter([given])).invoke("Hi")
    assert (answer.id, answer.usage_metadata, answer.additional_kwargs) == ("a", spent, given.additional_kwargs)
    assert answer.response_metadata["finish_reason"] == "length"

def test_a_stream_that_breaks():
    pieces = FakeListChatModel(responses=["abc"], error_on_chunk_number=2).stream("Hi")
    assert [next(pieces).content, next(pieces).content] == ["a", "b"]
    with pytest.raises(FakeListChatModelError):
        next(pieces)

def test_a_picture_that_no_server_sends():
    picture = [{"type": "image", "url": "https://example.com/a.png"}]
    assert GenericFakeChatModel(messages=iter([AIMessage(picture)])).invoke("Hi").content == picture

def test_only_the_fake_has_this():
    assert GenericFakeChatModel(messages=iter(["x"])).invoke("Hi")
    assert "ChatGeekAI" not in [base.__name__ for base in GenericFakeChatModel.__mro__]

def test_what_is_more_than_answers_stays():
    assert Named(messages=iter(["x"])).invoke("Hi").response_metadata == {}

def test_fails_everywhere():
    assert False
"""
LLAMA_INDEX = '''
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
import pytest

def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b

@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent(streaming):
    call = ToolCallBlock(tool_call_id="c", tool_name="add", tool_kwargs={"a": 1, "b": 2})
    said = iter([ChatMessage(role="assistant", blocks=[call]), ChatMessage(role="assistant", content="Three.")])
    llm = MockFunctionCallingLLM(response_generator=lambda messages, **kwargs: next(said))
    result = await FunctionAgent(tools=[add], llm=llm, streaming=streaming).run("1 + 2?")
    assert (result.response.content, result.tool_calls[0].tool_output.raw_output) == ("Three.", 3)
'''


def test_others_tests_run_over_the_wire_and_what_fails_only_here_is_named(tmp_path: Path) -> None:
    tests = tmp_path / "suite-1.0/tests"
    tests.mkdir(parents=True)
    (tests / "__init__.py").touch()
    (tests / "test_langchain.py").write_text(LANGCHAIN)
    (tests / "test_llama_index.py").write_text(LLAMA_INDEX)
    given = tmp_path / "suite.tar.gz"
    with tarfile.open(given, "w:gz") as archive:
        archive.add(tmp_path / "suite-1.0", "suite-1.0")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/upstream", given], capture_output=True, text=True, check=False
    )
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == str(given), done.stderr
    assert lines[1].startswith("theirs  1 failed, 9 passed"), done.stdout
    assert lines[2].startswith("ours    2 failed, 7 passed, 1 skipped"), done.stdout
    assert lines[3] == "7 tests asked our model: 6 passed, 1 failed"
    assert lines[4] == "1 skipped: their fake models answer what no server of this kind sends"
    assert lines[5] == "only here: tests/test_langchain.py::test_only_the_fake_has_this"
    assert lines[-1] == "1 fail only here"
