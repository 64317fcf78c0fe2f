"""Why a call is refused, in Perspective's words: what its clients compare and search for.

Pure. Status codes are those of google.rpc.Code; what a client sent is named back only where
Perspective does, and no longer than a name is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from moderation.errors import PerspectiveRefused

SERVICE = "commentanalyzer.googleapis.com"
INVALID = "INVALID_ARGUMENT"

_ERROR = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_NAME_LIMIT = 64  # characters of a name that is told back


def body(error: PerspectiveRefused) -> bytes:
    """Write an error as Google's services do."""
    content: dict[str, Any] = {
        "code": error.status,
        "message": str(error),
        "status": error.reason,
    }
    if error.details:
        content["details"] = error.details
    return orjson.dumps({"error": content})


def _refused(message: str, error_type: str, **more: Any) -> PerspectiveRefused:  # noqa: ANN401
    details = [{"@type": _ERROR, "errorType": error_type, **more}]
    return PerspectiveRefused(message, 400, INVALID, details)


def comment_empty() -> PerspectiveRefused:
    """Say that there is no text."""
    return _refused("Comment must be non-empty.", "COMMENT_EMPTY")


def comment_too_long() -> PerspectiveRefused:
    """Say that the text has more bytes than Perspective takes."""
    return _refused("Comment text too long.", "COMMENT_TOO_LONG")


def no_attributes() -> PerspectiveRefused:
    """Say that no attribute was asked for."""
    return _refused("Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES")


def no_scores() -> PerspectiveRefused:
    """Say that no score was suggested, or an attribute without one."""
    return _refused("Missing attribute_scores", "INVALID_REQUEST")


def score_outside(attribute: str) -> PerspectiveRefused:
    """Say that a suggested score is no probability."""
    return _refused(f"Score of attribute {_told(attribute)} must be in [0, 1]", "INVALID_REQUEST")


def attribute_unknown(attribute: str) -> PerspectiveRefused:
    """Say that Perspective has no such attribute."""
    return _refused(f"Unknown requested attribute: {_told(attribute)}", "INVALID_REQUEST")


def language_unsupported(
    attribute: str, languages: Sequence[str], *, requested: bool
) -> PerspectiveRefused:
    """Say that these languages, *requested* or detected, are not the attribute's."""
    told = [_told(language) for language in languages]
    return _refused(
        f"Attribute {_told(attribute)} does not support request languages: {', '.join(told)}",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        languageNotSupportedByAttributeError={
            "attribute": _told(attribute),
            "requestedLanguages" if requested else "detectedLanguages": told,
        },
    )


def language_undetected() -> PerspectiveRefused:
    """Say that the text is in no language that can be told."""
    return _refused("Unable to detect language", "LANGUAGE_DETECTION_FAILED")


def html_unsupported() -> PerspectiveRefused:
    """Say that HTML is not taken."""
    return _refused("Currently, only 'PLAIN_TEXT' comments are supported", "INVALID_REQUEST")


def type_unknown() -> PerspectiveRefused:
    """Say that there is no such type of text."""
    return _refused("Unknown text type", "INVALID_REQUEST")


def score_type_unsupported(score_type: str, attribute: str) -> PerspectiveRefused:
    """Say that all scores are probabilities."""
    return _refused(
        f"Requested score type {score_type} is not supported by attribute {_told(attribute)}",
        "INVALID_REQUEST",
    )


def context_ambiguous() -> PerspectiveRefused:
    """Say that the context is given in both ways."""
    return _refused(
        "Context can have either entries or article_and_parent_comment, but both fields were "
        "populated.",
        "INVALID_REQUEST",
    )


def not_json() -> PerspectiveRefused:
    """Say that the body is not JSON."""
    return PerspectiveRefused("Invalid JSON payload received. Parse error.", 400, INVALID)


def name_unknown(name: str, place: str) -> PerspectiveRefused:
    """Say that the message does not have such a member."""
    where = f" at '{_told(place)}'" if place else ""
    return _invalid(
        f'Invalid JSON payload received. Unknown name "{_told(name)}"{where}: Cannot find field.',
        place,
    )


def value_invalid(place: str) -> PerspectiveRefused:
    """Say that a member's value is of another type, or too long."""
    return _invalid(f"Invalid value at '{_told(place)}'", place)


def _invalid(message: str, place: str) -> PerspectiveRefused:
    violation = {"description": message} | ({"field": _told(place)} if place else {})
    return PerspectiveRefused(
        message, 400, INVALID, [{"@type": _REQUEST, "fieldViolations": [violation]}]
    )


def key_missing() -> PerspectiveRefused:
    """Say that the call carries no key."""
    return PerspectiveRefused(
        "Method doesn't allow unregistered callers (callers without established identity). Please "
        "use API Key or other form of API consumer identity to call this API.",
        403,
        "PERMISSION_DENIED",
    )


def key_invalid() -> PerspectiveRefused:
    """Say that the key is unknown or revoked."""
    return PerspectiveRefused(
        "API key not valid. Please pass a valid API key.",
        400,
        INVALID,
        [_info("API_KEY_INVALID", {"service": SERVICE})],
    )


def key_blocked(message: str) -> PerspectiveRefused:
    """Say that the key is not good for that."""
    return PerspectiveRefused(
        message, 403, "PERMISSION_DENIED", [_info("API_KEY_SERVICE_BLOCKED", {"service": SERVICE})]
    )


def quota_exceeded(limit: str) -> PerspectiveRefused:
    """Say that too much was asked, or guessed, in too short a time."""
    return PerspectiveRefused(
        f"Quota exceeded for quota metric 'Analyze requests' and limit '{limit}'.",
        429,
        "RESOURCE_EXHAUSTED",
        [_info("RATE_LIMIT_EXCEEDED", {"service": SERVICE, "quota_limit": limit})],
    )


def batch_invalid(finding: str) -> PerspectiveRefused:
    """Say that a batch cannot be taken apart."""
    return PerspectiveRefused(f"Failed to parse batch request, error: {finding}.", 400, INVALID)


def not_found() -> PerspectiveRefused:
    """Say that there is no such method."""
    return PerspectiveRefused("Method not found.", 404, "NOT_FOUND")


def unavailable() -> PerspectiveRefused:
    """Say that it may work in a moment."""
    return PerspectiveRefused("The service is currently unavailable.", 503, "UNAVAILABLE")


def internal() -> PerspectiveRefused:
    """Say that something went wrong on our side."""
    return PerspectiveRefused("Internal error encountered.", 500, "INTERNAL")


def _info(reason: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    return {"@type": _INFO, "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def _told(name: str) -> str:
    """Return *name* as it may be told back: short, and nothing that does not print."""
    return "".join(character for character in name[:_NAME_LIMIT] if character.isprintable())
