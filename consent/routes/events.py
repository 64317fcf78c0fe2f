"""`/v1/consent/events`: choices come in, receipts go out."""

from collections.abc import Callable

from consent.choice import Context, Signals
from consent.errors import IdempotencyKeyMissing
from consent.recording import Choice, Recording
from consent.routes.call import PROBLEM, Answer, Call
from consent.wire import events as wire


class EventRoutes:
    """Recording events."""

    def __init__(self, *, recording: Recording) -> None:
        self._recording = recording

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="POST",
            path="/v1/consent/events",
            handler=self.record,
            name="recordEvent",
            summary="Record a choice and return its receipt",
            scope="consent:record",
            body=wire.EventIn,
            answers={201: wire.ReceiptOut, 409: PROBLEM, 410: PROBLEM},
        )

    async def record(self, call: Call) -> Answer:
        """Answer 201 with the receipt, and with the same bytes when the request is repeated."""
        given = wire.EventIn.model_validate_json(call.body)
        key = call.idempotency_key(given.idempotency_key)
        if key is None:
            raise IdempotencyKeyMissing(
                "expected an idempotency key in the Idempotency-Key header or the body's "
                "idempotency_key, got none"
            )
        receipt = await self._recording.record(
            call.site(given.site),
            _choice(given),
            key=key,
            body=call.body,
        )
        return 201, wire.receipt(receipt)


def _choice(given: wire.EventIn) -> Choice:
    shown = given.notice
    return Choice(
        subject_kind=given.subject.kind,
        subject_id=given.subject.id,
        event_type=given.event_type,
        method=given.method,
        origin=given.origin,
        decisions=tuple([(made.purpose_id, made.decision) for made in given.decisions]),
        notice_id=shown.notice_id if shown else None,
        notice_version=shown.version if shown else None,
        language=shown.language if shown else None,
        layer=shown.layer if shown else None,
        ui_sha256=shown.ui_sha256 if shown else None,
        jurisdiction=given.jurisdiction,
        occurred_at=given.occurred_at,
        served_id=given.served_id,
        valid_until=given.valid_until,
        context=Context(**given.context.model_dump()) if given.context else None,
        signals=Signals(**given.signals.model_dump()) if given.signals else None,
        explicit=given.explicit,
    )
