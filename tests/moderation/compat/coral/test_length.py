"""A comment of Coral's that is too long to be read is held: refused, it would be published."""

import hmac
import json
from hashlib import sha256
from secrets import token_hex

import pytest
from conftest import EVERY_SCOPE, Service

SECRET = "a secret of Coral's"


@pytest.mark.parametrize("body", ["word " * 21_000, "<p>ok</p>" * 15_000 + "you fucking idiot"])
def test_what_is_longer_than_read_waits_for_people(service: Service, body: str) -> None:
    """By its text, not by its markup, which is scored whole where the text is short enough."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        client.put("/v1/compat/settings", json={"coral": {"secrets": [SECRET]}}).raise_for_status()
        posted = json.dumps(
            {
                "action": "NEW",
                "comment": {"body": body},
                "author": {"id": "a"},
                "story": {"id": "s"},
                "site": {"id": "c"},
                "tenantID": "t",
            }
        ).encode()
        signature = hmac.new(SECRET.encode(), posted, sha256).hexdigest()

        answer = client.post(
            f"/coral/{site.id}/moderation",
            content=posted,
            headers={"x-coral-signature": f"sha256={signature}"},
        )

    assert answer.status_code == 200
    assert answer.json()["status"] == "SYSTEM_WITHHELD"
