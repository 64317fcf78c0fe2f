"""RFC 9162 Merkle trees: hashes, inclusion and consistency proofs, and the growing right edge.

Pure: no database; whoever holds the nodes hands in `read(level, index)`.
Level 0 holds leaf hashes; node *index* of *level* covers the leaves from `index << level`
to before `(index + 1) << level`, and exists once all of them do ("complete").

>>> grown = Frontier.empty().extend([leaf_hash(b"one"), leaf_hash(b"two")])
>>> _, path = grown.inclusion_proofs()
>>> verify_inclusion(index=1, size=2, leaf=leaf_hash(b"two"), proof=path, root=grown.root)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple, Self, TypeAlias

from consent.errors import FrontierInvalid, OutsideTree, ProofInvalid

HASH_BYTES = 32

SIZE_BYTES = 8

MAX_SIZE = 2**63 - 1
"""The largest tree, in leaves: logs and their clients count in signed 64 bits."""

EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves: RFC 9162 §2.1.1."""

Read: TypeAlias = Callable[[int, int], bytes]
"""Answers the hash of the complete node (level, index)."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash one log entry: `SHA256(0x00 || entry)`, RFC 9162 §2.1.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours into their parent: `SHA256(0x01 || left || right)`, RFC 9162 §2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Compute the root over *leaf_hashes*, in memory and from nothing."""
    return Frontier.empty().extend(leaf_hashes).root


def inclusion_proof(*, index: int, size: int, read: Read) -> list[bytes]:
    """Collect the path of leaf *index* in the tree of *size* leaves: RFC 9162 §2.1.3.1.

    *read* is asked at most twice per level, and for complete nodes only.
    Raises `OutsideTree` where the tree has no such leaf.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise OutsideTree(f"expected 0 <= index < size <= {MAX_SIZE}, got {index} and {size}")
    return _path(0, index, size, read)


def consistency_proof(*, old_size: int, new_size: int, read: Read) -> list[bytes]:
    """Collect what shows the tree of *old_size* to be a prefix of *new_size*: RFC 9162 §2.1.4.1.

    *read* is asked at most twice per level, and for complete nodes only.
    Raises `OutsideTree` for an empty old tree, which is a prefix of everything and proves nothing.
    """
    if not 0 < old_size <= new_size <= MAX_SIZE:
        raise OutsideTree(
            f"expected 0 < old size <= new size <= {MAX_SIZE}, got {old_size} and {new_size}"
        )
    if old_size == new_size:
        return []
    # The last complete subtree of the old tree is where both trees begin to differ.
    level = (old_size & -old_size).bit_length() - 1
    index = (old_size >> level) - 1
    # Where it is the whole old tree, the verifier has it: it is the old root.
    start = [] if index == 0 else [read(level, index)]
    return start + _path(level, index, new_size, read)


def _path(level: int, index: int, size: int, read: Read) -> list[bytes]:
    """Climb from the complete node (*level*, *index*), collecting siblings."""
    path: list[bytes] = []
    last = (size - 1) >> level
    while last:
        sibling = index ^ 1
        if sibling < size >> level:
            path.append(read(level, sibling))
        elif sibling == last:
            path.append(_partial(level, size, read))
        level, index, last = level + 1, index >> 1, last >> 1
    return path


def _partial(level: int, size: int, read: Read) -> bytes:
    """Hash the incomplete last node of *level* from the complete nodes below it."""
    folded = b""
    for below in range(level):
        if size >> below & 1:
            node = read(below, (size >> below) - 1)
            folded = node_hash(node, folded) if folded else node
    return folded


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that *leaf* (its hash) stands at *index* in the tree of *size*: RFC 9162 §2.1.3.2.

    Raises `ProofInvalid`; returning is the only yes.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofInvalid(f"expected 0 <= index < size <= {MAX_SIZE}, got {index} and {size}")
    _check_lengths(leaf, root, *proof)
    _, reached = _climb(index, size - 1, leaf, proof)
    if reached != root:
        raise ProofInvalid(f"expected root {root.hex()}, got {reached.hex()}")


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of *new_size* only grew from *old_size*: RFC 9162 §2.1.4.2.

    Raises `ProofInvalid`; returning is the only yes.
    """
    if not 0 < old_size <= new_size <= MAX_SIZE:
        raise ProofInvalid(
            f"expected 0 < old size <= new size <= {MAX_SIZE}, got {old_size} and {new_size}"
        )
    _check_lengths(old_root, new_root, *proof)
    if (old_size == new_size) != (not proof):
        raise ProofInvalid(
            f"expected hashes between unequal sizes only,"
            f" got {len(proof)} between {old_size} and {new_size}"
        )
    if old_size == new_size:
        if old_root != new_root:
            raise ProofInvalid(f"expected root {old_root.hex()}, got {new_root.hex()}")
        return
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    # Where the old tree is one complete subtree, the proof leaves its hash out.
    start, *path = proof if place else (old_root, *proof)
    old_reached, new_reached = _climb(place, last, start, path)
    if old_reached != old_root:
        raise ProofInvalid(f"expected old root {old_root.hex()}, got {old_reached.hex()}")
    if new_reached != new_root:
        raise ProofInvalid(f"expected new root {new_root.hex()}, got {new_reached.hex()}")


def _climb(place: int, last: int, start: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Hash *start* with *path* up to the root: steps 4 and 5 of RFC 9162 §2.1.3.2 and §2.1.4.2.

    Returns what is reached from left siblings alone (the old root of a consistency proof)
    and from all of them (the root).
    """
    old_reached = new_reached = start
    for hashed in path:
        if last == 0:
            raise ProofInvalid(f"expected a shorter path to the root, got {len(path)} hashes")
        if place & 1 or place == last:
            old_reached = node_hash(hashed, old_reached)
            new_reached = node_hash(hashed, new_reached)
            # A last node without a sibling is its own parent, so no hash stands for its level.
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new_reached = node_hash(new_reached, hashed)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofInvalid(f"expected a longer path to the root, got {len(path)} hashes")
    return old_reached, new_reached


def _check_lengths(*hashes: bytes) -> None:
    for hashed in hashes:
        if len(hashed) != HASH_BYTES:
            raise ProofInvalid(f"expected hashes of {HASH_BYTES} bytes, got {len(hashed)}")


class Row(NamedTuple):
    """The hashes of neighbouring complete nodes of one level, from index *first* on."""

    first: int
    hashes: list[bytes]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all that appending needs to know of it.

    *hashes* are the complete subtrees that make up *size*, one for each set bit, largest first.
    """

    size: int
    hashes: tuple[bytes, ...]

    @classmethod
    def empty(cls) -> Self:
        """Return the edge of the tree without leaves."""
        return cls(0, ())

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Read what `to_bytes` wrote; raises `FrontierInvalid`."""
        size = int.from_bytes(stored[:SIZE_BYTES], "big")
        expected = SIZE_BYTES + HASH_BYTES * size.bit_count()
        if len(stored) != expected or size > MAX_SIZE:
            raise FrontierInvalid(
                f"expected {expected} bytes for at most {MAX_SIZE} leaves,"
                f" got {len(stored)} for {size}"
            )
        starts = range(SIZE_BYTES, expected, HASH_BYTES)
        return cls(size, tuple(stored[start : start + HASH_BYTES] for start in starts))

    def to_bytes(self) -> bytes:
        """Write size (8 bytes, big-endian) and hashes, to be kept in a row."""
        return self.size.to_bytes(SIZE_BYTES, "big") + b"".join(self.hashes)

    def root(self) -> bytes:
        """Compute the root of the tree: RFC 9162 §2.1.1."""
        if not self.hashes:
            return EMPTY_ROOT
        folded = self.hashes[-1]
        for node in self.hashes[-2::-1]:
            folded = node_hash(node, folded)
        return folded

    def extend(self, leaf_hashes: Sequence[bytes]) -> "Extension":
        """Append *leaf_hashes*; this edge stays as it is.

        Raises `OutsideTree` where the tree would grow past `MAX_SIZE`.
        """
        size = self.size + len(leaf_hashes)
        if size > MAX_SIZE:
            raise OutsideTree(f"expected at most {MAX_SIZE} leaves, got {size}")
        pending = self._by_level()
        rows: list[Row] = []
        siblings: list[Row] = []
        edge: list[bytes] = []
        hashes, folded = list(leaf_hashes), b""
        for level in range(size.bit_length()):
            first = self.size >> level
            if hashes:
                rows.append(Row(first, hashes))
            nodes = [pending[level], *hashes] if first & 1 else hashes
            siblings.append(Row(first & ~1, [*nodes, folded] if folded else nodes))
            if size >> level & 1:
                edge.append(nodes[-1])
                folded = node_hash(nodes[-1], folded) if folded else nodes[-1]
            pairs = zip(nodes[::2], nodes[1::2], strict=False)
            hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        grown = Frontier(size, tuple(reversed(edge)))
        return Extension(self.size, grown, folded or EMPTY_ROOT, tuple(rows), tuple(siblings))

    def _by_level(self) -> dict[int, bytes]:
        levels = (level for level in range(self.size.bit_length()) if self.size >> level & 1)
        return dict(zip(levels, reversed(self.hashes), strict=True))


@dataclass(frozen=True, slots=True)
class Extension:
    """What appending brought about: the new edge and root, the new nodes, the new leaves' proofs.

    *rows* hold the newly complete nodes, level by level from the leaves up.
    """

    old_size: int
    frontier: Frontier
    root: bytes
    rows: tuple[Row, ...]
    siblings: tuple[Row, ...] = field(repr=False)
    """For each level, what the paths of new leaves may need, the incomplete last node included."""

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """Map (level, index) to the hash of each newly complete node."""
        return {
            (level, index): hashed
            for level, row in enumerate(self.rows)
            for index, hashed in enumerate(row.hashes, row.first)
        }

    def inclusion_proofs(self) -> list[list[bytes]]:
        """Collect the path of every new leaf, in order: RFC 9162 §2.1.3.1."""
        size = self.frontier.size
        if self.old_size == size:
            return []
        # From this level up all new leaves stand under one node and share their path.
        shared = (self.old_size ^ (size - 1)).bit_length()
        tail = self._path(self.old_size >> shared, shared, len(self.siblings))
        return [self._path(index, 0, shared) + tail for index in range(self.old_size, size)]

    def _path(self, index: int, start: int, stop: int) -> list[bytes]:
        path: list[bytes] = []
        for first, hashes in self.siblings[start:stop]:
            offset = (index ^ 1) - first
            if offset < len(hashes):
                path.append(hashes[offset])
            index >>= 1
        return path
