"""The servers, each as a context manager. Raises `NotInstalledError` where one is not on this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.running import HOST, NotInstalledError, Server, ports, python_of, running


@contextmanager
def llama_cpp() -> Iterator[Server]:
    """llama.cpp's own server with the packaged model: the child process of `geekai_local`, without the endpoint."""
    from geekai_local.engine import _end, _started
    from geekai_local.errors import StartError
    from geekai_local.weights import packaged_model

    try:
        process, started = _started(packaged_model())
    except (ImportError, StartError) as error:
        raise NotInstalledError(f"the local model is not installed: {error}") from error
    try:
        slots = started.url.removesuffix("/v1") + "/slots"
        yield Server(started.url, started.key or "", slots=slots, slots_key=started.key or "")
    finally:
        _end(process)


@contextmanager
def litellm(*models: dict[str, Any]) -> Iterator[Server]:
    """LiteLLM's proxy with these models: each its `litellm_params`, with the name it goes by under `name`."""
    python, port = python_of("litellm"), next(ports)
    listed = [
        {"model_name": one["name"], "litellm_params": {k: v for k, v in one.items() if k != "name"}} for one in models
    ]
    settings = {
        "model_list": listed,
        "general_settings": {"master_key": "sk-master"},
        "litellm_settings": {"num_retries": 0, "telemetry": False, "request_timeout": 120},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(json.dumps(settings))  # which is YAML too
        command = [str(Path(python).with_name("litellm")), "--config", str(config), "--host", HOST, "--port"]
        env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}  # else it fetches a table
        with running([*command, str(port)], port, env):
            yield Server(f"http://{HOST}:{port}/v1", "sk-master")


def through_litellm(behind: Server) -> dict[str, Any]:
    """A model of LiteLLM's that asks another server."""
    return {"name": "local", "model": f"openai/{behind.model}", "api_base": behind.url, "api_key": behind.key}


@contextmanager
def llmock(*arguments: str) -> Iterator[Server]:
    """LLMock, which answers in OpenAI's form without a model."""
    python, port = python_of("llmock"), next(ports)
    command = [str(Path(python).with_name("llmock")), "serve", "--host", HOST, "--port", str(port), *arguments]
    with running(command, port):
        yield Server(f"http://{HOST}:{port}/v1", model="gpt-4o")
