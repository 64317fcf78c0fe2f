"""Letters that stand backwards behind a right-to-left override are read as people read them."""

import httpx2
import pytest

from moderation.text.normal import normalise

INSULT = "\u202etoidi diputs a era uoy\u202c"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (INSULT, b"you are a stupid idiot"),
        ("so \u202eduts\u202c it is", b"so stud it is"),
        ("\u202eeno\nnext", b"one next"),
        ("\u200f\u05e9\u05dc\u05d5\u05dd\u200f", "\u05e9\u05dc\u05d5\u05dd".encode()),
    ],
)
def test_what_is_overridden_is_read_backwards(text: str, words: bytes) -> None:
    """To its end, or the end of the line; what is written from right to left stays."""
    assert b" ".join(normalise(text).words) == words


def test_an_insult_written_backwards_is_held(client: httpx2.Client) -> None:
    """It is seen in the right order, and can be explained."""
    told = client.post("/v1/score", json={"text": INSULT, "explain": True}).json()

    assert told["verdict"] == "hold"
    assert told["explanation"]
