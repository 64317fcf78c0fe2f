"""Where a subject stands after their events: one fold, replayed at will.

Pure. The ledger's index orders history; only a `given` that happened before a recorded refusal
or withdrawal does not undo it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from consent.choice import Decision, EventType


class Asked(NamedTuple):
    """The newest request for a notice: which version, in which record, at which index."""

    version: int
    record_id: str
    leaf_index: int


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
    """When the latest no happened that is known of, whatever followed it."""

    @property
    def ended(self) -> bool:
        """Whether this is a no."""
        return self.state != EventType.GIVEN


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that is known of one subject: by purpose, and by notice what was asked."""

    purposes: Mapping[str, PurposeStanding] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write it for its row: short names, since every event rewrites it."""
        return orjson.dumps(
            {
                "p": {
                    name: [
                        at.state,
                        at.record_id,
                        at.leaf_index,
                        at.occurred_at,
                        at.notice_id,
                        at.version,
                        at.material_sha256,
                        at.valid_until,
                        at.refused_at,
                    ]
                    for name, at in self.purposes.items()
                },
                "a": {
                    name: [at.version, at.record_id, at.leaf_index]
                    for name, at in self.asked.items()
                },
            }
        ).decode()

    @classmethod
    def from_json(cls, text: str) -> "Standing":
        """Read what `to_json` wrote."""
        content = orjson.loads(text)
        return cls(
            {name: PurposeStanding(*at) for name, at in content["p"].items()},
            {name: Asked(*at) for name, at in content["a"].items()},
        )


def apply(standing: Standing, event: Mapping[str, Any], leaf_index: int) -> Standing:
    """Return where the subject stands after *event* at *leaf_index*; *standing* stays as it is."""
    notice: Mapping[str, Any] = event.get("notice") or {}
    kind = event["event_type"]
    if kind == EventType.REQUESTED:
        asked = Asked(notice["version"], event["record_id"], leaf_index)
        return Standing(standing.purposes, {**standing.asked, notice["notice_id"]: asked})
    occurred = event.get("occurred_at")
    happened = occurred or event["received_at"]
    purposes = dict(standing.purposes)
    for made in event["decisions"]:
        state = _state(kind, made["decision"])
        if state is None:
            continue
        before = purposes.get(made["purpose_id"])
        refused_at = None if before is None else before.refused_at
        if state != EventType.GIVEN:
            # A client's clock may be ahead: no later consent is measured against the future.
            refused_at = max(min(happened, event["received_at"]), refused_at or "")
        elif refused_at is not None and occurred is not None and occurred < refused_at:
            continue
        purposes[made["purpose_id"]] = PurposeStanding(
            state,
            event["record_id"],
            leaf_index,
            happened,
            notice.get("notice_id"),
            notice.get("version"),
            notice.get("material_sha256"),
            event.get("valid_until"),
            refused_at,
        )
    return Standing(purposes, standing.asked)


def _state(kind: str, decision: str) -> str | None:
    if decision == Decision.NOT_ASKED:
        return None
    if decision == Decision.GIVEN:
        return EventType.GIVEN.value
    return kind if kind == EventType.WITHDRAWN else EventType.REFUSED.value
