"""Receipts in the words of the Data Privacy Vocabulary; `dpv_words.json` copies the words.

Each list there names the file of the vocabulary, at its commit, in which every word of it stands.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyld import jsonld as pyld

from consent.choices.choice import SUBJECTLESS, Actor, Basis, Decision, EventType
from consent.choices.notice import Controller, Notice, Purpose, Tracker
from consent.errors import EventInvalid
from consent.proofs.dpv import CONTEXT, jsonld

VECTORS = Path(__file__).parents[2] / "vectors"
WORDS = json.loads(Path(__file__).with_name("dpv_words.json").read_text("utf-8"))
EVENTS = {
    vector["event"]["event_type"]: vector["event"]
    for vector in json.loads((VECTORS / "event.json").read_text("utf-8"))
}
SUBJECTS = [kind for kind in EventType if kind not in SUBJECTLESS]

COUNT = Purpose(
    id="statistics",
    name="Statistics",
    description="Counts visits.",
    basis=Basis.CONSENT,
    data_categories=("pages", "device"),
    recipients=("Count Ltd",),
    retention="P13M",
    storage_locations=("Vienna", "Graz"),
    transfers=("US: adequacy decision",),
    trackers=(
        Tracker("_c", "Count Ltd", "P2W"),
        Tracker("_d", "Other Ltd", "until the window closes"),
        Tracker("_e"),
    ),
)
NOTICE = Notice(
    "main",
    "en",
    "May we?",
    Controller("Shop GmbH", "FN 1", "Gasse 1, Wien", "dpo@shop.example"),
    (
        COUNT,
        Purpose("news", "News", "Writes letters.", Basis.LEGITIMATE_INTEREST),
        Purpose("ads", "Ads", "Shows ads.", Basis.OPT_OUT),
        Purpose("basket", "Basket", "Keeps the basket.", Basis.STRICTLY_NECESSARY),
    ),
    "https://shop.example/consent",
)
SHOWN = {
    "notice_id": "main",
    "version": 3,
    "language": "en",
    "text_sha256": NOTICE.text_sha256(),
    "material_sha256": NOTICE.material_sha256(),
}
ROWS = f"rows-sha256:{'e' * 64}"


def event(event_type: EventType = EventType.GIVEN, **members: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """Take the event `given` of the vectors with other members; None takes a member away."""
    made = EVENTS["given"] | {"notice": SHOWN, "event_type": event_type.value} | members
    return {name: member for name, member in made.items() if member is not None}


def decisions(made: Mapping[str, Decision]) -> list[dict[str, str]]:
    """Write decisions about purposes of the notice as an event holds them."""
    bases = {purpose.id: purpose.basis for purpose in NOTICE.purposes}
    return [
        {"purpose_id": purpose, "decision": decision.value, "basis": bases[purpose].value}
        for purpose, decision in made.items()
    ]


def everywhere(decision: Decision) -> list[dict[str, str]]:
    """Decide the same about every purpose of the notice."""
    return decisions({purpose.id: decision for purpose in NOTICE.purposes})


def states(document: Mapping[str, Any]) -> dict[str, str | None]:
    """Say for each purpose of a receipt in which state its record has it."""
    found: dict[str, str | None] = {}
    for record in document["dpv:hasRecordOfActivity"]:
        said = [
            record[name]["@type"][0].removeprefix("dpv:")
            for name in ("dpv:hasConsentStatus", "dpv:hasStatus", "dpv:hasEntityInvolvement")
            if name in record
        ]
        assert len(said) <= 1
        for process in record.get("dpv:hasProcess", []):
            purpose = process["dpv:hasPurpose"]["dct:identifier"]
            assert purpose not in found
            found[purpose] = said[0] if said else None
    return found


def only(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one record of a receipt."""
    (record,) = document["dpv:hasRecordOfActivity"]
    return record


def refuse(url: str, _options: Mapping[str, Any]) -> NoReturn:
    """Load no document."""
    raise AssertionError(f"expected nothing to be fetched, got {url}")


def expand(document: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- JSON
    """Expand *document* as JSON by the JSON-LD algorithm, without a network."""
    return pyld.expand(json.loads(json.dumps(document)), {"documentLoader": refuse})


def words(expanded: object) -> Iterator[tuple[str, str]]:
    """Walk what an expanded document names: properties, and classes and all other things."""
    if isinstance(expanded, list):
        for item in expanded:
            yield from words(item)
    elif isinstance(expanded, dict):
        for name, member in expanded.items():
            if name in {"@type", "@id"}:
                for word in member if isinstance(member, list) else [member]:
                    yield "classes", word
            elif not name.startswith("@"):
                yield "properties", name
                yield from words(member)


EVERY = [
    *(jsonld(event(kind)) for kind in SUBJECTS),
    *(jsonld(event(by=actor.value)) for actor in Actor),
    *(jsonld(event(decisions=everywhere(decision)), NOTICE) for decision in Decision),
    *(jsonld(event(kind, decisions=[], consent_type=None), NOTICE) for kind in SUBJECTS),
    jsonld(event(consent_type="expressed", jurisdiction="BE", valid_until="2027-01-01T00:00:00Z")),
    jsonld(event(consent_type="explicitly_expressed", valid_until=None)),
    jsonld(event(notice=SHOWN | {"layer": 2, "ui_sha256": "f" * 64})),
    jsonld(event(EventType.IMPORTED, evidence=ROWS, consent_type=None)),
    *(jsonld(EVENTS[kind]) for kind in ("requested", "given", "opted_out", "withdrawn")),
]


def test_every_word_is_of_the_vocabulary() -> None:
    """Whatever is emitted expands, unfetched, to words of DPV 2.3 and the like; none lies idle."""
    listed = {
        (kind, known["namespace"] + word)
        for known in WORDS
        for kind in ("classes", "properties")
        for word in known[kind]
    }
    named = {word for document in EVERY for word in words(expand(document))}
    foreign = ("urn:uuid:", "ni:///sha-256;", "https://w3id.org/dpv/schema/dpv-27560#")

    assert {word for word in named if not word[1].startswith(foreign)} == listed
    assert {known["namespace"] for known in WORDS} == set(CONTEXT.values())
    # The guide to 27560 says so; the vocabulary does not have it.
    assert not any(word.endswith("#ConsentTerminated") for _, word in listed)


@pytest.mark.parametrize("document", EVERY)
def test_nothing_is_lost_in_expansion(document: dict[str, Any]) -> None:
    """No member is dropped as unknown, and the statements come back out of RDF."""
    compacted = pyld.compact(expand(document), dict(CONTEXT), {"documentLoader": refuse})

    def members(node: object) -> int:
        if isinstance(node, list):
            return sum(map(members, node))
        if not isinstance(node, dict):
            return 1
        return sum(members(member) for name, member in node.items() if name != "@context")

    assert members(compacted) == members(document)
    assert pyld.to_rdf(json.loads(json.dumps(document)), {"documentLoader": refuse})["@default"]


def test_mixed_answer_makes_a_record_for_each_state() -> None:
    """The vectors' `given`, with a refusal in it, never has what was refused as given."""
    document = jsonld(EVENTS["given"])
    record_id = EVENTS["given"]["record_id"]

    assert states(document) == {
        "ads": None,
        "embeds": "ConsentRefused",
        "statistics": "ConsentGiven",
    }
    assert document["dpv:hasIdentifier"] == record_id
    ids = [record["@id"] for record in document["dpv:hasRecordOfActivity"]]
    assert ids == [
        f"urn:uuid:{record_id}#NoState",
        f"urn:uuid:{record_id}#ConsentRefused",
        f"urn:uuid:{record_id}#ConsentGiven",
    ]


def test_one_state_is_one_record_under_its_own_id() -> None:
    """A record that stands alone has the very id of the record in the log."""
    record = only(jsonld(EVENTS["withdrawn"]))

    assert record["dct:identifier"] == EVENTS["withdrawn"]["record_id"]
    assert record["@id"] == f"urn:uuid:{EVENTS['withdrawn']['record_id']}"
    assert record["dpv:hasDataSubject"]["dct:identifier"] == EVENTS["withdrawn"]["subject_ref"]
    assert record["dpv:hasConsentStatus"] == {
        "@type": ["dpv:ConsentWithdrawn"],
        "dpv:isIndicatedAtTime": {"@type": "xsd:dateTime", "@value": "2026-01-02T03:04:03Z"},
        "dpv:isIndicatedBy": {"@id": "dpv:DataSubject"},
        "dpv:hasIndicationMethod": "withdraw_link (preferences)",
    }


@pytest.mark.parametrize(
    ("event_type", "decision", "state"),
    [
        (EventType.REQUESTED, Decision.NOT_ASKED, "ConsentRequested"),
        (EventType.DEFERRED, Decision.NOT_ASKED, "ConsentRequestDeferred"),
        (EventType.GIVEN, Decision.GIVEN, "ConsentGiven"),
        (EventType.GIVEN, Decision.REFUSED, "ConsentRefused"),
        (EventType.GIVEN, Decision.NOT_ASKED, "ConsentUnknown"),
        (EventType.REFUSED, Decision.REFUSED, "ConsentRefused"),
        (EventType.WITHDRAWN, Decision.REFUSED, "ConsentWithdrawn"),
        (EventType.RENEWED, Decision.GIVEN, "RenewedConsentGiven"),
        (EventType.RENEWED, Decision.REFUSED, "ConsentRefused"),
        (EventType.EXPIRED, Decision.REFUSED, "ConsentExpired"),
        (EventType.SUPERSEDED, Decision.REFUSED, "ConsentExpired"),
        (EventType.REVOKED, Decision.REFUSED, "ConsentRevoked"),
        (EventType.INVALIDATED, Decision.REFUSED, "ConsentInvalidated"),
        (EventType.OPTED_OUT, Decision.REFUSED, "ConsentRefused"),
        (EventType.OPTED_IN, Decision.GIVEN, "ConsentGiven"),
        (EventType.IMPORTED, Decision.GIVEN, "ConsentUnknown"),
        (EventType.IMPORTED, Decision.REFUSED, "ConsentRefused"),
        (EventType.LINKED, Decision.REFUSED, "ConsentRefused"),
    ],
)
def test_states_of_consent(event_type: EventType, decision: Decision, state: str) -> None:
    """Each event leaves consent in the state that the vocabulary means by it."""
    document = jsonld(event(event_type, decisions=decisions({"statistics": decision})))

    assert states(document) == {"statistics": state}


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"evidence": ROWS}, "ConsentGiven"),
        ({"evidence": ROWS, "notice": None}, "ConsentUnknown"),
        ({"notice": None}, "ConsentUnknown"),
        ({}, "ConsentUnknown"),
    ],
)
def test_an_imported_yes_is_given_with_evidence_and_notice_only(
    members: dict[str, Any], state: str
) -> None:
    """As standing has it; what is not known lasts for no time, and a no is a no anyhow."""
    said = decisions({"statistics": Decision.GIVEN})
    made = event(EventType.IMPORTED, decisions=said, consent_type=None, valid_until=None, **members)
    status = only(jsonld(made))["dpv:hasConsentStatus"]

    assert status["@type"] == [f"dpv:{state}"]
    assert ("dpv:hasDuration" in status) == (state == "ConsentGiven")


def test_states_of_other_bases() -> None:
    """An objection and an opt-out are said, but never as a state of consent."""
    refused = states(jsonld(event(EventType.OBJECTED, decisions=everywhere(Decision.REFUSED))))
    allowed = states(jsonld(event(EventType.OPTED_IN, decisions=everywhere(Decision.GIVEN))))

    assert refused == {
        "statistics": "ConsentRefused",
        "news": "LegitimateInterestObjected",
        "ads": "OptingOutFromProcess",
        "basket": None,
    }
    assert allowed == {
        "statistics": "ConsentGiven",
        "news": "LegitimateInterestNotObjected",
        "ads": "OptingInToProcess",
        "basket": None,
    }


def test_request_concerns_the_purposes_of_its_notice() -> None:
    """Where nothing is decided yet, the notice says what is asked for; without it, nobody can."""
    asked = event(EventType.REQUESTED, decisions=[], consent_type=None)

    assert states(jsonld(asked, NOTICE)) == {
        "statistics": "ConsentRequested",
        "news": "LegitimateInterestInformed",
        "ads": None,
        "basket": None,
    }
    bare = only(jsonld(asked))
    assert "dpv:hasProcess" not in bare
    assert bare["dpv:hasConsentStatus"]["@type"] == ["dpv:ConsentRequested"]


@pytest.mark.parametrize(
    ("jurisdiction", "bases"),
    [
        ("AT-9", ["dpv:ExpressedConsent", "eu-gdpr:A6-1-a"]),
        ("NO", ["dpv:ExpressedConsent", "eu-gdpr:A6-1-a"]),
        ("GB", ["dpv:ExpressedConsent"]),
        ("US-CA", ["dpv:ExpressedConsent"]),
        (None, ["dpv:ExpressedConsent"]),
    ],
)
def test_legal_basis(jurisdiction: str | None, bases: list[str]) -> None:
    """The GDPR's Article 6(1)(a) is named only where the GDPR is the law."""
    record = only(
        jsonld(
            event(
                consent_type="expressed",
                jurisdiction=jurisdiction,
                decisions=decisions({"statistics": Decision.GIVEN}),
            )
        )
    )

    (process,) = record["dpv:hasProcess"]
    assert process["dpv:hasLegalBasis"] == [{"@id": basis} for basis in bases]
    place = {"@id": f"loc:{jurisdiction}"} if jurisdiction else None
    assert record.get("dpv:hasJurisdiction") == place


def test_consent_lasts_until_its_end_or_its_withdrawal() -> None:
    """Given consent says how it was expressed and how long it is valid; a refusal does not."""
    made = decisions({"statistics": Decision.GIVEN})
    dated = only(jsonld(event(decisions=made, valid_until="2027-01-01T00:00:00Z")))
    open_ended = only(jsonld(event(decisions=made, valid_until=None)))
    refused = only(jsonld(event(decisions=decisions({"statistics": Decision.REFUSED}))))

    status = dated["dpv:hasConsentStatus"]
    assert status["@type"] == ["dpv:ConsentGiven", "dpv:ExpressedConsent"]
    assert status["dpv:hasDuration"]["rdf:value"]["@value"] == "2027-01-01T00:00:00Z"
    until = open_ended["dpv:hasConsentStatus"]["dpv:hasDuration"]
    assert until == {"@type": "dpv:UntilEventDuration", "rdf:value": "withdrawal"}
    assert refused["dpv:hasConsentStatus"]["@type"] == ["dpv:ConsentRefused"]
    assert "dpv:hasDuration" not in refused["dpv:hasConsentStatus"]


def test_notice_fills_what_27560_makes_compulsory() -> None:
    """Controller, purpose, data, recipients, storage, transfer and withdrawal are told by it."""
    made = event(decisions=decisions({"statistics": Decision.GIVEN}))
    record = only(jsonld(made, NOTICE))

    assert record["dpv:hasDataController"] == {
        "@type": "dpv:DataController",
        "dpv:hasName": "Shop GmbH",
        "dpv:hasIdentifier": "FN 1",
        "dpv:hasAddress": "Gasse 1, Wien",
        "dpv:hasContact": "dpo@shop.example",
    }
    control = record["dpv:hasConsentControl"]
    assert control["@type"] == "dpv:WithdrawConsent"
    assert control["dpv:isExercisedAt"]["@value"] == "https://shop.example/consent"
    (process,) = record["dpv:hasProcess"]
    assert process["dpv:hasPurpose"] == {
        "@type": "dpv:Purpose",
        "dct:identifier": "statistics",
        "dct:title": {"@language": "en", "@value": "Statistics"},
        "dct:description": {"@language": "en", "@value": "Counts visits."},
    }
    titles = [data["dct:title"] for data in process["dpv:hasPersonalData"]]
    assert titles == ["pages", "device"]
    names = [recipient["dpv:hasName"] for recipient in process["dpv:hasRecipient"]]
    assert names == ["Count Ltd", "Other Ltd"]
    assert process["dpv:hasStorageCondition"] == [
        {
            "@type": "dpv:StorageLocation",
            "dpv:hasLocation": [
                {"@type": "dpv:Location", "dct:title": "Vienna"},
                {"@type": "dpv:Location", "dct:title": "Graz"},
            ],
        },
        {
            "@type": "dpv:StorageDuration",
            "dpv:hasDuration": {
                "@type": "dpv:TemporalDuration",
                "rdf:value": {"@type": "xsd:duration", "@value": "P13M"},
            },
        },
        {
            "@type": "dpv:StorageDuration",
            "dct:title": "_c",
            "dpv:hasDuration": {"@type": "dpv:TemporalDuration", "rdf:value": "P2W"},
        },
        {
            "@type": "dpv:StorageDuration",
            "dct:title": "_d",
            "dpv:hasDuration": {"@type": "dpv:Duration", "rdf:value": "until the window closes"},
        },
        {"@type": "dpv:StorageDuration", "dct:title": "_e"},
    ]
    (transfer,) = process["dpv:hasProcessing"]
    assert transfer == {"@type": "dpv:Transfer", "dct:description": "US: adequacy decision"}


def test_decision_about_some_vendors_reaches_no_others() -> None:
    """Consent for two vendors never reads as consent for every recipient of the notice."""
    (made,) = decisions({"statistics": Decision.GIVEN})
    document = jsonld(event(decisions=[made | {"vendor_ids": ["v-1", "v-2"]}]), NOTICE)

    (process,) = only(document)["dpv:hasProcess"]
    assert process["dpv:hasRecipient"] == [
        {"@type": "dpv:Recipient", "dct:identifier": "v-1"},
        {"@type": "dpv:Recipient", "dct:identifier": "v-2"},
    ]
    assert process["dpv:hasPersonalData"]


def test_shown_notice_is_named_by_its_digest() -> None:
    """A notice's address is RFC 6920's for the digest of its wording, the banner's another."""
    shown = SHOWN | {
        # The example of RFC 6920, section 8.1: the SHA-256 of "Hello World!".
        "text_sha256": "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069",
        "ui_sha256": "f" * 64,
        "layer": 2,
    }
    record = jsonld(event(EventType.ACKNOWLEDGED, notice=shown))["dpv:hasRecordOfActivity"][0]

    assert record["dpv:hasNotice"] == {
        "@id": "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk",
        "@type": "dpv:ConsentNotice",
        "dct:identifier": "main",
        "dct:language": "en",
        "owl:versionInfo": "3",
        "dpv:hasNoticeLayer": {"@type": "dpv:NoticeLayer", "dct:identifier": "2"},
        "dct:hasFormat": {"@id": "ni:///sha-256;" + "_" * 42 + "8"},
        "dpv:hasNoticeStatus": {"@id": "dpv:NoticeUsed"},
    }


@pytest.mark.parametrize(
    ("notice", "named"),
    [
        (replace(NOTICE, text="May we not?"), SHOWN),
        (replace(NOTICE, controller=Controller("Other GmbH")), SHOWN),
        (NOTICE, None),
    ],
)
def test_another_notice_is_refused(notice: Notice, named: dict[str, Any] | None) -> None:
    """Only the notice that the event names by its digests may speak for it."""
    with pytest.raises(EventInvalid, match="expected"):
        jsonld(event(notice=named), notice)


@pytest.mark.parametrize(
    "broken",
    [
        EVENTS["erased"],
        {},
        event(schema="consent-event/2"),
        event(record_id="not a UUID"),
        event(subject_ref=None),
        event(subject_ref=1),
        event(decisions=None),
        event(decisions=["statistics"]),
        event(decisions=[{"purpose_id": "ads", "decision": "maybe", "basis": "consent"}]),
        event(decisions=[{**decisions({"ads": Decision.REFUSED})[0], "vendor_ids": [1]}]),
        event(by="nobody"),
        event(jurisdiction="Wien"),
        event(received_at="2026-01-02"),
        event(valid_until="2026-13-02T00:00:00Z"),
        event(consent_type="implied"),
        event(notice=SHOWN | {"text_sha256": "f"}),
        event(notice=SHOWN | {"version": True}),
        event(notice="main"),
    ],
)
def test_what_is_no_event_of_a_subject_is_refused(broken: dict[str, Any]) -> None:
    """A tombstone, and whatever is not of the schema, ends in one sentence with both sides."""
    with pytest.raises(EventInvalid, match=r"expected .*, got "):
        jsonld(broken)


@given(
    name=st.sampled_from(sorted(event())),
    member=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_member_is_read_or_refused(name: str, member: object) -> None:
    """Whatever a saved file has in place of a member, nothing but `EventInvalid` comes of it."""
    try:
        document = jsonld(EVENTS["given"] | {name: member})
    except EventInvalid:
        return
    assert expand(document)
