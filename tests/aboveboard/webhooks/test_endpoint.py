"""When a delivery is tried again: ever more seldom, spread by chance, for a day."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aboveboard.webhooks.endpoint import (
    FIRST_RETRY,
    LAST_RETRY,
    LONGEST_HOLD,
    TRIED_FOR,
    Tried,
    hold_after,
    is_to_be_parked,
    retry_after,
)

CHANCE = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), CHANCE)
def test_waits_grow_and_are_bounded(attempts: int, chance: float) -> None:
    """Each is at least as long as the one before it, and at most an hour, or five minutes."""
    for after, longest in ((retry_after, LAST_RETRY), (hold_after, LONGEST_HOLD)):
        assert FIRST_RETRY / 2 <= after(attempts, chance) <= after(attempts + 1, chance) <= longest


@given(st.integers(1, 100))
def test_chance_spreads_by_half(attempts: int) -> None:
    """Many that failed together do not come back together."""
    assert retry_after(attempts, 0) * 2 == retry_after(attempts, 1)


def test_the_first_waits_are_these() -> None:
    """As the documentation tells them."""
    seconds = [retry_after(attempts, 1).total_seconds() for attempts in range(1, 8)]

    held = [hold_after(failures, 1).total_seconds() for failures in range(1, 9)]

    assert seconds == [5, 20, 80, 320, 1280, 3600, 3600]
    assert held == [5, 10, 20, 40, 80, 160, 300, 300]


def test_a_day_is_a_day() -> None:
    """Up to its last moment it is tried."""
    first = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)

    assert not is_to_be_parked(first, first + TRIED_FOR - timedelta(microseconds=1))
    assert is_to_be_parked(first, first + TRIED_FOR)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (None, "not now"),
        (199, ""),
        (200, "well"),
        (204, "well"),
        (299, "well"),
        (301, ""),
        (400, ""),
        (404, ""),
        (410, "gone"),
        (429, "not now"),
        (500, ""),
        (502, "not now"),
        (503, "not now"),
        (504, "not now"),
    ],
)
def test_an_answer_says_one_thing(status: int | None, told: str) -> None:
    """Taken, not now, no more; everything else is about this one message."""
    tried = Tried(str(status), status)
    words = {"well": tried.is_well, "gone": tried.is_gone, "not now": tried.is_not_now}

    assert [word for word, so in words.items() if so] == ([told] if told else [])
