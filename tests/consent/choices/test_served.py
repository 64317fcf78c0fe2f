"""Served tokens: good for a day, for one site, as they were made and in no other spelling."""

from datetime import UTC, datetime, timedelta

import pytest

from consent.choices.choice import CLOCK_AHEAD
from consent.choices.served import LIFE, Served, open_token, token
from consent.errors import ServedInvalid

KEY = bytes(32)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def made(at: datetime) -> str:
    """Return a token made at an instant."""
    return token(KEY, Served("main", 1, "en", 2, at), nonce=b"12345678")


@pytest.mark.parametrize("at", [NOW - LIFE, NOW, NOW + CLOCK_AHEAD])
def test_a_token_says_what_was_shown_and_when(at: datetime) -> None:
    """For a day, and where the clocks of two processes differ a little."""
    assert open_token(KEY, made(at), now=NOW) == Served("main", 1, "en", 2, at)


@pytest.mark.parametrize("at", [NOW - LIFE - SECOND, NOW + CLOCK_AHEAD + SECOND])
def test_a_token_of_another_day_is_refused(at: datetime) -> None:
    """Older than a day, or from a time that is yet to come."""
    with pytest.raises(ServedInvalid, match="of the last 24 hours"):
        open_token(KEY, made(at), now=NOW)


def test_what_this_site_did_not_make_is_refused() -> None:
    """Under another key, changed, cut short, without its second part, or not ASCII."""
    well = made(NOW)
    for text in (
        well[1:],
        well[:-1],
        well + "=",
        well.partition(".")[0],
        "",
        ".",
        "\u00e9." + well,
    ):
        with pytest.raises(ServedInvalid, match="that this service made"):
            open_token(KEY, text, now=NOW)
    with pytest.raises(ServedInvalid, match="that this service made"):
        open_token(b"k" * 32, well, now=NOW)
