"""The HTTP side of consent: parse, call one use case, render."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from consent import wire
from consent.choice import Context, Signals, SubjectKind
from consent.errors import IdempotencyKeyMissing, LogNotFound, SubjectKindRefused
from consent.notice import Controller, Notice, Purpose
from consent.proving import Proving
from consent.publishing import Publishing
from consent.recording import Choice, Recording
from consent.standing import StandingRead

Answer = tuple[int, bytes]
PROBLEM = "application/problem+json"
TEXT = "text/plain"
IN_A_URL = frozenset({SubjectKind.DEVICE, SubjectKind.EXTERNAL})
PUBLIC = ((b"access-control-allow-origin", b"*"),)
FRESH = (*PUBLIC, (b"cache-control", b"no-cache"))
FOR_EVER = (*PUBLIC, (b"cache-control", b"public, max-age=31536000, immutable"))


class Call(Protocol):
    """One request: its bytes, and what the door found out about it."""

    @property
    def body(self) -> bytes:
        """The body as it came."""
        ...

    @property
    def path(self) -> Mapping[str, str]:
        """The path's parameters."""
        ...

    def site(self, named: str | None = None) -> str:
        """Return the site that is spoken for."""
        ...

    def idempotency_key(self, in_body: str | None) -> str | None:
        """Return the request's key, from a header or *in_body*."""
        ...

    def query(self) -> dict[str, str]:
        """Return the query's parameters."""
        ...


class ConsentRoutes:
    """Handlers of `/v1/consent/…`."""

    def __init__(
        self,
        *,
        publishing: Publishing,
        recording: Recording,
        standing: StandingRead,
        proving: Proving,
        host_of: Callable[[str], Awaitable[str]],
    ) -> None:
        self._publishing = publishing
        self._recording = recording
        self._standing = standing
        self._proving = proving
        self._host_of = host_of

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue, the busiest first."""
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
            method="GET",
            path="/v1/consent/standing",
            handler=self.ask,
            name="getStanding",
            summary="May I? For a device or an external id and one purpose",
            scope="consent:read",
            query=wire.StandingIn,
            answers={200: wire.StandingOut},
        )
        operation(
            method="POST",
            path="/v1/consent/standing:query",
            handler=self.ask_many,
            name="queryStanding",
            summary="May I? For any kind of subject and several purposes",
            scope="consent:read",
            body=wire.StandingQueryIn,
            answers={200: wire.StandingsOut},
        )
        operation(
            method="POST",
            path="/v1/consent/notices",
            handler=self.publish,
            name="publishNotice",
            summary="Publish a notice; what changed decides whether it is a new version",
            scope="consent:notice",
            body=wire.NoticeIn,
            answers={201: wire.NoticeOut, 200: wire.NoticeOut},
        )
        operation(
            method="GET",
            path="/v1/consent/notices",
            handler=self.list_notices,
            name="listNotices",
            summary="List every notice in every version and language",
            scope="consent:read",
            query=wire.SiteIn,
            answers={200: wire.NoticesOut},
        )
        operation(
            method="GET",
            path="/v1/consent/notices/{notice_id}",
            handler=self.get_notice,
            name="getNotice",
            summary="Read a notice: its current version unless another is asked for",
            scope="consent:read",
            query=wire.NoticeGetIn,
            answers={200: wire.NoticesOut, 404: PROBLEM},
        )
        self._declare_logs(operation)

    def _declare_logs(self, operation: Callable[..., None]) -> None:
        operation(
            method="GET",
            path="/v1/consent/logs/{site}",
            handler=self.list_logs,
            name="listLogs",
            summary="List the epochs of a site's log",
            scope=None,
            answers={200: wire.LogsOut, 404: PROBLEM},
            headers=FRESH,
        )
        operation(
            method="GET",
            path="/v1/consent/logs/{site}/{epoch}/key",
            handler=self.key,
            name="getLogKey",
            summary="Read the log's verifier key (C2SP signed-note)",
            scope=None,
            answers={200: TEXT, 404: PROBLEM},
            media=b"text/plain; charset=utf-8",
            headers=FRESH,
        )
        operation(
            method="GET",
            path="/v1/consent/logs/{site}/{epoch}/checkpoint",
            handler=self.checkpoint,
            name="getCheckpoint",
            summary="Read the newest signed checkpoint (C2SP tlog-checkpoint)",
            scope=None,
            answers={200: TEXT, 404: PROBLEM},
            media=b"text/plain; charset=utf-8",
            headers=FRESH,
        )
        operation(
            method="GET",
            path="/v1/consent/logs/{site}/{epoch}/proof/inclusion",
            handler=self.inclusion,
            name="getInclusionProof",
            summary="Prove that a leaf is in the tree of a size (RFC 9162 §2.1.3)",
            scope=None,
            query=wire.InclusionIn,
            answers={200: wire.HashesOut, 404: PROBLEM},
            headers=FOR_EVER,
        )
        operation(
            method="GET",
            path="/v1/consent/logs/{site}/{epoch}/proof/consistency",
            handler=self.consistency,
            name="getConsistencyProof",
            summary="Prove that the log only grew between two sizes (RFC 9162 §2.1.4)",
            scope=None,
            query=wire.ConsistencyIn,
            answers={200: wire.HashesOut, 404: PROBLEM},
            headers=FOR_EVER,
        )

    # -- notices ------------------------------------------------------------------------------

    async def publish(self, call: Call) -> Answer:
        """Answer 201 with the notice as stored, or 200 where it is what stands already."""
        given = wire.NoticeIn.model_validate_json(call.body)
        site_id = call.site(given.site)
        notice = Notice(
            given.notice_id,
            given.language,
            given.text,
            Controller(**given.controller.model_dump()),
            tuple(
                Purpose(
                    id=purpose.id,
                    name=purpose.name,
                    description=purpose.description,
                    basis=purpose.basis,
                    data_categories=tuple(purpose.data_categories),
                    recipients=tuple(purpose.recipients),
                    retention=purpose.retention,
                    transfers=tuple(purpose.transfers),
                )
                for purpose in given.purposes
            ),
        )
        host = await self._host_of(site_id)
        published, new = await self._publishing.publish(site_id, host, notice)
        return (201 if new else 200), wire.notice(published)

    async def list_notices(self, call: Call) -> Answer:
        """Answer 200 with all notices."""
        asked = wire.SiteIn.model_validate_strings(call.query())
        found = await self._publishing.list_notices(call.site(asked.site))
        return 200, wire.notices(found)

    async def get_notice(self, call: Call) -> Answer:
        """Answer 200 with every language of one version, or the one asked for."""
        asked = wire.NoticeGetIn.model_validate_strings(call.query())
        found = await self._publishing.get(
            call.site(asked.site),
            call.path["notice_id"],
            version=asked.version,
            language=asked.language,
        )
        return 200, wire.notices(found)

    # -- events and standing ------------------------------------------------------------------

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

    async def ask(self, call: Call) -> Answer:
        """Answer 200 with one standing; refuses kinds whose ids must not be in a URL."""
        asked = wire.StandingIn.model_validate_strings(call.query())
        if asked.subject_kind not in IN_A_URL:
            raise SubjectKindRefused(
                f"expected a device or external id in a URL, got {asked.subject_kind.value}; "
                "use POST /v1/consent/standing:query"
            )
        (answer,) = await self._standing.ask(
            call.site(asked.site), asked.subject_kind, asked.subject_id, [asked.purpose]
        )
        return 200, wire.standing(answer)

    async def ask_many(self, call: Call) -> Answer:
        """Answer 200 with a standing for every purpose."""
        asked = wire.StandingQueryIn.model_validate_json(call.body)
        answers = await self._standing.ask(
            call.site(asked.site), asked.subject.kind, asked.subject.id, list(asked.purposes)
        )
        return 200, wire.standings(answers)

    # -- the public log -----------------------------------------------------------------------

    async def list_logs(self, call: Call) -> Answer:
        """Answer 200 with origin, key and size of every epoch."""
        return 200, wire.logs(await self._proving.list_logs(call.path["site"]))

    async def key(self, call: Call) -> Answer:
        """Answer 200 with the verifier key as text."""
        vkey = await self._proving.vkey(call.path["site"], _epoch(call))
        return 200, f"{vkey}\n".encode()

    async def checkpoint(self, call: Call) -> Answer:
        """Answer 200 with the newest checkpoint as text."""
        return 200, (await self._proving.checkpoint(call.path["site"], _epoch(call))).encode()

    async def inclusion(self, call: Call) -> Answer:
        """Answer 200 with the hashes; 404 where the log has no such leaf or size."""
        asked = wire.InclusionIn.model_validate_strings(call.query())
        path = await self._proving.inclusion(
            call.path["site"], _epoch(call), index=asked.index, size=asked.size
        )
        return 200, wire.hashes(path)

    async def consistency(self, call: Call) -> Answer:
        """Answer 200 with the hashes; 404 where the log has no such sizes."""
        asked = wire.ConsistencyIn.model_validate_strings(call.query())
        path = await self._proving.consistency(
            call.path["site"], _epoch(call), old_size=asked.from_, new_size=asked.to
        )
        return 200, wire.hashes(path)


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


def _epoch(call: Call) -> int:
    text = call.path["epoch"]
    if not text.isascii() or not text.isdigit() or len(text) > 9 or text[0] == "0":  # noqa: PLR2004 - 32 bits
        raise LogNotFound("expected an epoch from 1, got something else")
    return int(text)
