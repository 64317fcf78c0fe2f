"""Another tool's log: read as its mapping says, recorded as claimed, once, on both engines."""

import asyncio
import csv
import io
import json
import re
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import Service
from consent_desk import SITE, Desk
from sqlalchemy import select, update
from typer.testing import CliRunner
from whole_copy import copy, put_back

from aboveboard.cli import main
from aboveboard.cli.consent import imports
from aboveboard.installation import Databases
from consent.choices.choice import Decision, EventType, SubjectKind
from consent.choices.record import instant
from consent.errors import MappingInvalid
from consent.recording.importing import BATCH
from consent.recording.mapping import ColumnMapping, Imported, Refused, Row, read
from consent.recording.standing import Why
from consent.tables import IDEMPOTENCY
from consent.wire import mappings

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
NOTICE = {"notice_id": "main", "version": 1, "language": "en"}
WIDE = {"subject": "id", "time": "at", "purposes": [{"id": "ads", "column": "a"}]}
LONG = {
    "subject": "id",
    "time": "at",
    "long": {
        "purpose": "p",
        "decision": {"column": "a"},
        "purposes": [{"name": "x", "id": "ads"}, {"name": "y", "id": "ads"}],
    },
}


def mapped(**content: Any) -> ColumnMapping:  # noqa: ANN401
    """Read a mapping."""
    return mappings.read(content).mapping()


def row(subject: str, at: str, **cells: str) -> Row:
    """Return a row of an export."""
    return {"id": subject, "at": at, **cells}


def rows(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Read CSV."""
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def test_a_wide_export() -> None:
    """The CookieYes-style example: a column a purpose."""
    told = tomllib.loads((EXAMPLES / "cookieyes.toml").read_text())
    found = list(read(rows((EXAMPLES / "cookieyes.csv").read_text()), mapped(**told)))

    assert [instant(one.occurred) for one in found if isinstance(one, Imported)] == [
        "2025-03-02T10:15:00Z",
        "2025-03-02T09:05:12Z",
        "2025-03-01T18:40:33Z",
    ]
    assert [dict(one.decisions)["ads"] for one in found if isinstance(one, Imported)] == [
        Decision.GIVEN,
        Decision.REFUSED,
        Decision.REFUSED,
    ]


def test_a_long_export() -> None:
    """The Usercentrics-style example: rows of one subject and time are one choice."""
    told = tomllib.loads((EXAMPLES / "usercentrics.toml").read_text())
    found = list(read(rows((EXAMPLES / "usercentrics.csv").read_text(), ";"), mapped(**told)))

    assert [(one.number, one.subject, dict(one.decisions)) for one in found] == [  # type: ignore[union-attr]
        (1, "a81f3c", {"analytics": Decision.GIVEN, "ads": Decision.GIVEN}),
        (3, "b72e0d", {"analytics": Decision.GIVEN, "ads": Decision.REFUSED}),
    ]


def test_of_several_services_for_one_purpose_the_no_wins() -> None:
    """In whatever order they come."""
    for words in (("yes", "no"), ("no", "yes")):
        told = [
            row("s", "2025-01-01", p=name, a=word) for name, word in zip("xy", words, strict=True)
        ]

        (found,) = read(told, mapped(**LONG))

        assert isinstance(found, Imported)
        assert found.decisions == (("ads", Decision.REFUSED),)


def test_the_digest_of_the_rows_is_made_as_the_page_says(tmp_path: Path) -> None:
    """Whoever has the export and the page can make it again, of a row with anything in it."""
    export = tmp_path / "export.csv"
    export.write_text('id,at,a,"ü,",more\ns,2025-01-01,no,"a ""b""\n\t\x7fé/",\nt,2025-01-01,no\n')
    told = mappings.read(WIDE)
    page = (EXAMPLES.parent / "import.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"python3 -c '\n(import csv.*?)'\n", page, re.DOTALL)
    lines = lines.replace("docs/examples/cookieyes.csv", str(export)).replace("Consent ID", "id")

    made = subprocess.run(  # noqa: S603
        [sys.executable, "-c", lines], capture_output=True, text=True, check=True
    )
    with imports._rows(export, told) as rows:
        found = [one for one in imports._read(rows, told.mapping()) if isinstance(one, Imported)]

    assert made.stdout == "".join(f"{one.subject} {one.digest}\n" for one in found)
    assert [one.subject for one in found] == ["s", "t"]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (row("", "2025-01-01", a="yes"), "expected an id"),
        (row("s", "yesterday", a="yes"), "expected a time as ISO 8601"),
        (row("s", "1712121212345", a="yes"), "expected a time as ISO 8601 or a time_format"),
        (row("s", "1625110471955.0", a="yes"), "expected a time as ISO 8601 or a time_format"),
        (row("s", "2025-01-01", a="perhaps"), "expected one of"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(told: Row, problem: str) -> None:
    """With its number and both sides, but not with what it held; the next one is read."""
    first, second = read([told, row("s", "2025-01-01", a="")], mapped(**WIDE))

    assert isinstance(first, Refused)
    assert first.number == 1
    assert problem in first.problem
    assert "perhaps" not in first.problem
    assert isinstance(second, Imported)
    assert second.decisions == (("ads", Decision.NOT_ASKED),)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**WIDE, **LONG},
        {**WIDE, "kind": "animal"},
        {**WIDE, "purpose": "ads"},
        {"subject": "id", "time": "at", "purposes": [{"id": "Ads!", "column": "a"}]},
        {**WIDE, "purposes": [{"id": "ads", "column": "a"}, {"id": "ads", "column": "b"}]},
        {**WIDE, "purposes": [{"id": "ads", "column": "a", "given": ["No"]}]},
        {**LONG, "long": {**LONG["long"], "purposes": [{"name": "x", "id": "ads"}] * 2}},
    ],
)
def test_a_mapping_is_read_strictly(wrong: dict[str, Any]) -> None:
    """Neither wide nor long, both at once, unknown words and members, two meanings: refused."""
    with pytest.raises(MappingInvalid, match="mapping: "):
        mapped(**wrong)


def test_a_column_that_is_not_there() -> None:
    """The export does not fit the mapping: both sides are told."""
    with pytest.raises(MappingInvalid, match="expected a column 'a' in the export, got 2 others"):
        list(read([row("s", "2025-01-01")], mapped(**WIDE)))


def test_cells_without_a_header_and_times_without_a_day_are_refused() -> None:
    """By row, like everything else that cannot be read."""
    export = "id,at,a\ns,2025-01-01,no,more\ns,0001-01-01T00:00:00+14:00,no\ns,2025-01-01,no\n"

    first, second, third = read(rows(export), mapped(**WIDE))

    assert first == Refused(1, "expected as many cells as the header has, got more")
    assert second == Refused(2, "expected a time that the calendar has in UTC, got another")
    assert isinstance(third, Imported)


@pytest.mark.parametrize(
    ("form", "at"),
    [("unix", "1712121212"), ("unix", "1712121212.0"), ("unix_ms", "1712121212000")],
)
def test_a_time_that_is_counted_since_1970(form: str, at: str) -> None:
    """In seconds or thousandths, as the mapping says: what is neither is named by its row."""
    told = mapped(**WIDE, time_format=form)
    others = [row("s", other, a="no") for other in ("2024-04-03", "", "nan", "9" * 40)]

    first, *wrong = read([row("s", at, a="no"), *others], told)

    assert isinstance(first, Imported)
    assert instant(first.occurred) == "2024-04-03T05:13:32Z"
    assert [f"expected a time as {form}" in one.problem for one in wrong] == [True] * 4


@pytest.mark.parametrize("cells", [["yes", ""], ["", "yes"]])
def test_a_purpose_is_given_when_all_of_its_services_are(cells: list[str]) -> None:
    """In whatever order the export has them."""
    told = [row("s", "2025-01-01", p=name, a=a) for name, a in zip("xy", cells, strict=True)]

    (found,) = read(told, mapped(**LONG))

    assert isinstance(found, Imported)
    assert found.decisions == (("ads", Decision.NOT_ASKED),)


# -- recorded ---------------------------------------------------------------------------------


@pytest.fixture
def desk(databases: Databases) -> Desk:
    """Open the consent half with one published notice."""
    made = Desk(databases)
    made.publish()
    return made


def test_a_yes_counts_with_evidence_and_notice_only(desk: Desk) -> None:
    """A no counts anyhow."""
    told = [row("yes", "2025-01-01", a="yes"), row("no", "2025-01-02", a="no")]
    for evidence, notice, why in (
        (False, NOTICE, Why.NOT_ASKED),
        (True, None, Why.NOT_ASKED),
        (True, NOTICE, Why.GIVEN),
    ):
        content = {**WIDE, "evidence": evidence, **({"notice": notice} if notice else {})}
        fresh = [{**one, "id": f"{one['id']}{evidence}{why}"} for one in told]
        desk.take(mapped(**content), fresh)

        assert desk.ask("ads", device=fresh[0]["id"])[0].why is why
        assert desk.ask("ads", device=fresh[1]["id"])[0].why is Why.REFUSED


def test_an_imported_yes_lasts_as_long_as_any(desk: Desk) -> None:
    """From when it was said, as the site has it set; what is over by then has expired."""
    desk.configure(valid_months=12)
    told = [row("old", "2024-12-31", a="yes"), row("new", "2025-06-30", a="yes")]

    desk.take(mapped(**WIDE, evidence=True, notice=NOTICE), told)
    old, new = (desk.ask("ads", device=device)[0] for device in ("old", "new"))

    assert (old.why, old.allowed) == (Why.EXPIRED, False)
    assert (new.allowed, new.valid_until) == (True, "2026-06-30T00:00:00Z")


def test_the_newest_choice_counts_whatever_the_order(desk: Desk) -> None:
    """An export with the newest first, in more than one transaction."""
    told = [
        row("s", "2025-01-03", a="yes"),
        *(row(f"other{at}", "2025-01-02", a="yes") for at in range(BATCH)),
        row("s", "2025-01-01", a="no"),
    ]

    taken, refused = desk.take(mapped(**WIDE, evidence=True, notice=NOTICE), told)

    assert (taken.recorded, taken.known, refused) == (BATCH + 2, 0, [])
    answer = desk.ask("ads", device="s")[0]
    assert (answer.allowed, answer.since) == (True, "2025-01-03T00:00:00Z")


def test_a_second_time_adds_nothing(desk: Desk) -> None:
    """Rows already taken in are known again, beside new ones, and twice in one file."""
    told = [row("s", "2025-01-01", a="no"), row("t", "2025-01-01", a="no")]
    desk.take(mapped(**WIDE), told)
    again = [*told, *told, row("u", "2025-01-01", a="no")]

    taken, _ = desk.take(mapped(**WIDE), again)

    assert (taken.recorded, taken.known) == (1, 4)


def test_the_same_choices_spelt_otherwise_add_nothing(desk: Desk) -> None:
    """Other columns, in another order, another zone, words and capitals: it is what they say."""
    told = mapped(**WIDE, kind="email")
    desk.take(told, [{"id": "ada@example.org", "at": "2025-01-01T11:00:00+01:00", "a": "no"}])
    again = {"agent": "x", "a": "Denied", "at": "2025-01-01T10:00:00Z", "id": "Ada@Example.org"}

    taken, _ = desk.take(told, [again])
    other, _ = desk.take(told, [{**again, "at": "2025-01-01T10:00:01Z"}, {**again, "a": "yes"}])

    assert taken == (0, 1, 0)
    assert other == (2, 0, 0)


def test_rows_of_one_file_that_say_the_same_are_one_choice(desk: Desk) -> None:
    """Whatever else stands in them."""
    told = row("s", "2025-01-01", a="no")

    taken, _ = desk.take(mapped(**WIDE), [{**told, "agent": name} for name in ("x", "y")])

    assert taken == (1, 1, 0)


def test_what_was_taken_in_by_its_rows_is_known(desk: Desk) -> None:
    """As it was before a choice was known by what it says."""
    told = row("s", "2025-01-01", a="no")
    (found,) = read([told], mapped(**WIDE))
    assert isinstance(found, Imported)
    desk.take(mapped(**WIDE), [told])
    key = f"import.{desk.keyring.fingerprint(SITE, found.digest.encode())}"
    with desk.database.write() as connection:
        connection.execute(update(IDEMPOTENCY).values(key=key))

    taken, _ = desk.take(mapped(**WIDE), [told])

    assert taken == (0, 1, 0)


def test_nobody_who_was_erased_comes_back(desk: Desk) -> None:
    """By the same export in another order of its columns; nor does anybody else twice."""
    told = mapped(**WIDE, evidence=True, notice=NOTICE)
    rows = [row("s", "2025-01-01", a="yes"), row("t", "2025-01-01", a="yes")]
    desk.take(told, rows)
    desk.erase(device="s")

    taken, _ = desk.take(told, [dict(reversed(list(one.items()))) for one in rows])

    assert taken == (0, 2, 0)
    assert desk.ask("ads", device="s")[0].why is Why.NOT_ASKED


def test_nobody_comes_back_after_a_restore(desk: Desk) -> None:
    """The database knows nothing of the erasure then, the file beside it does: up to its second."""
    told = mapped(**WIDE, evidence=True, notice=NOTICE)
    rows = [row(name, "2025-01-01", a="yes") for name in ("s", "t")]
    copied = copy(desk.database)
    desk.take(told, rows)
    desk.erase(device="s")
    put_back(desk.database, copied)
    asyncio.run(desk.continuing.check())
    asyncio.run(desk.reapplying.reapply(reversed(desk.noted)))
    erased = desk.now
    desk.later(days=1)

    first, _ = desk.take(told, [*rows, row("s", instant(erased), a="yes")])
    gone = desk.ask("ads", device="s")[0]
    after, _ = desk.take(told, [row("s", instant(erased + timedelta(seconds=1)), a="yes")])

    assert (first, gone.why) == ((1, 0, 2), Why.NOT_ASKED)
    assert desk.ask("ads", device="t")[0].allowed
    assert after == (1, 0, 0)
    assert desk.ask("ads", device="s")[0].allowed


def test_who_only_grew_old_may_come_back(desk: Desk) -> None:
    """Nobody asked for it: a no of theirs in the export still counts."""
    desk.record(EventType.REQUESTED, {}, device="s")
    desk.later(days=40)
    gone = asyncio.run(desk.erasing.retain(SITE, desk.now))

    taken, _ = desk.take(mapped(**WIDE), [row("s", "2025-01-01", a="no")])

    assert (gone, taken) == (1, (1, 0, 0))
    assert desk.ask("ads", device="s")[0].why is Why.REFUSED


def test_an_erasure_between_two_imports_is_learnt_of(desk: Desk) -> None:
    """What is written down is read on, not over, and each site has its own."""
    told = mapped(**WIDE)
    for device in ("s", "t", "u"):
        desk.take(told, [row(device, "2025-01-02", a="no")])
    desk.erase(device="s")
    first, _ = desk.take(told, [row(name, "2025-01-01", a="no") for name in ("s", "t")])
    desk.erase(device="t")
    desk.noted.append(desk.noted[-1]._replace(site_id="other", subjects=[(ref(desk, "u"), None)]))
    second, _ = desk.take(told, [row(name, "2024-12-31", a="no") for name in ("s", "t", "u")])

    assert (first, second) == ((1, 0, 1), (1, 0, 2))


def ref(desk: Desk, device: str) -> str:
    """Return the pseudonym of a device."""
    return desk.keyring.refs(SITE, SubjectKind.DEVICE, device)[0]


def test_the_same_row_in_another_transaction_is_the_same(desk: Desk) -> None:
    """However many rows of the same instant lie between the two."""
    told = [row(f"s{at}", "2025-01-01", a="no") for at in range(BATCH)]

    taken, refused = desk.take(mapped(**WIDE), [*told, told[0]])

    assert (taken.recorded, taken.known, refused) == (BATCH, 1, [])


def test_what_lies_ahead_or_is_no_subject_is_refused(desk: Desk) -> None:
    """By row; a later choice stays where it is."""
    told = [row("s", "2099-01-01", a="no"), row("no mail", "2025-01-01", a="no")]

    taken, refused = desk.take(mapped(**WIDE, kind="email"), told)

    assert taken.recorded == 0
    assert [one.number for one in refused] == [1, 2]
    assert "no mail" not in refused[1].problem


@pytest.mark.parametrize("kind", ["device", "external"])
def test_whom_nobody_could_ask_about_is_refused(desk: Desk, kind: str) -> None:
    """HTTP takes no id with U+0000: the subject could not be erased either."""
    told = [row("s\0", "2025-01-01", a="no"), row("s", "2025-01-01", a="no")]

    taken, refused = desk.take(mapped(**WIDE, kind=kind), told)

    assert taken.recorded == 1
    assert refused == [Refused(1, "expected an id without U+0000, got one with it")]


def test_an_older_yes_does_not_undo_a_no_that_is_here(desk: Desk) -> None:
    """What was refused here stays refused when older choices come along."""
    desk.refuse("ads", device="s")
    desk.take(mapped(**WIDE, evidence=True, notice=NOTICE), [row("s", "2025-01-01", a="yes")])

    assert desk.ask("ads", device="s")[0].why is Why.REFUSED


def test_an_older_no_does_not_undo_a_yes_that_is_here(desk: Desk) -> None:
    """What was decided here later counts, whatever the old log says; a newer no from it does."""
    desk.give("ads", device="s")
    desk.take(mapped(**WIDE), [row("s", "2025-01-01", a="no")])
    older = desk.ask("ads", device="s")[0].why
    desk.later(days=2)
    desk.take(mapped(**WIDE), [row("s", "2026-02-01", a="no")])

    assert (older, desk.ask("ads", device="s")[0].why) == (Why.GIVEN, Why.REFUSED)


def test_of_two_choices_at_one_instant_the_no_counts(desk: Desk) -> None:
    """Also where rows of others lie between them, in whatever order."""
    told = mapped(**LONG, evidence=True, notice=NOTICE)
    yes, no = ({"p": name, "a": word} for name, word in (("x", "yes"), ("y", "no")))
    for subject, cells in (("s", (yes, no)), ("t", (no, yes))):
        first, second = (row(subject, "2025-01-01", **each) for each in cells)
        desk.take(told, [first, row(f"between {subject}", "2025-01-01", **yes), second])

        assert desk.ask("ads", device=subject)[0].why is Why.REFUSED
    assert desk.ask("ads", device="between s")[0].allowed


def test_purposes_of_another_notice_are_not_given(desk: Desk) -> None:
    """A yes is evidence of a notice that asked: the mapping is refused as a whole."""
    told = {**WIDE, "purposes": [{"id": "other", "column": "a"}], "evidence": True}

    with pytest.raises(MappingInvalid, match="purposes of its notice"):
        desk.take(mapped(**told, notice=NOTICE), [row("s", "2025-01-01", a="yes")])

    assert desk.ask("other", device="s")[0].why is Why.NOT_ASKED


def test_no_yes_of_a_restricted_subject_is_taken_in(desk: Desk) -> None:
    """The row is named; a no is recorded."""
    desk.refuse("ads")
    desk.restrict(days=9)
    told = [row("d-1", "2025-01-01", a="yes"), row("d-1", "2025-01-02", a="no")]

    taken, refused = desk.take(mapped(**WIDE, evidence=True, notice=NOTICE), told)

    assert (taken.recorded, taken.known, [one.number for one in refused]) == (1, 0, [1])


def test_nothing_bare_is_kept_of_a_row(desk: Desk) -> None:
    """A digest of somebody's id, day and choice could be tried for: what is kept is keyed."""
    told = row("s", "2025-01-01", a="no")
    (found,) = read([told], mapped(**WIDE))
    desk.take(mapped(**WIDE), [told])

    assert isinstance(found, Imported)
    with desk.database.read() as connection:
        (kept,) = connection.execute(select(IDEMPOTENCY.c.key)).scalars()
    assert found.digest not in kept


def test_the_command(new_service: Service) -> None:
    """Beside a service: told what was read, recorded, known and refused."""
    new_service.start()
    site = new_service.add_site("https://shop.example")
    with new_service.client(site.key) as client:
        purposes = [
            {"id": name, "name": name, "description": "Does it.", "basis": "consent"}
            for name in ("functional", "analytics", "ads")
        ]
        notice = {
            "notice_id": "cookies",
            "language": "en",
            "text": "May we?",
            "controller": {"name": "Shop"},
            "purposes": purposes,
        }
        client.post("/v1/consent/notices", json=notice)
        export = str(EXAMPLES / "cookieyes.csv")
        command = ["consent", "import", export, "--mapping", str(EXAMPLES / "cookieyes.toml")]
        command += ["--site", site.id]
        dry = new_service.command(*command, "--dry-run")
        first = new_service.command(*command)
        again = json.loads(new_service.command(*command, "--json"))
        asked = {"subject_kind": "device", "subject_id": "TmFtZTY3ODkw"}
        standing = {
            name: client.get("/v1/consent/standing", params={**asked, "purpose": name}).json()
            for name in ("analytics", "ads")
        }

    assert (
        dry == "3 choices would be recorded, 0 there already, 0 of people erased since, 0 refused\n"
    )
    assert first == "3 choices recorded, 0 there already, 0 of people erased since, 0 refused\n"
    assert (again["recorded"], again["known"]) == (0, 3)
    assert (standing["analytics"]["why"], standing["ads"]["why"]) == ("given", "refused")


class Shop(NamedTuple):
    """A running service with a site and a published notice, and the folder for exports."""

    service: Service
    site: str
    folder: Path

    def take(
        self, export: bytes, *more: str, mapping: str = "", site: str = ""
    ) -> "tuple[int, dict[str, Any], str]":
        """Import; returns status, what was told as JSON, and the error that ended it."""
        (self.folder / "export").write_bytes(export)
        (self.folder / "mapping.toml").write_text(MAPPING.format(mapping), encoding="utf-8")
        command = ["consent", "import", str(self.folder / "export")]
        command += ["--mapping", str(self.folder / "mapping.toml"), "--site", site or self.site]
        command += ["--data-dir", str(self.service.data_dir), "--json", *more]
        done = CliRunner().invoke(main.app, command, env=self.service.environment)
        told = "" if isinstance(done.exception, SystemExit) else str(done.exception or "")
        return done.exit_code, json.loads(done.stdout or "{}"), told


MAPPING = """
subject = "id"
time = "at"
{}
[[purposes]]
id = "ads"
column = "a"
"""
NO = b'{"id": "s", "at": "2025-01-01", "a": "no"}\n'


@pytest.fixture
def shop(new_service: Service, tmp_path: Path) -> Shop:
    """Start a service whose site asks about ads."""
    new_service.start()
    site = new_service.add_site("https://shop.example")
    ads = {"id": "ads", "name": "Ads", "description": "Shows ads.", "basis": "consent"}
    with new_service.client(site.key) as client:
        client.post(
            "/v1/consent/notices",
            json={
                "notice_id": "main",
                "language": "en",
                "text": "May we?",
                "controller": {"name": "Shop"},
                "purposes": [ads],
            },
        ).raise_for_status()
    return Shop(new_service, site.id, tmp_path)


def test_a_dry_run_checks_what_the_real_run_does(shop: Shop) -> None:
    """It refuses the same as a whole, counts what is there already, and records nothing."""
    told = 'format = "jsonl"\nevidence = true\n'
    notice = 'notice = {notice_id = "main", version = 1, language = "en"}\n'
    other = notice.replace("version = 1", "version = 2")
    more = '[[purposes]]\nid = "more"\ncolumn = "a"\n'
    new = NO.replace(b'"s"', b'"t"')

    for wrong, expected in (
        ({"mapping": told + other}, "expected the mapping's notice, version and language"),
        ({"mapping": told + notice + more}, "expected purposes of its notice alone"),
        ({"mapping": told, "site": "nowhere"}, "site"),
    ):
        dry, real = (shop.take(NO, *option, **wrong) for option in (["--dry-run"], []))
        assert dry == real
        assert dry[0] == 1
        assert expected in dry[2]
    first = shop.take(NO, "--dry-run", mapping=told + notice)
    real = shop.take(NO, mapping=told + notice)
    again = shop.take(NO + new + new, "--dry-run", mapping=told + notice)
    after = shop.take(NO + new, mapping=told + notice)

    assert first == (0, {"recorded": 0, "readable": 1, "known": 0, "erased": 0, "refused": []}, "")
    assert real == (0, {"recorded": 1, "readable": 1, "known": 0, "erased": 0, "refused": []}, "")
    assert again == (0, {"recorded": 0, "readable": 3, "known": 2, "erased": 0, "refused": []}, "")
    assert after == (0, {"recorded": 1, "readable": 2, "known": 1, "erased": 0, "refused": []}, "")


def test_a_dry_run_wants_the_keys(shop: Shop) -> None:
    """Without the log's key nothing could be recorded."""
    (key,) = shop.service.data_dir.glob("keys/log.*")
    key.rename(shop.folder / key.name)

    dry, real = (shop.take(NO, *more, mapping='format = "jsonl"') for more in (["--dry-run"], []))

    assert dry == real
    assert key.name in dry[2]


def test_a_mapping_that_is_nested_too_deep_is_refused(shop: Shop) -> None:
    """Readably, like any other that is no TOML."""
    status, told, error = shop.take(NO, mapping="x = " + "[" * 3000)

    assert (status, told) == (1, {})
    assert error.startswith("expected a TOML file at ")
    assert error.endswith("mapping.toml, got one nested too deep")


def test_lines_that_are_no_rows_are_named(shop: Shop) -> None:
    """With the numbers of their lines; all others are recorded, a blank line is none."""
    bad = [b"{\n", b"[1]\n", b"\xff\n", b'{"id": "x", "at": "2025-01-01"}\n', b"\n"]
    deep = b'{"id": ' + b"[" * 1000 + b"]" * 1000 + b"}\n"
    late = NO.replace(b'"s"', b'"t"').replace(b'"no"', b'"perhaps"')

    status, told, _ = shop.take(
        b"\xef\xbb\xbf" + NO + b"".join(bad) + deep + late + NO.replace(b'"s"', b'"u"') + b"\n",
        mapping='format = "jsonl"',
    )

    assert (status, told["recorded"]) == (1, 2)
    assert [one["row"] for one in told["refused"]] == [2, 3, 4, 5, 7, 8]
    assert [one["problem"] for one in told["refused"]][:4] == [
        "expected a JSON object, got another text",
        "expected a JSON object, got another value",
        "expected a JSON object, got another text",
        "expected a member 'a', got 2 others",
    ]


def test_a_member_that_is_there_again_is_no_row(shop: Shop) -> None:
    """At any depth: the last would be taken, and a no become a yes."""
    again = NO.replace(b"}", b', "a": "yes"}') + NO.replace(b'"no"', b'{"x": 1, "x": 2}')

    status, told, _ = shop.take(again + NO, mapping='format = "jsonl"')

    assert (status, told["recorded"]) == (1, 1)
    assert told["refused"] == [
        {"row": row, "problem": "expected every member once, got one again"} for row in (1, 2)
    ]


@pytest.mark.parametrize(
    ("export", "problem"),
    [
        (b"id,at,a,n,a,n\ns,2025-01-01,no,x,yes,x\n", "of the export, got again: 'a', 'n'"),
        (b"", "expected a header in the first line of the export, got an empty one"),
        (b"\xef\xbb\xbf", "expected a header in the first line of the export, got an empty one"),
        (b"\nid,at,a\n", "expected a header in the first line of the export, got an empty one"),
        (
            b"ada@example.org,2025-01-01,no,no\n",
            "expected a column 'a' in the export, got 4 others",
        ),
    ],
)
def test_a_header_has_every_column_once(shop: Shop, export: bytes, problem: str) -> None:
    """Refused as a whole: of two the last would be taken; what has no header is nobody's export."""
    status, told, error = shop.take(export)

    assert (status, told) == (1, {})
    assert error.endswith(problem)
    assert "ada" not in error


def test_columns_without_a_name_may_be_several(shop: Shop) -> None:
    """Spreadsheets leave some at the end; no mapping can mean one. A header alone is an export."""
    assert shop.take(b"id,at,a,,\ns,2025-01-01,no,,\n")[:2] == (
        0,
        {"recorded": 1, "readable": 1, "known": 0, "erased": 0, "refused": []},
    )
    assert shop.take(b"id,at,a\n")[0] == 0


def test_csv_that_is_no_row_is_named(shop: Shop) -> None:
    """A cell of any length is read, also over several lines; a broken quote ends one row."""
    long = b'"' + b"x" * 200_000 + b"\nv,2025-01-01,yes\n" + b'"'
    export = b"id,at,a,more\n"
    export += b"s,2025-01-01,no," + long + b"\n"
    export += b't,2025-01-01,no,"a"b\n'
    export += b"u,2025-01-01,no,\n"

    status, told, _ = shop.take(export)

    assert (status, told["recorded"], told["known"]) == (1, 2, 0)
    ((one),) = told["refused"]
    assert one["row"] == 2
    assert one["problem"].startswith("expected a row of CSV, got: ")


def test_a_choice_beside_a_row_that_is_none_is_refused(tmp_path: Path) -> None:
    """Of a long export, where that row may have been a no of it; others are read."""
    lines = [
        json.dumps(row(subject, "2025-01-01", p="x", a="yes")) for subject in ("s", "t", "u", "v")
    ]
    export = tmp_path / "export.jsonl"
    export.write_text("\n".join([*lines[:2], "{", *lines[2:]]), encoding="utf-8")
    told = mappings.read({**LONG, "format": "jsonl"})

    with imports._rows(export, told) as found:
        choices = list(imports._read(found, told.mapping()))

    assert [one.number for one in choices if isinstance(one, Imported)] == [1, 5]
    assert [one.number for one in choices if isinstance(one, Refused)] == [2, 4, 3]
