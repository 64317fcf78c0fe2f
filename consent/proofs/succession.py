"""How one log of an evidence bundle follows the one before it.

Pure. The first entry of every epoch but the first commits to what the log before it last signed:
that log then ends there, and what it signed and no longer holds was lost in between.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from consent.choices.choice import EventType, Reason
from consent.errors import CheckpointInvalid, EvidenceInvalid
from consent.log.checkpoint import Checkpoint, Verifier
from consent.proofs.archive import LogPart
from consent.proofs.disclosure import Disclosed


class Ending(NamedTuple):
    """What a later log says of an earlier one: the last that its key has signed, and why."""

    checkpoint: Checkpoint
    vkey: str
    reason: str

    def check(self, held: Checkpoint, vkey: str, epoch: int) -> int:
        """Hold the earlier log of *epoch* against its end; returns how many entries are lost.

        Raises `EvidenceInvalid`.
        """
        if self.vkey != vkey:
            raise EvidenceInvalid(
                "continued", f"expected the key {self.vkey}, got {vkey}", epoch=epoch
            )
        lost = self.checkpoint.size - held.size
        if lost < 0 or (lost and self.reason != Reason.RESTORED):
            raise EvidenceInvalid(
                "continued",
                f"expected the {self.checkpoint.size} entries at which the next log took over, "
                f"got {held.size}",
                epoch=epoch,
            )
        return lost


def ending(log: LogPart, first: Disclosed | None) -> Ending | None:
    """Return the end of the log before *log*, of which *first* is the first opened record.

    Raises `EvidenceInvalid` where a later epoch does not begin with one.
    """
    if log.epoch == 1 or log.entries == 0:
        return None
    event: Mapping[str, Any] = first.event if first and first.leaf_index == 0 else {}
    previous = event.get("previous")
    if event.get("event_type") != EventType.CONTINUED or not isinstance(previous, dict):
        raise EvidenceInvalid(
            "continued", "expected an event that continues the log before", epoch=log.epoch, index=0
        )
    told = {name: str(previous.get(name)) for name in ("key", "checkpoint", "reason")}
    try:
        verifier = Verifier.from_vkey(told["key"])
        return Ending(verifier.open(told["checkpoint"]), verifier.vkey, told["reason"])
    except CheckpointInvalid as error:
        raise EvidenceInvalid("continued", str(error), epoch=log.epoch, index=0) from error
