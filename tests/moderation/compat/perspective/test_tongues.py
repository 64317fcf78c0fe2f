"""In which languages a comment may be analysed."""

import pytest

from moderation.compat.perspective.tongues import detected, unsupported


def test_a_text_the_model_knows_is_in_its_language() -> None:
    """What is known is told by the model's own tag."""
    assert detected("Hello there", known=True, language="en") == (True, ["en"])


def test_of_another_text_only_the_script_is_told() -> None:
    """No language is guessed: Cyrillic letters may be Russian, Bulgarian or Serbian."""
    assert detected("Привет всем", known=False, language="en") == (False, ["und-Cyrl"])
    assert detected("Guten Tag zusammen", known=False, language="en") == (False, [])
    assert detected("12 !!", known=False, language="en") == (False, [])


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("สวัสดี", "und-Thai"),
        ("ты дурак", "und-Cyrl"),
        ("ты дурак http://a.example.ru", "und-Cyrl"),
        ("انت غبي", "und-Arab"),
        ("너는 바보야", "und-Hang"),
        ("馬鹿野郎死ねよ", "und-Hani"),
        ("నువ్వు మూర్ఖుడివి", "und-Telu"),
    ],
)
def test_another_script_is_foreign_though_the_model_was_in_doubt(text: str, tag: str) -> None:
    """Of a few words a model takes each for a name; of English and German the script is known."""
    assert detected(text, known=True, language="en") == (False, [tag])
    assert detected(text, known=True, language="ru") == (True, ["ru"])
    assert detected(text, known=True, language=None) == (True, [])


@pytest.mark.parametrize(
    "text",
    [
        "\u0443\u043eu \u0430r\u0435 \u0430n idiot",  # Cyrillic letters that look Latin
        "\uff59\uff4f\uff55 \uff49\uff44\uff49\uff4f\uff54",  # full width
        "\U0001d432\U0001d428\U0001d42e",  # mathematical
        "\u028f\u1d0f\u1d1c",  # small capitals
        "\u2776\u2777\u2778\u2779 ok",  # digits in circles
        "\u2776\u2777",
        "Ünïcödé",
        "12 😀",
    ],
)
def test_disguised_letters_are_no_other_script(text: str) -> None:
    """An insult is not spared its score for how its letters are drawn."""
    assert detected(text, known=True, language="en") == (True, ["en"])


def test_region_and_script_of_a_tag_do_not_matter() -> None:
    """British English is English; what is not the model's language is named."""
    assert unsupported(["en-GB", "EN", "th", "hi-Latn"], "en") == ["th", "hi-Latn"]
