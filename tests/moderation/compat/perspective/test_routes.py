"""Perspective's API over HTTP, on both engines: one path with what is native."""

import json
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import Service, Site
from sqlalchemy import select

from moderation.compat.perspective.routes import ANALYZE, SUGGEST
from moderation.tables import COMMENT, JUDGEMENT

INSULT = "You are a stupid idiot and everybody hates you."
KIND = "Thank you, this was a lovely article about the garden."
FOREIGN = "Привет всем жителям этой долины, добрый вечер"


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    """Speak without a header: Perspective's clients have the key in the query."""
    with service.client() as opened:
        yield opened


@pytest.fixture
def native(service: Service, whole: Site) -> Iterator[httpx2.Client]:
    """Speak the native API for the same site, which draws no blind sample."""
    with service.client(whole.key) as opened:
        opened.put("/v1/review/settings", json={"sample_rate": 0}).raise_for_status()
        yield opened


def body(text: str = INSULT, *names: str, **more: object) -> dict[str, object]:
    """Return a request to analyse *text*."""
    attributes = {name: {} for name in names or ("TOXICITY",)}
    return {"comment": {"text": text}, "requestedAttributes": attributes, **more}


def ask(
    client: httpx2.Client, site: Site, path: str, content: dict[str, object], status: int = 200
) -> dict[str, Any]:
    """Post to an address of Perspective's and check the status."""
    answer = client.post(path, params={"key": site.key}, content=json.dumps(content))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    return dict(answer.json())


def comments(native: httpx2.Client) -> list[dict[str, Any]]:
    """Return what is stored of the site."""
    return list(native.get("/v1/comments").raise_for_status().json()["items"])


def judgements(service: Service, site: Site) -> set[tuple[str, bool, str]]:
    """Return what is said of the site's comments."""
    with service.databases() as databases, databases.moderation.read() as connection:
        found = connection.execute(
            select(JUDGEMENT.c.label, JUDGEMENT.c.value, JUDGEMENT.c.source).where(
                JUDGEMENT.c.site_id == site.id, JUDGEMENT.c.withdrawn.is_(False)
            )
        )
        return {(row.label, row.value, row.source) for row in found}


def test_scores_are_those_of_the_native_api(
    client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """The same model answers, for every attribute that a label fits."""
    told = ask(client, whole, ANALYZE, body(INSULT, "TOXICITY", "PROFANITY", "SPAM"))
    labels = native.post("/v1/score", json={"text": INSULT}).json()["labels"]

    assert told["languages"] == told["detectedLanguages"] == ["en"]
    assert {
        name: each["summaryScore"]["value"] for name, each in told["attributeScores"].items()
    } == {"TOXICITY": labels["toxicity"], "PROFANITY": labels["obscene"], "SPAM": labels["spam"]}
    for each in told["attributeScores"].values():
        assert each["spanScores"] == [{"begin": 0, "end": 47, "score": each["summaryScore"]}]


def test_what_is_analysed_is_stored_judged_and_queued(
    client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """It is a comment like any other, by its token, and the queue tells where it came from."""
    ask(client, whole, ANALYZE, body(clientToken="c-1"))
    ask(client, whole, ANALYZE, body(KIND, communityId="forum"))
    ask(client, whole, ANALYZE, body(KIND, communityId="forum"))

    held, published = comments(native)
    assert (held["external_id"], held["state"]) == ("perspective:c-1", "pending")
    assert held["origin"] == published["origin"] == "perspective"
    assert published["external_id"].startswith("perspective:")
    assert published["state"] == "published"
    (case,) = native.get("/v1/cases", params={"origin": "perspective"}).json()["items"]
    assert case["comment_id"] == held["id"]


def test_a_token_names_no_comment_of_another_origin(
    client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """The native comment of that id stays as it is; the token is told back as it came."""
    native.post("/v1/comments", json={"external_id": "app2", "text": INSULT}).raise_for_status()

    told = ask(client, whole, ANALYZE, body(KIND, clientToken="app2"))

    first, second = comments(native)
    assert told["clientToken"] == "app2"
    assert (first["external_id"], first["revision"], first["text"]) == ("app2", 1, INSULT)
    assert (second["external_id"], second["text"]) == ("perspective:app2", KIND)


def test_a_token_names_no_text_that_came_without_one(
    client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """Not even the digest that such a text is known by; a long token is digested, too."""
    ask(client, whole, ANALYZE, body(INSULT))
    (first,) = comments(native)
    digest = first["external_id"].removeprefix("perspective:")

    for token in (digest, "t" * 244, "t" * 245, "t" * 300):
        for _ in range(2):
            ask(client, whole, ANALYZE, body(KIND, clientToken=token))

    found = comments(native)
    assert found[0] == first
    assert [len(one["external_id"]) for one in found] == [52, 52, 256, 52, 52]
    assert {one["revision"] for one in found} == {1}


def test_do_not_store_means_that(client: httpx2.Client, native: httpx2.Client, whole: Site) -> None:
    """The scores are told and the text is forgotten; a site may have it so for all."""
    ask(client, whole, ANALYZE, body(doNotStore=True))
    native.put("/v1/compat/settings", json={"perspective": {"store": False}}).raise_for_status()
    ask(client, whole, ANALYZE, body())

    assert comments(native) == []


def test_a_suggestion_is_a_judgement(
    service: Service, client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """It decides on the comment as a person would, and teaches; told twice it is one."""
    said = {
        "comment": {"text": INSULT},
        "clientToken": "c-1",
        "attributeScores": {
            "TOXICITY": {"summaryScore": {"value": 1}},
            "THREAT": {"summaryScore": {"value": 0}},
        },
        "languages": ["en"],
    }
    ask(client, whole, ANALYZE, body(clientToken="c-1"))

    told = ask(client, whole, SUGGEST, said)
    again = ask(client, whole, SUGGEST, said)

    assert told == again
    assert told == {
        "clientToken": "c-1",
        "requestedLanguages": ["en"],
        "detectedLanguages": ["en"],
    }
    (comment,) = comments(native)
    assert comment["state"] == "rejected"
    assert judgements(service, whole) == {
        ("toxicity", True, "feedback"),
        ("threat", False, "feedback"),
    }
    events = native.get("/v1/decisions").json()["items"]
    assert len([event for event in events if event["actor"].get("id") == "perspective"]) == 1


def test_a_suggestion_finds_what_was_analysed_without_a_token(
    client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """Coral names community and token only when it judges: the text is the same."""
    ask(client, whole, ANALYZE, body(KIND))

    ask(
        client,
        whole,
        SUGGEST,
        {
            "comment": {"text": f" {KIND}\n"},
            "communityId": "Coral:https://news.example.org",
            "clientToken": "comment:7",
            "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
        },
    )

    (comment,) = comments(native)
    assert comment["state"] == "removed"


def test_a_suggestion_about_what_nobody_stored_is_stored(
    service: Service, client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """A judgement is about a text; another text under the same token is the next revision."""
    for text in (KIND, INSULT):
        ask(
            client,
            whole,
            SUGGEST,
            {
                "comment": {"text": text},
                "clientToken": "c-1",
                "attributeScores": {"SPAM": {"summaryScore": {"value": 1}}},
            },
        )

    (comment,) = comments(native)
    assert (comment["state"], comment["revision"], comment["text"]) == ("spam", 2, INSULT)
    assert judgements(service, whole) == {("spam", True, "feedback")}


def test_a_suggestion_about_an_older_text_decides_nothing(
    service: Service, client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """Nor does that text come back: what people see is the newer one, which waits on."""
    ask(client, whole, ANALYZE, body(KIND, clientToken="c-1"))
    ask(client, whole, ANALYZE, body(INSULT, clientToken="c-1"))

    told = ask(
        client,
        whole,
        SUGGEST,
        {
            "comment": {"text": KIND},
            "clientToken": "c-1",
            "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0}}},
        },
    )

    assert told["clientToken"] == "c-1"
    (comment,) = comments(native)
    assert (comment["state"], comment["revision"], comment["text"]) == ("pending", 2, INSULT)
    assert judgements(service, whole) == set()


def test_a_suggestion_for_attributes_without_a_label_is_refused(
    client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """Nothing could be learned of it; a site that has such attributes left out is told nothing."""
    said: dict[str, object] = {
        "comment": {"text": KIND},
        "attributeScores": {"FLIRTATION": {"summaryScore": {"value": 1}}},
    }
    refused = ask(client, whole, SUGGEST, said, 400)
    native.put(
        "/v1/compat/settings", json={"perspective": {"unsupported_attributes": "omit"}}
    ).raise_for_status()

    assert refused["error"]["details"][0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert ask(client, whole, SUGGEST, said) == {"detectedLanguages": ["en"]}
    assert comments(native) == []


def test_sentences_are_scored_where_spans_are_asked_for(client: httpx2.Client, whole: Site) -> None:
    """The whole text's span is the first; the others say which sentence it was."""
    told = ask(client, whole, ANALYZE, body("😀 Good day. You idiot!", spanAnnotations=True))

    scores = told["attributeScores"]["TOXICITY"]["spanScores"]
    assert [(one["begin"], one["end"]) for one in scores] == [(0, 23), (0, 12), (13, 23)]
    assert scores[2]["score"]["value"] > scores[1]["score"]["value"]


@pytest.mark.parametrize("text", ["สวัสดี", "ты дурак", "انت غبي", "너는 바보야", "馬鹿野郎死ねよ"])
def test_a_short_text_in_another_script_is_not_scored_as_english(
    client: httpx2.Client, whole: Site, text: str
) -> None:
    """Analysed it is refused; judged, its script is told."""
    said = {
        "comment": {"text": text},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
    }

    refused = ask(client, whole, ANALYZE, body(text, doNotStore=True), 400)
    told = ask(client, whole, SUGGEST, said)

    assert refused["error"]["details"][0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert [tag[:4] for tag in told["detectedLanguages"]] == ["und-"]


@pytest.mark.parametrize("languages", [["ru"], None])
def test_a_language_that_is_not_known_is_refused_or_scored(
    client: httpx2.Client, native: httpx2.Client, whole: Site, languages: list[str] | None
) -> None:
    """By default an error that clients go on after, and nothing is stored; a site may choose."""
    asked = body(FOREIGN, languages=languages)
    refused = ask(client, whole, ANALYZE, asked, 400)
    stored = comments(native)
    native.put(
        "/v1/compat/settings", json={"perspective": {"unknown_languages": "score"}}
    ).raise_for_status()

    assert refused["error"]["details"][0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert stored == []
    assert "TOXICITY" in ask(client, whole, ANALYZE, asked)["attributeScores"]


def test_a_key_may_stand_in_the_query_or_a_header(client: httpx2.Client, whole: Site) -> None:
    """Any content type, or none, comes with it."""
    for headers in (
        {"x-goog-api-key": whole.key},
        {"authorization": f"Bearer {whole.key}"},
        {"x-goog-api-key": whole.key, "content-type": "application/x-www-form-urlencoded"},
    ):
        answer = client.post(
            f"{ANALYZE}?alt=json&prettyPrint=false&$.xgafv=2",
            content=json.dumps(body(KIND)),
            headers=headers,
        )
        assert answer.status_code == 200, answer.text


def test_of_a_long_query_the_beginning_is_read(client: httpx2.Client, whole: Site) -> None:
    """Whoever has no key cannot have thousands of parameters taken apart."""
    filling = "&".join("a=1" for _ in range(100))
    first = client.post(f"{ANALYZE}?key={whole.key}&{filling}", json=body())
    last = client.post(f"{ANALYZE}?{filling}&key={whole.key}", json=body())

    assert (first.status_code, last.status_code) == (200, 403)


def test_no_page_may_ask_from_a_browser(client: httpx2.Client, whole: Site) -> None:
    """Its key would be everybody's: neither the question beforehand nor the answer allows it."""
    asking = {"Origin": "https://blog.example.org", "Access-Control-Request-Method": "POST"}
    beforehand = client.options(ANALYZE, headers=asking)
    answer = client.post(ANALYZE, params={"key": whole.key}, json=body(), headers=asking)

    assert (beforehand.status_code, answer.status_code) == (405, 200)
    assert "access-control-allow-origin" not in {*beforehand.headers, *answer.headers}


def test_keys_that_do_not_fit_are_told_in_googles_words(
    client: httpx2.Client, service: Service, whole: Site
) -> None:
    """None, a wrong one, one that is not good for it."""
    content = json.dumps(body())
    narrow = service.add_site(f"https://{token_hex(6)}.example.org", scopes=["comments:score"])

    none = client.post(ANALYZE, content=content)
    wrong = client.post(ANALYZE, params={"key": "wrong"}, content=content)
    scope = client.post(ANALYZE, params={"key": narrow.key}, content=content)
    other = client.get(ANALYZE, params={"key": whole.key})
    large = client.post(ANALYZE, params={"key": whole.key}, content=b" " * 300_000)

    assert (none.status_code, none.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert wrong.status_code == 400
    assert wrong.json()["error"] == {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "commentanalyzer.googleapis.com"},
            }
        ],
    }
    assert scope.json()["error"]["status"] == "PERMISSION_DENIED"
    assert other.status_code == other.json()["error"]["code"] == 405
    assert large.status_code == large.json()["error"]["code"] == 413


def test_the_discovery_document_is_served_to_anybody(client: httpx2.Client) -> None:
    """Its root is where the request was sent; another version is not found."""
    found = client.get("/$discovery/rest?version=v1alpha1&key=any")
    host = client.get("/$discovery/rest", headers={"host": "evil.example/?"})
    other = client.get("/$discovery/rest?version=v2")

    assert found.json()["rootUrl"] == f"{str(client.base_url).rstrip('/')}/"
    assert host.json()["rootUrl"] == "http://localhost/"
    assert (other.status_code, other.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_the_discovery_document_tells_the_public_address(
    new_service: Service,
) -> None:
    """Behind TLS only the setting knows where clients are to call."""
    new_service.environment = new_service.environment | {
        "ABOVEBOARD_PUBLIC_URL": "https://comments.example.org"
    }
    new_service.start()
    with new_service.client() as stranger:
        found = stranger.get("/$discovery/rest?version=v1alpha1").json()

    assert found["rootUrl"] == "https://comments.example.org/"


def test_a_batch_answers_each_call_for_itself(
    client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """A part's key is its own or the request's; a bad part spoils no other."""
    calls = [
        (f"POST {ANALYZE}?key={whole.key} HTTP/1.1", body(KIND, clientToken="c-1")),
        (f"POST {ANALYZE}", body(KIND, clientToken="c-2")),
        (f"POST {ANALYZE}?key=wrong HTTP/1.1", body(KIND)),
        (f"POST {ANALYZE} HTTP/1.1", body("")),
        ("GET /v1/comments HTTP/1.1", {}),
        ("POST", body(KIND)),
        (f"POST {ANALYZE.replace(':', '%3A')} HTTP/1.1", body(KIND, doNotStore=True)),
    ]
    parts = "".join(
        f"--b\r\nContent-Type: application/http\r\nContent-ID: <x + {number}>\r\n\r\n"
        f"{line}\r\nContent-Type: application/json\r\n\r\n{json.dumps(content)}\r\n"
        for number, (line, content) in enumerate(calls)
    )

    answer = client.post(
        "/batch",
        content=f"{parts}--b--",
        headers={"content-type": "multipart/mixed; boundary=b", "x-goog-api-key": whole.key},
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=batch_")
    lines = answer.text.splitlines()
    assert [line[9:12] for line in lines if line.startswith("HTTP/1.1 ")] == [
        "200", "200", "400", "400", "404", "400", "200",
    ]  # fmt: skip
    assert [line for line in lines if line.startswith("Content-ID")] == [
        f"Content-ID: <response-x + {number}>" for number in range(7)
    ]
    assert {one["external_id"] for one in comments(native)} == {
        "perspective:c-1",
        "perspective:c-2",
    }


def test_a_batch_that_is_none_is_refused(client: httpx2.Client, whole: Site) -> None:
    """In Google's shape, before any call is made."""
    refused = ask(client, whole, "/batch", body(), 400)

    assert refused["error"]["message"].startswith("Failed to parse batch request")


def test_an_erased_comment_stays_erased(
    service: Service, client: httpx2.Client, native: httpx2.Client, whole: Site
) -> None:
    """Analyses and suggestions are answered, and bring nothing back."""
    ask(client, whole, ANALYZE, body(clientToken="c-1"))
    (comment,) = comments(native)
    native.delete(f"/v1/comments/{comment['id']}").raise_for_status()

    again = ask(client, whole, ANALYZE, body(clientToken="c-1"))
    told = ask(
        client,
        whole,
        SUGGEST,
        {
            "comment": {"text": INSULT},
            "clientToken": "c-1",
            "attributeScores": {"SPAM": {"summaryScore": {"value": 1}}},
        },
    )

    assert "TOXICITY" in again["attributeScores"]
    assert told["clientToken"] == "c-1"
    with service.databases() as databases, databases.moderation.read() as connection:
        found = connection.execute(
            select(COMMENT.c.state, COMMENT.c.revision).where(COMMENT.c.site_id == whole.id)
        )
        assert [tuple(row) for row in found] == [("erased", 1)]
    assert judgements(service, whole) == set()
