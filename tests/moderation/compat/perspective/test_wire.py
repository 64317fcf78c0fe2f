"""What Perspective's clients send, and how it is refused."""

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.compat.perspective import refusals, wire
from moderation.compat.perspective.sentences import Sentence
from moderation.errors import PerspectiveRefused

FULL = {
    "comment": {"text": "Hello", "type": "PLAIN_TEXT"},
    "context": {"entries": [{"text": "Earlier", "type": "PLAIN_TEXT"}]},
    "requestedAttributes": {"TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.5}},
    "languages": ["en"],
    "doNotStore": True,
    "dropUnsupportedAttributes": True,
    "clientToken": "comment:1",
    "sessionId": "s",
    "communityId": "c",
    "spanAnnotations": True,
}


def analysis(**changed: object) -> bytes:
    """Return a request with some members changed."""
    return json.dumps(FULL | changed).encode()


def refused(body: bytes, kind: type[Any] = wire.AnalyzeCommentRequest) -> dict[str, Any]:
    """Return the error that a body is answered."""
    with pytest.raises(PerspectiveRefused) as caught:
        wire.read(kind, body)
    return dict(orjson.loads(refusals.body(caught.value))["error"])


def test_either_spelling_of_a_member_is_read() -> None:
    """Proto JSON takes requested_attributes for requestedAttributes, at any depth."""
    camel = wire.read(wire.AnalyzeCommentRequest, analysis())
    snake = wire.read(
        wire.AnalyzeCommentRequest,
        b'{"comment": {"text": "Hello", "type": "PLAIN_TEXT"},'
        b' "context": {"entries": [{"text": "Earlier", "type": "PLAIN_TEXT"}]},'
        b' "requested_attributes": {"TOXICITY": {"score_type": "PROBABILITY",'
        b' "score_threshold": 0.5}}, "languages": ["en"], "do_not_store": true,'
        b' "drop_unsupported_attributes": true, "client_token": "comment:1", "session_id": "s",'
        b' "community_id": "c", "span_annotations": true}',
    )

    assert snake == camel


def test_names_without_quotes_are_read() -> None:
    """The curl example of Perspective's documentation is no JSON, and works."""
    body = b"""{comment: {text: "what kind of {idiot: name} is \\"foo\\"?"},
       languages: ["en"],
       requestedAttributes: {TOXICITY:{}} }"""

    asked = wire.read(wire.AnalyzeCommentRequest, body)

    assert asked.comment is not None
    assert asked.comment.text == 'what kind of {idiot: name} is "foo"?'
    assert asked.requested_attributes == {"TOXICITY": wire.AttributeParameters()}


def test_what_is_null_is_as_good_as_absent() -> None:
    """A client that writes every member leaves most of them null."""
    nulls = dict.fromkeys(FULL) | {"comment": FULL["comment"]}
    nulls["requestedAttributes"] = {"TOXICITY": None}

    asked = wire.read(wire.AnalyzeCommentRequest, json.dumps(nulls).encode())

    assert asked.requested_attributes == {"TOXICITY": None}


def test_nul_is_taken_out() -> None:
    """No engine stores U+0000 alike, and Perspective refuses no text for it."""
    asked = wire.read(wire.AnalyzeCommentRequest, analysis(comment={"text": "a\0b"}))

    assert asked.comment == wire.TextEntry(text="ab")


def test_half_a_pair_is_read_as_what_stands_for_it() -> None:
    """JavaScript sends one where it cut a text in two; names without quotes beside it or not."""
    for body in (
        analysis(comment={"text": "a \ud83d b \U0001f600"}),
        rb'{comment: {text: "a \ud83d b \ud83d\ude00"}, requestedAttributes: {TOXICITY: {}}}',
    ):
        asked = wire.read(wire.AnalyzeCommentRequest, body)

        assert asked.comment is not None
        assert asked.comment.text == "a \ufffd b \U0001f600"


@pytest.mark.parametrize(
    ("changed", "message", "error_type"),
    [
        ({"comment": {"text": ""}}, "Comment must be non-empty.", "COMMENT_EMPTY"),
        ({"comment": None}, "Comment must be non-empty.", "COMMENT_EMPTY"),
        ({"comment": {"text": "é" * 10_241}}, "Comment text too long.", "COMMENT_TOO_LONG"),
        (
            {"requestedAttributes": {}},
            "Missing requested_attributes",
            "NO_REQUESTED_ATTRIBUTES",
        ),
        (
            {"requestedAttributes": {"NICENESS": {}}},
            "Unknown requested attribute: NICENESS",
            "INVALID_REQUEST",
        ),
        (
            {"comment": {"text": "<p>Hi</p>", "type": "HTML"}},
            "Currently, only 'PLAIN_TEXT' comments are supported",
            "INVALID_REQUEST",
        ),
        ({"comment": {"text": "Hi", "type": "RTF"}}, "Unknown text type", "INVALID_REQUEST"),
        (
            {"requestedAttributes": {"TOXICITY": {"scoreType": "RAW"}}},
            "Requested score type RAW is not supported by attribute TOXICITY",
            "INVALID_REQUEST",
        ),
        (
            {
                "context": {
                    "entries": [{"text": "a"}],
                    "articleAndParentComment": {"article": {"text": "b"}},
                }
            },
            (
                "Context can have either entries or article_and_parent_comment, but both fields "
                "were populated."
            ),
            "INVALID_REQUEST",
        ),
    ],
)
def test_refusals_are_told_in_perspectives_words(
    changed: dict[str, Any], message: str, error_type: str
) -> None:
    """Clients compare messages and search for error types."""
    error = refused(analysis(**changed))

    assert error == {
        "code": 400,
        "message": message,
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.commentanalyzer.v1alpha1.Error",
                "errorType": error_type,
            }
        ],
    }


def test_twenty_kilobytes_are_not_too_long() -> None:
    """The limit counts bytes, and what has just as many is taken."""
    asked = wire.read(wire.AnalyzeCommentRequest, analysis(comment={"text": "é" * 10_240}))

    assert asked.comment is not None


def test_an_unknown_member_is_named() -> None:
    """A typing error must not go unnoticed, as with Google's services."""
    top = refused(analysis(requestedAttribute={}))
    inner = refused(analysis(comment={"text": "Hi", "lang": "en"}))

    assert top["message"] == (
        'Invalid JSON payload received. Unknown name "requestedAttribute": Cannot find field.'
    )
    assert inner["message"] == (
        "Invalid JSON payload received. Unknown name \"lang\" at 'comment': Cannot find field."
    )
    assert inner["details"][0]["fieldViolations"][0]["field"] == "comment"


def test_a_value_of_another_type_is_told_by_its_place() -> None:
    """The value itself is never told back."""
    error = refused(analysis(doNotStore="perhaps"))

    assert error["message"] == "Invalid value at 'doNotStore'"
    assert "perhaps" not in json.dumps(error)


def test_a_suggestion_is_read_by_its_highest_scores() -> None:
    """The whole text's score counts, or else the highest of its parts."""
    body = {
        "comment": {"text": "Hello"},
        "attributeScores": {
            "TOXICITY": {"summaryScore": {"value": 1}},
            "INSULT": {"spanScores": [{"begin": 0, "end": 2, "score": {"value": 0.5}}]},
            "SPAM": {"summary_score": {"value": 0, "type": "PROBABILITY"}},
        },
    }

    asked = wire.read(wire.SuggestCommentScoreRequest, json.dumps(body).encode())

    assert wire.suggested(asked) == {"TOXICITY": 1.0, "INSULT": 0.5, "SPAM": 0.0}


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"TOXICITY": {}},
        {"TOXICITY": None},
        {"TOXICITY": {"summaryScore": {}}},
        {"TOXICITY": {"summaryScore": {"value": 2}}},
        {"TOXICITY": {"summaryScore": {"value": 1, "type": "RAW"}}},
        {"NICENESS": {"summaryScore": {"value": 1}}},
    ],
)
def test_a_suggestion_without_a_score_is_refused(scores: dict[str, Any]) -> None:
    """Neither the map nor what it maps to may be empty, and scores are probabilities."""
    body = json.dumps({"comment": {"text": "Hello"}, "attributeScores": scores}).encode()

    error = refused(body, wire.SuggestCommentScoreRequest)

    assert error["details"][0]["errorType"] == "INVALID_REQUEST"


@given(st.binary(max_size=200) | st.text(alphabet='{}[],:"\\ abc01\n').map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but a refusal ever comes of a body."""
    with suppress(PerspectiveRefused):
        wire.read(wire.AnalyzeCommentRequest, body)


def test_scores_below_the_threshold_are_left_out() -> None:
    """A span that reaches the threshold is told even where the summary does not."""
    span = Sentence("Hello", 0, 5)

    whole = wire.attribute_scores(0.4, [(span, 0.7)], threshold=0.5)
    none = wire.attribute_scores(0.4, [(span, 0.3)], threshold=0.5)

    assert whole == {
        "spanScores": [{"begin": 0, "end": 5, "score": {"value": 0.7, "type": "PROBABILITY"}}]
    }
    assert none is None
