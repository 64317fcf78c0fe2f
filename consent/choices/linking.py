"""Whom an event concerns beside its own subject: the ids of one person, linked with each other.

Pure. A no is one of the person, a yes stays with who said it. Of two yeses that a link brings
together none widens the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from consent.choices.choice import Decision, EventType, SubjectKind
from consent.choices.projection import PurposeStanding, Standing, apply, firmness, lasts, waits


def follow(
    known: Callable[[str], Standing | None], ref: str, event: Mapping[str, Any], position: int
) -> dict[str, Standing]:
    """Return every standing that *event* of subject *ref* changes, by pseudonym.

    *known* answers where subjects stood before. A link brings two together: the account takes over
    what only the device was asked, where they differ the no wins, of two yeses what both allow, and
    the device takes over the account's noes. A no is one of everybody whom it reaches; a yes stays
    with who said it.
    """
    own = known(ref) or Standing()
    if event["event_type"] == EventType.LINKED:
        return _linked(known, ref, event)
    changed = {ref: apply(own, event, position)}
    ending = [made for made in event.get("decisions", ()) if made["decision"] == Decision.REFUSED]
    if ending and own.links:
        for link, linked in reach(known, ref).items():
            changed[link] = apply(linked, {**event, "decisions": ending}, position)
    return changed


def reach(
    known: Callable[[str], Standing | None], ref: str, *, down: bool = False
) -> dict[str, Standing]:
    """Return where those stand whom a no of *ref* concerns as well, by pseudonym.

    It goes up from a device to whoever was linked with it, from each id of theirs to the next, and
    down to all their devices: CCPA regulations §7025(c)(1) ends sale and sharing for the device
    and for the consumer behind it. It does not go up again, nor at all if it is on its way *down*:
    who else sits at that device has not said no.
    """
    found: dict[str, Standing] = {}
    own = known(ref)
    waiting = [] if own is None else [(own, down)]
    seen = {(ref, True), (ref, False)}
    while waiting:
        at, down = waiting.pop()
        for link in at.links:
            other = known(link)
            if other is None or (down and not other.device):
                continue
            place = (link, down or (other.device and not at.device))
            if place not in seen:
                seen.add(place)
                found[link] = other
                waiting.append((other, place[1]))
    return found


def of_one(standings: Sequence[Standing]) -> Standing:
    """Return where one id stands that has events under several pseudonyms.

    As if they were one: a process that did not know a new key yet took somebody for a stranger.
    """
    first, *others = standings
    for other in others:
        purposes = {**first.purposes, **other.purposes}
        for name in first.purposes.keys() & other.purposes.keys():
            purposes[name] = _latest(first.purposes[name], other.purposes[name])
        asked = {**first.asked, **other.asked}
        for name in first.asked.keys() & other.asked.keys():
            pair = first.asked[name], other.asked[name]
            asked[name] = max(pair, key=lambda at: at.leaf_index)
        first = Standing(
            purposes,
            asked,
            (*first.links, *(link for link in other.links if link not in first.links)),
            first.whole and other.whole,
            first.device or other.device,
        )
    return first


def _latest(one: PurposeStanding, other: PurposeStanding) -> PurposeStanding:
    """Return the later of two choices of one id, a no in doubt."""
    older, newer = sorted((one, other), key=lambda at: at.leaf_index)
    if older.ended and newer.ended:
        stands = older if firmness(older) > firmness(newer) else newer
    elif newer.ended:
        stands = newer
    elif older.ended:
        stands = older if newer.occurred_at <= (older.refused_at or "") else newer
    else:
        stands = older if newer.occurred_at < older.occurred_at else newer
    return _knowing(stands, one, other)


def _linked(
    known: Callable[[str], Standing | None], ref: str, event: Mapping[str, Any]
) -> dict[str, Standing]:
    other, kind = event["linked"]["subject_ref"], event["linked"].get("subject_kind")
    devices = {ref: event.get("subject_kind") == SubjectKind.DEVICE}
    devices[other] = kind == SubjectKind.DEVICE
    if devices[ref] and not devices[other]:
        ref, other = other, ref  # told the other way round, it is the account that takes over
    account, device = known(ref) or Standing(), known(other) or Standing()
    if other in account.links and ref in device.links:
        return {}  # told again, at every sign-in perhaps: what was decided since then stays
    # What is taken over of somebody whose records are gone, no replay brings back either.
    whole = account.whole and device.whole
    gained = {
        name: _taken_over(at, account.purposes.get(name), event["received_at"])
        for name, at in device.purposes.items()
    }
    if devices[ref]:
        # Two devices: whoever else sits at the one has not said the other's yes.
        gained = _news(device, account)
    noes = _news(account, device)
    both = {
        name: (at, device.purposes[name])
        for name, at in account.purposes.items()
        if name in device.purposes
    }

    def since(purposes: Mapping[str, PurposeStanding]) -> dict[str, PurposeStanding]:
        """Return *purposes* with the latest no of either, whosever choice won."""
        return {
            name: _knowing(at, *both[name]) if name in both else at for name, at in purposes.items()
        }

    changed = {
        ref: replace(
            account,
            purposes=since({**account.purposes, **gained}),
            links=_with(account.links, other),
            whole=whole,
            device=devices[ref],
        ),
        other: replace(
            device,
            purposes=since({**device.purposes, **noes}),
            links=_with(device.links, ref),
            whole=whole,
            device=devices[other],
        ),
    }
    # What is a no of both now is one of everybody whom each of them reached before: whoever is
    # behind the other has heard it when it was said, and may have answered it since.
    for end, told in ((ref, _news(device, account)), (other, noes)):
        down = end == other and devices[other] and not devices[ref]
        for link, linked in reach(known, end, down=down).items():
            if link not in devices and told:
                hearer = changed.get(link, linked)  # of both ends, perhaps
                changed[link] = replace(
                    hearer,
                    purposes={**hearer.purposes, **_news(Standing(told), hearer)},
                    whole=hearer.whole and whole,
                )
    return changed


def _news(teller: Standing, hearer: Standing) -> dict[str, PurposeStanding]:
    """Return the noes of one that are none of the other yet, or firmer than theirs."""
    news = {}
    for name, at in teller.purposes.items():
        before = hearer.purposes.get(name)
        if at.ended and (before is None or firmness(at) > firmness(before)):
            refused_at = at.refused_at if before is None else _latest_no(at, before)
            news[name] = at._replace(refused_at=refused_at)
    return news


def _latest_no(one: PurposeStanding, other: PurposeStanding) -> str | None:
    noes = [one.refused_at, other.refused_at]
    if one.ended != other.ended:
        # As where both are of one subject: a yes from before the one that ends here is history.
        noes.append((other if one.ended else one).occurred_at)
    return max(filter(None, noes), default=None)


def _knowing(at: PurposeStanding, one: PurposeStanding, other: PurposeStanding) -> PurposeStanding:
    """Return *at* with what is known of the noes of both."""
    if one.ended and other.ended:
        less, more = sorted((one, other), key=lambda no: (firmness(no), no.occurred_at))
        return at._replace(refused_at=_latest_no(one, other), ask_after=waits(more, less))
    if at.ended:
        return at._replace(refused_at=_latest_no(one, other))
    firmest = max(one, other, key=lambda said: lasts(said.last_no or ""))
    return at._replace(refused_at=_latest_no(one, other), ended_no=firmest.last_no)


def _taken_over(
    device: PurposeStanding, account: PurposeStanding | None, now: str
) -> PurposeStanding:
    """Return where the account stands that hears what the device said."""
    if account is None:
        return device
    newer, older = device, account
    if (firmness(account), account.leaf_index) >= (firmness(device), device.leaf_index):
        newer, older = account, device
    if newer.ended or older.lapsed(now) or _is_superseded(older, newer):
        return newer
    return _of_both(newer, older)


def _is_superseded(older: PurposeStanding, newer: PurposeStanding) -> bool:
    """Whether a yes is to what a later version of its notice, asked about since, has changed."""
    if older.version is None or newer.version is None or older.notice_id != newer.notice_id:
        return False
    return older.version < newer.version and older.material_sha256 != newer.material_sha256


def _of_both(newer: PurposeStanding, older: PurposeStanding) -> PurposeStanding:
    """Return the newer of two yeses, for the vendors and the time that the older allows as well."""
    vendors = newer.vendors
    if older.vendors is not None:
        vendors = [
            vendor for vendor in older.vendors if newer.vendors is None or vendor in newer.vendors
        ]
    return newer._replace(
        # By their acts, not by the ledger: a yes from before either widens nothing.
        occurred_at=max(newer.occurred_at, older.occurred_at),
        vendors=vendors,
        valid_until=min(filter(None, (newer.valid_until, older.valid_until)), default=None),
        # Only who has overruled a signal by either id has overruled it by both.
        signal=newer.signal and older.signal,
    )


def _with(links: tuple[str, ...], ref: str) -> tuple[str, ...]:
    return links if ref in links else (*links, ref)
