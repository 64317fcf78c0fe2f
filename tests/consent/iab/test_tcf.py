"""TC strings: those of the official libraries' tests, any that can be written, and hostile ones.

The strings and what they hold are from IAB Tech Lab's own tests, under the Apache License 2.0:
iabtcf-java, `TCStringV2Test` (commit 112c268), and iabgpp-java, `TcfEuV2Test` (commit 044ac66).
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import StringInvalid
from consent.iab import gpp, tcf
from consent.iab.bits import Bits, Ids
from consent.iab.tcf import PublisherTc, Restriction, RestrictionType

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

FROM_ENCODER = "COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA"
BITFIELDS = (
    "COrEAV4OrXx94ACABBENAHCIAD-AAAAAAACAAxAAAAgAIAwgAgAAAAEAgQAAAAAEAYQAQAAAACAAAABAAA"
    ".IBAgAAAgAIAwgAgAAAAEAAAACA.QAagAQAgAIAwgA.cAAAAAAAITg="
)
RESTRICTED = "COoC-kUOoC-kUAHABAENAwCoAIAAAELAAAwIF5wAoAAgAGAvMACX_ABBAAQAFA"
LARGE = (
    "CPi8wgAPi8wgAAOACBENCuCoAP_AAEfAACiQJHNd_H__bX9n-f7_6ft0eY1f9_r37uQzDhfNk-8F3L_W_LwX_2E7NF36"
    "tq4KmR4ku1LBIUNtHMnUDUmxaokVrzHsak2cpzNKJ_BkknsZe2dYGF9vm5tj-QKZ7_5_d3f52T_9_9v-39z33913v3d9"
    "3-_13LjdV5_9H_v9fR_b8_Kf9_5-_4v8_____3_e______8AEEggCTDVuIAuxLHAm0DCKBECMKwkKoFABBQDC0QGADg4"
    "KdlYBPrCBAAgFAEYEQIcAUYEAgAAAgCQiACQIsEAAAIgEAAIAEQiEABAwCCgAsDAIAAQDQMUQoABAkIMiAiKUwICIEgg"
    "JbKhBKC6Q0wgCrLACgkRsFAAiAAAUgACAsHAMESAlYsECTFG-QAjBCgFEqFaAGGgAwABBI4RABgACCRwqADAAEEjgA"
)


def test_every_field_of_a_string_is_read() -> None:
    """The one that iabtcf.com encodes for the Java tests."""
    tc = tcf.parse(FROM_ENCODER)

    assert tc.created == datetime(2020, 1, 26, 17, 1, tzinfo=UTC)
    assert tc.updated == datetime(2021, 2, 2, 17, 1, tzinfo=UTC)
    assert (tc.cmp_id, tc.cmp_version, tc.consent_screen) == (675, 2, 1)
    assert (tc.vendor_list_version, tc.policy_version) == (15, 2)
    assert (tc.consent_language, tc.publisher_country) == ("EN", "AA")
    assert (tc.service_specific, tc.purpose_one_treatment, tc.non_standard_texts) == (
        False,
        True,
        False,
    )
    assert tc.special_features == (1,)
    assert tc.purposes_consent == (2, 10)
    assert tc.purposes_interest == (2, 9)
    assert (tc.disclosed_vendors, tc.allowed_vendors, tc.publisher) == (None, None, None)


def test_vendors_have_a_bit_each() -> None:
    """Consent and legitimate interest, in the core; disclosed and allowed, in segments."""
    tc = tcf.parse(BITFIELDS)

    assert list(tc.vendors_consent) == [23, 37, 47, 48, 53, 65, 98]
    assert list(tc.vendors_interest) == [37, 47, 48, 53, 65, 98, 129]
    assert tc.disclosed_vendors is not None
    assert list(tc.disclosed_vendors) == [23, 37, 47, 48, 53, 65, 98, 129]
    assert tc.allowed_vendors is not None
    assert list(tc.allowed_vendors) == [12, 23, 37, 47, 48, 53]
    assert tc.publisher is not None
    assert len(tc.publisher.purposes_consent) == 1


@pytest.mark.parametrize(
    ("text", "consent", "interest"),
    [
        ("COv__-wOv__-wC2AAAENAPCgAAAAAAAAAAAAA_wAQA_gEBABAEAAAA", None, [128]),
        ("COwBOpCOwBOpCLqAAAENAPCAAAAAAAAAAAAAFfwAYFfAV-BVkAGBVYFWAAA", [702, 703], None),
        ("COwBOpCOwBOpCLqAAAENAPCAAAAAAAAAAAAAFfwAQFfgUbABAUaAAA", [703], None),
        (RESTRICTED, [1, 2, 3, 755], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_vendors_come_in_ranges(
    text: str, consent: list[int] | None, interest: list[int] | None
) -> None:
    """Single ids and groups, as the encoder liked."""
    tc = tcf.parse(text)

    assert consent is None or list(tc.vendors_consent) == consent
    assert interest is None or list(tc.vendors_interest) == interest


def test_publishers_restrict_vendors() -> None:
    """Purpose 1 is not allowed for vendor 10."""
    tc = tcf.parse(RESTRICTED)

    assert tc.created.isoformat() == "2019-10-07T05:17:54+00:00"
    assert tc.publisher_country == "GB"
    assert tc.restrictions == (Restriction(1, RestrictionType.NOT_ALLOWED, Ids(((10, 10),))),)


def test_large_strings_are_read_whole() -> None:
    """Hundreds of vendors, in a string from the wild."""
    tc = tcf.parse(LARGE)

    assert (tc.cmp_id, tc.vendor_list_version, tc.publisher_country) == (14, 174, "US")
    assert tc.purposes_consent == tuple(range(1, 11))
    assert tc.purposes_interest == (2, 6, 7, 8, 9, 10)
    assert (len(tc.vendors_consent), len(tc.vendors_interest)) == (772, 280)


def test_publishers_purposes_are_read() -> None:
    """24 of the framework and as many of its own as it says."""
    segment = encode("011" + "1" + "0" * 46 + "1" + "000010" + "01" + "11")

    tc = tcf.parse(f"{FROM_ENCODER}.{segment}")

    assert tc.publisher == PublisherTc((1,), (24,), (2,), (1, 2))


def test_segments_that_are_not_known_are_kept() -> None:
    """A later version of the framework may add some."""
    assert tcf.parse(f"{FROM_ENCODER}.gAAA").unknown_segments == ("gAAA",)


def encode(bits: str) -> str:
    """Write *bits* as websafe base64, six to a character."""
    padded = bits + "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(padded[at : at + 6], 2)] for at in range(0, len(padded), 6))


def number(value: int, size: int) -> str:
    """Write an integer as *size* bits."""
    return f"{value:0{size}b}"


def ranged(ids: set[int]) -> str:
    """Write ids as a list of ranges."""
    groups = [
        [value for _, value in run]
        for _, run in groupby(enumerate(sorted(ids)), key=lambda pair: pair[1] - pair[0])
    ]
    items = (
        f"0{number(group[0], 16)}"
        if len(group) == 1
        else f"1{number(group[0], 16)}{number(group[-1], 16)}"
        for group in groups
    )
    return number(len(groups), 12) + "".join(items)


def bitfield(ids: set[int], size: int) -> str:
    """Write ids as a bit each."""
    return "".join("1" if at in ids else "0" for at in range(1, size + 1))


def vendors(ids: set[int], *, grouped: bool) -> str:
    """Write a vendor section the one way or the other."""
    largest = max(ids, default=0)
    return number(largest, 16) + (f"1{ranged(ids)}" if grouped else f"0{bitfield(ids, largest)}")


IDS = st.sets(st.one_of(st.integers(1, 30), st.integers(1, 2000)), max_size=40)
FIELDS = {
    "created": st.integers(0, 2**36 - 1),
    "cmp_id": st.integers(0, 4095),
    "language": st.text(st.sampled_from(ALPHABET[:26]), min_size=2, max_size=2),
    "flags": st.tuples(st.booleans(), st.booleans(), st.booleans()),
    "purposes": st.sets(st.integers(1, 24)),
    "consent": IDS,
    "interest": IDS,
    "grouped": st.booleans(),
    "restrictions": st.lists(st.tuples(st.integers(0, 63), st.integers(0, 3), IDS), max_size=4),
    "disclosed": st.none() | IDS,
}


@given(st.fixed_dictionaries(FIELDS))
def test_what_can_be_written_is_read(made: dict[str, Any]) -> None:
    """Whatever the fields hold, they come out again, each in its place."""
    created, purposes, flags = made["created"], made["purposes"], made["flags"]
    letters = "".join(number(ord(letter) - ord("A"), 6) for letter in made["language"])
    core = "".join(
        (
            *(number(2, 6), number(created, 36), number(7, 36), number(made["cmp_id"], 12)),
            *(number(3, 12), number(4, 6), letters, number(48, 12), number(5, 6)),
            *("1" if flag else "0" for flag in flags[:2]),
            *(bitfield({2}, 12), bitfield(purposes, 24), bitfield({9}, 24)),
            *("1" if flags[2] else "0", letters),
            *(vendors(made[name], grouped=made["grouped"]) for name in ("consent", "interest")),
            number(len(made["restrictions"]), 12),
            *chain.from_iterable(
                (number(purpose, 6), number(kind, 2), ranged(ids))
                for purpose, kind, ids in made["restrictions"]
            ),
        )
    )
    text = encode(core)
    if made["disclosed"] is not None:
        text += "." + encode("001" + vendors(made["disclosed"], grouped=made["grouped"]))

    tc = tcf.parse(text)

    assert tc.created == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=100 * created)
    assert (tc.cmp_id, tc.cmp_version, tc.consent_screen) == (made["cmp_id"], 3, 4)
    assert (tc.consent_language, tc.publisher_country) == (made["language"],) * 2
    assert (tc.vendor_list_version, tc.policy_version) == (48, 5)
    assert (tc.service_specific, tc.non_standard_texts, tc.purpose_one_treatment) == flags
    assert (tc.special_features, tc.purposes_interest) == ((2,), (9,))
    assert set(tc.purposes_consent) == purposes
    assert (set(tc.vendors_consent), set(tc.vendors_interest)) == (
        made["consent"],
        made["interest"],
    )
    kinds = list(RestrictionType)
    assert [(each.purpose_id, each.type, set(each.vendors)) for each in tc.restrictions] == [
        (purpose, kinds[kind], ids) for purpose, kind, ids in made["restrictions"]
    ]
    disclosed = tc.disclosed_vendors
    assert (None if disclosed is None else set(disclosed)) == made["disclosed"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected websafe base64"),
        ("C", "expected 36 more bits, got 0"),
        ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", "expected a TC string of version 2, got version 1"),
        (FROM_ENCODER[:-8], "more bits"),
        (FROM_ENCODER + ".", "expected websafe base64"),
        (FROM_ENCODER + ".IA", "expected 16 more bits, got 9"),
        (
            BITFIELDS + ".IBAgAAAgAIAwgAgAAAAEAAAACA",
            "expected each segment once, got two of type 1",
        ),
        (FROM_ENCODER.replace("E", "+"), "expected websafe base64"),
        (FROM_ENCODER + "\n", "expected websafe base64"),
        (" " + FROM_ENCODER, "expected websafe base64"),
        ("Cé", "expected websafe base64"),
        ("C" * 16_385, "expected at most 16384 characters, got 16385"),
    ],
)
def test_what_is_no_tc_string_is_refused(text: str, message: str) -> None:
    """Cut short, of version 1, with other characters, too long."""
    with pytest.raises(StringInvalid, match=re.escape(message)):
        tcf.parse(text)


def test_ids_start_from_one_and_ascend() -> None:
    """A vendor 0, or a range that runs backwards, is no set of vendors."""
    for entry in (f"0{number(0, 16)}", f"1{number(9, 16)}{number(8, 16)}"):
        bits = Bits(encode(f"{number(9, 16)}1{number(1, 12)}{entry}"))
        with pytest.raises(StringInvalid, match="expected ascending ids from 1"):
            bits.ids()


def test_letters_are_letters() -> None:
    """Six bits may hold more than the alphabet."""
    with pytest.raises(StringInvalid, match="expected 2 letters"):
        Bits(encode(number(26, 6) * 2)).letters(2)


def test_a_short_string_never_becomes_a_large_one() -> None:
    """Ranges over all vendors, and restrictions of all, by the hundreds, stay as they are."""
    everybody = f"1{number(1, 16)}{number(65_535, 16)}"
    core = encode(
        Bits(FROM_ENCODER)._take(213)
        + f"{number(65_535, 16)}1{number(900, 12)}{everybody * 900}"
        + f"{number(0, 16)}0"
        + number(900, 12)
        + f"{number(1, 6)}{number(0, 2)}{number(1, 12)}{everybody}" * 900
    )
    assert len(core) < tcf.MAX_STRING_CHARS

    tc = tcf.parse(core)

    assert tc.vendors_consent.ranges == ((1, 65_535),)
    assert len(tc.vendors_consent) == 65_535
    assert len(str(gpp.plain(tc))) < 10 * len(core)


@given(
    st.one_of(st.text(), st.text(st.sampled_from(ALPHABET + ".="), max_size=400).map("C{}".format))
)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but `StringInvalid` ever comes out."""
    try:
        tcf.parse(text)
    except StringInvalid as error:
        assert "expected" in str(error)  # noqa: PT017 - most texts are refused, some are not


@given(st.sampled_from([FROM_ENCODER, BITFIELDS, RESTRICTED, LARGE]), st.data())
def test_altered_strings_are_read_or_refused(text: str, data: st.DataObject) -> None:
    """Cut anywhere, or with any character changed to any other."""
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(ALPHABET + ".~="))
    for altered in (text[:at], text[:at] + other + text[at + 1 :]):
        try:
            gpp.plain(tcf.parse(altered))
        except StringInvalid as error:
            assert "expected" in str(error)  # noqa: PT017 - as above


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=12))
def test_ids_are_a_set(pairs: list[tuple[int, int]]) -> None:
    """Length, order and membership are those of the numbers, and ranges never touch."""
    inclusive = [(first, first + more) for first, more in pairs]
    expected = {value for first, last in inclusive for value in range(first, last + 1)}

    ids = Ids.of(inclusive)

    assert list(ids) == sorted(expected)
    assert len(ids) == len(expected)
    assert {value for value in range(80) if value in ids} == expected
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(ids.ranges))
    assert "1" not in ids
