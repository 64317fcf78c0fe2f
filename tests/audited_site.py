"""A site whose visitors choose over HTTP, and whose auditor asks afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import httpx2
from conftest import EVERY_SCOPE, Service

PURPOSES = [
    {"id": "ads", "name": "Ads", "description": "Ads that fit", "basis": "consent"},
    {"id": "statistics", "name": "Counting", "description": "Count visits", "basis": "consent"},
]
NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we show ads that fit and count visits?",
    "controller": {"name": "Shop Ltd"},
    "purposes": PURPOSES,
}
METHODS = {
    "requested": "api",
    "given": "accept_all",
    "refused": "reject_all",
    "withdrawn": "withdraw_link",
}


class AuditedSite:
    """One site of a running service, spoken for with every scope."""

    def __init__(self, service: Service, client: httpx2.Client, site_id: str) -> None:
        self.service = service
        self.client = client
        self.id = site_id
        self.version = 0

    def publish(self, text: str = NOTICE["text"], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        """Publish the notice, the next version of it under another text."""
        answer = self.client.post("/v1/consent/notices", json={**NOTICE, "text": text, **changes})
        assert answer.status_code in {200, 201}, answer.text
        made: dict[str, Any] = answer.json()
        self.version = made["version"]
        return made

    def record(
        self,
        kind: str,
        device: str = "device-1",
        decisions: dict[str, str] | None = None,
        **more: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Record an event about the notice's newest version, and return its receipt."""
        if decisions is None:
            answer = "given" if kind == "given" else "refused"
            decisions = {} if kind == "requested" else {"ads": answer, "statistics": answer}
        told = [{"purpose_id": purpose, "decision": made} for purpose, made in decisions.items()]
        return self._send({**self._body(kind, device), "decisions": told, **more})

    def _body(self, kind: str, device: str = "device-1") -> dict[str, Any]:
        return {
            "subject": {"kind": "device", "id": device},
            "event_type": kind,
            "method": METHODS[kind],
            "origin": "banner",
            "notice": {"notice_id": "main", "version": self.version, "language": "en"},
        }

    def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        answered = self.client.post(
            "/v1/consent/events", json=body, headers={"idempotency-key": token_hex(16)}
        )
        assert answered.status_code == 201, answered.text
        receipt: dict[str, Any] = answered.json()
        return receipt

    def decide(self, kind: str, decisions: list[dict[str, Any]]) -> dict[str, Any]:
        """Record an event whose decisions are told as a site's backend tells them."""
        return self._send({**self._body(kind), "decisions": decisions})

    def get(self, path: str, **query: Any) -> Any:  # noqa: ANN401 - whatever JSON has
        """Ask as the auditor, and return what is answered."""
        names = {name.rstrip("_"): value for name, value in query.items()}
        answer = self.client.get(f"/v1/consent/{path}", params=names)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, **query: Any) -> tuple[int, str]:  # noqa: ANN401
        """Ask what is refused, and return status and problem."""
        names = {name.rstrip("_"): value for name, value in query.items()}
        answer = self.client.get(f"/v1/consent/{path}", params=names)
        return answer.status_code, answer.json()["type"].removeprefix("/problems/")

    def erase(self, device: str) -> dict[str, Any]:
        """Erase everything of a device, and return the receipt of the tombstone."""
        answer = self.client.post(
            "/v1/consent/subjects:erase", json={"subject": {"kind": "device", "id": device}}
        )
        assert answer.status_code == 201, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt


@contextmanager
def audited_site(service: Service, *, published: bool = True) -> Iterator[AuditedSite]:
    """Create a site, with a published notice or without, and a key that may do everything."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        audited = AuditedSite(service, client, site.id)
        if published:
            audited.publish()
        yield audited
