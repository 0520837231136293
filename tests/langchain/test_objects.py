"""A model as an object: copied, pickled, serialized, shared, cached, limited, configured, named, and counted."""

import asyncio
import copy
import inspect
import pickle
import re
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.load import dumpd, dumps, load
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import LLMResult
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool

from geekai_core import RateLimitError, __version__
from geekai_testing.replies import completion, error, json_reply, usage
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from tests.langchain.conftest import KEY, WAYS, WHOLE, Make, ask

ANSWER = "Here is a scripted answer to: Hi"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.model_copy()]
)
async def test_a_used_model_copies_and_pickles_and_its_copy_works(make: Make, copied: Any, way: str) -> None:
    model = make(temperature=0.5, profile={"max_input_tokens": 9})
    await ask(model, way)
    twin = copied(model)
    assert twin == model
    assert (await ask(twin, way)).text == ANSWER
    assert twin.profile == {"max_input_tokens": 9}
    twin.close()


async def test_a_pickled_model_carries_its_key_to_a_process_that_has_none(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEEKAI_API_KEY", "sk-env")
    monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
    pickled = pickle.dumps(ChatGeekAI(model="gpt-4o"))
    monkeypatch.delenv("GEEKAI_API_KEY")
    monkeypatch.delenv("GEEKAI_BASE_URL")
    model = pickle.loads(pickled)
    model.invoke("Hi")
    model.close()
    assert server.requests[0].headers["authorization"] == "Bearer sk-env"


async def test_clients_of_one_s_own_are_shared_by_a_copy_and_left_behind_by_a_pickle(make: Make) -> None:
    with httpx.Client() as own:
        limiter = InMemoryRateLimiter()
        model = make(http_client=own, rate_limiter=limiter)
        twin = copy.deepcopy(model)
        assert (twin.http_client, twin.rate_limiter) == (own, limiter)
        model.rate_limiter = None
        assert pickle.loads(pickle.dumps(model)).http_client is None


async def test_a_copy_with_other_fields_has_clients_and_a_cache_entry_of_its_own(
    server: ScriptedServer, make: Make
) -> None:
    model = make(cache=InMemoryCache())
    model.invoke("Hi")
    twin = model.model_copy(update={"temperature": 0.9, "default_headers": {"X-Twin": "yes"}})
    twin.invoke("Hi")
    twin.close()
    assert server.requests[1].json["temperature"] == 0.9
    assert server.requests[1].headers["x-twin"] == "yes"


def test_the_key_is_nowhere_to_be_read(make: Make) -> None:
    model = make(default_headers={"X": "y"}, proxy="http://user:pass@127.0.0.1:1")
    shown = [repr(model), str(model), dumps(model), str(model._identifying_params), str(model._get_invocation_params())]
    shown += [str(model.get_name()), repr(model.bind(stop=["a"])), str(model._clients())]
    assert not any(KEY in text or "pass@" in text for text in shown)


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")  # load() is LangChain's beta
def test_a_serialized_model_is_read_back_where_the_class_is_allowed(make: Make) -> None:
    model = make(enable_search=True, search_config={"count": 3}, temperature=0.0)
    as_dict = dumpd(model)
    assert as_dict["id"] == ["langchain_geekai", "chat_models", "ChatGeekAI"]
    assert as_dict["kwargs"]["geekai_api_key"] == {"lc": 1, "type": "secret", "id": ["GEEKAI_API_KEY"]}
    back = load(
        as_dict,
        allowed_objects=[ChatGeekAI],
        valid_namespaces=["langchain_geekai"],
        secrets_map={"GEEKAI_API_KEY": KEY},
    )
    assert back == model


async def test_one_model_serves_one_event_loop_after_another(server: ScriptedServer, make: Make) -> None:
    model = make()

    def in_a_loop_of_its_own() -> list[str]:
        async def several() -> list[str]:
            return [message.text for message in await asyncio.gather(*(model.ainvoke("Hi") for _ in range(3)))]

        return asyncio.run(several())

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: in_a_loop_of_its_own(), range(8)))
    assert results == [[ANSWER] * 3] * 8
    assert (await model.ainvoke("Hi")).text == ANSWER


async def test_threads_share_a_model(server: ScriptedServer, make: Make) -> None:
    model = make()
    together = threading.Barrier(8)

    def work(number: int) -> str:
        together.wait()
        return "".join(chunk.text for chunk in model.stream(f"Hi {number}"))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [f"{ANSWER} {number}" for number in range(8)]


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_a_batch_of_two_hundred_comes_back_in_order(server: ScriptedServer, make: Make, way: str) -> None:
    model, asked = make(), [f"Hi {number}" for number in range(200)]
    answers = model.batch(asked) if way == "batch" else await model.abatch(asked, config={"max_concurrency": 50})
    assert [answer.text for answer in answers] == [f"{ANSWER} {number}" for number in range(200)]


@pytest.mark.parametrize("way", WHOLE)
async def test_a_cache_tells_models_apart_that_differ_in_anything_that_counts(
    server: ScriptedServer, make: Make, way: str
) -> None:
    cache = InMemoryCache()
    fields: list[dict[str, Any]] = [
        {},
        {"enable_search": True},
        {"enable_search": True, "search_config": {"count": 3}},
        {"enable_thinking": True},
        {"json_mode": True},
        {"extra_body": {"x": 1}},
        {"temperature": 0.0},
        {"reasoning_effort": "low"},
    ]
    for given in fields * 2:
        await ask(make(cache=cache, **given), way)
    await ask(make(cache=cache), way, enable_search=True)
    assert len(server.requests) == len(fields) + 1
    strings = [make(**given)._get_llm_string() for given in fields]
    assert len(set(strings)) == len(fields)
    assert len({str(make(**given)._identifying_params) for given in fields}) == len(fields)


async def test_a_cached_answer_keeps_what_it_held(server: ScriptedServer, make: Make) -> None:
    server.play(json_reply(completion("Tea [1].", citations=["https://a.example"], reasoning_content="Hm.")))
    model = make(cache=InMemoryCache())
    first, again = model.invoke("Hi"), model.invoke("Hi")
    assert again.content_blocks == first.content_blocks
    assert again.response_metadata == first.response_metadata


async def test_a_rate_limiter_is_asked_before_each_request(make: Make) -> None:
    class Counting(InMemoryRateLimiter):
        asked = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            self.asked += 1
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            self.asked += 1
            return True

    limiter = Counting()
    for way in WAYS:
        await ask(make(rate_limiter=limiter), way)
    assert limiter.asked == 4


@pytest.mark.parametrize("way", WAYS)
async def test_a_fallback_steps_in(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(error(429, "slow down"))
    chain = make(model="first").with_fallbacks([make(model="second")], exceptions_to_handle=(RateLimitError,))
    assert (await ask(chain, way)).text == ANSWER
    assert [request.json["model"] for request in server.requests] == ["first", "second"]


@pytest.mark.parametrize("way", WAYS)
async def test_with_retry_tries_again(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(error(429, "slow down"))
    chain = make().with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    if way in WHOLE:  # LangChain does not retry streams
        assert (await ask(chain, way)).text == ANSWER
        assert len(server.requests) == 2


@pytest.mark.parametrize("way", WAYS)
async def test_fields_are_configured_per_call(server: ScriptedServer, make: Make, way: str) -> None:
    model = make(default_headers={"X-A": "1"}).configurable_fields(
        model=ConfigurableField(id="which"),
        temperature=ConfigurableField(id="heat"),
        enable_search=ConfigurableField(id="search"),
    )
    config = {"configurable": {"which": "glm-4", "heat": 0.25, "search": True}}
    assert (await ask(model, way, config=config)).text
    sent = server.requests[0].json
    assert (sent["model"], sent["temperature"], sent["enable_search"]) == ("glm-4", 0.25, True)
    assert server.requests[0].headers["x-a"] == "1"


def test_tracing_is_told_what_the_call_is(make: Make) -> None:
    model = make(temperature=0.5, max_tokens=9, stop=["a"])
    assert model._get_ls_params() == {
        "ls_provider": "geekai",
        "ls_model_type": "chat",
        "ls_model_name": "gpt-4o",
        "ls_temperature": 0.5,
        "ls_max_tokens": 9,
        "ls_stop": ["a"],
    }
    told = model._get_ls_params(stop=["b"], model="glm-4", max_completion_tokens=3)
    assert (told["ls_model_name"], told["ls_max_tokens"], told["ls_stop"]) == ("glm-4", 3, ["b"])
    assert model._llm_type == "geekai-chat"
    versions = FakeListChatModel(responses=[]).metadata["lc_versions"]  # LangChain's own
    assert model.metadata["lc_versions"] == {**versions, "langchain-geekai": __version__}


async def test_usage_of_several_prompts_is_added_up(server: ScriptedServer, make: Make) -> None:
    counted = usage(10, 5, 1, prompt={"cached_tokens": 2})
    bare = {key: value for key, value in completion("Hi").items() if key != "usage"}
    server.play(
        json_reply(completion("Hi", usage=counted)), json_reply(bare), json_reply(completion("Hi", usage=counted))
    )
    result = make().generate([[HumanMessage("Hi")]] * 3)
    assert isinstance(result, LLMResult)
    assert result.llm_output["model_name"] == "geekai-test"
    total = result.llm_output["token_usage"]
    assert (total["prompt_tokens"], total["billed_units"]) == (20, 2)
    assert total["prompt_tokens_details"]["cached_tokens"] == 4


@pytest.mark.parametrize("way", WAYS)
async def test_langchain_s_own_usage_handler_counts(make: Make, way: str) -> None:
    handler = UsageMetadataCallbackHandler()
    answer = await ask(make(), way, config={"callbacks": [handler]})
    assert handler.usage_metadata == {"gpt-4o": answer.usage_metadata}


def test_tokens_are_counted_offline_chinese_and_tools_too(make: Make) -> None:
    @tool
    def weather(city: str) -> str:
        """The weather of a city, which may be named in any language."""
        return city

    model = make()
    english, chinese = model.get_num_tokens("The quick brown fox."), model.get_num_tokens("敏捷的棕色狐狸跳过了懒狗")
    assert 4 <= english <= 8
    assert 6 <= chinese <= 16
    messages = [
        HumanMessage("你好"),
        AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "北京"}, "id": "1"}]),
    ]
    bare = model.get_num_tokens_from_messages(messages)
    assert bare > model.get_num_tokens("你好")
    assert model.get_num_tokens_from_messages(messages, [weather]) > bare + 15
    picture = HumanMessage([{"type": "image", "url": "https://a.example/x.png"}])
    assert model.get_num_tokens_from_messages([picture]) > 500
    own = make(custom_get_token_ids=lambda text: list(range(len(text))))
    assert own.get_num_tokens("abcd") == 4
    assert own.get_num_tokens_from_messages([HumanMessage("abcd")]) == len("Human: abcd")


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_profile_is_fetched_from_the_list_of_models(server: ScriptedServer, make: Make, way: str) -> None:
    listed = {"data": [{"id": "gpt-4o", "context_window": 128000, "capabilities": ["vision"]}], "total": 1}
    for _ in range(2):
        server.play(json_reply(listed), path="/models*")
    model, other = make(), make(model="unlisted", profile={"max_input_tokens": 5})
    for one in (model, other):
        got = one.fetch_profile() if way == "sync" else await one.afetch_profile()
        assert got == one.profile
    assert model.profile["max_input_tokens"] == 128000
    assert model.profile["image_inputs"] is True
    assert other.profile == {"max_input_tokens": 5}


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the examples close nothing, as their readers
def test_the_examples_of_the_docstring_run(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEEKAI_API_KEY", KEY)
    monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
    blocks = re.findall(r"```python\n(.*?)```", inspect.cleandoc(ChatGeekAI.__doc__ or ""), re.DOTALL)
    assert len(blocks) == 6
    space: dict[str, Any] = {"__name__": "example"}
    for block in blocks:
        exec(textwrap.dedent(block), space)
    for name in ("model", "thinking"):
        space[name].close()
    printed = capsys.readouterr().out
    for expected in ("What is tea?", "1 Page 1 https://", "First I read", "'city': 'Oslo'", "name='Bob' age=3"):
        assert expected in printed
