"""`/v1/consent/events`: choices come in, receipts go out."""

from collections.abc import Callable

from consent.choices.choice import Context, Signals
from consent.choices.claim import Choice
from consent.choices.regime import RegimeSource, sec_gpc
from consent.errors import IdempotencyKeyMissing
from consent.recording.recording import Recording
from consent.recording.showing import Showing
from consent.routes.call import PROBLEM, Answer, Call
from consent.wire import events as wire


class EventRoutes:
    """Recording events."""

    def __init__(self, *, recording: Recording, showing: Showing) -> None:
        self._recording = recording
        self._showing = showing

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
        operation(
            method="POST",
            path="/v1/consent/served",
            handler=self.serve,
            name="serveNotice",
            summary="Count that a notice is shown, and return a token that its answer brings back",
            scope="consent:record",
            body=wire.ServedIn,
            answers={201: wire.ServedOut, 409: PROBLEM},
        )

    async def record(self, call: Call) -> Answer:
        """Answer 201 with the receipt, and with the same bytes when the request is repeated."""
        given = wire.read(call.body)
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

    async def serve(self, call: Call) -> Answer:
        """Answer 201 with a served token."""
        given = wire.ServedIn.model_validate_json(call.body)
        notice = given.notice
        token, expires_at = await self._showing.show(
            call.site(given.site), notice.notice_id, notice.version, notice.language, notice.layer
        )
        return 201, wire.served(token, expires_at)


def _choice(given: wire.EventIn) -> Choice:
    shown = given.notice
    vendors = {made.purpose_id: made.vendor_ids for made in given.decisions if made.vendor_ids}
    return Choice(
        subject_kind=given.subject.kind,
        subject_id=given.subject.id,
        event_type=given.event_type,
        method=given.method,
        origin=given.origin,
        decisions=tuple([(made.purpose_id, made.decision) for made in given.decisions]),
        vendors=vendors,
        notice_id=shown.notice_id if shown else None,
        notice_version=shown.version if shown else None,
        language=shown.language if shown else None,
        layer=shown.layer if shown else None,
        ui_sha256=shown.ui_sha256 if shown else None,
        variant=shown.variant if shown else None,
        jurisdiction=given.jurisdiction,
        jurisdiction_source=RegimeSource(given.jurisdiction_source),
        occurred_at=given.occurred_at,
        served_id=given.served_id,
        served=given.served,
        valid_until=given.valid_until,
        reprompt_not_before=given.reprompt_not_before,
        context=Context(**given.context.model_dump()) if given.context else None,
        signals=_signals(given.signals) if given.signals else None,
        explicit=given.explicit,
        actor=given.by,
        linked=(given.linked.kind, given.linked.id) if given.linked else None,
    )


def _signals(given: wire.SignalsIn) -> Signals:
    seen = given.sec_gpc
    return Signals(
        sec_gpc(seen) if isinstance(seen, list) else seen,
        given.gpc_js,
        given.tc_string,
        given.gpp_string,
        given.gcm.model_dump(exclude_none=True) if given.gcm else None,
    )
