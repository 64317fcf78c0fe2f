"""What lies in a service's databases, read past the service, and what must hold of it."""

import base64
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import httpx2
import psycopg
from conftest import Service, Site
from diary import Told

from consent.choices.choice import SUBJECTLESS
from consent.log.checkpoint import Checkpoint, Verifier, parse_proof
from consent.log.merkle import leaf_hash, root, verify_consistency
from consent.proofs.receipt import verify

Rows = list[tuple[Any, ...]]


def rows(service: Service, database: str, sql: str, *values: str) -> Rows:
    """Return what a query with `?` marks finds in one of the three sets of tables."""
    url = service.database_url
    if url is None:
        path = service.data_dir / f"{database}.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()
    with psycopg.connect(url, options=f"-csearch_path={database}") as connection:
        return connection.execute(sql.replace("?", "%s").encode(), values).fetchall()


def check_comments(service: Service, site: Site) -> None:
    """Check that no external id is there twice and that every comment has all its revisions."""
    comments = rows(
        service,
        "moderation",
        "SELECT id, external_id, revision FROM comment WHERE site_id = ?",
        site.id,
    )
    revisions = rows(
        service,
        "moderation",
        "SELECT comment_id, revision FROM revision WHERE site_id = ? ORDER BY 1, 2",
        site.id,
    )
    assert len({external for _, external, _ in comments}) == len(comments)
    expected = [
        (comment_id, number)
        for comment_id, _, newest in sorted(comments)
        for number in range(1, newest + 1)
    ]
    assert revisions == expected


def check_log(
    client: httpx2.Client, service: Service, site: Site, *, epoch: int = 1, erased: bool = False
) -> Checkpoint:
    """Recompute a site's log from its rows and return the served checkpoint, which must match.

    Every entry has its record, unless some were *erased*.
    """
    log = f"/v1/consent/logs/{site.id}/{epoch}"
    verifier = Verifier.from_vkey(client.get(f"{log}/key").text)
    checkpoint = verifier.open(client.get(f"{log}/checkpoint").text)
    entries = rows(
        service,
        "consent",
        "SELECT leaf_index, leaf FROM entry WHERE site_id = ? AND epoch = ? ORDER BY leaf_index",
        site.id,
        str(epoch),
    )
    records = rows(
        service,
        "consent",
        "SELECT epoch, leaf_index, record_id, event_type FROM record WHERE site_id = ? "
        "ORDER BY epoch, leaf_index",
        site.id,
    )
    keys = rows(service, "consent", "SELECT record_id FROM idempotency WHERE site_id = ?", site.id)
    indexes = list(range(checkpoint.size))
    assert [index for index, _ in entries] == indexes
    recorded = [index for within, index, _, _ in records if within == epoch]
    asked = {(record_id,) for _, _, record_id, kind in records if kind not in SUBJECTLESS}
    if erased:
        assert set(recorded) < set(indexes)
        assert asked < set(keys)
    else:
        assert recorded == indexes
        assert asked == set(keys)
    assert len(set(keys)) == len(keys)
    assert root([leaf_hash(bytes(leaf)) for _, leaf in entries]) == checkpoint.root
    return checkpoint


def check_grown(
    client: httpx2.Client, site: Site, old: Sequence[Checkpoint], new: Checkpoint
) -> None:
    """Check by the service's consistency proofs that *new* continues every one of *old*."""
    for seen in old:
        if seen.size == 0:
            continue
        answer = client.get(
            f"/v1/consent/logs/{site.id}/1/proof/consistency",
            params={"from": seen.size, "to": new.size},
        )
        assert answer.status_code == 200, answer.text
        verify_consistency(
            old_size=seen.size,
            old_root=seen.root,
            new_size=new.size,
            new_root=new.root,
            proof=[base64.b64decode(item) for item in answer.json()["hashes"]],
        )


def check_history(
    client: httpx2.Client, site: Site, told: Sequence[Told], newest: Checkpoint
) -> None:
    """Check that the answers to these events are the whole log up to *newest*, in one history.

    Nobody was shown another tree of the same size, and what was shown goes on to *newest*.
    """
    verifier = Verifier.from_vkey(client.get(f"/v1/consent/logs/{site.id}/1/key").text)
    receipts = [verify(item.answer, verifier) for item in told]
    assert sorted(receipt.index for receipt in receipts) == list(range(newest.size))
    signed: dict[int, Checkpoint] = {}
    for item in told:
        shown = verifier.open(parse_proof(json.loads(item.answer)["proof"]).checkpoint)
        assert signed.setdefault(shown.size, shown).root == shown.root, "two histories"
    sizes = sorted(signed)
    some = sizes[:: max(1, len(sizes) // 50)]
    check_grown(client, site, [signed[size] for size in (*some, sizes[-1])], newest)
