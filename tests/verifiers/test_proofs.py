"""Strangers accept our notes and proofs at every size, and refuse every one that was touched."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

from strangers import Question, Stranger

from consent.log import merkle
from consent.log.checkpoint import PROOF_HEADER, Signer, format_proof, parse_proof

ORIGIN = "shop.example.org/aboveboard/shop/1"
SIGNER = Signer(ORIGIN, bytes(32))
OTHER = Signer(ORIGIN, bytes(31) + b"1")
LEAVES = [b'{"entry":%d}' % at for at in range(300)]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
NODES = merkle.Frontier.empty().extend(HASHES).nodes()
ROOTS = [merkle.root(HASHES[:size]) for size in range(301)]
SIZES = [*range(1, 65), 100, 127, 128, 129, 255, 256, 257, 300]


def read(level: int, index: int) -> bytes:
    """Answer a complete node."""
    return NODES[level, index]


def checkpoint(size: int) -> str:
    """Sign the tree of a size."""
    return SIGNER.sign(size, ROOTS[size])


def record(index: int, size: int) -> Question:
    """Ask whether a leaf stands where its proof says."""
    path = merkle.inclusion_proof(index=index, size=size, read=read)
    return {
        "ask": "record",
        "key": SIGNER.verifier.vkey,
        "proof": format_proof(index, path, checkpoint(size), extra=LEAVES[index]),
        "leaf": b64encode(LEAVES[index]).decode(),
    }


def tree(old: int, new: int) -> Question:
    """Ask whether a tree continues an older one."""
    path = merkle.consistency_proof(old_size=old, new_size=new, read=read)
    return {
        "ask": "tree",
        "key": SIGNER.verifier.vkey,
        "old": checkpoint(old),
        "checkpoint": checkpoint(new),
        "path": [b64encode(item).decode() for item in path],
    }


def indexes(size: int) -> list[int]:
    """Choose all leaves of a small tree, some of a larger one."""
    return list(range(size)) if size <= 64 else [0, 1, 63, 64, size // 2, size - 2, size - 1]


def test_checkpoints_are_opened(stranger: Stranger) -> None:
    """Of every size, the empty one too: origin, size and root as we signed them."""
    sizes = [0, *SIZES]
    asked = [
        {"ask": "checkpoint", "key": SIGNER.verifier.vkey, "checkpoint": checkpoint(size)}
        for size in sizes
    ]

    assert stranger.ask(asked) == [
        {"ok": True, "origin": ORIGIN, "size": size, "root": b64encode(ROOTS[size]).decode()}
        for size in sizes
    ]


def test_records_are_proved(stranger: Stranger) -> None:
    """Every leaf of every small tree, some of larger ones."""
    asked = [record(index, size) for size in SIZES for index in indexes(size)]

    assert stranger.refusals(asked) == []


def test_trees_are_proved(go: Stranger) -> None:
    """Every pair of small sizes, some of larger ones."""
    asked = [tree(old + 1, new) for new in SIZES for old in indexes(new)]

    assert go.refusals(asked) == []


# -- what was touched -------------------------------------------------------------------------


def flipped(data: bytes, at: int) -> bytes:
    """Change one bit of a byte."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def touched_notes(text: str, size: int) -> Iterator[tuple[str, str]]:
    """Touch a checkpoint in every way; all but the re-signed ones no longer verify."""
    body, signed = text.split("\n\n")
    opening, encoded = signed.strip().rsplit(" ", 1)
    note = b64decode(encoded)
    for at in range(len(note)):
        part = "key id" if at < 4 else "signature"
        yield part, f"{body}\n\n{opening} {b64encode(flipped(note, at)).decode()}\n"
    origin, number, root = body.split("\n")
    wrong = b64encode(flipped(b64decode(root), 7)).decode()
    yield "root", f"{origin}\n{number}\n{wrong}\n\n{signed}"
    yield "size", f"{origin}\n{size + 1}\n{root}\n\n{signed}"
    yield "origin", f"{origin}x\n{number}\n{root}\n\n{signed}"
    yield "extension", f"{body}\nmore\n\n{signed}"
    yield "no signature", f"{body}\n\n"
    yield "no note", ""
    yield "another's name", text.replace(f"— {ORIGIN}", f"— {ORIGIN}2")
    yield "another's key", OTHER.sign(size, ROOTS[size])


def touched_records(index: int, size: int) -> Iterator[tuple[str, Question]]:
    """Touch whatever proves a leaf."""
    asked = record(index, size)
    proof = parse_proof(asked["proof"])
    path = list(proof.path)
    leaf = LEAVES[index]

    def proved(**changes: Any) -> Question:  # noqa: ANN401 - parts of a proof
        parts = {"index": index, "path": path, "checkpoint": proof.checkpoint, **changes}
        return {**asked, "proof": format_proof(**parts, extra=leaf)}

    for what, note in touched_notes(proof.checkpoint, size):
        yield f"checkpoint: {what}", proved(checkpoint=note)
    for other in (*range(max(0, index - 9), index), *range(index + 1, size + 3)):
        yield f"index {other}", proved(index=other)
    yield "negative index", {**asked, "proof": asked["proof"].replace("index ", "index -1")}
    for at in range(len(path)):
        yield f"hash {at}", proved(path=[*path[:at], flipped(path[at], at), *path[at + 1 :]])
        yield f"no hash {at}", proved(path=path[:at] + path[at + 1 :])
        yield f"hash {at} twice", proved(path=path[: at + 1] + path[at:])
    if len(path) > 1:
        yield "order of hashes", proved(path=path[::-1])
    yield "one hash more", proved(path=[*path, HASHES[0]])
    for at in range(len(leaf)):
        yield f"leaf {at}", {**asked, "leaf": b64encode(flipped(leaf, at)).decode()}
    yield "no leaf", {**asked, "leaf": ""}
    yield "leaf hash as leaf", {**asked, "leaf": b64encode(HASHES[index]).decode()}
    for other in (size - 1, size + 1):
        yield f"checkpoint of {other}", proved(checkpoint=checkpoint(other))
    # What a dishonest log could sign.
    yield "signed root of another", proved(checkpoint=SIGNER.sign(size, ROOTS[size - 1]))
    yield "signed size of another", proved(checkpoint=SIGNER.sign(size * 2, ROOTS[size]))
    yield "wrong key", {**asked, "key": OTHER.verifier.vkey}
    yield "broken key", {**asked, "key": asked["key"].replace("+", "+0", 1)}
    yield "no proof", {**asked, "proof": proof.checkpoint}
    yield "another version", {**asked, "proof": asked["proof"].replace(PROOF_HEADER, "x@v2")}


def touched_trees(old: int, new: int) -> Iterator[tuple[str, Question]]:
    """Touch whatever proves that a tree only grew."""
    asked = tree(old, new)
    path = asked["path"]
    for member, size in (("old", old), ("checkpoint", new)):
        for what, note in touched_notes(asked[member], size):
            yield f"{member}: {what}", {**asked, member: note}
        for other in (size - 1, size + 1):
            yield f"{member} of {other}", {**asked, member: checkpoint(other)}
        yield f"{member}: other root", {**asked, member: SIGNER.sign(size, ROOTS[size - 1])}
    for at, item in enumerate(path):
        wrong = b64encode(flipped(b64decode(item), at)).decode()
        yield f"hash {at}", {**asked, "path": [*path[:at], wrong, *path[at + 1 :]]}
        yield f"no hash {at}", {**asked, "path": path[:at] + path[at + 1 :]}
    yield "one hash more", {**asked, "path": [*path, b64encode(HASHES[0]).decode()]}
    yield "backwards", {**asked, "old": asked["checkpoint"], "checkpoint": asked["old"]}
    yield "wrong key", {**asked, "key": OTHER.verifier.vkey}


def accepted(
    stranger: Stranger,
    touched: Callable[[int, int], Iterator[tuple[str, Question]]],
    places: list[tuple[int, int]],
) -> tuple[int, list[str]]:
    """Ask everything that was touched; returns how much, and what was taken all the same."""
    named = [
        (f"{place}: {what}", question) for place in places for what, question in touched(*place)
    ]
    answers = stranger.ask([question for _, question in named])
    taken = [name for (name, _), answer in zip(named, answers, strict=True) if answer["ok"]]
    return len(named), taken


def test_touched_checkpoints_are_refused(stranger: Stranger) -> None:
    """Every byte of the signature, and every line."""
    named = list(touched_notes(checkpoint(5), 5))
    answers = stranger.ask(
        [
            {"ask": "checkpoint", "key": SIGNER.verifier.vkey, "checkpoint": note}
            for _, note in named
        ]
    )

    assert len(named) == 68 + 8
    assert [what for (what, _), answer in zip(named, answers, strict=True) if answer["ok"]] == []


def test_touched_records_are_refused(stranger: Stranger) -> None:
    """Signature, root, size, index, leaf, path, checkpoint, key: one at a time."""
    places = [(0, 2), (1, 2), (3, 7), (6, 7), (0, 8), (5, 13), (12, 13), (100, 255), (256, 257)]

    assert stranger.refusals([record(*place) for place in places]) == []
    count, taken = accepted(stranger, touched_records, places)
    assert taken == []
    assert count > 1000


def test_touched_trees_are_refused(go: Stranger) -> None:
    """Both checkpoints, the path, the key: one at a time."""
    places = [(2, 3), (3, 7), (4, 8), (6, 8), (12, 13), (100, 256), (256, 257)]

    assert go.refusals([tree(*place) for place in places]) == []
    count, taken = accepted(go, touched_trees, places)
    assert taken == []
    assert count > 1000
