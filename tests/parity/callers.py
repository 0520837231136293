"""What callers give: limits, efforts, vendors' own tools, headers, further fields of the field."""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import Cut, Pause, Reply
from tests.parity.form import FORCED, WEATHER, Answer, Check, Wish, made, says
from tests.parity.rungs import ANN, BY_SCHEMA, Person
from tests.parity.sides import KEY

# Longer than the limits of the rows, and no hang where a limit is not kept.
SILENCE = Answer(Reply(before=[Pause(3), Cut()]), Reply(before=[Pause(3), Cut()]))
TIMED_OUT = {"error": "APITimeoutError"}

LIMITS = [
    *(
        Wish(name=f"timeout {timeout!r}", fields={"timeout": timeout})
        for timeout in (60, 60.5, (5, 60), (5.0, 60.0, 60.0, 5.0), [5, 60, None, 5], (5, None), None)
    ),
    Wish(
        name="the second of two limits is for reading",
        fields={"timeout": (5, 0.2)},
        replies=[SILENCE],
        gives=TIMED_OUT,
    ),
    Wish(
        name="a timeout of the call", fields={"timeout": 60}, call={"timeout": 0.2}, replies=[SILENCE], gives=TIMED_OUT
    ),
    Wish(name="a timeout of the call in two numbers", call={"timeout": (5, 0.2)}, replies=[SILENCE], gives=TIMED_OUT),
    Wish(
        name="a longer timeout of the call",
        fields={"timeout": 0.001},
        call={"timeout": 60},
    ),
    Wish(
        name="headers of the call",
        call={"extra_headers": {"X-A": "1"}},
        heads={"x-a": "1", "authorization": f"Bearer {KEY}"},
    ),
    Wish(
        name="headers of the call over those of the model",
        fields={"default_headers": {"X-A": "0", "X-B": "2"}},
        call={"extra_headers": {"x-a": "1"}},
        heads={"x-a": "1", "x-b": "2"},
    ),
    Wish(name="a query of the call", call={"extra_query": {"a": "1"}}, query="a=1"),
    Wish(
        name="a query of the call over that of the model",
        fields={"default_query": {"a": "0", "b": "2"}},
        call={"extra_query": {"a": "1"}},
        query="a=1&b=2",
    ),
    Wish(
        name="headers, query and timeout of a call with tools",
        tools=[WEATHER],
        call={"extra_headers": {"x-a": "1"}, "extra_query": {"a": "1"}, "timeout": 60},
        sends=[{"tools": [WEATHER.wire()]}],
        heads={"x-a": "1"},
        query="a=1",
    ),
    Wish(
        name="headers of a call for an object",
        schema=Person,
        call={"extra_headers": {"x-a": "1"}},
        replies=[says(ANN)],
        sends=[BY_SCHEMA],
        gives={"value": {"name": "Ann", "age": 3}},
        heads={"x-a": "1"},
    ),
]

NOT_THINKING = Check(
    "a body that does not switch thinking on, and says so",
    lambda sent: (
        sent.get("enable_thinking") is not True
        and (sent.get("enable_thinking") is False or sent.get("thinking") == {"reasoning_effort": "none"})
    ),
)


def _effort(effort: str) -> dict[str, Any]:
    return {"enable_thinking": True, "thinking": {"reasoning_effort": effort}}


EFFORTS = [
    Wish(name="the effort 'none' of the model", fields={"reasoning_effort": "none"}, sends=[NOT_THINKING]),
    Wish(name="the effort 'none' of the call", call={"reasoning_effort": "none"}, sends=[NOT_THINKING]),
    Wish(
        name="the effort 'none' of the call over that of the model",
        fields={"reasoning_effort": "high"},
        call={"reasoning_effort": "none"},
        sends=[NOT_THINKING],
    ),
    Wish(
        name="a forced tool beside the effort 'none' stays forced",
        fields={"reasoning_effort": "none"},
        tools=[WEATHER],
        choice="weather",
        replies=[says(None, calls=[made("weather", '{"city": "Lyon"}')])],
        sends=[Check("a forced tool", lambda sent: sent["tool_choice"] == FORCED and sent == NOT_THINKING)],
        gives={"calls": [("weather", {"city": "Lyon"})]},
    ),
    Wish(
        name="the effort 'none' among the settings of thinking that is off",
        fields={"enable_thinking": False, "thinking": {"reasoning_effort": "none"}},
        sends=[{"enable_thinking": False, "thinking": {"reasoning_effort": "none"}}],
    ),
    Wish(
        name="the effort of the model, and thinking that the call switches off",
        fields={"reasoning_effort": "high"},
        call={"enable_thinking": False},
        sends=[{"enable_thinking": False}],
    ),
    *(
        Wish(name=f"the effort {effort!r}", fields={"reasoning_effort": effort}, sends=[_effort(effort)])
        for effort in ("minimal", "xhigh", "max", "ultra")
    ),
    Wish(
        name="an effort among the settings of thinking",
        fields={"enable_thinking": True, "thinking": {"reasoning_effort": "xhigh", "thinking_level": "medium"}},
        sends=[{"enable_thinking": True, "thinking": {"reasoning_effort": "xhigh", "thinking_level": "medium"}}],
    ),
    Wish(
        name="vendors' words among the settings of search",
        fields={
            "enable_search": True,
            "search_config": {"recency_filter": "oneHour", "content_size": "low", "result_sequence": "around"},
        },
        sends=[
            {
                "enable_search": True,
                "search_config": {"recency_filter": "oneHour", "content_size": "low", "result_sequence": "around"},
            }
        ],
    ),
]

MOONSHOT = {"type": "builtin_function", "function": {"name": "$web_search"}}
# Arguable: a vendor's own tool for which GeekAI has no switch is sent as it was given, for nothing is dropped in silence.
VENDORS = [
    *(
        Wish(name=f"the provider's tool {tool}", tools=[tool], sends=[sent])
        for tool, sent in (
            ({"google_search": {}}, {"tools": [{"google_search": {}}]}),
            ({"code_execution": {}}, {"tools": [{"code_execution": {}}]}),
            ({"google_maps": {"a": 1}}, {"tools": [{"google_maps": {"a": 1}}]}),
            (MOONSHOT, {"tools": [MOONSHOT]}),
            (
                {"type": "code_interpreter", "container": {"type": "auto"}},
                {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
            ),
            ({"type": "web_search_preview"}, {"enable_search": True}),
            (
                {"type": "web_search", "search_config": {"count": 3}},
                {"enable_search": True, "search_config": {"count": 3}},
            ),
            ({"type": "image_generation"}, {"image_generation": True}),
            ({"type": "url_context"}, {"enable_url_context": True}),
        )
    ),
    Wish(
        name="a provider's tool beside a function",
        tools=[MOONSHOT, {"code_execution": {}}, WEATHER],
        sends=[{"tools": [MOONSHOT, {"code_execution": {}}, WEATHER.wire()]}],
    ),
    Wish(name="a function in wire form", tools=[WEATHER.wire()], sends=[{"tools": [WEATHER.wire()]}]),
]

FURTHER: dict[str, Any] = {
    "logit_bias": {"17": -100},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "service_tier": "flex",
    "store": True,
    "verbosity": "low",
    "safety_identifier": "u",
    "web_search_options": {"search_context_size": "low"},
}
FIELDS = [
    *(
        Wish(name=f"{name} of the model", fields={name: value}, sends=[{name: value}])
        for name, value in FURTHER.items()
    ),
    *(Wish(name=f"{name} of the call", call={name: value}, sends=[{name: value}]) for name, value in FURTHER.items()),
    Wish(
        name="the answer's class as response_format",
        call={"response_format": Person},
        replies=[says(ANN)],
        sends=[BY_SCHEMA],
        gives={"text": ANN},
    ),
    Wish(
        name="a key that was given as the base URL",
        lc={"base_url": "sk-secret-key"},
        li={"api_base": "sk-secret-key"},
        sends=[],
        gives={
            "error": "ConfigurationError",
            "words": Check("words without the key", lambda told: "secret" not in told),
        },
    ),
    Wish(
        name="a key within the base URL",
        lc={"base_url": "https://sk-secret-key@geekai.co/api/v1"},
        li={"api_base": "https://sk-secret-key@geekai.co/api/v1"},
        sends=[],
        gives={
            "error": "ConfigurationError",
            "words": Check("words without the key", lambda told: "secret" not in told),
        },
    ),
]

WISHES = [*LIMITS, *EFFORTS, *VENDORS, *FIELDS]

NOT_YET: dict[str, str] = {}
