"""Check a saved receipt against a log's public key, with no service and no network.

Pure: bytes and a key come in.
A receipt is the body of the 201 answer, saved as it is; `docs/decisions/consent-format.md`
says what it holds. The event is opaque here, but for the members that the leaf repeats,
so that events with members not yet known verify too.
"""

import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, TypeVar

from consent.choices.record import Json, canonical, commit, each_once, instant, leaf, parse_instant
from consent.errors import (
    CheckpointInvalid,
    EventInvalid,
    MemberRepeated,
    ProofInvalid,
    ReceiptInvalid,
)
from consent.log.checkpoint import Proof, Verifier, parse_proof
from consent.log.merkle import leaf_hash, verify_inclusion

MAX_RECEIPT_BYTES = 1_048_576
MAX_NESTING = 32
MAX_DIGITS = 20
"""Digits of a number; more than 64 bits are in no receipt."""

_Kind = TypeVar("_Kind")

# The closing quote may be missing, so that a string without an end is walked only once.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[{\]}]")


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """What a receipt proves: that the log *origin* holds *event*, unchanged, at *index*."""

    record_id: str
    origin: str
    size: int
    """Leaves in the tree whose signed checkpoint the receipt carries."""

    index: int
    received_at: datetime
    event: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class _Receipt:
    """The members of a receipt, of the right types and no more than that."""

    record_id: str
    event: dict[str, Json]
    salt: bytes
    leaf: bytes
    leaf_index: int
    proof: str


def verify(receipt: bytes, verifier: Verifier) -> VerifiedReceipt:
    """Recompute commitment, leaf and root of *receipt* and hold them against its checkpoint.

    Raises `ReceiptInvalid`, whose *step* says how far the receipt held.
    """
    saved = _members(_parse(receipt))
    received_at = _check_event(saved)
    proof = _read_proof(saved)
    try:
        checkpoint = verifier.open(proof.checkpoint)
    except CheckpointInvalid as error:
        raise ReceiptInvalid("checkpoint", str(error)) from error
    try:
        verify_inclusion(
            index=proof.index,
            size=checkpoint.size,
            leaf=leaf_hash(saved.leaf),
            proof=proof.path,
            root=checkpoint.root,
        )
    except ProofInvalid as error:
        raise ReceiptInvalid("inclusion", str(error)) from error
    return VerifiedReceipt(
        saved.record_id, checkpoint.origin, checkpoint.size, proof.index, received_at, saved.event
    )


def event_of(receipt: bytes) -> Mapping[str, Json]:
    """Take the event out of *receipt* without checking that any log holds it: see `verify`.

    Raises `ReceiptInvalid` where it is no receipt.
    """
    return _members(_parse(receipt)).event


def _check_event(saved: _Receipt) -> datetime:
    """Check that the leaf is the one that the event and the salt make."""
    if saved.event.get("record_id") != saved.record_id:
        raise ReceiptInvalid(
            "event", f"expected record {saved.record_id!r}, got {saved.event.get('record_id')!r}"
        )
    received = saved.event.get("received_at")
    try:
        received_at = parse_instant(received if isinstance(received, str) else "")
        committed = commit(saved.salt, canonical(saved.event))
    except EventInvalid as error:
        raise ReceiptInvalid("event", str(error)) from error
    _check_leaf(saved.leaf, leaf(saved.record_id, instant(received_at), committed))
    return received_at


def _check_leaf(found: bytes, made: bytes) -> None:
    """Check that *found* is the leaf *made* here; where it is not, say in which member."""
    if found == made:
        return
    try:
        members = _parse(found)
    except ReceiptInvalid as error:
        raise ReceiptInvalid("leaf", str(error)) from error
    computed = _parse(made)
    # The commitment last: it differs whenever anything does, and says least.
    for name, step in (("v", "leaf"), ("id", "leaf"), ("t", "leaf"), ("c", "commitment")):
        expected, got = computed[name], members.get(name)
        if got != expected:
            raise ReceiptInvalid(step, f"{name}: expected {expected!r}, got {got!r:.512}")
    raise ReceiptInvalid("leaf", f"expected {made!r}, got {found[:512]!r}")


def _read_proof(saved: _Receipt) -> Proof:
    try:
        proof = parse_proof(saved.proof)
    except CheckpointInvalid as error:
        raise ReceiptInvalid("proof", str(error)) from error
    if proof.index != saved.leaf_index:
        raise ReceiptInvalid("proof", f"expected index {saved.leaf_index}, got {proof.index}")
    if proof.extra != saved.leaf:
        raise ReceiptInvalid("proof", f"expected the leaf as extra, got {proof.extra!r:.512}")
    return proof


def _parse(receipt: bytes) -> dict[str, object]:
    """Read JSON strictly: bounds first, then no name twice, no NaN, no endless number."""
    if len(receipt) > MAX_RECEIPT_BYTES:
        _refuse(f"expected at most {MAX_RECEIPT_BYTES} bytes, got {len(receipt)}")
    try:
        text = receipt.decode()
        _check_nesting(text)
        parsed = json.loads(
            text, object_pairs_hook=each_once, parse_constant=_constant, parse_int=_integer
        )
    except MemberRepeated as error:
        raise ReceiptInvalid("json", str(error)) from error
    except ValueError as error:
        raise ReceiptInvalid("json", f"expected JSON in UTF-8, got {error}") from error
    if not isinstance(parsed, dict):
        _refuse(f"expected an object, got {type(parsed).__name__}")
    return parsed


def _refuse(finding: str) -> NoReturn:
    raise ReceiptInvalid("json", finding)


def _check_nesting(text: str) -> None:
    """Count brackets outside strings, before a parser that recurses is let at them."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_NESTING:
            _refuse(f"expected at most {MAX_NESTING} levels, got more")


def _constant(word: str) -> NoReturn:
    _refuse(f"expected numbers that JSON has, got {word}")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        _refuse(f"expected an integer of at most {MAX_DIGITS} characters, got {len(digits)}")
    return int(digits)


def _members(parsed: dict[str, object]) -> _Receipt:
    """Pick the members of a receipt by name and type; others, such as `standing`, may be there."""
    return _Receipt(
        record_id=_member(parsed, "record_id", str),
        event=_member(parsed, "event", dict),
        salt=_bytes(parsed, "salt"),
        leaf=_bytes(parsed, "leaf"),
        leaf_index=_member(parsed, "leaf_index", int),
        proof=_member(parsed, "proof", str),
    )


def _member(parsed: dict[str, object], name: str, kind: type[_Kind]) -> _Kind:
    found = parsed.get(name)
    # By type itself, since a boolean would pass for an index.
    if type(found) is not kind:
        got = "none" if found is None else type(found).__name__
        raise ReceiptInvalid("members", f"{name}: expected {kind.__name__}, got {got}")
    return found


def _bytes(parsed: dict[str, object], name: str) -> bytes:
    encoded = _member(parsed, name, str)
    try:
        decoded = a2b_base64(encoded, strict_mode=True)
    except ValueError as error:
        raise ReceiptInvalid("members", f"{name}: expected base64, got {error}") from error
    if b2a_base64(decoded, newline=False) != encoded.encode():
        raise ReceiptInvalid("members", f"{name}: expected canonical base64, got another spelling")
    return decoded
