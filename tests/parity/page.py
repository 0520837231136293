"""Writes docs/vendors.md, and its Chinese summary, from the tables' own names: `python -m tests.parity.page`."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from tests.parity import (
    arguments,
    callers,
    calls,
    ends,
    fields,
    foreign,
    histories,
    ladder,
    odd_answers,
    odd_usage,
    parts,
    refusals,
    refused_fields,
)

PAGE = Path(__file__).parent.parent.parent / "docs/vendors.md"
CHINESE = PAGE.parent / "zh/vendors.md"
SECTIONS: dict[str, tuple[ModuleType, str]] = {
    "Tool calls in pieces": (
        calls,
        "Each call comes whole, with its own id and arguments. Where it cannot be known whose a piece of arguments is, the call is invalid,"
        " and never runs.",
    ),
    "Arguments of tool calls": (
        arguments,
        "Only a JSON object is a call's arguments; nothing at all is an empty one. A call that is cut or broken never runs, and the reason is"
        " given.",
    ),
    "Histories that go back": (
        histories,
        "Whatever an app kept is sent in the form that the strictest servers take: each call named, with an object as its arguments, and"
        " answered; reasoning by `reasoning_history`.",
    ),
    "Histories of other integrations": (
        foreign,
        "Blocks, parts and calls that OpenAI's, Anthropic's and Gemini's integrations leave in a memory are sent in the form that GeekAI takes.",
    ),
    "Parts of messages": (
        parts,
        "No key of a part is dropped; a picture that a tool returns travels in a message of the user.",
    ),
    "Vendors' own fields": (fields, "They go back with the call or the message that they came with."),
    "Requests that are refused": (
        refusals,
        "A forced tool is offered, a stream is asked for, a history is sent with the other reasoning. What a model refused is remembered for an"
        " hour.",
    ),
    "Fields that are refused": (refused_fields, "The field is left out the second time, and from then on."),
    "Ways to ask for an object": (
        ladder,
        "`response_format`, a tool, JSON mode, words: the next way is tried where a model refuses one or ignores it.",
    ),
    "Side fields of odd types": (
        odd_answers,
        "The answer comes; what cannot be read is kept as it came, and reads as None.",
    ),
    "Usage and reasoning by other names": (odd_usage, "They are counted and shown under the standard names."),
    "How answers end": (
        ends,
        "A broken end is an error with the server's words and what had come; a good one is never called broken.",
    ),
    "What callers give": (callers, "Whatever means the same does the same in both frameworks."),
}

IN_CHINESE = {
    "Tool calls in pieces": (
        "分段到达的工具调用",
        "每个调用都完整，有自己的 id 和参数。分不清一段参数属于哪个调用时，这个调用算无效，绝不执行。",
    ),
    "Arguments of tool calls": (
        "工具调用的参数",
        "只有 JSON 对象才是参数，什么都没有就是空对象。被截断或损坏的调用绝不执行，并说明原因。",
    ),
    "Histories that go back": (
        "发回去的历史消息",
        "应用保存下来的任何历史，都以最严格的服务器也接受的形式发送：每个调用有名称、参数是对象、有结果；推理过程由 `reasoning_history` 决定。",
    ),
    "Histories of other integrations": (
        "其他集成留下的历史消息",
        "OpenAI、Anthropic、Gemini 的集成留在记忆里的内容块和工具调用，都以 GeekAI 接受的形式发送。",
    ),
    "Parts of messages": ("消息的各部分", "任何键都不丢；工具返回的图片放在一条用户消息里发送。"),
    "Vendors' own fields": ("厂商自己的字段", "它们随原来的调用或消息一起发回去。"),
    "Requests that are refused": (
        "被拒绝的请求",
        "不许强制的工具改为可选，只许流式的改为流式，历史换一种方式携带推理过程。模型拒绝过什么，会记一个小时。",
    ),
    "Fields that are refused": ("被拒绝的字段", "第二次发送时去掉，以后也不再发送。"),
    "Ways to ask for an object": (
        "请求结构化输出的方式",
        "`response_format`、工具、JSON 模式、文字要求：模型拒绝或忽略一种，就试下一种。",
    ),
    "Side fields of odd types": ("类型不对的附带字段", "回答照常返回；读不懂的字段原样保留，读出来是 None。"),
    "Usage and reasoning by other names": ("用别的名称给出的用量和推理过程", "都计入标准名称，也显示在标准名称下。"),
    "How answers end": (
        "回答怎样结束",
        "没有正常结束就是错误，带有服务器的原话和已收到的内容；正常结束的绝不当作中断。",
    ),
    "What callers give": ("调用方给的参数", "意思相同的写法，在两个框架里效果相同。"),
}


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _mark(table: ModuleType, name: str, side: str, sides: object) -> str:
    if side not in str(sides):
        return ""
    return "not yet" if side in table.NOT_YET.get(name, "").split() else "right"


def page() -> str:
    """The page."""
    lines = [
        "# Vendors' oddities",
        "",
        "A gateway passes on what hundreds of vendors' servers say. This page lists what is known to be odd of answers, requests and histories, and",
        "what comes of it in `ChatGeekAI` (LangChain) and `GeekAI` (LlamaIndex). Each row is a test that is run whole and streamed, sync and",
        "async, and the page is made of the tests' own names.",
    ]
    for title, (table, what) in SECTIONS.items():
        lines += ["", f"## {title}", "", what, "", "| what comes | ChatGeekAI | GeekAI |", "|---|---|---|"]
        for wish in table.WISHES:
            marks = [_mark(table, wish.name, side, wish.sides) for side in ("lc", "li")]
            lines.append(f"| {_cell(wish.name)} | {marks[0]} | {marks[1]} |")
    return "\n".join(lines) + "\n"


def chinese_page() -> str:
    """The same in Chinese: what comes of each kind, and how many rows are right; the rows themselves are in English."""
    lines = [
        "# 各家厂商的怪癖",
        "",
        "网关转发的是几百家厂商服务器的原样输出。这里按类别说明已知的怪现象，以及它们在 `ChatGeekAI`（LangChain）和 `GeekAI`（LlamaIndex）中的结果。",
        "每一行都是一个测试，流式与非流式、同步与异步都运行；行的名称就是测试的英文名称，列在[英文页](../vendors.md)上。",
    ]
    for title, (table, _) in SECTIONS.items():
        name, what = IN_CHINESE[title]
        counts = []
        for side, cls in (("lc", "ChatGeekAI"), ("li", "GeekAI")):
            marks = [_mark(table, wish.name, side, wish.sides) for wish in table.WISHES]
            counts.append(f"`{cls}` {marks.count('right')}/{len(marks) - marks.count('')}")
        anchor = re.sub(r"[^a-z]+", "-", title.replace("'", "").lower())
        lines += [
            "",
            f"## {name}",
            "",
            what,
            "",
            f"正确的行：{'，'.join(counts)}（[逐行列表](../vendors.md#{anchor})）。",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    CHINESE.write_text(chinese_page(), encoding="utf-8")
