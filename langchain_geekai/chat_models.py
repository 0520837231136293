"""`ChatGeekAI`: GeekAI's chat models in LangChain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from pydantic import ConfigDict

from geekai_core import ChatCompletion
from geekai_core.adapters.requests import chat_request
from geekai_core.collecting import Collected
from geekai_core.conversation import Outcome, Request
from geekai_core.models import supports_tools
from geekai_core.request.body import flat_bodies
from geekai_core.request.hints import warn_unable
from geekai_core.request.messages import sendable
from geekai_core.tokens import estimate, estimate_messages
from langchain_geekai._chunks import Chunks
from langchain_geekai._errors import langchain_errors
from langchain_geekai._model import GeekAIModel
from langchain_geekai._request import to_wire_messages
from langchain_geekai._response import ParsedAnswer
from langchain_geekai._structured import AnswerParser, Plan, answer_class, goal_of, plan_for, schema_format
from langchain_geekai._tools import bound_tools, to_wire_tool

_FRAMEWORK = frozenset({"ls_structured_output_format", "structured_output_format", "stream"})
"""Keywords of a call that LangChain means for itself; they do not go to the server."""


class ChatGeekAI(GeekAIModel):
    """GeekAI (极客智坊): hundreds of chat models behind one key, with their search, sources and reasoning kept.

    Setup:
        `pip install ".[langchain]"`, and the key in `GEEKAI_API_KEY` or `api_key=`.

    Instantiate:
        ```python
        from langchain_geekai import ChatGeekAI

        model = ChatGeekAI(model="gpt-4o", temperature=0, max_tokens=500)
        ```

        GeekAI's own fields are documented in `ChatOptions`, those of this client in `ClientOptions`, with their
        sources. Any field may be given per call or by `bind`; an unknown one is a `ConfigurationError` that names the
        nearest. `extra_body` (or `model_kwargs`) is for what this package does not know.

    Invoke and stream:
        ```python
        answer = model.invoke([("system", "You are brief."), ("user", "What is tea?")])
        print(answer.text, answer.usage_metadata)
        for chunk in model.stream("What is tea?"):
            print(chunk.text, end="")
        ```

        `ainvoke`, `astream`, `batch` and `abatch` are native too.

    Search and sources:
        ```python
        from langchain_geekai import collect, get_citations

        searching = model.bind(enable_search=True, search_config={"return_result": True})
        with collect() as collected:
            answer = searching.invoke("Tea today?")
        for source in get_citations(answer):
            print(source.number, source.title, source.url)
        print(collected.billed_units)  # billed searches, not money
        ```

    Reasoning:
        ```python
        thinking = ChatGeekAI(model="deepseek-r1", reasoning_effort="low")
        print(thinking.invoke("Why is the sky blue?").additional_kwargs["reasoning_content"])
        ```

    Tools:
        ```python
        def weather(city: str) -> str:
            \"\"\"The weather of a city.\"\"\"
            return f"{city}: sunny"


        print(model.bind_tools([weather]).invoke("The weather in 'Oslo'?").tool_calls)
        ```

    Structured output:
        ```python
        from pydantic import BaseModel


        class Person(BaseModel):
            name: str
            age: int


        print(model.with_structured_output(Person).invoke("'Bob' is 3."))
        ```

    Where an answer's parts are: text in `content`; `additional_kwargs` holds `reasoning_content`, `citations`,
    `search_results`, `audio`, `refusal` and unknown fields of the message; `response_metadata` holds `model_name`,
    `id`, `finish_reason`, `token_usage` (raw), `billed_units`, `logprobs` and unknown fields of the answer;
    `usage_metadata` is standard; `content_blocks` shows it all in LangChain's standard blocks. They are the same
    whether an answer was streamed or not.

    Errors: each is GeekAI's and LangChain's at once, see `geekai_core.errors`. A pickled model carries its key: treat
    it as a secret.
    """

    model_config = ConfigDict(defer_build=False)

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any], *, stream: bool = False
    ) -> Request:
        """What is sent. Raises `ConfigurationError`."""
        call = {name: value for name, value in kwargs.items() if name not in _FRAMEWORK}
        plan: Plan | None = call.pop("structured_plan", None)
        if plan is None and answer_class(call):
            plan = plan_for(call.pop("response_format"), "json_schema", strict=None, supports_tools=False)
        call["extra_body"] = flat_bodies(call.pop("model_kwargs", None), call.get("extra_body"))
        if stop is not None:
            call["stop"] = stop
        wire = to_wire_messages(messages)
        return chat_request(
            self, wire, call, also=self.model_kwargs, goal=goal_of(plan, repairs=not stream), stream=stream
        )

    def _wanted(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What a call wants beside the answer: keywords of `ParsedAnswer`."""
        return {"form": answer_class(kwargs), "headers": self.include_response_headers}

    def _opening(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any], *, bridged: bool
    ) -> tuple[Request, Chunks]:
        """A stream's request, and what makes its chunks."""
        request = self._request(messages, stop, kwargs, stream=True)
        return request, Chunks(v1=self.output_version == "v1", bridged=bridged, holds=request.goal is not None)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with langchain_errors():
            outcome = self._clients()[0].converse(self._request(messages, stop, kwargs))
        return _result(outcome.answer, self._wanted(kwargs))

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with langchain_errors():
            outcome = await self._clients()[1].converse(self._request(messages, stop, kwargs))
        return _result(outcome.answer, self._wanted(kwargs))

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with langchain_errors():
            request, chunks = self._opening(messages, stop, kwargs, bridged=run_manager is not None)
            with self._clients()[0].converse_streaming(request) as stream:
                while chunks.outcome is None:
                    for delta in stream:
                        if (chunk := chunks.add(delta)) is not None:
                            if run_manager:
                                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                            yield chunk
                    chunks.outcome = Outcome(stream.answer) if chunks.held is None else stream.outcome()
                for chunk in chunks.ends(self._wanted(kwargs)):
                    yield chunk

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with langchain_errors():
            request, chunks = self._opening(messages, stop, kwargs, bridged=run_manager is not None)
            async with self._clients()[1].converse_streaming(request) as stream:
                while chunks.outcome is None:
                    async for delta in stream:
                        if (chunk := chunks.add(delta)) is not None:
                            if run_manager:
                                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                            yield chunk
                    chunks.outcome = Outcome(stream.answer) if chunks.held is None else await stream.outcome()
                for chunk in chunks.ends(self._wanted(kwargs)):
                    yield chunk

    def _streaming_disabled(self, **kwargs: Any) -> bool:
        """A background task cannot stream: what LangChain would stream by itself is then asked for whole."""
        background = kwargs.get("background", self.background)
        return super()._streaming_disabled(**kwargs) or bool(background and not kwargs.get("stream"))

    def _combine_llm_outputs(self, outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        total, known = Collected(), [output for output in outputs if output]
        for output in known:
            total.add({"usage": output.get("token_usage")})
        named = [output["model_name"] for output in known if output.get("model_name")]
        return {"token_usage": total.usage, "model_name": (named or [self.model])[0]}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Any],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools: LangChain tools, functions, pydantic classes, TypedDicts, schemas, `{"type": "web_search"}`.

        `tool_choice`: True, "any" or "required"; "auto"; "none"; a tool's name; or a dict. `response_format`: in
        wire form, or a class or schema. An empty list sends no tools. Raises `ConfigurationError` for a choice that is
        no tool.
        """
        with langchain_errors():
            fields = bound_tools(tools, tool_choice, strict=strict, parallel=parallel_tool_calls)
            if response_format is not None:
                fields |= schema_format(response_format, strict)
        if "tools" in fields and not supports_tools(self.model) and not (self.profile or {}).get("tool_calling"):
            warn_unable(self.model)
        return self.bind(**fields, **kwargs)

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: str | None = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Ask for an object: an instance of a pydantic class (v2 or v1), or a dict for TypedDicts and JSON schemas.

        `method`: `json_schema`, `function_calling` or `json_mode`. Where a model refuses one, the next is tried.
        `include_raw`: a dict with `raw`, `parsed` and `parsing_error`. `tools`: offered beside. A stream yields growing
        objects. Raises `ConfigurationError`, and, when the answer does not fit, an error that is GeekAI's
        `InvalidResponseError` and LangChain's `OutputParserException`.
        """
        with langchain_errors():
            plan = plan_for(schema, method, strict=strict, supports_tools=supports_tools(self.model))
            fields = bound_tools(tools or ())
        described = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
        fields |= {"json_mode": True} if schema is None else {"structured_plan": plan}
        model = self.bind(ls_structured_output_format=described, **fields, **kwargs)
        named = {"name": plan.get("name", "answer"), "shape": plan.get("schema", {})}
        parser = AnswerParser(form=schema, rung=plan["method"], **named)
        if not include_raw:
            return model | parser
        return RunnableMap(raw=model) | RunnablePassthrough.assign(
            parsed=lambda given: parser.outcome(given["raw"])["parsed"],
            parsing_error=lambda given: parser.outcome(given["raw"])["parsing_error"],
        )

    def get_num_tokens(self, text: str) -> int:
        """About how many tokens a text has: an offline estimate that knows Chinese, or `custom_get_token_ids`."""
        return estimate(text) if self.custom_get_token_ids is None else super().get_num_tokens(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """About how many tokens messages and tools have as they would be sent."""
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens_from_messages(messages)
        wire = sendable(to_wire_messages(messages), self.reasoning_history)
        return estimate_messages(wire, [to_wire_tool(tool) for tool in tools or ()])


def _result(answer: ChatCompletion, wanted: Mapping[str, Any]) -> ChatResult:
    """All the answers of one request."""
    generations = []
    for at in range(max(len(answer.choices), 1)):
        parsed = ParsedAnswer(answer, at, **wanted)
        info = {key: value for key, value in parsed.response_metadata.items() if key in ("finish_reason", "logprobs")}
        generations.append(ChatGeneration(message=parsed.message(), generation_info=info))
    metadata = generations[0].message.response_metadata
    named = {key: metadata[key] for key in ("token_usage", "model_name") if key in metadata}
    return ChatResult(generations=generations, llm_output=named)
