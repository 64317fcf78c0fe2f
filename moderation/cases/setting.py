"""How a site reviews: its blind sample, its aim for waiting times, how long it keeps what.

Pure. Stored as JSON; what a site has not set is as it is here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import cast

import orjson

from moderation.errors import SettingDamaged
from moderation.verdict import State


@dataclass(frozen=True, slots=True)
class ReviewSetting:
    """*sample_rate* is a share in 0..1; *keep_days* says when a state's comments are erased.

    What is pending waits for a person, whatever its age, and has no days. *wait_hours* is what a
    case may wait before newer ones of its tier no longer overtake it; after *alarm_hours* a
    comment that is still pending is told of. *blind* keeps from whoever decides what the policy
    made of a comment, until it is decided.
    """

    sample_rate: float = 0.03
    wait_hours: float = 24.0
    alarm_hours: float = 72.0
    keep_days: Mapping[State, int] = field(default_factory=dict)
    blind: bool = True


DEFAULT = ReviewSetting()


def write(setting: ReviewSetting, *, unplaced: str | None = None) -> str:
    """Write a setting as it is stored.

    *unplaced* is a mark: by an earlier `wait_hours`, cases may stand where they do not belong.
    """
    marked = asdict(setting) | ({} if unplaced is None else {"unplaced": unplaced})
    return orjson.dumps(marked, option=orjson.OPT_NON_STR_KEYS).decode()


def unplaced(stored: str | None) -> str | None:
    """Return the mark that a setting was written with; one that is damaged has none."""
    if stored is None:
        return None
    try:
        return cast("str | None", orjson.loads(stored).get("unplaced"))
    except (AttributeError, ValueError):
        return None


@lru_cache(maxsize=1024)
def read(stored: str | None) -> ReviewSetting:
    """Read a setting as it is stored; None is that of a site that has set nothing.

    Raises SettingDamaged.
    """
    if stored is None:
        return DEFAULT
    try:
        found = orjson.loads(stored)
        keep = {State(state): int(days) for state, days in found.pop("keep_days", {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise SettingDamaged("expected a review setting as it was stored, got another") from None
    # Earlier releases took it, and erased what nobody had looked at.
    keep.pop(State.PENDING, None)
    # Written by a newer release, it may have members that this one does not know.
    known = {each.name: found[each.name] for each in fields(ReviewSetting) if each.name in found}
    return ReviewSetting(**known, keep_days=keep)


def read_or_default(stored: str | None) -> ReviewSetting:
    """Read a setting where comments and decisions come in: none waits for one that is damaged."""
    try:
        return read(stored)
    except SettingDamaged:
        return DEFAULT
