"""What a site sets for the APIs of others: known at once where it was set, and never half."""

import asyncio
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from late_answer import LateAnswer

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.compat import setting, wire
from moderation.compat.configuring import Configuring
from moderation.compat.setting import AkismetSetting, CompatSetting
from moderation.errors import SettingDamaged

WANTED = CompatSetting(akismet=AkismetSetting(monthly_limit=10))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SET = {
    "akismet": {"discard": True},
    "perspective": {"store": False},
    "openai": {"store": False},
    "coral": {"sites": {"theirs": "blog"}},
}


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


def test_what_is_set_for_any_dialect_is_read_back() -> None:
    """A dialect that only writing knew of would be answered by its defaults for ever."""
    for each in fields(CompatSetting):
        set_here = replace(getattr(setting.DEFAULT, each.name), **SET[each.name])
        wanted = replace(setting.DEFAULT, **{each.name: set_here})

        assert setting.read(setting.write(wanted)) == wanted


def test_what_is_left_out_of_a_request_is_as_for_a_site_that_has_set_nothing() -> None:
    """The defaults of JSON and those of the setting are told in two places."""
    nothing = wire.setting(wire.CompatSettingIn(), secrets=())

    assert wire.setting_out(nothing) == wire.setting_out(setting.DEFAULT)


@pytest.mark.parametrize("stored", ["{", '{"akismet": []}', '{"akismet": null}'])
def test_a_damaged_setting_is_told(stored: str) -> None:
    """Taken for one that sets nothing, it would have comments stored that a site wants scored."""
    with pytest.raises(SettingDamaged):
        setting.read(stored)
