"""What a `ChatGeekAI` is before it is asked anything: its fields, and how it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import BaseChatModel, LangSmithParams, ModelProfile
from langchain_core.outputs import ChatGeneration
from pydantic import AliasChoices, ConfigDict, Field, model_validator

from geekai_core import ChatOptions, ClientOptions, __version__
from geekai_core.counting import running
from geekai_core.models import ModelFacts, listed_facts, model_facts
from geekai_core.request.body import keywords, option_fields
from geekai_core.request.hints import warn_unlisted
from geekai_core.wire import ModelInfo
from langchain_geekai._connection import GeekAIConnection
from langchain_geekai._errors import langchain_errors
from langchain_geekai._response import PROVIDER

_PROFILE_KEYS = {
    "released": "release_date",
    "updated": "last_updated",
    "context_window": "max_input_tokens",
    "text": "text_inputs",
    "vision": "image_inputs",
    "audio": "audio_inputs",
    "video": "video_inputs",
    "pdf": "pdf_inputs",
    "file": "attachment",
    "text_out": "text_outputs",
    "image_out": "image_outputs",
    "audio_out": "audio_outputs",
    "video_out": "video_outputs",
    "tools": "tool_calling",
    "reasoning": "reasoning_output",
    "effort_levels": "reasoning_effort_levels",
    "effort_default": "reasoning_effort_default",
    "structured": "structured_output",  # `json_schema`; JSON mode alone is none
}
"""LangChain's names for what is known of a model, where they are others than ours."""


def to_profile(facts: ModelFacts) -> ModelProfile:
    """Facts as LangChain's `ModelProfile`: the keys that are known, and that this version of LangChain has."""
    profile = {_PROFILE_KEYS.get(name, name): value for name, value in facts.items()}
    if "vision" in facts:
        profile["image_url_inputs"] = facts["vision"]
    if facts.get("tools"):
        profile["tool_call_streaming"] = True  # whatever the server streams: chunks say which call they belong to
    return cast(ModelProfile, {key: value for key, value in profile.items() if key in ModelProfile.__annotations__})


class GeekAIModel(GeekAIConnection, ChatOptions, ClientOptions, BaseChatModel):
    """The fields of `ChatGeekAI`, which documents them, and everything that follows from them alone."""

    model_config = ConfigDict(defer_build=True)  # only `ChatGeekAI` is ever made

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """The model's id, as GeekAI lists it."""
    streaming: bool = False
    """Stream the answer even where it is asked for whole."""
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Another spelling of `extra_body`, which wins."""
    include_response_headers: bool = False
    """Keep the response's headers in `response_metadata["headers"]`."""

    @model_validator(mode="after")
    def _set_geekai_version(self) -> GeekAIModel:
        self._add_version("langchain-geekai", __version__)
        if self.__dict__["profile"] is None:
            del self.__dict__["profile"]  # `__getattr__` gives it when it is read
        return self

    @model_validator(mode="after")
    def _set_model_profile(self) -> GeekAIModel:
        return self  # in place of LangChain's, which reads the profile of every model that is made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return self._resolve_model_profile() if name == "profile" else super().__getattr__(name)

    def __copy__(self) -> GeekAIModel:
        copy = super().__copy__()
        copy.__dict__.pop("_serialized", None)  # LangChain's cache key, which must follow the copy's own fields
        return copy

    @property
    def model_name(self) -> str:
        """The model's id."""
        return self.model

    @model_name.setter
    def model_name(self, name: str) -> None:
        self.model = name

    def configurable_fields(self, **kwargs: Any) -> Any:
        """LangChain's, which takes the other names of a field, such as `model_name`, too."""
        names = keywords(type(self))
        return super().configurable_fields(**{names.get(name, name): given for name, given in kwargs.items()})

    @property
    def _llm_type(self) -> str:
        return "geekai-chat"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        """Every field that may change an answer."""
        values = self.__dict__
        own = ("geekai_api_base", "extra_body", "model_kwargs", "default_query", "split_think")
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

    def _convert_cached_generations(self, cache_val: list[Any]) -> list[ChatGeneration]:
        generations = super()._convert_cached_generations(cache_val)
        for add in running.get() if generations else ():  # what a cache answered has sources, and was not billed
            message = generations[0].message
            model = message.response_metadata.get("model_name")
            add({**message.additional_kwargs, "id": None, "model": model, "usage": None})
        return generations

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: object) -> LangSmithParams:
        if kwargs.get("max_completion_tokens") is not None:
            kwargs.setdefault("max_tokens", kwargs["max_completion_tokens"])
        stop = stop or self.stop  # type: ignore[assignment]  # its validator made it a list
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        return to_profile(model_facts(self.model))

    def fetch_profile(self) -> ModelProfile:
        """Ask GeekAI's `/models` for this model, and set and return its `profile` (context window, capabilities).

        What is listed wins over what the model's vendor publishes, a profile of your own over both. Warns where nobody
        says the context window. Raises the errors of a request.
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
        own = self.profile if "profile" in self.model_fields_set else None
        info = next((info for info in listed if info.id == self.model), None)
        known = to_profile(listed_facts(info)) if info else {}
        if not (own or known).get("max_input_tokens"):
            warn_unlisted(self.model, "profile={'max_input_tokens': …} sets it")
        if info:
            self.__dict__["profile"] = {**to_profile(model_facts(self.model, info)), **(own or {})}
        return self.profile or {}
