"""What scores comments: one classifier at a time, whatever kind of bundle it came from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from moderation.model import explanation
from moderation.model.bundle import Bundle, Thresholds
from moderation.model.explanation import Why
from moderation.model.scoring import Scored
from moderation.verdict import Label


class Scoring(Protocol):
    """Scores texts: probabilities of shape (texts, labels), columns in the order of `LABELS`."""

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return a row a text, a column a label."""
        ...


@dataclass(frozen=True, slots=True)
class Classifier:
    """What scores, under which name, and from which probabilities on a label counts.

    *digest* is the SHA-256 of its manifest. *explain* takes a text and a *floor*; it is None where
    nothing can say what moved a score. One that is not *quick* takes so long for a short text that
    it works in a thread. *language*, as in BCP 47, is None where nobody said; *read* scores as
    *scorer* does, and is None where nothing can say whether a text is in that language.
    """

    name: str
    digest: str
    scorer: Scoring
    thresholds: Mapping[Label, Thresholds]
    explain: Callable[..., Why] | None = None
    quick: bool = True
    language: str | None = None
    read: Callable[[Sequence[str]], Scored] | None = None


def of_bundle(found: Bundle) -> Classifier:
    """Return what a bundle scores with."""
    return Classifier(
        found.name,
        found.digest,
        found.scorer,
        found.thresholds,
        partial(explanation.why, found.scorer, model=found.name, language=found.language),
        language=found.language,
        read=found.scorer.read,
    )
