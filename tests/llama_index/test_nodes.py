"""`to_nodes`: the sources of an answer as nodes, whatever kind of response holds them."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import MetadataMode

from geekai_testing.replies import completion, delta
from llama_index_geekai import to_nodes
from tests.llama_index.support import CHATS, COMPLETIONS, last, play

RESULTS = [
    {"title": "Pandas", "link": "https://a.example/", "content": "They live in China.", "refer": "ref_1"},
    {"title": "熊猫", "url": "https://c.example", "content": "吃竹子。", "tags": ["x"]},
]
TOP = {"citations": ["https://a.example", "https://b.example"], "search_results": RESULTS}


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_citations_and_search_results_become_numbered_nodes(server: Any, llm: Any, how: str) -> None:
    """A citation's number is its place, for that is what a marker means; further results follow."""
    chunks = [delta("In China [1]."), delta(finish_reason="stop", **TOP)]
    play(server, how, completion("In China [1].", **TOP), chunks)
    nodes = to_nodes(await last(llm, how))
    assert [node.text for node in nodes] == ["They live in China.", "https://b.example", "吃竹子。"]
    assert [node.metadata.get("number") for node in nodes] == [1, 2, 3]
    assert [node.metadata.get("title") for node in nodes] == ["Pandas", None, "熊猫"]
    assert [node.metadata.get("url") for node in nodes] == [
        "https://a.example",
        "https://b.example",
        "https://c.example",
    ]
    assert [node.score for node in nodes] == [1, 1 / 2, 1 / 3]
    assert nodes[0].metadata["refer"] == "ref_1"
    assert "tags" not in nodes[2].metadata  # a vector store keeps strings and numbers only
    assert nodes[0].node.get_content(MetadataMode.LLM) == (
        "title: Pandas\nurl: https://a.example\n\nThey live in China."
    )


def test_an_answer_without_sources_has_no_nodes() -> None:
    assert to_nodes(ChatMessage(content="Hi")) == []
