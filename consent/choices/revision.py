"""What distinguishes two versions of a notice, and which of it makes visitors be asked again.

Pure. Substance is compared member by member; wording only within one language.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from consent.choices.notice import Notice
from consent.choices.record import Json


class Change(NamedTuple):
    """One difference, at *where*; None stands for what is not there."""

    where: str
    asks_again: bool
    before: "Json | None"
    after: "Json | None"


def changes(before: Notice, after: Notice) -> list[Change]:
    """Return every difference, substance first; purposes are told apart by their ids."""
    found = [
        *_differences(before.substance(), after.substance(), asks_again=True),
        *_differences(before.wording(), after.wording(), asks_again=False),
    ]
    if before.ui_sha256 != after.ui_sha256:
        found.append(Change("ui_sha256", False, before.ui_sha256, after.ui_sha256))
    return found


def _differences(
    before: Mapping[str, Json], after: Mapping[str, Json], *, asks_again: bool
) -> list[Change]:
    old, new = _places(before), _places(after)
    return [
        Change(where, asks_again, old.get(where), new.get(where))
        for where in sorted(old.keys() | new.keys())
        if old.get(where) != new.get(where)
    ]


def _places(digested: Mapping[str, Json]) -> dict[str, Json]:
    """Return every member under its path; a purpose's id is part of the path."""
    places: dict[str, Json] = {}
    for name, value in digested.items():
        if name == "purposes":
            for purpose in cast("list[dict[str, Json]]", value):
                places |= {
                    f"purposes.{purpose['id']}.{member}": said
                    for member, said in purpose.items()
                    if member != "id"
                }
        elif isinstance(value, dict):
            places.update({f"{name}.{member}": said for member, said in value.items()})
        else:
            places[name] = value
    return places
