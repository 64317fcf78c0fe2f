"""A webhook and its deliveries as values: the words of their states, and when to try again.

Pure: no clock, no database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TRIED_FOR = timedelta(days=1)
"""From the first try of a delivery until it is parked."""

FIRST_RETRY = timedelta(seconds=5)
LAST_RETRY = timedelta(hours=1)
RETRY_FACTOR = 4
LONGEST_HOLD = timedelta(minutes=5)
HOLD_FACTOR = 2
NOT_NOW = frozenset({429, 502, 503, 504})
"""Answers that speak of the receiver, not of the message."""

GONE = 410
"""The receiver wants no more (Standard Webhooks 1.0, "410 Gone")."""


class Disabled(StrEnum):
    """Why nothing is delivered to a webhook."""

    BY_HAND = "by_hand"
    GONE = "gone"


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a site is told of what happens.

    *secret* and *older_secret* are sealed; the older one signs, too, until *older_until*.
    *held_until* is set while its receiver does not answer, after so many *failures* in a row.
    """

    id: str
    site_id: str
    url: str
    events: tuple[str, ...]
    created: str
    disabled: Disabled | None
    secret: bytes
    older_secret: bytes | None
    older_until: str | None
    failures: int
    held_until: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook; *outcome* is that of the last try: a status, or a word."""

    id: str
    webhook_id: str
    feed: str
    place: str
    event: str
    state: DeliveryState
    queued: str
    due: str
    attempts: int = 0
    first_tried: str | None = None
    last_tried: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try; *status* is None where there was no answer, and *outcome* says why."""

    outcome: str
    status: int | None = None

    @property
    def is_well(self) -> bool:
        """Whether the receiver has the message."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more."""
        return self.status == GONE

    @property
    def is_not_now(self) -> bool:
        """Whether another message would have fared no better."""
        return self.status is None or self.status in NOT_NOW


def drawn(random: Callable[[int], bytes]) -> float:
    """Return a chance, from 0 to 1, that nobody can foresee."""
    return int.from_bytes(random(4), "big") / 2**32


def retry_after(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after so many tries; *chance*, from 0 to 1, spreads many out."""
    return _spread(FIRST_RETRY, RETRY_FACTOR, attempts - 1, LAST_RETRY, chance)


def hold_after(failures: int, chance: float) -> timedelta:
    """Return how long to leave a receiver alone after so many failures in a row."""
    return _spread(FIRST_RETRY, HOLD_FACTOR, failures - 1, LONGEST_HOLD, chance)


def is_to_be_parked(first_tried: datetime, now: datetime) -> bool:
    """Whether a delivery that has failed again was tried for long enough."""
    return now - first_tried >= TRIED_FOR


def _spread(
    first: timedelta, factor: int, step: int, longest: timedelta, chance: float
) -> timedelta:
    # The exponent is bounded, so that the product stays a number that a timedelta has.
    grown = first * int(factor ** min(step, 20))
    return min(grown, longest) * (0.5 + chance / 2)


COUNTED = ("delivered", "refused", "failed")
"""The outcomes that metrics tell: a 2xx, another answer, none."""
