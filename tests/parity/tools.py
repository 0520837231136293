"""Tools in both frameworks: how they are offered and chosen, their names, their calls, and web search among them."""

from __future__ import annotations

from typing import Any

from tests.parity.form import (
    CLOCK,
    FORCED,
    HI,
    WEATHER,
    Tool,
    Wish,
    holds,
    made,
    result,
    says,
    takes,
    wire_call,
    wire_calls,
    wire_result,
)

LYON = '{"city": "Lyon"}'
CALLS = says(None, calls=[made("weather", LYON)])
ONE: dict[str, Any] = {"calls": [("weather", {"city": "Lyon"})], "ids": ["c1"], "finish": "tool_calls"}
TOOLS = [WEATHER.wire()]
LONG = "x" * 70
LONG_ALIAS = "x" * 48 + "_c71bd109"
CHINESE = Tool("查天气", "查询天气。", takes(city="string"))
ALIAS = "tool_80bac930"
ALIASED = {**CHINESE.wire(name=ALIAS, description="查天气: 查询天气。")}

NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["next"]}
NESTED = Tool(
    "walk",
    "Walks.",
    {
        "title": "Walk",
        "type": "object",
        "properties": {
            "title": {"$ref": "#/$defs/Name", "description": "Of the walk."},
            "from": {"title": "From", "anyOf": [{"$ref": "#/$defs/Name"}, {"type": "null", "title": "None"}]},
            "node": {"$ref": "#/$defs/Node"},
        },
        "required": ["title"],
        "$defs": {"Name": {"title": "Name", "type": "string"}, "Node": {**NODE, "title": "Node"}},
    },
)
PLAIN = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "description": "Of the walk."},
        "from": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "node": {"$ref": "#/$defs/Node"},
    },
    "required": ["title"],
    "$defs": {"Node": NODE},
}
CLOSED_NODE = {**NODE, "additionalProperties": False}
CLOSED = {
    **PLAIN,
    "required": ["title", "from", "node"],
    "additionalProperties": False,
    "$defs": {"Node": CLOSED_NODE},
}

WISHES = [
    Wish(name="a schema with definitions", tools=[NESTED], sends=[{"tools": [NESTED.wire(parameters=PLAIN)]}]),
    Wish(
        name="a schema with definitions, strict",
        tools=[NESTED],
        strict=True,
        sends=[{"tools": [NESTED.wire(parameters=CLOSED, strict=True)]}],
    ),
    Wish(
        name="a forced tool beside thinking settings without their switch",
        fields={"thinking": {"budget_tokens": 64}},
        tools=[WEATHER],
        choice="weather",
        replies=[CALLS],
        sends=[{"thinking": {"budget_tokens": 64}, "tools": TOOLS, "tool_choice": "auto"}],
        gives=ONE,
        warns="enable_thinking",
    ),
    Wish(name="a tool is offered", tools=[WEATHER], replies=[CALLS], sends=[{"tools": TOOLS}], gives=ONE),
    Wish(
        name="tools that are not called",
        tools=[WEATHER, CLOCK],
        sends=[{"tools": [WEATHER.wire(), CLOCK.wire()]}],
    ),
    *(
        Wish(
            name=f"tool_choice {choice!r}",
            tools=[WEATHER],
            choice=choice,
            replies=[CALLS],
            sends=[{"tools": TOOLS, "tool_choice": sent}],
            gives=ONE,
        )
        for choice, sent in (
            ("auto", "auto"),
            ("none", "none"),
            ("required", "required"),
            ("any", "required"),
            ("weather", FORCED),
            (FORCED, FORCED),
            ({"type": "tool", "name": "weather"}, FORCED),
        )
    ),
    Wish(
        name="tool_choice that names no tool",
        tools=[WEATHER],
        choice="wether",
        sends=[],
        gives={"error": "ConfigurationError", "words": holds("wether", "weather")},
    ),
    Wish(
        name="tool_choice as an object that names no tool",
        tools=[WEATHER],
        choice={"type": "function", "function": {"name": "wether"}},
        sends=[],
        gives={"error": "ConfigurationError", "words": holds("wether", "weather")},
    ),
    Wish(
        name="a Chinese tool travels under an ASCII name",
        tools=[CHINESE],
        choice="查天气",
        replies=[says(None, calls=[made(ALIAS, LYON)])],
        sends=[{"tools": [ALIASED], "tool_choice": {"type": "function", "function": {"name": ALIAS}}}],
        gives={"calls": [("查天气", {"city": "Lyon"})]},
    ),
    Wish(
        name="a tool with an overlong name travels under a shorter one",
        tools=[Tool(LONG, "Does it.", takes(city="string"))],
        replies=[says(None, calls=[made(LONG_ALIAS, LYON)])],
        sends=[{"tools": [Tool(LONG_ALIAS, f"{LONG}: Does it.", takes(city="string")).wire()]}],
        gives={"calls": [(LONG, {"city": "Lyon"})]},
    ),
    Wish(
        name="a Chinese tool's call in the history has the same ASCII name",
        tools=[CHINESE],
        replies=[says(None, calls=[made(ALIAS, LYON)]), says("Sunny.")],
        then=[[result("晴")]],
        sends=[
            {"tools": [ALIASED]},
            {"tools": [ALIASED], "messages": [HI, wire_calls(wire_call(ALIAS, LYON)), wire_result("晴")]},
        ],
        gives={"text": "Sunny."},
    ),
    Wish(
        name="two calls where one was allowed",
        tools=[WEATHER, CLOCK],
        parallel=False,
        replies=[says(None, calls=[made("weather", LYON), made("clock", '{"zone": "CET"}', "c2")])],
        sends=[{"tools": [WEATHER.wire(), CLOCK.wire()], "parallel_tool_calls": False}],
        gives=ONE,
    ),
    Wish(
        name="two calls where two were allowed",
        tools=[WEATHER, CLOCK],
        parallel=True,
        replies=[says(None, calls=[made("weather", LYON), made("clock", '{"zone": "CET"}', "c2")])],
        sends=[{"tools": [WEATHER.wire(), CLOCK.wire()], "parallel_tool_calls": True}],
        gives={"calls": [("weather", {"city": "Lyon"}), ("clock", {"zone": "CET"})], "ids": ["c1", "c2"]},
    ),
    Wish(
        name="a loop of tools, with the reasoning of its calls",
        tools=[WEATHER],
        replies=[says("Let me see.", reasoning="Hm.", calls=[made("weather", LYON)]), says("Sunny.")],
        then=[[result("sunny")]],
        sends=[
            {"tools": TOOLS},
            {
                "tools": TOOLS,
                "messages": [
                    HI,
                    wire_calls(wire_call("weather", LYON), content="Let me see.", reasoning_content="Hm."),
                    wire_result("sunny"),
                ],
            },
        ],
        gives={"text": "Sunny."},
    ),
    Wish(
        name="arguments that are broken off",
        tools=[WEATHER],
        replies=[says(None, calls=[made("weather", '{"city": "Ly')])],
        sends=[{"tools": TOOLS}],
        gives={"invalid": ["weather"]},
    ),
    Wish(
        name="web search among the tools",
        tools=[{"type": "web_search"}],
        sends=[{"enable_search": True}],
    ),
    Wish(
        name="web search with its settings, beside a function",
        tools=[{"type": "web_search", "count": 5}, WEATHER],
        sends=[{"enable_search": True, "search_config": {"count": 5}, "tools": TOOLS}],
    ),
    Wish(
        name="a strict tool is closed",
        tools=[WEATHER],
        strict=True,
        sends=[
            {"tools": [WEATHER.wire(strict=True, parameters={**WEATHER.parameters, "additionalProperties": False})]}
        ],
    ),
    Wish(
        name="tools of a model that cannot call any",
        fields={"model": "ernie-4.5"},
        tools=[WEATHER],
        sends=[{"tools": TOOLS}],
        warns="function calling",
    ),
]

NOT_YET: dict[str, str] = {}
