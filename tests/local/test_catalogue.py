"""`GET /models` of the local endpoint, asked by our own clients."""

from __future__ import annotations

from typing import Any

import pytest

from geekai_core.models import listed_facts
from tests.local.conftest import Caller

pytestmark = pytest.mark.local_model


def test_the_models_that_answer_here_are_listed(client: Any) -> None:
    """The chat model and the embedding model, with what they can do, in words that our core understands."""
    chat, embedding = client.models()
    assert (chat.id, chat.type, chat.status) == ("SmolLM2-135M-Instruct.Q4_1", "chat", "available")
    facts = listed_facts(chat)
    assert facts.pop("context_window") == facts.pop("max_output_tokens") == 4096
    facts.pop("name", None)
    assert facts == dict.fromkeys(("tools", "reasoning", "json", "structured", "search"), True)
    assert (embedding.id, embedding.type, embedding.context_window) == ("multilingual-e5-small", "embedding", 512)
    assert embedding.capabilities == ["embedding", "rerank"]


def test_each_model_has_geekais_documented_fields(caller: Caller) -> None:
    """None is missing, none is ours alone; a price is not invented."""
    answer = caller.http.get("/models").json()
    documented = "id name type status created owned_by context_window pricing capabilities limitations platform"
    assert all(list(model) == documented.split() for model in answer["data"])
    assert all(model["pricing"] is None for model in answer["data"])
    assert answer["data"][0]["limitations"].keys() == {"max_tokens", "max_requests_per_min"}
    assert answer["data"][0]["platform"].keys() == {"name", "alias", "website"}
    assert (answer["total"], answer["page"], answer["page_size"]) == (2, 1, 20)


def test_pages_divide_the_list_and_end(caller: Caller) -> None:
    def page(number: int) -> list[str]:
        answer = caller.http.get("/models", params={"page": number, "page_size": 1}).json()
        assert (answer["total"], answer["page"], answer["page_size"]) == (2, number, 1)
        return [model["id"] for model in answer["data"]]

    assert [page(1), page(2), page(3)] == [["SmolLM2-135M-Instruct.Q4_1"], ["multilingual-e5-small"], []]


@pytest.mark.parametrize("query", [{"page": "0"}, {"page": "first"}, {"page_size": "0"}, {"page_size": "101"}])
def test_a_page_that_cannot_be_is_a_400(caller: Caller, query: dict[str, str]) -> None:
    response = caller.http.get("/models", params=query)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(next(iter(query)))
