"""Texts of a hundred thousand characters, made to be slow: stored, while others are served."""

import threading
from collections.abc import Callable, Iterator

import httpx2
import pytest
from conftest import Service, Site

LIMIT = 100_000  # characters of a text

TEXTS: dict[str, Callable[[], str]] = {
    "one letter": lambda: "a" * LIMIT,
    "two letters": lambda: "ab" * (LIMIT // 2),
    "spaces": lambda: " " * (LIMIT - 1) + "a",
    "newlines": lambda: "\n" * (LIMIT - 1) + "a",
    "spaced letters": lambda: "v i a g r a " * (LIMIT // 12),
    "spaced letters of many readings": lambda: f"{' '.join('thisisatest161|')} " * (LIMIT // 30),
    "open tags": lambda: "<a " * (LIMIT // 3),
    "nested tags": lambda: "<b>" * (LIMIT // 7) + "</b>" * (LIMIT // 7),
    "angle brackets": lambda: "<" * LIMIT,
    "attributes": lambda: "<a " + 'href="x" ' * (LIMIT // 10),
    "comments": lambda: "<!--" * (LIMIT // 4),
    "ampersands": lambda: "&" * LIMIT,
    "entities": lambda: "&amp;" * (LIMIT // 5),
    "endless entity": lambda: "&#" + "0" * (LIMIT - 2),
    "combining marks": lambda: "e" + "\u0301" * (LIMIT - 1),
    "marks in disorder": lambda: "e" + "\u0315\u0300\u05ae" * ((LIMIT - 1) // 3),
    "marks on every letter": lambda: "e\u0301\u0327" * (LIMIT // 3),
    "zero width": lambda: "\u200b" * (LIMIT - 1) + "a",
    "joiners": lambda: "a\u200d" * (LIMIT // 2),
    "right to left": lambda: "\u202e" * LIMIT,
    "Hangul letters": lambda: "\u1100\u1161\u11a8" * (LIMIT // 3),
    "what NFKC makes longer": lambda: "\ufdfa" * LIMIT,
    "mathematical letters": lambda: "\U0001d5d4" * LIMIT,
    "confusables": lambda: "\u0440\u0430\u0443\u0440\u0430l" * (LIMIT // 6),
    "capitals that grow": lambda: "\u0130" * LIMIT,
    "links": lambda: "http://a.example/b " * (LIMIT // 19),
    "one link": lambda: "http://" + "a." * ((LIMIT - 7) // 2),
    "schemes": lambda: "http://" * (LIMIT // 7),
    "slashes": lambda: "https:" + "/" * (LIMIT - 6),
    "at signs": lambda: "a@" * (LIMIT // 2),
    "hyphens": lambda: "a-" * (LIMIT // 2),
    "markdown": lambda: "[" * (LIMIT // 2) + "](" * (LIMIT // 4),
    "emphasis": lambda: "*_" * (LIMIT // 2),
    "digits": lambda: "0" * LIMIT,
    "emoji": lambda: "\U0001f600" * (LIMIT // 2),
    "families": lambda: "\U0001f468\u200d\U0001f469\u200d" * (LIMIT // 8),
    "flags": lambda: "\U0001f1e6" * (LIMIT // 2),
    "tag characters": lambda: "\U000e0041" * (LIMIT // 2),
    "variation selectors": lambda: "a\ufe0f" * (LIMIT // 2),
    "private use": lambda: "\ue000" * (LIMIT // 2),
    "no characters": lambda: "\uffff\ufffe" * (LIMIT // 4),
    "control characters": lambda: "\x01\x1b" * (LIMIT // 2),
    "quotes": lambda: '"\\' * (LIMIT // 2),
    "every character": lambda: "".join(
        chr(code) for code in range(1, LIMIT) if not 0xD800 <= code <= 0xDFFF
    ),
}


def _fits(text: str) -> str:
    """Cut a text so that its body stays under the limit of a single comment, escapes and all."""
    room = 256 * 1024 - 1024
    while len(httpx2.Request("POST", "http://x/", json={"text": text}).content) > room:
        text = text[: len(text) * 9 // 10]
    return text


@pytest.fixture(scope="module")
def speaker(service: Service) -> Iterator[httpx2.Client]:
    """Speak for one site throughout the module."""
    with service.client(service.add_site("https://texts.example.org").key) as opened:
        yield opened


@pytest.mark.parametrize("kind", TEXTS)
def test_the_longest_texts_are_screened(speaker: httpx2.Client, kind: str) -> None:
    """A text as long as allowed, of the worst sort, is stored with all its labels."""
    text = _fits(TEXTS[kind]())
    assert len(text) >= LIMIT // 3

    answer = speaker.post("/v1/comments", json={"external_id": kind, "text": text})

    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["labels"] is not None, "scoring failed"
    assert len(told["labels"]) == 8
    stored = speaker.get(f"/v1/comments/{told['id']}").json()
    assert stored["text"] == text


def test_others_are_served_while_long_texts_are_scored(service: Service, site: Site) -> None:
    """While four clients send nothing but the longest texts, short comments are answered."""
    texts = [_fits(TEXTS[kind]()) for kind in ("what NFKC makes longer", "nested tags", "emoji")]
    stop = threading.Event()
    statuses: list[int] = []

    def send_long() -> None:
        with service.client(site.key) as client:
            number = 0
            while not stop.is_set():
                body = {"text": texts[number % len(texts)]}
                statuses.append(client.post("/v1/score", json=body).status_code)
                number += 1

    threads = [threading.Thread(target=send_long) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with service.client(site.key) as client:
            served = [
                client.post("/v1/comments", json={"external_id": f"s{number}", "text": "Short."})
                for number in range(50)
            ]
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)

    assert {answer.status_code for answer in served} == {201}
    assert set(statuses) == {200}


def test_a_text_beyond_the_limit_is_refused_by_its_characters(speaker: httpx2.Client) -> None:
    """A hundred thousand and one characters answer 422, however few bytes they are."""
    answer = speaker.post("/v1/comments", json={"external_id": "long", "text": "a" * (LIMIT + 1)})

    assert answer.status_code == 422
    assert "100000" in answer.json()["detail"]
