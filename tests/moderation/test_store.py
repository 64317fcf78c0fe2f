"""Rows of comments, on both engines: what HTTP cannot provoke yet."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import func, select, update

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from moderation import store
from moderation.cases.arrivals import Screened
from moderation.errors import CommentNotFound, IdempotencyMismatch
from moderation.policy.resemblance import resemblance
from moderation.policy.traits import Traits
from moderation.store import Idempotency, Put, Stored
from moderation.tables import (
    CASE,
    COMMENT,
    COMMENT_BAND,
    COMMENT_DOMAIN,
    IDEMPOTENCY,
    REVISION,
)
from moderation.verdict import State, Verdict

DAY_1 = "2026-01-01T00:00:00.000000Z"
DAY_LATER = "2026-01-02T00:00:00.000000Z"
DAY_2 = "2026-01-02T00:00:00.000001Z"


def screened(text: str, verdict: Verdict = Verdict.APPROVE, external_id: str = "c-1") -> Screened:
    """Return a revision that is to be stored."""
    return Screened(
        external_id, text, f"sha-{text}", "{}", None, None, verdict, (0.5,) * 8, (), "m-1", "p-1"
    )


def put(
    databases: Databases,
    *items: Screened,
    site: str = "blog",
    key: str | None = None,
    fingerprint: str = "digest",
    received: str = DAY_1,
) -> tuple[int, bytes] | Exception:
    """Store revisions in a transaction of their own; the answer tells revisions and states."""
    return commit(
        databases,
        Put(
            site,
            list(items),
            [f"{site}-{item.external_id}" for item in items],
            received,
            _told,
            lambda _: store.Encoded("{}", "[]", "{}"),
            None if key is None else Idempotency("comments", key, fingerprint),
        ),
    )[0]


def _told(stored: Sequence[Stored]) -> tuple[int, bytes]:
    return 201, " ".join(f"{one.revision}:{one.state}:{one.new:d}" for one in stored).encode()


def commit(databases: Databases, *commands: Put) -> list[tuple[int, bytes] | Exception]:
    """Store commands as one batch."""
    with databases.moderation.write() as connection, Rows(connection) as rows:
        return store.put(rows, commands)


def states(databases: Databases) -> list[tuple[str, int, str]]:
    """Return every comment's site, revision and state."""
    with databases.moderation.read() as connection:
        rows = connection.execute(
            select(COMMENT.c.site_id, COMMENT.c.revision, COMMENT.c.state).order_by(
                COMMENT.c.site_id
            )
        )
        return [tuple(row) for row in rows]


def test_a_comment_that_is_not_there_is_told(databases: Databases) -> None:
    """Another site's is none, and the message does not repeat the id."""
    put(databases, screened("a"), site="shop")

    with databases.moderation.read() as connection:
        assert store.get_detail(connection, "shop", "shop-c-1").text == "a"
        with pytest.raises(CommentNotFound) as caught:
            store.get_detail(connection, "blog", "shop-c-1")

    assert "shop" not in str(caught.value)


@pytest.mark.parametrize("refused", [State.REJECTED, State.REMOVED])
def test_refused_words_do_not_come_back_by_being_edited(
    databases: Databases, refused: State
) -> None:
    """Another text of a rejected or removed comment is kept, and stays out of sight."""
    put(databases, screened("a"))
    with databases.moderation.write() as connection:
        connection.execute(update(COMMENT).values(state=refused.value))

    again = put(databases, screened("a"))
    edited = put(databases, screened("b"))
    back = put(databases, screened("a"))

    assert again == (201, f"1:{refused.value}:0".encode())
    assert edited == (201, f"2:{refused.value}:1".encode())
    assert back == (201, f"3:{refused.value}:1".encode())
    assert states(databases) == [("blog", 3, refused.value)]


@pytest.mark.parametrize("earlier", [State.PENDING, State.SPAM, State.PUBLISHED])
def test_what_a_machine_decided_is_decided_anew(databases: Databases, earlier: State) -> None:
    """Another text of a held, hidden or published comment stands as it is judged."""
    put(databases, screened("a"))
    with databases.moderation.write() as connection:
        connection.execute(update(COMMENT).values(state=earlier.value))

    assert put(databases, screened("b", Verdict.HOLD)) == (201, b"2:pending:1")
    assert put(databases, screened("c")) == (201, b"3:published:1")


def test_what_was_erased_stays_erased(databases: Databases) -> None:
    """The same text or another: nothing comes back under an external id that was erased."""
    put(databases, screened("a"))
    with databases.moderation.write() as connection:
        connection.execute(update(COMMENT).values(state=State.ERASED.value))

    assert put(databases, screened("a")) == (201, b"1:erased:0")
    assert put(databases, screened("b")) == (201, b"1:erased:0")


def test_every_revision_is_kept(databases: Databases) -> None:
    """The comment shows the last; the rows of the earlier ones stay as they were."""
    put(databases, screened("a"), screened("b", Verdict.SPAM), screened("c"))
    put(databases, screened("d"))

    with databases.moderation.read() as connection:
        rows = connection.execute(
            select(REVISION.c.revision, REVISION.c.text, REVISION.c.verdict).order_by(
                REVISION.c.revision
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        (1, "a", "approve"),
        (2, "b", "spam"),
        (3, "c", "approve"),
        (4, "d", "approve"),
    ]


def test_commands_of_one_batch_see_each_other(databases: Databases) -> None:
    """What one command stores the next finds, and a key used twice is answered once."""
    command = Put(
        "blog",
        [screened("a")],
        ["id-1"],
        DAY_1,
        _told,
        lambda _: store.Encoded("{}", "[]", "{}"),
        Idempotency("comments", "k-1", "digest"),
    )
    same = command._replace(ids=["id-2"])
    other = command._replace(idempotency=Idempotency("comments", "k-1", "other"))
    unkeyed = command._replace(idempotency=None, ids=["id-3"])

    answers = commit(databases, command, same, other, unkeyed)

    assert answers[:2] == [(201, b"1:published:1")] * 2
    assert isinstance(answers[2], IdempotencyMismatch)
    assert answers[3] == (201, b"1:published:0")
    assert states(databases) == [("blog", 1, "published")]


def test_a_case_goes_along_with_every_edit_of_a_batch(databases: Databases) -> None:
    """What one edit opened again is at the text of the next, though that needed nobody."""
    put(databases, screened("what was held", Verdict.HOLD))
    with databases.moderation.write() as connection:
        connection.execute(update(CASE).values(state="resolved"))
        connection.execute(update(COMMENT).values(state="published"))

    put(databases, screened("held once more", Verdict.HOLD), screened("a recipe with plums"))

    with databases.moderation.read() as connection:
        row = connection.execute(select(CASE.c.state, CASE.c.revision, CASE.c.fingerprint)).one()
    assert tuple(row) == ("open", 3, resemblance("a recipe with plums").fingerprint)
    assert states(databases) == [("blog", 3, "published")]


def test_sites_do_not_meet(databases: Databases) -> None:
    """The same external id and the same key on two sites of one batch are two."""
    first = put(databases, screened("a"), key="k-1")
    second = put(databases, screened("b"), site="shop", key="k-1", fingerprint="other")

    assert (first, second) == ((201, b"1:published:1"), (201, b"1:published:1"))
    assert states(databases) == [("blog", 1, "published"), ("shop", 1, "published")]


def test_a_key_is_good_for_a_day(databases: Databases) -> None:
    """Within it the first answer comes again; afterwards the key is free for another body."""
    first = put(databases, screened("a"), key="k-1", received=DAY_1)
    within = put(databases, screened("x"), key="k-1", received=DAY_LATER)
    after = put(databases, screened("b"), key="k-1", fingerprint="other", received=DAY_2)
    anew = put(databases, screened("b"), key="k-1", fingerprint="other", received=DAY_2)

    assert within == first == (201, b"1:published:1")
    assert after == anew == (201, b"2:published:1")


def test_old_keys_are_forgotten(databases: Databases) -> None:
    """Those made before the instant go, the others stay."""
    put(databases, screened("a"), key="k-1", received=DAY_1)
    put(databases, screened("b"), key="k-2", received=DAY_2)

    with databases.moderation.write() as connection, Rows(connection) as rows:
        gone = store.forget_keys(rows, [DAY_2])

    with databases.moderation.read() as connection:
        left = connection.execute(select(IDEMPOTENCY.c.key)).scalars().all()
    assert (gone, left) == ([True], ["k-2"])


def test_many_old_keys_are_forgotten_in_steps(databases: Databases) -> None:
    """Each step is short, for nothing else is written meanwhile; the last one says so."""
    kept = ("blog", "comments", "new", "f", 201, "{}", DAY_2)
    with databases.moderation.write() as connection, Rows(connection) as rows:
        old = range(store.KEYS_AT_ONCE + 1)
        rows.insert(
            IDEMPOTENCY,
            [kept, *(("blog", "comments", f"{at}", "f", 201, "{}", DAY_1) for at in old)],
        )

    whole, left = [], []
    for _ in range(2):
        with databases.moderation.write() as connection, Rows(connection) as rows:
            whole += store.forget_keys(rows, [DAY_2])
        with databases.moderation.read() as connection:
            left.append(connection.execute(select(func.count()).select_from(IDEMPOTENCY)).scalar())

    assert (whole, left) == ([False, True], [2, 1])


def test_more_external_ids_than_a_statement_takes(databases: Databases) -> None:
    """A thousand and more are looked up in runs; all of them are found again."""
    items = [screened("a", external_id=f"c-{at}") for at in range(1200)]

    put(databases, *items)
    again = put(databases, *items)

    assert again == (201, b" ".join([b"1:published:0"] * 1200))


def traced(text: str, **traits: Any) -> Screened:  # noqa: ANN401
    """Return a revision with traits."""
    return screened(text)._replace(traits=Traits(**traits))


def found_by(databases: Databases) -> list[tuple[Any, ...]]:
    """Return what the comment is found by: author, address, fingerprint, domains, bands."""
    with databases.moderation.read() as connection:
        (row,) = connection.execute(
            select(COMMENT.c.author_ref, COMMENT.c.address_ref, COMMENT.c.fingerprint)
        ).all()
        domains = connection.execute(select(COMMENT_DOMAIN).order_by(COMMENT_DOMAIN.c.domain)).all()
        bands = connection.execute(select(COMMENT_BAND).order_by(COMMENT_BAND.c.band)).all()
    return [tuple(row), [tuple(one) for one in domains], [tuple(one) for one in bands]]


def test_a_comment_is_found_by_its_last_revision(databases: Databases) -> None:
    """An edit replaces fingerprint, domains and bands, also within one batch.

    The author, too, where it names one: who is named by none stays the author.
    """
    signature = "a" * 96
    first = traced("a", author_ref="ann", domains=("x.com", "y.com"), signature=signature)
    second = traced("b", author_ref="ann", address_ref="net", domains=("y.com",))
    third = traced("c", fingerprint="f", domains=("z.com",))

    put(databases, first, received=DAY_1)
    before = found_by(databases)
    put(databases, second, third, received=DAY_2)
    after = found_by(databases)

    assert before == [
        ("ann", None, None),
        [("blog", domain, DAY_1, "blog-c-1") for domain in ("x.com", "y.com")],
        [("blog", f"{at}{'a' * 24}", DAY_1, "blog-c-1", signature) for at in range(4)],
    ]
    assert after == [("ann", None, "f"), [("blog", "z.com", DAY_2, "blog-c-1")], []]
