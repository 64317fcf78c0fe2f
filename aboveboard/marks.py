"""Which key files these databases were made with.

A key file that is lost would be made anew without a word, and everybody's pseudonym would change.
So the digest of each key is kept in the database, and another key is refused.
"""

import hashlib
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from aboveboard.database import Database
from aboveboard.errors import KeysChanged
from aboveboard.tables import KEY_MARK

PREFIX = b"aboveboard-key-mark/v1\x00"


def check(database: Database, keys: Mapping[str, bytes]) -> None:
    """Note the digests of *keys* not seen before. Raises KeysChanged where one is another now."""
    known, digests = noted(database), _digests(keys)
    match(known, keys)
    if known == digests:
        return
    with database.write() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("LOCK TABLE key_mark IN EXCLUSIVE MODE")
        known = read(connection)
        match(known, keys)
        for name, digest in digests.items():
            if name not in known:
                connection.execute(insert(KEY_MARK).values(name=name, digest=digest))


def match(known: Mapping[str, str], keys: Mapping[str, bytes]) -> None:
    """Hold *keys* against digests by name. Raises KeysChanged where one is gone or another."""
    digests = _digests(keys)
    for name in sorted(known):
        if name not in digests:
            raise KeysChanged(
                f"expected the key {name}.key that these databases were made with, it is gone; "
                "put it back from where keys are kept"
            )
        if digests[name] != known[name]:
            raise KeysChanged(
                f"expected the key {name}.key that these databases were made with, "
                "got another; put it back from where keys are kept"
            )


def forget(database: Database, name: str) -> None:
    """Forget a key that nothing is left of, so that it is not missed."""
    with database.write() as connection:
        connection.execute(delete(KEY_MARK).where(KEY_MARK.c.name == name))


def noted(database: Database) -> dict[str, str]:
    """Return the digests of the keys that the databases were made with, by name."""
    with database.read() as connection:
        return read(connection)


def read(connection: Connection) -> dict[str, str]:
    """Return the digests that a connection finds, by name."""
    rows = connection.execute(select(KEY_MARK.c.name, KEY_MARK.c.digest))
    return {name: digest for name, digest in rows}  # noqa: C416 - a row is no pair to dict()


def _digests(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(PREFIX + key).hexdigest() for name, key in keys.items()}
