"""Merkle trees: every proof of every small tree holds, and nothing else does."""

from collections.abc import Callable
from functools import cache
from itertools import combinations, combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import FrontierInvalid, OutsideTree, ProofInvalid
from consent.log import merkle

LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(300)]
NODES = merkle.Frontier.empty().extend(LEAVES).nodes()
SIZES = range(301)


@cache
def naive_root(start: int, stop: int) -> bytes:
    """Follow the recursive definition over leaves *start* to before *stop*: RFC 9162 §2.1.1."""
    size = stop - start
    if size < 2:
        return LEAVES[start] if size else merkle.EMPTY_ROOT
    cut = start + (1 << (size - 1).bit_length() - 1)
    return merkle.node_hash(naive_root(start, cut), naive_root(cut, stop))


def naive_path(index: int, start: int, stop: int) -> list[bytes]:
    """Follow the recursive definition: RFC 9162 §2.1.3.1."""
    size = stop - start
    if size < 2:
        return []
    cut = start + (1 << (size - 1).bit_length() - 1)
    if index < cut:
        return [*naive_path(index, start, cut), naive_root(cut, stop)]
    return [*naive_path(index, cut, stop), naive_root(start, cut)]


ROOTS = [naive_root(0, size) for size in SIZES]


def reader(size: int) -> Callable[[int, int], bytes]:
    """Read complete nodes of the tree of *size* and refuse to know any other."""

    def read(level: int, index: int) -> bytes:
        assert (index + 1) << level <= size
        return NODES[level, index]

    return read


def test_every_inclusion_proof_is_the_defined_one_and_verifies() -> None:
    """Each leaf of each tree up to 300 has the path of the recursive definition."""
    for index, size in combinations(SIZES, 2):
        path = merkle.inclusion_proof(index=index, size=size, read=reader(size))

        assert path == naive_path(index, 0, size)
        merkle.verify_inclusion(
            index=index, size=size, leaf=LEAVES[index], proof=path, root=ROOTS[size]
        )


def test_every_consistency_proof_verifies() -> None:
    """Each tree up to 300 is shown to be a prefix of each later one."""
    for old, new in combinations_with_replacement(SIZES[1:], 2):
        path = merkle.consistency_proof(old_size=old, new_size=new, read=reader(new))

        merkle.verify_consistency(
            old_size=old, old_root=ROOTS[old], new_size=new, new_root=ROOTS[new], proof=path
        )


@pytest.mark.parametrize("size", range(1, 33))
def test_a_proof_holds_for_one_place_only(size: int) -> None:
    """A path that verifies at its index verifies at no other index, and for no other leaf."""
    for index in range(size):
        path = naive_path(index, 0, size)
        for other in range(size):
            if other == index:
                continue
            for place, leaf in ((other, LEAVES[index]), (index, LEAVES[other])):
                with pytest.raises(ProofInvalid):
                    merkle.verify_inclusion(
                        index=place, size=size, leaf=leaf, proof=path, root=ROOTS[size]
                    )


@given(st.data())
def test_a_changed_inclusion_proof_is_refused(data: st.DataObject) -> None:
    """One flipped bit, one hash more, one less or two swapped: none of them verifies."""
    size = data.draw(st.sampled_from(SIZES[3:]))
    index = data.draw(st.integers(0, size - 1))
    path = changed(naive_path(index, 0, size), data)

    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(
            index=index, size=size, leaf=LEAVES[index], proof=path, root=ROOTS[size]
        )


@given(st.data())
def test_a_changed_consistency_proof_is_refused(data: st.DataObject) -> None:
    """One flipped bit, one hash more, one less or two swapped: none of them verifies."""
    new = data.draw(st.sampled_from(SIZES[3:]))
    old = data.draw(st.sampled_from([size for size in SIZES if 0 < size < new]))
    path = merkle.consistency_proof(old_size=old, new_size=new, read=reader(new))
    path = changed(path, data)

    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(
            old_size=old, old_root=ROOTS[old], new_size=new, new_root=ROOTS[new], proof=path
        )


def changed(path: list[bytes], data: st.DataObject) -> list[bytes]:
    """Change *path* in one of the ways that a forger or a faulty disk would."""
    place = data.draw(st.integers(0, len(path) - 1))
    ways = ["flip", "drop", "repeat", "truncate hash"] + ["swap"] * (len(path) > 1)
    way = data.draw(st.sampled_from(ways))
    if way == "drop":
        return path[:place] + path[place + 1 :]
    if way == "repeat":
        return path[:place] + path[place : place + 1] + path[place:]
    if way == "swap":
        other = (place + 1) % len(path)
        path[place], path[other] = path[other], path[place]
        return path
    if way == "truncate hash":
        path[place] = path[place][:-1]
        return path
    bit = data.draw(st.integers(0, 255))
    flipped = int.from_bytes(path[place], "big") ^ 1 << bit
    path[place] = flipped.to_bytes(32, "big")
    return path


@given(st.sampled_from(SIZES[3:]), st.data())
def test_another_root_is_refused(new: int, data: st.DataObject) -> None:
    """A consistency proof holds for neither another old nor another new root."""
    old = data.draw(st.sampled_from([size for size in SIZES if 0 < size < new]))
    path = merkle.consistency_proof(old_size=old, new_size=new, read=reader(new))

    for roots in ((LEAVES[0][::-1], ROOTS[new]), (ROOTS[old], LEAVES[0][::-1])):
        with pytest.raises(ProofInvalid, match="root"):
            merkle.verify_consistency(
                old_size=old, old_root=roots[0], new_size=new, new_root=roots[1], proof=path
            )


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (0, 2**63)])
def test_inclusion_outside_the_tree_is_refused(index: int, size: int) -> None:
    """A leaf that the tree does not have is neither proved nor verified."""
    with pytest.raises(OutsideTree):
        merkle.inclusion_proof(index=index, size=size, read=reader(300))
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(index=index, size=size, leaf=LEAVES[0], proof=[], root=LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (6, 5), (-1, 5), (1, 2**63)])
def test_consistency_that_proves_nothing_is_refused(old: int, new: int) -> None:
    """From the empty tree, or backwards, there is nothing to prove."""
    with pytest.raises(OutsideTree):
        merkle.consistency_proof(old_size=old, new_size=new, read=reader(300))
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(
            old_size=old, old_root=LEAVES[0], new_size=new, new_root=LEAVES[0], proof=[]
        )


def test_between_equal_sizes_no_hash_and_no_other_root() -> None:
    """A tree is consistent with itself only, and that takes no proof."""
    for new_root, proof in ((ROOTS[5], [LEAVES[0]]), (ROOTS[6], [])):
        with pytest.raises(ProofInvalid):
            merkle.verify_consistency(
                old_size=5, old_root=ROOTS[5], new_size=5, new_root=new_root, proof=proof
            )


def test_between_unequal_sizes_some_hash() -> None:
    """A whole old tree still needs hashes to become the new one."""
    for old in (4, 5):
        with pytest.raises(ProofInvalid):
            merkle.verify_consistency(
                old_size=old, old_root=ROOTS[old], new_size=7, new_root=ROOTS[7], proof=[]
            )


def test_hashes_of_another_length_are_refused() -> None:
    """Neither leaf nor root nor path may be anything but 32 bytes."""
    with pytest.raises(ProofInvalid, match="32 bytes"):
        merkle.verify_inclusion(index=0, size=1, leaf=b"x", proof=[], root=b"x")
    with pytest.raises(ProofInvalid, match="32 bytes"):
        merkle.verify_consistency(old_size=1, old_root=b"", new_size=1, new_root=b"", proof=[])


@given(st.lists(st.integers(0, 70), max_size=8))
def test_a_tree_grown_in_batches_is_the_same_tree(batches: list[int]) -> None:
    """However the leaves are split into batches, edge, root, nodes and proofs are the same."""
    edge = merkle.Frontier.empty()
    nodes: dict[tuple[int, int], bytes] = {}
    for batch in batches:
        size = min(edge.size + batch, len(LEAVES))
        grown = edge.extend(LEAVES[edge.size : size])

        assert grown.root == grown.frontier.root() == naive_root(0, size)
        assert not nodes.keys() & grown.nodes().keys()
        nodes |= grown.nodes()
        proofs = grown.inclusion_proofs()
        for index, path in enumerate(proofs, edge.size):
            assert path == merkle.inclusion_proof(index=index, size=size, read=reader(size))
        assert len(proofs) == size - edge.size
        edge = grown.frontier

    complete = {
        place: node for place, node in NODES.items() if place[1] + 1 <= edge.size >> place[0]
    }
    assert nodes == complete


def test_rows_are_what_tiles_are_cut_from() -> None:
    """Each level's new nodes come as one run, beginning where the level ended before."""
    grown = merkle.Frontier.empty().extend(LEAVES[:255]).frontier.extend(LEAVES[255:258])

    assert [(row.first, len(row.hashes)) for row in grown.rows] == [
        (255, 3),
        (127, 2),
        (63, 1),
        (31, 1),
        (15, 1),
        (7, 1),
        (3, 1),
        (1, 1),
        (0, 1),
    ]


@given(st.integers(0, 300))
def test_the_edge_survives_being_stored(size: int) -> None:
    """What was written is read back, and grows on as if it had never been away."""
    edge = merkle.Frontier.empty().extend(LEAVES[:size]).frontier

    stored = edge.to_bytes()

    assert len(stored) == 8 + 32 * size.bit_count()
    assert merkle.Frontier.from_bytes(stored) == edge


@pytest.mark.parametrize(
    "stored",
    [b"", b"\x00" * 7, b"\x00" * 9, b"\x00" * 7 + b"\x01", b"\x00" * 40, b"\x80" + b"\x00" * 39],
)
def test_bytes_that_are_no_edge_are_refused(stored: bytes) -> None:
    """Size and number of hashes must agree."""
    with pytest.raises(FrontierInvalid):
        merkle.Frontier.from_bytes(stored)


def test_a_tree_past_63_bits_is_refused() -> None:
    """Others count leaves in signed 64 bits, so the tree must not grow beyond."""
    full = merkle.Frontier(merkle.MAX_SIZE, tuple(LEAVES[:63]))

    with pytest.raises(OutsideTree):
        full.extend(LEAVES[:1])
