"""Comments over HTTP, on both engines: what a site's backend sends and what it is answered."""

import json
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import Service, Site

HAM = "Thanks for the recipe, I baked it on Sunday and my family liked it."
OTHER_HAM = "The second chapter explains the history of the bridge in detail."
SPAM = "buy cheap viagra now click here http://x.example"
LABELS = [
    "spam",
    "toxicity",
    "severe_toxicity",
    "obscene",
    "threat",
    "insult",
    "identity_attack",
    "sexual_explicit",
]


def send(client: httpx2.Client, external_id: str, text: str, **more: Any) -> httpx2.Response:  # noqa: ANN401
    """Submit a comment."""
    return client.post("/v1/comments", json={"external_id": external_id, "text": text, **more})


def listed(client: httpx2.Client, **query: str | int) -> list[dict[str, Any]]:
    """Return the first page of a list."""
    answer = client.get("/v1/comments", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


# -- one comment ------------------------------------------------------------------------------


def test_a_comment_is_answered_with_its_verdict(client: httpx2.Client) -> None:
    """201 carries id, revision, state, verdict, all labels, reasons, model, policy and more."""
    answer = send(client, "c-1", HAM)

    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    made = answer.json()
    assert list(made) == [
        "id",
        "external_id",
        "revision",
        "state",
        "verdict",
        "labels",
        "reasons",
        "model",
        "policy",
        "origin",
        "detected_language",
    ]
    assert (made["external_id"], made["revision"]) == ("c-1", 1)
    assert (made["state"], made["verdict"], made["reasons"]) == ("published", "approve", [])
    assert list(made["labels"]) == LABELS
    assert all(0 <= score <= 1 for score in made["labels"].values())
    assert all(round(score, 6) == score for score in made["labels"].values())


def test_spam_is_hidden_with_its_reason(client: httpx2.Client) -> None:
    """Obvious spam is kept from readers; the reason names score and threshold."""
    made = send(client, "c-1", SPAM).json()

    assert (made["state"], made["verdict"]) == ("spam", "spam")
    assert made["reasons"][0]["kind"] == "score"
    assert made["reasons"][0]["label"] == "spam"
    assert made["reasons"][0]["score"] == made["labels"]["spam"]
    assert made["reasons"][0]["score"] >= made["reasons"][0]["threshold"]


def test_an_insult_waits_for_a_person(client: httpx2.Client) -> None:
    """What is rude is held, never rejected by the machine alone."""
    made = send(client, "c-1", "you are a fucking idiot and everybody hates you").json()

    assert (made["state"], made["verdict"]) == ("pending", "hold")
    assert [held["external_id"] for held in listed(client, state="pending")] == ["c-1"]


def test_a_filled_honeypot_is_spam(client: httpx2.Client) -> None:
    """Whoever fills in a field that people cannot see is no person."""
    caught = send(client, "c-1", HAM, honeypot="http://x.example").json()
    empty = send(client, "c-2", HAM, honeypot="").json()

    assert (caught["verdict"], caught["state"]) == ("spam", "spam")
    assert [reason["code"] for reason in caught["reasons"]] == ["honeypot"]
    assert empty["verdict"] == "approve"


def test_the_same_text_again_answers_what_is_stored(client: httpx2.Client) -> None:
    """The second time it is 200 with the same bytes; other members that changed are ignored."""
    first = send(client, "c-1", HAM, language="en", thread={"id": "t-1"})
    again = send(client, "c-1", HAM, language="de", thread={"id": "t-2"}, honeypot="filled")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    (kept,) = listed(client)
    assert (kept["language"], kept["thread"]) == ("en", {"id": "t-1"})


def test_going_back_to_an_earlier_text_is_the_next_revision(client: httpx2.Client) -> None:
    """A, then B, then A again is revision 3: only the current revision is compared."""
    first = send(client, "c-1", HAM)
    second = send(client, "c-1", SPAM)
    third = send(client, "c-1", HAM)
    same = send(client, "c-1", HAM)

    answers = [first, second, third, same]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 200]
    assert [answer.json()["revision"] for answer in answers] == [1, 2, 3, 3]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.json()["state"] for answer in answers] == [
        "published",
        "spam",
        "published",
        "published",
    ]
    (kept,) = listed(client)
    assert (kept["revision"], kept["text"], kept["state"]) == (3, HAM, "published")


def test_a_comment_is_read_back_with_what_was_submitted(client: httpx2.Client) -> None:
    """Everything comes back but the address; instants are told in UTC."""
    made = send(
        client,
        "c-1",
        HAM,
        author={
            "id": "a-1",
            "name": "Ada",
            "email": "ada@example.org",
            "ip": "192.0.2.7",
            "registered_at": "2024-01-31T10:00:00+02:00",
        },
        thread={"id": "t-1", "url": "https://blog.example.org/1", "title": "One"},
        parent_id="unknown-here",
        submitted_at="2026-01-31T10:00:00+02:00",
        language="en",
    ).json()

    answer = client.get(f"/v1/comments/{made['id']}")

    assert answer.status_code == 200
    found = answer.json()
    assert made.items() <= found.items()
    assert found["text"] == HAM
    assert found["author"] == {
        "id": "a-1",
        "name": "Ada",
        "email": "ada@example.org",
        "registered_at": "2024-01-31T08:00:00Z",
    }
    assert found["thread"] == {"id": "t-1", "url": "https://blog.example.org/1", "title": "One"}
    assert (found["parent_id"], found["language"]) == ("unknown-here", "en")
    assert found["submitted_at"] == "2026-01-31T08:00:00Z"
    assert found["received"].endswith("Z")
    assert "192.0.2.7" not in answer.text


def test_text_is_kept_as_it_came(client: httpx2.Client) -> None:
    """Emoji, combining marks, white space and bidi marks come back unchanged."""
    text = "  ça va 👍🏽 — \u202eabc\u202c a\u0301\r\n\ttwo  "

    made = send(client, "c-1", text).json()

    assert client.get(f"/v1/comments/{made['id']}").json()["text"] == text


def test_a_long_comment_is_scored_like_any_other(client: httpx2.Client) -> None:
    """The longest text that is taken is scored in a thread; one character more is refused."""
    longest = send(client, "c-1", (HAM + " ") * 1470)
    too_long = send(client, "c-2", "a" * 100_001)

    assert longest.status_code == 201
    assert longest.json()["labels"] is not None
    assert too_long.status_code == 422
    assert too_long.json()["errors"][0]["where"] == "text"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"text": HAM}, "external_id"),
        ({"external_id": "c-1"}, "text"),
        ({"external_id": "c-1", "text": ""}, "text"),
        ({"external_id": "", "text": HAM}, "external_id"),
        ({"external_id": 1, "text": HAM}, "external_id"),
        ({"external_id": "c-1", "text": "a\0b"}, "text"),
        ({"external_id": "c-1", "text": HAM, "author": {"ip": "nowhere"}}, "author.ip"),
        ({"external_id": "c-1", "text": HAM, "submitted_at": "2026-01-31T10:00:00"}, "submitted_"),
        ({"external_id": "c-1", "text": HAM, "submitted_at": "1769853600"}, "submitted_at"),
        ({"external_id": "c-1", "text": HAM, "submitted_at": "9999-12-31T23:59:59-14:00"}, "subm"),
    ],
)
def test_a_comment_of_another_shape_is_refused(
    client: httpx2.Client, body: dict[str, Any], where: str
) -> None:
    """422 says which member is not as expected."""
    answer = client.post("/v1/comments", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/invalid-request"
    assert answer.json()["errors"][0]["where"].startswith(where)


# -- idempotency ------------------------------------------------------------------------------


def test_a_repeated_key_answers_as_it_did(client: httpx2.Client) -> None:
    """In header or body: the same status and bytes, though the comment went on meanwhile."""
    body = {"external_id": "c-1", "text": HAM}
    by_header = {"idempotency-key": "k-1"}
    by_body = {"external_id": "c-2", "text": HAM, "idempotency_key": "k-2"}

    first = client.post("/v1/comments", json=body, headers=by_header)
    second = client.post("/v1/comments", json=by_body)
    send(client, "c-1", SPAM)
    again = [
        client.post("/v1/comments", json=body, headers=by_header),
        client.post("/v1/comments", json=by_body),
        client.post("/v1/comments", json=by_body, headers={"idempotency-key": "k-2"}),
    ]

    assert [first.status_code, second.status_code] == [201, 201]
    assert [(answer.status_code, answer.content) for answer in again] == [
        (201, first.content),
        (201, second.content),
        (201, second.content),
    ]


def test_a_key_is_good_for_one_body(client: httpx2.Client) -> None:
    """Another body under a key that was used is refused and stores nothing."""
    client.post(
        "/v1/comments",
        json={"external_id": "c-1", "text": HAM},
        headers={"idempotency-key": "k-1"},
    )

    answer = client.post(
        "/v1/comments",
        json={"external_id": "c-2", "text": HAM},
        headers={"idempotency-key": "k-1"},
    )

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/idempotency-mismatch"
    assert [kept["external_id"] for kept in listed(client)] == ["c-1"]


@pytest.mark.parametrize("key", ["other", "", "a" * 256, "tab\tinside"])
def test_a_key_that_cannot_be_used_is_refused(client: httpx2.Client, key: str) -> None:
    """A header that differs from the body, or that is no key, is 400."""
    answer = client.post(
        "/v1/comments",
        json={
            "external_id": "c-1",
            "text": HAM,
            **({"idempotency_key": "k-1"} if key == "other" else {}),
        },
        headers={"idempotency-key": key},
    )

    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/idempotency-key-invalid"
    assert listed(client) == []


def test_keys_are_kept_apart_by_site_and_route(service: Service, client: httpx2.Client) -> None:
    """The same key on another site or another route is another key."""
    other = service.add_site(f"https://{token_hex(6)}.example.org")
    body = {"external_id": "c-1", "text": HAM, "idempotency_key": "k-1"}
    batch = {"comments": [{"external_id": "c-2", "text": HAM}], "idempotency_key": "k-1"}

    first = client.post("/v1/comments", json=body)
    with service.client(other.key) as elsewhere:
        there = elsewhere.post("/v1/comments", json={**body, "text": OTHER_HAM})
    whole = client.post("/v1/comments:batch", json=batch)

    assert [first.status_code, there.status_code, whole.status_code] == [201, 201, 200]
    assert whole.json()["results"][0]["comment"]["external_id"] == "c-2"


def test_a_hundred_at_once_with_one_key_have_one_effect(client: httpx2.Client) -> None:
    """Each is answered with the one first answer, or told that it is still being made."""
    body = {"external_id": "c-1", "text": HAM, "idempotency_key": "k-1"}

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/comments", json=body), range(100)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} <= {
        "/problems/idempotency-in-flight"
    }
    (kept,) = listed(client)
    assert kept["revision"] == 1


def test_the_same_comment_at_once_is_stored_once(client: httpx2.Client) -> None:
    """Without keys, one of many is 201, the others 200, however they were batched."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: send(client, "c-1", HAM), range(64)))

    assert sorted(answer.status_code for answer in answers) == [200] * 63 + [201]
    assert len({answer.content for answer in answers}) == 1
    assert len(listed(client)) == 1


def test_answers_outlive_a_restart(new_service: Service) -> None:
    """After a stop and a start, a key answers with the same bytes and the comments are there."""
    new_service.start()
    site = new_service.add_site("https://blog.example.org")
    body = {"external_id": "c-1", "text": SPAM, "idempotency_key": "k-1"}
    with new_service.client(site.key) as client:
        first = client.post("/v1/comments", json=body)
        before = client.get("/v1/comments")

    new_service.stop()
    new_service.start()

    with new_service.client(site.key) as client:
        again = client.post("/v1/comments", json=body)
        after = client.get("/v1/comments")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert after.content == before.content


# -- batches ----------------------------------------------------------------------------------


def test_a_thousand_comments_are_answered_in_order(client: httpx2.Client) -> None:
    """Invalid items get their problem and spoil no other; a repeated one is stored once."""
    comments: list[Any] = [{"external_id": f"c-{at}", "text": HAM} for at in range(1000)]
    comments[3] = {"external_id": "c-3", "text": SPAM}
    comments[400] = {"external_id": "c-400"}
    comments[500] = "no object"
    comments[501] = {"external_id": "c-501", "text": HAM, "canary": 1}
    comments[600] = {"external_id": "c-2", "text": HAM}
    comments[601] = {"external_id": "c-2", "text": OTHER_HAM}
    comments[602] = {"external_id": "c-2", "text": HAM}

    answer = client.post("/v1/comments:batch", json={"comments": comments})

    assert answer.status_code == 200
    results = answer.json()["results"]
    assert len(results) == 1000
    problems = {at for at, result in enumerate(results) if result["status"] == 422}
    assert problems == {400, 500, 501}
    assert results[400]["problem"]["errors"][0]["where"] == "text"
    assert {results[at]["problem"]["type"] for at in problems} == {"/problems/invalid-request"}
    assert [results[at]["status"] for at in (2, 600, 601, 602)] == [201, 200, 201, 201]
    assert [results[at]["comment"]["revision"] for at in (600, 601, 602)] == [1, 2, 3]
    assert results[3]["comment"]["verdict"] == "spam"
    for at in set(range(1000)) - problems - {600, 601, 602}:
        assert results[at]["comment"]["external_id"] == f"c-{at}"
        assert results[at]["status"] == 201


def test_a_batch_is_listed_in_its_order(client: httpx2.Client) -> None:
    """Comments are listed oldest first, those of one batch among themselves too."""
    names = [f"c-{at:03}" for at in range(150)]
    client.post(
        "/v1/comments:batch",
        json={"comments": [{"external_id": name, "text": HAM} for name in names]},
    )

    assert [kept["external_id"] for kept in listed(client, limit=200)] == names


@pytest.mark.parametrize("number", [0, 1001])
def test_a_batch_of_none_or_too_many_is_refused(client: httpx2.Client, number: int) -> None:
    """A batch takes from 1 to 1,000 comments."""
    comments = [{"external_id": f"c-{at}", "text": HAM} for at in range(number)]

    answer = client.post("/v1/comments:batch", json={"comments": comments})

    assert answer.status_code == 422
    assert listed(client) == []


def test_a_batch_of_invalid_items_alone_is_answered(client: httpx2.Client) -> None:
    """Where nothing is left to score, every item still gets its problem."""
    answer = client.post("/v1/comments:batch", json={"comments": [{}, 1, None]})

    assert answer.status_code == 200
    assert [result["status"] for result in answer.json()["results"]] == [422, 422, 422]


def test_items_of_a_batch_have_no_site_or_key_of_their_own(client: httpx2.Client) -> None:
    """A member that belongs to the whole batch is refused in an item, not passed over."""
    answer = client.post(
        "/v1/comments:batch",
        json={
            "comments": [
                {"external_id": "c-1", "text": HAM, "site": "elsewhere"},
                {"external_id": "c-2", "text": HAM, "idempotency_key": "k-1"},
            ]
        },
    )

    assert [result["status"] for result in answer.json()["results"]] == [422, 422]
    assert listed(client) == []


def test_a_batch_is_idempotent_as_a_whole(client: httpx2.Client) -> None:
    """Under its key a batch answers with its first bytes; another batch is refused."""
    batch = {
        "comments": [{"external_id": "c-1", "text": HAM}, {"external_id": "c-2"}],
        "idempotency_key": "k-1",
    }

    first = client.post("/v1/comments:batch", json=batch)
    send(client, "c-1", OTHER_HAM)
    again = client.post("/v1/comments:batch", json=batch)
    other = client.post("/v1/comments:batch", json={**batch, "comments": [{}]})

    assert again.content == first.content
    assert other.status_code == 422
    (kept,) = listed(client)
    assert kept["revision"] == 2


# -- lists ------------------------------------------------------------------------------------


def test_pages_join_without_gap_or_repetition(client: httpx2.Client) -> None:
    """Following `next` visits every comment once, also while others come in behind."""
    client.post(
        "/v1/comments:batch",
        json={"comments": [{"external_id": f"c-{at}", "text": HAM} for at in range(7)]},
    )

    seen: list[str] = []
    sizes = []
    query: dict[str, str | int] = {"limit": 3}
    while True:
        page = client.get("/v1/comments", params=query).json()
        sizes.append(len(page["items"]))
        seen += [kept["external_id"] for kept in page["items"]]
        if page["next"] is None:
            break
        if len(sizes) == 1:
            send(client, "late", HAM)
        query["cursor"] = page["next"]

    assert sizes == [3, 3, 2]
    assert seen == [f"c-{at}" for at in range(7)] + ["late"]


def test_a_comment_is_found_by_the_id_that_the_site_has_for_it(client: httpx2.Client) -> None:
    """Whoever lost ours can still erase it; another's, and an unknown one, are nobody."""
    first = send(client, "c-1", HAM).json()
    send(client, "c-2", HAM)

    assert [found["id"] for found in listed(client, external_id="c-1")] == [first["id"]]
    assert listed(client, external_id="c-1", state="pending") == []
    assert listed(client, external_id="c-3") == []


def test_a_list_is_narrowed_by_state(client: httpx2.Client) -> None:
    """Each state lists its own comments; without one all are listed."""
    send(client, "ham", HAM)
    send(client, "spam", SPAM)
    send(client, "rude", "you are a fucking idiot and everybody hates you")

    found = {
        state: [kept["external_id"] for kept in listed(client, state=state)]
        for state in ("published", "spam", "pending", "rejected", "removed", "erased")
    }

    assert found == {
        "published": ["ham"],
        "spam": ["spam"],
        "pending": ["rude"],
        "rejected": [],
        "removed": [],
        "erased": [],
    }
    assert [kept["external_id"] for kept in listed(client)] == ["ham", "spam", "rude"]


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("limit=0", 422, "invalid-request"),
        ("limit=201", 422, "invalid-request"),
        ("limit=many", 422, "invalid-request"),
        ("state=lost", 422, "invalid-request"),
        ("sort=new", 422, "invalid-request"),
        ("cursor=%21%21", 400, "cursor-invalid"),
        ("cursor=w6k", 400, "cursor-invalid"),
        ("cursor=AGEA", 400, "cursor-invalid"),
        ("cursor=YQ", 400, "cursor-invalid"),
    ],
)
def test_a_question_of_another_shape_is_refused(
    client: httpx2.Client, query: str, status: int, kind: str
) -> None:
    """Limits, states, members and cursors that are none of ours are told so."""
    answer = client.get(f"/v1/comments?{query}")

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


# -- score, sites -----------------------------------------------------------------------------


def test_scoring_stores_nothing(client: httpx2.Client) -> None:
    """It answers labels and verdict as a submission would, and leaves no trace."""
    scored = client.post("/v1/score", json={"text": SPAM})
    stored = send(client, "c-1", SPAM).json()

    assert scored.status_code == 200
    assert list(scored.json()) == [
        *("verdict", "labels", "reasons", "model", "policy", "detected_language")
    ]
    assert scored.json().items() <= stored.items()
    assert len(listed(client)) == 1


def test_a_score_is_explained_where_it_is_asked_for(client: httpx2.Client) -> None:
    """Parts quote the text, in both counts of offsets, and add up to the logit."""
    text = "\U0001f600 You are such a M0RON, you idiot"

    made = client.post("/v1/score", json={"text": text, "explain": True}).json()

    assert made["detected_language"] == {"script": "Latin", "known": True}
    found = {each["label"]: each for each in made["explanation"]}
    insult = found["insult"]
    assert insult["score"] == made["labels"]["insult"]
    total = insult["base"] + sum(part["amount"] for part in insult["parts"]) + insult["rest"]
    assert total == pytest.approx(insult["logit"], abs=1e-6)
    quoted = {
        text[place["start"] : place["end"]] for part in insult["parts"] for place in part["places"]
    }
    assert {"M0RON", "idiot"} <= quoted
    units = text.encode("utf-16-le")
    for part in insult["parts"]:
        for place in part["places"]:
            in_units = units[2 * place["start_utf16"] : 2 * place["end_utf16"]]
            assert in_units.decode("utf-16-le") == text[place["start"] : place["end"]]


def test_a_language_the_model_does_not_know_is_said(client: httpx2.Client) -> None:
    """A sentence in another language scores, and the answer says what the scores are worth."""
    text = "\u043a\u0430\u043a \u0442\u0432\u043e\u0438 \u0434\u0435\u043b\u0430"

    made = client.post("/v1/score", json={"text": text, "explain": True}).json()

    assert made["detected_language"] == {"script": "Cyrillic", "known": False}


def test_a_comment_in_an_unknown_language_says_so_and_is_held_where_asked(
    service: Service, client: httpx2.Client
) -> None:
    """The answer, the stored comment and the list say it; the policy's rule holds it."""
    text = "\u043a\u0430\u043a \u0442\u0432\u043e\u0438 \u0434\u0435\u043b\u0430"
    unknown = {"script": "Cyrillic", "known": False}

    first = send(client, "c-1", text, language="ru").json()
    with service.client(
        service.add_site("https://asks.example.org", scopes=["comments:submit", "site:admin"]).key
    ) as asking:
        document = {"replaces": 0, "policy": {"language_unknown": {}}}
        assert asking.put("/v1/policy", json=document).is_success
        held = send(asking, "c-2", text).json()
        fine = send(asking, "c-3", HAM).json()

    assert first["verdict"] == "approve"
    assert first["detected_language"] == unknown
    assert send(client, "c-1", text).json()["detected_language"] == unknown
    stored = client.get(f"/v1/comments/{first['id']}").json()
    assert (stored["detected_language"], stored["language"]) == (unknown, "ru")
    assert listed(client)[0]["detected_language"] == unknown
    assert (held["verdict"], [each["code"] for each in held["reasons"]]) == (
        "hold",
        ["language_unknown"],
    )
    assert fine["verdict"] == "approve"


def test_a_stored_comment_is_explained(service: Service, client: httpx2.Client) -> None:
    """Its current revision's words and facts, by the model in use; nobody else's comment."""
    text = "You are such a m\u043er\u043en, you idiot"
    made = send(client, "c-1", "Hello there.").json()
    made = send(client, "c-1", text).json()

    answer = client.get(f"/v1/comments/{made['id']}/explanation")

    assert answer.status_code == 200
    found = answer.json()
    assert (found["id"], found["revision"], found["model"]) == (made["id"], 2, made["model"])
    assert found["detected_language"] == {"script": "Latin", "known": True}
    insult = next(each for each in found["explanation"] if each["label"] == "insult")
    assert insult["score"] == pytest.approx(made["labels"]["insult"], abs=1e-6)
    total = insult["base"] + sum(part["amount"] for part in insult["parts"]) + insult["rest"]
    assert total == pytest.approx(insult["logit"], abs=1e-6)
    quoted = {
        text[place["start"] : place["end"]] for part in insult["parts"] for place in part["places"]
    }
    assert {"m\u043er\u043en", "idiot"} <= quoted
    with service.client(service.add_site("https://other.example.org").key) as other:
        assert other.get(f"/v1/comments/{made['id']}/explanation").status_code == 404


def test_scoring_takes_an_empty_text_and_a_honeypot(client: httpx2.Client) -> None:
    """Nothing scores something; a filled trap is spam here too."""
    empty = client.post("/v1/score", json={"text": ""})
    caught = client.post("/v1/score", json={"text": HAM, "honeypot": "x"})

    assert empty.status_code == 200
    assert caught.json()["verdict"] == "spam"


def test_comments_of_another_site_are_not_there(service: Service, client: httpx2.Client) -> None:
    """Another site's comment is 404 by id, absent from the list and free as an external id."""
    other = service.add_site(f"https://{token_hex(6)}.example.org")
    made = send(client, "c-1", HAM).json()

    with service.client(other.key) as elsewhere:
        by_id = elsewhere.get(f"/v1/comments/{made['id']}")
        nobody = elsewhere.get("/v1/comments/00000000-0000-7000-8000-000000000000")
        items = listed(elsewhere)
        taken = send(elsewhere, "c-1", HAM)

    assert by_id.status_code == 404
    assert by_id.content == nobody.content
    assert items == []
    assert taken.status_code == 201
    assert taken.json()["id"] != made["id"]


def test_a_key_of_several_sites_names_its_site(service: Service, site: Site) -> None:
    """By header or member; without one it is unclear, with another's it is not there."""
    second = service.add_site(f"https://{token_hex(6)}.example.org")
    with service.accounts() as accounts:
        key = accounts.create_key([site.id, second.id])

    with service.client(key) as client:
        unclear = send(client, "c-1", HAM)
        by_member = send(client, "c-1", HAM, site=site.id)
        by_header = client.post(
            "/v1/comments",
            json={"external_id": "c-2", "text": HAM},
            headers={"x-site": second.id},
        )
        strange = send(client, "c-1", HAM, site="no-such-site")
        first_list = listed(client, site=site.id)
        second_list = client.get("/v1/comments", headers={"x-site": second.id}).json()["items"]
        one = f"/v1/comments/{by_member.json()['id']}"
        read = [client.get(one, params={"site": name}) for name in (site.id, second.id)]
        strange_parameter = client.get(one, params={"page": site.id})

    assert [answer.status_code for answer in read] == [200, 404]
    assert strange_parameter.status_code == 422
    assert unclear.status_code == 400
    assert unclear.json()["type"] == "/problems/site-unclear"
    assert (by_member.status_code, by_header.status_code) == (201, 201)
    assert strange.status_code == 404
    assert [kept["external_id"] for kept in first_list] == ["c-1"]
    assert [kept["external_id"] for kept in second_list] == ["c-2"]


def test_answers_are_the_bytes_that_openapi_promises(client: httpx2.Client) -> None:
    """A stored comment and a read one have exactly the members of their documented models."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    made = send(client, "c-1", SPAM).json()
    read = json.loads(client.get(f"/v1/comments/{made['id']}").content)

    assert set(made) == set(schemas["CommentOut"]["properties"])
    assert set(read) <= set(schemas["CommentDetailOut"]["properties"])
    assert set(schemas["CommentDetailOut"]["required"]) <= set(read)
