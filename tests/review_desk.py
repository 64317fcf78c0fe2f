"""A queue to review, over HTTP: comments that are held, moderators, what they ask for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import Any

import httpx2
from conftest import EVERY_SCOPE, Service

from aboveboard import clock

RUDE = "you are a fucking idiot and everybody hates you"
HAM = "Thanks for the recipe, I baked it on Sunday and my family liked it."
SPAM = "buy cheap viagra now click here http://x.example"

ANN = {"id": "ann"}
BEN = {"id": "ben"}
EVA = {"id": "eva", "role": "manager"}


def in_days(days: float) -> str:
    """Return the instant that many days from now, as requests say it."""
    return (clock.now() + timedelta(days=days)).isoformat()


@dataclass
class Desk:
    """What moderators do, each call one request."""

    client: httpx2.Client

    def send(self, external_id: str, text: str = RUDE, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Submit a comment; return it as it is read."""
        answer = self.client.post(
            "/v1/comments", json={"external_id": external_id, "text": text, **more}
        )
        assert answer.is_success, answer.text
        return self.comment(answer.json()["id"])

    def comment(self, comment_id: str) -> dict[str, Any]:
        """Read a comment."""
        return dict(self.client.get(f"/v1/comments/{comment_id}").json())

    def cases(self, **query: str | int) -> list[dict[str, Any]]:
        """Read a page of the queue."""
        answer = self.client.get("/v1/cases", params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    def on_case(
        self,
        comment: dict[str, Any],
        what: str,
        by: dict[str, str] = ANN,
        **more: Any,  # noqa: ANN401
    ) -> httpx2.Response:
        """Claim a case, renew, release, skip, snooze or escalate it."""
        return self.client.post(f"/v1/cases/{comment['id']}/{what}", json={"moderator": by, **more})

    def claim(self, comment: dict[str, Any], by: dict[str, str] = ANN) -> str:
        """Claim a case; return the token."""
        answer = self.on_case(comment, "claim", by)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["claim_token"])

    def decide(
        self,
        comment: dict[str, Any],
        action: str,
        by: dict[str, str] = ANN,
        *,
        key: str | None = None,
        **more: Any,  # noqa: ANN401
    ) -> httpx2.Response:
        """Decide on a comment as it was read."""
        body = {
            "moderator": by,
            "action": action,
            "revision": comment["revision"],
            "version": comment["version"],
            **more,
        }
        if action == "reject":
            body.setdefault("reason_code", "insult")
        return self.client.post(
            f"/v1/comments/{comment['id']}/decisions",
            json=body,
            headers={"idempotency-key": key} if key else {},
        )

    def decided(
        self,
        comment: dict[str, Any],
        action: str,
        by: dict[str, str] = ANN,
        **more: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Claim a comment's case and decide; return the decision."""
        answer = self.decide(comment, action, by, claim_token=self.claim(comment, by), **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def undo(self, decision: dict[str, Any], by: dict[str, str] = ANN) -> httpx2.Response:
        """Take a decision back."""
        return self.client.post(f"/v1/decisions/{decision['id']}/undo", json={"moderator": by})

    def events(self, comment: dict[str, Any]) -> list[dict[str, Any]]:
        """Read what happened to a comment."""
        found = self.client.get(f"/v1/cases/{comment['id']}").json()
        return list(found["events"])


@contextmanager
def review_desk(service: Service) -> Iterator[Desk]:
    """Sit down at the queue of a new site, without a blind sample."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        client.put(
            "/v1/review/settings", json={"sample_rate": 0, "blind": False}
        ).raise_for_status()
        yield Desk(client)


def report(desk: Desk, comment: dict[str, Any], reader: str, reason: str = "insult") -> None:
    """Report a comment as a reader."""
    answer = desk.client.post(
        f"/v1/comments/{comment['id']}/reports",
        json={"reporter": {"id": reader}, "reason": reason},
    )
    assert answer.status_code == 201, answer.text
