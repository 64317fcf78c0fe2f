"""`aboveboard webhook`: as an operator calls it, beside a running service; on both engines."""

import json

import pytest
from conftest import PATIENCE_S, Service
from receiver import Receiver, receiving
from webhook_house import verify


@pytest.fixture
def named(new_service: Service) -> Service:
    """Prepare a service that may post to loopback."""
    new_service.environment = {
        **new_service.environment,
        "ABOVEBOARD_WEBHOOK_TARGETS": "127.0.0.1",
    }
    return new_service


def refused(service: Service, *arguments: str) -> str:
    """Run a command that fails; return the one line that says why."""
    done = service.run(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = (done.stderr or done.stdout).splitlines()
    return line


def test_an_operator_looks_after_a_webhook(named: Service) -> None:
    """Made, tested, listed, delivered to by the service, repeated, rotated, disabled, removed."""
    named.start()
    site = named.create_site()
    with receiving() as receiver, named.client(site.key) as client:
        added = json.loads(named.command("webhook", "add", site.id, receiver.url, "--json"))
        webhook_id = added["id"]
        assert named.command("webhook", "test", webhook_id) == "DELIVERED  204\n"
        assert verify(receiver.posts.get(), added["secret"])["type"] == "webhook.test"
        listed = named.command("webhook", "list", "--site", site.id)
        assert listed.startswith(f"{webhook_id}  {site.id}  {receiver.url}/  consent.changed")

        client.post(
            "/v1/consent/notices",
            json={
                "notice_id": "main",
                "language": "en",
                "text": "May we?",
                "controller": {"name": "Shop Ltd"},
                "purposes": [
                    {"id": "ads", "name": "Ads", "description": "Ads", "basis": "consent"}
                ],
            },
        ).raise_for_status()
        client.post(
            "/v1/consent/events",
            json={
                "idempotency_key": "1",
                "subject": {"kind": "device", "id": "1"},
                "event_type": "withdrawn",
                "method": "withdraw_link",
                "origin": "preferences",
                "decisions": [{"purpose_id": "ads", "decision": "refused"}],
            },
        ).raise_for_status()
        told = receiver.posts.get(timeout=PATIENCE_S)
        rows = json.loads(named.command("webhook", "deliveries", webhook_id, "--json"))
        assert [row["id"] for row in rows] == [told.id]
        assert told.id in named.command("webhook", "deliveries", webhook_id)
        again = named.command("webhook", "redeliver", webhook_id, told.id)
        assert again == "1 to be delivered again\n"
        assert receiver.posts.get(timeout=PATIENCE_S).id == told.id
        parked = named.command("webhook", "redeliver", webhook_id)
        assert parked == "0 to be delivered again\n"

        rotated = json.loads(named.command("webhook", "rotate", webhook_id, "--json"))
        named.command("webhook", "test", webhook_id)
        tested = receiver.posts.get()
        assert verify(tested, added["secret"]) == verify(tested, rotated["secret"])

        assert named.command("webhook", "disable", webhook_id) == f"disabled {webhook_id}\n"
        assert "by_hand" in named.command("webhook", "list")
        assert named.command("webhook", "enable", webhook_id) == f"enabled {webhook_id}\n"
        assert named.command("webhook", "remove", webhook_id) == f"removed {webhook_id}\n"
        assert named.command("webhook", "list") == ""


def test_what_goes_wrong_is_one_line(named: Service, absent: Receiver) -> None:
    """A site or webhook that is none, an address of the inside, a receiver that is not there."""
    site = named.create_site()
    url = absent.url
    made = json.loads(named.command("webhook", "add", site.id, url, "--json"))

    assert "expected a site" in refused(named, "webhook", "add", "none", url)
    assert "expected a site" in refused(named, "webhook", "list", "--site", "none")
    assert "outside" in refused(named, "webhook", "add", site.id, "https://10.0.0.1/")
    assert "expected events" in refused(named, "webhook", "add", site.id, url, "--events", "x")
    assert "expected a webhook" in refused(named, "webhook", "remove", "none")
    assert refused(named, "webhook", "test", made["id"]) == "NOT DELIVERED  unreachable"
