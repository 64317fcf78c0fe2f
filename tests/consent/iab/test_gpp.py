"""GPP strings: those of the specification and of the official library's tests, and hostile ones.

The strings and what they hold are from IAB Tech Lab: the header examples from the specification
(`Core/Consent String Specification.md`, CC BY 3.0), the rest from iabgpp-java, `GppModelTest`
(commit d43beda) and `UsNatTest` (commits 0a9d59a and ace7fa7), Apache License 2.0. The US Privacy
Strings are the examples of their specification (`CCPA/US Privacy String.md`, CC BY 3.0).
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import StringInvalid
from consent.iab import gpp, tcf
from consent.iab.bits import Bits
from consent.iab.gpp import Consented, GppString, Mode, Notice, OptOut, UsNational, UsPrivacy

TCF_AND_USP = "DBACNYA~CPSG_8APSG_8ANwAAAENAwCAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA~1YNN"
ALL = (
    "DBACOdM~CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA"
    "~BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAA~1---~BAAAAAAAAABA.QA~BAAAAABA.QA"
    "~BAAAABA~BAAAAEA.QA~BAAAAAQA~BAAAAAEA.QA~BAAAAABA~BAAAAABA.QA~BAAAAAABAA.QA~BAAAAAQA.QA"
    "~BAAAAAABAA.QA~BAAAAAQA.QA~BAAAAAQA.QA~BAAAAABA.QA~BAAAAAAAQA.QA~BAAAAAQA.QA"
)
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~="


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        ("DBAA", []),
        ("DBABM", [2]),
        ("DBABMA", [2]),
        ("DBACNY", [2, 6]),
        ("DBACNYA", [2, 6]),
        ("DBABjw", [5, 6]),
        ("DBACOeA", [2, 5, 6]),
        ("DBACOdM", [2, *range(5, 23)]),
    ],
)
def test_headers_list_their_sections(header: str, ids: list[int]) -> None:
    """Single ids and groups, each as far from the one before as it says."""
    bits = Bits(header)
    assert (bits.integer(6), bits.integer(6)) == (3, 1)

    assert gpp._section_ids(bits, len(ids)) == ids


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("11", 1),
        ("011", 2),
        ("0011", 3),
        ("1011", 4),
        ("00011", 5),
        ("10011", 6),
        ("01011", 7),
    ],
)
def test_fibonacci_codes_are_those_of_the_specification(code: str, value: int) -> None:
    """Its table, followed by another code."""
    padded = f"{code}0011".ljust(12, "0")
    text = "".join(CHARACTERS[int(padded[at : at + 6], 2)] for at in (0, 6))
    bits = Bits(text)

    assert (bits.fibonacci(), bits.fibonacci()) == (value, 3)


def test_known_sections_are_read_and_others_kept() -> None:
    """A TC string is decoded, a state's section stays text under its name."""
    found = gpp.parse(TCF_AND_USP)
    (state,) = gpp.parse("DBABBg~BAAAAABA.QA").sections

    tc, usp = found.sections
    assert found.version == 1
    assert (tc.id, tc.name, usp.id, usp.name) == (2, "tcfeuv2", 6, "uspv1")
    assert isinstance(tc.content, tcf.TcString)
    assert (tc.content.cmp_id, tc.content.vendor_list_version) == (880, 48)
    assert tc.content.created.isoformat() == "2022-01-01T00:00:00+00:00"
    assert usp.text == "1YNN"
    assert (state.id, state.name, state.text, state.content) == (8, "usca", "BAAAAABA.QA", None)


@pytest.mark.parametrize(
    ("text", "notice", "sale", "lspa"),
    [
        ("1YNN", Notice.GIVEN, OptOut.NOT_OPTED_OUT, Mode.NO),
        ("1NYY", Notice.NOT_GIVEN, OptOut.OPTED_OUT, Mode.YES),
        ("1---", Notice.NOT_APPLICABLE, OptOut.NOT_APPLICABLE, Mode.NOT_APPLICABLE),
        ("1-Y-", Notice.NOT_APPLICABLE, OptOut.OPTED_OUT, Mode.NOT_APPLICABLE),
    ],
)
def test_us_privacy_is_read(text: str, notice: Notice, sale: OptOut, lspa: Mode) -> None:
    """Its version and three letters."""
    _, usp = gpp.parse(TCF_AND_USP.replace("1YNN", text)).sections

    assert usp.content == UsPrivacy(1, notice, sale, lspa)


def test_every_section_has_its_name() -> None:
    """The string with one of each, and the names that came after it."""
    sections = gpp.parse(ALL).sections

    assert [section.name for section in sections][:5] == [
        *("tcfeuv2", "tcfcav1", "uspv1", "usnat", "usca")
    ]
    assert sections[-1].name == "ustn"
    assert gpp.NAMES[27] == "usri"


FIRST_FORM = "DBABLA~BVVVkkkklWA.YA"
SECOND_FORM = "DBABLA~BVVVkkkkkpFY.YA"


@pytest.mark.parametrize(("text", "kinds", "ages"), [(FIRST_FORM, 12, 2), (SECOND_FORM, 16, 3)])
def test_us_national_is_read_in_both_forms(text: str, kinds: int, ages: int) -> None:
    """Twelve kinds of sensitive data, or sixteen; the version does not tell, the length does."""
    (section,) = gpp.parse(text).sections
    found = section.content

    assert isinstance(found, UsNational)
    assert (section.id, section.name, found.version) == (7, "usnat", 1)
    assert {
        found.sharing_notice,
        found.sale_opt_out_notice,
        found.sharing_opt_out_notice,
        found.targeted_advertising_opt_out_notice,
        found.sensitive_data_opt_out_notice,
        found.sensitive_data_limit_use_notice,
    } == {Notice.GIVEN}
    assert {found.sale_opt_out, found.sharing_opt_out, found.targeted_advertising_opt_out} == {
        OptOut.OPTED_OUT
    }
    turns = [Consented.CONSENT, Consented.NO_CONSENT, Consented.NOT_APPLICABLE] * 6
    assert list(found.sensitive_data) == list(gpp.SENSITIVE[:kinds])
    assert list(found.sensitive_data.values()) == turns[:kinds]
    assert list(found.known_children) == list(gpp.CHILDREN[:ages])
    assert list(found.known_children.values()) == turns[:ages]
    assert found.personal_data_consent is Consented.NO_CONSENT
    assert found.mspa_covered_transaction is Mode.YES
    assert found.mspa_opt_out_option_mode is Mode.YES
    assert found.mspa_service_provider_mode is Mode.NO
    assert found.gpc is True


@pytest.mark.parametrize(
    ("text", "gpc"),
    [("BVVVkkkkkpFY", None), ("BVVVkkkkkpFY.QA", False), ("BVVVkkkkkpFY.YA", True)],
)
def test_the_gpc_segment_may_be_missing(text: str, *, gpc: bool | None) -> None:
    """No segment says nothing, which is not the same as no signal."""
    found = _us_national(f"DBABLA~{text}")

    assert found.gpc is gpc


def _us_national(text: str) -> UsNational:
    (section,) = gpp.parse(text).sections
    assert isinstance(section.content, UsNational)
    return section.content


def test_both_kinds_are_told_apart() -> None:
    """By the first character, which is the version or the type."""
    assert isinstance(gpp.decode(TCF_AND_USP), GppString)
    assert isinstance(gpp.decode(TCF_AND_USP.split("~")[1]), tcf.TcString)


def test_what_was_read_can_be_written_as_json() -> None:
    """Instants as the service writes them, ids as ranges, words as words; None is left out."""
    written = gpp.plain(gpp.parse(TCF_AND_USP))

    assert isinstance(written, dict)
    tc, usp = written["sections"]  # type: ignore[misc]
    assert tc["content"]["created"] == "2022-01-01T00:00:00Z"
    assert tc["content"]["disclosed_vendors"] == []
    assert "publisher" not in tc["content"]
    assert usp["content"] == {
        "version": 1,
        "opt_out_notice": "given",
        "sale_opt_out": "not_opted_out",
        "lspa_covered_transaction": "no",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("invalid gpp string", "expected websafe base64"),
        ("z", "expected a TC string of version 2, got version 51"),
        ("D", "expected 6 more bits, got 0"),
        ("DCAA", "expected a GPP header of type 3 and version 1, got 3, 2"),
        ("DBABMA", "expected a section for each id of the header, got only 0"),
        ("DBABMA~CPSG_8A~1YNN", "expected 1 sections, as the header says, got 2"),
        ("DBABMA~CPSG_8A", "expected section 2 to decode: expected"),
        *(
            (f"DBABT~{text}", "expected section 6 to decode: expected 1 and three of Y, N and -")
            for text in ("2YNN", "1YN", "1YNNN", "1ynn", "1YNN\n", "")
        ),
        (
            "DBABLA~DVVVkkkklWA",
            "expected section 7 to decode: expected version 1 or 2, got version 3",
        ),
        ("DBABLA~BVVV", "expected section 7 to decode: expected 2 more bits, got 0"),
        (
            "DBABLA~B____________",
            "expected section 7 to decode: expected a value from 0 to 2, got 3",
        ),
        ("DBABAA", "expected a Fibonacci code of at most 24 bits, got none"),
        ("D" + "B" * 16_384, "expected at most 16384 characters, got 16385"),
    ],
)
def test_what_is_no_gpp_string_is_refused(text: str, message: str) -> None:
    """Other characters, another version, sections too few or too many, content cut short."""
    with pytest.raises(StringInvalid, match=re.escape(message)):
        gpp.decode(text)


def test_a_header_never_names_millions() -> None:
    """A group is counted before it is spelt out."""
    # One group: from 1, as far as 24 bits of Fibonacci code reach.
    code = "000011" + "000001" + "000000000001" + "1" + "11" + "0" * 21 + "11"
    padded = code + "0" * (-len(code) % 6)
    header = "".join(CHARACTERS[int(padded[at : at + 6], 2)] for at in range(0, len(padded), 6))

    with pytest.raises(StringInvalid, match="got only 3"):
        gpp.parse(f"{header}~a~b~c")


@given(
    st.one_of(
        st.text(),
        st.text(st.sampled_from(CHARACTERS), max_size=300).map("DBA{}".format),
        st.text(st.sampled_from(CHARACTERS), max_size=100).map("DBABLA~B{}".format),
    )
)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but `StringInvalid` ever comes out."""
    try:
        gpp.plain(gpp.decode(text))
    except StringInvalid as error:
        assert "expected" in str(error)  # noqa: PT017 - most texts are refused, some are not


@given(st.sampled_from([TCF_AND_USP, ALL, FIRST_FORM, SECOND_FORM]), st.data())
def test_altered_strings_are_read_or_refused(text: str, data: st.DataObject) -> None:
    """Cut anywhere, or with any character changed to any other."""
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(CHARACTERS))
    for altered in (text[:at], text[:at] + other + text[at + 1 :]):
        try:
            gpp.plain(gpp.decode(altered))
        except StringInvalid as error:
            assert "expected" in str(error)  # noqa: PT017 - as above
