"""Half of a surrogate pair costs one comment of a batch its place, and no other."""

import httpx2
from conftest import Site

OK = '{"external_id": "a", "text": "kind words \\ud83d\\ude00"}'


def test_half_a_pair_spoils_its_own_item(client: httpx2.Client, site: Site) -> None:
    """In a text, a member of the author, the name of a member: the others are stored."""
    assert site
    spoiled = [
        '{"external_id": "b", "text": "cut \\ud83d"}',
        '{"external_id": "c", "text": "cut", "author": {"name": "\\uDE00x"}}',
        '{"external_id": "d", "text": "cut", "mem\\ud83dber": 1}',
    ]
    body = '{"comments": [' + ", ".join([OK, *spoiled, OK.replace('"a"', '"e"')]) + "]}"

    answer = client.post("/v1/comments:batch", content=body.encode())

    assert answer.status_code == 200, answer.text
    assert [each["status"] for each in answer.json()["results"]] == [201, 422, 422, 422, 201]
    known = client.get("/v1/comments").json()["items"] if answer else []
    assert [each["text"] for each in known] == ["kind words \U0001f600"] * 2


def test_outside_of_the_items_it_spoils_all(client: httpx2.Client, site: Site) -> None:
    """A key or a site with half a pair is refused with the whole request."""
    assert site
    body = '{"comments": [' + OK + '], "idempotency_key": "k\\ud83d"}'

    assert client.post("/v1/comments:batch", content=body.encode()).status_code == 422
