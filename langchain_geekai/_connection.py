"""Key and host, as LangChain names them: what everything here shares that talks to GeekAI."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import AliasChoices, Field, SecretStr

from geekai_core.adapters.component import Component, Names
from geekai_core.options import Timeout
from langchain_geekai._errors import langchain_errors


class GeekAIConnection(Component):
    """The fields and clients of an object that talks to GeekAI."""

    # Marked as variables of the class: pydantic would otherwise hide the `model_post_init` of LangChain's classes.
    _names: ClassVar[Names] = Names("geekai_api_key", "geekai_api_base", "http_client", "http_async_client")
    _errors: ClassVar[Any] = langchain_errors

    geekai_api_key: SecretStr | Callable[[], str] | None = Field(
        default=None, validation_alias=AliasChoices("geekai_api_key", "api_key")
    )
    """The key, or a function that returns it, asked before each request. Default: `GEEKAI_API_KEY`."""
    geekai_api_base: str | None = Field(default=None, validation_alias=AliasChoices("geekai_api_base", "base_url"))
    """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
    if TYPE_CHECKING:  # editors and type checkers know nothing of pydantic's aliases
        api_key: str | SecretStr | Callable[[], str] | None = None
        """The key, or a function that returns it, asked before each request. Default: `GEEKAI_API_KEY`."""
        base_url: str | None = None
        """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
        request_timeout: Timeout = None
        """Another name of `timeout`."""
    else:
        api_key = property(attrgetter("geekai_api_key"))
        base_url = property(attrgetter("geekai_api_base"))
        request_timeout = property(attrgetter("timeout"), lambda self, limit: setattr(self, "timeout", limit))
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own, which you close. It does not pickle: another process makes its own."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own, for one event loop."""
