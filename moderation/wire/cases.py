"""The JSON of the queue: which cases, who holds them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from moderation.cases.case import Case, CaseState, Cause, state_of
from moderation.review.paging import Listed
from moderation.review.queue import Filter, Order, Shelf
from moderation.review.reviewing import Held
from moderation.tables import instant
from moderation.verdict import Label, Origin
from moderation.wire.moderators import Answer, ModeratedIn, NoteText, Token
from moderation.wire.strict import PAGE_LIMIT, Instant, InstantOut, Short, Wire

SNOOZE_DAYS = 90


class CasesCountIn(Wire):
    """Which cases, of whatever queue; what is left out is anything."""

    label: Label | None = Field(
        None, description="the one that a case tells: of those that hold it the most harmful"
    )
    language: Short | None = None
    reason: Short | None = Field(None, description="the one that a case tells: the first")
    opened_after: Instant | None = None
    opened_before: Instant | None = None
    assignee: Short | None = Field(None, description="who has claimed them")
    author: Short | None = Field(None, description="the pseudonym of an author, as cases tell it")
    domain: Short | None = Field(None, description="a domain that is linked to")
    group: Short | None = Field(None, description="the fingerprint of a group, as cases tell it")
    q: Short | None = Field(
        None, description='words that are all in the text; "…" in that order, …* at a beginning'
    )
    origin: Origin | None = Field(None, description="the dialect in which they came in first")
    moderator: Short | None = Field(None, description="leaves out what this person has skipped")
    site: Short | None = Field(None, description="one of the key's sites; by default all of them")


class CasesIn(CasesCountIn):
    """Which cases, in which order, from where."""

    shelf: Shelf = Field(Shelf.OPEN, description="which of the queues")
    order: Order = Order.PRIORITY
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Short | None = None


class ClaimNextIn(ModeratedIn):
    """Which case to claim: the first in an order that nobody else holds."""

    order: Order = Order.PRIORITY
    shelf: Literal[Shelf.OPEN, Shelf.ESCALATED] = Shelf.OPEN
    label: Label | None = None
    language: Short | None = None
    reason: Short | None = None
    author: Short | None = None
    domain: Short | None = None


class ClaimIn(ModeratedIn):
    """Who claims; a manager may take over what another has claimed."""

    take_over: bool = False


class ClaimedIn(ModeratedIn):
    """Who holds the case, by which token."""

    claim_token: Token


class AsideIn(ModeratedIn):
    """Who puts the case aside; the token where they have claimed it."""

    claim_token: Token | None = None


class SnoozeIn(AsideIn):
    """Until when nobody is to see the case."""

    until: Instant = Field(description=f"at most {SNOOZE_DAYS} days from now")

    @field_validator("until")
    @classmethod
    def _soon(cls, until: datetime, asked: ValidationInfo) -> datetime:
        # Nothing held is dropped because time goes by, and what nobody sees for years is dropped.
        if asked.context is None or until > asked.context["now"] + timedelta(days=SNOOZE_DAYS):
            raise ValueError(
                f"expected an instant at most {SNOOZE_DAYS} days from now, got a later one"
            )
        if until <= asked.context["now"]:
            raise ValueError("expected an instant to come, got one that is past")
        return until


class EscalateIn(AsideIn):
    """Why managers are to decide."""

    note: NoteText | None = None


def wanted(given: CasesCountIn, shelf: Shelf = Shelf.OPEN) -> Filter:
    """Read which cases are wanted."""
    return Filter(
        shelf,
        given.label,
        given.language,
        given.reason,
        None if given.opened_after is None else instant(given.opened_after),
        None if given.opened_before is None else instant(given.opened_before),
        given.assignee,
        given.author,
        given.domain,
        given.group,
        given.q,
        given.origin,
        given.moderator,
    )


def wanted_next(given: ClaimNextIn) -> Filter:
    """Read which cases may be claimed."""
    return Filter(
        given.shelf,
        given.label,
        given.language,
        given.reason,
        author=given.author,
        domain=given.domain,
        seen_by=given.moderator.id,
        free=True,
    )


class CaseOut(BaseModel):
    """A case as a list shows it; `excerpt` is the beginning of the text."""

    site: str
    comment_id: str
    external_id: str
    revision: int
    version: int
    state: CaseState
    cause: Cause
    tier: int
    label: Label | None
    reason: str | None
    language: str | None
    author: str | None
    thread_id: str | None
    group: str | None
    alike: int = Field(description="open cases of the same words")
    reporters: int
    opened: InstantOut
    openings: int
    claimed_by: str | None
    claim_until: InstantOut | None
    snoozed_until: InstantOut | None
    resolved: InstantOut | None
    origin: Origin
    excerpt: str


class CasesOut(BaseModel):
    """A page of the queue; `next` is null on the last page."""

    items: list[CaseOut]
    next: str | None


class CaseCountsOut(BaseModel):
    """How many cases there are: open, of those claimed, put aside, and open by tier."""

    open: int
    claimed: int
    escalated: int
    snoozed: int
    tiers: dict[str, int]


class HeldCaseOut(BaseModel):
    """A case after it was claimed or put aside; the token is told to whoever holds it."""

    comment_id: str
    revision: int
    version: int
    state: CaseState
    claimed_by: str | None
    claim_token: str | None
    claim_until: InstantOut | None
    snoozed_until: InstantOut | None


class ClaimedOut(BaseModel):
    """The case that was claimed; null where there is none to claim."""

    case: HeldCaseOut | None


def page(found: Sequence[Listed], following: str | None, *, now: str) -> bytes:
    """Write a page of the queue."""
    return orjson.dumps(
        {
            "items": [
                {
                    "site": each.case.site_id,
                    **case(each.case, now),
                    "external_id": each.external_id,
                    "version": each.version,
                    "alike": each.alike,
                    "origin": each.origin,
                    "excerpt": each.excerpt,
                }
                for each in found
            ],
            "next": following,
        }
    )


def counts(counted: Mapping[str, int]) -> bytes:
    """Write how many cases there are."""
    tiers = {name[5:]: number for name, number in counted.items() if name.startswith("tier_")}
    rest = {name: number for name, number in counted.items() if not name.startswith("tier_")}
    return orjson.dumps({**rest, "tiers": tiers})


def held(of: Held) -> Answer:
    """Answer whoever claimed a case, or put it aside."""
    return 200, orjson.dumps(_held(of))


def claimed(of: Held | None) -> Answer:
    """Answer whoever asked for the next case."""
    return 200, orjson.dumps({"case": of and _held(of)})


def _held(of: Held) -> dict[str, Any]:
    case = of.case
    state = CaseState.ESCALATED if case.escalated else CaseState.OPEN
    return {
        "comment_id": case.comment_id,
        "revision": of.revision,
        "version": of.version,
        "state": CaseState.CLAIMED if case.claim_token else state,
        "claimed_by": case.claimed_by,
        "claim_token": case.claim_token,
        "claim_until": case.claim_until,
        "snoozed_until": case.snoozed_until,
    }


def case(of: Case, now: str) -> dict[str, Any]:
    """Return the members of a case."""
    state = state_of(of, now)
    is_claimed = state is CaseState.CLAIMED
    return {
        "comment_id": of.comment_id,
        "revision": of.revision,
        "state": state,
        "cause": of.cause,
        "tier": of.tier,
        "label": of.label,
        "reason": of.reason,
        "language": of.language,
        "author": of.author,
        "thread_id": of.thread_id,
        "group": of.fingerprint,
        "reporters": of.reporters,
        "opened": of.opened,
        "openings": of.openings,
        "claimed_by": of.claimed_by if is_claimed else None,
        "claim_until": of.claim_until if is_claimed else None,
        "snoozed_until": of.snoozed_until,
        "resolved": of.resolved,
    }
