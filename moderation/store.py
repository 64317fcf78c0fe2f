"""Comments, their traits, revisions and idempotency keys as rows.

Takes a connection inside a transaction; never commits one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar, cast

import orjson
from sqlalchemy import (
    Connection,
    Text,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from moderation.cases.arrivals import Arrivals, Screened, never
from moderation.cases.transition import Standing
from moderation.cases.usage import Tally, Usage
from moderation.database import Rows
from moderation.errors import CommentNotFound, IdempotencyMismatch
from moderation.policy.history import Asked, Histories
from moderation.policy.resemblance import bands, resemblance
from moderation.policy.traits import Traits
from moderation.tables import (
    COMMENT,
    COMMENT_BAND,
    COMMENT_DOMAIN,
    IDEMPOTENCY,
    IS_CURRENT,
    REVISION,
    instant,
    of_comment,
)
from moderation.verdict import State

KEYS_LIVE = timedelta(hours=24)
KEYS_AT_ONCE = 500  # deleted in one statement: others wait for it


class Encoded(NamedTuple):
    """The JSON of a revision that is stored and sent."""

    labels: str
    reasons: str
    details: str


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
    origin: str
    details: str
    new: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """A stored comment with what was submitted."""

    stored: Stored
    text: str
    thread_id: str | None
    parent_id: str | None
    received: str
    version: int


class Idempotency(NamedTuple):
    """The key a client gave its request, and a digest of the request's body."""

    route: str
    key: str
    fingerprint: str


def expired_before(now: str) -> str:
    """Return before which instant idempotency keys were made that count no more at *now*."""
    return instant(datetime.fromisoformat(now) - KEYS_LIVE)


Answer = tuple[int, bytes]
A = TypeVar("A")


class Put(NamedTuple, Generic[A]):
    """Store these revisions in one request's name.

    *ids* are fresh ids, one for each revision, used where the comment is new. *render* makes the
    answer from what was stored, an `Answer` where there is *idempotency*. *draw* gives a comment a
    number in 0..1 by which it is drawn into the blind sample or not. With *tally* it is counted.
    With *once* no text is stored that its comment has had before: what is current stays.
    """

    site_id: str
    screened: Sequence[Screened]
    ids: Sequence[str]
    received: str
    render: Callable[[Sequence[Stored]], A]
    encode: Callable[[Screened], Encoded]
    idempotency: Idempotency | None = None
    draw: Callable[[str], float] = never
    tally: Tally | None = None
    once: bool = False


class _Known(NamedTuple):
    """A comment that is there, as far as the next revision has to know.

    *fingerprint* is what its row has, None of what this very batch made.
    """

    stored: Stored
    text_sha256: str
    standing: Standing
    fingerprint: str | None = None


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
    COMMENT.c.origin,
    REVISION.c.details,
)
_DETAILS = select(
    *_STORED,
    REVISION.c.text,
    COMMENT.c.thread_id,
    COMMENT.c.parent_id,
    REVISION.c.received,
    COMMENT.c.version,
).join_from(COMMENT, REVISION, IS_CURRENT)


def put(rows: Rows, commands: Sequence[Put[A]]) -> list[A | Exception]:
    """Store a batch of commands; answers each as it renders what was stored.

    The same external id with the text of its current revision answers what is stored; another
    text becomes the next revision. A key seen before answers as it did then, or
    IdempotencyMismatch when the body was another.
    """
    batch = _Batch(rows, commands)
    answers = [batch.put(command) for command in commands]
    batch.flush()
    return answers


class _Batch(Generic[A]):
    """What one transaction has read and is about to write: a statement a table, not a row."""

    def __init__(self, rows: Rows, commands: Sequence[Put[A]]) -> None:
        self._rows = rows
        self._answers: dict[tuple[str, str, str], tuple[str, int, bytes]] = {}
        self._current: dict[tuple[str, str], _Known] = {}
        self._said: set[tuple[str, str, str]] = set()
        self._arrivals = Arrivals(rows)
        self._usage: Usage | None = None
        self._comments: list[tuple[Any, ...]] = []
        self._revisions: list[tuple[Any, ...]] = []
        self._expired: list[tuple[str, str, str]] = []
        self._keys: dict[tuple[str, str, str], tuple[Any, ...]] = {}
        self._changed: dict[tuple[str, str], tuple[Standing, Traits]] = {}
        self._traits: dict[tuple[str, str], tuple[str, Traits]] = {}
        self._histories = Histories(rows, live=True)
        self._asked: dict[str, Asked] = {}
        sites = sorted({command.site_id for command in commands})
        rows.lock(sites)
        for site_id in sites:
            own = [command for command in commands if command.site_id == site_id]
            self._read_answers(site_id, own)
            self._read_current(site_id, own)
            self._ask(site_id, own)

    def _read_answers(self, site_id: str, commands: list[Put[A]]) -> None:
        keys = [command.idempotency.key for command in commands if command.idempotency]
        if not keys:
            return
        live = expired_before(max(command.received for command in commands))
        for route, key, fingerprint, status, answer, made in self._rows.find(
            _KEYS, site_id=site_id, keys=keys
        ):
            if made >= live:
                self._answers[site_id, route, key] = (fingerprint, status, answer.encode())
            else:
                self._expired.append((site_id, route, key))

    def _read_current(self, site_id: str, commands: list[Put[A]]) -> None:
        wanted = list({item.external_id for command in commands for item in command.screened})
        known = [
            comment_id
            for (comment_id,) in self._rows.find(
                _KNOWN, site_id=site_id, external_ids=orjson.dumps(wanted).decode()
            )
            if comment_id is not None
        ]
        self._arrivals.read(site_id, known)
        # Most comments are new.
        if not known:
            return
        for *row, text_sha256, version, human, fingerprint in self._rows.find(
            _CURRENT, site_id=site_id, ids=known
        ):
            stored = Stored(*row)
            standing = Standing(State(stored.state), stored.revision, version, bool(human))
            self._current[site_id, stored.external_id] = _Known(
                stored, text_sha256, standing, fingerprint
            )
        if any(command.once for command in commands):
            for comment_id, text_sha256 in self._rows.find(_SAID, site_id=site_id, ids=known):
                self._said.add((site_id, comment_id, text_sha256))

    def _ask(self, site_id: str, commands: list[Put[A]]) -> None:
        """Send what rules want to know of other comments; it is read where it is needed."""
        for command in commands:
            for item, new_id in zip(command.screened, command.ids, strict=True):
                if item.question is None:
                    continue
                known = self._current.get((site_id, item.external_id))
                if known is not None and _is_settled(known, item):
                    continue
                comment_id = new_id if known is None else known.stored.id
                self._asked[new_id] = self._histories.ask(site_id, comment_id, item.question)

    def put(self, command: Put[A]) -> A | Exception:
        given = command.idempotency
        if given is not None and (command.site_id, given.route, given.key) in self._answers:
            fingerprint, status, body = self._answers[command.site_id, given.route, given.key]
            if fingerprint != given.fingerprint:
                return IdempotencyMismatch(
                    "expected the body that first came with this key, got another"
                )
            return cast("A", (status, self._left(command, body)))
        stored = [
            self._put_one(command, item, new_id)
            for item, new_id in zip(command.screened, command.ids, strict=True)
        ]
        answer = command.render(stored)
        if command.tally is not None:
            self._usage = self._usage or Usage(self._rows)
            for one in stored:
                self._usage.answered(command.site_id, command.tally, State(one.state))
        if given is not None:
            status, body = cast("Answer", answer)
            place = (command.site_id, given.route, given.key)
            self._answers[place] = (given.fingerprint, status, body)
            self._keys[place] = (*place, given.fingerprint, status, body.decode(), command.received)
        return answer

    def _put_one(self, command: Put[A], item: Screened, new_id: str) -> Stored:
        place = (command.site_id, item.external_id)
        known = self._current.get(place)
        if known is not None and _is_settled(known, item):
            # What this very batch made may be stored anew only once.
            return known.stored._replace(new=False) if known.stored.new else known.stored
        comment_id = new_id if known is None else known.stored.id
        said = (command.site_id, comment_id, item.text_sha256)
        if known is not None and command.once and said in self._said:
            return known.stored._replace(new=False)
        self._said.add(said)
        if item.question is not None:
            asked = self._asked.get(new_id)
            if asked is None:
                # Its text was the current one until this very batch.
                asked = self._histories.ask(command.site_id, comment_id, item.question)
            judged = asked.question.judge(self._histories.read(asked, comment_id))
            item = item._replace(verdict=judged.verdict, reasons=judged.reasons)
        labels, reasons, details = command.encode(item)
        at = command.received
        if known is None:
            standing = self._arrivals.submitted(command.site_id, comment_id, item, at, command.draw)
            if self._asked:
                self._histories.note(command.site_id, comment_id, item.traits, standing.state.value)
        else:
            standing = self._arrivals.edited(
                command.site_id, comment_id, item, at, known.standing, command.draw
            )
            if self._asked:
                self._histories.note_edit(
                    command.site_id, comment_id, item.traits, known.fingerprint
                )
        if item.traits.signature is None and self._arrivals.opened(command.site_id, comment_id):
            # What was drawn has those like it beside it, as all have that people look at.
            found = resemblance(item.text)
            item = item._replace(
                traits=item.traits._replace(
                    fingerprint=found.fingerprint, signature=found.signature
                )
            )
        revision, state = standing.revision, standing.state.value
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
            item.origin.value if known is None else known.stored.origin,
            details,
            new=True,
        )
        self._current[place] = _Known(
            stored, item.text_sha256, standing, known.fingerprint if known else None
        )
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
                    at,
                    item.traits.author_ref,
                    item.traits.address_ref,
                    item.traits.fingerprint,
                    standing.version,
                    False,
                    item.origin.value,
                )
            )
        else:
            self._changed[command.site_id, comment_id] = (standing, item.traits)
        self._traits[command.site_id, comment_id] = (at, item.traits)
        self._revisions.append(
            (
                command.site_id,
                comment_id,
                revision,
                item.text,
                item.text_sha256,
                details,
                item.verdict.value,
                labels,
                reasons,
                item.model,
                item.policy,
                command.received,
            )
        )
        return stored

    def _left(self, command: Put[A], body: bytes) -> bytes:
        """Return a stored answer without what it tells of comments that were erased since."""
        if not body.startswith(b"{"):  # it is no object that tells of a comment
            return body
        answer = orjson.loads(body)
        members = answer.get("results", [{"comment": answer}])
        told = [each["comment"] for each in members if each.get("comment")]
        ids = [each["id"] for each in told]
        gone = {found for (found,) in self._rows.find(_ERASED, site_id=command.site_id, ids=ids)}
        if not gone:
            return body
        for each in told:
            if each["id"] in gone:
                each.update(LEFT)
        return orjson.dumps(answer)

    def flush(self) -> None:
        """Write everything."""
        self._rows.insert(COMMENT, self._comments)
        self._rows.insert(REVISION, self._revisions)
        for (site_id, comment_id), (standing, traits) in self._changed.items():
            self._rows.change(
                _REVISED,
                of_site=site_id,
                of_comment=comment_id,
                to_revision=standing.revision,
                to_state=standing.state.value,
                to_version=standing.version,
                to_human=standing.human,
                to_author=traits.author_ref,
                to_address=traits.address_ref,
                to_fingerprint=traits.fingerprint,
            )
            for forgotten in _FORGET_TRAITS:
                self._rows.change(forgotten, of_site=site_id, of_comment=comment_id)
        self._rows.insert(
            COMMENT_DOMAIN,
            [
                (site_id, domain, received, comment_id)
                for (site_id, comment_id), (received, traits) in self._traits.items()
                for domain in traits.domains
            ],
        )
        self._rows.insert(
            COMMENT_BAND,
            [
                (site_id, band, received, comment_id, traits.signature)
                for (site_id, comment_id), (received, traits) in self._traits.items()
                if traits.signature is not None
                for band in bands(traits.signature)
            ],
        )
        self._arrivals.flush()
        if self._usage is not None:
            self._usage.flush()
        for site_id, route, key in self._expired:
            # An expired key may be used again: its row gives way.
            self._rows.change(_FORGOTTEN, of_site=site_id, of_route=route, of_key=key)
        self._rows.insert(IDEMPOTENCY, list(self._keys.values()))


def _is_settled(known: _Known, item: Screened) -> bool:
    """Whether a comment stays as it is: it has this very text, or is to have none any more."""
    return known.text_sha256 == item.text_sha256 or known.standing.state is State.ERASED


class _Members(FunctionElement[str]):
    """The members of a JSON array of texts, a row each, in the column `value`."""

    name = "members"
    inherit_cache = True


@compiles(_Members, "sqlite")
def _on_sqlite(element: _Members, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    return f"json_each({compiler.process(element.clauses)})"


@compiles(_Members, "postgresql")
def _on_postgresql(element: _Members, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    return f"json_array_elements_text({compiler.process(element.clauses)}::json)"


_WANTED = _Members(bindparam("external_ids", type_=Text())).table_valued("value", name="wanted")
_KNOWN = select(
    # Asked one by one, each is found by its index; asked as a set, PostgreSQL reads every comment
    # of the site until it has statistics, and a new installation has none.
    select(COMMENT.c.id)
    .where(COMMENT.c.site_id == bindparam("site_id"), COMMENT.c.external_id == _WANTED.c.value)
    .scalar_subquery()
).select_from(_WANTED)
_CURRENT = (
    select(
        *(*_STORED, REVISION.c.text_sha256, COMMENT.c.version, COMMENT.c.human),
        COMMENT.c.fingerprint,
    )
    .join_from(COMMENT, REVISION, IS_CURRENT)
    .where(
        COMMENT.c.site_id == bindparam("site_id"),
        COMMENT.c.id.in_(bindparam("ids", expanding=True)),
    )
)
_ERASED = select(COMMENT.c.id).where(
    COMMENT.c.site_id == bindparam("site_id"),
    COMMENT.c.id.in_(bindparam("ids", expanding=True)),
    COMMENT.c.state == State.ERASED.value,
)
LEFT: dict[str, Any] = {
    "state": State.ERASED.value,
    "labels": None,
    "reasons": [],
    "detected_language": None,
}
"""What is told of a comment that was erased, in place of what was."""

_SAID = select(REVISION.c.comment_id, REVISION.c.text_sha256).where(
    REVISION.c.site_id == bindparam("site_id"),
    REVISION.c.comment_id.in_(bindparam("ids", expanding=True)),
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


_REVISED = (
    update(COMMENT)
    .where(*of_comment(COMMENT))
    .values(
        revision=bindparam("to_revision"),
        state=bindparam("to_state"),
        # Who edits without naming the author has not taken the comment from them.
        author_ref=func.coalesce(bindparam("to_author", type_=Text()), COMMENT.c.author_ref),
        address_ref=bindparam("to_address"),
        fingerprint=bindparam("to_fingerprint"),
        version=bindparam("to_version"),
        human=bindparam("to_human"),
    )
)
_FORGET_TRAITS = tuple(
    delete(table).where(*of_comment(table)) for table in (COMMENT_DOMAIN, COMMENT_BAND)
)
"""Delete the rows beside a comment by which others are found."""

_FORGOTTEN = delete(IDEMPOTENCY).where(
    IDEMPOTENCY.c.site_id == bindparam("of_site"),
    IDEMPOTENCY.c.route == bindparam("of_route"),
    IDEMPOTENCY.c.key == bindparam("of_key"),
)


def get_detail(connection: Connection, site_id: str, comment_id: str) -> Detail:
    """Return a comment with its current revision. Raises CommentNotFound."""
    row = connection.execute(
        _DETAILS.where(COMMENT.c.site_id == site_id, COMMENT.c.id == comment_id)
    ).first()
    if row is None:
        raise CommentNotFound("expected the id of a comment of this site, got another")
    return _detail(row)


def is_human(connection: Connection, site_id: str, comment_id: str) -> bool:
    """Whether a person's decision stands behind the state of a comment that is there."""
    human = select(COMMENT.c.human).where(COMMENT.c.site_id == site_id, COMMENT.c.id == comment_id)
    return bool(connection.execute(human).scalar_one())


def find_external(connection: Connection, site_id: str, external_id: str) -> Detail | None:
    """Return a comment by the site's own id for it, or None."""
    row = connection.execute(
        _DETAILS.where(COMMENT.c.site_id == site_id, COMMENT.c.external_id == external_id)
    ).first()
    return None if row is None else _detail(row)


def list_details(
    connection: Connection,
    site_id: str,
    *,
    state: str | None,
    external_id: str | None,
    after: str | None,
    limit: int,
) -> list[Detail]:
    """Return comments of a site in the order in which they came, at most *limit*."""
    statement = _DETAILS.where(COMMENT.c.site_id == site_id)
    if state is not None:
        statement = statement.where(COMMENT.c.state == state)
    if external_id is not None:
        statement = statement.where(COMMENT.c.external_id == external_id)
    if after is not None:
        statement = statement.where(COMMENT.c.id > after)
    rows = connection.execute(statement.order_by(COMMENT.c.id).limit(limit))
    return [_detail(row) for row in rows]


def find_details(connection: Connection, site_id: str, ids: Sequence[str]) -> list[Detail]:
    """Return those comments of a site that there are, in the order of *ids*."""
    rows = connection.execute(_DETAILS.where(COMMENT.c.site_id == site_id, COMMENT.c.id.in_(ids)))
    found = {row.id: _detail(row) for row in rows}
    return [found[each] for each in ids if each in found]


def forget_keys(rows: Rows, before: Iterable[str]) -> list[bool]:
    """Delete some of the idempotency keys made before each instant; say whether that was all."""
    key = tuple_(IDEMPOTENCY.c.site_id, IDEMPOTENCY.c.route, IDEMPOTENCY.c.key)
    return [
        rows.connection.execute(
            delete(IDEMPOTENCY).where(
                key.in_(
                    select(IDEMPOTENCY.c.site_id, IDEMPOTENCY.c.route, IDEMPOTENCY.c.key)
                    .where(IDEMPOTENCY.c.made < moment)
                    .limit(KEYS_AT_ONCE)
                )
            )
        ).rowcount
        < KEYS_AT_ONCE
        for moment in before
    ]


def _detail(row: Any) -> Detail:  # noqa: ANN401 - a row of _DETAILS
    width = len(_STORED)
    return Detail(Stored(*row[:width]), *row[width:])
