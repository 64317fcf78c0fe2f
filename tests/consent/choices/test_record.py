"""Records: canonical bytes, what an event may hold, and pseudonyms."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consent.choices import record
from consent.choices.choice import (
    Actor,
    Assurance,
    Basis,
    ConsentType,
    Context,
    Decision,
    EventType,
    Method,
    Origin,
    PurposeDecision,
    ShownNotice,
    Signals,
    SubjectKind,
)
from consent.errors import DecisionsInconsistent, EventInvalid, SubjectInvalid

TEXTS = st.text() | st.text(
    st.sampled_from(
        [*map(chr, range(0x21)), '"', "\\", "/", "\x7f", "\u2028", "\ufeff", "\U0001f600"]
    )
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
NOTICE = ShownNotice("main", 3, "en", "a" * 64, "b" * 64)
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def event(**changes: object) -> dict[str, Any]:
    """Build an ordinary event, with *changes*."""
    members: dict[str, Any] = {
        "record_id": "019b7d00-7e40-7000-8000-000000000001",
        "site_id": "shop",
        "subject_ref": "1." + "0" * 32,
        "subject_kind": SubjectKind.DEVICE,
        "assurance": Assurance.UNVERIFIED,
        "event_type": EventType.REFUSED,
        "decisions": [PurposeDecision("ads", Decision.REFUSED, Basis.CONSENT)],
        "method": Method.REJECT_ALL,
        "origin": Origin.BANNER,
        "by": Actor.DATA_SUBJECT,
        "received_at": WHEN,
        "notice": NOTICE,
    }
    return record.event(**members | changes)


@given(VALUES)
def test_canonical_bytes_are_those_of_rfc8785(value: Any) -> None:  # noqa: ANN401 -- any JSON
    """The fast way and the library of the RFC write the same bytes, whatever the text."""
    assert record.canonical(value) == rfc8785.dumps(value)


def test_every_character_is_written_as_rfc8785_writes_it() -> None:
    """One string with every code point that UTF-8 can hold, both ways."""
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)

    assert record.canonical({"text": text}) == rfc8785.dumps({"text": text})


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        1.0,
        float("nan"),
        None,
        2**53,
        -(2**53),
        b"bytes",
        {"a"},
        WHEN,
        "\ud800",
        {"\ud800": 1},
        {"é": 1},
        {1: 1},
        {"a": None},
        {"a": [{"b": 1.5}]},
    ],
)
def test_what_has_no_canonical_form_here_is_refused(value: Any) -> None:  # noqa: ANN401 -- any object
    """Floats, null, large integers, names outside ASCII and objects of other kinds."""
    with pytest.raises(EventInvalid):
        record.canonical(value)


def test_nesting_is_bounded() -> None:
    """A value as deep as the bound is written, one deeper is refused."""
    value: Any = "x"
    for _ in range(record.MAX_DEPTH):
        value = [value]

    assert record.canonical(value) == b"[" * 16 + b'"x"' + b"]" * 16
    with pytest.raises(EventInvalid, match="levels"):
        record.canonical([value])


def test_absent_members_are_left_out() -> None:
    """Neither null nor an empty object stands for what is not there."""
    built = event(context=Context(page="?token=1"), signals=Signals())

    assert set(built) == {
        "schema",
        "record_id",
        "site_id",
        "subject_ref",
        "subject_kind",
        "assurance",
        "event_type",
        "decisions",
        "method",
        "origin",
        "by",
        "received_at",
        "notice",
    }
    assert set(built["notice"]) == {
        "notice_id",
        "version",
        "language",
        "text_sha256",
        "material_sha256",
    }


def test_false_and_zero_are_not_absent() -> None:
    """A signal that was seen to be off, and a layout without width, are facts."""
    built = event(signals=Signals(sec_gpc=False), context=Context(layout_w=0))

    assert built["signals"] == {"sec_gpc": False}
    assert built["context"] == {"layout_w": 0}


@pytest.mark.parametrize("cut", ["?q=ada@example.org", "#token", "?a#b", "#a?b"])
def test_query_and_fragment_are_never_kept(cut: str) -> None:
    """They may hold whatever the site puts there."""
    page = event(context=Context(page="https://shop.example/cart" + cut))["context"]["page"]

    assert page == "https://shop.example/cart"


@pytest.mark.parametrize(
    ("page", "kept"),
    [
        ("https://zoe:pw@blog.example.org/x", "https://blog.example.org/x"),
        ("https://zoe%40example.org:p%3Fw@blog.example.org/x", "https://blog.example.org/x"),
        ("//zoe:pw@blog.example.org/x%3Femail=zoe@example.org", "//blog.example.org/x"),
        (r"\\zoe:pw@blog.example.org\x", r"\\blog.example.org\x"),
        ("zoe:pw@blog.example.org/x", "*/x"),
        ("mailto:zoe@example.org", "*"),
        ("https://blog.example.org/x%3femail=zoe", "https://blog.example.org/x"),
        ("https://blog.example.org/x%23zoe", "https://blog.example.org/x"),
        ("https://blog.example.org/x%253Femail=zoe", "https://blog.example.org/x"),
        (
            "https://blog.example.org/u/zoe@example.org/settings",
            "https://blog.example.org/u/*/settings",
        ),
        ("/u/zoe%40example.org", "/u/*"),
        ("/u/zoe＠example.org", "/u/*"),  # noqa: RUF001 - the wide form, which browsers percent-encode
        ("/u/zoe%ef%bc%a0example.org", "/u/*"),
        ("/u/zoe%2540example.org;v=1/a@b", "/u/*/*"),
        (r"/u\zoe@example.org", r"/u\*"),
        ("/50%25/%E2%82%AC//x\\y", "/50%25/%E2%82%AC//x\\y"),
    ],
)
def test_nobody_is_named_in_a_page(page: str, kept: str) -> None:
    """Neither by user info nor by an e-mail address, in clear or percent-encoded."""
    assert event(context=Context(page=page))["context"]["page"] == kept


@given(st.text(st.sampled_from("/\\@%?#:ax2504"), max_size=30))
def test_no_page_is_kept_with_an_at_or_a_query(page: str) -> None:
    """Whatever its form; and what is kept would be kept as it is once more."""
    built = event(context=Context(page=page))
    kept = built.get("context", {}).get("page", "")

    assert not set("@?#") & set(kept)
    assert event(context=Context(page=kept)).get("context") == built.get("context")


def test_decisions_are_sorted() -> None:
    """The order in which a client lists purposes does not change the bytes."""
    made = [PurposeDecision(p, Decision.REFUSED, Basis.CONSENT) for p in ("b", "a", "B")]

    assert [each["purpose_id"] for each in event(decisions=made)["decisions"]] == ["B", "a", "b"]


def test_a_purpose_decided_twice_is_refused() -> None:
    """Two answers to one question are none."""
    made = [PurposeDecision("ads", decision, Basis.CONSENT) for decision in Decision]

    with pytest.raises(DecisionsInconsistent):
        event(decisions=made)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_type": EventType.GIVEN},
        {"consent_type": ConsentType.EXPRESSED},
        {"notice": None},
        {"event_type": EventType.ERASED},
        {"received_at": WHEN.replace(tzinfo=None)},
    ],
)
def test_an_event_whose_members_do_not_fit_its_type_is_refused(changes: dict[str, object]) -> None:
    """Consent has a type, a refusal has none, both answer a notice; an erasure has no subject."""
    with pytest.raises(EventInvalid):
        event(**changes)


def test_a_withdrawal_needs_no_notice() -> None:
    """Who withdraws answers nothing."""
    assert "notice" not in event(event_type=EventType.WITHDRAWN, notice=None)


def test_a_tombstone_names_records_and_no_subject() -> None:
    """What was erased is said by record ids alone, each once, sorted."""
    built = record.tombstone(
        record_id="r3",
        site_id="shop",
        event_type=EventType.ERASED,
        record_ids=["r2", "r1", "r2"],
        method=Method.ADMIN,
        by=Actor.CONTROLLER,
        received_at=WHEN,
    )

    assert built["record_ids"] == ["r1", "r2"]
    assert not {"subject_ref", "decisions", "notice"} & set(built)


@pytest.mark.parametrize(
    ("event_type", "record_ids"), [(EventType.ERASED, []), (EventType.WITHDRAWN, ["r1"])]
)
def test_a_tombstone_of_nothing_is_refused(event_type: EventType, record_ids: list[str]) -> None:
    """Only erased and restricted are tombstones, and of one record at least."""
    with pytest.raises(EventInvalid):
        record.tombstone(
            record_id="r3",
            site_id="shop",
            event_type=event_type,
            record_ids=record_ids,
            method=Method.ADMIN,
            by=Actor.CONTROLLER,
            received_at=WHEN,
        )


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_come_back_to_the_second(moment: datetime) -> None:
    """What is written is UTC, cut to whole seconds, and reads back as that."""
    assert record.parse_instant(record.instant(moment)) == moment.replace(microsecond=0)


def test_instants_are_written_in_utc() -> None:
    """Another time zone is turned into UTC before it is written."""
    east = timezone(timedelta(hours=5, minutes=30))

    assert record.instant(datetime(2026, 1, 1, 1, 0, 0, 999_999, tzinfo=east)) == (
        "2025-12-31T19:30:00Z"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05.0Z",
        "2026-13-02T03:04:05Z",
        "2026-01-02T03:04:60Z",
        "\uff12026-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z\n",
    ],
)
def test_other_forms_of_an_instant_are_refused(text: str) -> None:
    """There is one spelling of an instant."""
    with pytest.raises(EventInvalid):
        record.parse_instant(text)


def test_the_salt_has_its_length() -> None:
    """A short salt would let the event be guessed from the leaf."""
    with pytest.raises(EventInvalid, match="32 bytes, got 31"):
        record.commit(bytes(31), b"{}")


def test_a_pseudonym_depends_on_site_key_version_and_kind() -> None:
    """The same id is another subject on another site, under another key, of another kind."""
    refs = {
        record.SubjectKey(site, secret, version=version).ref(kind, "+4930123456")
        for site in ("shop", "blog")
        for secret in (bytes(32), bytes([1]) * 32)
        for version in (1, 2)
        for kind in (SubjectKind.PHONE, SubjectKind.DEVICE, SubjectKind.EXTERNAL)
    }

    assert len(refs) == 24


KEY = record.SubjectKey("shop", bytes(32), version=3)


def test_a_pseudonym_says_its_key_version() -> None:
    """Old versions stay readable, so the reference says which key made it."""
    version, dot, digits = KEY.ref(SubjectKind.DEVICE, "x").partition(".")

    assert (version, dot, len(digits)) == ("3", ".", 32)
    assert set(digits) <= set("0123456789abcdef")


def test_only_e_mail_addresses_are_normalised() -> None:
    """Elsewhere upper case and spaces tell two subjects apart."""
    assert record.normalise(SubjectKind.EMAIL, "\tAda@EXAMPLE.org ") == b"ada@example.org"
    for kind in (SubjectKind.DEVICE, SubjectKind.ACCOUNT, SubjectKind.EXTERNAL):
        assert record.normalise(kind, " Ada@EXAMPLE.org ") == b" Ada@EXAMPLE.org "


@pytest.mark.parametrize(
    ("kind", "subject_id"),
    [
        (SubjectKind.DEVICE, ""),
        (SubjectKind.DEVICE, "x" * 1025),
        (SubjectKind.EXTERNAL, "\ud800"),
        (SubjectKind.EMAIL, "  "),
        (SubjectKind.EMAIL, "ada"),
        (SubjectKind.EMAIL, "@example.org"),
        (SubjectKind.EMAIL, "ada@"),
        (SubjectKind.EMAIL, "a@b@c"),
        (SubjectKind.EMAIL, "a da@example.org"),
        (SubjectKind.EMAIL, "ada@example.org\x00"),
        (SubjectKind.EMAIL, "a" * 251 + "@b.c"),
        (SubjectKind.PHONE, "4930123456"),
        (SubjectKind.PHONE, "+49 30 123456"),
        (SubjectKind.PHONE, "+049"),
        (SubjectKind.PHONE, "+1"),
        (SubjectKind.PHONE, "+1234567890123456"),
        (SubjectKind.PHONE, "+\uff14\uff1930123456"),
        (SubjectKind.PHONE, "+4930123456\n"),
    ],
)
def test_ids_without_the_form_of_their_kind_are_refused(kind: SubjectKind, subject_id: str) -> None:
    """An id that two systems could spell differently would be two subjects."""
    with pytest.raises(SubjectInvalid):
        KEY.ref(kind, subject_id)


@pytest.mark.parametrize(("secret", "version"), [(b"", 1), (bytes(31), 1), (bytes(32), 0)])
def test_a_weak_subject_key_is_refused(secret: bytes, version: int) -> None:
    """The key has 32 bytes and versions count from one."""
    with pytest.raises(SubjectInvalid):
        record.SubjectKey("shop", secret, version=version)
