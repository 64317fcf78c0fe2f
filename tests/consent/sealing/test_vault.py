"""The vault: what is sealed opens in its own place, with its own key, unchanged, or not at all."""

import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import VaultUnreadable
from consent.sealing.vault import DataKey, Opened, SiteWrapping

SUBJECT = "1." + "0" * 32
RECORD = Opened(bytes(range(32)), b'{"event_type":"given"}')
KEY = DataKey(bytes(range(32)))
WRAPPING = SiteWrapping("shop", bytes(32), version=1)
SEALED = KEY.seal("shop", "r1", RECORD, os.urandom)
WRAPPED = WRAPPING.wrap(SUBJECT, KEY, os.urandom)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=2000), st.text(), st.text())
def test_what_is_sealed_opens(salt: bytes, event: bytes, site: str, record_id: str) -> None:
    """Salt and event come back, under a key that was wrapped and unwrapped on the way."""
    record = Opened(salt, event)
    wrapping = SiteWrapping(site, bytes(32), version=1)
    key = DataKey.made(os.urandom)

    sealed = key.seal(site, record_id, record, os.urandom)
    unwrapped = wrapping.unwrap(SUBJECT, wrapping.wrap(SUBJECT, key, os.urandom))

    assert unwrapped.open(site, record_id, sealed) == record


@pytest.mark.parametrize(
    ("key", "site", "record_id"),
    [
        (DataKey(bytes(32)), "shop", "r1"),
        (KEY, "blog", "r1"),
        (KEY, "shop", "r2"),
        (KEY, 'shop","r1', "r1"),
    ],
)
def test_a_record_opens_in_no_other_place(key: DataKey, site: str, record_id: str) -> None:
    """Neither under another key, nor on another site, nor as another record."""
    with pytest.raises(VaultUnreadable):
        key.open(site, record_id, SEALED)


@pytest.mark.parametrize(
    ("wrapping", "subject"),
    [
        (SiteWrapping("blog", bytes(32), version=1), SUBJECT),
        (SiteWrapping("shop", bytes([1]) * 32, version=1), SUBJECT),
        (SiteWrapping("shop", bytes(32), version=2), SUBJECT),
        (WRAPPING, "2." + "0" * 32),
    ],
)
def test_a_key_unwraps_in_no_other_place(wrapping: SiteWrapping, subject: str) -> None:
    """Neither on another site, nor by another key or version, nor for another subject."""
    with pytest.raises(VaultUnreadable):
        wrapping.unwrap(subject, WRAPPED)


@pytest.mark.parametrize("size", range(0, len(SEALED), 7))
def test_a_shortened_record_does_not_open(size: int) -> None:
    """However much is missing, the answer is one error and no other."""
    with pytest.raises(VaultUnreadable):
        KEY.open("shop", "r1", SEALED[:size])


def test_a_changed_byte_anywhere_is_noticed() -> None:
    """Format, nonce, text and tag are all covered."""
    for sealed, opens in (
        (SEALED, lambda changed: KEY.open("shop", "r1", changed)),
        (WRAPPED, lambda changed: WRAPPING.unwrap(SUBJECT, changed)),
    ):
        for place in range(len(sealed)):
            changed = bytearray(sealed)
            changed[place] ^= 1
            with pytest.raises(VaultUnreadable):
                opens(bytes(changed))


@pytest.mark.parametrize(
    "wrapped",
    [b"", b"x", WRAPPED[:-1], WRAPPED + b"x"],
    ids=["nothing", "one byte", "one too few", "one too many"],
)
def test_a_wrapped_key_of_another_length_does_not_unwrap(wrapped: bytes) -> None:
    """Not even the errors of the library behind get out."""
    with pytest.raises(VaultUnreadable):
        WRAPPING.unwrap(SUBJECT, wrapped)


def test_each_sealing_takes_a_fresh_nonce() -> None:
    """AES-GCM falls with a nonce used twice, so each sealing asks for twelve bytes of its own."""
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return bytes([len(asked)]) * count

    first = KEY.seal("shop", "r1", RECORD, random)
    second = KEY.seal("shop", "r1", RECORD, random)
    WRAPPING.wrap(SUBJECT, KEY, random)
    DataKey.made(random)

    assert asked == [12, 12, 12, 32]
    assert (first[:13], second[:13]) == (b"\x01" * 13, b"\x01" + b"\x02" * 12)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: DataKey(bytes(16)),
        lambda: DataKey.made(lambda _: b""),
        lambda: SiteWrapping("shop", bytes(16), version=1),
        lambda: SiteWrapping("shop", bytes(32), version=0),
        lambda: KEY.seal("shop", "r1", Opened(b"short", b"{}"), os.urandom),
    ],
    ids=["data key", "made key", "wrapping key", "version", "salt"],
)
def test_weak_keys_and_salts_are_refused(refused: Callable[[], object]) -> None:
    """AES-128 is not what the format says, and a short salt would swallow part of the event."""
    with pytest.raises(VaultUnreadable):
        refused()


def test_no_representation_shows_a_key() -> None:
    """A key in a log would be a key lost."""
    assert bytes(range(32)).hex() not in repr(KEY) + repr(WRAPPING)
    assert "\\x01\\x02" not in repr(KEY) + repr(WRAPPING)
