"""The table of published facts, and the script that makes it."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from geekai_core.models import FLAGS, ModelFacts, facts_key, model_facts

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts/model_facts"
FILE = ROOT / "shared/geekai_core/model_facts.json"
TABLE: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
SOURCES = {name for name, read in runpy.run_path(str(SCRIPT))["SOURCES"] if read}


def test_the_table_names_its_sources_with_their_versions_and_is_small() -> None:
    assert set(TABLE["sources"]) == SOURCES
    assert all(version[0].isdecimal() for version in TABLE["sources"].values())
    assert TABLE["licence"] == "MIT"
    assert TABLE["flags"] == list(FLAGS)
    assert len(TABLE["models"]) > 1000
    assert len(zlib.compress(FILE.read_bytes())) < 30_000
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    assert all(name in page for name in ("model_facts.json", "LangChain", "LiteLLM", "LlamaIndex", "models.dev"))


def test_every_row_of_the_table_is_in_the_form_that_is_read() -> None:
    types = get_type_hints(ModelFacts)
    for key, row in TABLE["models"].items():
        assert facts_key(key.removesuffix(" dated")) == key.removesuffix(" dated")
        assert len(row["flags"]) == len(FLAGS)
        assert set(row["flags"]) <= set("+-?")
        for name, value in row.items():
            assert name == "flags" or isinstance(value, getattr(types[name], "__origin__", types[name])), (key, name)
        assert row.get("context_window", 1) > 0
        assert "cost" not in str(row)
        assert "price" not in str(row)


def test_every_fact_of_the_table_has_a_name_of_its_own() -> None:
    assert {name for key in TABLE["models"] for name in model_facts(key)} <= set(get_type_hints(ModelFacts))


Make = Callable[..., dict[str, Any]]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """What the script makes of packages with these model profiles, tables of litellm by version, and windows."""

    def put(folder: str, name: str, version: str, path: str, text: str) -> None:
        info = tmp_path / folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file = tmp_path / folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def build(profiles: Any, litellm: Any, windows: Any) -> dict[str, Any]:
        for name in SOURCES - {"litellm"}:
            if name.startswith("langchain-"):
                text = f"_PROFILES: dict = {profiles.get(name, {})!r}\n"
                put("new", name, "1.2.0", f"{name.replace('-', '_')}/data/_profiles.py", text)
            else:
                text = f"import os\nMODELS = {windows.get(name, {})!r}\nOTHER = {{'a': os.sep}}\n"
                put("new", name, "0.9.1", f"llama_index/llms/{name.split('-', 3)[3]}/utils.py", text)
        for version, table in litellm.items():
            path = "litellm/model_prices_and_context_window_backup.json"
            put(version, "litellm", version, path, json.dumps(table))
        folders = [str(folder) for folder in tmp_path.iterdir()]
        to = tmp_path / "facts.json"
        done = subprocess.run(
            [sys.executable, SCRIPT, "--to", to, *folders], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        table = json.loads(to.read_text(encoding="utf-8"))
        for row in table["models"].values():
            flags = zip(FLAGS, row.pop("flags"), strict=True)
            row.update({flag: sign == "+" for flag, sign in flags if sign != "?"})
        return table

    return build


def chat(provider: str, **row: Any) -> dict[str, Any]:
    return {"litellm_provider": provider, "mode": "chat", **row}


def test_where_sources_contradict_each_other_the_stated_rules_decide(made: Make) -> None:
    profiles = {
        "langchain-openai": {
            "gpt-a": {"name": "A", "max_input_tokens": 100, "tool_calling": False, "image_inputs": False},
            "embed-a": {"max_input_tokens": 5},
            "draw": {"max_input_tokens": 5, "text_outputs": False},
        },
        "langchain-openrouter": {
            "openai/gpt-a": {"max_input_tokens": 7, "reasoning_output": True},
            "meta/host.only": {"max_input_tokens": 8, "tool_calling": False, "reasoning_output": False},
            "meta/host.only:free": {"max_input_tokens": 9},
            "openrouter/auto": {"max_input_tokens": 9},
        },
    }
    new = {
        "gpt-a": chat("openai", max_input_tokens=50, max_output_tokens=20, supports_function_calling=True),
        "zai/GLM_B": chat("zai", max_input_tokens=60, input_cost_per_token=1e-6, supports_vision=None),
        "glm-latest": {"alias_of": "zai/GLM_B"},
        "azure/gpt-a": chat("azure", max_input_tokens=1),
        "gpt-voice": {"litellm_provider": "openai", "mode": "audio_speech", "max_input_tokens": 1},
    }
    old = {
        "zai/glm-b": chat("zai", max_input_tokens=1, supports_vision=True),
        "old": chat("openai", max_input_tokens=3),
    }
    table = made(profiles, {"1.10.0": new, "1.9.0": old}, {"llama-index-llms-openai": {"gpt-a": 1, "gpt-w": 70}})
    assert table["sources"]["litellm"] == "1.10.0, 1.9.0"
    assert table["models"] == {
        "gpt-a": {"name": "A", "context_window": 100, "max_output_tokens": 20, "tools": True, "vision": False},
        "glm-b": {"context_window": 60, "vision": True},
        "glm-latest": {"context_window": 60},
        "old": {"context_window": 3},
        "gpt-w": {"context_window": 70},
        "host-only": {"context_window": 8, "reasoning": False},
    }


def test_releases_share_what_the_known_ones_agree_on(made: Make) -> None:
    table = {
        "claude-x-20250101": chat("anthropic", max_input_tokens=10, max_output_tokens=4, supports_vision=True),
        "claude-x-20250601": chat("anthropic", max_input_tokens=10, max_output_tokens=8),
        "gpt-y": chat("openai", max_input_tokens=10, max_output_tokens=8),
        "gpt-y-2025-01-01": chat("openai", max_input_tokens=5),
    }
    assert made({}, {"1.0.0": table}, {})["models"] == {
        "claude-x": {"context_window": 10, "vision": True},
        "claude-x-20250101": {"context_window": 10, "max_output_tokens": 4, "vision": True},
        "claude-x-20250601": {"context_window": 10, "max_output_tokens": 8, "vision": True},
        "gpt-y": {"context_window": 10, "max_output_tokens": 8},
        "gpt-y dated": {"max_output_tokens": 8},
        "gpt-y-2025-01-01": {"context_window": 5, "max_output_tokens": 8},
    }


def test_a_source_that_is_missing_is_named(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "langchain-openai" in done.stderr
    assert "litellm" in done.stderr
