"""The sealed side of a record: one data key per subject, so that deleting it erases them all.

Pure: keys and randomness are handed in; `random(n)` answers *n* bytes nobody can foresee.
A sealed record is `0x01 || nonce (12) || AES-256-GCM(salt (32) || canonical event) || tag (16)`;
a wrapped key is `nonce (12) || AES-256-GCM(data key (32)) || tag (16)` (NIST SP 800-38D).

>>> import os
>>> key = DataKey.made(os.urandom)
>>> sealed = key.seal("shop", "0197", Opened(bytes(32), b"{}"), os.urandom)
>>> key.open("shop", "0197", sealed).event
b'{}'
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.choices.record import KEY_BYTES, SALT_BYTES
from consent.errors import VaultUnreadable

Random: TypeAlias = Callable[[int], bytes]

FORMAT_VERSION = 1
"""The layout of a sealed record; its first byte, and part of what is authenticated."""

NONCE_BYTES = 12

WRAP_INFO = b"consent-wrap/v1\x00"

_FORMAT = bytes([FORMAT_VERSION])
_SEALED_START = 1 + NONCE_BYTES


@dataclass(frozen=True, slots=True)
class Opened:
    """What a sealed record holds: the commitment's salt and the canonical bytes of the event."""

    salt: bytes
    event: bytes


class DataKey:
    """The key under which all records of one subject are sealed (or those of a site's own)."""

    __slots__ = ("_cipher", "secret")

    def __init__(self, secret: bytes) -> None:
        """Take the 32 bytes of an AES-256 key; raises `VaultUnreadable` for any other length."""
        if len(secret) != KEY_BYTES:
            raise VaultUnreadable(f"expected a key of {KEY_BYTES} bytes, got {len(secret)}")
        self.secret = secret
        self._cipher = AESGCM(secret)

    @classmethod
    def made(cls, random: Random) -> Self:
        """Make a key for a subject not seen before."""
        return cls(random(KEY_BYTES))

    def seal(self, site: str, record_id: str, record: Opened, random: Random) -> bytes:
        """Encrypt *record* so that it opens under this key, on this site, for this id only.

        Raises `VaultUnreadable` for a salt of another length.
        """
        if len(record.salt) != SALT_BYTES:
            raise VaultUnreadable(f"expected a salt of {SALT_BYTES} bytes, got {len(record.salt)}")
        nonce = random(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, record.salt + record.event, _place(site, record_id))
        return _FORMAT + nonce + sealed

    def open(self, site: str, record_id: str, sealed: bytes) -> Opened:
        """Decrypt what `seal` made; raises `VaultUnreadable`."""
        if sealed[:1] != _FORMAT:
            raise VaultUnreadable(
                f"record {record_id}: expected format {FORMAT_VERSION}, got {sealed[:1].hex()!r}"
            )
        try:
            opened = self._cipher.decrypt(
                sealed[1:_SEALED_START], sealed[_SEALED_START:], _place(site, record_id)
            )
        except (InvalidTag, ValueError) as error:
            raise VaultUnreadable(
                f"record {record_id}: expected bytes sealed under this key for this site and id,"
                f" got {len(sealed)} others"
            ) from error
        return Opened(opened[:SALT_BYTES], opened[SALT_BYTES:])


class SiteWrapping:
    """Wraps the data keys of one site under one version of the key-encryption key.

    Holds the derived key: HKDF-SHA256 (RFC 5869) of the key-encryption key,
    without salt, for the info `"consent-wrap/v1" || 0x00 || site`.
    """

    __slots__ = ("_cipher", "site", "version")

    def __init__(self, site: str, key_encryption_key: bytes, *, version: int) -> None:
        if len(key_encryption_key) != KEY_BYTES or version < 1:
            raise VaultUnreadable(
                f"expected a key-encryption key of {KEY_BYTES} bytes and a version from 1,"
                f" got {len(key_encryption_key)} bytes and {version}"
            )
        self.site = site
        self.version = version
        info = WRAP_INFO + site.encode()
        self._cipher = AESGCM(
            HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(key_encryption_key)
        )

    def wrap(self, subject_ref: str, key: DataKey, random: Random) -> bytes:
        """Encrypt the data key of *subject_ref*, to be kept in a row."""
        nonce = random(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key.secret, self._owner(subject_ref))

    def unwrap(self, subject_ref: str, wrapped: bytes) -> DataKey:
        """Decrypt what `wrap` made; raises `VaultUnreadable`."""
        try:
            secret = self._cipher.decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], self._owner(subject_ref)
            )
        except (InvalidTag, ValueError) as error:
            raise VaultUnreadable(
                f"subject {subject_ref}: expected a key wrapped for this site under version"
                f" {self.version}, got {len(wrapped)} other bytes"
            ) from error
        return DataKey(secret)

    def _owner(self, subject_ref: str) -> bytes:
        return orjson.dumps([self.site, subject_ref, self.version])


def _place(site: str, record_id: str) -> bytes:
    """Write what a sealed record is bound to, so that it can be moved to no other place."""
    # Texts and an integer: RFC 8785 without any of its cases.
    return orjson.dumps([site, record_id, FORMAT_VERSION])
