"""`aboveboard author` as an operator calls it, beside a running service."""

import json
import sqlite3
from contextlib import closing
from secrets import token_hex

import httpx2
import pytest
from conftest import Service, Site
from review_desk import HAM, Desk

CANARY = "canary-5e1b"
ANNE = {"id": "7", "name": CANARY, "email": f"{CANARY}@example.org"}


@pytest.fixture
def site(whole: Site) -> Site:
    """Create a site of the test's own."""
    return whole


@pytest.fixture
def desk(client: httpx2.Client) -> Desk:
    """Sit down at its queue."""
    return Desk(client)


def run(service: Service, site: Site, *arguments: str, told: str = "") -> str:
    """Run a command about an author; *told* is its standard input. Return what it says."""
    done = service.run("author", *arguments, "--site", site.id, told=told)
    return done.stdout if done.returncode == 0 else done.stderr


def test_an_author_is_answered_beside_the_service(service: Service, site: Site, desk: Desk) -> None:
    """Read as text and as JSON, then erased; the service knows at once."""
    desk.send("c-1", f"{HAM} {CANARY}.", author=ANNE)
    mine = desk.send("c-1", HAM, author=ANNE)
    desk.send("other", HAM, author={"id": "8"})

    read = run(service, site, "export", "id", "-", told="7\n")
    (line,) = run(service, site, "export", "id", "7", "--json").splitlines()
    erased = run(service, site, "erase", "id", "7")

    assert f"    {HAM} {CANARY}." in read.splitlines()
    assert f"    {HAM}" in read.splitlines()
    assert json.loads(line)["versions"][0]["author"]["name"] == CANARY
    assert erased == "erased      1 comments\n"
    assert desk.comment(mine["id"])["state"] == "erased"
    assert run(service, site, "export", "id", "7") == ""


def test_nobody_is_erased_by_mistake(service: Service, site: Site, desk: Desk) -> None:
    """Without a name, by another kind of name, on another site: one line, and nothing happens."""
    mine = desk.send("c-1", HAM, author=ANNE)

    assert "expected a name" in run(service, site, "erase", "id", " ")
    assert "id" in run(service, site, "erase", "name", CANARY)
    assert run(service, site, "erase", "email", ANNE["email"]) == "erased      0 comments\n"
    assert desk.comment(mine["id"])["state"] == "published"


def test_a_name_that_is_no_text_is_refused(service: Service, site: Site) -> None:
    """Of nobody can it be the name: no comment with it was ever taken."""
    assert "expected text in UTF-8" in run(service, site, "export", "id", "j\udcf6rg")
    assert "expected text in UTF-8" in run(service, site, "erase", "id", "-", told="j\udcf6rg\n")


def test_the_bytes_are_gone(service: Service, site: Site, desk: Desk) -> None:
    """From the file, its log and the full-text index, though the service was not asked."""
    canary = f"canary-{token_hex(6)}"
    desk.send("c-1", f"you fucking idiot {canary}", author={"id": "7", "name": canary})

    assert run(service, site, "erase", "id", "7") == "erased      1 comments\n"

    for path in service.data_dir.glob("moderation.sqlite3*"):
        assert canary.encode() not in path.read_bytes(), path


def test_nothing_of_a_short_comment_stays_in_the_index(
    service: Service, site: Site, desk: Desk
) -> None:
    """Too short to be looked for among the bytes, its words are words of the index all the same."""
    word = f"q{token_hex(3)}"
    desk.send("kept", "you fucking idiot, you stupid liar", author={"id": "8"})
    desk.send("c-1", f"fuck {word}", author={"id": "7"})

    assert run(service, site, "erase", "id", "7") == "erased      1 comments\n"

    for path in service.data_dir.glob("moderation.sqlite3"):
        with closing(sqlite3.connect(path)) as connection:
            blocks = connection.execute("SELECT block FROM case_text_data").fetchall()
        assert not any(word[1:].encode() in bytes(block) for (block,) in blocks)
