"""Notices, settings, banners, subjects and idempotency keys as rows; which records there are.

Takes a connection inside a transaction; never commits one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select, tuple_

from consent.choices.choice import Basis, EventType
from consent.choices.notice import Controller, Held, Notice, Purpose, purposes
from consent.choices.projection import Standing
from consent.choices.setting import NOTHING_SET, Setting
from consent.database import Rows
from consent.tables import (
    BANNER,
    IDEMPOTENCY,
    NOTICE,
    RECORD,
    SETTING,
    SHOWN,
    SUBJECT,
)


def put_subjects(rows: Rows, subjects: Sequence[tuple[str, str, int, bytes, str]]) -> None:
    """Write subjects: site, pseudonym, key version, wrapped key, standing.

    Of a known one the rest stays.
    """
    rows.insert(
        SUBJECT,
        [(*subject, None) for subject in subjects],
        tail=_KNOWN_SUBJECT,
    )


_KNOWN_SUBJECT = (
    " ON CONFLICT (site_id, subject_ref) DO UPDATE SET key_version = excluded.key_version,"
    " wrapped = excluded.wrapped, standing = excluded.standing"
)


# -- notices ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Published:
    """A stored notice in one language of one version, with its digests."""

    version: int
    notice: Notice
    text_sha256: str
    material_sha256: str
    published: str

    def bases(self) -> dict[str, Basis]:
        """Return the basis of each purpose by its id."""
        return {purpose.id: purpose.basis for purpose in self.notice.purposes}


Place = tuple[str, int, str]
"""Where a notice stands in a site's list: its id, version and language."""

_PLACE = (NOTICE.c.notice_id, NOTICE.c.version, NOTICE.c.language)


def find_held(connection: Connection, site_id: str, notice_id: str) -> Held | None:
    """Return what the current version of a notice holds, or None where there is no version."""
    rows = connection.execute(
        select(
            NOTICE.c.version,
            NOTICE.c.language,
            NOTICE.c.text_sha256,
            NOTICE.c.material_sha256,
            NOTICE.c.ui_sha256,
        )
        .where(NOTICE.c.site_id == site_id, NOTICE.c.notice_id == notice_id)
        .order_by(NOTICE.c.version.desc())
    ).all()
    if not rows:
        return None
    newest = rows[0].version
    return Held(
        newest,
        rows[0].material_sha256,
        {row.language: row.text_sha256 for row in rows if row.version == newest},
        {row.language: row.ui_sha256 for row in rows if row.version == newest},
    )


def add_notice(rows: Rows, site_id: str, published: Published) -> None:
    """Store a notice."""
    notice = published.notice
    rows.insert(
        NOTICE,
        [
            (
                site_id,
                notice.notice_id,
                published.version,
                notice.language,
                notice.text,
                published.text_sha256,
                published.material_sha256,
                orjson.dumps(notice.controller).decode(),
                orjson.dumps(notice.purposes).decode(),
                published.published,
                notice.withdrawal_uri,
                notice.ui_sha256,
            )
        ],
    )


def list_notices(
    connection: Connection,
    site_id: str,
    *,
    notice_id: str | None = None,
    version: int | None = None,
    after: Place | None = None,
    limit: int | None = None,
) -> list[Published]:
    """Return stored notices, of an id and a version; those *after* a place, *limit* at most."""
    statement = select(NOTICE).where(NOTICE.c.site_id == site_id)
    if notice_id is not None:
        statement = statement.where(NOTICE.c.notice_id == notice_id)
    if version is not None:
        statement = statement.where(NOTICE.c.version == version)
    if after is not None:
        statement = statement.where(tuple_(*_PLACE) > tuple_(*after))
    rows = connection.execute(statement.order_by(*_PLACE).limit(limit))
    return [_published(row) for row in rows]


def find_notice(connection: Connection, site_id: str, place: Place) -> Published | None:
    """Return the notice at a place in a site's list, or None."""
    notice_id, version, language = place
    asked = {"site_id": site_id, "notice_id": notice_id, "version": version, "language": language}
    row = connection.execute(_NOTICE, asked).first()
    return None if row is None else _published(row)


def read_purposes(text: str) -> tuple[Purpose, ...]:
    """Return the purposes in a notice's row."""
    return purposes(orjson.loads(text))


def _published(row: Any) -> Published:  # noqa: ANN401 - a row of NOTICE's columns
    notice = Notice(
        row.notice_id,
        row.language,
        row.text,
        Controller(**orjson.loads(row.controller)),
        read_purposes(row.purposes),
        row.withdrawal_uri,
        row.ui_sha256,
    )
    return Published(row.version, notice, row.text_sha256, row.material_sha256, row.published)


def find_material(
    rows: Rows, site_id: str, notice_id: str, version: int, language: str
) -> str | None:
    """Return the digest of the substance of a notice in that version and language, if published."""
    found = rows.find(
        _MATERIAL, site_id=site_id, notice_id=notice_id, version=version, language=language
    )
    return found[0][0] if found else None


_MATERIAL = select(NOTICE.c.material_sha256).where(
    NOTICE.c.site_id == bindparam("site_id"),
    NOTICE.c.notice_id == bindparam("notice_id"),
    NOTICE.c.version == bindparam("version"),
    NOTICE.c.language == bindparam("language"),
)
_NOTICE = _MATERIAL.with_only_columns(*NOTICE.c)


def count_shown(rows: Rows, shown: Sequence[tuple[str, str, int, str, str, int]]) -> None:
    """Add to how often notices were shown: site, notice, version, language, day, times."""
    rows.insert(
        SHOWN,
        shown,
        tail=" ON CONFLICT (site_id, notice_id, version, language, day)"
        ' DO UPDATE SET times = "shown".times + excluded.times',
    )


def ask_versions(
    rows: Rows, site_id: str, notice_ids: Iterable[str]
) -> Callable[[], dict[str, tuple[int, str]]]:
    """Ask for the current version and its material digest of each notice that exists."""
    found = rows.ask(_VERSIONS, site_id=site_id, notice_ids=list(notice_ids))
    # Ascending, so that the newest version is the one that stays.
    return lambda: {notice_id: (version, material) for notice_id, version, material in found()}


_VERSIONS = (
    select(NOTICE.c.notice_id, NOTICE.c.version, NOTICE.c.material_sha256)
    .where(
        NOTICE.c.site_id == bindparam("site_id"),
        NOTICE.c.notice_id.in_(bindparam("notice_ids", expanding=True)),
    )
    .order_by(NOTICE.c.version)
)


# -- settings ---------------------------------------------------------------------------------


def ask_setting(rows: Rows, site_id: str) -> Callable[[], Setting]:
    """Ask for a site's settings."""
    found = rows.ask(SETTING_OF_SITE, site_id=site_id)
    return lambda: read_setting(found())


def read_setting(found: Sequence[tuple[Any, ...]]) -> Setting:
    """Return the settings in the rows of `SETTING_OF_SITE`, or those of a site that set none."""
    return Setting.from_json(found[0][0]) if found else NOTHING_SET


SETTING_OF_SITE = select(SETTING.c.content).where(SETTING.c.site_id == bindparam("site_id"))


def find_setting(connection: Connection, site_id: str) -> Setting:
    """Return a site's settings."""
    rows = connection.execute(SETTING_OF_SITE, {"site_id": site_id})
    return read_setting([tuple(row) for row in rows])


def find_setting_day(connection: Connection, site_id: str) -> str | None:
    """Return the day on which a site's settings were last set, or None where they never were."""
    changed = connection.execute(
        select(SETTING.c.changed).where(SETTING.c.site_id == site_id)
    ).scalar_one_or_none()
    return None if changed is None else changed[:10]


def list_settings(connection: Connection) -> list[tuple[str, str]]:
    """Return the settings of every site that has set some, as they are stored.

    Whoever reads them does so site by site: one that is damaged must not cost the others theirs.
    """
    rows = connection.execute(select(SETTING.c.site_id, SETTING.c.content))
    return [(site_id, content) for site_id, content in rows]


def put_setting(rows: Rows, site_id: str, setting: Setting, changed: str) -> None:
    """Write a site's settings, all of them."""
    rows.insert(
        SETTING,
        [(site_id, setting.to_json(), changed)],
        tail=" ON CONFLICT (site_id) DO UPDATE SET content = excluded.content,"
        " changed = excluded.changed",
    )


# -- banners ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Banner:
    """An archived banner bundle: *content* is what `ui_sha256` is the digest of."""

    ui_sha256: str
    media_type: str
    content: bytes
    archived: str


def find_banner(connection: Connection, site_id: str, ui_sha256: str) -> Banner | None:
    """Return an archived banner, or None."""
    row = connection.execute(
        select(BANNER).where(BANNER.c.site_id == site_id, BANNER.c.ui_sha256 == ui_sha256)
    ).first()
    return (
        None
        if row is None
        else Banner(row.ui_sha256, row.media_type, bytes(row.content), row.archived)
    )


def has_banner(connection: Connection, site_id: str, ui_sha256: str) -> bool:
    """Return whether a banner is archived, without reading it."""
    return (
        connection.execute(
            select(BANNER.c.ui_sha256).where(
                BANNER.c.site_id == site_id, BANNER.c.ui_sha256 == ui_sha256
            )
        ).first()
        is not None
    )


def add_banner(rows: Rows, site_id: str, banner: Banner) -> None:
    """Archive a banner; the same one a second time changes nothing."""
    rows.insert(
        BANNER,
        [(site_id, banner.ui_sha256, banner.media_type, banner.content, banner.archived)],
        tail=" ON CONFLICT (site_id, ui_sha256) DO NOTHING",
    )


# -- records ----------------------------------------------------------------------------------


class Answered(NamedTuple):
    """What is kept of a first answer; *fingerprint* is empty once the record is erased."""

    fingerprint: str
    record_id: str
    tree_size: int
    signature: bytes


class Subject(NamedTuple):
    """A subject's wrapped data key, the version it is wrapped under, and where they stand."""

    key_version: int
    wrapped: bytes
    standing: Standing
    restricted_until: str | None


def ask_answers(rows: Rows, site_id: str, keys: Sequence[str]) -> Callable[[], dict[str, Answered]]:
    """Ask for the first answers to idempotency keys, by key."""
    found = rows.ask(_ANSWERS, site_id=site_id, keys=list(keys))
    return lambda: {key: Answered(*answered) for key, *answered in found()}


def ask_subjects(rows: Rows, site_id: str, refs: Sequence[str]) -> Callable[[], dict[str, Subject]]:
    """Ask for subjects by pseudonym; those without events are left out."""
    found = rows.ask(_SUBJECTS, site_id=site_id, refs=list(refs))
    return lambda: {
        ref: Subject(version, bytes(wrapped), Standing.from_json(standing), restricted)
        for ref, version, wrapped, standing, restricted in found()
    }


def list_ids(connection: Connection, site_id: str, event_type: EventType) -> list[str]:
    """Return the ids of the records of one type, oldest first."""
    found = connection.scalars(
        select(RECORD.c.record_id)
        .where(RECORD.c.site_id == site_id, RECORD.c.event_type == event_type.value)
        .order_by(RECORD.c.record_id)
    )
    return list(found)


def find_stored(connection: Connection, site_id: str, record_ids: Sequence[str]) -> set[str]:
    """Return those of *record_ids* that are recorded and not erased."""
    found = connection.execute(
        select(RECORD.c.record_id).where(
            RECORD.c.site_id == site_id, RECORD.c.record_id.in_(record_ids)
        )
    )
    return set(found.scalars())


_ANSWERS = select(
    IDEMPOTENCY.c.key,
    IDEMPOTENCY.c.fingerprint,
    IDEMPOTENCY.c.record_id,
    IDEMPOTENCY.c.tree_size,
    IDEMPOTENCY.c.signature,
).where(
    IDEMPOTENCY.c.site_id == bindparam("site_id"),
    IDEMPOTENCY.c.key.in_(bindparam("keys", expanding=True)),
)
_SUBJECTS = select(
    SUBJECT.c.subject_ref,
    SUBJECT.c.key_version,
    SUBJECT.c.wrapped,
    SUBJECT.c.standing,
    SUBJECT.c.restricted_until,
).where(
    SUBJECT.c.site_id == bindparam("site_id"),
    SUBJECT.c.subject_ref.in_(bindparam("refs", expanding=True)),
)
