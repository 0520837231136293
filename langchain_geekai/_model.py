"""What a `ChatGeekAI` is before it is asked anything: its fields, and how it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel, LangSmithParams, ModelProfile
from pydantic import AliasChoices, ConfigDict, Field, model_validator

from geekai_core import ChatOptions, ClientOptions, __version__
from geekai_core.models import langchain_profile, supports_tools
from geekai_core.request.body import option_fields
from geekai_core.wire import ModelInfo
from langchain_geekai._connection import GeekAIConnection
from langchain_geekai._errors import langchain_errors
from langchain_geekai._messages import PROVIDER


class GeekAIModel(GeekAIConnection, ChatOptions, ClientOptions, BaseChatModel):
    """The fields of `ChatGeekAI`, which documents them, and everything that follows from them alone."""

    model_config = ConfigDict(defer_build=True)  # only `ChatGeekAI` is ever made

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """The model's id, as GeekAI lists it."""
    reasoning_effort: str | None = None
    """Short for `enable_thinking=True, thinking={"reasoning_effort": …}`."""
    streaming: bool = False
    """Stream the answer even where it is asked for whole."""
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Another spelling of `extra_body`, which wins."""

    @model_validator(mode="after")
    def _set_geekai_version(self) -> GeekAIModel:
        self._add_version("langchain-geekai", __version__)
        return self

    def __copy__(self) -> GeekAIModel:
        copy = super().__copy__()
        copy.__dict__.pop("_serialized", None)  # LangChain's cache key, which must follow the copy's own fields
        return copy

    @property
    def model_name(self) -> str:
        """The model's id."""
        return self.model

    @property
    def _llm_type(self) -> str:
        return "geekai-chat"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        """Every field that may change an answer."""
        values = self.__dict__
        own = ("geekai_api_base", "reasoning_effort", "extra_body", "model_kwargs", "default_query", "split_think")
        return {"model": self.model, **option_fields(self), **{name: values[name] for name in own if values[name]}}

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The field that `dumpd` writes as the name of a secret."""
        return {"geekai_api_key": "GEEKAI_API_KEY"}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """The fields that hold objects of ours, as the plain values that `load` can read back."""
        return {name: value for name, value in option_fields(self).items() if name in ("search_config", "thinking")}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """True; `load(…, allowed_objects=[ChatGeekAI], valid_namespaces=["langchain_geekai"])` reads it back."""
        return True

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        if kwargs.get("max_completion_tokens") is not None:
            kwargs.setdefault("max_tokens", kwargs["max_completion_tokens"])
        stop = stop or self.stop  # type: ignore[assignment]  # its validator made it a list
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        return {} if supports_tools(self.model) else {"tool_calling": False}

    def fetch_profile(self) -> ModelProfile:
        """Ask GeekAI's `/models` for this model, and set and return its `profile` (context window, capabilities).

        Raises the errors of a request; a model that is not listed keeps its profile.
        """
        with langchain_errors():
            listed = self._clients()[0].models()
        return self._take_profile(listed)

    async def afetch_profile(self) -> ModelProfile:
        """`fetch_profile`, awaiting."""
        with langchain_errors():
            listed = await self._clients()[1].models()
        return self._take_profile(listed)

    def _take_profile(self, listed: list[ModelInfo]) -> ModelProfile:
        for info in listed:
            if info.id == self.model:
                self.profile = langchain_profile(info)  # type: ignore[assignment]
        return self.profile or {}
