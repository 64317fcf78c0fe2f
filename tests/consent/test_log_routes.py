"""The public log as files: tiles, bundles of entries and tlog-proofs over HTTP."""

import struct
from base64 import b64decode
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import Service, Site

from consent.log import merkle
from consent.log.checkpoint import Checkpoint, Verifier, parse_proof

EVENTS = 300  # one full tile, one of 44, and one of 1 above
NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we count visits?",
    "controller": {"name": "Shop Ltd"},
    "purposes": [{"id": "ads", "name": "Ads", "description": "Ads", "basis": "consent"}],
}


@pytest.fixture(scope="module")
def grown(service: Service) -> tuple[Site, list[bytes]]:
    """Record events on one site, and return it with its leaves."""
    site = service.add_site(f"https://{token_hex(6)}.example.org")
    leaves = []
    with service.client(site.key) as client:
        assert client.post("/v1/consent/notices", json=NOTICE).status_code == 201
        for number in range(EVENTS):
            answer = client.post("/v1/consent/events", json=event(number))
            assert answer.status_code == 201, answer.text
            leaves.append(b64decode(answer.json()["leaf"]))
    return site, leaves


def event(number: int) -> dict[str, Any]:
    """Ask a device of its own."""
    return {
        "idempotency_key": str(number),
        "subject": {"kind": "device", "id": str(number)},
        "event_type": "requested",
        "method": "api",
        "origin": "banner",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
    }


def open_head(client: httpx2.Client, site: Site) -> tuple[Verifier, Checkpoint]:
    """Return the log's verifier and its newest checkpoint, the signature checked."""
    log = f"/v1/consent/logs/{site.id}/1"
    verifier = Verifier.from_vkey(client.get(f"{log}/key").text)
    return verifier, verifier.open(client.get(f"{log}/checkpoint").text)


def test_a_log_is_read_from_its_tiles(service: Service, grown: tuple[Site, list[bytes]]) -> None:
    """Without a key, for ever, from anywhere: hashes and entries make the signed root."""
    site, leaves = grown
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    with service.client() as anyone:
        _, head = open_head(anyone, site)
        tiles = {
            path: anyone.get(f"/v1/consent/logs/{site.id}/1/tile/{path}")
            for path in ("0/000", "0/001.p/44", "1/000.p/1", "0/000.p/9", "entries/000")
        }
        rest = anyone.get(f"/v1/consent/logs/{site.id}/1/tile/entries/001.p/44")

    assert head.root == merkle.root(hashes)
    assert tiles["0/000"].content + tiles["0/001.p/44"].content == b"".join(hashes)
    assert tiles["0/000.p/9"].content == b"".join(hashes[:9])
    assert tiles["1/000.p/1"].content == merkle.root(hashes[:256])
    assert tiles["entries/000"].content + rest.content == b"".join(
        struct.pack(">H", len(leaf)) + leaf for leaf in leaves
    )
    for answer in (*tiles.values(), rest):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("tile/0/001", "outside-tree"),
        ("tile/0/001.p/45", "outside-tree"),
        ("tile/0/002.p/1", "outside-tree"),
        ("tile/1/000", "outside-tree"),
        ("tile/1/000.p/2", "outside-tree"),
        ("tile/2/000.p/1", "outside-tree"),
        ("tile/63/000.p/1", "outside-tree"),
        ("tile/64/000.p/1", "outside-tree"),
        ("tile/0/x999/x999/x999/x999/x999/x999/999", "outside-tree"),
        ("tile/0/0", "outside-tree"),
        ("tile/0/000.p/256", "outside-tree"),
        ("tile/0/000.p/09", "outside-tree"),
        ("tile/00/000", "outside-tree"),
        ("tile/0/x000/000", "outside-tree"),
        ("tile/0/000/", "outside-tree"),
        ("tile/data/000", "outside-tree"),
        ("tile/entries/001", "outside-tree"),
        ("tile/entries/001.p/45", "outside-tree"),
        ("tile/entries/x001/001.p/1", "outside-tree"),
        ("tile/entries/", "outside-tree"),
        ("proof/300.tlog-proof", "outside-tree"),
        ("proof/01.tlog-proof", "outside-tree"),
        ("proof/-1.tlog-proof", "outside-tree"),
        ("proof/99999999999999999999.tlog-proof", "outside-tree"),
        ("proof/one.tlog-proof", "outside-tree"),
        ("proof/.tlog-proof", "not-found"),
    ],
)
def test_what_the_signed_tree_does_not_hold_is_not_there(
    service: Service, grown: tuple[Site, list[bytes]], path: str, kind: str
) -> None:
    """Tiles beyond the checkpoint, other spellings and other leaves answer 404, uncached."""
    site, _ = grown
    with service.client() as anyone:
        answer = anyone.get(f"/v1/consent/logs/{site.id}/1/{path}")

    assert (answer.status_code, answer.json()["type"]) == (404, f"/problems/{kind}")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["tile/0/000.p/1", "tile/entries/000.p/1", "proof/0.tlog-proof"])
def test_another_log_is_not_there(service: Service, site: Site, path: str) -> None:
    """Neither of a site without a log, nor of an epoch that never began."""
    with service.client() as anyone:
        for log in (f"{site.id}/1", f"{site.id}/one", "nowhere/1"):
            answer = anyone.get(f"/v1/consent/logs/{log}/{path}")
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/log-not-found")


def test_a_proof_is_a_file(service: Service, grown: tuple[Site, list[bytes]]) -> None:
    """It proves its leaf, which it carries, up to the newest checkpoint; so it is never cached."""
    site, leaves = grown
    with service.client() as anyone:
        verifier, head = open_head(anyone, site)
        for index in (0, 255, 256, 299):
            answer = anyone.get(f"/v1/consent/logs/{site.id}/1/proof/{index}.tlog-proof")
            proof = parse_proof(answer.text)

            assert (proof.index, proof.extra) == (index, leaves[index])
            assert verifier.open(proof.checkpoint) == head
            merkle.verify_inclusion(
                index=index,
                size=head.size,
                leaf=merkle.leaf_hash(leaves[index]),
                proof=proof.path,
                root=head.root,
            )
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["access-control-allow-origin"] == "*"
