"""May I? One indexed read for a subject and a purpose."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import bindparam, select

from consent.choice import EventType, SubjectKind
from consent.keyring import Keyring
from consent.projection import PurposeStanding, Standing
from consent.record import instant
from consent.tables import NOTICE, SUBJECT


class Why(StrEnum):
    """The reason of a standing."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    NOT_ASKED = "not_asked"
    NOT_ANSWERED = "not_answered"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a purpose may be served for a subject, why, and by which record."""

    purpose: str
    allowed: bool
    why: Why
    record_id: str | None = None
    since: str | None = None
    valid_until: str | None = None


class Looking(Protocol):
    """Answers prepared point reads."""

    def prepare(self, select: Any) -> Any:  # noqa: ANN401 - a select in, a statement out
        """Return *select* compiled."""
        ...

    async def look(self, statement: Any, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return the rows of a prepared statement."""
        ...


class StandingRead:
    """The use case of asking."""

    def __init__(
        self, *, keyring: Keyring, looking: Looking, clock: Callable[[], datetime]
    ) -> None:
        self._keyring = keyring
        self._looking = looking
        self._clock = clock
        self._standing = looking.prepare(
            select(SUBJECT.c.standing).where(
                SUBJECT.c.site_id == bindparam("site_id"),
                SUBJECT.c.subject_ref == bindparam("ref"),
            )
        )
        self._material = looking.prepare(
            select(NOTICE.c.material_sha256)
            .where(
                NOTICE.c.site_id == bindparam("site_id"),
                NOTICE.c.notice_id == bindparam("notice_id"),
            )
            .order_by(NOTICE.c.version.desc())
            .limit(1)
        )

    async def ask(
        self, site_id: str, kind: SubjectKind, subject_id: str, purposes: list[str]
    ) -> list[Answer]:
        """Answer for each purpose, in order. Raises SubjectInvalid.

        Whoever is unknown was not asked: nothing is allowed.
        """
        standing = Standing()
        for ref in self._keyring.refs(site_id, kind, subject_id):
            rows = await self._looking.look(self._standing, site_id=site_id, ref=ref)
            if rows:
                standing = Standing.from_json(rows[0][0])
                break
        return [await self._answer(site_id, standing, purpose) for purpose in purposes]

    async def _answer(self, site_id: str, standing: Standing, purpose: str) -> Answer:
        at = standing.purposes.get(purpose)
        if at is None:
            why = Why.NOT_ANSWERED if standing.asked else Why.NOT_ASKED
            return Answer(purpose, allowed=False, why=why)
        why = await self._why(site_id, at)
        return Answer(purpose, why is Why.GIVEN, why, at.record_id, at.occurred_at, at.valid_until)

    async def _why(self, site_id: str, at: PurposeStanding) -> Why:
        if at.state != EventType.GIVEN:
            return Why(at.state)
        if at.valid_until is not None and instant(self._clock()) >= at.valid_until:
            return Why.EXPIRED
        rows = await self._looking.look(self._material, site_id=site_id, notice_id=at.notice_id)
        if not rows or rows[0][0] != at.material_sha256:
            return Why.SUPERSEDED
        return Why.GIVEN
