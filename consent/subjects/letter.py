"""What is held about a person, in words that the person can read.

Pure. Every member of every event is told: what has no sentence of its own stands in a list.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from consent.choices.notice import Notice
from consent.choices.projection import PurposeStanding
from consent.choices.suppression import NO_RECORD
from consent.records.exhibit import Exhibit
from consent.subjects.access import Account, Held

TITLES = {
    "requested": "You were asked",
    "deferred": "You closed the question without an answer",
    "given": "You agreed",
    "refused": "You refused",
    "withdrawn": "You withdrew your agreement",
    "renewed": "You renewed your agreement",
    "revoked": "Your agreement was ended by the controller or an authority",
    "invalidated": "Your agreement was declared invalid",
    "opted_out": "You opted out",
    "opted_in": "You opted in",
    "objected": "You objected",
    "acknowledged": "You were told",
    "linked": "Two of your identifiers were joined",
    "imported": "A choice was brought along from another system",
}
DECISIONS = {"given": "yes", "refused": "no", "not_asked": "not asked"}
WORDS = {
    "occurred_at": "Happened",
    "valid_until": "Valid until",
    "reprompt_not_before": "Not asked again before",
    "jurisdiction": "Place",
    "regime": "Law",
    "regime_source": "Law found by",
    "method": "By",
    "origin": "Where",
    "by": "Done by",
    "consent_type": "How plainly",
    "assurance": "How sure we were that it was you",
    "subject_kind": "Known by",
    "served_id": "Answer to",
    "served_at": "Shown",
    "evidence": "Evidence (SHA-256)",
    "schema": "Form of the record",
}
"""What members of an event are called."""

_TOLD_ELSEWHERE = frozenset(
    {"site_id", "record_id", "subject_ref", "event_type", "received_at", "decisions"}
)


def write(held: Held) -> str:
    """Write everything that is held, as Markdown that reads as plain text too."""
    return "\n".join(_lines(held)).strip() + "\n"


def _lines(held: Held) -> Iterator[str]:
    yield "# What is held about your choices"
    yield ""
    yield f"By the site {held.site_id}, as of {held.as_of}. All times are UTC."
    yield "Your identifiers themselves are not stored; a pseudonym stands for each."
    for account in held.accounts:
        yield from _account(account)


def _account(account: Account) -> Iterator[str]:
    names = _names(account.exhibits)
    yield ""
    yield f"## Under the pseudonym {account.subject_ref}"
    yield ""
    if account.restricted_until is not None:
        yield (
            f"Processing is restricted: what follows is kept as evidence until "
            f"{account.restricted_until}, and used for nothing else."
        )
        yield ""
    yield from _standing(account, names)
    for number, exhibit in enumerate(account.exhibits, 1):
        yield ""
        yield from _exhibit(number, exhibit, account.keys.get(exhibit.record.record_id))


def _standing(account: Account, names: Mapping[str, str]) -> Iterator[str]:
    standing = account.standing
    if not standing.purposes:
        yield "Nothing has been decided."
    for purpose, at in sorted(standing.purposes.items()):
        yield f"- {_named(purpose, names)}: {_state(at)}"
    for notice_id, asked in sorted(standing.asked.items()):
        yield f"- last asked with the notice {notice_id}, version {asked.version}"
    for link in standing.links:
        yield f"- joined with the pseudonym {link}"
    if any(at.record_id == NO_RECORD for at in standing.purposes.values()):
        yield ""
        yield (
            "A no without a record is all that is left of what was erased: "
            "it is remembered so that you are not asked again."
        )


def _state(at: PurposeStanding) -> str:
    text = f"{at.state.replace('_', ' ')} since {at.occurred_at}"
    if at.valid_until is not None:
        text += f", valid until {at.valid_until}"
    if at.ask_after is not None:
        text += f", not asked again before {at.ask_after}"
    if at.vendors is not None:
        text += f", for {', '.join(map(_line, at.vendors))} alone"
    if at.signal:
        text += ", with Global Privacy Control on"
    return text if at.record_id == NO_RECORD else f"{text} (record {at.record_id})"


def _exhibit(number: int, exhibit: Exhibit, key: str | None) -> Iterator[str]:
    event: dict[str, Any] = orjson.loads(exhibit.opened.event)
    notice = None if exhibit.notice is None else exhibit.notice.notice
    names = _names([exhibit])
    kind = event["event_type"]
    yield f"### {number}. {TITLES.get(kind, kind)}, {event['received_at']}"
    yield ""
    record = exhibit.record
    yield f"Record {record.record_id}, entry {record.leaf_index} of log {record.epoch}."
    if notice is not None:
        yield ""
        yield from _notice(notice)
    yield ""
    for made in event.get("decisions", ()):
        rest = {name: value for name, value in made.items() if name != "purpose_id"}
        decided = DECISIONS.get(rest.pop("decision"), made["decision"])
        yield f"- {_named(made['purpose_id'], names)}: {decided}{_aside(rest)}"
    for name, value in event.items():
        if name not in _TOLD_ELSEWHERE:
            yield from _member(name, value)
    if key is not None:
        yield f"- Key of the request: {_line(key)}"


def _notice(notice: Notice) -> Iterator[str]:
    yield f"{_line(notice.controller.name)} showed you:"
    yield ""
    for line in notice.text.splitlines():
        yield f"> {_line(line)}"
    yield ">"
    for purpose in notice.purposes:
        yield f"> - {_line(purpose.name)}: {_line(purpose.description)}"


def _member(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, dict):
        for inner, content in value.items():
            yield from _member(f"{name}.{inner}", content)
    else:
        yield f"- {WORDS.get(name, name)}: {_text(value)}"


def _aside(rest: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {_text(value)}" for name, value in rest.items())
    return f" ({told})" if told else ""


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return _line(str(value))


def _names(exhibits: Iterable[Exhibit]) -> dict[str, str]:
    """Return what purposes were called, the newest name of each."""
    return {
        purpose.id: purpose.name
        for exhibit in exhibits
        if exhibit.notice is not None
        for purpose in exhibit.notice.notice.purposes
    }


def _named(purpose: str, names: Mapping[str, str]) -> str:
    return f"{_line(names[purpose])} ({purpose})" if purpose in names else purpose


def _line(text: str) -> str:
    """Keep *text* on its line, and what does not print out of it."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return text.strip()
