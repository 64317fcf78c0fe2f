"""In which languages a comment may be analysed."""

from moderation.compat.perspective.tongues import detected, unsupported


def test_a_text_the_model_knows_is_in_its_language() -> None:
    """What is known is told by the model's own tag."""
    assert detected("Hello there", known=True, language="en") == ["en"]


def test_of_another_text_only_the_script_is_told() -> None:
    """No language is guessed: Cyrillic letters may be Russian, Bulgarian or Serbian."""
    assert detected("Привет всем", known=False, language="en") == ["und-Cyrl"]
    assert detected("Guten Tag zusammen", known=False, language="en") == []
    assert detected("12 !!", known=False, language="en") == []


def test_region_and_script_of_a_tag_do_not_matter() -> None:
    """British English is English; what is not the model's language is named."""
    assert unsupported(["en-GB", "EN", "th", "hi-Latn"], "en") == ["th", "hi-Latn"]
