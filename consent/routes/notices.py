"""`/v1/consent/notices`: what visitors are shown."""

import re
from collections.abc import Awaitable, Callable

from consent.recording.publishing import Publishing
from consent.routes.call import PROBLEM, Answer, Call
from consent.store import Place
from consent.wire import cursor
from consent.wire import notices as wire
from consent.wire.strict import SiteIn

BANNER_BYTES = 8_388_608  # texts and a screenshot of a whole page
_PLACE = re.compile(r"([a-z0-9._-]{1,64}) ([0-9]{1,9}) ([A-Za-z0-9-]{1,35})")


class NoticeRoutes:
    """Publishing and reading notices."""

    def __init__(self, *, publishing: Publishing, host_of: Callable[[str], Awaitable[str]]) -> None:
        self._publishing = publishing
        self._host_of = host_of

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
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
            summary="List notices in every version and language",
            scope="consent:read",
            query=wire.NoticesIn,
            answers={200: wire.NoticePageOut},
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
        operation(
            method="GET",
            path="/v1/consent/notices/{notice_id}/changes",
            handler=self.compare,
            name="compareNotices",
            summary="Say what changed between two versions, and whether visitors are asked again",
            scope="consent:read",
            query=wire.ChangesGetIn,
            answers={200: wire.ChangesOut, 404: PROBLEM},
        )
        operation(
            method="POST",
            path="/v1/consent/banners",
            handler=self.archive,
            name="archiveBanner",
            summary="Archive the banner that shows a notice, once, under its digest",
            scope="consent:notice",
            body=wire.BannerIn,
            answers={201: wire.BannerOut},
            limit=BANNER_BYTES,
        )
        operation(
            method="GET",
            path="/v1/consent/banners/{ui_sha256}",
            handler=self.get_banner,
            name="getBanner",
            summary="Read an archived banner, exactly the bytes that its digest is of",
            scope="consent:read",
            query=SiteIn,
            answers={200: wire.BannerIn, 404: PROBLEM},
        )

    async def publish(self, call: Call) -> Answer:
        """Answer 201 with the notice as stored, or 200 where it is what stands already."""
        given = wire.NoticeIn.model_validate_json(call.body)
        site_id = call.site(given.site)
        notice = wire.read(given)
        host = await self._host_of(site_id)
        published, new = await self._publishing.publish(site_id, host, notice)
        return (201 if new else 200), wire.notice(published)

    async def list_notices(self, call: Call) -> Answer:
        """Answer 200 with a page."""
        asked = wire.NoticesIn.model_validate_strings(call.query())
        found, following = await self._publishing.list_notices(
            call.site(asked.site),
            after=None if asked.cursor is None else _read_cursor(asked.cursor),
            limit=asked.limit,
        )
        return 200, wire.page(found, following and cursor.write(" ".join(map(str, following))))

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

    async def compare(self, call: Call) -> Answer:
        """Answer 200 with every difference between two versions."""
        asked = wire.ChangesGetIn.model_validate_strings(call.query())
        before, after, found = await self._publishing.changes(
            call.site(asked.site),
            call.path["notice_id"],
            before=asked.from_,
            after=asked.to,
            language=asked.language,
        )
        return 200, wire.changes(before, after, found)

    async def archive(self, call: Call) -> Answer:
        """Answer 201 with the digest under which the banner is kept."""
        given = wire.BannerIn.model_validate_json(call.body)
        shown = given.model_dump(exclude={"site"}, exclude_none=True)
        return 201, wire.banner(await self._publishing.archive(call.site(given.site), shown))

    async def get_banner(self, call: Call) -> Answer:
        """Answer 200 with the archived bytes."""
        asked = SiteIn.model_validate_strings(call.query())
        banner = await self._publishing.get_banner(call.site(asked.site), call.path["ui_sha256"])
        return 200, banner.content


def _read_cursor(given: str) -> Place:
    notice_id, version, language = cursor.read(given, _PLACE).groups()
    return notice_id, int(version), language
