"""Whether a log continues what was kept of it: yes, cut off, or written anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import CheckpointInvalid, HistoryRewritten, HistoryTruncated
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, Signer
from consent.log.continuity import check, needs_proof, split_kept

ORIGIN = "shop.example/aboveboard/shop/1"
SIGNER = Signer(ORIGIN, bytes(32))
HASHES = [merkle.leaf_hash(b"%d" % at) for at in range(64)]
OTHERS = [merkle.leaf_hash(b"x%d" % at) for at in range(64)]


def head(hashes: list[bytes]) -> Checkpoint:
    """Sign a tree over leaf hashes."""
    return SIGNER.verifier.open(SIGNER.sign(len(hashes), merkle.root(hashes)))


def path(old: int, hashes: list[bytes]) -> list[bytes]:
    """Prove growth where there is any."""
    if not 0 < old < len(hashes):
        return []
    nodes = merkle.Frontier.empty().extend(hashes).nodes()
    return merkle.consistency_proof(
        old_size=old, new_size=len(hashes), read=lambda level, index: nodes[level, index]
    )


@given(st.integers(0, 64), st.integers(0, 64))
def test_a_log_that_grew_continues(one: int, other: int) -> None:
    """From every size, the empty log and itself included; a proof is needed in between only."""
    old, new = sorted((one, other))

    check(head(HASHES[:old]), head(HASHES[:new]), path(old, HASHES[:new]))

    assert needs_proof(head(HASHES[:old]), head(HASHES[:new])) == (0 < old < new)


@given(st.sets(st.integers(0, 64), min_size=2, max_size=2))
def test_a_shorter_log_was_truncated(sizes: set[int]) -> None:
    """Both sizes are told, whatever its entries are."""
    new, old = sorted(sizes)

    for hashes in (HASHES, OTHERS):
        with pytest.raises(HistoryTruncated, match=rf"at least the {old} entries .* got {new}\b"):
            check(head(HASHES[:old]), head(hashes[:new]), [])


@given(st.integers(1, 64), st.integers(1, 64), st.integers(0, 63))
def test_a_log_with_another_entry_was_rewritten(one: int, other: int, at: int) -> None:
    """One changed entry among those that were kept shows, at the same size and behind it."""
    old, new = sorted((one, other))
    touched = HASHES[:new]
    touched[at % old] = OTHERS[at]

    with pytest.raises(HistoryRewritten, match=f"size {old}|first {old} entries"):
        check(head(HASHES[:old]), head(touched), path(old, touched))


def test_growth_without_its_proof_is_not_believed() -> None:
    """Neither without hashes nor with those of other sizes."""
    for wrong in ([], path(5, HASHES[:9]), path(4, HASHES[:8])[1:]):
        with pytest.raises(HistoryRewritten, match="no proof from 4 to 8"):
            check(head(HASHES[:4]), head(HASHES[:8]), wrong)


def test_a_file_of_checkpoints_is_read_whole() -> None:
    """One as it is served, several with one blank line between or more, an end or none."""
    notes = [SIGNER.sign(size, merkle.root(HASHES[:size])) for size in range(4)]

    assert split_kept(notes[0]) == notes[:1]
    assert split_kept("\n".join(notes)) == notes
    assert split_kept("".join(f"{note}\n" for note in notes)) == notes
    assert split_kept("\n\n".join(notes) + "\n\n\n") == notes
    witnessed = notes[1] + "— witness.example AAAAAAAA\n"
    assert split_kept(f"{witnessed}\n{notes[2]}") == [witnessed, notes[2]]


@pytest.mark.parametrize("cut", [1, 20, 60, 120])
def test_what_is_no_file_of_checkpoints_is_refused(cut: int) -> None:
    """Nothing, something else, and a file whose last checkpoint is not whole."""
    note = SIGNER.sign(5, merkle.root(HASHES[:5]))
    for text in ("", "\n", "hello\n", note[:-cut], f"{note}\n{note[:-cut]}", f"x\n\n{note}"):
        with pytest.raises(CheckpointInvalid):
            split_kept(text)
