"""What of a subject's standing outlives the records that it came from.

Pure. A refusal is remembered without its record, or the person would be asked again; a consent
without its record no longer stands, for nobody could prove it (GDPR Art. 7(1)). Where that consent
had ended a no, the no is what is left.
"""

from collections.abc import Container, Mapping
from dataclasses import replace

from consent.choices.choice import EventType
from consent.choices.projection import PurposeStanding, Standing

Noes = Mapping[str, PurposeStanding]
"""By purpose, the last no of a subject, whatever followed it."""

NO_RECORD = ""
"""Stands where a remembered refusal would name its record."""


def remember(standing: Standing, *, noes: Noes, erased_at: str) -> Standing | None:
    """Return what is remembered of a subject whose every record goes: the purposes refused.

    *noes* are the last that their records tell of. None where nothing was refused. Neither records
    nor questions nor other subjects are named, and days stand for instants.
    """
    refused = {
        name: _remembered(no, 0, erased_at)
        for name, at in standing.purposes.items()
        if (no := _last_no(at, noes.get(name)))
    }
    return Standing(refused, whole=False) if refused else None


def without(
    standing: Standing,
    erased: Container[str],
    *,
    told: Noes,
    left: Noes,
    forgotten: Container[str] = (),
    gone: Container[str] = (),
    erased_at: str,
) -> Standing:
    """Return where a subject stands who loses the records *erased*, their own or of a link.

    *told* are the last noes by all records, *left* those by the records that stay. What a record
    among *forgotten* refused is not remembered. Links to subjects that are *gone* go as well.
    """
    purposes = {}
    for name, at in standing.purposes.items():
        # The place in the log stays: what came before the refusal must not come back after it.
        place, no, last = at.leaf_index, left.get(name), told.get(name)
        if at.record_id not in erased:
            forgets = not at.ended and last is not None and last.record_id in forgotten
            purposes[name] = _ended(at, no) if forgets else at
        elif at.record_id in forgotten:
            if no is not None:
                purposes[name] = no._replace(leaf_index=place)
        elif no is not None and last and no.record_id == last.record_id and _is_last(no, at):
            purposes[name] = _known_by(no, at)._replace(leaf_index=max(place, no.leaf_index))
        elif last := _last_no(at, last):
            purposes[name] = _remembered(last, place, erased_at)
    return replace(
        standing,
        purposes=purposes,
        asked={name: at for name, at in standing.asked.items() if at.record_id not in erased},
        links=tuple(link for link in standing.links if link not in gone),
        whole=False,
    )


def without_consent(standing: Standing, records: Container[str], told: Noes) -> Standing:
    """Return where a subject stands who may no longer rest a yes on *records*; a no stays.

    *told* are the last noes by all records: a yes does not tell of one that it has outlived.
    """
    kept = {}
    for name, at in standing.purposes.items():
        if at.ended or at.record_id not in records:
            kept[name] = at
        elif no := _last_no(at, told.get(name)):
            kept[name] = no._replace(
                record_id=NO_RECORD if no.record_id in records else no.record_id,
                leaf_index=max(at.leaf_index, no.leaf_index),
            )
    return replace(standing, purposes=kept, whole=False)


def in_force(standing: Standing, *, now: str) -> set[str]:
    """Return the records of the consents that stand and have not run out."""
    return {
        at.record_id for at in standing.purposes.values() if not at.ended and not at.lapsed(now)
    }


def evidence(standing: Standing, *, now: str) -> set[str]:
    """Return the records that a consent in force rests on: its own, and the newest question.

    Which question it answered, a standing does not tell: it may have been put again since.
    """
    consents = in_force(standing, now=now)
    about = {at.notice_id for at in standing.purposes.values() if at.record_id in consents}
    return consents | {at.record_id for name, at in standing.asked.items() if name in about}


def _last_no(at: PurposeStanding, told: PurposeStanding | None) -> PurposeStanding | None:
    """Return the no that stands, or that the yes which stands has ended; *told* tells its name."""
    if at.ended:
        return at
    if at.refused_at is None:
        # None but one that this yes has outlived.
        return told if told is not None and told.leaf_index > at.leaf_index else None
    if told is not None and _is_last(told, at):
        return _known_by(told, at)
    return PurposeStanding(
        at.ended_no or EventType.REFUSED.value,
        at.record_id,
        at.leaf_index,
        at.refused_at,
        refused_at=at.refused_at,
    )


def _known_by(no: PurposeStanding, yes: PurposeStanding) -> PurposeStanding:
    """Return a no with the latest that it or a yes knows of, which may have outlived it."""
    return no._replace(refused_at=max(filter(None, (no.refused_at, yes.refused_at)), default=None))


def _ended(yes: PurposeStanding, no: PurposeStanding | None) -> PurposeStanding:
    """Return a yes that has ended that no, or none at all."""
    return yes._replace(refused_at=no and no.refused_at, ended_no=no and no.last_no)


def _is_last(no: PurposeStanding, at: PurposeStanding) -> bool:
    """Whether that no is the one that a yes has ended, by its name: the record of that may go."""
    return not at.ended and at.ended_no in {None, no.state}


def _remembered(at: PurposeStanding, leaf_index: int, erased_at: str) -> PurposeStanding:
    if at.record_id == NO_RECORD:
        return at._replace(leaf_index=leaf_index)
    day, last_no = at.occurred_at[:10], (at.refused_at or at.occurred_at)[:10]
    return PurposeStanding(
        # By name where that decides whether anybody is asked again.
        at.state if at.lasting else EventType.REFUSED.value,
        NO_RECORD,
        leaf_index,
        f"{day}T00:00:00Z",
        # The day's end, so that no consent of that day is taken for a later one; never the future.
        refused_at=min(f"{last_no}T23:59:59Z", erased_at),
        ask_after=at.ask_after,
    )
