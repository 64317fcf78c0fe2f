"""What OpenAI's clients send, and how it is answered."""

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.compat.openai import refusals, wire
from moderation.compat.openai.categories import judge
from moderation.errors import OpenaiRefused
from moderation.verdict import LABELS


def refused(body: bytes) -> dict[str, Any]:
    """Return the error that a body is answered."""
    with pytest.raises(OpenaiRefused) as caught:
        wire.read(body)
    return dict(orjson.loads(refusals.body(caught.value))["error"])


@pytest.mark.parametrize(
    ("given_input", "texts"),
    [
        ("one", ["one"]),
        ("", [""]),
        (["one", "two"], ["one", "two"]),
        ([{"type": "text", "text": "one"}], ["one"]),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], ["one\ntwo"]),
        ("a\0b", ["ab"]),
    ],
)
def test_every_kind_of_text_input_is_read(given_input: object, texts: list[str]) -> None:
    """A string, an array of strings with a result each, parts with one result together."""
    body = json.dumps({"input": given_input, "model": "omni-moderation-latest", "user": "u"})

    assert wire.read(body.encode()) == texts


def test_half_a_pair_is_read_as_what_stands_for_it() -> None:
    """JavaScript sends one where it cut a text in two."""
    assert wire.read(rb'{"input": "a \ud83d b \ud83d\ude00"}') == ["a \ufffd b \U0001f600"]
    assert wire.read(rb'{"input": "\\ud83d"}') == [r"\ud83d"]


def test_an_image_is_refused_and_not_passed_over() -> None:
    """Nothing looks at pictures: an answer about the words beside one would mislead."""
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}

    error = refused(json.dumps({"input": [{"type": "text", "text": "Hi"}, image]}).encode())

    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == ("input", "image_input_unsupported")
    assert "text only" in error["message"]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (b"", None, None),
        (b"[]", None, None),
        (b"{}", "input", "missing_required_parameter"),
        (b'{"input": null}', "input", "missing_required_parameter"),
        (b'{"input": 5}', "input", None),
        (b'{"input": []}', "input", None),
        (b'{"input": ["a", 5]}', "input", None),
        (b'{"input": [{"type": "audio"}]}', "input", None),
        (b'{"input": [{"type": "text"}]}', "input", None),
        (b'{"input": "a", "model": "gpt-4"}', "model", None),
        (b'{"input": "a", "model": 5}', "model", None),
    ],
)
def test_refusals_are_told_in_openais_shape(
    body: bytes, param: str | None, code: str | None
) -> None:
    """Message, type, param and code, each there; nothing of the input."""
    error = refused(body)

    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert "gpt-4" not in error["message"]


def test_long_and_many_inputs_are_refused() -> None:
    """Both limits are those of the native API."""
    assert refused(json.dumps({"input": "a" * 100_001}).encode())["param"] == "input"
    assert refused(json.dumps({"input": ["a"] * 1001}).encode())["param"] == "input"


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but a refusal ever comes of a body."""
    with suppress(OpenaiRefused):
        wire.read(body)


def test_a_result_has_all_thirteen_categories_in_each_map() -> None:
    """Typed clients break on one that is missing; flagged is whether any category is."""
    result = wire.result(judge([0.9] * len(LABELS), [0.5] * len(LABELS)))

    assert [len(result[name]) for name in ("categories", "category_scores")] == [13, 13]
    assert len(result["category_applied_input_types"]) == 13
    assert result["flagged"] is True
    assert result["category_applied_input_types"]["hate"] == ["text"]
    assert result["category_applied_input_types"]["self-harm"] == []
