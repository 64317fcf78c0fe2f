"""Lost keys are noticed: nothing is made anew in silence."""

import secrets

import pytest
from conftest import Service

from aboveboard import app, marks
from aboveboard.errors import KeysChanged


def test_another_key_is_refused(databases: app.Databases) -> None:
    """The first key of a name is noted, and only that one passes ever after."""
    first = secrets.token_bytes(32)
    marks.check(databases.aboveboard, {"subject.1": first})

    marks.check(databases.aboveboard, {"subject.1": first, "subject.2": secrets.token_bytes(32)})

    with pytest.raises(KeysChanged, match=r"subject\.1\.key"):
        marks.check(databases.aboveboard, {"subject.1": secrets.token_bytes(32)})


@pytest.mark.parametrize("name", ["subject.1", "key-encryption.1", "fingerprint", "pepper"])
def test_a_lost_key_stops_the_start(new_service: Service, name: str) -> None:
    """A command on data whose key file is gone says so in one line."""
    new_service.create_site()
    (new_service.data_dir / "keys" / f"{name}.key").unlink()

    with pytest.raises(AssertionError, match=f"expected the key {name}.key"):
        new_service.command("site", "create", "https://other.example.org")
