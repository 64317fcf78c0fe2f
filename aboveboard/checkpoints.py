"""Checkpoints handed on to where somebody else keeps them: a folder, a webhook.

Truncation only shows against a checkpoint held elsewhere, so this is what makes the log worth
something to others. Whatever fails here is told and tried again; it never stops the service.
"""

import asyncio
import fcntl
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
from pydantic import SecretStr

from aboveboard.database import Database
from aboveboard.disk import put
from aboveboard.errors import CheckpointNotKept, NotPosted
from aboveboard.posting import Poster
from aboveboard.targets import parse
from consent.errors import CheckpointInvalid, HistoryBroken
from consent.log import continuity, ledger
from consent.log.checkpoint import Verifier
from consent.log.ledger import Head, Nodes
from consent.sealing.keyring import Keyring

PATIENCE_S = 10.0  # for a webhook's answer
FIRST_RETRY_S = 30.0
TAIL_BYTES = 4096  # several of our checkpoints
HISTORY_BYTES = 4 << 20  # of the checkpoints that were kept, thousands

log = structlog.get_logger(__name__)

_END = re.compile(rb"\n\xe2\x80\x94 [^\n]+\n\n")


@dataclass(frozen=True, slots=True)
class Signed:
    """A log's newest checkpoint as text, and what opens it."""

    head: Head
    verifier: Verifier
    text: str


class Logs:
    """The logs of this installation, as far as their checkpoints go."""

    def __init__(self, consent: Database, keyring: Keyring) -> None:
        self._consent = consent
        self._keyring = keyring

    def newest(self, site_id: str | None = None) -> list[Signed]:
        """Return the newest checkpoint of every log, of one site or of all.

        Raises LogNotFound where the site has none.
        """
        with self._consent.read() as connection:
            heads = (
                ledger.list_heads(connection, site_id) if site_id else ledger.all_heads(connection)
            )
        return [self._signed(head) for head in heads]

    def reread(self, known: Signed) -> Signed:
        """Return the newest checkpoint of a log, which may have grown."""
        with self._consent.read() as connection:
            head = ledger.read_head(connection, known.head.site_id, known.head.epoch)
        return self._signed(head)

    def prove(self, newest: Signed, old_size: int) -> list[bytes]:
        """Return what shows that a log continues the size that it once had."""
        with self._consent.read() as connection:
            nodes = Nodes(connection, newest.head)
            return nodes.consistency(old_size, newest.head.frontier.size)

    def _signed(self, head: Head) -> Signed:
        verifier = self._keyring.verifier(head.site_id, head.epoch, head.origin)
        return Signed(head, verifier, self._keyring.checkpoint(head))


class Place(Protocol):
    """Where checkpoints are kept."""

    name: str

    async def push(self, newest: Signed) -> None:
        """Hand one on. Raises HistoryBroken, CheckpointNotKept and what files and nets raise."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


class Folder:
    """Keeps the newest checkpoint of every log in a file, and all earlier ones beside it.

    `<site>.<epoch>.checkpoint` is replaced whole; `<site>.<epoch>.history` only ever grows.
    """

    name = "folder"

    def __init__(self, path: Path, logs: Logs) -> None:
        self._path = path
        self._logs = logs

    async def push(self, newest: Signed) -> None:
        """Keep one, in a thread: it waits for the disk."""
        await asyncio.to_thread(self.keep, newest)

    async def close(self) -> None:
        """Let go of nothing: no file stays open."""

    def keep(self, newest: Signed) -> None:
        """Write a checkpoint down, unless it does not continue the one that is there.

        Raises HistoryBroken, and then leaves what was kept; CheckpointInvalid where that is no
        checkpoint of this log.
        """
        name = f"{newest.head.site_id}.{newest.head.epoch}"
        kept = self._path / f"{name}.checkpoint"
        self._path.mkdir(parents=True, exist_ok=True)
        with self._alone():
            try:
                before = kept.read_text(encoding="utf-8")
            except FileNotFoundError:
                pass
            else:
                if before == newest.text:
                    return
                # Another process may have kept a newer one since this one was read.
                newest = self._logs.reread(newest)
                if before == newest.text:
                    return
                self._check(before, newest)
            # The history first: it must not lack what the newest file has.
            _append(self._path / f"{name}.history", f"{newest.text}\n".encode())
            put(kept, newest.text.encode())

    def _check(self, kept: str, newest: Signed) -> None:
        old, new = newest.verifier.open(kept), newest.verifier.open(newest.text)
        needed = continuity.needs_proof(old, new)
        continuity.check(old, new, self._logs.prove(newest, old.size) if needed else [])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock: several processes may serve one PostgreSQL."""
        handle = os.open(self._path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def histories(folder: Path | None) -> Callable[[str, int], list[str]]:
    """Return what reads the latest checkpoints that a folder has kept of a site's epoch."""

    def read(site_id: str, epoch: int) -> list[str]:
        if folder is None:
            return []
        try:
            with (folder / f"{site_id}.{epoch}.history").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - HISTORY_BYTES))
                kept = file.read(HISTORY_BYTES)
            if size > HISTORY_BYTES:
                begin = _END.search(kept)
                kept = kept[begin.end() :] if begin else b""
            return continuity.split_kept(kept.decode())
        except (OSError, UnicodeDecodeError, CheckpointInvalid):
            # Not there, or broken: its owner is told of that elsewhere.
            return []

    return read


def _append(path: Path, entry: bytes) -> None:
    """Append to a history; of an entry that a power cut left half, nothing stays."""
    with path.open("ab+") as file:
        size = file.tell()
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        whole = max((found.end() for found in _END.finditer(tail)), default=0)
        if len(tail) - whole >= len(entry):
            raise CheckpointNotKept(f"expected {path.name} to end with a checkpoint, it does not")
        file.truncate(size - len(tail) + whole)
        file.write(entry)
        file.flush()
        os.fsync(file.fileno())


class Webhook:
    """Posts checkpoints to an address; each is signed in itself, so nothing else has to be."""

    name = "webhook"

    def __init__(self, url: SecretStr) -> None:
        self._target = parse(url.get_secret_value())
        self._poster = Poster(patience_s=PATIENCE_S)

    async def push(self, newest: Signed) -> None:
        """Post one; whatever is not a 2xx raises CheckpointNotKept, no answer NotPosted."""
        headers = {
            "content-type": "text/plain; charset=utf-8",
            "aboveboard-origin": newest.head.origin,
            "aboveboard-size": str(newest.head.frontier.size),
        }
        status = await self._poster.post(self._target, headers, newest.text.encode())
        if not 200 <= status < 300:  # noqa: PLR2004
            raise CheckpointNotKept(f"expected a 2xx of the webhook, got {status}", status=status)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._poster.close()


class Pushing:
    """Hands on, time and again, the checkpoint of every log that grew."""

    def __init__(self, places: Sequence[Place], logs: Logs, *, interval_s: float) -> None:
        self._places = places
        self._logs = logs
        self._interval_s = interval_s
        self._pushed: dict[tuple[str, str], str] = {}
        self._failed_in_a_row = 0
        outcomes = ("kept", "failed", "refused")
        self.outcomes = Counter({(place.name, how): 0 for place in places for how in outcomes})
        """How many checkpoints were kept, failed to be, or do not continue what is kept."""

    async def run(self) -> None:
        """Push for ever, if there is anywhere to push to."""
        while self._places:
            wait_s = await self.tick()
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """Let go of what the places have open."""
        for place in self._places:
            await place.close()

    async def tick(self) -> float:
        """Push what grew since it was last pushed; return the seconds until the next time."""
        try:
            newest = await asyncio.to_thread(self._logs.newest)
            well = [await self._push_all(place, newest) for place in self._places]
        except Exception as error:  # noqa: BLE001 - whatever it is, the service goes on
            log.error("checkpoints_unreadable", error=type(error).__name__)  # noqa: TRY400
            well = [False]
        if all(well):
            self._failed_in_a_row = 0
            return self._interval_s
        self._failed_in_a_row += 1
        return min(self._interval_s, FIRST_RETRY_S * 2.0 ** min(self._failed_in_a_row - 1, 10))

    async def _push_all(self, place: Place, newest: Sequence[Signed]) -> bool:
        well = True
        newest_epochs = {one.head.site_id: one.head.epoch for one in newest}  # in their order
        for one in newest:
            if self._pushed.get((place.name, one.head.origin)) == one.text:
                continue
            try:
                await place.push(one)
            except HistoryBroken as error:
                # The gravest thing that this service can find out about itself.
                self.outcomes[place.name, "refused"] += 1
                log.critical("log_broken", operation=place.name, error=type(error).__name__)
                if one.head.epoch == newest_epochs[one.head.site_id]:
                    well = False
                else:
                    # A log that was cut off and goes on in another epoch stays so: told once.
                    self._pushed[place.name, one.head.origin] = one.text
            except Exception as error:  # noqa: BLE001 - whatever it is, the others get their turn
                self.outcomes[place.name, "failed"] += 1
                # The type, never the message: it may quote the address, and what is in that.
                log.warning(
                    "checkpoint_not_kept",
                    operation=place.name,
                    error=type(error).__name__,
                    status=getattr(error, "status", None),
                )
                well = False
                if isinstance(error, NotPosted):
                    return False  # the next would only wait as long
            else:
                self.outcomes[place.name, "kept"] += 1
                self._pushed[place.name, one.head.origin] = one.text
        return well
