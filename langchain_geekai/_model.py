"""What a `ChatGeekAI` is before it is asked anything: its fields, its clients, and how it is copied and named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel, LangSmithParams, ModelProfile
from pydantic import AliasChoices, Field, SecretStr, model_validator

from geekai_core import AsyncClient, ChatOptions, Client, ClientOptions, __version__
from geekai_core.config import Config, configure
from geekai_core.models import langchain_profile, supports_tools
from geekai_core.options import Timeout, option_fields, refuse_unknown
from geekai_core.wire import ModelInfo
from langchain_geekai._errors import langchain_errors
from langchain_geekai._messages import PROVIDER

_SETTINGS = tuple(name for name in Config.__dataclass_fields__ if name not in ("api_key", "base_url"))
_CLIENT_FIELDS = ("geekai_api_key", "geekai_api_base", "http_client", "http_async_client", *_SETTINGS)
_MADE = "_clients_made"
"""Where a model keeps its clients: beside its fields, so that they take no part in comparing and serializing it."""


class GeekAIModel(ChatOptions, ClientOptions, BaseChatModel):
    """The fields of `ChatGeekAI`, which documents them, and everything that follows from them alone."""

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """The model's id, as GeekAI lists it."""
    geekai_api_key: SecretStr | Callable[[], str] | None = Field(
        default=None, validation_alias=AliasChoices("geekai_api_key", "api_key")
    )
    """The key, or a function that returns it, asked before each request. Default: `GEEKAI_API_KEY`."""
    geekai_api_base: str | None = Field(default=None, validation_alias=AliasChoices("geekai_api_base", "base_url"))
    """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
    timeout: Timeout = Field(
        default=None, exclude=True, repr=False, validation_alias=AliasChoices("timeout", "request_timeout")
    )
    """Seconds, or an `httpx.Timeout`. Default: 10 to connect, 300 between two bytes (the server's own limit)."""
    reasoning_effort: str | None = None
    """Short for `enable_thinking=True, thinking={"reasoning_effort": …}`."""
    streaming: bool = False
    """Stream the answer even where it is asked for whole."""
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Another spelling of `extra_body`, which wins."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own, which you close. It does not pickle: another process makes its own."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own, for one event loop."""

    @model_validator(mode="before")
    @classmethod
    def _know_keywords(cls, values: Any) -> Any:
        if isinstance(values, dict):
            with langchain_errors():
                refuse_unknown(cls, values)
        return values

    @model_validator(mode="after")
    def _set_geekai_up(self) -> GeekAIModel:
        with langchain_errors():
            config = self._config()
        # From now on the model has its key and host, in whatever process.
        self.__dict__["geekai_api_key"] = config.api_key
        self.__dict__["geekai_api_base"] = config.base_url
        self._add_version("langchain-geekai", __version__)
        return self

    def _config(self) -> Config:
        settings = {name: self.__dict__[name] for name in _SETTINGS}
        return configure(self.geekai_api_key, self.geekai_api_base, **settings)

    def _clients(self) -> tuple[Client, AsyncClient]:
        """The clients, made when first needed, and made anew when a copy or an assignment changed their settings."""
        values = self.__dict__
        made: tuple[list[Any], Client, AsyncClient] | None = values.get(_MADE)
        wanted = [values[name] for name in _CLIENT_FIELDS]
        if made is None or made[0] != wanted:
            config = self._config()
            sync = Client(config, http_client=self.http_client)
            made = values[_MADE] = wanted, sync, AsyncClient(config, http_async_client=self.http_async_client)
        return made[1], made[2]

    def close(self) -> None:
        """Close the connections of synchronous calls. A later call opens new ones."""
        self._clients()[0].close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop. A later call opens new ones."""
        await self._clients()[1].aclose()

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        kept = {key: value for key, value in state["__dict__"].items() if key not in (_MADE, "_serialized")}
        return {**state, "__dict__": {**kept, "http_client": None, "http_async_client": None}}

    def __copy__(self) -> GeekAIModel:
        copy = super().__copy__()
        copy.__dict__.pop("_serialized", None)  # LangChain's cache key, which must follow the copy's own fields
        return copy

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> GeekAIModel:
        memo = {} if memo is None else memo
        for name in (_MADE, "http_client", "http_async_client", "rate_limiter", "cache"):  # these are to be shared
            shared = self.__dict__.get(name)
            memo[id(shared)] = shared
        return super().__deepcopy__(memo)

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
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
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
