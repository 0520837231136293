"""What a call is, and what may be done for it: values only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from geekai_core.harmless import shown_address
from geekai_core.options import Timeout
from geekai_core.redaction import Secrets
from geekai_core.response.answers import Context
from geekai_core.transport.watch import Watch

T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Call:
    """One call, ready to be sent. `body` is JSON bytes. `secrets` are never shown.

    `model`: whom it asks; `several`: for more than one choice; `known_models`: whom `/models` lists, if it was asked.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    params: Mapping[str, Any]
    timeouts: Mapping[str, float | None]
    max_retries: int
    total_timeout: float | None
    stream_chunk_timeout: float | None
    max_response_bytes: int
    secrets: Secrets
    model: str | None = None
    known_models: Collection[str] = ()
    of_account: bool = False
    several: bool = False
    is_refusal: Callable[[Exception], object] | None = None

    def __repr__(self) -> str:
        return f"Call({self.method} {shown_address(self.url)})"


@dataclass(frozen=True)
class Send:
    """Send the request (again); answer with a `Head`.

    `timeouts` are httpx's four, in seconds; `body_read` takes the place of `read` once the head of the answer is there.
    """

    timeouts: dict[str, float | None]
    body_read: float | None
    watch: Watch


@dataclass(frozen=True)
class Head:
    """The beginning of an answer; header names are lower case."""

    status: int
    headers: dict[str, str]


def head(status: int, headers: Mapping[str, str]) -> Head:
    """A `Head` of httpx's status and headers."""
    return Head(status, {name.lower(): value for name, value in headers.items()})


@dataclass(frozen=True)
class Read:
    """Read the next bytes of the answer; answer with them, or with None at its end.

    `limit`: seconds until some have come.
    """

    limit: float | None


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


Action = Send | Read | Sleep


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One request: where it goes, what it holds, and how its answer is read."""

    method: str
    path: str
    read: Callable[[bytes, Context], T]
    body: Mapping[str, Any] | None = None
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reading: Mapping[str, Any] = field(default_factory=dict)
    """How the answer of a chat is read: the keywords of `Accumulator`."""
    within: float | None = None
    """Seconds that this request may take, where less than `total_timeout`."""
    of_account: bool = False
    """Whether it goes to the host's `/api` with the system key, instead of to the base URL with the API key."""
    counts: bool = False
    """Whether `collect()` counts its answer."""
    timeout: Timeout = None
    """In place of the client's `timeout`."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Beside the client's `default_headers`, and before them."""
    is_refusal: Callable[[Exception], object] | None = None
    """Whether the request is to be sent in another way after this error, so that it is not sent again as it was."""
