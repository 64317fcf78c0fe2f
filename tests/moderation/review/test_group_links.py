"""What a group decision lets through leads nowhere that nobody has looked at."""

from collections.abc import Iterator
from secrets import token_hex

import pytest
from conftest import Service
from review_desk import Desk

from aboveboard.accounts import Scope

TEXT = "I wrote about this recipe at length here, have a look: http://{}/recipe"


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Sit down at the queue of a site that holds every link."""
    every = [scope.value for scope in Scope]
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=every)
    with service.client(site.key) as client:
        client.put(
            "/v1/review/settings", json={"sample_rate": 0, "blind": False}
        ).raise_for_status()
        held = {"replaces": 0, "policy": {"links": {"hold": 1}}}
        client.put("/v1/policy", json=held).raise_for_status()
        yield Desk(client)


@pytest.mark.parametrize(("action", "elsewhere"), [("approve", "pending"), ("spam", "spam")])
def test_a_link_that_leads_elsewhere_is_looked_at(desk: Desk, action: str, elsewhere: str) -> None:
    """Approving takes along what leads to the same place; spam, the whole wave."""
    seen, same, other = (
        desk.send(f"c-{at}", TEXT.format(host))
        for at, host in enumerate(("cook.example", "www.cook.example", "malware.example"))
    )

    desk.decided(seen, action, group=True)

    states = [desk.comment(each["id"])["state"] for each in (seen, same, other)]
    decided = "published" if action == "approve" else "spam"
    assert states == [decided, decided, elsewhere]
