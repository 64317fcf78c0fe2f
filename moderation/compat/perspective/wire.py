"""The door for Perspective's JSON: proto JSON in, either spelling of a member; plain bytes out.

A member may be written `requestedAttributes` or `requested_attributes`, and a name may stand
without quotes, as in the examples of Perspective's own documentation.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from moderation.compat.perspective import refusals
from moderation.compat.perspective.attributes import ATTRIBUTES
from moderation.compat.perspective.sentences import Sentence
from moderation.wire.strict import Stripped, paired

TEXT_BYTES = 20 * 1024
ATTRIBUTE_LIMIT = 100  # requested in one call; Perspective has fewer
LANGUAGE_LIMIT = 20


class TextType(StrEnum):
    """What a text may be said to be."""

    UNSPECIFIED = "TEXT_TYPE_UNSPECIFIED"
    PLAIN_TEXT = "PLAIN_TEXT"
    HTML = "HTML"


class ScoreType(StrEnum):
    """What a score may be asked to be; there are only probabilities."""

    UNSPECIFIED = "SCORE_TYPE_UNSPECIFIED"
    PROBABILITY = "PROBABILITY"
    STD_DEV_SCORE = "STD_DEV_SCORE"
    PERCENTILE = "PERCENTILE"
    RAW = "RAW"


class Message(BaseModel):
    """What every message is: closed to unknown members, a null as good as none."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
    )


class TextEntry(Message):
    """A body of text."""

    text: Stripped | None = None
    type: Stripped | None = None


class ArticleAndParentComment(Message):
    """What is commented on, and what is replied to."""

    article: TextEntry | None = None
    parent_comment: TextEntry | None = None


class Context(Message):
    """What a comment refers to: one of the two."""

    entries: list[TextEntry] | None = None
    article_and_parent_comment: ArticleAndParentComment | None = None


class AttributeParameters(Message):
    """How an attribute is asked for."""

    score_type: Stripped | None = None
    score_threshold: float | None = None


class Score(Message):
    """A score somebody suggests."""

    value: float | None = None
    type: Stripped | None = None


class SpanScore(Message):
    """A score of a part of the text."""

    begin: int | None = None
    end: int | None = None
    score: Score | None = None


class AttributeScores(Message):
    """The scores of one attribute."""

    summary_score: Score | None = None
    span_scores: list[SpanScore] | None = None


class AnalyzeCommentRequest(Message):
    """A comment to be analysed."""

    comment: TextEntry | None = None
    context: Context | None = None
    requested_attributes: (
        Annotated[dict[str, AttributeParameters | None], Field(max_length=ATTRIBUTE_LIMIT)] | None
    ) = None
    languages: Annotated[list[Stripped], Field(max_length=LANGUAGE_LIMIT)] | None = None
    do_not_store: bool | None = None
    drop_unsupported_attributes: bool | None = None
    client_token: Stripped | None = None
    session_id: Stripped | None = None
    community_id: Stripped | None = None
    span_annotations: bool | None = None


class SuggestCommentScoreRequest(Message):
    """What somebody says a comment's scores should be."""

    comment: TextEntry | None = None
    context: Context | None = None
    attribute_scores: (
        Annotated[dict[str, AttributeScores | None], Field(max_length=ATTRIBUTE_LIMIT)] | None
    ) = None
    languages: Annotated[list[Stripped], Field(max_length=LANGUAGE_LIMIT)] | None = None
    client_token: Stripped | None = None
    session_id: Stripped | None = None
    community_id: Stripped | None = None


Request = AnalyzeCommentRequest | SuggestCommentScoreRequest
Asked = TypeVar("Asked", AnalyzeCommentRequest, SuggestCommentScoreRequest)


def text_of(asked: Request) -> str:
    """Return the text of a comment, empty where there is none."""
    return (asked.comment.text if asked.comment else None) or ""


def read(kind: type[Asked], body: bytes) -> Asked:
    """Read a request and check everything that does not depend on the language of its text.

    Raises PerspectiveRefused.
    """
    asked = _parsed(kind, paired(body))
    text = text_of(asked)
    if not text.strip():
        raise refusals.comment_empty()
    if len(text) > TEXT_BYTES or len(text.encode()) > TEXT_BYTES:
        raise refusals.comment_too_long()
    _check_type(asked.comment or TextEntry())
    context = asked.context
    if context is not None and context.entries and context.article_and_parent_comment is not None:
        raise refusals.context_ambiguous()
    if isinstance(asked, AnalyzeCommentRequest):
        _check_requested(asked.requested_attributes or {})
    else:
        _check_suggested(asked.attribute_scores or {})
    return asked


def _check_type(entry: TextEntry) -> None:
    if entry.type in {None, "", TextType.UNSPECIFIED, TextType.PLAIN_TEXT}:
        return
    raise refusals.html_unsupported() if entry.type == TextType.HTML else refusals.type_unknown()


def _check_requested(requested: Mapping[str, AttributeParameters | None]) -> None:
    if not requested:
        raise refusals.no_attributes()
    for name, parameters in requested.items():
        _check_attribute(name)
        _check_score_type(name, parameters.score_type if parameters else None)


def _check_suggested(suggested: Mapping[str, AttributeScores | None]) -> None:
    if not suggested:
        raise refusals.no_scores()
    for name, scores in suggested.items():
        _check_attribute(name)
        given = _given(scores)
        if not given:
            raise refusals.no_scores()
        for score in given:
            _check_score_type(name, score.type)
            if score.value is None or not 0 <= score.value <= 1:
                raise refusals.score_outside(name)


def _check_attribute(name: str) -> None:
    if name not in ATTRIBUTES:
        raise refusals.attribute_unknown(name)


def _check_score_type(attribute: str, score_type: str | None) -> None:
    if score_type in {None, "", ScoreType.UNSPECIFIED, ScoreType.PROBABILITY}:
        return
    known = score_type if score_type in set(ScoreType) else "UNKNOWN"
    raise refusals.score_type_unsupported(str(known), attribute)


def _given(scores: AttributeScores | None) -> list[Score]:
    """Return the scores that are said of the whole text, or else of parts of it."""
    if scores is None:
        return []
    if scores.summary_score is not None:
        return [scores.summary_score]
    return [span.score or Score() for span in scores.span_scores or ()]


def suggested(asked: SuggestCommentScoreRequest) -> dict[str, float]:
    """Return the highest value that is suggested, by attribute."""
    return {
        name: max(score.value or 0.0 for score in _given(scores))
        for name, scores in (asked.attribute_scores or {}).items()
    }


# -- JSON that is nearly JSON -----------------------------------------------------------------

_BARE = re.compile(
    # A string, to be passed over even where it has no end; or a name without quotes.
    rb'"(?:[^"\\]++|\\.)*+"?|(?<=[{,])(\s*+)([A-Za-z_][A-Za-z0-9_]*+)(?=\s*+:)',
    re.DOTALL,
)


def _parsed(kind: type[Asked], body: bytes) -> Asked:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        if not _is_syntax(error):
            raise _refused(error) from None
    try:
        return kind.model_validate_json(_BARE.sub(_quoted, body))
    except ValidationError as error:
        raise (refusals.not_json() if _is_syntax(error) else _refused(error)) from None


def _quoted(found: re.Match[bytes]) -> bytes:
    return found[0] if found[2] is None else found[1] + b'"' + found[2] + b'"'


def _is_syntax(error: ValidationError) -> bool:
    return any(item["type"] == "json_invalid" for item in _errors(error))


def _errors(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False, include_context=False))


def _refused(error: ValidationError) -> Exception:
    first = _errors(error)[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return refusals.name_unknown(path[-1], ".".join(path[:-1]))
    return refusals.value_invalid(".".join(path))


# -- out --------------------------------------------------------------------------------------


def _score(value: float) -> dict[str, Any]:
    return {"value": value, "type": ScoreType.PROBABILITY}


def attribute_scores(
    value: float,
    spans: Sequence[tuple[Sentence, float]],
    *,
    threshold: float | None,
) -> dict[str, Any] | None:
    """Return the scores of one attribute; None where none of them reaches *threshold*."""
    least = threshold or 0.0
    found: dict[str, Any] = {}
    told = [
        {"begin": span.begin, "end": span.end, "score": _score(score)}
        for span, score in spans
        if score >= least
    ]
    if told:
        found["spanScores"] = told
    if value >= least:
        found["summaryScore"] = _score(value)
    return found or None


def analysis(
    scores: Mapping[str, Any],
    *,
    languages: Sequence[str],
    detected: Sequence[str],
    client_token: str | None,
) -> bytes:
    """Write what an analysis found."""
    found = {"languages": languages, "clientToken": client_token, "detectedLanguages": detected}
    return orjson.dumps({"attributeScores": scores, **_set(found)})


def suggestion(
    *, requested: Sequence[str], detected: Sequence[str], client_token: str | None
) -> bytes:
    """Write that a suggestion was taken."""
    return orjson.dumps(
        _set(
            {
                "clientToken": client_token,
                "requestedLanguages": requested,
                "detectedLanguages": detected,
            }
        )
    )


def _set(members: Mapping[str, Any]) -> dict[str, Any]:
    # Proto JSON leaves out what is empty.
    return {name: value for name, value in members.items() if value}
