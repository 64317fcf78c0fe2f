"""The discovery document."""

from collections.abc import Iterator
from typing import Any

import orjson

from moderation.compat.perspective import discovery, wire

DOCUMENT: dict[str, Any] = orjson.loads(discovery.document("https://comments.example.org/"))


def references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield every schema that a part of the document refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_schema_is_there_and_used() -> None:
    """A client resolves each reference; one without a schema would break it."""
    assert set(references(DOCUMENT)) == set(DOCUMENT["schemas"])


def test_addresses_are_made_from_the_root() -> None:
    """Paths are Perspective's own, below the service's own address."""
    assert DOCUMENT["rootUrl"] == "https://comments.example.org/"
    assert DOCUMENT["batchPath"] == "batch"
    methods = DOCUMENT["resources"]["comments"]["methods"]
    assert {name: each["path"] for name, each in methods.items()} == {
        "analyze": "v1alpha1/comments:analyze",
        "suggestscore": "v1alpha1/comments:suggestscore",
    }


def test_requests_have_the_members_that_are_read() -> None:
    """What is documented and what is read cannot drift apart."""
    for model in (
        wire.AnalyzeCommentRequest,
        wire.SuggestCommentScoreRequest,
        wire.TextEntry,
        wire.Context,
        wire.ArticleAndParentComment,
        wire.AttributeParameters,
        wire.AttributeScores,
        wire.SpanScore,
        wire.Score,
    ):
        read = {field.alias or name for name, field in model.model_fields.items()}
        assert set(DOCUMENT["schemas"][model.__name__]["properties"]) == read
