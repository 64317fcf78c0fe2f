"""The versions of a site's policy as rows: added one after the other, never changed.

Takes rows inside a transaction; never commits one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from moderation.database import Rows
from moderation.errors import PolicyConflict, PolicyNotFound
from moderation.tables import POLICY


class Version(NamedTuple):
    """A version of a policy; *content* is JSON. What no site has set is version 0."""

    version: int
    content: str
    made: str | None


class Replace(NamedTuple):
    """Put *content* in the place of the version *replaces*."""

    site_id: str
    content: str
    replaces: int
    made: str


UNSET = Version(0, "{}", None)
NEWEST = select(func.max(POLICY.c.version)).where(POLICY.c.site_id == bindparam("site_id"))
_COLUMNS = (POLICY.c.version, POLICY.c.content, POLICY.c.made)
CONTENT = select(*_COLUMNS).where(
    POLICY.c.site_id == bindparam("site_id"), POLICY.c.version == bindparam("version")
)


def replace(rows: Rows, commands: Sequence[Replace]) -> list[Version | Exception]:
    """Add versions; answers each, or PolicyConflict.

    What is there already is not added again.
    """
    rows.lock(sorted({command.site_id for command in commands}))
    return [_replace(rows, command) for command in commands]


def _replace(rows: Rows, command: Replace) -> Version | Exception:
    newest = rows.find(NEWEST, site_id=command.site_id)[0][0] or 0
    present = UNSET
    if newest:
        (row,) = rows.find(CONTENT, site_id=command.site_id, version=newest)
        present = Version(*row)
    if present.content == command.content and newest:
        return present
    if newest != command.replaces:
        return PolicyConflict(
            f"expected to replace version {newest}, the present one, got {command.replaces}"
        )
    made = Version(newest + 1, command.content, command.made)
    rows.insert(POLICY, [(command.site_id, *made)])
    return made


def find(connection: Connection, site_id: str, version: int | None = None) -> Version:
    """Return the present version, or one by its number. Raises PolicyNotFound."""
    if version is None:
        version = connection.execute(NEWEST, {"site_id": site_id}).scalar() or 0
    if version == 0:
        return UNSET
    row = connection.execute(CONTENT, {"site_id": site_id, "version": version}).first()
    if row is None:
        raise PolicyNotFound("expected a version of this site's policy, got another number")
    return Version(*row)


def list_versions(
    connection: Connection, site_id: str, *, before: int | None, limit: int
) -> list[Version]:
    """Return versions of a site's policy, the newest first, at most *limit*."""
    statement = select(*_COLUMNS).where(POLICY.c.site_id == site_id)
    if before is not None:
        statement = statement.where(POLICY.c.version < before)
    rows = connection.execute(statement.order_by(POLICY.c.version.desc()).limit(limit))
    return [Version(*row) for row in rows]
