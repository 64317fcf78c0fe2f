"""Checkpoints and tlog-proofs: written as C2SP says, and read no other way."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import CheckpointInvalid
from consent.log.checkpoint import Proof, Signer, Verifier, format_proof, parse_proof
from consent.log.merkle import EMPTY_ROOT, MAX_SIZE

NAME = "shop.example/aboveboard/shop-example/1"
SIGNER = Signer(NAME, bytes(range(32)))
VERIFIER = SIGNER.verifier
ROOT = bytes(range(100, 132))
NOTE = SIGNER.sign(12, ROOT)
WITNESS = "— witness.example " + b64encode(b"\x01\x02\x03\x04" + bytes(2420)).decode() + "\n"


@given(st.integers(0, MAX_SIZE), st.binary(min_size=32, max_size=32))
def test_what_was_signed_opens(size: int, root: bytes) -> None:
    """Size and root come back, and the bare signature makes the same text again."""
    root = root if size else EMPTY_ROOT
    note = SIGNER.sign(size, root)

    opened = Verifier.from_vkey(VERIFIER.vkey).open(note)

    assert (opened.origin, opened.size, opened.root) == (NAME, size, root)
    assert VERIFIER.render(size, root, opened.signature) == note


def test_an_empty_tree_has_one_root() -> None:
    """Whoever signs another over nothing has signed what no log can have."""
    with pytest.raises(CheckpointInvalid, match=f"expected {EMPTY_ROOT.hex()} at size 0"):
        VERIFIER.open(SIGNER.sign(0, ROOT))


def test_a_key_of_another_implementation_is_read() -> None:
    """The example key of the Go package that signed notes come from has the id it says."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

    verifier = Verifier.from_vkey(vkey)

    assert (verifier.name, verifier.key_id.hex(), verifier.vkey) == (
        "PeterNeumann",
        "c74f20a3",
        vkey,
    )


def test_signatures_of_unknown_keys_are_ignored() -> None:
    """Witnesses may cosign, with keys and algorithms that this verifier does not know."""
    same_name = f"— {NAME} " + b64encode(b"\xff\xff\xff\xffother").decode() + "\n"

    assert VERIFIER.open(NOTE + WITNESS * 16 + same_name).size == 12


def test_extension_lines_are_allowed_and_signed() -> None:
    """C2SP tlog-checkpoint lets other logs add lines; ours never does."""
    body = f"{NAME}\n12\n{b64encode(ROOT).decode()}\nextension\n"
    signature = SIGNER._private.sign(body.encode())
    line = f"— {NAME} {b64encode(VERIFIER.key_id + signature).decode()}\n"

    assert VERIFIER.open(f"{body}\n{line}").root == ROOT
    with pytest.raises(CheckpointInvalid, match="does not verify"):
        VERIFIER.open(f"{body.replace('extension', 'Extension')}\n{line}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{NAME}\n12", f"{NAME}\n13"),
        (f"{NAME}\n12", f"{NAME}\n012"),
        (f"{NAME}\n12", f"{NAME}\n-1"),
        (f"{NAME}\n12", f"{NAME}\n\uff19"),
        (f"{NAME}\n12", f"{NAME}\n9223372036854775808"),
        (f"{NAME}\n12", f"{NAME}\n" + "9" * 5000),
        (f"{NAME}\n12", f"{NAME}\n0"),
        (f"{NAME}\n12", "other.example\n12"),
        (f"{NAME}\n12", f"{NAME}\n\n12"),
        ("\n\n", "\n"),
        ("=\n\n", "\n\n"),
        ("=\n\n", "= \n\n"),
        ("=\n\n", "=\r\n\n"),
        ("=\n\n", "=\n\x00\n\n"),
        ("=\n\n", "=\n\ud800\n\n"),
        ("— ", "- "),
        ("— ", "—  "),
        ("— ", "—\u00a0"),
        (b64encode(ROOT).decode(), b64encode(ROOT[:31]).decode()),
        (b64encode(ROOT).decode(), b64encode(ROOT).decode()[:-2] + "N="),
    ],
)
def test_a_changed_checkpoint_is_refused(old: str, new: str) -> None:
    """Another number, name, root, line or spelling is no checkpoint of this log."""
    assert old in NOTE

    with pytest.raises(CheckpointInvalid):
        VERIFIER.open(NOTE.replace(old, new, 1))


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_character_can_be_changed(place: int, character: str) -> None:
    """Every character of a checkpoint counts."""
    changed = NOTE[:place] + character + NOTE[place + 1 :]
    if changed == NOTE:
        return

    with pytest.raises(CheckpointInvalid):
        VERIFIER.open(changed)


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "garbage\n",
        NOTE + "— x AAAA\n",
        NOTE.rpartition("— ")[0],
        NOTE.rpartition("— ")[0] + WITNESS,
        NOTE + WITNESS * 200,
        NOTE + NOTE.rpartition("\n\n")[2].replace("A", "B"),
    ],
)
def test_what_is_no_note_by_this_key_is_refused(note: str) -> None:
    """Cut short, run on, unsigned, too long, or with a second signature that fails."""
    with pytest.raises(CheckpointInvalid):
        VERIFIER.open(note)


def test_another_key_of_the_same_name_does_not_open() -> None:
    """The name is not the key."""
    other = Signer(NAME, bytes(32))

    with pytest.raises(CheckpointInvalid, match="expected a signature by"):
        other.verifier.open(NOTE)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x7fb", "x" * 256, "\ud800"]
)
def test_names_that_no_key_may_have(name: str) -> None:
    """C2SP signed-note allows neither spaces nor plus, and a name that is no text is none."""
    with pytest.raises(CheckpointInvalid, match="key name"):
        Signer(name, bytes(32))


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        NAME,
        VERIFIER.vkey.replace("+", " "),
        VERIFIER.vkey.replace(NAME, "other"),
        VERIFIER.vkey.upper(),
        VERIFIER.vkey[:-1],
        f"x+00000000+{b64encode(bytes([4]) + bytes(32)).decode()}",
        f"x+00000000+{b64encode(bytes([1]) + bytes(31)).decode()}",
        "x+00000000+",
    ],
)
def test_keys_that_are_none(vkey: str) -> None:
    """Form, type, length and key id of a verifier key are all checked."""
    with pytest.raises(CheckpointInvalid):
        Verifier.from_vkey(vkey)


def test_a_private_key_of_another_length_is_refused_and_none_is_shown() -> None:
    """The private half appears in no message and no representation."""
    with pytest.raises(CheckpointInvalid, match="32 bytes, got 31"):
        Signer(NAME, bytes(31))
    assert repr(SIGNER) == f"Signer({VERIFIER.vkey!r})"


@given(
    st.integers(0, MAX_SIZE),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.none() | st.binary(max_size=200),
)
def test_a_proof_comes_back(index: int, path: list[bytes], extra: bytes | None) -> None:
    """Whatever is written as tlog-proof is read as the same."""
    text = format_proof(index, path, NOTE, extra=extra)

    assert parse_proof(text) == Proof(index, tuple(path), NOTE, extra)


def test_the_form_of_a_proof() -> None:
    """Header, extra, index, hashes, blank line, checkpoint: C2SP tlog-proof."""
    text = format_proof(5, [bytes(32)], NOTE, extra=b"leaf")

    hashed = b64encode(bytes(32)).decode()
    assert text == f"c2sp.org/tlog-proof@v1\nextra bGVhZg==\nindex 5\n{hashed}\n\n{NOTE}"


PROOF = format_proof(5, [bytes(32)], NOTE, extra=b"leaf")


@pytest.mark.parametrize(
    "text",
    [
        "",
        NOTE,
        PROOF.replace("@v1", "@v2"),
        PROOF.replace("index 5", "index 05"),
        PROOF.replace("index 5", "index -5"),
        PROOF.replace("index 5", "index"),
        PROOF.replace("index 5\n", ""),
        PROOF.replace("extra bGVhZg==", "extra bGVhZh=="),
        PROOF.replace("extra bGVhZg==", "extra bGVhZg"),
        PROOF.replace("extra bGVhZg==\n", "extra bGVhZg==\n" * 2),
        PROOF.replace("A=\n\n", "A\n\n"),
        PROOF.replace("A=\n\n", "A=\nAAAA\n\n"),
        format_proof(5, [bytes(32)] * 64, NOTE),
        format_proof(5, [], NOTE, extra=bytes(65_536)),
        PROOF + "x" * 600_000,
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    """Every line has one spelling, and everything has its bound."""
    with pytest.raises(CheckpointInvalid):
        parse_proof(text)


def test_other_texts_are_signed_as_notes_that_are_no_checkpoints() -> None:
    """A log's key may seal something else, as long as nobody can read a tree head from it."""
    body = "another-format/1\nsomething\n"
    note = SIGNER.sign_note(body)

    assert VERIFIER.open_note(note) == body
    with pytest.raises(CheckpointInvalid, match="at least three"):
        VERIFIER.open(note)
    with pytest.raises(CheckpointInvalid, match="does not verify"):
        VERIFIER.open_note(note.replace("something", "another thing"))
    with pytest.raises(CheckpointInvalid, match="expected a signature"):
        VERIFIER.open_note(body + "\n" + WITNESS)
    for taken in (f"{NAME}\n12\nroot\n", "no end of line"):
        with pytest.raises(CheckpointInvalid, match="do not begin with the log's origin"):
            SIGNER.sign_note(taken)
