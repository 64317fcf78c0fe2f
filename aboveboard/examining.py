"""What a check of consent's rows needs of the world: a snapshot, and what was kept outside it."""

from collections.abc import Callable, Sequence

from aboveboard.database import Database
from consent.audit.inspection import Inspected, inspect
from consent.errors import CheckpointInvalid
from consent.log.checkpoint import read_claim
from consent.sealing.keyring import Keyring


class Examining:
    """Examines sites, one snapshot each."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    def examine(self, site_id: str, older: Sequence[str], told: Callable[[int], None]) -> Inspected:
        """Examine a site, whose logs have to continue the *older* checkpoints.

        Those that the service kept of it have to be continued as well. Raises LedgerDamaged.
        """
        # First what is kept: the log may grow meanwhile, but never shrink.
        kept = self._keyring.keeping.newest(site_id)
        with self._database.snapshot() as connection:
            return inspect(
                connection,
                self._keyring,
                site_id,
                older=older if kept is None else [*older, kept.checkpoint],
                told=told,
            )


def by_site(checkpoints: Sequence[str], sites: Sequence[str]) -> dict[str, list[str]]:
    """Sort checkpoints by the site that they name. Raises CheckpointInvalid for any other."""
    found: dict[str, list[str]] = {site_id: [] for site_id in sites}
    for text in checkpoints:
        origin = read_claim(text).origin
        *_, site_id, _ = ["", *origin.split("/")]
        if site_id not in found:
            raise CheckpointInvalid(f"expected a checkpoint of {', '.join(sites)}, got {origin!r}")
        found[site_id].append(text)
    return found
