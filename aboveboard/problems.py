"""Errors to problem documents (RFC 9457): one table, no echo of the input.

`type` is an address under `/problems/`, described in `docs/problems.md`.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

import aboveboard.errors as service
import consent.errors as consent
import moderation.errors as moderation

MEDIA_TYPE = b"application/problem+json"
SHOWN_ERRORS = 20
LISTED_ERRORS = 10_000  # more are counted alone: pydantic lists all or none, seconds for a million
EXTENSIONS = ("code", "record_id", "present")
"""Attributes of an error that its document tells as members of their own."""

_ITEMS = re.compile(r"Value should have (.*) items? after validation, not (\d+)")


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of problem: HTTP status, the last part of its `type`, its title."""

    status: int
    slug: str
    title: str


INTERNAL = Kind(500, "internal", "Something went wrong on our side")
NOT_FOUND = Kind(404, "not-found", "There is nothing here")
METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "This address does not take that method")
MALFORMED = Kind(400, "malformed-json", "The body is not JSON")
INVALID = Kind(422, "invalid-request", "The request does not have the expected shape")
REFUSED = Kind(400, "refused", "The request was refused")
UNAVAILABLE = Kind(503, "storage-unavailable", "This could not be stored; try again")

KINDS: dict[type[Exception], Kind] = {
    service.SiteNotFound: Kind(404, "site-not-found", "No such site"),
    service.QueryAmbiguous: INVALID,
    service.SiteUnclear: Kind(400, "site-unclear", "The request does not name its site"),
    service.AccountError: Kind(422, "account", "The account cannot be changed like that"),
    service.AddressUnknown: NOT_FOUND,
    service.BodyTooLarge: Kind(413, "body-too-large", "The body is too large"),
    service.ClientGone: Kind(400, "client-gone", "The body never came whole"),
    service.HeaderAmbiguous: Kind(400, "header-ambiguous", "A header comes twice"),
    service.IdempotencyKeyInvalid: Kind(
        400, "idempotency-key-invalid", "The idempotency key cannot be used"
    ),
    service.MediaTypeUnsupported: Kind(415, "media-type", "The body is of an unsupported type"),
    service.RequestRefused: REFUSED,
    service.ScopeMissing: Kind(403, "scope-missing", "This key is not good for that"),
    service.TooManyFailures: Kind(429, "too-many-failures", "Too many wrong keys"),
    service.Unauthenticated: Kind(401, "unauthenticated", "A valid API key is needed"),
    service.QueueFull: Kind(503, "queue-full", "Too much waits to be stored; try again"),
    service.StorageError: UNAVAILABLE,
    service.AddressRefused: Kind(422, "address-refused", "Nothing may be posted to this address"),
    service.DeliveryNotFound: Kind(404, "delivery-not-found", "No such delivery"),
    service.WebhookCursorInvalid: Kind(400, "cursor-invalid", "The cursor is not one of ours"),
    service.WebhookNotFound: Kind(404, "webhook-not-found", "No such webhook"),
    service.WebhookUnusable: Kind(422, "webhook-unusable", "The webhook cannot be like that"),
    moderation.CommentNotFound: Kind(404, "comment-not-found", "No such comment"),
    moderation.CoralRefused: REFUSED,
    moderation.CursorInvalid: Kind(400, "cursor-invalid", "The cursor is not one of ours"),
    moderation.DecisionNotFound: Kind(404, "decision-not-found", "No such decision"),
    moderation.IdempotencyInFlight: Kind(
        409, "idempotency-in-flight", "The first request with this key is still being answered"
    ),
    moderation.IdempotencyMismatch: Kind(
        422, "idempotency-mismatch", "This key was used with another body"
    ),
    moderation.OpenaiRefused: REFUSED,
    moderation.PerspectiveRefused: REFUSED,
    moderation.PolicyConflict: Kind(409, "policy-conflict", "The policy has changed meanwhile"),
    moderation.PolicyInvalid: Kind(422, "policy-invalid", "The policy cannot be used like that"),
    moderation.PolicyNotFound: Kind(404, "policy-not-found", "No such version of the policy"),
    moderation.ReviewRefused: Kind(409, "review-refused", "The comment is not as it was read"),
    consent.CursorInvalid: Kind(400, "cursor-invalid", "The cursor is not one of ours"),
    consent.EventRefused: Kind(409, "event-refused", "This event cannot follow what is recorded"),
    consent.ActorRefused: Kind(422, "actor-refused", "This actor brings about no such event"),
    consent.BannerUnknown: Kind(422, "banner-unknown", "No such banner is archived"),
    consent.DecisionsInconsistent: Kind(
        422, "decisions-inconsistent", "The decisions do not say what the event says"
    ),
    consent.EventTypeUnsupported: Kind(
        422, "event-type-unsupported", "Events of this type cannot be sent"
    ),
    consent.MethodIsNoAct: Kind(422, "method-is-no-act", "Consent needs an act of the subject"),
    consent.NoticeUnknown: Kind(422, "notice-unknown", "No such notice was published"),
    consent.OccurredInFuture: Kind(422, "occurred-in-future", "The act lies in the future"),
    consent.OccurredTooLongAgo: Kind(422, "occurred-too-long-ago", "The act lies too far back"),
    consent.PurposeNotInNotice: Kind(
        422, "purpose-not-in-notice", "The notice does not have this purpose"
    ),
    consent.ServedInvalid: Kind(422, "served-invalid", "The served token cannot be used"),
    consent.SignalMissing: Kind(422, "signal-missing", "The event does not show the signal"),
    consent.ValidityInconsistent: Kind(
        422, "validity-inconsistent", "A validity stands where it cannot"
    ),
    consent.RestrictionInvalid: Kind(
        422, "restriction-invalid", "Processing cannot be restricted until then"
    ),
    consent.SubjectKindRefused: Kind(
        422, "subject-kind-refused", "This kind of subject cannot be named here"
    ),
    consent.IdempotencyInFlight: Kind(
        409, "idempotency-in-flight", "The first request with this key is still being answered"
    ),
    consent.IdempotencyKeyMissing: Kind(
        400, "idempotency-key-missing", "An idempotency key is compulsory here"
    ),
    consent.IdempotencyMismatch: Kind(
        422, "idempotency-mismatch", "This key was used with another body"
    ),
    consent.LogBehind: Kind(503, "log-behind", "The log is older than what its key has signed"),
    consent.LogNotFound: Kind(404, "log-not-found", "No such log"),
    consent.OutsideTree: Kind(404, "outside-tree", "The log has no such leaf, tile or size"),
    consent.BannerNotFound: Kind(404, "banner-not-found", "No such banner is archived"),
    consent.NoticeInvalid: Kind(422, "notice-invalid", "The notice cannot be published like that"),
    consent.NoticeNotFound: Kind(404, "notice-not-found", "No such notice"),
    consent.ReceiptInvalid: Kind(422, "receipt-invalid", "The receipt does not prove what it says"),
    consent.RecordErased: Kind(410, "record-erased", "This record was erased"),
    consent.RecordNotFound: Kind(404, "record-not-found", "No such record"),
    consent.StringInvalid: Kind(422, "string-invalid", "The consent string does not decode"),
    consent.SubjectInvalid: Kind(422, "subject-invalid", "The subject's id is not of its kind"),
    consent.SubjectNotFound: Kind(404, "subject-not-found", "Nothing is held about this subject"),
}
"""What errors that a client can cause are, with all below them; every other is a fault of ours."""


def kind_of(error: BaseException) -> Kind:
    """Return the kind of problem that *error*, or the nearest of its bases, is."""
    for base in type(error).__mro__:
        found = KINDS.get(base)
        if found is not None:
            return found
    return INTERNAL


def document(kind: Kind, detail: str | None = None, **more: Any) -> bytes:  # noqa: ANN401
    """Write a problem document; *more* are extension members."""
    content: dict[str, Any] = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
    }
    if detail:
        content["detail"] = detail
    content.update(more)
    return orjson.dumps(content)


def render(error: Exception) -> tuple[int, bytes]:
    """Return the status and the problem document for any error."""
    if isinstance(error, ValidationError):
        kind, detail, places = _invalid(error)
        return kind.status, document(kind, detail, **({"errors": places} if places else {}))
    kind = kind_of(error)
    if kind is INTERNAL:
        return 500, document(INTERNAL)
    more = {name: getattr(error, name, None) for name in EXTENSIONS}
    told = {name: value for name, value in more.items() if value is not None}
    return kind.status, document(kind, str(error), **told)


def is_internal(error: Exception) -> bool:
    """Whether an error is a fault of ours."""
    return not isinstance(error, ValidationError) and kind_of(error) is INTERNAL


def explain(error: Exception) -> tuple[Kind, str]:
    """Return the kind and one sentence for any error, for those who write it in their own way."""
    if is_internal(error):
        return INTERNAL, INTERNAL.title
    if isinstance(error, ValidationError):
        kind, detail, _ = _invalid(error)
        return kind, detail
    kind = kind_of(error)
    return kind, str(error) or kind.title


def _invalid(error: ValidationError) -> tuple[Kind, str, list[dict[str, str]]]:
    """Return the kind of a request that does not fit, one sentence, and where it does not."""
    count = error.error_count()
    if count > LISTED_ERRORS:
        return INVALID, f"request: expected at most {LISTED_ERRORS} faults to tell, got {count}", []
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if any(item["type"] == "json_invalid" for item in found):
        return MALFORMED, "expected one JSON object in UTF-8", []
    places = [
        {"where": _where(item["loc"], item["type"]), "problem": _plain(item["msg"])}
        for item in found[:SHOWN_ERRORS]
    ]
    # What is amiss as a whole may be the body or the query.
    return INVALID, f"{places[0]['where'] or 'request'}: {places[0]['problem']}", places


def _where(location: tuple[int | str, ...], problem: str) -> str:
    # Names of unknown members are input: only members of our own are ever named back.
    known = location[:-1] if problem == "extra_forbidden" else location
    return ".".join(str(part) for part in known if isinstance(part, int) or part.isidentifier())


def _plain(message: str) -> str:
    # Of a text whose characters were looked at first, pydantic tells the length as of any value.
    return _ITEMS.sub(r"Text should have \1 characters, not \2", message).removeprefix(
        "Value error, "
    )
