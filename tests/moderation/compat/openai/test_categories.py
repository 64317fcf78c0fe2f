"""What OpenAI's categories are made of here."""

from math import inf

from moderation.compat.openai.categories import NOT_LOOKED, Category, Mix, judge
from moderation.verdict import LABELS, Label

FLOORS = tuple(0.5 for _ in LABELS)


def scores(**given: float) -> list[float]:
    """Return scores in the order of the labels."""
    return [given.get(label.value, 0.0) for label in LABELS]


def test_a_category_has_the_highest_score_of_its_labels() -> None:
    """Harassment is an insult or toxicity, whichever scores higher."""
    found = judge(scores(insult=0.4, toxicity=0.7), FLOORS)

    assert found[Category.HARASSMENT] == (True, 0.7, True)
    assert found[Category.HATE] == (False, 0.0, True)


def test_threatening_hate_needs_both_labels() -> None:
    """It is an attack on an identity and a threat: the lower score counts, each must reach."""
    found = judge(scores(identity_attack=0.9, threat=0.3), FLOORS)
    both = judge(scores(identity_attack=0.9, threat=0.6), FLOORS)

    assert found[Category.HATE_THREATENING] == (False, 0.3, True)
    assert both[Category.HATE_THREATENING] == (True, 0.6, True)


def test_what_nothing_looks_at_scores_nothing_and_says_so() -> None:
    """Nobody trained a label for self-harm: 0 would otherwise pass for a finding."""
    found = judge(scores(threat=1.0), FLOORS)

    assert len(found) == 13
    assert [name for name, finding in found.items() if finding == NOT_LOOKED] == [
        Category.ILLICIT,
        Category.ILLICIT_VIOLENT,
        Category.SELF_HARM,
        Category.SELF_HARM_INSTRUCTIONS,
        Category.SELF_HARM_INTENT,
        Category.SEXUAL_MINORS,
        Category.VIOLENCE_GRAPHIC,
    ]


def test_a_label_without_a_threshold_never_flags() -> None:
    """The site's policy decides what is flagged; where it has no band, nothing is."""
    floors = tuple(inf if label is Label.THREAT else 0.5 for label in LABELS)

    found = judge(scores(threat=1.0), floors)

    assert found[Category.VIOLENCE] == (False, 1.0, True)


def test_a_site_maps_as_it_likes() -> None:
    """Spam has no category of its own; a site may call it illicit."""
    found = judge(scores(spam=0.9), FLOORS, {Category.ILLICIT: Mix((Label.SPAM,))})

    assert found[Category.ILLICIT] == (True, 0.9, True)
    assert found[Category.HARASSMENT] == NOT_LOOKED
