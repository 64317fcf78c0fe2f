"""`/v1/consent/subjects`: what a person may ask of whoever holds records about them."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from consent.routes.call import PROBLEM, Answer, Call, Streamed
from consent.subjects import letter
from consent.subjects.access import Accessing
from consent.subjects.erasure import Erasing
from consent.subjects.restriction import Restricting
from consent.wire import subjects as wire

TEXT = "text/plain"


class SubjectRoutes:
    """Access, erasing and restricting."""

    def __init__(self, *, accessing: Accessing, erasing: Erasing, restricting: Restricting) -> None:
        self._accessing = accessing
        self._erasing = erasing
        self._restricting = restricting

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="POST",
            path="/v1/consent/subjects:export",
            handler=self.export,
            name="exportSubject",
            summary="Read everything that is held about a subject (GDPR Art. 15)",
            scope="consent:audit",
            body=wire.SubjectExportIn,
            answers={200: (wire.HeldOut, TEXT), 404: PROBLEM},
        )
        operation(
            method="POST",
            path="/v1/consent/subjects:erase",
            handler=self.erase,
            name="eraseSubject",
            summary="Erase all records of a subject, and single records (GDPR Art. 17)",
            scope="consent:erase",
            body=wire.SubjectEraseIn,
            answers={201: wire.ErasedOut, 200: wire.NothingErasedOut, 404: PROBLEM},
        )
        operation(
            method="POST",
            path="/v1/consent/subjects:restrict",
            handler=self.restrict,
            name="restrictSubject",
            summary="Keep a subject's records as evidence alone, then erase them (GDPR Art. 18)",
            scope="consent:erase",
            body=wire.SubjectRestrictIn,
            answers={201: wire.RestrictedOut, 404: PROBLEM},
        )

    async def export(self, call: Call) -> Answer:
        """Answer 200 with everything, as JSON or as text that the person can read."""
        given = wire.SubjectExportIn.model_validate_json(call.body)
        held = await self._accessing.export(
            call.site(given.site),
            given.subject.kind,
            given.subject.id,
            linked=given.include_linked,
        )
        if given.format is wire.Rendering.JSON:
            return 200, wire.held(held)
        # In a thread: with each record comes the whole notice, to be read sign by sign.
        written = await asyncio.to_thread(letter.write, held)
        return 200, Streamed(f"{TEXT}; charset=utf-8".encode(), _once(written))

    async def erase(self, call: Call) -> Answer:
        """Answer 201 with the receipt of the tombstone, 200 where no record was left to erase."""
        given = wire.SubjectEraseIn.model_validate_json(call.body)
        subject = given.subject
        done = await self._erasing.erase(
            call.site(given.site),
            (subject.kind, subject.id) if subject else None,
            given.record_ids,
            keep_refusals=given.keep_refusals,
            linked=given.include_linked,
        )
        return (201 if done.receipt else 200), wire.erased(done)

    async def restrict(self, call: Call) -> Answer:
        """Answer 201 with the receipt of the tombstone."""
        given = wire.SubjectRestrictIn.model_validate_json(call.body)
        done = await self._restricting.restrict(
            call.site(given.site),
            given.subject.kind,
            given.subject.id,
            evidence_until=given.evidence_until,
        )
        return 201, wire.restricted(done)


async def _once(text: str) -> AsyncGenerator[bytes, None]:
    yield text.encode()
