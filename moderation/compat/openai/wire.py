"""The door for OpenAI's JSON: texts in, one result a text out."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from moderation.compat.openai import refusals
from moderation.compat.openai.categories import Finding
from moderation.wire.comments import BATCH_LIMIT
from moderation.wire.strict import TEXT_LIMIT, paired

_EXPECTED = "a string, an array of strings, or an array of parts of type text"


class _Part(BaseModel):
    """A part of a multi-modal input; whatever else it says is not looked at."""

    model_config = ConfigDict(strict=True)

    type: str
    text: str | None = None


class ModerationRequest(BaseModel):
    """What is to be moderated, and by which of OpenAI's models."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    input: str | list[str] | list[_Part] | None = None
    model: str | None = None


def read(body: bytes) -> list[str]:
    """Return the texts of a request: one, or one a string; parts make one text together.

    U+0000 is taken out. Raises OpenaiRefused.
    """
    try:
        asked = ModerationRequest.model_validate_json(paired(body))
    except ValidationError as error:
        raise _refused(error) from None
    if asked.input is None:
        raise refusals.input_missing()
    if asked.model is not None and asked.model not in refusals.MODELS:
        raise refusals.model_unknown()
    texts = _texts(asked.input)
    if not 1 <= len(texts) <= BATCH_LIMIT:
        raise refusals.input_invalid(f"1 to {BATCH_LIMIT} strings, got {len(texts)}")
    longest = max(map(len, texts))
    if longest > TEXT_LIMIT:
        raise refusals.input_invalid(f"texts of at most {TEXT_LIMIT} characters, got {longest}")
    return texts


def _texts(given: str | Sequence[str | _Part]) -> list[str]:
    if isinstance(given, str):
        return [given.replace("\0", "")]
    strings = [item.replace("\0", "") for item in given if isinstance(item, str)]
    if len(strings) == len(given):
        return strings
    parts = [item for item in given if isinstance(item, _Part)]
    if any(part.type == "image_url" for part in parts):
        raise refusals.images_unsupported()
    if any(part.type != "text" or part.text is None for part in parts):
        raise refusals.input_invalid(_EXPECTED)
    return ["\n".join((part.text or "").replace("\0", "") for part in parts)]


def _refused(error: ValidationError) -> Exception:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if any(item["type"] == "json_invalid" or not item["loc"] for item in found):
        return refusals.not_json()
    if found[0]["loc"][0] == "model":
        return refusals.model_unknown()
    return refusals.input_invalid(_EXPECTED)


def result(findings: Mapping[str, Finding]) -> dict[str, Any]:
    """Return what is told of one text: `flagged` is whether any category is."""
    categories = {name: finding.flagged for name, finding in findings.items()}
    return {
        "flagged": True in categories.values(),
        "categories": categories,
        "category_scores": {name: finding.score for name, finding in findings.items()},
        "category_applied_input_types": {
            name: ["text"] if finding.looked else [] for name, finding in findings.items()
        },
    }


def moderation(answer_id: str, model: str, results: Sequence[Mapping[str, Any]]) -> bytes:
    """Write the results of a request, in the order of its texts."""
    return orjson.dumps({"id": answer_id, "model": model, "results": results})
