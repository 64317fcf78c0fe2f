"""What OpenAI's categories are made of here: labels, mixed as the site says.

Pure. A category that no label stands for scores 0 and says that nothing looked: its list of
applied input types is empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


NAMES: tuple[str, ...] = tuple(category.value for category in Category)
_COLUMNS = {label: column for column, label in enumerate(LABELS)}


@dataclass(frozen=True, slots=True)
class Mix:
    """A category's *labels*: the highest of them counts, or, with *every*, the lowest."""

    labels: tuple[Label, ...]
    every: bool = False
    columns: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        columns = tuple(_COLUMNS[label] for label in self.labels)
        object.__setattr__(self, "columns", columns)

    def find(self, scores: Sequence[float], floors: Sequence[float]) -> "Finding":
        """Return what is told of the category.

        It is flagged where any label, or each, reaches its floor, the policy's lowest threshold.
        """
        mine = [scores[column] for column in self.columns]
        reached = [scores[column] >= floors[column] for column in self.columns]
        if self.every:
            return Finding(all(reached), min(mine), looked=True)
        return Finding(any(reached), max(mine), looked=True)


Mapped = Mapping[str, Mix]  # by the category's name

DEFAULT: Mapped = {
    Category.HARASSMENT.value: Mix((Label.INSULT, Label.TOXICITY)),
    Category.HARASSMENT_THREATENING.value: Mix((Label.THREAT,)),
    Category.HATE.value: Mix((Label.IDENTITY_ATTACK,)),
    Category.HATE_THREATENING.value: Mix((Label.IDENTITY_ATTACK, Label.THREAT), every=True),
    Category.SEXUAL.value: Mix((Label.SEXUAL_EXPLICIT,)),
    Category.VIOLENCE.value: Mix((Label.THREAT,)),
}


def mapped(stored: Mapping[str, Mapping[str, Any]] | None) -> Mapped:
    """Return what a site's categories are made of, as it is stored; None is the default."""
    if stored is None:
        return DEFAULT
    return {
        name: Mix(tuple(map(Label, mix["labels"])), every=mix["every"])
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
) -> dict[str, Finding]:
    """Return what is told of each category; *scores* and *floors* in the order of `LABELS`."""
    return {
        name: NOT_LOOKED if (mix := mapped.get(name)) is None else mix.find(scores, floors)
        for name in NAMES
    }
