"""Akismet's routes under forms that no client should send: no 5xx, no problem document, no echo.

Hypothesis makes raw bytes and odd values; Schemathesis makes requests of a description of the API,
and requests that miss it. Both engines answer alike.
"""

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
import schemathesis
from akismet_desk import Blog, open_blog
from conftest import Service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from raw_connection import exchange
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode

from aboveboard.dialects import Dialects
from moderation.compat.akismet.routes import AkismetRoutes

CANARY = "kanarienvogel"
EXAMPLES = 40
QUIETLY = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SELDOM = settings(QUIETLY, max_examples=10)  # for each of dozens of operations, in both modes


@pytest.fixture(scope="module")
def blog(service: Service) -> Iterator[Blog]:
    """Open a blog for all of them."""
    opened = open_blog(service, token_hex(6))
    yield opened
    opened.akismet.close()
    opened.native.close()


def operations() -> list[tuple[str, str]]:
    """Return the method and path of every operation."""
    dialects = Dialects()
    parts: dict[str, Any] = dict.fromkeys(
        (
            "screening",
            "feedbacking",
            "configuring",
            "reading",
            "host_of",
            "clock",
            "ids",
            "callbacks",
        )
    )
    AkismetRoutes(**parts).declare(dialects.declare)
    return [(each.method, each.path) for each in dialects.operations]


FIELDS = (
    "key", "user_ip", "comment_content", "comment_author", "comment_author_email", "user_role",
    "comment_author_url", "permalink", "comment_date_gmt", "comment_post_modified_gmt",
    "comment_context[]", "comment_context[0]", "blog_charset", "honeypot_field_name", "is_test",
    "callback", "classify", "reporter", "month", "filter", "format", "order", "limit", "offset",
    "from", "extended", "comment_parent", "comment_post_ID", "user_ID", "recheck_reason",
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "\0",
            "%",
            "=&=",
            "9" * 400,
            "-1",
            "1e999",
            "0000-00-00 00:00:00",
            "2026-11",
            "::1%eth0",
            "csv",
            "http://127.0.0.1/",
            "javascript:" + CANARY,
            "';DROP TABLE comment;--",
            "\ud7ff\ue000\U0010ffff",
            "utf-7",
            "\r\nx-akismet-guid: 1",
        ]
    ),
)


def test_any_bytes_are_answered(blog: Blog) -> None:
    """As a body and as a query, at every address."""

    @QUIETLY
    @given(st.binary(max_size=400), st.sampled_from(operations()))
    def send(content: bytes, operation: tuple[str, str]) -> None:
        method, path = operation
        if method == "POST":
            answer = blog.akismet.post(path, content=content)
        else:
            answer = blog.akismet.get(path + "?" + "".join(f"%{byte:02x}" for byte in content))
        _answered(answer.status_code, answer.headers["content-type"], answer.text)

    send()


def test_any_form_is_answered(blog: Blog) -> None:
    """With a good key: odd values in every field; what is stored can be read again."""

    @QUIETLY
    @given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.sampled_from(operations()))
    def send(fields: dict[str, str], operation: tuple[str, str]) -> None:
        method, path = operation
        storable = {
            name: value.encode("utf-8", "ignore").decode() for name, value in fields.items()
        }
        form = {"user_ip": "198.51.100.7", **storable, "api_key": blog.key, "blog": blog.url}
        form.pop("key", None)
        if method == "POST":
            answer = blog.akismet.post(path, data=form)
        else:
            answer = blog.akismet.get(path, params=form)
        _answered(answer.status_code, answer.headers["content-type"], answer.text)

    send()
    assert all(each["origin"] == "akismet" for each in blog.comments())


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_stands_schemathesis(
    blog: Blog, service: Service, mode: GenerationMode
) -> None:
    """Requests that fit a description of Akismet's API, and requests that do not."""
    schema = schemathesis.openapi.from_dict(_described(blog))
    failures: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        try:
            _stand(operation.as_strategy(generation_mode=mode), service.url)
        except Exception as error:  # noqa: BLE001 - all operations are tried, then all told
            failures.append(f"{operation.label}: {error}")
    assert not failures, "\n\n".join(failures)
    assert "operation_failed" not in service.log.read_text()


def _stand(cases: SearchStrategy[schemathesis.Case], url: str) -> None:
    @SELDOM
    @given(case=cases)
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=url, checks=[not_a_server_error], timeout=60)

    check()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Length: 999999999", 413),
        ("Content-Length: 0\r\nContent-Encoding: gzip", 415),
        ("Content-Length: 0", 200),
        ("Content-Length: 0\r\nContent-Type: application/json", 200),
        ("Content-Length: 0\r\nContent-Type: \xff", 200),
        ("Content-Length: 0\r\nX-Site: \xff", 200),
    ],
)
def test_odd_heads_are_answered(service: Service, head: str, status: int) -> None:
    """Too long and compressed bodies are refused; any content type is taken."""
    sent = f"POST /1.1/comment-check HTTP/1.1\r\nHost: \xff.x\r\n{head}\r\n\r\n"

    answer = exchange(service.port, sent.encode("latin-1"))

    assert answer.status == status
    _answered(answer.status, "text/plain", answer.body.decode())


def _answered(status: int, media: str, body: str) -> None:
    assert status < 500, body
    assert media.startswith(("text/plain", "application/json"))
    assert "/problems/" not in body
    assert CANARY not in body


def _described(blog: Blog) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": "string", "maxLength": 200} for name in FIELDS}
    for name, value in {"api_key": blog.key, "key": blog.key, "blog": blog.url}.items():
        properties[name] = {"type": "string", "enum": [value]}
    form = {
        "type": "object",
        "properties": properties,
        "required": ["api_key", "key", "blog", "user_ip"],
        "additionalProperties": {"type": "string", "maxLength": 20},
    }
    paths: dict[str, Any] = {}
    for method, path in operations():
        described: dict[str, Any] = {"responses": {"200": {"description": "Answered"}}}
        if method == "POST":
            media = {"application/x-www-form-urlencoded": {"schema": form}}
            described["requestBody"] = {"required": True, "content": media}
        else:
            described["parameters"] = [
                {"name": name, "in": "query", "required": name in form["required"], "schema": each}
                for name, each in properties.items()
            ]
        paths.setdefault(path, {})[method.lower()] = described
    return {"openapi": "3.1.0", "info": {"title": "Akismet", "version": "1.1"}, "paths": paths}
