"""PyPI's `openai`, unmodified, sync and async, told to hold every answer against its types."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from conftest import Service, Site

GUIDE = (Path(__file__).parents[2] / "docs" / "openai.md").read_text(encoding="utf-8")
INSULT = "You are a stupid idiot and everybody hates you."
KIND = "Thank you, this was a lovely article about the garden."
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


@pytest.fixture
def client(service: Service, site: Site) -> Iterator[openai.OpenAI]:
    """Run the guide's line, with the service's address in it; answers are held against types."""
    (shown,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    line = shown.replace("https://comments.example.org", service.url)
    line = line.replace("KEY)", "KEY, _strict_response_validation=True)")
    names: dict[str, Any] = {"openai": openai, "KEY": site.key}
    exec(line, names)  # noqa: S102 - our own page
    with names["client"] as opened:
        yield opened


def test_it_moderates_a_text(client: openai.OpenAI, native: httpx2.Client) -> None:
    """Every category is there, typed; the text waits in the queue."""
    answer = client.moderations.create(input=INSULT, model="omni-moderation-latest")

    (result,) = answer.results
    labels = native.post("/v1/score", json={"text": INSULT}).json()["labels"]
    assert result.flagged
    assert result.categories.harassment
    assert result.category_scores.harassment == max(labels["insult"], labels["toxicity"])
    assert len(result.categories.model_dump()) == 13
    assert result.category_applied_input_types.self_harm == []
    assert answer.id.startswith("modr-")
    assert len(native.get("/v1/cases", params={"origin": "openai"}).json()["items"]) == 1


def test_it_moderates_many(client: openai.OpenAI) -> None:
    """An array of strings has a result each; parts of text have one together."""
    many = client.moderations.create(input=[KIND, INSULT, ""])
    parts = client.moderations.create(
        input=[{"type": "text", "text": KIND}, {"type": "text", "text": INSULT}]
    )

    assert [result.flagged for result in many.results] == [False, True, False]
    assert [result.flagged for result in parts.results] == [True]


def test_it_is_told_that_nothing_looks_at_images(client: openai.OpenAI) -> None:
    """An honest error, not an answer about the words beside the image."""
    with pytest.raises(openai.BadRequestError) as refused:
        client.moderations.create(input=[{"type": "text", "text": KIND}, IMAGE])

    assert refused.value.code == "image_input_unsupported"
    assert refused.value.param == "input"


def test_its_errors_are_its_own(client: openai.OpenAI) -> None:
    """A wrong key is an AuthenticationError, with the id of the request."""
    stranger = client.with_options(api_key="sk-wrong")
    with pytest.raises(openai.AuthenticationError) as refused:
        stranger.moderations.create(input=KIND)
    with pytest.raises(openai.BadRequestError) as unknown:
        client.moderations.create(input=KIND, model="gpt-4o")

    assert refused.value.code == "invalid_api_key"
    assert refused.value.request_id is not None
    assert refused.value.request_id.startswith("req_")
    assert unknown.value.param == "model"
    raw = client.moderations.with_raw_response.create(input=KIND)
    assert raw.headers["x-request-id"].startswith("req_")


def test_its_async_client_asks_at_once(client: openai.OpenAI, site: Site) -> None:
    """Many calls at the same time, each with its own answer."""

    async def ask() -> list[bool]:
        async with openai.AsyncOpenAI(
            base_url=str(client.base_url), api_key=site.key, _strict_response_validation=True
        ) as opened:
            answers = await asyncio.gather(
                *(opened.moderations.create(input=text) for text in [KIND, INSULT] * 10)
            )
        return [answer.results[0].flagged for answer in answers]

    assert asyncio.run(ask()) == [False, True] * 10
