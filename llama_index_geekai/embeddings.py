"""`GeekAIEmbedding`: LlamaIndex's embedding model for GeekAI."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import Embedding as Vector
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.embeddings.multi_modal_base import MultiModalEmbedding
from llama_index.core.schema import ImageType
from pydantic import AliasChoices, Field

from geekai_core import ConfigurationError, GeekAIError, InvalidResponseError
from geekai_core.errors import INPUT_ERRORS
from geekai_core.wire import Embedding, EmbeddingList
from llama_index_geekai._batched import Batched
from llama_index_geekai._content import to_wire_content


class _Failures(dict[str, GeekAIError]):
    """What went wrong so far in one call over many texts, by text. Its requests leave it to the end of the call."""

    def ready(self, texts: list[str]) -> list[str]:
        """`texts`; raises the last failure anew where every other request would meet it, too."""
        last = next(reversed(self.values()), None)
        if last is not None and not isinstance(last, INPUT_ERRORS):
            raise last
        return texts

    def taken(self, texts: list[str], answer: EmbeddingList | GeekAIError) -> list[Vector]:
        """The vectors of one request, an empty one for each text that failed."""
        if isinstance(answer, GeekAIError):
            self.update(dict.fromkeys(texts, answer))
            return [[] for _ in texts]
        self.update((texts[at], error) for at, error in answer.failed.items())
        return answer.vectors


_failures: ContextVar[_Failures | None] = ContextVar("geekai_failures", default=None)
"""Those of the running call over many texts. None: no such call is running."""


class GeekAIEmbedding(Batched, MultiModalEmbedding):
    """GeekAI's embedding models in LlamaIndex: one request a batch, sync and natively async.

    `embed_batch_size`: texts in one request; 10, the default, is the most that some vendors take (observed).
    Vectors come in the order of the texts; an empty text is sent as a space. Where some texts of a long call fail, the
    others are still embedded, and `on_error` decides what becomes of them. Images are files, URLs or open files, sent
    as in a chat, since the form is not documented. Usage is found by `collect()`. Errors are those of
    `geekai_core.errors`. A pickled object carries its key: treat it as a secret.
    """

    model_name: str = Field(alias="model", validation_alias=AliasChoices("model", "model_name"))
    """The model's id, such as `text-embedding-3-small`."""
    num_workers: int | None = 8
    """Requests at a time of an async call over many texts. None: all at once."""
    dimensions: int | None = None
    """Numbers in a vector. Default: the model's own (documented)."""
    text_intent: str | None = None
    """The `intent` sent with texts, such as `search_document`; Cohere's models only (documented)."""
    query_intent: str | None = None
    """The `intent` sent with queries, such as `search_query`; Cohere's models only (documented)."""
    image_intent: str | None = None
    """The `intent` sent with images, such as `image`; Cohere's models only (documented)."""
    text_parts: bool = False
    """Send each text as `{"type": "text", "text": …}`, as `qwen3-vl-embedding` wants it (observed)."""

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex serializes this class."""
        return "geekai_embedding"

    def _arguments(self, inputs: list[Any], intent: str | None, on_error: str) -> dict[str, Any]:
        if self.text_parts:
            inputs = [_part(one) if isinstance(one, str) else one for one in inputs]
        model = {"model": self.model_name, "dimensions": self.dimensions, "batch_size": self.embed_batch_size}
        return self._fields(input=inputs, intent=intent, on_error=on_error, **model)

    def _embed(self, inputs: list[Any], intent: str | None, on_error: str = "raise") -> EmbeddingList:
        with self._client() as client:
            return client.embed(**self._arguments(inputs, intent, on_error))

    async def _aembed(self, inputs: list[Any], intent: str | None, on_error: str = "raise") -> EmbeddingList:
        async with self._async_client() as client:
            return await client.embed(**self._arguments(inputs, intent, on_error))

    def _get_query_embedding(self, query: str) -> Vector:
        return self._embed([query], self.query_intent).vectors[0]

    async def _aget_query_embedding(self, query: str) -> Vector:
        return (await self._aembed([query], self.query_intent)).vectors[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._embed([text], self.text_intent).vectors[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aembed([text], self.text_intent)).vectors[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        failures = _failures.get()
        if failures is None:
            return self._embed(texts, self.text_intent).vectors
        try:
            return failures.taken(texts, self._embed(failures.ready(texts), self.text_intent, "return"))
        except GeekAIError as error:
            return failures.taken(texts, error)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        failures = _failures.get()
        if failures is None:
            return (await self._aembed(texts, self.text_intent)).vectors
        try:
            return failures.taken(texts, await self._aembed(failures.ready(texts), self.text_intent, "return"))
        except GeekAIError as error:
            return failures.taken(texts, error)

    def _get_image_embedding(self, img_file_path: ImageType) -> Vector:
        return self._get_image_embeddings([img_file_path])[0]

    async def _aget_image_embedding(self, img_file_path: ImageType) -> Vector:
        return (await self._aget_image_embeddings([img_file_path]))[0]

    def _get_image_embeddings(self, img_file_paths: list[ImageType]) -> list[Vector]:
        return self._embed([*map(_image, img_file_paths)], self.image_intent).vectors

    async def _aget_image_embeddings(self, img_file_paths: list[ImageType]) -> list[Vector]:
        images = await asyncio.to_thread(lambda: [*map(_image, img_file_paths)])
        return (await self._aembed(images, self.image_intent)).vectors

    def _get_text_embeddings_cached(self, texts: list[str]) -> list[Vector]:
        vectors = super()._get_text_embeddings_cached(texts)
        for text in _without_vector(texts, vectors):
            self.embeddings_cache.delete(text, collection="embeddings")  # type: ignore[union-attr]
        return vectors

    async def _aget_text_embeddings_cached(self, texts: list[str]) -> list[Vector]:
        vectors = await super()._aget_text_embeddings_cached(texts)
        for text in _without_vector(texts, vectors):
            await self.embeddings_cache.adelete(text, collection="embeddings")  # type: ignore[union-attr]
        return vectors

    def get_text_embedding_batch(self, texts: list[str], show_progress: bool = False, **kwargs: object) -> list[Vector]:
        """A vector for each text, one request a batch. What becomes of texts that fail: see `on_error`."""
        with _gathering() as failures:
            vectors = super().get_text_embedding_batch(texts, show_progress, **kwargs)
        return self._whole(texts, vectors, failures)

    async def aget_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: object
    ) -> list[Vector]:
        """`get_text_embedding_batch`, awaiting; `num_workers` requests at a time."""
        with _gathering() as failures:
            vectors = await super().aget_text_embedding_batch(texts, show_progress, **kwargs)
        return self._whole(texts, vectors, failures)

    def _whole(self, texts: list[str], vectors: list[Vector], failures: _Failures) -> list[Vector]:
        """The vectors, if there is one for each text; raises or logs as `on_error` says."""
        lost = InvalidResponseError("the cache holds no vector for this text")
        failed = {at: failures.get(texts[at], lost) for at, vector in enumerate(vectors) if not vector}
        if failed and len(failed) == len(texts):
            raise failed[0]
        done = {at: Embedding(index=at, embedding=one) for at, one in enumerate(vectors) if one}
        self._missing(failed, done, len(texts))
        return vectors


@contextmanager
def _gathering() -> Iterator[_Failures]:
    failures = _Failures()
    token = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(token)


def _part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text if text.strip() else " "}


def _image(image: ImageType) -> dict[str, Any]:
    """An image as part of an input; no URL is downloaded. Raises `ConfigurationError` for one that cannot be read."""
    if isinstance(image, str) and re.match(r"(https?|data):", image, re.IGNORECASE):
        return {"type": "image_url", "image_url": {"url": image}}
    try:
        data = image.getvalue() if isinstance(image, BytesIO) else Path(image).read_bytes()
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"the image cannot be read: {exc}") from exc
    part: Any = to_wire_content([ImageBlock(image=data)])[0]
    return dict(part)


def _without_vector(texts: list[str], vectors: list[Vector]) -> list[str]:
    """What must not stay in a cache, where the base class has put it like the others."""
    return [text for text, vector in zip(texts, vectors, strict=True) if not vector]
