"""Which attributes of a comment are answered for, and in which language.

Pure. What cannot be scored is refused as Perspective refuses it, unless the site would rather
have it left out, or scored all the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

from moderation.compat.perspective import refusals
from moderation.compat.perspective.attributes import SUPPORTED
from moderation.compat.perspective.sentences import Sentence
from moderation.compat.perspective.tongues import detected, unsupported
from moderation.compat.perspective.wire import (
    AnalyzeCommentRequest,
    AttributeParameters,
    attribute_scores,
    text_of,
)
from moderation.compat.setting import DEFAULT, PerspectiveSetting
from moderation.verdict import LABELS, Label


class Wanted(NamedTuple):
    """The *labels* to be told, by attribute; the *languages* used, and those *detected*."""

    labels: dict[str, Label]
    languages: list[str]
    detected: list[str]


def wanted(
    asked: AnalyzeCommentRequest,
    *,
    known: bool,
    language: str | None,
    setting: PerspectiveSetting = DEFAULT.perspective,
) -> Wanted:
    """Say what of *asked* can be answered; *known* is whether the model knows its language.

    *language* is the model's, as in BCP 47, None where nobody said: then it is asked about none.
    Raises PerspectiveRefused.
    """
    told = asked.languages or []
    known, found = detected(text_of(asked), known=known, language=language)
    languages = told or found
    foreign = unsupported(told, language) if told else ([] if known else found)
    if not told and not found and not known and not setting.any_language:
        raise refusals.language_undetected()
    labels: dict[str, Label] = {}
    for name in asked.requested_attributes or {}:
        label = SUPPORTED.get(name)
        if label is not None and (setting.any_language or not foreign):
            labels[name] = label
            continue
        if asked.drop_unsupported_attributes or (label is None and setting.omit_attributes):
            continue
        # Of an attribute without a label it is said what clients know how to go on after.
        raise refusals.language_unsupported(name, foreign or languages, requested=bool(told))
    return Wanted(labels, languages, found)


def answers(
    asked: AnalyzeCommentRequest,
    labels: dict[str, Label],
    spans: Sequence[tuple[Sentence, Sequence[float]]],
) -> dict[str, object]:
    """Return the scores by attribute; *spans* have a score a label, the whole text's first."""
    found: dict[str, object] = {}
    for name, label in labels.items():
        parameters = (asked.requested_attributes or {}).get(name) or AttributeParameters()
        column = LABELS.index(label)
        told = [(span, scores[column]) for span, scores in spans]
        scores = attribute_scores(told[0][1], told, threshold=parameters.score_threshold)
        if scores is not None:
            found[name] = scores
    return found
