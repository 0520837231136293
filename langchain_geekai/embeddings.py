"""`GeekAIEmbeddings`: GeekAI's embedding models in LangChain."""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.embeddings import Embeddings
from pydantic import AliasChoices, Field

from geekai_core import ConfigurationError
from langchain_geekai._batched import Batched
from langchain_geekai._errors import langchain_errors

Input = str | dict[str, Any]


class GeekAIEmbeddings(Batched, Embeddings):
    """GeekAI's embedding models.

    ```python
    from langchain_geekai import GeekAIEmbeddings

    embeddings = GeekAIEmbeddings(model="text-embedding-3-small", dimensions=256)
    vectors = embeddings.embed_documents(["The ferry leaves at nine.", "Tea is hot."])
    vector = embeddings.embed_query("When does the ferry leave?")
    ```

    Vectors are in the order of the inputs. An input may be a dict instead of a text, and is sent as it is: some models
    want `{"type": "text", "text": …}` (observed). An empty text is sent as a space, an empty list not at all. Usage is
    gathered by `collect()`. Errors: each is GeekAI's and LangChain's at once, see `geekai_core.errors`. A pickled
    object carries its key: treat it as a secret.
    """

    dimensions: int | None = None
    """The length of a vector, for models that can choose it. Default: the model's own (documented)."""
    document_intent: str | None = None
    """What documents are embedded for: `search_document`, `classification`, `clustering`; Cohere models only
    (documented). Default: not sent, as with the other intents."""
    query_intent: str | None = None
    """What queries are embedded for, such as `search_query`; Cohere models only (documented)."""
    image_intent: str | None = None
    """What images are embedded for, such as `image`; Cohere models only (documented)."""
    batch_size: int = Field(default=10, ge=1, validation_alias=AliasChoices("batch_size", "chunk_size"))
    """At most this many inputs in one request; some vendors take ten (observed)."""

    def _fields(self, intent: str | None) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("model", "dimensions", "retries", "extra_body", "batch_size")}
        return {**own, "intent": intent}

    def _embed(self, inputs: list[Any], intent: str | None) -> list[list[float]]:
        with self._sending("Embedding", len(inputs)) as sending:
            answer = self._clients()[0].embed(inputs, **self._fields(intent), **sending)
        self._missing(answer, len(inputs))
        return answer.vectors

    async def _aembed(self, inputs: list[Any], intent: str | None) -> list[list[float]]:
        with self._sending("Embedding", len(inputs)) as sending:
            answer = await self._clients()[1].embed(inputs, **self._fields(intent), **sending)
        self._missing(answer, len(inputs))
        return answer.vectors

    def embed_documents(self, texts: Sequence[Input]) -> list[list[float]]:
        """A vector for each document; with `on_error="return"`, an empty one where it failed."""
        return self._embed(list(texts), self.document_intent)

    async def aembed_documents(self, texts: Sequence[Input]) -> list[list[float]]:
        """`embed_documents`, awaiting."""
        return await self._aembed(list(texts), self.document_intent)

    def embed_query(self, text: Input) -> list[float]:
        """The vector of a query."""
        return self._embed([text], self.query_intent)[0]

    async def aembed_query(self, text: Input) -> list[float]:
        """`embed_query`, awaiting."""
        return (await self._aembed([text], self.query_intent))[0]

    def embed_image(self, uris: Sequence[str]) -> list[list[float]]:
        """A vector for each image: a URL, a data URL, or the path of a file, which is read and sent whole.

        For models that take images; sent in a chat's form, since the embeddings' own is not documented. Raises
        `ConfigurationError` for a file that cannot be read.
        """
        return self._embed([_image(uri) for uri in uris], self.image_intent)

    async def aembed_image(self, uris: Sequence[str]) -> list[list[float]]:
        """`embed_image`, awaiting."""
        images = await asyncio.to_thread(lambda: [_image(uri) for uri in uris])
        return await self._aembed(images, self.image_intent)


def _image(uri: str) -> dict[str, Any]:
    if not re.match(r"(https?|data):", uri, re.IGNORECASE):
        try:
            data = base64.b64encode(Path(uri).read_bytes()).decode()
        except (OSError, ValueError) as exc:
            with langchain_errors():
                raise ConfigurationError(f"the image cannot be read: {exc}") from exc
        uri = f"data:{mimetypes.guess_type(uri)[0] or 'image/png'};base64,{data}"
    return {"type": "image_url", "image_url": {"url": uri}}
