"""Webhooks that would lead inside: refused by the served API, and no connection is made."""

from collections.abc import Iterator
from secrets import token_hex

import httpx2
import pytest
from conftest import Service
from inside_addresses import INSIDE, SPELLINGS
from receiver import listening

CANARY = "kanarienvogel"  # in no word of ours: where it appears, input was quoted


@pytest.fixture
def admin(service: Service) -> Iterator[httpx2.Client]:
    """Speak as the administrator of a site."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=["site:admin"])
    with service.client(site.key) as client:
        yield client


def test_no_address_of_the_inside_becomes_a_webhook(admin: httpx2.Client) -> None:
    """Whatever it is written like, by https and http, at the service's own port and at others."""
    hosts = [*SPELLINGS, *(f"[{one}]" if ":" in one else one for one in INSIDE)]
    own = admin.base_url.port
    with listening() as (port, count):
        for host in hosts:
            for url in (
                f"https://{host}:{port}/{CANARY}",
                f"http://{host}:{port}/",
                f"https://{host}:{own}/",
            ):
                answer = admin.post("/v1/webhooks", json={"url": url})
                assert answer.status_code == 422, url
                kinds = {"/problems/address-refused", "/problems/webhook-unusable"}
                assert answer.json()["type"] in kinds, url
                assert CANARY not in answer.text, url
        assert count() == 0

    assert admin.get("/v1/webhooks").json() == {"items": []}


def test_a_webhook_cannot_be_turned_inside(admin: httpx2.Client) -> None:
    """One that was made for the outside is not changed to lead elsewhere."""
    made = admin.post("/v1/webhooks", json={"url": "https://hooks.example.org/"}).json()
    with listening() as (port, count):
        for host in SPELLINGS:
            changed = admin.patch(
                f"/v1/webhooks/{made['id']}", json={"url": f"https://{host}:{port}/"}
            )
            assert changed.status_code == 422, host
        assert count() == 0

    assert admin.get(f"/v1/webhooks/{made['id']}").json()["url"] == "https://hooks.example.org/"
