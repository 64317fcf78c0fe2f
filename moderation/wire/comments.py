"""The JSON of comments: what is submitted, what it scored, what became of it."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field

from moderation.cases.arrivals import Screened
from moderation.model.explanation import Explanation, PartKind, Why
from moderation.policy.traits import NOBODY, Author
from moderation.store import Detail, Encoded, Stored
from moderation.text.spans import in_utf16
from moderation.verdict import LABEL_NAMES, Label, Origin, ReasonKind, State, Verdict
from moderation.wire.strict import (
    PAGE_LIMIT,
    TEXT_LIMIT,
    Address,
    Instant,
    InstantOut,
    Key,
    Long,
    Name,
    Probability,
    Short,
    Text,
    Wire,
    paired,
)

BATCH_LIMIT = 1_000  # comments


class AuthorIn(Wire):
    """Who wrote the comment, as far as the site knows; the address itself is never stored."""

    id: Short | None = None
    name: Short | None = None
    email: Short | None = None
    url: Long | None = None
    ip: Address | None = None
    user_agent: Long | None = None
    role: Short | None = None
    registered_at: Instant | None = None


class ThreadIn(Wire):
    """What is commented on."""

    id: Short | None = None
    url: Long | None = None
    title: Long | None = None
    published_at: Instant | None = None


class ItemIn(Wire):
    """A comment of a batch; only `external_id` and `text` are compulsory."""

    external_id: Name
    text: Annotated[Text, Field(min_length=1, max_length=TEXT_LIMIT)]
    author: AuthorIn | None = None
    thread: ThreadIn | None = None
    parent_id: Short | None = None
    submitted_at: Instant | None = None
    form_shown_at: Instant | None = Field(
        None, description="when the form was shown in which the comment was written"
    )
    language: Annotated[Text, Field(max_length=35)] | None = None
    honeypot: Long | None = Field(
        None, description="what a field that people cannot see came back with"
    )


class CommentIn(ItemIn):
    """A comment to be screened; only `external_id` and `text` are compulsory."""

    idempotency_key: Key | None = None
    site: Short | None = Field(None, description="needed only when the key has several sites")


class BatchIn(Wire):
    """Up to 1,000 comments; each is checked and stored for itself."""

    comments: Annotated[list[Any], Field(min_length=1, max_length=BATCH_LIMIT)]
    idempotency_key: Key | None = None
    site: Short | None = None


def read_batch(body: bytes) -> BatchIn:
    """Read a batch: half of a surrogate pair spoils only the comment in which it stands."""
    return BatchIn.model_validate_json(paired(body, alone=b"0000"))  # which no text may have


class BatchSchema(Wire):
    """`BatchIn` as the API documents it."""

    comments: Annotated[list[ItemIn], Field(min_length=1, max_length=BATCH_LIMIT)]
    idempotency_key: Key | None = None
    site: Short | None = None


class ScoreIn(Wire):
    """A text to be scored and forgotten."""

    text: Annotated[Text, Field(max_length=TEXT_LIMIT)]
    honeypot: Long | None = None
    explain: bool = Field(False, description="say what moved each score, and how much")
    site: Short | None = None


class PageIn(Wire):
    """Which comments to list, and from where."""

    state: State | None = None
    external_id: Name | None = Field(None, description="the one that the site knows by this")
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Short | None = None
    site: Short | None = None


class LabelsOut(BaseModel):
    """A calibrated probability for every label."""

    spam: Probability
    toxicity: Probability
    severe_toxicity: Probability
    obscene: Probability
    threat: Probability
    insult: Probability
    identity_attack: Probability
    sexual_explicit: Probability


class ReasonOut(BaseModel):
    """One thing that moved the verdict away from approve."""

    kind: ReasonKind
    code: str
    detail: str
    label: Label | None = None
    score: Probability | None = None
    threshold: Probability | None = None


class LanguageOut(BaseModel):
    """The script of most letters, and whether the model knows the language; null: it can't tell."""

    script: str | None
    known: bool | None


class ScoreOut(BaseModel):
    """What a text scored; `labels` is null only when it could not be scored."""

    verdict: Verdict
    labels: LabelsOut | None
    reasons: list[ReasonOut]
    model: str
    policy: str
    detected_language: LanguageOut | None = None


class PlaceOut(BaseModel):
    """Where a word stands: a half-open interval, in code points and in UTF-16 code units."""

    start: int
    end: int
    start_utf16: int
    end_utf16: int


class PartOut(BaseModel):
    """One word or fact, and what it adds to the logit of the label."""

    kind: PartKind
    name: str
    amount: float
    places: list[PlaceOut]


class ExplanationOut(BaseModel):
    """Why a label has its score: `logit` = `base` + the amounts of the parts + `rest`."""

    label: Label
    score: Probability
    logit: float
    base: float
    parts: list[PartOut]
    rest: float


class ExplainedOut(ScoreOut):
    """What a text scored and, where asked for, why: labels from 0.1 on, the highest first."""

    explanation: list[ExplanationOut] | None = None


class CommentExplanationOut(BaseModel):
    """Why the current revision of a comment has its scores, by the model that is in use now.

    `model` differs from the comment's own where another has taken its place since then; it and
    the explanation are null where what scores can explain nothing.
    """

    id: str
    revision: int
    model: str | None
    detected_language: LanguageOut | None
    explanation: list[ExplanationOut] | None


class CommentOut(ScoreOut):
    """A stored comment and its verdict."""

    id: str
    external_id: str
    revision: int
    state: State
    origin: Origin = Field(description="the dialect in which it came in first")


class CommentDetailOut(CommentOut):
    """A stored comment with what was submitted."""

    text: str
    author: dict[str, Any] | None = None
    thread: dict[str, Any] | None = None
    parent_id: str | None = None
    submitted_at: InstantOut | None = None
    form_shown_at: InstantOut | None = None
    language: str | None = None
    origin_details: dict[str, Any] | None = Field(
        None, description="what the dialect of its origin said besides"
    )
    received: InstantOut
    version: int = Field(description="the number of its newest event")


class ErasedCommentOut(BaseModel):
    """What is left of a comment."""

    id: str
    state: Literal[State.ERASED]


class CommentsOut(BaseModel):
    """A page of comments, oldest first; `next` is null on the last page."""

    items: list[CommentDetailOut]
    next: str | None


class PlaceProblem(BaseModel):
    """What is wrong at one place of an item."""

    where: str
    problem: str


class ItemProblem(BaseModel):
    """Why one item of a batch was not taken (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[PlaceProblem] | None = None


class BatchItemOut(BaseModel):
    """What became of one item: its comment or its problem."""

    status: Literal[200, 201, 400, 422]
    comment: CommentOut | None = None
    problem: ItemProblem | None = None


class BatchOut(BaseModel):
    """One result an item, in the order of the request."""

    results: list[BatchItemOut]


def author(given: ItemIn) -> Author:
    """Return who wrote the comment."""
    told = given.author
    if told is None:
        return NOBODY
    return Author(told.id, told.name, told.email, told.url, told.ip, told.user_agent)


def details(given: ItemIn) -> str:
    """Return what is kept beside the text, as JSON; of the author's address, nothing."""
    kept: dict[str, Any] = {}
    if given.author is not None:
        kept["author"] = _present(given.author, _AUTHOR)
    if given.thread is not None:
        kept["thread"] = _present(given.thread, _THREAD)
    if given.submitted_at is not None:
        kept["submitted_at"] = given.submitted_at
    if given.form_shown_at is not None:
        kept["form_shown_at"] = given.form_shown_at
    if given.language is not None:
        kept["language"] = given.language
    return orjson.dumps(kept, option=orjson.OPT_UTC_Z).decode() if kept else "{}"


_AUTHOR = tuple(name for name in AuthorIn.model_fields if name != "ip")
_THREAD = tuple(ThreadIn.model_fields)


def _present(given: BaseModel, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(given, name)) is not None}


# -- out --------------------------------------------------------------------------------------


def encode(screened: Screened) -> Encoded:
    """Return the labels, the reasons and the details of a revision as the JSON that is stored."""
    details = _with_language(screened)
    labels = (
        "null"
        if screened.scores is None
        else orjson.dumps(dict(zip(LABEL_NAMES, screened.scores, strict=True))).decode()
    )
    if not screened.reasons:
        return Encoded(labels, "[]", details)
    reasons = [
        {
            name: value
            for name in ("kind", "code", "detail", "label", "score", "threshold")
            if (value := getattr(reason, name)) is not None
        }
        for reason in screened.reasons
    ]
    return Encoded(labels, orjson.dumps(reasons).decode(), details)


def _with_language(screened: Screened) -> str:
    """Return the details with what was told of the language beside them."""
    if screened.language is None:
        return screened.details
    told = orjson.dumps({_LANGUAGE: screened.language._asdict()}).decode()
    return told if screened.details == "{}" else f"{screened.details[:-1]},{told[1:]}"


_LANGUAGE = "detected_language"


def single(stored: Sequence[Stored]) -> tuple[int, bytes]:
    """Answer a request of one comment: 201 where something was stored, else 200."""
    (one,) = stored
    return 201 if one.new else 200, orjson.dumps(_members(one))


def score(screened: Screened, why: Why | None = None) -> bytes:
    """Write what a text scored and, where it was asked for, *why*."""
    labels, reasons, _ = encode(screened)
    found: dict[str, Any] = {
        "verdict": screened.verdict,
        "labels": orjson.Fragment(labels),
        "reasons": orjson.Fragment(reasons),
        "model": screened.model,
        "policy": screened.policy,
    }
    if screened.language is not None:
        found[_LANGUAGE] = screened.language._asdict()
    if why is not None:
        found["explanation"] = _explanations(screened.text, why)
    return orjson.dumps(found)


def explanation(found: Detail, why: Why | None) -> bytes:
    """Write what moves the scores of the current revision of a stored comment."""
    return orjson.dumps(
        {
            "id": found.stored.id,
            "revision": found.stored.revision,
            "model": None if why is None else why.model,
            _LANGUAGE: None if why is None else why.language._asdict(),
            "explanation": None if why is None else _explanations(found.text, why),
        }
    )


def _explanations(text: str, why: Why) -> list[dict[str, Any]]:
    return [explanation_members(text, each) for each in why.explanations]


def explanation_members(text: str, found: Explanation) -> dict[str, Any]:
    """Return the members of what says why a label of *text* has its score."""
    utf16 = in_utf16(text)
    return {
        "label": found.label,
        "score": round(found.probability, 6),
        "logit": found.logit,
        "base": found.base,
        "parts": [
            {
                "kind": part.kind,
                "name": part.name,
                "amount": part.amount,
                "places": [_place(utf16, *place) for place in part.places],
            }
            for part in found.parts
        ],
        "rest": found.rest,
    }


def _place(utf16: Callable[[int], int], start: int, end: int) -> dict[str, int]:
    return {
        "start": start,
        "end": end,
        "start_utf16": utf16(start),
        "end_utf16": utf16(end),
    }


def batch(items: Sequence[Stored | tuple[int, bytes]]) -> bytes:
    """Write the results of a batch: stored comments and problems, in order."""
    return orjson.dumps(
        {
            "results": [
                {"status": 201 if item.new else 200, "comment": _members(item)}
                if isinstance(item, Stored)
                else {"status": item[0], "problem": orjson.Fragment(item[1])}
                for item in items
            ]
        }
    )


def detail(found: Detail) -> bytes:
    """Write a comment with what was submitted."""
    return orjson.dumps(detail_members(found))


def erased(comment_id: str) -> bytes:
    """Write what is left of a comment."""
    return orjson.dumps({"id": comment_id, "state": State.ERASED})


def page(found: Sequence[Detail], following: str | None) -> bytes:
    """Write a page of comments."""
    return orjson.dumps({"items": [detail_members(item) for item in found], "next": following})


def _members(stored: Stored) -> dict[str, Any]:
    return {
        "id": stored.id,
        "external_id": stored.external_id,
        "revision": stored.revision,
        "state": stored.state,
        "verdict": stored.verdict,
        "labels": orjson.Fragment(stored.labels),
        "reasons": orjson.Fragment(stored.reasons),
        "model": stored.model,
        "policy": stored.policy,
        "origin": stored.origin,
        _LANGUAGE: orjson.loads(stored.details).get(_LANGUAGE),
    }


def detail_members(found: Detail) -> dict[str, Any]:
    """Return the members of a comment with what was submitted."""
    return {
        **_members(found.stored),
        # Read, not passed on: a row that was damaged must not make an answer that is no JSON.
        "labels": orjson.loads(found.stored.labels),
        "reasons": orjson.loads(found.stored.reasons),
        "text": found.text,
        **orjson.loads(found.stored.details),
        "parent_id": found.parent_id,
        "received": found.received,
        "version": found.version,
    }
