"""Signed tree heads and proofs as text: C2SP signed note, tlog-checkpoint and tlog-proof.

Pure: keys are handed in.
A log's origin is also the name of its key.

>>> signer = Signer("shop.example/aboveboard/shop/1", bytes(32))
>>> text = signer.sign(0, EMPTY_ROOT)
>>> Verifier.from_vkey(signer.verifier.vkey).open(text).size
0
"""

import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.errors import CheckpointInvalid
from consent.log.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE

MAX_NOTE_CHARS = 262_144
"""Room for far more than the 16 signatures every verifier must accept, post-quantum ones too."""

MAX_PATH_HASHES = 63
"""As many as the deepest tree has levels."""

MAX_EXTRA_BYTES = 65_535
"""As long as the longest entry of a tlog-tiles log."""

PROOF_HEADER = "c2sp.org/tlog-proof@v1"

KEY_ID_BYTES = 4

ED25519 = b"\x01"
"""The signature type of an Ed25519 note key: C2SP signed-note, "Signature types"."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head that a trusted key has signed."""

    origin: str
    size: int
    root: bytes
    signature: bytes
    """The 64 bytes of the trusted key's signature; with the size, all a replay has to keep."""


class Claim(NamedTuple):
    """What a checkpoint says; no signature is checked yet."""

    origin: str
    size: int
    root: bytes


class Verifier:
    """A log's public key under its name; opens what the log signed."""

    __slots__ = ("_line", "_public", "key_id", "name", "vkey")

    def __init__(self, name: str, public: bytes) -> None:
        if not _NAME.fullmatch(name) or _not_utf8(name):
            raise CheckpointInvalid(
                "expected a key name of 1 to 255 characters without space, plus or control"
                f" characters, got {len(name)} characters"
            )
        try:
            self._public = Ed25519PublicKey.from_public_bytes(public)
        except ValueError as error:
            raise CheckpointInvalid(
                f"expected an Ed25519 public key of 32 bytes, got {len(public)} bytes"
            ) from error
        self.name = name
        self.key_id = sha256(name.encode() + b"\n" + ED25519 + public).digest()[:KEY_ID_BYTES]
        self.vkey = f"{name}+{self.key_id.hex()}+{b64encode(ED25519 + public).decode()}"
        self._line = f"\n— {name} "

    @classmethod
    def from_vkey(cls, vkey: str) -> Self:
        """Read `name+hex(key id)+base64(0x01 || public key)`; raises `CheckpointInvalid`."""
        parts = vkey.strip("\n").split("+", 2)
        if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):  # noqa: PLR2004 -- name, id, key
            raise CheckpointInvalid("expected a verifier key name+8 hex digits+base64")
        name, key_id, encoded = parts
        key = _unbase64(encoded, "the verifier key")
        if key[:1] != ED25519:
            raise CheckpointInvalid(f"expected an Ed25519 key (type 01), got type {key[:1].hex()}")
        verifier = cls(name, key[1:])
        if verifier.key_id.hex() != key_id:
            raise CheckpointInvalid(f"expected key id {verifier.key_id.hex()}, got {key_id}")
        return verifier

    def render(self, size: int, root: bytes, signature: bytes) -> str:
        """Put a checkpoint together from its parts, byte for byte as `Signer.sign` wrote it."""
        return self.render_note(_body(self.name, size, root), signature)

    def render_note(self, body: str, signature: bytes) -> str:
        """Put a signed note together from its parts."""
        return f"{body}{self._line}{b64encode(self.key_id + signature).decode()}\n"

    def open(self, text: str) -> Checkpoint:
        """Parse a checkpoint and check this key's signature.

        Signatures of keys not known here are ignored, as C2SP signed-note demands;
        one by this key that does not verify spoils the note.
        Raises `CheckpointInvalid`.
        """
        body, lines = _split_note(text)
        origin, size, root = _read_body(body)
        if origin != self.name:
            raise CheckpointInvalid(f"expected origin {self.name!r}, got {origin[:255]!r}")
        return Checkpoint(self.name, size, root, self._signature(body, lines))

    def open_note(self, text: str) -> str:
        """Check this key's signature under a note that is no checkpoint; returns what it covers.

        Raises `CheckpointInvalid`.
        """
        body, lines = _split_note(text)
        self._signature(body, lines)
        return body

    def _signature(self, body: str, lines: list[str]) -> bytes:
        """Return this key's signature over *body*; raises `CheckpointInvalid`."""
        signature = None
        for line in lines:
            name, signed = _read_signature(line)
            if name != self.name or signed[:KEY_ID_BYTES] != self.key_id:
                continue
            signature = signed[KEY_ID_BYTES:]
            try:
                self._public.verify(signature, body.encode())
            except InvalidSignature as error:
                raise CheckpointInvalid(f"the signature of {self.name} does not verify") from error
        if signature is None:
            raise CheckpointInvalid(f"expected a signature by {self.name}+{self.key_id.hex()}")
        return signature


class Signer:
    """A log's private key under its name; its representation shows the public half only."""

    __slots__ = ("_last", "_private", "verifier")

    def __init__(self, name: str, private: bytes) -> None:
        """Take the 32 bytes of an Ed25519 private key (RFC 8032 §5.1.5)."""
        try:
            self._private = Ed25519PrivateKey.from_private_bytes(private)
        except ValueError as error:
            raise CheckpointInvalid(
                f"expected an Ed25519 private key of 32 bytes, got {len(private)} bytes"
            ) from error
        self.verifier = Verifier(name, self._private.public_key().public_bytes_raw())
        self._last: tuple[int, bytes, bytes] | None = None

    def __repr__(self) -> str:
        return f"Signer({self.verifier.vkey!r})"

    def signature(self, size: int, root: bytes) -> bytes:
        """Sign the tree head; returns the 64 bytes of the bare signature."""
        signature = self._private.sign(_body(self.verifier.name, size, root).encode())
        self._last = (size, root, signature)
        return signature

    def check(self, size: int, root: bytes, signature: bytes) -> None:
        """Check that this key signed that tree head; of the last one it is remembered.

        Raises `CheckpointInvalid`.
        """
        if self._last != (size, root, signature):
            self.verifier.open(self.verifier.render(size, root, signature))

    def sign(self, size: int, root: bytes) -> str:
        """Sign the tree head; returns the whole checkpoint."""
        return self.verifier.render(size, root, self.signature(size, root))

    def sign_note(self, body: str) -> str:
        """Sign a text that nobody can take for a checkpoint of this log; returns the whole note.

        Raises `CheckpointInvalid` for a text that begins as a checkpoint does.
        """
        if not body.endswith("\n") or body.startswith(f"{self.verifier.name}\n"):
            raise CheckpointInvalid("expected lines that do not begin with the log's origin")
        return self.verifier.render_note(body, self._private.sign(body.encode()))


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed tlog-proof: nothing of it is verified yet, *extra* never is."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None


def format_proof(
    index: int, path: Iterable[bytes], checkpoint: str, *, extra: bytes | None = None
) -> str:
    """Write a tlog-proof: header, *extra*, index, one hash a line, blank line, checkpoint."""
    opening = "" if extra is None else f"extra {b2a_base64(extra, newline=False).decode()}\n"
    hashes = b"".join(map(b2a_base64, path)).decode()
    return f"{PROOF_HEADER}\n{opening}index {index}\n{hashes}\n{checkpoint}"


def parse_proof(text: str) -> Proof:
    """Read a tlog-proof, strictly; raises `CheckpointInvalid`."""
    if len(text) > 2 * MAX_NOTE_CHARS:
        raise CheckpointInvalid(
            f"expected a proof of at most {2 * MAX_NOTE_CHARS} characters, got {len(text)}"
        )
    opening, blank, checkpoint = text.partition("\n\n")
    header, *lines = opening.split("\n")
    if not blank or header != PROOF_HEADER:
        raise CheckpointInvalid(f"expected {PROOF_HEADER!r} and lines up to a blank one")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _unbase64(lines.pop(0).removeprefix("extra "), "extra")
        if len(extra) > MAX_EXTRA_BYTES:
            raise CheckpointInvalid(
                f"expected at most {MAX_EXTRA_BYTES} bytes of extra, got {len(extra)}"
            )
    if not lines or not lines[0].startswith("index "):
        raise CheckpointInvalid("expected a line with the index")
    index = _decimal(lines[0].removeprefix("index "), "index")
    if len(lines) - 1 > MAX_PATH_HASHES:
        raise CheckpointInvalid(f"expected at most {MAX_PATH_HASHES} hashes, got {len(lines) - 1}")
    path = tuple(_hash(line, "a hash of the path") for line in lines[1:])
    return Proof(index, path, checkpoint, extra)


def _body(name: str, size: int, root: bytes) -> str:
    return f"{name}\n{size}\n{b64encode(root).decode()}\n"


def read_claim(text: str) -> Claim:
    """Read what a checkpoint says of itself, before it is known whose key to hold it against.

    Raises `CheckpointInvalid`.
    """
    return Claim(*_read_body(_split_note(text)[0]))


def _read_body(body: str) -> tuple[str, int, bytes]:
    """Read origin, size and root from *body*, the text the signatures cover."""
    lines = body.split("\n")[:-1]
    if len(lines) < 3 or not all(lines):  # noqa: PLR2004 -- origin, size, root
        raise CheckpointInvalid("expected at least three non-empty lines: origin, size, root")
    size = _decimal(lines[1], "tree size")
    root = _hash(lines[2], "root")
    if size == 0 and root != EMPTY_ROOT:
        raise CheckpointInvalid(f"expected {EMPTY_ROOT.hex()} at size 0, got {root.hex()}")
    return lines[0], size, root


def _split_note(text: str) -> tuple[str, list[str]]:
    """Split a signed note at its last blank line into text and signature lines."""
    if len(text) > MAX_NOTE_CHARS:
        raise CheckpointInvalid(
            f"expected a note of at most {MAX_NOTE_CHARS} characters, got {len(text)}"
        )
    if _CONTROL.search(text) or _not_utf8(text):
        raise CheckpointInvalid("expected UTF-8 without control characters but newline")
    body, blank, signatures = text.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise CheckpointInvalid("expected text, a blank line and signature lines")
    return body + "\n", signatures[:-1].split("\n")


def _read_signature(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _NAME.fullmatch(parts[1]):  # noqa: PLR2004 -- "— name base64"
        raise CheckpointInvalid("expected a signature line: em dash, key name, base64")
    signed = _unbase64(parts[2], "a signature")
    if len(signed) <= KEY_ID_BYTES:
        raise CheckpointInvalid(f"expected more than {KEY_ID_BYTES} bytes, got {len(signed)}")
    return parts[1], signed


def _not_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _decimal(text: str, what: str) -> int:
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise CheckpointInvalid(
            f"expected {what} in decimal up to {MAX_SIZE}, no leading zeroes, got {text[:20]!r}"
        )
    return int(text)


def _hash(text: str, what: str) -> bytes:
    hashed = _unbase64(text, what)
    if len(hashed) != HASH_BYTES:
        raise CheckpointInvalid(f"expected {what} of {HASH_BYTES} bytes, got {len(hashed)}")
    return hashed


def _unbase64(text: str, what: str) -> bytes:
    """Decode standard padded base64, and only the one spelling that encoding gives."""
    try:
        decoded = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError) as error:
        raise CheckpointInvalid(f"expected {what} in base64, got something else") from error
    if b2a_base64(decoded, newline=False) != text.encode():
        raise CheckpointInvalid(f"expected {what} in canonical base64, got another spelling")
    return decoded
