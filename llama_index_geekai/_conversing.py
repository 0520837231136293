"""One conversation with a model as LlamaIndex's responses: whole and streamed, sync and async."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatResponse

from geekai_core.conversation import Outcome, Request
from geekai_core.response.deltas import Delta
from llama_index_geekai._chunks import StreamedAnswer
from llama_index_geekai._connection import GeekAIConnection
from llama_index_geekai._response import Reading, from_wire_answer


def _same(response: ChatResponse) -> ChatResponse:
    return response


@dataclass
class Exchange:
    """A request, how its answer is read, and, once it ended, its outcome.

    `shape`: what becomes of each response, such as a completion.
    """

    request: Request
    reading: Reading
    shape: Callable[[ChatResponse], Any] = _same
    outcome: Outcome | None = None

    def response(self, outcome: Outcome, delta: str | None = None) -> Any:
        """The response to the last answer; a stream's last one has an empty `delta`."""
        self.outcome = outcome
        response = from_wire_answer(outcome.answer, self.reading)
        response.delta = delta
        return self.shape(response)

    def piece(self, streamed: StreamedAnswer, delta: Delta) -> Any:
        """The response to a delta of a stream, or None where it tells nothing new."""
        response = streamed.add(delta)
        return None if response is None else self.shape(response)

    def object(self) -> Any:
        """The object that was asked for. Raises the error where there is none."""
        assert self.outcome is not None, "the conversation has ended"
        return self.outcome.object()


class Conversing(GeekAIConnection):
    """An object that holds conversations. Each may be several requests: see `geekai_core.conversation`."""

    def _ask(self, exchange: Exchange) -> Any:
        with self._client() as client:
            return exchange.response(client.converse(exchange.request))

    async def _aask(self, exchange: Exchange) -> Any:
        async with self._async_client() as client:
            return exchange.response(await client.converse(exchange.request))

    def _pieces(self, exchange: Exchange) -> Generator[Any, None, None]:
        """A response for each piece of each answer, and then the last one."""
        ended = None
        with self._client() as client, client.converse_streaming(exchange.request) as stream:
            while ended is None:
                streamed = StreamedAnswer()
                for delta in stream:
                    if (response := exchange.piece(streamed, delta)) is not None:
                        yield response
                ended = stream.outcome()
        yield exchange.response(ended, "")

    async def _apieces(self, exchange: Exchange) -> AsyncGenerator[Any, None]:
        ended = None
        async with self._async_client() as client, client.converse_streaming(exchange.request) as stream:
            while ended is None:
                streamed = StreamedAnswer()
                async for delta in stream:
                    if (response := exchange.piece(streamed, delta)) is not None:
                        yield response
                ended = await stream.outcome()
        yield exchange.response(ended, "")
