"""Who follows the feed, or has a webhook, is told of a yes to one vendor that it is one."""

import asyncio

from consent_desk import SITE, Desk

from aboveboard.installation import Databases
from aboveboard.webhooks.feeds import ConsentFeed
from consent.audit.auditing import Auditing
from consent.choices.choice import EventType


def test_a_yes_to_one_vendor_is_told_as_one(databases: Databases) -> None:
    """All others are told as they are recorded."""
    desk = Desk(databases)
    desk.publish()
    feed = ConsentFeed(Auditing(keyring=desk.keyring, reading=desk.database))
    desk.record(EventType.REQUESTED)
    desk.record(EventType.GIVEN, {"ads": "given", "count": "given"}, vendors={"ads": ("one",)})
    desk.refuse("ads")

    part = asyncio.run(feed.read(SITE, feed.start, limit=10))

    assert [message.data["decisions"] for message in part.messages] == [
        [
            {"purpose_id": "ads", "decision": "given", "vendor_ids": ["one"]},
            {"purpose_id": "count", "decision": "given"},
        ],
        [{"purpose_id": "ads", "decision": "refused"}],
    ]
