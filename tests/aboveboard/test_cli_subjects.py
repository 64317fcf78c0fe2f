"""`consent subject` as an operator calls it, beside a running service."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import command_line
import psycopg
import pytest
from audited_site import AuditedSite, audited_site
from conftest import Service

CANARY = "canary-7f3a"


@pytest.fixture
def site(service: Service) -> Iterator[AuditedSite]:
    """Create a site of the test's own with two people."""
    with audited_site(service) as made:
        made.record("refused", CANARY)
        made.record("refused", "device-2")
        yield made


def run(site: AuditedSite, *arguments: str, told: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command about a person; *told* is its standard input."""
    return site.service.run("consent", "subject", *arguments, "--site", site.id, told=told)


def why(site: AuditedSite, name: str) -> str:
    """Ask the running service where a device stands, and why."""
    found = site.get("standing", subject_kind="device", subject_id=name, purpose="ads")
    return str(found["why"])


def test_a_person_is_answered_beside_the_service(site: AuditedSite, tmp_path: Path) -> None:
    """Read, restricted, erased; the service knows at once, and the receipts verify offline."""
    read = run(site, "export", "device", "-", told=f"{CANARY}\n")
    restricted = run(site, "restrict", "device", CANARY, "--until", "2099-01-31", "--json")
    then = why(site, CANARY)
    erased = run(site, "erase", "device", "-", "--json", told=f"{CANARY}\r\n")
    again = run(site, "erase", "device", CANARY, "--forget-refusals")

    assert "### 1. You refused" in read.stdout
    assert json.loads(restricted.stdout)["evidence_until"] == "2099-01-31T00:00:00Z"
    assert then == "restricted"
    made = json.loads(erased.stdout)
    assert made["remembered"] == ["ads", "statistics"]
    assert (made["event"]["method"], made["event"]["by"]) == ("admin", "controller")
    assert "erased      0 records" in again.stdout
    assert why(site, CANARY) == "not_asked"
    assert why(site, "device-2") == "refused"
    (tmp_path / "receipt.json").write_text(erased.stdout)
    (tmp_path / "log.key").write_text(site.client.get(f"/v1/consent/logs/{site.id}/1/key").text)
    receipt, key = tmp_path / "receipt.json", tmp_path / "log.key"
    verified = command_line.run({}, "consent", "verify", receipt, "--key", key)
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.startswith(b"VALID")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("erase", "device", "nobody"), "expected a subject of whom this site holds something"),
        (("export", "thing", CANARY), "expected one of device, account, email, phone, external"),
        (("erase", "email", CANARY), "expected an e-mail address"),
        (("erase", "device", "-"), "expected an id of 1 to 1024 characters"),
        (("restrict", "device", CANARY, "--until", "soon"), "expected a day YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_done_is_one_readable_line(
    site: AuditedSite, arguments: tuple[str, ...], expected: str
) -> None:
    """It says what was expected, quotes nothing, and ends with 1."""
    done = run(site, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(f"aboveboard: {expected}")
    assert done.stderr.count("\n") == 1
    assert CANARY not in done.stdout + done.stderr


def test_who_is_meant_does_not_hang_on_the_locale(site: AuditedSite) -> None:
    """What is piped is UTF-8: read as anything else, the person would be one that nobody knows."""
    site.record("refused", "jörg")
    told = ("consent", "subject", "erase", "device", "-", "--site", site.id)

    erased = site.service.run(*told, told="jörg\n", PYTHONIOENCODING="latin-1")

    assert erased.stdout.startswith("erased      1 records")


def test_postgresql_is_vacuumed_by_the_command(site: AuditedSite) -> None:
    """The service was told of no erasure: what the command deleted nobody else would clear."""
    url = site.service.database_url
    before = vacuumed(url)

    done = run(site, "erase", "device", CANARY)

    assert done.returncode == 0, done.stderr
    assert vacuumed(url) == before + (url is not None)


def vacuumed(url: str | None) -> int:
    """Return how often PostgreSQL has left nothing of deleted records."""
    if url is None:
        return 0
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT vacuum_count FROM pg_stat_user_tables"
            " WHERE schemaname = 'consent' AND relname = 'record'"
        )
        (times,) = found.fetchone() or (0,)
        return int(times)


def test_an_unknown_site_is_told(site: AuditedSite) -> None:
    """A mistyped site is not a person of whom nothing is held."""
    site.id = "nowhere"

    done = run(site, "export", "device", CANARY)

    assert (done.returncode, done.stderr) == (
        1,
        "aboveboard: expected a site, got 'nowhere', which is none\n",
    )
