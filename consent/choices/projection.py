"""Where a subject stands after their events: one fold, replayed at will.

Pure. The ledger's index orders history; only a `given` that did not happen after a recorded
refusal or withdrawal does not undo it, nor one from before a newer `given` that one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from consent.choices.choice import ENDING, Decision, EventType, Method

_NOES = ENDING - {EventType.REFUSED}
"""Types that name the no they bring about; every other no is a refusal."""

_LASTING = (EventType.OPTED_OUT, EventType.REVOKED, EventType.OBJECTED)
"""Noes that are asked about later than others, or never; a lesser no on top takes nothing back."""

_FINAL = frozenset({EventType.OBJECTED, EventType.REVOKED})
"""Noes that nobody asks about again; the subject may still decide otherwise by themselves."""

_SIGNAL_OPTS_OUT = "us_optout"
"""The regime whose law makes a signal an opt-out; `consent.choices.regime` knows the others."""

_CUSTOM = "custom"
"""The regime whose settings an event does not hold."""

FOREVER = "9999-12-31T23:59:59Z"
"""After every instant."""

UNWHOLE = '"w":false'
"""What stands in the JSON of a standing, and only there, whose events are not all there."""


class Asked(NamedTuple):
    """The newest request for a notice: which version, in which record, at which index."""

    version: int
    record_id: str
    leaf_index: int
    since: str = ""
    """From when the question stands open, however often it was put; empty where it is not known."""


class PurposeStanding(NamedTuple):
    """What was last decided about a purpose, by which record, with which notice in view."""

    state: str
    record_id: str
    leaf_index: int
    occurred_at: str
    notice_id: str | None = None
    version: int | None = None
    material_sha256: str | None = None
    valid_until: str | None = None
    refused_at: str | None = None
    """When the latest no happened that is known of, whatever followed it, or a newer yes that a
    late no has ended: a yes from then or from before it changes nothing."""

    ask_after: str | None = None
    """Before when the subject may not be asked again, where the event said so."""

    signal: bool = False
    """Whether Global Privacy Control was on, or was the reason."""

    vendors: Sequence[str] | None = None
    """The only vendors that a yes is about; None where it is about all."""

    ended_no: str | None = None
    """The name of the no that a yes has ended, where that is one that lasts: without this yes it
    stands again, also where no record tells of it any more."""

    @property
    def ended(self) -> bool:
        """Whether this is a no."""
        return self.state != EventType.GIVEN

    @property
    def final(self) -> bool:
        """Whether it is a no that nobody asks about again."""
        return self.state in _FINAL

    @property
    def lasting(self) -> bool:
        """Whether it is a no that no new substance of the notice cuts short."""
        return self.state in _LASTING

    @property
    def last_no(self) -> str | None:
        """The name of the last no, where that is one that lasts: this one, or the one it ended."""
        return (self.state if self.lasting else None) if self.ended else self.ended_no

    @property
    def nobody(self) -> bool:
        """Whether it is a yes that a link has left no vendor."""
        return self.vendors is not None and not self.vendors

    def lapsed(self, now: str) -> bool:
        """Whether it was valid only until before *now*."""
        return self.valid_until is not None and now >= self.valid_until


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that is known of one subject: by purpose, and by notice what was asked."""

    purposes: Mapping[str, PurposeStanding] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    """Pseudonyms of the same person: an account's devices, a device's accounts."""

    whole: bool = True
    """Whether every event that led here is still there: what was erased cannot be replayed."""

    device: bool = False
    """Whether this is a linked device: several people may sit at one."""

    def to_json(self) -> str:
        """Write it for its row: short names, since every event rewrites it."""
        content: dict[str, Any] = {
            "p": {name: list(at) for name, at in self.purposes.items()},
            "a": {
                # What was written without the last member is written without it again.
                name: list(at if at.since else at[:-1])
                for name, at in self.asked.items()
            },
        }
        if self.links:
            content["l"] = self.links
        if not self.whole:
            content["w"] = False
        if self.device:
            content["d"] = True
        return orjson.dumps(content).decode()

    @classmethod
    def from_json(cls, text: str) -> "Standing":
        """Read what `to_json` wrote."""
        content = orjson.loads(text)
        return cls(
            {name: PurposeStanding(*at) for name, at in content["p"].items()},
            {name: Asked(*at) for name, at in content["a"].items()},
            tuple(content.get("l", ())),
            content.get("w", True),
            content.get("d", False),
        )


def apply(standing: Standing, event: Mapping[str, Any], leaf_index: int) -> Standing:
    """Return where the subject stands after *event* at *leaf_index*; *standing* stays as it is.

    Links are for `consent.choices.linking`: here an event concerns its own subject.
    """
    notice: Mapping[str, Any] = event.get("notice") or {}
    kind = event["event_type"]
    if kind == EventType.REQUESTED:
        since = _open_since(standing, event)
        asked = Asked(notice["version"], event["record_id"], leaf_index, since)
        # Not by `replace`: this runs for every event.
        everything = {**standing.asked, notice["notice_id"]: asked}
        return Standing(
            standing.purposes, everything, standing.links, standing.whole, standing.device
        )
    if not event.get("decisions"):
        return standing
    occurred = event.get("occurred_at")
    # A client's clock may be ahead: nothing later is measured against the future.
    happened = min(occurred or event["received_at"], event["received_at"])
    signals: Mapping[str, Any] = event.get("signals") or {}
    signal = bool(signals.get("sec_gpc") or signals.get("gpc_js"))
    purposes = dict(standing.purposes)
    for made in event["decisions"]:
        state = _state(event, made["decision"])
        if state is None:
            continue
        before = purposes.get(made["purpose_id"])
        if before is not None and _overruled(event, made["decision"], happened, before):
            continue
        refused_at = None if before is None else before.refused_at
        if state != EventType.GIVEN:
            # By its own clock, even one ahead: what that has as earlier was said before the no.
            refused_at = _no_at(occurred or happened, before)
        elif refused_at is not None and occurred is not None and occurred <= refused_at:
            # Instants are cut to seconds: of two choices in one the no counts.
            continue
        now = PurposeStanding(
            state,
            event["record_id"],
            leaf_index,
            happened,
            notice.get("notice_id"),
            notice.get("version"),
            notice.get("material_sha256"),
            event.get("valid_until"),
            refused_at,
            event.get("reprompt_not_before"),
            signal,
            made.get("vendor_ids") if state == EventType.GIVEN else None,
            None if before is None or state != EventType.GIVEN else before.last_no,
        )
        if now.ended and before is not None and before.ended:
            now = _beside(now, before)
        purposes[made["purpose_id"]] = now
    return Standing(purposes, standing.asked, standing.links, standing.whole, standing.device)


def _open_since(standing: Standing, event: Mapping[str, Any]) -> str:
    """Return from when the question stands open that *event* puts, or puts again.

    It is a new one for another version, and after a no or the end of what was given.
    """
    notice, received = event["notice"], event["received_at"]
    happened: str = min(event.get("occurred_at") or received, received)
    before = standing.asked.get(notice["notice_id"])
    if before is None or before.version != notice["version"]:
        return happened
    for at in standing.purposes.values():
        if at.leaf_index > before.leaf_index and (at.ended or at.lapsed(happened)):
            return happened
    return min(before.since, happened)


def lasts(state: str) -> int:
    """Say how long a state keeps anybody from asking: the more, the longer."""
    return _LASTING.index(EventType(state)) if state in _LASTING else -1


def firmness(at: PurposeStanding) -> tuple[bool, int]:
    """Say how restrictive a choice is: a no more than a yes, the longer it lasts the more."""
    return at.ended, lasts(at.state)


def _no_at(said_at: str, before: PurposeStanding | None) -> str:
    """Return until when a yes is history, now that a no from *said_at* is told."""
    if before is None:
        return said_at
    # Late, it ends a newer yes: one from before that is no newer for it.
    ended = "" if before.ended else before.occurred_at
    return max(said_at, before.refused_at or "", ended)


def _beside(no: PurposeStanding, before: PurposeStanding) -> PurposeStanding:
    """Return a no that comes on top of another: it takes nothing of that one back.

    Late, from before it, it brings no earlier question with it either. Of two noes the firmer says
    when to ask again, of two alike the newer.
    """
    late = no.occurred_at < before.occurred_at
    if late:
        no = no._replace(
            notice_id=before.notice_id,
            version=before.version,
            material_sha256=before.material_sha256,
        )
    firmer = lasts(before.state) - lasts(no.state)
    if firmer > 0 or (late and firmer == 0):
        no = no._replace(ask_after=waits(before, no))
    elif late:
        no = no._replace(ask_after=waits(no, before))
    return no._replace(state=before.state) if firmer > 0 else no


def waits(counts: PurposeStanding, other: PurposeStanding) -> str | None:
    """Return before when nobody asks about two noes: the one that counts more is asked no sooner.

    None is as the site has set it, and no instant of the other is held against that.
    """
    if counts.ask_after is None or other.ask_after is None:
        return counts.ask_after
    return max(counts.ask_after, other.ask_after)


def _older(event: Mapping[str, Any], before: PurposeStanding) -> bool:
    """Whether a yes that says when it happened came late, from before one that stands."""
    occurred = event.get("occurred_at")
    return occurred is not None and occurred < before.occurred_at


def _overruled(
    event: Mapping[str, Any], decision: str, happened: str, before: PurposeStanding
) -> bool:
    """Whether what the subject has said by themselves counts more than this event.

    An import counts only where nothing newer is known. A yes from before another would widen it, to
    more vendors or for longer. A yes that still stands outlives a signal that no law makes an
    opt-out, whatever the event calls it, and one that was on when it was said.
    """
    if event["event_type"] == EventType.IMPORTED:
        # Of two choices at one instant the no counts, in whatever order an export has them.
        return happened < before.occurred_at or (
            happened == before.occurred_at and before.ended and decision == Decision.GIVEN
        )
    if before.ended:
        return False
    if decision == Decision.GIVEN:
        return _older(event, before)
    if event.get("method") != Method.GPC or before.lapsed(happened):
        return False
    return before.signal or not _opts_out(event)


def _opts_out(event: Mapping[str, Any]) -> bool:
    """Whether the law makes the signal that brought *event* about an opt-out."""
    regime = event.get("regime")
    if regime == _CUSTOM:
        return bool(event["event_type"] == EventType.OPTED_OUT)
    return bool(regime == _SIGNAL_OPTS_OUT)


def _state(event: Mapping[str, Any], decision: str) -> str | None:
    kind = event["event_type"]
    if decision == Decision.NOT_ASKED:
        return None
    if decision == Decision.GIVEN:
        return EventType.GIVEN.value if is_proved(event) else None
    if event.get("method") == Method.GPC and kind not in _LASTING and _opts_out(event):
        # Whatever the event calls it: or a banner would ask again before the law lets it.
        return EventType.OPTED_OUT.value
    return kind if kind in _NOES else EventType.REFUSED.value


def is_proved(event: Mapping[str, Any]) -> bool:
    """Whether a yes of *event* counts: what another tool claims needs its evidence and notice."""
    if event["event_type"] != EventType.IMPORTED:
        return True
    return event.get("evidence") is not None and event.get("notice") is not None
