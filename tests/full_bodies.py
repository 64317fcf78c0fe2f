"""A body for every POST route that carries every member the route knows, and is accepted."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import count
from typing import Any

from review_desk import in_days

from moderation.verdict import Label

Json = Any
Path = Sequence[str | int]

_COUNTER = count()

NOWHERE = f"https://{'x' * 64}.example/"
"""A name longer than names may be: no name server has to be asked about it."""

KNOWN = ("device-to-erase", "device-to-restrict")
"""Devices that bodies are about which need somebody known: each has refused something."""


def item(number: int) -> dict[str, Json]:
    """Return an item of a batch with all its members."""
    return {
        "external_id": f"comment-{number}",
        "text": f"A plain remark, the {number}th.",
        "author": {
            "id": "a-1",
            "name": "Ada",
            "email": "ada@example.org",
            "url": "https://ada.example.org/",
            "ip": "192.0.2.7",
            "user_agent": "Browser/1",
            "role": "reader",
            "registered_at": "2024-01-31T10:00:00Z",
        },
        "thread": {
            "id": "t-1",
            "url": "https://blog.example.org/1",
            "title": "One",
            "published_at": "2025-01-30T10:00:00Z",
        },
        "parent_id": "comment-before",
        "submitted_at": "2025-01-31T10:00:00+02:00",
        "form_shown_at": "2025-01-31T09:59:00+02:00",
        "language": "en",
        "honeypot": "",
    }


def comment(site: str, number: int) -> dict[str, Json]:
    """Return a comment with all its members."""
    return {**item(number), "idempotency_key": f"comment-key-{number}", "site": site}


def notice(site: str) -> dict[str, Json]:
    """Return a notice with all its members; always the same, so that its version stays 1."""
    return {
        "notice_id": "main",
        "language": "en",
        "text": "May we?",
        "controller": {"name": "Shop Ltd", "id": "1", "address": "Street 1", "contact": "a@b.c"},
        "purposes": [
            {
                "id": "ads",
                "name": "Ads",
                "description": "Ads that fit",
                "basis": "consent",
                "data_categories": ["pages"],
                "recipients": ["Ad Ltd"],
                "retention": "P13M",
                "storage_locations": ["Frankfurt"],
                "transfers": ["US, with clauses"],
                "trackers": [{"name": "_ad", "provider": "Ad Ltd", "duration": "P13M"}],
                "advertising": True,
            }
        ],
        "withdrawal_uri": "/choices",
        "ui_sha256": None,
        "site": site,
    }


def event(site: str, number: int) -> dict[str, Json]:
    """Return an event with all its members: a withdrawal, which needs nothing but the notice."""
    return {
        "subject": {"kind": "device", "id": f"device-{number}"},
        "event_type": "withdrawn",
        "method": "withdraw_link",
        "origin": "preferences",
        "decisions": [{"purpose_id": "ads", "decision": "refused", "vendor_ids": ["755"]}],
        "notice": {
            "notice_id": "main",
            "version": 1,
            "language": "en",
            "layer": 1,
            "ui_sha256": "0" * 64,
            "variant": "b",
        },
        "by": "data_subject",
        "jurisdiction": "DE-BE",
        "jurisdiction_source": "edge_geo",
        "occurred_at": None,
        "valid_until": None,
        "reprompt_not_before": "2099-01-31T10:00:00Z",
        "served_id": "some-record",
        "served": None,
        "linked": None,
        "explicit": False,
        "context": {
            "page": "/shop",
            "ua_class": "desktop",
            "layout_w": 1200,
            "ip_trunc": "192.0.2.0/24",
        },
        "signals": {
            "sec_gpc": ["1"],
            "gpc_js": False,
            "tc_string": "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA",
            "gpp_string": "DBABMA~COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA",
            "gcm": {
                "ad_storage": "denied",
                "ad_user_data": "denied",
                "ad_personalization": "denied",
                "analytics_storage": "granted",
                "functionality_storage": "granted",
                "personalization_storage": None,
                "security_storage": "granted",
            },
        },
        "idempotency_key": f"event-key-{number}",
        "site": site,
    }


def policy() -> dict[str, Json]:
    """Return a policy with all its members."""
    limit = {"limit": 5, "minutes": 10, "verdict": "hold"}
    return {
        "thresholds": {label.value: {"hold": 0.2, "spam": 0.8, "reject": 0.99} for label in Label},
        "hold_everything": False,
        "honeypot": {"verdict": "spam"},
        "lists": [
            {
                "name": "bad",
                "verdict": "spam",
                "words": ["pills"],
                "contains": ["casino"],
                "patterns": ["(?i)b[uo]y"],
                "domains": ["bad.example.org"],
                "emails": ["@bad.example.org"],
                "networks": ["198.51.100.0/24"],
                "user_agents": ["bot"],
            }
        ],
        "links": {"hold": 3, "spam": 5, "reject": 9},
        "too_fast": {"seconds": 3, "verdict": "hold"},
        "old_thread": {"days": 14, "verdict": "hold"},
        "language": {"accepted": ["en"], "verdict": "hold"},
        "language_unknown": {"verdict": "hold"},
        "first_time": {"verdict": "hold"},
        "trusted": {"approvals": 5},
        "flood": {"author": dict(limit), "address": dict(limit), "domain": dict(limit)},
        "duplicates": {"exact": dict(limit), "near": dict(limit)},
    }


def full_bodies(site: str) -> dict[str, Callable[[], dict[str, Json]]]:
    """Return, for each POST route, what makes a fresh body that the route accepts."""
    return {
        "/v1/comments": lambda: comment(site, next(_COUNTER)),
        "/v1/policy:dry-run": lambda: {
            "policy": policy(),
            "days": 30,
            "limit": 10,
            "site": site,
        },
        "/v1/comments:batch": lambda: {
            "comments": [item(next(_COUNTER)), item(next(_COUNTER))],
            "idempotency_key": f"batch-key-{next(_COUNTER)}",
            "site": site,
        },
        "/v1/score": lambda: {
            "text": "A plain remark.",
            "honeypot": "",
            "explain": True,
            "site": site,
        },
        "/v1/authors:export": lambda: {
            "author": {"id": "a-1", "email": "ada@example.org"},
            "limit": 1,
            "cursor": None,
            "site": site,
        },
        "/v1/authors:erase": lambda: {
            "author": {"id": "nobody", "email": "nobody@example.org"},
            "site": site,
        },
        "/v1/consent/notices": lambda: notice(site),
        "/v1/consent/events": lambda: event(site, next(_COUNTER)),
        "/v1/webhooks": lambda: {
            "url": f"{NOWHERE}{next(_COUNTER)}",
            "events": ["consent.changed"],
            "site": site,
        },
        "/v1/webhooks/{webhook_id}/secrets": lambda: {"overlap_hours": 24, "site": site},
        "/v1/webhooks/{webhook_id}/tests": lambda: {"site": site},
        "/v1/webhooks/{webhook_id}/deliveries:redeliver": lambda: {"ids": None, "site": site},
        "/v1/consent/standing:query": lambda: {
            "subject": None,
            "subjects": [{"kind": "email", "id": "ada@example.org"}],
            "purposes": ["ads"],
            "jurisdiction": "US-CA",
            "jurisdiction_source": "declared",
            "sec_gpc": ["1"],
            "gpc_js": False,
            "vendor": "755",
            "site": site,
        },
        "/v1/consent/served": lambda: {
            "notice": {"notice_id": "main", "version": 1, "language": "en", "layer": 1},
            "site": site,
        },
        "/v1/consent/banners": lambda: {
            "html": "<p>May we?</p>",
            "css": "p {}",
            "config": "{}",
            "script_sha256": "0" * 64,
            "screenshot": "iVBORw0KGgo=",
            "site": site,
        },
        "/v1/consent/records:search": lambda: {
            "subject": {"kind": "device", "id": "device-1"},
            "subject_ref": None,
            "from": "2025-01-31T10:00:00Z",
            "to": "2025-01-31T10:00:00Z",
            "purpose": "ads",
            "decision": "refused",
            "method": "withdraw_link",
            "event_type": "withdrawn",
            "notice_id": "main",
            "notice_version": 1,
            "open": True,
            "limit": 1,
            "cursor": None,
            "site": site,
        },
        "/v1/consent/subjects:erase": lambda: {
            "subject": {"kind": "device", "id": KNOWN[0]},
            "record_ids": ["some-record"],
            "keep_refusals": True,
            "include_linked": False,
            "site": site,
        },
        "/v1/consent/subjects:export": lambda: {
            "subject": {"kind": "device", "id": KNOWN[0]},
            "format": "text",
            "include_linked": True,
            "site": site,
        },
        "/v1/consent/subjects:restrict": lambda: {
            "subject": {"kind": "device", "id": KNOWN[1]},
            "evidence_until": "2099-01-31T10:00:00Z",
            "site": site,
        },
    }


NOBODY = "01a20462-7b9e-7372-817e-e6b8d98f09e5"
"""The id of no comment and of no decision."""


def review_bodies(site: str) -> dict[str, dict[str, Json]]:
    """Return, for each POST route of reviewers, a body with all members, about no comment at all.

    What such a route accepts depends on what others did just before; what it takes for a body
    does not.
    """
    by: dict[str, Json] = {"moderator": {"id": "ann", "role": "manager"}, "site": site}
    by["idempotency_key"] = None
    verdict = {
        "action": "reject",
        "reason_code": "insult",
        "ground": "house_rules",
        "note": "Again.",
        "labels": {label.value: label is Label.SPAM for label in Label},
    }
    seen = {"revision": 1, "version": 1}
    on_case = {
        "claim": {"take_over": True},
        "renew": {"claim_token": NOBODY},
        "release": {"claim_token": NOBODY},
        "skip": {"claim_token": NOBODY},
        "snooze": {"claim_token": NOBODY, "until": in_days(1)},
        "escalate": {"claim_token": NOBODY, "note": "Please."},
    }
    filters = dict.fromkeys(("label", "language", "reason", "author", "domain"))
    return {
        **{f"/v1/cases/{{comment_id}}/{what}": {**by, **more} for what, more in on_case.items()},
        "/v1/cases:claim": {**by, **filters, "order": "priority", "shelf": "open"},
        "/v1/comments/{comment_id}/notes": {**by, "text": "Jane again"},
        "/v1/comments/{comment_id}/decisions": {
            **by,
            **verdict,
            **seen,
            "claim_token": None,
            "group": False,
        },
        "/v1/decisions:bulk": {
            **by,
            **verdict,
            "items": [{"comment_id": NOBODY, **seen}],
            "dry_run": True,
        },
        "/v1/decisions/{decision_id}/undo": by,
        "/v1/comments/{comment_id}/reports": {
            "reporter": {"id": "reader"},
            "reason": "insult",
            "site": site,
            "idempotency_key": None,
        },
    }


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Path, Json]]:
    """Yield every value inside *value* with the path to it, the outer before the inner."""
    if path:
        yield path, value
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, name))


def replaced(body: Json, path: Path, value: Json) -> Json:
    """Return a copy of *body* in which *value* stands at *path*."""
    copy = deepcopy(body)
    at = copy
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return copy
