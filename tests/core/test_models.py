"""What is known of a model, by its name, from the table of published facts, and from `/models`."""

import subprocess
import sys

import pytest

from geekai_core.models import DEFAULT_CONTEXT_WINDOW, listed_facts, model_facts, supports_tools
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
    assert listed_facts(info) == {
        "context_window": 131_072,
        "max_output_tokens": 8192,
        "vision": True,
        "tools": True,
        "reasoning": True,
        "search": True,
    }


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
    assert listed_facts(ModelInfo(id="m", capabilities=[word])) == {capability: True}


@pytest.mark.parametrize("limit", [None, 0, -1, "many", "", True, [8192], float("nan"), float("inf")])
def test_a_limit_that_is_no_count_is_unknown(limit: object) -> None:
    assert listed_facts(ModelInfo(id="m", limitations={"max_tokens": limit})) == {}


@pytest.mark.parametrize("limit", [8192, 8192.0, "8192"])
def test_a_limit_in_any_spelling_of_a_number_counts(limit: object) -> None:
    assert listed_facts(ModelInfo(id="m", limitations={"max_tokens": limit})) == {"max_output_tokens": 8192}


def test_nothing_said_is_nothing_known() -> None:
    assert listed_facts(ModelInfo(id="m")) == {}


def test_a_misspelt_model_is_hinted_at_whatever_the_case() -> None:
    known = ["GPT-4o", "glm-4", "it's-a-model"]
    assert nearest("gpt4o", known) == "; did you mean 'GPT-4o'?"
    assert nearest("ITS-A-MODEL", known) == "; did you mean 'it's-a-model'?"
    assert nearest("entirely-else", known) == ""
    assert nearest("gpt-4o", []) == ""


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-4o", "GPT-4o", "openai/gpt-4o", "openrouter/openai/gpt-4o", "gpt-4o:free", "openai/gpt-4o:full"),
        *("gpt-4o-latest", "gpt-4o-2024-08-06", "gpt-4o-20240806", "gpt-4o-0806", "gpt-4o-2031-01-31"),
    ],
)
def test_a_model_is_known_whatever_vendor_variant_and_date_its_name_has(model: str) -> None:
    assert model_facts(model)["context_window"] == 128_000
    assert model_facts(model)["vision"] is True


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("Pro/deepseek-ai/DeepSeek-R1", 65_536),
        ("deepseek/deepseek-r1:full", 65_536),
        ("claude-3.5-sonnet", 200_000),
        ("anthropic/claude-3-5-sonnet@20240620", 200_000),
        ("Qwen/Qwen3-235B-A22B", 131_072),
        ("moonshot-v1-8k", 8192),
        ("glm-4-flash", 128_000),
        ("gpt-3.5-turbo", 16_385),
        ("gpt-3.5-turbo-0613", 4097),
    ],
)
def test_models_of_several_vendors_are_known(model: str, window: int) -> None:
    assert model_facts(model)["context_window"] == window


@pytest.mark.parametrize(
    "model",
    ["", "m", "gpt", "gpt-4o-mine", "my-gpt-4o", "gpt-4-gizmo-g-bo0FiWLY7", "ft:gpt-4o:me", ":", "/", "-latest"],
)
def test_what_only_resembles_a_known_model_is_unknown(model: str) -> None:
    assert model_facts(model) == {}


def test_a_release_that_is_not_in_the_table_has_the_facts_on_which_the_known_ones_agree() -> None:
    known = model_facts("gpt-4o-2024-05-13"), model_facts("gpt-4o-2024-08-06")
    assert [one["max_output_tokens"] for one in known] == [4096, 16_384]
    unknown = model_facts("gpt-4o-2031-01-31")
    assert not unknown.keys() & {"max_output_tokens", "name", "released"}
    assert unknown["tools"] is True


def test_a_variant_that_says_whether_it_thinks_is_not_told_so_by_the_table() -> None:
    assert model_facts("gemini-2.5-flash")["reasoning"] is True
    assert "reasoning" not in model_facts("gemini-2.5-flash:no-thinking")


def test_the_list_of_models_wins_over_the_table_and_leaves_the_rest() -> None:
    listed = ModelInfo(id="gpt-4o", context_window=64_000, capabilities=["audio", "search"])
    facts = model_facts("gpt-4o", listed)
    assert (facts["context_window"], facts["max_output_tokens"]) == (64_000, 16_384)
    assert facts["audio"] is facts["search"] is facts["tools"] is True
    assert model_facts("gpt-4o")["audio"] is False


def test_what_the_documentation_says_of_ernie_wins() -> None:
    assert model_facts("ernie-5", ModelInfo(id="ernie-5", capabilities=["tools"])) == {"tools": False}
    assert model_facts("baidu/ernie-4.5-300b-a47b-paddle")["tools"] is False


def test_who_changes_the_facts_changes_them_for_nobody_else() -> None:
    model_facts("gpt-4o")["context_window"] = 1
    assert model_facts("gpt-4o")["context_window"] == 128_000


READS = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
reads = lambda: sum("model_facts" in name for name in opened)
from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI
import copy, pickle
model = ChatGeekAI(model="gpt-4o", api_key="k", base_url="http://127.0.0.1:1")
copy.deepcopy(pickle.loads(pickle.dumps(model.model_copy(update={"temperature": 0.5})))).bind(stop=["x"])
repr(model), model.model_dump(), model == model.model_copy(), hasattr(model, "nothing")
llm = GeekAI(model="gpt-4o", api_key="k", api_base="http://127.0.0.1:1")
print(reads())
for name in ("gpt-4o", "glm-4", "nobody-knows"):
    ChatGeekAI(model=name, api_key="k", base_url="http://127.0.0.1:1").profile
    GeekAI(model=name, api_key="k", api_base="http://127.0.0.1:1").metadata
print(reads())
"""


def test_the_table_is_read_once_and_only_when_a_fact_is_wanted() -> None:
    pytest.importorskip("langchain_core")
    pytest.importorskip("llama_index.core")
    done = subprocess.run([sys.executable, "-c", READS], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0", "1"], done.stderr
