"""Receipts: a true one verifies, and one that was touched anywhere says where."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import ReceiptInvalid
from consent.log.checkpoint import Signer, Verifier
from consent.proofs import receipt

LOG = json.loads((Path(__file__).parents[2] / "vectors" / "log.json").read_text("utf-8"))
VERIFIER = Verifier.from_vkey(LOG["checkpoints"][-1]["vkey"])
SAVED: dict[str, Any] = LOG["receipts"][1]


def refusal(saved: dict[str, Any] | bytes, verifier: Verifier = VERIFIER) -> ReceiptInvalid:
    """Verify *saved* and return the refusal."""
    body = saved if isinstance(saved, bytes) else json.dumps(saved).encode()
    with pytest.raises(ReceiptInvalid) as caught:
        receipt.verify(body, verifier)
    return caught.value


def test_a_true_receipt_says_what_it_proves() -> None:
    """Origin, tree size, place, time and event come out of it."""
    verified = receipt.verify(json.dumps(SAVED).encode(), VERIFIER)

    assert verified.record_id == SAVED["record_id"]
    assert (verified.origin, verified.size, verified.index) == (VERIFIER.name, 5, 1)
    assert verified.received_at.isoformat() == "2026-01-02T03:04:01+00:00"
    assert verified.event == SAVED["event"]


def test_members_around_the_receipt_are_tolerated() -> None:
    """The answer may carry more than the receipt, even numbers that no event may hold."""
    answer = SAVED | {"standing": {"ads": {"allowed": False, "score": 1.5, "until": None}}}

    assert receipt.verify(json.dumps(answer, indent=2).encode(), VERIFIER).index == 1


def test_the_first_receipt_of_a_log_verifies() -> None:
    """In a tree of one leaf there is no path, and the leaf is the root."""
    head = LOG["checkpoints"][1]
    saved = LOG["receipts"][0]
    opening = "\n".join(saved["proof"].split("\n")[:3])
    proof = f"{opening}\n\n{head['checkpoint']}"

    verified = receipt.verify(json.dumps(saved | {"proof": proof}).encode(), VERIFIER)

    assert (verified.index, verified.size) == (0, 1)


OTHER = LOG["receipts"][2]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"event": SAVED["event"] | {"event_type": "refused"}}, "commitment"),
        ({"event": SAVED["event"] | {"added": "member"}}, "commitment"),
        ({"event": OTHER["event"]}, "event"),
        ({"event": SAVED["event"] | {"received_at": "2026-01-02T03:04:02Z"}}, "leaf"),
        ({"event": SAVED["event"] | {"received_at": "yesterday"}}, "event"),
        ({"event": SAVED["event"] | {"received_at": 5}}, "event"),
        ({"event": SAVED["event"] | {"share": 0.5}}, "event"),
        ({"event": SAVED["event"] | {"page": None}}, "event"),
        ({"event": SAVED["event"] | {"page": "\ud800"}}, "event"),
        ({"event": []}, "members"),
        ({"record_id": OTHER["record_id"]}, "event"),
        ({"record_id": None}, "members"),
        ({"salt": OTHER["salt"]}, "commitment"),
        ({"salt": b64encode(bytes(31)).decode()}, "event"),
        ({"salt": SAVED["salt"].rstrip("=")}, "members"),
        ({"salt": SAVED["salt"] + "\n"}, "members"),
        ({"salt": "é"}, "members"),
        ({"salt": SAVED["salt"][:-2] + "V="}, "members"),
        ({"leaf": OTHER["leaf"]}, "leaf"),
        ({"leaf": b64encode(b"leaf").decode()}, "leaf"),
        ({"leaf_index": 2}, "proof"),
        ({"leaf_index": True}, "members"),
        ({"leaf_index": "1"}, "members"),
        ({"proof": ""}, "proof"),
        ({"proof": OTHER["proof"]}, "proof"),
        ({"proof": SAVED["proof"].replace("index 1", "index 2"), "leaf_index": 2}, "inclusion"),
        ({"proof": SAVED["proof"].replace("\n5\n", "\n4\n")}, "checkpoint"),
        ({"proof": SAVED["proof"].rpartition("— ")[0]}, "checkpoint"),
    ],
)
def test_a_changed_receipt_says_where_it_breaks(change: dict[str, Any], step: str) -> None:
    """Each member is bound to the next, up to the signature."""
    assert refusal(SAVED | change).step == step


@pytest.mark.parametrize("missing", SAVED)
def test_a_receipt_with_a_member_missing_is_refused(missing: str) -> None:
    """Nothing of a receipt can be left away."""
    saved = {name: member for name, member in SAVED.items() if name != missing}

    assert refusal(saved).step == "members"


def test_another_spelling_of_the_leaf_is_refused() -> None:
    """A leaf with the same members in other bytes has another hash."""
    spaced = json.dumps(
        {"v": 1, "id": SAVED["record_id"], "t": SAVED["event"]["received_at"], "c": commitment()}
    )
    saved = SAVED | {"leaf": b64encode(spaced.encode()).decode()}

    assert refusal(saved).step == "leaf"


def commitment() -> str:
    """Take the commitment out of the saved leaf."""
    vectors = json.loads((Path(__file__).parents[2] / "vectors" / "event.json").read_text("utf-8"))
    return b64encode(bytes.fromhex(vectors[1]["commitment"])).decode()


def test_the_extra_line_must_be_the_leaf() -> None:
    """The unauthenticated line of the proof may not say something else."""
    lines = SAVED["proof"].split("\n")
    for extra in ([], ["extra " + OTHER["leaf"]]):
        proof = "\n".join([lines[0], *extra, *lines[2:]])

        assert refusal(SAVED | {"proof": proof}).step == "proof"


def test_another_log_of_the_same_operator_does_not_count() -> None:
    """A receipt is held against one key under one name."""
    other = Signer(VERIFIER.name.replace("/1", "/2"), bytes(32)).verifier

    assert refusal(SAVED, other).step == "checkpoint"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"a":1,"a":2}',
        b'{"event":{"a":1,"a":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":' + b"1" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'"' + b'\\"' * 400_000,
        b" " * 1_048_577,
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    """Bounds come first, and what two parsers may read differently is read by none."""
    assert refusal(body).step == "json"


def test_brackets_inside_strings_are_not_nesting() -> None:
    """A text may hold as many brackets as it likes."""
    answer = SAVED | {"note": '[{"\\' * 1000}

    assert receipt.verify(json.dumps(answer).encode(), VERIFIER).index == 1


@given(st.data())
def test_no_byte_of_a_receipt_can_be_changed_unnoticed(data: st.DataObject) -> None:
    """What still verifies after a change proves the very same event at the same place."""
    body = bytearray(json.dumps(SAVED, separators=(",", ":")).encode())
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    try:
        verified = receipt.verify(bytes(body), VERIFIER)
    except ReceiptInvalid:
        return

    assert verified.event == SAVED["event"]
    assert (verified.record_id, verified.index) == (SAVED["record_id"], 1)
