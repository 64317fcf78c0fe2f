"""Tests of moderation.text.language."""

import pytest

from moderation.text.language import script


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello", "Latin"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442 ok", "Cyrillic"),
        ("\u4f60\u597d", "Cjk"),
        ("12 !? \U0001f600", None),
        ("", None),
        ("\ud800", None),
    ],
)
def test_the_script_is_that_of_most_letters(text: str, expected: str | None) -> None:
    """Digits, signs and pictographs have none."""
    assert script(text) == expected
