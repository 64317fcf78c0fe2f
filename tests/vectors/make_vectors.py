"""Write the vectors of the consent format from the specifications alone.

A second implementation, on purpose: it imports nothing of the package and shares no line with it,
so that a fault on one side shows as a difference.
Sources: RFC 9162 (tree), RFC 8785 (canonical JSON), RFC 5869 (HKDF), RFC 2104 (HMAC),
NIST SP 800-38D (AES-GCM), C2SP signed-note, tlog-checkpoint and tlog-proof,
and `docs/decisions/consent-format.md`.

    python tests/vectors/make_vectors.py [FOLDER]

Keys, salts, ids and times are fixed and public: never use them elsewhere.
"""

import hashlib
import hmac
import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SITE = "shop-example"
ORIGIN = "shop.example/aboveboard/shop-example/1"


def sha(*parts: bytes) -> bytes:
    """Hash the parts, one after another."""
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data: bytes) -> str:
    """Write standard, padded base64."""
    return b64encode(data).decode("ascii")


def fixed(label: str, length: int = 32) -> bytes:
    """Make bytes that look random and are the same on every run."""
    return hashlib.shake_128(b"aboveboard test vector: " + label.encode()).digest(length)


def hkdf(key: bytes, info: bytes) -> bytes:
    """Derive 32 bytes with an empty salt: RFC 5869 §2.2, §2.3 with L equal to the hash length."""
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def tree(hashes: list[bytes]) -> bytes:
    """Compute the root by the recursive definition: RFC 9162 §2.1.1."""
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    cut = split(len(hashes))
    return sha(b"\x01", tree(hashes[:cut]), tree(hashes[cut:]))


def split(count: int) -> int:
    """Find the largest power of two smaller than *count*."""
    cut = 1
    while cut * 2 < count:
        cut *= 2
    return cut


def path(index: int, hashes: list[bytes]) -> list[bytes]:
    """Compute an inclusion proof by the recursive definition: RFC 9162 §2.1.3.1."""
    if len(hashes) == 1:
        return []
    cut = split(len(hashes))
    if index < cut:
        return [*path(index, hashes[:cut]), tree(hashes[cut:])]
    return [*path(index - cut, hashes[cut:]), tree(hashes[:cut])]


def growth(old: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """Compute a consistency proof by the recursive definition: RFC 9162 §2.1.4.1."""
    if old == len(hashes):
        return [] if whole else [tree(hashes)]
    cut = split(len(hashes))
    if old <= cut:
        return [*growth(old, hashes[:cut], whole=whole), tree(hashes[cut:])]
    return [*growth(old - cut, hashes[cut:], whole=False), tree(hashes[:cut])]


# The inputs and roots published with RFC 6962's reference implementation.
KNOWN_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def merkle_vectors() -> dict[str, Any]:
    """Hold the recursive definitions against the published roots, then add proofs."""
    hashes = [sha(b"\x00", bytes.fromhex(leaf)) for leaf in KNOWN_LEAVES]
    roots = [tree(hashes[:size]).hex() for size in range(9)]
    if roots != KNOWN_ROOTS:
        raise SystemExit(f"expected the published roots, got {roots}")
    return {
        "leaves": KNOWN_LEAVES,
        "roots": roots,
        "inclusion": [
            {"index": index, "size": size, "path": [h.hex() for h in path(index, hashes[:size])]}
            for size in range(1, 9)
            for index in range(size)
        ],
        "consistency": [
            {"old": old, "new": new, "path": [h.hex() for h in growth(old, hashes[:new])]}
            for new in range(1, 9)
            for old in range(1, new + 1)
        ],
    }


SUBJECTS = [
    ("device", "6f0b1c1e-5d3c-4b1a-9a55-0d7a4f2f9c11", "6f0b1c1e-5d3c-4b1a-9a55-0d7a4f2f9c11"),
    ("account", " 42 ", " 42 "),
    ("email", "  Ada.LOVELACE@Example.ORG\n", "ada.lovelace@example.org"),
    ("email", "ada.lovelace@example.org", "ada.lovelace@example.org"),
    ("email", "\u00a0\u00c9MILE@B\u00dcCHER.example", "\u00e9mile@b\u00fccher.example"),
    ("phone", "+4930123456", "+4930123456"),
    ("external", "crm:\u00c4\U0001f600", "crm:\u00c4\U0001f600"),
]


def subject_ref(site: str, kind: str, normalised: str, version: int) -> str:
    """Name a subject under version *version* of the key."""
    key = hkdf(fixed(f"subject key {version}"), b"consent-subject/v1" + b"\x00" + site.encode())
    message = kind.encode() + b"\x00" + normalised.encode()
    return f"{version}." + hmac.new(key, message, hashlib.sha256).hexdigest()[:32]


def subject_vectors() -> list[dict[str, Any]]:
    """Name every subject on two sites, under two versions of the key."""
    return [
        {
            "site": site,
            "subject_key": fixed(f"subject key {version}").hex(),
            "version": version,
            "kind": kind,
            "id": given,
            "normalised": normalised,
            "subject_ref": subject_ref(site, kind, normalised, version),
        }
        for site, version in ((SITE, 1), (SITE, 2), ("blog-example", 1))
        for kind, given, normalised in SUBJECTS
    ]


CONTROLLER = {"name": "Shop GmbH", "address": "Gasse 1, Wien", "contact": "dpo@shop.example"}
TEXTS = {
    "en": ("May we use cookies for the purposes below?", "Statistics", "Counts visits.", "Ads"),
    "de": ("Dürfen wir für Folgendes Cookies setzen?", "Statistik", "Zählt Besuche.", "Werbung"),
}


def notice_vectors() -> list[dict[str, Any]]:
    """Digest one notice in two languages, then with other recipients, then a bare one."""
    vectors = []
    for language, recipients in (
        ("en", ["Count Ltd", "Äpfel AG"]),
        ("de", ["Count Ltd", "Äpfel AG"]),
        ("en", ["Count Ltd"]),
    ):
        text, name, description, ads = TEXTS[language]
        wording = {
            "notice_id": "main",
            "language": language,
            "text": text,
            "purposes": [
                {"id": "ads", "name": ads, "description": "\u2028\U0001f600"},
                {"id": "statistics", "name": name, "description": description},
            ],
        }
        substance = {
            "controller": CONTROLLER,
            "purposes": [
                {"id": "ads", "basis": "opt_out"},
                {
                    "id": "statistics",
                    "basis": "consent",
                    "data_categories": ["device", "pages"],
                    "recipients": recipients,
                    "retention": "P13M",
                    "transfers": ["US: adequacy decision"],
                },
            ],
        }
        vectors.append(
            {
                "wording": wording,
                "substance": substance,
                "text_sha256": sha(rfc8785.dumps(wording)).hex(),
                "material_sha256": sha(rfc8785.dumps(substance)).hex(),
            }
        )
    return [*vectors, tracked_notice()]


def tracked_notice() -> dict[str, Any]:
    """Digest a notice with every optional member: trackers are told in two halves."""
    trackers = [
        {"name": "_a", "provider": "Count Ltd", "duration": "P13M"},
        {"name": "_b", "provider": "Count Ltd", "duration": "P13M"},
        {"name": "_c", "duration": "PT0S"},
        {"name": "_d"},
    ]
    wording = {
        "notice_id": "main",
        "language": "de",
        "text": "D\u00fcrfen wir?",
        "purposes": [
            {
                "id": "ads",
                "name": "Werbung",
                "description": "Zeigt Werbung.",
                "trackers": ["_a", "_b", "_c", "_d"],
            }
        ],
        "withdrawal_uri": "https://shop.example/choices",
    }
    substance = {
        "controller": {"name": "Shop GmbH"},
        "purposes": [
            {
                "id": "ads",
                "basis": "consent",
                "trackers": [
                    {"duration": "P13M", "provider": "Count Ltd"},
                    {"duration": "PT0S"},
                ],
                "advertising": True,
            }
        ],
    }
    return {
        "wording": wording,
        "substance": substance,
        "trackers": trackers,
        "text_sha256": sha(rfc8785.dumps(wording)).hex(),
        "material_sha256": sha(rfc8785.dumps(substance)).hex(),
    }


def record_id(number: int) -> str:
    """Make a UUIDv7 (RFC 9562) of 2026-01-02 with a counter in its random part."""
    return f"019b7d00-7e40-7000-8000-{number:012x}"


def events() -> list[dict[str, Any]]:
    """Write events out as the format page defines them, from the fullest to the barest."""
    device = subject_ref(SITE, *SUBJECTS[0][::2], 1)
    email = subject_ref(SITE, *SUBJECTS[2][::2], 2)
    shown = {
        "notice_id": "main",
        "version": 3,
        "language": "en",
        "text_sha256": notice_vectors()[0]["text_sha256"],
        "material_sha256": notice_vectors()[0]["material_sha256"],
    }

    def opening(number: int, event_type: str) -> dict[str, Any]:
        return {
            "schema": "consent-event/1",
            "record_id": record_id(number),
            "site_id": SITE,
            "event_type": event_type,
            "received_at": f"2026-01-02T03:04:{number:02}Z",
        }

    unsure = {"subject_ref": device, "subject_kind": "device", "assurance": "unverified"}
    asked = {"purpose_id": "ads", "decision": "not_asked", "basis": "opt_out"}
    return [
        opening(0, "requested")
        | unsure
        | {"decisions": [], "method": "api", "origin": "api", "by": "controller", "notice": shown},
        opening(1, "given")
        | unsure
        | {
            "decisions": [
                asked,
                {"purpose_id": "embeds", "decision": "refused", "basis": "consent"},
                {"purpose_id": "statistics", "decision": "given", "basis": "consent"},
            ],
            "consent_type": "expressed",
            "method": "save",
            "origin": "banner",
            "by": "data_subject",
            "occurred_at": "2026-01-02T03:03:59Z",
            "notice": shown | {"layer": 2, "ui_sha256": fixed("bundle").hex()},
            "jurisdiction": "AT-9",
            "served_id": record_id(0),
            "valid_until": "2026-07-02T03:04:01Z",
            "context": {
                "page": 'https://shop.example/\u00e9\u2028\U0001f600/"\\\u0007\u007f',
                "ua_class": "desktop",
                "layout_w": 1280,
            },
            "signals": {"sec_gpc": True, "gpc_js": False},
        },
        opening(2, "opted_out")
        | {"subject_ref": email, "subject_kind": "email", "assurance": "authenticated"}
        | {
            "decisions": [{"purpose_id": "ads", "decision": "refused", "basis": "opt_out"}],
            "method": "gpc",
            "origin": "api",
            "by": "data_subject",
            "signals": {"sec_gpc": True},
        },
        opening(3, "withdrawn")
        | unsure
        | {
            "decisions": [{"purpose_id": "statistics", "decision": "refused", "basis": "consent"}],
            "method": "withdraw_link",
            "origin": "preferences",
            "by": "data_subject",
            "notice": shown,
        },
        opening(4, "erased")
        | {"method": "admin", "by": "controller", "record_ids": [record_id(0), record_id(1)]},
    ]


def leaf_of(event: dict[str, Any], salt: bytes) -> tuple[bytes, bytes]:
    """Commit to *event* and write its leaf."""
    committed = sha(b"consent-commit/v1", b"\x00", salt, rfc8785.dumps(event))
    leaf = {"v": 1, "id": event["record_id"], "t": event["received_at"], "c": b64(committed)}
    return committed, rfc8785.dumps(leaf)


def event_vectors() -> list[dict[str, Any]]:
    """Follow every event to its leaf hash."""
    vectors = []
    for number, event in enumerate(events()):
        salt = fixed(f"salt {number}")
        committed, leaf = leaf_of(event, salt)
        vectors.append(
            {
                "event": event,
                "canonical": rfc8785.dumps(event).decode(),
                "salt": salt.hex(),
                "commitment": committed.hex(),
                "leaf": leaf.decode(),
                "leaf_hash": sha(b"\x00", leaf).hex(),
            }
        )
    return vectors


def checkpoint(
    size: int, root: bytes, origin: str = ORIGIN, label: str = "log key"
) -> dict[str, Any]:
    """Sign a tree head as C2SP tlog-checkpoint."""
    private = Ed25519PrivateKey.from_private_bytes(fixed(label))
    public = private.public_key().public_bytes_raw()
    key_id = sha(origin.encode(), b"\n", b"\x01", public)[:4]
    body = f"{origin}\n{size}\n{b64(root)}\n"
    signature = private.sign(body.encode())
    return {
        "private": fixed(label).hex(),
        "vkey": f"{origin}+{key_id.hex()}+{b64(bytes([1]) + public)}",
        "size": size,
        "root": root.hex(),
        "signature": signature.hex(),
        "checkpoint": f"{body}\n\u2014 {origin} {b64(key_id + signature)}\n",
    }


def log_vectors() -> dict[str, Any]:
    """Grow the log of all events; one checkpoint a size, one receipt a record."""
    entries = [leaf_of(event, fixed(f"salt {n}"))[1] for n, event in enumerate(events())]
    hashes = [sha(b"\x00", entry) for entry in entries]
    heads = [checkpoint(size, tree(hashes[:size])) for size in range(len(hashes) + 1)]
    receipts = []
    for index, event in enumerate(events()):
        lines = ["c2sp.org/tlog-proof@v1", f"extra {b64(entries[index])}", f"index {index}"]
        lines += [b64(step) for step in path(index, hashes)]
        receipts.append(
            {
                "record_id": event["record_id"],
                "event": event,
                "salt": b64(fixed(f"salt {index}")),
                "leaf": b64(entries[index]),
                "leaf_index": index,
                "proof": "\n".join(lines) + "\n\n" + heads[-1]["checkpoint"],
            }
        )
    return {"checkpoints": heads, "receipts": receipts}


def continued_vectors() -> list[dict[str, Any]]:
    """Begin a second and a third epoch: entry 0 of each commits to the log before it."""
    vectors = []
    before, origin = log_vectors()["checkpoints"][-1], ORIGIN
    for number, (reason, method) in enumerate((("restored", "job"), ("rotated", "admin")), 1):
        event = {
            "schema": "consent-event/1",
            "record_id": record_id(100 + number),
            "site_id": SITE,
            "event_type": "continued",
            "received_at": f"2026-01-03T03:04:{number:02}Z",
            "method": method,
            "by": "system",
            "previous": {
                "epoch": number,
                "origin": origin,
                "key": before["vkey"],
                "size": before["size"],
                "root": b64(bytes.fromhex(before["root"])),
                "checkpoint": before["checkpoint"],
                "reason": reason,
            },
        }
        salt = fixed(f"continued salt {number}")
        committed, leaf = leaf_of(event, salt)
        origin = f"{ORIGIN.removesuffix('1')}{number + 1}"
        before = checkpoint(1, sha(b"\x00", leaf), origin, f"log key {number + 1}")
        vectors.append(
            {
                "event": event,
                "canonical": rfc8785.dumps(event).decode(),
                "salt": salt.hex(),
                "commitment": committed.hex(),
                "leaf": leaf.decode(),
                "leaf_hash": sha(b"\x00", leaf).hex(),
                "head": before,
            }
        )
    return vectors


def vault_vectors() -> list[dict[str, Any]]:
    """Wrap a data key and seal every event under it."""
    reference = subject_ref(SITE, *SUBJECTS[0][::2], 1)
    kek, data_key, wrap_nonce = fixed("kek"), fixed("data key"), fixed("wrap nonce", 12)
    wrapping = AESGCM(hkdf(kek, b"consent-wrap/v1" + b"\x00" + SITE.encode()))
    owner = rfc8785.dumps([SITE, reference, 7])
    vectors = []
    for number, event in enumerate(events()):
        nonce, salt = fixed(f"nonce {number}", 12), fixed(f"salt {number}")
        place = rfc8785.dumps([SITE, event["record_id"], 1])
        sealed = AESGCM(data_key).encrypt(nonce, salt + rfc8785.dumps(event), place)
        vectors.append(
            {
                "site": SITE,
                "subject_ref": reference,
                "key_encryption_key": kek.hex(),
                "key_version": 7,
                "data_key": data_key.hex(),
                "wrap_nonce": wrap_nonce.hex(),
                "wrapped": (wrap_nonce + wrapping.encrypt(wrap_nonce, data_key, owner)).hex(),
                "record_id": event["record_id"],
                "salt": salt.hex(),
                "canonical": rfc8785.dumps(event).decode(),
                "nonce": nonce.hex(),
                "sealed": (b"\x01" + nonce + sealed).hex(),
            }
        )
    return vectors


def main(folder: Path) -> None:
    """Write every file into *folder*."""
    for name, vectors in {
        "merkle": merkle_vectors(),
        "subject_ref": subject_vectors(),
        "notice": notice_vectors(),
        "event": event_vectors(),
        "log": log_vectors(),
        "continued": continued_vectors(),
        "vault": vault_vectors(),
    }.items():
        text = json.dumps(vectors, indent=1, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
