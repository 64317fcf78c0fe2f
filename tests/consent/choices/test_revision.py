"""What distinguishes two versions of a notice, and whether it asks again."""

from dataclasses import replace
from typing import Any

import pytest

from consent.choices.choice import Basis
from consent.choices.notice import Controller, Notice, Purpose, Tracker
from consent.choices.revision import Change, changes

ADS = Purpose("ads", "Ads", "Shows ads.", Basis.CONSENT, recipients=("Ad Ltd",))
COUNT = Purpose("count", "Counting", "Counts visits.", Basis.CONSENT)
NOTICE = Notice("main", "en", "May we?", Controller("Shop Ltd"), (ADS, COUNT))


def test_a_notice_does_not_differ_from_itself() -> None:
    """Nothing changed, nothing told."""
    assert changes(NOTICE, NOTICE) == []


@pytest.mark.parametrize(
    ("member", "value", "asks"),
    [
        ("basis", Basis.LEGITIMATE_INTEREST, True),
        ("data_categories", ("pages",), True),
        ("recipients", ("Ad Ltd", "More Ads Ltd"), True),
        ("retention", "P2Y", True),
        ("transfers", ("US",), True),
        ("advertising", True, True),
        ("storage_locations", ("Vienna",), False),
        ("name", "Adverts", False),
        ("description", "Shows adverts.", False),
    ],
)
def test_every_member_of_a_purpose_counts(member: str, value: Any, asks: bool) -> None:  # noqa: ANN401, FBT001
    """One difference, at its place, and it asks again exactly where it is substance."""
    after = replace(NOTICE, purposes=(replace(ADS, **{member: value}), COUNT))

    (change,) = changes(NOTICE, after)

    assert change.where == f"purposes.ads.{member}"
    assert change.asks_again is asks
    assert (NOTICE.material_sha256() != after.material_sha256()) is asks
    assert (NOTICE.text_sha256() != after.text_sha256()) is not asks


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [
        (Tracker("_a", "Ad Ltd", "P1Y"), Tracker("_b", "Ad Ltd", "P1Y"), False),
        (Tracker("_a", "Ad Ltd", "P1Y"), Tracker("_a", "Other Ltd", "P1Y"), True),
        (Tracker("_a", "Ad Ltd", "P1Y"), Tracker("_a", "Ad Ltd", "P2Y"), True),
    ],
)
def test_who_reads_a_tracker_is_substance(before: Tracker, after: Tracker, asks: bool) -> None:  # noqa: FBT001
    """Another provider or duration asks again, another name does not."""
    old = replace(NOTICE, purposes=(replace(ADS, trackers=(before,)),))
    new = replace(NOTICE, purposes=(replace(ADS, trackers=(after,)),))

    (change,) = changes(old, new)

    assert change.where == "purposes.ads.trackers"
    assert change.asks_again is asks


def test_a_purpose_that_comes_or_goes_is_told_member_by_member() -> None:
    """A new purpose asks again; each of its members has only an after."""
    found = changes(replace(NOTICE, purposes=(ADS,)), NOTICE)

    assert found == [
        Change("purposes.count.basis", True, None, "consent"),
        Change("purposes.count.description", False, None, "Counts visits."),
        Change("purposes.count.name", False, None, "Counting"),
    ]
    assert {change.before for change in found} == {None}
    assert {change.after for change in changes(NOTICE, replace(NOTICE, purposes=(ADS,)))} == {None}


def test_controller_text_and_banner() -> None:
    """Who is responsible is substance; text, withdrawal address and banner are not."""
    after = replace(
        NOTICE,
        controller=Controller("Shop Ltd", contact="dpo@shop.example"),
        text="May we, please?",
        withdrawal_uri="https://shop.example/choices",
        ui_sha256="0" * 64,
    )

    found = {change.where: change.asks_again for change in changes(NOTICE, after)}

    assert found == {
        "controller.contact": True,
        "text": False,
        "withdrawal_uri": False,
        "ui_sha256": False,
    }
