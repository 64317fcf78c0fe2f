"""How a site reviews, as JSON."""

from dataclasses import asdict
from typing import Annotated

import orjson
from pydantic import BaseModel, BeforeValidator, Field

from moderation.cases.setting import DEFAULT, ReviewSetting
from moderation.verdict import State
from moderation.wire.strict import Short, Wire

KEEP_LIMIT = 36_500  # days


def _kept(value: object) -> None:
    # It may be there, as null: a client puts back what it has read.
    if value is not None:
        raise ValueError(
            "expected null, got something else: held comments wait for a person, whatever their age"
        )


class KeepIn(Wire):
    """After how many days comments in a state are erased; null keeps them."""

    pending: Annotated[None, BeforeValidator(_kept)] = Field(
        None, description="always null: held comments wait for a person, whatever their age"
    )
    published: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None
    rejected: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None
    spam: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None
    removed: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None


class SettingIn(Wire):
    """How the site reviews; what is left out is as it is by default."""

    sample_rate: float = Field(
        DEFAULT.sample_rate, ge=0, le=0.05, description="the share of the blind sample"
    )
    wait_hours: float = Field(
        DEFAULT.wait_hours, ge=1, le=8_760, description="what a case may wait"
    )
    alarm_hours: float = Field(
        DEFAULT.alarm_hours, ge=1, le=8_760, description="when a held comment is told of"
    )
    keep_days: KeepIn = KeepIn()
    blind: bool = Field(
        DEFAULT.blind,
        description="whether state, verdict and scores are told only once it is decided",
    )
    site: Short | None = None


def setting(given: SettingIn) -> ReviewSetting:
    """Read how a site reviews."""
    kept = given.keep_days.model_dump(exclude_none=True)
    return ReviewSetting(
        given.sample_rate,
        given.wait_hours,
        given.alarm_hours,
        {State(state): days for state, days in kept.items()},
        given.blind,
    )


class KeepOut(BaseModel):
    """After how many days comments in a state are erased."""

    pending: int | None = None
    published: int | None = None
    rejected: int | None = None
    spam: int | None = None
    removed: int | None = None


class SettingOut(BaseModel):
    """How the site reviews."""

    sample_rate: float
    wait_hours: float
    alarm_hours: float
    keep_days: KeepOut
    blind: bool


def setting_out(found: ReviewSetting) -> bytes:
    """Write how a site reviews."""
    kept = {state: found.keep_days.get(state) for state in State if state is not State.ERASED}
    return orjson.dumps({**asdict(found), "keep_days": kept}, option=orjson.OPT_NON_STR_KEYS)
