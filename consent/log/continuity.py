"""Whether a log still holds what was kept of it elsewhere.

Pure. Within itself a log that was cut off or written anew looks well: only a checkpoint that
somebody else kept tells.
"""

import re
from collections.abc import Sequence

from consent.errors import CheckpointInvalid, HistoryRewritten, HistoryTruncated, ProofInvalid
from consent.log.checkpoint import Checkpoint
from consent.log.merkle import verify_consistency

_KEPT = re.compile(r"((?:[^\n]+\n)+\n(?:— [^\n]+\n)+)\n*")


def split_kept(text: str) -> list[str]:
    """Read a file of checkpoints: one, or several with blank lines between.

    Raises CheckpointInvalid where there is none, or anything else between them.
    """
    notes, at = [], 0
    while found := _KEPT.match(text, at):
        notes.append(found[1])
        at = found.end()
    if not notes or at != len(text):
        raise CheckpointInvalid("expected one checkpoint, or several with blank lines between")
    return notes


def needs_proof(old: Checkpoint, new: Checkpoint) -> bool:
    """Tell whether it takes a consistency proof to show that *new* continues *old*.

    Raises HistoryTruncated and HistoryRewritten where none could show it.
    """
    if new.size < old.size:
        raise HistoryTruncated(
            f"truncated: expected at least the {old.size} entries of the kept checkpoint, "
            f"got {new.size}"
        )
    if new.size == old.size and new.root != old.root:
        raise HistoryRewritten(
            f"rewritten: expected root {old.root.hex()} at size {old.size}, got {new.root.hex()}"
        )
    return 0 < old.size < new.size


def check(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Check that *new* continues *old*; *path* is empty unless `needs_proof`.

    Raises HistoryTruncated and HistoryRewritten; returning is the only yes.
    """
    if not needs_proof(old, new):
        return
    try:
        verify_consistency(
            old_size=old.size,
            old_root=old.root,
            new_size=new.size,
            new_root=new.root,
            proof=path,
        )
    except ProofInvalid as error:
        raise HistoryRewritten(
            f"rewritten: expected the first {old.size} entries to be those of the kept "
            f"checkpoint, no proof from {old.size} to {new.size} shows it: {error}"
        ) from error
