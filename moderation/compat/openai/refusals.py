"""Why a call is refused, in the shape that OpenAI's clients read.

Pure. A message never quotes the input or the key.
"""

import orjson

from moderation.errors import OpenaiRefused

INVALID = "invalid_request_error"
MODELS = (
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
)


def body(error: OpenaiRefused) -> bytes:
    """Write an error as OpenAI does."""
    return orjson.dumps(
        {
            "error": {
                "message": str(error),
                "type": error.kind,
                "param": error.param,
                "code": error.code,
            }
        }
    )


def not_json() -> OpenaiRefused:
    """Say that the body is no JSON object."""
    return OpenaiRefused("We could not parse the JSON body of your request.", 400, INVALID)


def input_missing() -> OpenaiRefused:
    """Say that there is no input."""
    return OpenaiRefused(
        "Missing required parameter: 'input'.",
        400,
        INVALID,
        param="input",
        code="missing_required_parameter",
    )


def input_invalid(expected: str) -> OpenaiRefused:
    """Say that the input is not of a kind that is read."""
    return OpenaiRefused(f"Invalid value for 'input': expected {expected}.", 400, INVALID, "input")


def images_unsupported() -> OpenaiRefused:
    """Say that nothing here looks at pictures."""
    return OpenaiRefused(
        "Image inputs are not supported: this server's model reads text only, so no answer could "
        "tell what the image shows.",
        400,
        INVALID,
        "input",
        "image_input_unsupported",
    )


def model_unknown() -> OpenaiRefused:
    """Say that the model is none of OpenAI's moderation models."""
    return OpenaiRefused(
        f"Invalid value for 'model': expected one of {', '.join(MODELS)}.", 400, INVALID, "model"
    )


def key_missing() -> OpenaiRefused:
    """Say that the call carries no key."""
    return OpenaiRefused(
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        401,
        INVALID,
    )


def key_invalid() -> OpenaiRefused:
    """Say that the key is unknown or revoked."""
    return OpenaiRefused("Incorrect API key provided.", 401, INVALID, code="invalid_api_key")


def scope_missing(message: str) -> OpenaiRefused:
    """Say that the key is not good for that."""
    return OpenaiRefused(
        f"You have insufficient permissions for this operation: {message}.",
        403,
        INVALID,
        code="missing_scope",
    )


def rate_limited(message: str) -> OpenaiRefused:
    """Say that too much was asked, or guessed, in too short a time."""
    return OpenaiRefused(
        f"Rate limit reached: {message}.", 429, "requests", code="rate_limit_exceeded"
    )


def refused(message: str, status: int) -> OpenaiRefused:
    """Say that something else is wrong with the request."""
    return OpenaiRefused(message, status, INVALID)


def unavailable() -> OpenaiRefused:
    """Say that it may work in a moment."""
    return OpenaiRefused(
        "The server is overloaded or cannot answer right now; try again.", 503, "server_error"
    )


def internal() -> OpenaiRefused:
    """Say that something went wrong on our side."""
    return OpenaiRefused(
        "The server had an error while processing your request.", 500, "server_error"
    )
