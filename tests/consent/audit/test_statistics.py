"""Statistics: what the database counts is what one would count by hand, on both engines."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import orjson
import pytest
from audited_site import AuditedSite, audited_site
from conftest import Service
from full_ledger import BEGIN, Visitors, fill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from aboveboard.database import Database
from aboveboard.rows import Rows
from consent import store
from consent.audit.statistics import Asked, By, count
from consent.sealing.keyring import Keyring
from consent.tables import RECORD
from consent.wire.statistics import statistics

DAYS = 70
FIRST = BEGIN.date()
SITE = "counted"


class Counted:
    """A site's records and showings, as they lie in the tables."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        fill(database, keyring, Visitors(keyring, SITE, 1_500, days=DAYS))
        random = Random(1)  # noqa: S311 - repeatable, nothing secret
        self.shown = [
            (
                SITE,
                notice_id,
                version,
                language,
                str(FIRST + timedelta(days=day)),
                random.randint(1, 9),
            )
            for day in range(0, DAYS, 3)
            for notice_id, version in (("main", 1), ("main", 2), ("other", 1))
            for language in ("de", "en")
        ]
        with database.write() as connection:
            with Rows(connection) as rows:
                store.count_shown(rows, self.shown)
            self.records = connection.execute(select(RECORD).where(RECORD.c.site_id == SITE)).all()


@pytest.fixture(scope="module")
def counted(fresh_ledger: tuple[Database, Keyring]) -> Counted:
    """Fill one database an engine."""
    return Counted(*fresh_ledger)


def start(day: str, by: str) -> str:
    """Return the first day of a period, by the calendar's own words."""
    found = date.fromisoformat(day)
    if by == "week":
        return date.fromisocalendar(*found.isocalendar()[:2], 1).isoformat()
    return found.replace(day=1).isoformat() if by == "month" else day


def by_hand(counted: Counted, asked: Asked) -> Counter[tuple[Any, ...]]:
    """Count record by record: by (where, which, what)."""
    found: Counter[tuple[Any, ...]] = Counter()

    def within(day: str, notice_id: str | None) -> bool:
        return (
            (asked.since is None or str(asked.since) <= day)
            and (asked.until is None or day < str(asked.until))
            and asked.notice_id in {None, notice_id}
        )

    def note(places: list[Any], what: str, times: int = 1) -> None:
        for place in places:
            found[*place, what] += times

    for record in counted.records:
        day, kind = record.received_at[:10], record.event_type
        if not within(day, record.notice_id):
            continue
        period = ("periods", start(day, asked.by))
        version = ("notices", (record.notice_id, record.notice_version))
        note([("types", kind)], "events")
        if kind == "requested":
            note([("all",), period, version], "shown")
            continue
        note([("all",), period, version, ("methods", record.method)], kind)
        for purpose, decision in orjson.loads(record.decisions).items():
            what = "withdrawn" if kind == "withdrawn" else decision
            note([(*place, purpose) for place in (("all",), period, version)], what)
    for _, notice_id, number, _, day, times in counted.shown:
        if within(day, notice_id):
            places = [("all",), ("periods", start(day, asked.by)), ("notices", (notice_id, number))]
            note(places, "shown", times)
    return found


def told(answer: dict[str, Any]) -> Counter[tuple[Any, ...]]:
    """Bring an answer into the form of `by_hand`, and check what is computed from counts."""
    found: Counter[tuple[Any, ...]] = Counter()

    def note(place: tuple[Any, ...], counts: dict[str, Any]) -> None:
        for what in ("shown", "given", "refused", "withdrawn", "events"):
            found[*place, what] += counts.get(what, 0)
        if "decided" in counts:
            decided = counts["given"] + counts["refused"]
            assert counts["decided"] == decided
            rate = round(counts["given"] / decided, 6) if decided else None
            assert counts["consent_rate"] == rate
        for purpose in counts.get("purposes", ()):
            note((*place, purpose["purpose_id"]), purpose)

    note(("all",), answer)
    for name, key in (("types", "event_type"), ("methods", "method"), ("periods", "start")):
        for counts in answer[name]:
            note((name, counts[key]), counts)
    for counts in answer["notices"]:
        note(("notices", (counts["notice_id"], counts["version"])), counts)
    return +found


days = st.none() | st.integers(-3, DAYS + 3).map(lambda n: FIRST + timedelta(days=n))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.builds(
        Asked,
        days,
        days,
        st.none() | st.sampled_from(["main", "other", "none"]),
        st.sampled_from(By),
    )
)
def test_what_is_counted_is_what_there_is(counted: Counted, asked: Asked) -> None:
    """For every period, notice and way of telling periods apart."""
    with counted.database.read() as connection:
        answer = orjson.loads(statistics(count(connection, SITE, asked)))

    assert told(answer) == by_hand(counted, asked)


# -- over HTTP --------------------------------------------------------------------------------


@pytest.fixture
def audited(service: Service) -> Iterator[AuditedSite]:
    """Speak for a site of the test's own."""
    with audited_site(service) as made:
        yield made


def test_a_site_is_told_how_its_notice_is_answered(audited: AuditedSite) -> None:
    """Shown by an event and by a token, given in part, refused, withdrawn; no one is named."""
    day = audited.record("requested")["event"]["received_at"][:10]
    given = audited.record("given", decisions={"ads": "given", "statistics": "refused"})
    audited.record("withdrawn", decisions={"ads": "refused"})
    audited.record("requested", device="device-2")
    audited.record("refused", device="device-2")
    token = {"notice": {"notice_id": "main", "version": 1, "language": "en"}}
    assert audited.client.post("/v1/consent/served", json=token).status_code == 201

    found = audited.get("statistics", by="month")

    def tally(given: int, refused: int, withdrawn: int, rate: float | None) -> dict[str, Any]:
        return {
            "decided": given + refused,
            "given": given,
            "refused": refused,
            "withdrawn": withdrawn,
            "consent_rate": rate,
        }

    counts = {
        "shown": 3,
        **tally(1, 1, 1, 0.5),
        "purposes": [
            {"purpose_id": "ads", **tally(1, 1, 1, 0.5)},
            {"purpose_id": "statistics", **tally(0, 2, 0, 0.0)},
        ],
    }
    assert found == {
        **counts,
        "types": [
            {"event_type": "given", "events": 1},
            {"event_type": "refused", "events": 1},
            {"event_type": "requested", "events": 2},
            {"event_type": "withdrawn", "events": 1},
        ],
        "methods": [
            {"method": "accept_all", **tally(1, 0, 0, 1.0)},
            {"method": "reject_all", **tally(0, 1, 0, 0.0)},
            {"method": "withdraw_link", **tally(0, 0, 1, None)},
        ],
        "notices": [{"notice_id": "main", "version": 1, **counts}],
        "periods": [{"start": f"{day[:7]}-01", **counts}],
    }
    assert given["event"]["subject_ref"] not in orjson.dumps(found).decode()


def test_nothing_is_counted_where_nothing_is(audited: AuditedSite) -> None:
    """Zeros, and no rate."""
    found = audited.get("statistics", from_="2019-01-01", to="2020-01-01", notice_id="none")

    assert (found["shown"], found["decided"], found["consent_rate"]) == (0, 0, None)
    assert found["periods"] == found["purposes"] == found["types"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"from_": "2026-13-01"},
        {"to": "0"},
        {"from_": "2026-01-02", "to": "2026-01-01"},
        {"to": "today"},
        {"by": "year"},
        {"purpose": "ads"},
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_refused(
    audited: AuditedSite, query: dict[str, Any]
) -> None:
    """422 says where."""
    assert audited.refused("statistics", **query) == (422, "invalid-request")
