"""The served OpenAPI document, held against the service by Schemathesis, and against OpenAPI 3.1.

For each operation Schemathesis makes requests that fit the document and requests that do not. No
answer may be a 5xx, and each has to be described: its status, its media type, its shape.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import schemathesis
from conftest import EVERY_SCOPE, Service, Site
from diary import NOTICE
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

BATCH = "/v1/comments:batch"
EXAMPLES = 40
"""Requests an operation and mode; `make soak` may raise it."""

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


def misfits_are_refused(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Check that what does not fit the document is refused; too much of it is, by 413, too."""
    if response.status_code == 413:
        return None
    # A parameter whose value is an empty list is never sent: without it the request may well fit.
    known = {parameter.name for parameter in case.operation.query}
    unknown = set(case.query or {}) - known
    sent = set(parse_qs(urlsplit(str(response.request.url)).query, keep_blank_values=True))
    if unknown and sent <= known:
        return None
    return negative_data_rejection(context, response, case)


@pytest.fixture(scope="module")
def spoken_for(service: Service) -> Site:
    """Create the site that is written to, with the notice that its log begins with."""
    site = service.add_site("https://schemathesis.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        client.post("/v1/consent/notices", json=NOTICE).raise_for_status()
    return site


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    """Read the served document."""
    return dict(httpx2.get(f"{service.url}/openapi.json").json())


def _operations(schema: BaseSchema) -> Iterator[Any]:
    for result in schema.get_all_operations():
        yield result.ok()


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    """The document keeps to OpenAPI 3.1 as Schemathesis reads it, and every reference resolves."""
    schema = schemathesis.openapi.from_dict(document)

    schema.validate()

    assert document["openapi"].startswith("3.1.")
    assert len(list(_operations(schema))) == sum(len(item) for item in document["paths"].values())
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, f"{name} is never used"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_answers_as_described(
    service: Service, document: dict[str, Any], spoken_for: Site, mode: GenerationMode
) -> None:
    """Requests that fit the document, and requests that do not, get answers that it describes."""
    schema = schemathesis.openapi.from_dict(document)
    headers = {"authorization": f"Bearer {spoken_for.key}"}
    checks = [*CHECKS] if mode.is_positive else [*CHECKS, misfits_are_refused]
    failures: list[str] = []
    anything: list[str] = []
    for operation in _operations(schema):
        # A bad item of a batch is answered by a problem of its own, inside a 200.
        fitting = [
            check for check in checks if operation.path != BATCH or check is not misfits_are_refused
        ]
        try:
            _answers_as_described(
                operation.as_strategy(generation_mode=mode),
                {"base_url": service.url, "headers": headers, "checks": fitting, "timeout": 60},
            )
        except Unsatisfiable:
            # Where any text fits every parameter, there is no request that does not fit.
            assert not mode.is_positive
            anything.append(operation.label)
        except Exception as error:  # noqa: BLE001 - all operations are tried, then all told
            failures.append(f"{operation.label}: {error}")
    public = ("GET /v1/consent/logs/", "GET /v1/consent/sites/")
    assert all(label.startswith(public) for label in anything), anything
    assert not failures, "\n\n".join(failures)
    assert "operation_failed" not in service.log.read_text()


def _answers_as_described(cases: SearchStrategy[schemathesis.Case], call: dict[str, Any]) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(**call)

    check()
