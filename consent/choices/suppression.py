"""What of a subject's standing outlives the records that it came from.

Pure. A refusal is remembered without its record, or the person would be asked again; a consent
without its record no longer stands, for nobody could prove it (GDPR Art. 7(1)).
"""

from collections.abc import Container
from dataclasses import replace

from consent.choices.choice import EventType
from consent.choices.projection import PurposeStanding, Standing

NO_RECORD = ""
"""Stands where a remembered refusal would name its record."""


_NAMED = frozenset({EventType.OBJECTED, EventType.OPTED_OUT, EventType.REVOKED})
"""Noes that are remembered by name, since they decide whether anybody is asked again."""


def remember(standing: Standing, *, erased_at: str) -> Standing | None:
    """Return what is remembered of a subject whose every record goes: the purposes refused.

    None where nothing is refused. Neither records nor questions nor other subjects are named, and
    days stand for instants.
    """
    refused = {
        name: _remembered(at, 0, erased_at) for name, at in standing.purposes.items() if at.ended
    }
    return Standing(refused, whole=False) if refused else None


def without(
    standing: Standing,
    erased: Container[str],
    *,
    gone: Container[str] = (),
    keep_refusals: bool = True,
    erased_at: str,
) -> Standing:
    """Return where a subject stands who loses the records *erased*, their own or of a link.

    Links to subjects that are *gone* go as well.
    """
    return replace(
        standing,
        purposes={
            # The place in the log stays: what came before the refusal must not come back after it.
            name: _remembered(at, at.leaf_index, erased_at) if at.record_id in erased else at
            for name, at in standing.purposes.items()
            if at.record_id not in erased or (at.ended and keep_refusals)
        },
        asked={name: at for name, at in standing.asked.items() if at.record_id not in erased},
        links=tuple(link for link in standing.links if link not in gone),
        whole=False,
    )


def without_consent(standing: Standing, records: Container[str]) -> Standing:
    """Return where a subject stands who may no longer rest a yes on *records*; a no stays."""
    kept = {
        name: at
        for name, at in standing.purposes.items()
        if at.ended or at.record_id not in records
    }
    return replace(standing, purposes=kept, whole=False)


def rests_on(standing: Standing, records: Container[str], *, gone: Container[str] = ()) -> bool:
    """Whether a standing names one of *records*, or a link to one of those *gone*."""
    named = [at.record_id for at in standing.purposes.values()]
    named += [at.record_id for at in standing.asked.values()]
    return any(one in records for one in named) or any(link in gone for link in standing.links)


def evidence(standing: Standing, *, now: str) -> set[str]:
    """Return the records that a consent in force rests on: its own, and the question it answers."""
    in_force = [at for at in standing.purposes.values() if not at.ended and not at.lapsed(now)]
    asked = [standing.asked.get(at.notice_id or "") for at in in_force]
    return {at.record_id for at in in_force} | {at.record_id for at in asked if at is not None}


def _remembered(at: PurposeStanding, leaf_index: int, erased_at: str) -> PurposeStanding:
    if at.record_id == NO_RECORD:
        return at._replace(leaf_index=leaf_index)
    day, last_no = at.occurred_at[:10], (at.refused_at or at.occurred_at)[:10]
    return PurposeStanding(
        at.state if at.state in _NAMED else EventType.REFUSED.value,
        NO_RECORD,
        leaf_index,
        f"{day}T00:00:00Z",
        # The day's end, so that no consent of that day is taken for a later one; never the future.
        refused_at=min(f"{last_no}T23:59:59Z", erased_at),
        ask_after=at.ask_after,
    )
