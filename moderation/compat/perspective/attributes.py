"""Which of Perspective's attributes a label of ours answers for.

Pure. An attribute without a label is known, so that its absence can be told as Perspective tells
it; no label is bent to something it was not trained for.
"""

from collections.abc import Mapping

from moderation.verdict import Label

_PRODUCTION: Mapping[str, Label | None] = {
    "TOXICITY": Label.TOXICITY,
    "SEVERE_TOXICITY": Label.SEVERE_TOXICITY,
    "IDENTITY_ATTACK": Label.IDENTITY_ATTACK,
    "INSULT": Label.INSULT,
    "PROFANITY": Label.OBSCENE,
    "THREAT": Label.THREAT,
}
_BRIDGING = (
    "AFFINITY",
    "COMPASSION",
    "CONSTRUCTIVE",
    "CURIOSITY",
    "NUANCE",
    "PERSONAL_STORY",
    "REASONING",
    "RESPECT",
)
_PERSUASION = (
    "ALIENATION",
    "FEARMONGERING",
    "GENERALIZATION",
    "MORAL_OUTRAGE",
    "POWER_APPEAL",
    "SCAPEGOATING",
)

ATTRIBUTES: Mapping[str, Label | None] = {
    **_PRODUCTION,
    **{f"{name}_EXPERIMENTAL": label for name, label in _PRODUCTION.items()},
    "TOXICITY_FAST": Label.TOXICITY,
    "SEXUALLY_EXPLICIT": Label.SEXUAL_EXPLICIT,
    "FLIRTATION": None,
    **{f"{name}_EXPERIMENTAL": None for name in (*_BRIDGING, *_PERSUASION)},
    "ATTACK_ON_AUTHOR": None,
    "ATTACK_ON_COMMENTER": None,
    "INCOHERENT": None,
    "INFLAMMATORY": None,
    "LIKELY_TO_REJECT": None,
    "OBSCENE": Label.OBSCENE,
    "SPAM": Label.SPAM,
    "UNSUBSTANTIAL": None,
}
"""Every attribute that Perspective has or had, with the label that answers for it."""

SUPPORTED: Mapping[str, Label] = {
    name: label for name, label in ATTRIBUTES.items() if label is not None
}
