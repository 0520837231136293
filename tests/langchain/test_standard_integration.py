"""LangChain's own integration tests for chat models: every switch on, by each way of structured output.

The server answers from the request's own schemas. Each async test has an event loop of its own, which is pytest's
default and what models with one client for all loops fail at.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as suite
from vcr import VCR

from geekai_testing.replies import completion, delta, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI

pytestmark = pytest.mark.filterwarnings(
    "ignore::langchain_core._api.LangChainBetaWarning",  # v3 streaming is LangChain's beta
    "ignore:The `schema` method is deprecated:pydantic.warnings.PydanticDeprecatedSince20",  # the suite's own
)


class _Downloaded:
    content = b"%PDF-1.4 a few bytes in place of a download"


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite fetches its image, PDF and audio from the web; the server looks at none of them."""
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "geekai tests, which download nothing")
    monkeypatch.setattr(suite.httpx, "get", lambda *args, **kwargs: _Downloaded())


class _Suite(ChatModelIntegrationTests):
    method = "json_schema"
    server: ScriptedServer

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def scripted(cls) -> Iterator[None]:
        with ScriptedServer() as server:
            cls.server = server
            yield

    @pytest.fixture
    def model(self, request: Any) -> Iterator[BaseChatModel]:
        extra = getattr(request, "param", None) or {}
        model = ChatGeekAI(**{**self.standard_chat_model_params, **self.chat_model_params, **extra})
        yield model
        model.close()

    @pytest.fixture(scope="class")
    @classmethod
    def vcr_config(cls) -> dict[str, Any]:
        return {"allow_playback_repeats": True}

    @pytest.fixture
    def vcr_cassette_dir(self, tmp_path: Path) -> str:
        """`test_stream_time` measures a recorded answer; here is the record."""
        with VCR().use_cassette(str(tmp_path / f"{type(self).__name__}.test_stream_time.yaml")):
            model = ChatGeekAI(**self.standard_chat_model_params, **self.chat_model_params)
            list(model.stream("Write a story about a cat."))
            model.close()
        return str(tmp_path)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGeekAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "gpt-4o-mini", "api_key": "sk-test", "base_url": self.server.base_url}

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": self.method}

    has_tool_calling = True
    has_tool_choice = True
    has_structured_output = True
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_audio_inputs = True
    supports_video_inputs = True
    supports_anthropic_inputs = True
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    returns_usage_metadata = True
    enable_vcr_tests = True
    supports_model_override = True
    model_override_value = "gpt-4o"

    @property
    def supported_usage_metadata_details(self) -> dict[str, Any]:
        details = ["audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"]
        return {"invoke": details, "stream": details}

    def _counted(self, stream: bool, prompt: dict[str, int] | None = None, **completed: int) -> AIMessage:
        counts = usage(100, 50, prompt=prompt, completion=completed)
        pieces = [delta("Hi"), delta(finish_reason="stop", usage=counts)]
        self.server.play(sse(*pieces) if stream else json_reply(completion("Hi", usage=counts)))
        model = ChatGeekAI(**self.chat_model_params)
        try:
            if not stream:
                return model.invoke("Hi")
            total = AIMessageChunk("")
            for chunk in model.stream("Hi"):
                total += chunk
            return total
        finally:
            model.close()

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream, {"audio_tokens": 10})

    def invoke_with_audio_output(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream, audio_tokens=10)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream, reasoning_tokens=10)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream, {"cached_tokens": 10})

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream, {"cache_creation_tokens": 10})


class TestJsonSchema(_Suite):
    method = "json_schema"


class TestFunctionCalling(_Suite):
    method = "function_calling"


class TestJsonMode(_Suite):
    method = "json_mode"
