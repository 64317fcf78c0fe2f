"""PyPI's `akismet`, unmodified, sync and async, through the transport that its guide names."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import akismet
import httpx
import pytest
from akismet_desk import HAM, RUDE, SPAM, Blog
from conftest import Service

GUIDE = (Path(__file__).parents[2] / "docs" / "akismet.md").read_text(encoding="utf-8")
PATIENCE_S = 60


@pytest.fixture
def transport(service: Service) -> httpx.HTTPTransport:
    """Take the transport from the guide, with the service's address in it."""
    (shown,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    lines = shown[: shown.index("client =")]
    lines = lines.replace('scheme="https"', 'scheme="http"').replace(
        "port=None", f"port={service.port}"
    )
    lines = lines.replace("moderation.example.org", "127.0.0.1")
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - our own page
    made: httpx.HTTPTransport = names["Aboveboard"]()
    return made


def config(blog: Blog) -> akismet.Config:
    """Return what the client needs to know."""
    return akismet.Config(key=blog.key, url=blog.url)


@pytest.fixture
def client(blog: Blog, transport: httpx.HTTPTransport) -> Iterator[akismet.SyncClient]:
    """Open the sync client, which verifies its key first."""
    agent = {"User-Agent": akismet.USER_AGENT}
    with (
        httpx.Client(transport=transport, headers=agent, timeout=PATIENCE_S) as http,
        akismet.SyncClient(config=config(blog), http_client=http) as opened,
    ):
        yield opened


COMMENT = {"comment_author": "Ann", "comment_type": "comment", "comment_context": ["tea", "news"]}


def test_comments_are_checked(client: akismet.SyncClient, blog: Blog) -> None:
    """Ham, spam, held as ham, discarded where the site wants that."""
    answers = [
        client.comment_check(user_ip="198.51.100.7", comment_content=text, **COMMENT)
        for text in (HAM, SPAM, RUDE)
    ]

    assert answers == [
        akismet.CheckResponse.HAM,
        akismet.CheckResponse.SPAM,
        akismet.CheckResponse.HAM,
    ]
    assert {each["state"] for each in blog.comments()} == {"published", "spam", "pending"}
    assert blog.comments()[0]["origin_details"]["context"] == ["tea", "news"]


def test_comments_are_submitted(client: akismet.SyncClient, blog: Blog) -> None:
    """What is told is decided; the next check knows."""
    client.comment_check(user_ip="198.51.100.7", comment_content=HAM, **COMMENT)

    assert client.submit_spam(user_ip="198.51.100.7", comment_content=HAM, **COMMENT) is True
    assert blog.comment()["state"] == "spam"
    assert client.submit_ham(user_ip="198.51.100.7", comment_content=HAM, **COMMENT) is True
    assert blog.comment()["state"] == "published"
    again = client.comment_check(user_ip="198.51.100.7", comment_content=HAM, **COMMENT)
    assert again == akismet.CheckResponse.HAM


def test_those_who_test_get_their_answers(client: akismet.SyncClient, blog: Blog) -> None:
    """As the client's own documentation has it."""
    spam = client.comment_check(
        user_ip="127.0.0.1", comment_author="akismet-guaranteed-spam", is_test=True
    )
    ham = client.comment_check(user_ip="127.0.0.1", user_role="administrator", is_test=True)

    assert (spam, ham) == (akismet.CheckResponse.SPAM, akismet.CheckResponse.HAM)
    assert blog.comments() == []


def test_usage_is_told(client: akismet.SyncClient) -> None:
    """`key_sites` of this client sends no key, so that no server could answer it."""
    client.comment_check(user_ip="198.51.100.7", comment_content=SPAM, **COMMENT)

    assert client.usage_limit()["usage"] == 1
    with pytest.raises(akismet.APIKeyError):
        client.key_sites()


def test_a_wrong_key_or_address_is_told_apart(blog: Blog, transport: httpx.HTTPTransport) -> None:
    """The client refuses to begin; over the month's limit it says so, too."""
    with httpx.Client(transport=transport, timeout=PATIENCE_S) as http:
        for wrong in (
            akismet.Config(key="0" * 12, url=blog.url),
            akismet.Config(key=blog.key, url="https://elsewhere.example.org"),
        ):
            with pytest.raises(akismet.APIKeyError):
                akismet.SyncClient.validated_client(config=wrong, http_client=http)
        blog.set(monthly_limit=0)
        limited = akismet.SyncClient.validated_client(config=config(blog), http_client=http)
        with pytest.raises(akismet.AkismetError):
            limited.comment_check(user_ip="198.51.100.7", comment_content=HAM)


class Rewriting(httpx.AsyncHTTPTransport):
    """The guide's transport for the async client."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send what is meant for Akismet to the service."""
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        request.headers["host"] = f"127.0.0.1:{self._port}"
        return await super().handle_async_request(request)


def test_the_async_client_works(blog: Blog, service: Service) -> None:
    """Many checks at once, then a submit."""

    async def ask() -> tuple[list[akismet.CheckResponse], bool]:
        async with (
            httpx.AsyncClient(transport=Rewriting(service.port), timeout=PATIENCE_S) as http,
            akismet.AsyncClient(config=config(blog), http_client=http) as client,
        ):
            checks = (
                client.comment_check(
                    user_ip="198.51.100.7", comment_content=text, permalink=f"https://x.example/{n}"
                )
                for n, text in enumerate([HAM, SPAM] * 10)
            )
            answers = await asyncio.gather(*checks)
            told = await client.submit_ham(
                user_ip="198.51.100.7", comment_content=SPAM, permalink="https://x.example/1"
            )
            return answers, told

    answers, told = asyncio.run(ask())

    assert answers == [akismet.CheckResponse.HAM, akismet.CheckResponse.SPAM] * 10
    assert told is True
    states = [each["state"] for each in blog.comments()]
    assert (states.count("published"), states.count("spam")) == (11, 9)
