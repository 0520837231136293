"""What goes back of earlier turns: reasoning, broken and unanswered calls, vendors' fields.

Reasoning goes back by `reasoning_history`. `"tools"`, the default: that of every assistant message of a turn that
called tools, in all later turns; of other turns none. A turn lasts from a user's message to the next, but a user's
message behind a tool's does not end it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from tests.parity.form import (
    HELLO,
    HI,
    STREAMED,
    WEATHER,
    Json,
    Wish,
    assistant,
    call,
    made,
    refuses,
    result,
    says,
    says_user,
    streams,
    system,
    user,
    wire_call,
    wire_calls,
    wire_result,
)
from tests.parity.strict import OBJECT, sendable

LYON = '{"city": "Lyon"}'
CALLING = says(None, calls=[made("weather", LYON)], reasoning="Where?")
CALLED = assistant(calls=[call("weather", {"city": "Lyon"})], reasoning="Where?")
CALLED_AGAIN = assistant(calls=[call("weather", {"city": "Oslo"}, "c2")], reasoning="And there?")
CALLED_SILENTLY = assistant(calls=[call("weather", {"city": "Oslo"}, "c2")])
W_CALLED = wire_calls(wire_call("weather", LYON), reasoning_content="Where?")
W_CALLED_AGAIN = wire_calls(wire_call("weather", '{"city": "Oslo"}', "c2"), reasoning_content="And there?")
SUNNY, W_SUNNY = result("sunny"), wire_result("sunny")
RAINY, W_RAINY = result("rainy", "c2"), wire_result("rainy", "c2")
SAID, W_SAID = assistant("It is sunny.", reasoning="So."), {"role": "assistant", "content": "It is sunny."}
W_REASONED = {**W_SAID, "reasoning_content": "So."}
NEXT, W_NEXT = user("And now?"), says_user("And now?")


def history(name: str, messages: list[Json], sent: list[Any], **fields: Any) -> Wish:
    """A history and what is sent of it."""
    return Wish(**{"name": name, "messages": messages, "sends": [{"messages": sent}], **fields})


def without(message: Json) -> Json:
    return {key: value for key, value in message.items() if key != "reasoning_content"}


LOOP = [user("Hi"), CALLED, SUNNY, SAID, NEXT]
POLICY: dict[str, dict[str, Any]] = {"all": {"reasoning_history": "all"}, "never": {"reasoning_history": "never"}}
REASONING = [
    history("the reasoning of a turn with tools, in the next turn", LOOP, [HI, W_CALLED, W_SUNNY, W_REASONED, W_NEXT]),
    history(
        "the reasoning of a turn with tools, two turns later",
        [*LOOP, assistant("Fine.", reasoning="Hm."), user("So?")],
        [HI, W_CALLED, W_SUNNY, W_REASONED, W_NEXT, {"role": "assistant", "content": "Fine."}, says_user("So?")],
    ),
    history("the reasoning of a running loop of tools", LOOP[:3], [HI, W_CALLED, W_SUNNY]),
    history(
        "the reasoning of two calls of one turn",
        [user("Hi"), CALLED, SUNNY, CALLED_AGAIN, RAINY, SAID, NEXT],
        [HI, W_CALLED, W_SUNNY, W_CALLED_AGAIN, W_RAINY, W_REASONED, W_NEXT],
    ),
    history("the reasoning of a turn without tools stays here", [user("Hi"), SAID, NEXT], [HI, W_SAID, W_NEXT]),
    history(
        "the reasoning of turns with and without tools",
        [user("Hi"), SAID, NEXT, CALLED, SUNNY],
        [HI, W_SAID, W_NEXT, W_CALLED, W_SUNNY],
    ),
    history(
        "a user's message behind a tool's does not end the turn",
        [user("Hi"), CALLED, SUNNY, user("Be brief."), SAID, NEXT],
        [HI, W_CALLED, W_SUNNY, says_user("Be brief."), W_REASONED, W_NEXT],
    ),
    history(
        "a call without reasoning beside one with",
        [user("Hi"), CALLED, SUNNY, CALLED_SILENTLY, RAINY],
        [HI, W_CALLED, W_SUNNY, {**W_CALLED_AGAIN, "reasoning_content": ""}, W_RAINY],
    ),
    # Arguable: the call is another model's, that of this request thinks, and its vendor demands the field.
    Wish(
        name="a call without reasoning to a model that thinks",
        fields={"enable_thinking": True},
        messages=[user("Hi"), CALLED_SILENTLY, RAINY],
        sends=[{"enable_thinking": True, "messages": [HI, {**W_CALLED_AGAIN, "reasoning_content": ""}, W_RAINY]}],
    ),
    history(
        "calls of a conversation without any reasoning",
        [user("Hi"), CALLED_SILENTLY, RAINY],
        [HI, without(W_CALLED_AGAIN), W_RAINY],
    ),
    history(
        "all reasoning, by policy",
        [user("Hi"), SAID, NEXT, CALLED, SUNNY],
        [HI, W_REASONED, W_NEXT, W_CALLED, W_SUNNY],
        fields=POLICY["all"],
    ),
    history(
        "no reasoning, by policy",
        LOOP,
        [HI, without(W_CALLED), W_SUNNY, W_SAID, W_NEXT],
        fields=POLICY["never"],
    ),
    Wish(
        name="an agent's second turn",
        tools=[WEATHER],
        replies=[CALLING, says("It is sunny.", reasoning="So."), HELLO],
        then=[[SUNNY], [NEXT]],
        sends=[
            {"tools": [WEATHER.wire()]},
            {"tools": [WEATHER.wire()], "messages": [HI, W_CALLED, W_SUNNY]},
            {"tools": [WEATHER.wire()], "messages": [HI, W_CALLED, W_SUNNY, W_REASONED, W_NEXT]},
        ],
    ),
]


def other_policy(name: str, words: str, first: list[Json], second: list[Json], **fields: Any) -> Wish:
    """A refusal of one policy, the other, and the other at once when the model is asked again."""
    return Wish(
        **{
            "name": name,
            "times": 2,
            "replies": [refuses(words), HELLO, HELLO],
            "sends": [{"messages": first}, {"messages": second}, {"messages": second}],
            **fields,
        }
    )


MUST = "The `reasoning_content` in the thinking mode must be passed back to the API."
MISSING = "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1"
MUST_NOT = "'reasoning_content' must not be passed in the input messages"
UNKNOWN = "messages[1].reasoning_content: Extra inputs are not permitted"
PLAIN = [user("Hi"), SAID, NEXT]
LOOP_WITH, LOOP_WITHOUT = [HI, W_CALLED, W_SUNNY], [HI, without(W_CALLED), W_SUNNY]
POLICIES = [
    *(
        other_policy(
            f"reasoning that is demanded: {words[:30]}",
            words,
            LOOP_WITHOUT,
            LOOP_WITH,
            messages=LOOP[:3],
            fields=POLICY["never"],
        )
        for words in (MUST, MISSING)
    ),
    *(
        other_policy(f"reasoning that is refused: {words[:30]}", words, LOOP_WITH, LOOP_WITHOUT, messages=LOOP[:3])
        for words in (
            MUST_NOT,
            UNKNOWN,
            "Unrecognized request argument supplied: reasoning_content",
            "Unknown name \"reasoning_content\" at 'messages[1]': Cannot find field.",
        )
    ),
    Wish(
        name="reasoning details that are refused",
        messages=[user("Hi"), assistant(calls=CALLED["calls"], reasoning_details=[{"type": "x", "data": "y"}]), SUNNY],
        replies=[refuses("messages[1].reasoning_details: Extra inputs are not permitted"), HELLO],
        sends=[
            {"messages": [HI, {**without(W_CALLED), "reasoning_details": [{"type": "x", "data": "y"}]}, W_SUNNY]},
            {"messages": LOOP_WITHOUT},
        ],
    ),
    Wish(
        name="reasoning that is refused by a stream's first event",
        messages=LOOP[:3],
        replies=[streams({"error": {"message": UNKNOWN, "code": 400}}, finish=...), HELLO],
        sends=[{"messages": LOOP_WITH}, {"messages": LOOP_WITHOUT}],
        ways=STREAMED,
    ),
    other_policy(
        "reasoning of turns without tools that is demanded",
        MUST,
        [HI, W_SAID, W_NEXT],
        [HI, W_REASONED, W_NEXT],
        messages=PLAIN,
    ),
    Wish(
        name="reasoning that is refused either way",
        messages=LOOP[:3],
        replies=[refuses(UNKNOWN), refuses(MUST)],
        sends=[{"messages": LOOP_WITH}, {"messages": LOOP_WITHOUT}],
        gives={"error": "BadRequestError"},
    ),
]


def broken(arguments: Any, sent: Any) -> Wish:
    return history(
        f"a call with the arguments {arguments!r} in the history",
        [user("Hi"), assistant(calls=[call("weather", arguments)]), SUNNY],
        [HI, wire_calls(wire_call("weather", sent)), W_SUNNY],
    )


BROKEN = [
    *(broken(arguments, "{}") for arguments in (None, "", "null", "[]", '{"a": ', "{'a': 1}", "[1]", "5", "a: 1")),
    broken('"{\\"a\\": 1}"', '{"a": 1}'),
    broken('{"a":1}', OBJECT),
    broken('{"a": 1} as you wished', OBJECT),
    broken({"城市": "北京"}, '{"城市": "北京"}'),
    *(
        broken(arguments, "{}")
        for arguments in ('{"a": 1e999}', '{"a": NaN}', '{"a": 1} {"b": 2}', '[{"a": 1}]', "```json\n{}\n```", "true")
    ),
    broken('{"a": 1}}', '{"a": 1}'),
    broken('{}{"a": 1}', '{"a": 1}'),
    # What another integration's tool was called with, and JSON has no word for.
    *(broken({"a": value}, OBJECT) for value in (date(2026, 1, 1), {1, 2}, b"x", 1j, "\ud83d")),
    *(broken({"a": float(value)}, '{"a":null}') for value in ("nan", "inf")),
    # LangChain's own class refuses these; LlamaIndex's block takes whatever another integration left in it.
    *(replace(broken(arguments, "{}"), sides=("li",)) for arguments in ([], [1], 5)),
    Wish(
        name="a broken call of this server's, answered and sent back",
        tools=[WEATHER],
        replies=[says("So.", calls=[made("weather", '{"city": "Ly')]), HELLO],
        then=[[result("the arguments were broken", "c1")]],
        sends=[{"tools": [WEATHER.wire()]}, sendable("So.", "broken")],
    ),
    Wish(
        name="a cut call of this server's, followed by the user",
        tools=[WEATHER],
        replies=[says(None, calls=[made("weather", '{"city": "Ly')], finish="length"), HELLO],
        then=[[NEXT]],
        sends=[{"tools": [WEATHER.wire()]}, sendable("And now?")],
    ),
]
CALLS = [call("weather", {"city": "Lyon"}), call("weather", {"city": "Oslo"}, "c2")]


def strict(name: str, messages: list[Any], *words: str, **fields: Any) -> Wish:
    """A history that only has to be sendable to a strict server, with what it said."""
    return Wish(**{"name": name, "messages": messages, "sends": [sendable(*words)], **fields})


UNANSWERED = [
    strict("a call that nothing answers", [user("Hi"), assistant(calls=CALLS[:1]), NEXT], "And now?"),
    strict(
        "a broken call that nothing answers", [user("Hi"), assistant("So.", calls=[call("f", '{"a": ')]), NEXT], "So."
    ),
    strict("a call that nothing answers, at the end", [user("Hi"), assistant("So.", calls=CALLS[:1])], "So."),
    strict("two calls, one answered", [user("Hi"), assistant(calls=CALLS), SUNNY, NEXT], "sunny"),
    strict(
        "two calls answered in the other order", [user("Hi"), assistant(calls=CALLS), RAINY, SUNNY], "rainy", "sunny"
    ),
    strict("an answer behind the user's message", [user("Hi"), assistant(calls=CALLS[:1]), NEXT, SUNNY], "And now?"),
    strict("a call answered twice", [user("Hi"), assistant(calls=CALLS[:1]), SUNNY, SUNNY, NEXT], "sunny"),
    strict(
        "two calls with one id",
        [user("Hi"), assistant(calls=[CALLS[0], call("clock", {"zone": "CET"})]), SUNNY, result("noon"), NEXT],
        "sunny",
        "noon",
    ),
    strict("the model's message twice", [user("Hi"), *[assistant(calls=CALLS[:1])] * 2, SUNNY, NEXT], "sunny"),
    strict(
        "an id that is used again in the next turn",
        [user("Hi"), assistant(calls=CALLS[:1]), SUNNY, NEXT, assistant(calls=CALLS[:1]), result("warm"), user("So?")],
        "sunny",
        "warm",
    ),
    strict("an answer before its call", [user("Hi"), SUNNY, assistant(calls=CALLS[:1]), NEXT], "sunny"),
    strict("a user's message between two answers", [user("Hi"), assistant(calls=CALLS), SUNNY, NEXT, RAINY], "rainy"),
    strict("a call without a name, answered", [user("Hi"), assistant("So.", calls=[call("", {})]), SUNNY], "So."),
    strict("an empty answer to no call", [user("Hi"), result(""), NEXT], "And now?"),
    strict("an empty answer to a call", [user("Hi"), assistant(calls=CALLS[:1]), result(""), NEXT], "And now?"),
    strict("an empty system message", [system(""), user("Hi")], "Hi"),
    strict("a blank message of the model's", [user("Hi"), assistant(" "), NEXT], "And now?"),
    strict("a history that begins with the model", [SAID, NEXT], "It is sunny."),
    strict("an answer to no call", [user("Hi"), SUNNY, NEXT], "And now?"),
    strict("an answer to a call that memory has cut off", [SUNNY, SAID, NEXT], "It is sunny."),
]
EMPTY = [
    history(
        "an assistant's message of thoughts alone", [user("Hi"), assistant("", reasoning="Hm."), NEXT], [HI, W_NEXT]
    ),
    history(
        "an assistant's message of thoughts alone, where all reasoning goes back",
        [user("Hi"), assistant("", reasoning="Hm."), NEXT],
        [HI, W_NEXT],
        fields=POLICY["all"],
    ),
    history("an empty assistant's message", [user("Hi"), assistant(""), NEXT], [HI, W_NEXT]),
    Wish(
        name="thoughts alone of this server's",
        replies=[says("", reasoning="Hm."), HELLO],
        then=[[NEXT]],
        sends=[{}, {"messages": [HI, W_NEXT]}],
    ),
]

WISHES = [*REASONING, *POLICIES, *BROKEN, *UNANSWERED, *EMPTY]

NOT_YET: dict[str, str] = {}
