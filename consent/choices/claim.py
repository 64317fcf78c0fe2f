"""What a site backend says of its visitor, and the event that it becomes once it is believed.

Pure. Nothing of a choice is believed before `transition` has checked it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from consent.choices.choice import (
    GIVING,
    Actor,
    Assurance,
    Basis,
    ConsentType,
    Context,
    Decision,
    EventType,
    Method,
    Origin,
    PurposeDecision,
    ShownNotice,
    Signals,
    SubjectKind,
)
from consent.choices.record import Json, event
from consent.choices.regime import RegimeSource, Resolved
from consent.choices.transition import RULES, Told


class Choice(NamedTuple):
    """What a site backend tells of its visitor."""

    subject_kind: SubjectKind
    subject_id: str
    event_type: EventType
    method: Method
    origin: Origin
    decisions: tuple[tuple[str, Decision], ...] = ()
    vendors: Mapping[str, tuple[str, ...]] | None = None
    """The vendors that a purpose's decision is about, where it is not about all of them."""

    notice_id: str | None = None
    notice_version: int | None = None
    language: str | None = None
    layer: int | None = None
    ui_sha256: str | None = None
    variant: str | None = None
    jurisdiction: str | None = None
    jurisdiction_source: RegimeSource = RegimeSource.DECLARED
    occurred_at: datetime | None = None
    served_id: str | None = None
    served: str | None = None
    valid_until: datetime | None = None
    reprompt_not_before: datetime | None = None
    context: Context | None = None
    signals: Signals | None = None
    explicit: bool = False
    actor: Actor | None = None
    linked: tuple[SubjectKind, str] | None = None

    def told(self, received: datetime) -> Told:
        """Return what `transition` checks of it."""
        return Told(
            self.event_type,
            self.method,
            self.origin,
            self.decisions,
            received,
            self.actor,
            gpc=self.signals is not None and self.signals.gpc,
            explicit=self.explicit,
            occurred=self.occurred_at,
            valid_until=self.valid_until,
            reprompt_not_before=self.reprompt_not_before,
        )


class Believed(NamedTuple):
    """What the service found out about a choice: who, when, under which law, on which notice."""

    record_id: str
    site_id: str
    subject_ref: str
    received: datetime
    resolved: Resolved
    decisions: tuple[tuple[str, Decision], ...]
    bases: Mapping[str, Basis]
    notice: ShownNotice | None
    served_id: str | None
    served_at: datetime | None
    valid_until: datetime | None
    linked_ref: str | None


def content(choice: Choice, believed: Believed) -> dict[str, Json]:
    """Build the event."""
    giving = choice.event_type in GIVING
    expressed = ConsentType.EXPLICITLY_EXPRESSED if choice.explicit else ConsentType.EXPRESSED
    vendors = choice.vendors or {}
    return event(
        record_id=believed.record_id,
        site_id=believed.site_id,
        subject_ref=believed.subject_ref,
        subject_kind=choice.subject_kind,
        assurance=_assurance(choice.subject_kind),
        event_type=choice.event_type,
        decisions=[
            PurposeDecision(
                purpose,
                decision,
                believed.bases.get(purpose, Basis.CONSENT),
                vendors.get(purpose, ()),
            )
            for purpose, decision in believed.decisions
        ],
        consent_type=expressed if giving else None,
        method=choice.method,
        origin=choice.origin,
        by=choice.actor or RULES[choice.event_type].actors[0],
        occurred_at=choice.occurred_at,
        received_at=believed.received,
        notice=believed.notice,
        jurisdiction=choice.jurisdiction,
        served_id=believed.served_id,
        served_at=believed.served_at,
        valid_until=choice.valid_until or believed.valid_until,
        reprompt_not_before=choice.reprompt_not_before,
        regime=believed.resolved.regime.value,
        regime_source=believed.resolved.source.value,
        linked=_linked(choice, believed),
        context=choice.context,
        signals=choice.signals,
    )


def _linked(choice: Choice, believed: Believed) -> dict[str, Json] | None:
    if choice.linked is None or believed.linked_ref is None:
        return None
    return {"subject_kind": choice.linked[0].value, "subject_ref": believed.linked_ref}


def _assurance(kind: SubjectKind) -> Assurance:
    """Say how sure the subject is: a site's key vouches for its accounts, for no more."""
    return Assurance.AUTHENTICATED if kind is SubjectKind.ACCOUNT else Assurance.SESSION
