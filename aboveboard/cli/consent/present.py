"""A log as it is at present: over HTTP, or from the data directory."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx2

from aboveboard.cli.options import open_databases
from aboveboard.errors import LogUnreadable
from aboveboard.installation import Databases, open_keyring
from aboveboard.settings import Settings
from consent.errors import CheckpointInvalid, HistoryRewritten, LogNotFound, MerkleError
from consent.log import ledger
from consent.log.ledger import Nodes

PATIENCE_S = 30.0
ANSWER_BYTES = 262_144  # far more than the longest proof or checkpoint
ORIGIN_PARTS = 4  # host, "aboveboard", site, epoch


class Present(Protocol):
    """What a log says of itself today."""

    def checkpoint(self) -> str:
        """Return its newest checkpoint. Raises LogUnreadable."""
        ...

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """Return its proof that it grew. Raises LogUnreadable, HistoryRewritten without one."""
        ...

    def newest_epoch(self) -> int:
        """Return the newest epoch of the site."""
        ...


def read_origin(origin: str) -> tuple[str, int]:
    """Return the site and the epoch that an origin names. Raises CheckpointInvalid."""
    parts = origin.rsplit("/", ORIGIN_PARTS - 1)
    if len(parts) == ORIGIN_PARTS and parts[1] == "aboveboard" and parts[3].isdecimal():
        return parts[2], int(parts[3])
    raise CheckpointInvalid("expected the key of a log …/aboveboard/<site>/<epoch>, got another")


class ServedLog:
    """A log that somebody serves."""

    def __init__(self, client: httpx2.Client, origin: str) -> None:
        site, epoch = read_origin(origin)
        self._client = client
        self._site = f"/v1/consent/logs/{site}"
        self._log = f"{self._site}/{epoch}"

    def checkpoint(self) -> str:
        """Ask for the newest checkpoint."""
        status, content = self._get(f"{self._log}/checkpoint")
        if status != httpx2.codes.OK:
            raise LogUnreadable(f"expected a checkpoint at {self._log}, got HTTP status {status}")
        return content.decode("utf-8", errors="replace")

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """Ask for the proof."""
        status, content = self._get(f"{self._log}/proof/consistency?from={old_size}&to={new_size}")
        if status == httpx2.codes.NOT_FOUND:
            raise HistoryRewritten(f"rewritten: no proof from {old_size} to {new_size} is served")
        if status != httpx2.codes.OK:
            raise LogUnreadable(f"expected a consistency proof, got HTTP status {status}")
        try:
            return [b64decode(item, validate=True) for item in json.loads(content)["hashes"]]
        except (ValueError, KeyError, TypeError):
            raise LogUnreadable("expected a consistency proof, got something else") from None

    def newest_epoch(self) -> int:
        """Ask for the list of epochs; the last of them is meant."""
        status, content = self._get(self._site)
        try:
            return max(item["epoch"] for item in json.loads(content)["items"])  # type: ignore[no-any-return]
        except (ValueError, KeyError, TypeError):
            raise LogUnreadable(f"expected a list of epochs, got HTTP status {status}") from None

    def _get(self, path: str) -> tuple[int, bytes]:
        """Read an answer, up to as much as a true one can have."""
        try:
            with self._client.stream("GET", path) as answer:
                content = b""
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES:
                        raise LogUnreadable(
                            f"expected an answer of up to {ANSWER_BYTES} bytes, got more"
                        )
                return answer.status_code, content
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise LogUnreadable(
                f"expected an answer from {self._client.base_url.host or 'a server'}, "
                f"got {type(error).__name__}"
            ) from error


class StoredLog:
    """A log in the data directory."""

    def __init__(self, settings: Settings, databases: Databases, origin: str) -> None:
        self._site_id, self._epoch = read_origin(origin)
        self._database = databases.consent
        self._keyring = open_keyring(settings)

    def checkpoint(self) -> str:
        """Read what was signed last."""
        with self._database.read() as connection:
            try:
                head = ledger.read_head(connection, self._site_id, self._epoch)
            except LogNotFound:
                raise LogUnreadable(
                    f"expected the log of {self._site_id}, epoch {self._epoch}, there is none here"
                ) from None
        return self._keyring.checkpoint(head)

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """Prove it from the stored tree."""
        with self._database.read() as connection:
            head = ledger.read_head(connection, self._site_id, self._epoch)
            try:
                return Nodes(connection, head).consistency(old_size, new_size)
            except MerkleError as error:
                raise HistoryRewritten(
                    f"rewritten: the stored tree proves nothing from {old_size} to {new_size}: "
                    f"{error}"
                ) from error

    def newest_epoch(self) -> int:
        """Read which logs the site has; the last of them is meant."""
        with self._database.read() as connection:
            return ledger.list_heads(connection, self._site_id)[-1].epoch


@contextmanager
def open_present(origin: str, *, url: str | None, data_dir: Path | None) -> Iterator[Present]:
    """Lend the log of an origin, served at *url*, or in the data directory without one."""
    if url is not None:
        try:
            client = httpx2.Client(base_url=url, timeout=PATIENCE_S)
        except httpx2.InvalidURL as error:
            raise LogUnreadable("expected --url as https://host, got something else") from error
        with client:
            yield ServedLog(client, origin)
        return
    with open_databases(data_dir) as (settings, databases):
        yield StoredLog(settings, databases, origin)
