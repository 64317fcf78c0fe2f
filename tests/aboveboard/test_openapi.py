"""The OpenAPI document: complete, closed in itself, and told by the operations themselves."""

import re
from collections.abc import Iterator
from inspect import signature
from typing import Any
from unittest.mock import sentinel

import pytest

from aboveboard import openapi, problems
from aboveboard.limits import BATCH_BYTES
from aboveboard.operations import Catalogue
from aboveboard.webhooks.messages import MESSAGES
from consent.routes.events import EventRoutes
from consent.routes.logs import LogRoutes
from consent.routes.notices import NoticeRoutes
from consent.routes.settings import SettingRoutes
from consent.routes.standings import StandingRoutes
from moderation.routes.comments import CommentRoutes
from moderation.routes.policies import PolicyRoutes


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Declare every operation; nothing of them is called."""
    made = Catalogue()
    CommentRoutes(
        sentinel.screening, refuse=sentinel.refuse, fingerprint=sentinel.fingerprint
    ).declare(made.declare, batch_bytes=BATCH_BYTES)
    parts = {name: getattr(sentinel, name) for name in signature(PolicyRoutes).parameters}
    PolicyRoutes(**parts).declare(made.declare, policy_bytes=BATCH_BYTES)
    for kind in (EventRoutes, StandingRoutes, SettingRoutes, NoticeRoutes, LogRoutes):
        parts = {name: getattr(sentinel, name) for name in signature(kind).parameters}
        kind(**parts).declare(made.declare)
    return made


@pytest.fixture(scope="module")
def document(catalogue: Catalogue) -> dict[str, Any]:
    """Describe them."""
    return openapi.describe(catalogue.operations, version="1.2.3", messages=MESSAGES)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Go through every method of every path."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield path, method, described


def references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Go through every reference in a document."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    """With title, version and licence."""
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"
    assert document["info"]["license"]["identifier"] == "Apache-2.0"


def test_it_says_where_clients_reach_the_service(
    catalogue: Catalogue, document: dict[str, Any]
) -> None:
    """By the setting, below whose path everything may lie; otherwise where the document is."""
    below = openapi.describe(
        catalogue.operations, version="1.2.3", messages={}, public_url="https://c.example/mod/"
    )

    assert document["servers"] == [{"url": "/"}]
    assert below["servers"] == [{"url": "https://c.example/mod"}]


def test_every_operation_is_told(catalogue: Catalogue, document: dict[str, Any]) -> None:
    """Path and method of each, under a name of its own, with one line of what it does."""
    found = {(path, method.upper()) for path, method, _ in operations(document)}
    names = [described["operationId"] for _, _, described in operations(document)]

    assert found == {(item.path.replace(":path", ""), item.method) for item in catalogue.operations}
    assert len(set(names)) == len(names)
    assert all(described["summary"] for _, _, described in operations(document))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No schema is missing, none is left over."""
    named = set(references(document))
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert named == there


def test_schemas_are_told_apart(document: dict[str, Any]) -> None:
    """Each has a title of its own, for code generators name classes by it."""
    schemas = document["components"]["schemas"]
    titles = [schema["title"] for name, schema in schemas.items() if name != "Problem"]

    assert [name for name in schemas if "__" in name] == []  # as those of one name are called
    assert len(set(titles)) == len(titles)


def test_what_webhooks_are_posted_is_told(document: dict[str, Any]) -> None:
    """Each event by its name, signed by three headers, and named in its own message."""
    for name, told in document["webhooks"].items():
        headers = {item["name"] for item in told["post"]["parameters"]}
        assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
        content = told["post"]["requestBody"]["content"]["application/json"]["schema"]
        message = document["components"]["schemas"][content["$ref"].rpartition("/")[2]]
        kind = message["properties"]["type"]
        kind = document["components"]["schemas"].get(kind.get("$ref", "").rpartition("/")[2], kind)
        assert name in kind.get("enum", [kind.get("const")])


def test_only_what_can_be_sent_is_told(document: dict[str, Any]) -> None:
    """No event type that this service makes itself, no method that is never an act."""
    event = document["components"]["schemas"]["EventIn"]["properties"]

    assert {"requested", "given", "linked"} <= set(event["event_type"]["enum"])
    assert set(event["event_type"]["enum"]).isdisjoint({"erased", "restricted", "imported"})
    assert set(event["method"]["enum"]).isdisjoint({"scroll", "timeout"})


def test_every_refusal_is_told(document: dict[str, Any]) -> None:
    """What the door may answer stands in the document, as a problem."""
    for path, _, described in operations(document):
        statuses = set(described["responses"])
        assert "503" in statuses
        assert statuses & {"200", "201"}, path
        if described["security"]:
            assert statuses >= {"400", "401", "403", "404", "429"}
        if "requestBody" in described:
            assert statuses >= {"400", "408", "413", "415", "422"}
        for status, answer in described["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"]


def test_every_member_of_a_problem_is_told(document: dict[str, Any]) -> None:
    """Those that only some problems have, too, and those of an item of a batch."""
    schemas = document["components"]["schemas"]

    assert set(problems.EXTENSIONS) <= set(schemas["Problem"]["properties"])
    assert {"detail", "errors"} <= set(schemas["ItemProblem"]["properties"])


def test_when_to_try_again_is_told(document: dict[str, Any]) -> None:
    """Where waiting helps, the answer has a header that a client should heed."""
    for path, _, described in operations(document):
        for status, answer in described["responses"].items():
            assert ("Retry-After" in answer.get("headers", {})) == (status in {"429", "503"}), path


def test_scopes_are_told(catalogue: Catalogue, document: dict[str, Any]) -> None:
    """Every operation names its scope, or is open to everybody."""
    scopes = {item.name: item.scope for item in catalogue.operations}

    for _, _, described in operations(document):
        scope = scopes[described["operationId"]]
        assert described["security"] == ([] if scope is None else [{"key": []}])
        assert scope is None or f"`{scope}`" in described["description"]


def test_parameters_are_told(document: dict[str, Any]) -> None:
    """Every place in a path has its parameter; query parameters say whether they must be there."""
    for path, _, described in operations(document):
        parameters = described.get("parameters", [])
        in_path = {item["name"] for item in parameters if item["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(item["required"] for item in parameters if item["in"] == "path")
    (standing,) = (
        described
        for _, _, described in operations(document)
        if described["operationId"] == "getStanding"
    )
    required = {
        item["name"]: item["required"] for item in standing["parameters"] if item["in"] == "query"
    }
    assert required == {
        "subject_kind": True,
        "subject_id": True,
        "purpose": True,
        "jurisdiction": False,
        "jurisdiction_source": False,
        "sec_gpc": False,
        "gpc_js": False,
        "vendor": False,
        "site": False,
    }


def test_bodies_are_closed(document: dict[str, Any]) -> None:
    """What is sent in may hold no unknown member; what comes out may grow."""
    schemas = document["components"]["schemas"]
    for _, _, described in operations(document):
        if "requestBody" in described:
            content = described["requestBody"]["content"]["application/json"]["schema"]
            name = content["$ref"].rsplit("/", 1)[1]
            assert schemas[name]["additionalProperties"] is False


def test_an_idempotency_key_is_explained(document: dict[str, Any]) -> None:
    """Where it may come in a header: that another act needs another."""
    for path, _, described in operations(document):
        for item in described.get("parameters", []):
            if item["name"] == "Idempotency-Key":
                assert "new for each" in item["description"], path


def test_what_may_be_left_out_has_no_default_of_null(document: dict[str, Any]) -> None:
    """Or generated types ask for it in every request, and promise it in every answer."""
    members = {
        (name, member): described
        for name, schema in document["components"]["schemas"].items()
        for member, described in schema.get("properties", {}).items()
    }

    assert {"type": "null"} in members["CommentIn", "author"]["anyOf"]
    assert members["EventIn", "jurisdiction_source"]["default"] == "declared"
    assert not [
        place for place, described in members.items() if described.get("default", 0) is None
    ]


def test_defaults_of_a_query_are_told(document: dict[str, Any]) -> None:
    """How long a page is that names no limit; of what is absent by default, nothing."""
    parameters = {
        item["name"]: item["schema"]
        for item in document["paths"]["/v1/comments"]["get"]["parameters"]
    }

    assert parameters["limit"]["default"] == 50
    assert "default" not in parameters["cursor"]


def test_instants_are_told_as_such(document: dict[str, Any]) -> None:
    """In answers as in requests: a client's library then reads them."""
    members = {
        (name, member): described.get("anyOf", [described])[0]
        for name, schema in document["components"]["schemas"].items()
        for member, described in schema.get("properties", {}).items()
        if member.endswith(("_at", "_until")) or member in {"at", "since", "received", "published"}
    }

    assert len(members) > 10
    assert [place for place, told in members.items() if told.get("format") != "date-time"] == []
