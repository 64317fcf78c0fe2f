"""What a site sets for the APIs of others is known at once to the process that set it."""

import asyncio
from datetime import UTC, datetime

from late_answer import LateAnswer

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.compat import setting
from moderation.compat.configuring import Configuring
from moderation.compat.setting import AkismetSetting, CompatSetting

WANTED = CompatSetting(akismet=AkismetSetting(monthly_limit=10))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_change_while_a_setting_is_read_is_known_at_once(databases: Databases) -> None:
    """Whoever asked before it may be told what held then, and nobody after them."""

    async def ask_around_a_change() -> list[CompatSetting]:
        configuring = Configuring(
            writing=CommandWriter(databases.moderation),
            looking=LateAnswer(databases.moderation, lambda: configuring.put("blog", WANTED)),
            clock=lambda: NOW,
        )
        return [await configuring.find("blog"), await configuring.find("blog")]

    assert asyncio.run(ask_around_a_change()) == [setting.DEFAULT, WANTED]
