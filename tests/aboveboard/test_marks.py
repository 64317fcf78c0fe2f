"""Lost keys are noticed: nothing is made anew in silence."""

import secrets

import pytest
from conftest import Service

from aboveboard import app, marks
from aboveboard.errors import KeysChanged


def test_another_key_is_refused(databases: app.Databases) -> None:
    """The first key of a name is noted; only that one passes ever after, and it may not go."""
    first, second = secrets.token_bytes(32), secrets.token_bytes(32)
    marks.check(databases.aboveboard, {"subject.1": first})

    marks.check(databases.aboveboard, {"subject.1": first, "subject.2": second})

    with pytest.raises(KeysChanged, match=r"subject\.1\.key .*got another"):
        marks.check(databases.aboveboard, {"subject.1": second, "subject.2": second})
    with pytest.raises(KeysChanged, match=r"subject\.2\.key .*is gone"):
        marks.check(databases.aboveboard, {"subject.1": first})


@pytest.mark.parametrize("name", ["subject.1", "key-encryption.1", "fingerprint", "pepper"])
def test_a_lost_key_stops_the_start(new_service: Service, name: str) -> None:
    """A command on data whose key file is gone says so in one line."""
    new_service.create_site()
    (new_service.data_dir / "keys" / f"{name}.key").unlink()

    with pytest.raises(AssertionError, match=rf"expected the key at \S+{name}\.key, it is gone"):
        new_service.command("site", "create", "https://other.example.org")
