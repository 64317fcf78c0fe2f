"""What an author may ask for over HTTP, on both engines: all of theirs, or that none stays."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Service
from review_desk import HAM, RUDE, Desk, review_desk

from moderation.review.erasing import BATCH

ANNE = {"id": "7", "name": "Anne", "email": "anne@example.org"}
BY_MAIL = {"name": "Anne", "email": " Anne@Example.org"}


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Sit down at the queue of a site of this test's own, without a blind sample."""
    with review_desk(service) as made:
        yield made


def export(desk: Desk, author: dict[str, str], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Ask for a page of what an author wrote."""
    answer = desk.client.post("/v1/authors:export", json={"author": author, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def erase(desk: Desk, author: dict[str, str]) -> int:
    """Have all comments of an author erased; return how many there were."""
    answer = desk.client.post("/v1/authors:erase", json={"author": author})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["erased"])


def names(page: dict[str, Any]) -> list[str]:
    """Return the external ids of a page."""
    return [item["external_id"] for item in page["items"]]


def test_everything_of_an_author_is_told(desk: Desk) -> None:
    """Each text with who was named then, what it scored and where the comment stands."""
    desk.send("c-1", HAM, author=ANNE)
    desk.send("c-2", RUDE, author=ANNE)
    desk.send("c-1", f"{HAM} Twice.", author=ANNE | {"name": "Anne B."})
    desk.send("other", HAM, author={"id": "8", "email": "anne@example.org"})
    desk.send("nobody", HAM)

    page = export(desk, {"id": "7"})

    assert (names(page), page["next"]) == (["c-1", "c-2"], None)
    first, second = page["items"]
    assert first == desk.comment(first["id"]) | {"versions": first["versions"]}
    assert [version["text"] for version in first["versions"]] == [HAM, f"{HAM} Twice."]
    assert [version["author"]["name"] for version in first["versions"]] == ["Anne", "Anne B."]
    assert second["state"] == "pending"


def test_an_edit_that_names_nobody_leaves_a_comment_to_its_author(desk: Desk) -> None:
    """Or whoever edits for them takes it from what they may ask for."""
    desk.send("c-1", HAM, author=ANNE)
    mine = desk.send("c-1", f"{HAM} Edited.")

    assert names(export(desk, {"id": "7"})) == ["c-1"]
    assert erase(desk, {"id": "7"}) == 1
    assert desk.comment(mine["id"])["state"] == "erased"


def test_a_page_goes_on_for_the_same_names_alone(desk: Desk) -> None:
    """A walk by two names that drops one of them has not come to its end."""
    for number in range(3):
        desk.send(f"mail-{number}", f"{HAM} {number}!", author=BY_MAIL)
    both = {"id": "7", "email": "anne@example.org"}
    following = export(desk, both, limit=2)["next"]

    answer = desk.client.post(
        "/v1/authors:export", json={"author": {"id": "7"}, "cursor": following}
    )

    assert answer.json()["type"] == "/problems/cursor-invalid"


def test_who_had_no_id_is_found_by_address(desk: Desk) -> None:
    """However it was spelled; by both at once where a person wrote with an id and without."""
    desk.send("mailed", HAM, author=BY_MAIL)
    desk.send("known", RUDE, author=ANNE)
    both = {"id": "7", "email": "ANNE@example.org"}

    assert names(export(desk, {"email": "anne@example.org"})) == ["mailed"]
    assert names(export(desk, {"id": "7"})) == ["known"]
    assert names(export(desk, both)) == ["known", "mailed"]
    assert names(export(desk, {"id": "anne@example.org"})) == []


def test_pages_have_each_comment_once(desk: Desk) -> None:
    """Under both names, whatever comes in or goes in between."""
    for number in range(5):
        desk.send(f"id-{number}", f"{HAM} {number}", author=ANNE)
        desk.send(f"mail-{number}", f"{HAM} {number}!", author=BY_MAIL)
    both = {"id": "7", "email": "anne@example.org"}
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = export(desk, both, limit=3, **cursor)
        found += names(page)
        desk.send(f"id-{len(found)}", f"{HAM} Again {len(found)}.", author=ANNE)
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    expected = [f"{kind}-{number}" for kind in ("id", "mail") for number in range(5)]
    assert [name for name in found if name in expected] == expected


def test_all_of_an_author_is_erased(desk: Desk) -> None:
    """As a comment that is erased alone; others keep theirs, and asking again finds nothing."""
    mine = [desk.send(f"c-{number}", f"{RUDE} {number}", author=ANNE) for number in range(5)]
    mine.append(desk.send("mailed", HAM, author=BY_MAIL))
    other = desk.send("other", RUDE, author={"id": "8"})
    both = {"id": "7", "email": "anne@example.org"}

    assert erase(desk, both) == 6
    assert erase(desk, both) == 0

    assert {desk.comment(each["id"])["state"] for each in mine} == {"erased"}
    assert [desk.comment(each["id"])["text"] for each in mine] == [""] * 6
    assert [case["comment_id"] for case in desk.cases()] == [other["id"]]
    assert export(desk, both)["items"] == []


def test_thousands_are_erased_a_part_after_the_other(desk: Desk) -> None:
    """More than one transaction takes."""
    comments = [
        {"external_id": f"c-{number}", "text": HAM, "author": ANNE} for number in range(BATCH + 3)
    ]
    desk.client.post("/v1/comments:batch", json={"comments": comments}).raise_for_status()

    assert erase(desk, {"id": "7"}) == BATCH + 3
    assert export(desk, {"id": "7"})["items"] == []


def test_authors_are_a_site_s_own(desk: Desk, service: Service) -> None:
    """The same id on another site is somebody else."""
    desk.send("mine", HAM, author=ANNE)
    with review_desk(service) as neighbour:
        neighbour.send("theirs", HAM, author=ANNE)
        assert erase(neighbour, {"id": "7"}) == 1

    assert names(export(desk, {"id": "7"})) == ["mine"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"author": {}}, 422),
        ({"author": {"email": " "}}, 422),
        ({"author": {"name": "Anne"}}, 422),
        ({"author": {"id": "7"}, "cursor": "elsewhere"}, 400),
        ({"author": {"id": "7"}, "limit": 0}, 422),
    ],
)
def test_what_names_nobody_is_refused(desk: Desk, body: dict[str, Any], status: int) -> None:
    """Nothing is guessed from a name that many have."""
    assert desk.client.post("/v1/authors:export", json=body).status_code == status
