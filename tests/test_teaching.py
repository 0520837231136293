"""Errors that teach: for each likely mistake, made in both frameworks, the message says what is wrong and what to do.

`python -m tests.test_teaching` prints the tables of docs/errors.md and docs/zh/errors.md, which are held to the rows.
"""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage, ImageBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, ValidationError

from geekai_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContextOverflowError,
    GeekAIError,
    InsufficientBalanceError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    SearchConfig,
)
from geekai_testing.replies import Cut, Hold, Reply, completion, error, json_reply
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI

ROOT = Path(__file__).parent.parent
KEY = "sk-teach-5f2c9a71e0"


@dataclass(frozen=True)
class Mistake:
    """One row: what somebody does, what the server says to it, and what comes of it, word for word.

    `HOST` in a message is the server's. `message` is that of both frameworks, unless `llama_index` is another. `mend`: what to do, in Chinese.
    """

    told: str
    zh: str
    mend: str
    raises: type[Exception]
    message: str
    llama_index: str = ""
    init: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    act: Literal["ask", "stream", "tools", "image", "fetch", "import", "object"] = "ask"
    reply: Reply | None = None


def page(status: int, text: str) -> Reply:
    """A web page where JSON was due."""
    return Reply(status, {"content-type": "text/html"}, f"<html><body><h1>{text}</h1></body></html>".encode())


TO_EXTRA_BODY = "(a field that this package does not know goes into extra_body)"
MISTAKES = [
    Mistake(
        "no key", "没有密钥", "传入 `api_key`，或设置环境变量 `GEEKAI_API_KEY`",
        ConfigurationError, "no GeekAI key: 'export GEEKAI_API_KEY=sk-...' with a key of your account at https://geekai.co or https://geekai.dev, or in code pass api_key=…; a server on this machine needs none (没有密钥：请设置 GEEKAI_API_KEY 或传入 api_key，密钥来自 geekai.co 或 geekai.dev 的账户；本机的服务不需要密钥)",
        init={"api_key": None, "base_url": "https://geekai.co/api/v1"},
    ),
    Mistake(
        "a key with the end of its line", "密钥里带有换行", "只保留密钥本身",
        ConfigurationError, "the GeekAI key holds a line break: give the key alone, without the end of its line",
        init={"api_key": f"{KEY}\n"},
    ),
    Mistake(
        "a wrong key, or a key of the other host", "密钥错误，或属于另一个站点", "检查密钥与站点：geekai.co 与 geekai.dev 的密钥互不通用",
        AuthenticationError, "HTTP 401: 无效的令牌 [check api_key or GEEKAI_API_KEY, and the host: geekai.co and geekai.dev have keys of their own]",
        reply=error(401, "无效的令牌"),
    ),
    Mistake(
        "an exhausted balance", "余额不足", "为密钥所属的账户充值",
        InsufficientBalanceError, "HTTP 402: 账户余额不足 [top up the account that the key belongs to]",
        reply=error(402, "账户余额不足", shape="message"),
    ),
    Mistake(
        "a model or feature that the key may not use", "密钥无权使用该模型或功能", "换一个模型，或为账户开通",
        PermissionDeniedError, "HTTP 403: 无权访问该模型 [the key may not use this model or feature]",
        reply=error(403, "无权访问该模型"),
    ),
    Mistake(
        "a base URL without https://", "接口地址缺少 https://", "写完整的地址",
        ConfigurationError, "the base URL 'geekai.co/api/v1' is no http(s) URL; GeekAI's are https://geekai.co/api/v1 and https://geekai.dev/api/v1",
        init={"base_url": "geekai.co/api/v1"},
    ),
    Mistake(
        "a base URL without /api/v1", "接口地址缺少 /api/v1", "在地址末尾加上 `/api/v1`",
        NotFoundError, "HTTP 404: 页面不存在 [the base URL lacks /api/v1 at its end]",
        init={"base_url": "{root}"}, reply=page(404, "页面不存在"),
    ),
    Mistake(
        "a proxy or a sign-in page that answers itself", "代理或登录页面代为回答", "检查代理、网络登录与接口地址",
        InvalidResponseError, "the answer is a web page and no JSON: a proxy or a sign-in page answered, or the base URL lacks /api/v1: '请先登录网络'",
        reply=page(200, "请先登录网络"),
    ),
    Mistake(
        "a firewall's page instead of an answer", "防火墙返回网页", "检查代理与接口地址",
        PermissionDeniedError, "HTTP 403: 访问被拦截 [a web page and no JSON: a proxy or a sign-in page answered, or the base URL lacks /api/v1]",
        reply=page(403, "访问被拦截"),
    ),
    Mistake(
        "a proxy that wants a password", "代理需要密码", "在 `GEEKAI_PROXY` 中写明用户名和密码",
        APIStatusError, "HTTP 407: Proxy Authentication Required [a proxy wants a user and a password: GEEKAI_PROXY=http://user:password@host:port]",
        reply=page(407, "Proxy Authentication Required"),
    ),
    Mistake(
        "no model", "没有指定模型", "传入 `model`",
        ConfigurationError, "no model was named: pass model=… ('geekai models' lists them)",
        init={"model": ...},
    ),
    Mistake(
        "a wrong model name", "模型名称错误", "用 `geekai models` 查看模型列表",
        NotFoundError, "HTTP 404: 模型不存在 [the ids of all models: Client().models(), or 'geekai models']",
        reply=error(404, "模型不存在"),
    ),
    Mistake(
        "a wrong model name, once the models were fetched", "模型名称错误（已取得模型列表）", "改用提示中的名称",
        BadRequestError, "HTTP 400: 不支持的模型 [/models does not list 'gpt4o'; did you mean 'gpt-4o'?]",
        init={"model": "gpt4o"}, act="fetch", reply=error(400, "不支持的模型"),
    ),
    Mistake(
        "a wrong parameter", "参数错误", "按服务器的提示修改",
        BadRequestError, "HTTP 400: temperature 必须在 0 到 2 之间",
        call={"temperature": 9}, reply=error(400, "temperature 必须在 0 到 2 之间"),
    ),
    Mistake(
        "more than the model's context", "超出模型的上下文", "缩短消息或 `max_tokens`，或换上下文更长的模型",
        ContextOverflowError, "HTTP 400: 输入长度超过模型最大上下文长度 8192 [shorten the messages or max_tokens, or take a model with a larger context]",
        llama_index="HTTP 400: 输入长度超过模型最大上下文长度 8192 [shorten the messages or max_tokens, or take a model with a larger context; context_window=… tells LlamaIndex what to keep to]",
        reply=error(400, "输入长度超过模型最大上下文长度 8192"),
    ),
    Mistake(
        "too large a request", "请求体过大", "减少内容，或用网址传文件",
        RequestTooLargeError, "HTTP 413: 请求体过大 [send less at once, or files by URL]",
        reply=error(413, "请求体过大"),
    ),
    Mistake(
        "too many requests", "请求过于频繁", "放慢速度；本包会自动重试",
        RateLimitError, "HTTP 429: 请求过于频繁 [too many requests or tokens a minute for this model: ask more slowly]",
        reply=error(429, "请求过于频繁"),
    ),
    Mistake(
        "a server that cannot be reached", "无法连接服务器", "检查接口地址、网络与代理",
        APIConnectionError, "HOST could not be reached: … [check base_url or GEEKAI_BASE_URL, the network and the proxy]",
        reply=Reply(before=[Cut()]),
    ),
    Mistake(
        "a `timeout` shorter than the answer takes", "`timeout` 短于回答所需的时间", "增大 `timeout`；请求可能已计费，因此不会自动重发",
        APITimeoutError, "read timeout: no byte from HOST within 0.2 s [raise timeout=…; it may have been billed, so it is not sent again]",
        init={"timeout": 0.2}, reply=Reply(before=[Hold()]),
    ),
    Mistake(
        "`max_tokens` too small for the object asked for", "`max_tokens` 太小，结构化输出被截断", "增大 `max_tokens`",
        InvalidResponseError, """the answer was cut at the token limit [raise max_tokens]: '{"name": "北'""",
        act="object", reply=json_reply(completion('{"name": "北', finish_reason="length")),
    ),
    Mistake(
        "a field that does not exist", "不存在的字段", "改用提示中的名称；确需发送则放入 `extra_body`",
        ConfigurationError, f"unknown field 'temprature'; did you mean 'temperature'? {TO_EXTRA_BODY}",
        init={"temprature": 0.5},
    ),
    Mistake(
        "`max_token` in a call", "调用时写成 `max_token`", "改为 `max_tokens`",
        ConfigurationError, f"unknown field 'max_token'; did you mean 'max_tokens'? {TO_EXTRA_BODY}",
        call={"max_token": 5},
    ),
    Mistake(
        "`openai_api_base`, which is another package's", "使用了其他包的参数名 `openai_api_base`", "改为 `base_url`",
        ConfigurationError, f"unknown field 'openai_api_base'; give 'base_url' {TO_EXTRA_BODY}",
        init={"openai_api_base": "https://geekai.co/api/v1"},
    ),
    Mistake(
        "a setting of OpenAI's alone", "只属于 OpenAI 的参数", "去掉它",
        ConfigurationError, f"unknown field 'use_responses_api'; that is OpenAI's own: leave it out {TO_EXTRA_BODY}",
        init={"use_responses_api": True},
    ),
    Mistake(
        "`stream=True` in the constructor", "在构造函数中写 `stream=True`", "LangChain 用 `streaming`；LlamaIndex 用 `stream_chat`",
        ConfigurationError, f"unknown field 'stream'; did you mean 'streaming'? {TO_EXTRA_BODY}",
        llama_index=f"unknown field 'stream'; a stream has methods of its own, such as stream() or stream_chat() {TO_EXTRA_BODY}",
        init={"stream": True},
    ),
    Mistake(
        "a stream in the background", "`background` 与流式同用", "二者只能选一",
        ConfigurationError, "background=True cannot stream: ask for the whole answer, or leave background out",
        init={"background": True}, act="stream",
    ),
    Mistake(
        "`search_config` without `enable_search`", "只有 `search_config`，没有 `enable_search`", "加上 `enable_search=True`",
        UserWarning, "'search_config' has no effect without enable_search=True; it is sent as given",
        init={"search_config": {"count": 3}},
    ),
    Mistake(
        "`thinking` without `enable_thinking`", "只有 `thinking`，没有 `enable_thinking`", "加上 `enable_thinking=True`",
        UserWarning, "'thinking' has no effect without enable_thinking=True; it is sent as given",
        init={"thinking": {"budget_tokens": 99}},
    ),
    Mistake(
        "a wrong value in `search_config`", "`search_config` 中的值不正确", "改用列出的值",
        UserWarning, "search_config.count='many': Input should be a valid integer, unable to parse string as an integer; it is sent as given",
        init={"enable_search": True, "search_config": {"count": "many"}},
    ),
    Mistake(
        "a misspelt key in `search_config`", "`search_config` 中的键拼写错误", "改用提示中的键",
        UserWarning, "search_config has no field 'return_results'; did you mean 'return_result'? It is sent as given",
        call={"enable_search": True, "search_config": {"return_results": True}},
    ),
    Mistake(
        "a tool without a docstring", "工具没有文档字符串", "为函数写一句说明，模型据此决定何时调用",
        UserWarning, "the tool 'weather' has no description: give it a docstring, so that the model knows when to call it",
        act="tools",
    ),
    Mistake(
        "tools for a model without function calling", "模型不支持函数调用", "换一个支持函数调用的模型",
        UserWarning, "ernie-4.5 is known to have no function calling; its tools are sent anyway",
        init={"model": "ernie-4.5"}, act="tools",
    ),
    Mistake(
        "an image's path instead of its URL", "用本地路径代替图片网址", "给出 https:// 网址，或图片的数据",
        ConfigurationError, "'file:///cat.png' is a path on this machine, which the server cannot read: give an https:// URL, or the bytes: 'base64': …, 'mime_type': 'image/png'",
        llama_index="'file:///cat.png' is a path on this machine, which the server cannot read: give an https:// URL, or ImageBlock(path=…)",
        act="image",
    ),
    Mistake(
        "the extra is not installed", "没有安装对应的可选依赖（extra）", "按提示安装",
        ImportError, 'langchain_geekai needs LangChain: pip install ".[langchain]" in the clone',
        llama_index='llama_index_geekai needs llama-index-core: pip install ".[llama-index]" in the clone',
        act="import",
    ),
]  # fmt: skip


class City(BaseModel):
    """A city."""

    name: str


def weather(city: str) -> str:
    return city


def described(city: str) -> str:
    """The weather in a city."""
    return city


def tool(mistake: Mistake) -> Any:
    return described if "model" in mistake.init else weather


async def in_langchain(mistake: Mistake, settings: dict[str, Any], later: bool) -> None:
    llm: Any = ChatGeekAI(**settings)
    question: Any = "hi"
    if mistake.act == "fetch":
        with pytest.warns(UserWarning, match=f"/models does not say the context window of '{llm.model}'; profile="):
            await llm.afetch_profile() if later else llm.fetch_profile()
    elif mistake.act == "tools":
        llm = llm.bind_tools([tool(mistake)])
    elif mistake.act == "image":
        question = [HumanMessage([{"type": "image_url", "image_url": {"url": "file:///cat.png"}}])]
    elif mistake.act == "stream":
        assert [chunk async for chunk in llm.astream(question)] if later else list(llm.stream(question))
    elif mistake.act == "object":
        llm = llm.with_structured_output(City)
    await llm.ainvoke(question, **mistake.call) if later else llm.invoke(question, **mistake.call)


async def in_llama_index(mistake: Mistake, settings: dict[str, Any], later: bool) -> None:
    llm: Any = GeekAI(**settings)
    messages = [ChatMessage("hi")]
    if mistake.act == "fetch":
        with pytest.warns(
            UserWarning, match=f"/models does not say the context window of '{llm.model}'; context_window="
        ):
            await llm.afetch_metadata() if later else llm.fetch_metadata()
    elif mistake.act == "tools":
        tools = [FunctionTool.from_defaults(tool(mistake))]
        await llm.achat_with_tools(tools, "hi") if later else llm.chat_with_tools(tools, "hi")
    elif mistake.act == "image":
        messages = [ChatMessage(role="user", blocks=[ImageBlock(url="file:///cat.png")])]
    elif mistake.act == "stream":
        assert [r async for r in await llm.astream_chat(messages)] if later else list(llm.stream_chat(messages))
    elif mistake.act == "object":
        prompt = PromptTemplate("hi")
        await llm.astructured_predict(City, prompt) if later else llm.structured_predict(City, prompt)
    await llm.achat(messages, **mistake.call) if later else llm.chat(messages, **mistake.call)


def caught(module: str, framework: str) -> str:
    """The error of importing an adapter where its framework is missing."""
    code = f"import sys; sys.modules[{framework!r}] = None\ntry: import {module}\nexcept ImportError as e: print(e)"
    env = {"PATH": "", "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}", "HOME": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.told)
async def test_a_mistake_is_told_with_what_to_do_and_the_server_s_own_words(
    mistake: Mistake, framework: str, later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = (framework == "llama_index" and mistake.llama_index) or mistake.message
    if mistake.act == "import":
        module = f"{framework}_geekai"
        assert caught(module, "langchain_core" if framework == "langchain" else "llama_index") == message
        return
    monkeypatch.delenv("GEEKAI_API_KEY", raising=False)
    with ScriptedServer() as server:
        root = server.base_url.removesuffix("/api/v1")
        given = {"model": "geekai-test", "api_key": KEY, "base_url": server.base_url, "max_retries": 0, **mistake.init}
        given["base_url"] = given["base_url"].format(root=root)
        settings = {name: value for name, value in given.items() if value is not ...}
        server.play(json_reply({"data": [{"id": "gpt-4o"}, {"id": "glm-4"}], "total": 2}), path="/models")
        if mistake.reply:
            server.play(mistake.reply, path="*/chat/completions")
        make = in_langchain if framework == "langchain" else in_llama_index
        if issubclass(mistake.raises, UserWarning):
            with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
                await make(mistake, settings, later)
            assert server.requests, "a warning stops nothing"
            return
        with pytest.raises((GeekAIError, OutputParserException)) as raised:
            await make(mistake, settings, later)
    parsers = framework == "langchain" and mistake.act == "object"
    assert isinstance(raised.value, OutputParserException if parsers else mistake.raises)
    told = str(raised.value).partition("\nFor troubleshooting")[0]  # LangChain adds that to a parser's errors
    told = told.replace(f"127.0.0.1:{server.port}", "HOST")
    assert re.sub(r"(reached:) .+ \[", r"\1 … [", told) == message  # each transport has words of its own there
    chats = [request for request in server.requests if request.method == "POST"]
    assert len(chats) == (0 if mistake.raises is ConfigurationError else 1)


MAY_PASS = (RateLimitError, APIConnectionError, APITimeoutError)


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if m.raises not in MAY_PASS], ids=lambda m: m.told)
def test_no_permanent_error_speaks_of_what_frameworks_take_for_a_passing_one(mistake: Mistake) -> None:
    for message in (mistake.message, mistake.llama_index):
        assert not any(word in message.lower() for word in ("retry", "timeout", "connection"))


@pytest.mark.parametrize("cls", [ChatGeekAI, GeekAI])
def test_a_validation_error_shows_nothing_of_what_was_given(cls: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        cls(model="m", api_key=KEY, temperature=KEY, max_retries=[KEY])
    assert KEY not in str(raised.value)
    assert "temperature" in str(raised.value)


def test_a_typed_search_config_refuses_a_wrong_value_at_once() -> None:
    with pytest.raises(ValidationError, match="valid integer"):
        SearchConfig(count="many")


def test_what_a_server_may_know_and_this_package_does_not_is_sent_without_a_word() -> None:
    novel = {"engine": "new/engine", "region": "cn", "count": 3}
    with ScriptedServer() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        llm = ChatGeekAI(model="m", api_key=KEY, base_url=server.base_url, enable_search=True, search_config=novel)
        llm.invoke("hi")
    assert server.requests[0].json["search_config"] == novel


@pytest.mark.parametrize(
    "url", ["https://a.example/cat.png", "data:image/png;base64,AAAA", "oss://bucket/cat.png", "iVBORw0KGgo"]
)
def test_an_address_of_any_kind_is_sent_as_it_is(url: str) -> None:
    with ScriptedServer() as server:
        llm = ChatGeekAI(model="m", api_key=KEY, base_url=server.base_url)
        llm.invoke([HumanMessage([{"type": "image_url", "image_url": {"url": url}}])])
    assert server.requests[0].json["messages"][0]["content"][0]["image_url"] == {"url": url}


@pytest.mark.parametrize("path", ["cat.png", "./cat.png", "/tmp/cat.png", r"C:\cat.png", "~/猫.png", "FILE:///cat.png"])
def test_a_path_of_any_kind_is_told(path: str) -> None:
    llm = ChatGeekAI(model="m", api_key=KEY)
    for part in (
        {"type": "image_url", "image_url": path},
        {"type": "image", "url": path},
        {"type": "file", "url": path},
    ):
        with pytest.raises(ConfigurationError, match="is a path on this machine"):
            llm.invoke([HumanMessage([part])])


def messages(mistake: Mistake) -> str:
    """What stands on the screen, LlamaIndex's below where it differs."""
    return "<br>".join(f"`{message}`" for message in (mistake.message, mistake.llama_index) if message)


def english(mistake: Mistake) -> str:
    """A row of docs/errors.md."""
    return f"| {mistake.told} | `{mistake.raises.__name__}` | {messages(mistake)} |"


def chinese(mistake: Mistake) -> str:
    """A row of docs/zh/errors.md: the message as it is printed, so that it can be searched for."""
    return f"| {mistake.zh} | `{mistake.raises.__name__}` | {mistake.mend} | {messages(mistake)} |"


@pytest.mark.parametrize(("name", "row"), [("errors.md", english), ("zh/errors.md", chinese)])
def test_the_documentation_holds_every_row(name: str, row: Any) -> None:
    lines = (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()
    rows = [row(mistake) for mistake in MISTAKES]
    assert [line for line in lines if line in rows] == rows


if __name__ == "__main__":
    for row in (english, chinese):
        print(*map(row, MISTAKES), "", sep="\n")
