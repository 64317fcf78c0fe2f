"""npm's `@cedx/akismet` and `akismet-api`, unmodified, pointed at the service."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from akismet_desk import HAM, RUDE, SPAM, THANKS, Blog
from conftest import Service

SCRIPT = Path(__file__).parent / "node" / "akismet.js"
PATIENCE_S = 300
Asking = Callable[..., list[dict[str, Any]]]


@pytest.fixture(params=["cedx", "akismet-api"])
def through(request: pytest.FixtureRequest) -> str:
    """Take both clients in turn."""
    return str(request.param)


@pytest.fixture
def ask(service: Service, blog: Blog, node: str, through: str) -> Asking:
    """Ask several things through one client, in their order."""

    def asked(*questions: dict[str, Any]) -> list[dict[str, Any]]:
        common = {
            "through": through,
            "url": service.url,
            "blog": blog.url,
            "key": blog.key,
            "author": "Ann",
            "email": "ann@example.org",
            "content": HAM,
        }
        done = subprocess.run(  # noqa: S603
            [node, str(SCRIPT)],
            input="".join(json.dumps({**common, **question}) + "\n" for question in questions),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return asked


def test_a_key_is_verified(ask: Asking) -> None:
    """A good one, a wrong one, an address of somebody else."""
    answers = ask(
        {"ask": "verify"},
        {"ask": "verify", "key": "0" * 12},
        {"ask": "verify", "blog": "https://elsewhere.example.org"},
    )

    assert answers == [{"result": True}, {"result": False}, {"result": False}]


def test_comments_are_checked_and_submitted(ask: Asking, blog: Blog, through: str) -> None:
    """Each verdict; then what people say; then what a later check is told."""
    answers = ask(
        {"ask": "check"},
        {"ask": "check", "content": SPAM, "context": ["tea", "news"]},
        {"ask": "check", "content": RUDE},
        {"ask": "spam"},
        {"ask": "ham", "content": SPAM},
        {"ask": "check"},
        {"ask": "check", "content": SPAM},
    )

    done = "done" if through == "cedx" else THANKS
    results = [each.get("result") for each in answers]
    assert results == ["ham", "spam", "ham", done, done, "spam", "ham"], answers
    states = {each["text"]: each["state"] for each in blog.comments()}
    assert states == {HAM: "spam", SPAM: "published", RUDE: "pending"}
    if through == "cedx":
        (spam,) = (each for each in blog.comments() if each["text"] == SPAM)
        assert spam["origin_details"]["context"] == ["tea", "news"]


def test_those_who_test_get_their_answers(ask: Asking, blog: Blog) -> None:
    """And leave nothing behind."""
    answers = ask(
        {"ask": "check", "author": "akismet-guaranteed-spam", "test": True},
        {"ask": "check", "content": SPAM, "role": "administrator", "test": True},
    )

    assert [each["result"] for each in answers] == ["spam", "ham"]
    assert blog.comments() == []


def test_a_wrong_key_is_an_error(ask: Asking, blog: Blog) -> None:
    """With the reason, where the client tells it."""
    (answer,) = ask({"ask": "check", "key": "0" * 12})

    assert answer["error"]
    assert blog.comments() == []
