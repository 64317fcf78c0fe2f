"""`/v1/consent/records`: what auditors search for."""

import re
from collections.abc import Callable

from consent.audit.auditing import Auditing
from consent.errors import SubjectKindRefused
from consent.records.search import Filter, whole_second
from consent.routes.call import PROBLEM, Answer, Call
from consent.routes.standings import IN_A_URL
from consent.wire import cursor
from consent.wire import records as wire
from consent.wire.strict import SiteIn

_RECORD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class RecordRoutes:
    """Searching records, and reading one with its proof."""

    def __init__(self, *, auditing: Auditing) -> None:
        self._auditing = auditing

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/consent/records",
            handler=self.list_records,
            name="listRecords",
            summary="Search the records, newest first",
            scope="consent:audit",
            query=wire.RecordsIn,
            answers={200: wire.RecordsOut},
        )
        operation(
            method="POST",
            path="/v1/consent/records:search",
            handler=self.search,
            name="searchRecords",
            summary="Search the records, also those of subjects whose ids must not be in a URL",
            scope="consent:audit",
            body=wire.RecordsSearchIn,
            answers={200: wire.RecordsOut},
        )
        operation(
            method="GET",
            path="/v1/consent/records/{record_id}",
            handler=self.get,
            name="getRecord",
            summary="Read a record: its event, its proof, and the notice that was shown",
            scope="consent:audit",
            query=SiteIn,
            answers={200: wire.RecordDetailOut, 404: PROBLEM, 410: PROBLEM},
        )

    async def list_records(self, call: Call) -> Answer:
        """Answer 200 with a page; refuses kinds whose ids must not be in a URL."""
        asked = wire.RecordsIn.model_validate_strings(call.query())
        site_id = call.site(asked.site)
        return await self._page(site_id, asked, subject_filter(self._auditing, site_id, asked))

    async def search(self, call: Call) -> Answer:
        """Answer 200 with a page."""
        asked = wire.RecordsSearchIn.model_validate_json(call.body)
        site_id = call.site(asked.site)
        subject = asked.subject
        refs = None if subject is None else self._auditing.refs(site_id, subject.kind, subject.id)
        return await self._page(site_id, asked, _filter(asked, refs))

    async def get(self, call: Call) -> Answer:
        """Answer 200 with the record, 410 where it was erased."""
        asked = SiteIn.model_validate_strings(call.query())
        return 200, wire.detail(
            await self._auditing.get(call.site(asked.site), call.path["record_id"])
        )

    async def _page(
        self, site_id: str, asked: wire.RecordsIn | wire.RecordsSearchIn, wanted: Filter
    ) -> Answer:
        found, following = await self._auditing.search(
            site_id,
            wanted,
            before=None if asked.cursor is None else cursor.read(asked.cursor, _RECORD_ID)[0],
            limit=asked.limit,
            opening=asked.open,
        )
        return 200, wire.records(found, None if following is None else cursor.write(following))


def subject_filter(auditing: Auditing, site_id: str, asked: wire.SubjectFilterIn) -> Filter:
    """Return which records a query asks for. Raises SubjectKindRefused and SubjectInvalid."""
    if asked.subject_kind is None or asked.subject_id is None:
        return _filter(asked, None)
    if asked.subject_kind not in IN_A_URL:
        raise SubjectKindRefused(
            f"expected a device or external id in a URL, got {asked.subject_kind.value}; "
            "use POST /v1/consent/records:search"
        )
    return _filter(asked, auditing.refs(site_id, asked.subject_kind, asked.subject_id))


def _filter(asked: wire.FilterIn, refs: list[str] | None) -> Filter:
    return Filter(
        refs=refs if asked.subject_ref is None else [asked.subject_ref],
        since=None if asked.from_ is None else whole_second(asked.from_),
        until=None if asked.to is None else whole_second(asked.to),
        purpose_id=asked.purpose,
        decision=asked.decision,
        method=asked.method,
        event_type=asked.event_type,
        notice_id=asked.notice_id,
        notice_version=asked.notice_version,
    )
