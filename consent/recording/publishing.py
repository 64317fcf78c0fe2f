"""Notice in, version out: what visitors are shown, kept for good under its digests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from consent import store
from consent.choices.notice import Joins, Next, Notice, publish
from consent.choices.record import canonical, instant
from consent.choices.revision import Change, changes
from consent.database import Reading, Rows, Writing
from consent.errors import BannerNotFound, NoticeInvalid, NoticeNotFound
from consent.log import ledger
from consent.sealing.keyring import Keyring
from consent.store import Banner, Place, Published


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish *notice* on a site; *host* names the site's log should this open it."""

    site_id: str
    host: str
    notice: Notice
    published: str


@dataclass(frozen=True, slots=True)
class Archive:
    """Archive a banner of a site."""

    site_id: str
    banner: Banner


class Publishing:
    """The use cases of a notice."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        changed: Callable[[str], None] = lambda _site_id: None,
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._changed = changed

    async def publish(self, site_id: str, host: str, notice: Notice) -> tuple[Published, bool]:
        """Publish a notice; returns it as stored, and whether that is new.

        The first notice of a site opens its log.
        """
        command = Publish(site_id, host, notice, instant(self._clock()))
        answer = await self._writing.write(self.carry_out, command)
        self._changed(site_id)
        return answer

    async def list_notices(
        self, site_id: str, *, after: Place | None, limit: int
    ) -> tuple[list[Published], Place | None]:
        """Return notices in every version and language, and after which the next page begins."""
        found = await self._reading.query(
            lambda connection: store.list_notices(connection, site_id, after=after, limit=limit + 1)
        )
        page = found[:limit]
        if len(found) == len(page):
            return page, None
        last = page[-1]
        return page, (last.notice.notice_id, last.version, last.notice.language)

    async def get(
        self, site_id: str, notice_id: str, *, version: int | None, language: str | None
    ) -> list[Published]:
        """Return a version of a notice, the current one unless *version* says another.

        Raises NoticeNotFound.
        """
        every = await self._reading.query(
            lambda connection: store.list_notices(
                connection, site_id, notice_id=notice_id, version=version
            )
        )
        # The current version first: a language that it lacks is not taken from an older one.
        newest = max((item.version for item in every), default=0)
        found = [
            item
            for item in every
            if item.version == newest and language in {None, item.notice.language}
        ]
        if not found:
            raise NoticeNotFound("expected a notice of this site, version and language, got none")
        return found

    async def changes(
        self,
        site_id: str,
        notice_id: str,
        *,
        before: int | None,
        after: int | None,
        language: str | None,
    ) -> tuple[Published, Published, list[Change]]:
        """Compare two versions of a notice, by default the current one with the one before it.

        They are compared in *language*, or in the first that both have. Raises NoticeNotFound.
        """
        every = await self._reading.query(
            lambda connection: store.list_notices(connection, site_id, notice_id=notice_id)
        )
        newest = max((item.version for item in every), default=0) if after is None else after
        oldest = newest - 1 if before is None else before
        by_place = {(item.version, item.notice.language): item for item in every}
        languages = sorted(
            place[1]
            for place in by_place
            if place[0] == newest
            and (oldest, place[1]) in by_place
            and language in {None, place[1]}
        )
        if not languages:
            raise NoticeNotFound(
                "expected two versions of this notice that share a language, got none"
            )
        old, new = by_place[oldest, languages[0]], by_place[newest, languages[0]]
        return old, new, changes(old.notice, new.notice)

    async def archive(self, site_id: str, shown: Mapping[str, str]) -> Banner:
        """Keep what a browser was given under the digest of its canonical JSON, once."""
        content = canonical(shown)
        banner = Banner(
            sha256(content).hexdigest(), "application/json", content, instant(self._clock())
        )
        return await self._writing.write(self.keep, Archive(site_id, banner))

    async def get_banner(self, site_id: str, ui_sha256: str) -> Banner:
        """Return an archived banner. Raises BannerNotFound."""
        banner = await self._reading.query(
            lambda connection: store.find_banner(connection, site_id, ui_sha256)
        )
        if banner is None:
            raise BannerNotFound("expected the digest of an archived banner, got another")
        return banner

    def keep(self, rows: Rows, commands: Sequence[Archive]) -> list[Banner | Exception]:
        """Carry out a batch of commands inside the writer's transaction."""
        kept: list[Banner | Exception] = []
        for command in commands:
            store.add_banner(rows, command.site_id, command.banner)
            found = store.find_banner(rows.connection, command.site_id, command.banner.ui_sha256)
            kept.append(found or command.banner)
        return kept

    def carry_out(
        self, rows: Rows, commands: Sequence[Publish]
    ) -> list[tuple[Published, bool] | Exception]:
        """Carry out a batch of commands inside the writer's transaction."""
        outcomes: list[tuple[Published, bool] | Exception] = []
        for command in commands:
            try:
                outcomes.append(self._publish(rows, command))
            except NoticeInvalid as error:
                outcomes.append(error)
        return outcomes

    def _publish(self, rows: Rows, command: Publish) -> tuple[Published, bool]:
        ledger.open_log(rows, command.site_id, command.host, self._keyring.first_signer)
        # Locking the head makes publications of one site take turns on PostgreSQL, too.
        ledger.lock_head(rows, command.site_id)()
        notice = command.notice
        if notice.ui_sha256 is not None and not store.find_banner(
            rows.connection, command.site_id, notice.ui_sha256
        ):
            raise NoticeInvalid("expected ui_sha256 to be of an archived banner, got another")
        held = store.find_held(rows.connection, command.site_id, notice.notice_id)
        outcome = publish(held, notice)
        if not isinstance(outcome, Joins | Next):
            place = (notice.notice_id, outcome.version, notice.language)
            same = store.find_notice(rows.connection, command.site_id, place)
            assert same is not None  # noqa: S101 - `find_held` has read it
            return same, False
        published = Published(
            outcome.version,
            notice,
            notice.text_sha256(),
            notice.material_sha256(),
            command.published,
        )
        store.add_notice(rows, command.site_id, published)
        return published, True
