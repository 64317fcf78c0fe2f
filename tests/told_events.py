"""Events as a fold over them sees them, told in short."""

from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]


def event(kind: str, at: int, *, record: int = 0, occurred: bool = True, **purposes: str) -> Event:
    """Return an event at a second of one minute; *purposes* are decisions by id."""
    instant = f"2026-01-01T00:00:{at:02}Z"
    made: Event = {
        "event_type": kind,
        "record_id": f"r-{record}",
        "received_at": instant,
        "notice": {"notice_id": "main", "version": 1, "material_sha256": "m-1"},
        "decisions": [
            {"purpose_id": purpose, "decision": decision} for purpose, decision in purposes.items()
        ],
    }
    if occurred:
        made |= {"occurred_at": instant, "received_at": "2026-01-01T00:01:00Z"}
    return made


def signalled(kind: str, at: int) -> Event:
    """Return an event about ads that a Global Privacy Control signal brought about."""
    return event(kind, at, ads="refused") | {"method": "gpc", "signals": {"sec_gpc": True}}


def yes(at: int, vendors: list[str] | None = None, until: int | None = None) -> Event:
    """Return a yes to ads, to some vendors and for some seconds where that is said."""
    made = event("given", at, record=at, ads="given")
    if vendors is not None:
        made["decisions"][0]["vendor_ids"] = vendors
    return made | ({} if until is None else {"valid_until": f"2026-01-02T00:00:{until:02}Z"})


PURPOSES = ("ads", "statistics")
decisions = st.dictionaries(
    st.sampled_from(PURPOSES), st.sampled_from(["given", "refused", "not_asked"]), max_size=2
)
events = st.lists(
    st.builds(
        lambda kind, at, occurred, made: event(kind, at, occurred=occurred, **made),
        st.sampled_from(["requested", "given", "refused", "withdrawn"]),
        st.integers(0, 59),
        st.booleans(),
        decisions,
    ),
    max_size=12,
).map(lambda made: [one | {"record_id": f"r-{at}"} for at, one in enumerate(made)])
