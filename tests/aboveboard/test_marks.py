"""Lost keys are noticed: nothing is made anew in silence."""

import secrets

import pytest
from conftest import Service

from aboveboard import marks
from aboveboard.errors import KeysChanged
from aboveboard.installation import Databases


def test_another_key_is_refused(databases: Databases) -> None:
    """The first key of a name is noted; only that one passes ever after, and it may not go."""
    first, second = secrets.token_bytes(32), secrets.token_bytes(32)
    marks.check(databases.aboveboard, {"subject.1": first})

    marks.check(databases.aboveboard, {"subject.1": first, "subject.2": second})

    with pytest.raises(KeysChanged, match=r"subject\.1\.key .*got another"):
        marks.check(databases.aboveboard, {"subject.1": second, "subject.2": second})
    with pytest.raises(KeysChanged, match=r"subject\.2\.key .*is gone"):
        marks.check(databases.aboveboard, {"subject.1": first})


@pytest.mark.parametrize(
    "name", ["subject.1", "key-encryption.1", "fingerprint", "pepper", "author"]
)
def test_a_lost_key_stops_the_start(new_service: Service, name: str) -> None:
    """A command on data whose key file is gone says so in one line."""
    new_service.create_site()
    (new_service.data_dir / "keys" / f"{name}.key").unlink()

    with pytest.raises(AssertionError, match=rf"expected the key at \S+{name}\.key, it is gone"):
        new_service.command("site", "create", "https://other.example.org")


def test_no_command_makes_a_lost_key_anew(new_service: Service) -> None:
    """Not one that only reads either: a running service would take the new key for the old."""
    new_service.create_site()
    path = new_service.data_dir / "keys" / "subject.1.key"
    path.unlink()

    done = new_service.run("consent", "checkpoint")

    assert done.returncode == 1
    assert "subject.1.key, it is gone" in done.stderr
    assert not path.exists()


def test_a_key_of_a_new_purpose_is_made_for_old_data(new_service: Service) -> None:
    """Data of a release that had no key for authors gets one, and misses it from then on."""
    new_service.create_site()
    path = new_service.data_dir / "keys" / "author.key"
    path.unlink()
    with new_service.databases() as databases:
        marks.forget(databases.aboveboard, "author")

    new_service.create_site("https://second.example.org")

    assert path.exists()
    path.unlink()
    with pytest.raises(AssertionError, match=r"author\.key, it is gone"):
        new_service.create_site("https://third.example.org")
