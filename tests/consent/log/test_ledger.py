"""The log on both engines: every proof at every size, tiles, and never a second history."""

import random
from collections.abc import Callable
from secrets import token_bytes

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from consent.errors import ForkRefused, FrontierInvalid, LogNotFound, OutsideTree
from consent.log import ledger, merkle
from consent.log.checkpoint import Signer, Verifier
from consent.log.ledger import Nodes
from consent.tables import ENTRY, LOG, TILE

ORIGIN = "blog.example.org/aboveboard/blog/1"
SIGNER = Signer(ORIGIN, bytes(32))


def signer_of(site_id: str, epoch: int, origin: str) -> Signer:
    """Return the signer of the one log of these tests."""
    assert (site_id, epoch, origin) == ("blog", 1, ORIGIN)
    return SIGNER


def verifier() -> Verifier:
    """Return the log's public half."""
    return SIGNER.verifier


def grow(databases: Databases, leaves: list[bytes]) -> ledger.Appended:
    """Append leaves in a transaction of their own."""
    with databases.consent.write() as connection, Rows(connection) as rows:
        return ledger.append(rows, ledger.lock_head(rows, "blog")(), leaves, signer_of)


@pytest.fixture
def log(databases: Databases) -> Databases:
    """Open an empty log."""
    with databases.consent.write() as connection, Rows(connection) as rows:
        ledger.open_log(rows, "blog", "blog.example.org", signer_of)
    return databases


def entries(count: int, start: int = 0) -> list[bytes]:
    """Make leaves that can be told apart."""
    return [b"entry %d" % at for at in range(start, start + count)]


def test_a_log_is_opened_once(log: Databases) -> None:
    """Empty and signed; its origin does not follow a later change of host."""
    with log.consent.write() as connection, Rows(connection) as rows:
        ledger.open_log(rows, "blog", "other.example", signer_of)
    with log.consent.read() as connection:
        (head,) = ledger.list_heads(connection, "blog")

    assert (head.epoch, head.origin, head.frontier.size) == (1, ORIGIN, 0)
    assert head.root == merkle.EMPTY_ROOT
    text = verifier().render(0, head.root, head.signature)
    assert verifier().open(text).size == 0


def test_a_site_without_a_log_has_none(databases: Databases) -> None:
    """Reading, listing and locking all say so."""
    with databases.consent.write() as connection, Rows(connection) as rows:
        for ask in (
            ledger.lock_head(rows, "blog"),
            lambda: ledger.read_head(rows.connection, "blog", 1),
            lambda: ledger.list_heads(rows.connection, "blog"),
        ):
            with pytest.raises(LogNotFound):
                ask()


def test_every_proof_at_every_size_verifies(log: Databases) -> None:
    """In batches of any size across several tiles: inclusion, consistency, old roots, tiles."""
    draw = random.Random(7)  # noqa: S311 - the same every time
    sizes = [1, 1, 254, 1, 255, 300, 1, 511, 77]
    leaves: list[bytes] = []
    for size in sizes:
        batch = entries(size, len(leaves))
        first = len(leaves)
        leaves += batch
        appended = grow(log, batch)
        head = appended.head
        root = merkle.root([merkle.leaf_hash(leaf) for leaf in leaves])
        assert (head.frontier.size, head.root) == (len(leaves), root)
        assert verifier().open(verifier().render(len(leaves), root, head.signature)).root == root
        for offset, path in enumerate(appended.extension.inclusion_proofs()):
            _verify_inclusion(leaves, first + offset, len(leaves), path, root)

    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    with log.consent.read() as connection:
        nodes = Nodes(connection, ledger.read_head(connection, "blog", 1))
        for size in [*range(12), 255, 256, 257, 511, 512, 513, 1024, len(leaves)]:
            assert nodes.root(size) == merkle.root(hashes[:size])
        for _ in range(300):
            size = draw.randint(1, len(leaves))
            index = draw.randrange(size)
            root = merkle.root(hashes[:size])
            _verify_inclusion(leaves, index, size, nodes.inclusion(index, size), root)
            old = draw.randint(1, size)
            merkle.verify_consistency(
                old_size=old,
                new_size=size,
                old_root=merkle.root(hashes[:old]),
                new_root=root,
                proof=nodes.consistency(old, size),
            )
        tiles = _tiles(connection)
    assert tiles == {
        (0, at): b"".join(hashes[at * 256 : (at + 1) * 256]) for at in range(len(leaves) // 256)
    }


def _verify_inclusion(
    leaves: list[bytes], index: int, size: int, path: list[bytes], root: bytes
) -> None:
    merkle.verify_inclusion(
        index=index, size=size, leaf=merkle.leaf_hash(leaves[index]), proof=path, root=root
    )


def _tiles(connection: Connection) -> dict[tuple[int, int], bytes]:
    rows = connection.execute(select(TILE.c.level, TILE.c.tile_index, TILE.c.hashes))
    return {(level, index): bytes(hashes) for level, index, hashes in rows}


def test_the_second_level_of_tiles_is_written_when_full(log: Databases, engine: str) -> None:
    """At 65,536 leaves a tile of tiles joins, whether a batch ends before or behind it."""
    if engine == "postgresql":
        # What differs between the engines is in the smaller trees above.
        count = 65_536
        sizes = [65_536]
    else:
        count = 65_536 + 300
        sizes = [65_300, 235, 2, 299]
    leaves = entries(count)
    at = 0
    for size in sizes:
        grow(log, leaves[at : at + size])
        at += size
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]

    with log.consent.read() as connection:
        nodes = Nodes(connection, ledger.read_head(connection, "blog", 1))
        root = nodes.root(count)
        tiles = _tiles(connection)
        for index in (0, 255, 256, 65_279, 65_280, 65_535, count - 1):
            _verify_inclusion(leaves, index, count, nodes.inclusion(index, count), root)
        for old in (1, 256, 65_280, 65_535, 65_536):
            merkle.verify_consistency(
                old_size=old,
                new_size=count,
                old_root=nodes.root(old),
                new_root=root,
                proof=nodes.consistency(old, count),
            )

    assert root == merkle.root(hashes)
    assert tiles[1, 0] == b"".join(
        merkle.root(hashes[at : at + 256]) for at in range(0, 65_536, 256)
    )
    assert {place for place in tiles if place[0] == 1} == {(1, 0)}
    assert len(tiles) == 1 + count // 256


def test_the_root_of_a_full_tile_is_worked_out_once(
    log: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second proof, by a reader of its own, hashes no full tile but that of its leaf."""
    new = token_bytes(8)  # no other test has remembered these tiles
    leaves = [new + b"%d" % at for at in range(7 * 256 + 9)]
    grow(log, leaves)
    hashed: list[bytes] = []

    def counted(left: bytes, right: bytes) -> bytes:
        hashed.append(left)
        return merkle.node_hash(left, right)

    monkeypatch.setattr(ledger, "node_hash", counted)
    with log.consent.read() as connection:
        head = ledger.read_head(connection, "blog", 1)
        paths, work = [], []
        for _ in range(2):
            hashed.clear()
            paths.append(Nodes(connection, head).inclusion(3, len(leaves)))
            work.append(len(hashed))

    assert paths[0] == paths[1]
    assert work[0] - work[1] == 7 * 255
    assert work[1] < 2 * 255


def test_what_the_tree_does_not_have_is_told(log: Databases) -> None:
    """Leaves and sizes outside it, and nodes that are not complete."""
    grow(log, entries(5))

    with log.consent.read() as connection:
        nodes = Nodes(connection, ledger.read_head(connection, "blog", 1))
        asks: list[Callable[[], object]] = [
            lambda: nodes.inclusion(5, 5),
            lambda: nodes.inclusion(0, 6),
            lambda: nodes.consistency(0, 5),
            lambda: nodes.consistency(3, 6),
            lambda: nodes.consistency(4, 3),
            lambda: nodes.root(6),
            lambda: nodes.root(-1),
            lambda: nodes.read(2, 1),
        ]
        for ask in asks:
            with pytest.raises(OutsideTree):
                ask()


@pytest.mark.parametrize(
    "tampered",
    [
        {"root": bytes(32)},
        {"frontier": merkle.Frontier.empty().to_bytes()},
        {"frontier": merkle.Frontier.empty().extend([bytes(32)] * 5).frontier.to_bytes()},
    ],
    ids=["root", "no edge", "other edge"],
)
def test_a_head_that_was_touched_is_never_signed_on(
    log: Databases, tampered: dict[str, bytes]
) -> None:
    """Edge and signed root disagree: nothing is appended, the log stays as it is."""
    grow(log, entries(5))
    with log.consent.write() as connection:
        connection.execute(update(LOG).values(**tampered))

    with pytest.raises(ForkRefused, match="expected the edge of the last signed root"):
        grow(log, entries(1, 5))

    with log.consent.read() as connection:
        assert len(connection.execute(select(ENTRY.c.leaf_index)).all()) == 5


def test_a_head_that_the_key_never_signed_is_not_signed_on(log: Databases) -> None:
    """Edge and root agree with each other, but not with what the log's key put its name to."""
    grow(log, entries(5))
    other = merkle.Frontier.empty().extend([bytes(32)] * 5)
    with log.consent.write() as connection:
        connection.execute(update(LOG).values(root=other.root, frontier=other.frontier.to_bytes()))

    with pytest.raises(ForkRefused, match="expected a stored head that the log's key signed"):
        grow(log, entries(1, 5))

    with log.consent.read() as connection:
        assert len(connection.execute(select(ENTRY.c.leaf_index)).all()) == 5


def test_an_edge_that_is_none_is_refused(log: Databases) -> None:
    """Bytes that are no frontier are told as such."""
    with log.consent.write() as connection:
        connection.execute(update(LOG).values(frontier=b"no edge"))

    with pytest.raises(FrontierInvalid):
        grow(log, entries(1))


def test_a_rolled_back_head_cannot_write_over_entries(log: Databases) -> None:
    """An older head, whole in itself, runs into the entries that it does not know."""
    grow(log, entries(3))
    with log.consent.read() as connection:
        old = connection.execute(select(LOG)).one()._asdict()
    grow(log, entries(3, 3))
    with log.consent.write() as connection:
        connection.execute(delete(LOG))
        connection.execute(insert(LOG).values(old))

    with pytest.raises(Exception, match=r"durable write|UNIQUE|unique") as caught:
        grow(log, [b"another history"])

    assert isinstance(caught.value.__cause__ or caught.value, IntegrityError)
    with log.consent.read() as connection:
        kept = connection.execute(select(ENTRY.c.leaf).order_by(ENTRY.c.leaf_index)).scalars()
        assert [bytes(leaf) for leaf in kept] == entries(6)


def test_the_newest_epoch_is_written(log: Databases) -> None:
    """Locking takes the last log of the site; the earlier one stays readable."""
    grow(log, entries(2))
    other = Signer("blog.example.org/aboveboard/blog/2", bytes(32))
    with log.consent.write() as connection:
        connection.execute(
            insert(LOG).values(
                site_id="blog",
                epoch=2,
                origin=other.verifier.name,
                size=0,
                root=merkle.EMPTY_ROOT,
                frontier=merkle.Frontier.empty().to_bytes(),
                signature=other.signature(0, merkle.EMPTY_ROOT),
            )
        )
        with Rows(connection) as rows:
            head = ledger.lock_head(rows, "blog")()
            ledger.append(rows, head, [b"first of the second"], lambda *_: other)

    with log.consent.read() as connection:
        heads = ledger.list_heads(connection, "blog")
    assert [(head.epoch, head.frontier.size) for head in heads] == [(1, 2), (2, 1)]
