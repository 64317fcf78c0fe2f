"""A comment that was erased: no key that it was ever sent under tells its scores again."""

from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service

SENT = {"external_id": "c-1", "text": "you are a fucking idiot"}


@pytest.mark.parametrize("path", ["/v1/comments", "/v1/comments:batch"])
def test_the_second_key_tells_nothing_of_what_is_gone(service: Service, path: str) -> None:
    """Sent again unchanged under another key, erased, and sent under that key once more."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
    body: dict[str, Any] = SENT if path == "/v1/comments" else {"comments": [SENT]}

    def send(client: httpx2.Client, key: str) -> dict[str, Any]:
        told = client.post(path, json=body, headers={"idempotency-key": key}).json()
        return dict(told if path == "/v1/comments" else told["results"][0]["comment"])

    with service.client(site.key) as client:
        made = send(client, "first")
        send(client, "second")
        client.delete(f"/v1/comments/{made['id']}").raise_for_status()

        again = send(client, "second")

    assert (again["id"], again["state"]) == (made["id"], "erased")
    assert again["labels"] is None
    assert again["reasons"] == []
