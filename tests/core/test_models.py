"""What is known of a model, by its name or from `/models`."""

import pytest

from geekai_core.models import DEFAULT_CONTEXT_WINDOW, facts, langchain_profile, supports_tools
from geekai_core.request.hints import nearest
from geekai_core.wire import ModelInfo


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("ERNIE-4.5-turbo-128k", False),
        ("baidu/ernie-x1", False),
        ("Spark-X1", False),
        ("4.0Ultra-spark", False),
        ("gpt-4o", True),
        ("gemini-2.5-flash:no-thinking", True),
        ("gpt-4-gizmo-g-bo0FiWLY7", True),
        ("", True),
    ],
)
def test_ernie_and_spark_have_no_tools(model: str, expected: bool) -> None:
    assert supports_tools(model) is expected


def test_the_default_context_window_is_the_settled_one() -> None:
    assert DEFAULT_CONTEXT_WINDOW == 32_768


def test_facts_are_what_the_server_said() -> None:
    info = ModelInfo.model_validate(
        {
            "id": "glm-5",
            "context_window": 131_072,
            "limitations": {"max_tokens": 8192, "max_requests_per_min": 60},
            "capabilities": ["Vision", "function-calling", "Deep Thinking", "联网搜索", "telepathy", "tools"],
        }
    )
    known = facts(info)
    assert (known.context_window, known.max_output_tokens) == (131_072, 8192)
    assert known.capabilities == {"vision", "tools", "reasoning", "search"}
    assert known.raw is info


@pytest.mark.parametrize(
    ("word", "capability"),
    [
        ("image", "vision"),
        ("视觉", "vision"),
        ("AUDIO", "audio"),
        ("tts", "audio_out"),
        ("video", "video"),
        ("pdf", "pdf"),
        ("document", "file"),
        ("tool_call", "tools"),
        ("函数调用", "tools"),
        ("reasoning", "reasoning"),
        ("json mode", "json"),
        ("structured outputs", "structured"),
        ("web-search", "search"),
    ],
)
def test_plausible_capability_words_are_understood(word: str, capability: str) -> None:
    assert facts(ModelInfo(id="m", capabilities=[word])).capabilities == {capability}


@pytest.mark.parametrize("limit", [None, 0, -1, "many", "", True, [8192], float("nan"), float("inf")])
def test_a_limit_that_is_no_count_is_unknown(limit: object) -> None:
    assert facts(ModelInfo(id="m", limitations={"max_tokens": limit})).max_output_tokens is None


@pytest.mark.parametrize("limit", [8192, 8192.0, "8192"])
def test_a_limit_in_any_spelling_of_a_number_counts(limit: object) -> None:
    assert facts(ModelInfo(id="m", limitations={"max_tokens": limit})).max_output_tokens == 8192


def test_nothing_said_is_nothing_known() -> None:
    known = facts(ModelInfo(id="m"))
    assert (known.context_window, known.max_output_tokens, known.capabilities) == (None, None, frozenset())


def test_a_misspelt_model_is_hinted_at_whatever_the_case() -> None:
    known = ["GPT-4o", "glm-4", "it's-a-model"]
    assert nearest("gpt4o", known) == "; did you mean 'GPT-4o'?"
    assert nearest("ITS-A-MODEL", known) == "; did you mean 'it's-a-model'?"
    assert nearest("entirely-else", known) == ""
    assert nearest("gpt-4o", []) == ""


def test_a_profile_holds_what_was_said_and_no_more() -> None:
    info = ModelInfo.model_validate(
        {
            "id": "m",
            "name": "M",
            "context_window": 1000,
            "limitations": {"max_tokens": 100},
            "capabilities": ["vision", "audio", "speech", "video", "pdf", "file", "tools", "thinking", "json_schema"],
        }
    )
    assert langchain_profile(info) == {
        "name": "M",
        "max_input_tokens": 1000,
        "max_output_tokens": 100,
        "image_inputs": True,
        "image_url_inputs": True,
        "audio_inputs": True,
        "audio_outputs": True,
        "video_inputs": True,
        "pdf_inputs": True,
        "attachment": True,
        "tool_calling": True,
        "reasoning_output": True,
        "structured_output": True,
    }


def test_json_mode_and_search_alone_promise_langchain_nothing() -> None:
    assert langchain_profile(ModelInfo(id="m", capabilities=["json", "search"])) == {}


def test_what_the_documentation_says_of_ernie_wins() -> None:
    assert langchain_profile(ModelInfo(id="ernie-5", capabilities=["tools"])) == {"tool_calling": False}


def test_every_profile_key_is_one_of_langchains() -> None:
    profiles = pytest.importorskip("langchain_core.language_models.model_profile")
    info = ModelInfo(
        id="spark",
        name="S",
        context_window=1,
        limitations={"max_tokens": 1},
        capabilities=["vision", "audio", "tts", "video", "pdf", "file", "tools", "thinking", "structured"],
    )
    assert set(langchain_profile(info)) <= set(profiles.ModelProfile.__annotations__)
