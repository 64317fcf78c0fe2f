"""Standing as JSON."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, Field, StringConstraints, model_validator

from consent.choices.choice import SubjectKind
from consent.choices.regime import Regime
from consent.recording.standing import Answer, Why
from consent.wire.strict import (
    PURPOSES_LIMIT,
    Id,
    InstantOut,
    Jurisdiction,
    SecGpc,
    Short,
    SubjectId,
    SubjectIn,
    Wire,
)

SUBJECTS_LIMIT = 100
Vendor = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=256)]


class StandingIn(Wire):
    """Whom and what to ask about, for subjects whose ids may stand in an access log."""

    subject_kind: SubjectKind
    subject_id: SubjectId
    purpose: Id
    jurisdiction: Jurisdiction | None = Field(None, description="where the visitor is")
    jurisdiction_source: Literal["declared", "edge_geo"] = "declared"
    sec_gpc: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="the Sec-GPC header of the visitor's request"
    )
    gpc_js: bool = Field(default=False, description="navigator.globalPrivacyControl")
    vendor: Vendor | None = Field(None, description="the vendor to be served")
    site: Short | None = None


class StandingQueryIn(Wire):
    """Whom and what to ask about, for every kind of subject; `subject`, or several `subjects`."""

    subject: SubjectIn | None = None
    subjects: Annotated[list[SubjectIn], Field(min_length=1, max_length=SUBJECTS_LIMIT)] | None = (
        Field(None, description="answered one by one, and together as ids of one visitor")
    )
    purposes: Annotated[list[Id], Field(min_length=1, max_length=PURPOSES_LIMIT)]
    jurisdiction: Jurisdiction | None = Field(None, description="where the visitor is")
    jurisdiction_source: Literal["declared", "edge_geo"] = "declared"
    sec_gpc: SecGpc = Field([], description="the Sec-GPC headers of the visitor's request")
    gpc_js: bool = False
    vendor: Vendor | None = Field(None, description="the vendor to be served")
    site: Short | None = None

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if (self.subject is None) == (self.subjects is None):
            raise ValueError("expected either `subject` or `subjects`")
        return self


class StandingOut(BaseModel):
    """Whether a purpose may be served for a subject, and why."""

    purpose: str
    allowed: bool
    why: Why
    ask: bool = Field(description="whether the visitor may be asked now")
    record_id: str | None = None
    since: InstantOut | None = None
    valid_until: InstantOut | None = None
    ask_after: InstantOut | None = Field(
        None, description="from when the visitor may be asked again"
    )
    signal: bool | None = Field(
        None, description="whether a Global Privacy Control signal is honoured: show it"
    )
    vendor_ids: list[str] | None = Field(
        None, description="the only vendors that it was given to: name one as `vendor`"
    )
    regime: Regime | None = Field(None, description="whose defaults hold, where nobody decided")


class SubjectStandingsOut(BaseModel):
    """One subject's answers; subjects are in the order of the question."""

    items: list[StandingOut]


class StandingsOut(BaseModel):
    """An answer a purpose, in the order of the question.

    Asked about several subjects, `items` answers for them together: the most careful answer wins.
    """

    items: list[StandingOut]
    subjects: list[SubjectStandingsOut] | None = None


def standing(answer: Answer) -> bytes:
    """Write one answer."""
    return orjson.dumps(_standing(answer))


def standings(answers: Sequence[Answer]) -> bytes:
    """Write answers."""
    return orjson.dumps(_standings(answers))


def several(together: Sequence[Answer], each: Sequence[Sequence[Answer]]) -> bytes:
    """Write answers for several subjects."""
    return orjson.dumps({**_standings(together), "subjects": [_standings(one) for one in each]})


def _standings(answers: Sequence[Answer]) -> dict[str, Any]:
    return {"items": [_standing(answer) for answer in answers]}


def _standing(answer: Answer) -> dict[str, Any]:
    members = {
        "purpose": answer.purpose,
        "allowed": answer.allowed,
        "why": answer.why,
        "ask": answer.ask,
    }
    if answer.signal:
        members["signal"] = True
    for name in ("record_id", "since", "valid_until", "ask_after", "vendor_ids", "regime"):
        value = getattr(answer, name)
        if value is not None:
            members[name] = value
    return members
