"""Statistics as JSON."""

from datetime import date
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, BeforeValidator, Field, model_validator

from consent.audit.statistics import By, Counts, Statistics, Tally
from consent.choices.choice import EventType, Method
from consent.wire.strict import Id, Short, Wire, no_number

Day = Annotated[date, Field(strict=False), BeforeValidator(no_number)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, le=1)]


class StatisticsIn(Wire):
    """Of which days in UTC, of which notice, and how they are told apart."""

    from_: Day | None = Field(None, alias="from", description="the first day")
    to: Day | None = Field(None, description="the day after the last")
    notice_id: Id | None = None
    by: By = By.DAY
    site: Short | None = None

    @model_validator(mode="after")
    def _period(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise ValueError("expected a period that begins before it ends, got `from` after `to`")
        return self


class TallyOut(BaseModel):
    """How something was answered; `consent_rate` is given / decided, null where nobody decided."""

    decided: Count
    given: Count
    refused: Count
    withdrawn: Count
    consent_rate: Rate | None


class PurposeTallyOut(TallyOut):
    """How one purpose was answered."""

    purpose_id: str


class MethodTallyOut(TallyOut):
    """What was answered by one method."""

    method: Method


class CountsOut(TallyOut):
    """How often a notice was shown, and how it was answered, as a whole and by purpose."""

    shown: Count
    purposes: list[PurposeTallyOut]


class VersionCountsOut(CountsOut):
    """One version of a notice."""

    notice_id: str
    version: int


class PeriodCountsOut(CountsOut):
    """One day, week or month, by its first day."""

    start: str


class TypeCountOut(BaseModel):
    """How many events of one type were recorded."""

    event_type: EventType
    events: Count


class StatisticsOut(CountsOut):
    """All of it, and apart by type, method, notice version, and over time."""

    types: list[TypeCountOut]
    methods: list[MethodTallyOut]
    notices: list[VersionCountsOut]
    periods: list[PeriodCountsOut]


def statistics(counted: Statistics) -> bytes:
    """Write what was counted; every list in the order of its names."""
    return orjson.dumps(
        {
            **_counts(counted),
            "types": [
                {"event_type": kind, "events": events}
                for kind, events in sorted(counted.types.items())
            ],
            "methods": [
                {"method": method, **_tally(tally)}
                for method, tally in sorted(counted.methods.items())
            ],
            "notices": [
                {"notice_id": notice_id, "version": version, **_counts(counts)}
                for (notice_id, version), counts in sorted(counted.notices.items())
            ],
            "periods": [
                {"start": start, **_counts(counts)}
                for start, counts in sorted(counted.periods.items())
            ],
        }
    )


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "shown": counts.shown,
        **_tally(counts),
        "purposes": [
            {"purpose_id": purpose, **_tally(tally)}
            for purpose, tally in sorted(counts.purposes.items())
        ],
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "decided": tally.decided,
        "given": tally.given,
        "refused": tally.refused,
        "withdrawn": tally.withdrawn,
        "consent_rate": tally.consent_rate,
    }
