"""Comments, revisions and idempotency keys as rows.

Takes a connection inside a transaction; never commits one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, bindparam, delete, select, text, update

from moderation.errors import IdempotencyMismatch
from moderation.tables import COMMENT, IDEMPOTENCY, REVISION
from moderation.verdict import STATE_OF_VERDICT, Reason, State, Verdict


class Screened(NamedTuple):
    """A revision that was scored and judged, not yet stored.

    *details* is the JSON of what came with the text; *scores* are rounded probabilities in the
    order of `LABELS`, or None when the text could not be scored.
    """

    external_id: str
    text: str
    text_sha256: str
    details: str
    thread_id: str | None
    parent_id: str | None
    verdict: Verdict
    scores: tuple[float, ...] | None
    reasons: tuple[Reason, ...]
    model: str
    policy: str


class Stored(NamedTuple):
    """A stored revision of a comment, as the API tells it."""

    id: str
    external_id: str
    revision: int
    state: str
    verdict: str
    labels: str
    reasons: str
    model: str
    policy: str
    new: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """A stored comment with what was submitted; *details* is JSON."""

    stored: Stored
    text: str
    details: str
    thread_id: str | None
    parent_id: str | None
    received: str


class Put(NamedTuple):
    """Store these revisions in one request's name.

    *ids* are fresh ids, one for each revision, used where the comment is new. *render* makes the
    answer, a status and a body, from what was stored.
    """

    site_id: str
    screened: Sequence[Screened]
    ids: Sequence[str]
    received: str
    render: Callable[[Sequence[Stored]], tuple[int, bytes]]
    encode: Callable[[Screened], tuple[str, str]]
    route: str = ""
    key: str | None = None
    fingerprint: str = ""
    expired_before: str = ""


Answer = tuple[int, bytes]


_STORED = (
    COMMENT.c.id,
    COMMENT.c.external_id,
    COMMENT.c.revision,
    COMMENT.c.state,
    REVISION.c.verdict,
    REVISION.c.labels,
    REVISION.c.reasons,
    REVISION.c.model,
    REVISION.c.policy,
)
_DETAIL = (
    *_STORED,
    REVISION.c.text,
    REVISION.c.details,
    COMMENT.c.thread_id,
    COMMENT.c.parent_id,
    REVISION.c.received,
)


def put(connection: Connection, commands: Sequence[Put]) -> list[Answer | Exception]:
    """Store a batch of commands; answers each by its status and body.

    The same external id with the text of its current revision answers what is stored; another
    text becomes the next revision. A key seen before answers as it did then, or
    IdempotencyMismatch when the body was another.
    """
    batch = _Batch(connection, commands)
    answers = [batch.put(command) for command in commands]
    batch.flush()
    return answers


class _Batch:
    """What one transaction has read and is about to write: a statement a table, not a row."""

    def __init__(self, connection: Connection, commands: Sequence[Put]) -> None:
        self._connection = connection
        self._answers: dict[tuple[str, str, str], tuple[str, int, bytes]] = {}
        self._current: dict[tuple[str, str], tuple[Stored, str]] = {}
        self._comments: list[tuple[Any, ...]] = []
        self._revisions: list[tuple[Any, ...]] = []
        self._keys: dict[tuple[str, str, str], tuple[Any, ...]] = {}
        self._changed: dict[tuple[str, str], dict[str, Any]] = {}
        sites = sorted({command.site_id for command in commands})
        lock_sites(connection, sites)
        for site_id in sites:
            own = [command for command in commands if command.site_id == site_id]
            self._read_answers(site_id, own)
            self._read_current(site_id, own)

    def _read_answers(self, site_id: str, commands: list[Put]) -> None:
        keyed = [command for command in commands if command.key is not None]
        if not keyed:
            return
        rows = self._connection.execute(
            _KEYS, {"site_id": site_id, "keys": [command.key for command in keyed]}
        )
        live = max(command.expired_before for command in keyed)
        for route, key, fingerprint, status, answer, made in rows:
            if made >= live:
                self._answers[site_id, route, key] = (fingerprint, status, answer.encode())

    def _read_current(self, site_id: str, commands: list[Put]) -> None:
        wanted = list({item.external_id for command in commands for item in command.screened})
        for start in range(0, len(wanted), 500):
            rows = self._connection.execute(
                _CURRENT, {"site_id": site_id, "external_ids": wanted[start : start + 500]}
            )
            for row in rows:
                stored = Stored(*row[:9])
                self._current[site_id, stored.external_id] = (stored, row[-1])

    def put(self, command: Put) -> Answer | Exception:
        place = (command.site_id, command.route, command.key or "")
        if command.key is not None and place in self._answers:
            fingerprint, status, body = self._answers[place]
            if fingerprint != command.fingerprint:
                return IdempotencyMismatch(
                    "expected the body that first came with this key, got another"
                )
            return status, body
        stored = [
            self._put_one(command, item, new_id)
            for item, new_id in zip(command.screened, command.ids, strict=True)
        ]
        status, body = command.render(stored)
        if command.key is not None:
            self._answers[place] = (command.fingerprint, status, body)
            self._keys[place] = (
                *place,
                command.fingerprint,
                status,
                body.decode(),
                command.received,
            )
        return status, body

    def _put_one(self, command: Put, item: Screened, new_id: str) -> Stored:
        place = (command.site_id, item.external_id)
        known = self._current.get(place)
        if known is not None and known[1] == item.text_sha256:
            # What this very batch made may be stored anew only once.
            return known[0]._replace(new=False) if known[0].new else known[0]
        labels, reasons = command.encode(item)
        state = STATE_OF_VERDICT[item.verdict].value
        if known is None:
            comment_id, revision = new_id, 1
        else:
            comment_id, revision = known[0].id, known[0].revision + 1
            if known[0].state in {State.REJECTED, State.REMOVED}:
                # Words that a person refused do not come back by being edited.
                state = known[0].state
        stored = Stored(
            comment_id,
            item.external_id,
            revision,
            state,
            item.verdict.value,
            labels,
            reasons,
            item.model,
            item.policy,
            new=True,
        )
        self._current[place] = (stored, item.text_sha256)
        if revision == 1:
            self._comments.append(
                (
                    command.site_id,
                    comment_id,
                    item.external_id,
                    1,
                    state,
                    item.thread_id,
                    item.parent_id,
                    command.received,
                )
            )
        else:
            self._changed[command.site_id, comment_id] = {"revision": revision, "state": state}
        self._revisions.append(
            (
                command.site_id,
                comment_id,
                revision,
                item.text,
                item.text_sha256,
                item.details,
                state,
                item.verdict.value,
                labels,
                reasons,
                item.model,
                item.policy,
                command.received,
            )
        )
        return stored

    def flush(self) -> None:
        insert(self._connection, COMMENT, self._comments)
        insert(self._connection, REVISION, self._revisions)
        for (site_id, comment_id), values in self._changed.items():
            self._connection.execute(
                update(COMMENT)
                .where(COMMENT.c.site_id == site_id, COMMENT.c.id == comment_id)
                .values(values)
            )
        if self._keys:
            # An expired key may be used again: its row gives way.
            for site_id, route, key in self._keys:
                self._connection.execute(
                    delete(IDEMPOTENCY).where(
                        IDEMPOTENCY.c.site_id == site_id,
                        IDEMPOTENCY.c.route == route,
                        IDEMPOTENCY.c.key == key,
                    )
                )
            insert(self._connection, IDEMPOTENCY, list(self._keys.values()))


_CURRENT = (
    select(*_STORED, REVISION.c.text_sha256)
    .join_from(
        COMMENT,
        REVISION,
        (REVISION.c.site_id == COMMENT.c.site_id)
        & (REVISION.c.comment_id == COMMENT.c.id)
        & (REVISION.c.revision == COMMENT.c.revision),
    )
    .where(
        COMMENT.c.site_id == bindparam("site_id"),
        COMMENT.c.external_id.in_(bindparam("external_ids", expanding=True)),
    )
)
_KEYS = select(
    IDEMPOTENCY.c.route,
    IDEMPOTENCY.c.key,
    IDEMPOTENCY.c.fingerprint,
    IDEMPOTENCY.c.status,
    IDEMPOTENCY.c.answer,
    IDEMPOTENCY.c.made,
).where(
    IDEMPOTENCY.c.site_id == bindparam("site_id"),
    IDEMPOTENCY.c.key.in_(bindparam("keys", expanding=True)),
)


def lock_sites(connection: Connection, sites: Sequence[str]) -> None:
    """Keep other processes from writing comments of *sites* until the transaction ends.

    PostgreSQL only, where several processes write; in order of the slugs, so that two batches
    never wait for each other. SQLite has one writer.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"sites": list(sites)})


_LOCK = text(
    "SELECT pg_advisory_xact_lock(1, hashtext(site)) "
    "FROM (SELECT site FROM unnest(CAST(:sites AS text[])) AS site "
    "ORDER BY hashtext(site)) AS ordered"
)


def insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert *rows*, tuples in the order of the table's columns."""
    if rows:
        sql = _insert_sql(table, connection.dialect.paramstyle)
        connection.exec_driver_sql(sql, list(rows))


@lru_cache
def _insert_sql(table: Table, paramstyle: str) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join([mark] * len(table.columns))
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - our own names


def find_detail(connection: Connection, site_id: str, comment_id: str) -> Detail | None:
    """Return a comment with its current revision, or None."""
    row = connection.execute(
        _details().where(COMMENT.c.site_id == site_id, COMMENT.c.id == comment_id)
    ).first()
    return None if row is None else _detail(row)


def list_details(
    connection: Connection, site_id: str, *, state: str | None, after: str | None, limit: int
) -> list[Detail]:
    """Return comments of a site in the order in which they came, at most *limit*."""
    statement = _details().where(COMMENT.c.site_id == site_id)
    if state is not None:
        statement = statement.where(COMMENT.c.state == state)
    if after is not None:
        statement = statement.where(COMMENT.c.id > after)
    rows = connection.execute(statement.order_by(COMMENT.c.id).limit(limit))
    return [_detail(row) for row in rows]


def forget_keys(connection: Connection, before: Iterable[str]) -> list[int]:
    """Delete the idempotency keys made before each instant; answers how many went."""
    return [
        connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.made < moment)).rowcount
        for moment in before
    ]


def _details() -> Select[Any]:
    return select(*_DETAIL).join_from(
        COMMENT,
        REVISION,
        (REVISION.c.site_id == COMMENT.c.site_id)
        & (REVISION.c.comment_id == COMMENT.c.id)
        & (REVISION.c.revision == COMMENT.c.revision),
    )


def _detail(row: Any) -> Detail:  # noqa: ANN401 - a row of _DETAIL
    return Detail(Stored(*row[:9]), *row[9:])
