"""PyPI's `google-api-python-client`, unmodified: it builds itself from the served document."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conftest import Service, Site
from googleapiclient import discovery
from googleapiclient.errors import HttpError

GUIDE = (Path(__file__).parents[2] / "docs" / "perspective.md").read_text(encoding="utf-8")
INSULT = "You are a stupid idiot 😀 and everybody hates you."
KIND = "Thank you, this was a lovely article about the garden."


@pytest.fixture
def client(service: Service, site: Site) -> Iterator[Any]:
    """Run the guide's lines, with the service's address in them."""
    (shown,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    lines = shown.replace("https://comments.example.org", service.url)
    names: dict[str, Any] = {"discovery": discovery, "KEY": site.key}
    exec(lines, names)  # noqa: S102 - our own page
    with names["service"] as built:
        yield built


def request(text: str, *names: str, **more: object) -> dict[str, object]:
    """Return what is asked about a text."""
    attributes = {name: {} for name in names or ("TOXICITY",)}
    return {"comment": {"text": text}, "requestedAttributes": attributes, **more}


def test_it_analyses(client: Any, native: httpx2.Client) -> None:  # noqa: ANN401
    """Scores by attribute, spans that cut out the text, and the comment in the queue."""
    answer = client.comments().analyze(body=request(INSULT, clientToken="c-1")).execute()

    scores = answer["attributeScores"]["TOXICITY"]
    labels = native.post("/v1/score", json={"text": INSULT}).json()["labels"]
    assert scores["summaryScore"] == {"value": labels["toxicity"], "type": "PROBABILITY"}
    (span,) = scores["spanScores"]
    wide = INSULT.encode("utf-16-le")
    assert wide[2 * span["begin"] : 2 * span["end"]].decode("utf-16-le") == INSULT
    assert (answer["clientToken"], answer["languages"]) == ("c-1", ["en"])
    (case,) = native.get("/v1/cases", params={"origin": "perspective"}).json()["items"]
    assert case["external_id"] == "perspective:c-1"


def test_it_suggests(client: Any, native: httpx2.Client) -> None:  # noqa: ANN401
    """A suggested score decides on the comment that was analysed."""
    client.comments().analyze(body=request(KIND, clientToken="c-1")).execute()

    answer = (
        client.comments()
        .suggestscore(
            body={
                "comment": {"text": KIND},
                "clientToken": "c-1",
                "attributeScores": {"SPAM": {"summaryScore": {"value": 1}}},
            }
        )
        .execute()
    )

    assert answer == {"clientToken": "c-1", "detectedLanguages": ["en"]}
    (comment,) = native.get("/v1/comments").json()["items"]
    assert comment["state"] == "spam"


def test_its_errors_say_what_programs_look_for(client: Any) -> None:  # noqa: ANN401
    """They search the error for the type, drop the attribute it names, and ask again."""
    with pytest.raises(HttpError) as empty:
        client.comments().analyze(body=request("")).execute()
    with pytest.raises(HttpError) as foreign:
        client.comments().analyze(body=request(KIND, languages=["th"])).execute()

    assert empty.value.reason == "Comment must be non-empty."
    assert empty.value.error_details[0]["errorType"] == "COMMENT_EMPTY"
    assert "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE" in str(foreign.value)
    named = foreign.value.error_details[0]["languageNotSupportedByAttributeError"]
    assert named["attribute"] == "TOXICITY"


def test_a_wrong_key_is_refused(service: Service) -> None:
    """The document is anybody's, a score is not."""
    address = f"{service.url}/$discovery/rest?version=v1alpha1"
    with (
        discovery.build(
            "commentanalyzer",
            "v1alpha1",
            developerKey="wrong",
            discoveryServiceUrl=address,
            static_discovery=False,
        ) as stranger,
        pytest.raises(HttpError) as refused,
    ):
        stranger.comments().analyze(body=request(KIND)).execute()

    assert refused.value.status_code == 400
    assert refused.value.reason == "API key not valid. Please pass a valid API key."


def test_its_batch_answers_each_call(client: Any, native: httpx2.Client) -> None:  # noqa: ANN401
    """Each callback gets its own answer or its own error, whatever letters are in it."""
    told: dict[str, tuple[Any, Any]] = {}

    def keep(name: str, answer: Any, error: Any) -> None:  # noqa: ANN401
        told[name] = (answer, error)

    batch = client.new_batch_http_request(callback=keep)
    for number in range(50):
        body = request(f"{KIND} Nr. {number}", clientToken=f"ä{number}")
        batch.add(client.comments().analyze(body=body), request_id=f"n {number}")
    batch.add(client.comments().analyze(body=request("")), request_id="empty")
    batch.execute()

    assert len(told) == 51
    for number in range(50):
        answer, error = told[f"n {number}"]
        assert error is None
        assert answer["clientToken"] == f"ä{number}"
    assert told["empty"][1].error_details[0]["errorType"] == "COMMENT_EMPTY"
    assert len(native.get("/v1/comments").json()["items"]) == 50
