"""Structured output where a model refuses a way, ignores it, or answers oddly.

The ways: `json_schema`, a forced tool, JSON mode, words alone. What a model refused is remembered per base URL and
model, so that six predictions are at most eight requests.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from tests.parity.form import MAY_WARN, STREAMED, WHOLE, Check, Wish, body, holds, made, refuses, says
from tests.parity.objects import CALLED, NO_FORMAT, NO_TOOLS, OK, person
from tests.parity.refusals import closed
from tests.parity.rungs import (
    ANN_VALUE,
    BY_JSON_FORMAT,
    BY_JSON_MODE,
    BY_OFFERED_TOOL,
    BY_SCHEMA,
    BY_TOOL,
    BY_WORDS,
    UNFIT,
    Person,
    once_more,
)


def refused(words: str, status: int = 400, **fields: Any) -> Wish:
    """`json_schema` refused in these words: a tool is next, and is first when the model is asked again."""
    known = {"replies": [refuses(words, status), CALLED, CALLED], "sends": [BY_SCHEMA, BY_TOOL, BY_TOOL], "times": 2}
    return Wish(
        **{"name": f"a schema, {status}: {words}", "schema": Person, "gives": {"value": ANN_VALUE}, **known, **fields}
    )


WORDINGS = [
    *(
        refused(words)
        for words in (
            "This response_format type is unavailable now",
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
            "model does not support feature: structured-outputs",
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "output_config.format: Extra inputs are not permitted",
            "'text.format' is not supported with this model",
            "response_format/type must be equal to one of the allowed values",
            "json: cannot unmarshal object into Go struct field ChatRequest.response_format of type string",
            "guided_json is not supported by this backend",
            "guided decoding is not available for this model",
            "xgrammar: this schema is not supported",
            "模型不支持 json_schema",
            "grammar is not supported with this backend",
            "failed to parse grammar",
            "Failed to generate valid JSON",
            "The json_schema response_format is only available on newer models",
            "'json_schema' is not a valid ResponseFormatType",
        )
    ),
    refused("Input should be 'text' or 'json_object' (type=literal_error, loc=response_format.type)", 422),
    refused(
        "1 validation error: {'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), "
        "'msg': \"Input should be 'text' or 'json_object'\"}",
        500,
        fields={"max_retries": 1},
    ),
    refused("response_format.type: Input should be 'text'", 502, fields={"max_retries": 1}),
    refused("No endpoints found that support response_format", 404),
    refused("response_format is not implemented", 501, fields={"max_retries": 1}),
    Wish(
        name="a schema, by its code json_validate_failed",
        schema=Person,
        replies=[refuses("Failed to generate JSON. Please adjust your prompt.", code="json_validate_failed"), CALLED],
        sends=[BY_SCHEMA, BY_TOOL],
        gives={"value": ANN_VALUE},
    ),
    Wish(
        name="a schema, by the parameter that the error names",
        schema=Person,
        replies=[refuses("Invalid value: 'json_schema'.", param="response_format.type"), CALLED],
        sends=[BY_SCHEMA, BY_TOOL],
        gives={"value": ANN_VALUE},
    ),
    Wish(
        name="a schema, by FastAPI's list of details",
        schema=Person,
        replies=[
            body(
                {"detail": [{"type": "enum", "loc": ["body", "response_format"], "msg": "Input should be 'text'"}]},
                status=422,
            ),
            CALLED,
        ],
        sends=[BY_SCHEMA, BY_TOOL],
        gives={"value": ANN_VALUE},
    ),
]


def tools_refused(words: str, status: int = 400) -> Wish:
    return person(
        f"a tool, {status}: {words}",
        NO_FORMAT,
        refuses(words, status),
        OK,
        sends=[BY_SCHEMA, BY_TOOL, BY_JSON_MODE],
    )


LATER = [
    *(
        tools_refused(*one)
        for one in (
            ("No endpoints found that support tool use", 404),
            ("Function calling is not enabled for this model",),
            ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',),
            ("tool calling needs the server's --tool-call-parser; tool_choice is not supported",),
            ("tools param requires --jinja flag", 500),
            ("当前模型暂不支持函数调用功能",),
            ("tools is not supported in this model", 500),
            ("This model does not have tool support",),
        )
    ),
    person(
        "a forced tool that is refused while the model thinks by itself",
        NO_FORMAT,
        refuses("Thinking mode does not support this tool_choice"),
        CALLED,
        sends=[BY_SCHEMA, BY_TOOL, BY_OFFERED_TOOL],
        warns=MAY_WARN,
    ),
    person(
        "JSON mode whose own field is unexpected",
        NO_FORMAT,
        NO_TOOLS,
        refuses("json_mode: Extra inputs are not permitted"),
        OK,
        sends=[BY_SCHEMA, BY_TOOL, BY_JSON_MODE, BY_JSON_FORMAT],
    ),
    person(
        "words that fail for another reason",
        NO_FORMAT,
        NO_TOOLS,
        NO_FORMAT,
        refuses("not for you", 403),
        sends=[BY_SCHEMA, BY_TOOL, BY_JSON_MODE, BY_WORDS],
        gives={"error": "PermissionDeniedError"},
    ),
    person(
        "six predictions of a model that knows no schema",
        NO_FORMAT,
        *[CALLED] * 6,
        sends=[BY_SCHEMA, *[BY_TOOL] * 6],
        times=6,
    ),
    person(
        "six predictions of a model that knows neither schema nor tools",
        NO_FORMAT,
        NO_TOOLS,
        *[OK] * 6,
        sends=[BY_SCHEMA, BY_TOOL, *[BY_JSON_MODE] * 6],
        times=6,
    ),
    person(
        "two predictions of a model whose first answer does not fit",
        says(UNFIT),
        OK,
        OK,
        sends=[BY_SCHEMA, once_more(BY_SCHEMA), BY_SCHEMA],
        times=2,
        ways=WHOLE,
    ),
]

PROSE = says("Ann is a girl of three years.")
IGNORED = [
    # The field was ignored, so JSON mode would be too.
    *(
        person(
            f"prose although JSON was asked for: a tool ({'streamed' if ways is STREAMED else 'whole'})",
            PROSE,
            CALLED,
            sends=[BY_SCHEMA, BY_TOOL],
            ways=ways,
        )
        for ways in (WHOLE, STREAMED)
    ),
    *(
        person(
            f"prose although a tool was forced, too: words ({'streamed' if ways is STREAMED else 'whole'})",
            PROSE,
            PROSE,
            OK,
            sends=[BY_SCHEMA, BY_TOOL, BY_WORDS],
            ways=ways,
        )
        for ways in (WHOLE, STREAMED)
    ),
    person(
        "prose, and tools that are refused: words",
        PROSE,
        NO_TOOLS,
        OK,
        OK,
        sends=[BY_SCHEMA, BY_TOOL, BY_WORDS, BY_WORDS],
        times=2,
    ),
    person(
        "prose once may be chance: the schema is asked for again the next time",
        PROSE,
        CALLED,
        OK,
        sends=[BY_SCHEMA, BY_TOOL, BY_SCHEMA],
        times=2,
    ),
    person(
        "prose twice although JSON was asked for: a tool at once from then on",
        *[PROSE, CALLED] * 2,
        *[CALLED] * 4,
        sends=[*[BY_SCHEMA, BY_TOOL] * 2, *[BY_TOOL] * 4],
        times=6,
    ),
    person(
        "prose by two ways: words at once from then on",
        *[PROSE] * 2,
        *[OK] * 6,
        sends=[BY_SCHEMA, BY_TOOL, *[BY_WORDS] * 6],
        times=6,
    ),
    person(
        "prose by every way, streamed: the first error",
        PROSE,
        says("I cannot."),
        says("No."),
        sends=[BY_SCHEMA, BY_TOOL, BY_WORDS],
        gives={"error": "InvalidResponseError", "words": holds("girl of three")},
        ways=STREAMED,
    ),
    person(
        "prose by every way: the first error",
        PROSE,
        says("I cannot."),
        says("No."),
        sends=[BY_SCHEMA, BY_TOOL, BY_WORDS],
        gives={"error": "InvalidResponseError", "words": holds("girl of three")},
        ways=WHOLE,
    ),
    person(
        "a refusal by the model is no prose",
        says(None, extra={"refusal": "I will not."}, finish="stop"),
        sends=[BY_SCHEMA],
        gives={"error": holds("Error"), "words": holds("I will not.")},
    ),
]


class Team(BaseModel):
    """A team."""

    names: list[str]
    lead: Person | None = None


NAMES = {"names": ["Ann", "Bob"], "lead": None}
ODD = [
    Wish(
        name=f"{what}",
        schema=Team,
        replies=[reply],
        sends=[Check("a request by json_schema", lambda sent: sent["response_format"]["type"] == "json_schema")],
        gives={"value": NAMES},
    )
    for what, reply in (
        ("a list that came as a JSON string", says('{"names": "[\\"Ann\\", \\"Bob\\"]"}')),
        ("JSON encoded twice", says('"{\\"names\\": [\\"Ann\\", \\"Bob\\"]}"')),
        ("content that is an object already", says({"names": ["Ann", "Bob"]})),
        ("content that is an object, beside reasoning", says({"names": ["Ann", "Bob"], "lead": None}, reasoning="Hm.")),
        ("JSON in the reasoning alone", says("", reasoning='{"names": ["Ann", "Bob"]}')),
        (
            "fenced JSON in the reasoning alone",
            says(None, reasoning='So:\n```json\n{"names": ["Ann", "Bob"]}\n```', finish="stop"),
        ),
    )
]


ODD += [
    Wish(name=name, schema=Team, replies=[reply], sends=ODD[0].sends, gives={"value": NAMES})
    for name, reply in (
        ("a list that came in a fence within a text", says('{"names": "```json\\n[\\"Ann\\", \\"Bob\\"]\\n```"}')),
        ("JSON within the tags of thoughts alone", says('<think>{"names": ["Ann", "Bob"]}</think>')),
        ("JSON in parts of text", says([{"type": "text", "text": '{"names": ["Ann", '}, {"text": '"Bob"]}'}])),
        ("JSON with one brace too much", says('{"names": ["Ann", "Bob"]}}')),
        ("a call in place of text", says(None, calls=[made("team", '{"names": ["Ann", "Bob"]}')])),
    )
]
ODD.append(
    Wish(
        name="an object that came as a JSON string",
        schema=Team,
        replies=[says('{"names": ["Ann"], "lead": "{\\"name\\": \\"Bob\\", \\"age\\": 3}"}')],
        sends=ODD[0].sends,
        gives={"value": {"names": ["Ann"], "lead": {"name": "Bob", "age": 3}}},
    )
)


class Crew(BaseModel):
    """A crew."""

    members: list[Person]
    note: str | None = None


ODD += [
    Wish(
        name="objects within a list that each came as a JSON string",
        schema=Crew,
        replies=[says('{"members": ["{\\"name\\": \\"Bob\\", \\"age\\": 3}"]}')],
        sends=ODD[0].sends,
        gives={"value": {"members": [{"name": "Bob", "age": 3}], "note": None}},
    ),
    Wish(
        name="a list of a tool's arguments that came as a JSON string",
        schema=Crew,
        method="function_calling",
        replies=[says(None, calls=[made("Crew", '{"members": "[{\\"name\\": \\"Bob\\", \\"age\\": 3}]"}')])],
        sends=[Check("a request by a tool", lambda sent: "tools" in sent)],
        gives={"value": {"members": [{"name": "Bob", "age": 3}], "note": None}},
    ),
    Wish(
        name="a text that looks like JSON, where a text is wanted",
        schema=Crew,
        replies=[says('{"members": [], "note": "[1]"}')],
        sends=ODD[0].sends,
        gives={"value": {"members": [], "note": "[1]"}},
    ),
]


def _closed_format(sent: Any) -> bool:
    return closed(sent["response_format"]["json_schema"]["schema"])


SCHEMAS = [
    Wish(
        name="a schema that strict servers take: nested, with an optional field",
        schema=Team,
        replies=[says('{"names": ["Ann", "Bob"], "lead": null}')],
        sends=[Check("a schema whose objects are all closed", _closed_format)],
        gives={"value": NAMES},
    ),
    Wish(
        name="a tool's schema that strict servers take",
        schema=Team,
        method="function_calling",
        replies=[says(None, calls=[made("Team", '{"names": ["Ann", "Bob"], "lead": null}')])],
        sends=[
            Check(
                "a tool whose objects are all closed", lambda sent: closed(sent["tools"][0]["function"]["parameters"])
            )
        ],
        gives={"value": NAMES},
    ),
]


class Tree(BaseModel):
    """A tree."""

    name: str
    children: list[Tree] = []


class Counts(BaseModel):
    """How often each word comes."""

    words: dict[str, int]


TREE = {"name": "oak", "children": [{"name": "twig", "children": []}]}
CLOSED_TREE = {
    "description": "A tree.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
    "required": ["name", "children"],
    "additionalProperties": False,
}
COUNTS = {
    "description": "How often each word comes.",
    "type": "object",
    "properties": {"words": {"type": "object", "additionalProperties": {"type": "integer"}}},
    "required": ["words"],
}


def _format(name: str, schema: dict[str, Any], **flags: Any) -> dict[str, Any]:
    described = {"name": name, "description": schema["description"], "schema": schema, **flags}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


SCHEMAS += [
    Wish(
        name="a class that contains itself",
        schema=Tree,
        replies=[says(json.dumps(TREE))],
        sends=[_format("Tree", {**CLOSED_TREE, "$defs": {"Tree": CLOSED_TREE}}, strict=True)],
        gives={"value": TREE},
    ),
    Wish(
        name="a class that no strict server takes is not asked for strictly",
        schema=Counts,
        replies=[says('{"words": {"a": 2}}')],
        sends=[_format("Counts", COUNTS)],
        gives={"value": {"words": {"a": 2}}},
    ),
]

WISHES = [*WORDINGS, *LATER, *IGNORED, *ODD, *SCHEMAS]

NOT_YET: dict[str, str] = {}
