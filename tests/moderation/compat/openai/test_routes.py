"""OpenAI's moderation endpoint over HTTP, on both engines."""

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import Service, Site

PATH = "/v1/moderations"
INSULT = "You are a stupid idiot and everybody hates you."
KIND = "Thank you, this was a lovely article about the garden."
SPAM = "Great post! I make $5000 a week from home, visit http://cash.example.ru"


@pytest.fixture
def client(service: Service, whole: Site) -> Iterator[httpx2.Client]:
    """Speak for that site, in either API; it draws no blind sample."""
    with service.client(whole.key) as opened:
        opened.put("/v1/review/settings", json={"sample_rate": 0}).raise_for_status()
        yield opened


def moderate(client: httpx2.Client, given: object) -> list[dict[str, Any]]:
    """Return the results for an input."""
    answer = client.post(PATH, json={"input": given}).raise_for_status()
    assert answer.json()["id"].startswith("modr-")
    assert answer.headers["x-request-id"].startswith("req_")
    return list(answer.json()["results"])


def comments(client: httpx2.Client) -> list[dict[str, Any]]:
    """Return what is stored of the site."""
    return list(client.get("/v1/comments").raise_for_status().json()["items"])


def test_scores_are_those_of_the_native_api(client: httpx2.Client) -> None:
    """The mapping is the documented one, and the policy's thresholds decide what is flagged."""
    insult, kind = moderate(client, [INSULT, KIND])
    scored = client.post("/v1/score", json={"text": INSULT}).json()
    labels = scored["labels"]

    scores = insult["category_scores"]
    assert scores["harassment"] == max(labels["insult"], labels["toxicity"])
    assert scores["hate/threatening"] == min(labels["identity_attack"], labels["threat"])
    assert scores["violence"] == scores["harassment/threatening"] == labels["threat"]
    assert (insult["flagged"], kind["flagged"]) == (True, False)
    assert insult["categories"]["harassment"] is True
    assert not any(kind["categories"].values())
    assert client.post(PATH, json={"input": KIND}).json()["model"] == scored["model"]


def test_what_is_moderated_is_stored_and_queued_once(client: httpx2.Client) -> None:
    """Nothing names a text but itself: the same one again is the same comment."""
    moderate(client, [INSULT, KIND, "", f" {KIND}"])
    moderate(client, INSULT)

    assert sorted((one["state"], one["origin"]) for one in comments(client)) == [
        ("pending", "openai"),
        ("published", "openai"),
    ]
    assert len(client.get("/v1/cases", params={"origin": "openai"}).json()["items"]) == 1


def test_a_site_may_have_nothing_stored(client: httpx2.Client) -> None:
    """Then a text is scored and forgotten."""
    client.put("/v1/compat/settings", json={"openai": {"store": False}}).raise_for_status()

    (told,) = moderate(client, INSULT)

    assert told["flagged"] is True
    assert comments(client) == []


@pytest.mark.parametrize("store", [True, False])
def test_what_no_category_stands_for_may_be_flagged_as_another(
    client: httpx2.Client, *, store: bool
) -> None:
    """Spam has no category: a site says whether its policy is to be heard all the same."""
    (silent,) = moderate(client, SPAM)
    client.put(
        "/v1/compat/settings", json={"openai": {"store": store, "other": "illicit"}}
    ).raise_for_status()

    spam, kind = moderate(client, [SPAM, KIND])

    assert silent["flagged"] is False
    assert spam["flagged"] is spam["categories"]["illicit"] is True
    assert kind["flagged"] is False


def decide(client: httpx2.Client, action: str) -> None:
    """Decide as a moderator on the only comment, claimed where it waits in the queue."""
    (comment,) = comments(client)
    claimed = client.post("/v1/cases:claim", json={"moderator": {"id": "anna"}}).json()["case"]
    client.post(
        f"/v1/comments/{comment['id']}/decisions",
        json={
            "moderator": {"id": "anna"},
            "action": action,
            "reason_code": "other",
            "revision": 1,
            "version": comment["version"],
            "claim_token": claimed and claimed["claim_token"],
        },
    ).raise_for_status()


def test_what_a_person_published_is_not_flagged(client: httpx2.Client) -> None:
    """The decision holds for the same text; its scores are told as they are."""
    (before,) = moderate(client, INSULT)
    decide(client, "approve")

    (after,) = moderate(client, INSULT)

    assert (before["flagged"], after["flagged"]) == (True, False)
    assert not any(after["categories"].values())
    assert after["category_scores"] == before["category_scores"]
    assert [one["flagged"] for one in moderate(client, [INSULT, f"{INSULT} You fool."])] == [
        False,
        True,
    ]


def test_what_a_person_refused_is_flagged_where_the_site_names_a_category(
    client: httpx2.Client,
) -> None:
    """Whatever it scores; without `other` no category stands for it."""
    moderate(client, KIND)
    decide(client, "reject")
    (silent,) = moderate(client, KIND)
    client.put("/v1/compat/settings", json={"openai": {"other": "illicit"}}).raise_for_status()

    (told,) = moderate(client, KIND)

    assert silent["flagged"] is False
    assert told["flagged"] is told["categories"]["illicit"] is True


def test_what_was_erased_is_judged_when_it_comes_again(client: httpx2.Client) -> None:
    """By the policy, for nobody can decide on it any more; nothing of it is kept."""
    client.put("/v1/compat/settings", json={"openai": {"other": "illicit"}}).raise_for_status()
    first = moderate(client, [KIND, SPAM])
    for comment in comments(client):
        client.delete(f"/v1/comments/{comment['id']}").raise_for_status()

    again = moderate(client, [KIND, SPAM])

    assert [one["flagged"] for one in again] == [False, True]
    assert again == first
    assert {(one["state"], one["revision"]) for one in comments(client)} == {("erased", 1)}


def test_a_site_maps_categories_as_it_likes(client: httpx2.Client) -> None:
    """What is set is all there is: the other categories score nothing and say so."""
    mapped = [{"category": "illicit", "labels": ["spam"]}]
    answer = client.put("/v1/compat/settings", json={"openai": {"categories": mapped}})

    (told,) = moderate(client, SPAM)

    assert answer.json()["openai"]["categories"] == [{**mapped[0], "every": False}]
    assert told["categories"]["illicit"] is True
    assert [name for name, looked in told["category_applied_input_types"].items() if looked] == [
        "illicit"
    ]


def test_keys_that_do_not_fit_are_told_in_openais_shape(
    service: Service, client: httpx2.Client
) -> None:
    """None, a wrong one, one that is not good for it; each with a request id."""
    narrow = service.add_site(f"https://{token_hex(6)}.example.org", scopes=["comments:score"])
    with service.client() as stranger:
        answers = [
            stranger.post(PATH, json={"input": "a"}, headers=headers)
            for headers in (
                {},
                {"authorization": "Bearer sk-wrong"},
                {"authorization": f"Bearer {narrow.key}"},
            )
        ]

    found = [(one.status_code, one.json()["error"]["code"]) for one in answers]
    assert found == [(401, None), (401, "invalid_api_key"), (403, "missing_scope")]
    assert answers[1].json()["error"] == {
        "message": "Incorrect API key provided.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
    assert all(one.headers["x-request-id"].startswith("req_") for one in answers)
    assert client.get(PATH).json()["error"]["type"] == "invalid_request_error"


def test_too_many_wrong_keys_are_told_when_to_come_back(new_service: Service) -> None:
    """429 with Retry-After, which OpenAI's clients keep to."""
    new_service.start()
    with new_service.client("sk-wrong") as stranger:
        answers = [stranger.post(PATH, json={"input": "a"}) for _ in range(31)]

    last = answers[-1]
    assert last.status_code == 429
    assert last.headers["retry-after"] == "60"
    assert last.json()["error"]["code"] == "rate_limit_exceeded"
