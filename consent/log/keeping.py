"""What is kept of the logs outside every database: the checkpoint that each last signed.

A database that was put back from a copy does not know what its log has signed since. The kept
checkpoint does, so that the log is never continued as if nothing had been there.
Pure: who keeps it is handed in.
"""

from typing import NamedTuple, Protocol, Self

from consent.errors import LogBehind
from consent.log.checkpoint import read_claim


class Kept(NamedTuple):
    """A kept checkpoint, taken apart; its signature is not yet checked."""

    site_id: str
    epoch: int
    origin: str
    size: int
    root: bytes
    checkpoint: str

    @classmethod
    def parse(cls, site_id: str, epoch: int, checkpoint: str) -> Self:
        """Take a checkpoint apart. Raises CheckpointInvalid."""
        return cls(site_id, epoch, *read_claim(checkpoint), checkpoint)

    def check_reached(self, epoch: int, size: int, root: bytes) -> None:
        """Check that a log's head is no older than this, nor another one. Raises LogBehind."""
        if (epoch, size) < self.place or ((epoch, size) == self.place and root != self.root):
            raise LogBehind(
                f"{self.origin}: expected at least the {self.size} entries that the log's key has "
                f"signed, got epoch {epoch} with {size}; the next start of the service goes on in "
                "a new epoch"
            )

    @property
    def place(self) -> tuple[int, int]:
        """How far the history of the site had come."""
        return self.epoch, self.size


class Keeping(Protocol):
    """Keeps checkpoints outside the database."""

    def keep(self, kept: Kept) -> None:
        """Keep a checkpoint instead of an older one of the same log."""
        ...

    def newest(self, site_id: str) -> Kept | None:
        """Return the checkpoint of a site's newest log, or None where none is kept."""
        ...

    def epochs(self, site_id: str) -> list[int]:
        """Return the epochs of a site that may ever have signed something."""
        ...

    def sites(self) -> list[str]:
        """Return every site of which something is kept, by slug."""
        ...

    def sync(self) -> None:
        """Wait until what is kept outlasts a power cut."""
        ...
