"""Notices: what changes which digest, and what a publication does."""

from dataclasses import replace

import pytest

from consent.choices.choice import Basis
from consent.choices.notice import Controller, Held, Joins, Next, Notice, Purpose, Same, publish
from consent.errors import NoticeInvalid

STATISTICS = Purpose(
    id="statistics",
    name="Statistics",
    description="Counts visits.",
    basis=Basis.CONSENT,
    data_categories=("pages", "device"),
    recipients=("Count Ltd",),
    retention="P13M",
)
ADS = Purpose(id="ads", name="Ads", description="Shows ads.", basis=Basis.CONSENT)
NOTICE = Notice("main", "en", "May we?", Controller("Shop Ltd"), (STATISTICS, ADS))
GERMAN = replace(NOTICE, language="de", text="Dürfen wir?")
HELD = Held(4, NOTICE.material_sha256(), {"en": NOTICE.text_sha256()})


def with_statistics(**changes: object) -> Notice:
    """Change something about the first purpose."""
    return replace(NOTICE, purposes=(replace(STATISTICS, **changes), ADS))


@pytest.mark.parametrize(
    "changed",
    [
        replace(NOTICE, text="May we, please?"),
        GERMAN,
        with_statistics(name="Counting"),
        with_statistics(description="Counts visitors."),
        with_statistics(storage_locations=("Vienna",)),
    ],
)
def test_wording_changes_the_text_digest_alone(changed: Notice) -> None:
    """Nobody is asked again for a better sentence or another language."""
    assert changed.text_sha256() != NOTICE.text_sha256()
    assert changed.material_sha256() == NOTICE.material_sha256()


@pytest.mark.parametrize(
    "changed",
    [
        replace(NOTICE, controller=Controller("Shop Holding")),
        replace(NOTICE, controller=Controller("Shop Ltd", contact="dpo@shop.example")),
        with_statistics(basis=Basis.LEGITIMATE_INTEREST),
        with_statistics(data_categories=("pages",)),
        with_statistics(recipients=("Count Ltd", "Sell Ltd")),
        with_statistics(retention="P25M"),
        with_statistics(retention=None),
        with_statistics(transfers=("US",)),
    ],
)
def test_substance_changes_the_material_digest_alone(changed: Notice) -> None:
    """Who, for what, which data, to whom, how long, where: that is what was consented to."""
    assert changed.material_sha256() != NOTICE.material_sha256()
    assert changed.text_sha256() == NOTICE.text_sha256()


def test_a_purpose_less_changes_both_digests() -> None:
    """Purposes are wording and substance at once."""
    changed = replace(NOTICE, purposes=(ADS,))

    assert changed.text_sha256() != NOTICE.text_sha256()
    assert changed.material_sha256() != NOTICE.material_sha256()


@pytest.mark.parametrize(
    "same",
    [
        replace(NOTICE, purposes=(ADS, STATISTICS)),
        with_statistics(data_categories=("device", "pages")),
        with_statistics(data_categories=("device", "pages", "device")),
        with_statistics(transfers=(), storage_locations=()),
        replace(NOTICE, controller=Controller("Shop Ltd", address="")),
    ],
)
def test_order_repetition_and_nothing_change_no_digest(same: Notice) -> None:
    """Lists are sets, and what is empty is absent."""
    assert same.text_sha256() == NOTICE.text_sha256()
    assert same.material_sha256() == NOTICE.material_sha256()


def test_the_first_publication_opens_version_one() -> None:
    """A notice that was never published has nothing to be compared with."""
    assert publish(None, NOTICE) == Next(1)


def test_the_same_publication_changes_nothing() -> None:
    """Publishing what stands already answers with it."""
    assert publish(HELD, NOTICE) == Same(4)


def test_a_new_language_joins_the_current_version() -> None:
    """A translation does not ask anybody again."""
    assert publish(HELD, GERMAN) == Joins(4)


@pytest.mark.parametrize(
    "changed",
    [
        replace(NOTICE, text="May we, please?"),
        with_statistics(retention="P25M"),
        replace(GERMAN, controller=Controller("Shop Holding")),
    ],
)
def test_any_change_opens_the_next_version(changed: Notice) -> None:
    """Other words in a held language, or other substance in any language, are a new version."""
    assert publish(HELD, changed) == Next(5)


def test_an_older_version_never_matches() -> None:
    """Going back to what version 4 said opens version 6, after version 5."""
    changed = replace(NOTICE, text="May we, please?")
    current = Held(5, changed.material_sha256(), {"en": changed.text_sha256()})

    assert publish(current, NOTICE) == Next(6)


@pytest.mark.parametrize(
    "change",
    [
        {"notice_id": ""},
        {"notice_id": "Main"},
        {"notice_id": "x" * 65},
        {"language": "EN"},
        {"language": "en_GB"},
        {"text": ""},
        {"controller": Controller("")},
        {"purposes": ()},
        {"purposes": (replace(ADS, id="a b"),)},
        {"purposes": (ADS, ADS)},
    ],
)
def test_a_notice_without_its_form_is_refused(change: dict[str, object]) -> None:
    """Ids, language, text, controller and purposes must be there and well-formed."""
    with pytest.raises(NoticeInvalid):
        replace(NOTICE, **change)
