"""A receipt as JSON-LD of ISO/IEC TS 27560, in the words of the Data Privacy Vocabulary 2.3.

Pure: nothing is fetched, for the context stands in the document.
Follows the guide of the vocabulary's authors (https://w3id.org/dpv/guides/consent-27560): a receipt
wraps records, one for each state, so that nobody reads a refused purpose as a given one. Its word
`ConsentTerminated` is not in the vocabulary: what others end for the subject is `ConsentRevoked`.
What the vocabulary has no word for (salt, signals, page) stays in the receipt.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from consent.choices.choice import (
    Actor,
    Basis,
    ConsentType,
    Decision,
    EventType,
    PurposeDecision,
    ShownNotice,
)
from consent.choices.event import Event
from consent.choices.notice import Notice, Purpose
from consent.choices.projection import is_proved
from consent.choices.record import Json, instant
from consent.choices.regime import Regime, law_of

CONTEXT: Mapping[str, str] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "loc": "https://w3id.org/dpv/loc#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
RECEIPT_SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#receipt"
RECORD_SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#record"

_DURATION = re.compile(
    r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?", re.ASCII
)

_Node = dict[str, Json]


class _State(NamedTuple):
    """What a purpose came to: a class of the vocabulary, and the property that says so."""

    said_by: str
    word: str


_WHATEVER_DECIDED = {
    EventType.REQUESTED: "ConsentRequested",
    EventType.DEFERRED: "ConsentRequestDeferred",
    EventType.WITHDRAWN: "ConsentWithdrawn",
    EventType.EXPIRED: "ConsentExpired",
    # Its validity ended with the notice that it rested on: temporal or contextual, says DPV.
    EventType.SUPERSEDED: "ConsentExpired",
    EventType.REVOKED: "ConsentRevoked",
    EventType.INVALIDATED: "ConsentInvalidated",
}
_CONSENT = {
    Decision.GIVEN: "ConsentGiven",
    Decision.REFUSED: "ConsentRefused",
    Decision.NOT_ASKED: "ConsentUnknown",
}
_INTEREST = {
    Decision.GIVEN: "LegitimateInterestNotObjected",
    Decision.REFUSED: "LegitimateInterestObjected",
    Decision.NOT_ASKED: "LegitimateInterestInformed",
}
_OPTED = {Decision.GIVEN: "OptingInToProcess", Decision.REFUSED: "OptingOutFromProcess"}
_VALID = frozenset({"ConsentGiven", "RenewedConsentGiven"})

_EXPRESSED = {
    ConsentType.EXPRESSED: "dpv:ExpressedConsent",
    ConsentType.EXPLICITLY_EXPRESSED: "dpv:ExplicitlyExpressedConsent",
}
_BASES = {Basis.CONSENT: "dpv:Consent", Basis.LEGITIMATE_INTEREST: "dpv:LegitimateInterest"}
_GDPR = {Basis.CONSENT: "eu-gdpr:A6-1-a", Basis.LEGITIMATE_INTEREST: "eu-gdpr:A6-1-f"}
_ACTORS = {
    Actor.DATA_SUBJECT: "dpv:DataSubject",
    Actor.GUARDIAN: "dpv:GuardianOfDataSubject",
    Actor.CONTROLLER: "dpv:DataController",
    Actor.AUTHORITY: "dpv:Authority",
    # The controller's own clock and jobs.
    Actor.SYSTEM: "dpv:DataController",
}


def jsonld(event: Mapping[str, Json], notice: Notice | None = None) -> dict[str, Json]:
    """Say what *event* proves as a `dpv:ConsentReceipt`.

    What 27560 makes compulsory of controller, personal data, recipients, storage and withdrawal
    is the *notice*'s to tell; without one those are left out. Raises `EventInvalid` where *event*
    is not of the schema `consent-event/1` or concerns no subject, and where *notice* is not the
    one that the event names by its digests.
    """
    read = Event.read(event)
    if notice is not None:
        read.check_notice(notice)
    decided = read.decisions
    if not is_proved(event):
        decided = tuple(_unproved(made) for made in decided)
    if not decided and notice is not None:
        decided = tuple(
            PurposeDecision(purpose.id, Decision.NOT_ASKED, purpose.basis)
            for purpose in notice.purposes
        )
    states: dict[_State | None, list[PurposeDecision]] = {}
    for made in decided:
        states.setdefault(_state(read.event_type, made), []).append(made)
    if not states:
        unasked = PurposeDecision("", Decision.NOT_ASKED, Basis.CONSENT)
        states[_state(read.event_type, unasked)] = []
    return {
        "@context": CONTEXT,
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": {"@id": RECEIPT_SCHEMA},
        "dct:created": _time(read.received_at),
        "dpv:hasIdentifier": read.record_id,
        "dpv:hasRecordOfActivity": [
            _record(read, notice, state, made, alone=len(states) == 1)
            for state, made in states.items()
        ],
    }


def _unproved(made: PurposeDecision) -> PurposeDecision:
    """Leave open what another tool claims without showing it: standing counts no such yes."""
    if made.decision is not Decision.GIVEN:
        return made
    return made._replace(decision=Decision.NOT_ASKED)


def _state(event_type: EventType, made: PurposeDecision) -> _State | None:
    """Name the state of a purpose; None where its basis leaves the subject nothing to say."""
    if made.basis is Basis.LEGITIMATE_INTEREST:
        return _State("dpv:hasStatus", _INTEREST[made.decision])
    if made.basis is Basis.OPT_OUT:
        word = _OPTED.get(made.decision)
        return None if word is None else _State("dpv:hasEntityInvolvement", word)
    if made.basis is not Basis.CONSENT:
        return None
    word = _WHATEVER_DECIDED.get(event_type, _CONSENT[made.decision])
    if event_type is EventType.RENEWED and made.decision is Decision.GIVEN:
        word = "RenewedConsentGiven"
    return _State("dpv:hasConsentStatus", word)


def _record(
    event: Event,
    notice: Notice | None,
    state: _State | None,
    decided: Sequence[PurposeDecision],
    *,
    alone: bool,
) -> _Node:
    """Write the purposes of one state; more than one record of an event are told apart by it."""
    mark = "" if alone else f"#{'NoState' if state is None else state.word}"
    told = {} if notice is None else {purpose.id: purpose for purpose in notice.purposes}
    language = "" if notice is None else notice.language
    record: _Node = {
        "@id": f"urn:uuid:{event.record_id}{mark}",
        "@type": "dpv:ConsentRecord",
        "dct:identifier": f"{event.record_id}{mark}",
        "dct:conformsTo": {"@id": RECORD_SCHEMA},
        "dct:created": _time(event.received_at),
        "dpv:hasDataSubject": {"@type": "dpv:DataSubject", "dct:identifier": event.subject_ref},
    }
    if event.jurisdiction is not None:
        record["dpv:hasJurisdiction"] = {"@id": f"loc:{event.jurisdiction}"}
    if event.notice is not None:
        record["dpv:hasNotice"] = _shown(event.notice, event.event_type)
    if notice is not None:
        record |= _controller(notice)
    if decided:
        record["dpv:hasProcess"] = [
            _process(event, made, told.get(made.purpose_id), language) for made in decided
        ]
    if state is not None:
        record[state.said_by] = _status(event, state)
    return record


def _status(event: Event, state: _State) -> _Node:
    valid = state.word in _VALID
    words: list[Json] = [f"dpv:{state.word}"]
    if valid and event.consent_type is not None:
        words.append(_EXPRESSED[event.consent_type])
    status: _Node = {
        "@type": words,
        "dpv:isIndicatedAtTime": _time(event.occurred_at or event.received_at),
        "dpv:isIndicatedBy": {"@id": _ACTORS[event.by]},
        "dpv:hasIndicationMethod": f"{event.method} ({event.origin})",
    }
    if valid:
        # Not `dct:valid`: of a record that is about the document, says the guide.
        status["dpv:hasDuration"] = (
            {"@type": "dpv:UntilEventDuration", "rdf:value": "withdrawal"}
            if event.valid_until is None
            else {"@type": "dpv:UntilTimeDuration", "rdf:value": _time(event.valid_until)}
        )
    return status


def _shown(shown: ShownNotice, event_type: EventType) -> _Node:
    """Write a notice as its event names it: its address is the digest of what was shown."""
    written: _Node = {
        "@id": _ni(shown.text_sha256),
        "@type": "dpv:ConsentNotice",
        "dct:identifier": shown.notice_id,
        "dct:language": shown.language,
        "owl:versionInfo": str(shown.version),
    }
    if shown.layer is not None:
        layer: _Node = {"@type": "dpv:NoticeLayer", "dct:identifier": str(shown.layer)}
        written["dpv:hasNoticeLayer"] = layer
    if shown.ui_sha256 is not None:
        written["dct:hasFormat"] = {"@id": _ni(shown.ui_sha256)}
    if event_type is EventType.ACKNOWLEDGED:
        written["dpv:hasNoticeStatus"] = {"@id": "dpv:NoticeUsed"}
    return written


def _controller(notice: Notice) -> _Node:
    told = notice.controller
    named = {
        "dpv:hasName": told.name,
        "dpv:hasIdentifier": told.id,
        "dpv:hasAddress": told.address,
        "dpv:hasContact": told.contact,
    }
    known: _Node = {
        "dpv:hasDataController": {
            "@type": "dpv:DataController",
            **{name: text for name, text in named.items() if text is not None},
        }
    }
    if notice.withdrawal_uri is not None:
        known["dpv:hasConsentControl"] = {
            "@type": "dpv:WithdrawConsent",
            # A literal, for a publisher's text need not be an address that can be resolved.
            "dpv:isExercisedAt": {"@type": "xsd:anyURI", "@value": notice.withdrawal_uri},
        }
    return known


def _process(event: Event, made: PurposeDecision, purpose: Purpose | None, language: str) -> _Node:
    named: _Node = {"@type": "dpv:Purpose", "dct:identifier": made.purpose_id}
    process: _Node = {"@type": "dpv:Process", "dpv:hasPurpose": named}
    bases = _legal_bases(event, made)
    if bases:
        process["dpv:hasLegalBasis"] = [{"@id": basis} for basis in bases]
    if made.basis is Basis.STRICTLY_NECESSARY:
        process["dpv:hasNecessity"] = {"@id": "dpv:Required"}
    if made.vendor_ids:
        # The decision goes no further than these, whomever the notice names besides.
        process["dpv:hasRecipient"] = [
            {"@type": "dpv:Recipient", "dct:identifier": vendor} for vendor in made.vendor_ids
        ]
    if purpose is None:
        return process
    named["dct:title"] = {"@language": language, "@value": purpose.name}
    named["dct:description"] = {"@language": language, "@value": purpose.description}
    recipients = [*purpose.recipients, *(told.provider or "" for told in purpose.trackers)]
    several: dict[str, list[Json]] = {
        "dpv:hasPersonalData": [
            {"@type": "dpv:PersonalData", "dct:title": name} for name in purpose.data_categories
        ],
        "dpv:hasRecipient": [
            {"@type": "dpv:Recipient", "dpv:hasName": name}
            for name in dict.fromkeys(recipients)
            if name
        ],
        "dpv:hasStorageCondition": list(_storage(purpose)),
        "dpv:hasProcessing": [
            {"@type": "dpv:Transfer", "dct:description": told} for told in purpose.transfers
        ],
    }
    return process | {
        name: nodes for name, nodes in several.items() if nodes and name not in process
    }


def _legal_bases(event: Event, made: PurposeDecision) -> list[str]:
    basis = _BASES.get(made.basis)
    if basis is None:
        return []
    if made.basis is Basis.CONSENT and made.decision is Decision.GIVEN and event.consent_type:
        basis = _EXPRESSED[event.consent_type]
    law = law_of(event.jurisdiction, on=event.received_at.date())
    under_gdpr = law is not None and law.regime is Regime.EU_OPTIN
    return [basis, _GDPR[made.basis]] if under_gdpr else [basis]


def _storage(purpose: Purpose) -> Iterable[_Node]:
    """Write where and how long data is kept, and how long trackers live.

    CJEU C-673/17 (Planet49) wants both durations told.
    """
    if purpose.storage_locations:
        yield {
            "@type": "dpv:StorageLocation",
            "dpv:hasLocation": [
                {"@type": "dpv:Location", "dct:title": name} for name in purpose.storage_locations
            ],
        }
    if purpose.retention is not None:
        yield {"@type": "dpv:StorageDuration", "dpv:hasDuration": _duration(purpose.retention)}
    for tracker in purpose.trackers:
        condition: _Node = {"@type": "dpv:StorageDuration", "dct:title": tracker.name}
        if tracker.duration is not None:
            condition["dpv:hasDuration"] = _duration(tracker.duration)
        yield condition


def _duration(text: str) -> _Node:
    if not _DURATION.fullmatch(text):
        return {"@type": "dpv:Duration", "rdf:value": text}
    return {
        "@type": "dpv:TemporalDuration",
        # XML Schema's durations know no weeks.
        "rdf:value": text if "W" in text else {"@type": "xsd:duration", "@value": text},
    }


def _time(moment: datetime) -> _Node:
    return {"@type": "xsd:dateTime", "@value": instant(moment)}


def _ni(digest: str) -> str:
    """Address what has this SHA-256 *digest*: RFC 6920."""
    return "ni:///sha-256;" + urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip("=")
