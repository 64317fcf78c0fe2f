"""OpenAPI 3.1 from the operations and their wire models."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from aboveboard.operations import Answers, Operation

PROBLEM_TYPE = "application/problem+json"
TITLES = {
    200: "Done",
    201: "Stored",
    400: "Malformed",
    401: "No valid key",
    403: "The key lacks the scope",
    404: "Not there",
    408: "The request came too slowly",
    409: "In conflict with what is stored",
    410: "Erased",
    413: "Too large",
    415: "Not JSON",
    422: "Not of the expected shape",
    429: "Too many wrong keys",
    503: "Not now",
}

PASSING = {429, 503}
RETRY_AFTER = {
    "description": "after how many seconds another try makes sense, where one does",
    "schema": {"type": "integer", "minimum": 0},
}

IDEMPOTENCY_KEY = (
    "A name for this one act, new for each and the same when it is sent again: the first answer is "
    "given again, and nothing happens twice. The same as the body's `idempotency_key`, for clients "
    "with headers."
)

SIGNED = {
    "webhook-id": {"type": "string", "description": "the same whenever the message is sent"},
    "webhook-timestamp": {"type": "string", "description": "when it was sent, in Unix seconds"},
    "webhook-signature": {"type": "string", "description": "of id, time and body"},
}
"""The headers of a post to a webhook (Standard Webhooks 1.0)."""

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "A problem document (RFC 9457)",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "record_id": {"type": "string"},
        "present": {"type": "object"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "problem"],
                "properties": {"where": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}

_PLACED = re.compile(r"\b([a-z]+)__\w+__(\w+)")  # pydantic's: the modules, then the name
_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")  # Starlette's: a name, and what it takes


def describe(
    operations: Sequence[Operation],
    *,
    version: str,
    messages: Mapping[str, type[BaseModel]],
    public_url: str | None = None,
) -> dict[str, Any]:
    """Return the OpenAPI document of *operations*; *messages* are what webhooks are posted.

    *public_url* is where clients reach them, None where that is where they found the document.
    """
    inputs = _distinct(
        [model for item in operations for model in (item.body, item.query) if model is not None]
    )
    outputs = _distinct(
        [
            model
            for item in operations
            for answer in item.answers.values()
            for model in _choices(answer)
            if not isinstance(model, str)
        ]
        + list(messages.values())
    )
    names, definitions = models_json_schema(
        [
            *((model, "validation") for model in inputs),
            *((model, "serialization") for model in outputs),
        ],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Any] = {}
    for item in operations:
        path = _PARAMETER.sub(r"{\1}", item.path)
        paths.setdefault(path, {})[item.method.lower()] = _operation(item, names, definitions)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "aboveboard",
            "version": version,
            "summary": "Comment moderation and provable consent behind one small service",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/" if public_url is None else public_url.rstrip("/")}],
        "paths": paths,
        "webhooks": {name: _webhook(model, names) for name, model in messages.items()},
        "components": {
            "schemas": {**_shared(operations, names, definitions), "Problem": PROBLEM_SCHEMA},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key"}
            },
        },
    }
    renamed: dict[str, Any] = _renamed(document)
    return renamed


def _renamed(part: Any) -> Any:  # noqa: ANN401 - any JSON
    """Call models of one name by their half's as well, not by where their code lies."""
    if isinstance(part, list):
        return [_renamed(item) for item in part]
    if isinstance(part, dict):
        return {_short(name): _renamed(value) for name, value in part.items()}
    return _short(part) if isinstance(part, str) else part


def _short(name: str) -> str:
    return _PLACED.sub(lambda found: f"{found[1].title()}{found[2]}", name)


def _shared(
    operations: Sequence[Operation],
    names: Any,  # noqa: ANN401 - pydantic's mapping
    definitions: dict[str, Any],
) -> dict[str, Any]:
    # A query's model is told as parameters; only what it refers to is a schema of its own.
    queries = {_name_of(item.query, names) for item in operations if item.query is not None}
    shared: dict[str, Any] = _absent_not_null(definitions.get("$defs", {}))
    # Generators name classes by titles, which two models of one name have in common.
    return {
        name: {**schema, "title": name} for name, schema in shared.items() if name not in queries
    }


def _absent_not_null(part: Any) -> Any:  # noqa: ANN401 - any JSON
    # Generators take a member with a default for one that is always there: answers leave those
    # out whose default is null, and requests may.
    if isinstance(part, list):
        return [_absent_not_null(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: _absent_not_null(value)
        for name, value in part.items()
        if not (name == "default" and value is None)
    }


def _distinct(models: Sequence[type[BaseModel]]) -> list[type[BaseModel]]:
    return list(dict.fromkeys(models))


def _operation(
    item: Operation,
    names: Any,  # noqa: ANN401 - pydantic's mapping
    definitions: dict[str, Any],
) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": item.name, "summary": item.summary}
    parameters = _path_parameters(item) + _query_parameters(item, names, definitions)
    described["security"] = [] if item.scope is None else [{"key": []}]
    if item.scope is not None:
        described["description"] = f"Needs a key with the scope `{item.scope}`."
        parameters.append(
            {
                "name": "X-Site",
                "in": "header",
                "description": "the site, where the key has several",
                "schema": {"type": "string", "maxLength": 40},
            }
        )
    if item.body is not None and "idempotency_key" in item.body.model_fields:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": IDEMPOTENCY_KEY,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    if parameters:
        described["parameters"] = parameters
    if item.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": names[item.body, "validation"]}},
        }
    described["responses"] = _responses(item, names)
    return described


def _webhook(model: type[BaseModel], names: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "post": {
            "summary": (model.__doc__ or "").partition("\n")[0],
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "required": True, "schema": schema}
                for name, schema in SIGNED.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": names[model, "serialization"]}},
            },
            "responses": {
                "2XX": {"description": "Taken"},
                "410": {"description": "Nothing more is wanted: the webhook is disabled"},
                "default": {"description": "Not taken: it is sent again, under its id"},
            },
        }
    }


def _path_parameters(item: Operation) -> list[dict[str, Any]]:
    found = _PARAMETER.findall(item.path)
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0} if kind == "int" else {"type": "string"},
        }
        for name, kind in found
    ]


def _query_parameters(
    item: Operation,
    names: Any,  # noqa: ANN401 - pydantic's mapping
    definitions: dict[str, Any],
) -> list[dict[str, Any]]:
    if item.query is None:
        return []
    schema = definitions["$defs"][_name_of(item.query, names)]
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _without_null(part),
        }
        for name, part in schema["properties"].items()
    ]


def _name_of(query: type[BaseModel], names: Any) -> str:  # noqa: ANN401 - pydantic's mapping
    # Of all models together: two of one name are told apart only there.
    return str(names[query, "validation"]["$ref"].rpartition("/")[2])


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    # A query parameter is absent, never null: what then holds is told.
    choices = [part for part in schema.get("anyOf", []) if part.get("type") != "null"]
    rest = {
        name: value
        for name, value in schema.items()
        if name not in {"anyOf", "title"} and (name, value) != ("default", None)
    }
    return {**choices[0], **rest} if len(choices) == 1 else rest or schema


def _choices(answer: Answers) -> tuple[type[BaseModel] | str, ...]:
    """Return what a client may choose from."""
    return answer if isinstance(answer, tuple) else (answer,)


def _responses(item: Operation, names: Any) -> dict[str, Any]:  # noqa: ANN401
    responses: dict[str, Any] = {}
    for status, answer in item.answers.items():
        if answer == PROBLEM_TYPE:
            responses[str(status)] = _problem(status)
        else:
            content: dict[str, Any] = {}
            for choice in _choices(answer):
                if isinstance(choice, str):
                    # By `format` generators tell bytes from text; 3.1 itself needs no schema here.
                    binary = {} if choice.startswith("text/") else {"format": "binary"}
                    content[choice] = {"schema": {"type": "string", **binary}}
                else:
                    content["application/json"] = {"schema": names[choice, "serialization"]}
            responses[str(status)] = {"description": TITLES[status], "content": content}
    for status in _refusals(item):
        responses.setdefault(str(status), _problem(status))
    return dict(sorted(responses.items()))


def _refusals(item: Operation) -> list[int]:
    statuses = [503]
    if item.scope is not None:
        statuses += [400, 401, 403, 404, 429]
    if item.body is not None:
        statuses += [400, 408, 413, 415, 422]
    if item.query is not None:
        statuses += [400, 422]
    return statuses


def _problem(status: int) -> dict[str, Any]:
    headers = {"headers": {"Retry-After": RETRY_AFTER}} if status in PASSING else {}
    return {
        "description": TITLES[status],
        **headers,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
