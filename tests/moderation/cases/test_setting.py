"""How a site reviews, as it is stored."""

from moderation.cases import setting
from moderation.cases.setting import ReviewSetting
from moderation.verdict import State


def test_a_setting_is_read_as_it_was_written() -> None:
    """Every member of it; what is not there is as for a site that has set nothing."""
    wanted = ReviewSetting(0.1, 12.0, 48.0, {State.SPAM: 30}, blind=False)

    assert setting.read(setting.write(wanted)) == wanted
    assert setting.read("{}") == setting.read(None) == setting.DEFAULT


def test_what_a_newer_release_set_is_passed_over() -> None:
    """Else going back a release would refuse every comment of that site."""
    assert setting.read('{"sample_rate": 0.1, "later": true}') == ReviewSetting(0.1)
