"""Structured output: the same class asked for by `with_structured_output` and by `structured_predict`."""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import delta
from tests.parity.form import STREAMED, WHOLE, Wanted, Wish, body, holds, made, refuses, says
from tests.parity.rungs import (
    ANN,
    ANN_VALUE,
    BY_JSON_MODE,
    BY_OFFERED_TOOL,
    BY_SCHEMA,
    BY_TOOL,
    BY_WORDS,
    UNFIT,
    Person,
    beside,
    once_more,
)

OK = says(ANN)
CALLED = says(None, calls=[made("Person", ANN)])
NO_FORMAT = refuses("This response_format type is unavailable now")
NO_TOOLS = refuses("tools are not supported by this model")
RIGHT: dict[str, Any] = {"value": ANN_VALUE}


def person(name: str, *replies: Any, sends: list[Any], **fields: Any) -> Wish:
    return Wish(**{"name": name, "schema": Person, "replies": replies, "sends": sends, "gives": RIGHT, **fields})


WISHES = [
    person("an object by its schema", OK, sends=[BY_SCHEMA]),
    person("an object by a tool", CALLED, sends=[BY_TOOL], method="function_calling"),
    person("an object that comes in a fence", says(f"```json\n{ANN}\n```"), sends=[BY_SCHEMA]),
    person("an object behind prose", says(f"Here it is: {ANN}"), sends=[BY_SCHEMA]),
    person(
        "an object in pieces",
        says(ANN, pieces=[delta(piece) for piece in (ANN[:5], ANN[5:12], ANN[12:])]),
        sends=[BY_SCHEMA],
    ),
    person("a schema that is refused: a tool", NO_FORMAT, CALLED, sends=[BY_SCHEMA, BY_TOOL]),
    person(
        "a schema and tools that are refused: JSON mode",
        NO_FORMAT,
        NO_TOOLS,
        OK,
        sends=[BY_SCHEMA, BY_TOOL, BY_JSON_MODE],
    ),
    person(
        "all that is refused: words",
        NO_FORMAT,
        NO_TOOLS,
        NO_FORMAT,
        OK,
        sends=[BY_SCHEMA, BY_TOOL, BY_JSON_MODE, BY_WORDS],
    ),
    person(
        "a schema that is refused while thinking: no tool is forced",
        NO_FORMAT,
        OK,
        sends=[BY_SCHEMA, BY_JSON_MODE],
        fields={"enable_thinking": True},
    ),
    person(
        "a tool while thinking is offered",
        CALLED,
        sends=[BY_OFFERED_TOOL],
        method="function_calling",
        fields={"enable_thinking": True},
    ),
    person(
        "an answer that does not fit is asked for once more",
        says(UNFIT),
        OK,
        sends=[BY_SCHEMA, once_more(BY_SCHEMA)],
        ways=WHOLE,
    ),
    person(
        "a streamed answer that does not fit is asked for once more",
        says(UNFIT),
        OK,
        sends=[BY_SCHEMA, once_more(BY_SCHEMA)],
        ways=STREAMED,
        wanted={
            "lc": Wanted(
                "LangChain adds up what a model streams: a second answer behind the first would be read as one text",
                sends=[BY_SCHEMA],
                gives={"value": None, "error": "InvalidResponseError", "words": holds("age")},
            )
        },
    ),
    person(
        "an answer that never fits",
        says(UNFIT),
        says(UNFIT),
        sends=[BY_SCHEMA, once_more(BY_SCHEMA)],
        gives={"error": "InvalidResponseError", "words": holds("age")},
        ways=WHOLE,
    ),
    person(
        "an answer that the token limit cut is not asked for again",
        says(ANN[:12], finish="length"),
        sends=[BY_SCHEMA],
        gives={"error": "InvalidResponseError", "words": holds("token limit")},
    ),
    person(
        "an error that is no refusal",
        refuses("no such model", 404),
        sends=[BY_SCHEMA],
        gives={"error": "NotFoundError", "words": holds("no such model")},
    ),
    person(
        "a wrong key",
        refuses("tools are not supported", 401),
        sends=[BY_SCHEMA],
        gives={"error": "AuthenticationError"},
    ),
    person(
        "a refusal in a good answer's place",
        body({"error": {"message": "response_format is not supported", "code": "invalid_request_error"}}),
        CALLED,
        sends=[BY_SCHEMA, BY_TOOL],
    ),
    person(
        "a field of the call beside the schema",
        OK,
        sends=[beside(BY_SCHEMA, temperature=0)],
        call={"temperature": 0},
    ),
]

NOT_YET: dict[str, str] = {}
