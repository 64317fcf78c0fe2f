"""What OpenAI's categories are made of here: labels, mixed as the site says.

Pure. A category that no label stands for scores 0 and says that nothing looked: its list of
applied input types is empty.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from moderation.verdict import LABELS, Label


class Category(StrEnum):
    """What a text may be flagged for; every answer has all of them."""

    HARASSMENT = "harassment"
    HARASSMENT_THREATENING = "harassment/threatening"
    HATE = "hate"
    HATE_THREATENING = "hate/threatening"
    ILLICIT = "illicit"
    ILLICIT_VIOLENT = "illicit/violent"
    SELF_HARM = "self-harm"
    SELF_HARM_INSTRUCTIONS = "self-harm/instructions"
    SELF_HARM_INTENT = "self-harm/intent"
    SEXUAL = "sexual"
    SEXUAL_MINORS = "sexual/minors"
    VIOLENCE = "violence"
    VIOLENCE_GRAPHIC = "violence/graphic"


class Mix(NamedTuple):
    """A category's *labels*: the highest of them counts, or, with *every*, the lowest."""

    labels: tuple[Label, ...]
    every: bool = False

    def score(self, scores: Sequence[float]) -> float:
        """Return the category's score; *scores* are in the order of `LABELS`."""
        mine = [scores[LABELS.index(label)] for label in self.labels]
        return min(mine) if self.every else max(mine)

    def flagged(self, scores: Sequence[float], floors: Sequence[float]) -> bool:
        """Whether any label, or each, reaches its floor, the lowest threshold of the policy."""
        columns = [LABELS.index(label) for label in self.labels]
        reached = [scores[column] >= floors[column] for column in columns]
        return all(reached) if self.every else any(reached)


Mapped = Mapping[Category, Mix]

DEFAULT: Mapped = {
    Category.HARASSMENT: Mix((Label.INSULT, Label.TOXICITY)),
    Category.HARASSMENT_THREATENING: Mix((Label.THREAT,)),
    Category.HATE: Mix((Label.IDENTITY_ATTACK,)),
    Category.HATE_THREATENING: Mix((Label.IDENTITY_ATTACK, Label.THREAT), every=True),
    Category.SEXUAL: Mix((Label.SEXUAL_EXPLICIT,)),
    Category.VIOLENCE: Mix((Label.THREAT,)),
}


def mapped(stored: Mapping[str, Mapping[str, Any]] | None) -> Mapped:
    """Return what a site's categories are made of, as it is stored; None is the default."""
    if stored is None:
        return DEFAULT
    return {
        Category(name): Mix(tuple(map(Label, mix["labels"])), every=mix["every"])
        for name, mix in stored.items()
    }


class Finding(NamedTuple):
    """What is told of a category; *looked* is whether a label stands for it."""

    flagged: bool
    score: float
    looked: bool


NOT_LOOKED = Finding(flagged=False, score=0.0, looked=False)


def judge(
    scores: Sequence[float], floors: Sequence[float], mapped: Mapped = DEFAULT
) -> dict[Category, Finding]:
    """Return what is told of each category; *scores* and *floors* in the order of `LABELS`."""
    return {
        category: NOT_LOOKED
        if (mix := mapped.get(category)) is None
        else Finding(mix.flagged(scores, floors), mix.score(scores), looked=True)
        for category in Category
    }
